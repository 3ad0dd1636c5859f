"""What of the sky is excluded: by boolean pixels with a WCS, sampled by the nearest pixel, and by shapes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
import scipy

from xgamma.axes import BoolArray, FloatArray, IntArray
from xgamma.errors import InputError
from xgamma.geometry import lonlat, separation, to_frame, unit_vector
from xgamma.shapes import Shape, union_holds
from xgamma.shapes.objects import normalize_shape
from xgamma.shapes.shape import MARGIN

if TYPE_CHECKING:
    from astropy.wcs import WCS


MASK = "mask"
"""What a store calls files that are read as one."""
# No circle is farther away.
WHOLE_SKY = 360.0
# Of so many shapes it is worth to look which of them are near.
FEW = 16


class Caps(NamedTuple):
    """Circles on the sky, ICRS degrees, each shape (cap,)."""

    lon: FloatArray
    lat: FloatArray
    radius: FloatArray


class Exclusion(Protocol):
    """Which parts of the sky may serve as background."""

    def __hash__(self) -> int:
        """Return a hash, by which what is looked up once is found again."""

    def is_usable(self, lon: FloatArray, lat: FloatArray, *, outside: bool) -> BoolArray:
        """Return whether ICRS positions are usable; ``outside`` is the value where nothing is said about the sky."""

    def is_silent(self, lon: FloatArray, lat: FloatArray) -> BoolArray:
        """Return whether nothing is said about ICRS positions, as beyond the pixels of a mask."""

    def caps_near(self, lon: float, lat: float, reach: float) -> Caps:
        """Return circles that hold all that is excluded near an ICRS position: those that one about it touches."""

    @property
    def digest(self) -> str:
        """A digest of what is excluded, never of a path."""


@dataclass(frozen=True, eq=False)
class SkyMask:
    """Which parts of the sky may serve as background.

    Parameters
    ----------
    usable
        True where the sky may be used, shape (y, x).
    wcs
        The celestial WCS of the pixels.
    frame
        ``icrs`` or ``galactic``.
    file
        The file that it was read from: what a store calls it, its size and its time of change.
    """

    usable: BoolArray
    wcs: WCS
    frame: str
    file: tuple[str, int, int] | None = None

    def is_usable(self, lon: FloatArray, lat: FloatArray, *, outside: bool) -> BoolArray:
        """Return whether ICRS positions are usable; ``outside`` is the value beyond the pixels."""
        row, column, within = self._nearest(lon, lat)
        result = np.full(within.shape, outside)
        result[within] = self.usable[row[within].astype(int), column[within].astype(int)]
        return result

    def is_silent(self, lon: FloatArray, lat: FloatArray) -> BoolArray:
        """Return whether ICRS positions lie beyond the pixels."""
        return ~self._nearest(lon, lat)[2]

    def _nearest(self, lon: FloatArray, lat: FloatArray) -> tuple[FloatArray, FloatArray, BoolArray]:
        """Return row and column of the nearest pixels, and whether there are such."""
        native_lon, native_lat = to_frame(lon, lat, "icrs", self.frame)
        x, y = self.wcs.wcs_world2pix(native_lon, native_lat, 0)
        height, width = self.usable.shape
        with np.errstate(invalid="ignore"):
            column, row = np.rint(x), np.rint(y)
            return row, column, (column >= 0) & (column < width) & (row >= 0) & (row < height)

    @cached_property
    def caps(self) -> Caps:
        """Circles that contain all excluded pixels, one for each connected area."""
        labels, count = scipy.ndimage.label(~self.usable)  # type: ignore[attr-defined]
        rows, columns = np.nonzero(labels)
        native_lon, native_lat = self.wcs.wcs_pix2world(columns, rows, 0)
        lon, lat = to_frame(native_lon, native_lat, self.frame, "icrs")
        pixel = float(np.hypot(*self.wcs.proj_plane_pixel_scales()).value)
        caps = [self._cap(lon[piece], lat[piece], pixel) for piece in _pieces(labels[rows, columns], count)]
        return Caps(*np.array(caps, dtype=float).reshape(-1, 3).T)

    @staticmethod
    def _cap(lon: FloatArray, lat: FloatArray, pixel: float) -> tuple[float, float, float]:
        center_lon, center_lat = lonlat(unit_vector(lon, lat).mean(axis=0))
        reach = float(separation(lon, lat, center_lon, center_lat).max())
        return float(center_lon), float(center_lat), reach + pixel

    def caps_near(self, lon: float, lat: float, reach: float) -> Caps:
        """Return the caps that a circle of radius ``reach`` about an ICRS position touches."""
        return _near(self.caps, lon, lat, reach)

    @property
    def is_empty(self) -> bool:
        """Whether no pixel that lies on the sky is excluded."""
        rows, columns = np.nonzero(~self.usable)
        return not rows.size or not bool(np.isfinite(self.wcs.wcs_pix2world(columns, rows, 0)).any())

    @cached_property
    def digest(self) -> str:
        """A digest of the pixels and their WCS, never of a path."""
        content = np.packbits(self.usable).tobytes() + str(self.usable.shape).encode()
        return hashlib.sha256(content + self.wcs.to_header_string().encode() + self.frame.encode()).hexdigest()[:32]


@dataclass(frozen=True, eq=False)
class MaskInFile:
    """A mask in a file that is as it was when its digest was taken; it is read when its pixels are needed.

    It excludes something: of others no digest is remembered, as each run says so.

    Parameters
    ----------
    digest
        That of the mask.
    path
        The file.
    read
        Reads it.
    """

    digest: str
    path: Path
    read: Callable[[Path], SkyMask]

    @cached_property
    def mask(self) -> SkyMask:
        """The mask; raises ``InputError`` where the file holds another one."""
        found = self.read(self.path)
        if found.digest != self.digest:
            raise InputError(
                f"The exclusion mask {self.path} is another one than before, although the file has kept its size and "
                "time. Run again with rehash."
            )
        return found

    def __reduce__(self) -> tuple[Callable[[SkyMask], SkyMask], tuple[SkyMask]]:
        # Whoever gets it may not have the file.
        return _same, (self.mask,)

    def is_usable(self, lon: FloatArray, lat: FloatArray, *, outside: bool) -> BoolArray:
        """Return whether ICRS positions are usable; ``outside`` is the value beyond the pixels."""
        return self.mask.is_usable(lon, lat, outside=outside)

    def is_silent(self, lon: FloatArray, lat: FloatArray) -> BoolArray:
        """Return whether ICRS positions lie beyond the pixels."""
        return self.mask.is_silent(lon, lat)

    def caps_near(self, lon: float, lat: float, reach: float) -> Caps:
        """Return the caps that a circle of radius ``reach`` about an ICRS position touches."""
        return self.mask.caps_near(lon, lat, reach)


def _same(mask: SkyMask) -> SkyMask:
    return mask


@dataclass(frozen=True)
class ExcludedShapes:
    """Shapes, or regions of the package `regions`, that are excluded; the rest of the sky is usable."""

    shapes: tuple[Shape, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "shapes", tuple(normalize_shape(shape) for shape in self.shapes))

    def is_usable(self, lon: FloatArray, lat: FloatArray, *, outside: bool) -> BoolArray:
        """Return whether ICRS positions are outside of all shapes; nothing is beyond them."""
        return ~union_holds(self._shapes_about(lon, lat), lon, lat)

    @cached_property
    def caps(self) -> Caps:
        """Circles around the shapes."""
        circles = [(*shape.center, shape.reach) for shape in self.shapes]
        return Caps(*np.array(circles, dtype=float).reshape(-1, 3).T)

    def _shapes_about(self, lon: FloatArray, lat: FloatArray) -> Sequence[Shape]:
        """Return the shapes that may hold one of some positions: of a catalogue of the whole sky few."""
        is_sky = np.isfinite(lon) & np.isfinite(lat)
        if len(self.shapes) < FEW or not is_sky.any():
            return self.shapes
        middle = lonlat(unit_vector(lon[is_sky], lat[is_sky]).mean(axis=0))
        reach = float(separation(lon[is_sky], lat[is_sky], *middle).max())
        near = separation(self.caps.lon, self.caps.lat, *middle) < MARGIN * (self.caps.radius + reach)
        return [self.shapes[number] for number in np.flatnonzero(near)]

    def is_silent(self, lon: FloatArray, lat: FloatArray) -> BoolArray:
        """Return false: what lies in none of the shapes is usable."""
        return np.zeros(np.shape(lon), dtype=bool)

    def caps_near(self, lon: float, lat: float, reach: float) -> Caps:
        """Return the circles around the shapes that a circle about an ICRS position touches."""
        return _near(self.caps, lon, lat, reach)

    @cached_property
    def digest(self) -> str:
        """A digest of the shapes, in any order."""
        documents = sorted(json.dumps(shape.document(), sort_keys=True) for shape in self.shapes)
        return hashlib.sha256("\n".join(documents).encode()).hexdigest()[:32]


@dataclass(frozen=True, eq=False)
class Exclusions:
    """Several exclusions: what is usable in all of them."""

    parts: tuple[Exclusion, ...]

    def is_usable(self, lon: FloatArray, lat: FloatArray, *, outside: bool) -> BoolArray:
        """Return whether ICRS positions are usable in all parts."""
        return np.asarray(np.all([part.is_usable(lon, lat, outside=outside) for part in self.parts], axis=0))

    def is_silent(self, lon: FloatArray, lat: FloatArray) -> BoolArray:
        """Return whether no mask says anything about ICRS positions; where there are shapes alone all is said."""
        silent = [part.is_silent(lon, lat) for part in self.parts if not isinstance(part, ExcludedShapes)]
        return np.asarray(np.all(silent, axis=0)) if silent else np.zeros(np.shape(lon), dtype=bool)

    def caps_near(self, lon: float, lat: float, reach: float) -> Caps:
        """Return the circles of all parts."""
        found = [part.caps_near(lon, lat, reach) for part in self.parts]
        return Caps(*(np.concatenate(values) for values in zip(*found, strict=True)))

    @cached_property
    def digest(self) -> str:
        """A digest of those of the parts, in any order."""
        return hashlib.sha256("\n".join(sorted(part.digest for part in self.parts)).encode()).hexdigest()[:32]


def excludes_nothing(exclusion: Exclusion) -> bool:
    """Whether an exclusion, or one of its parts, excludes nothing anywhere: most likely not what was meant."""
    return any(_is_empty(part) for part in parts_of(exclusion))


def parts_of(exclusion: Exclusion) -> tuple[Exclusion, ...]:
    """Return what an exclusion is together of."""
    return exclusion.parts if isinstance(exclusion, Exclusions) else (exclusion,)


def read_masks(exclusion: Exclusion | None) -> None:
    """Read the masks of an exclusion that are still in files; raises ``InputError`` where one has changed."""
    for part in () if exclusion is None else parts_of(exclusion):
        if isinstance(part, MaskInFile):
            _ = part.mask


def _is_empty(part: Exclusion) -> bool:
    if isinstance(part, MaskInFile):
        return False
    return part.is_empty if isinstance(part, SkyMask) else len(part.caps_near(0.0, 0.0, WHOLE_SKY).lon) == 0


def together(parts: Sequence[Exclusion]) -> Exclusion | None:
    """Return what several exclusions exclude, ``None`` for none."""
    return None if not parts else parts[0] if len(parts) == 1 else Exclusions(tuple(parts))


def _near(caps: Caps, lon: float, lat: float, reach: float) -> Caps:
    near = separation(caps.lon, caps.lat, lon, lat) < caps.radius + reach
    return Caps(*(values[near] for values in caps))


def _pieces(labels: IntArray, count: int) -> list[IntArray]:
    order = np.argsort(labels, kind="stable")
    return np.split(order, np.searchsorted(labels[order], np.arange(2, count + 1)))[:count]

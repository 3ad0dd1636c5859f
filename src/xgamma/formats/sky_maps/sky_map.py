"""``SkyMap``: one map of the sky as a file holds it, plain values with their axes, their WCS and their unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from astropy.wcs import WCS

from xgamma.axes import Axis
from xgamma.errors import DataError, LaterError
from xgamma.grid import SkySpace

_CTYPES = {"icrs": ("RA---{}", "DEC--{}"), "galactic": ("GLON-{}", "GLAT-{}")}
# As far as the centre of an image may lie from the reference of its WCS, in pixels.
_CENTERED = 1e-6


@dataclass(frozen=True, eq=False)
class SkyMap:
    """One map of the sky.

    Parameters
    ----------
    values
        Numbers or truths, shape (one for each axis, y, x).
    axes
        The axes beside those of the sky in the order of ``values``, slowest first: ``(energy_true, energy)`` for an
        energy dispersion, which FITS and Gammapy name in the opposite order.
    wcs
        The WCS of the two celestial axes.
    frame
        ``icrs`` or ``galactic``.
    unit
        As the file spells it, in the words of FITS; empty for plain numbers.
    name
        EXTNAME; empty is the primary HDU.
    meta
        What META of the header says.
    """

    values: npt.NDArray[Any]
    axes: tuple[Axis, ...]
    wcs: WCS
    frame: str
    unit: str = ""
    name: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        expected = tuple(axis.nbin for axis in self.axes)
        if self.values.ndim != len(expected) + 2 or self.values.shape[:-2] != expected:
            names = ", ".join(axis.name for axis in self.axes) or "no axes"
            raise DataError(
                f"The map {self.name!r} has values of shape {self.values.shape}; expected {(*expected, 'y', 'x')} for "
                f"{names}."
            )

    @classmethod
    def of_space(
        cls,
        values: npt.NDArray[Any],
        axes: tuple[Axis, ...],
        space: SkySpace,
        unit: str = "",
        name: str = "",
        meta: Mapping[str, Any] | None = None,
    ) -> SkyMap:
        """Return a map of the image of a space."""
        return cls(values, axes, wcs_of_space(space), space.frame, unit, name, meta or {})

    @property
    def npix(self) -> tuple[int, int]:
        """The number of pixels (x, y)."""
        return self.values.shape[-1], self.values.shape[-2]

    @property
    def space(self) -> SkySpace:
        """The image as a space; raises ``LaterError`` where its WCS is none of a `SkySpace`."""
        return space_of_wcs(self.wcs, self.frame, self.npix)

    def axis(self, name: str) -> Axis:
        """Return an axis by its name; raises ``DataError`` where there is none."""
        for axis in self.axes:
            if axis.name == name:
                return axis
        raise DataError(f"The map {self.name!r} has no axis {name!r}; it has {', '.join(a.name for a in self.axes)}.")


def wcs_of_space(space: SkySpace) -> WCS:
    """Return the WCS of the image that windows are cut out of."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = [name.format("CAR") for name in _CTYPES[space.frame]]
    wcs.wcs.cunit = ["deg", "deg"]
    wcs.wcs.crval = [space.lon, space.lat]
    wcs.wcs.cdelt = [-space.binsize, space.binsize]
    wcs.wcs.crpix = [(n + 1) / 2 for n in space.npix]
    wcs.wcs.set()
    return wcs


def space_of_wcs(wcs: WCS, frame: str, npix: tuple[int, int]) -> SkySpace:
    """Return the space of an image.

    Raises
    ------
    LaterError
        For another projection than plate-carree, pixels that are not squares to the north and west, and an image that
        is not centred at the reference of its projection.
    """
    projection = str(wcs.wcs.ctype[0]).split("-")[-1]
    (lon, lat), (across, up) = wcs.wcs.crval.tolist(), np.diag(wcs.pixel_scale_matrix).tolist()
    made = SkySpace(lon, lat, frame, up, npix) if up > 0 else None
    known = made is not None and wcs_of_space(made)
    same = (
        projection == "CAR"
        and known
        and np.allclose(wcs.pixel_scale_matrix, [[-up, 0], [0, up]], rtol=0, atol=1e-9 * abs(up))
        and np.allclose(wcs.wcs.crpix, known.wcs.crpix, rtol=0, atol=_CENTERED)
        and _is_close(wcs, known)
    )
    if not same or made is None:
        raise LaterError(
            f"An image in {projection} of {npix} pixels of {across:g} by {up:g} deg, whose reference pixel is "
            f"{wcs.wcs.crpix.tolist()}, is not read as a dataset: expected CAR, square pixels that grow to the west "
            "and north, and the reference at the centre. Map.read reads it."
        )
    return made


def _is_close(wcs: WCS, other: WCS) -> bool:
    """Whether both WCS say the same of the native pole."""
    return bool(np.allclose([wcs.wcs.lonpole, wcs.wcs.latpole], [other.wcs.lonpole, other.wcs.latpole], atol=1e-9))

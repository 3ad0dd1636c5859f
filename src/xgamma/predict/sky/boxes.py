"""Pixels of an image near a source: where they are, how large they are, and how far from it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from xgamma.axes import BoolArray, FloatArray, IntArray
from xgamma.geometry import separation, to_frame, unit_vector
from xgamma.models.spatial.model import SpatialModel
from xgamma.sky import SkySpace


@dataclass(frozen=True)
class Box:
    """Pixels of an image: the first row and column, and those behind the last."""

    v0: int
    v1: int
    u0: int
    u1: int

    @property
    def shape(self) -> tuple[int, int]:
        """The number of rows and columns."""
        return self.v1 - self.v0, self.u1 - self.u0

    @property
    def slices(self) -> tuple[slice, slice]:
        """The rows and columns."""
        return slice(self.v0, self.v1), slice(self.u0, self.u1)

    @property
    def size(self) -> int:
        """The number of pixels."""
        return max(self.shape[0], 0) * max(self.shape[1], 0)

    def within(self, other: Box) -> Box:
        """Return the pixels that are in another box too."""
        v0, u0 = max(self.v0, other.v0), max(self.u0, other.u0)
        return Box(v0, max(v0, min(self.v1, other.v1)), u0, max(u0, min(self.u1, other.u1)))

    def seen_from(self, other: Box) -> Box:
        """Return the same pixels counted from the first of another box."""
        return Box(self.v0 - other.v0, self.v1 - other.v0, self.u0 - other.u0, self.u1 - other.u0)


@dataclass(frozen=True)
class Pixels:
    """Some pixels of an image.

    Parameters
    ----------
    v, u
        Their rows and columns, shape (pixel,).
    key
        The same for the same pixels.
    """

    v: IntArray = field(compare=False)
    u: IntArray = field(compare=False)
    key: tuple[float, ...]

    @classmethod
    def of_box(cls, box: Box) -> Pixels:
        """Return all pixels of a box, row by row."""
        v, u = np.divmod(np.arange(box.size), max(box.shape[1], 1))
        return cls(v + box.v0, u + box.u0, (box.v0, box.v1, box.u0, box.u1))

    @property
    def size(self) -> int:
        """The number of pixels."""
        return len(self.v)

    def within(self, box: Box) -> BoolArray:
        """Return which lie in a box, shape (pixel,)."""
        return np.asarray((self.v >= box.v0) & (self.v < box.v1) & (self.u >= box.u0) & (self.u < box.u1))


def whole(space: SkySpace) -> Box:
    """Return the box of a whole image."""
    ny, nx = space.image.shape
    return Box(0, ny, 0, nx)


def pixels_about(space: SkySpace, lon: float, lat: float, reach: float) -> Pixels:
    """Return the pixels within a reach (deg) of the pixel that an ICRS position is in.

    They are the same ones for all positions in it, so that what is kept of them stays.
    """
    x, y = (float(each[0]) for each in space.pixels_of(np.array([lon]), np.array([lat])))
    if not (math.isfinite(x) and math.isfinite(y)):
        return Pixels.of_box(Box(0, 0, 0, 0))
    return _pixels_about(space, round(x), round(y), reach)


@lru_cache(maxsize=64)
def _pixels_about(space: SkySpace, x: int, y: int, reach: float) -> Pixels:
    width, height = _scales(space, x, y)
    box = _box_about(space, x, y, reach + max(width, height))
    if not box.size:
        return Pixels.of_box(box)
    v, u = np.mgrid[box.slices]
    far = np.hypot((v - y) * height, (u - x) * width) > reach + math.hypot(width, height) / 2
    return Pixels(v[~far], u[~far], (x, y, reach))


def box_about(space: SkySpace, lon: float, lat: float, reach: float) -> Box:
    """Return the pixels of an image within a reach (deg) of an ICRS position; without one where there are none."""
    if not math.isfinite(reach):
        return whole(space)
    x, y = (float(each[0]) for each in space.pixels_of(np.array([lon]), np.array([lat])))
    return _box_about(space, x, y, reach) if math.isfinite(x) and math.isfinite(y) else Box(0, 0, 0, 0)


def _box_about(space: SkySpace, x: float, y: float, reach: float) -> Box:
    half_x, half_y = (reach / scale for scale in _scales(space, x, y))
    own = Box(math.floor(y - half_y), math.ceil(y + half_y) + 1, math.floor(x - half_x), math.ceil(x + half_x) + 1)
    return own.within(whole(space))


def scales_at(space: SkySpace, lon: float, lat: float) -> tuple[float, float]:
    """Return the width and the height (deg) of the pixel of an image that an ICRS position is in."""
    x, y = (float(each[0]) for each in space.pixels_of(np.array([lon]), np.array([lat])))
    return _scales(space, round(x) if math.isfinite(x) else math.nan, round(y) if math.isfinite(y) else math.nan)


def _scales(space: SkySpace, x: float, y: float) -> tuple[float, float]:
    """Return the width and the height (deg) of a pixel at a place in an image, of a usual one where there is no sky."""
    lon, lat = space.sky_of(np.array([x - 0.5, x + 0.5, x, x]), np.array([y, y, y - 0.5, y + 0.5]))
    apart = separation(lon[::2], lat[::2], lon[1::2], lat[1::2])
    usual = abs(space.binsize * space.aspect), space.binsize
    width, height = (
        max(float(found), 0.01 * scale) if np.isfinite(found) else scale
        for scale, found in zip(usual, apart, strict=True)
    )
    return width, height


def positions(space: SkySpace, pixels: Pixels) -> FloatArray:
    """Return the unit vectors (ICRS) to pixels, shape (3, pixel)."""
    return np.asarray(_vectors(space.image)[:, pixels.v, pixels.u])


@lru_cache(maxsize=4)
def _vectors(space: SkySpace) -> FloatArray:
    lon, lat = space.positions()
    return np.ascontiguousarray(np.moveaxis(unit_vector(lon, lat), -1, 0)).reshape(3, *space.shape)


def distances(vectors: FloatArray, center: FloatArray) -> FloatArray:
    """Return the great-circle distances (deg) of unit vectors, shape (3, ...), to one, shape (3,)."""
    chord = (vectors[0] - center[0]) ** 2
    chord += (vectors[1] - center[1]) ** 2
    chord += (vectors[2] - center[2]) ** 2
    np.sqrt(chord, out=chord)
    return np.asarray(np.rad2deg(2.0 * np.arcsin(np.minimum(0.5 * chord, 1.0))))


def areas(space: SkySpace, pixels: Pixels) -> FloatArray:
    """Return the solid angles of pixels, sr, shape (pixel,)."""
    return np.asarray(_areas(space.image)[pixels.v, pixels.u])


@lru_cache(maxsize=4)
def _areas(space: SkySpace) -> FloatArray:
    return space.solid_angles().reshape(space.shape)


def center_of(model: SpatialModel, values: tuple[float, ...]) -> tuple[float, float]:
    """Return the ICRS position of a source in degrees."""
    center = model.center(values)
    assert center is not None
    lon, lat = to_frame(center[0], center[1], model.frame, "icrs")
    return float(lon), float(lat)

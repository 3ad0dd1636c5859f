"""Boxes of pixels of an image: where they are, how large they are, and how far from a source."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from xgamma.axes import FloatArray
from xgamma.geometry import to_frame, unit_vector
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


def box_about(space: SkySpace, lon: float, lat: float, reach: float) -> Box:
    """Return the pixels of an image within a reach (deg) of an ICRS position; without one where there are none."""
    x, y = space.pixels_of(np.array([lon]), np.array([lat]))
    ny, nx = space.image.shape
    whole = Box(0, ny, 0, nx)
    if not math.isfinite(reach):
        return whole
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return Box(0, 0, 0, 0)
    half_y, half_x = reach / space.binsize, reach / abs(space.binsize * space.aspect)
    own = Box(
        math.floor(y[0] - half_y), math.ceil(y[0] + half_y) + 1, math.floor(x[0] - half_x), math.ceil(x[0] + half_x) + 1
    )
    return own.within(whole)


def positions(space: SkySpace, box: Box) -> FloatArray:
    """Return the unit vectors (ICRS) to the pixels of a box, shape (3, pixel)."""
    return _vectors(space.image)[:, box.slices[0], box.slices[1]].reshape(3, -1)


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


def areas(space: SkySpace, box: Box) -> FloatArray:
    """Return the solid angles of the pixels of a box, sr, shape (pixel,)."""
    return _areas(space.image)[box.slices].ravel()


@lru_cache(maxsize=4)
def _areas(space: SkySpace) -> FloatArray:
    return space.solid_angles().reshape(space.shape)


def center_of(model: SpatialModel, values: tuple[float, ...]) -> tuple[float, float]:
    """Return the ICRS position of a source in degrees."""
    center = model.center(values)
    assert center is not None
    lon, lat = to_frame(center[0], center[1], model.frame, "icrs")
    return float(lon), float(lat)

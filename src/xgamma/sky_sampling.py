"""Values of an image of the sky at positions: those of the nearest pixel, or between the four pixels about them.

Beyond the image the nearest pixel at its edge counts, so that a response known on a coarse grid, or in one pixel for
the whole sky, is known everywhere; where the projection has no place, all weights are 0.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from xgamma.axes import FloatArray, IntArray
from xgamma.sky import SkySpace


class Corners(NamedTuple):
    """The pixels about positions, numbered in C order, and the weight of each, both of shape (place, 4)."""

    pixel: IntArray
    weight: FloatArray

    def mean(self, values: FloatArray, share: FloatArray | None = None) -> FloatArray:
        """Return weighted means of values (..., pixel) at the places, shape (..., place).

        ``share``, which has a shape that fits ``values``, weighs the pixels too; where no pixel has any, the mean is 0.
        """
        weight = self.weight if share is None else self.weight * share[..., self.pixel]
        total = weight.sum(axis=-1)
        summed = (np.where(weight > 0, values[..., self.pixel], 0.0) * weight).sum(axis=-1)
        return np.asarray(np.divide(summed, total, out=np.zeros_like(summed), where=total > 0))


def corners(space: SkySpace, lon: FloatArray, lat: FloatArray) -> Corners:
    """Return the four pixels about ICRS positions, with weights that make values bilinear in pixels."""
    (x, y), (nx, ny) = space.pixels_of(lon, lat), space.npix
    known = np.isfinite(x) & np.isfinite(y)
    (left, across), (low, up) = _between(np.where(known, x, 0.0), nx), _between(np.where(known, y, 0.0), ny)
    right, high = np.minimum(left + 1, nx - 1), np.minimum(low + 1, ny - 1)
    pixel = np.stack([low * nx + left, low * nx + right, high * nx + left, high * nx + right], axis=-1)
    weight = np.stack([(1 - up) * (1 - across), (1 - up) * across, up * (1 - across), up * across], axis=-1)
    return Corners(pixel, weight * known[..., None])


def nearest(space: SkySpace, lon: FloatArray, lat: FloatArray) -> Corners:
    """Return the nearest pixel of ICRS positions, as the first of four of which the others weigh nothing."""
    (x, y), (nx, ny) = space.pixels_of(lon, lat), space.npix
    known = np.isfinite(x) & np.isfinite(y)
    column, row = (
        np.clip(np.rint(np.where(known, place, 0.0)), 0, n - 1).astype(np.int64) for place, n in ((x, nx), (y, ny))
    )
    pixel = np.repeat((row * nx + column)[..., None], 4, axis=-1)
    return Corners(pixel, np.eye(4)[0] * known[..., None])


def _between(place: FloatArray, size: int) -> tuple[IntArray, FloatArray]:
    """Return the pixel before each place on an axis of pixels, and how far beyond it the place is, from 0 to 1."""
    inside = np.clip(place, 0.0, size - 1.0)
    first = np.clip(np.floor(inside), 0, max(size - 2, 0)).astype(np.int64)
    return first, inside - first

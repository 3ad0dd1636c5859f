"""Point spread functions in rings about a source: the share within a radius, the radius of a share, kernels of pixels.

The function is known in rings, so that a share is a sum up to an edge of them and linear between two edges. A kernel is
made once for a place and used for a whole map: the mean of the function over the area of each pixel, which is one over
points in it; for a function as narrow as a pixel the error is 1e-3 of the largest one, for wider ones less.
"""

from __future__ import annotations

import numpy as np

from xgamma.axes import Axis, FloatArray, IntArray

FEWEST_POINTS = 8
"""Points along the side of a pixel, at the least; of large pixels four in the width of a ring."""
CONTAINMENT = 0.999


def _shares(psf: FloatArray, rad: Axis) -> FloatArray:
    """Return the share within each edge of the rings, shape (..., ring + 1); 0 where nothing is known."""
    rings = 2 * np.pi * np.deg2rad(rad.center) * np.deg2rad(np.diff(rad.edges))
    below = np.concatenate([np.zeros((*psf.shape[:-1], 1)), np.cumsum(psf * rings, axis=-1)], axis=-1)
    whole = below[..., -1:]
    return np.asarray(np.divide(below, whole, out=np.zeros_like(below), where=whole > 0))


def share_within(psf: FloatArray, rad: Axis, radius: float) -> FloatArray:
    """Return the share within a radius in degrees, shape (...); 1 beyond the axis.

    Parameters
    ----------
    psf
        In sr-1, shape (..., rad).
    rad
        The axis of the rings in degrees.
    radius
        Degrees.
    """
    shares = _shares(psf, rad)
    ring = int(np.clip(np.searchsorted(rad.edges, radius, side="right") - 1, 0, rad.nbin - 1))
    part = np.clip((radius - rad.edges[ring]) / (rad.edges[ring + 1] - rad.edges[ring]), 0.0, 1.0)
    return np.asarray(shares[..., ring] + part * (shares[..., ring + 1] - shares[..., ring]))


def radius_of_share(psf: FloatArray, rad: Axis, share: float) -> FloatArray:
    """Return the radius in degrees that holds a share, shape (...); NaN where the function is 0 everywhere."""
    shares = _shares(psf, rad)
    ring = np.clip((shares < share).sum(axis=-1) - 1, 0, rad.nbin - 1)
    low, high = (np.take_along_axis(shares, at[..., None], axis=-1)[..., 0] for at in (ring, ring + 1))
    part = np.divide(share - low, high - low, out=np.zeros_like(low), where=high > low)
    radius = rad.edges[ring] + part * (rad.edges[ring + 1] - rad.edges[ring])
    return np.where(shares[..., -1] > 0, radius, np.nan)


def kernel_radius(psf: FloatArray, rad: Axis, containment: float = CONTAINMENT) -> float:
    """Return the largest radius (deg) over energies that holds a share; that of the axis where nothing is known."""
    radius = radius_of_share(psf, rad, containment)
    return float(np.nanmax(radius)) if np.isfinite(radius).any() else float(rad.edges[-1])


def pixel_kernel(psf: FloatArray, rad: Axis, pixel: tuple[float, float], radius: float) -> FloatArray:
    """Return the kernel of each energy, shape (energy, y, x), odd in y and x; where the psf is 0 it is 0.

    The function is linear between the centres of its rings, flat within the first, and 0 beyond the radius.

    Parameters
    ----------
    psf
        In sr-1, shape (energy, rad).
    rad
        The axis of its rings in degrees.
    pixel
        The size (x, y) of a pixel in degrees.
    radius
        Degrees; at least the pixel of the source is kept.
    """
    half = [max(int(np.ceil(radius / abs(size) - 0.5)), 0) for size in pixel]
    finest = 0.25 * float(np.diff(rad.edges).min())
    points = [max(FEWEST_POINTS, int(np.ceil(abs(size) / finest))) for size in pixel]
    x, y = (
        abs(size) * ((np.arange((2 * n + 1) * many) + 0.5) / many - n - 0.5)
        for n, many, size in zip(half, points, pixel, strict=True)
    )
    distance = np.hypot(x, y[:, np.newaxis])
    # One weight for each point and pair of rings: the function of all energies is then one product of matrices.
    lower = np.clip(np.searchsorted(rad.center, distance, side="right") - 1, 0, rad.nbin - 2)
    step = rad.center[lower + 1] - rad.center[lower]
    part = np.clip((distance - rad.center[lower]) / step, 0.0, 1.0)
    inside = (distance <= radius) & (distance <= rad.edges[-1])
    weights = _ring_weights(lower, part * inside, (1 - part) * inside, rad.nbin, (points[0], points[1]))
    kernel = np.tensordot(psf, weights, axes=(1, 0))
    total = kernel.sum(axis=(1, 2), keepdims=True)
    empty = np.zeros_like(kernel)
    middle = tuple(size // 2 for size in kernel.shape[1:])
    empty[(slice(None), *middle)] = (psf > 0).any(axis=1)
    return np.asarray(np.divide(kernel, total, out=empty, where=total > 0))


def _ring_weights(
    lower: IntArray, upper_part: FloatArray, lower_part: FloatArray, rings: int, points: tuple[int, int]
) -> FloatArray:
    """Return how much each ring weighs in each pixel, shape (rings, y, x), from those of points (x, y) in it."""
    ny, nx = (size // many for size, many in zip(lower.shape, points[::-1], strict=True))
    row, column = (np.arange(size) // many for size, many in zip(lower.shape, points[::-1], strict=True))
    pixel = row[:, np.newaxis] * nx + column
    found = np.zeros(rings * ny * nx)
    for ring, part in ((lower, lower_part), (lower + 1, upper_part)):
        place = (ring * (ny * nx) + pixel).ravel().astype(np.int64)
        found += np.bincount(place, part.ravel(), minlength=len(found))
    return np.asarray(found.reshape(rings, ny, nx))

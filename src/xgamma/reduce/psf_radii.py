"""How much of a point spread function lies within a radius, and within which radius a share of it lies.

The function is known in rings, so that the share is a sum up to an edge of them and linear between two edges.
"""

from __future__ import annotations

import numpy as np

from xgamma.axes import Axis, FloatArray


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

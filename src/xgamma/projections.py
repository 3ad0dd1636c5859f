"""Projections of the sphere onto a plane: plate-carree, gnomonic and Hammer-Aitoff, with the exact areas of pixels.

Directions are unit vectors (ahead, east, north) seen from the centre of the projection; the plane is in degrees, ``x``
to the west, ``y`` to the north. What has no place on the other side is NaN.
Source: Calabretta & Greisen 2002 (CAR, TAN, AIT).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from xgamma.axes import FloatArray
from xgamma.errors import ConfigError, did_you_mean
from xgamma.geometry import Plane

Native = tuple[FloatArray, FloatArray, FloatArray]
"""Directions along the centre, its east and its north; they broadcast."""

# The edge of the sky is no more exact than the sum of pixels that leads there.
_EDGE = 1e-9
# Of the ellipse that the sky is in Hammer-Aitoff, in rad on the plane.
_HALF_WIDTH, _HALF_HEIGHT = 2 * np.sqrt(2.0), np.sqrt(2.0)


@dataclass(frozen=True)
class Projection:
    """A projection.

    Parameters
    ----------
    name
        The three letters of the FITS standard.
    forward
        The place on the plane of directions.
    backward
        The direction of places on the plane, NaN beyond the sky.
    areas
        The solid angle in sr of pixels between ascending edges ``x`` and ``y`` in degrees, shape (y, x); of a pixel at
        the edge of the sky, that of its part on the sky.
    is_periodic
        Whether the plane may be continued in ``x`` every 360 degrees.
    """

    name: str
    forward: Callable[[FloatArray, FloatArray, FloatArray], Plane]
    backward: Callable[[FloatArray, FloatArray], Native]
    areas: Callable[[FloatArray, FloatArray], FloatArray]
    is_periodic: bool = False


def projection(name: str) -> Projection:
    """Return a projection by its letters in FITS; raises ``ConfigError`` for one that is not known."""
    if name not in PROJECTIONS:
        raise ConfigError(f"There is no projection {name!r} here.{did_you_mean(name, PROJECTIONS)}")
    return PROJECTIONS[name]


def _to_car(ahead: FloatArray, east: FloatArray, north: FloatArray) -> Plane:
    return Plane(-np.rad2deg(np.arctan2(east, ahead)), np.rad2deg(np.arctan2(north, np.hypot(ahead, east))))


def _from_car(x: FloatArray, y: FloatArray) -> Native:
    phi, theta = -np.deg2rad(_within(x, 180.0)), np.deg2rad(_within(y, 90.0))
    cosine = np.cos(theta)
    return cosine * np.cos(phi), cosine * np.sin(phi), np.sin(theta)


def _within(value: FloatArray, limit: float) -> FloatArray:
    return np.where(np.abs(value) <= limit + _EDGE, value, np.nan)


def _areas_car(x: FloatArray, y: FloatArray) -> FloatArray:
    height = np.diff(np.sin(np.deg2rad(np.clip(y, -90.0, 90.0))))
    return np.outer(height, np.diff(np.deg2rad(np.clip(x, -180.0, 180.0))))


def _to_tan(ahead: FloatArray, east: FloatArray, north: FloatArray) -> Plane:
    depth = np.where(ahead > 0, ahead, np.nan)
    return Plane(-np.rad2deg(east / depth), np.rad2deg(north / depth))


def _from_tan(x: FloatArray, y: FloatArray) -> Native:
    east, north = -np.deg2rad(x), np.deg2rad(y)
    ahead = 1 / np.sqrt(1 + east**2 + north**2)
    return ahead, east * ahead, north * ahead


def _areas_tan(x: FloatArray, y: FloatArray) -> FloatArray:
    # The solid angle of a rectangle with a corner at the centre.
    along, across = np.deg2rad(x), np.deg2rad(y)[:, None]
    corner = np.arctan2(along * across, np.sqrt(1 + along**2 + across**2))
    return np.asarray(np.diff(np.diff(corner, axis=0), axis=1))


def _to_ait(ahead: FloatArray, east: FloatArray, north: FloatArray) -> Plane:
    cosine, half = np.hypot(ahead, east), 0.5 * np.arctan2(east, ahead)
    scale = np.rad2deg(np.sqrt(2 / (1 + cosine * np.cos(half))))
    return Plane(-2 * scale * cosine * np.sin(half), scale * north)


def _from_ait(x: FloatArray, y: FloatArray) -> Native:
    across, up = -np.deg2rad(x) / 4, np.deg2rad(y) / 2
    inside = 1 - across**2 - up**2
    z = np.sqrt(np.where(inside >= 0.5 - _EDGE, inside, np.nan))
    cosine_half, sine_half = 2 * z**2 - 1, 2 * across * z
    north = 2 * up * z
    # Longitude is twice the angle whose sine and cosine are these over their hypotenuse, the cosine of the latitude.
    squared = cosine_half**2 + sine_half**2
    cosine = np.sqrt(squared)
    shrink = np.divide(1.0, cosine, out=np.zeros_like(cosine), where=cosine > 0)
    return (cosine_half**2 - sine_half**2) * shrink, 2 * cosine_half * sine_half * shrink, north


def _areas_ait(x: FloatArray, y: FloatArray) -> FloatArray:
    """The plane keeps areas: those of pixels, cut by the ellipse that the sky is."""
    across, up = np.deg2rad(x) / _HALF_WIDTH, np.deg2rad(y)[:, None] / _HALF_HEIGHT
    # Between the middle line and ``up``, to the left of ``across``: a rectangle, and the ellipse beyond its corner.
    corner = np.sqrt(np.clip(1 - up**2, 0, None))
    inner = np.clip(across, -corner, corner)
    left = np.abs(up) * inner + _under_circle(np.clip(across, -1, 1)) - _under_circle(inner)
    pixels = np.diff(np.diff(np.sign(up) * left, axis=0), axis=1)
    return np.asarray(_HALF_WIDTH * _HALF_HEIGHT * np.clip(pixels, 0, None))


def _under_circle(x: FloatArray) -> FloatArray:
    """Return the area under the unit circle between 0 and ``x``."""
    return np.asarray(0.5 * (x * np.sqrt(1 - x**2) + np.arcsin(x)))


PROJECTIONS: Mapping[str, Projection] = {
    each.name: each
    for each in (
        Projection("CAR", _to_car, _from_car, _areas_car, is_periodic=True),
        Projection("TAN", _to_tan, _from_tan, _areas_tan),
        Projection("AIT", _to_ait, _from_ait, _areas_ait),
    )
}

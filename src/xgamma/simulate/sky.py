"""Positions around a position: plain spherical trigonometry on arrays in degrees, exact at all distances."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from xgamma.axes import FloatArray


def destination(
    lon: npt.ArrayLike, lat: npt.ArrayLike, angle: npt.ArrayLike, distance: npt.ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """Return where one arrives from (lon, lat) along a great circle; ``angle`` runs from north through east.

    >>> [round(float(value), 9) for value in destination(10.0, 0.0, 90.0, 5.0)]
    [15.0, 0.0]
    """
    theta, phi, length = np.deg2rad(lat), np.deg2rad(angle), np.deg2rad(distance)
    north, across = np.sin(length) * np.cos(phi), np.sin(length) * np.sin(phi)
    return _rotated(np.cos(length), across, north, lon, theta)


def from_field(
    fov_lon: npt.ArrayLike, fov_lat: npt.ArrayLike, lon: npt.ArrayLike, lat: npt.ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """Return the sky position of field-of-view coordinates whose origin is (lon, lat) and whose equator runs east."""
    x, y = np.deg2rad(fov_lon), np.deg2rad(fov_lat)
    cosine = np.cos(y)
    return _rotated(cosine * np.cos(x), cosine * np.sin(x), np.sin(y), lon, np.deg2rad(lat))


def _rotated(
    ahead: npt.ArrayLike, east: npt.ArrayLike, north: npt.ArrayLike, lon: npt.ArrayLike, theta: npt.ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """Turn a vector given along (direction, east, north) at (lon, theta in rad) into longitude and latitude in deg."""
    sine, cosine = np.sin(theta), np.cos(theta)
    inward = np.multiply(ahead, cosine) - np.multiply(north, sine)
    upward = np.multiply(ahead, sine) + np.multiply(north, cosine)
    longitude = np.asarray(lon) + np.rad2deg(np.arctan2(east, inward))
    latitude = np.rad2deg(np.arctan2(upward, np.hypot(inward, east)))
    return np.asarray(longitude % 360.0), np.asarray(latitude)

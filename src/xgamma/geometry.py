"""Spherical geometry on plain arrays in degrees: frames, separations, the tangent plane.

Sources: Calabretta & Greisen 2002 (TAN); Hipparcos vol. 1 sec. 1.5.3 and Murray 1989 (Galactic and FK5 frames).
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from xgamma.axes import BoolArray, FloatArray, IntArray
from xgamma.errors import ConfigError

FRAMES = ("icrs", "galactic")
ARCSEC = 1.0 / 3600.0
_MAS = ARCSEC / 1000.0
# J2000 position of the north Galactic pole and the position angle of the Galactic centre seen from it, in degrees.
_POLE_LON, _POLE_LAT, _POLE_ANGLE = 192.8594812065348, 27.12825118085622, 122.9319185680026
# Offset of FK5 at J2000 from the ICRS (eta0, xi0, da0), in milliarcseconds.
_FK5_ETA0, _FK5_XI0, _FK5_DA0 = -19.9, 9.1, -22.9


def _rotation(angle: float, axis: int) -> FloatArray:
    """Return the passive rotation by ``angle`` degrees about axis 0, 1 or 2."""
    cosine, sine = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    first, second = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.eye(3)
    matrix[first, first] = matrix[second, second] = cosine
    matrix[first, second], matrix[second, first] = sine, -sine
    return matrix


@cache
def galactic_matrix() -> FloatArray:
    """Return the 3 x 3 rotation of an ICRS unit vector into the Galactic frame."""
    fk5 = _rotation(-_FK5_ETA0 * _MAS, 0) @ _rotation(_FK5_XI0 * _MAS, 1) @ _rotation(_FK5_DA0 * _MAS, 2)
    galactic = _rotation(180.0 - _POLE_ANGLE, 2) @ _rotation(90.0 - _POLE_LAT, 1) @ _rotation(_POLE_LON, 2)
    return np.asarray(galactic @ fk5)


def unit_vector(lon: npt.ArrayLike, lat: npt.ArrayLike) -> FloatArray:
    """Return unit vectors, shape (..., 3)."""
    return np.stack(components(lon, lat), axis=-1)


def components(lon: npt.ArrayLike, lat: npt.ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the three components of unit vectors, each of one array, which many of them are quicker as."""
    phi, theta = np.deg2rad(lon), np.deg2rad(lat)
    cosine = np.cos(theta)
    return cosine * np.cos(phi), cosine * np.sin(phi), np.broadcast_to(np.sin(theta), cosine.shape)


def near_components(lon: FloatArray, lat: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the same to 4e-16, faster: what is symmetric need not stay so."""
    (cos_lon, sin_lon), (cosine, sine) = _cosine_and_sine(lon), _cosine_and_sine(lat)
    return cosine * cos_lon, cosine * sin_lon, sine


def _cosine_and_sine(degrees: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return both from the tangent of half the angle, at which numpy is six times as fast as at them."""
    tangent = np.tan(degrees * (np.pi / 360.0))
    squared = tangent * tangent
    over = 1.0 / (1.0 + squared)
    return (1.0 - squared) * over, 2.0 * tangent * over


def lonlat(vector: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return longitude in [0, 360) and latitude of vectors of shape (..., 3)."""
    x, y, z = vector[..., 0], vector[..., 1], vector[..., 2]
    return np.rad2deg(np.arctan2(y, x)) % 360.0, np.rad2deg(np.arctan2(z, np.hypot(x, y)))


def to_frame(lon: npt.ArrayLike, lat: npt.ArrayLike, source: str, target: str) -> tuple[FloatArray, FloatArray]:
    """Return coordinates given in frame ``source`` in frame ``target`` (``icrs`` or ``galactic``).

    Raises ``ConfigError`` for another frame.
    """
    for frame in (source, target):
        if frame not in FRAMES:
            raise ConfigError(f"There is no frame {frame!r}. Expected icrs or galactic.")
    if source == target:
        return np.asarray(lon, dtype=float), np.asarray(lat, dtype=float)
    matrix = galactic_matrix() if target == "galactic" else galactic_matrix().T
    return lonlat(unit_vector(lon, lat) @ matrix.T)


def separation(lon1: npt.ArrayLike, lat1: npt.ArrayLike, lon2: npt.ArrayLike, lat2: npt.ArrayLike) -> FloatArray:
    """Return great-circle separations in degrees, good at all distances (Vincenty's formula).

    >>> float(separation(0.0, 0.0, 0.0, 1.5))
    1.5
    """
    dlon, theta1, theta2 = np.deg2rad(np.subtract(lon2, lon1)), np.deg2rad(lat1), np.deg2rad(lat2)
    cos1, sin1, cos2, sin2 = np.cos(theta1), np.sin(theta1), np.cos(theta2), np.sin(theta2)
    across = np.hypot(cos2 * np.sin(dlon), cos1 * sin2 - sin1 * cos2 * np.cos(dlon))
    return np.asarray(np.rad2deg(np.arctan2(across, sin1 * sin2 + cos1 * cos2 * np.cos(dlon))))


def cap_area(radius: npt.ArrayLike) -> FloatArray:
    """Return the solid angle in sr of circles on the sky with a radius in degrees."""
    return np.asarray(4 * np.pi * np.sin(np.deg2rad(radius) / 2) ** 2)


def in_boxes(
    lon: FloatArray, lat: FloatArray, row: IntArray, lon0: FloatArray, lat0: FloatArray, radius: FloatArray
) -> BoolArray:
    """Return which positions lie in the box around the circle of their row, which is faster than distances.

    Parameters
    ----------
    lon, lat, row
        Positions in degrees and the row of each, shape (n,).
    lon0, lat0, radius
        The circles in degrees, shape (row,). All of a circle lies in its box.
    """
    with np.errstate(invalid="ignore"):
        half_width = np.rad2deg(np.arcsin(np.sin(np.deg2rad(radius)) / np.cos(np.deg2rad(lat0))))
    # A circle that holds a pole has all longitudes.
    half_width = np.where((np.abs(lat0) + radius < 90.0) & np.isfinite(half_width), half_width, 180.0)
    apart = np.abs(lon - lon0[row])
    return np.asarray(
        (np.abs(lat - lat0[row]) <= radius[row]) & (np.minimum(apart, 360.0 - apart) <= half_width[row] * (1 + 1e-12))
    )


class Plane(NamedTuple):
    """Tangent-plane coordinates in degrees: ``x`` to the west (along FITS pixels), ``y`` to the north; NaN behind."""

    x: FloatArray
    y: FloatArray


def tangent_plane(lon: npt.ArrayLike, lat: npt.ArrayLike, lon0: npt.ArrayLike, lat0: npt.ArrayLike) -> Plane:
    """Project onto the plane tangent at (lon0, lat0); all arguments broadcast."""
    dlon, theta, theta0 = np.deg2rad(np.subtract(lon, lon0)), np.deg2rad(lat), np.deg2rad(lat0)
    cos, sin, cos0, sin0, cos_dlon = np.cos(theta), np.sin(theta), np.cos(theta0), np.sin(theta0), np.cos(dlon)
    depth = sin0 * sin + cos0 * cos * cos_dlon
    depth = np.where(depth > 0, depth, np.nan)
    return Plane(
        np.rad2deg(-cos * np.sin(dlon) / depth),
        np.rad2deg((cos0 * sin - sin0 * cos * cos_dlon) / depth),
    )


def from_tangent_plane(plane: Plane, lon0: npt.ArrayLike, lat0: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return the sky coordinates of points on the plane tangent at (lon0, lat0)."""
    xi, eta, theta0 = -np.deg2rad(plane.x), np.deg2rad(plane.y), np.deg2rad(lat0)
    depth = np.cos(theta0) - eta * np.sin(theta0)
    lon = np.asarray(lon0) + np.rad2deg(np.arctan2(xi, depth))
    lat = np.rad2deg(np.arctan2(np.sin(theta0) + eta * np.cos(theta0), np.hypot(xi, depth)))
    return np.asarray(lon % 360.0), np.asarray(lat)


def northward_scale(lon: npt.ArrayLike, lat: npt.ArrayLike, lon0: npt.ArrayLike, lat0: npt.ArrayLike) -> FloatArray:
    """Return degrees on the sky per degree on the plane, measured over 1 arcsec due north of (lon, lat).

    The plane is tangent at (lon0, lat0). A circle of radius r degrees on the sky has the radius r / scale on the plane.
    """
    return local_north(lon, lat, lon0, lat0)[0]


def local_north(
    lon: npt.ArrayLike, lat: npt.ArrayLike, lon0: npt.ArrayLike, lat0: npt.ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """Return the northward scale at (lon, lat), and by how many rad north is turned counter-clockwise on the plane."""
    here = tangent_plane(lon, lat, lon0, lat0)
    north = tangent_plane(lon, np.asarray(lat) + ARCSEC, lon0, lat0)
    dx, dy = north.x - here.x, north.y - here.y
    return np.asarray(ARCSEC / np.hypot(dx, dy)), np.asarray(np.arctan2(-dx, dy))


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


def to_field(
    lon: npt.ArrayLike, lat: npt.ArrayLike, lon0: npt.ArrayLike, lat0: npt.ArrayLike, angle: npt.ArrayLike = 0.0
) -> tuple[FloatArray, FloatArray]:
    """Return field-of-view coordinates about (lon0, lat0), the inverse of ``from_field``; all arguments broadcast.

    ``angle`` turns their north from that of the sky through east, in degrees.

    >>> [round(float(value), 9) for value in to_field(10.0, 2.0, 10.0, 0.0, 90.0)]
    [-2.0, 0.0]
    """
    ahead, east, north = _seen_from(lon, lat, lon0, lat0)
    sine, cosine = np.sin(np.deg2rad(angle)), np.cos(np.deg2rad(angle))
    right, up = east * cosine - north * sine, north * cosine + east * sine
    return np.rad2deg(np.arctan2(right, ahead)), np.rad2deg(np.arctan2(up, np.hypot(ahead, right)))


def position_angle(lon: npt.ArrayLike, lat: npt.ArrayLike, lon0: npt.ArrayLike, lat0: npt.ArrayLike) -> FloatArray:
    """Return in which direction (lon, lat) lies as seen from (lon0, lat0), in degrees from north through east."""
    _, east, north = _seen_from(lon, lat, lon0, lat0)
    return np.asarray(np.rad2deg(np.arctan2(east, north)))


def _seen_from(
    lon: npt.ArrayLike, lat: npt.ArrayLike, lon0: npt.ArrayLike, lat0: npt.ArrayLike
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return unit vectors to (lon, lat) along the direction (lon0, lat0), its east and its north."""
    dlon, theta, theta0 = np.deg2rad(np.subtract(lon, lon0)), np.deg2rad(lat), np.deg2rad(lat0)
    cos, sin, cos0, sin0 = np.cos(theta), np.sin(theta), np.cos(theta0), np.sin(theta0)
    along = cos * np.cos(dlon)
    return sin0 * sin + cos0 * along, cos * np.sin(dlon), cos0 * sin - sin0 * along


def zenith(utc: npt.ArrayLike, site_lon: npt.ArrayLike, site_lat: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return where the zenith of a site is on the sky, in degrees to 0.01; all arguments broadcast.

    Parameters
    ----------
    utc
        MJD in UTC, which is taken for UT1.
    site_lon, site_lat
        East longitude and geodetic latitude in degrees.

    Notes
    -----
    Source: the rotation angle of the Earth by Capitaine, Guinot & McCarthy 2000 (A&A 355, 398), its precession by
    Capitaine, Wallace & Chapront 2003 (A&A 412, 567); nutation is left out.
    """
    days = np.asarray(utc, dtype=float) - 51544.5
    t = days / 36525.0
    turned = 360.0 * ((0.7790572732640 + 1.00273781191135448 * days) % 1.0)
    sidereal = turned + ARCSEC * (0.014506 + t * (4612.156534 + t * 1.3915817))
    zeta = ARCSEC * (2.650545 + t * (2306.083227 + t * 0.2988499))
    z = ARCSEC * (-2.650545 + t * (2306.077181 + t * 1.0927348))
    theta = np.deg2rad(ARCSEC * t * (2004.191903 - t * 0.4294934))
    along, phi = np.deg2rad(np.add(sidereal - z, site_lon)), np.deg2rad(site_lat)
    cosine = np.cos(phi) * np.cos(along)
    x, y = np.cos(theta) * cosine + np.sin(theta) * np.sin(phi), np.cos(phi) * np.sin(along)
    up = np.cos(theta) * np.sin(phi) - np.sin(theta) * cosine
    return np.asarray((np.rad2deg(np.arctan2(y, x)) - zeta) % 360.0), np.asarray(np.rad2deg(np.arcsin(up)))


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

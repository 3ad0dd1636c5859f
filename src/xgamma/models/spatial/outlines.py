"""Outlines of models on the sky, and the one place where position angles become angles of regions.

The position angle ``phi`` of a model runs from the north of its frame through east. The angle of a shape turns its
width from west, counter-clockwise on an image with north up and east to the left. The minor axis of a model is
therefore the width of its shape, and the angle is the same: a major axis that points to the north is at right angles to
the west.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from xgamma.axes import FloatArray
from xgamma.errors import ConfigTypeError
from xgamma.formats import region_objects
from xgamma.geometry import position_angle, to_frame
from xgamma.models.spatial.function import axes_of
from xgamma.shapes import Annulus, Circle, Ellipse, Shape


def ellipse(center: tuple[float, float], frame: str, major: float, minor: float, phi: float) -> Ellipse:
    """Return the ellipse of semi-axes in degrees whose major one points to a position angle in degrees."""
    return Ellipse(float(center[0]), float(center[1]), 2 * minor, 2 * major, phi % 360.0, frame)


def elongated(center: tuple[float, float], frame: str, size: float, e: float, phi: float) -> Ellipse:
    """Return the ellipse of a major semi-axis and an eccentricity."""
    return ellipse(center, frame, *axes_of(size, e), phi)


def form_of(shape: Ellipse) -> tuple[float, float, float]:
    """Return the major semi-axis, the eccentricity and the position angle of an ellipse."""
    minor, major = sorted(shape.half_sizes)
    phi = shape.angle if shape.height >= shape.width else shape.angle + 90.0
    return major, float(np.sqrt(1.0 - (minor / major) ** 2)), (phi + 180.0) % 360.0 - 180.0


def ring(center: tuple[float, float], frame: str, inner: float, outer: float) -> Shape:
    """Return the annulus between two radii in degrees, a circle for an inner one of 0."""
    large = Circle(float(center[0]), float(center[1]), max(outer, axes_of(0.0, 0.0)[0]), frame)
    if not 0 < inner < large.radius:
        return large
    return Annulus(large, Circle(large.lon, large.lat, inner, frame))


def region_of(shape: Shape, **kwargs: Any) -> Any:
    """Return a shape as a region of the package `regions`; ``meta`` and ``visual`` are those of the region."""
    [region] = region_objects.sky_regions([shape])
    return _with_style(region, kwargs)


def rectangle_region(center: tuple[float, float], frame: str, width: float, height: float, **kwargs: Any) -> Any:
    """Return a rectangle of any size, up to that of the whole sky; see ``region_of``."""
    return _with_style(region_objects.sky_rectangle(center, frame, width, height), kwargs)


def _with_style(region: Any, kwargs: dict[str, Any]) -> Any:
    for name, value in kwargs.items():
        if name not in ("meta", "visual"):
            raise ConfigTypeError(f"to_region: expected size_factor, meta or visual, got {name!r}.")
        setattr(region, name, type(getattr(region, name))(value))
    return region


def turned_angle(lon: float, lat: float, frame: str, other: str) -> float:
    """Return by how many degrees position angles grow from a frame to another one at a position of the first."""
    place = to_frame(lon, lat, frame, other)
    pole = to_frame(0.0, 90.0, frame, other)
    return float(position_angle(*pole, *place))


def error_axes(covariance: FloatArray, lat: float) -> tuple[float, float, float]:
    """Return the semi-axes of the ellipse of 68 % in one dimension, and the position angle of the major one.

    Parameters
    ----------
    covariance
        Of longitude and latitude in degrees, shape (2, 2).
    lat
        The latitude in degrees.

    Returns
    -------
    major, minor, angle
        In degrees on the sky.
    """
    stretch = np.diag([np.cos(np.deg2rad(lat)), 1.0])
    variance, axes = np.linalg.eigh(stretch @ covariance @ stretch)
    minor, major = np.sqrt(np.clip(variance, 0.0, None)).tolist()
    east, north = axes[:, 1]
    return major, minor, float(np.rad2deg(np.arctan2(east, north)) % 180.0)

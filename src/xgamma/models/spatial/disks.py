"""Disks, normalised on the sphere, and projected shells, normalised on the plane."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import scipy
from astropy import units as u

from xgamma.axes import FloatArray
from xgamma.errors import ConfigError
from xgamma.geometry import cap_area
from xgamma.models.parameters import Parameter
from xgamma.models.spatial.function import SMALLEST, axes_of, size_towards
from xgamma.models.spatial.model import SpatialModel
from xgamma.models.spatial.outlines import elongated, form_of, ring
from xgamma.shapes import Circle, Ellipse, Shape
from xgamma.shapes.objects import normalize_shape

DEG = float(np.deg2rad(1.0))
# The edge width goes from 95 % to 5 % of the density: 2 erfinv(0.9).
_EDGE = 2.3261743073533485
# The narrowest edge of a disk, of its radius, and width of a shell, of its inner one.
_SHARPEST = 1e-9
# Directions in which the area of an elongated disk is summed.
_DIRECTIONS = 2048


class DiskSpatialModel(SpatialModel):
    """(1 - erf(2.326 (d - r_0) / (edge_width r_0))) / (4 pi (1 - cos r_0))"""

    tag = ("DiskSpatialModel", "disk")
    lon_0 = Parameter("lon_0", 0.0, "deg")
    lat_0 = Parameter("lat_0", 0.0, "deg", min=-90.0, max=90.0)
    r_0 = Parameter("r_0", 1.0, "deg", min=0.0)
    e = Parameter("e", 0.0, min=0.0, max=1.0, frozen=True)
    phi = Parameter("phi", 0.0, "deg", frozen=True)
    edge_width = Parameter("edge_width", 0.01, min=0.0, max=1.0, frozen=True)

    def _profile(self, distance: FloatArray, values: Sequence[float]) -> FloatArray:
        radius = axes_of(values[2], 0.0)[0]
        return np.asarray(_smooth(distance, radius, values[5]) / cap_area(radius))

    def _slopes(self, distance: FloatArray, values: Sequence[float]) -> dict[str, FloatArray]:
        radius, width = axes_of(values[2], 0.0)[0], max(values[5], _SHARPEST)
        area, whole = float(cap_area(radius)), _smooth(distance, radius, width)
        beyond = (distance - radius) / (radius * width)
        # The derivative of the edge in ``beyond``.
        falling = -_EDGE / np.sqrt(np.pi) * np.exp(-((_EDGE * beyond) ** 2)) / area
        area_slope = 2.0 * np.pi * np.sin(DEG * radius) * DEG
        return {
            "r_0": -falling * distance / (radius**2 * width) - whole * area_slope / area**2,
            "edge_width": -falling * beyond / width,
            "distance": falling / (radius * width),
        }

    def _elongated(self, distance: FloatArray, angle: FloatArray, values: Sequence[float]) -> FloatArray:
        major, minor = axes_of(values[2], values[3])
        radius = size_towards(angle, values[4], major, minor)
        return np.asarray(_smooth(distance, radius, values[5]) / ellipse_area(major, minor))

    def outline(self, size_factor: float = 1.0) -> Shape:
        """Return the ellipse of ``size_factor`` times r_0."""
        lon, lat, radius, e, phi, _ = self.canonical_values()
        return elongated((lon, lat), self.frame, size_factor * radius, e, phi)

    @classmethod
    def from_region(cls, region: Any, **kwargs: Any) -> Self:
        """Return a disk of the size, form and angle of a circle or an ellipse on the sky, in its frame.

        Raises ``ConfigError`` for another region.
        """
        shape = normalize_shape(region)
        if isinstance(shape, Circle):
            size, e, phi = shape.radius, 0.0, 0.0
        elif isinstance(shape, Ellipse):
            size, e, phi = form_of(shape)
        else:
            raise ConfigError(f"from_region: expected a circle or an ellipse, got {shape}.")
        given = {"r_0": size * u.deg, "e": e, "phi": phi * u.deg, **kwargs}
        frame = str(given.pop("frame", shape.frame))
        return cls(shape.frame, lon_0=shape.lon * u.deg, lat_0=shape.lat * u.deg, **given).with_frame(frame)

    def edges(self, values: Sequence[float] | None = None) -> tuple[float, ...]:
        """Return the semi-axes and both ends of their soft edges."""
        given = self._plain(values)
        soft = (1.0 - given[5], 1.0, 1.0 + given[5])
        return tuple(size * share for size in set(axes_of(given[2], given[3])) for share in soft)

    def reach(self, values: Sequence[float] | None = None) -> float:
        """Return 1.1 r_0 (1 + edge_width)."""
        given = self._plain(values)
        return 1.1 * given[2] * (1.0 + given[5])

    def resolution(self, values: Sequence[float] | None = None) -> float:
        """Return a tenth of r_0 (1 - edge_width)."""
        given = self._plain(values)
        return given[2] * (1.0 - given[5]) / 10.0


def _smooth(distance: FloatArray, radius: FloatArray | float, edge_width: float) -> FloatArray:
    beyond = (distance - radius) / (radius * max(edge_width, _SHARPEST))
    return np.asarray(0.5 * (1.0 - scipy.special.erf(_EDGE * beyond)))


def ellipse_area(major: float, minor: float) -> float:
    """Return the solid angle in sr of the part of the sky within an ellipse of the plane that its cone cuts."""
    # A sum over even steps of a period converges as fast as any.
    angle = np.linspace(0.0, np.pi, _DIRECTIONS, endpoint=False)
    across, along = 1.0 / np.sin(DEG * minor) ** 2, 1.0 / np.sin(DEG * major) ** 2
    inverse = 1.0 / (across + (along - across) * np.cos(angle) ** 2)
    # 1 - sqrt(1 - x), also of a small x.
    return float(2.0 * np.pi * np.mean(inverse / (1.0 + np.sqrt(np.clip(1.0 - inverse, 0.0, None)))))


def _shell(distance: FloatArray, inner: float, outer: float) -> FloatArray:
    """Return the density of a shell of even emission between two radii in degrees, seen from far away."""
    outer = max(outer, SMALLEST)
    inner = min(inner, outer * (1.0 - _SHARPEST))
    through = np.sqrt(np.clip(outer**2 - distance**2, 0.0, None))
    hollow = np.sqrt(np.clip(inner**2 - distance**2, 0.0, None))
    size = outer**2 + outer * inner + inner**2
    # Within the inner radius a difference of roots is written as a quotient, as of thin shells it would be rounded.
    inside = hollow > 0
    total = np.where(inside, through + hollow, 1.0)
    length = np.where(inside, (outer + inner) / total, through / (outer - inner))
    return np.asarray(3.0 * length / (2.0 * np.pi * size * DEG**2))


class ShellSpatialModel(SpatialModel):
    """3 (sqrt(r_out^2 - d^2) - sqrt(radius^2 - d^2)) / (2 pi (r_out^3 - radius^3)), r_out = radius + width"""

    tag = ("ShellSpatialModel", "shell")
    lon_0 = Parameter("lon_0", 0.0, "deg")
    lat_0 = Parameter("lat_0", 0.0, "deg", min=-90.0, max=90.0)
    radius = Parameter("radius", 1.0, "deg", min=0.0)
    width = Parameter("width", 0.2, "deg", min=0.0)

    def _profile(self, distance: FloatArray, values: Sequence[float]) -> FloatArray:
        inner = max(values[2], 0.0)
        return _shell(distance, inner, inner + max(values[3], 0.0))

    def edges(self, values: Sequence[float] | None = None) -> tuple[float, ...]:
        """Return both radii."""
        given = self._plain(values)
        return given[2], given[2] + given[3]

    def outline(self, size_factor: float = 1.0) -> Shape:
        """Return the annulus between both radii times ``size_factor``."""
        lon, lat, radius, width = self.canonical_values()
        return ring((lon, lat), self.frame, size_factor * radius, size_factor * (radius + width))

    def reach(self, values: Sequence[float] | None = None) -> float:
        """Return radius + width."""
        given = self._plain(values)
        return given[2] + given[3]

    def resolution(self, values: Sequence[float] | None = None) -> float:
        """Return the width."""
        return self._plain(values)[3]


class Shell2SpatialModel(SpatialModel):
    """The shell whose outer radius is r_0 and whose inner radius is (1 - eta) r_0"""

    tag = ("Shell2SpatialModel", "shell2")
    lon_0 = Parameter("lon_0", 0.0, "deg")
    lat_0 = Parameter("lat_0", 0.0, "deg", min=-90.0, max=90.0)
    r_0 = Parameter("r_0", 1.0, "deg", min=0.0)
    eta = Parameter("eta", 0.2, min=0.02, max=1.0)

    def _profile(self, distance: FloatArray, values: Sequence[float]) -> FloatArray:
        outer = max(values[2], 0.0)
        return _shell(distance, outer * (1.0 - min(max(values[3], 0.0), 1.0)), outer)

    @property
    def r_in(self) -> u.Quantity:
        """The inner radius."""
        return u.Quantity(self.edges()[0], "deg")

    def edges(self, values: Sequence[float] | None = None) -> tuple[float, ...]:
        """Return both radii."""
        given = self._plain(values)
        return given[2] * (1.0 - given[3]), given[2]

    def outline(self, size_factor: float = 1.0) -> Shape:
        """Return the annulus between both radii times ``size_factor``."""
        inner, outer = self.edges()
        lon, lat = self.canonical_values()[:2]
        return ring((lon, lat), self.frame, size_factor * inner, size_factor * outer)

    def reach(self, values: Sequence[float] | None = None) -> float:
        """Return r_0."""
        return self._plain(values)[2]

    def resolution(self, values: Sequence[float] | None = None) -> float:
        """Return eta r_0."""
        given = self._plain(values)
        return given[2] * given[3]

"""What a shape on the sky is: drawn on the plane tangent at its centre in its own frame, it holds positions.

Angles turn the width of a shape counter-clockwise on an image with north up and east to the left: from west at 0 deg to
north at 90 deg, as in the package `regions` and in DS9. The edges of a polygon are parts of great circles, which are
straight on every tangent plane. Source of the projection: Calabretta & Greisen 2002 (TAN).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from xgamma.axes import BoolArray, FloatArray, IntArray
from xgamma.description import Described, Description, facts
from xgamma.errors import ConfigError
from xgamma.geometry import (
    Plane,
    cap_area,
    from_tangent_plane,
    local_north,
    separation,
    tangent_plane,
    to_frame,
)

# Within so many times its reach a shape is looked for: the plane stretches what is far from the centre.
MARGIN = 1.01
# Of what is no circle, in degrees from the centre: beyond it a tangent plane is no picture of the sky.
LARGEST_REACH = 45.0
# Pixels in which responses are averaged, in degrees; a large shape has so many of them in its reach.
PIXEL, MOST_PIXELS, FINER = 0.1, 10, 10


class Shape(Described):
    """A shape: frozen, in degrees, with a centre (``lon``, ``lat``) in a ``frame``."""

    lon: float
    lat: float
    frame: str
    kind: ClassVar[str]

    # --- what a shape tells of itself

    @property
    def reach(self) -> float:
        """The distance from the centre to the farthest part of the shape, on its plane."""
        raise NotImplementedError

    @property
    def area(self) -> float:
        """The area on the plane in square degrees."""
        raise NotImplementedError

    def inside(self, x: FloatArray, y: FloatArray) -> BoolArray:
        """Return which points lie inside, given in degrees from the centre to the west and to the north."""
        raise NotImplementedError

    @property
    def ds9(self) -> str:
        """The shape as DS9 writes it, without its frame."""
        raise NotImplementedError

    def edges(self) -> list[tuple[FloatArray, FloatArray]]:
        """Return the corners of each edge in degrees from the centre to the west and to the north."""
        raise NotImplementedError

    def scaled(self, lon: float, lat: float, factor: float, angle: float) -> Self:
        """Return the shape at another centre, its sizes times ``factor``, turned counter-clockwise by ``angle`` deg."""
        raise NotImplementedError

    # --- what follows from that

    def __str__(self) -> str:
        return f"{self.frame}; {self.ds9}"

    def _description(self) -> Description:
        centre = f"{self.lon:.4f}, {self.lat:.4f} deg ({self.frame})"
        size = [("Centre", centre), ("Reach", f"{self.reach:.4g} deg"), ("Area", f"{self.area:.4g} deg2")]
        return Description(type(self).__name__, facts([("DS9", str(self)), *size]))

    @property
    def solid_angle(self) -> float:
        """The solid angle in sr, that of a cap of the same area on the plane."""
        return float(cap_area(np.sqrt(self.area / np.pi)))

    @property
    def center(self) -> tuple[float, float]:
        """The ICRS centre."""
        lon, lat = to_frame(self.lon, self.lat, self.frame, "icrs")
        return float(lon), float(lat)

    def document(self) -> dict[str, Any]:
        """Return the shape as plain values, from which ``shape_from`` makes it again."""
        return {"shape": self.kind, **asdict(self)}  # type: ignore[call-overload]

    def local(
        self, x: npt.ArrayLike, y: npt.ArrayLike, lon0: npt.ArrayLike, lat0: npt.ArrayLike
    ) -> tuple[FloatArray, FloatArray]:
        """Return points of the plane tangent at (lon0, lat0) in degrees from the centre, as ``inside`` takes them.

        The shape keeps its form on that plane, in the local northward scale; all arguments broadcast.
        """
        here = tangent_plane(self.lon, self.lat, lon0, lat0)
        scale, tilt = local_north(self.lon, self.lat, lon0, lat0)
        dx, dy, cosine, sine = np.subtract(x, here.x), np.subtract(y, here.y), np.cos(tilt), np.sin(tilt)
        return scale * (dx * cosine + dy * sine), scale * (dy * cosine - dx * sine)

    def holds(self, lon: FloatArray, lat: FloatArray) -> BoolArray:
        """Return which ICRS positions lie inside, shape as given."""
        found = np.zeros(np.shape(lon), dtype=bool)
        found.ravel()[self.members(np.ravel(lon), np.ravel(lat))] = True
        return found

    def members(self, lon: FloatArray, lat: FloatArray) -> IntArray:
        """Return the numbers of the ICRS positions, shape (n,), that lie inside."""
        center_lon, center_lat = self.center
        band = np.flatnonzero(np.abs(lat - center_lat) < MARGIN * self.reach)
        near = band[separation(lon[band], lat[band], center_lon, center_lat) < MARGIN * self.reach]
        plane = tangent_plane(*to_frame(lon[near], lat[near], "icrs", self.frame), self.lon, self.lat)
        with np.errstate(invalid="ignore"):
            return np.asarray(near[self.inside(*self.local(*plane, self.lon, self.lat))], dtype=np.int64)

    def samples(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the ICRS centres of pixels that hold some of the shape, and the share of it in each; none of a point.

        The pixels of 0.1 deg, of a shape beyond a degree of a tenth of its reach, lie on the plane tangent at the
        centre, which is a corner of them. A share is told by 100 places in the pixel. Source: Gammapy 2.1.
        """
        pixel = max(PIXEL, self.reach / MOST_PIXELS)
        half = max(1, int(np.ceil(self.reach / pixel)))
        fine = pixel * ((np.arange(2 * half * FINER) + 0.5) / FINER - half)
        inside = self.inside(*np.meshgrid(fine, fine)).reshape(2 * half, FINER, 2 * half, FINER)
        share = inside.mean(axis=(1, 3))
        row, column = np.nonzero(share)
        middle = np.asarray(pixel * (np.arange(2 * half) + 0.5 - half), dtype=float)
        lon, lat = from_tangent_plane(Plane(middle[column], middle[row]), self.lon, self.lat)
        weight = share[row, column]
        return *to_frame(lon, lat, self.frame, "icrs"), weight / weight.sum() if len(weight) else weight

    def turned(self, lon0: float, lat0: float, turn: float) -> Self:
        """Return the shape turned counter-clockwise about a position of its frame, by ``turn`` rad on the plane there.

        Its form on that plane is kept, so that its sizes on the sky follow the local scale.
        """
        here, (scale, tilt) = tangent_plane(self.lon, self.lat, lon0, lat0), local_north(self.lon, self.lat, lon0, lat0)
        lon, lat = from_tangent_plane(rotated(here, turn), lon0, lat0)
        there, tilt_there = local_north(lon, lat, lon0, lat0)
        angle = float(np.rad2deg(tilt + turn - tilt_there))
        return self.scaled(float(lon), float(lat), float(there / scale), angle)

    def outlines(self) -> list[tuple[FloatArray, FloatArray]]:
        """Return the corners of each edge, longitude and latitude in the frame."""
        return [from_tangent_plane(Plane(x, y), self.lon, self.lat) for x, y in self.edges()]


def rotated(plane: Plane, turn: npt.ArrayLike) -> Plane:
    """Return points of a plane turned counter-clockwise about its origin by an angle in rad."""
    cosine, sine = np.cos(turn), np.sin(turn)
    return Plane(plane.x * cosine - plane.y * sine, plane.x * sine + plane.y * cosine)


def validate_shape(shape: Shape, sizes: Mapping[str, float], angle: float = 0.0) -> None:
    """Raise ``ConfigError`` for what is no shape."""
    for name, size in sizes.items():
        if not 0 < size < np.inf:
            raise ConfigError(f"{shape.kind}: expected a {name.replace('_', ' ')} above 0 deg, got {size} deg.")
    if not np.isfinite(angle):
        raise ConfigError(f"{shape.kind}: expected a finite angle, got {angle} deg.")
    validate_center(shape)
    if shape.reach > LARGEST_REACH:
        raise ConfigError(
            f"{shape.kind}: expected a shape within {LARGEST_REACH:g} deg of its centre, got {shape.reach:.4g} deg."
        )


def validate_center(shape: Shape) -> None:
    """Raise ``ConfigError`` for a centre that is no place on the sky, or in another frame."""
    if not (np.isfinite(shape.lon) and abs(shape.lat) <= 90):
        raise ConfigError(
            f"{shape.kind}: expected a finite longitude and a latitude of -90 to 90 deg, got {shape.lon} and "
            f"{shape.lat} deg."
        )
    to_frame(shape.lon, shape.lat, shape.frame, "icrs")

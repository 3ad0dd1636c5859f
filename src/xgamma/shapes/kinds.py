"""The kinds of shapes: circle, ellipse, rectangle, annulus, polygon; a point is a circle of radius 0."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from xgamma.axes import BoolArray, FloatArray
from xgamma.errors import ConfigError
from xgamma.geometry import Plane, from_tangent_plane, lonlat, separation, tangent_plane, to_frame, unit_vector
from xgamma.shapes.shape import LARGEST_REACH, Shape, rotated, validate_center, validate_shape

# Corners of the outline of a round shape.
CORNERS = 96


@dataclass(frozen=True)
class Circle(Shape):
    """A circle; a radius of 0 is a point."""

    lon: float
    lat: float
    radius: float
    frame: str = "icrs"
    kind: ClassVar[str] = "circle"

    def __post_init__(self) -> None:
        if not self.radius >= 0:
            raise ConfigError(f"A region has a radius of at least 0 deg, got {self.radius} deg.")
        validate_center(self)

    def document(self) -> dict[str, Any]:
        """Return the shape as plain values."""
        return asdict(self)

    @property
    def reach(self) -> float:
        """The radius."""
        return self.radius

    @property
    def area(self) -> float:
        """The area on the plane in square degrees."""
        return float(np.pi * self.radius**2)

    def inside(self, x: FloatArray, y: FloatArray) -> BoolArray:
        """Return which points are nearer than the radius."""
        return np.asarray(np.hypot(x, y) < self.radius)

    @property
    def ds9(self) -> str:
        """The shape as DS9 writes it."""
        place = f"{self.lon!r},{self.lat!r}"
        return f"circle({place},{self.radius!r})" if self.radius > 0 else f"point({place})"

    def edges(self) -> list[tuple[FloatArray, FloatArray]]:
        """Return the circle."""
        return [_ellipse(self.radius, self.radius, 0.0)]

    def scaled(self, lon: float, lat: float, factor: float, angle: float) -> Self:
        """Return the circle elsewhere."""
        return replace(self, lon=lon, lat=lat, radius=self.radius * factor)


@dataclass(frozen=True)
class _Turnable(Shape):
    """A shape with a width, a height, and the angle of its width."""

    lon: float
    lat: float
    width: float
    height: float
    angle: float = 0.0
    frame: str = "icrs"

    def __post_init__(self) -> None:
        validate_shape(self, {"width": self.width, "height": self.height}, self.angle)

    def along(self, x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return points along the width and the height, in units of half of each."""
        cosine, sine = np.cos(np.deg2rad(self.angle)), np.sin(np.deg2rad(self.angle))
        return 2 * (x * cosine + y * sine) / self.width, 2 * (y * cosine - x * sine) / self.height

    def scaled(self, lon: float, lat: float, factor: float, angle: float) -> Self:
        """Return the shape elsewhere."""
        width, height, turn = self.width * factor, self.height * factor, (self.angle + angle) % 360.0
        return replace(self, lon=lon, lat=lat, width=width, height=height, angle=turn)

    @property
    def half_sizes(self) -> tuple[float, float]:
        """Half of the width and half of the height."""
        return self.width / 2, self.height / 2


@dataclass(frozen=True)
class Ellipse(_Turnable):
    """An ellipse by its whole axes; one in a catalogue, by position angle, has its minor axis as width."""

    kind: ClassVar[str] = "ellipse"

    @property
    def reach(self) -> float:
        """Half of the longer axis."""
        return max(self.half_sizes)

    @property
    def area(self) -> float:
        """The area on the plane in square degrees."""
        return float(np.pi * self.width * self.height / 4)

    def inside(self, x: FloatArray, y: FloatArray) -> BoolArray:
        """Return which points lie in the ellipse; its edge belongs to it."""
        along, across = self.along(x, y)
        return np.asarray(along**2 + across**2 <= 1)

    @property
    def ds9(self) -> str:
        """The shape as DS9 writes it."""
        width, height = self.half_sizes
        return f"ellipse({self.lon!r},{self.lat!r},{width!r},{height!r},{self.angle!r})"

    def edges(self) -> list[tuple[FloatArray, FloatArray]]:
        """Return the ellipse."""
        return [_ellipse(*self.half_sizes, self.angle)]


@dataclass(frozen=True)
class Rectangle(_Turnable):
    """A rectangle."""

    kind: ClassVar[str] = "rectangle"

    @property
    def reach(self) -> float:
        """Half of the diagonal."""
        return float(np.hypot(*self.half_sizes))

    @property
    def area(self) -> float:
        """The area on the plane in square degrees."""
        return self.width * self.height

    def inside(self, x: FloatArray, y: FloatArray) -> BoolArray:
        """Return which points lie in the rectangle."""
        along, across = self.along(x, y)
        return np.asarray((np.abs(along) < 1) & (np.abs(across) < 1))

    @property
    def ds9(self) -> str:
        """The shape as DS9 writes it."""
        return f"box({self.lon!r},{self.lat!r},{self.width!r},{self.height!r},{self.angle!r})"

    def edges(self) -> list[tuple[FloatArray, FloatArray]]:
        """Return the corners."""
        width, height = self.half_sizes
        along, across = width * np.array([1.0, -1, -1, 1, 1]), height * np.array([1.0, 1, -1, -1, 1])
        return [_turned(along, across, self.angle)]


@dataclass(frozen=True)
class Annulus(Shape):
    """What is in a circle, ellipse or rectangle and not in a smaller one of that kind, centre and angle."""

    outer: Circle | Ellipse | Rectangle
    inner: Circle | Ellipse | Rectangle
    kind: ClassVar[str] = "annulus"

    def __post_init__(self) -> None:
        outer, inner = self.outer, self.inner
        same = [(each.lon, each.lat, each.frame, getattr(each, "angle", 0.0)) for each in (outer, inner)]
        if type(outer) is not type(inner) or same[0] != same[1]:
            raise ConfigError(f"annulus: expected two shapes of one kind, centre and angle, got {outer} and {inner}.")
        if not all(0 < small < large for small, large in zip(_sizes(inner), _sizes(outer), strict=True)):
            raise ConfigError(
                f"annulus: expected an inner edge above 0 deg inside the outer one, got {inner}, {outer}."
            )
        validate_shape(self, {})

    def document(self) -> dict[str, Any]:
        """Return the shape as plain values."""
        return {"shape": self.kind, "outer": self.outer.document(), "inner": self.inner.document()}

    @property
    def lon(self) -> float:  # type: ignore[override]
        """The longitude of the centre."""
        return self.outer.lon

    @property
    def lat(self) -> float:  # type: ignore[override]
        """The latitude of the centre."""
        return self.outer.lat

    @property
    def frame(self) -> str:  # type: ignore[override]
        """The frame."""
        return self.outer.frame

    @property
    def reach(self) -> float:
        """That of the outer shape."""
        return self.outer.reach

    @property
    def area(self) -> float:
        """The area on the plane in square degrees."""
        return self.outer.area - self.inner.area

    def inside(self, x: FloatArray, y: FloatArray) -> BoolArray:
        """Return which points lie in the outer shape and not in the inner one."""
        return np.asarray(self.outer.inside(x, y) & ~self.inner.inside(x, y))

    @property
    def ds9(self) -> str:
        """The shape as DS9 writes it."""
        if isinstance(self.outer, Circle):
            return f"annulus({self.lon!r},{self.lat!r},{_sizes(self.inner)[0]!r},{self.outer.radius!r})"
        name, scale = ("ellipse", 0.5) if isinstance(self.outer, Ellipse) else ("box", 1.0)
        sizes = [scale * size for size in (*_sizes(self.inner), *_sizes(self.outer))]
        return f"{name}({','.join(map(repr, [self.lon, self.lat, *sizes, self.outer.angle]))})"

    def edges(self) -> list[tuple[FloatArray, FloatArray]]:
        """Return the outer and the inner edge."""
        return [*self.outer.edges(), *self.inner.edges()]

    def scaled(self, lon: float, lat: float, factor: float, angle: float) -> Self:
        """Return the annulus elsewhere."""
        outer, inner = (each.scaled(lon, lat, factor, angle) for each in (self.outer, self.inner))
        return replace(self, outer=outer, inner=inner)


@dataclass(frozen=True)
class Polygon(Shape):
    """What lies between corners given by longitudes and latitudes, which great circles connect.

    Its centre is the centroid on the tangent plane.
    """

    lons: tuple[float, ...]
    lats: tuple[float, ...]
    frame: str = "icrs"
    lon: float = field(init=False, compare=False)
    lat: float = field(init=False, compare=False)
    kind: ClassVar[str] = "polygon"

    def __post_init__(self) -> None:
        lon, lat = np.array(self.lons, dtype=float), np.array(self.lats, dtype=float)
        if len(lon) != len(lat) or len(lon) < 3 or not (np.isfinite(lon).all() and (np.abs(lat) <= 90).all()):
            raise ConfigError(f"polygon: expected three corners or more in degrees, got {self.lons} and {self.lats}.")
        middle = lonlat(unit_vector(lon, lat).mean(axis=0))
        if float(separation(lon, lat, *middle).max()) > LARGEST_REACH:
            raise ConfigError(f"polygon: expected corners within {LARGEST_REACH:g} deg of their middle.")
        center = _centroid(tangent_plane(lon, lat, *middle))
        object.__setattr__(self, "lons", tuple(lon.tolist()))
        object.__setattr__(self, "lats", tuple(lat.tolist()))
        for name, value in zip(("lon", "lat"), from_tangent_plane(center, *middle), strict=True):
            object.__setattr__(self, name, float(value))
        to_frame(self.lon, self.lat, self.frame, "icrs")

    def document(self) -> dict[str, Any]:
        """Return the shape as plain values."""
        return {"shape": self.kind, "lons": self.lons, "lats": self.lats, "frame": self.frame}

    @property
    def corners(self) -> Plane:
        """The corners in degrees from the centroid, shape (corner,)."""
        return tangent_plane(np.array(self.lons), np.array(self.lats), self.lon, self.lat)

    @property
    def reach(self) -> float:
        """The distance of the farthest corner."""
        return float(np.hypot(*self.corners).max())

    @property
    def area(self) -> float:
        """The area on the plane in square degrees."""
        return abs(float(_doubled_areas(self.corners).sum())) / 2

    def local(
        self, x: npt.ArrayLike, y: npt.ArrayLike, lon0: npt.ArrayLike, lat0: npt.ArrayLike
    ) -> tuple[FloatArray, FloatArray]:
        """Return points of the plane tangent at (lon0, lat0) on that of the polygon: great circles stay straight."""
        return tangent_plane(*from_tangent_plane(Plane(np.asarray(x), np.asarray(y)), lon0, lat0), self.lon, self.lat)

    def inside(self, x: FloatArray, y: FloatArray) -> BoolArray:
        """Return which points have an odd number of edges to their west."""
        odd = np.zeros(np.broadcast_shapes(np.shape(x), np.shape(y)), dtype=bool)
        corner_x, corner_y = self.corners
        for number in range(len(corner_x)):
            (x1, y1), (x2, y2) = ((corner_x[at], corner_y[at]) for at in (number - 1, number))
            if y1 != y2:
                odd ^= ((y1 > y) != (y2 > y)) & (x < (x2 - x1) * (y - y1) / (y2 - y1) + x1)
        return odd

    @property
    def ds9(self) -> str:
        """The shape as DS9 writes it."""
        return f"polygon({','.join(f'{lon!r},{lat!r}' for lon, lat in zip(self.lons, self.lats, strict=True))})"

    def edges(self) -> list[tuple[FloatArray, FloatArray]]:
        """Return the corners."""
        corners = self.corners
        return [(np.append(corners.x, corners.x[0]), np.append(corners.y, corners.y[0]))]

    def turned(self, lon0: float, lat0: float, turn: float) -> Self:
        """Return the polygon turned about a position: a rotation of the sphere."""
        plane = rotated(tangent_plane(np.array(self.lons), np.array(self.lats), lon0, lat0), turn)
        lon, lat = from_tangent_plane(plane, lon0, lat0)
        return replace(self, lons=tuple(lon.tolist()), lats=tuple(lat.tolist()))


def _sizes(shape: Circle | Ellipse | Rectangle) -> tuple[float, ...]:
    return (shape.radius,) if isinstance(shape, Circle) else (shape.width, shape.height)


def _ellipse(width: float, height: float, angle: float) -> tuple[FloatArray, FloatArray]:
    phase = np.linspace(0.0, 2 * np.pi, CORNERS + 1)
    return _turned(width * np.cos(phase), height * np.sin(phase), angle)


def _turned(along: FloatArray, across: FloatArray, angle: float) -> tuple[FloatArray, FloatArray]:
    return rotated(Plane(along, across), np.deg2rad(angle))


def _doubled_areas(corners: Plane) -> FloatArray:
    """Return twice the signed area between each corner, the one before it, and the origin."""
    return np.asarray(np.roll(corners.x, 1) * corners.y - corners.x * np.roll(corners.y, 1))


def _centroid(corners: Plane) -> Plane:
    doubled = _doubled_areas(corners)
    if abs(doubled.sum()) < 1e-12:
        raise ConfigError("polygon: expected corners that enclose an area.")
    x, y = (float(((np.roll(each, 1) + each) * doubled).sum() / (3 * doubled.sum())) for each in corners)
    return Plane(np.asarray(x), np.asarray(y))

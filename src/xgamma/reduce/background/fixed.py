"""Fixed off regions: shapes on the sky, the same for all runs, with the acceptance of their area or a given one.

The acceptance of a camera falls towards its edge (Berge, Funk & Hinton 2007, A&A 466, 1219): areas alone are right for
regions at the offset of the on-region; else the acceptance has to be given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

import numpy as np

from xgamma.axes import BoolArray, FloatArray
from xgamma.errors import ConfigError, did_you_mean
from xgamma.events import Events
from xgamma.geometry import FRAMES, Plane, from_tangent_plane, separation, to_frame
from xgamma.grid import Cells, Grid
from xgamma.masks import Exclusion
from xgamma.outcome import Outcome
from xgamma.reduce.background.names import KIND
from xgamma.reduce.background.protocol import Background, BackgroundInput, OffRegions
from xgamma.registry import register
from xgamma.shapes import KINDS, Annulus, Circle, Polygon, Shape, shape_from
from xgamma.shapes.objects import is_region, normalize_shape
from xgamma.shapes.shape import MARGIN
from xgamma.units import canonical

AREA = "area"
# As far apart as the positions at which exclusions are looked up, in degrees.
STEP = 0.01
# A large shape is filled with so many positions a side.
MOST_STEPS = 1001
_WHERE = "datasets.background.parameters.regions"


@dataclass(frozen=True)
class FixedParameters:
    """The off regions.

    Parameters
    ----------
    regions
        Shapes, regions of the package `regions`, or mappings with ``lon``, ``lat``, ``radius`` (quantities, or numbers
        in degrees) and ``frame``; other shapes than circles with ``shape`` and what ``Shape.document`` has of them.
        What is no circle is held as that.
    acceptance
        ``area``, or a number for each region: its acceptance where the on-region has 1.
    """

    regions: tuple[Circle | Mapping[str, Any], ...] = field(
        metadata={
            "description": "circles, each {frame: icrs, lon: 83.6 deg, lat: 22.5 deg, radius: 0.2 deg}, or shapes"
        }
    )
    acceptance: str | tuple[float, ...] = field(
        default=AREA, metadata={"description": "area, or a number for each region, where the on-region has 1"}
    )

    def __post_init__(self) -> None:
        given = self.regions
        if not isinstance(given, Sequence) or isinstance(given, str) or not given:
            raise ConfigError(f"regions: expected a list of circles or other shapes, got {given!r}.")
        regions = tuple(_held(one, f"regions[{number}]") for number, one in enumerate(given))
        object.__setattr__(self, "regions", regions)
        if self.acceptance != AREA:
            object.__setattr__(self, "acceptance", _acceptances(self.acceptance, len(regions)))

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """The regions as shapes."""
        return tuple(one if isinstance(one, Circle) else shape_from(one) for one in self.regions)


def _held(given: Any, where: str) -> Circle | Mapping[str, Any]:
    """Return a circle, or the document of another shape, whose kind is part of it."""
    shape = normalize_shape(given) if is_region(given) else _shape(given, where)
    if isinstance(shape, Circle):
        if not shape.radius > 0 or not abs(shape.lat) <= 90:
            raise ConfigError(f"{where}: expected a radius above 0 deg and a latitude of -90 to 90 deg, got {shape}.")
        return shape
    return shape.document()


def _shape(given: Any, where: str) -> Shape:
    """Return the shape of a mapping, whose sizes and places may be quantities."""
    word = given.get("shape", Circle.kind) if isinstance(given, Mapping) else Circle.kind
    if word not in KINDS:
        raise ConfigError(f"{where}.shape: expected one of {', '.join(KINDS)}, got {word!r}.")
    if isinstance(given, Mapping):
        given = _plain(word, given, where)
    known = {own.name: own for own in fields(KINDS[word]) if own.init}  # type: ignore[arg-type]
    needed = [name for name, own in known.items() if own.default is MISSING]
    if not isinstance(given, Mapping) or not set(needed) <= set(given):
        raise ConfigError(f"{where}: expected a mapping with {_listed(needed)}, got {given!r}.")
    for key in set(given) - {*known, "shape"}:
        raise ConfigError(f"{where}.{key}: there is no such key.{did_you_mean(str(key), known)}")
    frame = given.get("frame", "icrs")
    if frame not in FRAMES:
        raise ConfigError(f"{where}.frame: expected {' or '.join(FRAMES)}, got {frame!r}.")
    values = {name: _value(given[name], f"{where}.{name}") for name in known if name in given and name != "frame"}
    try:
        return KINDS[word](**values, **({"frame": frame} if "frame" in known else {}))
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None


def _plain(word: str, given: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """Return the mapping of a ring by two radii, or of a polygon by vertices, in the words of its shape."""
    rest = {name: value for name, value in given.items() if name not in ("inner_radius", "outer_radius", "vertices")}
    if word == Annulus.kind and {"inner_radius", "outer_radius"} <= set(given):
        circle = {name: rest.pop(name) for name in ("lon", "lat", "frame") if name in rest}
        return rest | {side: circle | {"radius": given[f"{side}_radius"]} for side in ("outer", "inner")}
    if word == Polygon.kind and "vertices" in given:
        vertices = given["vertices"]
        if not isinstance(vertices, Sequence) or not all(
            isinstance(one, Sequence) and len(one) == 2 for one in vertices
        ):
            raise ConfigError(
                f"{where}.vertices: expected a list of pairs of longitude and latitude, got {vertices!r}."
            )
        return rest | {"lons": [one[0] for one in vertices], "lats": [one[1] for one in vertices]}
    return given


def _value(given: Any, where: str) -> Any:
    """Return degrees, a tuple of them for a list, or the shape of a mapping."""
    if isinstance(given, Mapping):
        return _shape(given, where)
    if isinstance(given, Sequence) and not isinstance(given, str):
        return tuple(_degrees(one, f"{where}[{number}]") for number, one in enumerate(given))
    return _degrees(given, where)


def _listed(names: Sequence[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _degrees(value: Any, where: str) -> float:
    degrees = float(value) if _is_number(value) else canonical(value, "deg", where)
    if not np.isfinite(degrees):
        raise ConfigError(f"{where}: expected a finite number of deg, got {value!r}.")
    return degrees


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _acceptances(given: Any, count: int) -> tuple[float, ...]:
    is_list = isinstance(given, Sequence) and not isinstance(given, str) and len(given) == count
    if not is_list or not all(_is_number(one) and np.isfinite(one) and one > 0 for one in given):
        raise ConfigError(
            f"acceptance: expected {AREA}, or a number above 0 for each of {count} regions, got {given!r}."
        )
    return tuple(float(one) for one in given)


@dataclass(frozen=True)
class FixedRegions(OffRegions):
    """The off regions of a block, and by shape where in the field of view it is, shape (row, region)."""

    shapes: tuple[Shape, ...] = ()
    in_view: BoolArray = field(default_factory=lambda: np.empty((0, 0), dtype=bool))

    def cells(self, events: Events) -> Cells:
        """Return which events lie in an off region of which on-region, each once."""
        away = super().cells(events)
        inside = np.zeros(len(events.row), dtype=bool)
        for number, shape in enumerate(self.shapes):
            if not isinstance(shape, Circle):
                found = shape.members(events.lon, events.lat)
                inside[found[self.in_view[events.row[found], number]]] = True
        if not inside.any():
            return away
        cells = self.lon.shape[1]
        flat = [away.event * cells + away.cell, *(np.flatnonzero(inside) * cells + cell for cell in range(cells))]
        pairs = np.unique(np.concatenate(flat))
        return Cells(pairs // cells, pairs % cells)


@register(KIND, "fixed", parameters=FixedParameters)
class Fixed(Background):
    """The background of fixed off regions."""

    def __init__(self, parameters: FixedParameters) -> None:
        self.parameters, self.shapes = parameters, parameters.shapes
        self._lon, self._lat = (np.array([one.center[axis] for one in self.shapes]) for axis in (0, 1))
        self._radius = np.array([getattr(one, "radius", np.nan) for one in self.shapes], dtype=float)

    def validate(self, grid: Grid, exclusion: Exclusion | None) -> None:
        """Raise ``ConfigError`` for a region that overlaps with an on-region, another one or excluded sky."""
        super().validate(grid, exclusion)
        for number, own in enumerate(self.shapes):
            where = f"{_WHERE}[{number}]"
            if any(_overlap(own, on) for on in grid.regions):
                raise ConfigError(f"{where}: it overlaps with the on-region; move it, or make it smaller.")
            other = next((place for place, one in enumerate(self.shapes[:number]) if _overlap(own, one)), None)
            if other is not None:
                raise ConfigError(f"{where}: it overlaps with regions[{other}]; move it, or leave it out.")
            if exclusion is not None and not exclusion.is_usable(*positions_in(own), outside=True).all():
                raise ConfigError(f"{where}: it holds sky that datasets.background.exclusion excludes; move it.")
        if self.parameters.acceptance == AREA and not all(on.area > 0 for on in grid.regions):
            raise ConfigError(
                "datasets.background.parameters.acceptance: an on-region without an area has no ratio of areas; "
                "write a number for each region."
            )

    def place(self, given: BackgroundInput) -> OffRegions:
        """Return the regions in the field of view of each run."""
        pointing = (coordinate[:, None] for coordinate in given.pointing)
        varies = np.zeros(len(given.rows), dtype=bool) if given.apertures is None else given.apertures.varies
        in_view = (given.usable & ~varies)[:, None] & (separation(self._lon, self._lat, *pointing) <= given.offset_max)
        acceptance = [self._acceptance(region) for region in given.grid.regions]
        lon, lat, radius = (
            np.stack([_used_first(values, in_view)] * len(acceptance), axis=1)
            for values in (self._lon, self._lat, self._radius)
        )
        return FixedRegions(
            lon,
            lat,
            radius,
            np.stack([_used_first(values, in_view) for values in acceptance], axis=1),
            np.where(given.usable & ~in_view.any(axis=1), Outcome.NO_OFF_REGION, Outcome.USED),
            "the radius of the on-region depends on energy, and that of fixed regions does not; use the method wobble"
            if varies.any()
            else f"no off region lies within {given.offset_max:g} deg of the pointing",
            shapes=self.shapes,
            in_view=in_view,
        )

    def _acceptance(self, region: Shape) -> FloatArray:
        """Return the acceptance of each off region beside an on-region, shape (off,)."""
        if self.parameters.acceptance != AREA:
            return np.array(self.parameters.acceptance, dtype=float)
        # The area of a cap is 4 pi times the squared sine of half its radius.
        off = np.array([_equal_radius(one) for one in self.shapes])
        return np.asarray(np.sin(np.deg2rad(off / 2)) ** 2 / np.sin(np.deg2rad(_equal_radius(region) / 2)) ** 2)

    def bound(self, given: BackgroundInput) -> int:
        """Return the number of regions."""
        return len(self.shapes)


def _equal_radius(shape: Shape) -> float:
    """Return the radius in degrees of a circle of the same area."""
    return shape.radius if isinstance(shape, Circle) else float(np.sqrt(shape.area / np.pi))


def _used_first(values: FloatArray, used: BoolArray) -> FloatArray:
    """Return the values of the circles in use, then NaN, shape (row, off) as wide as need be."""
    order = np.argsort(~used, axis=1, kind="stable")
    width = max(1, int(used.sum(axis=1).max(initial=0)))
    return np.where(np.take_along_axis(used, order, axis=1), values[order], np.nan)[:, :width]


def _overlap(one: Shape, other: Shape) -> bool:
    """Whether two shapes have sky in common; of what is no circle, at positions that fill them."""
    apart = float(separation(*one.center, *other.center))
    if isinstance(one, Circle) and isinstance(other, Circle):
        return apart < one.radius + other.radius
    if apart > MARGIN * (one.reach + other.reach):
        return False
    return bool(other.holds(*positions_in(one)).any() or one.holds(*positions_in(other)).any())


def positions_in(shape: Shape) -> tuple[FloatArray, FloatArray]:
    """Return ICRS positions that fill a shape, shape (position,)."""
    if isinstance(shape, Circle):
        steps = np.linspace(-shape.radius, shape.radius, 2 * int(np.ceil(shape.radius / STEP)) + 1)
        x, y = (axis.ravel() for axis in np.meshgrid(steps, steps))
        inside = np.hypot(x, y) <= shape.radius
        return from_tangent_plane(Plane(x[inside], y[inside]), *shape.center)
    steps = np.linspace(-shape.reach, shape.reach, min(2 * int(np.ceil(shape.reach / STEP)) + 1, MOST_STEPS))
    x, y = (axis.ravel() for axis in np.meshgrid(steps, steps))
    inside = shape.inside(*shape.local(x, y, shape.lon, shape.lat))
    place = from_tangent_plane(Plane(x[inside], y[inside]), shape.lon, shape.lat)
    return to_frame(*place, shape.frame, "icrs")

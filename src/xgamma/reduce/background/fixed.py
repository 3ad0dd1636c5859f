"""Fixed off regions: circles on the sky, the same for all runs, with the acceptance of their area or a given one.

The acceptance of a camera falls towards its edge (Berge, Funk & Hinton 2007, A&A 466, 1219): areas alone are right for
circles at the offset of the on-region; else the acceptance has to be given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from xgamma.axes import BoolArray, FloatArray
from xgamma.errors import ConfigError, did_you_mean
from xgamma.geometry import FRAMES, Plane, from_tangent_plane, separation, to_frame
from xgamma.grid import Circle, Grid
from xgamma.masks import Exclusion
from xgamma.outcome import Outcome
from xgamma.reduce.background.protocol import KIND, Background, BackgroundInput, OffRegions
from xgamma.registry import register
from xgamma.units import canonical

AREA = "area"
# As far apart as the positions at which exclusions are looked up, in degrees.
STEP = 0.01
_WHERE = "datasets.background.parameters.regions"


@dataclass(frozen=True)
class FixedParameters:
    """The off regions.

    Parameters
    ----------
    regions
        Circles, or mappings with ``lon``, ``lat``, ``radius`` (quantities, or numbers in degrees) and ``frame``.
    acceptance
        ``area``, or a number for each region: its acceptance where the on-region has 1.
    """

    regions: tuple[Circle, ...] = field(
        metadata={"description": "circles, each {frame: icrs, lon: 83.6 deg, lat: 22.5 deg, radius: 0.2 deg}"}
    )
    acceptance: str | tuple[float, ...] = field(
        default=AREA, metadata={"description": "area, or a number for each region, where the on-region has 1"}
    )

    def __post_init__(self) -> None:
        given = self.regions
        if not isinstance(given, Sequence) or isinstance(given, str) or not given:
            raise ConfigError(f"regions: expected a list of circles, got {given!r}.")
        regions = tuple(_circle(one, f"regions[{number}]") for number, one in enumerate(given))
        object.__setattr__(self, "regions", regions)
        if self.acceptance != AREA:
            object.__setattr__(self, "acceptance", _acceptances(self.acceptance, len(regions)))


def _circle(given: Any, where: str) -> Circle:
    if not isinstance(given, Circle):
        names = [known.name for known in fields(Circle)]
        if not isinstance(given, Mapping) or not {"lon", "lat", "radius"} <= set(given):
            raise ConfigError(f"{where}: expected a mapping with lon, lat and radius, got {given!r}.")
        for key in set(given) - set(names):
            raise ConfigError(f"{where}.{key}: there is no such key.{did_you_mean(str(key), names)}")
        degrees = {name: _degrees(given[name], f"{where}.{name}") for name in ("lon", "lat", "radius")}
        frame = given.get("frame", "icrs")
        if frame not in FRAMES:
            raise ConfigError(f"{where}.frame: expected {' or '.join(FRAMES)}, got {frame!r}.")
        given = Circle(**degrees, frame=frame)
    assert isinstance(given, Circle)
    if not given.radius > 0 or not abs(given.lat) <= 90:
        raise ConfigError(f"{where}: expected a radius above 0 deg and a latitude of -90 to 90 deg, got {given}.")
    return given


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


@register(KIND, "fixed", parameters=FixedParameters)
class Fixed(Background):
    """The background of fixed off regions."""

    def __init__(self, parameters: FixedParameters) -> None:
        self.parameters = parameters
        at = [to_frame(one.lon, one.lat, one.frame, "icrs") for one in parameters.regions]
        self._lon, self._lat = (np.array([float(place[axis]) for place in at]) for axis in (0, 1))
        self._radius = np.array([one.radius for one in parameters.regions])

    def validate(self, grid: Grid, exclusion: Exclusion | None) -> None:
        """Raise ``ConfigError`` for a circle that overlaps with an on-region, another one or excluded sky."""
        super().validate(grid, exclusion)
        lon, lat = grid.space.positions()
        for number, own in enumerate(zip(self._lon, self._lat, self._radius, strict=True)):
            where = f"{_WHERE}[{number}]"
            if _overlaps(own, lon, lat, grid.radii).any():
                raise ConfigError(f"{where}: it overlaps with the on-region; move it, or make it smaller.")
            others = _overlaps(own, self._lon[:number], self._lat[:number], self._radius[:number])
            if others.any():
                raise ConfigError(f"{where}: it overlaps with regions[{np.argmax(others)}]; move it, or leave it out.")
            if exclusion is not None and not exclusion.is_usable(*_positions(*own), outside=True).all():
                raise ConfigError(f"{where}: it holds sky that datasets.background.exclusion excludes; move it.")
        if self.parameters.acceptance == AREA and not (grid.radii > 0).all():
            raise ConfigError(
                "datasets.background.parameters.acceptance: an on-region without an area has no ratio of areas; "
                "write a number for each region."
            )

    def place(self, given: BackgroundInput) -> OffRegions:
        """Return the circles in the field of view of each run."""
        pointing = (coordinate[:, None] for coordinate in given.pointing)
        in_view = given.usable[:, None] & (separation(self._lon, self._lat, *pointing) <= given.offset_max)
        acceptance = [self._acceptance(radius) for radius in given.grid.radii]
        lon, lat, radius = (
            np.stack([_used_first(values, in_view)] * len(acceptance), axis=1)
            for values in (self._lon, self._lat, self._radius)
        )
        return OffRegions(
            lon,
            lat,
            radius,
            np.stack([_used_first(values, in_view) for values in acceptance], axis=1),
            np.where(given.usable & ~in_view.any(axis=1), Outcome.NO_OFF_REGION, Outcome.USED),
            f"no off region lies within {given.offset_max:g} deg of the pointing",
        )

    def _acceptance(self, radius: float) -> FloatArray:
        """Return the acceptance of each circle beside an on-region of a radius in degrees, shape (off,)."""
        if self.parameters.acceptance != AREA:
            return np.array(self.parameters.acceptance, dtype=float)
        # The area of a cap is 4 pi times the squared sine of half its radius.
        return np.asarray(np.sin(np.deg2rad(self._radius / 2)) ** 2 / np.sin(np.deg2rad(radius / 2)) ** 2)

    def bound(self, given: BackgroundInput) -> int:
        """Return the number of circles."""
        return len(self._radius)


def _used_first(values: FloatArray, used: BoolArray) -> FloatArray:
    """Return the values of the circles in use, then NaN, shape (row, off) as wide as need be."""
    order = np.argsort(~used, axis=1, kind="stable")
    width = max(1, int(used.sum(axis=1).max(initial=0)))
    return np.where(np.take_along_axis(used, order, axis=1), values[order], np.nan)[:, :width]


def _overlaps(circle: tuple[float, float, float], lon: FloatArray, lat: FloatArray, radius: FloatArray) -> BoolArray:
    return np.asarray(separation(lon, lat, *circle[:2]) < radius + circle[2])


def _positions(lon: float, lat: float, radius: float) -> tuple[FloatArray, FloatArray]:
    """Return positions that fill a circle, shape (position,)."""
    steps = np.linspace(-radius, radius, 2 * int(np.ceil(radius / STEP)) + 1)
    x, y = (axis.ravel() for axis in np.meshgrid(steps, steps))
    inside = np.hypot(x, y) <= radius
    return from_tangent_plane(Plane(x[inside], y[inside]), lon, lat)

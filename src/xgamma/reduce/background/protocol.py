"""What a background is: a class that places off regions, counts in them and says what they are worth."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np

from xgamma.axes import BoolArray, FloatArray, IntArray
from xgamma.errors import ConfigError
from xgamma.events import DEFAULT_RULE, Events, Part, Rows, good_time
from xgamma.geometry import in_boxes, northward_scale, separation, tangent_plane
from xgamma.grid import Cells, Grid
from xgamma.masks import ExcludedShapes, Exclusion, together
from xgamma.outcome import Outcome
from xgamma.reduce import enclosure
from xgamma.reduce.background.names import KIND, OFF_CIRCLES, OFF_COUNTS
from xgamma.registry import Method


@dataclass(frozen=True)
class BackgroundInput:
    """What a background looks at, for a block of runs.

    Parameters
    ----------
    part, rows
        The runs of the block.
    grid
        The target, whose on-regions the background is wanted for.
    exclusion
        The usable sky, ``None`` where nothing is excluded; beyond its pixels everything is usable. Nothing but the
        background looks at it.
    offset_max
        What lies farther from the pointing (deg) is outside the field of view.
    usable
        The rows that have passed all earlier checks, shape (row,); the others need no off region.
    rule
        Which events are in good time, one of ``events.GOOD_TIME_RULES``.
    use_region_center
        Whether responses are those of the centre of an on-region, and not averaged over it.
    """

    part: Part
    rows: Rows
    grid: Grid
    exclusion: Exclusion | None
    offset_max: float
    usable: BoolArray
    rule: str = DEFAULT_RULE
    use_region_center: bool = True

    @property
    def pointing(self) -> tuple[FloatArray, FloatArray]:
        """The pointings, ICRS degrees, shape (row,)."""
        return self.part.column("ra_pnt", self.rows.obs), self.part.column("dec_pnt", self.rows.obs)

    def usable_for(self, region: int) -> BoolArray:
        """Return which rows have an on-region in their field of view, shape (row,)."""
        lon, lat = self.grid.regions[region].center
        return self.usable & (separation(lon, lat, *self.pointing) <= self.offset_max)

    def exclusion_for(self, region: int) -> Exclusion | None:
        """Return what no off region of an on-region may hold: the excluded sky, and the other on-regions."""
        others = tuple(other for number, other in enumerate(self.grid.regions) if number != region)
        return together([*filter(None, [self.exclusion]), *([ExcludedShapes(others)] if others else [])])

    @cached_property
    def apertures(self) -> enclosure.Apertures | None:
        """The radii of on-regions that are points, ``None`` where none is."""
        return enclosure.apertures(self.part, self.rows, self.grid)

    @cached_property
    def good_time(self) -> list[FloatArray]:
        """The good time of each row in its interval, in seconds since the epoch of the part, each of shape (n, 2)."""
        return good_time(self.part, self.rows)

    def holds(self, row: int, column: str, expected: Callable[[FloatArray], BoolArray]) -> bool:
        """Return whether a further column of the events of a row holds what is expected, and no more."""
        start, size = (int(self.part.column(f"event_{what}", self.rows.obs)[row]) for what in ("start", "size"))
        return bool(expected(self.part.events[column][start : start + size].values.astype(float)).all())

    @property
    def ontime(self) -> FloatArray:
        """The seconds of good time, shape (row,)."""
        return np.array([float(np.diff(intervals, axis=1).sum()) for intervals in self.good_time])


@dataclass(frozen=True)
class OffRegions:
    """The off regions of a block: circles, each array of shape (row, region, off), NaN last where there are fewer.

    Parameters
    ----------
    lon, lat, radius
        ICRS degrees.
    acceptance
        That of each circle, where the on-region has 1.
    outcome
        An ``Outcome`` for each row, shape (row,): ``USED``, or why it has no background.
    reason
        A sentence for the rows that have none, in place of that of their outcome.
    reasons
        The same for single rows, by their number; of a row that has a background what is to be known of it.
    """

    lon: FloatArray
    lat: FloatArray
    radius: FloatArray
    acceptance: FloatArray
    outcome: IntArray
    reason: str = ""
    reasons: Mapping[int, str] = field(default_factory=dict)

    @classmethod
    def none(cls, rows: int, regions: int) -> OffRegions:
        """Return what a background without off regions has of them, for rows that all have one."""
        lon, lat, radius, acceptance = (np.full((rows, regions, 0), np.nan) for _ in range(4))
        return cls(lon, lat, radius, acceptance, np.full(rows, Outcome.USED))

    def without(self, outcome: IntArray, reason: str) -> OffRegions:
        """Return the same for rows some of which have no background, with the reason."""
        return replace(self, outcome=outcome, reason=reason)

    def settled(self, outcome: IntArray, said: Mapping[int, str]) -> tuple[IntArray, dict[int, str]]:
        """Return outcomes and sentences by row, of what was usable with those of the background."""
        lacking = (outcome == Outcome.USED) & (self.outcome != Outcome.USED)
        own = dict.fromkeys(np.flatnonzero(lacking).tolist(), self.reason) | dict(self.reasons)
        return np.where(lacking, self.outcome, outcome), {**said, **own}

    @property
    def number(self) -> IntArray:
        """How many off regions there are, shape (row, region)."""
        return np.asarray(np.isfinite(self.lon).sum(axis=-1), dtype=np.int64)

    def cells(self, events: Events) -> Cells:
        """Return which events lie in an off region of which on-region, each once.

        As for on-regions, an event is inside where its distance on the plane tangent at the centre is below the radius.
        """
        found = [self._inside(events, region) for region in range(self.lon.shape[1])]
        return Cells(np.concatenate(found), np.repeat(np.arange(len(found)), [len(inside) for inside in found]))

    def _inside(self, events: Events, region: int) -> IntArray:
        inside = np.zeros(len(events.row), dtype=bool)
        for off in range(self.lon.shape[2]):
            lon, lat, radius = (values[:, region, off] for values in (self.lon, self.lat, self.radius))
            near = np.flatnonzero(in_boxes(events.lon, events.lat, events.row, lon, lat, 1.01 * radius))
            row = events.row[near]
            plane = tangent_plane(events.lon[near], events.lat[near], lon[row], lat[row])
            limit = radius / northward_scale(lon, lat, lon, lat)
            with np.errstate(invalid="ignore"):
                inside[near[np.hypot(plane.x, plane.y) < limit[row]]] = True
        return np.flatnonzero(inside)


@dataclass(frozen=True)
class Settled:
    """What a background is worth, once the safe bins are known.

    Parameters
    ----------
    values
        The variables of the background, as ``Background.estimate`` returns them.
    mask_safe
        The bins that stay safe, shape (row, cell, energy).
    reasons
        Why a row has no background, by its number; it is masked.
    """

    values: Mapping[str, FloatArray]
    mask_safe: BoolArray
    reasons: Mapping[int, str] = field(default_factory=dict)


@runtime_checkable
class Background(Protocol):
    """A background. Register a subclass with ``@register("background", name, parameters=...)``.

    The class is called with its parameters. Off regions that are circles need ``place`` and ``bound`` alone. A
    background without off regions, or of other weights, overrides ``split`` and ``estimate`` too.
    """

    variables: ClassVar[tuple[str, ...]] = (*OFF_COUNTS, *OFF_CIRCLES)
    """What ``estimate`` returns, known before it is called: names of ``schema.DL4``."""
    roles: ClassVar[tuple[str, ...]] = ()
    """The roles of the responses that the background is made of."""
    dataset_type: ClassVar[str] = "1d"
    """The ``datasets.type`` of a configuration that it is made for: on-regions (1d) or windows of the sky (3d)."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The further columns of events that ``split`` looks at, by name in small letters."""
        return ()

    def other_runs(self, run: int) -> tuple[int, ...]:
        """Return the ids of the other runs that the background of a run is made of."""
        return ()

    def validate(self, grid: Grid, exclusion: Exclusion | None) -> None:
        """Raise ``ConfigError`` where the background does not fit the target, before any data are read."""
        validate_regions(grid, type(self).__name__)

    @abstractmethod
    def place(self, given: BackgroundInput) -> OffRegions:
        """Return the off regions of a block."""

    def split(self, given: BackgroundInput, off: OffRegions, events: Events, on: Cells) -> tuple[Cells, Cells]:
        """Return which events are counted on and which off, as pairs of an event and an on-region.

        ``events`` are usable ones of the block, ``on`` those that lie in the on-regions. For one region no event is
        both on and off, so that the ledger adds up: such an event raises ``ConfigError``.
        """
        away = off.cells(events)
        twice = np.intersect1d(on.event * off.lon.shape[1] + on.cell, away.event * off.lon.shape[1] + away.cell)
        if len(twice):
            raise ConfigError(
                f"datasets.background: {type(self).__name__} counts {len(twice)} events of the on-region as off; "
                "expected off regions that do not overlap with it."
            )
        return on, away

    def estimate(self, given: BackgroundInput, off: OffRegions, counts_off: FloatArray) -> Mapping[str, FloatArray]:
        """Return ``variables``, which hold the background, each in the order of its dims with one axis for the cells.

        ``counts_off`` are the events counted off, shape (row, region, energy).
        """
        acceptance = np.ones(counts_off.shape)
        return {
            "counts_off": counts_off,
            "acceptance": acceptance,
            "acceptance_off": acceptance * np.nansum(off.acceptance, axis=-1)[:, :, None],
            "off_number": off.number,
            "off_lon": off.lon,
            "off_lat": off.lat,
            "off_radius": off.radius,
        }

    def settle(
        self, given: BackgroundInput, counts: FloatArray, mask_safe: BoolArray, values: Mapping[str, FloatArray]
    ) -> Settled:
        """Return what the background is worth in the safe bins; it is asked after the safe masks.

        ``counts`` and ``mask_safe`` have the shape (row, cell, energy); ``values`` are those of ``estimate``. Where the
        background is measured on the counts of the map itself, the rest of ``variables`` is returned here.
        """
        return Settled(values, mask_safe)

    @abstractmethod
    def bound(self, given: BackgroundInput) -> int:
        """Return the largest number of off regions that any on-region of these rows may have, at least 1.

        It is asked of backgrounds alone among whose ``variables`` are off regions.
        """


def validate_regions(grid: Grid, name: str) -> None:
    """Raise ``ConfigError`` for windows of the sky, for a background that belongs to on-regions."""
    if not grid.is_region:
        raise ConfigError(
            f"datasets.background.method: {name} belongs to on-regions, got windows of the sky; write datasets.type: "
            "1d, or a background of maps such as fov_background."
        )


def refuse_exclusion(exclusion: Exclusion | None, why: str) -> None:
    """Raise ``ConfigError`` where sky is excluded that a background does not look at."""
    if exclusion is not None:
        raise ConfigError(
            f"datasets.background.exclusion: the background {why}, so that nothing is excluded; leave it out."
        )


def refuse_points(grid: Grid, name: str) -> None:
    """Raise ``ConfigError`` for on-regions that are points, for a background that needs an area."""
    if grid.points.any():
        raise ConfigError(
            f"datasets.background.method: the background {name} needs an on-region with an area, got a point; write "
            "wobble."
        )


def background_of(method: Method) -> Background:
    """Return the background of a method.

    Raises
    ------
    ConfigError
        When what is registered under its name is no background.
    """
    try:
        made = method.entry.function(method.parameters)
    except TypeError as error:
        raise _no_background(method, str(error)) from None
    if method.entry.kind != KIND or not isinstance(made, Background):
        raise _no_background(method, f"got a {type(made).__name__}")
    return made


def _no_background(method: Method, got: str) -> ConfigError:
    return ConfigError(
        f"{method.entry.kind} {method.name!r}: expected a class that is made of its parameters and derived from "
        f"xgamma.reduce.Background, {got}."
    )

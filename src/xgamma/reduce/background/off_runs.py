"""Off runs: the background of a run is measured by others that point to empty sky, at the same place of the camera.

The place is that of the on-region in the field of view, in offsets along right ascension and declination. What the off
runs are worth follows from their livetimes. Source: Berge, Funk & Hinton 2007 (A&A 466, 1219), section 3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from xgamma.axes import BoolArray, FloatArray, IntArray
from xgamma.errors import ConfigError, listed
from xgamma.events import Events, Part, Rows, read_events
from xgamma.geometry import from_field, to_field
from xgamma.grid import Cells, Grid
from xgamma.masks import Exclusion
from xgamma.outcome import Outcome
from xgamma.reduce.background.fixed import positions_in
from xgamma.reduce.background.names import KIND, OFF_COUNTS
from xgamma.reduce.background.protocol import Background, BackgroundInput, OffRegions, refuse_points
from xgamma.reduce.counts import usable
from xgamma.registry import register

# Events read at once.
MOST_EVENTS = 2_000_000
_EXAMPLE = "[20275, 20282] for all runs, or {'23523': [20275], '23526': [20282]}"
_NOTHING = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class OffRunsParameters:
    """Which runs are off: a list for all others, or a mapping of each on run to its off runs, kept as pairs."""

    runs: tuple[int, ...] | tuple[tuple[int, tuple[int, ...]], ...] = field(
        metadata={"description": "observation ids of off runs, such as [20275, 20282], or lists of them by on run"}
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "runs", _runs(self.runs))

    @property
    def is_for_all(self) -> bool:
        """Whether the off runs are the same for all on runs."""
        return isinstance(self.runs[0], int)

    def of(self, run: int) -> tuple[int, ...]:
        """Return the off runs of a run, none for an off run."""
        if self.is_for_all:
            return () if run in self.runs else tuple(one for one in self.runs if isinstance(one, int))
        return next((off for on, off in self._pairs if on == run), ())

    def is_off(self, run: int) -> bool:
        """Whether a run is off alone."""
        if self.is_for_all:
            return run in self.runs
        return not self.of(run) and any(run in off for _, off in self._pairs)

    @property
    def _pairs(self) -> list[tuple[int, tuple[int, ...]]]:
        return [one for one in self.runs if not isinstance(one, int)]


def _runs(given: Any) -> Any:
    if isinstance(given, Mapping):
        # The keys of YAML are text.
        given = [
            (int(on) if isinstance(on, str) and on.strip().lstrip("-").isdigit() else on, own)
            for on, own in given.items()
        ]
    if isinstance(given, str) or not isinstance(given, Sequence) or not given:
        raise ConfigError(f"runs: expected the ids of off runs such as {_EXAMPLE}, got {given!r}.")
    if all(map(_is_id, given)):
        return _each_once(given)
    pairs = []
    for one in given:
        is_pair = isinstance(one, Sequence) and not isinstance(one, str) and len(one) == 2 and _is_id(one[0])
        own = one[1] if is_pair else None
        if not isinstance(own, Sequence) or isinstance(own, str) or not own or not all(map(_is_id, own)):
            raise ConfigError(f"runs: expected the ids of off runs such as {_EXAMPLE}, got {given!r}.")
        if one[0] in own:
            raise ConfigError(f"runs: run {one[0]} cannot be its own background; leave it out of its list.")
        pairs.append((int(one[0]), _each_once(own)))
    _each_once([on for on, _ in pairs])
    return tuple(sorted(pairs))


def _is_id(given: Any) -> bool:
    return isinstance(given, int) and not isinstance(given, bool)


def _each_once(given: Sequence[int]) -> tuple[int, ...]:
    twice = next((one for one in given if list(given).count(one) > 1), None)
    if twice is not None:
        raise ConfigError(f"runs: expected each run once, got {twice} more than once.")
    return tuple(sorted(int(one) for one in given))


@dataclass(frozen=True)
class OffPlaces(OffRegions):
    """No off regions, and the pairs of an on row and an off run that count: ``row`` and ``obs``, shape (pair,)."""

    row: IntArray = field(default_factory=lambda: _NOTHING)
    obs: IntArray = field(default_factory=lambda: _NOTHING)


@register(KIND, "off_runs", parameters=OffRunsParameters)
class OffRuns(Background):
    """The background of other runs."""

    variables = OFF_COUNTS

    def __init__(self, parameters: OffRunsParameters) -> None:
        self.parameters = parameters

    def other_runs(self, run: int) -> tuple[int, ...]:
        """Return the off runs of a run."""
        return self.parameters.of(run)

    def validate(self, grid: Grid, exclusion: Exclusion | None) -> None:
        """Raise ``ConfigError`` for windows of the sky and points."""
        super().validate(grid, exclusion)
        refuse_points(grid, "off_runs")

    def place(self, given: BackgroundInput) -> OffPlaces:
        """Return which off runs count for which rows; rows without any have no background."""
        obs_ids = given.part.runs["obs_id"].values
        number = {int(obs_id): place for place, obs_id in enumerate(obs_ids.tolist())}
        pairs, reasons = list[tuple[int, int]](), dict[int, str]()
        for row in np.flatnonzero(given.usable).tolist():
            run = int(obs_ids[given.rows.obs[row]])
            off = self.parameters.of(run)
            held = [one for one in off if one in number]
            free = [one for one in held if self._is_free(given, row, number[one])]
            reason = self._reason(run, off, held, free)
            if reason:
                reasons[row] = reason
            if len(held) == len(off):
                pairs += [(row, number[one]) for one in free]
        outcome = np.full(len(given.rows), Outcome.USED, dtype=np.int64)
        outcome[[row for row in reasons if row not in {own for own, _ in pairs}]] = Outcome.NO_OFF_REGION
        none = OffRegions.none(len(given.rows), len(given.grid.regions))
        rows, obs = (np.array(values, dtype=np.int64) for values in (zip(*pairs, strict=True) if pairs else ((), ())))
        return OffPlaces(none.lon, none.lat, none.radius, none.acceptance, outcome, "", reasons, rows, obs)

    def _is_free(self, given: BackgroundInput, row: int, obs: int) -> bool:
        """Whether an off run has good time, and nothing is excluded where it has the on-regions."""
        part = given.part
        if not (part.column("livetime", np.array([obs])) > 0).all() or part.column("drift", np.array([obs])).any():
            return False
        if given.exclusion is None:
            return True
        on = [float(coordinate[row]) for coordinate in given.pointing]
        off = [float(part.column(name, np.array([obs]))[0]) for name in ("ra_pnt", "dec_pnt")]
        places = (from_field(*to_field(*positions_in(region), *on), *off) for region in given.grid.regions)
        return all(bool(given.exclusion.is_usable(*place, outside=True).all()) for place in places)

    def _reason(self, run: int, off: Sequence[int], held: Sequence[int], free: Sequence[int]) -> str:
        """Return why a run has no background, or which of its off runs are left out; empty where all are used."""
        if self.parameters.is_off(run):
            return "it is an off run, of which others take their background"
        if not off:
            return "no off run is named for it"
        if len(held) < len(off):
            absent = listed([str(one) for one in sorted(set(off) - set(held))])
            return (
                f"its off runs {absent} are not among the runs that were ingested "
                "together with it; select and ingest them together, or merge the parts of the store with xgamma compact"
            )
        if len(free) < len(off):
            lost = listed([str(one) for one in sorted(set(off) - set(free))])
            return f"off runs without good time, or without free sky where it has the on-region, are left out: {lost}"
        return ""

    def split(self, given: BackgroundInput, off: OffRegions, events: Events, on: Cells) -> tuple[Cells, Cells]:
        """Return the events on; of the run itself none is off."""
        return on, Cells(_NOTHING, _NOTHING)

    def estimate(self, given: BackgroundInput, off: OffRegions, counts_off: FloatArray) -> Mapping[str, FloatArray]:
        """Return the events of the off runs, and the ratio of livetimes as acceptance."""
        assert isinstance(off, OffPlaces)
        counts, part = np.zeros(counts_off.shape), given.part
        for obs in np.unique(off.obs).tolist():
            rows = off.row[off.obs == obs]
            counts[rows] += _counted(part, obs, given, rows)
        livetime = given.ontime * part.column("deadc", given.rows.obs)
        away = np.bincount(off.row, part.column("livetime", off.obs), len(given.rows))
        ratio = np.divide(away, livetime, out=np.zeros(len(away)), where=livetime > 0)
        ones = np.ones(counts.shape)
        return dict(zip(OFF_COUNTS, (counts, ones, ones * ratio[:, None, None]), strict=True))

    def bound(self, given: BackgroundInput) -> int:
        """Return 1: there are no off regions."""
        return 1


def _counted(part: Part, obs: int, given: BackgroundInput, rows: IntArray) -> FloatArray:
    """Return the events of an off run where some rows have their on-regions, shape (row, region, energy)."""
    grid, at = given.grid, [coordinate[rows] for coordinate in given.pointing]
    counts = np.zeros((len(rows), len(grid.regions), grid.energy.nbin))
    pointing = [float(part.column(name, np.array([obs]))[0]) for name in ("ra_pnt", "dec_pnt")]
    alone = Rows(np.array([obs]), np.array([-np.inf]), np.array([np.inf]), (str(obs),))
    for events in read_events(part, alone, MOST_EVENTS, given.rule):
        used = usable(events)
        energy = grid.energy.index(used.energy)
        field_of_view = to_field(used.lon, used.lat, *pointing)
        for number, region in enumerate(grid.regions):
            near = (energy >= 0) & _is_near(field_of_view, region.center, at, region.reach)
            # The events are put on the sky of each row, where on-regions are looked up as always.
            lon, lat = from_field(*(axis[near] for axis in field_of_view), *(axis[:, None] for axis in at))
            row, event = np.nonzero(region.holds(lon, lat))
            flat = np.ravel_multi_index((row, energy[near][event]), (len(rows), grid.energy.nbin))
            counts[:, number] += np.bincount(flat, minlength=counts[:, number].size).reshape(len(rows), -1)
    return counts


def _is_near(
    field_of_view: tuple[FloatArray, FloatArray], center: tuple[float, float], at: Sequence[FloatArray], reach: float
) -> BoolArray:
    """Return which events may lie in an on-region of any row: their latitude in the field is near that of one."""
    latitude = to_field(*center, *at)[1]
    low, high = latitude.min() - 1.1 * reach, latitude.max() + 1.1 * reach
    return np.asarray((field_of_view[1] >= low) & (field_of_view[1] <= high))

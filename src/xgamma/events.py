"""DL3 in memory or in a store: a part, which is runs ingested together, and the events of a block of its runs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import xarray as xr

from xgamma.axes import BoolArray, FloatArray, IntArray
from xgamma.outcome import Note
from xgamma.schema.arrays import NamedArrays
from xgamma.times import (
    SECONDS_PER_DAY,
    clipped_gti,
    disjoint_gti,
    inside_gti,
    nights,
    stop_slack,
    with_slack,
)

IRF_ROLES = ("aeff", "edisp", "psf", "bkg", "rad_max")
# Which events count: those in good time, its last stop extended to the end of a second where it was truncated to a
# whole one; those in good time as it is written; all events of the selected interval.
GOOD_TIME_RULES = ("rounded", "strict", "ignored")
DEFAULT_RULE = GOOD_TIME_RULES[0]
# Events handled at once: columns of this length stay in the caches of a core, and workers do not wait for memory.
PIECE = 1 << 17


# Columns of a run that are known before it is ingested, and those known afterwards; expressions may use both.
INDEX_COLUMNS = ("obs_id", "ra", "dec", "zenith", "target")
RUN_COLUMNS = (
    *INDEX_COLUMNS,
    *("telescope", "tstart", "tstop", "ontime", "livetime", "deadc", "events", "night", "month"),
)


class RunFacts(NamedTuple):
    """The columns that a selection uses, for a run in FITS files or in a store; degrees, ICRS.

    ``roles`` are the responses named by the index of the release; those that could not be read have a note.
    """

    obs_id: int
    ra: float
    dec: float
    roles: frozenset[str]
    zenith: float = np.nan
    target: str = ""
    notes: tuple[Note, ...] = ()

    @property
    def readable(self) -> frozenset[str]:
        """The roles without those known to be unreadable."""
        return self.roles - {note.topic for note in self.notes} if self.notes else self.roles


class StoredRuns(Mapping[str, "xr.Dataset"]):
    """The groups of a part in a store, whose table of runs can be read without xarray."""

    @property
    @abstractmethod
    def runs(self) -> NamedArrays:
        """The group ``""``."""


@dataclass(frozen=True)
class Part:
    """Runs ingested together. The groups may be lazy: a block reads only its own rows.

    Parameters
    ----------
    groups
        ``""``, the table of runs; ``events``; ``gti``; and the response tables, ``irf/...``.
    """

    groups: Mapping[str, xr.Dataset]

    @property
    def obs(self) -> xr.Dataset:
        """Table of runs, dim obs: pointing, times, thresholds, where events, good time and responses lie.

        For each role of a response ``<role>_table`` is a number into ``attrs["irf_tables"]`` and ``<role>_row`` a row
        of that table, both -1 where the run has none.
        """
        return self.groups[""]

    @property
    def runs(self) -> NamedArrays:
        """``obs`` for who only looks at its values, which takes no xarray."""
        return self.groups.runs if isinstance(self.groups, StoredRuns) else self.obs

    @property
    def events(self) -> xr.Dataset:
        """Dim event: ra, dec (deg), energy (TeV), time (s since ``obs.attrs["mjdref"]``) and all other columns."""
        return self.groups["events"]

    @property
    def gti(self) -> xr.Dataset:
        """Dim gti: start, stop (s)."""
        return self.groups["gti"]

    def column(self, name: str, obs: IntArray) -> npt.NDArray[Any]:
        """Return one column of the run table for the given runs."""
        # Of a DataArray the coordinates would be looked for, hundreds of times in a block.
        return np.asarray(self.runs.variables[name].values[obs])

    def table_of(self, number: int) -> xr.Dataset:
        """Return the response table of a number in ``<role>_table``."""
        return self.groups[self.runs.attrs["irf_tables"][number]]

    def notes(self, run: int) -> tuple[Note, ...]:
        """Return the warnings about a run; parts of xgamma 0.1.0 have none."""
        notes = self.runs.attrs.get("notes")
        return () if notes is None else tuple(Note(*note) for note in notes[run])

    def facts(self) -> list[RunFacts]:
        """Return the facts that a selection uses, for every run."""
        has = np.stack([self.runs[f"{role}_table"].values >= 0 for role in IRF_ROLES], axis=1)
        # Most runs have the same responses: few sets are made.
        sets, numbers = np.unique(has, axis=0, return_inverse=True)
        roles = [frozenset({"events", "gti", *np.array(IRF_ROLES)[own].tolist()}) for own in sets]
        names = ("obs_id", "index_ra", "index_dec", "zenith")
        columns = [*(self.runs[name].values.tolist() for name in names), self.runs.attrs["target"]]
        has_notes = any(self.runs.attrs.get("notes", ()))
        notes = [self.notes(run) for run in range(len(numbers))] if has_notes else [()] * len(numbers)
        named = [frozenset(note.topic for note in own).intersection(IRF_ROLES) for own in notes]
        return [
            RunFacts(obs_id, ra, dec, roles[number] | named[run], zenith, target, notes[run])
            for run, (number, (obs_id, ra, dec, zenith, target)) in enumerate(
                zip(numbers.tolist(), zip(*columns, strict=True), strict=True)
            )
        ]

    def run_columns(self, obs: IntArray) -> dict[str, npt.NDArray[Any]]:
        """Return ``RUN_COLUMNS`` of the given runs: deg, s, times as MJD (TT), nights as dates."""
        names = {"ra": "index_ra", "dec": "index_dec", "events": "event_size"}
        texts = {name: np.array([self.runs.attrs[name][run] for run in obs]) for name in ("target", "telescope")}
        mjdref = float(self.runs.attrs["mjdref"])
        times = {name: mjdref + self.column(name, obs) / SECONDS_PER_DAY for name in ("tstart", "tstop")}
        site = self.column("geo_lon", obs) if "geo_lon" in self.runs else np.full(len(obs), np.nan)
        night = nights(times["tstart"], site)
        known = {**texts, **times, "night": night, "month": night.astype("U7")}
        return {name: known[name] if name in known else self.column(names.get(name, name), obs) for name in RUN_COLUMNS}


@dataclass(frozen=True)
class Rows:
    """The rows of a reduction from one part: each is a run, or a run cut to an interval.

    Parameters
    ----------
    obs
        The run of each row, a number into the part, shape (row,).
    start, stop
        The selected interval in seconds since the part's mjdref, infinite where none was selected, shape (row,).
    names
        The unique names of the rows.
    order
        The index of each row in its selection, shape (row,); ``None`` where the rows are the whole selection, in order.
    """

    obs: IntArray
    start: FloatArray
    stop: FloatArray
    names: tuple[str, ...]
    order: IntArray | None = None

    def __len__(self) -> int:
        return len(self.obs)

    def __getitem__(self, rows: slice) -> Rows:
        return Rows(self.obs[rows], self.start[rows], self.stop[rows], self.names[rows])

    def at(self, numbers: npt.ArrayLike) -> Rows:
        """Return some of the rows, in the order of their numbers."""
        places = np.asarray(numbers, dtype=np.int64)
        names = tuple(self.names[number] for number in places.tolist())
        return Rows(self.obs[places], self.start[places], self.stop[places], names)


class Events(NamedTuple):
    """Events of a block: ``row`` numbers the rows of the block, the rest are columns, all of shape (event,).

    ``further`` are the columns of the release that were asked for, by name.
    """

    row: IntArray
    lon: FloatArray
    lat: FloatArray
    energy: FloatArray
    in_time: BoolArray
    valid: BoolArray
    further: Mapping[str, FloatArray] = MappingProxyType({})

    def select(self, keep: BoolArray) -> Events:
        """Return some of the events."""
        row, lon, lat, energy = self.row[keep], self.lon[keep], self.lat[keep], self.energy[keep]
        further = {name: column[keep] for name, column in self.further.items()}
        return Events(row, lon, lat, energy, self.in_time[keep], self.valid[keep], further)


def read_events(
    part: Part, rows: Rows, limit: int, rule: str = DEFAULT_RULE, columns: Sequence[str] = ()
) -> Iterator[Events]:
    """Yield the events of ``rows`` in chunks whose counts and ledgers add up; at most ``limit`` are read at once.

    Parameters
    ----------
    part, rows
        Whose events.
    limit
        Of events.
    rule
        Which of them are in time, one of ``GOOD_TIME_RULES``.
    columns
        Further columns of the release to read, of numbers; those that the part does not have are left out.
    """
    further = tuple(name for name in columns if name in part.events)
    starts, sizes = part.column("event_start", rows.obs), part.column("event_size", rows.obs)
    windows = counted_time(part, rows, rule)
    begin = 0
    while begin < len(rows):
        end = begin + max(1, int(np.searchsorted(np.cumsum(sizes[begin:]), limit, side="right")))
        if end == begin + 1 and sizes[begin] > limit:
            for first in range(0, int(sizes[begin]), limit):
                size = min(limit, int(sizes[begin]) - first)
                at = starts[begin : begin + 1] + first
                yield from _window(part, windows, np.array([begin]), at, np.array([size]), further)
        else:
            block = np.arange(begin, end)
            yield from _window(part, windows, block, starts[block], sizes[block], further)
        begin = end


def _window(
    part: Part,
    windows: Sequence[FloatArray | None],
    block: IntArray,
    starts: IntArray,
    sizes: IntArray,
    further: Sequence[str],
) -> Iterator[Events]:
    row = np.repeat(block, sizes)
    columns = _read_ranges(part.events, ["ra", "dec", "energy", *further], starts, sizes)
    in_time, is_dated = _timed(part, [windows[number] for number in block], starts, sizes)
    for first in range(0, len(row), PIECE):
        piece = slice(first, first + PIECE)
        lon, lat, energy = (columns[name][piece].astype(float) for name in ("ra", "dec", "energy"))
        valid = np.isfinite(lon) & np.isfinite(lat) & np.isfinite(energy) & (energy > 0) & is_dated[piece]
        own = {name: columns[name][piece].astype(float) for name in further}
        yield Events(row[piece], lon, lat, energy, in_time[piece], valid, own)


def _timed(
    part: Part, windows: Sequence[FloatArray | None], starts: IntArray, sizes: IntArray
) -> tuple[BoolArray, BoolArray]:
    """Return which events are in time, and which times are finite, shape (event,); times are read only for windows."""
    in_time, is_dated = (np.ones(int(sizes.sum()), dtype=bool) for _ in range(2))
    asked = [number for number, window in enumerate(windows) if window is not None]
    if not asked:
        return in_time, is_dated
    times = _read_ranges(part.events, ["time"], starts[asked], sizes[asked])["time"].astype(float)
    begins, first = np.concatenate([[0], np.cumsum(sizes)]), 0
    for number in asked:
        own = times[first : first + sizes[number]]
        first += sizes[number]
        event = slice(begins[number], begins[number + 1])
        in_time[event], is_dated[event] = inside_gti(own, np.asarray(windows[number])), np.isfinite(own)
    return in_time, is_dated


def counted_time(part: Part, rows: Rows, rule: str) -> list[FloatArray | None]:
    """Return the time in which events of a row count, sorted and disjoint, shape (n, 2); ``None`` where all count."""
    is_cut = np.isfinite(rows.start) | np.isfinite(rows.stop)
    if rule == "ignored":
        ends = zip(rows.start, rows.stop, is_cut, strict=True)
        return [np.array([[start, stop]]) if cut else None for start, stop, cut in ends]
    unknown = np.full(len(rows), np.nan)
    outside, slacks = (
        part.column(name, rows.obs) if name in part.runs else unknown for name in ("event_outside", "gti_slack")
    )
    # Parts of older versions do not record it; with the strict rule the last second may contain some.
    asked = is_cut | ~(outside == 0) | ((rule == "strict") & ~(slacks == 0))
    chosen = np.flatnonzero(asked)
    found: list[FloatArray | None] = [None] * len(rows)
    for number, written in zip(chosen, _written_gti(part, rows.obs[chosen]), strict=True):
        slack = 0.0 if rule == "strict" else slacks[number] if np.isfinite(slacks[number]) else stop_slack(written)
        good = with_slack(disjoint_gti(written), slack)
        found[number] = clipped_gti(good, rows.start[number], rows.stop[number])
    return found


def _read_ranges(
    events: xr.Dataset, names: list[str], starts: IntArray, sizes: IntArray
) -> dict[str, npt.NDArray[Any]]:
    """Read ranges of ragged columns, one read a column where the ranges are dense enough."""
    used = sizes > 0
    if not used.any():
        return {name: np.empty(0, events[name].dtype) for name in names}
    first, last = int(starts[used].min()), int((starts + sizes)[used].max())
    merged = last - first <= 2 * int(sizes.sum())
    if merged:
        window = {name: events[name][first:last].values for name in names}
        if np.array_equal(starts[1:], (starts + sizes)[:-1]):
            return window
        take = np.concatenate([np.arange(s - first, s - first + n) for s, n in zip(starts, sizes, strict=True)])
        return {name: values[take] for name, values in window.items()}
    return {
        name: np.concatenate([events[name][int(s) : int(s + n)].values for s, n in zip(starts, sizes, strict=True)])
        for name in names
    }


def good_time(part: Part, rows: Rows) -> list[FloatArray]:
    """Return the good time of each row clipped to its interval, sorted, each second once, each of shape (n, 2)."""
    pieces = zip(_written_gti(part, rows.obs), rows.start, rows.stop, strict=True)
    return [clipped_gti(disjoint_gti(written), start, stop) for written, start, stop in pieces]


def _written_gti(part: Part, obs: IntArray) -> list[FloatArray]:
    """Return the good time of some runs as stored; in parts of older versions rows may overlap."""
    written = np.stack([part.gti["start"].values, part.gti["stop"].values], axis=1)
    firsts, sizes = part.column("gti_start", obs), part.column("gti_size", obs)
    return [written[first : first + size] for first, size in zip(firsts, sizes, strict=True)]


def has_sound_times(part: Part, rows: Rows) -> BoolArray:
    """Return which rows have finite good times with start < stop, and a live fraction in (0, 1], shape (row,).

    Parts of older versions were not checked when they were ingested.
    """
    start, stop = part.gti["start"].values, part.gti["stop"].values
    is_wrong = ~(np.isfinite(start) & np.isfinite(stop) & (start <= stop))
    wrong = np.concatenate([[0], np.cumsum(is_wrong)])
    first, size = part.column("gti_start", rows.obs), part.column("gti_size", rows.obs)
    deadc = part.column("deadc", rows.obs)
    return np.asarray((wrong[first + size] == wrong[first]) & (deadc > 0) & (deadc <= 1))

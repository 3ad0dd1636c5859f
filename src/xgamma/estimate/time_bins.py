"""Bins of time: intervals that are given, or made of the datasets, and the bin that each dataset lies in."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

import numpy as np
import xarray as xr
from astropy import units as u
from astropy.stats import bayesian_blocks
from astropy.time import Time

from xgamma.axes import BoolArray, FloatArray, IntArray
from xgamma.errors import ConfigError, DataError, did_you_mean
from xgamma.fit.inputs import FitInput
from xgamma.times import SECONDS_PER_DAY, interval_seconds, nights, overlap_problem, seconds_since, time_from_seconds
from xgamma.units import canonical

log = logging.getLogger("xgamma.estimate")

INTERVALS, OBSERVATION, NIGHT, WIDTH, BLOCKS = "intervals", "observation", "night", "width", "blocks"
WORDS = (OBSERVATION, NIGHT, BLOCKS)
WHERE = "light_curve.time_bins"
EXAMPLE = "write observation, night, blocks, a width such as {width: 7 d}, or {blocks: 0.01}"
FALSE_ALARM = 0.05
"""The probability that steady flux is cut into two blocks, where none is given."""
SHOWN = 5
"""How many datasets or intervals a sentence names."""


class Placement(IntEnum):
    """Where a dataset lies among the bins of time."""

    INSIDE = 0
    PARTLY_INSIDE = 1
    OUTSIDE = 2
    NO_GOOD_TIME = 3
    NO_BIN_USED = 4


_SENTENCES = {
    Placement.PARTLY_INSIDE: "only partly inside of an interval, left out",
    Placement.OUTSIDE: "outside of all intervals, left out",
    Placement.NO_GOOD_TIME: "without good time, left out",
    Placement.NO_BIN_USED: "without a bin of energy that is used, left out",
}


# --- what is asked for


@dataclass(frozen=True)
class TimeBinning:
    """How time is binned; make one with ``normalize_time_binning``.

    Parameters
    ----------
    kind
        ``intervals``: those given; ``observation``: one bin for each dataset; ``night``: from noon to noon at the
        site; ``width``: whole datasets, put together by their middles; ``blocks``: Bayesian blocks.
    intervals
        Start and stop of each.
    width
        In seconds.
    false_alarm
        The probability that steady flux is cut into two blocks.
    longitude
        East longitude of the site in deg, which decides when a night begins; NaN where it is not known, taken as 0.
    """

    kind: str = OBSERVATION
    intervals: tuple[tuple[Time, Time], ...] = ()
    width: float = np.nan
    false_alarm: float = FALSE_ALARM
    longitude: float = np.nan

    def at(self, longitude: float) -> TimeBinning:
        """Return the binning with the longitude of a site."""
        return replace(self, longitude=longitude)

    def asked(self) -> str | dict[str, Any]:
        """Return the argument of ``normalize_time_binning``, as written in YAML; intervals are a section of their own.

        >>> TimeBinning("width", width=3600.0).asked()
        {'width': '3600.0 s'}
        """
        if self.kind == WIDTH:
            return {WIDTH: f"{self.width} s"}
        return {BLOCKS: self.false_alarm} if self.kind == BLOCKS and self.false_alarm != FALSE_ALARM else self.kind

    def document(self) -> dict[str, Any]:
        """Return what of the binning decides the numbers of a light curve."""
        numbers: dict[str, dict[str, Any]] = {
            INTERVALS: {
                "intervals": [[_day_and_seconds(time) for time in interval] for interval in self.intervals],
            },
            NIGHT: {"longitude": self.longitude if np.isfinite(self.longitude) else 0.0},
            WIDTH: {"width": self.width},
            BLOCKS: {"false_alarm": self.false_alarm},
        }
        return {"kind": self.kind, **numbers.get(self.kind, {})}


def _day_and_seconds(time: Time) -> list[float]:
    # A day and seconds: a single number would lose nanoseconds.
    day = float(np.floor(time.tt.mjd))
    return [day, seconds_since(time, day)]


def normalize_time_binning(value: Any, where: str = WHERE) -> TimeBinning:
    """Return the binning from a word, a mapping, or a list of intervals; ``None`` is one bin for each dataset.

    Parameters
    ----------
    value
        ``observation``, ``night``, ``blocks``; ``{width: 7 d}``; ``{blocks: 0.01}``, the probability of a false alarm;
        or intervals: each a ``Time`` of two times or a pair of times.
    where
        What error messages begin with.

    Raises
    ------
    ConfigError
        For anything else, intervals that run backwards, or that overlap.
    """
    if isinstance(value, TimeBinning):
        return value
    if value is None:
        return TimeBinning()
    if isinstance(value, str):
        if value not in WORDS:
            near = did_you_mean(value, WORDS)
            raise ConfigError(f"{where}: there is no binning {value!r}; {EXAMPLE}.{near if 'Did you' in near else ''}")
        return TimeBinning(value)
    if isinstance(value, Mapping) and len(value) == 1 and next(iter(value)) in (WIDTH, BLOCKS):
        [(kind, number)] = value.items()
        return _with_width(number, f"{where}.{kind}") if kind == WIDTH else _with_blocks(number, f"{where}.{kind}")
    if isinstance(value, Mapping) or not isinstance(value, Sequence | np.ndarray):
        raise ConfigError(f"{where}: expected one way to bin time, got {value!r}; {EXAMPLE}.")
    return binning_of_intervals([_pair(one, where) for one in value], where)


def binning_of_intervals(intervals: Sequence[tuple[Time, Time]], where: str) -> TimeBinning:
    """Return the binning of some intervals in their order in time; see ``normalize_time_binning``."""
    if not intervals:
        raise ConfigError(f"{where}: expected at least one interval of time, got none; leave them out for one of each.")
    for start, stop in intervals:
        if not seconds_since(start, 0.0) < seconds_since(stop, 0.0):
            raise ConfigError(
                f"{where}: expected start before stop, got start {start.isot} and stop {stop.isot}; exchange them."
            )
    problem = overlap_problem(intervals)
    if problem:
        raise ConfigError(f"{where}: {problem}")
    ordered = sorted(intervals, key=lambda interval: (interval[0].tt.jd1, interval[0].tt.jd2))
    return TimeBinning(INTERVALS, tuple(ordered))


def _pair(value: Any, where: str) -> tuple[Time, Time]:
    is_pair = isinstance(value, Time | Sequence) and not isinstance(value, str)
    if not is_pair or (isinstance(value, Time) and value.isscalar) or len(value) != 2:
        raise ConfigError(f"{where}: expected intervals, each a Time of a start and a stop, got {value!r}.")
    start, stop = value
    if not all(isinstance(time, Time) and time.isscalar for time in (start, stop)):
        raise ConfigError(f"{where}: expected times as astropy.time.Time, got {value!r}.")
    return start, stop


def _with_width(value: Any, where: str) -> TimeBinning:
    width = canonical(str(value) if isinstance(value, u.Quantity) else value, "s", where)
    if not 0 < width < np.inf:
        raise ConfigError(f"{where}: expected a time above 0 such as 1 h or 7 d, got {value!r}.")
    return TimeBinning(WIDTH, width=float(width))


def _with_blocks(value: Any, where: str) -> TimeBinning:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
        raise ConfigError(f"{where}: expected the probability of a false alarm above 0 and below 1, got {value!r}.")
    return TimeBinning(BLOCKS, false_alarm=float(value))


# --- when datasets were taken


@dataclass(frozen=True)
class TimeSpans:
    """First start and last stop of good time of datasets; arrays have shape (dataset,).

    Parameters
    ----------
    names
        Of the datasets.
    start, stop
        In seconds since ``mjdref`` in TT, NaN without good time.
    is_used
        Whether a bin of energy of the dataset is used.
    mjdref
        The epoch.
    """

    names: Sequence[str]
    start: FloatArray
    stop: FloatArray
    is_used: BoolArray
    mjdref: float

    @property
    def is_known(self) -> BoolArray:
        """Whether a dataset has good time and a bin of energy."""
        return np.isfinite(self.start) & self.is_used


def time_spans(inputs: Sequence[FitInput]) -> TimeSpans:
    """Return when the rows of some inputs were taken, since the epoch of the first one.

    Raises
    ------
    DataError
        Where no row has good time.
    """
    pieces = [_span_of_rows(one.data) for one in inputs]
    epochs = [epoch for _, epoch in pieces if np.isfinite(epoch)]
    names = [name for one in inputs for name in one.names]
    if not epochs:
        raise DataError("light_curve: the datasets have no times; expected good time (gti) and an epoch (mjdref).")
    moved = [span + (epoch - epochs[0]) * SECONDS_PER_DAY for span, epoch in pieces]
    is_used = np.concatenate([one.used.reshape(len(one.names), -1).any(axis=1) for one in inputs])
    start, stop = np.concatenate(moved).T
    return TimeSpans(names, start, stop, is_used, epochs[0])


def _span_of_rows(ds: xr.Dataset) -> tuple[FloatArray, float]:
    """Return first start and last stop of each row, shape (row, 2), and their epoch; NaN where they are not known."""
    if "gti" not in ds or "mjdref" not in ds.attrs:
        return np.full((ds.sizes["dataset"], 2), np.nan), np.nan
    gti = ds["gti"].transpose("dataset", "gti", "bound").values
    first = np.min(gti[..., 0], axis=1, initial=np.inf, where=np.isfinite(gti[..., 0]))
    last = np.max(gti[..., 1], axis=1, initial=-np.inf, where=np.isfinite(gti[..., 1]))
    span = np.stack([first, last], axis=1)
    return np.where(np.isfinite(span).all(axis=1, keepdims=True), span, np.nan), float(ds.attrs["mjdref"])


# --- bins


@dataclass(frozen=True)
class TimeBins:
    """Bins of time and the datasets in them.

    Parameters
    ----------
    bounds
        Start and stop of each bin in seconds since the epoch, shape (bin, 2), in time and apart.
    exposed
        First start and last stop of good time in each, shape (bin, 2).
    of_dataset
        The bin of each dataset, -1 for none, shape (dataset,).
    placement
        Where each dataset lies.
    report
        Sentences about datasets and intervals that are left out, or put together.
    """

    bounds: FloatArray
    exposed: FloatArray
    of_dataset: IntArray
    placement: IntArray
    report: Sequence[str]

    @property
    def size(self) -> int:
        """The number of bins."""
        return len(self.bounds)


def bins_of_intervals(spans: TimeSpans, intervals: Sequence[tuple[Time, Time]], atol: float) -> TimeBins:
    """Return the intervals that hold a dataset; datasets count that lie wholly inside, by a tolerance in seconds.

    Raises
    ------
    ConfigError
        Where no interval holds a dataset.
    """
    bounds = np.array([interval_seconds(start, stop, spans.mjdref) for start, stop in intervals])
    number = np.searchsorted(bounds[:, 0], spans.start + atol, side="right") - 1
    inside = spans.is_known & (number >= 0)
    inside &= spans.stop <= bounds[np.maximum(number, 0), 1] + atol
    following = np.searchsorted(bounds[:, 1], spans.start, side="right")
    touches = following < len(bounds)
    touches &= bounds[np.minimum(following, len(bounds) - 1), 0] < spans.stop
    placement = np.where(inside, Placement.INSIDE, np.where(touches, Placement.PARTLY_INSIDE, Placement.OUTSIDE))
    placement = _unknown(spans, placement)
    held, of_dataset = np.unique(np.where(inside, number, -1), return_inverse=True)
    of_dataset = of_dataset.reshape(-1) - (1 if held[0] == -1 else 0)
    held = held[held >= 0]
    if not len(held):
        raise ConfigError(_nothing_inside(spans, bounds, placement))
    empty = np.setdiff1d(np.arange(len(bounds)), held)
    report = [f"intervals that hold no dataset, left out: {_shown_bounds(bounds[empty], spans.mjdref)}"]
    report = [*(report if len(empty) else []), *_left_out(spans, placement)]
    return TimeBins(bounds[held], _exposed(spans, of_dataset, len(held)), of_dataset, placement, report)


def bins_of_labels(spans: TimeSpans, label: FloatArray | IntArray, atol: float) -> TimeBins:
    """Return a bin for each run of equal labels in time, from first start to last stop of its datasets.

    Datasets that overlap in time by more than a tolerance in seconds share a bin, whatever their labels.

    Raises
    ------
    DataError
        Where no dataset has good time and a bin of energy.
    """
    known = np.flatnonzero(spans.is_known)
    placement = _unknown(spans, np.full(len(spans.names), Placement.INSIDE))
    if not len(known):
        raise DataError(f"light_curve: no dataset can be used: {'; '.join(_left_out(spans, placement))}.")
    order = known[np.lexsort((spans.stop[known], spans.start[known]))]
    latest = np.maximum.accumulate(spans.stop[order])
    differs = label[order][1:] != label[order][:-1]
    overlaps = spans.start[order][1:] < latest[:-1] - atol
    of_dataset = np.full(len(spans.names), -1)
    of_dataset[order] = np.concatenate([[0], np.cumsum(differs & ~overlaps)])
    exposed = _exposed(spans, of_dataset, int(of_dataset.max()) + 1)
    bounds = exposed.copy()
    bounds[1:, 0] = np.maximum(bounds[1:, 0], bounds[:-1, 1])
    both = np.flatnonzero(differs & overlaps)
    shared = [spans.names[row] for row in order[np.union1d(both, both + 1)]]
    report = [f"datasets that overlap in time and share a bin: {_some(shared)}"] if shared else []
    return TimeBins(bounds, exposed, of_dataset, placement, [*report, *_left_out(spans, placement)])


def bins_of_binning(spans: TimeSpans, binning: TimeBinning, atol: float) -> TimeBins:
    """Return the bins of any binning but blocks, which need a light curve; raises as the functions that it calls."""
    middle = 0.5 * (spans.start + spans.stop)
    if binning.kind == INTERVALS:
        return bins_of_intervals(spans, binning.intervals, atol)
    if binning.kind == NIGHT:
        days = spans.mjdref + middle / SECONDS_PER_DAY
        evening = nights(days, np.full(days.shape, binning.longitude))
        bins = bins_of_labels(spans, np.unique(evening, return_inverse=True)[1].reshape(-1), atol)
        unknown = "the longitude of the site is not known: nights go from noon to noon in Greenwich"
        return bins if np.isfinite(binning.longitude) else replace(bins, report=[unknown, *bins.report])
    if binning.kind == WIDTH:
        first = np.min(spans.start, initial=np.inf, where=spans.is_known)
        bins = bins_of_labels(spans, np.floor((middle - first) / binning.width), atol)
        longer = np.diff(bins.bounds, axis=1)[:, 0] > binning.width * (1 + 1e-9)
        text = f"longer than asked for, as datasets stay whole: {_shown_bounds(bins.bounds[longer], spans.mjdref)}"
        return replace(bins, report=[text, *bins.report]) if longer.any() else bins
    return bins_of_labels(spans, np.arange(len(spans.names)), atol)


def bins_of_blocks(spans: TimeSpans, first: xr.Dataset, false_alarm: float, atol: float) -> TimeBins:
    """Return the Bayesian blocks of a light curve with a bin for each observation and one of energy.

    Limits, and points without a norm and an error above 0, have no part in where blocks begin; datasets of them lie in
    the block of their time. Source: Scargle et al. 2013 (ApJ 764, 167), of measured values.
    """
    norm, error = first["norm"].values[:, 0], first["norm_err"].values[:, 0]
    measured = first["success"].values[:, 0] & ~first["is_ul"].values[:, 0] & (error > 0) & np.isfinite(norm + error)
    time = first["time"].values[measured]
    edges: FloatArray = np.zeros(0)
    if len(time) > 1:
        # The numbers of blocks: relative to a scale of one, as the squares of small norms underflow.
        size = np.abs(norm[measured]).max() or 1.0
        found = bayesian_blocks(time, norm[measured] / size, error[measured] / size, fitness="measures", p0=false_alarm)
        edges = np.asarray(found[1:-1], dtype=float)
    middle = 0.5 * (spans.start + spans.stop)
    bins = bins_of_labels(spans, np.searchsorted(edges, middle), atol)
    apart = int((~measured).sum())
    text = f"limits, or without an error, and not asked where blocks begin: {apart} of {len(measured)} observations"
    return replace(bins, report=[text, *bins.report]) if apart else bins


# --- what is said of them


def _unknown(spans: TimeSpans, placement: IntArray) -> IntArray:
    placement = np.where(spans.is_used, placement, Placement.NO_BIN_USED)
    return np.where(np.isfinite(spans.start), placement, Placement.NO_GOOD_TIME)


def _exposed(spans: TimeSpans, of_dataset: IntArray, size: int) -> FloatArray:
    inside = of_dataset >= 0
    first, last = np.full(size, np.inf), np.full(size, -np.inf)
    np.minimum.at(first, of_dataset[inside], spans.start[inside])
    np.maximum.at(last, of_dataset[inside], spans.stop[inside])
    return np.stack([first, last], axis=1)


def _left_out(spans: TimeSpans, placement: IntArray) -> list[str]:
    found = {each: np.flatnonzero(placement == each).tolist() for each in _SENTENCES}
    return [f"{_SENTENCES[each]}: {_some([spans.names[row] for row in rows])}" for each, rows in found.items() if rows]


def _nothing_inside(spans: TimeSpans, bounds: FloatArray, placement: IntArray) -> str:
    known = spans.is_known
    taken = ""
    if known.any():
        whole = np.array([[spans.start[known].min(), spans.stop[known].max()]])
        taken = f"; they were taken {_shown_bounds(whole, spans.mjdref)}"
    cut = (placement == Placement.PARTLY_INSIDE).any()
    advice = "give longer intervals, or observations.obs_time the same ones, which cuts runs" if cut else "give others"
    return (
        f"light_curve.time_intervals: expected intervals that hold a dataset, and none of {len(spans.names)} lies "
        f"inside of {_shown_bounds(bounds, spans.mjdref)}{taken}; {advice}."
    )


def _shown_bounds(bounds: FloatArray, mjdref: float) -> str:
    times = time_from_seconds(bounds[:SHOWN], mjdref).isot
    more = f" and {len(bounds) - SHOWN} more" if len(bounds) > SHOWN else ""
    return ", ".join(f"{start} to {stop}" for start, stop in times) + more + " (TT)"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(itertools.islice(names, SHOWN)) + more

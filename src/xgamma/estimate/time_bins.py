"""Bins of time, and the bin that each dataset lies in."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

import astropy
import numpy as np
import xarray as xr
from astropy.time import Time

from xgamma.axes import BoolArray, FloatArray, IntArray
from xgamma.errors import ConfigError, DataError
from xgamma.estimate.time_binning import INTERVALS, NIGHT, WIDTH, TimeBinning
from xgamma.fit.inputs import FitInput
from xgamma.times import SECONDS_PER_DAY, interval_seconds, nights, time_from_seconds

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

    @classmethod
    def joined(cls, several: Sequence[TimeSpans]) -> TimeSpans:
        """Return the spans of all, since the first epoch that is known.

        Raises
        ------
        DataError
            Where no epoch is known.
        """
        epoch = next((one.mjdref for one in several if np.isfinite(one.mjdref)), np.nan)
        if not np.isfinite(epoch):
            raise DataError("light_curve: the datasets have no times; expected good time (gti) and an epoch (mjdref).")
        shifts = [(one.mjdref - epoch) * SECONDS_PER_DAY if np.isfinite(one.mjdref) else 0.0 for one in several]
        start, stop = (
            np.concatenate([getattr(one, side) + shift for one, shift in zip(several, shifts, strict=True)])
            for side in ("start", "stop")
        )
        names = [name for one in several for name in one.names]
        return cls(names, start, stop, np.concatenate([one.is_used for one in several]), epoch)

    def whole(self, name: str) -> TimeSpans:
        """Return the span of the stack of all."""
        known = self.is_known
        first = np.min(self.start, initial=np.inf, where=known)
        last = np.max(self.stop, initial=-np.inf, where=known)
        return TimeSpans([name], np.array([first]), np.array([last]), np.array([known.any()]), self.mjdref)

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
    return TimeSpans.joined([spans_of_rows(one) for one in inputs])


def spans_of_rows(one: FitInput) -> TimeSpans:
    """Return when the rows of one input were taken, since its own epoch; NaN where it does not know times."""
    ds = one.data
    is_used = np.asarray(one.used.reshape(len(one.names), -1).any(axis=1))
    if "gti" not in ds or "mjdref" not in ds.attrs:
        nothing = np.full(len(one.names), np.nan)
        return TimeSpans(one.names, nothing, nothing, is_used, np.nan)
    gti = ds["gti"].transpose("dataset", "gti", "bound").values
    first = np.min(gti[..., 0], axis=1, initial=np.inf, where=np.isfinite(gti[..., 0]))
    last = np.max(gti[..., 1], axis=1, initial=-np.inf, where=np.isfinite(gti[..., 1]))
    known = np.isfinite(first) & np.isfinite(last)
    start, stop = np.where(known, first, np.nan), np.where(known, last, np.nan)
    return TimeSpans(one.names, start, stop, is_used, float(ds.attrs["mjdref"]))


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
        found = astropy.stats.bayesian_blocks(
            time, norm[measured] / size, error[measured] / size, fitness="measures", p0=false_alarm
        )
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

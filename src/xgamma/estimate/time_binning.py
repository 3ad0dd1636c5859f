"""How time is binned: what is asked for, by a word, a width or intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from astropy import units as u
from astropy.time import Time

from xgamma.errors import ConfigError, did_you_mean
from xgamma.times import any_year, overlap_problem, seconds_since
from xgamma.units import canonical

INTERVALS, OBSERVATION, NIGHT, WIDTH, BLOCKS = "intervals", "observation", "night", "width", "blocks"
WORDS = (OBSERVATION, NIGHT, BLOCKS)
WHERE = "light_curve.time_bins"
EXAMPLE = "write observation, night, blocks, a width such as {width: 7 d}, or {blocks: 0.01}"
FALSE_ALARM = 0.05
"""The probability that steady flux is cut into two blocks, where none is given."""


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
    """Return the binning of some intervals in their order in time; see ``normalize_time_binning``.

    Raises ``ConfigError`` without any, and for intervals that run backwards or overlap.
    """
    if not intervals:
        raise ConfigError(f"{where}: expected at least one interval of time, got none; leave them out for one of each.")
    # To TT once, as years whose leap seconds are not known yet are warned of each time.
    with any_year():
        moved = [(start.tt, stop.tt) for start, stop in intervals]
    for (start, stop), given in zip(moved, intervals, strict=True):
        if not seconds_since(start, 0.0) < seconds_since(stop, 0.0):
            raise ConfigError(
                f"{where}: expected start before stop, got start {given[0].isot} and stop {given[1].isot}; "
                "exchange them."
            )
    problem = overlap_problem(moved)
    if problem:
        raise ConfigError(f"{where}: {problem}")
    ordered = sorted(moved, key=lambda interval: (interval[0].jd1, interval[0].jd2))
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

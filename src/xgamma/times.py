"""Time as float64 seconds since a reference epoch (MJD, scale TT): epochs, intervals, good time."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
from astropy.time import Time

from xgamma.axes import BoolArray, FloatArray
from xgamma.dialects import card_number
from xgamma.digits import NOTHING
from xgamma.errors import ConfigError, InputError

SECONDS_PER_DAY = 86400.0
MINUTES_PER_DAY = 1440.0
DEFAULT_MJDREF = 51544.0
"""The MJD from which times count in files of ours, where what they hold names none."""
# By the name in FITS, with the older names that the standard allows. GPS and LOCAL are unknown to astropy, UT1 needs
# tables of the Earth's rotation, and a second of TCB or TCG is not one of TT.
TIME_SCALES = {
    "TT": "tt",
    "TDT": "tt",
    "ET": "tt",
    "TAI": "tai",
    "IAT": "tai",
    "UTC": "utc",
    "GMT": "utc",
    "TDB": "tdb",
}
# UTC began in 1960; a reference epoch after 2100 is a mistake.
FIRST_UTC, LAST_EPOCH = 36934, 88069


def mjdref_from_header(header: Mapping[str, Any]) -> float:
    """Return the reference epoch of a FITS header as MJD in TT.

    MJDREFI and MJDREFF count before MJDREF; TIMESYS is TT where it is left out.
    Source: GADF 0.3, time; FITS standard 4.0, section 9.

    Raises
    ------
    InputError
        When there is no epoch, it is not a finite number, or its time scale is not supported.
    """
    whole, fraction = card_number(header, "MJDREFI"), card_number(header, "MJDREFF")
    if whole is None:
        whole, fraction = card_number(header, "MJDREF"), None
    if whole is None:
        raise InputError("A time column needs MJDREFI or MJDREF in its header, and both are missing.")
    epoch, scale = whole + (fraction or 0.0), _scale(header)
    first = FIRST_UTC if scale == "utc" else 0
    if not first <= epoch <= LAST_EPOCH:
        raise InputError(
            f"The reference epoch is MJD {epoch!r} in {scale.upper()}; expected one from {first} to {LAST_EPOCH}. "
            "Correct MJDREFI and MJDREFF, or leave out the file."
        )
    return epoch if scale == "tt" else float(Time(whole, fraction or 0.0, format="mjd", scale=scale).tt.mjd)


def _scale(header: Mapping[str, Any]) -> str:
    return time_scale(header.get("TIMESYS", "TT"))


def time_scale(given: Any) -> str:
    """Return a time scale of FITS by its name in astropy; raises ``InputError`` for one that is not supported."""
    # A realization may follow, as in UTC(NIST).
    name = given.partition("(")[0].strip().upper() if isinstance(given, str) else ""
    if name not in TIME_SCALES:
        raise InputError(
            f"The header has TIMESYS = {given!r}, which is not supported; expected TT, TAI, UTC or TDB. "
            "Correct or leave out the file."
        )
    return TIME_SCALES[name]


@contextmanager
def any_year() -> Iterator[None]:
    """Allow times in years whose leap seconds are not known yet, as in simulations."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="ERFA function .* yielded .*dubious year")
        yield


def seconds_since(time: Time, mjdref: float) -> float:
    """Return a time as TT seconds since ``mjdref``, with full precision."""
    return float(seconds_of_times(time, mjdref))


def seconds_of_times(times: Time, mjdref: float) -> FloatArray:
    """Return times as TT seconds since ``mjdref``, with full precision, in their shape."""
    tt = times.tt
    return np.asarray(((tt.jd1 - 2400000.5 - mjdref) + tt.jd2) * SECONDS_PER_DAY)


def time_from_seconds(seconds: FloatArray | float, mjdref: float) -> Time:
    """Return an astropy ``Time`` (TT) for seconds since ``mjdref``."""
    return Time(mjdref, np.asarray(seconds) / SECONDS_PER_DAY, format="mjd", scale="tt")


def second_text(mjd: float) -> str:
    """Return a time (MJD) to a thousandth of a second, ``-`` where it is not known."""
    return str(Time(mjd, format="mjd", scale="tt").iso) if np.isfinite(mjd) else NOTHING


def span_text(start: float, stop: float) -> str:
    """Return two times (MJD), the second without its day where that is the same, with seconds where they are near.

    >>> span_text(53343.92, 53343.94), span_text(53343.92, 53344.94), span_text(53343.92, 53343.9201)
    ('2004-12-04 22:04 - 22:33', '2004-12-04 22:04 - 2004-12-05 22:33', '2004-12-04 22:04:48 - 22:04:56')
    """
    if not np.isfinite([start, stop]).all():
        return NOTHING
    digits = 16 if stop - start > 2 / MINUTES_PER_DAY else 19
    first, last = (str(Time(mjd, format="mjd", scale="tt").iso[:digits]) for mjd in (start, stop))
    return f"{first} - {last[11:] if first[:10] == last[:10] else last}"


def interval_seconds(start: Time, stop: Time, mjdref: float) -> tuple[float, float]:
    """Return one selected interval in seconds since ``mjdref``; raises ``ConfigError`` when it is empty."""
    begin, end = seconds_since(start, mjdref), seconds_since(stop, mjdref)
    if not begin < end:
        raise ConfigError(f"A time interval starts before it stops; got start {start.isot} and stop {stop.isot}.")
    return begin, end


def nights(mjd: FloatArray, longitude: FloatArray) -> npt.NDArray[np.str_]:
    """Return the date of the evening of each time, from noon to noon of the mean sun at the site.

    Parameters
    ----------
    mjd
        Times as MJD, TT or UTC, shape (n,); NaN is the night ``unknown``.
    longitude
        East longitude of the site in deg, shape (n,); NaN where it is not known, which is taken as 0.

    >>> nights(np.array([53347.9, 53348.1, 53348.6]), np.zeros(3)).tolist()
    ['2004-12-08', '2004-12-08', '2004-12-09']
    """
    days = np.floor(mjd + np.where(np.isfinite(longitude), longitude, 0.0) / 360 - 0.5)
    dates = np.datetime64("1858-11-17") + np.nan_to_num(days).astype(int)
    return np.where(np.isfinite(days), np.datetime_as_string(dates, unit="D"), "unknown")


def clipped_gti(gti: FloatArray, start: float, stop: float) -> FloatArray:
    """Return the good time inside [start, stop], shape (n, 2); rows that do not overlap it are left out.

    >>> clipped_gti(np.array([[0.0, 10.0], [20.0, 30.0]]), 5.0, 22.0).tolist()
    [[5.0, 10.0], [20.0, 22.0]]
    """
    overlaps = (gti[:, 0] < stop) & (gti[:, 1] > start)
    return np.clip(gti[overlaps], start, stop)


def inside_interval(times: FloatArray, start: FloatArray | float, stop: FloatArray | float) -> BoolArray:
    """Return which times lie in the half-open interval [start, stop)."""
    return np.asarray((times >= start) & (times < stop))


def merged_gti(gti: FloatArray) -> FloatArray:
    """Return sorted good time with touching and overlapping rows merged, shape (n, 2).

    >>> merged_gti(np.array([[5.0, 8.0], [0.0, 5.0], [9.0, 10.0]])).tolist()
    [[0.0, 8.0], [9.0, 10.0]]
    """
    rows = gti[np.argsort(gti[:, 0], kind="stable")]
    if len(rows) == 0:
        return rows
    latest = np.maximum.accumulate(rows[:, 1])
    starts = np.concatenate([[True], rows[1:, 0] > latest[:-1]])
    stops = np.concatenate([starts[1:], [True]])
    return np.stack([rows[starts, 0], latest[stops]], axis=1)


def padded_gti(intervals: Sequence[FloatArray]) -> FloatArray:
    """Return good time of several rows, each of shape (n, 2), as one array: NaN where a row has fewer intervals.

    >>> padded_gti([np.array([[0.0, 8.0]]), np.empty((0, 2))]).tolist()
    [[[0.0, 8.0]], [[nan, nan]]]
    """
    width = max([len(rows) for rows in intervals] + [1])
    return np.stack([np.pad(rows, ((0, width - len(rows)), (0, 0)), constant_values=np.nan) for rows in intervals])


def ontime(gti: FloatArray) -> float:
    """Return the seconds of good time, shape (n, 2); NaN where there are no rows, of which nothing is known."""
    return float(np.sum(gti[:, 1] - gti[:, 0])) if len(gti) else np.nan


def overlap(gti: FloatArray) -> float:
    """Return how many seconds of good time lie in more than one row; shape (n, 2), each row start <= stop.

    >>> overlap(np.array([[0.0, 8.0], [5.0, 9.0], [9.0, 10.0]]))
    3.0
    """
    return max(0.0, float(np.diff(gti, axis=1).sum() - np.diff(merged_gti(gti), axis=1).sum()))


def disjoint_gti(gti: FloatArray) -> FloatArray:
    """Return good time sorted, each second once; overlapping rows are merged, adjacent ones stay as they are.

    Rows that do not start before they stop are left out.

    >>> disjoint_gti(np.array([[5.0, 8.0], [0.0, 5.0], [7.0, 9.0], [9.0, 9.0]])).tolist()
    [[0.0, 9.0]]
    >>> disjoint_gti(np.array([[5.0, 8.0], [0.0, 5.0]])).tolist()
    [[0.0, 5.0], [5.0, 8.0]]
    """
    rows = gti[gti[:, 0] < gti[:, 1]]
    if len(rows) < 2:
        return rows
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    latest = np.maximum.accumulate(rows[:, 1])
    return merged_gti(rows) if (rows[1:, 0] < latest[:-1]).any() else rows


def stop_slack(gti: FloatArray) -> float:
    """Return by how much the last stop is later than written: 1 s where all starts and stops are whole seconds.

    Writers of whole seconds truncate them. Whole means to the precision of the floats; ``gti`` has shape (n, 2).

    >>> stop_slack(np.array([[0.0, 1680.0]])), stop_slack(np.array([[0.25, 1680.25]]))
    (1.0, 0.0)
    """
    if len(gti) == 0 or not np.isfinite(gti).all():
        return 0.0
    return 1.0 if (abs(gti - np.rint(gti)) <= np.spacing(abs(gti))).all() else 0.0


def with_slack(gti: FloatArray, slack: float) -> FloatArray:
    """Return sorted good time for counting events, shape (n, 2): its last stop is later by ``slack`` seconds.

    An event exactly at a stop counts, as writers use the time of the last event for it, unless the next good time
    starts there.

    >>> inside_gti(np.array([5.0, 8.0, 9.0]), with_slack(np.array([[0.0, 5.0], [5.0, 8.0]]), 0.0)).tolist()
    [True, True, False]
    """
    if len(gti) == 0:
        return gti
    starts, stops = gti.T
    touches = np.append(starts[1:] <= stops[:-1], False)
    held = np.where(touches, stops, np.nextafter(stops, np.inf))
    held[-1] = max(held[-1], stops[-1] + slack)
    return np.stack([starts, held], axis=1)


def inside_gti(times: FloatArray, gti: FloatArray) -> BoolArray:
    """Return which times lie in good time, start <= time < stop; NaN lies in none.

    Parameters
    ----------
    times
        In any order, shape (n,).
    gti
        Sorted and disjoint, as ``disjoint_gti`` returns it, shape (m, 2).

    >>> inside_gti(np.array([-1.0, 0.0, 5.0, 8.0, 9.0]), np.array([[0.0, 5.0], [5.0, 8.0], [9.0, 9.5]])).tolist()
    [False, True, True, False, True]
    """
    if len(gti) == 1:
        return inside_interval(times, gti[0, 0], gti[0, 1])
    return np.asarray(np.searchsorted(gti.ravel(), times, side="right") % 2 == 1)


def overlap_problem(intervals: Iterable[tuple[Time, Time]]) -> str:
    """Return the error message for intervals of which two overlap, empty where none do."""
    rows = sorted(intervals, key=lambda interval: (interval[0].tt.jd1, interval[0].tt.jd2))
    for (_, stop), (start, _) in itertools.pairwise(rows):
        if start < stop:
            return (
                f"expected intervals that do not overlap, so that each event counts once, got one that starts at "
                f"{start.isot} and another that stops at {stop.isot}."
            )
    return ""

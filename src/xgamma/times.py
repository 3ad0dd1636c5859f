"""Time as float64 seconds since a reference epoch (MJD, scale TT): epochs, intervals, good time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from astropy.time import Time

from xgamma.axes import BoolArray, FloatArray
from xgamma.errors import ConfigError, InputError

SECONDS_PER_DAY = 86400.0


def mjdref_from_header(header: Mapping[str, Any]) -> float:
    """Return the reference epoch of a FITS header as MJD in TT (GADF: MJDREFI, MJDREFF, TIMESYS)."""
    if "MJDREFI" not in header:
        raise InputError("A time column needs MJDREFI in its header, and it is not there.")
    epoch = float(header["MJDREFI"]) + float(header.get("MJDREFF", 0.0))
    scale = str(header.get("TIMESYS", "TT")).strip().lower()
    if scale == "tt":
        return epoch
    try:
        return float(Time(header["MJDREFI"], header.get("MJDREFF", 0.0), format="mjd", scale=scale).tt.mjd)
    except ValueError:
        raise InputError(f"TIMESYS = {scale!r} is not a time scale; expected for example TT or UTC.") from None


def seconds_since(time: Time, mjdref: float) -> float:
    """Return a time as TT seconds since ``mjdref``, without losing digits to one large MJD."""
    tt = time.tt
    return float(((tt.jd1 - 2400000.5 - mjdref) + tt.jd2) * SECONDS_PER_DAY)


def time_from_seconds(seconds: FloatArray | float, mjdref: float) -> Time:
    """Return an astropy ``Time`` (TT) for seconds since ``mjdref``."""
    return Time(mjdref, np.asarray(seconds) / SECONDS_PER_DAY, format="mjd", scale="tt")


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
    days = np.floor(mjd + np.nan_to_num(longitude) / 360 - 0.5)
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

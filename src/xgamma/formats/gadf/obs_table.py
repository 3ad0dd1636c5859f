"""What an observation index tells of runs beyond what a selection needs: when they were taken, for how long, events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from xgamma.axes import FloatArray, IntArray
from xgamma.errors import InputError
from xgamma.formats.fits.tables import FitsTable
from xgamma.formats.gadf.index_columns import coded, first_of_each, ids_of, numbers_in
from xgamma.times import SECONDS_PER_DAY, mjdref_from_header

COLUMNS = {"ontime": "ONTIME", "livetime": "LIVETIME", "deadc": "DEADC", "events": "EVENT_COUNT"}
TIMES = (("TSTART", "DATE-OBS", "TIME-OBS"), ("TSTOP", "DATE-END", "TIME-END"))


class Observed(NamedTuple):
    """When runs were taken (MJD, TT), for how long (s), and how many events they have; NaN where nobody says it."""

    tstart: FloatArray
    tstop: FloatArray
    ontime: FloatArray
    livetime: FloatArray
    deadc: FloatArray
    events: FloatArray
    telescope: npt.NDArray[np.str_]


def observed_of(table: FitsTable | None, obs_ids: Sequence[int]) -> Observed:
    """Return what the table of observations of an index, if there is one, says of the runs ``obs_ids``."""
    return _nothing(len(obs_ids)) if table is None else _observed(table, np.array(obs_ids, dtype=np.int64))


def _nothing(count: int) -> Observed:
    return Observed._make([*(np.full(count, np.nan) for _ in Observed._fields[:-1]), np.full(count, "")])


def _observed(table: FitsTable, obs_ids: IntArray) -> Observed:
    ids = ids_of(table)
    firsts = first_of_each(ids.obs_id)
    number = numbers_in(ids.obs_id[firsts], obs_ids)
    # One row more: that of a run that the table does not have.
    rows = np.append(ids.rows[firsts], len(table.rows))[number]
    times = (_times(table, *columns) for columns in TIMES)
    numbers = (_numbers(table, column) for column in COLUMNS.values())
    telescope = coded(table, "TELESCOP")
    texts = np.array([*telescope.texts, ""])
    codes = np.append(telescope.codes, len(telescope.texts))
    return Observed._make([*(np.append(column, np.nan)[rows] for column in (*times, *numbers)), texts[codes][rows]])


def _numbers(table: FitsTable, name: str) -> FloatArray:
    if name not in table.columns:
        return np.full(len(table.rows), np.nan)
    return np.asarray(table.column(name), dtype=float)


def _times(table: FitsTable, seconds: str, date: str, time: str) -> FloatArray:
    """Return times as MJD: of seconds since the epoch of the table, else of dates as texts."""
    try:
        epoch = mjdref_from_header(table.header)
    except InputError:
        epoch = np.nan
    found = epoch + _numbers(table, seconds) / SECONDS_PER_DAY
    return found if np.isfinite(found).any() or date not in table.columns else _dates(table, date, time)


def _dates(table: FitsTable, date: str, time: str) -> FloatArray:
    days = [str(text).strip().replace(" ", "T").rstrip(".") for text in table.column(date).tolist()]
    hours = [str(text).strip() for text in table.column(time).tolist()] if time in table.columns else [""] * len(days)
    texts = [day if "T" in day or not hour else f"{day}T{hour}" for day, hour in zip(days, hours, strict=True)]
    return np.array([_mjd(text) for text in texts])


def _mjd(text: str) -> float:
    try:
        days = (np.datetime64(text) - np.datetime64("1858-11-17")) / np.timedelta64(1, "ms") / 86_400_000
    except ValueError:
        return np.nan
    return float(days)

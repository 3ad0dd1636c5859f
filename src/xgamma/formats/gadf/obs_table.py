"""What an observation index tells of runs beyond what a selection needs: when they were taken, for how long, events."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from xgamma.axes import FloatArray, IntArray
from xgamma.errors import InputError, MissingInputError
from xgamma.formats.fits.tables import FitsTable, as_input_error, tables_of
from xgamma.formats.gadf.files import located, read_file, release_files
from xgamma.formats.gadf.index import USUAL_NAMES, IndexNames
from xgamma.formats.gadf.index_columns import coded, first_of_each, ids_of, numbers_in
from xgamma.formats.gadf.index_tables import obs_index_beside, obs_index_of
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


def read_observed(
    datastore: str | os.PathLike[str], obs_ids: Sequence[int], names: IndexNames = USUAL_NAMES
) -> Observed:
    """Return what the observation index of a release says of the runs ``obs_ids``.

    Raises
    ------
    InputError
        When the index is damaged.
    """
    with as_input_error(f"The index of {datastore}"):
        table = _obs_table(datastore, names)
    return _nothing(len(obs_ids)) if table is None else _observed(table, np.array(obs_ids, dtype=np.int64))


def _nothing(count: int) -> Observed:
    return Observed._make([*(np.full(count, np.nan) for _ in Observed._fields[:-1]), np.full(count, "")])


def _obs_table(datastore: str | os.PathLike[str], names: IndexNames) -> FitsTable | None:
    files, index_file = release_files(datastore)
    if index_file is not None:
        return obs_index_beside(tables_of(read_file(index_file)[1], index_file))
    given = [names.obs_index] if names.obs_index is not None else ["obs-index.fits.gz", "obs-index.fits"]
    for name in given:
        file, refusal = located(files, name)
        try:
            return None if refusal else obs_index_of(tables_of(read_file(file)[1], file), file)
        except MissingInputError:
            continue
    return None


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

"""The two tables of an index as columns: no object for a row, as an archive has hundreds of thousands of runs.

Source: Data formats for gamma-ray astronomy 0.2 and 0.3.
"""

from __future__ import annotations

import logging
import posixpath
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from xgamma.axes import BoolArray, FloatArray, IntArray
from xgamma.errors import InputError
from xgamma.formats.fits.tables import FitsTable
from xgamma.formats.gadf.files import Files
from xgamma.formats.gadf.index_tables import REQUIRED_ROLES, ROLES, is_known, obs_id_of
from xgamma.times import SECONDS_PER_DAY, mjdref_from_header
from xgamma.units import conversion

log = logging.getLogger(__name__)


class Coded(NamedTuple):
    """Texts, as numbers into those that differ."""

    codes: IntArray
    texts: Sequence[str]


class Ids(NamedTuple):
    """The rows of a table that have an id, their ids, and by row the texts that ids stand for."""

    rows: IntArray
    obs_id: IntArray
    texts: Mapping[int, str]


class ObsColumns(NamedTuple):
    """What an observation index says of its runs, each once; NaN and empty where it does not.

    Parameters
    ----------
    obs_id
        The numbers of the runs.
    ra, dec, zenith
        Of the pointings, deg, ICRS.
    target
        What was pointed at.
    id_texts
        Where an OBS_ID is a text, that text by the number that stands for it.
    """

    obs_id: IntArray
    ra: FloatArray
    dec: FloatArray
    zenith: FloatArray
    target: Sequence[str]
    id_texts: Mapping[int, str]


class Hdu(NamedTuple):
    """What an HDU is: role, class and name, and the sentence why one of this class is not read, or nothing."""

    role: str
    kind: str
    name: str
    refusal: str


class HduColumns(NamedTuple):
    """The HDUs that are used, one a row, run by run, and those of a run in the order of the index.

    Parameters
    ----------
    first
        The first row of each run and the end of the last, shape (run + 1,).
    what, file
        Numbers into ``hdus`` and ``places``, shape (row,).
    hdus
        What HDUs are.
    places
        The name of each file, with the sentence why it may not be read or nothing.
    """

    first: IntArray
    what: IntArray
    file: IntArray
    hdus: Sequence[Hdu]
    places: Sequence[tuple[str, str]]

    @property
    def run(self) -> IntArray:
        """The number of the run of each row."""
        return np.repeat(np.arange(len(self.first) - 1), np.diff(self.first))

    @property
    def role(self) -> IntArray:
        """The number of the role of each row, into ``ROLES``."""
        return np.array([ROLES.index(hdu.role) for hdu in self.hdus], dtype=np.int64)[self.what]

    @property
    def is_refused(self) -> BoolArray:
        """Whether the HDU of each row is not read."""
        by_hdu, by_file = ([bool(each[-1]) for each in every] for every in (self.hdus, self.places))
        return np.asarray(np.array(by_hdu, dtype=bool)[self.what] | np.array(by_file, dtype=bool)[self.file])


def ids_of(table: FitsTable) -> Ids:
    """Return the ids of a table."""
    column = table.column("OBS_ID")
    if column.dtype.kind in "iu" and column.ndim == 1:
        return Ids(np.arange(len(column)), column.astype(np.int64), {})
    ids = [obs_id_of(value) for value in column.tolist()]
    rows = [row for row, (obs_id, _) in enumerate(ids) if obs_id is not None]
    numbers = np.array([ids[row][0] for row in rows], dtype=np.int64)
    return Ids(np.array(rows, dtype=np.int64), numbers, {row: ids[row][1] for row in rows if ids[row][1]})


def _ids_with_warning(table: FitsTable) -> Ids:
    """Return the ids of a table, and log how many rows have none."""
    ids = ids_of(table)
    lost = len(table.rows) - len(ids.rows)
    if lost:
        log.warning("%d rows of the table %r have no OBS_ID and are passed over.", lost, table.name)
    return ids


def obs_columns(table: FitsTable) -> ObsColumns:
    """Return the runs of an observation index, in its order; of several rows of a run the first counts."""
    ids = _ids_with_warning(table)
    firsts = first_of_each(ids.obs_id)
    for row in np.setdiff1d(np.arange(len(ids.obs_id)), firsts).tolist():
        log.warning("Run %d has several rows in the observation index; the first is used.", ids.obs_id[row])
    rows, obs_id = ids.rows[firsts], ids.obs_id[firsts]
    zenith = _angles(table, "ZEN_PNT")
    zenith = np.where(np.isnan(zenith), 90.0 - _angles(table, "ALT_PNT"), zenith)
    target = coded(table, "OBJECT")
    texts = {
        number: ids.texts[row] for row, number in zip(rows.tolist(), obs_id.tolist(), strict=True) if row in ids.texts
    }
    return ObsColumns(
        obs_id,
        _angles(table, "RA_PNT")[rows],
        _angles(table, "DEC_PNT")[rows],
        zenith[rows],
        [target.texts[code] for code in target.codes[rows].tolist()],
        texts,
    )


def unknown_obs(obs_id: IntArray) -> ObsColumns:
    """Return runs of which nothing is known, where there is no observation index."""
    nothing = np.full(len(obs_id), np.nan)
    return ObsColumns(obs_id, nothing, nothing, nothing, [""] * len(obs_id), {})


def hdu_columns(table: FitsTable, files: Files) -> tuple[IntArray, HduColumns]:
    """Return the runs of an HDU index, in its order, and their HDUs; what nobody asks for is passed over."""
    ids = _ids_with_warning(table)
    firsts = first_of_each(ids.obs_id)
    obs_id = ids.obs_id[firsts]
    what, hdus = _what(table, ids.rows)
    is_asked = np.array([hdu.role in ROLES for hdu in hdus], dtype=bool)[what]
    passed = Counter(hdus[code].role for code in what[~is_asked].tolist())
    rows, what = ids.rows[is_asked], what[is_asked]
    used = np.unique(what)
    file, places = _places(table, rows, files)
    run = numbers_in(obs_id, ids.obs_id[is_asked])
    found = HduColumns(run, np.searchsorted(used, what), file, [hdus[code] for code in used.tolist()], places)
    kept = _first_of_each_role(run, obs_id, found)
    if passed:
        shown = ", ".join(f"{count} of type {role!r}" for role, count in sorted(passed.items()))
        log.info("HDUs that nobody asks for are passed over: %s.", shown)
    first = np.searchsorted(run[kept], np.arange(len(obs_id) + 1))
    return obs_id, found._replace(first=first, what=found.what[kept], file=file[kept])


def of_runs(columns: HduColumns, numbers: IntArray) -> HduColumns:
    """Return the HDUs of some runs, in their order; a number of -1 stands for a run without any."""
    first = np.append(columns.first, columns.first[-1])
    start, count = first[numbers], np.diff(first)[numbers]
    ends = np.concatenate([[0], np.cumsum(count)])
    rows = np.arange(ends[-1]) + np.repeat(start - ends[:-1], count)
    return columns._replace(first=ends, what=columns.what[rows], file=columns.file[rows])


def no_hdus(runs: int) -> HduColumns:
    """Return columns of runs of which no table names an HDU."""
    none = np.empty(0, dtype=np.int64)
    return HduColumns(np.zeros(runs + 1, dtype=np.int64), none, none, (), ())


def numbers_in(every: IntArray, wanted: IntArray) -> IntArray:
    """Return where ids are in a list that holds each once, -1 for those that are not.

    >>> numbers_in(np.array([7, 3, 5]), np.array([5, 7, 6]))
    array([ 2,  0, -1])
    """
    order = np.argsort(every, kind="stable")
    places = np.searchsorted(every, wanted, sorter=order)
    found = np.append(order, -1)[np.minimum(places, len(order))]
    return np.where(np.append(every, 0)[found] == wanted, found, -1) if len(every) else np.full(len(wanted), -1)


def coded(table: FitsTable, name: str) -> Coded:
    """Return the texts of a column; a column that is not there is empty."""
    if name not in table.columns:
        return Coded(np.zeros(len(table.rows), dtype=np.int64), [""])
    raw = table.rows[name]
    if raw.dtype.kind != "S" or raw.ndim != 1:
        return _coded([str(value) for value in table.column(name).tolist()])
    # Each different text is decoded once.
    found = _coded(raw.tolist())
    different = np.array(found.texts, dtype=raw.dtype)
    return Coded(found.codes, np.char.strip(np.char.decode(different, "ascii", "replace")).tolist())


def _coded(values: Sequence[Any]) -> Coded:
    numbers = {value: number for number, value in enumerate(dict.fromkeys(values))}
    return Coded(np.fromiter(map(numbers.__getitem__, values), np.int64, len(values)), list(numbers))


def _pairs(*columns: IntArray) -> tuple[IntArray, IntArray]:
    """Return the number of each combination of codes, and the first row of each."""
    whole = columns[0]
    for column in columns[1:]:
        whole = whole * (int(column.max(initial=0)) + 1) + column
    _, first, codes = np.unique(whole, return_index=True, return_inverse=True)
    return codes, first


def _what(table: FitsTable, rows: IntArray) -> tuple[IntArray, list[Hdu]]:
    columns = [coded(table, name) for name in ("HDU_TYPE", "HDU_CLASS", "HDU_NAME")]
    codes, first = _pairs(*(column.codes[rows] for column in columns))
    texts = [[column.texts[code] for code in column.codes[rows[first]].tolist()] for column in columns]
    return codes, [_hdu(*each) for each in zip(*texts, strict=True)]


def _hdu(role: str, kind: str, name: str) -> Hdu:
    role, kind = _role_and_kind(role, kind)
    is_read = not kind or role in REQUIRED_ROLES or is_known(kind)
    return Hdu(role, kind, name, "" if is_read else f"Its class {kind!r} is none that is known.")


@lru_cache(maxsize=256)
def _role_and_kind(role: str, kind: str) -> tuple[str, str]:
    role, kind = role.lower().replace(" ", "_"), kind.lower().replace(" ", "_")
    # Some indices repeat the type as the class of a response.
    return role, "" if kind == role and not is_known(kind) else kind


def _places(table: FitsTable, rows: IntArray, files: Files) -> tuple[IntArray, list[tuple[str, str]]]:
    folder, name = coded(table, "FILE_DIR"), coded(table, "FILE_NAME")
    codes, first = _pairs(folder.codes[rows], name.codes[rows])
    folders, names = ([column.texts[code] for code in column.codes[rows[first]].tolist()] for column in (folder, name))
    return codes, files.judged([posixpath.join(*each) for each in zip(folders, names, strict=True)])


def first_of_each(values: IntArray) -> IntArray:
    """Return the first row of each value, in the order of rows."""
    return np.sort(np.unique(values, return_index=True)[1])


def _first_of_each_role(run: IntArray, obs_id: IntArray, columns: HduColumns) -> IntArray:
    """Return the rows of HDUs that are used: of several for one role the first that is read, else the last.

    They are in the order of runs, and those of a run in the order in which the index names their roles.
    """
    role, is_refused, number = columns.role, columns.is_refused, np.arange(len(run))
    pair = run * len(ROLES) + role
    order = np.lexsort((np.where(is_refused, -number, number), is_refused, pair))
    is_best = np.diff(pair[order], prepend=-1) != 0
    for row in np.sort(order[~is_best & ~is_refused[order]]).tolist():
        log.warning("Run %d has several %s HDUs in the index; the first is used.", obs_id[run[row]], ROLES[role[row]])
    named = np.unique(pair, return_index=True)[1]
    best = order[is_best]
    return np.asarray(best[np.lexsort((named, run[best]))])


def _angles(table: FitsTable, name: str) -> FloatArray:
    """Return a column in degrees, NaN where there is none."""
    if name not in table.columns:
        return np.full(len(table.rows), np.nan)
    values = table.column(name)
    unit = table.columns[name].strip()
    try:
        factor = 1.0 if unit in ("", "deg") else conversion(unit, "deg")
    except ValueError:
        raise InputError(
            f"The column {name} of the table {table.name!r} has the unit {unit!r}; expected deg."
        ) from None
    return np.asarray(values, dtype=float) * factor


# --- when runs were taken, and what a list of them shows

OBSERVED_COLUMNS = {"ontime": "ONTIME", "livetime": "LIVETIME", "deadc": "DEADC", "events": "EVENT_COUNT"}
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
    numbers = (_numbers(table, column) for column in OBSERVED_COLUMNS.values())
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

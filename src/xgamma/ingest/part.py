"""Runs in, DL3 part out: the runs read together become columns of one part."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from xgamma import irf
from xgamma.axes import FloatArray
from xgamma.dialects import as_number
from xgamma.errors import InputError, MissingHduError, sentence_of
from xgamma.events import IRF_ROLES, Part
from xgamma.formats.gadf import response_checks
from xgamma.formats.gadf import run as run_files
from xgamma.formats.gadf.index_tables import RunEntry, facts_of_header
from xgamma.outcome import Outcome, UnusedRun
from xgamma.schema.dl3 import SCHEMA, SCHEMA_VERSION
from xgamma.schema.tables import head
from xgamma.storage.retries import REQUESTS
from xgamma.times import SECONDS_PER_DAY
from xgamma.warned import for_threads

if TYPE_CHECKING:
    from xgamma.formats.gadf.responses import Response
    from xgamma.formats.gadf.run import Run

log = logging.getLogger(__name__)

EVENT_UNITS = {"ra": "deg", "dec": "deg", "energy": "TeV", "time": "s"}
_EVENT_NAMES = {
    "ra": "Right ascension",
    "dec": "Declination",
    "energy": "Reconstructed energy",
    "time": "Arrival time since mjdref",
}
# Whose files say RADEC and mean that the longitude grows to the east: H.E.S.S. DR1.
_REVERSED_BY = {"CREATOR": "SASH FITS::EventListWriter", "HDUVERS": "0.2"}
# Of the reading of runs and of what a part holds. It stands in the keys of runs and parts: what an older version read
# is read anew where its files are at hand, and stays readable in the store.
STEP_VERSION = 3
# Inflating and digesting leave the interpreter to others: two threads read twice as fast, more hardly faster.
READERS = 3


def log_failure(run: UnusedRun) -> None:
    """Log that a run is left out, and why."""
    log.warning("Run %d is left out: %s", run.obs_id, run.message)


def read_runs(
    entries: Iterable[RunEntry], progress: Callable[[], None], on_failure: Callable[[UnusedRun], None] = log_failure
) -> tuple[list[Run], list[UnusedRun]]:
    """Read runs, several at a time; one that cannot be read becomes a failure and stops nothing.

    Parameters
    ----------
    entries
        Runs of the index.
    progress
        Called after each run.
    on_failure
        Called for each failure; what it raises ends the reading.

    Returns
    -------
    tuple
        The runs and the failures, both in the order of the entries.
    """
    runs: list[Run] = []
    failures: list[UnusedRun] = []
    known: dict[tuple[str, bytes], Response] = {}
    given = list(entries)
    pool = ThreadPoolExecutor(REQUESTS if any(entry.is_remote for entry in given) else READERS, **for_threads())
    try:
        for found in pool.map(_read, given):
            if isinstance(found, run_files.Run):
                runs.append(_sharing(found, known))
            else:
                failures.append(found)
                on_failure(found)
            progress()
    finally:
        # After an interrupt nobody waits for what has not begun.
        pool.shutdown(cancel_futures=True)
    return runs, failures


def _read(entry: RunEntry) -> Run | UnusedRun:
    try:
        run = run_files.read_run(entry)
        # Digested here, as several can be at a time.
        for response in run.responses.values():
            _ = response.identity
    except Exception as error:  # one bad file ends no release, whatever is wrong with it
        return _failure(entry.obs_id, error)
    return run


def _sharing(run: Run, known: dict[tuple[str, bytes], Response]) -> Run:
    """Return a run with the arrays of responses that are known already, as those of a night are often the same."""
    shared = {role: each.sharing(known.setdefault(each.identity, each)) for role, each in run.responses.items()}
    return replace(run, responses=shared)


def _failure(obs_id: int, error: Exception) -> UnusedRun:
    lacks_hdu = isinstance(error, MissingHduError)
    outcome = Outcome.MISSING_HDU if lacks_hdu else Outcome.UNREADABLE_FILE
    return UnusedRun.unread(obs_id, outcome, sentence_of(error, "It cannot be read"))


def run_document(entry: RunEntry, file_digests: Mapping[str, str], version: int = STEP_VERSION) -> dict[str, Any]:
    """Return what makes the identity of a run, independent of where its files lie.

    Parameters
    ----------
    entry
        The run: its HDUs by role, and its row of the index.
    file_digests
        The digest of each file by path, or what stands for it where there is none to read.
    version
        Of the reading; up to version 2 neither it nor the target was part of the identity.
    """
    hdus = sorted((role, at.kind, at.name.upper(), file_digests[str(at.path)]) for role, at in entry.hdus.items())
    facts = [repr(value) for value in (entry.ra, entry.dec, entry.zenith)]
    document = {"obs_id": entry.obs_id, "hdus": [list(hdu) for hdu in hdus], "index": facts}
    return document if version < 3 else {**document, "index": [*facts, entry.target], "version": version}


def built(runs: Sequence[Run], release: str) -> tuple[Part | None, list[Run], list[UnusedRun]]:
    """Return the part of those runs that a part can be made of, these runs, and why the others are left out."""
    if not runs:
        return None, [], []
    try:
        return part_of(runs, release), list(runs), []
    except Exception as error:  # which of the runs it is of is found one by one
        if len(runs) == 1:
            return None, [], [_failure(runs[0].entry.obs_id, error)]
    sound: list[Run] = []
    failures: list[UnusedRun] = []
    for run in runs:
        # Beside one that is sound, as runs may also not fit each other.
        _, accepted, why = built([run], release) if not sound else _beside(sound[0], run, release)
        sound += accepted
        failures += why
    return (part_of(sound, release) if sound else None), sound, failures


def _beside(sound: Run, run: Run, release: str) -> tuple[None, list[Run], list[UnusedRun]]:
    try:
        part_of([sound, run], release)
    except Exception as error:  # the other runs are made a part of
        return None, [], [_failure(run.entry.obs_id, error)]
    return None, [run], []


def part_of(runs: Sequence[Run], release: str) -> Part:
    """Return the part that holds ``runs``; times are counted from the epoch of the first run.

    Raises
    ------
    InputError
        When there is no run.
    """
    if not runs:
        raise InputError("There is no readable run to ingest.")
    mjdref = runs[0].mjdref
    tables, places = _response_tables(runs)
    obs = _obs_table(runs, places, list(tables), release)
    return Part({"": obs, "events": _event_table(runs, mjdref), "gti": _gti_table(runs, mjdref), **tables})


def _shifts(runs: Sequence[Run], mjdref: float) -> list[float]:
    return [(run.mjdref - mjdref) * SECONDS_PER_DAY for run in runs]


def _event_table(runs: Sequence[Run], mjdref: float) -> xr.Dataset:
    names = list(runs[0].events)
    common = [name for name in names if all(name in run.events for run in runs)]
    lost = sorted({name for run in runs for name in run.events} - set(common))
    if lost:
        log.warning("Event columns that not all runs have are not kept: %s.", ", ".join(lost))
    columns = {name: np.concatenate([np.asarray(run.events[name]) for run in runs]) for name in common}
    sizes = [len(run.events["time"]) for run in runs]
    shifts = np.repeat(_shifts(runs, mjdref), sizes)
    if shifts.any():
        columns["time"] = columns["time"] + shifts
    units = {**runs[0].event_units, **EVENT_UNITS}
    variables = {
        name: (("event",), values, {"units": units.get(name, ""), "long_name": _EVENT_NAMES.get(name, name)})
        for name, values in columns.items()
    }
    return xr.Dataset(variables, attrs={"mjdref": mjdref, "time_scale": "tt", "featureType": "ragged"})


def _gti_table(runs: Sequence[Run], mjdref: float) -> xr.Dataset:
    rows = np.concatenate([run.gti + shift for run, shift in zip(runs, _shifts(runs, mjdref), strict=True)])
    attrs = {"units": "s"}
    return xr.Dataset(
        {
            "start": (("gti",), rows[:, 0], {**attrs, "long_name": "Start of good time since mjdref"}),
            "stop": (("gti",), rows[:, 1], {**attrs, "long_name": "Stop of good time since mjdref"}),
        },
        attrs={"mjdref": mjdref, "time_scale": "tt"},
    )


ResponseRows = Mapping[str, npt.NDArray[np.int64]]


def _response_tables(runs: Sequence[Run]) -> tuple[dict[str, xr.Dataset], ResponseRows]:
    """Return the response tables, each response once, and for each role the (table, row) of each run."""
    content: dict[str, list[Response]] = {}
    known: dict[tuple[str, bytes], int] = {}
    places = {role: np.full((len(runs), 2), -1) for role in IRF_ROLES}
    for number, run in enumerate(runs):
        for role, response in run.responses.items():
            if role not in places:
                continue
            table_name, _ = response.identity
            rows = content.setdefault(table_name, [])
            if response.identity not in known:
                known[response.identity] = len(rows)
                rows.append(response)
            places[role][number] = list(content).index(table_name), known[response.identity]
    return {name: _response_table(rows) for name, rows in content.items()}, places


def _response_table(rows: Sequence[Response]) -> xr.Dataset:
    first = rows[0]
    coords: dict[Any, Any] = {}
    for axis in first.axes:
        coords |= axis.coords()
    dims = ("irf", *(axis.name for axis in first.axes))
    variables = {
        name: (dims, np.stack([row.values[name] for row in rows]), {"units": first.units[name]})
        for name in first.values
    }
    return xr.Dataset(variables, coords, attrs={"hdu_class": first.kind})


# Values of a column, its unit and its name in words.
_Columns = dict[str, tuple[npt.ArrayLike, str, str]]


def _obs_table(runs: Sequence[Run], response_rows: ResponseRows, tables: list[str], release: str) -> xr.Dataset:
    columns = _observation_columns(runs) | _response_columns(response_rows) | _flag_columns(runs)
    variables = {
        name: (("obs",), np.asarray(values), {"units": unit, "long_name": text})
        for name, (values, unit, text) in columns.items()
    }
    attrs = head(SCHEMA, SCHEMA_VERSION) | {
        "mjdref": runs[0].mjdref,
        "time_scale": "tt",
        "release": release,
        "irf_tables": tables,
        "telescope": [str(run.header.get("TELESCOP", "")).strip() for run in runs],
        "bkg_field": [_field(run) for run in runs],
        "notes": [[list(note) for note in run.notes] for run in runs],
        "target": [run.entry.target or str(run.header.get("OBJECT", "")).strip() for run in runs],
    }
    obs_id = (("obs",), np.array([run.entry.obs_id for run in runs]), {"units": "", "long_name": "Observation id"})
    return xr.Dataset(variables, coords={"obs_id": obs_id}, attrs=json.loads(json.dumps(attrs)))


def _response_columns(rows: ResponseRows) -> _Columns:
    columns: _Columns = {}
    for role, place in rows.items():
        columns[f"{role}_table"] = (place[:, 0], "", f"Table of the {role} response, -1 where missing")
        columns[f"{role}_row"] = (place[:, 1], "", f"Row of the {role} response in its table")
    return columns


def _observation_columns(runs: Sequence[Run]) -> _Columns:
    headers = [run.header for run in runs]
    aeff: list[Mapping[str, Any]] = [run.responses["aeff"].header if "aeff" in run.responses else {} for run in runs]
    shifts = _shifts(runs, runs[0].mjdref)
    ontime = np.array([float((run.gti[:, 1] - run.gti[:, 0]).sum()) for run in runs])
    deadc = np.array([run.deadc for run in runs])
    return {
        "ra_pnt": (_numbers(headers, "RA_PNT"), "deg", "Pointing right ascension"),
        "dec_pnt": (_numbers(headers, "DEC_PNT"), "deg", "Pointing declination"),
        "index_ra": ([run.entry.ra for run in runs], "deg", "Pointing right ascension in the index"),
        "index_dec": ([run.entry.dec for run in runs], "deg", "Pointing declination in the index"),
        "zenith": ([_zenith(run) for run in runs], "deg", "Zenith angle of the pointing"),
        "geo_lon": (_numbers(headers, "GEOLON"), "deg", "East longitude of the site"),
        "tstart": (_good_time_ends(runs, 0, shifts), "s", "Start of the first good time since mjdref"),
        "tstop": (_good_time_ends(runs, 1, shifts), "s", "Stop of the last good time since mjdref"),
        "ontime": (ontime, "s", "Good time"),
        "livetime": (ontime * deadc, "s", "Good time corrected for dead time"),
        "deadc": (deadc, "", "Dead time correction"),
        "energy_min": (_numbers(aeff, "LO_THRES"), "TeV", "Lower end of the recommended energies"),
        "energy_max": (_numbers(aeff, "HI_THRES"), "TeV", "Upper end of the recommended energies"),
        "rad_max": (_numbers(aeff, "RAD_MAX"), "deg", "Radius of the on-region of a point-like response"),
        "event_start": (_starts([len(run.events["time"]) for run in runs]), "", "First event of the run"),
        "event_size": ([len(run.events["time"]) for run in runs], "", "Number of events of the run"),
        "event_outside": (np.array([run.event_outside for run in runs], float), "", "Number of events in no good time"),
        "gti_start": (_starts([len(run.gti) for run in runs]), "", "First good time of the run"),
        "gti_size": ([len(run.gti) for run in runs], "", "Number of good times of the run"),
        "gti_slack": ([run.gti_slack for run in runs], "s", "How long the last good time holds beyond its stop"),
    }


def _flag_columns(runs: Sequence[Run]) -> _Columns:
    is_fixed = np.array(
        ["aeff" in run.responses and response_checks.is_point_like(run.responses["aeff"]) for run in runs]
    )
    is_drift = np.array([str(run.header.get("OBS_MODE", "")).strip().upper() == "DRIFT" for run in runs])
    return {
        "point_like": (is_fixed, "", "Whether the responses hold for a fixed on-region"),
        "drift": (is_drift, "", "Whether the pointing drifts over the sky"),
    }


def _field(run: Run) -> dict[str, Any]:
    """Return how the field of view of a background lies; as right ascension and declination where it does not say."""
    if "bkg" not in run.responses:
        return {}
    word = str(run.responses["bkg"].header.get("FOVALIGN", "")).strip().upper() or irf.FOV_ALIGNMENTS[0]
    if word == irf.FOV_ALIGNMENTS[0] and all(run.header.get(key) == value for key, value in _REVERSED_BY.items()):
        word = "REVERSE_LON_RADEC"
    latitude = as_number(run.header.get("GEOLAT"))
    found = {"alignment": word} if word in irf.FOV_ALIGNMENTS else {}
    return {**found, "site_lat": latitude} if np.isfinite(latitude) else found


def _zenith(run: Run) -> float:
    """Return the zenith angle of the index, else that of the header."""
    facts = facts_of_header({**run.header, "OBS_ID": run.entry.obs_id})
    return facts.zenith if facts is not None and np.isnan(run.entry.zenith) else run.entry.zenith


def _numbers(headers: Sequence[Mapping[str, Any]], key: str) -> FloatArray:
    return np.array([as_number(header.get(key)) for header in headers])


def _good_time_ends(runs: Sequence[Run], side: int, shifts: list[float]) -> FloatArray:
    """Return the earliest start (side 0) or the latest stop (side 1) of each run's good time, NaN without any."""
    extreme = (np.min, np.max)[side]
    return np.array(
        [extreme(run.gti[:, side]) + s if len(run.gti) else np.nan for run, s in zip(runs, shifts, strict=True)]
    )


def _starts(sizes: list[int]) -> npt.NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)

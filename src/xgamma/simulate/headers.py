"""Headers and observation index of a simulated release."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xgamma.axes import FloatArray
from xgamma.formats.gadf.write import Column, Hdu, HeaderValue, obs_index_hdu, text_values
from xgamma.geometry import separation
from xgamma.simulate.plan import MJD_ZERO, MJDREFF, MJDREFI, SECONDS_PER_DAY, Plan, Run

_TIME: dict[str, HeaderValue] = {
    "MJDREFI": MJDREFI,
    "MJDREFF": MJDREFF,
    "TIMEUNIT": "s",
    "TIMESYS": "TT",
    "TIMEREF": "LOCAL",
}
_SITE: dict[str, HeaderValue] = {"GEOLON": 16.5002222222222, "GEOLAT": -23.2717777777778, "ALTITUDE": 1835.0}


def gti_header(run: Run) -> dict[str, HeaderValue]:
    """Return the keywords of a GTI table."""
    return {"OBS_ID": run.obs_id, "TSTART": float(run.gti[0, 0]), "TSTOP": float(run.gti[-1, 1]), **_TIME}


def run_header(plan: Plan, run: Run) -> dict[str, HeaderValue]:
    """Return the keywords of an event list."""
    start, stop = run.gti[0, 0], run.gti[-1, 1]
    (start_date, start_time), (stop_date, stop_time) = _date_and_time(start), _date_and_time(stop)
    return {
        "CREATOR": "xgamma simulate",
        "ORIGIN": "simulation",
        "TELESCOP": plan.telescope,
        "INSTRUME": plan.telescope,
        **gti_header(run),
        "DATE-OBS": start_date,
        "TIME-OBS": start_time,
        "DATE-END": stop_date,
        "TIME-END": stop_time,
        "TELAPSE": float(stop - start),
        "ONTIME": run.ontime,
        "LIVETIME": run.livetime,
        "DEADC": 1.0 - run.dead_time,
        "OBJECT": plan.source.name,
        "RA_OBJ": plan.source.lon,
        "DEC_OBJ": plan.source.lat,
        "RA_PNT": run.lon,
        "DEC_PNT": run.lat,
        "ALT_PNT": 90.0 - plan.zenith,
        "AZ_PNT": 0.0,
        "RADECSYS": "ICRS",
        "EQUINOX": 2000.0,
        "OBS_MODE": "POINTING",
        "EV_CLASS": "simulated",
        "N_TELS": 4,
        "TELLIST": "1,2,3,4",
        "MUONEFF": run.efficiency,
        "EUNIT": "TeV",
        **_SITE,
    }


def _date_and_time(seconds: float) -> tuple[str, str]:
    """Return date and time of day in TT, to the millisecond."""
    milliseconds = round((seconds + (MJDREFI + MJDREFF) * SECONDS_PER_DAY) * 1000.0)
    date, time = str(MJD_ZERO + np.timedelta64(milliseconds, "ms")).split("T")
    return date, time


def obs_index(plan: Plan, runs: Sequence[Run], events: Sequence[int]) -> Hdu:
    """Return the observation index of runs with their numbers of events."""
    texts, numbers = _texts(plan, runs), _numbers(plan, runs)
    counts = {
        "OBS_ID": [run.obs_id for run in runs],
        "N_TELS": [4] * len(runs),
        "QUALITY": [0] * len(runs),
        "EVENT_COUNT": list(events),
    }
    columns = [
        *(Column(name, np.array(values, dtype=np.int64)) for name, values in counts.items()),
        *(Column(name, np.broadcast_to(values, len(runs)), unit) for name, values, unit in numbers),
        *(Column(name, text_values(values)) for name, values in texts.items()),
    ]
    return obs_index_hdu(columns, {**_TIME, **_SITE})


def _numbers(plan: Plan, runs: Sequence[Run]) -> list[tuple[str, FloatArray, str]]:
    lon, lat = np.array([run.lon for run in runs]), np.array([run.lat for run in runs])
    source, altitude = plan.source, np.array(90.0 - plan.zenith)
    return [
        ("RA_PNT", lon, "deg"),
        ("DEC_PNT", lat, "deg"),
        ("ZEN_PNT", np.array(plan.zenith), "deg"),
        ("ALT_PNT", altitude, "deg"),
        ("AZ_PNT", np.array(0.0), "deg"),
        ("RA_OBJ", np.array(source.lon), "deg"),
        ("DEC_OBJ", np.array(source.lat), "deg"),
        ("OFFSET_OBJ", separation(lon, lat, source.lon, source.lat), "deg"),
        ("ONTIME", np.array([run.ontime for run in runs]), "s"),
        ("LIVETIME", np.array([run.livetime for run in runs]), "s"),
        ("DEADC", np.array(1.0 - plan.dead_time), ""),
        ("TSTART", np.array([run.gti[0, 0] for run in runs]), "s"),
        ("TSTOP", np.array([run.gti[-1, 1] for run in runs]), "s"),
        ("MUONEFF", np.array([run.efficiency for run in runs]), ""),
        ("SAFE_ENERGY_LO", np.array(plan.response.lo_thres), "TeV"),
        ("SAFE_ENERGY_HI", np.array(plan.response.hi_thres), "TeV"),
    ]


def _texts(plan: Plan, runs: Sequence[Run]) -> dict[str, list[str]]:
    begun = [_date_and_time(run.gti[0, 0]) for run in runs]
    ended = [_date_and_time(run.gti[-1, 1]) for run in runs]
    same = {"OBJECT": plan.source.name, "TELESCOP": plan.telescope, "OBS_MODE": "POINTING", "TELLIST": "1,2,3,4"}
    return {
        **{name: [text] * len(runs) for name, text in same.items()},
        "DATE-OBS": [date for date, _ in begun],
        "TIME-OBS": [time for _, time in begun],
        "DATE-END": [date for date, _ in ended],
        "TIME-END": [time for _, time in ended],
    }

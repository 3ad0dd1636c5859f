"""What a simulated release publishes: the headers of a run, its index, and the tables of the analytic instrument.

Densities are averaged over their bins, which makes the sums over migra and rad exact at the edges.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy

from xgamma.axes import Axis, FloatArray
from xgamma.formats.fits.encoding import Column, Hdu, HeaderValue, text_values
from xgamma.formats.gadf.layouts import AXES
from xgamma.formats.gadf.write import obs_index_hdu
from xgamma.geometry import separation
from xgamma.simulate.plan import MJD_ZERO, MJDREFF, MJDREFI, SECONDS_PER_DAY, AnalyticResponse, Plan, PlannedRun
from xgamma.simulate.responses import (
    AMPLITUDES,
    GAUSS_NORM,
    KING_GAMMA,
    SIGMA_RATIOS,
    analytic_area,
    background_spectrum,
    containment,
    field_profile,
    log_migration,
    log_spectrum,
    northward_profile,
    psf_width,
    rad_max,
    solid_angle,
)

_TIME: dict[str, HeaderValue] = {
    "MJDREFI": MJDREFI,
    "MJDREFF": MJDREFF,
    "TIMEUNIT": "s",
    "TIMESYS": "TT",
    "TIMEREF": "LOCAL",
}
SITE_LON, SITE_LAT = 16.5002222222222, -23.2717777777778
_SITE: dict[str, HeaderValue] = {"GEOLON": SITE_LON, "GEOLAT": SITE_LAT, "ALTITUDE": 1835.0}


def gti_header(run: PlannedRun) -> dict[str, HeaderValue]:
    """Return the keywords of a GTI table."""
    return {"OBS_ID": run.obs_id, "TSTART": float(run.gti[0, 0]), "TSTOP": float(run.gti[-1, 1]), **_TIME}


def run_header(plan: Plan, run: PlannedRun) -> dict[str, HeaderValue]:
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


def obs_index(plan: Plan, runs: Sequence[PlannedRun], events: Sequence[int]) -> Hdu:
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


def _numbers(plan: Plan, runs: Sequence[PlannedRun]) -> list[tuple[str, FloatArray, str]]:
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


def _texts(plan: Plan, runs: Sequence[PlannedRun]) -> dict[str, list[str]]:
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


MIGRA = Axis("migra", np.linspace(0.2, 3.0, 161), *AXES["migra"].unit_and_scale)
# Fine where a typical on-region ends, wide enough for the tails.
RAD = Axis("rad", np.concatenate([np.arange(60) * 0.005, np.arange(0.3, 1.2001, 0.02)]), *AXES["rad"].unit_and_scale)
AREA_STEP, COARSE_STEP = 0.25, 0.5
PSF_ENERGY_BINS, FIELD_BINS = 24, 30
# Readers continue the outermost bin for one more bin: thin ones keep that small.
RADIAL_BINS = 50
MEV_PER_TEV = 1.0e6


class ResponseTable(NamedTuple):
    """One response in the form that ``formats.gadf.write.irf_hdu`` writes."""

    kind: str
    axes: tuple[Axis, ...]
    values: dict[str, FloatArray]
    header: dict[str, HeaderValue]


def energy_axis(response: AnalyticResponse, name: str, nbin: int) -> Axis:
    """Return the energy axis of a table, ``energy_true`` or ``energy``."""
    return Axis.from_bounds(name, response.energy_min, response.energy_max, nbin, *AXES[name].unit_and_scale)


def offset_axis(response: AnalyticResponse, step: float) -> Axis:
    """Return offset nodes from 0 to ``offset_max`` about ``step`` apart, at least two."""
    count = max(int(np.ceil(response.offset_max / step)), 1)
    return Axis.from_nodes("offset", np.linspace(0.0, response.offset_max, count + 1), *AXES["offset"].unit_and_scale)


def response_tables(response: AnalyticResponse, efficiency: float) -> list[ResponseTable]:
    """Return all tables of a run: aeff, edisp, and psf and background or what a point-like cut needs."""
    aeff, edisp = _aeff_and_edisp(response, efficiency)
    if response.enclosure == "point-like":
        return [aeff, edisp, *([_rad_max_table(response)] if response.rad_max_2d else [])]
    return [aeff, edisp, _psf_table(response), background_table(response, efficiency)]


def area_table(response: AnalyticResponse, efficiency: float) -> ResponseTable:
    """Return the effective area at full enclosure, from which events are drawn."""
    energy, offset = energy_axis(response, "energy_true", response.energy_bins), offset_axis(response, AREA_STEP)
    area = efficiency * analytic_area(response, energy.center[:, None], offset.center)
    header: dict[str, HeaderValue] = {"LO_THRES": response.lo_thres, "HI_THRES": response.hi_thres}
    return ResponseTable("aeff_2d", (energy, offset), {"aeff": area}, header)


def _migra_probability(response: AnalyticResponse, energy: FloatArray, offset: FloatArray) -> FloatArray:
    """Return the probability of each migra bin, shape (energy, migra, offset)."""
    mean, width = log_migration(response, energy[:, None, None], offset)
    return np.diff(scipy.special.ndtr((np.log(MIGRA.edges)[:, None] - mean) / width), axis=1)


def _passing(response: AnalyticResponse, energy: FloatArray, offset: FloatArray) -> FloatArray:
    """Return the probability of each migra bin together with that of passing the directional cut."""
    probability = _migra_probability(response, energy, offset)
    if response.enclosure == "full-enclosure":
        return probability
    width = psf_width(response, energy[:, None, None], offset)
    reconstructed = energy[:, None, None] * MIGRA.center[:, None]
    return np.asarray(probability * containment(response, width, rad_max(response, reconstructed)))


def _aeff_and_edisp(response: AnalyticResponse, efficiency: float) -> tuple[ResponseTable, ResponseTable]:
    full = area_table(response, efficiency)
    energy, offset = full.axes
    coarse = offset_axis(response, COARSE_STEP)
    cut: dict[str, HeaderValue] = {"HDUCLAS3": response.enclosure.upper()}
    if response.enclosure == "point-like" and not response.rad_max_2d:
        cut["RAD_MAX"] = response.rad_max
    area = full.values["aeff"] * _passing(response, energy.center, offset.center).sum(axis=1)
    passing = _passing(response, energy.center, coarse.center)
    density = passing / passing.sum(axis=1, keepdims=True) / MIGRA.width[:, None]
    return (
        ResponseTable("aeff_2d", full.axes, {"aeff": area}, {**full.header, **cut}),
        ResponseTable("edisp_2d", (energy, MIGRA, coarse), {"edisp": density}, cut),
    )


def _rad_max_table(response: AnalyticResponse) -> ResponseTable:
    energy, offset = energy_axis(response, "energy", response.energy_bins), offset_axis(response, COARSE_STEP)
    values = np.repeat(rad_max(response, energy.center)[:, None], offset.nbin, axis=1)
    return ResponseTable("rad_max_2d", (energy, offset), {"rad_max": values}, {"HDUCLAS3": "POINT-LIKE"})


def _psf_table(response: AnalyticResponse) -> ResponseTable:
    energy, offset = energy_axis(response, "energy_true", PSF_ENERGY_BINS), offset_axis(response, COARSE_STEP)
    width = psf_width(response, energy.center[:, None], offset.center)
    if response.psf == "psf_table":
        ring = 2 * np.pi * np.deg2rad(RAD.center) * np.deg2rad(RAD.width)
        density = np.diff(containment(response, width[..., None], RAD.edges), axis=-1) / ring
        return ResponseTable("psf_table", (energy, offset, RAD), {"psf": density}, {})
    return ResponseTable(response.psf, (energy, offset), _psf_parameters(response.psf, width), {})


def _psf_parameters(kind: str, width: FloatArray) -> dict[str, FloatArray]:
    if kind == "psf_king":
        return {"gamma": np.full_like(width, KING_GAMMA), "sigma": width}
    values = {"scale": 1.0 / (2.0 * GAUSS_NORM * np.deg2rad(width) ** 2)}
    for number, (ratio, amplitude) in enumerate(zip(SIGMA_RATIOS, AMPLITUDES, strict=True), start=1):
        values |= {f"sigma_{number}": ratio * width, f"ampl_{number}": np.full_like(width, amplitude)}
    return values


def background_table(response: AnalyticResponse, efficiency: float) -> ResponseTable:
    """Return the background rate in s-1 MeV-1 sr-1: ``background_rate`` is its integral over energies and field."""
    energy = energy_axis(response, "energy", response.energy_bins)
    spectrum = background_spectrum(response, energy.center)
    rate = efficiency * response.background_rate / (log_spectrum(energy, spectrum).total * MEV_PER_TEV)
    if response.background == "bkg_2d":
        offset = Axis.from_bounds("offset", 0.0, response.offset_max, RADIAL_BINS, *AXES["offset"].unit_and_scale)
        values = (rate / solid_angle(response)) * spectrum[:, None] * field_profile(response, offset.center)
        return ResponseTable("bkg_2d", (energy, offset), {"bkg": values}, {})
    # Readers take the axes of a square cube for each other, as Gammapy does: an uneven one is no square.
    bins = {"fov_lon": FIELD_BINS, "fov_lat": FIELD_BINS + (2 if response.background_gradient else 0)}
    lon, lat = (
        Axis.from_bounds(name, -response.offset_max, response.offset_max, nbin, *AXES[name].unit_and_scale)
        for name, nbin in bins.items()
    )
    field = field_profile(response, lon.center)[:, None] * northward_profile(response, lat.center)
    values = (rate / solid_angle(response)) * field[..., None] * spectrum
    return ResponseTable("bkg_3d", (lon, lat, energy), {"bkg": values}, {"FOVALIGN": response.fov_alignment})

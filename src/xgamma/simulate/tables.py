"""The tables that a release publishes of the analytic instrument.

Densities are averaged over their bins, which makes the sums over migra and rad exact at the edges.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from xgamma.axes import Axis, FloatArray
from xgamma.formats.gadf.layouts import AXES
from xgamma.formats.gadf.write import HeaderValue
from xgamma.simulate.distributions import log_spectrum, solid_angle
from xgamma.simulate.plan import Response
from xgamma.simulate.responses import (
    AMPLITUDES,
    GAUSS_NORM,
    KING_GAMMA,
    SIGMA_RATIOS,
    background_spectrum,
    containment,
    effective_area,
    field_profile,
    log_migration,
    psf_width,
    rad_max,
)

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


def energy_axis(response: Response, name: str, nbin: int) -> Axis:
    """Return the energy axis of a table, ``energy_true`` or ``energy``."""
    return Axis.from_bounds(name, response.energy_min, response.energy_max, nbin, *AXES[name].unit_and_scale)


def offset_axis(response: Response, step: float) -> Axis:
    """Return offset nodes from 0 to ``offset_max`` about ``step`` apart, at least two."""
    count = max(int(np.ceil(response.offset_max / step)), 1)
    return Axis.from_nodes("offset", np.linspace(0.0, response.offset_max, count + 1), *AXES["offset"].unit_and_scale)


def response_tables(response: Response, efficiency: float) -> list[ResponseTable]:
    """Return all tables of a run: aeff, edisp, and psf and background or what a point-like cut needs."""
    aeff, edisp = _aeff_and_edisp(response, efficiency)
    if response.enclosure == "point-like":
        return [aeff, edisp, *([_rad_max_table(response)] if response.rad_max_2d else [])]
    return [aeff, edisp, _psf_table(response), background_table(response, efficiency)]


def area_table(response: Response, efficiency: float) -> ResponseTable:
    """Return the effective area at full enclosure, from which events are drawn."""
    energy, offset = energy_axis(response, "energy_true", response.energy_bins), offset_axis(response, AREA_STEP)
    area = efficiency * effective_area(response, energy.center[:, None], offset.center)
    header: dict[str, HeaderValue] = {"LO_THRES": response.lo_thres, "HI_THRES": response.hi_thres}
    return ResponseTable("aeff_2d", (energy, offset), {"aeff": area}, header)


def _migra_probability(response: Response, energy: FloatArray, offset: FloatArray) -> FloatArray:
    """Return the probability of each migra bin, shape (energy, migra, offset)."""
    mean, width = log_migration(response, energy[:, None, None], offset)
    return np.diff(ndtr((np.log(MIGRA.edges)[:, None] - mean) / width), axis=1)


def _passing(response: Response, energy: FloatArray, offset: FloatArray) -> FloatArray:
    """Return the probability of each migra bin together with that of passing the directional cut."""
    probability = _migra_probability(response, energy, offset)
    if response.enclosure == "full-enclosure":
        return probability
    width = psf_width(response, energy[:, None, None], offset)
    reconstructed = energy[:, None, None] * MIGRA.center[:, None]
    return np.asarray(probability * containment(response, width, rad_max(response, reconstructed)))


def _aeff_and_edisp(response: Response, efficiency: float) -> tuple[ResponseTable, ResponseTable]:
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


def _rad_max_table(response: Response) -> ResponseTable:
    energy, offset = energy_axis(response, "energy", response.energy_bins), offset_axis(response, COARSE_STEP)
    values = np.repeat(rad_max(response, energy.center)[:, None], offset.nbin, axis=1)
    return ResponseTable("rad_max_2d", (energy, offset), {"rad_max": values}, {"HDUCLAS3": "POINT-LIKE"})


def _psf_table(response: Response) -> ResponseTable:
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


def background_table(response: Response, efficiency: float) -> ResponseTable:
    """Return the background rate in s-1 MeV-1 sr-1: ``background_rate`` is its integral over energies and field."""
    energy = energy_axis(response, "energy", response.energy_bins)
    spectrum = background_spectrum(response, energy.center)
    rate = efficiency * response.background_rate / (log_spectrum(energy, spectrum).total * MEV_PER_TEV)
    if response.background == "bkg_2d":
        offset = Axis.from_bounds("offset", 0.0, response.offset_max, RADIAL_BINS, *AXES["offset"].unit_and_scale)
        values = (rate / solid_angle(response)) * spectrum[:, None] * field_profile(response, offset.center)
        return ResponseTable("bkg_2d", (energy, offset), {"bkg": values}, {})
    lon, lat = (
        Axis.from_bounds(name, -response.offset_max, response.offset_max, FIELD_BINS, *AXES[name].unit_and_scale)
        for name in ("fov_lon", "fov_lat")
    )
    field = field_profile(response, lon.center)[:, None] * field_profile(response, lat.center)
    values = (rate / solid_angle(response)) * field[..., None] * spectrum
    return ResponseTable("bkg_3d", (lon, lat, energy), {"bkg": values}, {"FOVALIGN": "RADEC"})

"""Views of datasets, runs and events beside those of Gammapy, in numbers, on four runs of H.E.S.S."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from test_reference_runs import CRAB, analysis_of

from xgamma.makers.utils import make_theta_squared_table
from xgamma.maps import MapAxis
from xgamma.modeling.models import PowerLawSpectralModel, SkyModel

PEER = os.environ.get("PEER_PYTHON", "")
RANGE = u.Quantity([1, 5], "TeV")


@pytest.fixture(scope="module")
def analysis(gammapy_data, tmp_path_factory):
    return analysis_of(CRAB, tmp_path_factory.mktemp("views"), stack=False)


@pytest.fixture(scope="module")
def theirs(gammapy_data, analysis, tmp_path_factory):
    if not PEER:
        pytest.skip("PEER_PYTHON names no python that has Gammapy")
    folder = tmp_path_factory.mktemp("peer")
    ask, answer = folder / "request.json", folder / "result.npz"
    request = {
        "datastore": str(gammapy_data / "hess-dl3-dr1"),
        "obs_ids": [int(obs_id) for obs_id in analysis.observations.ids],
        "exclusion": str(gammapy_data / "joint-crab/exclusion/exclusion_mask_crab.fits.gz"),
    }
    ask.write_text(json.dumps(request))
    subprocess.run([PEER, str(Path(__file__).with_name("peer_views.py")), str(ask), str(answer)], check=True)
    with np.load(answer) as found:
        return dict(found)


def largest(ours, theirs):
    """Return the largest deviation relative to the largest number; infinite where only one is not finite."""
    ours, theirs = (np.asarray(values, float).squeeze() for values in (ours, theirs))
    finite = np.isfinite(theirs)
    if ours.shape != theirs.shape or (np.isfinite(ours) != finite).any():
        return np.inf
    scale = np.abs(theirs[finite]).max(initial=0.0) or 1.0
    return float(np.abs(ours[finite] - theirs[finite]).max(initial=0.0) / scale)


def validate(ours, theirs, prefix, limit, **others):
    """Raise where numbers deviate by more than their limit, each named."""
    found = {name: largest(value, theirs[f"{prefix}{name}"]) for name, value in ours.items()}
    wrong = {name: value for name, value in found.items() if not value <= others.get(name, limit)}
    assert not wrong


def columns(table):
    return {name: np.asarray(table[name]) for name in table.colnames if table[name].dtype.kind in "fiub"}


def held(view):
    names = ("counts", "counts_off", "acceptance", "acceptance_off", "exposure", "edisp", "mask_safe", "mask_fit")
    arrays = {name: getattr(view, name) for name in names}
    return {name: array.values for name, array in arrays.items() if array is not None} | {
        "edges": view.energy_axis.edges
    }


def where_known(ours, theirs, prefix):
    """Return both with alpha for the acceptances, which are 1 in our stacks, where Gammapy's are not NaN."""
    theirs = {name: np.atleast_1d(theirs[f"{prefix}{name}"]) for name in ours}
    known = theirs["mask_safe"].astype(bool) & np.isfinite(theirs["acceptance_off"])
    for values in (ours, theirs):
        on, off = (np.atleast_1d(np.squeeze(values.pop(name))) for name in ("acceptance", "acceptance_off"))
        values["alpha"] = np.divide(on, off, out=np.zeros(on.shape), where=known)
    return ours, theirs


# --- datasets


def test_the_info_table_of_rows_and_of_their_cumulative_stacks(analysis, theirs):
    datasets = analysis.datasets
    validate(columns(datasets.info_table()), theirs, "info/", 1e-6)
    table = columns(datasets.info_table(cumulative=True))
    # Of a stack they are 1 in each bin; their ratio is compared.
    del table["acceptance"], table["acceptance_off"]
    validate(table, theirs, "cumulative/", 1e-6)


def test_what_runs_and_their_good_time_are(analysis, theirs):
    table = analysis.datasets.meta_table
    validate({name: table[name] for name in ("OBS_ID", "RA_PNT", "DEC_PNT")}, theirs, "meta/", 1e-12)
    assert largest(analysis.datasets.gti.time_sum.to_value("s"), theirs["gti"]) < 1e-9


@pytest.fixture
def modelled(analysis):
    datasets = analysis.datasets.copy()
    datasets.models = SkyModel(PowerLawSpectralModel(index=2.6, amplitude="4.5e-11 cm-2 s-1 TeV-1", reference="1 TeV"))
    for view in datasets:
        view.mask_fit = view.counts.geom.energy_mask("1 TeV", "20 TeV")
    return datasets


@pytest.mark.parametrize("method", ["diff", "diff/model", "diff/sqrt(model)"])
def test_residuals(modelled, theirs, method):
    assert largest(modelled[0].residuals(method), theirs[f"residuals {method}"]) < 1e-6


def test_energy_ranges(modelled, theirs):
    ours = {name: getattr(modelled[0], name) for name in ("energy_range", "energy_range_safe", "energy_range_fit")}
    ours["energy_range_total"] = u.Quantity(modelled[0].energy_range_total).to_value("TeV")
    validate(ours, theirs, "", 1e-12)


@pytest.mark.parametrize("name", ["stacked", "resampled", "image", "slice", "pair", "fake"])
def test_rows_made_of_rows(modelled, theirs, name):
    one = modelled[0]
    if name == "fake":
        one.fake(npred_background=one.npred_background(), random_state=42)
    pair = one.to_masked()
    pair.stack(modelled[1])
    made = {
        "stacked": modelled.stack_reduce,
        "resampled": lambda: one.resample_energy_axis(u.Quantity([0.6, 1.2, 3.1, 9, 25], "TeV")),
        "image": one.to_image,
        "slice": lambda: one.slice_by_energy(*RANGE),
        "pair": lambda: pair,
        "fake": lambda: one,
    }
    ours = held(made[name]())
    validate(*where_known(ours, theirs, f"{name}/"), "", 1e-6)


# --- runs


def test_events_good_time_and_responses_of_a_run(analysis, theirs):
    run = analysis.observations[0]
    events, few = run.events, run.events.select_energy(u.Quantity([1, 10], "TeV"))
    offset, energy = u.Quantity([0.1, 0.5, 1.3], "deg")[:, np.newaxis], u.Quantity([0.7, 2.0, 15.0], "TeV")
    ours = {
        "events": [len(events), len(few), len(events.select_offset(u.Quantity([0, 1], "deg")))],
        "events time": events.time.mjd[:5],
        "events offset": few.offset.value,
        "live": run.observation_live_time_duration.value,
        "gti sum": run.gti.time_sum.value,
        "pointing": run.pointing,
        "aeff": run.aeff.evaluate(offset, energy).value,
        "bkg": run.bkg.evaluate(energy, fov_lon=0.5 * u.deg, fov_lat=-0.3 * u.deg).value,
        "edisp": run.edisp.density(0.5).values.T,
        "psf": run.psf.containment(0.11 * u.deg, offset, energy),
        "containment radius": run.psf.containment_radius(0.68, offset, energy).value,
    }
    # Gammapy's offsets and rates are of single precision, its containment radii steps of a twentieth of a bin.
    validate(ours, theirs, "", 1e-9, **{"events offset": 1e-6, "edisp": 1e-6, "bkg": 1e-6, "containment radius": 1e-3})


@pytest.mark.parametrize("off_regions", [1, 3])
def test_events_over_the_squared_angle_to_the_source(analysis, theirs, off_regions):
    axis = MapAxis.from_bounds(0, 0.05, nbin=10, interp="lin", unit="deg2")
    edges = None if off_regions == 1 else u.Quantity([1, 10], "TeV")
    source = SkyCoord(83.633, 22.014, unit="deg", frame="icrs")
    options = {"energy_edges": edges, "off_regions_number": off_regions}
    table = make_theta_squared_table(analysis.observations, axis, source, **options)
    validate(columns(table), theirs, f"theta2 {off_regions}/", 1e-12, excess_errn=1e-9, excess_errp=1e-9)

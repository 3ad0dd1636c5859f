"""Closure of maps: fields of several sources."""

import dataclasses

import numpy as np
import pytest

from xgamma.closure import (
    FieldTrial,
    Trial,
    excess_ratio,
    field_plan,
    field_trial_of,
    findings,
    picture,
    reduced_sets,
    run_closure,
    simulator_of,
    trial_of,
)
from xgamma.closure.fields import default_field_document
from xgamma.config.config import AnalysisConfig
from xgamma.errors import ConfigError
from xgamma.fit import mask_fit
from xgamma.geometry import separation
from xgamma.predict import npred
from xgamma.reduce import select_rows
from xgamma.simulate import Plan
from xgamma.store import Store

PLAN = dataclasses.replace(field_plan(), runs=2, duration=3000.0)


def coarse_document(plan):
    """Return an analysis of few bins, which are quick to fit."""
    document = default_field_document(plan)
    geom = document["datasets"]["geom"]
    geom["wcs"]["binsize"] = "0.1 deg"
    geom["axes"]["energy"]["nbins"], geom["axes"]["energy_true"]["nbins"] = 2, 10
    return document


@pytest.fixture(scope="module")
def trial():
    return field_trial_of(PLAN, AnalysisConfig(**coarse_document(PLAN)))


@pytest.fixture(scope="module")
def stacks(trial):
    return reduced_sets(simulator_of(PLAN), [1, 2], trial.recipe)


def test_a_plan_with_models_is_a_trial_of_maps(trial):
    assert isinstance(trial_of(PLAN), FieldTrial)
    assert isinstance(trial_of(Plan()), Trial)
    names = trial.models("1").parameters_unique_names
    assert {"point.spatial.lon_0", "gauss.spatial.sigma", "disk.spatial.r_0", "background.spectral.norm"} <= set(names)
    assert len(trial.models("1").parameters.free_parameters) == 15


def test_the_range_of_a_fit_of_maps_is_one_of_energies(stacks):
    mask = mask_fit(stacks, 4.0, None)
    assert mask.shape == stacks["counts"].shape
    assert mask.any(axis=(0, 2, 3)).tolist() == [False, True]
    assert mask_fit(stacks, None, None).all()


def test_a_field_without_noise_gives_the_truth(trial, stacks):
    row = select_rows(stacks, [0])
    exact = npred(row, trial.models("1"))
    estimated = trial.estimated(row.assign(counts=row["counts"].copy(data=exact.values)))
    assert estimated["success"].all()
    deviation = (estimated["value"].values - estimated["truth"].values) / estimated["error"].values
    np.testing.assert_allclose(deviation, 0.0, atol=0.02)
    np.testing.assert_allclose(estimated["counts"], estimated["background"] + estimated["signal"], rtol=1e-6)


def test_counts_of_many_sets_are_what_is_predicted_in_every_ring_about_a_source(trial):
    stacks = reduced_sets(simulator_of(PLAN), range(3, 33), trial.recipe)
    row = select_rows(stacks, [0])
    counts = stacks["counts"].values.astype(float).sum(axis=(0, 1))
    expected = 30 * npred(row, trial.models("3")).values[0].sum(axis=0)
    lon, lat = (values.reshape(expected.shape) for values in trial.recipe.grid.space.positions())
    for place in ((84.1, 22.4), (83.05, 22.25), (83.7, 21.45)):
        ring = (separation(lon, lat, *place) / 0.1).astype(int).ravel()
        found, wanted = (np.bincount(ring, values.ravel())[:8] for values in (counts, expected))
        assert np.abs((found - wanted) / np.sqrt(wanted)).max() < 3.5


@pytest.mark.long
def test_sets_of_a_field_are_fitted_kept_and_drawn(trial):
    store = Store("memory://")
    results = run_closure(trial, 2, store)
    assert results["success"].all()
    ratio, error = excess_ratio(results)
    assert abs(ratio - 1.0) < 4 * error
    pulls = (results["value"] - results["truth"]) / results["error"]
    assert np.abs(pulls).max() < 5
    found = findings(results)
    assert [finding.what for finding in found] == results["parameter"].values.tolist()
    assert all(np.isnan(finding.bias) == finding.what.endswith(("lon_0", "lat_0")) for finding in found)
    assert picture(results).startswith(b"\x89PNG")
    assert run_closure(trial, 2, store).identical(results)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"type": "1d"}, r"datasets\.type: expected 3d"),
        ({"background": {"method": "ring", "parameters": {"r_in": "0.5 deg", "width": "0.2 deg"}}}, "no background"),
    ],
)
def test_an_analysis_that_does_not_fit_a_field_raises(change, sentence):
    document = default_field_document(PLAN)
    document["datasets"] |= change
    document["datasets"]["geom"]["axes"]["energy"]["nbins"] = 1
    with pytest.raises(ConfigError, match=sentence):
        field_trial_of(PLAN, AnalysisConfig(**document))

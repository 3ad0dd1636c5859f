"""Simulated sets recover the truth; a wrong truth, a wrong response and wrong errors are detected."""

import dataclasses
import os

import numpy as np
import pytest

from releases import TINY
from xgamma.closure import (
    estimated_sets,
    excess_ratio,
    findings,
    picture,
    reduced_sets,
    run_closure,
    simulator_of,
    trial_of,
)
from xgamma.closure import sets as closure_sets
from xgamma.closure.findings import LEVEL
from xgamma.closure.sets import KIND, batches_of
from xgamma.errors import DataError
from xgamma.simulate import Plan
from xgamma.store import Store

# `make test-all` asks for more.
SETS = int(os.environ.get("XGAMMA_SETS", "40"))


@pytest.fixture(scope="module")
def trial():
    return trial_of(Plan())


@pytest.fixture(scope="module")
def results(trial):
    """Sets of six runs on a source like the Crab."""
    return run_closure(trial, SETS)


def wrong(results):
    return {finding.title for finding in findings(results) if finding.is_wrong}


def is_off(ratio_and_error):
    ratio, error = ratio_and_error
    return abs(ratio - 1) > LEVEL * error


def test_fits_of_simulated_sets_recover_the_truth(results):
    found = findings(results)
    assert results["success"].all()
    assert [finding.what for finding in found] == ["index", "amplitude"] + ["point"] * 8 + ["limit"] * 8
    assert [finding.is_asked for finding in found] == [True] * 7 + [False] * 3 + [True] * 5 + [False] * 3
    assert wrong(results) == set()
    assert not is_off(excess_ratio(results))


def test_points_and_limits_are_tested_from_20_expected_counts_on(results):
    for finding in findings(results):
        assert finding.is_asked == (finding.energy is None or finding.counts >= 20)


def test_a_wrong_index_is_detected(results):
    truth = results["truth"] + [0.1, 0.0]
    assert wrong(results.assign(truth=truth)) == {"index"}


def test_wrong_sizes_of_errors_are_detected(results):
    for factor in (0.5, 2.0):
        assert wrong(results.assign(error=factor * results["error"])) == {"index", "amplitude"}
        scaled = {name: factor * results[name] for name in ("norm_errn", "norm_errp")}
        asked = {f.title for f in findings(results) if f.is_asked and f.what == "point"}
        assert wrong(results.assign(scaled)) == asked


def test_limits_that_are_too_low_are_detected(results):
    asked = {f.title for f in findings(results) if f.is_asked and f.what == "limit"}
    assert wrong(results.assign(norm_ul=results["norm"])) == asked


def test_an_effective_area_that_is_10_percent_too_large_is_detected(trial):
    response = dataclasses.replace(trial.plan.response, area=1.1 * trial.plan.response.area)
    published = simulator_of(dataclasses.replace(trial.plan, response=response)).published
    simulator = dataclasses.replace(simulator_of(trial.plan), published=published)
    seeds = list(range(20))
    results = estimated_sets(trial, reduced_sets(simulator, seeds, trial.recipe))
    assert "amplitude" in wrong(results)
    assert "index" not in wrong(results)
    assert is_off(excess_ratio(results))
    amplitude = results["value"].sel(parameter="amplitude") / results["truth"].sel(parameter="amplitude")
    assert float(amplitude.mean()) == pytest.approx(1 / 1.1, abs=0.05)


def test_more_sets_leave_the_first_ones_as_they_are():
    trial = trial_of(dataclasses.replace(TINY, runs=40))
    assert [len(seeds) for seeds in batches_of(trial, 7)] == [3, 3, 1]
    few, more = (run_closure(trial, sets) for sets in (2, 4))
    assert few.identical(more.isel(set=slice(2)))


def test_what_a_store_holds_is_not_computed_again(monkeypatch):
    store, trial = Store("memory://"), trial_of(dataclasses.replace(TINY, runs=50))
    first = run_closure(trial, 4, store)
    assert len(store.ls(KIND)) == 2
    monkeypatch.setattr(closure_sets, "reduced_sets", None)
    assert run_closure(trial, 4, store).identical(first)
    with pytest.raises(TypeError):
        run_closure(dataclasses.replace(trial, edges=(1.0, 10.0)), 4, store)


def test_sets_without_a_fit_and_points_without_a_norm_are_left_out(results):
    success = results["success"].values.copy()
    success[:10] = False
    norm = results["norm"].values.copy()
    norm[:, 0] = np.nan
    damaged = results.assign(success=("set", success), norm=(("set", "energy"), norm))
    found = findings(damaged)
    assert [finding.what for finding in found] == ["index", "amplitude"] + ["point"] * 7 + ["limit"] * 7
    assert {finding.coverage.count for finding in found} == {SETS - 10}


def test_fewer_than_two_fits_give_no_finding(results):
    success = np.arange(SETS) == 0
    with pytest.raises(DataError, match=f"1 of {SETS} fits converged, which tells nothing"):
        findings(results.assign(success=("set", success)))


def test_the_picture_is_a_png(results):
    assert picture(results, [results]).startswith(b"\x89PNG")

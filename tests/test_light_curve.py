"""Light curves: laws that tie them to flux points, what they say of themselves, and what they refuse."""

from __future__ import annotations

import logging
import sys

import numpy as np
import pytest
from astropy import units as u
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize_scalar

from builders import dl4_dataset, with_outcome
from simulated_spectra import models, power_law
from xgamma import stats
from xgamma.errors import ConfigError, DataError, UnknownNameError
from xgamma.estimate import LightCurveParameters, flux_points, light_curve
from xgamma.fit import FitInput, mask_fit
from xgamma.outcome import Outcome
from xgamma.predict import npred_signal
from xgamma.reduce import select_rows, stack
from xgamma.registry import lookup
from xgamma.schema import PRODUCTS, Kind
from xgamma.schema.tables import product_violations
from xgamma.times import time_from_seconds

ALL = {"selection_optional": "all"}
EDGES = [1.0, 3.0, 10.0, 30.0] * u.TeV
ESTIMATED = (
    "norm", "norm_err", "norm_errn", "norm_errp", "norm_ul", "ts", "sqrt_ts", "stat", "stat_null", "stat_scan",
    "success", "is_ul", "e_min_fit", "e_max_fit",
)  # fmt: skip
SUMS = ("counts", "npred", "npred_excess", "counts_left_out")


@pytest.fixture(autouse=True)
def _quiet(caplog):
    caplog.set_level(logging.ERROR, "xgamma.estimate")


def curve(rows, binning=None, given_models=None, edges=EDGES, **parameters):
    return light_curve([rows], given_models or models(), "source", edges, binning, {**ALL, **parameters})


def intervals(ds, *rows):
    """Return intervals from the first start to the last stop of some rows each."""
    gti = ds["gti"].values
    seconds = [np.array([gti[own[0], 0, 0], gti[own[-1], 0, 1]]) for own in rows]
    return [tuple(time_from_seconds(pair, ds.attrs["mjdref"])) for pair in seconds]


def assert_same(bin_of_curve, points, rtol=1e-12):
    for name in ESTIMATED:
        np.testing.assert_allclose(bin_of_curve[name], points[name], rtol=rtol, atol=1e-12, err_msg=name)
    for name in SUMS:
        np.testing.assert_allclose(
            bin_of_curve[name], points[name].sum("dataset", skipna=False), rtol=rtol, err_msg=name
        )
    for name in ("norm_scan", "ref_dnde", "ref_flux", "ref_eflux", "ref_e2dnde", "energy_bounds"):
        np.testing.assert_allclose(bin_of_curve[name], points[name], rtol=rtol, err_msg=name)


# --- laws


@pytest.mark.parametrize("on_off", [True, False])
def test_a_bin_of_one_dataset_is_its_flux_points(on_off):
    ds = dl4_dataset(5, on_off=on_off)
    found = curve(ds)
    for row in range(5):
        points = flux_points([select_rows(ds, [row])], models(), "source", EDGES, ALL)
        assert_same(found.isel(time=row), points)
    assert not product_violations({"": found}, PRODUCTS[Kind.LIGHT_CURVE])


def test_a_bin_of_several_datasets_is_their_joint_flux_points():
    ds = dl4_dataset(6)
    found = curve(ds, intervals(ds, [0, 1, 2], [4, 5]))
    assert found["bin_of_dataset"].values.tolist() == [0, 0, 0, -1, 1, 1]
    for number, rows in enumerate(([0, 1, 2], [4, 5])):
        points = flux_points([select_rows(ds, rows)], models(), "source", EDGES, ALL)
        assert_same(found.isel(time=number), points)
        np.testing.assert_allclose(found["dataset_counts"][rows], points["counts"].T)
        np.testing.assert_allclose(found["dataset_npred"][rows], points["npred"].T)
        np.testing.assert_allclose(found["dataset_npred_excess"][rows], points["npred_excess"].T)
    assert np.isnan(found["dataset_npred"][3]).all()
    assert (found["dataset_counts"][3] == 0).all()
    assert not product_violations({"": found}, PRODUCTS[Kind.LIGHT_CURVE])


@settings(max_examples=15)
@given(st.integers(0, 1000), st.permutations(range(5)))
def test_the_order_of_datasets_and_how_they_are_given_are_immaterial(seed, order):
    ds, parameters = dl4_dataset(5, seed=seed), LightCurveParameters("ul")
    whole = light_curve([ds], models(), "source", EDGES, None, parameters)
    mixed = [select_rows(ds, [row]) for row in order]
    other = light_curve(mixed, models(), "source", EDGES, None, parameters)
    assert other["dataset"].values.tolist() == [whole["dataset"].values[row] for row in order]
    for name in ("norm", "norm_err", "norm_ul", "ts", "stat", "counts", "npred", "time_bounds", "ontime", "e_min_fit"):
        np.testing.assert_allclose(other[name], whole[name], rtol=1e-10, atol=1e-12, err_msg=name)


def test_all_datasets_in_one_bin_are_flux_points_of_all():
    ds = dl4_dataset(4)
    found = curve(ds, intervals(ds, [0, 1, 2, 3]))
    assert found.sizes["time"] == 1
    assert_same(found.isel(time=0), flux_points([ds], models(), "source", EDGES, ALL))


def test_a_stack_in_a_bin_is_the_flux_points_of_the_stack():
    ds = dl4_dataset(6)
    found = curve(ds, intervals(ds, [0, 1, 2], [4, 5]), stack_in_bin=True)
    assert found["dataset"].values.tolist() == ["bin-1", "bin-2"]
    assert found.attrs["rows"] == [["23523", "23524", "23525"], ["23527", "23528"]]
    assert found["bin_of_dataset"].values.tolist() == [0, 1]
    assert found.attrs["time_report"] == ["outside of all intervals, left out: 23526"]
    for number, rows in enumerate(([0, 1, 2], [4, 5])):
        points = flux_points([stack(select_rows(ds, rows))], models(), "source", EDGES, ALL)
        assert_same(found.isel(time=number), points)
    assert not product_violations({"": found}, PRODUCTS[Kind.LIGHT_CURVE])


def test_stacks_and_joint_bins_agree_where_all_datasets_are_alike():
    ds = select_rows(dl4_dataset(3), [0, 0, 0]).assign_coords(dataset=["a", "b", "c"])
    shift = 5000.0 * np.arange(3)[:, np.newaxis, np.newaxis]
    ds = ds.assign(gti=ds["gti"].copy(data=ds["gti"].values + shift))
    whole = intervals(ds, [0, 1, 2])
    joint, stacked = curve(ds, whole), curve(ds, whole, stack_in_bin=True)
    for name in ("norm", "norm_err", "norm_ul", "norm_errn", "ts", "counts", "npred_excess", "ontime"):
        np.testing.assert_allclose(stacked[name], joint[name], rtol=1e-8, err_msg=name)


def test_what_a_fit_leaves_out_is_left_out_of_bins_and_of_stacks():
    ds = dl4_dataset(3)
    given = FitInput(ds, mask_fit(ds, 2.0, None))
    for binning, rows in ((None, [1]), (intervals(ds, [0, 1, 2]), [0, 1, 2])):
        one = FitInput(select_rows(ds, rows), given.mask[rows])
        points = flux_points([one], models(), "source", EDGES, ALL)
        found = light_curve([given], models(), "source", EDGES, binning, ALL)
        assert_same(found.isel(time=1 if binning is None else 0), points)
        assert found.attrs["binning_report"]
    stacked = light_curve([given], models(), "source", EDGES, intervals(ds, [0, 1, 2]), {**ALL, "stack_in_bin": True})
    np.testing.assert_array_equal(stacked["e_min_fit"], found["e_min_fit"])
    assert float(stacked["counts"].sum()) == float(found["counts"].sum())


def test_many_rows_are_folded_in_blocks_of_any_size(monkeypatch):
    ds = dl4_dataset(7)
    whole = curve(ds)
    monkeypatch.setattr(sys.modules[light_curve.__module__], "ROWS", 3)
    assert curve(ds).identical(whole)


def test_blocks_of_a_flare_are_the_flare():
    ds = dl4_dataset(12)
    bright = ds["counts"].values.copy()
    bright[4:7] *= 6
    ds = ds.assign(counts=ds["counts"].copy(data=bright))
    found = curve(ds, {"blocks": 0.01})
    assert found["bin_of_dataset"].values.tolist() == [0] * 4 + [1] * 3 + [2] * 5
    assert found.attrs["binning"] == "blocks"


def test_numbers_are_the_minima_and_crossings_of_the_statistic():
    ds, source = (
        dl4_dataset(3, seed=4),
        models(power_law(index=2.0, amplitude=2e-11), power_law("other", amplitude=2e-12)),
    )
    found = curve(ds, intervals(ds, [0, 1], [2]), source, [1.0, 10.0] * u.TeV, n_sigma_ul=3.0)
    reference, other = (npred_signal(ds, models(one)).values for one in source)
    alpha = (ds["acceptance"] / ds["acceptance_off"]).values
    low, high = found["energy_bounds"].values[0]
    energy = (ds["energy"].values > low) & (ds["energy"].values < high)
    for number, rows in enumerate(([0, 1], [2])):
        bins = ds["mask_safe"].values & energy & np.isin(np.arange(3), rows)[:, None, None]

        def stat(norm, bins=bins):
            counts = (ds["counts"].values[bins], ds["counts_off"].values[bins], alpha[bins])
            return float(stats.wstat(*counts, norm * reference[bins] + other[bins]).sum())

        best = minimize_scalar(stat, bounds=(-1, 20), method="bounded", options={"xatol": 1e-10})
        one = found.isel(time=number, energy=0)
        assert float(one["norm"]) == pytest.approx(best.x, abs=1e-4 * float(one["norm_err"]))
        assert float(one["stat"]) == pytest.approx(best.fun, abs=1e-7)
        upper = brentq(lambda x: stat(x) - best.fun - 9.0, best.x, best.x + 20 * float(one["norm_err"]))  # noqa: B023
        assert float(one["norm_ul"]) == pytest.approx(upper, rel=1e-6)
        np.testing.assert_allclose(one["stat_scan"], [stat(x) for x in found["norm_scan"].values])


# --- what it says of itself


def test_times_are_those_of_the_good_time():
    ds = dl4_dataset(4)
    found = curve(ds, intervals(ds, [0, 1], [2, 3]))
    gti = ds["gti"].values[:, 0]
    np.testing.assert_allclose(found["time_exposed"], [[gti[0, 0], gti[1, 1]], [gti[2, 0], gti[3, 1]]], rtol=0, atol=0)
    np.testing.assert_allclose(found["time_bounds"], found["time_exposed"], atol=1e-6)
    np.testing.assert_allclose(found["time"], found["time_bounds"].mean("bound"))
    assert found["ontime"].values.tolist() == [3400.0, 3400.0]
    assert found["livetime"].values.tolist() == [3200.0, 3200.0]
    assert (found.attrs["mjdref"], found.attrs["time_scale"]) == (ds.attrs["mjdref"], "tt")


def test_epochs_of_datasets_may_differ():
    ds = dl4_dataset(2)
    later = select_rows(ds, [1])
    days = 1000.25
    moved = later.assign(gti=later["gti"].copy(data=later["gti"].values - days * 86400.0))
    moved.attrs["mjdref"] = ds.attrs["mjdref"] + days
    found = light_curve([select_rows(ds, [0]), moved], models(), "source", EDGES)
    np.testing.assert_allclose(found["time_bounds"], ds["gti"].values[:, 0], rtol=0, atol=1e-5)


def test_a_run_that_uses_a_part_of_the_energies_is_flagged():
    ds = dl4_dataset(3)
    mask = ds["mask_safe"].values.copy()
    mask[1, :, :2] = False
    mask[2, :, :3] = False
    ds = ds.assign(mask_safe=ds["mask_safe"].copy(data=mask))
    found, edges = curve(ds, edges=[1.0, 7.7] * u.TeV), ds["energy_bounds"].values[:, 0]
    assert found["is_extrapolated"].values[:, 0].tolist() == [False, True, True]
    np.testing.assert_array_equal(found["e_min_fit"][:, 0], edges[[1, 2, 3]])
    joint = curve(ds, intervals(ds, [0, 1, 2]), edges=[1.0, 7.7] * u.TeV)
    assert joint["is_extrapolated"].values.tolist() == [[True]]
    assert joint["e_min_fit"].values.tolist() == [[edges[1]]]
    assert "some datasets use a part of the energies only" in joint.attrs["binning_report"][-1]


def test_a_bin_without_energies_is_a_row_of_nothing():
    ds = dl4_dataset(2)
    mask = ds["mask_safe"].values.copy()
    mask[1, :, 2:] = False
    mask[1, :, 0] = True
    found = curve(ds.assign(mask_safe=ds["mask_safe"].copy(data=mask)), edges=[4.0, 30.0] * u.TeV)
    assert found["success"].values.tolist() == [[True], [False]]
    assert np.isnan(found["norm"].values[1, 0])
    assert np.isnan(found["npred"].values[1, 0])
    assert np.isnan(found["e_min_fit"].values[1, 0])
    assert not bool(found["is_extrapolated"].values[1, 0])


def test_left_out_datasets_are_named_once(caplog):
    caplog.set_level(logging.WARNING, "xgamma.estimate")
    ds = with_outcome(dl4_dataset(4), 1, Outcome.NO_OFF_REGION)
    found = curve(ds, intervals(ds, [0, 1, 2]))
    assert found["placement"].attrs["flag_meanings"] == "inside partly_inside outside no_good_time no_bin_used"
    assert found["placement"].values.tolist() == [0, 4, 0, 2]
    assert found.attrs["time_report"] == [
        "outside of all intervals, left out: 23526",
        "without a bin of energy that is used, left out: 23524",
    ]
    said = [record.message for record in caplog.records if record.message.startswith("Light curve: ")]
    assert said == ["Light curve: " + "; ".join(found.attrs["time_report"]) + "."]


def test_models_belong_to_the_datasets_that_they_name():
    ds = dl4_dataset(3)
    only = models(power_law(), power_law("other", amplitude=1e-11, datasets_names=["23524"]))
    found, alone = curve(ds, None, only), curve(ds)
    np.testing.assert_allclose(found["norm"][[0, 2]], alone["norm"][[0, 2]])
    assert (found["norm"][1] < alone["norm"][1]).all()
    with pytest.raises(ConfigError, match=r"expected models of all datasets, and other has datasets_names"):
        curve(ds, None, only, stack_in_bin=True)


# --- refusals


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"source": "crab"}, UnknownNameError, "light_curve.source: no model is called 'crab'"),
        ({"edges": [3.0, 1.0]}, ConfigError, "light_curve: expected at least two ascending edges above 0 TeV"),
        ({"binning": "nights"}, ConfigError, "light_curve.time_bins: there is no binning 'nights'"),
        ({"parameters": {"atl": 1}}, ConfigError, "has no parameter 'atl'. Did you mean 'atol'"),
        ({"parameters": {"selection_optional": ["scn"]}}, ConfigError, "light_curve.selection_optional: 'scn' is not"),
        ({"inputs": []}, ConfigError, "light_curve: expected at least one dataset, got none"),
        (
            {"binning": intervals(dl4_dataset(1), [0]), "inputs": [select_rows(dl4_dataset(3), [2])]},
            ConfigError,
            r"light_curve.time_intervals: expected intervals that hold a dataset, and none of 1 lies inside",
        ),
        (
            {"inputs": [dl4_dataset(1).drop_vars("gti")]},
            DataError,
            r"light_curve: the datasets have no times; expected good time \(gti\)",
        ),
    ],
)
def test_raises_before_any_work(change, error, message):
    asked = {"inputs": [dl4_dataset(2)], "models": models(), "source": "source", "edges": EDGES} | change
    with pytest.raises(error, match=message):
        light_curve(**asked)


def test_raises_for_a_source_without_a_free_norm():
    frozen = models()
    frozen[0].parameters["amplitude"].frozen = True
    with pytest.raises(
        ConfigError, match=r"expected a free norm of 'source', and amplitude is frozen; set frozen: false"
    ):
        curve(dl4_dataset(1), None, frozen)


def test_other_models_are_fitted_again_in_each_bin_of_time():
    both = models(power_law(), power_law("other", index=4.0, amplitude=1e-13))
    for name in ("index", "reference"):
        both["other"].parameters[name].frozen = True
    ds = dl4_dataset(2)
    found = curve(ds, None, both, reoptimize=True, selection_optional="ul")
    for number in range(2):
        alone = select_rows(ds, [number])
        points = flux_points([alone], both, "source", EDGES, {"reoptimize": True, "selection_optional": "ul"})
        for name in ("norm", "norm_err", "norm_ul", "ts", "npred"):
            np.testing.assert_allclose(
                found[name].values[number], points[name].values.reshape(found[name][number].shape), rtol=1e-6
            )


def test_it_is_registered_as_an_estimator():
    assert lookup("estimator", "light_curve").function is light_curve

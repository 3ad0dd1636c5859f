"""Flux points: numbers, binning, and limits where there are few counts."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from astropy import units as u
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize_scalar

from simulated_spectra import cash_dataset, models, on_off_dataset, power_law, response_dataset
from xgamma import stats
from xgamma.axes import Axis
from xgamma.errors import ConfigError, DataError, LaterError, UnknownNameError
from xgamma.estimate import FluxPointsParameters, flux_points
from xgamma.estimate.energy_groups import EnergyGroups
from xgamma.estimate.norm_profile import NormProfile, NormTerm
from xgamma.fit import FitInput, mask_fit
from xgamma.predict import npred, npred_signal
from xgamma.registry import lookup

ALL = {"selection_optional": "all"}


def edges_of(ds, step=2):
    return np.append(ds["energy_bounds"].values[:, 0], 50.0)[::step]


def simulated(seed=1, n_datasets=2, **kwargs):
    signal = npred_signal(response_dataset(n_datasets=n_datasets, **kwargs), models(power_law())).values
    return on_off_dataset(signal, seed=seed, n_datasets=n_datasets, **kwargs)


def one_group(data, reference=1.0, other=0.0, **limits):
    """Return the profile of all bins of ``data`` as one group."""
    shape = data.counts.shape
    group = np.zeros(shape, dtype=np.int64)
    term = NormTerm(data, group, np.broadcast_to(float(reference), shape), np.broadcast_to(float(other), shape), group)
    return NormProfile([term], 1, **limits)


# --- numbers


def test_points_are_the_minima_and_crossings_of_the_statistic():
    ds, source = simulated(), models(power_law(index=2.0, amplitude=2e-11), power_law("other", amplitude=2e-12))
    points = flux_points([ds], source, "source", edges_of(ds) * u.TeV, parameters={**ALL, "n_sigma_ul": 3.0})
    reference = npred_signal(ds, models(source[0])).values
    other = npred_signal(ds, models(source[1])).values
    for group in range(points.sizes["energy"]):
        bins = np.s_[:, :, 2 * group : 2 * group + 2]

        def stat(norm, bins=bins):
            signal = norm * reference[bins] + other[bins]
            return float(stats.wstat(ds["counts"].values[bins], ds["counts_off"].values[bins], 0.1, signal).sum())

        point = points.isel(energy=group)
        best = minimize_scalar(stat, bounds=(-1, 10), method="bounded", options={"xatol": 1e-10})
        norm, error = float(point["norm"]), float(point["norm_err"])
        assert norm == pytest.approx(best.x, abs=1e-4 * error)
        assert float(point["stat"]) == pytest.approx(best.fun, abs=1e-7)
        step = 0.02 * error
        curvature = (stat(norm + step) + stat(norm - step) - 2 * stat(norm)) / step**2
        assert error == pytest.approx(np.sqrt(2 / curvature), rel=1e-3)
        for name, rise, side in (("norm_errp", 1.0, 1), ("norm_errn", 1.0, -1)):
            crossing = brentq(lambda x: stat(x) - best.fun - rise, norm, norm + side * 5 * error, xtol=1e-12)  # noqa: B023
            assert float(point[name]) == pytest.approx(side * (crossing - norm), rel=1e-5)
        assert stat(float(point["norm_ul"])) - best.fun == pytest.approx(9.0, rel=1e-6)
        assert float(point["ts"]) == pytest.approx(stat(0.0) - best.fun)
        assert float(point["stat_null"]) == pytest.approx(stat(0.0))
        assert float(point["sqrt_ts"]) == pytest.approx(np.sqrt(stat(0.0) - best.fun))
        np.testing.assert_allclose(point["stat_scan"], [stat(x) for x in points["norm_scan"].values])
    assert bool(points["success"].all())


def test_predictions_and_counts_of_a_point_are_sums_over_its_bins():
    ds, source = simulated(), models()
    points = flux_points([ds], source, "source", edges_of(ds))
    for group in range(points.sizes["energy"]):
        bins = np.s_[:, 0, 2 * group : 2 * group + 2]
        best = models(power_law(amplitude=3e-11 * float(points["norm"][group])))
        np.testing.assert_allclose(points["npred"][group], npred(ds, best).values[bins].sum(axis=-1), rtol=1e-10)
        np.testing.assert_allclose(points["npred_excess"][group], npred_signal(ds, best).values[bins].sum(axis=-1))
        np.testing.assert_allclose(points["counts"][group], ds["counts"].values[bins].sum(axis=-1))
    assert points["npred"].dims == ("energy", "dataset")


def test_reference_fluxes_belong_to_whole_groups():
    ds, source = simulated(), models()
    points = flux_points([FitInput(ds, mask_fit(ds, 0.8, 40.0))], source, "source", edges_of(ds))
    spectrum, bounds = source[0].spectral_model, points["energy_bounds"].values * u.TeV
    center = np.sqrt(bounds[:, 0] * bounds[:, 1])
    np.testing.assert_allclose(points["energy"], center.value, rtol=1e-14)
    np.testing.assert_allclose(points["ref_dnde"], spectrum(center).to_value("cm-2 s-1 TeV-1"), rtol=1e-13)
    np.testing.assert_allclose(points["ref_e2dnde"], (spectrum(center) * center**2).to_value("TeV cm-2 s-1"))
    np.testing.assert_allclose(points["ref_flux"], spectrum.integral(*bounds.T).to_value("cm-2 s-1"))
    np.testing.assert_allclose(points["ref_eflux"], spectrum.energy_flux(*bounds.T).to_value("TeV cm-2 s-1"))
    assert {name: points[name].attrs["units"] for name in ("ref_dnde", "ref_flux", "ref_eflux", "ref_e2dnde")} == {
        "ref_dnde": "cm-2 s-1 TeV-1",
        "ref_flux": "cm-2 s-1",
        "ref_eflux": "TeV cm-2 s-1",
        "ref_e2dnde": "TeV cm-2 s-1",
    }
    assert all("units" in points[name].attrs for name in points.data_vars)


def test_the_result_has_its_settings_as_attributes():
    ds = simulated()
    points = flux_points([ds], models(), "source", edges_of(ds), parameters=ALL)
    assert points.attrs["UL_CONF"] == 0.9544997
    assert (points.attrs["n_sigma"], points.attrs["n_sigma_ul"], points.attrs["source"]) == (1.0, 2.0, "source")
    np.testing.assert_allclose(points["norm_scan"], 0.2 * 25 ** (np.arange(11) / 10))
    assert (points["is_ul"].values == (points["sqrt_ts"].values < 2)).all()


def test_rows_of_one_dataset_or_of_several_are_the_same_points():
    ds = simulated(n_datasets=3)
    together = flux_points([ds], models(), "source", edges_of(ds), parameters=ALL)
    parts = [ds.isel(dataset=[number]) for number in range(3)]
    apart = flux_points(parts, models(), "source", edges_of(ds), parameters=ALL)
    for name in together.data_vars:
        np.testing.assert_allclose(together[name].values, apart[name].values, rtol=1e-9, err_msg=str(name))
    assert apart["dataset"].values.tolist() == ["run-0", "run-1", "run-2"]


def test_limits_of_the_norm_hold_where_they_are_given():
    ds, source = simulated(), models()
    free = flux_points([ds], source, "source", edges_of(ds, 5), parameters=ALL)
    best = float(free["norm"][0])
    limits = {**ALL, "norm": {"min": 0.0, "max": 0.8 * best}}
    bound = flux_points([ds], source, "source", edges_of(ds, 5), parameters=limits)
    assert float(bound["norm"][0]) == pytest.approx(0.8 * best)
    assert float(bound["norm_ul"][0]) == pytest.approx(0.8 * best)
    assert float(bound["norm_errp"][0]) == 0.0
    assert float(bound["norm_errn"][0]) > 0.0
    assert np.isfinite(bound["norm_err"]).all()


# --- few counts


def test_no_counts_at_all_give_a_finite_limit():
    profile = one_group(stats.on_off_counts([0.0, 0.0], [0.0, 0.0], 0.1), reference=2.0)
    norm = profile.minimum()
    assert norm.tolist() == [0.0]
    assert profile.upper_limit(norm, 2.0) == pytest.approx([0.5])
    assert profile.crossing(norm, 1.0, +1) == pytest.approx([0.125])
    assert profile.crossing(norm, 1.0, -1) == pytest.approx([-0.0125])
    assert profile.error(norm) == pytest.approx([0.125])


def test_no_counts_over_a_known_background_give_a_finite_limit():
    profile = one_group(stats.known_counts([0.0, 0.0], [0.3, 0.5]), reference=2.0)
    norm = profile.minimum()
    assert norm == pytest.approx([-0.25])
    assert profile.crossing(norm, 1.0, -1) == pytest.approx(norm)
    assert profile.upper_limit(norm, 2.0) == pytest.approx([(4.0 / 2 - 0.8) / 4])


def test_a_minimum_at_a_kink_has_the_error_of_its_crossings():
    counts, off, reference = np.array([0.0, 3.0]), np.array([0.0, 20.0]), np.array([400.0, 1.0])
    group = np.zeros(2, dtype=np.int64)
    profile = NormProfile([NormTerm(stats.on_off_counts(counts, off, 0.1), group, reference, 0 * counts, group)], 1)
    norm = profile.minimum()
    assert norm == pytest.approx([0.0], abs=1e-9)
    # Beside the kink the bin without counts makes the statistic steep: 800 for each norm.
    assert profile.error(norm) == pytest.approx([1 / 800], rel=0.01)


def test_only_background_gives_a_limit_above_zero():
    profile = one_group(stats.on_off_counts([0.0], [400.0], 0.1))
    norm = profile.minimum()
    assert norm == pytest.approx([-40.0])
    assert profile.crossing(norm, 2.0, +1) < 0
    # Counted from no source: the statistic rises by 2 for each count expected.
    assert profile.upper_limit(norm, 2.0) == pytest.approx([2.0])


def test_a_negative_excess_has_a_negative_significance():
    ds = on_off_dataset(0.0, background=6.0)
    ds["counts"][:] = 1.0
    points = flux_points([ds], models(), "source", edges_of(ds), parameters=ALL)
    assert (points["norm"] < 0).all()
    assert (points["sqrt_ts"] < 0).all()
    assert points["is_ul"].all()
    assert (points["norm_ul"] > 0).all()
    for name in ("norm_err", "norm_errn", "norm_errp", "norm_ul", "ts", "stat"):
        assert np.isfinite(points[name]).all()


def test_a_known_background_is_used():
    ds = cash_dataset([30.0, 20, 12, 8, 5, 3, 2, 1, 0, 0], background=0.5)
    points = flux_points([ds], models(), "source", edges_of(ds), parameters=ALL)
    assert np.isfinite(points["norm_ul"]).all()
    signal = npred_signal(ds, models()).values[0, 0]
    first = minimize_scalar(
        lambda norm: float(stats.cash([30.0, 20.0], norm * signal[:2] + 0.5).sum()), bounds=(0, 50), method="bounded"
    )
    assert float(points["norm"][0]) == pytest.approx(first.x, rel=1e-4)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 12), st.floats(0.01, 20.0)), min_size=1, max_size=6),
    st.floats(0.02, 1.0),
    st.floats(0.0, 3.0),
)
def test_every_on_off_group_has_finite_numbers_in_order(bins, alpha, other):
    counts, off, reference = (np.array(column, dtype=float) for column in zip(*bins, strict=True))
    group = np.zeros(counts.shape, dtype=np.int64)
    term = NormTerm(stats.on_off_counts(counts, off, alpha), group, reference, np.full(counts.shape, other), group)
    profile = NormProfile([term], 1)
    norm = profile.minimum()
    low, high = profile.crossing(norm, 1.0, -1), profile.crossing(norm, 1.0, +1)
    limit = profile.upper_limit(norm, 2.0)
    assert low < norm < high
    assert limit >= high or limit > 0
    assert (profile.error(norm) > 0).all()
    assert (profile.error(norm) < np.inf).all()
    best = profile.stat(norm)
    assert profile.stat(low) == pytest.approx(best + 1.0, rel=1e-6)
    assert profile.stat(high) == pytest.approx(best + 1.0, rel=1e-6)
    for factor in (-0.1, 0.1):
        assert profile.stat(norm + factor * (high - low)) >= best - 1e-9


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 6), st.floats(0.0, 5.0), st.floats(0.01, 20.0)), min_size=1, max_size=6),
    st.floats(0.5, 3.0),
)
def test_every_group_with_a_known_background_has_finite_numbers_in_order(bins, n_sigma):
    counts, background, reference = (np.array(column, dtype=float) for column in zip(*bins, strict=True))
    group = np.zeros(counts.shape, dtype=np.int64)
    zero = np.zeros(counts.shape)
    profile = NormProfile([NormTerm(stats.known_counts(counts, background), group, reference, zero, group)], 1)
    norm = profile.minimum()
    low, high = profile.crossing(norm, n_sigma, -1), profile.crossing(norm, n_sigma, +1)
    assert low <= norm < high
    assert profile.stat(high) == pytest.approx(profile.stat(norm) + n_sigma**2, rel=1e-6)
    assert np.isfinite([*profile.error(norm), *low, *profile.upper_limit(norm, 2.0)]).all()


# --- binning


def test_edges_snap_to_the_nearest_of_the_axis():
    axis = Axis.from_bounds("energy", 0.5, 30.0, 20)
    groups = EnergyGroups.nearest(axis, Axis.from_bounds("energy", 1.0, 20.0, 8).edges)
    bounds = np.append(groups.bounds[:, 0], groups.bounds[-1, 1])
    expected = [0.924, 1.392, 2.096, 3.156, 4.753, 7.158, 8.784, 13.228, 19.921]
    np.testing.assert_allclose(bounds, expected, atol=5e-4)
    half_way = EnergyGroups.nearest(axis, Axis.from_bounds("energy", 0.5, 30.0, 8).edges)
    assert half_way.first.tolist() == [0, 2, 5, 8, 10, 12, 15, 18]
    uneven = EnergyGroups.nearest(Axis("energy", np.array([1.0, 2.0, 10.0, 20.0])), np.array([1.1, 9.0, 50.0]))
    assert uneven.bounds.tolist() == [[1.0, 10.0], [10.0, 20.0]]


def test_a_fit_range_stays_in_force_and_gives_a_warning(caplog):
    ds = simulated()
    edges = np.append(ds["energy_bounds"].values[:, 0], 50.0)
    mask = mask_fit(ds, 0.6, None)
    with caplog.at_level(logging.WARNING):
        points = flux_points([FitInput(ds, mask)], models(), "source", edges[::2])
    assert points["e_min_fit"].values[0] == pytest.approx(edges[1])
    assert points["energy_bounds"].values[0, 0] == pytest.approx(edges[0])
    np.testing.assert_array_equal(points["e_min_fit"].values[1:], points["energy_bounds"].values[1:, 0])
    np.testing.assert_array_equal(points["counts_left_out"].values[0], ds["counts"].values[:, 0, 0])
    assert not points["counts_left_out"].values[1:].any()
    np.testing.assert_array_equal(points["counts"].values[0], ds["counts"].values[:, 0, 1])
    assert len(caplog.records) == 1
    assert "cut by the fit range and the safe masks" in caplog.text
    assert "0.5-1.256 -> 0.7924-1.256" in caplog.text


def test_edges_that_are_used_as_given_give_no_warning(caplog):
    ds = simulated()
    with caplog.at_level(logging.WARNING):
        flux_points([ds], models(), "source", edges_of(ds))
    assert not caplog.records


def test_bins_that_are_too_narrow_are_dropped_and_those_outside_are_empty(caplog):
    ds = simulated()
    edges = [0.5, 1.2, 1.21, 3.0, 50.0, 80.0]
    with caplog.at_level(logging.WARNING):
        points = flux_points([ds], models(), "source", edges, parameters=ALL)
    assert points["success"].values.tolist() == [True, True, True, False]
    np.testing.assert_allclose(points["energy_bounds"].values[3], [50.0, 80.0])
    empty = points.isel(energy=[3])
    names = ["norm", "norm_err", "norm_errn", "norm_errp", "norm_ul", "ts", "sqrt_ts", "stat", "npred", "npred_excess"]
    for name in [*names, "e_min_fit", "e_max_fit", "stat_scan", "stat_null"]:
        assert np.isnan(empty[name]).all(), name
    assert not empty["counts"].values.any()
    assert not empty["is_ul"].values.any()
    assert np.isfinite(points["ref_flux"]).all()
    assert len(caplog.records) == 1
    for text in ("moved to the edges of the datasets", "narrower than the datasets' bins, left out: 1.2-1.21",
                 "outside the datasets' axis, left empty: 50-80"):  # fmt: skip
        assert text in caplog.text


def test_a_group_that_the_fit_range_excludes_is_an_empty_row(caplog):
    ds = simulated()
    with caplog.at_level(logging.WARNING):
        points = flux_points([FitInput(ds, mask_fit(ds, 2.0, None))], models(), "source", edges_of(ds), ALL)
    assert points["success"].values.tolist() == [False, False, True, True, True]
    assert np.isnan(points["norm_ul"].values[0])
    assert (points["counts_left_out"].values[0] > 0).all()
    assert "-> nothing" in caplog.text


def test_points_without_off_acceptance_have_no_success():
    ds = simulated()
    ds["acceptance_off"][:, :, :2] = 0.0
    points = flux_points([ds], models(), "source", edges_of(ds), parameters=ALL)
    assert points["success"].values.tolist() == [False, True, True, True, True]


# --- arguments


def test_optional_results_are_given_on_request():
    ds = simulated(n_datasets=1)
    optional = {"norm_errn", "norm_errp", "norm_ul", "stat_scan"}
    for selection, expected in (
        (None, set()), ([], set()), ("ul", {"norm_ul"}), (["scan"], {"stat_scan"}), ("all", optional),
        (["errn-errp"], {"norm_errn", "norm_errp"}), (["all"], optional),
    ):  # fmt: skip
        points = flux_points([ds], models(), "source", edges_of(ds), parameters={"selection_optional": selection})
        assert optional & set(points.data_vars) == expected


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"selection_optional": ["errn"]}, "'errn' is not an optional result. Did you mean 'errn-errp'"),
        ({"selection_optional": ["uls"]}, "'uls' is not an optional result. Did you mean 'ul'"),
        ({"n_sigm": 2.0}, "has no parameter 'n_sigm'. Did you mean 'n_sigma'"),
        ({"n_sigma": -1.0}, "n_sigma: expected more than 0.0"),
        ({"norm_n_values": 3.5}, "norm_n_values: expected a whole number"),
        ({"norm_min": 6.0}, "expected norm_min < norm_max"),
        ({"norm_values": [1.0, 0.5]}, "expected ascending numbers"),
        ({"norm_values": "abc"}, "expected a list of numbers"),
        ({"reoptimize": "yes"}, "reoptimize: expected true or false"),
    ],
)
def test_wrong_parameters_raise(parameters, message):
    ds = simulated(n_datasets=1)
    with pytest.raises(ConfigError, match=message):
        flux_points([ds], models(), "source", edges_of(ds), parameters=parameters)


def test_norms_of_the_scan_can_be_given():
    assert FluxPointsParameters(norm_values=[0.0, 1.0]).norms("log").tolist() == [0.0, 1.0]
    assert FluxPointsParameters(norm_n_values=3).norms("lin").tolist() == [0.2, 2.6, 5.0]
    assert lookup("estimator", "flux_points").parameters is FluxPointsParameters


@pytest.mark.parametrize("edges", [[2.0, 1.0], [1.0], [0.0, 1.0], [1.0, 10.0] * u.m, "wide"])
def test_wrong_edges_raise(edges):
    with pytest.raises(ConfigError, match="flux_points: expected"):
        flux_points([simulated()], models(), "source", edges)


def test_edges_in_another_unit_are_the_same_edges():
    ds = simulated()
    one = flux_points([ds], models(), "source", edges_of(ds) * u.TeV)
    other = flux_points([ds], models(), "source", edges_of(ds) * 1000 * u.GeV)
    np.testing.assert_allclose(one["norm"], other["norm"], rtol=1e-12)


def test_an_unknown_source_raises():
    with pytest.raises(UnknownNameError, match=r"no model is called 'sorce'\. Did you mean 'source'") as caught:
        flux_points([simulated()], models(), "sorce", [1.0, 2.0])
    assert isinstance(caught.value, ValueError)


def test_other_axes_and_telescopes_raise():
    with pytest.raises(DataError, match="not aligned"):
        flux_points([simulated(), simulated(nbin=6)], models(), "source", [1.0, 2.0])
    other = simulated().assign_attrs(telescope="OTHER")
    with pytest.raises(DataError, match="expected datasets of one telescope, got 'OTHER', 'TEST'; estimate the"):
        flux_points([simulated(), other], models(), "source", [1.0, 2.0])


def test_sums_over_groups_come_later():
    ds = simulated()
    with pytest.raises(LaterError, match="sum_over_energy_groups"):
        flux_points([ds], models(), "source", edges_of(ds), parameters={"sum_over_energy_groups": True})

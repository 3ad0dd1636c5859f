"""Measures of variability: published and analytic values, laws, and what is taken out."""

import numpy as np
import pytest
from astropy import units as u
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2 as chi2_distribution

from builders import flux_points_product, light_curve_product
from xgamma import stats
from xgamma.datasets import FluxPoints, LightCurve
from xgamma.errors import ConfigError, ConfigTypeError, DataError
from xgamma.estimators import utils
from xgamma.variability import (
    compute_chisq,
    compute_flux_doubling,
    compute_fpp,
    compute_fvar,
    discrete_correlation,
    structure_function,
)

# Of the tests of Gammapy 2.1, whose numbers are those of the papers' formulas unless said otherwise.
FLUX = np.array([[1e-11, 4e-12], [3e-11, np.nan], [1e-11, 1e-12]])
ERROR = np.array([[0.1e-11, 0.4e-12], [0.3e-11, np.nan], [0.1e-11, 0.1e-12]])

fluxes = st.lists(st.floats(0.5, 2.0), min_size=4, max_size=12)


def test_the_functions_are_where_gammapy_has_them():
    assert stats.compute_fvar is compute_fvar
    assert stats.discrete_correlation is discrete_correlation
    for name in ("compute_fpp", "compute_chisq", "compute_flux_doubling", "structure_function"):
        assert getattr(stats, name).__module__ == "xgamma.variability"
    with pytest.raises(ImportError, match="maps are not combined"):
        _ = utils.combine_flux_maps


# --- excess variance


def test_the_excess_variance_has_the_numbers_of_gammapy():
    value, error = compute_fvar(FLUX, ERROR)
    np.testing.assert_allclose(value, [0.68322763, 0.84047606], rtol=1e-7)
    np.testing.assert_allclose(error, [0.06679978, 0.08285806], rtol=1e-6)


def test_a_square_wave_without_errors_has_its_depth_as_excess_variance():
    wave = np.tile([1.0, 3.0], 500)
    value, error = compute_fvar(wave, np.zeros(1000))
    np.testing.assert_allclose(value, 0.5 * np.sqrt(1000 / 999), rtol=1e-12)
    np.testing.assert_allclose(error, 0.0, atol=1e-15)
    # Neighbours differ by 2, the variance of which is 2^2 / 2.
    np.testing.assert_allclose(compute_fpp(wave, np.zeros(1000))[0], np.sqrt(2) / 2, rtol=1e-12)


def test_both_excess_variances_agree_for_white_noise_and_their_errors_are_true():
    rng = np.random.default_rng(3)
    flux = 10 + rng.normal(0, 2, (400, 600)) + rng.normal(0, 1, (400, 600))
    (fvar, fvar_err), (fpp, _) = compute_fvar(flux, np.ones_like(flux)), compute_fpp(flux, np.ones_like(flux))
    np.testing.assert_allclose([fvar.mean(), fpp.mean()], 0.2, atol=1e-3)
    # Vaughan et al. give the error that measurements make, for one realisation of the source.
    source = 10 + 2 * np.sin(np.arange(400))[:, None]
    value, error = compute_fvar(source + rng.normal(0, 1, (400, 2000)), np.ones((400, 2000)))
    np.testing.assert_allclose(value.std(), error.mean(), rtol=0.1)
    assert fvar_err.min() > 0


def test_red_noise_varies_less_from_point_to_point():
    walk = 100 + np.cumsum(np.random.default_rng(1).normal(0, 1, 500))
    errors = np.full(500, 0.1)
    assert compute_fpp(walk, errors)[0] < 0.3 * compute_fvar(walk, errors)[0]


def test_less_variance_than_errors_is_below_zero():
    value, _ = compute_fvar([1.0, 1.1, 0.9, 1.0], [0.5] * 4)
    variance = 0.02 / 3
    np.testing.assert_allclose(value, -np.sqrt(0.25 - variance), rtol=1e-12)


@given(fluxes, st.floats(1e-13, 1e13), st.randoms())
def test_excess_variances_know_no_unit_and_fvar_no_order(values, scale, random):
    flux, errors = np.array(values), 0.01 * np.array(values)
    for function in (compute_fvar, compute_fpp):
        np.testing.assert_allclose(function(scale * flux, scale * errors), function(flux, errors), rtol=1e-6)
    order = random.sample(range(len(values)), len(values))
    np.testing.assert_allclose(
        compute_fvar(flux[order], errors[order])[0] ** 2, compute_fvar(flux, errors)[0] ** 2, atol=1e-12
    )


def test_what_is_not_a_number_is_taken_out():
    flux, errors = np.array([1.0, np.nan, 3.0, 2.0, 5.0]), np.array([0.1, 0.1, 0.1, np.nan, 0.2])
    used = [0, 2, 4]
    for function in (compute_fvar, compute_fpp, compute_chisq):
        np.testing.assert_allclose(function(flux, errors), function(flux[used], errors[used]), rtol=1e-14)
    assert np.isnan(compute_fvar([1.0, np.nan], [0.1, 0.1])).all()
    assert np.isnan(compute_fpp([np.nan, np.nan], [0.1, 0.1])).all()
    assert np.isnan(compute_chisq([1.0], [0.1])).all()


def test_the_axis_of_time_may_be_any():
    for function in (compute_fvar, compute_fpp, compute_chisq):
        np.testing.assert_array_equal(function(FLUX.T, ERROR.T, axis=1), function(FLUX, ERROR))


def test_units_are_converted():
    unit = u.Unit("cm-2 s-1")
    np.testing.assert_allclose(
        compute_fvar(FLUX * unit, (ERROR * unit).to("m-2 s-1")), compute_fvar(FLUX, ERROR), rtol=1e-12
    )


# --- chi2


def test_chi2_of_a_constant_has_the_numbers_of_its_formula():
    # (1, 2, 4) with errors (1, 1, 2): weights 1, 1, 1/4; the mean is 16/9.
    chi2, p_value = compute_chisq([1.0, 2.0, 4.0], [1.0, 1.0, 2.0])
    expected = (7 / 9) ** 2 + (2 / 9) ** 2 + (20 / 9) ** 2 / 4
    np.testing.assert_allclose(chi2, expected, rtol=1e-14)
    np.testing.assert_allclose(p_value, np.exp(-expected / 2), rtol=1e-12)


def test_p_values_of_constant_sources_are_uniform():
    rng = np.random.default_rng(5)
    chi2, p_value = compute_chisq(5 + rng.normal(0, 0.3, (20, 4000)), np.full((20, 4000), 0.3))
    np.testing.assert_allclose(chi2.mean(), 19, rtol=0.02)
    np.testing.assert_allclose(np.quantile(p_value, [0.1, 0.5, 0.9]), [0.1, 0.5, 0.9], atol=0.03)
    np.testing.assert_allclose(p_value, chi2_distribution.sf(chi2, 19), rtol=1e-10)


def test_chi2_without_usable_errors_raises():
    with pytest.raises(ConfigError, match="give them as flux_err"):
        compute_chisq([1.0, 2.0])
    with pytest.raises(DataError, match="error 0"):
        compute_chisq([1.0, 2.0], [0.1, 0.0])
    with pytest.raises(DataError, match=r"\(2,\) and their errors \(3,\)"):
        compute_fvar([1.0, 2.0], [0.1] * 3)


# --- doubling time


def test_doubling_times_have_the_numbers_of_gammapy():
    more = np.array([[0.8e-11, 0.8e-12], [1e-11, 1e-12]])
    flux, errors = np.concatenate([FLUX, more]), np.concatenate([ERROR, [[0.08e-11, 0.8e-12], [0.1e-11, 0.1e-12]]])
    time = np.array([6.31157019e08, 6.31160619e08, 6.31164219e08, 6.31171419e08, 6.31178419e08]) * u.s
    found = compute_flux_doubling(flux, errors, time)
    np.testing.assert_allclose(found["doubling"].to_value("s"), [2271.34711286, 21743.98603654], rtol=1e-8)
    np.testing.assert_allclose(found["doubling_err"].to_value("s"), [292.384304, 97929.94414922], rtol=1e-8)
    np.testing.assert_allclose(found["doubling_coord"].to_value("s"), [6.31157019e08, 6.31171419e08])
    # The second flux fell from 4 to 1 within two hours, over the point that is missing.
    np.testing.assert_allclose(found["halving"].to_value("s"), [2271.34711286, 3600], rtol=1e-8)


@given(st.floats(10, 1e5), st.floats(0.1, 10))
def test_an_exponential_flux_doubles_in_its_doubling_time(length, step):
    time = step * length * np.arange(5)
    rise = 2.0 ** (time / length)
    found = compute_flux_doubling(rise, 0.1 * rise, time)
    np.testing.assert_allclose(found["doubling"], length, rtol=1e-9)
    # Two relative errors of 0.1 on the logarithm of the ratio.
    expected = length * np.sqrt(2) * 0.1 / (np.log(2) * step)
    np.testing.assert_allclose(found["doubling_err"], expected, rtol=1e-6)
    assert np.isnan(found["halving"])
    assert np.isnan(found["halving_coord"])


def test_fluxes_below_zero_have_no_logarithm():
    found = compute_flux_doubling([1.0, -1.0, 4.0], [0.1] * 3, [0.0, 1.0, 2.0])
    assert found["doubling"] == pytest.approx(1.0)


# --- structure and correlation


def test_the_structure_function_of_a_ramp_is_the_square_of_the_lag():
    time = np.array([0.0, 1.0, 2.0, 5.0, 7.0]) * u.d
    ramp = 3.0 * time.value + 100
    value, distances = structure_function(ramp, np.ones(5), time)
    assert distances.unit == u.d
    np.testing.assert_allclose(value, 9 * distances.value**2, rtol=1e-12)


def test_the_structure_function_of_white_noise_is_twice_its_variance():
    flux = 50 + np.random.default_rng(2).normal(0, 2, (600, 1))
    value, distances = structure_function(flux, np.ones((600, 1)), np.arange(600.0))
    assert value.shape == (599, 1)
    np.testing.assert_allclose(value[:200].mean(), 8, rtol=0.05)
    np.testing.assert_array_equal(distances, np.arange(1, 600))


def test_the_structure_function_weighs_pairs_and_takes_out_what_is_missing():
    flux, errors = np.array([1.0, 2.0, np.nan, 4.0]), np.array([0.5, 1.0, 1.0, 1.0])
    value, distances = structure_function(flux, errors, np.array([0.0, 1.0, 2.0, 3.0]))
    # Pairs (1, 2) at 1 and (2, 4) at 2 and (1, 4) at 3.
    np.testing.assert_allclose(value, [1.0, 4.0, 9.0])
    np.testing.assert_array_equal(distances, [1, 2, 3])
    two = structure_function([1.0, 2.0, 4.0], [0.5, 1.0, 1.0], np.array([0.0, 1.0, 2.0]))[0]
    np.testing.assert_allclose(two[0], (4 * 1 + 8 * 4) / 12)


def test_a_delayed_copy_correlates_at_its_delay():
    rng = np.random.default_rng(7)
    signal = np.convolve(rng.normal(0, 1, 400), np.ones(5) / 5, "same")
    time = np.arange(400.0) * u.d
    small = np.full(400, 1e-3)
    lags, value, error = discrete_correlation(signal, small, signal, small, time + 12 * u.d, time, 1 * u.d)
    best = np.nanargmax(np.where(np.abs(lags.value) < 100, value, np.nan))
    assert lags[best].to_value("d") == 12.5
    assert value[best] == pytest.approx(1.0, abs=1e-4)
    assert error[best] < 0.1


def test_a_correlation_has_the_numbers_of_its_formula():
    flux, errors, time = np.array([1.0, 3.0, 2.0]), np.full(3, 0.1), np.array([0.0, 1.0, 2.0])
    lags, value, error = discrete_correlation(flux, errors, flux, errors, time, time, 1.0)
    np.testing.assert_allclose(lags, [-1.5, -0.5, 0.5, 1.5, 2.5])
    scale = 2 / 3 - 0.01
    np.testing.assert_allclose(value, np.array([0, -0.5, 2 / 3, -0.5, 0]) / scale, atol=1e-14)
    # Two pairs at the lag -1: -1 and 0.
    np.testing.assert_allclose(error[1], np.sqrt(0.5) / scale, rtol=1e-12)
    assert np.isnan(error[0])


def test_bins_without_pairs_and_series_of_noise_have_no_correlation():
    flux, errors, time = np.array([1.0, 3.0, 2.0]), np.full(3, 0.1), np.array([0.0, 1.0, 10.0])
    value = discrete_correlation(flux, errors, flux, errors, time, time, 1.0)[1]
    assert np.isfinite(value).sum() == 7
    assert np.isnan(discrete_correlation(flux, 10 * errors, flux, errors, time, time, 1.0)[1]).all()
    with pytest.raises(DataError, match="the same but for the axis of time"):
        discrete_correlation(FLUX, ERROR, flux, errors, time, time, 1.0)
    with pytest.raises(ConfigError, match="above 0"):
        discrete_correlation(flux, errors, flux, errors, time, time, 0.0)
    with pytest.raises(DataError, match="one for each of the 3 fluxes"):
        discrete_correlation(flux, errors, flux, errors, time, time[:2], 1.0)


# --- light curves


@pytest.fixture
def curve():
    return LightCurve(light_curve_product(n_time=6))


def test_a_table_has_a_row_for_each_energy_and_says_what_is_left_out(curve, caplog):
    curve.data["is_ul"][:] = False
    curve.data["is_ul"][4, 0] = True
    curve.data["norm"][0, 0] = np.nan
    table = utils.compute_lightcurve_fvar(curve)
    assert "2 of 12 points are left out: 1 upper limits, 1 without a flux or an error." in caplog.text
    assert table.colnames == [
        *("min_energy", "max_energy", "fvar", "fvar_err", "significance", "n_points", "n_left_out"),
    ]
    assert table["n_points"].tolist() == [4, 6]
    assert table["n_left_out"].tolist() == [2, 0]
    used = [1, 2, 3, 5]
    np.testing.assert_allclose(table["fvar"][0], compute_fvar(curve.flux[used, 0], curve.flux_err[used, 0])[0])
    whole = utils.compute_lightcurve_fvar(curve, with_limits=True)
    assert whole["n_points"].tolist() == [5, 6]


def test_every_measure_of_a_light_curve_is_the_one_of_its_fluxes(curve):
    flux, error = curve.eflux, curve.eflux_err
    options = {"flux_quantity": "eflux", "with_limits": True}
    np.testing.assert_allclose(utils.compute_lightcurve_fpp(curve, **options)["fpp"], compute_fpp(flux, error)[0])
    table = utils.compute_lightcurve_chisq(curve, **options)
    np.testing.assert_allclose(table["chi2"], compute_chisq(flux, error)[0], rtol=1e-12)
    assert table["dof"].tolist() == [5, 5]
    assert table.meta == {"quantity": "eflux"}
    time = curve.data["time"].values * u.s
    doubling = utils.compute_lightcurve_doublingtime(curve, **options)
    found = compute_flux_doubling(flux, error, time)
    np.testing.assert_allclose(doubling["doublingtime"].quantity, found["doubling"])
    assert doubling["halving_coord"].scale == "tt"
    np.testing.assert_allclose(
        (doubling["halving_coord"] - curve.time_ref[0]).to_value("s"),
        (found["halving_coord"] - time[0]).value,
        atol=1e-5,
    )
    structure = utils.compute_lightcurve_structure_function(curve, **options)
    assert structure["structure_function"].shape == (5, 2)
    np.testing.assert_allclose(structure["distances"].to_value("d"), [1, 2, 3, 4, 5], rtol=1e-9)


def test_light_curves_correlate_with_themselves_and_with_others(curve):
    options = {"with_limits": True, "tau": 1 * u.d}
    alone = utils.compute_lightcurve_discrete_correlation(curve, **options)
    later = LightCurve(curve.data.assign_attrs(mjdref=curve.data.attrs["mjdref"] + 3))
    both = utils.compute_lightcurve_discrete_correlation(later, curve, **options)
    np.testing.assert_allclose(both["discrete_correlation"], alone["discrete_correlation"], rtol=1e-9)
    np.testing.assert_allclose((both["bins"] - alone["bins"]).to_value("d"), 3, rtol=1e-9)
    assert utils.compute_lightcurve_discrete_correlation(curve, with_limits=True)["bins"].unit == u.s


def test_a_flux_that_never_rises_has_a_masked_time(curve):
    falling = np.linspace(6, 1, 6)[:, None] * np.ones(2)
    curve.data["norm"][:] = falling
    table = utils.compute_lightcurve_doublingtime(curve, with_limits=True)
    assert table["doubling_coord"].mask.all()
    assert np.isnan(table["doublingtime"]).all()


def test_what_is_no_light_curve_raises(curve):
    with pytest.raises(ConfigTypeError, match="expected a LightCurve, got a FluxPoints"):
        utils.compute_lightcurve_fvar(FluxPoints(flux_points_product()))
    with pytest.raises(ConfigError, match="sed_type"):
        utils.compute_lightcurve_fvar(curve, "fluxes")

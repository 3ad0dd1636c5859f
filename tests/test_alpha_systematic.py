"""Fits and flux points with a systematic error of alpha; one factor for each row."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from builders import cash_dataset, on_off_dataset
from releases import config_of, until_datasets, whole
from xgamma.config.config import AnalysisConfig
from xgamma.config.requests import models_of
from xgamma.errors import ConfigError
from xgamma.estimate import flux_points, flux_points_each, light_curve
from xgamma.estimate.norm_profile import NormProfile, NormTerm
from xgamma.fit import FitSettings, Statistic, fit
from xgamma.models import Models, PowerLawSpectralModel, SkyModel
from xgamma.nuisance import ScaledCounts
from xgamma.reduce import joined_rows, stack, with_alpha_systematic, with_names
from xgamma.stats import WstatCounts, wstat


def models_with(index=2.3, amplitude=3e-11):
    return Models([SkyModel(PowerLawSpectralModel(index=index, amplitude=f"{amplitude} cm-2 s-1 TeV-1"), name="crab")])


@pytest.fixture
def rows():
    return on_off_dataset(3)


def test_the_statistic_has_wstat_at_the_best_factors_and_their_penalties(rows):
    given = with_alpha_systematic(rows, 0.1)
    statistic, plain = Statistic([given], models_with()), Statistic([rows], models_with())
    at = statistic.start
    assert statistic(at) < plain(at)
    [term] = statistic.counts_terms
    theta = term.data.theta(term.prediction(at))
    assert theta.shape == (3,)
    np.testing.assert_allclose(statistic.prior_stat(at), (theta**2).sum(), rtol=1e-12)
    alpha = term.data.alpha * np.exp(0.1 * theta[term.dataset])
    expected = wstat(term.data.counts, term.data.counts_off, alpha, term.prediction(at)).sum()
    np.testing.assert_allclose(statistic(at), expected + (theta**2).sum(), rtol=1e-12)
    np.testing.assert_allclose(statistic.per_dataset(at).sum(), expected, rtol=1e-12)


def test_derivatives_are_those_of_the_whole_statistic(rows):
    statistic = Statistic([with_alpha_systematic(rows, 0.2)], models_with())
    at, steps = statistic.start, statistic.start * 1e-5
    gradient, information = statistic.derivatives(at)
    differences = [(statistic(at + h) - statistic(at - h)) / (2 * h.max()) for h in np.diag(steps)]
    np.testing.assert_allclose(gradient, differences, rtol=1e-4)
    hessian = statistic.hessian(at, steps)
    second = [
        (statistic.derivatives(at + h)[0] - statistic.derivatives(at - h)[0]) / (2 * h.max()) for h in np.diag(steps)
    ]
    np.testing.assert_allclose(hessian, second, rtol=1e-3)
    assert (np.linalg.eigvalsh(information / np.sqrt(np.outer(*[np.diag(information)] * 2))) > 0).all()


def test_both_minimisers_end_in_one_minimum_and_errors_grow(rows):
    given = with_alpha_systematic(rows, 0.3)
    found = [fit([given], models_with(), FitSettings(method=method)) for method in ("migrad", "scoring")]
    assert all(one.success for one in found)
    values = [np.array([p.value for p in one.parameters]) for one in found]
    errors = [np.array([p.error for p in one.parameters]) for one in found]
    used = errors[0] > 0
    np.testing.assert_allclose((values[0] - values[1])[used] / errors[0][used], 0, atol=0.02)
    np.testing.assert_allclose(errors[0][used], errors[1][used], rtol=0.02)
    alone = fit([rows], models_with())
    grown = [p.error for p in found[0].parameters if p.error > 0], [p.error for p in alone.parameters if p.error > 0]
    assert (np.array(grown[0]) > np.array(grown[1])).all()
    assert found[0].prior_stat > 0
    assert alone.optimize_result.prior_stat is None
    assert "prior stat" in str(found[0])


def test_rows_with_and_without_the_error_are_fitted_together(rows):
    other = with_names(on_off_dataset(1), ["other"])
    both = Statistic([with_alpha_systematic(rows, 0.1), other], models_with())
    apart = Statistic([with_alpha_systematic(rows, 0.1)], models_with()), Statistic([other], models_with())
    np.testing.assert_allclose(both(both.start), sum(one(one.start) for one in apart), rtol=1e-12)


def test_flux_points_have_factors_of_their_own(rows):
    edges = [1.0, 3.0, 10.0]
    points, alone = (
        flux_points([one], models_with(), "crab", edges, {"selection_optional": "all"})
        for one in (with_alpha_systematic(rows, 0.2), rows)
    )
    assert points["success"].values.all()
    assert (points["norm_err"].values > alone["norm_err"].values).all()
    assert (points["ts"].values < alone["ts"].values).all()
    single = Statistic([with_alpha_systematic(rows, 0.2)], models_with())
    [term] = single.counts_terms
    energy = rows["energy"].values[term.folding.energy]
    for number in range(2):
        inside = (energy > points["energy_bounds"].values[number, 0]) & (
            energy < points["energy_bounds"].values[number, 1]
        )
        own, signal = term.data.select(inside), term.prediction(single.start)[inside]
        norm = float(points["norm"].values[number])
        around = [own.stat(factor * signal).sum() for factor in (norm - 0.01, norm, norm + 0.01)]
        np.testing.assert_allclose(points["stat"].values[number], around[1], rtol=1e-8)
        assert around[1] < min(around[0], around[2])
        curvature = (around[0] - 2 * around[1] + around[2]) / 0.01**2
        np.testing.assert_allclose(points["norm_err"].values[number], np.sqrt(2 / curvature), rtol=1e-2)
        limit = float(points["norm_ul"].values[number])
        np.testing.assert_allclose(own.stat(limit * signal).sum() - around[1], 4.0, rtol=1e-5)


def test_bins_of_time_have_factors_of_their_own(rows):
    given = with_alpha_systematic(rows, 0.2)
    # In the builder all rows are of one time.
    hours = xr.DataArray(np.arange(3) * 3600.0, dims="dataset")
    given = given.assign(gti=(given["gti"] + hours).transpose(*given["gti"].dims).assign_attrs(given["gti"].attrs))
    curve = light_curve([given], models_with(), "crab", [1.0, 10.0])
    each = flux_points_each(given, models_with(), "crab", [1.0, 10.0])
    for name in ("norm", "norm_err", "ts"):
        alone = np.sort([float(points[name].values[0]) for points in each.values()])
        np.testing.assert_allclose(np.sort(curve[name].values[:, 0]), alone, rtol=1e-7)


def coverage(share, scatter, sets=2000, bins=6):
    """Return how often errors of a norm hold the truth, for sets of bins whose alpha is off by a factor."""
    random = np.random.default_rng(7)
    alpha, off, signal = 0.2, np.geomspace(4000, 40, bins), np.geomspace(200, 10, bins)
    factor = np.exp(scatter * random.standard_normal((sets, 1)))
    counts = random.poisson(signal + alpha * factor * off)
    counts_off = random.poisson(off, (sets, bins))
    group = np.repeat(np.arange(sets), bins)
    flat = [values.ravel().astype(float) for values in (counts, counts_off)]
    constant = np.full(sets * bins, alpha)
    data = ScaledCounts(*flat, constant, np.full(sets * bins, share), group) if share else WstatCounts(*flat, constant)
    term = NormTerm(data, group, np.tile(signal, sets), np.zeros(sets * bins), group)
    profile = NormProfile([term], sets)
    norm = profile.minimum()
    low, high = (profile.crossing(norm, 1.0, side) for side in (-1, 1))
    return np.mean((low < 1) & (high > 1)), np.mean(np.abs(norm - 1) < profile.error(norm))


def test_errors_hold_the_truth_as_often_as_they_should():
    """0.683 of all times, with a binomial error of 0.010; without the error of alpha far less often."""
    for share, scatter, expected in ((0.0, 0.0, 0.683), (0.05, 0.05, 0.683), (0.1, 0.1, 0.683)):
        np.testing.assert_allclose(coverage(share, scatter), expected, atol=0.035)
    assert max(coverage(0.0, 0.05)) < 0.5


def test_the_error_of_rows_without_an_alpha_is_refused():
    with pytest.raises(ConfigError, match="expected rows with off counts"):
        with_alpha_systematic(cash_dataset(1), 0.1)
    with pytest.raises(ConfigError, match=r"expected a number above 0 and up to 1, got 1\.5"):
        with_alpha_systematic(on_off_dataset(1), 1.5)


def test_stacks_and_joined_rows(rows):
    given = with_alpha_systematic(rows, 0.1)
    assert "alpha_systematic" not in stack(given)
    joined = joined_rows([given, with_names(with_alpha_systematic(rows, 0.2), list("abc"))])
    assert joined["alpha_systematic"].values.tolist() == [0.1] * 3 + [0.2] * 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{method: irf, alpha_systematic: 0.05}", "given, but the background irf has no off counts, and so no alpha"),
        ("{alpha_systematic: 0.05}", "given, but background.method is null; choose a method"),
        (
            "{method: reflected, alpha_systematic: 5}",
            "expected a number above 0 and up to 1, such as 0.05 for 5 %, got 5",
        ),
        (
            "{method: reflected, alpha_systematic: 0}",
            "expected a number above 0 and up to 1, such as 0.05 for 5 %, got 0",
        ),
        ("{method: reflected, alpha_systematic: yes}", "expected a number above 0 and up to 1"),
    ],
)
def test_what_is_no_error_of_alpha_is_refused(text, message):
    with pytest.raises(ConfigError, match=f"datasets.background.alpha_systematic: {message}"):
        AnalysisConfig.from_yaml(f"datasets: {{background: {text}}}")


def test_an_analysis_with_the_error_reduces_nothing_again_and_fits_anew(tiny_release, tmp_path, caplog):
    config = config_of(tiny_release, tmp_path / "store")
    before = whole(config)
    assert "alpha_systematic" not in str(config)
    changed = config.update("datasets: {background: {alpha_systematic: 0.2}}")
    caplog.set_level("INFO")
    caplog.clear()
    after = until_datasets(changed)
    assert "Reduced 0 rows, found 3 in the store." in caplog.text
    after.set_models(models_of(changed))
    after.run_fit()
    assert "The fit was computed." in caplog.text
    after.get_flux_points()
    errors = [one.models[0].spectral_model.amplitude.error for one in (before, after)]
    assert errors[1] > errors[0]
    assert after.fit_result.prior_stat > 0
    again = whole(changed)
    assert "The fit was found in the store." in caplog.text
    assert again.fit_result.prior_stat == after.fit_result.prior_stat
    assert again.fit_result.total_stat == after.fit_result.total_stat


def test_files_keep_the_error_or_say_that_they_do_not(tiny_release, tmp_path, caplog):
    analysis = until_datasets(
        config_of(tiny_release, tmp_path / "store", "datasets: {background: {alpha_systematic: 0.1}}")
    )
    for name in ("a.zarr", "a.fits.gz"):
        analysis.datasets.write(tmp_path / name)
        [back] = type(analysis.datasets).read(tmp_path / name).to_xarray()
        assert back["alpha_systematic"].values.tolist() == [0.1]
    text = f"datasets: {{read: {tmp_path / 'a.zarr'}}}"
    for own, error in ((text, 0.1), (text.replace("}", ", background: {alpha_systematic: 0.2}}"), 0.2)):
        read = until_datasets(AnalysisConfig.from_yaml(f"general: {{store: {tmp_path / 'other'}}}\n{own}"))
        assert read.datasets.to_xarray()[0]["alpha_systematic"].values.tolist() == [error]
    caplog.clear()
    analysis.datasets.write(tmp_path / "a.yaml")
    assert "OGIP has no place for the systematic error of alpha" in caplog.text

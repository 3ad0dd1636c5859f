"""Priors in fits: known answers, apart from the statistic of the data; and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from builders import flux_points_product
from simulated_spectra import models, on_off_dataset, power_law, response_dataset
from xgamma import models as m
from xgamma.errors import ConfigError
from xgamma.estimate import flux_points
from xgamma.fit import FitSettings, Statistic, confidence, fit, stat_profile
from xgamma.predict import npred_signal

METHODS = ("migrad", "scoring")


def simulated(seed=1):
    return on_off_dataset(npred_signal(response_dataset(), models(power_law())).values, seed=seed)


@pytest.mark.parametrize("method", METHODS)
def test_a_narrow_prior_and_the_data_meet_where_their_slopes_cancel(method):
    ds, source = simulated(), models(power_law())
    free = fit([ds], source)
    source["source"].spectral_model.index.prior = m.GaussianPrior(mu=2.0, sigma=0.05)
    held = fit([ds], source, FitSettings(method=method))
    index = source.parameters["index"].value
    assert held.success and 2.0 < index < 2.3
    statistic = Statistic([ds], source)
    step = [1e-4, 0.0]
    values = np.array(statistic.start)
    slope = (statistic.terms[0].stat(values + step) - statistic.terms[0].stat(values - step)).sum() / 2e-4
    assert slope == pytest.approx(-2 * (index - 2.0) / 0.05**2, rel=2e-2)
    # The statistic of the data and that of the prior are apart.
    assert held.prior_stat == pytest.approx(((index - 2.0) / 0.05) ** 2)
    assert held.total_stat == pytest.approx(statistic.per_dataset(values).sum())
    assert held.total_stat > free.total_stat
    assert "prior stat : " in str(held) and "prior" not in str(free)


@pytest.mark.some_long(3)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "prior",
    [
        m.LogNormalPrior(median=3e-11, sigma=0.02),
        m.LogUniformPrior(min=1e-12, max=2.8e-11),
        m.UniformPrior(min=1e-12, max=2.8e-11),
        m.GeneralizedGaussianPrior(mu=2.5e-11, sigma=1e-12, eta=0.3),
        m.GeneralizedGaussianPrior(mu=2.5e-11, sigma=1e-12, eta=0.9),
    ],
    ids=lambda prior: prior.tag[0],
)
def test_both_methods_end_where_a_scan_of_the_sum_is_smallest(prior, method):
    ds, source = simulated(), models(power_law(amplitude=2.7e-11))
    source["source"].spectral_model.index.frozen = True
    amplitude = source.parameters["amplitude"]
    amplitude.prior = prior
    fit([ds], source, FitSettings(method=method))
    statistic = Statistic([ds], source)
    scan = np.linspace(2.0e-11, 2.8e-11 if amplitude.max == 2.8e-11 else 3.6e-11, 4001)
    best = scan[np.argmin([statistic([value]) for value in scan])]
    assert amplitude.value == pytest.approx(best, rel=1e-3)


def test_a_prior_without_data_gives_back_its_own_error():
    ds, source = simulated(), models(power_law())
    norm = m.PowerLawNormSpectralModel()
    source["source"].spectral_model = source["source"].spectral_model * norm
    norm.norm.prior = m.GaussianPrior(mu=1.0, sigma=0.15)
    result = fit([ds], source)
    assert result.success
    assert norm.norm.value == pytest.approx(1.0, abs=1e-3)
    assert norm.norm.error == pytest.approx(0.15, rel=1e-2)
    errors = confidence([ds], source, "source.spectral.model2.norm")
    assert errors["errp"] == pytest.approx(0.15, rel=2e-2)


def test_the_derivatives_of_the_statistic_include_priors():
    source = models(power_law())
    source.parameters["index"].prior = m.GaussianPrior(mu=2.0, sigma=0.05)
    source.parameters["amplitude"].prior = m.LogNormalPrior(median=2e-11, sigma=0.1)
    statistic = Statistic([simulated()], source)
    start, steps = statistic.start, np.array([1e-4, 1e-15])
    gradient, _ = statistic.derivatives(start)
    for place in range(2):
        move = steps * (np.arange(2) == place)
        slope = (statistic(start + move) - statistic(start - move)) / (2 * steps[place])
        assert gradient[place] == pytest.approx(slope, rel=1e-5)
        bend = (statistic.derivatives(start + move)[0] - statistic.derivatives(start - move)[0]) / (2 * steps[place])
        np.testing.assert_allclose(statistic.hessian(start, steps)[place], bend, rtol=1e-4)


def test_a_profile_follows_the_prior():
    ds, source = simulated(), models(power_law())
    before = stat_profile([ds], source, "index", [2.0, 2.3]).values
    source.parameters["index"].prior = m.GaussianPrior(mu=2.0, sigma=0.1)
    profile = stat_profile([ds], source, "index", [2.0, 2.3])
    np.testing.assert_allclose(profile.values - before, [0.0, 9.0], rtol=1e-9, atol=1e-9)
    assert "priors" in profile.attrs["long_name"]


def test_the_prior_of_a_frozen_parameter_has_no_part():
    ds, source = simulated(), models(power_law())
    before = fit([ds], source.copy()).total_stat
    source.parameters["reference"].prior = m.GaussianPrior(mu=2.0, sigma=0.1)
    result = fit([ds], source)
    assert (result.total_stat, result.optimize_result.prior_stat) == (before, None)


def test_a_linked_prior_raises():
    source = models(power_law("a"), power_law("b"))
    source["b"].spectral_model.index = source["a"].spectral_model.index
    source["a"].spectral_model.index.prior = m.GaussianPrior(mu=2.0, sigma=0.1)
    with pytest.raises(ConfigError, match=r"a.spectral.index = b.spectral.index is linked and has a prior, of which"):
        fit([simulated()], source)


def test_a_start_that_the_prior_excludes_raises():
    source = models(power_law())
    source.parameters["index"].prior = m.UniformPrior(min=3.0, max=5.0)
    with pytest.raises(
        ConfigError, match=r"source.spectral.index: the prior UniformPrior\(min=3, max=5\) excludes the"
    ):
        fit([simulated()], source)


def test_flux_points_do_not_depend_on_priors_and_flux_points_are_fitted_with_them():
    ds, source = simulated(), models(power_law())
    edges = [1.0, 3.0, 10.0]
    before = flux_points([ds], source, "source", edges)
    source.parameters["index"].prior = m.GaussianPrior(mu=2.0, sigma=0.01)
    source.parameters["amplitude"].prior = m.LogUniformPrior(min=1e-12, max=1e-10)
    np.testing.assert_array_equal(flux_points([ds], source, "source", edges)["norm"], before["norm"])
    source.parameters["amplitude"].prior = None
    fit([flux_points_product()], source)
    assert source.parameters["index"].value == pytest.approx(2.0, abs=0.05)

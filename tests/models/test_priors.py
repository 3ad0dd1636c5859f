"""Priors: densities against those of scipy, limits, units, documents."""

from __future__ import annotations

import math

import numpy as np
import pytest
from astropy import units as u
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as densities

from xgamma import models as m
from xgamma.errors import ConfigError, ConfigTypeError
from xgamma.models import Models, Parameter, PowerLawSpectralModel, SkyModel

PRIORS = {
    "normal": (m.GaussianPrior(mu=2.1, sigma=0.1), densities.norm(2.1, 0.1)),
    "generalised": (
        m.GeneralizedGaussianPrior(mu=2.1, sigma=0.1, eta=0.3), densities.gennorm(1 / 0.3, 2.1, 0.1 * math.sqrt(2))),
    "Laplace": (m.GeneralizedGaussianPrior(mu=2.1, sigma=0.1, eta=1), densities.laplace(2.1, 0.1 * math.sqrt(2))),
    "uniform": (m.UniformPrior(min=1.0, max=5.0), densities.uniform(1.0, 4.0)),
    "log-uniform": (m.LogUniformPrior(min=1.0, max=5.0), densities.loguniform(1.0, 5.0)),
    "log-normal": (m.LogNormalPrior(median=2.0, sigma=0.3), densities.lognorm(0.3, scale=2.0)),
}  # fmt: skip


@pytest.mark.parametrize("name", PRIORS)
@pytest.mark.parametrize("value", [1.5, 2.2, 4.9])
def test_a_prior_is_minus_2_ln_of_a_density(name, value):
    prior, density = PRIORS[name]
    assert prior(value) == pytest.approx(-2 * density.logpdf(value), rel=1e-12)


@pytest.mark.parametrize("name", PRIORS)
@given(value=st.floats(1.01, 4.99))
def test_the_derivatives_are_those_of_the_penalty(name, value):
    prior, step = PRIORS[name][0], 1e-6
    if abs(value - 2.1) < 1e-3:
        return
    up, here, down = (prior.penalty(value + move) for move in (step, 0, -step))
    assert prior.slope(value) == pytest.approx((up - down) / (2 * step), rel=1e-5, abs=1e-5)
    slopes = prior.slope(value + step) - prior.slope(value - step)
    assert prior.curvature(value) == pytest.approx(slopes / (2 * step), rel=1e-4, abs=1e-4)
    assert here >= 0 and prior.information(value) >= 0


def test_the_penalty_is_0_at_the_most_probable_value_and_the_constant_stays_apart():
    prior = m.GaussianPrior(mu=2.1, sigma=0.1)
    # One sigma away, worked out by hand: 1 + 2 ln(0.1 sqrt(2 pi)) = 1 - 2.767293...
    assert (prior.penalty(2.1), prior.penalty(2.0)) == (0.0, pytest.approx(1.0))
    assert prior(2.2) == pytest.approx(-1.7672931195787)
    assert m.UniformPrior(min=0, max=10)(3.0) == pytest.approx(2 * math.log(10))
    assert m.LogUniformPrior(min=1e-13, max=1e-11).penalty(1e-12) == pytest.approx(2 * math.log(10))
    assert m.LogNormalPrior(median=1.0, sigma=0.2).penalty(math.exp(-0.04)) == pytest.approx(0.0, abs=1e-20)


def test_a_weight_multiplies_a_prior():
    assert m.GaussianPrior(2.0, mu=2.1, sigma=0.1)(2.2) == 2 * m.GaussianPrior(mu=2.1, sigma=0.1)(2.2)


def test_a_uniform_prior_limits_its_parameter_and_narrower_limits_stay():
    parameter = Parameter("norm", 1.0, min=0.5)
    parameter.prior = m.UniformPrior(min=0.2, max=3.0)
    assert (parameter.min, parameter.max) == (0.5, 3.0)
    parameter.prior = m.UniformPrior(min=0.7, max=5.0)
    assert (parameter.min, parameter.max) == (0.7, 5.0)
    parameter.prior = None
    assert math.isnan(parameter.min) and math.isnan(parameter.max)
    parameter.prior = m.GaussianPrior(mu=1.0, sigma=0.1)
    assert math.isnan(parameter.min) and parameter.prior_stat_sum() == pytest.approx(2 * math.log(0.1 * 2.50662827463))


def test_numbers_of_a_prior_are_in_the_unit_of_its_parameter_and_quantities_are_converted():
    amplitude = Parameter("amplitude", 4e-11, "cm-2 s-1 TeV-1")
    amplitude.prior = m.GaussianPrior(mu=4e-7 * u.Unit("m-2 s-1 TeV-1"), sigma="1e-12 cm-2 s-1 TeV-1")
    assert amplitude.prior.mu.value == pytest.approx(4e-11)
    assert str(amplitude.prior.mu.unit) == ""
    with pytest.raises(ConfigError, match=r"amplitude.prior.mu: expected"):
        amplitude.prior = m.GaussianPrior(mu="4 TeV", sigma=1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: m.GaussianPrior(mu=1, sigma=0), "sigma > 0, got mu = 1, sigma = 0"),
        (lambda: m.UniformPrior(min=2, max=1), "min < max"),
        (lambda: m.LogUniformPrior(min=0, max=1), "0 < min < max"),
        (lambda: m.LogNormalPrior(median=-1), "median > 0"),
        (lambda: m.GeneralizedGaussianPrior(eta=0), "0 < eta <= 1"),
        (lambda: m.GaussianPrior(width=1), "GaussianPrior has no parameter 'width'"),
    ],
)  # fmt: skip
def test_numbers_that_make_no_density_raise(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_what_is_no_prior_raises_with_what_to_write():
    with pytest.raises(ConfigTypeError, match=r"index.prior: expected a prior such as GaussianPrior"):
        PowerLawSpectralModel().index.prior = 2.1


AS_GAMMAPY_WRITES = """
components:
-   name: s
    type: SkyModel
    spectral:
        type: PowerLawSpectralModel
        parameters:
        -   name: index
            value: 2.0
            prior:
                type: GaussianPrior
                parameters:
                -   name: mu
                    value: 2.1
                    unit: ''
                -   name: sigma
                    value: 0.1
                    unit: ''
                weight: 1
        -   name: amplitude
            value: 1.0e-12
            unit: TeV-1 s-1 cm-2
            min: 1.0e-13
            max: 1.0e-11
            prior:
                type: UniformPrior
                parameters:
                -   name: min
                    value: 1.0e-13
                    unit: ''
                -   name: max
                    value: 1.0e-11
                    unit: ''
                weight: 1
        -   name: reference
            value: 1.0
            unit: TeV
"""


def test_priors_are_read_from_a_document_and_written_back():
    models = Models.from_yaml(AS_GAMMAPY_WRITES)
    index, amplitude = models.parameters["index"], models.parameters["amplitude"]
    assert repr(index.prior) == "GaussianPrior(mu=2.1, sigma=0.1)"
    assert (amplitude.min, amplitude.max) == (1e-13, 1e-11)
    again = Models.from_yaml(models.to_yaml())
    assert again.to_dict() == models.to_dict()
    written = models.to_dict()["components"][0]["spectral"]["parameters"][0]["prior"]
    assert written == {
        "type": "GaussianPrior",
        "parameters": [{"name": "mu", "value": 2.1, "unit": ""}, {"name": "sigma", "value": 0.1, "unit": ""}],
        "weight": 1,
    }
    assert models.parameters.prior_stat_sum() == pytest.approx(
        -2 * densities.norm(2.1, 0.1).logpdf(2.0) + 2 * np.log(9.9e-12)
    )


@pytest.mark.parametrize(
    ("prior", "message"),
    [
        ("{type: GausPrior}", r"PowerLawSpectralModel.index.prior: There is no prior model called 'GausPrior'"),
        ("{type: GaussianPrior, width: 3}", r"index.prior: GaussianPrior: unknown key 'width'"),
        ("{type: GaussianPrior, parameters: [{name: sigma, value: -1}, {name: mu, value: 1}]}", "sigma > 0, got"),
        ("3", r"index.prior: prior: expected a mapping with a 'type'"),
    ],
)
def test_a_prior_of_a_document_that_is_none_raises_with_its_place(prior, message):
    text = (
        "components: [{name: s, type: SkyModel, spectral: {type: pl, parameters: "
        f"[{{name: index, value: 2.0, prior: {prior}}}]}}}}]"
    )
    with pytest.raises(ConfigError, match=message):
        Models.from_yaml(text)


def test_copies_of_models_have_priors_of_their_own():
    source = SkyModel(PowerLawSpectralModel(), name="x")
    source.spectral_model.index.prior = m.GaussianPrior(mu=2.0, sigma=0.1)
    for other in (source.copy(), Models([source]).copy()[0]):
        other.spectral_model.index.prior.mu.value = 3.0
    assert source.spectral_model.index.prior.mu.value == 2.0
    assert source.spectral_model.index.copy().prior is not source.spectral_model.index.prior

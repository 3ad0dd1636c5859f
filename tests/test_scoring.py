"""Derivatives of the statistic, and fits by Fisher scoring: they end where MIGRAD ends, or leave it to MIGRAD."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import xarray as xr
from hypothesis import example, given, settings
from hypothesis import strategies as st

from simulated_spectra import cash_dataset, models, on_off_dataset, power_law, response_dataset
from xgamma.errors import ConfigError
from xgamma.fit import FitInput, FitSettings, Statistic, fit, mask_fit, stat_profile
from xgamma.models.models import Models, SkyModel
from xgamma.models.parameters import Parameter
from xgamma.models.spectral.cutoffs import ExpCutoffPowerLawSpectralModel, LogParabolaSpectralModel
from xgamma.models.spectral.model import SpectralModel
from xgamma.models.spectral.powerlaws import PowerLawNormSpectralModel, PowerLawSpectralModel
from xgamma.predict import npred_signal

MIGRAD, SCORING = FitSettings(method="migrad"), FitSettings(method="scoring")


def cutoff(name="source", index=2.1, amplitude=3e-11, lambda_=0.08, **kwargs):
    spectrum = ExpCutoffPowerLawSpectralModel(
        index=index, amplitude=f"{amplitude!r} cm-2 s-1 TeV-1", lambda_=f"{lambda_} TeV-1"
    )
    return SkyModel(spectrum, name=name, **kwargs)


def simulated(truth, n_datasets=1, seed=1, hours=5.0):
    shape = {"n_datasets": n_datasets, "hours": hours, "nbin": 16}
    return on_off_dataset(npred_signal(response_dataset(**shape), models(truth)).values, seed=seed, **shape)


def instruments(number):
    """Return one log-parabola as ``number`` instruments see it, each but the first with a norm of its own."""
    spectrum = LogParabolaSpectralModel(amplitude="1e-11 cm-2 s-1 TeV-1", beta=0.1, reference="1 TeV")
    spectra = [spectrum, *(spectrum * PowerLawNormSpectralModel() for _ in range(number - 1))]
    return Models(
        [SkyModel(one, name=f"m{place}", datasets_names=[f"run-{place}"]) for place, one in enumerate(spectra)]
    )


def free_values(source):
    return [parameter.value for parameter in source.parameters.free_parameters]


def free_errors(source):
    return np.array([parameter.error for parameter in source.parameters.free_parameters])


# --- derivatives


def flux_points():
    energy = np.array([1.0, 2.0, 4.0, 8.0])
    variables = {"norm": [1.1, 0.9, 1.3, 0.8], "norm_err": [0.1, 0.1, 0.2, 0.3], "ref_dnde": 3e-11 * energy**-2.0}
    is_ul = {"is_ul": ("energy", [False, False, True, False])}
    columns = {name: ("energy", np.asarray(values)) for name, values in variables.items()}
    return xr.Dataset({**columns, **is_ul}, {"energy": energy}, {"name": "points"})


def every_kind():
    """Return Datasets of each statistic: a mask, bins without counts, bins without off region, flux points."""
    on_off = simulated(cutoff(), n_datasets=2)
    on_off["acceptance_off"][0, 0, 3], on_off["counts_off"][1, 0, 5:] = 0.0, 0.0
    cash = cash_dataset(4.0, background=1.5, nbin=16).assign_coords(dataset=["known"])
    return [FitInput(on_off, mask_fit(on_off, 0.8, None)), cash, flux_points()]


def every_model():
    """Return models that share an index and are not all on all datasets."""
    first, second = cutoff("a"), power_law("b", amplitude=1e-12, datasets_names=["run-1", "known"])
    second.spectral_model.index = first.spectral_model.index
    return Models([first, second, cutoff("c", index=1.8, amplitude=2e-13)])


STATISTIC = Statistic(every_kind(), every_model())


@settings(max_examples=30)
@example([0.0, 0.5, -0.75, 0.0, 1.0, 0.0, 0.0])
@given(st.lists(st.floats(-1.0, 1.0), min_size=len(STATISTIC.start), max_size=len(STATISTIC.start)))
def test_derivatives_are_those_of_the_statistic(shifts):
    values = STATISTIC.start * (1 + 0.1 * np.array(shifts))
    gradient, information = STATISTIC.derivatives(values)
    errors = np.sqrt(2 / np.diag(information))
    steps = np.diag(1e-3 * errors)
    slopes = [(STATISTIC(values + step) - STATISTIC(values - step)) / (2 * step.max()) for step in steps]
    np.testing.assert_allclose(gradient * errors, slopes * errors, rtol=1e-3, atol=1e-3)
    changes = [STATISTIC.derivatives(values + step)[0] - STATISTIC.derivatives(values - step)[0] for step in steps]
    expected = np.array(changes) / (2 * steps.max(axis=1))[:, np.newaxis]
    hessian = STATISTIC.hessian(values, 1e-4 * errors)
    size = np.outer(errors, errors)
    np.testing.assert_allclose(hessian * size, expected * size, rtol=2e-3, atol=2e-2)
    assert (np.linalg.eigvalsh(information * size) > -1e-9).all()


def test_the_information_is_the_mean_of_the_second_derivatives():
    truth = cutoff()
    source = models(cutoff())
    every = [Statistic([simulated(truth, seed=seed)], source) for seed in range(60)]
    values = every[0].start
    expected = every[0].derivatives(values)[1]
    mean = np.mean([one.hessian(values, 1e-4 * values) for one in every], axis=0)
    np.testing.assert_allclose(mean, expected, rtol=0.05)


# --- fits


@pytest.mark.parametrize(("parameters", "fewer"), [(5, 4), (12, 8)])
def test_a_fit_by_scoring_ends_where_migrad_ends_with_fewer_calls(parameters, fewer):
    ds = simulated(cutoff(), n_datasets=parameters - 2)
    found, expected = instruments(parameters - 2), instruments(parameters - 2)
    result, migrad = fit([ds], found), fit([ds], expected, MIGRAD)
    assert (result.method, migrad.method) == ("scoring", "migrad")
    assert result.success
    errors = free_errors(expected)
    assert len(errors) == parameters
    assert result.total_stat <= migrad.total_stat + 1e-4
    np.testing.assert_allclose(
        np.array(free_values(found)) / errors, np.array(free_values(expected)) / errors, atol=0.02
    )
    np.testing.assert_allclose(free_errors(found), errors, rtol=0.01)
    assert migrad.nfev > fewer * result.nfev
    assert "method     : scoring" in str(result)


def test_up_to_three_free_parameters_are_fitted_by_migrad_alone():
    ds = simulated(cutoff())
    source = models(cutoff(index=2.0))
    assert fit([ds], source).method == "migrad"
    other = models(cutoff(index=2.0))
    fit([ds], other, MIGRAD)
    assert free_values(source) == free_values(other)
    asked = models(cutoff(index=2.0))
    assert fit([ds], asked, SCORING).method == "scoring"


def test_only_another_method_enters_the_key_of_a_fit():
    plain = {"tol": 0.1, "strategy": 1, "print_level": 0}
    assert FitSettings().document(3) == MIGRAD.document(12) == plain
    assert FitSettings().document(4) == SCORING.document(2) == plain | {"method": "scoring"}
    with pytest.raises(ConfigError, match=r"there is no method 'migard'\. Did you mean 'migrad'"):
        FitSettings(method="migard")


def assert_left_to_migrad(inputs, make):
    """Compare with MIGRAD alone: the same numbers to the last bit."""
    found, expected = make(), make()
    result, migrad = fit(inputs, found, SCORING), fit(inputs, expected, MIGRAD)
    assert result.method == "migrad"
    assert free_values(found) == free_values(expected)
    np.testing.assert_array_equal(free_errors(found), free_errors(expected))
    assert (result.success, result.total_stat) == (migrad.success, migrad.total_stat)
    return result


def test_what_is_not_seen_is_left_to_migrad():
    # A second source that is not there has minima with a negative and with a positive amplitude.
    ds = simulated(cutoff(), n_datasets=2)
    assert_left_to_migrad(
        [ds], lambda: models(cutoff("a"), power_law("b", index=3.0, amplitude=1e-12, datasets_names=["run-1"]))
    )


def test_parameters_that_stand_for_one_another_are_left_to_migrad():
    def make():
        spectrum = PowerLawSpectralModel(index=2.0, amplitude="1e-11 cm-2 s-1 TeV-1")
        spectrum = spectrum * PowerLawNormSpectralModel() * PowerLawNormSpectralModel()
        return Models([SkyModel(spectrum, name="source")])

    result = assert_left_to_migrad([simulated(power_law())], make)
    assert not result.success


def test_an_empty_sky_is_left_to_migrad():
    assert_left_to_migrad(
        [on_off_dataset(0.0, background=0.3, seed=3, n_datasets=2)],
        lambda: models(power_law("a", amplitude=1e-12), power_law("b", amplitude=1e-13, datasets_names=["run-1"])),
    )


def test_limits_hold_in_scoring():
    ds = simulated(cutoff(), n_datasets=4)
    found, expected = instruments(4), instruments(4)
    for source in (found, expected):
        source.parameters["alpha"].max = 2.1
    result, migrad = fit([ds], found), fit([ds], expected, MIGRAD)
    assert result.method == "scoring"
    assert found.parameters["alpha"].value == 2.1
    assert "m0.spectral.alpha is at its limit max = 2.1" in result.message
    assert np.isnan(found.parameters["alpha"].error)
    assert result.total_stat == pytest.approx(migrad.total_stat, abs=1e-3)
    np.testing.assert_allclose(free_errors(found), free_errors(expected), rtol=0.01)


def test_limits_that_are_not_reached_change_nothing_in_scoring():
    ds = simulated(cutoff(), n_datasets=4)
    found, expected = instruments(4), instruments(4)
    found.parameters["alpha"].min, found.parameters["beta"].max = 0.0, 3.0
    assert fit([ds], found).success
    fit([ds], expected)
    np.testing.assert_allclose(free_values(found), free_values(expected), rtol=1e-4)
    np.testing.assert_allclose(free_errors(found), free_errors(expected), rtol=1e-3)


class Bent(SpectralModel):
    """A log-parabola with derivatives that may be wrong."""

    tag = ("BentOfTheTests",)
    amplitude = Parameter("amplitude", 1e-11, "cm-2 s-1 TeV-1", is_norm=True)
    alpha = Parameter("alpha", 2.0)
    beta = Parameter("beta", 0.1)
    gamma = Parameter("gamma", 0.0)

    factor = 1.0

    @staticmethod
    def evaluate(energy, amplitude, alpha, beta, gamma):
        log = np.log(energy)
        return amplitude * np.exp(-alpha * log - beta * log**2 - gamma * log**3)

    @staticmethod
    def log_gradient(energy, amplitude, alpha, beta, gamma):
        return {"beta": -Bent.factor * np.log(energy) ** 2}


def test_wrong_derivatives_are_noticed_and_not_used(monkeypatch, caplog):
    ds = simulated(cutoff())
    assert fit([ds], Models([SkyModel(Bent(), name="bent")])).method == "scoring"
    monkeypatch.setattr(Bent, "factor", 1.3)
    with caplog.at_level(logging.WARNING):
        assert_left_to_migrad([ds], lambda: Models([SkyModel(Bent(), name="bent")]))
    assert "The derivatives in bent.spectral.beta are not those of the statistic: MIGRAD does without" in caplog.text


def test_a_profile_with_many_others_is_that_of_migrad():
    ds, source = simulated(cutoff(), n_datasets=4), instruments(4)
    result = fit([ds], source)
    alpha = source.parameters["alpha"]
    profile = stat_profile([ds], source, alpha, [alpha.value - alpha.error, alpha.value + alpha.error], reoptimize=True)
    np.testing.assert_allclose(profile - result.total_stat, 1.0, atol=0.1)

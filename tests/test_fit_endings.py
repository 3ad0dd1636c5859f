"""Where fits end: at limits, at kinks, where the statistic is flat. Errors are compared with the likelihood."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from scipy.optimize import brentq

from simulated_spectra import cash_dataset, models, on_off_dataset, power_law, response_dataset
from xgamma.errors import ConfigError, FitError
from xgamma.fit import Statistic, confidence, covariance, fit
from xgamma.models.models import Models, SkyModel
from xgamma.models.spectral.cutoffs import ExpCutoffPowerLawSpectralModel
from xgamma.models.spectral.powerlaws import (
    BrokenPowerLawSpectralModel,
    PowerLawNormSpectralModel,
    PowerLawSpectralModel,
)
from xgamma.predict import npred_signal


def simulated(seed=1):
    signal = npred_signal(response_dataset(), models(power_law())).values
    return on_off_dataset(signal, seed=seed)


def fitted(ds, source, **changes):
    """Fit after changes of parameters, given as ``name={"max": 2.0}``; return the result, values and errors by name."""
    for name, fields in changes.items():
        for field, value in fields.items():
            setattr(source.parameters[name], field, value)
    result = fit([ds], source)
    free = [parameter for parameter in source.parameters if not parameter.frozen]
    return result, {one.name: one.value for one in free}, {one.name: one.error for one in free}


def crossings(ds, source, name):
    """Return the minimum of the statistic of one parameter and how far down and up it rises by 1, from the counts."""
    parameter = source.parameters[name]
    found, statistic = parameter.value, Statistic([ds], source, [parameter])

    def stat(value):
        return statistic([value])

    grid = np.unique([*np.linspace(-3e-12, 3e-12, 6001), 0.0, found])
    best = grid[int(np.argmin([stat(value) for value in grid]))]
    sides = [brentq(lambda x: stat(x) - stat(best) - 1, best, best + side * 3e-11, xtol=1e-20) for side in (-1, 1)]
    return best, sides[1] - best, best - sides[0]


# --- limits


@pytest.mark.parametrize(("side", "limit"), [("max", 2.0), ("min", 3.0)])
def test_a_parameter_at_a_limit_gives_a_warning_and_has_no_error(side, limit, caplog):
    ds, source = simulated(), models()
    with caplog.at_level(logging.WARNING):
        result, values, errors = fitted(
            ds, source, index={side: limit, "value": limit + (0.1 if side == "min" else -0.1)}
        )
    assert not result.success
    assert result.optimize_result.success
    sentence = f"source.spectral.index is at its limit {side} = {limit:g}: it has no error"
    assert sentence in result.covariance_result.message
    assert sentence in caplog.text
    assert values["index"] == limit
    assert np.isnan(errors["index"])
    # The error of the other is that of a fit with the index fixed there.
    _, fixed_values, fixed = fitted(simulated(), models(), index={"value": limit, "frozen": True})
    assert errors["amplitude"] == pytest.approx(fixed["amplitude"], rel=1e-2)
    assert values["amplitude"] == pytest.approx(fixed_values["amplitude"], rel=1e-3)
    matrix = source.covariance.data
    assert np.isfinite(np.delete(np.delete(matrix, 0, 0), 0, 1)).all()
    assert not matrix[0, 1:].any()


def test_two_parameters_at_their_limits_are_both_in_the_warning():
    result, values, errors = fitted(
        simulated(), models(), index={"max": 1.8, "value": 1.7}, amplitude={"max": 1.5e-11, "value": 1.2e-11}
    )
    assert values == {"index": 1.8, "amplitude": 1.5e-11}
    assert np.isnan(list(errors.values())).all()
    assert not result.success
    for sentence in ("index is at its limit max = 1.8", "amplitude is at its limit max = 1.5e-11"):
        assert sentence in result.covariance_result.message


def test_limits_that_are_not_reached_change_nothing():
    ds = simulated()
    free, values, errors = fitted(ds, models())
    wide, bound_values, bound_errors = fitted(ds, models(), index={"min": 0.0, "max": 5.0}, amplitude={"min": 0.0})
    assert free.success
    assert wide.success
    assert bound_values == pytest.approx(values, rel=1e-3)
    assert bound_errors == pytest.approx(errors, rel=2e-2)


def test_a_flux_with_a_parameter_at_a_limit_has_the_error_of_the_others():
    source = models()
    fitted(simulated(), source, index={"max": 2.0, "value": 1.9})
    value, error = source[0].spectral_model.evaluate_error("1 TeV")
    amplitude = source.parameters["amplitude"]
    assert float(error / value) == pytest.approx(amplitude.error / amplitude.value)


def test_one_side_of_an_asymmetric_error_ends_at_a_limit():
    ds, source = simulated(), models()
    fitted(ds, source, index={"max": 2.0, "value": 1.9})
    found = confidence([ds], source, "index")
    assert np.isnan(found["errp"])
    assert found["errn"] > 0
    assert found["success"]
    assert "The max of source.spectral.index comes before it has risen far enough." in found["message"]
    # The lower side counts from the limit.
    statistic = Statistic([ds], source)
    at_limit = statistic(statistic.start)
    source.parameters["index"].value -= found["errn"]
    source.parameters["index"].frozen = True
    fit([ds], source)
    assert statistic(source.parameters.value[:2]) == pytest.approx(at_limit + 1.0, abs=0.01)


def test_equal_limits_raise():
    with pytest.raises(ConfigError, match=r"index: expected min < max, got 2 and 2; freeze it"):
        fitted(simulated(), models(), index={"min": 2.0, "max": 2.0})


# --- empty skies


def empty(seed, background=0.3):
    return on_off_dataset(0.0, background=background, seed=seed)


@pytest.mark.some_long(3)
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("start", [1e-12, 3e-14])
def test_the_error_on_an_empty_sky_is_where_the_statistic_rises_by_one(seed, start):
    ds = empty(seed, background=0.02 * 4**seed % 1.0)
    source = models(power_law(amplitude=start))
    result, values, errors = fitted(ds, source, index={"frozen": True})
    best, up, down = crossings(ds, source, "amplitude")
    assert values["amplitude"] == pytest.approx(best, abs=0.05 * up)
    if result.success:
        assert min(up, down) / 2 < errors["amplitude"] < 2 * max(up, down)
    else:
        assert errors["amplitude"] == pytest.approx((up + down) / 2, rel=0.05)


def test_a_fit_without_any_counts_ends_at_a_kink_without_success():
    ds, source = on_off_dataset(0.0, background=0.0), models(power_law(amplitude=1e-12))
    result, values, errors = fitted(ds, source, index={"frozen": True})
    # The statistic is 2 a signal count above 0 and 2 / alpha = 20 below.
    count = 1e-12 / npred_signal(ds, models(power_law(amplitude=1e-12))).values.sum()
    assert values["amplitude"] == pytest.approx(0.0, abs=1e-3 * count)
    assert errors["amplitude"] == pytest.approx((count / 2 + count / 20) / 2, rel=0.01)
    assert not result.success
    assert "The statistic is no parabola in source.spectral.amplitude" in result.covariance_result.message
    bound, _, one_sided = fitted(ds, models(power_law(amplitude=1e-12)), index={"frozen": True}, amplitude={"min": 0.0})
    assert one_sided["amplitude"] == pytest.approx(count / 2, rel=0.01)
    assert "amplitude is at its limit min = 0" in bound.covariance_result.message


def test_a_deficit_at_the_limit_zero_has_no_error():
    ds = on_off_dataset(0.0, background=6.0)
    ds["counts"][:] = 3.0
    result, values, errors = fitted(
        ds, models(power_law(amplitude=1e-12)), index={"frozen": True}, amplitude={"min": 0.0}
    )
    assert values["amplitude"] == 0.0
    assert np.isnan(errors["amplitude"])
    assert not result.success


def test_cash_without_counts_ends_at_a_limit_or_warns():
    ds = cash_dataset(np.zeros(10), background=0.5)
    result, values, errors = fitted(
        ds, models(power_law(amplitude=1e-12)), index={"frozen": True}, amplitude={"min": 0.0}
    )
    assert values["amplitude"] == 0.0
    assert np.isnan(errors["amplitude"])
    assert not result.success


# --- parameters that the statistic does not constrain


def degenerate(*parts):
    spectrum = PowerLawSpectralModel(index=2.3, amplitude="3e-11 cm-2 s-1 TeV-1")
    for part in parts:
        spectrum = spectrum * part
    return Models([SkyModel(spectrum, name="source")])


@pytest.mark.parametrize(
    ("source", "unknown"),
    [
        (degenerate(PowerLawNormSpectralModel()), {"amplitude", "norm"}),
        (degenerate(PowerLawNormSpectralModel(), PowerLawNormSpectralModel()), {"amplitude", "norm"}),
        (degenerate(), {"amplitude", "reference"}),
    ],
)
def test_degenerate_parameters_have_no_error(source, unknown):
    if len(source.parameters) == 3:
        source.parameters["reference"].frozen = False
    result, _, errors = fitted(simulated(), source)
    assert not result.success
    assert {name for name, error in errors.items() if np.isnan(error)} == unknown
    assert errors["index"] == pytest.approx(0.0734, rel=0.01)
    assert "The statistic does not tell source.spectral" in result.covariance_result.message
    # What depends on them has no error either.
    assert np.isnan(source[0].spectral_model.evaluate_error("1 TeV")[1])


def test_an_unconstrained_parameter_has_no_error_and_the_fit_no_success():
    spectrum = BrokenPowerLawSpectralModel(index2=2.3, ebreak="0.001 TeV", amplitude="2e-4 cm-2 s-1 TeV-1")
    source = Models([SkyModel(spectrum, name="source")])
    for name in ("ebreak", "amplitude"):
        source.parameters[name].frozen = True
    result, _, errors = fitted(simulated(), source)
    assert np.isnan(errors["index1"])
    assert not result.success
    assert "source.spectral.index1" in result.covariance_result.message


def test_the_index_of_a_source_without_counts_is_unconstrained():
    source = models(power_law(amplitude=0.0))
    result, _, errors = fitted(simulated(), source, amplitude={"frozen": True})
    assert np.isnan(errors["index"])
    assert not result.success


def test_a_cutoff_at_its_limit_leaves_a_power_law():
    spectrum = ExpCutoffPowerLawSpectralModel(index=2.3, amplitude="3e-11 cm-2 s-1 TeV-1", lambda_="0.01 TeV-1")
    source = Models([SkyModel(spectrum, name="source")])
    _, values, errors = fitted(simulated(), source, lambda_={"min": 0.0})
    assert values["lambda_"] == 0.0
    assert np.isnan(errors["lambda_"])
    _, straight, straight_errors = fitted(simulated(), models())
    for name in ("index", "amplitude"):
        assert values[name] == pytest.approx(straight[name], rel=1e-3)
        assert errors[name] == pytest.approx(straight_errors[name], rel=0.02)


@pytest.mark.parametrize("name", ["index", "reference"])
def test_a_start_value_of_nan_raises_with_the_name_of_the_parameter(name):
    with pytest.raises(FitError, match=rf"not a number at the start values \({name} = nan\)"):
        fitted(simulated(), models(), **{name: {"value": float("nan")}})


def test_an_error_of_nan_does_not_disturb_the_next_fit():
    ds, source = simulated(), models()
    fitted(ds, source, index={"max": 2.0, "value": 1.9})
    source.parameters["index"].max = float("nan")
    result, values, _ = fitted(ds, source)
    assert result.success
    assert values["index"] == pytest.approx(2.2659, abs=1e-3)


def test_the_covariance_near_a_minimum_gives_no_warning_about_the_slope():
    ds, source = simulated(), models(power_law(index=2.5))
    assert covariance([ds], source).success
    assert (source.parameters.errors[:2] > 0).all()


# --- names of datasets


def test_an_unknown_dataset_name_raises_with_both_names():
    source = models(power_law("crab", datasets_names=["stackd"]))
    with pytest.raises(ConfigError, match=r"no model names the dataset run-0; crab is for stackd\. Correct the names"):
        fit([simulated()], source)


def test_models_and_datasets_left_out_of_the_fit_give_a_warning(caplog):
    ds = on_off_dataset(npred_signal(response_dataset(n_datasets=2), models()).values, seed=1, n_datasets=2)
    source = models(power_law("a", datasets_names=["run-0"]), power_law("b", datasets_names=["run-7"]))
    with caplog.at_level(logging.WARNING):
        fit([ds], source)
    assert "no model names the dataset run-1; b is for run-7" in caplog.text

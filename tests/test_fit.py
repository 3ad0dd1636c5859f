"""The fit: objective, optimum, covariance, report, profiles."""

from __future__ import annotations

import itertools
import logging
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import xarray as xr
from scipy.optimize import brentq, minimize

from simulated_spectra import cash_dataset, models, on_off_dataset, power_law, response_dataset
from xgamma import stats
from xgamma.errors import ConfigError, ConfigTypeError, DataError, FitError
from xgamma.fit import (
    Fit,
    FitInput,
    Statistic,
    confidence,
    covariance,
    fit,
    mask_fit,
    stat_contour,
    stat_profile,
    stat_surface,
)
from xgamma.models.models import Models, SkyModel
from xgamma.models.spectral.powerlaws import PowerLawSpectralModel
from xgamma.predict import npred_signal

REPORT = (
    "OptimizeResult\n\n\tbackend    : minuit\n\tmethod     : migrad\n\tsuccess    : True\n"
    "\tmessage    : Optimization terminated successfully.\n\tnfev       : {nfev}\n\ttotal stat : {stat:.2f}\n\n"
    "CovarianceResult\n\n\tbackend    : minuit\n\tmethod     : hesse\n\tsuccess    : True\n"
    "\tmessage    : Hesse terminated successfully.\n"
)


def simulated(seed=1, n_datasets=2, **kwargs):
    signal = npred_signal(response_dataset(n_datasets=n_datasets, **kwargs), models(power_law())).values
    return on_off_dataset(signal, seed=seed, n_datasets=n_datasets, **kwargs)


class Datasets:
    """What ``Fit`` takes."""

    def __init__(self, inputs, fitted):
        self.inputs, self.models = inputs, fitted

    def fit_inputs(self):
        return self.inputs


def total(inputs, source):
    """Return the statistic at the present values of the models."""
    statistic = Statistic(inputs, source)
    return statistic(statistic.start)


def test_the_optimum_is_that_of_another_minimiser_and_the_covariance_that_of_the_second_derivatives():
    ds, source = simulated(), models(power_law(index=2.0, amplitude=1e-11))
    result = fit([ds], source)

    statistic = Statistic([ds], models())

    def objective(values):
        return statistic([values[0], values[1] * 1e-11])

    other = minimize(objective, [2.0, 3.0], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-10})
    parameters = source.parameters
    assert result.success
    assert result.total_stat == pytest.approx(other.fun, abs=1e-3)
    assert parameters["index"].value == pytest.approx(other.x[0], abs=0.02 * parameters["index"].error)
    assert parameters["amplitude"].value == pytest.approx(other.x[1] * 1e-11, abs=0.02 * parameters["amplitude"].error)

    step = 1e-3
    shifts = np.eye(2) * step
    hessian = [[(objective(other.x + a + b) - objective(other.x + a - b) - objective(other.x - a + b)
                 + objective(other.x - a - b)) / (4 * step**2) for a in shifts] for b in shifts]  # fmt: skip
    expected = np.linalg.inv(np.array(hessian) / 2) * np.outer([1, 1e-11], [1, 1e-11])
    np.testing.assert_allclose(result.covariance_result.matrix, expected, rtol=2e-2)
    np.testing.assert_allclose(source.covariance.data[:2, :2], result.covariance_result.matrix, rtol=1e-12)
    assert source.covariance.data[2].tolist() == [0.0, 0.0, 0.0]
    assert parameters["index"].error == pytest.approx(np.sqrt(expected[0, 0]), rel=1e-2)


def test_a_fit_finds_the_simulated_parameters():
    source = models(power_law(index=2.0, amplitude=1e-11))
    fit([simulated(seed=7, hours=5.0)], source)
    index, amplitude = source.parameters["index"], source.parameters["amplitude"]
    assert abs(index.value - 2.3) < 3 * index.error < 0.3
    assert abs(amplitude.value - 3e-11) < 3 * amplitude.error < 1e-11


def test_the_report_prints_both_blocks():
    result = fit([simulated()], models())
    blocks, table = str(result).split("\n  model ", 1)
    assert blocks + "\n" == REPORT.format(nfev=result.nfev, stat=result.total_stat) + "\n"
    assert [line.split()[:3] for line in table.splitlines()[2:]] == [
        ["source", "spectral", name] for name in ("index", "amplitude", "reference")
    ]
    assert repr(result) == str(result)
    assert (result.backend, result.method, result.message) == (
        "minuit",
        "migrad",
        "Optimization terminated successfully.",
    )


def test_the_result_does_not_change_with_the_models():
    source = models()
    result = fit([simulated()], source)
    best = source.parameters["index"].value
    source.parameters["index"].value = 5.0
    assert result.parameters["index"].value == best


def test_the_fit_does_not_depend_on_how_rows_are_put_together():
    ds = simulated(n_datasets=4)
    parts = [ds.isel(dataset=slice(0, 1)), ds.isel(dataset=slice(1, 4))]
    results = []
    for datasets in ([ds], parts, [ds.isel(dataset=[3, 1, 0, 2])]):
        source = models()
        results.append((fit(datasets, source).total_stat, source.parameters["index"].value))
    for stat, index in results[1:]:
        assert stat == pytest.approx(results[0][0], rel=1e-10)
        assert index == pytest.approx(results[0][1], rel=1e-6)


def test_the_total_is_the_sum_over_datasets_of_any_kind():
    on_off, known, coarse = simulated(), cash_dataset(4.0, background=1.0), simulated(nbin=6, n_datasets=1)
    known = known.assign_coords(dataset=["known"])
    coarse = coarse.assign_coords(dataset=["coarse"])
    source = models()
    together = Statistic([known, on_off, coarse], source)
    assert together.names == ["known", "run-0", "run-1", "coarse"]
    expected = [
        stats.cash(4.0, npred_signal(known, source).values + 1.0).sum(),
        *stats.wstat(on_off["counts"], on_off["counts_off"], 0.1, npred_signal(on_off, source)).sum(axis=(1, 2)),
        stats.wstat(coarse["counts"], coarse["counts_off"], 0.1, npred_signal(coarse, source)).sum(),
    ]
    np.testing.assert_allclose(together.per_dataset(together.start), expected, rtol=1e-12)
    assert together(together.start) == pytest.approx(sum(expected))


def test_without_models_the_statistic_is_that_of_no_signal():
    ds = simulated()
    expected = stats.wstat(ds["counts"], ds["counts_off"], 0.1, 0.0).sum()
    assert total([ds], Models()) == pytest.approx(expected)


def test_the_statistic_is_a_function_of_values_and_changes_no_model():
    ds, source = simulated(), models()
    statistic = Statistic([ds], source)
    assert statistic.parameters.names == ["index", "amplitude"]
    assert statistic.start.tolist() == [2.3, 3e-11]
    before, elsewhere = statistic([2.3, 3e-11]), statistic([2.0, 1e-11])
    assert source.parameters.value.tolist() == [2.3, 3e-11, 1.0]
    # What it was made of is read once.
    source.parameters["index"].value, source.parameters["reference"].value = 4.0, 2.0
    assert (statistic([2.3, 3e-11]), statistic([2.0, 1e-11])) == (before, elsewhere)
    assert elsewhere == total([ds], models(power_law(index=2.0, amplitude=1e-11)))
    with pytest.raises(ValueError, match="Expected 2 values, one for each parameter, got 3"):
        statistic([2.3, 3e-11, 1.0])


def test_threads_may_share_a_statistic():
    statistic = Statistic([simulated()], models(power_law("a"), power_law("b", amplitude=1e-12)))
    points = [statistic.start * (1 + 0.01 * number) for number in range(40)]
    expected = [statistic(point) for point in points]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(statistic, points)) == expected


def test_the_arguments_may_be_any_parameters_in_any_order():
    ds, source = simulated(), models()
    reference, amplitude = source.parameters["reference"], source.parameters["amplitude"]
    statistic = Statistic([ds], source, [reference, amplitude])
    assert statistic(statistic.start) == total([ds], source)
    # A power law with another reference and the amplitude there is the same.
    assert statistic([2.0, 3e-11 * 2.0**-2.3]) == pytest.approx(statistic(statistic.start), rel=1e-12)
    assert Statistic([ds], source, [])([]) == total([ds], source)


def test_a_model_whose_values_stay_is_evaluated_once(monkeypatch):
    ds, calls, flux = simulated(), [], PowerLawSpectralModel.flux

    def counted(self, edges, values=None):
        calls.append(values)
        return flux(self, edges, values)

    monkeypatch.setattr(PowerLawSpectralModel, "flux", counted)
    statistic = Statistic([ds], models(power_law("a"), power_law("b")))
    for index in (2.0, 2.1, 2.2):
        statistic([index, *statistic.start[1:]])
    assert len(calls) == 4


def test_only_safe_bins_inside_the_fit_range_count():
    ds = simulated()
    ds["mask_safe"][:, :, :3] = False
    inside = mask_fit(ds, 1.0, 20.0)
    edges = ds["energy_bounds"].values
    assert inside.shape == (2, 1, 10)
    assert inside[0, 0].tolist() == [low >= 1.0 and high <= 20.0 for low, high in edges]
    assert FitInput(ds, inside).used.sum() == 2 * sum(inside[0, 0, 3:])
    assert mask_fit(ds, None, None).all()
    expected = stats.wstat(ds["counts"], ds["counts_off"], 0.1, 0.0)[FitInput(ds, inside).used].sum()
    assert total([FitInput(ds, inside)], Models()) == pytest.approx(expected)


def test_a_mask_of_another_shape_raises():
    with pytest.raises(DataError, match=r"expected shape \(2, 1, 10\)"):
        Statistic([FitInput(simulated(), np.ones(10, dtype=bool))], models())


def test_what_is_no_list_of_datasets_is_refused():
    with pytest.raises(ConfigTypeError, match=r"Expected a list of Datasets or FitInput, got one of them"):
        fit(simulated(), models())
    with pytest.raises(ConfigTypeError, match=r"Expected a list of Datasets or FitInput, got a tuple"):
        fit([(simulated(), None)], models())


def test_linked_parameters_count_once():
    ds = simulated(n_datasets=2)
    first, second = power_law("a", datasets_names=["run-0"]), power_law("b", datasets_names=["run-1"])
    second.spectral_model.index = first.spectral_model.index
    source = models(first, second)
    result = fit([ds], source)
    assert result.covariance_result.matrix.shape == (3, 3)
    assert second.spectral_model.index.value == first.spectral_model.index.value
    assert second.spectral_model.index.error == first.spectral_model.index.error > 0
    assert first.spectral_model.amplitude.value != second.spectral_model.amplitude.value


def test_a_model_of_other_datasets_is_not_fitted():
    source = models(power_law("a"), power_law("elsewhere", index=4.0, datasets_names=["another"]))
    result = fit([simulated()], source)
    assert result.covariance_result.matrix.shape == (2, 2)
    assert source["elsewhere"].spectral_model.index.value == 4.0


def test_parameters_stay_within_their_limits():
    source = models()
    source.parameters["index"].max = 2.0
    source.parameters["index"].value = 1.9
    fit([simulated()], source)
    assert source.parameters["index"].value == pytest.approx(2.0, abs=1e-3)
    assert source.parameters["index"].value <= 2.0


def test_a_fit_without_free_parameters_raises():
    source = models()
    source.freeze()
    with pytest.raises(ConfigError, match="No free parameters for fitting") as caught:
        fit([simulated()], source)
    assert isinstance(caught.value, ValueError)


def test_a_fit_without_any_bin_raises():
    ds = simulated()
    with pytest.raises(FitError, match="No bin is left to fit"):
        fit([FitInput(ds, mask_fit(ds, 90.0, 95.0))], models())


def test_a_start_value_of_nan_raises():
    with pytest.raises(FitError, match="not a number at the start values"):
        fit([simulated()], models(power_law(index=float("nan"))))


def test_a_fit_that_does_not_converge_warns(caplog):
    ds = simulated()
    ds["exposure"] = ds["exposure"] * 0.0
    source = models()
    with caplog.at_level(logging.WARNING):
        result = fit([ds], source)
    assert not result.success
    assert "The fit did not converge: Optimization failed." in caplog.text
    assert "success    : False" in str(result)
    assert result.message.startswith("Optimization failed.")


def test_a_profile_is_the_statistic_around_the_best_fit():
    ds, source = simulated(), models()
    result = fit([ds], source)
    index = source.parameters["index"]
    best, error = index.value, index.error
    profile = stat_profile([ds], source, "index")
    assert profile.dims == ("index",)
    np.testing.assert_allclose(profile["index"], np.linspace(best - 2 * error, best + 2 * error, 11))
    trial = source.copy()
    trial.parameters["index"].value = profile["index"].values[0]
    assert profile.values[0] == pytest.approx(total([ds], trial))
    assert profile.values[5] == pytest.approx(result.total_stat)
    assert (index.value, index.error, index.frozen) == (best, error, False)

    refitted = stat_profile([ds], source, index, [best - error, best + error], reoptimize=True)
    np.testing.assert_allclose(refitted - result.total_stat, 1.0, atol=0.1)
    assert (stat_profile([ds], source, index, refitted["index"].values) > refitted).all()
    assert index.value == best


def test_a_profile_without_error_needs_values():
    with pytest.raises(ConfigError, match="there is no error to choose values of a scan"):
        stat_profile([simulated()], models(), "index")


def test_a_surface_is_the_statistic_over_two_parameters():
    ds, source = simulated(), models()
    fit([ds], source)
    index, amplitude = source.parameters["index"], source.parameters["amplitude"]
    best = index.value, amplitude.value
    # With three rows, the second of which is walked backwards.
    at, of = best[0] + index.error * np.array([-1.0, 0, 2]), best[1] + amplitude.error * np.array([-1.5, 0, 1, 2])
    surface = stat_surface([ds], source, "index", amplitude, at, of)
    assert (surface.dims, surface.shape, (index.value, amplitude.value)) == (("index", "amplitude"), (3, 4), best)
    trial = source.copy()
    for number, values in enumerate(itertools.product(at, of)):
        trial.parameters["index"].value, trial.parameters["amplitude"].value = values
        assert surface.values.ravel()[number] == pytest.approx(total([ds], trial))
    again = stat_surface([ds], source, amplitude, index, of, at, reoptimize=True)
    np.testing.assert_allclose(again.values.T, surface.values)
    assert stat_surface([ds], source, "index", "amplitude").shape == (11, 11)
    with pytest.raises(ConfigError, match="expected two parameters, got 'index' twice"):
        stat_surface([ds], source, "index", index)


def test_a_surface_with_others_fitted_lies_below_that_with_others_kept():
    ds, both = simulated(), models()
    both.append(SkyModel(PowerLawSpectralModel(index=3.0, amplitude="1e-13 cm-2 s-1 TeV-1"), name="faint"))
    both["faint"].spectral_model.index.frozen = True
    result = fit([ds], both)
    first, second = both["source"].spectral_model.amplitude, both["faint"].spectral_model.amplitude
    at, of = first.value + first.error * np.array([-0.5, 0.5]), second.value + second.error * np.array([-0.5, 0.5])
    kept, fitted = (stat_surface([ds], both, first, second, at, of, reoptimize=each) for each in (False, True))
    assert kept.dims == ("source.spectral.amplitude", "faint.spectral.amplitude")
    assert (fitted.values <= kept.values + 1e-6).all() and (fitted.values >= result.total_stat - 1e-6).all()


def test_asymmetric_errors_are_crossings_and_do_not_change_the_models():
    ds, source = simulated(), models()
    source.parameters["index"].frozen = True
    result = fit([ds], source)
    amplitude = source.parameters["amplitude"]
    best, statistic = amplitude.value, Statistic([ds], source)

    def rise(value):
        return statistic([value]) - result.total_stat - 1.0

    expected = brentq(rise, best, best + 3 * amplitude.error) - best
    errors = confidence([ds], source, "amplitude")
    assert errors["success"]
    assert errors["message"] == "Minos terminated successfully."
    assert errors["errp"] == pytest.approx(expected, rel=1e-2)
    assert errors["errn"] == pytest.approx(amplitude.error, rel=0.1)
    assert amplitude.value == best


def test_a_contour_encloses_the_best_fit_at_its_level():
    ds, source = simulated(), models()
    result = fit([ds], source)
    contour = stat_contour([ds], source, "index", "amplitude", numpoints=8)
    assert contour["success"]
    statistic = Statistic([ds], source)
    for point in zip(contour["x"], contour["y"], strict=True):
        assert statistic(point) - result.total_stat == pytest.approx(1.0, abs=0.05)


def test_the_view_fits_datasets_with_models():
    ds = simulated()
    inputs = [FitInput(ds, mask_fit(ds, 1.0, None))]
    datasets = Datasets(inputs, models())
    view = Fit()
    result = view.run(datasets)
    alone = fit(inputs, models())
    assert result.total_stat == alone.total_stat
    profile = view.stat_profile(datasets, datasets.models.parameters["index"])
    assert list(profile) == ["source.spectral.index_scan", "stat_scan"]
    surface = view.stat_surface(datasets, "index", "amplitude")
    names = [f"source.spectral.{name}_scan" for name in ("index", "amplitude")]
    assert list(surface) == [*names, "stat_scan", "fit_results"]
    assert surface["stat_scan"].shape == (11, 11)
    assert view.confidence(datasets, "index")["success"]
    assert view.stat_contour(datasets, "index", "amplitude", numpoints=4)["success"]
    np.testing.assert_allclose(view.covariance(datasets).matrix, result.covariance_result.matrix, rtol=2e-2)
    assert view.optimize(datasets).success


def test_the_covariance_at_given_values_does_not_change_them():
    ds, source = simulated(), models()
    fit([ds], source)
    best = source.parameters["index"].value
    result = covariance([ds], source)
    assert result.success
    assert source.parameters["index"].value == pytest.approx(best, rel=1e-14)


def test_unknown_backends_and_options_raise():
    with pytest.raises(ConfigError, match="expected the backend 'minuit', got 'sherpa'"):
        Fit(backend="sherpa")
    with pytest.raises(ConfigError, match="Did you mean 'strategy'"):
        Fit(optimize_opts={"stratgy": 2})


def flux_points_dataset():
    energy = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
    return xr.Dataset(
        {
            "norm": ("energy", [1.1, 0.9, 1.3, 5.0, np.nan]),
            "norm_err": ("energy", [0.1, 0.1, 0.2, 1.0, 1.0]),
            "ref_dnde": ("energy", 1e-11 * energy**-2.0),
            "is_ul": ("energy", [False, False, False, True, False]),
        },
        coords={"energy": energy},
        attrs={"name": "points"},
    )


def test_flux_points_are_fitted_by_chi2_without_limits_and_gaps():
    source = models(power_law(index=2.0, amplitude=2e-11))
    source.parameters["index"].frozen = True
    result = fit([flux_points_dataset()], source)
    weights = np.array([100.0, 100.0, 25.0])
    best = np.average([1.1, 0.9, 1.3], weights=weights)
    amplitude = source.parameters["amplitude"]
    assert amplitude.value == pytest.approx(best * 1e-11, rel=1e-6)
    assert amplitude.error == pytest.approx(1e-11 / np.sqrt(weights.sum()), rel=1e-4)
    assert result.total_stat == pytest.approx(np.sum(weights * (np.array([1.1, 0.9, 1.3]) - best) ** 2))


def test_flux_points_need_a_model():
    with pytest.raises(ConfigError, match="expects a model"):
        Statistic([flux_points_dataset()], Models())

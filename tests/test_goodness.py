"""Goodness of fit: the deviance from the saturated model, and how often data drawn from the fit reach it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest

from simulated_spectra import cash_dataset, models, on_off_dataset, power_law, response_dataset
from sky_rows import image, sky_row, with_responses
from xgamma import predict, stats
from xgamma.errors import DataError
from xgamma.fit import FitInput, Statistic, fit, goodness_of_fit, pulls
from xgamma.models import FoVBackgroundModel, Models, PointSpatialModel, PowerLawSpectralModel, SkyModel
from xgamma.predict import npred_signal
from xgamma.reduce import with_alpha_systematic

FEW = 200


def signal(amplitude=3e-11, **kwargs):
    return npred_signal(response_dataset(**kwargs), models(power_law(amplitude=amplitude))).values


def fitted(ds):
    source = models(power_law(index=2.2, amplitude=2.5e-11))
    fit([ds], source)
    return source


def test_the_deviance_of_on_off_counts_is_wstat_and_that_of_a_known_background_cash_above_its_least():
    on_off = on_off_dataset(signal(), seed=1)
    source = fitted(on_off)
    statistic = Statistic([on_off], source)
    assert goodness_of_fit([on_off], source, FEW).total.value == pytest.approx(statistic(statistic.start), rel=1e-12)

    counts = np.random.default_rng(2).poisson(signal() + 2.0).astype(float)
    known = cash_dataset(counts, 2.0)
    source = fitted(known)
    statistic = Statistic([known], source)
    least = float(stats.cash(counts, counts).sum())
    found = goodness_of_fit([known], source, FEW)
    assert found.total.value == pytest.approx(statistic(statistic.start) - least, rel=1e-12)
    assert (found.total.n_bins, found.n_free, found.dof) == (10, 2, 8)


def test_the_same_seed_gives_the_same_numbers_and_another_one_others():
    ds = on_off_dataset(signal(), seed=1)
    source = fitted(ds)
    first, again, other = (goodness_of_fit([ds], source, FEW, seed) for seed in (5, 5, 6))
    assert np.array_equal(first.drawn, again.drawn)
    assert not np.array_equal(first.drawn, other.drawn)


@pytest.mark.parametrize("kind", ["on-off", "cash"])
def test_p_values_of_data_that_the_model_made_are_evenly_spread(kind):
    expected, random = signal(), np.random.default_rng(7)
    found = []
    for seed in range(80):
        is_on_off = kind == "on-off"
        ds = on_off_dataset(expected, seed=seed) if is_on_off else cash_dataset(random.poisson(expected + 2.0), 2.0)
        found.append(goodness_of_fit([ds], fitted(ds), FEW, seed + 1000).total.p_value)
    assert kstest(found, "uniform").pvalue > 0.01


def test_a_refit_lowers_the_deviance_of_draws_by_the_number_of_free_parameters():
    ds = on_off_dataset(signal(3e-9), background=400.0, seed=3)
    source = fitted(ds)
    free = goodness_of_fit([ds], source, 2000)
    source.parameters.freeze_all()
    frozen = goodness_of_fit([ds], source, 2000)
    assert not frozen.is_refitted
    assert frozen.drawn.mean() == pytest.approx(10.0, abs=0.4)
    assert np.mean(frozen.drawn - free.drawn) == pytest.approx(2.0, abs=0.15)


def test_another_spectrum_than_that_of_the_model_is_told_and_where():
    bent = signal(3e-10, n_datasets=2)
    bent[1, 0, 5:] *= 0.3
    ds = on_off_dataset(bent, seed=1, n_datasets=2)
    found = goodness_of_fit([ds], fitted(ds), 500)
    assert found.total.p_value == 1 / 501
    assert found.datasets["run-1"].p_value < 0.01
    assert sum(each.value for each in found.datasets.values()) == pytest.approx(found.total.value, rel=1e-12)
    assert sum(each.n_bins for each in found.datasets.values()) == found.total.n_bins == 20


def test_bins_that_are_not_fitted_do_not_count():
    ds = on_off_dataset(signal(), seed=1)
    mask = np.ones(ds["counts"].shape, dtype=bool)
    mask[..., 6:] = False
    found = goodness_of_fit([FitInput(ds, mask)], fitted(ds), FEW)
    assert found.total.n_bins == 6


def test_pixels_of_maps_count_one_by_one():
    ds = with_responses(sky_row(image((12, 10), 0.2), background=0.3, exposure=1e9), 0.1, 1e9)
    place = PointSpatialModel(lon_0="83.66 deg", lat_0="22.03 deg")
    source = SkyModel(PowerLawSpectralModel(index=2.0, amplitude="2e-12 cm-2 s-1 TeV-1"), place, name="source")
    both = Models([source, FoVBackgroundModel(dataset_name="stacked")])
    expected = predict.npred(ds, both).values
    ds["counts"].values[:] = np.random.default_rng(3).poisson(expected)
    found = goodness_of_fit([ds], both, FEW)
    assert found.total.n_bins == expected.size
    assert found.total.value == pytest.approx(float(stats.cstat(ds["counts"].values, expected).sum()), rel=1e-9)
    assert 0.01 < found.total.p_value < 0.99
    assert not found.is_refitted
    assert pulls([ds], both).size == 0


def test_pulls_are_roots_of_the_deviance_with_the_sign_of_the_residual():
    ds = on_off_dataset(signal(3e-10), seed=4)
    source = fitted(ds)
    found = pulls([ds], source)
    assert np.sum(found**2) == pytest.approx(goodness_of_fit([ds], source, FEW).total.value, rel=1e-12)
    residual = ds["counts"].values - 0.1 * ds["counts_off"].values - npred_signal(ds, source).values
    assert np.array_equal(np.sign(found), np.sign(residual.ravel()))


def test_a_systematic_error_of_alpha_has_no_goodness_of_fit_yet():
    ds = with_alpha_systematic(on_off_dataset(signal(), seed=1), 0.1)
    with pytest.raises(DataError, match="its factors couple the bins"):
        goodness_of_fit([ds], fitted(ds))

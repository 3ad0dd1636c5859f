"""Models on the sky: what a window holds of them, bin by bin, and how it changes with their place."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import erf

from sky_rows import ENERGY_TRUE, image, response, sky_row, with_responses
from xgamma import predict
from xgamma.errors import ConfigError
from xgamma.fit import FitInput, FitSettings, fit
from xgamma.fit.statistic import Statistic
from xgamma.models import (
    FoVBackgroundModel,
    GaussianSpatialModel,
    Models,
    PointSpatialModel,
    PowerLawSpectralModel,
    SkyModel,
)
from xgamma.predict.sky.image import ImageSight
from xgamma.predict.sky.round import RoundSight
from xgamma.predict.sky.window import Window
from xgamma.stats import cash

PLACE = {"lon_0": "83.66 deg", "lat_0": "22.03 deg"}
SIGMA, EXPOSURE = 0.12, 1e9


def model(spatial=None, name="source", amplitude=2e-12):
    spectrum = PowerLawSpectralModel(index=2.0, amplitude=f"{amplitude} cm-2 s-1 TeV-1")
    return SkyModel(spectrum, PointSpatialModel(**PLACE) if spatial is None else spatial, name=name)


@pytest.fixture
def row():
    rng = np.random.default_rng(7)
    ds = with_responses(sky_row(background=0.4, exposure=EXPOSURE), SIGMA, EXPOSURE)
    ds["counts"].values[:] = rng.poisson(0.4, ds["counts"].shape)
    ds["mask_safe"].values[0, 0, :, :3] = False
    return ds


def expected(ds, one):
    """Return the counts of all pixels together by energy, for a source that is all inside."""
    return (one.spectral_model.flux(ENERGY_TRUE.edges) * EXPOSURE * 1e4) @ response()


def test_a_point_is_the_psf_integrated_over_each_pixel():
    space = image((41, 41), 0.05)
    ds = with_responses(sky_row(space, background=0.0, exposure=EXPOSURE), SIGMA, EXPOSURE)
    one = model(PointSpatialModel(lon_0="83.63 deg", lat_0="22.01 deg"))
    edges = (np.arange(42) - 20.5) * 0.05
    share = np.diff(0.5 * erf(edges / SIGMA / np.sqrt(2)))
    planes = predict.npred_signal(ds, [one]).values[0]
    wanted = expected(ds, one)[:, None, None] * share[:, None] * share
    # The psf is known at steps of 0.01 deg, linear between them.
    assert np.abs(planes - wanted).max() < 2e-3 * wanted.max()


@pytest.mark.parametrize("lon", [83.63, 83.651, 83.7])
def test_all_pixels_hold_the_flux_wherever_the_source_stands(lon):
    ds = with_responses(sky_row(image((60, 60), 0.05), background=0.0, exposure=EXPOSURE), SIGMA, EXPOSURE)
    for spatial in (PointSpatialModel(lon_0=f"{lon} deg", lat_0="22.02 deg"),
                    GaussianSpatialModel(lon_0=f"{lon} deg", lat_0="22.02 deg", sigma="0.1 deg")):  # fmt: skip
        one = model(spatial)
        found = predict.npred_signal(ds, [one]).values[0].sum(axis=(1, 2))
        np.testing.assert_allclose(found, expected(ds, one), rtol=2e-4)


def test_a_round_source_is_the_same_as_a_profile_and_as_an_image():
    ds = with_responses(sky_row(image((60, 60), 0.04), background=0.0, exposure=EXPOSURE), SIGMA, EXPOSURE)
    spatial = GaussianSpatialModel(**PLACE, sigma="0.15 deg")
    one = model(spatial)
    values = tuple(spatial.canonical_values())
    rad, psf = ds["rad"].values, Window(ds, 0).responses(83.66, 22.03).psf
    space = Window(ds, 0).space
    profile = RoundSight(spatial, values, space, rad).density(psf)
    picture = ImageSight(spatial, values, space, rad).density(psf)
    around = RoundSight(spatial, values, space, rad).pixels
    picture = picture.reshape(*space.shape, -1)[around.v, around.u]
    assert np.abs(profile - picture).max() < 1e-3 * profile.max()
    assert predict.npred_signal(ds, [one]).values.sum() > 0


def test_a_source_beside_the_map_shines_into_it():
    space = image((20, 20), 0.05)
    ds = with_responses(sky_row(space, background=0.0, exposure=EXPOSURE), SIGMA, EXPOSURE)
    lon, lat = space.sky_of(np.array([-0.5]), np.array([9.5]))
    one = model(PointSpatialModel(lon_0=f"{lon[0]} deg", lat_0=f"{lat[0]} deg"))
    found = predict.npred_signal(ds, [one]).values[0].sum(axis=(1, 2))
    # Half of it, and of that what the upper and the lower edge leave.
    np.testing.assert_allclose(found, 0.5 * expected(ds, one), rtol=3e-3)


def test_bins_that_are_joined_have_the_statistic_of_all_bins(row):
    models = Models([model(), FoVBackgroundModel(dataset_name="stacked")])
    models.parameters["tilt"].frozen = False
    statistic = Statistic([row], models)
    for factor in (1.0, 0.7, 1.4):
        values = statistic.start * np.array([1.1, factor, 1.0001, 1.0002, 1.0, factor])
        for parameter, value in zip(statistic.parameters, values, strict=True):
            parameter.value = value
        every = cash(row["counts"].values, predict.npred(row, models).values)
        assert statistic(values) == pytest.approx(every[row["mask_safe"].values].sum(), rel=1e-12)
    assert statistic.n_bins == row["mask_safe"].values.sum()


def spatial_models():
    return [
        PointSpatialModel(**PLACE),
        GaussianSpatialModel(**PLACE, sigma="0.2 deg"),
        GaussianSpatialModel(**PLACE, sigma="0.3 deg", e=0.6, phi="30 deg"),
    ]


@pytest.mark.parametrize("spatial", spatial_models(), ids=["point", "round", "elongated"])
def test_derivatives_are_those_of_the_statistic(row, spatial):
    for parameter in spatial.parameters:
        parameter.frozen = False if spatial.parameters["lon_0"] is parameter else parameter.frozen
    models = Models([model(spatial), FoVBackgroundModel(dataset_name="stacked")])
    statistic = Statistic([row], models)
    values = statistic.start
    gradient, information = statistic.derivatives(values)
    for place, parameter in enumerate(statistic.parameters):
        step = 2e-4 if str(parameter.unit) == "deg" else 1e-5 * abs(values[place])
        up, down = values.copy(), values.copy()
        up[place] += step
        down[place] -= step
        slope = (statistic(up) - statistic(down)) / (2 * step)
        assert gradient[place] == pytest.approx(slope, rel=2e-3, abs=2e-3 * np.sqrt(information[place, place]))


def test_counts_that_are_predicted_are_fitted_back(row):
    truth = Models([model(GaussianSpatialModel(**PLACE, sigma="0.2 deg"), amplitude=2e-11)])
    row["counts"].values[:] = predict.npred(row, truth).values
    start = truth.copy()
    start.parameters["lon_0"].value += 0.03
    start.parameters["sigma"].value = 0.15
    start.parameters["index"].value = 2.2
    result = fit([FitInput(row)], start)
    assert result.success
    for name in ("index", "amplitude", "lon_0", "lat_0", "sigma"):
        one = start.parameters[name]
        assert one.value == pytest.approx(truth.parameters[name].value, abs=1e-2 * one.error), name


def test_two_backgrounds_of_a_dataset_are_refused(row):
    models = Models([FoVBackgroundModel(dataset_name="stacked", name=name) for name in ("one", "two")])
    with pytest.raises(ConfigError, match="'stacked' has two models of its background, 'one' and 'two'; keep one"):
        Statistic([row], models)


def test_a_map_without_a_psf_is_refused_for_a_model_that_needs_it(row):
    bare = row.drop_vars("psf").drop_dims("rad")
    with pytest.raises(ConfigError, match="'stacked' has no point spread function"):
        predict.npred(bare, [model()])
    unspread = model()
    unspread.apply_irf["psf"] = False
    counts = predict.npred_signal(bare, [unspread]).values[0]
    assert np.count_nonzero(counts[0]) == 4
    np.testing.assert_allclose(counts.sum(axis=(1, 2)), expected(bare, unspread), rtol=1e-7)


def test_a_source_that_moves_far_away_has_the_statistic_of_all_bins():
    space = image((120, 120), 0.05)
    rng = np.random.default_rng(3)
    ds = with_responses(sky_row(space, background=0.3, exposure=EXPOSURE), SIGMA, EXPOSURE)
    ds["counts"].values[:] = rng.poisson(0.3, ds["counts"].shape)
    models = Models([model(), FoVBackgroundModel(dataset_name="stacked")])
    statistic = Statistic([ds], models)
    near = len(statistic.terms[0].dataset)
    assert near < np.count_nonzero(ds["counts"].values)
    for far in (0.0, 0.2, 2.0):
        values = statistic.start + np.array([0.1, 0.0, far, 0.0, 0.3])
        moved = models.copy()
        for parameter, value in zip(moved.parameters.free_parameters, values, strict=True):
            parameter.value = value
        every = cash(ds["counts"].values, predict.npred(ds, moved).values)
        assert statistic(values) == pytest.approx(every.sum(), rel=1e-12), far
        assert statistic.per_dataset(values).tolist() == pytest.approx([every.sum()], rel=1e-12)
        gradient = statistic.derivatives(values)[0]
        assert np.isfinite(gradient).all()
    assert len(statistic.terms[0].dataset) == near


def test_a_norm_that_starts_a_hundred_times_too_low_is_found_without_migrad(row):
    truth = Models([model(amplitude=3e-11), FoVBackgroundModel(dataset_name="stacked")])
    row["counts"].values[:] = predict.npred(row, truth).values
    start = Models([model(amplitude=3e-13), FoVBackgroundModel(dataset_name="stacked")])
    result = fit([FitInput(row)], start, FitSettings(method="scoring"))
    assert result.success
    assert result.optimize_result.method == "scoring"
    assert start.parameters["amplitude"].value == pytest.approx(3e-11, rel=0.1)

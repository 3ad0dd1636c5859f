"""Fits of sources on maps: first steps, where they end when they end nowhere, and what is refused before."""

from __future__ import annotations

import re

import matplotlib.pyplot as plt
import numpy as np
import pytest

from sky_rows import image, sky_row, with_responses
from xgamma import predict
from xgamma.errors import ConfigError, FitError
from xgamma.fit import FitInput, FitSettings, confidence, fit, stat_contour, stat_profile
from xgamma.fit.beginning import start_near_counts
from xgamma.fit.outcomes import outcomes
from xgamma.fit.problem import Problem
from xgamma.fit.statistic import Statistic
from xgamma.maps import Map, WcsGeom
from xgamma.models import (
    FoVBackgroundModel,
    GaussianSpatialModel,
    GeneralizedGaussianSpatialModel,
    Models,
    PointSpatialModel,
    PowerLawSpectralModel,
    Shell2SpatialModel,
    ShellSpatialModel,
    SkyModel,
    TemplateSpatialModel,
)
from xgamma.predict.held import Holder, validate_held

MAP = image((60, 60), 0.05)


def source(spatial=None, amplitude=2e-12, name="source", **options):
    spectrum = PowerLawSpectralModel(index=2.0, amplitude=f"{amplitude} cm-2 s-1 TeV-1")
    place = PointSpatialModel(lon_0="83.66 deg", lat_0="22.03 deg") if spatial is None else spatial
    return SkyModel(spectrum, place, name=name, **options)


@pytest.fixture(scope="module")
def row():
    """Return a map with a source, whose counts are those of one draw."""
    ds = with_responses(sky_row(MAP, background=0.3, exposure=1e9), 0.1, 1e9)
    rng = np.random.default_rng(3)
    ds["counts"].values[:] = rng.poisson(predict.npred(ds, [source()]).values)
    return ds


def problem_of(row, *models):
    return Problem(Statistic([row], Models(models)), FitSettings())


def test_a_position_is_no_size_and_a_size_changes_by_a_part_of_itself(row):
    place = GaussianSpatialModel(lon_0="83.66 deg", lat_0="22.03 deg", sigma="0.2 deg")
    problem = problem_of(row, source(place))
    scales = dict(zip(problem.names, problem.scales, strict=True))
    steps = dict(zip(problem.names, problem.minuit().errors, strict=True))
    for name in ("lon_0", "lat_0"):
        assert scales[f"source.spatial.{name}"] == 1.0
        assert steps[f"source.spatial.{name}"] == 0.03
    assert scales["source.spatial.sigma"] * steps["source.spatial.sigma"] == pytest.approx(0.02)
    assert steps["source.spectral.index"] == 1.0
    place.parameters["lon_0"].error = 0.004
    assert problem.minuit().errors[2] == pytest.approx(0.004)


@pytest.mark.parametrize("method", ["migrad", "scoring"])
def test_both_methods_stay_with_the_source(row, method):
    models = Models([source(PointSpatialModel(lon_0="83.7 deg", lat_0="21.97 deg"), 1e-12)])
    models.append(FoVBackgroundModel(dataset_name="stacked"))
    result = fit([row], models, FitSettings(method=method))
    assert result.success
    for name, true in (("lon_0", 83.66), ("lat_0", 22.03), ("amplitude", 2e-12)):
        parameter = models["source"].parameters[name]
        assert parameter.value == pytest.approx(true, abs=4 * parameter.error)


def test_a_model_that_no_bin_sees_is_told(row):
    beside = row["mask_safe"].values.copy()
    lon, _ = MAP.positions()
    beside[..., np.abs(lon.reshape(MAP.shape) - 83.66) < 1.2] = False
    dim = GaussianSpatialModel(lon_0="83.66 deg", lat_0="22.03 deg", sigma="0.02 deg")
    dim.parameters.freeze_all()
    models = Models([source(dim), FoVBackgroundModel(dataset_name="stacked")])
    result = fit([FitInput(row, beside)], models)
    assert not result.success
    assert "No bin that is fitted sees the model 'source', so that index, amplitude are not known" in result.message


def test_a_model_that_leaves_the_map_is_told(row):
    empty = row.copy(deep=True)
    empty["counts"].values[:] = np.random.default_rng(4).poisson(0.3, empty["counts"].shape)
    lon, lat = MAP.sky_of(np.array([-0.4]), np.array([30.0]))
    start = PointSpatialModel(lon_0=f"{lon[0]} deg", lat_0=f"{lat[0]} deg")
    models = Models([source(start, 5e-12), FoVBackgroundModel(dataset_name="stacked")])
    models["source"].parameters.freeze_all()
    models["source"].parameters["lon_0"].frozen = False
    result = fit([empty], models)
    assert not result.success
    assert "The model 'source' left the map: it ended at" in result.message


def refusals():
    outside = source(PointSpatialModel(lon_0="99 deg", lat_0="22 deg"))
    fixed = source(PointSpatialModel(lon_0="99 deg", lat_0="22 deg"))
    fixed.spatial_model.freeze()
    return {
        "no place": (SkyModel(PowerLawSpectralModel(), name="source"), "has no spatial model, which a map needs"),
        "outside": (outside, "is outside of the map, and its position is free: it lies at 99, 22 deg"),
        "fixed": (fixed, "is outside of the map, which says nothing about index, amplitude"),
        "background of another": (FoVBackgroundModel(dataset_name="stacked", name="two"), "has two models of its back"),
    }


@pytest.mark.parametrize("name", refusals())
def test_what_a_map_cannot_hold_is_refused_before_a_fit(row, name):
    model, sentence = refusals()[name]
    with pytest.raises(ConfigError, match=sentence):
        fit([row], Models([model, FoVBackgroundModel(dataset_name="stacked")]))


def test_a_missing_psf_is_refused_and_can_be_done_without(row):
    without = row.drop_vars(["psf", "rad"])
    with pytest.raises(ConfigError, match="is seen behind the point spread function, and the maps have none"):
        fit([without], Models([source()]))
    assert validate_held([source(apply_irf={"psf": False})], [Holder.of_rows(without)]) == []


def test_a_background_that_is_not_there_is_refused(row):
    with pytest.raises(ConfigError, match="is one of a background, and the dataset 'stacked' has none"):
        fit([row.drop_vars("background")], Models([source(), FoVBackgroundModel(dataset_name="stacked")]))


def test_a_source_just_outside_of_the_map_is_seen_in_it(row):
    lon, lat = MAP.sky_of(np.array([-3.0]), np.array([30.0]))
    near = source(PointSpatialModel(lon_0=f"{lon[0]} deg", lat_0=f"{lat[0]} deg"))
    near.spatial_model.freeze()
    assert validate_held([near], [Holder.of_rows(row)]) == []


def test_a_map_that_covers_a_part_is_told(row):
    small = Map.from_geom(WcsGeom.create(skydir=(83.63, 22.01), npix=(30, 60), binsz=0.05, frame="icrs"), unit="sr-1")
    small.data += 1.0
    remarks = validate_held([source(TemplateSpatialModel(small))], [Holder.of_rows(row)])
    assert remarks == ["The model 'source': its map covers 50 % of the pixels; beyond it the model is 0."]


def test_spectra_leave_the_place_of_a_source_to_the_map_beside_them(row):
    holders = [Holder(("spectrum",)), Holder.of_rows(row)]
    assert validate_held([source()], holders) == []
    with pytest.raises(ConfigError, match=r"free position or size \(lon_0, lat_0\), and the spectrum of a region"):
        validate_held([source(datasets_names=["spectrum"])], holders)


def test_errors_profiles_and_contours_of_a_position_agree(row):
    models = Models([source(), FoVBackgroundModel(dataset_name="stacked")])
    fit([row], models)
    place = models["source"].spatial_model.parameters
    errors = confidence([row], models, place["lon_0"])
    assert errors["success"]
    for side in ("errn", "errp"):
        assert errors[side] == pytest.approx(place["lon_0"].error, rel=0.2)
    best, error = place["lon_0"].value, place["lon_0"].error
    profile = stat_profile([row], models, "lon_0", [best - error, best, best + error], reoptimize=True)
    rises = profile.values[[0, 2]] - profile.values[1]
    np.testing.assert_allclose(rises, 1.0, rtol=0.3)
    contour = stat_contour([row], models, place["lon_0"], place["lat_0"], numpoints=8)
    assert contour["success"]
    away = np.hypot((contour["x"] - best) / error, (contour["y"] - place["lat_0"].value) / place["lat_0"].error)
    np.testing.assert_allclose(away, 1.0, rtol=0.25)


def test_backgrounds_of_other_datasets_are_no_surprise(row, caplog):
    others = [FoVBackgroundModel(dataset_name=name) for name in ("stacked", "another")]
    fit([row], Models([source(), *others]))
    assert "datasets_names" not in caplog.text
    fit([row], Models([source(), others[1]]))
    assert "datasets_names: another-bkg is for another; the datasets are stacked" in caplog.text


def test_a_covariance_has_names_and_a_picture(row):
    models = Models([source(), FoVBackgroundModel(dataset_name="stacked")])
    fit([row], models)
    covariance = models.covariance
    labelled = covariance.to_xarray(correlation=True)
    pair = labelled.sel(parameter="source.spectral.index", parameter_2="source.spectral.amplitude")
    matrix = covariance.to_xarray().sel(parameter="source.spectral.index", parameter_2="source.spectral.amplitude")
    index, amplitude = (models.parameters[name] for name in ("index", "amplitude"))
    assert float(pair) == pytest.approx(float(matrix) / index.error / amplitude.error)
    ax = covariance.plot_correlation()
    assert [each.get_text() for each in ax.get_xticklabels()][-1] == "stacked-bkg.spectral.norm"
    assert len(ax.texts) == 25
    plt.close("all")


@pytest.mark.parametrize(
    ("amplitude", "said"), [(1e300, "counts that are no numbers"), (1e20, r"more than 9e\+15 counts")]
)
def test_a_start_of_more_counts_than_there_are_is_refused(row, amplitude, said):
    with pytest.raises(FitError, match=rf"The model 'source' predicts {said} at the start values \(index = 2, amp"):
        fit([row], Models([source(amplitude=amplitude)]))


@pytest.mark.parametrize("amplitude", [1e-6, 1e-30])
def test_a_fit_finds_the_norm_of_a_source_from_any_distance(row, amplitude, caplog):
    near, far = Models([source()]), Models([source(amplitude=amplitude)])
    best = fit([row], near).total_stat
    assert not caplog.records
    result = fit([row], far)
    assert result.success
    assert result.total_stat == pytest.approx(best, abs=1e-3)
    assert far.parameters["amplitude"].value == pytest.approx(near.parameters["amplitude"].value, rel=1e-3)
    seen = "far more than are" if amplitude > 1e-12 else "fewer than can be"
    said = (
        rf"The model 'source' predicts .* counts at the start values, {seen} seen: the fit begins at amplitude = \S* cm"
    )
    assert [re.match(said, record.message) is not None for record in caplog.records] == [True]


@pytest.mark.parametrize("amplitude", [2e-10, 2e-14])
def test_a_start_from_which_fits_find_back_stays(row, amplitude):
    statistic = Statistic([row], Models([source(amplitude=amplitude)]))
    values, said = start_near_counts(statistic)
    assert not said
    assert values.tolist() == statistic.start.tolist()


def test_only_the_norm_of_the_model_that_is_too_bright_moves(row):
    statistic = Statistic([row], Models([source(), source(amplitude=1e-4, name="bright")]))
    values, said = start_near_counts(statistic)
    [moved] = np.flatnonzero(values != statistic.start)
    assert statistic.start[moved] == 1e-4
    assert values[moved] < 1e-10
    assert [text[:18] for text in said] == ["The model 'bright'"]


@pytest.mark.parametrize("changes", [{"frozen": True}, {"min": 1e-5}])
def test_a_norm_that_may_not_move_is_told(row, changes):
    models = Models([source(amplitude=1e-4)])
    for name, value in changes.items():
        setattr(models.parameters["amplitude"], name, value)
    values, [said] = start_near_counts(Statistic([row], models))
    if "frozen" in changes:
        assert said.endswith("far more than are seen: a fit may not find back from there; start nearer.")
    else:
        assert said.endswith("the fit begins at amplitude = 1e-05 cm-2 s-1 TeV-1.")
        assert 1e-5 in values


def test_a_source_larger_than_the_map_is_told_before_and_is_no_result(row):
    models = Models([source(GaussianSpatialModel(lon_0="83.66 deg", lat_0="22.03 deg", sigma="8 deg"))])
    holders = [Holder.of_rows(row)]
    [said] = validate_held(models, holders)
    assert said.startswith("The model 'source' is larger than the map, with sigma = 8 deg where the map has 3 deg")
    statistic = Statistic([row], models)
    assert outcomes(statistic.counts_terms, models, holders, statistic.start.tolist()) == [said]
    models[0].spatial_model.sigma.frozen = True
    assert not validate_held(models, holders)


@pytest.mark.parametrize("kind", [ShellSpatialModel, Shell2SpatialModel, GeneralizedGaussianSpatialModel])
def test_a_size_ends_at_0_and_not_below(row, kind):
    place = kind(lon_0="83.66 deg", lat_0="22.03 deg")
    size = place.parameters[2]
    size.value = 0.05
    place.lon_0.frozen = place.lat_0.frozen = True
    fit([row], Models([source(place)]))
    assert size.min == 0
    assert 0 <= size.value < 0.05


def test_a_fit_begins_at_a_norm_of_0(row):
    models = Models([source(amplitude=0.0)])
    assert fit([row], models).success
    assert models.parameters["amplitude"].value == pytest.approx(2e-12, rel=0.1)


@pytest.mark.parametrize(("name", "value"), [("sigma", -0.2), ("e", 1.5), ("lat_0", 91.0)])
def test_a_place_or_size_beyond_its_limits_is_refused(row, name, value):
    place = GaussianSpatialModel(lon_0="83.66 deg", lat_0="22.03 deg", sigma="0.2 deg")
    place.parameters[name].value = value
    with pytest.raises(ConfigError, match=rf"The model 'source' expects {name} .*, got {value:g}; start within its li"):
        fit([row], Models([source(place)]))

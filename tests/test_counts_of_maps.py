"""Counts in maps and files as models, and backgrounds with a factor on the sky."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u

from sky_rows import ENERGY, image, sky_row, with_responses
from xgamma import predict
from xgamma.axes import Axis
from xgamma.errors import ConfigError
from xgamma.fit import fit
from xgamma.fit.statistic import Statistic
from xgamma.maps import Map, WcsGeom
from xgamma.models import (
    FoVBackgroundModel,
    Models,
    PiecewiseNormSpatialModel,
    PointSpatialModel,
    PowerLawNormSpectralModel,
    PowerLawSpectralModel,
    SkyModel,
    TemplateNPredModel,
    TemplateSpatialModel,
)
from xgamma.predict.held import Holder, validate_held
from xgamma.stats import cash

MAP = image((30, 24), 0.1)
CORNERS = ([85.0, 82.2, 82.2, 85.0, 83.6] * u.deg, [20.9, 20.9, 23.2, 23.2, 22.0] * u.deg)


def counts_map(values, space=MAP, energy=ENERGY):
    """Return a map of counts; the values broadcast."""
    geom = WcsGeom(space).to_cube([energy])
    return Map(geom, np.broadcast_to(np.asarray(values, dtype=float), geom.data_shape).copy(), "")


def slope(space=MAP, axis=-1):
    """Return values that rise along an axis of an image."""
    return 1.0 + np.indices(space.shape)[axis] / space.shape[axis]


def source():
    spectrum = PowerLawSpectralModel(amplitude="1e-12 cm-2 s-1 TeV-1")
    return SkyModel(spectrum, PointSpatialModel(lon_0="83.66 deg", lat_0="22.03 deg"), name="source")


def norms(**changes):
    return PiecewiseNormSpatialModel(CORNERS, frame="icrs", **changes)


@pytest.fixture(scope="module")
def row():
    return with_responses(sky_row(MAP, background=0.3, exposure=1e9), 0.1, 1e9)


def with_counts(ds, models):
    """Return a row whose counts are what models predict."""
    return ds.assign(counts=ds["counts"].copy(data=predict.npred(ds, models).values))


def test_a_map_of_counts_is_predicted_pixel_by_pixel(row):
    spectrum = PowerLawNormSpectralModel(norm=2.0, tilt=0.5)
    model = TemplateNPredModel(counts_map(slope()), spectrum, name="counts")
    expected = slope() * 2.0 * ENERGY.center[:, None, None] ** -0.5
    assert predict.npred_signal(row, [model]).values[0] == pytest.approx(expected, rel=1e-12)
    assert model.evaluate().data == pytest.approx(expected, rel=1e-12)
    assert not predict.npred_signal(row, [TemplateNPredModel(counts_map(1.0), datasets_names="other")]).values.any()


def test_a_part_of_a_map_lands_on_its_pixels(row):
    whole = TemplateNPredModel(counts_map(slope()), name="whole")
    part = whole.cutout(whole.position, "1 deg", name="part")
    assert part.map.data.shape[1:] < whole.map.data.shape[1:]
    found = predict.npred_signal(row, [part]).values[0]
    assert found[found > 0] == pytest.approx(np.broadcast_to(slope(), found.shape)[found > 0], rel=1e-12)
    assert found.sum() == pytest.approx(part.map.data.sum())


def test_other_pixels_hold_the_same_counts(row):
    fine = image((80, 70), 0.05)
    model = TemplateNPredModel(counts_map(slope(fine) / 4, fine))
    found = predict.npred_signal(row, [model]).values[0]
    assert found.sum(axis=(1, 2)) == pytest.approx(np.full(4, 30 * 24 * slope(fine).mean()), rel=1e-6)


def test_energies_of_a_map_may_be_finer_and_are_no_others(row):
    fine = Axis.from_bounds("energy", 1.0, 100.0, 8)
    assert predict.npred_signal(row, [TemplateNPredModel(counts_map(1.0, energy=fine))]).values == pytest.approx(2.0)
    other = TemplateNPredModel(counts_map(1.0, energy=Axis.from_bounds("energy", 1.0, 100.0, 3)), name="other")
    with pytest.raises(ConfigError, match=r"'other': expected a map with the edges of energy of the dataset, 1, 3\.16"):
        fit([row], [other])


def test_several_maps_of_counts_and_a_source_are_fitted(row):
    east, north = (counts_map(slope(axis=axis)) for axis in (-1, -2))
    models = Models([source(), TemplateNPredModel(east, name="east"), TemplateNPredModel(north, name="north")])
    truth = {"east": 1.3, "north": 0.6}
    for name, value in truth.items():
        models[name].parameters["norm"].value = value
    ds = with_counts(row, models)
    for name in truth:
        models[name].parameters["norm"].value = 1.0
    models["source"].spatial_model.parameters.freeze_all()
    result = fit([ds], models)
    assert result.success
    assert [models[name].parameters["norm"].value for name in truth] == pytest.approx(list(truth.values()), rel=1e-3)


@pytest.mark.parametrize("kind", ["counts", "factor"])
def test_the_statistic_is_that_of_every_pixel(row, kind):
    ds = row.assign(counts=row["counts"].copy(data=np.random.default_rng(1).poisson(0.3, row["counts"].shape) * 1.0))
    own = TemplateNPredModel(counts_map(slope()), name="counts")
    if kind == "factor":
        own = FoVBackgroundModel(dataset_name="stacked", spatial_model=norms(norm_0=2.0))
    models = Models([source(), own])
    statistic = Statistic([ds], models)
    expected = cash(ds["counts"].values, predict.npred(ds, models).values).sum()
    assert statistic(statistic.start) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("interp", ["lin", "log"])
def test_the_factor_of_a_background_is_fitted(row, interp):
    models = Models([FoVBackgroundModel(dataset_name="stacked", spatial_model=norms(interp=interp))])
    models.parameters["norm"].frozen = True
    if interp == "log":
        with pytest.raises(ConfigError, match="'stacked-bkg': its norms have logarithms and are free; give each a min"):
            fit([row], models)
        for number in range(5):
            models.parameters[f"norm_{number}"].min = 0.1
    start = models.parameters.value
    truth = [2.0, 0.7, 1.2, 1.5, 1.0]
    for number, value in enumerate(truth):
        models.parameters[f"norm_{number}"].value = value
    ds = with_counts(row, models)
    for parameter, value in zip(models.parameters, start, strict=True):
        parameter.value = value
    statistic = Statistic([ds], models)
    gradient, _ = statistic.derivatives(statistic.start)
    step = 1e-4 * np.eye(len(gradient))
    sides = [(statistic(statistic.start + one) - statistic(statistic.start - one)) / 2e-4 for one in step]
    assert gradient == pytest.approx(np.array(sides), rel=1e-3, abs=1e-3)
    result = fit([ds], models)
    assert result.success
    assert [models.parameters[f"norm_{number}"].value for number in range(5)] == pytest.approx(truth, rel=1e-3)


def test_a_template_is_a_factor_of_a_background(row):
    template = Map(WcsGeom(MAP), slope(), "")
    place = TemplateSpatialModel(template, normalize=False)
    model = FoVBackgroundModel(dataset_name="stacked", spatial_model=place)
    found = predict.npred_background(row, [model]).values
    assert found[0] == pytest.approx(np.broadcast_to(0.3 * slope(), found[0].shape), rel=1e-9)


def test_documents_name_the_file(row, tmp_path):
    model = TemplateNPredModel(counts_map(slope()), name="counts", datasets_names=["stacked"], spatial_model=norms())
    with pytest.raises(ConfigError, match=r"'counts': its map is in no file; write it with model.write"):
        Models([model]).to_yaml()
    model.write(tmp_path / "counts.fits")
    model.parameters["norm"].value = 1.7
    model.parameters["norm"].error = 0.2
    Models([model]).write(tmp_path / "models.yaml")
    read = Models.read(tmp_path / "models.yaml")
    assert read.to_dict() == Models([model]).to_dict()
    assert read["counts"].parameters["norm"].error == 0.2
    found, expected = (predict.npred_signal(row, [each["counts"]]).values for each in (read, Models([model])))
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert model.copy().map.data == pytest.approx(model.map.data)


def test_what_is_no_map_of_counts_is_refused(row):
    with pytest.raises(ConfigError, match="'a': expected a map of counts with an axis energy, got one in no unit with"):
        TemplateNPredModel(Map(WcsGeom(MAP), slope(), ""), name="a")
    amplitude = TemplateNPredModel(counts_map(1.0), PowerLawSpectralModel(), name="a")
    with pytest.raises(
        ConfigError, match="'a': expected a norm spectrum, such as PowerLawNormSpectralModel, got Power"
    ):
        validate_held([amplitude], [Holder.of_rows(row)])
    lost = TemplateNPredModel(name="a")
    with pytest.raises(ConfigError, match="'a': expected a map or the name of its file, got none"):
        validate_held([lost], [Holder.of_rows(row)])
    with pytest.raises(ConfigError, match="'a' is a TemplateNPredModel, which is of the pixels of a map"):
        validate_held([TemplateNPredModel(counts_map(1.0), name="a")], [Holder(("spectrum",))])


def test_a_map_that_does_not_cover_the_dataset_is_told(row):
    small = TemplateNPredModel(counts_map(1.0, image((15, 24), 0.1)), name="small")
    [remark] = validate_held([small], [Holder.of_rows(row)])
    assert remark == "The model 'small': its map covers 50 % of the pixels; beyond it the model is 0."

"""Models on maps that are unlike those of a usual reduction: coarse, stretched, far from the middle, odd responses."""

from __future__ import annotations

import numpy as np
import pytest

from sky_rows import image, sky_row, with_responses
from xgamma import predict
from xgamma.errors import ConfigError, DataError, XgammaError
from xgamma.fit import fit
from xgamma.fit.statistic import Statistic
from xgamma.models import (
    DiskSpatialModel,
    FoVBackgroundModel,
    GaussianSpatialModel,
    GeneralizedGaussianSpatialModel,
    Models,
    PointSpatialModel,
    PowerLawSpectralModel,
    Shell2SpatialModel,
    ShellSpatialModel,
    SkyModel,
)
from xgamma.predict.sky.image import ImageSight
from xgamma.predict.sky.radial import MOST_NODES, nodes_for, tables
from xgamma.predict.sky.round import RoundSight
from xgamma.predict.sky.window import Window
from xgamma.sky import SkySpace
from xgamma.stats import cash

PLACE = {"lon_0": "83.66 deg", "lat_0": "22.03 deg"}
EXPOSURE = 1e9


def model(spatial, amplitude=2e-12, **options):
    return SkyModel(PowerLawSpectralModel(amplitude=f"{amplitude} cm-2 s-1 TeV-1"), spatial, name="source", **options)


def seen(space, spatial, psf=0.12, **options):
    """Return the counts of all pixels, over those of a map of any size, of each energy."""
    ds = with_responses(sky_row(space, background=0.0, exposure=EXPOSURE), psf, EXPOSURE)
    one = model(spatial, **options)
    near = with_responses(sky_row(image((80, 80), 0.04), background=0.0, exposure=EXPOSURE), 0.12, EXPOSURE)
    whole = predict.npred_signal(near, [model(PointSpatialModel(**PLACE))]).values[0].sum(axis=(1, 2))
    return predict.npred_signal(ds, [one]).values[0].sum(axis=(1, 2)) / whole


@pytest.mark.parametrize("psf", [0.03, 0.1])
@pytest.mark.parametrize("lon", [83.63, 83.8, 83.88])
def test_pixels_that_are_larger_than_the_psf_hold_the_flux(psf, lon):
    space = image((10, 10), 0.5)
    for spatial in (PointSpatialModel(lon_0=f"{lon} deg", lat_0="22.2 deg"),
                    GaussianSpatialModel(lon_0=f"{lon} deg", lat_0="22.2 deg", sigma="0.05 deg")):  # fmt: skip
        np.testing.assert_allclose(seen(space, spatial, psf), 1.0, rtol=3e-3)


def test_pixels_that_are_not_square_hold_the_flux():
    for aspect in (0.25, 4.0):
        space = SkySpace(83.63, 22.01, "icrs", 0.1, (60, 60), aspect=aspect)
        for e in (0.0, 0.3):
            one = GaussianSpatialModel(**PLACE, sigma="0.1 deg", e=e)
            np.testing.assert_allclose(seen(space, one, 0.1), 1.0, rtol=2e-3)


def sources():
    return {
        "disk": DiskSpatialModel(**PLACE, r_0="0.3 deg"),
        "soft disk": DiskSpatialModel(**PLACE, r_0="0.3 deg", edge_width=0.4),
        "shell": ShellSpatialModel(**PLACE, radius="0.3 deg", width="0.07 deg"),
        "thin shell": ShellSpatialModel(**PLACE, radius="0.3 deg", width="0.002 deg"),
        "shell2": Shell2SpatialModel(**PLACE, r_0="0.35 deg", eta=0.3),
        "filled": Shell2SpatialModel(**PLACE, r_0="0.35 deg", eta=1.0),
        "generalised": GeneralizedGaussianSpatialModel(**PLACE, r_0="0.1 deg", eta=0.8),
        "gauss": GaussianSpatialModel(**PLACE, sigma="0.15 deg"),
    }


@pytest.mark.some_long(3)
@pytest.mark.parametrize(("name", "psf"), [*((name, True) for name in sources()), ("gauss", False), ("shell2", False)])
def test_derivatives_in_sizes_are_those_of_the_statistic(name, psf):
    ds = with_responses(sky_row(image((40, 40), 0.06), background=0.4, exposure=EXPOSURE), 0.08, EXPOSURE)
    spatial = sources()[name]
    for parameter in spatial.parameters:
        parameter.frozen = parameter.name in ("e", "phi")
    one = model(spatial, apply_irf={"psf": psf})
    models = Models([one, FoVBackgroundModel(dataset_name="stacked")])
    ds["counts"].values[:] = np.random.default_rng(5).poisson(predict.npred(ds, models).values)
    statistic = Statistic([ds], models)
    values = statistic.start
    values[0] += 0.1
    gradient, information = statistic.derivatives(values)
    for place, parameter in enumerate(statistic.parameters):
        if parameter.type != "spatial" or values[place] == parameter.max:
            continue
        error = 1.0 / np.sqrt(information[place, place])
        step = 0.02 * min(error, abs(values[place]))
        up, down = values.copy(), values.copy()
        up[place] += step
        down[place] -= step
        slope = (statistic(up) - statistic(down)) / (2 * step)
        assert gradient[place] * error == pytest.approx(slope * error, abs=0.05), parameter.name


@pytest.mark.some_long(3)
@pytest.mark.parametrize("name", ["disk", "shell", "thin shell", "gauss"])
def test_a_size_does_not_change_the_flux(name):
    for psf in (True, False):
        for size in (1.0, 0.3, 0.02):
            spatial = sources()[name]
            for parameter in spatial.parameters:
                if parameter.name in ("r_0", "radius", "width", "sigma"):
                    parameter.value *= size
            found = seen(image((60, 60), 0.08), spatial, apply_irf={"psf": psf})
            # Without a psf edges are as sharp as a sixteenth of a pixel.
            np.testing.assert_allclose(found, 1.0, rtol=1e-3 if psf else 0.05)


def axes():
    return {
        "of a satellite": np.concatenate([[0.005], np.geomspace(0.01, 9.5, 60)]),
        "very fine": np.linspace(0.0005, 3.0, 3000),
        "one wide ring": np.array([0.3, 0.31, 0.35, 0.5, 0.9, 1.5]),
        "one": np.array([0.4]),
    }


@pytest.mark.some_long(3)
@pytest.mark.parametrize("name", axes())
def test_any_axis_of_a_psf_is_held_at_a_number_of_nodes_that_stays_small(name):
    rad = axes()[name]
    nodes = nodes_for(rad, 5.0)
    assert nodes.size <= MOST_NODES + 1
    assert nodes.end >= rad[-1] + 5.0
    made = tables(tuple(rad.tolist()), nodes_for(rad, 0.0), 0.1)
    splines = made.of_psf(made.profiles(np.exp(-0.5 * (rad / (0.25 * rad[-1])) ** 2)[np.newaxis]))
    distance = np.linspace(0.0, nodes.end, 20001)
    profile = (made.nodes.weights(distance) @ splines.plain)[:, 0]
    total = np.trapezoid(profile * 2 * np.pi * np.deg2rad(distance), np.deg2rad(distance))
    assert total == pytest.approx(1.0, abs=2e-3 if len(rad) > 1 else 1e-2)


@pytest.mark.parametrize(("projection", "is_far"), [("CAR", True), ("AIT", True), ("TAN", False)])
def test_an_image_is_seen_as_its_profile_where_pixels_are_stretched(projection, is_far):
    below, middle = (52.0, (34.5, 34.5 - 52.0 / 0.06)) if is_far else (0.0, None)
    space = SkySpace(83.63, 52.0 - below, "icrs", 0.06, (70, 70), projection=projection, reference=middle)
    ds = with_responses(sky_row(space, background=0.0, exposure=EXPOSURE), 0.15, EXPOSURE, (83.63, 52.0))
    spatial = GaussianSpatialModel(lon_0="83.7 deg", lat_0="52.1 deg", sigma="0.1 deg")
    values, rad = tuple(spatial.canonical_values()), ds["rad"].values
    window = Window(ds, 0)
    psf = window.responses(83.7, 52.1).psf
    profile = RoundSight(spatial, values, window.space, rad)
    image_of = ImageSight(spatial, values, window.space, rad)
    pictures = []
    for one in (profile, image_of):
        pictures.append(np.zeros((*space.shape, psf.shape[0])))
        pictures[-1][one.pixels.v, one.pixels.u] = one.density(psf)
    assert np.abs(pictures[0] - pictures[1]).max() < 5e-3 * pictures[0].max()


@pytest.mark.parametrize("lat", [89.9, -89.95, 90.0])
@pytest.mark.parametrize("e", [0.0, 0.5])
def test_a_source_at_a_pole_has_a_statistic_and_derivatives(lat, e):
    space = SkySpace(0.0, float(np.sign(lat) * 90.0), "icrs", 0.1, (30, 30))
    ds = with_responses(sky_row(space, background=0.3, exposure=EXPOSURE), 0.12, EXPOSURE, (0.0, np.sign(lat) * 90.0))
    ds["counts"].values[:] = np.random.default_rng(5).poisson(0.3, ds["counts"].shape)
    models = Models([model(GaussianSpatialModel(lon_0="359.9 deg", lat_0=f"{lat} deg", sigma="0.1 deg", e=e))])
    statistic = Statistic([ds], models)
    every = cash(ds["counts"].values, predict.npred(ds, models).values).sum()
    assert statistic(statistic.start) == pytest.approx(every, rel=1e-12)
    gradient, information = statistic.derivatives(statistic.start)
    assert np.isfinite(gradient).all()
    assert np.isfinite(information).all()


def at_limits():
    return {
        "a Gaussian of no size": GaussianSpatialModel(**PLACE, sigma="0 deg", e=0.5),
        "a Gaussian below no size": GaussianSpatialModel(**PLACE, sigma="-0.01 deg"),
        "a line": GaussianSpatialModel(**PLACE, sigma="0.2 deg", e=1.0),
        "a disk of no size": DiskSpatialModel(**PLACE, r_0="0 deg"),
        "a disk with no edge": DiskSpatialModel(**PLACE, r_0="0.2 deg", edge_width=0.0),
        "a shell of no width": ShellSpatialModel(**PLACE, radius="0.3 deg", width="0 deg"),
        "a shell below no size": Shell2SpatialModel(**PLACE, r_0="-0.1 deg"),
        "a Gaussian of the whole sky": GaussianSpatialModel(**PLACE, sigma="90 deg"),
    }


@pytest.mark.some_long(3)
@pytest.mark.parametrize("psf", [True, False])
@pytest.mark.parametrize("name", at_limits())
def test_at_the_limits_of_sizes_the_statistic_and_its_derivatives_are_numbers(name, psf):
    ds = with_responses(sky_row(image((24, 24), 0.1), background=0.4, exposure=EXPOSURE), 0.08, EXPOSURE)
    ds["counts"].values[:] = np.random.default_rng(5).poisson(0.5, ds["counts"].shape)
    spatial = at_limits()[name]
    for parameter in spatial.parameters:
        parameter.frozen = False
    models = Models([model(spatial, apply_irf={"psf": psf})])
    statistic = Statistic([ds], models)
    every = cash(ds["counts"].values, predict.npred(ds, models).values).sum()
    assert statistic(statistic.start) == pytest.approx(every, rel=1e-9)
    gradient, information = statistic.derivatives(statistic.start)
    assert np.isfinite(gradient).all()
    assert np.isfinite(information).all()


def test_a_size_that_is_no_number_is_refused():
    ds = with_responses(sky_row(background=0.4, exposure=EXPOSURE), 0.08, EXPOSURE)
    lost = model(GaussianSpatialModel(**PLACE, sigma="nan deg"))
    with pytest.raises(ConfigError, match="The model 'source' has no number for sigma; set one"):
        predict.npred(ds, [lost])
    with pytest.raises(XgammaError, match="sigma"):
        fit([ds], Models([lost]))


@pytest.mark.some_long(2)
@pytest.mark.parametrize("name", ["counts", "background"])
def test_data_that_are_no_numbers_are_named_unless_they_are_masked(name):
    ds = with_responses(sky_row(background=0.4, exposure=EXPOSURE), 0.08, EXPOSURE)
    ds[name].values[0, 1, :, 3] = np.nan
    with pytest.raises(DataError, match=f"The dataset 'stacked' has {name} that is no number in bins that are fitted"):
        fit([ds], Models([model(PointSpatialModel(**PLACE))]))
    ds["mask_safe"].values[0, 1, :, 3] = False
    statistic = Statistic([ds], Models([model(PointSpatialModel(**PLACE))]))
    assert np.isfinite(statistic(statistic.start))

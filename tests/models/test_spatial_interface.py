"""Morphologies as a user asks for them: quantities, pixels, frames, regions, errors, pictures."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st

from xgamma.errors import ConfigError, ConfigTypeError, DataError, LaterError
from xgamma.geometry import destination, to_frame
from xgamma.maps import MapAxis, WcsGeom
from xgamma.models import (
    ConstantSpatialModel,
    DiskSpatialModel,
    GaussianSpatialModel,
    GeneralizedGaussianSpatialModel,
    PointSpatialModel,
    Shell2SpatialModel,
    ShellSpatialModel,
)
from xgamma.shapes.objects import normalize_shape

PLACE = {"lon_0": "83.6 deg", "lat_0": "22 deg"}
SIZED = {
    "gauss": lambda **more: GaussianSpatialModel(sigma="0.2 deg", **PLACE, **more),
    "gauss-general": lambda **more: GeneralizedGaussianSpatialModel(r_0="0.2 deg", **PLACE, **more),
    "disk": lambda **more: DiskSpatialModel(r_0="0.3 deg", **PLACE, **more),
    "shell": lambda **more: ShellSpatialModel(radius="0.3 deg", width="0.1 deg", **PLACE, **more),
    "shell2": lambda **more: Shell2SpatialModel(r_0="0.4 deg", eta=0.25, **PLACE, **more),
}


def image(lon=83.6, lat=22.0, frame="icrs", binsz=0.05, width=4.0, axes=()):
    return WcsGeom.create(skydir=(lon, lat), frame=frame, binsz=binsz, width=width, axes=axes)


# --- values


def test_values_are_quantities():
    model = GaussianSpatialModel(sigma="1 deg")
    value = model([0.0, 3600.0] * u.arcsec, 0 * u.rad)
    assert (value.unit, value.shape) == (u.Unit("sr-1"), (2,))
    assert value[1].value == pytest.approx(model.density(1.0, 0.0))
    assert model.evaluate(1 * u.deg, 0 * u.deg) == value[1]
    for lon in (1.0, 1 * u.m, "here"):
        with pytest.raises(ConfigError, match="lon: expected a Quantity in deg, such as"):
            model(lon, 0 * u.deg)


@pytest.mark.parametrize("name", SIZED)
@pytest.mark.parametrize("binsz", [0.02, 0.5])
def test_integrals_over_pixels_add_up_to_1(name, binsz):
    flux = SIZED[name]().integrate_geom(image(83.7, 22.1, binsz=binsz))
    assert flux.unit == u.dimensionless_unscaled
    # Of shells pixels are divided by their width alone, as in Gammapy: five parts of a pixel that is larger than they.
    assert flux.data.sum() == pytest.approx(1.0, abs=2e-2 if name.startswith("shell") and binsz > 0.1 else 5e-3)
    assert (flux.data >= 0).all()


def test_a_geometry_with_axes_gets_the_image_in_each_bin():
    axis = MapAxis.from_energy_bounds(1, 10, nbin=3, unit="TeV", name="energy_true")
    geom, model = image(axes=[axis]), SIZED["gauss"]()
    flux = model.integrate_geom(geom)
    assert flux.data.shape == (3, 80, 80)
    assert np.array_equal(flux.data[0], flux.data[2])
    assert model.evaluate_geom(geom).shape == (1, 80, 80)


def test_finer_parts_can_be_asked_for():
    geom, model = image(binsz=0.2), SIZED["gauss"]()
    coarse, fine, usual = (model.integrate_geom(geom, factor).data for factor in (1, 10, None))
    assert np.abs(coarse - fine).max() > 0.02 * fine.max()
    assert np.abs(usual - fine).max() < 0.01 * fine.max()


def test_a_point_is_shared_among_the_pixels_about_it():
    geom = image(binsz=0.1, width=1.0)
    lon, lat = (float(value[0]) for value in geom.space.sky_of(np.array([4.25]), np.array([5.5])))
    point = PointSpatialModel(lon_0=lon * u.deg, lat_0=lat * u.deg)
    flux = point.integrate_geom(geom).data
    assert flux[5, 4] == pytest.approx(0.375)
    assert flux[6, 5] == pytest.approx(0.125)
    assert flux.sum() == pytest.approx(1.0)
    density = point.evaluate_geom(geom).value
    assert (density * geom.solid_angle().value).sum() == pytest.approx(1.0)


@pytest.mark.parametrize("model", [PointSpatialModel(), GaussianSpatialModel(sigma="0.01 deg"), DiskSpatialModel()])
def test_a_source_beside_the_image_has_nothing_in_it(model):
    assert not model.integrate_geom(image()).data.any()


def test_what_is_no_image_is_refused():
    with pytest.raises(LaterError, match="expected a WcsGeom"):
        SIZED["gauss"]().integrate_geom(object())


# --- positions and frames


def test_a_position_may_be_set_from_any_frame():
    model = GaussianSpatialModel(frame="galactic", sigma="0.1 deg")
    crab = SkyCoord(83.63, 22.01, unit="deg")
    model.position = crab
    assert model.lon_0.value == pytest.approx(crab.galactic.l.deg)
    assert model.position.separation(crab).deg < 1e-9
    assert model.position_lonlat == pytest.approx((crab.galactic.l.rad, crab.galactic.b.rad))
    assert GaussianSpatialModel.from_position(crab.galactic, sigma="1 deg").frame == "galactic"
    assert PointSpatialModel.from_position(crab, frame="galactic").position.separation(crab).deg < 1e-9
    with pytest.raises(ConfigTypeError, match="a SkyCoord"):
        model.position = (1, 2)
    with pytest.raises(ConfigError, match="icrs or galactic, got 'fk5'"):
        PointSpatialModel.from_position(crab.fk5)


def test_how_far_and_how_fine_are_angles():
    model = SIZED["gauss"]()
    assert model.evaluation_radius == 1.0 * u.deg
    assert model.evaluation_bin_size_min.to_value("deg") == pytest.approx(0.2 / 3)
    everywhere = ConstantSpatialModel()
    assert everywhere.position is everywhere.evaluation_radius is everywhere.evaluation_bin_size_min is None


@settings(max_examples=25)
@given(
    lon=st.floats(0, 360), lat=st.floats(-85, 85), phi=st.floats(-179, 179), to=st.sampled_from(["icrs", "galactic"])
)
def test_a_model_in_another_frame_is_the_same_on_the_sky(lon, lat, phi, to):
    frame = "galactic" if to == "icrs" else "icrs"
    model = GaussianSpatialModel(frame, lon_0=lon * u.deg, lat_0=lat * u.deg, sigma="0.5 deg", e=0.9, phi=phi * u.deg)
    other = model.with_frame(to)
    x, y = destination(lon, lat, np.arange(0.0, 360.0, 20.0), 0.6)
    assert other.density(*to_frame(x, y, frame, to)) == pytest.approx(model.density(x, y), rel=1e-6)
    assert -180 <= other.phi.value < 180
    assert other.with_frame(frame).phi.value == pytest.approx(phi, abs=1e-6)


def test_30_deg_of_the_crab_are_another_angle_in_galactic_coordinates():
    model = DiskSpatialModel(lon_0="83.63 deg", lat_0="22.01 deg", e=0.5, phi="30 deg").with_frame("galactic")
    # The north of ICRS is 57.4 deg east of that of the Galaxy there... as astropy has it.
    crab = SkyCoord(83.63, 22.01, unit="deg")
    north = crab.directional_offset_by(30 * u.deg, 1e-3 * u.deg).galactic
    assert model.phi.value == pytest.approx(crab.galactic.position_angle(north).wrap_at("180d").deg, abs=1e-3)


def test_errors_are_turned_with_the_frame(caplog):
    model = with_errors(GaussianSpatialModel(sigma="0.5 deg", **PLACE))
    model.lon_0.min = 83.0
    other = model.with_frame("galactic")
    mine, theirs = model.position_errors(), other.position_errors()
    assert theirs[:2] == pytest.approx(mine[:2])
    edge = SkyCoord(*destination(83.6, 22.0, mine[2], 1e-4), unit="deg").galactic
    angle = model.position.galactic.position_angle(edge).deg
    assert theirs[2] == pytest.approx(angle % 180, abs=1e-2)
    assert "GaussianSpatialModel.lon_0: its limits were those of the other frame" in caplog.text
    assert np.isnan(other.lon_0.min)


# --- containment


def test_containment():
    gauss, disk, shell = SIZED["gauss"](), SIZED["disk"](edge_width=1e-3), SIZED["shell"]()
    assert gauss.containment_fraction(0.2 * u.deg) == pytest.approx(1 - np.exp(-0.5), abs=1e-5)
    assert gauss.containment_radius(0.68).to_value("deg") == pytest.approx(0.2 * np.sqrt(-2 * np.log(0.32)), rel=1e-5)
    assert disk.containment_fraction(0.15 * u.deg) == pytest.approx(0.25, rel=1e-4)
    assert shell.containment_fraction(0.4 * u.deg) == pytest.approx(1.0, abs=1e-5)
    assert shell.containment_fraction(9 * u.deg) == pytest.approx(1.0, abs=1e-5)
    assert PointSpatialModel().containment_radius(0.9) == 0 * u.deg
    long = GaussianSpatialModel(sigma="0.2 deg", e=0.9, **PLACE)
    assert long.containment_fraction(long.containment_radius(0.5)) == pytest.approx(0.5, abs=1e-6)
    for ask in (lambda: ConstantSpatialModel().containment_fraction(1 * u.deg), lambda: gauss.containment_radius(1.5)):
        with pytest.raises(ConfigError, match="expected a"):
            ask()


# --- regions: angles in one place


@pytest.mark.parametrize("frame", ["icrs", "galactic"])
@pytest.mark.parametrize("name", ["gauss", "gauss-general", "disk"])
def test_a_region_points_where_the_model_does(name, frame):
    model = SIZED[name](e=0.95, phi="45 deg", frame=frame)
    shape = normalize_shape(model.to_region())
    center, distance = model.center(), 0.8 * shape.reach
    places = {angle: destination(*center, angle, distance) for angle in (45.0, -45.0, 225.0, 135.0)}
    inside = {
        angle: bool(shape.holds(*map(np.atleast_1d, to_frame(*at, frame, "icrs")))) for angle, at in places.items()
    }
    assert inside == {45.0: True, -45.0: False, 225.0: True, 135.0: False}
    # The pixel in the north-east of the image has more than that in the north-west; x grows to the west.
    flux = model.integrate_geom(image(*center, frame, binsz=0.1, width=0.5)).data
    assert flux[4, 0] > 10 * flux[4, 4]
    assert flux[0, 4] == pytest.approx(flux[4, 0], rel=1e-3)


def test_outlines_are_regions_of_the_package_regions():
    names = {name: type(make().to_region()).__name__ for name, make in SIZED.items()}
    assert names == {
        "gauss": "EllipseSkyRegion", "gauss-general": "EllipseSkyRegion", "disk": "EllipseSkyRegion",
        "shell": "CircleAnnulusSkyRegion", "shell2": "CircleAnnulusSkyRegion",
    }  # fmt: skip
    assert type(PointSpatialModel().to_region()).__name__ == "PointSkyRegion"
    assert ConstantSpatialModel().to_region().width == 360 * u.deg
    large = SIZED["gauss"](e=0.6).to_region(size_factor=2, visual={"color": "red"})
    assert [side.to_value("deg") for side in (large.height, large.width)] == pytest.approx([0.8, 0.64])
    assert large.visual["color"] == "red"
    assert SIZED["shell2"]().to_region().inner_radius.value == pytest.approx(0.3)
    assert SIZED["shell2"]().r_in.value == pytest.approx(0.3)
    assert SIZED["gauss"]().evaluation_region.radius == 1 * u.deg
    with pytest.raises(ConfigTypeError, match="size_factor, meta or visual, got 'colour'"):
        SIZED["gauss"]().to_region(colour="red")


@pytest.mark.parametrize(("e", "phi"), [(0.0, 0.0), (0.8, 30.0), (0.8, -100.0)])
def test_a_disk_is_made_of_its_region_again(e, phi):
    disk = DiskSpatialModel("galactic", r_0="0.3 deg", e=e, phi=phi * u.deg, **PLACE)
    again = DiskSpatialModel.from_region(disk.to_region())
    assert (again.frame, again.e.value) == ("galactic", pytest.approx(e))
    lon, lat = destination(83.6, 22.0, np.arange(0, 360, 15.0), 0.25)
    assert again.density(lon, lat) == pytest.approx(disk.density(lon, lat))
    turned = DiskSpatialModel.from_region(disk.to_region(), frame="icrs")
    assert turned.density(*to_frame(lon, lat, "galactic", "icrs")) == pytest.approx(disk.density(lon, lat))
    with pytest.raises(ConfigError, match="expected a circle or an ellipse"):
        DiskSpatialModel.from_region(SIZED["shell"]().to_region())


# --- errors of positions


def with_errors(model, east=0.02, north=0.01, correlation=0.6):
    size = len(model.parameters)
    covariance, stretch = np.zeros((size, size)), np.cos(np.deg2rad(model.center()[1]))
    east = east / stretch
    covariance[:2, :2] = [[east**2, correlation * east * north], [correlation * east * north, north**2]]
    model.covariance = covariance
    return model


@pytest.mark.parametrize("correlation", [-0.8, 0.0, 0.6])
def test_the_ellipse_of_a_position_holds_95_percent(correlation):
    model = with_errors(PointSpatialModel(lon_0="83.6 deg", lat_0="60 deg"), correlation=correlation)
    shape = normalize_shape(model.position_error)
    drawn = np.random.default_rng(1).multivariate_normal([83.6, 60.0], model.covariance.data[:2, :2], 20_000)
    assert shape.holds(drawn[:, 0], drawn[:, 1]).mean() == pytest.approx(0.95, abs=0.006)
    # A positive correlation is an ellipse from south-west to north-east.
    turned = np.sin(np.deg2rad(2 * model.position_errors()[2]))
    assert np.sign(np.round(turned, 6)) == np.sign(correlation)


def test_errors_are_those_of_the_units_of_the_parameters():
    model = PointSpatialModel(**PLACE)
    model.lat_0.quantity, model.lat_0.error = 22 * 60 * u.arcmin, 1.2
    major, minor, angle = model.position_errors()
    assert (major, minor, angle) == (pytest.approx(0.02), 0.0, pytest.approx(0.0))
    assert normalize_shape(model.position_error).reach == pytest.approx(0.02 * 2.4477, rel=1e-4)


def test_a_position_without_an_error_says_so():
    with pytest.raises(ConfigError, match="its position has no error; fit it"):
        _ = PointSpatialModel().position_error
    with pytest.raises(ConfigError, match="it has no position"):
        _ = ConstantSpatialModel().position_error


# --- pictures


def test_pictures():
    model = with_errors(SIZED["gauss"](e=0.9, phi="45 deg"))
    model.sigma.error = 0.02
    ax = model.plot(add_cbar=True)
    assert ax.coords[0].get_axislabel() == "Right ascension"
    assert len(ax.images) == 1
    shown = np.asarray(ax.images[0].get_array())
    assert shown.max() == pytest.approx(float(model.density(83.6, 22.0)), rel=1e-2)
    model.plot_error(ax, which="all", size_factor=1)
    # A marker, the ellipse, and three outlines.
    assert len(ax.lines) == 5
    plt.close("all")
    point = PointSpatialModel(**PLACE).plot()
    assert np.asarray(point.images[0].get_array()).sum() == pytest.approx(1.0)
    assert len(ConstantSpatialModel().plot(geom=image()).images) == 1
    plt.close("all")


def test_pictures_that_cannot_be_drawn_say_why():
    with pytest.raises(ConfigError, match="it has no centre; say which part of the sky"):
        ConstantSpatialModel().plot()
    with pytest.raises(DataError, match="it does not depend on the energy; draw it with plot"):
        SIZED["gauss"]().plot_grid(image())
    with pytest.raises(ConfigError, match="expected axes with a projection"):
        SIZED["gauss"]().plot_position_error(plt.figure().gca())
    with pytest.raises(ConfigError, match="expected position, extension or all, got 'size'"):
        SIZED["gauss"]().plot_error(which="size")
    plt.close("all")

"""Sources on the sky: what they are at a place, an energy and a time; chosen by where they are; drawn."""

from __future__ import annotations

from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.time import Time
from regions import CircleSkyRegion

from xgamma.analysis.steps.keys import model_key
from xgamma.errors import ConfigError, DataError
from xgamma.maps import Map, MapAxis, WcsGeom
from xgamma.models import (
    ConstantSpatialModel,
    DiskSpatialModel,
    ExpDecayTemporalModel,
    FoVBackgroundModel,
    GaussianSpatialModel,
    Models,
    PointSpatialModel,
    PowerLawNormSpectralModel,
    PowerLawSpectralModel,
    SkyModel,
    TemplateSpatialModel,
)

AXIS = MapAxis.from_energy_bounds("1 TeV", "100 TeV", nbin=2, name="energy_true")
BRIGHTNESS = "cm-2 s-1 TeV-1 sr-1"


def source(spatial=None, name="source", **more):
    return SkyModel(PowerLawSpectralModel(amplitude="1e-11 cm-2 s-1 TeV-1"), spatial, name=name, **more)


def gauss(**more):
    return GaussianSpatialModel(lon_0="83.6 deg", lat_0="22 deg", sigma="0.2 deg", **more)


def field(axes=(), lon=83.6):
    return WcsGeom.create(skydir=(lon, 22.0), binsz=0.05, width=3.0, axes=axes)


def several():
    return Models([
        source(gauss(), "gauss"),
        source(PointSpatialModel(lon_0="84.5 deg", lat_0="22.5 deg"), "point"),
        source(DiskSpatialModel(lon_0="86.6 deg", lat_0="22 deg", r_0="0.5 deg", e=0.8, phi="45 deg"), "disk"),
        source(None, "spectrum"),
        FoVBackgroundModel(dataset_name="data"),
    ])  # fmt: skip


# --- values


def test_brightness_is_the_product_of_its_parts():
    model = source(gauss(), temporal_model=ExpDecayTemporalModel(t0="1 d", t_ref="55555 d"))
    lon, lat, energy = 83.7 * u.deg, 22 * u.deg, [1, 10] * u.TeV
    expected = 1e-11 * np.array([1, 1e-2]) * float(model.spatial_model.density(83.7, 22.0))
    assert model(lon, lat, energy).to_value(BRIGHTNESS) == pytest.approx(expected)
    later = model.evaluate(lon, lat, energy, Time(55556, format="mjd", scale="utc"))
    assert later.to_value(BRIGHTNESS) == pytest.approx(expected / np.e)
    assert source()(lon, lat, 1 * u.TeV).to_value("cm-2 s-1 TeV-1") == pytest.approx(1e-11)
    assert model.evaluate_geom(field([AXIS])).shape == (2, 60, 60)


def test_a_source_that_depends_on_energy_is_asked_at_it():
    geom = field([AXIS])
    values = np.ones(geom.data_shape) * np.array([1.0, 4.0])[:, None, None]
    template = TemplateSpatialModel(Map.from_geom(geom, values, "sr-1"), normalize=False)
    model = source(template)
    value = model(83.6 * u.deg, 22 * u.deg, 10**1.5 * u.TeV)
    assert value.to_value(BRIGHTNESS) == pytest.approx(4e-14)


def test_spectrum_and_morphology_make_a_brightness():
    diffuse = Map.from_geom(field(), np.ones((60, 60)), "cm-2 s-1 MeV-1 sr-1")
    template = TemplateSpatialModel(diffuse, normalize=False)
    SkyModel(PowerLawNormSpectralModel(), template).validate_brightness()
    source(gauss()).validate_brightness()
    for model in (source(template), SkyModel(PowerLawNormSpectralModel(), gauss(), name="source")):
        with pytest.raises(ConfigError, match="Model 'source': expected a brightness in cm-2 s-1 TeV-1 sr-1, got"):
            model.validate_brightness()


def test_the_map_of_a_source_belongs_to_the_key_of_a_fit(tmp_path):
    def key(value):
        made = field()
        data = np.ones(made.data_shape)
        data[0, 0] = value
        TemplateSpatialModel(Map.from_geom(made, data, "sr-1")).write(tmp_path / "map.fits", overwrite=True)
        model = TemplateSpatialModel.from_dict({"type": "template", "filename": str(tmp_path / "map.fits")})
        return model_key(Models([source(model)]))

    assert key(2.0) == key(2.0) != key(3.0)
    missing = TemplateSpatialModel.from_dict({"type": "template", "filename": "nowhere.fits"})
    assert Models([source(missing)]).origins() == ["source: map: nowhere.fits, not found"]
    assert model_key(Models([source(missing)]))


def test_the_flux_in_pixels_adds_up_to_that_of_the_spectrum():
    gti = SimpleNamespace(time_start=Time([55555], format="mjd"), time_stop=Time([55556], format="mjd"))
    steady, fading = source(gauss()), source(gauss(), temporal_model=ExpDecayTemporalModel(t0="1 d", t_ref="55555 d"))
    flux = steady.integrate_geom(field([AXIS]))
    assert flux.unit == u.Unit("cm-2 s-1")
    expected = steady.spectral_model.integral([1, 10] * u.TeV, [10, 100] * u.TeV).to_value("cm-2 s-1")
    assert flux.data.sum(axis=(1, 2)) == pytest.approx(expected, rel=1e-4)
    mean = fading.integrate_geom(field([AXIS]), gti).data.sum() / flux.data.sum()
    assert mean == pytest.approx(1 - np.exp(-1), rel=1e-6)
    with pytest.raises(DataError, match="expected a WcsGeom with an axis energy_true"):
        steady.integrate_geom(field())


def test_where_a_source_is():
    model, alone = source(gauss(frame="galactic")), source(name="alone")
    assert (model.frame, model.evaluation_radius, model.position.frame.name) == ("galactic", 1 * u.deg, "galactic")
    assert model.position_lonlat == pytest.approx(np.deg2rad([83.6, 22.0]))
    assert model.evaluation_bin_size_min.to_value("deg") == pytest.approx(0.2 / 3)
    assert alone.position is alone.position_lonlat is alone.evaluation_bin_size_min is None
    for ask in ("frame", "evaluation_radius", "evaluation_region"):
        with pytest.raises(ConfigError, match="The model 'alone' has no spatial model; give it one"):
            getattr(alone, ask)
    assert type(SkyModel.create("pl", "point").spatial_model).__name__ == "PointSpatialModel"


def test_the_spatial_part_of_a_background_is_a_factor():
    model = FoVBackgroundModel(dataset_name="data", spatial_model=gauss())
    with pytest.raises(ConfigError, match="'data-bkg': expected a spatial part that is a factor, got GaussianSpatial"):
        model.validate_factors()
    FoVBackgroundModel(dataset_name="data").validate_factors()


# --- chosen by place


def mask(lon=83.6, axes=()):
    geom = field(axes, lon)
    return Map.from_geom(geom, np.ones(geom.data_shape, dtype=bool))


def test_sources_are_chosen_by_a_mask():
    models = several()
    # The disk begins beyond the edge; what has no place contributes everywhere.
    assert models.select_mask(mask()).names == ["gauss", "point", "spectrum"]
    assert models.select_mask(mask(), margin="2 deg").names == ["gauss", "point", "disk", "spectrum"]
    assert models.select_mask(mask(axes=[AXIS]), use_evaluation_region=False).names == ["gauss", "point"]
    assert models.select_mask(mask(lon=120.0)).names == ["spectrum"]
    assert models.select_from_geom(field()).names == ["gauss", "point", "spectrum"]
    everywhere = source(ConstantSpatialModel(), "everywhere")
    assert everywhere.contributes(mask())
    nothing = mask()
    nothing.data = np.zeros_like(nothing.data)
    assert not everywhere.contributes(nothing)
    with pytest.raises(DataError, match="Expected a mask, which is a Map of truths"):
        models.select_mask(Map.from_geom(field()))


def test_a_source_just_outside_of_a_mask_contributes_as_far_as_it_reaches():
    def beside(distance):
        place = SkyCoord(83.6, 22.0, unit="deg").directional_offset_by(90 * u.deg, distance * u.deg)
        return source(GaussianSpatialModel.from_position(place, sigma="0.2 deg"))

    # The mask ends 1.5 deg from its centre; five times sigma are 1 deg.
    assert beside(2.45).contributes(mask())
    assert not beside(2.6).contributes(mask())


def test_sources_are_chosen_by_a_region():
    models = several()
    circle = CircleSkyRegion(SkyCoord(83.6, 22, unit="deg"), 0.5 * u.deg)
    assert models.select_region(circle).names == ["gauss"]
    assert models.select_region([circle, "icrs; circle(86.6, 22, 0.1)"]).names == ["gauss", "disk"]
    with pytest.raises(ConfigError, match="at least one region"):
        models.select_region([])


# --- regions and pictures


def test_regions_and_positions(caplog):
    models = several()
    kinds = [type(region).__name__ for region in models.to_regions()]
    assert kinds == ["EllipseSkyRegion", "PointSkyRegion", "EllipseSkyRegion"]
    assert "The model 'spectrum' has no spatial model and is left out" in caplog.text
    assert models.to_regions(size_factor=3)[0].height.to_value("deg") == pytest.approx(1.2)
    assert models.positions.ra.deg == pytest.approx([83.6, 84.5, 86.6])


def test_sources_are_drawn_on_a_map_and_on_axes_of_their_own():
    models = several()
    ax = Map.from_geom(field()).plot()
    assert models.plot_regions(ax, edgecolor="red", facecolor="none", kwargs_point={"marker": "o"}) is ax
    assert [line.get_color() for line in ax.lines] == ["red", "tab:blue", "red"]
    own = models.plot_positions()
    assert own.collections[0].get_offsets().shape == (3, 2)
    width = own.wcs.pixel_shape
    x, y = own.wcs.world_to_pixel(models.positions)
    assert ((x > 0) & (x < width[0]) & (y > 0) & (y < width[1])).all()
    plt.close("all")
    with pytest.raises(ConfigError, match="no source with a centre to draw"):
        Models([source()]).plot_regions()


def test_a_hidden_part_of_the_sky_is_drawn_whole():
    far = Models([source(gauss(), "a"), source(PointSpatialModel(lon_0="266 deg", lat_0="-29 deg"), "b")])
    assert far.plot_positions().wcs.pixel_shape == (360, 180)
    plt.close("all")

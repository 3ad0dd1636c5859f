"""Maps as morphologies: normalised, interpolated, shifted, with energies and parameters; norms at positions."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord

from xgamma.errors import ConfigError, ConfigTypeError, MissingInputError
from xgamma.geometry import destination, to_frame
from xgamma.maps import Map, MapAxis, WcsGeom
from xgamma.models import (
    GaussianSpatialModel,
    Models,
    PiecewiseNormSpatialModel,
    PowerLawNormSpectralModel,
    PowerLawSpectralModel,
    SkyModel,
    TemplateNDSpatialModel,
    TemplateSpatialModel,
)

ENERGY = MapAxis.from_energy_bounds("1 TeV", "100 TeV", nbin=2, name="energy_true")
FLUX = "cm-2 s-1 TeV-1 sr-1"


def geom(axes=(), npix=(5, 5), lat=0.0, binsz=1.0, frame="icrs"):
    return WcsGeom.create(skydir=(10.0, lat), binsz=binsz, npix=npix, axes=axes, frame=frame)


def flat(value=1.0, unit="sr-1", axes=(), **where):
    made = geom(axes, **where)
    return Map.from_geom(made, np.ones(made.data_shape) * value, unit)


def blob(sigma=0.5, **where):
    model = GaussianSpatialModel(sigma=sigma * u.deg, lon_0="10 deg", lat_0=where.get("lat", 0.0) * u.deg,
                                 frame=where.get("frame", "icrs"))  # fmt: skip
    made = geom(npix=(60, 60), binsz=0.1, **where)
    return model, Map.from_geom(made, model.evaluate_geom(made).value, "sr-1")


# --- one image


@pytest.mark.parametrize("unit", ["sr-1", "", "deg-2", "cm-2 s-1"])
def test_a_template_is_normalised_on_the_sphere(unit):
    values = np.arange(1.0, 26.0).reshape(5, 5)
    model = TemplateSpatialModel(Map.from_geom(geom(lat=70.0), values, unit))
    area = geom(lat=70.0).solid_angle().value
    assert model.density_unit == u.Unit("sr-1")
    expected = (values * area / (values * area).sum()) if unit in ("sr-1", "deg-2") else values / values.sum()
    assert (model.evaluate_geom(geom(lat=70.0)).value * area) == pytest.approx(expected)


def test_a_template_of_a_model_is_that_model():
    exact, given = blob(lat=50.0)
    model = TemplateSpatialModel(given)
    lon, lat = destination(10.0, 50.0, np.arange(0.0, 360.0, 30.0), 0.7)
    assert model.density(lon, lat) == pytest.approx(exact.density(lon, lat), rel=1e-2)
    assert model.interp == "lin"
    assert model.integrate_geom(geom(npix=(30, 30), binsz=0.2, lat=50.0)).data.sum() == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize(("interp", "middle"), [("log", 10.0), ("lin", 50.5)])
def test_between_pixels_a_map_is_interpolated_on_purpose(interp, middle):
    values = np.ones((5, 5))
    values[2, 3] = 100.0
    model = TemplateSpatialModel(Map.from_geom(geom(), values, "sr-1"), normalize=False, interp=interp)
    assert model.density(9.5, 0.0) == pytest.approx(middle, rel=1e-3)


def test_lines_preserve_the_sum_and_logarithms_do_not():
    given = blob()[1]
    fine = geom(npix=(300, 300), binsz=0.02)
    sums = [TemplateSpatialModel(given, interp=interp).integrate_geom(fine).data.sum() for interp in ("lin", "log")]
    # A line of logarithms lies below a Gaussian by (pixel / sigma)^2 / 12 in each direction.
    assert sums == [pytest.approx(1.0, abs=1e-6), pytest.approx(1.0 - 2 * 0.2**2 / 12, abs=5e-4)]


def test_beside_zeros_lines_are_drawn():
    values = np.zeros((5, 5))
    values[2, 2] = 1.0
    given = Map.from_geom(geom(), values, "sr-1")
    model = TemplateSpatialModel(given, normalize=False)
    assert (model.interp, float(model.density(9.5, 0.0))) == ("lin", pytest.approx(0.5, abs=1e-3))
    with pytest.raises(ConfigError, match="interp: 24 of its values are 0 and have no logarithm; say 'lin'"):
        TemplateSpatialModel(given, interp="log")
    with pytest.raises(ConfigError, match="expected 'lin' or 'log', got 'cubic'"):
        TemplateSpatialModel(given, interp="cubic")


def test_beside_the_map_there_is_nothing_and_its_pixels_end_at_their_edges():
    model = TemplateSpatialModel(flat(), normalize=False)
    assert model.density([10.0, 7.6, 7.4, 200.0], [0.0, 0.0, 0.0, 80.0]).tolist() == pytest.approx([1, 1, 0, 0])
    assert np.isfinite(model.density(np.nan, 0.0))


def test_what_is_no_number_or_negative_counts_as_0_and_is_counted(caplog):
    values = np.ones((5, 5))
    values[0, :2], values[4, 4] = np.nan, -7.0
    model = TemplateSpatialModel(Map.from_geom(geom(), values, "sr-1"))
    sentence = "of the 25 pixels of the map 2 are no numbers and 1 are below 0; they count as 0"
    assert model.remark() == sentence
    assert f"TemplateSpatialModel: {sentence}." in caplog.text
    area = geom().solid_angle().value
    assert (model.evaluate_geom(geom()).value * area).sum() == pytest.approx(1.0)
    with pytest.raises(ConfigError, match="expected a map with values above 0, got none among 25 pixels"):
        TemplateSpatialModel(flat(-1.0))


def test_other_units_are_converted_or_refused():
    model = TemplateSpatialModel(flat(1.0, "deg-2"), normalize=False)
    assert float(model.density(10.0, 0.0)) == pytest.approx((180 / np.pi) ** 2)
    diffuse = TemplateSpatialModel(flat(1.0, "cm-2 s-1 MeV-1 sr-1"), normalize=False)
    assert diffuse(10 * u.deg, 0 * u.deg).to_value(FLUX) == pytest.approx(1e6)
    with pytest.raises(ConfigError, match="expected a map in sr-1 or cm-2 s-1 TeV-1 sr-1 where it is not normalised"):
        TemplateSpatialModel(flat(1.0, "m2 s"), normalize=False)
    with pytest.raises(ConfigTypeError, match="expected a Map of an image of the sky, got a ndarray"):
        TemplateSpatialModel(np.ones((3, 3)))


def test_where_a_map_is():
    model = TemplateSpatialModel(flat(npix=(8, 6), frame="galactic"))
    assert (model.frame, model.center()) == ("galactic", pytest.approx((10.0, 0.0)))
    assert (model.reach(), model.resolution(), model.is_round()) == (5.0, 1.0, False)
    assert [one.value for one in model.parameters] == pytest.approx([10.0, 0.0], abs=1e-9)
    assert model.parameters.free_parameters.names == []
    region = model.to_region()
    assert (region.width.value, region.height.value, region.center.frame.name) == (8.0, 6.0, "galactic")
    assert model.evaluation_region.radius.value == pytest.approx(5.0)
    assert model.map.unit == u.Unit("sr-1")
    assert model.map.data.shape == (6, 8)


def test_a_map_is_shifted_as_a_whole_on_the_sphere():
    exact, given = blob(lat=50.0)
    model = TemplateSpatialModel(given, lon_0="30 deg", lat_0="-20 deg")
    exact.position = SkyCoord(30, -20, unit="deg")
    lon, lat = destination(30.0, -20.0, np.arange(0.0, 360.0, 30.0), 0.6)
    assert model.density(lon, lat) == pytest.approx(exact.density(lon, lat), rel=1e-2)
    assert model.position.separation(SkyCoord(30, -20, unit="deg")).deg < 1e-9


def test_maps_and_norms_in_another_frame_are_the_same_on_the_sky():
    values = np.arange(1.0, 26.0).reshape(5, 5)
    given = Map.from_geom(geom(lat=40.0), values, "sr-1")
    lon, lat = destination(30.0, -20.0, np.arange(0.0, 360.0, 30.0), 1.3)
    x, y = to_frame(lon, lat, "icrs", "galactic")
    for model in (TemplateSpatialModel(given, lon_0="30 deg", lat_0="-20 deg"), TemplateSpatialModel(given)):
        assert model.with_frame("galactic").density(x, y) == pytest.approx(model.density(lon, lat), rel=1e-6)
    nodes = (np.array([28.0, 32.0, 32.0, 28.0, 30.0]) * u.deg, np.array([-22.0, -22.0, -18.0, -18.0, -20.0]) * u.deg)
    model = PiecewiseNormSpatialModel(nodes, norms=[1.0, 2.0, 3.0, 2.0, 2.0])
    model.norm_0.frozen = True
    turned = model.with_frame("galactic")
    at = to_frame(nodes[0].value, nodes[1].value, "icrs", "galactic")
    assert turned.density(*at) == pytest.approx([1.0, 2.0, 3.0, 2.0, 2.0])
    assert (turned.frame, turned.norm_0.frozen, turned.norm_1.frozen) == ("galactic", True, False)


# --- energies and parameters


def test_planes_of_energy_are_normalised_each_on_its_own_or_none():
    given = flat(np.array([100.0, 1.0])[:, None, None], FLUX, [ENERGY])
    form, diffuse = TemplateSpatialModel(given), TemplateSpatialModel(given, normalize=False)
    assert form.is_energy_dependent
    sums = form.integrate_geom(geom([ENERGY])).data.sum(axis=(1, 2))
    assert sums == pytest.approx([1.0, 1.0])
    at = [1.0, np.sqrt(10), 10.0, 10**1.5, 100.0] * u.TeV
    values = diffuse(10 * u.deg, 0 * u.deg, at).to_value(FLUX)
    # Power laws between the centres of the bins, and to their edges.
    assert values == pytest.approx([1000.0, 100.0, 10.0, 1.0, 0.1])
    with pytest.raises(ConfigError, match="it depends on the energy; say at which"):
        form.density(10.0, 0.0)


def test_energies_beside_a_map_are_said_once(caplog):
    model = TemplateSpatialModel(flat(np.ones((2, 1, 1)), FLUX, [ENERGY]), normalize=False, filename="said-once.fits")
    for _ in range(2):
        assert model.density_at(10.0, 0.0, 300.0) == 0.0
    said = [one for one in caplog.messages if "energies from 300 to 300 TeV lie beside the map, 1 to 100 TeV" in one]
    assert len(said) == 1


def test_a_plane_with_nothing_cannot_be_normalised():
    with pytest.raises(ConfigError, match="1 of its 2 planes hold nothing above 0 and cannot be normalised"):
        TemplateSpatialModel(flat(np.array([1.0, 0.0])[:, None, None], "sr-1", [ENERGY]))


def test_planes_are_drawn_beside_each_other():
    model = TemplateSpatialModel(flat(np.ones((2, 1, 1)), "sr-1", [ENERGY]))
    axes = model.plot_grid(geom([ENERGY]))
    assert [one.get_title() for one in axes] == ["1 - 10 TeV", "10 - 100 TeV"]


def nd_map(extra=()):
    width = MapAxis.from_bounds(0.0, 4.0, 2, "lin", "deg", "width")
    made = geom([width, *extra])
    return Map.from_geom(made, np.ones(made.data_shape) * np.array([1.0, 3.0])[:, None, None], "sr-1")


def test_axes_are_parameters():
    model = TemplateNDSpatialModel(nd_map(), interp="log")
    assert (model.parameters.names, model.width.value, str(model.width.unit)) == (["width"], 2.0, "deg")
    assert (model.width.min, model.width.max) == (1.0, 3.0)
    assert float(model.density(10.0, 0.0)) == pytest.approx(np.sqrt(3.0))
    assert float(model.density(10.0, 0.0, [3.0])) == pytest.approx(3.0)
    assert float(model.density(10.0, 0.0, [9.0])) == pytest.approx(3.0)
    lines = TemplateNDSpatialModel(nd_map(), width="120 arcmin")
    assert float(lines.density(10.0, 0.0)) == pytest.approx(2.0)
    with_energy = TemplateNDSpatialModel(nd_map([ENERGY]), interp="log")
    assert with_energy.parameters.names == ["width"]
    assert float(with_energy.density_at(10.0, 0.0, 10.0)) == pytest.approx(np.sqrt(3.0))


# --- files and documents


def test_a_template_goes_through_files(tmp_path):
    _, given = blob()
    model = TemplateSpatialModel(given, interp="log")
    source = SkyModel(PowerLawSpectralModel(), model, name="source")
    with pytest.raises(ConfigError, match="the map is in no file; write it with"):
        Models([source]).to_dict()
    model.write(tmp_path / "blob.fits")
    document = Models([source]).to_dict()["components"][0]["spatial"]
    assert list(document) == ["type", "frame", "parameters", "filename", "normalize", "unit", "interp"]
    again = Models.from_yaml(Models([source]).to_yaml())[0].spatial_model
    lon, lat = destination(10.0, 0.0, np.arange(0.0, 360.0, 30.0), 0.7)
    assert again.density(lon, lat) == pytest.approx(model.density(lon, lat), rel=1e-9)
    assert (again.filename, again.interp, again.normalize) == (str(tmp_path / "blob.fits"), "log", True)
    read = TemplateSpatialModel.read(tmp_path / "blob.fits")
    assert read.density(lon, lat) == pytest.approx(model.density(lon, lat), rel=2e-2)
    assert again.origins()[0].startswith("map: blob.fits, values ")
    copied = read.copy()
    assert copied.table is read.table
    nd = TemplateNDSpatialModel(nd_map(), filename=tmp_path / "nd.fits")
    nd.write()
    assert TemplateNDSpatialModel.read(tmp_path / "nd.fits").density(10.0, 0.0, [2.0]) == pytest.approx(2.0)
    diffuse = SkyModel(PowerLawNormSpectralModel(), nd, name="nd")
    assert Models.from_yaml(Models([diffuse]).to_yaml())[0].spatial_model.width.value == 2.0


def test_a_file_is_opened_when_values_are_needed():
    document = {"type": "TemplateSpatialModel", "frame": "galactic", "filename": "nowhere.fits", "normalize": False}
    model = TemplateSpatialModel.from_dict({**document, "parameters": []})
    assert model.to_dict()["spatial"] == {**document, "parameters": []}
    with pytest.raises(MissingInputError, match=r"nowhere\.fits"):
        model.density(0.0, 0.0)
    with pytest.raises(ConfigError, match="expected a map or the name of its file, got none"):
        TemplateSpatialModel.from_dict({"type": "template", "parameters": []}).density(0.0, 0.0)


def test_a_position_of_a_document_is_frozen_as_in_gammapy():
    entries = [{"name": "lon_0", "value": 0.0, "unit": "deg"}, {"name": "lat_0", "value": float("nan"), "unit": "deg"}]
    model = TemplateSpatialModel.from_dict({"type": "template", "filename": "a.fits", "parameters": entries})
    assert model.frozen
    assert model.lat_0.max == 90.0


# --- norms at positions


def norms(**more):
    lon, lat = [358.0, 2.0, 2.0, 358.0, 0.0] * u.deg, [-2.0, -2.0, 2.0, 2.0, 0.0] * u.deg
    return PiecewiseNormSpatialModel((lon, lat), **more)


def test_norms_are_those_of_positions_and_smooth_between_them():
    model = norms(norms=[1.0, 2.0, 3.0, 2.0, 2.0], frame="galactic")
    assert (model.frame, model.density_unit, len(model.parameters)) == ("galactic", u.dimensionless_unscaled, 5)
    assert model.density([358.0, 2.0, 0.0], [-2.0, 2.0, 0.0]) == pytest.approx([1.0, 3.0, 2.0])
    # A plane is met exactly; x grows across 0 h.
    assert float(model.density(1.0, 0.5)) == pytest.approx(2.0 + 0.25 * 1.5)
    assert float(model.density(359.0, 0.5)) == pytest.approx(2.0 + 0.25 * -0.5)
    # Beside the outermost positions the nearest norm holds.
    assert model.density([6.0, 350.0], [3.0, -6.0]).tolist() == [3.0, 1.0]


def test_norms_go_through_documents():
    model = norms(norms=[1.0, 2.0, 4.0, 2.0, 2.0], interp="log")
    again = PiecewiseNormSpatialModel.from_dict(model.to_dict())
    assert again.to_dict() == model.to_dict()
    assert float(again.density(1.0, 0.5)) == pytest.approx(float(model.density(1.0, 0.5)))
    assert again.norms.value.tolist() == [1.0, 2.0, 4.0, 2.0, 2.0]
    assert again.coords[0].value.tolist() == [358.0, 2.0, 2.0, 358.0, 0.0]


def test_norms_without_positions_say_so():
    with pytest.raises(ConfigError, match="at least four positions, got 3 and 3"):
        PiecewiseNormSpatialModel(([1, 2, 3] * u.deg, [1, 2, 3] * u.deg))
    with pytest.raises(ConfigError, match="a norm for each of 5 positions, got 2"):
        norms(norms=[1.0, 2.0])
    with pytest.raises(ConfigError, match="'log' of norms above 0"):
        norms(norms=[0.0, 1, 1, 1, 1], interp="log").density(0.0, 0.0)


def test_reading_is_silent_where_nothing_is_left_out(tmp_path, caplog):
    TemplateSpatialModel(flat()).write(tmp_path / "flat.fits")
    with caplog.at_level(logging.WARNING):
        assert TemplateSpatialModel.read(tmp_path / "flat.fits").table.remark == ""
    assert not caplog.text

"""Regions with axes, values of them, and coordinates, asked for as in Gammapy."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord

from xgamma.errors import DataError
from xgamma.maps import Map, MapAxis, MapCoord, RegionGeom, RegionNDMap, WcsGeom

ENERGY = MapAxis.from_energy_bounds("1 TeV", "100 TeV", nbin=4)
RAD = MapAxis.from_bounds(0, 0.6, nbin=3, unit="deg", name="rad")
CENTER = SkyCoord(83.63, 22.01, unit="deg")
REGION = RegionGeom.create("icrs; circle(83.63, 22.01, 0.5)", axes=[RAD, ENERGY])
IMAGE = WcsGeom.create(skydir=CENTER, binsz=0.1, width=2, axes=[ENERGY])


def test_a_region_knows_where_and_how_large_it_is():
    assert REGION.data_shape == (4, 3, 1, 1)
    assert REGION.center_skydir.separation(CENTER).deg < 1e-9
    assert REGION.contains(SkyCoord([83.63, 85], [22.4, 22], unit="deg")).tolist() == [True, False]
    assert REGION.contains({"skycoord": CENTER}).tolist() == [True]
    np.testing.assert_allclose(REGION.solid_angle().to_value("deg2"), np.pi * 0.25, rtol=1e-4)
    with pytest.raises(DataError, match="There is no region"):
        RegionGeom.create(None).solid_angle()


@pytest.mark.parametrize("geom", [REGION, WcsGeom.create(npix=3, axes=[RAD, ENERGY])], ids=["region", "image"])
def test_both_geometries_have_the_same_calls_for_their_axes(geom):
    assert geom.squash("energy").axes.shape == (3, 1)
    assert geom.drop("rad").axes.names == ["energy"]
    assert geom.to_image().is_image
    assert geom.to_image().to_cube([RAD, ENERGY]) == geom == geom.copy()
    assert geom.as_energy_true.axes.names == ["rad", "energy_true"]
    assert geom.rename_axes(["rad", "energy"], ["a", "b"]).axes.names == ["a", "b"]
    assert geom.replace_axis(ENERGY.squash()).axes.shape == (3, 1)
    assert geom.slice_by_idx({"energy": slice(0, 2)}).axes.shape == (3, 2)
    assert (geom.has_energy_axis, geom.drop("energy").has_energy_axis) == (True, False)
    mask = geom.energy_mask("3 TeV", 40 * u.TeV)
    assert mask.is_mask
    assert (
        mask.data.all(axis=(1, 2, 3)).tolist() == mask.data.any(axis=(1, 2, 3)).tolist() == [False, True, True, False]
    )


def test_values_of_a_region_are_made_and_asked_for():
    one = Map.from_geom(REGION, np.arange(12.0), "s")
    assert isinstance(one, RegionNDMap)
    assert (one.data.shape, one.quantity.unit, one.region) == ((4, 3, 1, 1), u.s, REGION.region)
    assert one.get_by_coord({"energy": 5 * u.TeV, "rad": "0.5 deg"}).tolist() == [5.0]
    assert one.get_by_coord(([0.1, 0.3] * u.deg, [2, 50] * u.TeV)).tolist() == [0.0, 10.0]
    assert np.isnan(one.get_by_coord({"energy": 500 * u.TeV, "rad": 0 * u.deg})).all()
    assert one.sum_over_axes(["rad"]).data.ravel().tolist() == [3.0, 12.0, 21.0, 30.0]
    assert one.sum_over_axes(keepdims=False).data.tolist() == [[66.0]]
    assert one.sum_over_axes().geom.axes.is_flat
    assert one.slice_by_idx({"energy": 1, "rad": slice(1, 3)}).data.ravel().tolist() == [4.0, 5.0]
    assert RegionNDMap.create("icrs; circle(83.63, 22.01, 0.5)", [ENERGY], dtype=bool).is_mask
    with pytest.raises(DataError, match="Expected one value for each of 12 bins, got 3"):
        RegionNDMap(REGION, [1, 2, 3])


def test_the_spectrum_of_a_map_has_its_region_and_axes():
    spectrum = Map.from_geom(IMAGE, np.ones(IMAGE.data_shape), "cm-2").get_spectrum("icrs; circle(83.63, 22.01, 0.5)")
    assert spectrum.geom.axes["energy"] is ENERGY
    assert spectrum.geom.region.radius == 0.5
    assert (spectrum.unit, spectrum.data.shape) == (u.Unit("cm-2"), (4, 1, 1))


def test_coordinates_are_made_turned_and_chosen():
    one = MapCoord.create({"skycoord": CENTER, "energy": [2, 3] * u.TeV}, frame="galactic")
    assert one.skycoord.separation(CENTER).deg.max() < 1e-9
    assert one.to_frame("icrs").lon.to_value("deg") == pytest.approx(83.63)
    assert MapCoord.create((83.63, 22.01 * u.deg)).lat == 22.01 * u.deg
    assert MapCoord.create(one) is one
    coords = IMAGE.get_coord(sparse=True)
    assert coords.size == coords.flat.size == 4 * 20 * 20
    chosen = coords.apply_mask(IMAGE.energy_mask("3 TeV").data)
    assert chosen.shape == (3 * 400,)
    assert chosen["energy"].min() > 3 * u.TeV
    idx = IMAGE.get_idx()
    assert [each.shape for each in idx] == [IMAGE.data_shape] * 3
    np.testing.assert_array_equal(Map.from_geom(IMAGE, idx[0]).get_by_idx((7, 3, 2)), 7)


def test_one_position_is_filled_with_many_weights():
    one = Map.from_geom(IMAGE)
    one.fill_by_coord({"skycoord": CENTER, "energy": 2 * u.TeV}, weights=[1.0, 0.5])
    assert one.data.sum() == one.get_by_coord({"skycoord": CENTER, "energy": 2 * u.TeV}) == 1.5

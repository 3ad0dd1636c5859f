"""Maps: geometries, values at coordinates, arithmetic, cuts, regions, as laws and independent calculations."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from xgamma.axes import Axis
from xgamma.data import DataStore
from xgamma.errors import ConfigError, DataError, OutputExistsError, UnknownNameError
from xgamma.geometry import cap_area, destination, separation, to_frame
from xgamma.maps import Map, MapAxes, MapAxis, RegionGeom, WcsGeom, WcsNDMap
from xgamma.shapes import Annulus, Circle, Ellipse, Polygon, Rectangle
from xgamma.sky import SkySpace

ENERGY = MapAxis.from_energy_bounds("1 TeV", "100 TeV", 4)
RAD = MapAxis.from_bounds(0.0, 0.6, 3, unit="deg", name="rad")
CENTER = SkyCoord(83.63, 22.01, unit="deg")


def geom_of(axes=(), **changes):
    return WcsGeom.create(**{"skydir": CENTER, "binsz": 0.1, "width": (2.0, 1.5), "axes": axes, **changes})


def random_map(axes=(ENERGY,), seed=1, **changes):
    geom = geom_of(axes, **changes)
    return Map.from_geom(geom, np.random.default_rng(seed).poisson(3.0, geom.data_shape).astype(float))


# --- geometries


def test_a_geometry_says_what_it_is():
    geom = geom_of([ENERGY])
    assert (geom.data_shape, geom.npix, geom.frame, geom.projection) == ((4, 15, 20), (20, 15), "icrs", "CAR")
    assert not geom.is_image
    assert not geom.is_allsky
    assert geom.to_image().is_image
    np.testing.assert_allclose(geom.width.to_value("deg"), [[2.0], [1.5]])
    assert geom.center_skydir.separation(CENTER) < 1e-9 * u.deg
    assert geom.center_pix == (9.5, 7.0, 1.5)
    assert geom.footprint.shape == (4,)
    corner = geom.footprint[0].separation(CENTER).deg
    assert corner == pytest.approx(np.hypot(0.95, 0.7), rel=1e-3)
    assert geom.wcs.array_shape == (15, 20)
    assert repr(geom) == "<WcsGeom lon, lat, energy: 20 x 15 x 4, icrs>"
    for word in ("4 bins (log), 1 to 100 TeV", "20 x 15 of 0.1 x 0.1 deg", "83.6300, 22.0100 deg"):
        assert word in str(geom)


def test_arrays_have_the_last_axis_first():
    geom = geom_of([RAD, ENERGY])
    assert (geom.dims, geom.data_shape) == (("energy", "rad", "y", "x"), (4, 3, 15, 20))
    assert geom.axes["rad"] is RAD
    assert geom.axes[1] is ENERGY
    assert geom.axes.names == ["rad", "energy"]
    assert geom.squash("energy").data_shape == (1, 3, 15, 20)
    assert geom.drop("rad").data_shape == (4, 15, 20)
    assert geom.to_image().to_cube([RAD, ENERGY]) == geom
    with pytest.raises(UnknownNameError, match=r"There is no axis 'enrgy' of the map\. Did you mean 'energy'"):
        geom.drop("enrgy")
    with pytest.raises(ConfigError, match="names of their own, got energy, energy"):
        MapAxes([ENERGY, ENERGY])


def test_a_whole_sky_is_asked_for_without_a_size():
    geom = WcsGeom.create(binsz=2, proj="AIT", frame="galactic")
    assert (geom.npix, geom.is_allsky) == ((180, 90), True)
    assert geom.solid_angle().sum().to_value("sr") == pytest.approx(4 * np.pi, rel=1e-12)
    lon = geom.get_coord()["lon"]
    assert np.isnan(lon[0, 0])
    assert np.isfinite(lon).mean() == pytest.approx(np.pi * 2 * np.rad2deg(np.sqrt(2)) ** 2 / (360 * 180), abs=0.01)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"width": 0.05}, "Expected pixels that are smaller than the image"),
        ({"width": None, "npix": 2.5}, "npix: expected a whole number of pixels"),
        ({"width": None, "npix": 0}, "at least one pixel, got 0 by 0"),
        ({"skydir": "crab"}, "skydir: expected a SkyCoord or"),
        ({"frame": "fk4", "skydir": None}, "There is no frame 'fk4'"),
        ({"binsz": "2 m"}, "binsz: expected a value in deg"),
        ({"axes": ["energy"]}, "Expected axes such as those that MapAxis makes, got a str"),
    ],
)
def test_a_geometry_that_is_none_is_refused(changes, said):
    with pytest.raises(ConfigError, match=said):
        geom_of(**changes)


def test_sizes_are_angles_texts_or_numbers_of_degrees():
    for width in ((2.0, 1.5), (2 * u.deg, 90 * u.arcmin), u.Quantity([2.0, 1.5], "deg"), ("2 deg", "1.5 deg")):
        assert geom_of(width=width, binsz="6 arcmin").npix == (20, 15)
    assert geom_of(width="2 deg").npix == (20, 20)
    wide = geom_of(binsz=(0.2, 0.1))
    assert wide.npix == (10, 15)
    np.testing.assert_allclose(wide.pixel_scales.deg, [0.2, 0.1])


@given(
    lat=st.floats(-89, 89),
    frame=st.sampled_from(["icrs", "galactic"]),
    proj=st.sampled_from(["CAR", "TAN", "AIT"]),
    place=st.tuples(st.floats(-0.49, 19.49), st.floats(-0.49, 14.49), st.floats(-0.49, 3.49), st.floats(-0.49, 2.49)),
)
def test_pixels_of_coordinates_are_the_pixels(lat, frame, proj, place):
    geom = WcsGeom.create(skydir=(120.0, lat), frame=frame, proj=proj, binsz=0.1, width=(2.0, 1.5), axes=[ENERGY, RAD])
    found = geom.coord_to_pix(geom.pix_to_coord(place))
    np.testing.assert_allclose([float(one) for one in found], place, rtol=0, atol=1e-8)
    assert geom.contains(geom.pix_to_coord(place))


def test_coordinates_are_taken_in_every_usual_form():
    geom = geom_of([ENERGY], frame="galactic")
    position, energy = CENTER, 20 * u.TeV
    lon, lat = position.galactic.l.deg, position.galactic.b.deg
    wanted = [float(one) for one in geom.coord_to_pix({"skycoord": position, "energy": energy})]
    for coords in (
        {"lon": lon, "lat": lat, "energy": "20 TeV"},
        {"skycoord": (lon * u.deg, lat * u.deg), "energy": 2e4 * u.GeV},
        (lon, lat, 20.0),
        (position, energy),
    ):
        np.testing.assert_allclose([float(one) for one in geom.coord_to_pix(coords)], wanted, rtol=0, atol=1e-9)
    with pytest.raises(ConfigError, match="Expected coordinates with 'energy'"):
        geom.coord_to_pix({"skycoord": position})
    with pytest.raises(ConfigError, match="energy: expected values in TeV"):
        geom.coord_to_pix((position, 20 * u.m))
    with pytest.raises(ConfigError, match="one coordinate for each of lon, lat, energy, got 2"):
        geom.coord_to_pix((1.0, 2.0))


def test_uneven_bins_and_nodes_have_places():
    uneven = Axis("energy", np.array([1.0, 2, 10, 100]))
    nodes = Axis.from_nodes("energy", [1.0, 2.0, 10.0], "TeV", "log")
    for axis in (uneven, nodes):
        np.testing.assert_allclose(axis.place_of(axis.center), [0, 1, 2], atol=1e-12)
        np.testing.assert_allclose(axis.value_at(axis.place_of([1.5, 7.0])), [1.5, 7.0])
        assert np.isnan(axis.place_of([0.01, 1e3])).all()
    np.testing.assert_allclose(uneven.place_of(uneven.edges), [-0.5, 0.5, 1.5, 2.5], atol=1e-12)


def test_the_middle_of_a_cutout_is_where_it_was_asked_for():
    geom = geom_of([ENERGY])
    cut = geom.cutout(SkyCoord(83.4, 22.2, unit="deg"), "0.5 deg")
    assert cut.npix == (5, 5)
    x, y = (float(one) for one in geom.to_image().coord_to_pix(cut.center_skydir))
    wanted = [float(one) for one in geom.to_image().coord_to_pix(SkyCoord(83.4, 22.2, unit="deg"))]
    assert max(abs(x - wanted[0]), abs(y - wanted[1])) <= 0.5 + 1e-9
    assert (x, y) == pytest.approx((round(x), round(y)))
    assert geom.cutout(CENTER, "0.55 deg", odd_npix=True).npix == (7, 7)
    assert geom.cutout(SkyCoord(84.5, 22.6, unit="deg"), 0.5).npix == (4, 4)
    with pytest.raises(DataError, match="reach beyond the map of"):
        geom.cutout(SkyCoord(84.5, 22.6, unit="deg"), 0.5, mode="strict")
    with pytest.raises(DataError, match=r"there is nothing of the map about 60\.0000, 22\.0000"):
        geom.cutout(SkyCoord(60, 22, unit="deg"), 0.5)
    with pytest.raises(ConfigError, match="expected a width above 0 deg"):
        geom.cutout(CENTER, 0)


def test_cut_padded_and_resampled_images_are_the_same_sky():
    geom = geom_of(width=(2.0, 1.6))
    for other, part in (
        (geom.pad(3).crop(3), (slice(None), slice(None))),
        (geom.crop((2, 1)), (slice(1, -1), slice(2, -2))),
        (geom.cutout(CENTER, (0.4, 0.6)), (slice(5, 11), slice(8, 12))),
        (geom.upsample(2).downsample(2), (slice(None), slice(None))),
    ):
        mine, theirs = geom.get_coord().skycoord[part], other.get_coord().skycoord
        assert mine.shape == theirs.shape
        assert mine.separation(theirs).max() < 1e-9 * u.deg
    fine = geom.upsample(4)
    assert fine.npix == (80, 64)
    np.testing.assert_allclose(
        fine.solid_angle().value.reshape(16, 4, 20, 4).sum(axis=(1, 3)), geom.solid_angle().value, rtol=1e-12
    )
    assert geom.to_binsz(0.2).npix == (10, 8)
    with pytest.raises(ConfigError, match="expected a factor of 20 and 16 pixels, got 3; crop or pad before"):
        geom.downsample(3)
    with pytest.raises(ConfigError, match="nothing is left of 20 by 16 pixels"):
        geom.crop(8)


def test_bins_of_axes_are_joined_and_cut():
    geom = geom_of([ENERGY])
    assert (geom.downsample(2, "energy").axes["energy"].edges == ENERGY.edges[::2]).all()
    fine = geom.upsample(3, "energy").axes["energy"].plain.edges
    np.testing.assert_allclose(fine[::3], ENERGY.plain.edges)
    np.testing.assert_allclose(np.diff(np.log(fine)), np.log(100) / 12)
    with pytest.raises(ConfigError, match="expected a factor of 4 bins, got 3"):
        geom.downsample(3, "energy")
    assert (geom.slice_by_idx({"energy": slice(1, 3)}).axes["energy"].edges == ENERGY.edges[1:4]).all()
    with pytest.raises(ConfigError, match="expected neighbouring bins of 4"):
        geom.slice_by_idx({"energy": slice(3, 3)})


def test_bin_volumes_are_areas_times_widths():
    geom = geom_of([RAD, ENERGY])
    volume = geom.bin_volume()
    assert volume.unit == u.Unit("sr deg TeV")
    wanted = ENERGY.plain.width[:, None, None, None] * RAD.plain.width[:, None, None] * geom.solid_angle().value[0, 0]
    np.testing.assert_allclose(volume.value, wanted)


def test_an_energy_mask_holds_whole_bins():
    geom = geom_of([ENERGY])
    mask = geom.energy_mask("2 TeV", 50 * u.TeV)
    assert mask.is_mask
    assert mask.data.all(axis=(1, 2)).tolist() == [False, True, True, False]
    rounded = geom.energy_mask("4 TeV", "50 TeV", round_to_edge=True)
    assert rounded.data.all(axis=(1, 2)).tolist() == [False, True, True, False]


def test_a_boundary_mask_leaves_the_edges_out():
    mask = geom_of().boundary_mask("0.3 deg")
    assert mask.data.sum() == 14 * 9
    assert not mask.data[:3].any()
    assert mask.data[3, 3]


# --- values


def test_a_map_is_an_array_with_labels_and_back():
    for geom in (
        geom_of([RAD, ENERGY], frame="galactic", proj="TAN"),
        geom_of().crop((1, 0)),
        geom_of(binsz=(0.2, 0.1)),
    ):
        given = Map.from_geom(geom, np.arange(np.prod(geom.data_shape)), "m2 s", {"telescope": "any"}, name="exposure")
        array = given.array
        assert array.dims == geom.dims
        assert array["lon"].dims == ("y", "x")
        np.testing.assert_allclose(
            array["lon"].values, geom.get_coord(frame="icrs").lon.value.reshape(-1, *array["lon"].shape)[0]
        )
        back = Map.from_array(array)
        assert back.geom == geom
        assert (back.unit, back.name, back.meta) == (u.Unit("m2 s"), "exposure", {"telescope": "any"})
        np.testing.assert_array_equal(back.data, given.data)
    with pytest.raises(DataError, match="Expected an array over y, x with the coordinate 'image'"):
        Map.from_array(array.drop_vars("image"))


def test_nodes_of_axes_come_back():
    axis = Axis.from_nodes("energy_true", [1.0, 2.0, 10.0], "TeV", "log")
    assert Map.from_array(Map.from_geom(geom_of([axis])).array).geom.axes.plain == (axis,)


def test_values_have_the_shape_of_the_geometry():
    made = Map.create(skydir=CENTER, binsz=0.1, width=1, axes=[ENERGY], unit="cm-2 s-1")
    assert isinstance(made, WcsNDMap)
    assert (made.data.shape, made.data.sum(), made.unit) == ((4, 10, 10), 0.0, u.Unit("cm-2 s-1"))
    made.data = 2.0
    assert made.data.sum() == 800
    made.quantity = np.arange(400) * u.m**-2
    assert made.data[1, 0, 0] == 100
    assert made.unit == u.m**-2
    assert made.to_unit("cm-2").data[1, 0, 0] == pytest.approx(0.01)
    with pytest.raises(DataError, match=r"Expected values of the shape \(4, 10, 10\), got \(3,\)"):
        made.data = [1, 2, 3]
    for word in ("10 x 10 of 0.1 x 0.1 deg", "4 bins (log), 1 to 100 TeV", "m-2"):
        assert word in str(made)
    assert "m-2" in made._repr_html_()
    assert repr(made) == "<Map 4 x 10 x 10 m-2>"


def test_arithmetic_follows_the_units():
    one, other = random_map(seed=1).copy(unit="m2"), random_map(seed=2).copy(unit="cm2")
    np.testing.assert_allclose((one + other).data, one.data + 1e-4 * other.data)
    np.testing.assert_allclose((one - other).data, one.data - 1e-4 * other.data)
    assert (one * other).unit == u.Unit("m2 cm2")
    assert (one / (other + 1)).unit == u.Unit("m2 cm-2")
    for scaled in (2 * one, one * 2, one + one, one / 0.5, -one * -2, (one**2) / one * 2):
        np.testing.assert_allclose(scaled.data, np.where(one.data > 0, 2 * one.data, scaled.data))
    assert (one * u.s).unit == u.Unit("m2 s")
    assert (1 / one).unit == u.Unit("m-2")
    np.testing.assert_allclose((one + 1 * u.cm**2).data, one.data + 1e-4)
    np.testing.assert_allclose((5 - one).data, 5 - one.data)
    np.testing.assert_allclose((one.data - one).data, 0)
    np.testing.assert_array_equal((one > 3e4 * u.cm**2).data, one.data > 3)
    assert (one >= one).data.all()
    assert not (one != one).data.any()
    assert (one == one.copy()).is_mask
    assert abs(-one).is_allclose(one)
    with pytest.raises(u.UnitConversionError):
        one + 1 * u.s


def test_differences_of_counts_may_be_negative():
    few, many = (Map.from_geom(geom_of(), np.full((15, 20), value, np.uint32)) for value in (2, 5))
    assert ((few - many).data == -3).all()
    assert ((few - 5).data == -3).all()
    assert ((2 - many).data == -3).all()
    assert ((-few).data == -2).all()
    assert ((few - few * 1.5).data == -1).all()
    total = few.copy()
    total.stack(many * 0.5)
    assert (total.data == 4.5).all()


def test_a_map_is_neither_true_nor_false():
    with pytest.raises(DataError, match=r"write map\.data\.any\(\)"):
        bool(random_map() == random_map())


def test_a_division_by_zero_does_not_warn():
    one = random_map()
    found = (one / (one * 0)).data
    assert np.isnan(found[one.data == 0]).all()
    assert np.isinf(found[one.data > 0]).all()


def test_masks_are_joined_by_logic_and_nothing_else_is():
    many, few = random_map() > 1, random_map() > 4
    assert (many & few).is_allclose(few)
    assert (many | few).is_allclose(many)
    assert not (many ^ many).data.any()
    assert (~many).is_allclose(random_map() <= 1)
    with pytest.raises(DataError, match="Expected masks, which are boolean, got float64 and bool"):
        random_map() & few
    with pytest.raises(DataError, match="Expected masks"):
        many & 1


def test_an_image_and_a_cube_are_multiplied_plane_by_plane():
    cube, image = random_map([RAD, ENERGY]), random_map([], seed=3)
    for product in (cube * image, image * cube):
        assert product.geom == cube.geom
        np.testing.assert_allclose(product.data, cube.data * image.data)
    summed = cube.sum_over_axes(["rad"])
    np.testing.assert_allclose((cube / (summed + 1)).data, cube.data / (summed.data + 1))
    swapped = Map.from_geom(geom_of([ENERGY, RAD]), cube.data.swapaxes(0, 1))
    np.testing.assert_allclose((cube - swapped).data, 0)
    with pytest.raises(DataError, match="Expected maps of the same pixels and bins, got 20 x 15 pixels about 83"):
        cube * random_map([], width=(1.5, 1.5))
    with pytest.raises(DataError, match="Expected the same bins of energy"):
        random_map() + random_map([MapAxis.from_energy_bounds("2 TeV", "100 TeV", 4)])


@given(seed=st.integers(0, 99), factor=st.floats(-5, 5))
def test_sums_of_maps_are_linear(seed, factor):
    one, other = random_map(seed=seed), random_map(seed=seed + 100)
    left = (one + other * factor).sum_over_axes()
    right = one.sum_over_axes() + other.sum_over_axes() * factor
    np.testing.assert_allclose(left.data, right.data, rtol=1e-10, atol=1e-10)


def test_axes_are_summed_and_reduced():
    cube = random_map([RAD, ENERGY])
    assert cube.sum_over_axes().data.shape == (1, 1, 15, 20)
    assert cube.sum_over_axes(keepdims=False).data.shape == (15, 20)
    np.testing.assert_allclose(cube.sum_over_axes(["energy"], keepdims=False).data, cube.data.sum(axis=0))
    assert cube.sum_over_axes(["rad"]).geom.axes["rad"].edges.value.tolist() == [0.0, RAD.plain.edges[-1]]
    np.testing.assert_allclose(cube.reduce_over_axes(np.maximum).data, cube.data.max(axis=(0, 1)))
    np.testing.assert_allclose(cube.reduce("rad", np.nanmean).data, cube.data.mean(axis=1))
    safe = cube > 2
    np.testing.assert_array_equal(safe.reduce_over_axes(np.logical_or).data, safe.data.any(axis=(0, 1)))
    np.testing.assert_allclose(
        cube.sum_over_axes(weights=safe, keepdims=False).data, (cube.data * safe.data).sum(axis=(0, 1))
    )
    wide = cube.resample_axis(MapAxis.from_energy_edges(ENERGY.edges[[0, 1, 4]]))
    np.testing.assert_allclose(wide.data[1], cube.data[1:].sum(axis=0))
    with pytest.raises(DataError, match="expected edges among those of energy"):
        cube.resample_axis(Axis("energy", np.array([1.0, 5.0])))


def test_planes_are_taken_one_by_one():
    cube = random_map([RAD, ENERGY])
    assert cube.slice_by_idx({"energy": 1}).geom.axes.names == ["rad"]
    np.testing.assert_array_equal(cube.get_image_by_idx((2, 1)).data, cube.data[1, 2])
    np.testing.assert_array_equal(
        cube.get_image_by_coord({"energy": 5 * u.TeV, "rad": 0.5 * u.deg}).data, cube.data[1, 2]
    )
    with pytest.raises(DataError, match=r"There is no bin at energy = 500\.0 TeV; they go from 1 to 100"):
        cube.get_image_by_coord({"energy": 500 * u.TeV, "rad": 0.5 * u.deg})
    images = list(cube.iter_by_image())
    assert len(images) == 12
    np.testing.assert_array_equal(images[1].data, cube.data[0, 1])
    parts = cube.split_by_axis("energy")
    assert Map.from_stack(parts, ENERGY).is_allclose(cube)
    assert next(iter(cube.iter_by_image(keepdims=True))).geom.ndim == 4


# --- values at coordinates


def test_a_value_outside_of_the_map_is_not_a_number():
    one = random_map()
    coords = {
        "skycoord": SkyCoord([83.63, 60.0, 83.63], [22.01, 22.0, 22.01], unit="deg"),
        "energy": [5, 5, 500] * u.TeV,
    }
    value, *outside = one.get_by_coord(coords)
    assert value == one.data[1, 7, 10] or value == one.data[1, 7, 9]
    assert np.isnan(outside).all()
    assert np.isnan(one.interp_by_coord(coords)[1:]).all()
    assert (one >= 0).get_by_coord(coords).tolist() == [True, False, False]


@given(
    place=st.tuples(st.floats(0, 19), st.floats(0, 14), st.floats(0, 3)),
    slope=st.tuples(st.floats(-3, 3), st.floats(-3, 3), st.floats(-3, 3)),
)
def test_interpolation_of_what_is_linear_in_pixels_is_exact(place, slope):
    geom = geom_of([ENERGY])
    energy, y, x = np.indices(geom.data_shape)
    one = Map.from_geom(geom, slope[0] * x + slope[1] * y + slope[2] * energy)
    found = one.interp_by_coord(geom.pix_to_coord(place))
    np.testing.assert_allclose(found, np.dot(slope, place), rtol=1e-7, atol=1e-6)


def test_interpolation_holds_the_outermost_pixel_and_leaves_gaps_where_they_are():
    geom = geom_of()
    one = Map.from_geom(geom, np.arange(300.0))
    np.testing.assert_allclose(
        one.interp_by_coord(geom.pix_to_coord(([-0.4, -0.4, 19.4], [0.0, -0.4, 14.4]))), [0, 0, 299]
    )
    assert np.isnan(one.interp_by_coord(geom.pix_to_coord((-0.6, 3.0))))
    one.data[7, 9] = np.nan
    places = geom.pix_to_coord(([9.0, 9.5, 10.0, 8.0], [7.0, 7.0, 7.0, 6.5]))
    assert np.isnan(one.interp_by_coord(places)).tolist() == [True, True, False, False]
    with pytest.raises(ConfigError, match="expected linear or nearest, got 'cubic'"):
        one.interp_by_coord(places, method="cubic")


def test_events_are_filled_into_their_bins():
    geom = geom_of([ENERGY])
    rng = np.random.default_rng(3)
    lon, lat, energy = rng.uniform(82, 85, 500), rng.uniform(21, 23, 500), rng.uniform(0.5, 200, 500)
    counts = Map.from_geom(geom)
    counts.fill_by_coord({"lon": lon, "lat": lat, "energy": energy * u.TeV})
    inside = geom.contains({"lon": lon, "lat": lat, "energy": energy * u.TeV})
    assert counts.data.sum() == inside.sum() > 0
    x, y = geom.wcs.wcs_world2pix(lon, lat, 0)
    wanted, _ = np.histogramdd((energy, y, x), (ENERGY.plain.edges, np.arange(16) - 0.5, np.arange(21) - 0.5))
    np.testing.assert_array_equal(counts.data, wanted)
    whole = Map.from_geom(geom, dtype=int)
    whole.fill_by_coord((lon, lat, energy))
    assert whole.data.dtype.kind == "i"
    np.testing.assert_array_equal(whole.data, counts.data)
    counts.fill_by_coord((lon[:1], lat[:1], energy[:1]), weights=np.array([2.5]))
    assert counts.data.sum() == inside.sum() + 2.5 * inside[0]


def test_events_of_a_run_are_filled(tiny_release):
    (run, *_) = DataStore.from_dir(tiny_release).get_observations()
    counts = Map.create(skydir=run.pointing.fixed_icrs, width=8, binsz=0.2, axes=[ENERGY.squash().rename("energy")])
    counts.fill_events(run.events)
    energy = run.events.energy.to_value("TeV")
    assert counts.data.sum() == ((energy >= 1) & (energy < ENERGY.plain.edges[-1])).sum() > 0


def test_values_are_set_at_coordinates():
    one = Map.from_geom(geom_of())
    one.set_by_coord((CENTER,), 5.0)
    assert one.get_by_coord((CENTER,)) == 5.0
    one.set_by_idx((3, 4), 2.0)
    assert one.data[4, 3] == one.get_by_idx((3, 4)) == one.get_by_pix((3.2, 4.3)) == 2.0
    with pytest.raises(DataError, match="some coordinates lie outside of the map"):
        one.set_by_coord((SkyCoord(60, 22, unit="deg"),), 1.0)


def test_a_map_on_its_own_geometry_is_itself():
    one = random_map()
    np.testing.assert_allclose(one.interp_to_geom(one.geom).data, one.data)
    mask = one > 2
    np.testing.assert_array_equal(mask.interp_to_geom(one.geom).data, mask.data)


def test_a_mask_in_another_projection_is_that_of_the_nearest_pixel():
    mask = geom_of(width=4).region_mask(Circle(83.63, 22.01, 0.6))
    other = WcsGeom.create(skydir=CENTER, binsz=0.05, width=8, proj="TAN", frame="galactic")
    found = mask.interp_to_geom(other)
    assert found.is_mask
    away = other.separation(CENTER).deg
    assert found.data[away < 0.52].all()
    assert not found.data[away > 0.68].any()


@pytest.mark.parametrize("binsz", [0.03, 0.1, 0.17, 0.5])
@pytest.mark.parametrize("proj", ["CAR", "TAN"])
def test_counts_are_kept_in_other_pixels(binsz, proj):
    one = random_map(width=(2.0, 2.0))
    other = WcsGeom.create(skydir=CENTER.galactic, frame="galactic", binsz=binsz, width=4, proj=proj, axes=[ENERGY])
    for found in (one.interp_to_geom(other, preserve_counts=True), one.reproject_to_geom(other, preserve_counts=True)):
        np.testing.assert_allclose(found.data.sum(axis=(1, 2)), one.data.sum(axis=(1, 2)), rtol=1e-12)
        y, x = np.indices(other.space.shape)
        center = [(grid * found.data).sum() / found.data.sum() for grid in (x, y)]
        place = other.to_image().pix_to_coord(center)
        y, x = np.indices(one.geom.space.shape)
        wanted = one.geom.to_image().pix_to_coord([(grid * one.data).sum() / one.data.sum() for grid in (x, y)])
        moved = SkyCoord(*place, frame="galactic").separation(SkyCoord(*wanted)).deg
        assert moved < 0.01


def test_a_mean_in_larger_pixels_is_one_by_area():
    one = random_map((), width=(2.0, 2.0))
    one.data[3, 4] = np.nan
    same = one.reproject_to_geom(one.geom)
    np.testing.assert_allclose(same.data, one.data)
    large = one.reproject_to_geom(one.geom.downsample(5))
    np.testing.assert_allclose(large.data, one.downsample(5, preserve_counts=False).data)
    beyond = one.reproject_to_geom(one.geom.pad(2))
    assert np.isnan(beyond.data[0]).all()
    assert one.reproject_to_geom(one.geom.pad(2), preserve_counts=True).data[0].sum() == 0
    mask = one.geom.region_mask(Circle(83.63, 22.01, 0.6))
    assert mask.reproject_to_geom(one.geom.downsample(2)).is_mask
    with pytest.raises(DataError, match="interp_to_geom: expected the axes of an image, got energy"):
        one.interp_to_geom(geom_of([ENERGY]))
    with pytest.raises(DataError, match="reproject_to_geom: expected the axes of the map"):
        one.reproject_to_geom(geom_of([ENERGY]))
    with pytest.raises(ConfigError, match="pixels would be cut into 4000 by 4000 pieces"):
        one.reproject_to_geom(geom_of(binsz=1e-4, width=1e-3))


# --- cut, resampled, smoothed


def test_a_cutout_holds_the_values_of_its_pixels():
    one = random_map()
    cut = one.cutout(SkyCoord(83.9, 22.2, unit="deg"), (0.5, 0.4))
    np.testing.assert_array_equal(one.get_by_coord(cut.geom.get_coord()), cut.data)
    cut.data[...] = -1
    assert one.data.min() >= 0


def test_padding_and_cropping_are_inverse():
    one = random_map()
    assert one.pad((2, 3)).crop((2, 3)).is_allclose(one)
    assert one.pad(2, cval=np.nan).data.shape == (4, 19, 24)
    assert np.isnan(one.pad(2, cval=np.nan).data[0, 0, 0])
    assert one.pad(1, mode="edge").data[0, 0, 0] == one.data[0, 0, 0]


@given(factor=st.sampled_from([1, 2, 5]), seed=st.integers(0, 99))
def test_downsampling_keeps_counts_or_means(factor, seed):
    one = random_map(seed=seed, width=(2.0, 1.0))
    few = one.downsample(factor)
    assert few.data.sum() == pytest.approx(one.data.sum())
    mean = one.downsample(factor, preserve_counts=False)
    np.testing.assert_allclose(mean.data * factor**2, few.data)
    assert few.upsample(factor).data.sum() == pytest.approx(one.data.sum())
    np.testing.assert_allclose(
        few.upsample(factor, preserve_counts=False).downsample(factor, preserve_counts=False).data, few.data
    )
    np.testing.assert_allclose(one.downsample(2, axis_name="energy").data[1], one.data[2:].sum(axis=0))


def test_a_mean_leaves_out_what_is_not_finite_and_a_mask_holds_any():
    one = random_map((), width=1.0)
    one.data[0, 0] = np.nan
    assert np.isfinite(one.downsample(5, preserve_counts=False).data).all()
    mask = Map.from_geom(one.geom, np.zeros((10, 10), bool))
    mask.data[7, 2] = True
    assert mask.downsample(5).data.tolist() == [[False, False], [True, False]]


@pytest.mark.parametrize("kernel", ["gauss", "disk", "box"])
def test_smoothing_keeps_sums_and_does_not_spread_gaps(kernel):
    one = random_map()
    smooth = one.smooth("0.2 deg", kernel)
    np.testing.assert_allclose(smooth.data.sum(axis=(1, 2)), one.data.sum(axis=(1, 2)), rtol=1e-9)
    assert smooth.data.std() < one.data.std()
    np.testing.assert_allclose(one.smooth(2, kernel).data, smooth.data)
    flat = Map.from_geom(one.geom, np.full(one.geom.data_shape, 3.0))
    flat.data[1, 5, 5] = np.nan
    found = flat.smooth("0.2 deg", kernel).data
    assert np.isnan(found).sum() == 1
    np.testing.assert_allclose(found[np.isfinite(found)], 3.0)
    with pytest.raises(ConfigError, match=r"there is no kernel 'gaus'\. Did you mean 'gauss'"):
        one.smooth(2, "gaus")


def test_a_gaussian_has_its_width():
    one = Map.from_geom(geom_of(width=4.0))
    one.set_by_coord((CENTER,), 1.0)
    smooth = one.smooth("0.3 deg")
    y, x = np.indices(smooth.data.shape)
    for grid in (y, x):
        mean = (grid * smooth.data).sum()
        assert 0.1 * np.sqrt((smooth.data * (grid - mean) ** 2).sum()) == pytest.approx(0.3, rel=1e-3)


@pytest.mark.parametrize("kernel", ["gauss", "disk", "box"])
@pytest.mark.parametrize("width", [1, 2, 2.5, 3, 4])
def test_smoothing_moves_nothing(kernel, width):
    one = Map.from_geom(geom_of(width=(2.1, 2.1)))
    one.data[10, 10] = 1.0
    smooth = one.smooth(width, kernel).data
    for turned in (smooth[::-1], smooth[:, ::-1], smooth.T):
        np.testing.assert_allclose(turned, smooth, atol=1e-12)


def test_a_convolution_is_the_sum_over_the_kernel():
    one, rng = random_map(), np.random.default_rng(5)
    kernel = rng.uniform(0, 1, (3, 5))
    wanted = np.stack([ndimage.convolve(plane, kernel, mode="constant") for plane in one.data])
    np.testing.assert_allclose(one.convolve(kernel).data, wanted, atol=1e-10)
    each = rng.uniform(0, 1, (4, 3, 3))
    wanted = np.stack(
        [ndimage.convolve(plane, own, mode="constant") for plane, own in zip(one.data, each, strict=True)]
    )
    np.testing.assert_allclose(one.convolve(each).data, wanted, atol=1e-10)
    one.data[0, 0, 0] = np.nan
    assert np.isfinite(one.convolve(kernel).data).all()
    assert one.convolve(kernel).data.min() >= 0
    for wrong, said in ((np.ones((2, 3)), "odd height and width"), (np.ones((3, 3, 3)), "or one for each plane of")):
        with pytest.raises(ConfigError, match=said):
            one.convolve(wrong)


@given(seed=st.integers(0, 99), radius=st.floats(0.1, 4.0))
def test_erosion_is_dilation_of_the_rest_and_takes_the_edges(seed, radius):
    mask = random_map((), seed=seed) > 4
    # A radius of a whole number of pixels reaches the last one, whatever the last digits say.
    disk = np.hypot(*np.indices((9, 9)) - 4) <= radius * (1 + 1e-9)
    wanted = ndimage.binary_dilation(mask.data, disk)
    np.testing.assert_array_equal(mask.binary_dilate(radius).data, wanted)
    np.testing.assert_array_equal((~mask).binary_erode(radius).data, ndimage.binary_erosion(~mask.data, disk))
    with pytest.raises(DataError, match="binary_erode: expected a mask"):
        random_map().binary_erode(1)


def test_a_single_pixel_grows_by_a_radius():
    mask = Map.from_geom(geom_of(), np.zeros((15, 20), bool))
    mask.data[7, 9] = True
    assert [int(mask.binary_dilate(radius * u.deg).data.sum()) for radius in (0.05, 0.1, 0.15, 0.2)] == [1, 5, 9, 13]


def test_cutouts_are_stacked_where_they_are_from():
    whole, total = random_map(), Map.from_geom(geom_of([ENERGY]))
    for lon in (83.3, 83.9, 84.6):
        total.stack(whole.cutout(SkyCoord(lon, 22.0, unit="deg"), 0.5))
    covered = total.data > 0
    assert (total.data[covered] % whole.data[covered] == 0).all()
    assert total.data.sum() == sum(
        whole.cutout(SkyCoord(lon, 22.0, unit="deg"), 0.5).data.sum() for lon in (83.3, 83.9, 84.6)
    )
    part = whole.cutout(CENTER, 0.5)
    part.data[...] = np.nan
    before = total.data.copy()
    total.stack(part, weights=part * 0 == 1)
    np.testing.assert_array_equal(total.data, before)
    with pytest.raises(DataError, match="stack: expected a map with the pixels of a part of this one"):
        total.stack(random_map(binsz=0.05))


# --- regions


def test_a_circle_is_one_on_the_sphere_at_any_latitude():
    for lat in (0.0, 60.0, 85.0):
        for proj in ("CAR", "TAN", "AIT"):
            # An image about the equator, of which the far parts are stretched.
            geom = WcsGeom.create(skydir=(40.0, max(lat - 12.0, 0.0)), binsz=0.25, width=50, proj=proj)
            mask = geom.region_mask(Circle(40.0, lat, 5.0))
            np.testing.assert_array_equal(mask.data, geom.separation((40.0, lat)).deg < 5.0)
            area = (geom.solid_angle().value * mask.data).sum()
            assert area == pytest.approx(cap_area(5.0), rel=0.01)


def test_an_ellipse_of_one_frame_lies_where_it_should_in_another():
    """Its long axis points 40 deg east of ICRS north, whatever the frame of the map."""
    lon, lat = to_frame(0.0, 0.0, "galactic", "icrs")
    # Angles of regions turn the width from west to north: 130 deg is 40 deg east of north.
    ellipse = Ellipse(float(lon), float(lat), 2.0, 0.5, 130.0)
    along, across = (destination(lon, lat, angle, 0.7) for angle in (40.0, 130.0))
    for frame in ("galactic", "icrs"):
        geom = WcsGeom.create(skydir=SkyCoord(lon, lat, unit="deg"), frame=frame, binsz=0.02, width=3)
        mask = geom.region_mask(ellipse)
        assert mask.get_by_coord((SkyCoord(*along, unit="deg"),))
        assert not mask.get_by_coord((SkyCoord(*across, unit="deg"),))
        area = (geom.solid_angle().value * mask.data).sum()
        assert area == pytest.approx(ellipse.solid_angle, rel=0.01)
        places = geom.get_coord(frame="icrs")
        inside = np.array([places.lon.value[mask.data], places.lat.value[mask.data]])
        assert separation(*inside, lon, lat).max() == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize(("angle", "row", "column"), [(45.0, 1, 1), (135.0, 1, -1), (-45.0, -1, 1)])
def test_angles_turn_from_west_to_north(angle, row, column):
    """On an image with north up and east to the left, 45 deg points to the north-west, which is up and to the right."""
    geom = WcsGeom.create(skydir=(10.0, 0.0), binsz=0.1, npix=21)
    mask = geom.region_mask(Rectangle(10.0, 0.0, 1.6, 0.3, angle)).data
    assert mask[10 + 5 * row, 10 + 5 * column]
    assert not mask[10 + 5 * row, 10 - 5 * column]


def test_edges_of_polygons_are_great_circles():
    geom = WcsGeom.create(skydir=(20.0, 58.0), binsz=0.25, width=(30, 20))
    polygon = Polygon((0.0, 40.0, 20.0), (60.0, 60.0, 50.0))
    middle = np.array([61.0, 61.4, 61.6, 62.0])
    # The great circle through (0, 60) and (40, 60) passes longitude 20 at this latitude.
    top = np.rad2deg(np.arctan(np.tan(np.deg2rad(60.0)) / np.cos(np.deg2rad(20.0))))
    assert top == pytest.approx(61.52, abs=0.01)
    mask = geom.region_mask(polygon)
    found = mask.get_by_coord({"lon": np.full(4, 20.0), "lat": middle})
    assert found.tolist() == (middle < top).tolist()


def test_regions_of_the_package_and_texts_are_taken_alike():
    geom = geom_of()
    regions = pytest.importorskip("regions")
    circle = regions.CircleSkyRegion(CENTER, 0.3 * u.deg)
    wanted = geom.region_mask(Circle(83.63, 22.01, 0.3)).data
    for region in (circle, [circle], "icrs; circle(83.63, 22.01, 0.3)", regions.Regions([circle])):
        np.testing.assert_array_equal(geom.region_mask(region).data, wanted)
    np.testing.assert_array_equal(geom.region_mask(circle, inside=False).data, ~wanted)
    assert geom_of([ENERGY]).region_mask(circle).data.shape == (4, 15, 20)
    with pytest.raises(ConfigError, match="Expected at least one region"):
        geom.region_mask([])


def test_a_mask_of_several_regions_is_their_union_and_those_beyond_the_map_are_not_on_it():
    geom = geom_of()
    near, other, far = (
        Circle(83.5, 22.0, 0.3),
        Annulus(Circle(84.0, 22.2, 0.3), Circle(84.0, 22.2, 0.1)),
        Circle(10, 5, 1),
    )
    both = geom.region_mask([near, other, far])
    assert both.is_allclose(geom.region_mask(near) | geom.region_mask(other))
    point = geom.region_mask([Circle(83.63, 22.01, 0.0)])
    assert point.data.sum() == 1
    assert point.get_by_coord((CENTER,))


def between_pixels(radius):
    lon, lat = geom_of().pix_to_coord((9.5, 7.5))
    return Circle(lon.value, lat.value, radius)


def test_a_region_between_pixels_is_an_error_of_a_mask_and_no_zero_of_a_sum():
    one = Map.from_geom(geom_of([ENERGY]), np.ones((4, 15, 20)))
    small = between_pixels(0.03)
    with pytest.raises(
        DataError, match=r"lies between the centres of pixels of 0\.1 deg, and a mask would not show it"
    ):
        one.geom.region_mask(small)
    found = one.to_region_nd_map(small).data.ravel()
    share = np.pi * 0.03**2 / 0.1**2
    np.testing.assert_allclose(found, share, rtol=0.05)
    for tiny, rtol in ((1e-3, 0.05), (1e-4, 1e-3)):
        found = one.to_region_nd_map(between_pixels(tiny)).data.ravel()
        np.testing.assert_allclose(found, np.pi * tiny**2 / 0.01, rtol=rtol)
    np.testing.assert_allclose(one.to_region_nd_map(small, func=np.nanmean).data, 1.0)
    with pytest.raises(DataError, match=r"fewer than ten pixels of 0\.1 deg: only sums and means"):
        one.to_region_nd_map(small, func=np.max)


@given(radius=st.floats(0.02, 0.6), x=st.floats(7, 12), y=st.floats(6.2, 8))
def test_the_sum_of_ones_is_the_area_of_the_region(radius, x, y):
    geom = geom_of()
    lon, lat = geom.pix_to_coord((x, y))
    found = float(
        Map.from_geom(geom, np.ones((15, 20))).to_region_nd_map(Circle(lon.value, lat.value, radius)).data.item()
    )
    pixels = np.pi * radius**2 / 0.1**2
    # Whole pixels know an area to half of the pixels on its edge.
    assert found == pytest.approx(pixels, abs=np.pi * radius / 0.1 if pixels > 6 else 0.1 * pixels)


def test_a_mask_in_a_region_is_a_mask():
    cube = random_map([ENERGY])
    inside = Circle(83.63, 22.01, 0.3)
    mask = cube.geom.region_mask([Circle(83.63, 22.01, 0.1)])
    assert mask.to_region_nd_map(inside).data.ravel().tolist() == [True] * ENERGY.nbin
    assert (~mask).to_region_nd_map(Circle(83.63, 22.01, 0.05)).data.dtype == bool
    assert not mask.to_region_nd_map(inside, func=np.all).data.any()


def test_a_large_region_is_whole_pixels():
    one = random_map()
    region = Circle(83.63, 22.01, 0.5)
    inside = one.geom.to_image().separation(CENTER).deg < 0.5
    spectrum = one.get_spectrum(region)
    np.testing.assert_allclose(spectrum.data.ravel(), one.data[:, inside].sum(axis=1))
    np.testing.assert_allclose(one.get_spectrum(region, func=np.max).data.ravel(), one.data[:, inside].max(axis=1))
    safe = one > 2
    np.testing.assert_allclose(
        one.get_spectrum(region, weights=safe).data.ravel(), (one.data * safe.data)[:, inside].sum(axis=1)
    )
    assert isinstance(spectrum.geom, RegionGeom)
    assert spectrum.geom.region == region
    assert spectrum.array.dims == ("energy",)
    assert spectrum.quantity.shape == (4, 1, 1)
    point = one.to_region_nd_map(Circle(83.63, 22.01, 0.0))
    np.testing.assert_allclose(point.data.ravel(), one.get_by_coord({"skycoord": CENTER, "energy": ENERGY.center}))


def test_polygons_have_spectra():
    one = random_map()
    polygon = Polygon((82.9, 84.3, 83.6), (21.6, 21.7, 22.6))
    inside = one.geom.to_image().region_mask(polygon).data
    assert inside.sum() > 30
    np.testing.assert_allclose(one.get_spectrum(polygon).data.ravel(), one.data[:, inside].sum(axis=1))


@pytest.mark.parametrize(
    ("region", "said"),
    [
        (Circle(84.6, 22.01, 0.2), r"About (19|20) % of icrs; circle"),
        (Circle(60.0, 22.01, 0.2), "All of icrs; circle"),
        (Circle(83.63, 22.01, 1.4), "give a larger map or a smaller region"),
        (Circle(60.0, 22.01, 0.0), "lies outside of the map"),
        (Rectangle(84.6, 22.01, 0.6, 0.2), "% of icrs; box"),
    ],
)
def test_a_region_partly_outside_is_said_to_be(region, said):
    with pytest.raises(DataError, match=said):
        random_map().get_spectrum(region)


def test_a_mask_says_whether_it_holds_a_region():
    mask = geom_of().region_mask(Circle(83.63, 22.01, 0.5))
    assert mask.mask_contains_region(Circle(83.63, 22.01, 0.3))
    assert not mask.mask_contains_region(Circle(83.9, 22.01, 0.3))
    nearest = mask.mask_nearest_position(SkyCoord(83.63, 22.7, unit="deg"))
    assert nearest.separation(CENTER).deg == pytest.approx(0.45, abs=0.06)
    assert mask.mask_nearest_position(CENTER) is CENTER
    with pytest.raises(DataError, match="expected a mask that is an image"):
        random_map().mask_contains_region(Circle(83.63, 22.01, 0.3))


def test_a_geometry_is_made_of_a_space():
    space = SkySpace(83.63, 22.01, "icrs", 0.1, (20, 15), (4, 3))
    assert WcsGeom(space) == geom_of()
    assert WcsGeom.from_header(geom_of().wcs.to_header(), [ENERGY], (20, 15)).is_close(geom_of([ENERGY]))
    assert WcsGeom.from_wcs(geom_of().wcs) == geom_of()


# --- files


@settings(max_examples=15)
@given(
    proj=st.sampled_from(["CAR", "TAN", "AIT"]),
    frame=st.sampled_from(["icrs", "galactic"]),
    axes=st.sampled_from([(), (ENERGY,), (RAD, ENERGY)]),
    is_mask=st.booleans(),
)
def test_a_map_comes_back_from_its_file(tmp_path_factory, proj, frame, axes, is_mask):
    path = tmp_path_factory.mktemp("maps") / "map.fits"
    written = random_map(axes, proj=proj, frame=frame).crop((1, 0)).copy(unit="m2 s", name="exposure")
    given = written > 3 * u.m**2 * u.s if is_mask else written
    assert given.write(path) == path
    back = Map.read(path)
    assert back.geom.is_close(given.geom)
    assert (back.unit, back.is_mask, back.data.dtype.kind) == (given.unit, is_mask, given.data.dtype.kind)
    np.testing.assert_array_equal(back.data, given.data)
    assert back.name == ("exposure_mask" if is_mask else "exposure")
    with pytest.raises(OutputExistsError):
        given.write(path)
    given.write(path, overwrite=True, hdu="other")
    assert Map.read(path, hdu="other_mask" if is_mask else "other").geom.is_close(given.geom)


def test_the_exclusion_mask_of_a_release_is_read(gammapy_data):
    path = gammapy_data / "joint-crab" / "exclusion" / "exclusion_mask_crab.fits.gz"
    mask = Map.read(path)
    assert mask.geom.is_image
    assert 0 < (mask.data == 0).sum() < mask.data.size
    assert mask.geom.wcs.array_shape == mask.data.shape

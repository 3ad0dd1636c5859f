"""Fixed off regions: shapes of any size anywhere, counted as on-regions are, worth their area or what is given."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr
from astropy.wcs import WCS

from releases import config_of, recipe, rows_in, until_datasets
from xgamma.config.requests import recipe_of
from xgamma.errors import ConfigError
from xgamma.geometry import separation
from xgamma.grid import Circle, RegionSpace
from xgamma.masks import SkyMask
from xgamma.outcome import Fate, Outcome
from xgamma.reduce import Recipe, lazy_spectra, method, reduce_block, stack
from xgamma.schema import PRODUCTS, product_violations
from xgamma.shapes import Annulus, Ellipse, Polygon, Rectangle

# Two radii, none on the ring of any run, one in another frame, and one that no run sees.
NEAR, WIDE, FAR = Circle(83.9, 22.5, 0.15), Circle(83.0, 21.6, 0.3), Circle(93.0, 22.0, 0.2)
GALACTIC = Circle(184.5575, -5.7844, 0.11, "galactic")


def fixed(*regions, **parameters):
    return method("background", "fixed", regions=regions, **parameters)


@pytest.fixture(scope="module")
def reduced(nights_part):
    return reduce_block(nights_part, rows_in(nights_part), recipe(background=fixed(FAR, NEAR, WIDE)))


def test_off_counts_are_those_of_on_regions_at_the_circles(nights_part, reduced):
    grid = recipe().grid
    there = type(grid)(grid.energy, grid.energy_true, RegionSpace((NEAR, WIDE)))
    alone = reduce_block(nights_part, rows_in(nights_part), recipe(grid=there, background=None, containment=False))
    assert alone["counts"].sum() == 17
    np.testing.assert_array_equal(reduced["counts_off"].values[:, 0], alone["counts"].values.sum(axis=1))
    np.testing.assert_array_equal(reduced["ledger"].values[:, 0, Fate.OFF], alone["counts"].values.sum(axis=(1, 2)))
    assert (reduced["outcome"].values == Outcome.USED).all()


def test_the_other_numbers_are_those_of_reflected_regions(nights_part, reduced):
    other = reduce_block(nights_part, rows_in(nights_part), recipe())
    for name in ("counts", "exposure", "edisp", "mask_safe", "livetime"):
        np.testing.assert_array_equal(reduced[name].values, other[name].values)


def test_acceptances_are_ratios_of_areas(reduced):
    ratio = sum((1 - np.cos(np.deg2rad(r))) / (1 - np.cos(np.deg2rad(0.11))) for r in (0.15, 0.3))
    np.testing.assert_allclose(reduced["acceptance_off"].values, ratio, rtol=1e-9)
    np.testing.assert_array_equal(reduced["acceptance"].values, 1.0)


def test_circles_outside_of_the_field_of_view_are_left_out(reduced):
    assert (reduced["off_number"].values == 2).all()
    np.testing.assert_array_equal(reduced["off_radius"].values[:, 0], [[0.15, 0.3]] * 7)
    np.testing.assert_array_equal(reduced["off_lon"].values[:, 0], [[83.9, 83.0]] * 7)
    assert list(product_violations({"": reduced}, PRODUCTS["rows"])) == []


def test_given_acceptances_are_those_of_the_circles_in_view(nights_part):
    found = reduce_block(
        nights_part, rows_in(nights_part), recipe(background=fixed(FAR, NEAR, WIDE, acceptance=[100, 2, 5.5]))
    )
    np.testing.assert_array_equal(found["acceptance_off"].values, 7.5)


def test_a_run_that_sees_no_circle_says_why(nights_part):
    found = reduce_block(nights_part, rows_in(nights_part), recipe(background=fixed(FAR)))
    assert (found["outcome"].values == Outcome.NO_OFF_REGION).all()
    assert set(found.attrs["outcome_details"]) == {"no off region lies within 2.5 deg of the pointing"}
    assert not found["mask_safe"].values.any()


def test_lazy_rows_and_stacks_hold_the_background(nights_part, reduced):
    lazy = lazy_spectra([(nights_part, rows_in(nights_part))], recipe(background=fixed(FAR, NEAR, WIDE))).compute()
    assert lazy.sizes["off"] == 3
    xr.testing.assert_equal(lazy["counts_off"], reduced["counts_off"])
    safe = reduced["counts_off"].values[reduced["mask_safe"].values]
    assert stack(reduced)["counts_off"].values.sum() == safe.sum() == 6


ELLIPSE = Ellipse(83.9, 22.5, 0.5, 0.2, 40.0)
POLYGON = Polygon((82.6, 83.1, 82.9), (21.4, 21.5, 21.9))
RING = Annulus(Circle(83.633, 22.014, 0.6), Circle(83.633, 22.014, 0.3))
SHAPES = (ELLIPSE, POLYGON, Circle(84.3, 21.6, 0.15))


def test_regions_of_any_shape_count_as_on_regions_of_that_shape_do(nights_part):
    wanted = recipe(background=fixed(*SHAPES))
    found = reduce_block(nights_part, rows_in(nights_part), wanted)
    grid = wanted.grid
    there = type(grid)(grid.energy, grid.energy_true, RegionSpace(SHAPES))
    alone = reduce_block(nights_part, rows_in(nights_part), recipe(grid=there, background=None, containment=False))
    assert (alone["counts"].sum(("dataset", "energy")) > 0).all()
    np.testing.assert_array_equal(found["counts_off"].values[:, 0], alone["counts"].values.sum(axis=1))
    assert (found["off_number"].values == 3).all()
    np.testing.assert_array_equal(np.isnan(found["off_radius"].values[0, 0]), [True, True, False])
    ratio = sum(one.area for one in SHAPES) / (np.pi * 0.11**2)
    np.testing.assert_allclose(found["acceptance_off"].values, ratio, rtol=1e-5)
    np.testing.assert_array_equal(found["ledger"].sum("fate").values[:, 0], nights_part.obs["event_size"].values)
    assert list(product_violations({"": found}, PRODUCTS["rows"])) == []
    each = [reduce_block(nights_part, rows_in(nights_part, [n]), wanted) for n in range(7)]
    np.testing.assert_array_equal(
        found["counts_off"].values, np.concatenate([one["counts_off"].values for one in each])
    )
    lazy = lazy_spectra([(nights_part, rows_in(nights_part))], wanted)
    np.testing.assert_array_equal(lazy["counts_off"].values, found["counts_off"].values)


def test_a_ring_about_the_on_region_is_a_background(nights_part):
    found = reduce_block(nights_part, rows_in(nights_part), recipe(background=fixed(RING)))
    events = nights_part.events
    distance = separation(events["ra"].values, events["dec"].values, 83.633, 22.014)
    energy = recipe().grid.energy
    inside = (distance > 0.3) & (distance < 0.6) & (energy.index(events["energy"].values) >= 0)
    assert found["counts_off"].values.sum() == inside.sum() > 0


def test_a_recipe_with_shapes_comes_back_from_json():
    wanted = recipe(background=fixed(*SHAPES))
    assert Recipe.from_document(json.loads(json.dumps(wanted.document()))).key == wanted.key
    assert recipe(background=fixed(Rectangle(83.9, 22.5, 0.5, 0.2, 40.0))).key != recipe(background=fixed(ELLIPSE)).key


def test_a_shape_beside_an_on_region_of_any_shape():
    grid = recipe().grid
    space = RegionSpace((Ellipse(83.633, 22.014, 0.8, 0.2, 0.0),))
    there = type(grid)(grid.energy, grid.energy_true, space)
    assert recipe(grid=there, containment=False, background=fixed(Circle(83.633, 22.3, 0.15)))
    with pytest.raises(ConfigError, match=r"regions\[0\]: it overlaps with the on-region"):
        recipe(grid=there, containment=False, background=fixed(Circle(83.95, 22.1, 0.15)))


def mask_at(circle):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.cdelt = ["RA---TAN", "DEC--TAN"], [circle.lon, circle.lat], [-0.02, 0.02]
    return SkyMask(np.zeros((3, 3), dtype=bool), wcs, "icrs")


@pytest.mark.parametrize(
    ("background", "exclusion", "message"),
    [
        (fixed(Circle(83.7, 22.1, 0.1)), None, r"regions\[0\]: it overlaps with the on-region; move it, or make it"),
        (fixed(GALACTIC), None, r"regions\[0\]: it overlaps with the on-region"),
        (fixed(NEAR, Circle(83.9, 22.6, 0.1)), None, r"regions\[1\]: it overlaps with regions\[0\]; move it"),
        (fixed(ELLIPSE, POLYGON, NEAR), None, r"regions\[2\]: it overlaps with regions\[0\]"),
        (
            fixed(Annulus(Circle(83.633, 22.014, 0.6), Circle(83.633, 22.014, 0.05))),
            None,
            r"regions\[0\]: it overlaps with",
        ),
        (
            fixed(POLYGON, ELLIPSE),
            mask_at(NEAR),
            r"regions\[1\]: it holds sky that datasets.background.exclusion excludes",
        ),
        (fixed(WIDE, NEAR), mask_at(NEAR), r"regions\[1\]: it holds sky that datasets.background.exclusion excludes"),
    ],
)
def test_circles_in_the_wrong_place_raise_before_work(background, exclusion, message):
    with pytest.raises(ConfigError, match=message):
        recipe(background=background, exclusion=exclusion)


def test_a_frame_and_an_acceptance_that_are_none_are_named_by_their_path():
    circle = {"lon": 83.9, "lat": 22.6, "radius": 0.2}
    for frame in ("fk5", ["icrs"]):
        with pytest.raises(ConfigError, match=r"regions\[0\]\.frame: expected icrs or galactic, got"):
            fixed(circle | {"frame": frame})
    with pytest.raises(ConfigError, match=r"acceptance: expected area, or a number above 0 for each of 1 regions"):
        fixed(circle, acceptance=[True])


def test_an_on_region_without_an_area_needs_acceptances():
    grid = recipe().grid
    point = type(grid)(grid.energy, grid.energy_true, RegionSpace((Circle(83.633, 22.014, 0.0),)))
    with pytest.raises(ConfigError, match="an on-region without an area has no ratio of areas; write a number"):
        recipe(grid=point, background=fixed(NEAR))
    assert recipe(grid=point, background=fixed(NEAR, acceptance=[3])).background.parameters.acceptance == (3.0,)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ("{}", "parameters: background 'fixed' needs regions."),
        ("{regions: []}", "parameters.regions: expected a list of circles or other shapes, got []."),
        ("{regions: [7]}", "parameters.regions[0]: expected a mapping with lon, lat and radius, got 7."),
        (
            "{regions: [{lon: 1 TeV, lat: 22, radius: 1}]}",
            "parameters.regions[0].lon: expected a value in deg, got '1 TeV' (TeV).",
        ),
        (
            "{regions: [{lon: 1, lat: 2, radius: 1, size: 2}]}",
            "parameters.regions[0].size: there is no such key. Known",
        ),
        (
            "{regions: [{shape: star, lon: 1, lat: 5}]}",
            "parameters.regions[0].shape: expected one of circle, ellipse, rec",
        ),
        (
            "{regions: [{shape: ellipse, lon: 1, lat: 5, width: 1}]}",
            "parameters.regions[0]: expected a mapping with lon, lat, width and height, got ",
        ),
        (
            "{regions: [{shape: ellipse, lon: 1, lat: 5, width: 1, height: -2 deg}]}",
            "parameters.regions[0]: ellipse: expected a height above 0 deg, got -2.0 deg.",
        ),
        ("{regions: [{lon: 1, lat: 95, radius: 1}]}", "parameters.regions[0]: circle: expected a finite longitude and"),
        (
            "{regions: [{lon: 1, lat: 2, radius: 1}], acceptance: [1, 2]}",
            "parameters.acceptance: expected area, or a number above 0 for each of 1 regions, got [1, 2].",
        ),
    ],
)
def test_parameters_that_are_no_circles_raise(tiny_release, tmp_path, parameters, message):
    with pytest.raises(ConfigError) as error:
        config_of(
            tiny_release, tmp_path / "store", f"datasets: {{background: {{method: fixed, parameters: {parameters}}}}}"
        ).check()
    assert str(error.value).startswith(f"datasets.background.{message}")


def test_a_configuration_reduces_with_fixed_regions(nights_release, tmp_path):
    parameters = (
        "{regions: [{lon: 93 deg, lat: 22 deg, radius: 0.2 deg}, {frame: icrs, lon: 83.9, lat: 22.5, radius: 9 arcmin},"
        " {lon: 83 deg, lat: 21.6 deg, radius: 0.3 deg}]}"
    )
    text = f"datasets: {{background: {{method: fixed, parameters: {parameters}}}}}"
    config = config_of(nights_release, tmp_path / "store", text)
    assert type(config).from_yaml(config.to_yaml()) == config
    background = recipe_of(config).background
    assert background.document() == fixed(FAR, NEAR, WIDE).document()
    [data] = until_datasets(config).datasets.to_xarray()
    assert data["counts_off"].values.sum() == 17


def test_rings_and_polygons_have_the_words_of_the_configuration():
    ring = {"shape": "annulus", "lon": "83.633 deg", "lat": 22.014, "inner_radius": "18 arcmin", "outer_radius": 0.6}
    corners = {"shape": "polygon", "vertices": [[82.6, 21.4], ["83.1 deg", 21.5], [82.9, 21.9]]}
    assert fixed(ring, corners).document() == fixed(RING, POLYGON).document()
    with pytest.raises(ConfigError, match=r"regions\[0\]\.vertices: expected a list of pairs"):
        fixed({"shape": "polygon", "vertices": [1, 2, 3]})


def test_a_configuration_reduces_with_shapes(nights_release, tmp_path):
    parameters = (
        "{regions: [{shape: ellipse, lon: 83.9 deg, lat: 22.5 deg, width: 30 arcmin, height: 0.2 deg, angle: 40 deg},"
        " {shape: polygon, lons: [82.6, 83.1 deg, 82.9], lats: [21.4, 21.5, 21.9]}]}"
    )
    config = config_of(
        nights_release, tmp_path / "store", f"datasets: {{background: {{method: fixed, parameters: {parameters}}}}}"
    )
    assert type(config).from_yaml(config.to_yaml()) == config
    assert recipe_of(config).background.document() == fixed(ELLIPSE, POLYGON).document()
    [data] = until_datasets(config).datasets.to_xarray()
    assert data["counts_off"].values.sum() > 0

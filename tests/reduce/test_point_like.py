"""Point-like responses: circles of RAD_MAX, points whose radius follows energy, and wobble off regions."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from releases import COARSE, TINY, config_of, part_in_memory, recipe, release_of, rows_in, until_datasets, whole
from xgamma import schema
from xgamma.errors import ConfigError, DataError
from xgamma.events import Part, read_events
from xgamma.geometry import separation, tangent_plane
from xgamma.grid import RegionSpace
from xgamma.masks import ExcludedShapes
from xgamma.outcome import Fate, Outcome
from xgamma.reduce import lazy_spectra, method, reduce_block, reduce_spectra, stack
from xgamma.reduce.background.reflected import ReflectedParameters, reflected_regions
from xgamma.reduce.background.wobble import WobbleParameters, wobble_regions
from xgamma.reduce.enclosure import Enclosure, apertures, enclosure_fault
from xgamma.shapes import Annulus, Circle, Ellipse

AT = (83.633, 22.014)
POINT = Circle(*AT, 0.0)
FIXED = Enclosure(True, (0.11, 0.11))
FULL = Enclosure()
TABLE = Enclosure(True, (0.08, 0.2))

# --- which responses fit which regions


@pytest.mark.parametrize(
    ("region", "containment", "enclosed", "words"),
    [
        (Circle(*AT, 0.11), True, FULL, ""),
        (Circle(*AT, 0.11), False, FULL, ""),
        (Ellipse(*AT, 0.3, 0.2), False, FULL, ""),
        (Circle(*AT, 0.11), False, FIXED, ""),
        (Circle(*AT, 0.110001), False, FIXED, ""),
        (POINT, False, FIXED, ""),
        (POINT, False, TABLE, ""),
        (POINT, False, FULL, "a point is for point-like responses.* write a radius such as 0.11 deg"),
        (POINT, True, TABLE, "containment_correction: .* set it to false"),
        (Circle(*AT, 0.11), True, FIXED, "containment_correction: .* set it to false"),
        (Circle(*AT, 0.2), False, FIXED, "for a radius of 0.11 deg .* got 0.2 deg; write 0.11 deg"),
        (Circle(*AT, 0.11), False, Enclosure(True), "do not say for which radius .* from 0.11 deg; write RAD_MAX"),
        (POINT, False, Enclosure(True), "do not say for which radius .* from this region"),
        (POINT, False, Enclosure(True, (np.inf, 0.0)), "do not say for which radius"),
        (Circle(*AT, 0.11), False, TABLE, "0.08 to 0.2 deg.*, got a circle of 0.11 deg; write a point"),
        (Ellipse(*AT, 0.3, 0.2), False, TABLE, "got an ellipse; write a point, radius: 0 deg"),
        (Annulus(Circle(*AT, 0.2), Circle(*AT, 0.1)), False, FIXED, "got an annulus; write a circle of that radius"),
    ],
)
def test_point_like_responses_hold_for_their_circle(region, containment, enclosed, words):
    fault = enclosure_fault(region, containment, enclosed)
    assert (fault is None) == (not words)
    if words:
        with pytest.raises(ConfigError, match=words):
            raise fault


# --- wobble regions


def test_off_regions_are_spaced_evenly_about_the_pointing():
    found = wobble_regions(*AT, Circle(AT[0], AT[1] + 0.5, 0.1), None, WobbleParameters(3))
    plane = tangent_plane(found.lon, found.lat, *AT)
    size = np.rad2deg(np.tan(np.deg2rad(0.5)))
    # Counter-clockwise from the north: east, which is to the left, south, west.
    np.testing.assert_allclose(plane.x, [-size, 0, size], atol=1e-12)
    np.testing.assert_allclose(plane.y, [0, -size, 0], atol=1e-12)
    np.testing.assert_allclose(separation(found.lon, found.lat, *AT), 0.5, rtol=1e-12)


@given(number=st.integers(1, 12), offset=st.floats(0.3, 1.5), radius=st.floats(0.02, 0.4))
def test_off_regions_never_overlap(number, offset, radius):
    region = Circle(AT[0], AT[1] + offset, radius)
    found = wobble_regions(*AT, region, None, WobbleParameters(number))
    fits = np.sin(np.pi / (number + 1)) * offset > radius
    if fits:
        assert len(found.x) == number
    elif np.sin(np.pi / (number + 1)) * offset < 0.9 * radius - 0.02:
        assert len(found.x) == 0
        assert found.outcome == Outcome.NO_OFF_REGION


def test_an_excluded_off_region_is_left_out_and_the_others_stay():
    region = Circle(AT[0], AT[1] + 0.5, 0.1)
    every = wobble_regions(*AT, region, None, WobbleParameters(3))
    south = ExcludedShapes((Circle(float(every.lon[1]), float(every.lat[1]), 0.05),))
    found = wobble_regions(*AT, region, south, WobbleParameters(3))
    np.testing.assert_allclose(found.lon, every.lon[[0, 2]], rtol=1e-12)
    everything = ExcludedShapes((Circle(*AT, 3.0),))
    assert wobble_regions(*AT, region, everything, WobbleParameters(3)).outcome == Outcome.ON_REGION_EXCLUDED


def test_a_region_of_any_shape_is_turned():
    region = Ellipse(AT[0], AT[1] + 0.5, 0.3, 0.1)
    assert len(wobble_regions(*AT, region, None, WobbleParameters(3)).x) == 3
    assert len(wobble_regions(*AT, region, None, WobbleParameters(11)).x) == 0
    assert len(reflected_regions(*AT, region, None, ReflectedParameters()).x) > 3


# --- events of points


@pytest.fixture(scope="module")
def tabled(tmp_path_factory):
    """Three runs whose radii fall steeply with energy."""
    response = dataclasses.replace(COARSE, enclosure="point-like", rad_max=0.15, rad_max_2d=True)
    return release_of(dataclasses.replace(TINY, duration=600.0, response=response), tmp_path_factory.mktemp("tabled"))


@pytest.fixture(scope="module")
def part(tabled):
    return steep(part_in_memory(tabled))


def steep(part):
    """Return a part whose radii go from 0.25 deg to 0.05 deg, as those of real tables do."""
    name = next(name for name in part.groups if "rad_max" in name)
    table = part.groups[name].copy(deep=True)
    table["rad_max"].values[:] = np.linspace(0.25, 0.05, table.sizes["energy"])
    return Part({**part.groups, name: table})


def point_recipe(regions=(POINT,), number=3, **changes):
    made = recipe(containment=False, **{name: changes.pop(name) for name in ["safe_masks"] if name in changes})
    grid = dataclasses.replace(made.grid, space=RegionSpace(tuple(regions)))
    background = method("background", "wobble", n_off_regions=number)
    return dataclasses.replace(made, **{"grid": grid, "background": background, **changes})


def radius_at(part, energy):
    """Return the radius of the nearest node, one event at a time."""
    table = next(ds for name, ds in part.groups.items() if "rad_max" in name)
    nodes, values = np.log(table["energy"].values), table["rad_max"].values
    curve = values[0].reshape(-1, len(nodes))[0] if table["rad_max"].dims[1] != "energy" else values[0, :, 0]
    low, high = table["energy_bounds"].values[0, 0], table["energy_bounds"].values[-1, 1]
    return np.array(
        [curve[np.argmin(np.abs(nodes - np.log(e)))] if low <= e <= high else 0.0 for e in energy], dtype=float
    )


def test_counts_are_those_within_the_radius_of_each_event(part):
    rows, wanted = rows_in(part), point_recipe()
    found = reduce_block(part, rows, wanted)
    assert found["outcome"].values.tolist() == [Outcome.USED] * 3
    on, off = np.zeros((3, 8)), np.zeros((3, 8))
    for events in read_events(part, rows, 10**7):
        bins = wanted.grid.energy.index(events.energy)
        radius = radius_at(part, events.energy)
        places = [(AT, on)] + [
            ((found["off_lon"].values[:, 0, n][events.row], found["off_lat"].values[:, 0, n][events.row]), off)
            for n in range(3)
        ]
        for (lon, lat), into in places:
            inside = events.valid & events.in_time & (separation(events.lon, events.lat, lon, lat) <= radius)
            inside &= bins >= 0
            np.add.at(into, (events.row[inside], bins[inside]), 1)
    assert on.sum() > 100
    assert off.sum() > 10
    np.testing.assert_array_equal(found["counts"].values[:, 0], on)
    np.testing.assert_array_equal(found["counts_off"].values[:, 0], off)
    assert (found["acceptance"].values == 1).all()
    assert (found["acceptance_off"].values == 3).all()
    np.testing.assert_allclose(
        found["rad_max"].values[:, 0], np.tile(radius_at(part, wanted.grid.energy.center), (3, 1)), rtol=1e-6
    )
    schema.validate(found)
    fates = found["ledger"].values
    np.testing.assert_array_equal(fates[:, 0, Fate.ON], on.sum(axis=1))
    np.testing.assert_array_equal(fates[:, 0, Fate.OFF], off.sum(axis=1))
    np.testing.assert_array_equal(fates.sum(axis=(1, 2)), part.column("event_size", rows.obs))
    assert stack(found)["counts"].values.sum() == (on * found["mask_safe"].values[:, 0]).sum()


def test_blocks_of_any_size_and_lazy_rows_give_the_same(part):
    wanted = point_recipe()
    whole_block = reduce_block(part, rows_in(part), wanted)
    for row in range(3):
        alone = reduce_block(part, rows_in(part, [row]), wanted)
        for name in ("counts", "counts_off", "rad_max", "mask_safe", "exposure", "off_lon", "ledger"):
            np.testing.assert_array_equal(alone[name].values[0], whole_block[name].values[row], name)
    lazy = lazy_spectra([(part, rows_in(part))], wanted)
    assert lazy["rad_max"].dims == ("dataset", "region", "energy")
    np.testing.assert_array_equal(lazy["rad_max"].values, whole_block["rad_max"].values)
    np.testing.assert_array_equal(lazy["counts_off"].values, whole_block["counts_off"].values)


def test_a_point_and_a_circle_of_one_radius_have_the_same_counts(tmp_path):
    plan = dataclasses.replace(TINY, response=dataclasses.replace(COARSE, enclosure="point-like", rad_max=0.11))
    part = part_in_memory(release_of(plan, tmp_path))
    point, circle = (
        reduce_block(part, rows_in(part), point_recipe([Circle(*AT, radius)], 5)) for radius in (0.0, 0.11)
    )
    for name in ("counts", "counts_off", "acceptance_off", "exposure", "edisp", "mask_safe", "off_lon"):
        np.testing.assert_array_equal(point[name].values, circle[name].values, name)
    assert "rad_max" in point
    assert "rad_max" not in circle


def test_circles_that_overlap_at_any_energy_leave_no_off_region(part):
    found = reduce_block(part, rows_in(part), point_recipe(number=11))
    assert found["outcome"].values.tolist() == [Outcome.NO_OFF_REGION] * 3
    assert "11 off regions overlap; write a smaller n_off_regions" in found.attrs["outcome_details"][0]
    # At the energies where the circles are small there is room for all.
    grid = point_recipe().grid
    small = dataclasses.replace(grid, energy=type(grid.energy).from_bounds("energy", 20.0, 30.0, 2))
    found = reduce_block(part, rows_in(part), point_recipe(number=11, grid=small))
    assert found["off_number"].values.tolist() == [[11]] * 3


def test_bins_without_a_radius_are_masked(part):
    name = next(name for name in part.groups if "rad_max" in name)
    table = part.groups[name].copy(deep=True)
    values = table["rad_max"].values
    axis = table["rad_max"].dims.index("energy")
    np.moveaxis(values, axis, -1)[..., table["energy"].values < 2] = np.nan
    cut = Part({**part.groups, name: table})
    found = reduce_block(cut, rows_in(cut), point_recipe(safe_masks=()))
    known = found["rad_max"].values > 0
    assert known.any()
    assert not known.all()
    assert (found["mask_safe"].values == known).all()
    assert found["counts"].values[~known].sum() < found["counts"].values.sum()
    grid = point_recipe().grid
    below = dataclasses.replace(grid, energy=type(grid.energy).from_bounds("energy", 0.5, 1.0, 2))
    found = reduce_block(cut, rows_in(cut), point_recipe(grid=below))
    assert found["outcome"].values.tolist() == [Outcome.OTHER_ENCLOSURE] * 3
    assert "RAD_MAX is not known 0.5 deg from the pointing at any energy" in found.attrs["outcome_details"][0]
    values[:] = np.nan
    with pytest.raises(ConfigError, match="no RAD_MAX"):
        reduce_spectra(cut, rows_in(cut), point_recipe())


def test_off_regions_of_a_point_stay_out_of_the_circles_of_another(part):
    pointing = [part.column(name, np.array([0]))[0] for name in ("ra_pnt", "dec_pnt")]
    opposite = wobble_regions(*pointing, POINT, None, WobbleParameters(1))
    other = Circle(float(opposite.lon[0]), float(opposite.lat[0]), 0.0)
    found = reduce_block(part, rows_in(part, [0]), point_recipe([POINT, other]))
    assert found["off_number"].values.tolist() == [[2, 2]]
    # One event may be off for both.
    schema.validate(found)


def test_an_expected_background_of_a_point_is_that_of_its_circle(nights_part):
    obs = nights_part.obs.assign(
        point_like=nights_part.obs["point_like"] | True, rad_max=nights_part.obs["rad_max"].fillna(0.11)
    )
    part, background = Part({**nights_part.groups, "": obs}), method("background", "irf")
    point, circle = (
        reduce_block(part, rows_in(part), point_recipe([Circle(*AT, radius)], background=background))
        for radius in (0.0, 0.11)
    )
    assert circle["background"].values.sum() > 0
    np.testing.assert_allclose(point["background"].values, circle["background"].values, rtol=1e-12)


def test_a_background_of_turned_copies_refuses_a_point():
    with pytest.raises(ConfigError, match=r"method: wobble with parameters: \{n_off_regions: 3\}"):
        point_recipe(background=method("background", "reflected"))


def test_fixed_circles_do_not_follow_a_radius_that_depends_on_energy(part):
    fixed = method("background", "fixed", regions=(Circle(84.2, 22.6, 0.1),), acceptance=(1.0,))
    found = reduce_block(part, rows_in(part), point_recipe(background=fixed))
    assert found["outcome"].values.tolist() == [Outcome.NO_OFF_REGION] * 3
    assert "use the method wobble" in found.attrs["outcome_details"][0]


# --- from a configuration

WOBBLE = """
observations: {required_irf: point-like}
datasets:
    on_region: {frame: icrs, lon: 83.633 deg, lat: 22.014 deg, radius: 0 deg}
    containment_correction: false
    background: {method: wobble, parameters: {n_off_regions: 3}}
"""


def test_a_configuration_with_a_point_goes_from_events_to_flux_points(tabled, tmp_path):
    config = config_of(tabled, tmp_path / "store", WOBBLE)
    assert config.observations.required_irf == ["aeff", "edisp"]
    analysis = whole(config)
    amplitude = analysis.models["crab"].parameters["amplitude"]
    # The truth of the simulation, TINY.
    assert abs(amplitude.value - 5e-10) < 3 * amplitude.error
    again = until_datasets(config)
    assert again.datasets[0].counts.data.sum() == analysis.datasets[0].counts.data.sum()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("datasets: {on_region: {lon: 83.633 deg, lat: 22.014 deg, radius: 0.1 deg}}", "depends on energy"),
        ("datasets: {background: {method: reflected, parameters: {n_off_regions: 3}}}", "no parameter 'n_off_regions'"),
        ("datasets: {background: {method: wobble, parameters: {n_off_regions: 20}}}", "smaller n_off_regions"),
        ("datasets: {containment_correction: true}", "set it to false"),
    ],
)
def test_what_does_not_fit_is_one_sentence(tabled, tmp_path, change, words):
    config = config_of(tabled, tmp_path / "store", WOBBLE, change)
    with pytest.raises((ConfigError, DataError), match=words) as raised:
        until_datasets(config)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("point-like", ["aeff", "edisp"]),
        ("[point-like]", ["aeff", "edisp"]),
        ("[rad_max, point-like]", ["rad_max", "aeff", "edisp"]),
        ("full-enclosure", ["aeff", "edisp", "psf", "bkg"]),
        ("all-optional", []),
        ("[all-optional, psf]", ["psf"]),
    ],
)
def test_names_of_sets_of_responses_stand_for_them(tmp_path, written, read):
    config = config_of("nowhere", tmp_path, f"observations: {{required_irf: {written}}}")
    assert config.observations.required_irf == read


def test_radii_of_rows_without_points_are_not_asked_for(part):
    assert apertures(part, rows_in(part), recipe().grid) is None

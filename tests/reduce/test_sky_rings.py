"""Rings about each pixel of a map: what is counted in them, what it is worth, and pixels that have none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from releases import recipe, rows_in
from xgamma import schema
from xgamma.axes import Axis
from xgamma.errors import ConfigError
from xgamma.geometry import separation
from xgamma.grid import Circle, Grid, RegionSpace, SkySpace
from xgamma.masks import ExcludedShapes
from xgamma.outcome import Outcome
from xgamma.reduce import AdaptiveRingParameters, RingParameters, lazy_spectra, method, reduce_block, stack
from xgamma.reduce.background import BackgroundInput
from xgamma.reduce.background.sky_ring import adaptive_ring_off, filled_pixels, ring_off
from xgamma.registry import normalize_parameters

ENERGY, ENERGY_TRUE = Axis.from_bounds("energy", 0.5, 30.0, 1), Axis.from_bounds("energy_true", 0.2, 60.0, 8)
IMAGE = SkySpace(83.633, 22.014, "icrs", 0.1, (60, 50), (40, 36))
RING = RingParameters(0.5, 0.3)
SOURCE = ExcludedShapes((Circle(83.633, 22.014, 0.4),))
EMPTY = ExcludedShapes((Circle(83.633, 22.014, 20.0),))


def wanted(name="ring", space=IMAGE, exclusion=SOURCE, energy=ENERGY, **parameters):
    given = parameters or {"r_in": 0.5, "width": 0.3}
    return recipe(
        background=method("background", name, **given),
        safe_masks=(),
        containment=False,
        exclusion=exclusion,
        grid=Grid(energy, ENERGY_TRUE, space),
    )


def direct(image, r_in, r_out):
    """Return the sum of the pixels between two radii about each pixel, borders included, one by one."""
    v, u = np.indices(image.shape)
    lowest, highest = (r_in * (1 - 1e-9)) ** 2, (r_out * (1 + 1e-9)) ** 2
    found = np.zeros(image.shape)
    for row, column in np.ndindex(image.shape):
        square = (v - row) ** 2 + (u - column) ** 2
        found[row, column] = image[(square >= lowest) & (square <= highest)].sum()
    return found


def field(seed=1, shape=(24, 30)):
    draw = np.random.default_rng(seed)
    background = draw.uniform(0.5, 2.0, shape)
    return draw.poisson(background).astype(float), background, draw.random(shape) < 0.8


# --- images


@given(seed=st.integers(0, 1000), r_in=st.floats(0.1, 0.6), width=st.floats(0.1, 0.5))
@settings(max_examples=15)
def test_a_ring_holds_what_lies_in_it(seed, r_in, width):
    counts, background, usable = field(seed)
    off = ring_off(counts, background, usable, 0.1, RingParameters(r_in, width))
    inner, outer = r_in / 0.1, (r_in + width) / 0.1
    np.testing.assert_array_equal(off.counts, direct(counts * usable, inner, outer))
    np.testing.assert_allclose(off.acceptance, direct(background * usable, inner, outer), rtol=1e-9, atol=1e-12)


def test_images_are_independent_of_one_another():
    counts, background, usable = (np.stack(each) for each in zip(field(1), field(2), strict=True))
    both = ring_off(counts, background, usable, 0.1, RING)
    for number in range(2):
        one = ring_off(counts[number], background[number], usable[number], 0.1, RING)
        for found, expected in zip(both, one, strict=True):
            np.testing.assert_array_equal(found[number], expected)


def test_alpha_of_a_flat_field_is_one_over_the_pixels_of_the_ring():
    flat = np.full((41, 41), 0.25)
    off = ring_off(np.ones((41, 41)), flat, True, 0.1, RING)
    size = off.counts[20, 20]
    radii = np.hypot(*np.indices((41, 41)) - 20.0)
    assert size == ((radii >= 5) & (radii <= 8)).sum()
    np.testing.assert_allclose(flat / off.acceptance, 1 / off.counts, rtol=1e-12)


@given(factor=st.floats(1e-3, 1e3))
def test_what_is_expected_matters_up_to_a_factor(factor):
    counts, background, usable = field()
    one = ring_off(counts, background, usable, 0.1, RING)
    other = ring_off(counts, factor * background, usable, 0.1, RING)
    np.testing.assert_allclose(
        factor * background * other.counts / other.acceptance, background * one.counts / one.acceptance, rtol=1e-9
    )


def test_what_is_excluded_does_not_count_whatever_it_is():
    counts, background, usable = field()
    expected = ring_off(counts, background, usable, 0.1, RING)
    for value in (1e6, np.nan, np.inf):
        counts[~usable] = background[~usable] = value
        found = ring_off(counts, background, usable, 0.1, RING)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_pixel_whose_ring_is_excluded_has_none():
    counts, background, _ = field(shape=(40, 40))
    usable = np.hypot(*np.indices((40, 40)) - 20.0) > 12
    off = ring_off(counts, background, usable, 0.1, RING)
    assert off.acceptance[20, 20] == off.counts[20, 20] == 0
    assert off.acceptance[0, 0] > 0


ADAPTIVE = AdaptiveRingParameters(0.3, 1.2, 0.2, 0.1, 0.02)


def test_rings_grow_outwards_or_from_one_radius():
    rings = [np.round(ring, 9).tolist() for ring in ADAPTIVE.rings]
    assert rings == [[0.3, 0.5], [0.4, 0.6], [0.5, 0.7], [0.6, 0.8], [0.7, 0.9], [0.8, 1.0], [0.9, 1.1]]
    fixed = AdaptiveRingParameters(0.3, 0.8, 0.2, 0.1, 0.02, method="fixed_r_in").rings
    assert [np.round(ring, 9).tolist() for ring in fixed] == [[0.3, 0.5], [0.3, 0.6], [0.3, 0.7]]
    assert AdaptiveRingParameters(0.3, 0.51, 0.2, 1.0).rings == [(0.3, 0.5)]


@pytest.mark.parametrize("theta", [0.0, 0.1])
@pytest.mark.parametrize("growth", ["fixed_width", "fixed_r_in"])
def test_the_first_ring_that_is_large_enough_is_taken(growth, theta):
    counts, background, usable = field()
    threshold = (0.025 if growth == "fixed_width" else 0.018) * (4 if theta else 1)
    parameters = AdaptiveRingParameters(0.3, 1.2, 0.2, 0.1, threshold, theta, growth)
    found = adaptive_ring_off(counts, background, usable, 0.1, parameters)
    on = direct(background, 0, theta / 0.1)
    expected = [np.zeros_like(counts), np.zeros_like(counts)]
    for r_in, r_out in reversed(parameters.rings):
        off = ring_off(counts, background, usable, 0.1, RingParameters(r_in, r_out - r_in))
        enough = on / np.maximum(off.acceptance, 1e-30) <= threshold
        for values, own in zip(expected, off, strict=True):
            values[enough] = own[enough]
    for values, own in zip(expected, found, strict=True):
        np.testing.assert_allclose(own, values, rtol=1e-12)
    assert 0 < (found.acceptance == 0).sum() < found.acceptance.size
    assert len(np.unique(found.counts)) > 10


# --- what is refused


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"space": RegionSpace((Circle(83.633, 22.014, 0.1),))}, "ring is measured in windows of the sky, got on-regi"),
        ({"energy": Axis.from_bounds("energy", 0.5, 30.0, 3)}, r"made in one energy bin, got 3; write nbins: 1, or"),
        ({"r_in": 6.0, "width": 0.5}, r"ring that begins inside of the map, got 6 deg, and a run fills 5\.24 deg"),
        (
            {"r_in": 0.55, "width": 0.001},
            r"width: expected a ring that holds pixels, and none of \S+ deg has its centre ",
        ),
        ({"space": SkySpace(83.6, 22.0, "icrs", 0.1, (40, 40), aspect=2.0)}, "needs pixels as wide as high, got 2 to"),
    ],
)
def test_rings_that_cannot_be_made_are_refused(changes, said):
    with pytest.raises(ConfigError, match=said):
        wanted(**changes)


@pytest.mark.parametrize(
    ("name", "parameters", "said"),
    [
        ("ring", {"r_in": 0.0, "width": 0.3}, "expected more than 0 deg"),
        ("ring", {"r_in": 0.5}, "needs width"),
        (
            "adaptive_ring",
            {"r_in": 0.5, "r_out_max": 0.7, "width": 0.3},
            r"more than r_in \+ width, 0\.8 deg, got 0\.7",
        ),
        (
            "adaptive_ring",
            {"r_in": 0.5, "r_out_max": 2.0, "width": 0.3, "method": "fixed"},
            "expected fixed_width or fixed_r_in, got 'fixed'",
        ),
    ],
)
def test_bad_parameters_are_refused(name, parameters, said):
    entry = method("background", name, r_in=0.5, width=0.3, **({"r_out_max": 2.0} if "adap" in name else {})).entry
    with pytest.raises(ConfigError, match=said):
        normalize_parameters(entry, parameters, "here")


# --- of runs


@pytest.fixture(scope="module")
def rows(nights_part):
    return reduce_block(nights_part, rows_in(nights_part), wanted())


def test_rows_hold_off_counts_and_acceptances(nights_part, rows):
    schema.validate(rows)
    assert "background" not in rows
    assert (rows["outcome"].values == Outcome.USED).all()
    plain = reduce_block(
        nights_part,
        rows_in(nights_part),
        recipe(
            background=method("background", "irf"),
            safe_masks=(),
            containment=False,
            grid=Grid(ENERGY, ENERGY_TRUE, IMAGE),
        ),
    )
    for row in (0, 4):
        first = np.array([rows["origin_v"].values[row], rows["origin_u"].values[row]])
        usable = (separation(*IMAGE.positions(first), 83.633, 22.014) >= 0.4).reshape(IMAGE.shape)
        counts, expected = (plain[name].values[row, 0].astype(float) for name in ("counts", "background"))
        known = expected > 0
        off = ring_off(counts, expected, usable & known, IMAGE.binsize, RING)
        np.testing.assert_array_equal(rows["counts_off"].values[row, 0], np.where(known, off.counts, 0))
        np.testing.assert_allclose(rows["acceptance_off"].values[row, 0], np.where(known, off.acceptance, 0), rtol=1e-6)
        np.testing.assert_array_equal(rows["acceptance"].values[row, 0], plain["background"].values[row, 0])
        np.testing.assert_array_equal(rows["mask_safe"].values[row, 0], known)
    np.testing.assert_array_equal(rows["counts_off"], np.rint(rows["counts_off"]))


def test_rings_predict_the_counts_beside_the_source(rows):
    """Simulated events without the source are what the tables say: sums of alpha times off counts are those on."""
    image = stack(rows)
    lon, lat = IMAGE.image.positions()
    away = (separation(lon, lat, 83.633, 22.014) > 0.5).reshape(IMAGE.image.shape) & image["mask_safe"].values[0, 0]
    counts, expected = (image[name].values[0, 0][away].sum() for name in ("counts", "background"))
    assert abs(counts - expected) < 4 * np.sqrt(2 * counts)


def test_a_stack_of_rings_has_the_background_that_they_predict(rows):
    found = stack(rows)
    schema.validate(found)
    assert "counts_off" not in found
    expected = np.zeros(IMAGE.image.shape)
    for row in range(7):
        v, u = rows["origin_v"].values[row], rows["origin_u"].values[row]
        on, off, counts = (
            rows[name].values[row, 0].astype(float) for name in ("acceptance", "acceptance_off", "counts_off")
        )
        expected[v : v + 36, u : u + 40] += np.divide(on * counts, off, out=np.zeros_like(on), where=off > 0)
    np.testing.assert_allclose(found["background"].values[0, 0], expected, rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize("name", ["ring", "adaptive_ring"])
def test_rings_do_not_depend_on_blocks_and_on_the_order_of_runs(nights_part, name):
    given = {"r_in": 0.3, "width": 0.2} | ({"r_out_max": 1.0, "threshold_alpha": 0.01} if name != "ring" else {})
    asked = wanted(name, **given)
    whole = reduce_block(nights_part, rows_in(nights_part), asked)
    back = reduce_block(nights_part, rows_in(nights_part, list(range(7))[::-1]), asked)
    lazy = lazy_spectra([(nights_part, rows_in(nights_part))], asked)
    for variable in ("counts_off", "acceptance", "acceptance_off", "mask_safe"):
        np.testing.assert_array_equal(back[variable].values[::-1], whole[variable].values)
        np.testing.assert_array_equal(lazy[variable].values, whole[variable].values)


def test_a_field_that_is_wholly_excluded_leaves_no_run(nights_part):
    found = reduce_block(nights_part, rows_in(nights_part), wanted(exclusion=EMPTY))
    assert (found["outcome"].values == Outcome.NO_BACKGROUND).all()
    said = "its background cannot be measured: no safe pixel has a ring with a part in the map that is not excluded"
    assert set(found.attrs["outcome_details"]) == {said}
    assert not found["mask_safe"].any()
    for name in ("counts_off", "acceptance", "acceptance_off"):
        assert not found[name].any()


def test_pixels_whose_rings_are_excluded_are_masked_and_the_others_are_not(nights_part, rows):
    wide = ExcludedShapes((Circle(83.633, 22.014, 1.2),))
    found = reduce_block(nights_part, rows_in(nights_part), wanted(exclusion=wide))
    assert (found["outcome"].values == Outcome.USED).all()
    lost = rows["mask_safe"].values & ~found["mask_safe"].values
    assert lost.any()
    assert not found["acceptance_off"].values[lost].any()
    assert (found["acceptance_off"].values[found["mask_safe"].values] > 0).all()


def test_pixels_beyond_the_reach_of_a_run_do_not_count(nights_part):
    """A window that was moved into its image has pixels that are farther than ``offset_max`` from the pointing."""
    away = SkySpace(85.0, 22.014, "icrs", 0.1, (60, 50), (50, 50))
    given = wanted(space=away)
    found = reduce_block(nights_part, rows_in(nights_part, [0]), given)
    inside = filled_pixels(
        BackgroundInput(nights_part, rows_in(nights_part, [0]), given.grid, None, given.offset_max, np.ones(1, bool))
    ).reshape(away.shape)
    assert 0 < (~inside).sum() < inside.size
    assert not found["mask_safe"].values[0, 0][~inside].any()

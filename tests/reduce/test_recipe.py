"""The identity of a reduction: recipes and their documents are inverse, and keys are those of all stores so far."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st

from releases import recipe
from xgamma.axes import Axis
from xgamma.errors import ConfigError, DataError, UnknownNameError
from xgamma.grid import Circle, Grid, RegionSpace, SkySpace
from xgamma.masks import SkyMask
from xgamma.reduce import Recipe, SafeMaskParameters, method, row_key
from xgamma.store import canonical_json, digest

ENERGY, ENERGY_TRUE = Axis.from_bounds("energy", 1, 10, 3), Axis.from_bounds("energy_true", 0.5, 20, 5)
CRAB, QUASAR = Circle(83.633, 22.014, 0.11), Circle(184.5, -5.7, 0.2, "galactic")
ALL_MASKS = ("bkg-peak", "offset-max", "edisp-bias", "aeff-max", "aeff-default")


def sky_mask(usable):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.cdelt = ["RA---TAN", "DEC--TAN"], [83.6, 22.0], [-0.1, 0.1]
    return SkyMask(usable, wcs, "icrs")


MASK = sky_mask(np.arange(16).reshape(4, 4) > 3)
# Keys under which commit 008ae15 stored its products.
KEYS = {
    "usual": (recipe(), "fd8ee6df6d9ef174b01e1351819d0912"),
    "an exclusion": (recipe(exclusion=MASK), "a209aceacc52eef89ef5061a2439d497"),
    "an exclusion and no background": (recipe(background=None, exclusion=MASK), "2c98bde5b7585f73a99ca37ca3a2379a"),
    "no background, no safe mask": (
        recipe(background=None, safe_masks=(), containment=False),
        "f27f9e9e492a20d2fc81f315c884bc55",
    ),
    "all safe masks": (
        recipe(
            safe_masks=ALL_MASKS,
            safe_mask=SafeMaskParameters(aeff_percent=1.0, bias_percent=5.0, offset_max=2.0, fixed_offset=0.5),
        ),
        "cdaf14ef4a884d778349a90df51d593f",
    ),
    "other parameters": (
        recipe(
            background=method(
                "background",
                "reflected",
                angle_increment=0.2,
                min_distance=0.1,
                min_distance_input=0.3,
                max_region_number=7,
                binsz=0.02,
            ),
            good_time="strict",
            offset_max=2.0,
        ),
        "0ad7c4b62dfed71740963e8d5b2052f7",
    ),
    "a region in the galactic frame": (
        Recipe(Grid(ENERGY, ENERGY_TRUE, RegionSpace((QUASAR,))), background=method("background", "reflected")),
        "c07c74240c681c0a048b9685f34a8035",
    ),
}
# Of several regions under version 2, which did not keep each out of the off regions of the others.
BEFORE_THE_OTHERS_WERE_LEFT_OUT = "7916ecdc280ce6423c010f3b7c334a62"


@pytest.mark.parametrize(("request_", "key"), KEYS.values(), ids=KEYS)
def test_keys_are_those_of_stores_written_before(request_, key):
    assert request_.key == key


def test_several_regions_have_another_key_than_when_they_were_not_left_out_of_each_other():
    both = Recipe(Grid(ENERGY, ENERGY_TRUE, RegionSpace((CRAB, QUASAR))), background=method("background", "reflected"))
    assert both.key == "f92e79a4720dc5f4659659b644adb7b6"
    assert digest({**both.document(), "version": 2}) == BEFORE_THE_OTHERS_WERE_LEFT_OUT


def test_the_key_of_a_row_is_that_of_stores_written_before():
    assert row_key("a", "b", -np.inf, 12.5) == digest(["a", "b", "-inf", "12.5"])


degrees = st.floats(0.01, 80.0)
circles = st.builds(
    Circle, st.floats(0, 359), st.floats(-80, 80), st.floats(0.05, 0.5), st.sampled_from(["icrs", "galactic"])
)
spaces = st.builds(RegionSpace, st.lists(circles, min_size=1, max_size=3).map(tuple))
windows = st.builds(
    SkySpace,
    degrees,
    degrees,
    st.just("icrs"),
    st.floats(0.01, 0.1),
    st.tuples(st.integers(5, 9), st.integers(5, 9)),
    st.one_of(st.none(), st.tuples(st.integers(1, 5), st.integers(1, 5))),
)


def axes(name):
    return st.builds(
        lambda low, width, nbin: Axis.from_bounds(name, low, low * width, nbin),
        st.floats(0.01, 10),
        st.floats(1.5, 100),
        st.integers(1, 9),
    )


reflected = st.builds(
    lambda increment, number: method("background", "reflected", angle_increment=increment, max_region_number=number),
    st.floats(0.001, 6),
    st.integers(1, 99),
)
# Far from all on-regions, whose latitudes are at most 80 degrees.
fixed = st.builds(
    lambda radius, acceptance: method(
        "background", "fixed", regions=[Circle(10.0, 89.0, radius, "icrs")], acceptance=acceptance
    ),
    st.floats(0.05, 0.5),
    st.one_of(st.just("area"), st.lists(st.floats(0.1, 9), min_size=1, max_size=1)),
)
masks = st.lists(
    st.one_of(
        st.builds(lambda percent: method("safe mask", "aeff-max", aeff_percent=percent), st.floats(0, 100)),
        st.builds(lambda offset: method("safe mask", "edisp-bias", fixed_offset=offset), st.one_of(st.none(), degrees)),
        st.sampled_from([method("safe mask", "bkg-peak"), method("safe mask", "aeff-default")]),
    ),
    max_size=4,
    unique_by=lambda one: one.name,
).map(tuple)


@st.composite
def recipes(draw):
    space = draw(st.one_of(spaces, windows))
    is_region = isinstance(space, RegionSpace)
    # Galactic circles may lie anywhere.
    near = is_region and any(circle.frame == "galactic" for circle in space.regions)
    backgrounds = [st.none(), *([reflected] if is_region else []), *([fixed] if is_region and not near else [])]
    return Recipe(
        Grid(draw(axes("energy")), draw(axes("energy_true")), space),
        draw(st.booleans()),
        draw(st.one_of(backgrounds)),
        draw(st.sampled_from([None, MASK])),
        draw(masks),
        draw(degrees),
        draw(st.sampled_from(["strict", "rounded", "ignored"])),
    )


@settings(deadline=None)
@given(recipes())
def test_documents_and_recipes_are_inverse(one):
    document = json.loads(canonical_json(one.document()))
    again = Recipe.from_document(document, one.exclusion)
    assert again == one
    assert json.loads(canonical_json(again.document())) == document
    assert again.key == one.key == digest(document)


def test_the_document_of_an_excluded_background_needs_its_mask():
    document = recipe(exclusion=MASK).document()
    assert Recipe.from_document(document, MASK) == recipe(exclusion=MASK)
    for other in (None, sky_mask(np.ones((4, 4), dtype=bool))):
        with pytest.raises(DataError, match="not that of a recipe of this version of xgamma, or it is of another mask"):
            Recipe.from_document(document, other)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda document: document.update(version=99), DataError),
        (lambda document: document["safe_masks"].update({"aeff-max": [2, {"aeff_percent": 10.0}]}), DataError),
        (lambda document: document["safe_masks"].update(mine=[1, {}]), UnknownNameError),
        (lambda document: document.update(background={"mine": [1, {}]}), UnknownNameError),
        (lambda document: document["background"]["reflected"].update(more=1), TypeError),
        (lambda document: document.pop("energy"), KeyError),
    ],
)
def test_the_document_of_another_version_raises(change, error):
    document = json.loads(canonical_json(recipe().document()))
    change(document)
    with pytest.raises(error):
        Recipe.from_document(document)


def test_what_does_not_decide_the_numbers_is_not_in_a_recipe():
    plain = recipe(background=None)
    assert replace(plain, exclusion=MASK) == plain
    assert replace(plain, safe_masks=plain.safe_masks[::-1] + plain.safe_masks) == plain
    masks = (method("safe mask", "aeff-max"), method("safe mask", "aeff-max", aeff_percent=3))
    with pytest.raises(ConfigError, match="expected each method once, got aeff-max in two ways"):
        replace(plain, safe_masks=masks)

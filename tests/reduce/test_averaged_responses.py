"""Responses averaged over an on-region: weights of places, and laws of the average."""

from __future__ import annotations

import numpy as np
import pytest

from releases import recipe, rows_in
from xgamma.axes import Axis
from xgamma.geometry import separation
from xgamma.grid import Grid, RegionSpace
from xgamma.reduce import Recipe, reduce_block
from xgamma.shapes import Annulus, Circle, Ellipse

CRAB = Circle(83.633, 22.014, 0.11)
RING = Annulus(Circle(83.633, 22.014, 1.0), Circle(83.633, 22.014, 0.9))
ENERGIES = Axis.from_bounds("energy", 0.5, 30, 6), Axis.from_bounds("energy_true", 0.2, 60, 12)


def reduced(part, shape, **changes):
    grid = Grid(*ENERGIES, RegionSpace((shape,)))
    return reduce_block(
        part, rows_in(part), recipe(grid=grid, containment=False, background=None, safe_masks=(), **changes)
    )


def test_the_places_of_a_shape_lie_in_or_beside_it_and_weigh_1():
    for shape in (CRAB, RING, Ellipse(10.0, -60.0, 0.5, 0.2, 30.0, "galactic")):
        lon, lat, weight = shape.samples()
        assert weight.sum() == pytest.approx(1.0, abs=1e-12) and (weight > 0).all()
        assert (separation(lon, lat, *shape.center) < shape.reach + 0.15).all()
    # Pixels of 0.1 deg have a corner in the centre: the circle is symmetric about it.
    lon, lat, weight = CRAB.samples()
    assert len(weight) == 12
    assert np.average(lat, weights=weight) == pytest.approx(22.014, abs=1e-4)


def test_a_point_has_the_responses_of_its_centre():
    assert len(Circle(83.633, 22.014, 0.0).samples()[2]) == 0


def test_a_small_region_has_nearly_the_responses_of_its_centre(nights_part):
    center, mean = (reduced(nights_part, CRAB, use_region_center=use) for use in (True, False))
    np.testing.assert_allclose(mean["exposure"], center["exposure"], rtol=2e-2)
    np.testing.assert_allclose(mean["edisp"].sum("energy"), center["edisp"].sum("energy"), atol=1e-3)
    assert (mean["exposure"].values != center["exposure"].values).any()
    np.testing.assert_array_equal(mean["counts"], center["counts"])


def test_a_ring_has_those_of_the_places_on_it(nights_part):
    mean = reduced(nights_part, RING, use_region_center=False)
    lon, lat, weight = RING.samples()
    places = [reduced(nights_part, Circle(float(x), float(y), 0.01)) for x, y in zip(lon[::40], lat[::40], strict=True)]
    by_hand = np.average([one["exposure"].values for one in places], axis=0, weights=weight[::40])
    # A fortieth of the places is the same average, to some per cent.
    np.testing.assert_allclose(mean["exposure"].values, by_hand, rtol=0.15)
    shares = mean["edisp"].values.sum(axis=-1)
    assert np.all((shares >= 0) & (shares <= 1 + 1e-9))


def test_the_average_is_part_of_the_key_and_the_centre_is_as_before():
    grid = Grid(*ENERGIES, RegionSpace((CRAB,)))
    center, mean = Recipe(grid), Recipe(grid, use_region_center=False)
    assert "use_region_center" not in center.document() and center.key != mean.key
    assert Recipe.from_document(mean.document()) == mean

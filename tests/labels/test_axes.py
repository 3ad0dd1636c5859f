"""Axes: one formula for edges and centres, and the bin of a value."""

from __future__ import annotations

import re

import numpy as np
import pytest
import xarray as xr
from astropy import units as u
from hypothesis import given
from hypothesis import strategies as st

from xgamma.axes import INSTEAD, Axis, unify_axis
from xgamma.errors import ConfigError, DataError
from xgamma.maps import MapAxis

axes = st.builds(
    lambda low, factor, nbin: Axis.from_bounds("energy", low, low * factor, nbin),
    st.floats(1e-3, 10),
    st.floats(1.5, 1e4),
    st.integers(1, 60),
)


def test_logarithmic_edges_have_one_ratio():
    axis = Axis.from_bounds("energy", 0.5, 30, 20)
    assert axis.edges[0] == pytest.approx(0.5, rel=1e-15)
    np.testing.assert_allclose(axis.edges[1:] / axis.edges[:-1], 60 ** (1 / 20), rtol=1e-13)
    np.testing.assert_allclose(axis.center**2, axis.edges[1:] * axis.edges[:-1], rtol=1e-13)


@given(axes)
def test_the_bin_of_every_centre_is_its_own(axis):
    np.testing.assert_array_equal(axis.index(axis.center), np.arange(axis.nbin))


@given(axes)
def test_values_outside_have_no_bin(axis):
    outside = [axis.edges[0] * 0.99, axis.edges[-1] * 1.01, np.nan, np.inf, 0.0, -1.0]
    assert axis.index(outside).tolist() == [-1] * 6


def test_a_lower_edge_belongs_to_its_bin_and_the_last_edge_to_none():
    axis = Axis("offset", np.array([0.0, 1.0, 3.0]), "deg", "lin")
    assert axis.index([0.0, 1.0, 2.9, 3.0]).tolist() == [0, 1, 1, -1]


@given(axes)
def test_coordinates_read_back_to_the_same_axis(axis):
    assert Axis.from_coords(xr.Dataset(coords=axis.coords()).coords, "energy") == axis


def test_an_axis_of_nodes_has_edges_half_way_and_half_a_bin_beyond():
    axis = Axis.from_nodes("offset", np.arange(0, 3, 0.5), "deg", "lin")
    assert (axis.edges[0], axis.edges[-1]) == (-0.25, 2.75)
    assert axis.center.tolist() == [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]
    assert Axis.from_coords(xr.Dataset(coords=axis.coords()).coords, "offset") == axis


def test_bins_inside_are_those_that_lie_wholly_inside():
    axis = Axis("energy", np.array([1.0, 2.0, 4.0, 8.0]))
    assert axis.mask_inside(2.0, None).tolist() == [False, True, True]
    assert axis.mask_inside(1.5, 7.9).tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        ((10, 1, 5), "min < max"),
        ((1, 1, 5), "min < max"),
        ((1, 10, 0), "at least 1"),
        ((0, 10, 5), "above 0 TeV"),
        ((np.nan, 10, 5), "min < max"),
    ],
)
def test_edges_that_are_no_axis_raise(bounds, words):
    with pytest.raises(ConfigError, match=words):
        Axis.from_bounds("energy", *bounds)


def test_axes_equal_to_a_part_in_a_thousand_million_become_one_object():
    first = Axis.from_bounds("energy", 1, 10, 5)
    near = Axis("energy", first.edges * (1 + 1e-12))
    assert unify_axis([first, near]) is first
    with pytest.raises(DataError, match="not aligned"):
        unify_axis([first, Axis.from_bounds("energy", 1, 10, 6)])


@pytest.mark.parametrize(
    ("name", "instead"),
    [("coord_to_idx", "Use index(values)."), ("edge", "Did you mean 'edges'?"), ("pad", "Known: bounds, center, ")],
)
def test_a_name_that_an_axis_lacks_says_what_it_has(name, instead):
    with pytest.raises(AttributeError, match=re.escape(f"An axis has no {name!r} here. {instead}")):
        getattr(Axis.from_bounds("energy", 1.0, 10.0, 2), name)


def test_every_name_to_use_instead_is_one_of_an_axis():
    axis = Axis.from_bounds("energy", 1.0, 10.0, 2)
    assert all(hasattr(axis, re.match(r"\w+", instead)[0]) for instead in INSTEAD.values())
    assert not any(hasattr(axis, name) for name in INSTEAD)


def test_an_axis_about_nodes_has_them_as_centres():
    axis = MapAxis.from_nodes([0.1, 0.2, 0.4] * u.deg, name="rad")
    assert axis.plain.center.tolist() == [0.1, 0.2, 0.4]
    assert axis.plain.edges.round(12).tolist() == [0.05, 0.15, 0.3, 0.5]
    assert (axis.name, axis.unit) == ("rad", "deg")

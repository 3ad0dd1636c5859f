"""Groupings: every row is in one group, and the group says what its rows have in common."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xgamma.errors import ConfigError
from xgamma.groups import GROUP_COLUMNS, normalize_grouping
from xgamma.times import nights

COLUMNS = {
    "night": np.array(["2004-12-07", "2004-12-07", "2005-01-02"]),
    "month": np.array(["2004-12", "2004-12", "2005-01"]),
    "zenith": np.array([12.0, 20.0, np.nan]),
    "offset": np.array([0.5, 0.7, 2.0]),
    "target": np.array(["Crab", "Crab", ""]),
    "livetime": np.array([1500.0, 90.0, 1700.0]),
}


@pytest.mark.parametrize(
    ("by", "labels"),
    [
        ("night", ["2004-12-07", "2004-12-07", "2005-01-02"]),
        ("month", ["2004-12", "2004-12", "2005-01"]),
        ("target", ["Crab", "Crab", "unknown"]),
        ({"zenith": [0, 20, 40]}, ["zenith 0-20", "zenith 20-40", "zenith outside 0-40"]),
        ({"offset": ["0 deg", "36 arcmin", "1.5 deg"]}, ["offset 0-0.6", "offset 0.6-1.5", "offset outside 0-1.5"]),
        ({"livetime": ["10 min", "1 h"]}, ["livetime 600-3600", "livetime outside 600-3600", "livetime 600-3600"]),
        (
            "livetime > 600 and zenith < 15",
            ["livetime > 600 and zenith < 15", *["not livetime > 600 and zenith < 15"] * 2],
        ),
    ],
)
def test_rows_are_grouped_by(by, labels):
    grouping = normalize_grouping(by, "datasets.stack_by")
    assert grouping.labels(COLUMNS) == labels
    assert normalize_grouping(grouping.document(), "datasets.stack_by") == grouping


@given(
    edges=st.lists(st.floats(-50, 50), min_size=2, max_size=6, unique=True).map(sorted),
    values=st.lists(st.one_of(st.floats(-60, 60), st.just(float("nan"))), min_size=1, max_size=20),
)
def test_every_row_is_in_the_band_that_holds_it(edges, values):
    labels = normalize_grouping({"zenith": edges}, "by").labels({"zenith": np.array(values)})
    bands = list(itertools.pairwise(edges))
    for value, label in zip(values, labels, strict=True):
        inside = [number for number, (low, high) in enumerate(bands) if low <= value < high]
        low, high = bands[inside[0]] if inside else (edges[0], edges[-1])
        where = "zenith " if inside else "zenith outside "
        assert label.startswith(where)
        assert label.removeprefix(where) in (
            f"{low:g}-{high:g}",
            f"{low!r}-{high!r}",
            f"{low:g}-{high!r}",
            f"{low!r}-{high:g}",
        )


def test_two_bands_never_have_one_name():
    grouping = normalize_grouping({"tstart": [53343.91, 53343.92, 53343.94]}, "by")
    labels = grouping.labels({"tstart": np.array([53343.915, 53343.93])})
    assert labels == ["tstart 53343.91-53343.92", "tstart 53343.92-53343.94"]


@pytest.mark.parametrize(
    ("by", "said"),
    [
        ("zenith", "zenith has a value for each run"),
        ("nigth", "Did you mean 'night'"),
        ({"zenith": [0, 0]}, "expected edges that ascend"),
        ({"zenith": [10]}, "expected two edges or more"),
        ({"zenith": ["0 TeV", "1 TeV"]}, "zenith"),
        ({"night": [1, 2]}, "expected a column of numbers"),
        ({"zenith": [0, 1], "offset": [0, 1]}, "expected one way to group"),
        (3, "expected one way to group"),
        ("exec('1')", "is not allowed in an expression"),
    ],
)
def test_a_wrong_grouping_raises(by, said):
    with pytest.raises(ConfigError, match=said) as error:
        normalize_grouping(by, "datasets.stack_by")
    assert str(error.value).startswith("datasets.stack_by")


def test_a_night_begins_at_noon_of_the_site():
    # MJD 53347 is 8 December 2004; at 110 degrees west noon comes 7.3 hours after that of Greenwich.
    at = 53347 + np.array([0.1, 0.49, 0.51, 0.79, 0.81])
    assert nights(at, np.zeros(5)).tolist() == ["2004-12-07"] * 2 + ["2004-12-08"] * 3
    assert nights(at, np.full(5, -110.0)).tolist() == ["2004-12-07"] * 4 + ["2004-12-08"]
    assert nights(np.array([np.nan]), np.zeros(1)).tolist() == ["unknown"]


def test_all_columns_can_be_named():
    assert set(COLUMNS) <= set(GROUP_COLUMNS)

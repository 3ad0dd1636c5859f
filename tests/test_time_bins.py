"""Bins of time: which datasets lie in which, and what is said of those that lie in none."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from astropy import units as u
from astropy.time import Time
from hypothesis import given
from hypothesis import strategies as st

from xgamma.errors import ConfigError, DataError
from xgamma.estimate.time_binning import TimeBinning, normalize_time_binning
from xgamma.estimate.time_bins import (
    Placement,
    TimeSpans,
    bins_of_binning,
    bins_of_blocks,
    bins_of_intervals,
    bins_of_labels,
)
from xgamma.times import time_from_seconds

MJDREF = 53347.0
ATOL = 1e-6


def spans(*pairs, used=None):
    start, stop = np.array(pairs, dtype=float).T
    is_used = np.ones(len(pairs), dtype=bool) if used is None else np.array(used)
    return TimeSpans([f"run-{number}" for number in range(len(pairs))], start, stop, is_used, MJDREF)


def intervals(*pairs):
    return [tuple(time_from_seconds(np.array(pair, dtype=float), MJDREF)) for pair in pairs]


# --- what is asked for


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, "observation"),
        ("night", "night"),
        ("blocks", "blocks"),
        ({"width": "7 d"}, "width"),
        ({"width": 2 * u.h}, "width"),
        ({"blocks": 0.01}, "blocks"),
        ([Time([53343.5, 53344.5], format="mjd"), Time([53345.5, 53346.5], format="mjd")], "intervals"),
        ([(Time(53343.5, format="mjd"), Time(53344.5, format="mjd"))], "intervals"),
    ],
)
def test_a_binning_is_a_word_a_mapping_or_intervals(value, kind):
    binning = normalize_time_binning(value)
    assert binning.kind == kind
    assert normalize_time_binning(binning) is binning
    if kind != "intervals":
        assert normalize_time_binning(binning.asked()).document() == binning.document()


def test_widths_are_seconds_and_documents_hold_what_decides():
    assert normalize_time_binning({"width": "7 d"}).document() == {"kind": "width", "width": 7 * 86400.0}
    assert normalize_time_binning("night").at(16.5).document() == {"kind": "night", "longitude": 16.5}
    assert normalize_time_binning("night").document() == {"kind": "night", "longitude": 0.0}
    assert normalize_time_binning("observation").document() == {"kind": "observation"}
    [[start, stop]] = normalize_time_binning([Time(["2004-12-04T12:00", "2004-12-05T12:00"])]).document()["intervals"]
    # 32 leap seconds and 32.184 s lie between UTC and TT.
    assert start == pytest.approx([53343.0, 43264.184], abs=1e-8)
    assert stop == pytest.approx([53344.0, 43264.184], abs=1e-8)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("nigth", "there is no binning 'nigth'; .*Did you mean 'night'"),
        ("hourly", "there is no binning 'hourly'; write observation, night, blocks, a width such as"),
        ({"width": "-1 h"}, "width: expected a time above 0 such as 1 h or 7 d, got '-1 h'"),
        ({"width": "1 TeV"}, "width: expected"),
        ({"blocks": 1.5}, "blocks: expected the probability of a false alarm above 0 and below 1, got 1.5"),
        ({"night": True}, "expected one way to bin time, got {'night': True}"),
        (3, "expected one way to bin time, got 3"),
        ([], "expected at least one interval of time, got none"),
        (Time(53343.5, format="mjd"), "expected one way to bin time"),
        ([Time(53343.5, format="mjd")], "expected intervals, each a Time of a start and a stop"),
        ([("2004-12-04", "2004-12-05")], "expected times as astropy.time.Time, got"),
        (
            [Time([53344.5, 53343.5], format="mjd")],
            "expected start before stop, got start 53344.5|expected start before",
        ),
        (
            [Time([53343.5, 53345.5], format="mjd"), Time([53344.5, 53346.5], format="mjd")],
            "expected intervals that do not overlap, so that each event counts once",
        ),
    ],
)
def test_raises_for_another_binning(value, message):
    with pytest.raises(ConfigError, match=message) as raised:
        normalize_time_binning(value, "here")
    assert str(raised.value).startswith("here")


# --- bins


def test_datasets_belong_to_the_interval_that_holds_them_whole():
    taken = spans((0, 10), (20, 30), (35, 45), (95, 105), (200, 210), (60, 70))
    bins = bins_of_intervals(taken, intervals((0, 40), (50, 80), (85, 100), (300, 400)), ATOL)
    assert bins.of_dataset.tolist() == [0, 0, -1, -1, -1, 1]
    assert [Placement(each).name for each in bins.placement] == [
        "INSIDE", "INSIDE", "PARTLY_INSIDE", "PARTLY_INSIDE", "OUTSIDE", "INSIDE",
    ]  # fmt: skip
    np.testing.assert_allclose(bins.bounds, [[0, 40], [50, 80]], atol=1e-6)
    np.testing.assert_allclose(bins.exposed, [[0, 30], [60, 70]])
    empty, partly, outside = bins.report
    assert empty.startswith(
        "intervals that hold no dataset, left out: 2004-12-08T00:01:25.000 to 2004-12-08T00:01:40.000"
    )
    assert partly == "only partly inside of an interval, left out: run-2, run-3"
    assert outside == "outside of all intervals, left out: run-4"


def test_a_dataset_may_reach_out_of_an_interval_by_the_tolerance():
    taken = spans((0.0, 10.0))
    for start, stop in ((5e-4, 10.0), (0.0, 9.9995)):
        assert bins_of_intervals(taken, intervals((start, stop)), 1e-3).of_dataset.tolist() == [0]
        with pytest.raises(ConfigError, match="give longer intervals"):
            bins_of_intervals(taken, intervals((start, stop)), 1e-6)


def test_raises_where_no_interval_holds_a_dataset():
    with pytest.raises(ConfigError, match=r"expected intervals that hold a dataset, and none of 2 lies inside of .*"):
        bins_of_intervals(spans((0, 10), (20, 30)), intervals((50, 60)), ATOL)


def test_touching_intervals_stay_apart():
    bins = bins_of_intervals(spans((0, 10), (10, 20)), intervals((0, 10), (10, 20)), ATOL)
    assert bins.of_dataset.tolist() == [0, 1]


def test_datasets_without_time_or_energy_are_left_out_by_name():
    taken = spans((0, 10), (np.nan, np.nan), (20, 30), used=[True, True, False])
    bins = bins_of_labels(taken, np.arange(3), ATOL)
    assert bins.of_dataset.tolist() == [0, -1, -1]
    assert bins.report == [
        "without good time, left out: run-1",
        "without a bin of energy that is used, left out: run-2",
    ]
    with pytest.raises(DataError, match="no dataset can be used: without good time, left out: run-0"):
        bins_of_labels(spans((np.nan, np.nan)), np.arange(1), ATOL)


def test_datasets_of_one_time_share_a_bin():
    bins = bins_of_binning(spans((0, 10), (5, 15), (20, 30), (12, 14)), TimeBinning(), ATOL)
    assert bins.of_dataset.tolist() == [0, 0, 1, 0]
    np.testing.assert_array_equal(bins.bounds, [[0, 15], [20, 30]])
    assert bins.report == ["datasets that overlap in time and share a bin: run-0, run-1, run-3"]


def test_nights_begin_at_noon_of_the_site():
    day = 86400.0
    taken = spans((0.4 * day, 0.45 * day), (0.55 * day, 0.6 * day), (1.2 * day, 1.3 * day), (1.6 * day, 1.7 * day))
    at = {
        longitude: bins_of_binning(taken, TimeBinning("night").at(longitude), ATOL)
        for longitude in (0.0, 180.0, np.nan)
    }
    assert at[0.0].of_dataset.tolist() == [0, 1, 1, 2]
    assert at[180.0].of_dataset.tolist() == [0, 0, 1, 1]
    assert at[np.nan].of_dataset.tolist() == [0, 1, 1, 2]
    assert at[np.nan].report[0].startswith("the longitude of the site is not known")
    np.testing.assert_allclose(at[0.0].bounds[1], [0.55 * day, 1.3 * day])


def test_widths_put_whole_datasets_together():
    bins = bins_of_binning(spans((100, 110), (120, 130), (195, 207), (260, 420)), TimeBinning("width", width=100), ATOL)
    assert bins.of_dataset.tolist() == [0, 0, 1, 2]
    assert len(bins.report) == 1
    assert bins.report[0].startswith("longer than asked for, as datasets stay whole: 2004-12-08T00:04:20.000")


def curve_of(taken, norm, error, is_ul=None):
    columns = {"norm": norm, "norm_err": error, "is_ul": np.zeros(len(norm), bool) if is_ul is None else is_ul}
    columns["success"] = np.isfinite(norm)
    variables = {name: (("time", "energy"), np.array(values)[:, np.newaxis]) for name, values in columns.items()}
    return xr.Dataset(variables, {"time": 0.5 * (taken.start + taken.stop)})


def test_blocks_begin_where_the_flux_changes():
    taken = spans(*[(100 * n, 100 * n + 50) for n in range(20)])
    norm = np.where(np.arange(20) < 12, 1.0, 3.0)
    bins = bins_of_blocks(taken, curve_of(taken, norm, np.full(20, 0.2)), 0.01, ATOL)
    assert bins.of_dataset.tolist() == [0] * 12 + [1] * 8
    assert bins.report == []


def test_limits_and_bad_points_do_not_decide_blocks():
    taken = spans(*[(100 * n, 100 * n + 50) for n in range(20)])
    norm, error = np.where(np.arange(20) < 12, 1.0, 3.0), np.full(20, 0.2)
    limits = np.zeros(20, bool)
    norm[3], error[5], limits[15] = np.nan, 0.0, True
    norm[15] = 0.0
    bins = bins_of_blocks(taken, curve_of(taken, norm, error, limits), 0.01, ATOL)
    assert bins.of_dataset.tolist() == [0] * 12 + [1] * 8
    assert bins.report == ["limits, or without an error, and not asked where blocks begin: 3 of 20 observations"]


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 6), st.integers(0, 3)), min_size=1, max_size=12),
    st.randoms(use_true_random=False),
)
def test_bins_do_not_overlap_hold_their_datasets_and_know_no_order(rows, random):
    taken = spans(*[(start, start + length) for start, length, _ in rows])
    label = np.array([start // 10 for start, _, _ in rows])
    bins = bins_of_labels(taken, label, ATOL)
    assert (bins.bounds[1:, 0] >= bins.bounds[:-1, 1]).all()
    assert np.array_equal(np.unique(bins.of_dataset), np.arange(bins.size))
    own = bins.bounds[bins.of_dataset]
    assert ((own[:, 0] <= taken.start) & (taken.stop <= own[:, 1])).all()
    order = list(range(len(rows)))
    random.shuffle(order)
    mixed = bins_of_labels(spans(*[(rows[n][0], rows[n][0] + rows[n][1]) for n in order]), label[order], ATOL)
    np.testing.assert_array_equal(mixed.of_dataset, bins.of_dataset[order])
    np.testing.assert_array_equal(mixed.bounds, bins.bounds)

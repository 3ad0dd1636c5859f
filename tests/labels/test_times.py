"""Good time is clipped and merged, and times are exact to a microsecond."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.time import Time
from hypothesis import given
from hypothesis import strategies as st

from xgamma.dialects import as_number, card_number
from xgamma.errors import ConfigError, InputError
from xgamma.times import (
    clipped_gti,
    disjoint_gti,
    inside_gti,
    interval_seconds,
    merged_gti,
    mjdref_from_header,
    nights,
    overlap,
    overlap_problem,
    seconds_since,
    stop_slack,
    time_from_seconds,
    with_slack,
)

rows = st.lists(st.tuples(st.floats(0, 1e4), st.floats(0.1, 1e3)), min_size=1, max_size=12).map(
    lambda pairs: np.array([(start, start + length) for start, length in pairs])
)


def test_mjdref_is_the_sum_of_its_parts_in_tt():
    header = {"MJDREFI": 51910, "MJDREFF": 0.000742870370370241, "TIMESYS": "TT"}
    assert mjdref_from_header(header) == 51910.000742870370370241
    utc = mjdref_from_header({"MJDREFI": 51910, "TIMESYS": "UTC"})
    assert (utc - 51910) * 86400 == pytest.approx(64.184, abs=1e-5)


# Seconds that a scale is behind TT at MJD 51910 (2001), to the digits of an MJD.
@pytest.mark.parametrize(
    ("scale", "seconds"),
    {
        **dict.fromkeys(["TT", "tt", " TT ", "TDT", "ET", "TT(TAI)"], 0.0),
        **dict.fromkeys(["TAI", "IAT", "tai"], 32.184),
        **dict.fromkeys(["UTC", "utc", "Utc", "GMT", "UTC(NIST)"], 64.184),
        "TDB": 0.0,
    }.items(),
)
def test_seconds_are_counted_in_the_scales_of_fits_however_they_are_written(scale, seconds):
    epoch = mjdref_from_header({"MJDREFI": 51910, "MJDREFF": 0.25, "TIMESYS": scale})
    assert (epoch - 51910.25) * 86400 == pytest.approx(seconds, abs=2e-3 if scale == "TDB" else 2e-6)


@pytest.mark.parametrize(
    "scale",
    ["", "  ", "GPS", "LOCAL", "UT1", "UT", "TCB", "TCG", "LST", "TT.", "(TT)", 0, 1.5, True, None, float("nan")],
)
def test_an_unsupported_time_scale_raises(scale):
    with pytest.raises(InputError, match=r"TIMESYS = .*; expected TT, TAI, UTC or TDB"):
        mjdref_from_header({"MJDREFI": 51910, "TIMESYS": scale})


@pytest.mark.parametrize(
    "header",
    [
        {"MJDREF": 51910.25},
        {"MJDREFI": 51910.0, "MJDREFF": 0.25},
        {"MJDREFI": "51910", "MJDREFF": "2.5D-1"},
        {"MJDREFI": 51910, "MJDREFF": 0.25, "MJDREF": 7.0},
        {"MJDREF": "51910.25", "MJDREFI": " "},
    ],
)
def test_an_epoch_may_be_one_card_or_two_and_text(header):
    assert mjdref_from_header(header) == 51910.25


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ({}, "needs MJDREFI or MJDREF"),
        ({"MJDREFF": 0.5}, "needs MJDREFI or MJDREF"),
        ({"MJDREFI": None}, "needs MJDREFI or MJDREF"),
        ({"MJDREFI": "yesterday"}, "MJDREFI = 'yesterday'; expected a finite number"),
        ({"MJDREFI": True}, "MJDREFI = True; expected a finite number"),
        ({"MJDREFI": float("nan")}, "MJDREFI = nan; expected a finite number"),
        ({"MJDREFI": float("inf"), "TIMESYS": "UTC"}, "MJDREFI = inf; expected a finite number"),
        ({"MJDREFI": 51910, "MJDREFF": float("nan")}, "MJDREFF = nan; expected a finite number"),
        ({"MJDREFI": 1e300, "TIMESYS": "UTC"}, "expected one from 36934 to 88069"),
        ({"MJDREFI": 10**400}, "expected a finite number"),
        ({"MJDREFI": 2451910}, "expected one from 0 to 88069"),
        ({"MJDREFI": -1}, "expected one from 0 to 88069"),
        ({"MJDREFI": 0, "TIMESYS": "UTC"}, "expected one from 36934 to 88069"),
    ],
)
def test_a_header_without_an_epoch_raises(header, words):
    with pytest.raises(InputError, match=words):
        mjdref_from_header(header)


def test_a_card_is_a_finite_number_or_missing():
    assert [card_number({"A": value}, "A") for value in (1, "1", 1.0)] == [1.0, 1.0, 1.0]
    assert [card_number(header, "A") for header in ({}, {"A": None}, {"A": " "})] == [None, None, None]
    assert np.isnan([as_number(value) for value in ("", "one", None, True, [1.0], 1j)]).all()


@given(st.floats(0, 1e9))
def test_seconds_and_times_are_inverse_to_a_microsecond(seconds):
    assert seconds_since(time_from_seconds(seconds, 51910.0007), 51910.0007) == pytest.approx(seconds, abs=1e-6)


def test_an_interval_that_stops_before_it_starts_raises():
    with pytest.raises(ConfigError, match="starts before it stops"):
        interval_seconds(Time("2005-01-02"), Time("2005-01-01"), 51910.0)


@given(rows, st.floats(0, 5e3), st.floats(1, 5e3))
def test_clipped_time_lies_inside_and_is_not_longer(gti, start, length):
    clipped = clipped_gti(gti, start, start + length)
    assert ((clipped >= start) & (clipped <= start + length)).all()
    assert np.diff(clipped, axis=1).sum() <= np.diff(gti, axis=1).sum() + 1e-9


@given(rows)
def test_merged_time_is_sorted_disjoint_and_covers_what_it_came_from(gti):
    merged = merged_gti(gti)
    assert (merged[1:, 0] > merged[:-1, 1]).all()
    for start, stop in gti:
        assert ((merged[:, 0] <= start) & (merged[:, 1] >= stop)).any()
    np.testing.assert_array_equal(merged_gti(merged), merged)


@given(rows, rows)
def test_the_union_of_good_time_is_its_measure(gti, more):
    both = np.concatenate([gti, more, gti[:1]])
    edges = np.unique(both)
    covered = [any(start <= middle < stop for start, stop in both) for middle in (edges[1:] + edges[:-1]) / 2]
    measure = float(np.diff(edges)[covered].sum())
    union = disjoint_gti(both)
    assert np.diff(union, axis=1).sum() == pytest.approx(measure, rel=1e-9)
    assert overlap(both) == pytest.approx(np.diff(both, axis=1).sum() - measure, abs=1e-6)
    assert (union[1:, 0] >= union[:-1, 1]).all()
    np.testing.assert_array_equal(disjoint_gti(union), union)


def test_adjacent_and_separate_intervals_stay_and_empty_ones_are_removed():
    gti = np.array([[9.0, 12.0], [0.0, 5.0], [5.0, 8.0], [7.0, 7.0]])
    np.testing.assert_array_equal(disjoint_gti(gti), [[0.0, 5.0], [5.0, 8.0], [9.0, 12.0]])
    assert disjoint_gti(np.empty((0, 2))).shape == (0, 2)
    assert overlap(np.empty((0, 2))) == 0.0


@given(rows, st.lists(st.floats(-10, 2e4), max_size=30), st.randoms())
def test_a_time_is_in_good_time_from_each_start_to_before_its_stop(gti, times, random):
    marks = [*times, *gti.ravel(), np.nan, np.inf, -np.inf]
    random.shuffle(marks)
    inside = inside_gti(np.array(marks), disjoint_gti(gti))
    assert inside.tolist() == [any(start <= time < stop for start, stop in gti) for time in marks]
    assert not inside_gti(np.array(marks), np.empty((0, 2))).any()


@pytest.mark.parametrize(
    ("gti", "slack"),
    [
        ([[123890826.0, 123892513.0]], 1.0),
        ([[0.0, 10.0], [20.0, 30.0]], 1.0),
        ([[np.nextafter(66103155.0, 1e9), 66103455.0]], 1.0),
        ([[0.5, 10.0]], 0.0),
        ([[0.0, 10.0], [20.0, 30.5]], 0.0),
        ([[0.0, 10.25], [20.0, 30.0]], 0.0),
        ([[123890826.0, 123892513.00001]], 0.0),
        ([[0.0, np.nan]], 0.0),
    ],
)
def test_a_last_stop_in_whole_seconds_is_extended_by_a_second(gti, slack):
    assert stop_slack(np.array(gti)) == slack
    assert with_slack(np.array(gti), slack)[-1, 1] == pytest.approx(gti[-1][1] + slack, nan_ok=True)
    assert stop_slack(np.empty((0, 2))) == 0.0
    assert len(with_slack(np.empty((0, 2)), 1.0)) == 0


def test_adjacent_intervals_do_not_overlap_and_overlapping_ones_are_named():
    days = [Time(f"2005-01-{day:02d}") for day in range(1, 10)]
    assert overlap_problem([(days[2], days[4]), (days[0], days[2])]) == ""
    assert overlap_problem([]) == ""
    for intervals in (
        [(days[2], days[4]), (days[0], days[3])],
        [(days[0], days[8]), (days[2], days[3])],
        [(days[0], days[3]), (days[0], days[3])],
        [(days[0], days[3]), (days[0].tt, days[3].tai)],
    ):
        assert "intervals that do not overlap" in overlap_problem(intervals)


def test_an_unknown_site_is_at_greenwich():
    mjd = np.full(4, 53348.6)
    assert set(nights(mjd, np.array([0.0, np.nan, np.inf, -np.inf])).tolist()) == {"2004-12-09"}

"""Good time is clipped and merged, and time keeps its digits."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.time import Time
from hypothesis import given
from hypothesis import strategies as st

from xgamma.errors import ConfigError, InputError
from xgamma.times import (
    clipped_gti,
    interval_seconds,
    merged_gti,
    mjdref_from_header,
    seconds_since,
    time_from_seconds,
)

rows = st.lists(st.tuples(st.floats(0, 1e4), st.floats(0.1, 1e3)), min_size=1, max_size=12).map(
    lambda pairs: np.array([(start, start + length) for start, length in pairs])
)


def test_mjdref_is_the_sum_of_its_parts_in_tt():
    header = {"MJDREFI": 51910, "MJDREFF": 0.000742870370370241, "TIMESYS": "TT"}
    assert mjdref_from_header(header) == 51910.000742870370370241
    utc = mjdref_from_header({"MJDREFI": 51910, "TIMESYS": "UTC"})
    assert (utc - 51910) * 86400 == pytest.approx(64.184, abs=1e-5)


def test_a_header_without_epoch_is_refused():
    with pytest.raises(InputError, match="MJDREFI"):
        mjdref_from_header({})


@given(st.floats(0, 1e9))
def test_seconds_and_times_are_inverse_to_a_microsecond(seconds):
    assert seconds_since(time_from_seconds(seconds, 51910.0007), 51910.0007) == pytest.approx(seconds, abs=1e-6)


def test_an_interval_that_stops_before_it_starts_is_refused():
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

"""Which events of a run count: those in good time, each once, and the ledger has the others."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from releases import recipe, rows_in
from xgamma.events import GOOD_TIME_RULES, Part, counted_time, read_events
from xgamma.outcome import Fate, Outcome
from xgamma.reduce import reduce_block, reduce_spectra
from xgamma.times import disjoint_gti, inside_gti, stop_slack, with_slack

RUN = 0


def with_good_time(part, gti, times=None, **columns):
    """Return the first run of a part alone, with other good times, times of events and columns of the table of runs."""
    first, size = int(part.obs["event_start"][RUN]), int(part.obs["event_size"][RUN])
    events = part.events.isel(event=slice(first, first + size))
    if times is not None:
        events = events.assign(time=("event", times, events["time"].attrs))
    own = disjoint_gti(gti)
    slack = stop_slack(gti)
    facts = {
        "event_start": 0,
        "gti_start": 0,
        "gti_size": len(gti),
        "gti_slack": slack,
        "event_outside": (~inside_gti(events["time"].values, with_slack(own, slack))).sum(),
        **columns,
    }
    obs = part.obs.isel(obs=[RUN]).copy(deep=True)
    for name, value in facts.items():
        obs[name] = ("obs", np.array([value], dtype=obs[name].dtype), obs[name].attrs)
    obs.attrs |= {name: part.obs.attrs[name][:1] for name in ("telescope", "target", "notes")}
    table = part.gti.isel(gti=[0] * len(gti)).assign(
        {side: ("gti", gti[:, number], part.gti[side].attrs) for number, side in enumerate(("start", "stop"))}
    )
    return Part({**part.groups, "": obs, "events": events, "gti": table})


def without_columns(part, *names):
    """Return a part as older versions wrote it."""
    return Part({**part.groups, "": part.obs.drop_vars(names)})


def span(part):
    return float(part.obs["tstart"][RUN]), float(part.obs["tstop"][RUN])


def outside_time(reduced):
    return reduced["ledger"].values[:, 0, Fate.OUTSIDE_TIME].tolist()


# Good times as shares of the run; they may overlap, touch, be empty and stand in any order.
shares = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted), min_size=1, max_size=6).map(np.array)


@given(shares)
def test_events_in_good_time_and_those_outside_are_all_events(nights_part, found):
    start, stop = span(nights_part)
    gti = start + found * (stop - start)
    part = with_good_time(nights_part, gti)
    reduced = reduce_block(part, rows_in(part), recipe())
    times = part.events["time"].values
    inside = np.any([(times >= a) & (times <= b) for a, b in gti], axis=0)
    assert outside_time(reduced) == [(~inside).sum()]
    np.testing.assert_array_equal(reduced["ledger"].sum("fate").values[:, 0], part.obs["event_size"])
    np.testing.assert_allclose(reduced["ontime"], [np.diff(disjoint_gti(gti), axis=1).sum()], rtol=1e-12)
    np.testing.assert_allclose(reduced["livetime"], 0.94 * reduced["ontime"], rtol=1e-12)
    # What is left is what a list of these events alone would give.
    only = with_good_time(nights_part, gti)
    only.groups["events"] = part.events.isel(event=inside)
    only.groups[""]["event_size"][:] = inside.sum()
    only.groups[""]["event_outside"][:] = 0
    alone = reduce_block(only, rows_in(only), recipe())
    for name in ("counts", "counts_off", "livetime", "exposure"):
        np.testing.assert_array_equal(reduced[name], alone[name], err_msg=name)


@pytest.mark.long
@given(shares, st.floats(0.01, 0.99))
def test_two_adjacent_intervals_add_up_to_the_whole(nights_part, found, cut):
    start, stop = span(nights_part)
    part = with_good_time(nights_part, start + found * (stop - start))
    middle = start + cut * (stop - start)
    whole = reduce_block(part, rows_in(part), recipe())
    pieces = reduce_block(part, rows_in(part, [0, 0], [-np.inf, middle], [middle, np.inf]), recipe())
    for name in ("counts", "counts_off"):
        np.testing.assert_array_equal(pieces[name].sum("dataset"), whole[name].sum("dataset"))
    np.testing.assert_allclose(pieces["livetime"].sum(), whole["livetime"].sum(), rtol=1e-9, atol=1e-6)
    size = int(part.obs["event_size"][0])
    inside = [size - number for number in outside_time(pieces)]
    assert sum(inside) == size - outside_time(whole)[0]


def test_an_event_at_a_start_or_at_a_stop_counts_once(nights_part):
    """Writers take the time of the last event for the stop."""
    start, stop = span(nights_part)
    size = int(nights_part.obs["event_size"][RUN])
    gti = np.array([[start, start + 10.5], [start + 10.5, start + 20.25], [start + 30, stop]])
    times = np.full(size, start + 5)
    times[:5] = [*gti[:, 0], gti[1, 1], gti[2, 1]]
    times[5:9] = [np.nextafter(start, 0), *np.nextafter(gti[1:, 1], np.inf), np.nextafter(start + 30, 0)]
    reduced = reduce_block(part := with_good_time(nights_part, gti, times), rows_in(part), recipe())
    assert outside_time(reduced) == [4]
    np.testing.assert_array_equal(reduced["ledger"].sum("fate"), [[size]])


def test_the_order_of_events_and_of_good_times_does_not_matter(nights_part):
    start, stop = span(nights_part)
    gti = np.array([[start + 60, stop - 10.5], [start, start + 30.25]])
    part = with_good_time(nights_part, gti)
    order = np.random.default_rng(3).permutation(int(part.obs["event_size"][0]))
    other = Part({**part.groups, "events": part.events.isel(event=order)})
    plain, shuffled = (reduce_block(each, rows_in(each), recipe()) for each in (part, other))
    for name in ("counts", "counts_off", "ledger", "gti"):
        np.testing.assert_array_equal(plain[name], shuffled[name])
    assert outside_time(plain)[0] > 0
    assert plain["gti"].values[0, :, 0].tolist() == [start, start + 60]


@pytest.mark.parametrize(("rule", "whole", "fraction"), [("rounded", 3, 4), ("strict", 4, 4), ("ignored", 0, 0)])
def test_a_truncated_last_second_counts_by_the_rule_of_good_time(nights_part, rule, whole, fraction):
    start, stop = (float(np.rint(side)) for side in span(nights_part))
    size = int(nights_part.obs["event_size"][RUN])
    for late, outside in ((0.0, whole), (0.25, fraction)):
        times = np.full(size, start + 5)
        end = stop + late
        # Past the stop by 0 and 0.9 s, by a second, before the start, and NaN-free.
        times[:4] = [end + 0.9, end + 1.0, end + 30, start - 0.5]
        part = with_good_time(nights_part, np.array([[start, end]]), times)
        reduced = reduce_block(part, rows_in(part), recipe(good_time=rule))
        assert outside_time(reduced) == [outside]
        assert reduced["ontime"].values.tolist() == [end - start]
        # Older parts do not record it; their events are read.
        old = without_columns(part, "event_outside", "gti_slack")
        again = reduce_block(old, rows_in(old), recipe(good_time=rule))
        np.testing.assert_array_equal(again["ledger"], reduced["ledger"])


def test_times_are_read_only_where_some_events_may_not_count(nights_part):
    rows = rows_in(nights_part)
    assert counted_time(nights_part, rows, "rounded") == [None] * 7
    assert counted_time(nights_part, rows, "strict") == [None] * 7
    assert counted_time(nights_part, rows, "ignored") == [None] * 7
    start = float(nights_part.obs["tstart"][3]) + 20
    cut = rows_in(nights_part, start=np.where(np.arange(7) == 3, start, -np.inf))
    for rule in GOOD_TIME_RULES:
        assert [window is None for window in counted_time(nights_part, cut, rule)] == [True] * 3 + [False] + [True] * 3
    old = without_columns(nights_part, "event_outside", "gti_slack")
    assert all(window is not None for window in counted_time(old, rows, "rounded"))
    assert counted_time(old, rows, "ignored") == [None] * 7


def test_rows_with_and_without_windows_do_not_affect_each_other(nights_part):
    outside = nights_part.obs["event_outside"].copy(data=[np.nan, 0, np.nan, 0, 0, 1, 0])
    part = Part({**nights_part.groups, "": nights_part.obs.assign(event_outside=outside)})
    plain = reduce_spectra(nights_part, rows_in(nights_part), recipe())
    mixed = reduce_spectra(part, rows_in(part), recipe())
    for name in ("counts", "counts_off", "ledger"):
        np.testing.assert_array_equal(plain[name], mixed[name])


@pytest.mark.some_long(3)
@pytest.mark.parametrize("limit", [1, 7, 300, 1500, 10**6])
def test_pieces_of_events_know_which_of_them_are_in_time(nights_part, limit):
    outside = nights_part.obs["event_outside"].copy(data=[0, np.nan, 0, 0, 1, 1, 0])
    part = Part({**nights_part.groups, "": nights_part.obs.assign(event_outside=outside)})
    starts = np.where(np.arange(7) % 3 == 1, part.obs["tstart"].values + 25, -np.inf)
    pieces = list(read_events(part, rows_in(part, start=starts), limit))
    row, in_time = (np.concatenate([getattr(piece, name) for piece in pieces]) for name in ("row", "in_time"))
    np.testing.assert_array_equal(in_time, part.events["time"].values >= starts[row])
    assert 0 < in_time.sum() < len(in_time)


@pytest.mark.parametrize("worthless", [np.nan, np.inf, -np.inf])
def test_a_run_with_a_time_that_is_not_finite_is_masked(nights_part, worthless):
    start, stop = span(nights_part)
    times = nights_part.events["time"].values[: int(nights_part.obs["event_size"][RUN])].copy()
    times[17] = worthless
    part = with_good_time(nights_part, np.array([[start, stop]]), times)
    reduced = reduce_block(part, rows_in(part), recipe())
    assert reduced["outcome"].values.tolist() == [Outcome.INVALID_EVENTS]
    assert reduced["ledger"].values[0, 0, [Fate.INVALID, Fate.OUTSIDE_TIME]].tolist() == [1, 0]
    assert reduce_block(part, rows_in(part), recipe(good_time="ignored"))["outcome"].values.tolist() == [Outcome.USED]


def test_a_run_without_events_in_its_good_time_is_masked(nights_part):
    _, stop = span(nights_part)
    part = with_good_time(nights_part, np.array([[stop + 100, stop + 1780.5]]))
    reduced = reduce_block(part, rows_in(part), recipe())
    assert reduced["outcome"].values.tolist() == [Outcome.NO_EVENT_IN_TIME]
    assert not reduced["mask_safe"].any()
    assert outside_time(reduced) == part.obs["event_size"].values.tolist()


@pytest.mark.parametrize(
    ("row", "deadc"),
    [
        ((1880.0, 1680.0), 0.94),
        ((np.nan, 1680.0), 0.94),
        ((0.0, np.inf), 0.94),
        ((0.0, 1680.0), 94.0),
        ((0.0, 1680.0), 0.0),
        ((0.0, 1680.0), -1.0),
        ((0.0, 1680.0), np.nan),
    ],
)
def test_a_part_of_an_older_version_with_impossible_times_is_masked(nights_part, row, deadc):
    start, _ = span(nights_part)
    gti = start + np.array([(0.0, 50.0), row])
    part = without_columns(with_good_time(nights_part, gti, deadc=deadc), "event_outside", "gti_slack")
    reduced = reduce_block(part, rows_in(part), recipe())
    assert reduced["outcome"].values.tolist() == [Outcome.INVALID_TIME]
    assert reduced["livetime"].values.tolist() == [0.0]
    for name in ("livetime", "ontime", "exposure", "counts"):
        assert np.isfinite(reduced[name]).all()


def test_a_part_of_an_older_version_whose_good_times_overlap_counts_each_second_once(nights_part):
    start, stop = span(nights_part)
    part = without_columns(with_good_time(nights_part, np.array([[start, stop]] * 2)), "event_outside", "gti_slack")
    reduced = reduce_block(part, rows_in(part), recipe())
    np.testing.assert_allclose(reduced["ontime"], [stop - start], rtol=1e-12)


@pytest.mark.parametrize("rule", ["strict", "ignored"])
def test_a_rule_enters_the_document_where_it_is_not_the_default(rule):
    assert "good_time" not in recipe().document()
    assert "good_time" not in recipe(good_time="rounded").document()
    assert recipe(good_time=rule).document() == {**recipe().document(), "good_time": rule}

"""Selections: which runs, and which time intervals of them."""

import numpy as np
import pytest
from astropy.time import Time
from hypothesis import given
from hypothesis import strategies as st

from releases import NIGHTS
from xgamma.errors import ConfigError, InputError, MissingInputError, UnknownNameError
from xgamma.events import Rows, RunFacts, good_time
from xgamma.geometry import separation
from xgamma.select import Cone, Selection, read_obs_file, rows_of, select_runs, selection_order, sieved
from xgamma.simulate.plan import MJDREFF, MJDREFI
from xgamma.times import time_from_seconds

ROLES = frozenset(["events", "gti", "aeff", "edisp", "psf", "bkg"])


@pytest.fixture(scope="module")
def facts(nights_part):
    return {run.obs_id: run for run in nights_part.facts()}


@pytest.fixture(scope="module")
def two_parts(nights_part):
    """The same runs as if they had been ingested in turns into two parts."""
    places = {obs_id: ("odd" if obs_id % 2 else "even", obs_id - 1) for obs_id in range(1, 8)}
    return {"odd": nights_part, "even": nights_part}, places


def time_at(seconds):
    return time_from_seconds(seconds, MJDREFI + MJDREFF)


def test_all_runs_are_selected_in_the_order_of_the_release(facts):
    assert select_runs(facts, Selection()) == [1, 2, 3, 4, 5, 6, 7]


def test_runs_are_in_the_requested_order(facts):
    assert select_runs(facts, Selection(obs_ids=(5, 1, 7))) == [5, 1, 7]


def test_unknown_runs_are_named(facts):
    with pytest.raises(UnknownNameError, match=r"has no run 8, 99; it has 7 runs from 1 to 7"):
        select_runs(facts, Selection(obs_ids=(8, 2, 99)))


@given(
    lon=st.floats(0, 360),
    lat=st.floats(-90, 90),
    radius=st.floats(0.01, 180),
    frame=st.sampled_from(["icrs", "galactic"]),
)
def test_a_cone_selects_the_pointings_strictly_inside(lon, lat, radius, frame):
    random = np.random.default_rng(3)
    pointings = np.stack([random.uniform(0, 360, 50), np.degrees(np.arcsin(random.uniform(-1, 1, 50)))], axis=1)
    runs = {number: RunFacts(number, *pointing.tolist(), ROLES) for number, pointing in enumerate(pointings)}
    found = select_runs(runs, Selection(cone=Cone(lon, lat, radius, frame)))
    if frame == "icrs":
        distance = separation(pointings[:, 0], pointings[:, 1], lon, lat)
        assert found == np.flatnonzero(distance < radius).tolist()
    else:
        everything = select_runs(runs, Selection(cone=Cone(lon, lat, 180.1, frame)))
        assert everything == list(range(50))
        assert set(found) <= set(everything)


def test_the_edge_of_a_cone_is_outside(facts):
    distance = float(separation(facts[1].ra, facts[1].dec, 83.633, 22.014))
    assert 1 not in select_runs(facts, Selection(cone=Cone(83.633, 22.014, distance)))
    assert 1 in select_runs(facts, Selection(cone=Cone(83.633, 22.014, np.nextafter(distance, 1))))


def test_runs_without_a_required_response_are_left_out_and_named(facts):
    short = {**facts, 3: RunFacts(3, facts[3].ra, facts[3].dec, ROLES - {"psf"})}
    assert select_runs(short, Selection()) == [1, 2, 4, 5, 6, 7]
    assert sieved(short, Selection()).dropped["required_irf"] == {
        3: "it has no psf, which observations.required_irf asks for"
    }
    assert select_runs(short, Selection(required_irf=("aeff",))) == [1, 2, 3, 4, 5, 6, 7]


# --- rows


def test_whole_runs_keep_their_names(two_parts):
    rows = rows_of(*two_parts, [1, 2, 3], Selection())
    assert {part: piece.names for part, piece in rows} == {"odd": ("1", "3"), "even": ("2",)}
    assert all(np.isinf(piece.start).all() and np.isinf(piece.stop).all() for _, piece in rows)


@given(obs_ids=st.permutations(range(1, 8)))
def test_rows_of_parts_have_their_index_in_the_selection(two_parts, obs_ids):
    rows = rows_of(*two_parts, obs_ids, Selection())
    names = [name for _, piece in rows for name in piece.names]
    assert [names[row] for row in selection_order(rows)] == [str(obs_id) for obs_id in obs_ids]
    assert len(rows) == 2


def test_rows_that_are_the_whole_selection_are_in_its_order():
    infinite = np.full(3, np.inf)
    rows = Rows(np.array([4, 2, 3]), -infinite, infinite, ("a", "b", "c"))
    assert selection_order([("part", rows)]).tolist() == [0, 1, 2]
    assert selection_order([]).tolist() == []


def test_a_run_in_several_intervals_is_several_rows_with_names_of_their_own(two_parts):
    run = NIGHTS.run(2)
    cuts = run.gti[0, 0] + np.array([-5000.0, 10.0, 20.0, 30.0])
    intervals = tuple(zip(time_at(cuts[:-1]), time_at(cuts[1:]), strict=True))
    rows = rows_of(*two_parts, [1, 2, 3], Selection(intervals=intervals))
    names = [name for _, piece in rows for name in piece.names]
    assert [names[row] for row in selection_order(rows)] == ["1", "2", "3-1", "3-2", "3-3"]
    assert len(set(names)) == len(names)


def test_parts_of_a_run_hold_its_good_time(two_parts, nights_part):
    gti = NIGHTS.run(2).gti
    cuts = np.array([gti[0, 0] - 1, gti[0, 0] + 15, gti[1, 0] + 20, gti[1, 1] + 1])
    intervals = tuple(zip(time_at(cuts[:-1]), time_at(cuts[1:]), strict=True))
    [(_, rows)] = rows_of(*two_parts, [3], Selection(intervals=intervals))
    assert rows.names == ("3-1", "3-2", "3-3")
    pieces = good_time(nights_part, rows)
    np.testing.assert_allclose(pieces[0], [[gti[0, 0], cuts[1]]], atol=1e-3)
    np.testing.assert_allclose(pieces[1], [[cuts[1], gti[0, 1]], [gti[1, 0], cuts[2]]], atol=1e-3)
    np.testing.assert_allclose(pieces[2], [[cuts[2], gti[1, 1]]], atol=1e-3)


def test_an_interval_outside_a_run_drops_it(two_parts):
    gti = NIGHTS.run(0).gti
    beside = (
        (time_at(gti[0, 0] - 100), time_at(gti[0, 0] - 1e-3)),
        (time_at(gti[1, 1] + 1e-3), time_at(gti[1, 1] + 9)),
    )
    assert rows_of(*two_parts, [1], Selection(intervals=beside)) == []


def test_an_interval_that_stops_before_it_starts_raises(two_parts):
    backward = ((Time("2024-12-11"), Time("2024-12-10")),)
    with pytest.raises(ConfigError, match="A time interval starts before it stops"):
        rows_of(*two_parts, [1], Selection(intervals=backward))


def test_slices_of_rows_are_rows(two_parts):
    [(_, rows)] = rows_of(
        {"all": two_parts[0]["odd"]}, {i: ("all", i - 1) for i in range(1, 8)}, range(1, 8), Selection()
    )
    assert len(rows[2:5]) == 3
    assert rows[2:5].names == ("3", "4", "5")
    assert rows[2:5].obs.tolist() == [2, 3, 4]


# --- files of ids


def test_a_file_of_ids_is_read_by_its_first_column(tmp_path):
    (tmp_path / "runs.txt").write_text("# runs\n23523 # the first\n\n23526, good\n 7\n")
    assert read_obs_file(tmp_path / "runs.txt") == (23523, 23526, 7)


def test_a_file_of_text_raises(tmp_path):
    (tmp_path / "runs.txt").write_text("OBS_ID\n1\n")
    with pytest.raises(InputError, match=r"line 1 of .* begins with 'OBS_ID'; expected an id"):
        read_obs_file(tmp_path / "runs.txt")
    with pytest.raises(MissingInputError, match=r"observations\.obs_file: there is no file"):
        read_obs_file(tmp_path / "nowhere.txt")

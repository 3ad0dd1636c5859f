"""Good time and dead time of headers and GTI tables, and notes on what is doubtful."""

from __future__ import annotations

import numpy as np
import pytest

from xgamma.errors import InputError
from xgamma.formats.gadf.events import dead_time_correction, good_time, notes_on_epoch, notes_on_ontime

NAN, INF = float("nan"), float("inf")
EVENTS = {"MJDREFI": 51910, "MJDREFF": 0.00074287037037037, "TIMESYS": "TT"}
ROWS = np.array([[100.25, 400.5], [1200.0, 1680.0]])


def texts(notes):
    return [text for _, text in notes]


# --- good time


def test_good_time_of_the_epoch_of_the_events_is_as_it_is_written():
    found = good_time(ROWS, EVENTS, EVENTS)
    np.testing.assert_array_equal(found.rows, ROWS)
    assert (found.ontime, found.slack, found.notes) == (780.25, 0.0, ())


@pytest.mark.parametrize(
    ("header", "shift"),
    [
        ({}, 0.0),
        ({"TIMESYS": "TT"}, 0.0),
        ({"MJDREFI": 51909, "MJDREFF": 0.00074287037037037}, -86400.0),
        ({"MJDREF": 51911.00074287037037}, 86400.0),
        ({"MJDREFI": 51910, "MJDREFF": 0.00074287037037037, "TIMESYS": "utc"}, 64.184),
        ({"TIMESYS": "TAI"}, 32.184),
    ],
)
def test_an_epoch_or_scale_that_the_good_time_leaves_out_is_that_of_the_events(header, shift):
    found = good_time(ROWS, header, EVENTS)
    np.testing.assert_allclose(found.rows - ROWS, shift, atol=2e-6)


def test_whole_seconds_are_those_of_the_file_and_not_of_another_epoch():
    found = good_time(np.array([[100.0, 1680.0]]), {"TIMESYS": "UTC"}, EVENTS)
    assert found.rows[0, 1] == pytest.approx(1744.184, abs=2e-6)
    assert found.slack == 1.0
    assert found.outside(np.array([1744.0, 1745.0, 1745.2, NAN])) == 2


@pytest.mark.parametrize(
    ("rows", "ontime", "repeated"),
    [
        ([(0, 1680)], 1680.0, None),
        ([(0, 1200), (800, 1680)], 1680.0, "400"),
        ([(800, 1680), (0, 1200)], 1680.0, "400"),
        ([(0, 1680), (0, 1680)], 1680.0, "1680"),
        ([(0, 1680), (100, 200), (300, 400)], 1680.0, "200"),
        ([(0, 840), (840, 1680)], 1680.0, None),
        ([(0, 840), (839.9999999, 1680)], 1680.0, None),
        ([(0, 840), (840, 840), (900, 1680)], 1620.0, None),
        ([], 0.0, None),
    ],
)
def test_overlapping_good_time_counts_once_with_a_note(rows, ontime, repeated):
    found = good_time(np.array(rows, float).reshape(-1, 2), {}, EVENTS)
    assert found.ontime == pytest.approx(ontime, abs=1e-6)
    said = [f"Good times overlap: {repeated} s stand in more than one row of GTI, and count once."] if repeated else []
    assert texts(found.notes) == said


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ((2180, 1880), "Row 1 of GTI stops before it starts: START is 2180.0 s, STOP is 1880.0 s"),
        ((NAN, 1880), "Row 1 of GTI is not finite: START is nan s"),
        ((1880, 1e30), "Row 1 of GTI lies farther from its epoch than any date: START is 1880.0 s, STOP is 1e\\+30 s"),
        ((0, NAN), "is not finite"),
        ((0, INF), "is not finite"),
        ((-INF, INF), "is not finite"),
    ],
)
def test_raises_for_good_time_that_runs_backwards_or_is_not_finite(row, words):
    with pytest.raises(InputError, match=words):
        good_time(np.array([(0, 100), row], float), {}, EVENTS)


@pytest.mark.parametrize("scale", ["LOCAL", "GPS", ""])
def test_raises_for_an_unknown_time_scale_of_good_time(scale):
    with pytest.raises(InputError, match=f"TIMESYS = '{scale}'"):
        good_time(ROWS, {**EVENTS, "TIMESYS": scale}, EVENTS)


def test_notes_times_that_may_be_unix_times_and_no_others():
    unix = {"MJDREFI": 40587, "MJDREFF": 0.0, "TIMESYS": "UTC"}
    [(topic, text)] = notes_on_epoch(unix)
    assert topic == "TIMESYS"
    assert "early" in text
    assert notes_on_epoch({**unix, "MJDREFI": 40587.0, "TIMESYS": "utc"}) != ()
    assert notes_on_epoch({"MJDREF": 40587.0, "TIMESYS": "UTC"}) != ()
    for other in (EVENTS, {**unix, "TIMESYS": "TT"}, {**unix, "MJDREFI": 53402}):
        assert notes_on_epoch(other) == ()


def test_notes_a_header_without_a_time_scale():
    [(topic, text)] = notes_on_epoch({"MJDREFI": 51910})
    assert (topic, text) == ("TIMESYS", "The header has no TIMESYS; its seconds are taken for those of TT.")


# --- dead time


@pytest.mark.parametrize("said", [0.94, "0.94", " 9.4D-1 ", 0.9405, 0.9391])
def test_deadc_is_used_when_livetime_and_ontime_confirm_it(said):
    deadc, notes = dead_time_correction({"DEADC": said, "LIVETIME": 1579.2, "ONTIME": 1680.0})
    assert deadc == float(str(said).replace("D", "E"))
    assert notes == ()


@pytest.mark.parametrize(
    "said", [None, "", "94 %", "high", 94, 94.0, 0.06, "0.06", 1.0, 0.95, -1.0, 0.0, 1.0005, NAN, INF, True]
)
def test_livetime_over_ontime_is_used_when_deadc_differs_or_is_invalid(said):
    deadc, notes = dead_time_correction({"DEADC": said, "LIVETIME": 1579.2, "ONTIME": 1680.0})
    assert deadc == pytest.approx(0.94, rel=1e-12)
    card = "no DEADC" if said is None else f"DEADC = {said!r}"
    assert notes == (("DEADC", f"The header has {card}; LIVETIME / ONTIME = 0.94 is used."),)


@pytest.mark.parametrize(
    "times",
    [
        {"LIVETIME": 1700.0, "ONTIME": 1680.0},
        {"LIVETIME": 1579.2, "ONTIME": 0.0},
        {"LIVETIME": 0.0, "ONTIME": 1680.0},
        {"LIVETIME": -1.0, "ONTIME": 1680.0},
        {"LIVETIME": -1579.2, "ONTIME": -1680.0},
        {"LIVETIME": NAN, "ONTIME": 1680.0},
        {"LIVETIME": 1579.2, "ONTIME": INF},
        {"LIVETIME": "long", "ONTIME": 1680.0},
    ],
)
def test_deadc_is_used_when_livetime_and_ontime_are_invalid(times):
    deadc, [(topic, text)] = dead_time_correction({"DEADC": 0.94, **times})
    assert (deadc, topic) == (0.94, "DEADC")
    assert text.endswith("which cannot both be right; DEADC = 0.94 is used.")
    for said in (None, 94.0, 0.0, "high"):
        with pytest.raises(InputError, match="expected a DEADC above 0 and up to 1, or LIVETIME and ONTIME"):
            dead_time_correction({"DEADC": said, **times})


@pytest.mark.parametrize("times", [{}, {"LIVETIME": 1579.2}, {"ONTIME": 1680.0}])
def test_without_livetime_or_ontime_deadc_is_used_or_raises(times):
    assert dead_time_correction({"DEADC": 0.94, **times}) == (0.94, ())
    assert dead_time_correction({"DEADC": 1, **times}) == (1.0, ())
    for said in ({}, {"DEADC": 94.0}, {"DEADC": "high"}, {"DEADC": 0.0}, {"DEADC": -1.0}, {"DEADC": NAN}):
        with pytest.raises(InputError, match=r"The header has (no )?DEADC"):
            dead_time_correction({**said, **times})


def test_a_livetime_rounded_above_the_ontime_gives_a_correction_of_1():
    assert dead_time_correction({"LIVETIME": 1680.001, "ONTIME": 1680.0})[0] == 1.0
    assert dead_time_correction({"DEADC": 1.0, "LIVETIME": 1680.001, "ONTIME": 1680.0}) == (1.0, ())


def test_notes_an_ontime_that_differs_from_the_sum_of_good_time():
    [(topic, text)] = notes_on_ontime({"ONTIME": 1680.0}, 880.0)
    assert (topic, text) == ("ONTIME", "ONTIME = 1680 s, and the good time adds up to 880 s, which is used.")
    # What MAGIC, VERITAS and FACT round: up to 2e-4.
    for said in (1183.80294203758, 1184.0, "1184", None, "", 0.0, NAN):
        assert notes_on_ontime({"ONTIME": said}, 1184.0) == ()

"""Files whose times, good times and dead times are not as they should be: the right number, or the run is left out."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.time import Time

import faults
from faults import run_file
from releases import config_of, part_in_memory, until_datasets
from xgamma.analysis import AnalysisConfig
from xgamma.errors import ConfigError
from xgamma.formats.fits.tables import read_tables
from xgamma.formats.gadf.events import dead_time_correction, good_time, notes_on_ontime
from xgamma.formats.gadf.index import read_index
from xgamma.formats.gadf.run import read_run
from xgamma.outcome import Fate
from xgamma.select import Selection
from xgamma.simulate.plan import MJDREFF, MJDREFI
from xgamma.store import Store

RUN, OTHERS = 2, ["1", "3"]
JOINT = "datasets: {stack: false}"


def reduced(release, *texts):
    """Return the analysis and its rows by name, without the energy masks."""
    analysis = until_datasets(config_of(release, "memory://", JOINT, *texts))
    return analysis, {view.name: view for view in analysis.datasets}


def numbers(view):
    return [view.counts.sum(), view.counts_off.sum(), float(view.data["livetime"].item())]


def run_of(release, obs_id=RUN):
    return read_run(read_index(release).runs[obs_id])


def change_hdus(release, change, obs_id=RUN):
    faults._change(run_file(release, obs_id), change)


# --- events outside of good time


def test_events_of_a_gap_do_not_count(own_release, tiny_release):
    zero = faults.replace_good_time(own_release, RUN, [(0, 30), (70.5, 120)])
    times = part_in_memory(tiny_release).events["time"].values
    run = run_of(own_release)
    t = run.events["time"] - zero
    outside = ~(((t >= 0) & (t < 30)) | ((t >= 70.5) & (t < 120)))
    assert 0 < outside.sum() < len(t) < len(times)
    assert run.event_outside == outside.sum()
    assert [topic for topic, _ in run.notes] == ["ONTIME", "GTI"]
    assert run.notes[1].text == f"{outside.sum()} of {len(t)} events lie in no good time, and do not count."
    analysis, found = reduced(own_release)
    _, plain = reduced(tiny_release)
    # What stays is what a list without the events of the gap gives.
    faults._change_events(own_release, RUN, lambda rows: rows[~outside].copy())
    _, filtered = reduced(own_release)
    assert run_of(own_release).event_outside == 0
    assert numbers(found["2"]) == numbers(filtered["2"])
    assert numbers(found["2"])[0] < numbers(plain["2"])[0]
    assert numbers(found["2"])[2] == pytest.approx(79.5 * 0.94, rel=1e-9)
    assert analysis.unused == []
    for name in OTHERS:
        assert numbers(found[name]) == numbers(plain[name])


def test_an_interval_over_a_gap_counts_what_lies_in_good_time(own_release):
    zero = faults.replace_good_time(own_release, RUN, [(0, 30), (70.5, 120)])
    begin = Time(MJDREFI + MJDREFF, format="mjd", scale="tt") + zero * u.s
    start, stop = ((begin + seconds * u.s).utc.isot for seconds in (20, 80))
    cut = f"observations: {{obs_time: {{start: '{start}', stop: '{stop}'}}}}"
    _, found = reduced(own_release, cut)
    t = run_of(own_release).events["time"] - zero
    inside = ((t >= 20) & (t < 30)) | ((t >= 70.5) & (t < 80))
    ledger = found["2"].data["ledger"].values[0, 0]
    assert ledger[Fate.OUTSIDE_TIME] == (~inside).sum()
    assert float(found["2"].data["ontime"][0]) == pytest.approx(19.5, abs=1e-3)
    faults._change_events(own_release, RUN, lambda rows: rows[inside].copy())
    _, filtered = reduced(own_release, cut)
    assert numbers(found["2"])[:2] == numbers(filtered["2"])[:2]


def test_the_rule_of_good_time_is_a_key_that_is_printed_where_it_is_set(own_release, tmp_path):
    faults.replace_good_time(own_release, RUN, [(0, 30), (70.5, 120)])
    store = tmp_path / "store"
    config = config_of(own_release, store, JOINT)
    assert "good_time" not in config.datasets.document()
    counts = {}
    for rule in ("rounded", "strict", "ignored"):
        named = config_of(own_release, store, JOINT, f"datasets: {{good_time: {rule}}}")
        assert f"good_time: {rule}" in named.to_yaml()
        assert AnalysisConfig.from_yaml(named.to_yaml()).datasets.good_time == rule
        counts[rule] = until_datasets(named).datasets["2"].counts.sum()
    assert counts["rounded"] == counts["strict"] < counts["ignored"]
    assert len(Store(store).ls("rows")) == 3
    assert until_datasets(config).datasets["2"].counts.sum() == counts["rounded"]
    assert len(Store(store).ls("rows")) == 3
    with pytest.raises(
        ConfigError, match=r"datasets.good_time: expected rounded, strict or ignored|datasets.good_time"
    ):
        config_of(own_release, store, "datasets: {good_time: loose}")


def test_events_in_a_truncated_last_second_are_counted(own_release):
    def whole(hdus):
        start = np.floor(hdus["GTI"].data["START"][0])
        hdus["EVENTS"].data["TIME"] += start - hdus["GTI"].data["START"][0]
        hdus["GTI"].data["START"], hdus["GTI"].data["STOP"] = start, start + 119

    change_hdus(own_release, whole)
    run = run_of(own_release)
    late = run.events["time"] >= run.gti[0, 1]
    assert late.sum() > 0
    assert (run.gti_slack, run.event_outside) == (1.0, 0)
    assert [note for note in run.notes if note.topic == "GTI"] == []
    ledgers = {
        rule: reduced(own_release, f"datasets: {{good_time: {rule}}}")[1]["2"]
        .data["ledger"]
        .values[0, 0, Fate.OUTSIDE_TIME]
        for rule in ("rounded", "strict", "ignored")
    }
    assert ledgers == {"rounded": 0, "strict": late.sum(), "ignored": 0}
    _, found = reduced(own_release)
    assert numbers(found["2"])[2] == pytest.approx(119 * 0.94, rel=1e-12)


# --- good time that is written in another way


def shift_good_time(hdus, seconds, **cards):
    for name in ("START", "STOP"):
        hdus["GTI"].data[name] += seconds
    hdus["GTI"].header.update(cards)


def days(hdus):
    for column in ("START", "STOP"):
        hdus["GTI"].data[column] /= 86400
        hdus["GTI"].columns[column].unit = "d"


def days_by_timeunit(hdus):
    days(hdus)
    for number in (1, 2):
        del hdus["GTI"].header[f"TUNIT{number}"]
    hdus["GTI"].header["TIMEUNIT"] = "d"
    for column in ("START", "STOP"):
        hdus["GTI"].columns[column].unit = None


def reverse_rows(hdus):
    faults_rows = hdus["GTI"].data[:]
    hdus["GTI"].data = faults_rows[::-1]


def one_epoch_card(hdus):
    for name in ("EVENTS", "GTI"):
        header = hdus[name].header
        header["MJDREF"] = header["MJDREFI"] + header["MJDREFF"]
        del header["MJDREFI"], header["MJDREFF"]


def text_epoch(hdus):
    hdus["EVENTS"].header["MJDREFI"] = str(hdus["EVENTS"].header["MJDREFI"])


def no_epoch(hdus):
    for name in ("MJDREFI", "MJDREFF", "TIMESYS"):
        del hdus["GTI"].header[name]


def other_tstart(hdus):
    for name in ("EVENTS", "GTI"):
        hdus[name].header.update(TSTART=-1.0, TSTOP=-5.0)


SAME = {
    "in days": days,
    "in days by TIMEUNIT": days_by_timeunit,
    "another epoch": lambda hdus: shift_good_time(hdus, 864000.0, MJDREFI=MJDREFI - 10),
    "UTC": lambda hdus: shift_good_time(hdus, -64.184, TIMESYS="utc"),
    "TAI": lambda hdus: shift_good_time(hdus, -32.184, TIMESYS="TAI"),
    "one card of the epoch": one_epoch_card,
    "a text as epoch": text_epoch,
    "no epoch of its own": no_epoch,
    "TSTART and TSTOP that are wrong": other_tstart,
}


@pytest.mark.parametrize("change", SAME)
def test_good_time_in_another_unit_scale_or_epoch_is_the_same(own_release, change):
    before = run_of(own_release)
    change_hdus(own_release, SAME[change])
    after = run_of(own_release)
    np.testing.assert_allclose(after.gti, before.gti, rtol=0, atol=3e-5)
    # An event at the very end of good time may lie a microsecond past it in other digits.
    assert after.event_outside <= 1
    assert [note.topic for note in after.notes] == ["GTI"] * after.event_outside


# --- runs that are left out


def zero_rows(hdus):
    hdus["GTI"].data = hdus["GTI"].data[:0]


def nan_rows(hdus):
    hdus["GTI"].data["STOP"][0] = np.nan


REFUSED = {
    **{
        f"TIMESYS {scale!r} in {hdu}": (
            lambda release, hdu=hdu, scale=scale: faults.write_cards(release, RUN, hdu, TIMESYS=scale),
            f"TIMESYS = {scale!r}",
        )
        for hdu in ("EVENTS", "GTI")
        for scale in ("GPS", "", "LOCAL", "UT1", "martian")
    },
    "MJDREFI as a word": (
        lambda release: faults.write_cards(release, RUN, "EVENTS", MJDREFI="then"),
        "MJDREFI = 'then'",
    ),
    "MJDREFI NaN": (lambda release: faults.write_cards_as_text(release, RUN, MJDREFI="NAN"), "MJDREFI = nan"),
    "MJDREFF inf": (lambda release: faults.write_cards_as_text(release, RUN, MJDREFF="INF"), "MJDREFF = inf"),
    "RA_PNT NaN": (lambda release: faults.write_cards_as_text(release, RUN, RA_PNT="NAN"), "RA_PNT = nan"),
    "DEC_PNT inf": (lambda release: faults.write_cards_as_text(release, RUN, DEC_PNT="INF"), "DEC_PNT = inf"),
    "DEC_PNT 122": (lambda release: faults.write_cards(release, RUN, "EVENTS", DEC_PNT=122.0), "from -90 to 90"),
    "good time backwards": (
        lambda release: faults.replace_good_time(release, RUN, [(0, 120), (90, 30)]),
        "stops before",
    ),
    "good time NaN": (lambda release: change_hdus(release, nan_rows), "Row 0 of GTI is not finite"),
    "a good time of no rows": (lambda release: change_hdus(release, zero_rows), "no good time is left"),
    "good time beside the events": (
        lambda release: faults.replace_good_time(release, RUN, [(500, 620)]),
        "no event lies in its good time",
    ),
    "times NaN": (
        lambda release: faults.change_times(release, RUN, lambda times: times * np.nan),
        "times that are not finite",
    ),
    "one time inf": (
        lambda release: faults.change_times(
            release, RUN, lambda times: np.where(np.arange(len(times)) == 5, np.inf, times)
        ),
        "times that are not finite",
    ),
    "DEADC 94 alone": (
        lambda release: faults.write_cards(release, RUN, "EVENTS", DEADC=94.0, LIVETIME=None),
        "The header has DEADC = 94.0, no LIVETIME and ONTIME = ",
    ),
    "DEADC missing, ONTIME 0": (
        lambda release: faults.write_cards(release, RUN, "EVENTS", DEADC=None, ONTIME=0.0),
        "The header has no DEADC",
    ),
    "DEADC NaN, LIVETIME NaN": (
        lambda release: faults.write_cards_as_text(release, RUN, DEADC="NAN", LIVETIME="NAN"),
        "DEADC = nan, LIVETIME = nan",
    ),
}


@pytest.fixture(scope="module")
def plain(tiny_release):
    return reduced(tiny_release)[1]


@pytest.mark.some_long(3)
@pytest.mark.parametrize("case", REFUSED)
def test_only_the_run_with_impossible_times_is_left_out(own_release, plain, case):
    change, words = REFUSED[case]
    change(own_release)
    analysis, found = reduced(own_release)
    assert list(found) == OTHERS
    [(name, said)] = analysis.unused
    assert name == "2"
    assert words in said
    for other in OTHERS:
        assert numbers(found[other]) == numbers(plain[other])


# --- dead time


def test_the_livetime_keywords_are_used_when_deadc_differs(own_release, plain):
    for obs_id, said in ((1, None), (2, 94.0), (3, 0.06)):
        faults.write_cards(own_release, obs_id, "EVENTS", DEADC=said)
    part = part_in_memory(own_release)
    np.testing.assert_allclose(part.obs["deadc"], 0.94, rtol=1e-12)
    said = ["no DEADC", "DEADC = 94.0", "DEADC = 0.06"]
    assert [part.notes(run) for run in range(3)] == [
        (("DEADC", f"The header has {card}; LIVETIME / ONTIME = 0.94 is used."),) for card in said
    ]
    _, found = reduced(own_release)
    for name in ("1", "2", "3"):
        np.testing.assert_allclose(numbers(found[name]), numbers(plain[name]), rtol=1e-12)


def test_a_pointing_that_differs_from_the_index_gives_a_warning(own_release):
    assert run_of(own_release).notes == ()
    declination = float(run_of(own_release).header["DEC_PNT"])
    faults.write_cards(own_release, RUN, "EVENTS", DEC_PNT=declination + 0.25)
    assert run_of(own_release).notes == (
        ("POINTING", "The header points 0.25 deg away from where the index does; the header is used."),
    )


# --- each event once


def intervals(*pairs):
    starts, stops = zip(*pairs, strict=True)
    return f"observations: {{obs_time: {{start: {list(starts)}, stop: {list(stops)}}}}}"


@pytest.mark.parametrize(
    "pairs",
    [
        [("2004-12-01", "2004-12-05"), ("2004-12-04", "2004-12-08")],
        [("2004-12-04", "2004-12-08"), ("2004-12-01", "2004-12-05")],
        [("2004-12-01", "2004-12-05"), ("2004-12-01", "2004-12-05")],
        [("2004-12-01", "2004-12-31"), ("2004-12-04", "2004-12-05")],
        [("2104-12-01", "2104-12-31"), ("2104-12-04", "2104-12-05")],
    ],
)
def test_overlapping_intervals_raise(pairs, tiny_release):
    with pytest.raises(ConfigError, match=r"observations.obs_time: expected intervals that do not overlap") as error:
        AnalysisConfig.from_yaml(intervals(*pairs))
    assert "\n" not in str(error.value)
    if pairs[0][0] < "2100":
        with pytest.raises(ConfigError, match="expected intervals that do not overlap"):
            Selection(intervals=tuple((Time(start), Time(stop)) for start, stop in pairs))


def test_adjacent_intervals_are_accepted():
    config = AnalysisConfig.from_yaml(intervals(("2004-12-05", "2004-12-08"), ("2004-12-01", "2004-12-05")))
    assert len(config.observations.obs_time.intervals()) == 2


def test_a_run_requested_twice_raises():
    with pytest.raises(ConfigError, match=r"obs_ids: expected each observation once, got 2 more than once"):
        AnalysisConfig.from_yaml("observations: {obs_ids: [1, 2, 2]}")
    with pytest.raises(ConfigError, match=r"Expected each observation once, got 2 more than once"):
        Selection((1, 2, 2))


# --- real releases


@pytest.mark.parametrize(
    ("pattern", "count"),
    [
        ("hess-dl3-dr1/data/*.fits.gz", 20),
        ("cta-1dc/data/baseline/gps/*.fits", 1),
        ("joint-crab-paper/magic/*.fits", 2),
        ("joint-crab-paper/veritas/*.fits", 2),
        ("joint-crab-paper/fact/*.fits", 20),
        ("veritas/crab-point-like-ED/*.fits.gz", 4),
    ],
)
def test_real_runs_give_no_warning_about_their_times(gammapy_data, pattern, count):
    files = sorted(gammapy_data.glob(pattern))[:count]
    if not files:
        pytest.skip(f"no files {pattern} below {gammapy_data}")
    for file in files:
        tables = {table.name: table for table in read_tables(file)}
        header, gti = tables["EVENTS"].header, tables["GTI"]
        rows = np.stack([gti.column(name) for name in ("START", "STOP")], axis=1)
        found = good_time(rows, gti.header, header)
        assert found.notes == ()
        assert found.outside(tables["EVENTS"].column("TIME")) == 0, file.name
        assert dead_time_correction(header)[1] == ()
        assert notes_on_ontime(header, found.ontime) == ()


def test_good_time_of_hess_is_in_whole_seconds_and_some_events_are_later(gammapy_data):
    late = {}
    for obs_id in (23523, 23526, 23559, 23592):
        with fits.open(gammapy_data / f"hess-dl3-dr1/data/hess_dl3_dr1_obs_id_{obs_id:06d}.fits.gz") as hdus:
            stop = float(hdus["GTI"].data["STOP"][-1])
            past = hdus["EVENTS"].data["TIME"] - stop
        assert stop == round(stop)
        late[obs_id] = int((past >= 0).sum())
        assert past.max() < 0.7
    assert late == {23523: 1, 23526: 3, 23559: 2, 23592: 6}

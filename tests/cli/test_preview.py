"""``xgamma check`` prints which runs a selection drops, and why."""

import pytest

from releases import config_of

EVENTS = 'observations: {expression: "events > 100000 or obs_id == 2"}'
SECOND_NIGHT = "observations: {obs_time: {start: ['2024-12-11T12:00:00'], stop: ['2024-12-12T12:00:00']}}"


@pytest.fixture
def asked(nights_release, tmp_path):
    """Write a configuration of seven runs in two nights: 1 to 4, and 5 to 7."""

    def write(*texts):
        path = tmp_path / "asked.yaml"
        config_of(nights_release, tmp_path / "out" / "store", *texts).write(path, overwrite=True)
        return path

    return write


def test_check_counts_what_each_criterion_drops_with_the_first_few_reasons(xgamma, asked):
    done = xgamma("check", asked('observations: {expression: "obs_id < 3"}'))
    assert done.code == 0
    [line] = [line for line in done.err.splitlines() if "drops" in line]
    assert line.startswith("observations.expression drops 5 runs. 3: ")
    assert line.endswith("; and 2 more.")


def test_check_names_every_dropped_run_in_its_document(xgamma, asked):
    path = asked(
        "observations: {obs_cone: {frame: icrs, lon: 83.633 deg, lat: 22.014 deg, radius: 5 deg}}",
        'observations: {expression: "not obs_id in (2, 3, 5, 6)"}',
    )
    document = xgamma("check", path, "--json").document
    assert document["runs"] == [1, 4, 7]
    assert sorted(document["dropped_runs"]["expression"]) == ["2", "3", "5", "6"]
    assert document["dropped_runs"]["obs_cone"] == {}
    assert document["undecided"] == []


@pytest.mark.parametrize(
    ("text", "criterion", "dropped"),
    [(EVENTS, "expression", ["1", "3", "4", "5", "6", "7"]), (SECOND_NIGHT, "obs_time", ["1", "2", "3", "4"])],
)
def test_criteria_that_need_events_are_applied_to_the_runs_that_check_reads(xgamma, asked, text, criterion, dropped):
    path = asked(text)
    document = xgamma("check", path, "--json").document
    assert sorted(document["dropped_runs"][criterion]) == dropped
    assert document["undecided"] == []
    assert len(document["runs"]) + len(dropped) == 7


@pytest.mark.parametrize(("text", "criterion"), [(EVENTS, "expression"), (SECOND_NIGHT, "obs_time")])
def test_check_names_the_criteria_that_are_undecided_for_other_runs(xgamma, asked, text, criterion, monkeypatch):
    monkeypatch.setattr("xgamma.analysis.look.LOOKED_AT", 3)
    monkeypatch.setattr("xgamma.analysis.look.LOOKED_FOR", 3)
    done = xgamma("check", asked(text))
    assert done.code == 0
    assert f"What observations.{criterion} drops is known after the ingest." in done.err
    assert "looked into           3 of 7, evenly spaced" in done.out


def test_a_selection_that_is_empty_after_reading_the_runs_is_refused(xgamma, asked):
    path = asked('observations: {expression: "events > 100000"}')
    done = xgamma("check", path)
    assert done.code == 2
    assert "the selection holds no run" in done.err

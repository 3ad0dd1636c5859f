"""Runs that fail on the command line: named, counted, exit code 4, and read again by ``retry``."""

from __future__ import annotations

import pytest

import faults
from releases import config_of
from xgamma.execute import processes
from xgamma.store import Store


@pytest.fixture
def damaged(own_release):
    """A release whose second run is cut off; and the way to mend it."""
    path = faults.run_file(own_release, 2)
    whole = path.read_bytes()
    faults.truncate_file(own_release, 2)
    return own_release, lambda: path.write_bytes(whole)


@pytest.fixture
def written(damaged, tmp_path):
    """A configuration in a file."""
    config_of(damaged[0], tmp_path / "out" / "store", "steps: [observations, datasets]").write(tmp_path / "my.yaml")
    return tmp_path / "my.yaml"


def test_an_ingest_with_an_unreadable_run_exits_with_4_and_names_it(xgamma, damaged, tmp_path):
    done = xgamma("ingest", damaged[0], tmp_path / "store")
    assert (done.code, done.out) == (4, "2 runs ingested, 0 were there, 1 could not be read.\n")
    assert "Run 2 was not used: " in done.err
    assert done.err.splitlines()[-1] == f"Next: xgamma retry {tmp_path / 'store'}"


def test_retry_reads_failed_runs_and_prints_how_many_failed_again(xgamma, damaged, tmp_path):
    release, mend = damaged
    xgamma("ingest", release, tmp_path / "store")
    again = xgamma("retry", tmp_path / "store")
    assert (again.code, again.out) == (4, "1 run tried again, 1 failed again.\n")
    assert again.err.startswith("Run 2 is left out: ") or "Run 2 was not used: " in again.err
    [failed] = xgamma("retry", tmp_path / "store", "--json").document["failed"]
    assert (failed["run"]["name"], failed["run"]["stage"], failed["run"]["kind"]) == ("2", "ingest", "unreadable_file")
    mend()
    assert xgamma("retry", tmp_path / "store")[:2] == (0, "1 run tried again, 0 failed again.\n")
    assert xgamma("retry", tmp_path / "store")[:2] == (0, "No run has failed.\n")


def test_a_run_with_retry_failed_leaves_new_runs_for_later(xgamma, damaged, written, tmp_path):
    xgamma("ingest", damaged[0], tmp_path / "out" / "store", "--obs-id", "1", "--obs-id", "2")
    damaged[1]()
    done = xgamma("run", written, "--retry-failed", "--json")
    assert (done.code, done.document["unused_runs"]) == (0, [])
    ids = [run["obs_id"] for record in Store(tmp_path / "out" / "store").ls("dl3") for run in record.texts["runs"]]
    assert sorted(ids) == [1, 2]


def test_fail_fast_ends_with_the_first_failure(xgamma, written, damaged, tmp_path):
    done = xgamma("run", written, "--fail-fast")
    assert done.code == 3
    assert done.err.startswith(f"Error: {written}: Run 2 cannot be read: ")
    assert xgamma("ingest", damaged[0], tmp_path / "store", "--fail-fast").code == 3


def test_several_runs_that_fail_are_summed_up_by_stage_and_kind(xgamma, written, damaged, tmp_path):
    faults.point_away(damaged[0], 3)
    done = xgamma("run", written)
    assert done.code == 4
    assert done.err.splitlines()[-2:] == [
        "2 runs not used (1 at reduce: outside_field_of_view; 1 at ingest: unreadable_file).",
        f"Next: xgamma report {tmp_path / 'out'}",
    ]


@pytest.mark.long
def test_processes_read_and_reduce_the_same_as_threads(xgamma, nights_release, tmp_path, monkeypatch):
    monkeypatch.setattr("xgamma.ingest.release.RUNS_PER_PART", 4)
    monkeypatch.setattr("xgamma.reduce.spectra.MAX_ROWS", 2)
    sent, run = [], processes.run_on_processes

    def counted(function, arguments, *given):
        sent.append(len(arguments))
        return run(function, arguments, *given)

    monkeypatch.setattr(processes, "run_on_processes", counted)
    for jobs in ("1", "2"):
        path = tmp_path / f"{jobs}.yaml"
        config_of(nights_release, tmp_path / jobs / "store", "steps: [observations, datasets]").write(path)
        assert xgamma("run", path, "--n-jobs", jobs).code == 0
    one, two = (
        {(record.kind, record.key): dict(record.digests) for record in Store(tmp_path / jobs / "store").ls()}
        for jobs in ("1", "2")
    )
    assert one == two
    # Two parts to read, and the blocks of each to reduce.
    assert sent == [2, 2, 2]


def test_a_plan_prints_costs_and_what_to_change_above_the_memory_limit(xgamma, tiny_release, tmp_path, monkeypatch):
    # On a narrow terminal the column of tasks is left out.
    monkeypatch.delenv("COLUMNS", raising=False)
    config_of(tiny_release, tmp_path / "store", "general: {memory_limit: 100 MB}").write(tmp_path / "my.yaml")
    done = xgamma("plan", tmp_path / "my.yaml", "--json")
    assert done.code == 2
    assert "general.memory_limit: " in done.err
    costs = {step["step"]: step["cost"] for step in done.document}
    assert costs["ingest"]["nbytes_in"] > 0
    assert costs["reduce"]["tasks"] == 1
    for option in ("tasks", "memory", "100 MB"):
        assert option in xgamma("plan", tmp_path / "my.yaml").out + done.err

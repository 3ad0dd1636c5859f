"""The newest version of a run is the last one ingested, whatever clocks show and also where it was stored already."""

import datetime
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import faults
from releases import config_of, until_datasets
from xgamma.ingest import open_release
from xgamma.ingest.stored import stored_runs, stored_versions, versions_of
from xgamma.store import Record, Store
from xgamma.store.conformance import validate
from xgamma.upkeep.parts import compact, newest_runs, tag
from xgamma.upkeep.verify import verify


def ingested(release, store, obs_ids=None):
    opened = open_release(release)
    return opened.load(list(opened.facts()) if obs_ids is None else obs_ids, store)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def versions(own_release, tmp_path):
    """Return what puts version 1 or 2 of run 2 into the place of the other."""
    for number in (1, 2):
        shutil.copytree(own_release, tmp_path / f"v{number}")
        faults.spoil_energies(own_release, 2)

    def put(number):
        shutil.rmtree(own_release)
        shutil.copytree(tmp_path / f"v{number}", own_release)
        return own_release

    return put


def clock_at(monkeypatch, seconds):
    """Let the clock of this writer be wrong by so much."""
    wrong = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)
    monkeypatch.setattr("xgamma.store.records.now", lambda: wrong.isoformat(timespec="milliseconds"))


@pytest.mark.some_long(3)
@pytest.mark.parametrize("seconds", [-90, -86400, 0, 90])
def test_the_last_ingested_version_is_the_newest_whatever_the_clock(versions, store, monkeypatch, seconds):
    old = ingested(versions(1), store).run_keys[2]
    clock_at(monkeypatch, seconds)
    new = ingested(versions(2), store).run_keys[2]
    assert list(stored_versions(store)[2]) == [old, new]
    assert open_release(store.url).load([2], store).run_keys[2] == new
    assert newest_runs(store)["tiny"]["2"] == new


def test_a_release_that_returns_to_an_old_state_equals_a_fresh_store(versions, store, tmp_path):
    first = ingested(versions(1), store).run_keys
    second = ingested(versions(2), store).run_keys
    again = ingested(versions(1), store)
    assert (again.ingested, again.run_keys) == ([], first)
    fresh = Store(tmp_path / "fresh")
    ingested(versions(1), fresh)
    for place in (store, fresh):
        assert {obs_id: run.run_key for obs_id, run in stored_runs(place).items()} == first
        assert open_release(place.url).load([1, 2, 3], place).run_keys == first
    assert tag(store, "back")["runs"] == newest_runs(fresh)
    assert ingested(versions(2), store).run_keys == second
    assert stored_runs(store)[2].run_key == second[2]
    assert (validate(store.url).violations, verify(store).faults) == ([], [])


def test_a_release_that_alternates_leaves_two_notes_and_two_parts(versions, store):
    for number in (1, 2, 1, 2, 1, 2, 1):
        newest = ingested(versions(number), store).run_keys[2]
        assert stored_runs(store)[2].run_key == newest
    assert len(store.ingests()) == 2
    assert len(store.ls("dl3")) == 2


@pytest.mark.some_long(2)
@pytest.mark.parametrize("ahead", [False, True])
def test_after_compact_the_newest_is_the_same(versions, store, monkeypatch, ahead):
    keys = [ingested(versions(number), store).run_keys[2] for number in (1, 2)]
    if ahead:
        clock_at(monkeypatch, -90)
    ingested(versions(1), store)
    compact(store)
    assert stored_runs(store)[2].run_key == keys[0]
    assert ingested(versions(2), store).run_keys[2] == keys[1]
    assert stored_runs(store)[2].run_key == keys[1]


def test_a_version_after_a_return_is_the_newest(versions, own_release, store):
    for number in (1, 2, 1):
        ingested(versions(number), store)
    faults.halve_events(own_release, 2)
    third = ingested(own_release, store).run_keys[2]
    assert stored_runs(store)[2].run_key == third
    assert len(stored_versions(store)[2]) == 3


def test_only_the_runs_that_were_asked_for_are_ingested_again(versions, store):
    ingested(versions(1), store)
    new = ingested(versions(2), store).run_keys[2]
    ingested(versions(1), store, [1, 3])
    assert store.ingests() == []
    assert stored_runs(store)[2].run_key == new


def test_a_stack_after_a_return_equals_that_of_a_fresh_store(versions, store, tmp_path):
    for number in (1, 2, 1):
        versions(number)
        again = until_datasets(config_of(tmp_path / "v1" if number == 1 else tmp_path / "v2", store.url))
    fresh = until_datasets(config_of(tmp_path / "v1", tmp_path / "fresh" / "store"))
    np.testing.assert_array_equal(again.datasets[0].counts, fresh.datasets[0].counts)


def test_parts_of_an_older_store_are_ordered_by_their_time(versions, store):
    keys = [ingested(versions(number), store).run_keys[2] for number in (1, 2)]
    for record in store.ls("dl3"):
        path = Path(store.url, "dl3", record.key, "record.json")
        document = json.loads(path.read_text())
        for run in document["texts"]["runs"]:
            del run["sequence"]
        path.write_text(json.dumps(document))
    assert list(stored_versions(store)[2]) == keys
    assert ingested(versions(1), store).ingested == []
    assert stored_runs(store)[2].run_key == keys[0]


def part(key, created, *runs):
    texts = {"release": "r", "runs": [dict(zip(("obs_id", "run_key", "sequence"), run, strict=True)) for run in runs]}
    return Record("dl3", key, "a", created, {}, 0, {}, texts=texts)


@given(st.permutations([part(f"k{n}", f"2026-01-0{9 - n}", (1, f"v{n}", n)) for n in range(1, 8)]))
def test_versions_are_ordered_by_sequence_and_not_by_the_listing(records):
    assert list(versions_of(records)[1]) == [f"v{n}" for n in range(1, 8)]
    back = {"release": "r", "sequence": 9, "runs": {"1": "v3"}, "time": "2020"}
    assert list(versions_of(records, [back])[1])[-1] == "v3"
    assert list(versions_of(records, [{**back, "sequence": 4}])[1])[-1] == "v7"
    assert list(versions_of(records, [{**back, "release": "other"}])[1])[-1] == "v7"
    assert list(versions_of(records, [{**back, "runs": {"one": "v3", "2": "v3"}}])[1])[-1] == "v7"

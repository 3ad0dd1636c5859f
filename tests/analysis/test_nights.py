"""Nights that come one by one: a store grows by what is new, and what was there stays as it was."""

from __future__ import annotations

import dataclasses
import shutil
import threading

import numpy as np
import pytest

import faults
from releases import COARSE, TINY, config_of, part_in_memory, recipe, release_of, rows_in, until_datasets
from xgamma.analysis import Analysis
from xgamma.errors import StoreError
from xgamma.formats.gadf.run import read_run
from xgamma.grid import Circle, RegionSpace
from xgamma.ingest import open_release
from xgamma.reduce import reduce_block, reduce_spectra
from xgamma.store import Store, dataset_digest
from xgamma.upkeep.parts import compact

NAMES = ["counts", "counts_off", "acceptance_off", "exposure", "exposure_edisp", "edisp", "mask_safe", "ledger"]
BY_NIGHT = "datasets: {stack_by: night}"


def content(data):
    """Return the digest of what a row or a stack holds, but for padding and names."""
    return dataset_digest(data[[name for name in NAMES if name in data]].drop_attrs(deep=False))


def rows_of(release, store, *texts):
    analysis = until_datasets(config_of(release, store, "datasets: {stack: false}", *texts))
    return {view.name: content(view.data) for view in analysis.datasets}


def stacks_of(analysis):
    return {view.name: content(view.data) for view in analysis.datasets}


@pytest.fixture
def counted(monkeypatch):
    """Return the ids of the runs that are read from files and the names of the rows that are reduced."""
    read, reduced = [], []

    def read_it(entry):
        read.append(entry.obs_id)
        return read_run(entry)

    def reduce_it(part, rows, request):
        reduced.extend(rows.names)
        return reduce_block(part, rows, request)

    monkeypatch.setattr("xgamma.formats.gadf.run.read_run", read_it)
    monkeypatch.setattr("xgamma.reduce.spectra.reduce_block", reduce_it)
    return read, reduced


def test_one_more_night_reads_reduces_and_stacks_that_night_alone(nights_release, tmp_path, counted):
    read, reduced = counted
    until_datasets(config_of(nights_release, tmp_path / "store", BY_NIGHT, "observations: {obs_ids: [1, 2, 3, 4]}"))
    assert (sorted(read), reduced) == ([1, 2, 3, 4], ["1", "2", "3", "4"])
    read.clear()
    reduced.clear()
    grown = until_datasets(config_of(nights_release, tmp_path / "store", BY_NIGHT))
    assert (sorted(read), reduced) == ([5, 6, 7], ["5", "6", "7"])
    assert [len(record.texts["stacks"]) for record in grown.store.ls("stack")] == [1, 1]
    assert stacks_of(grown) == stacks_of(until_datasets(config_of(nights_release, tmp_path / "at once", BY_NIGHT)))


def test_a_reprocessed_run_changes_its_night_and_no_other(nights_release, tmp_path, counted):
    own = shutil.copytree(nights_release, tmp_path / "nights")
    first = until_datasets(config_of(own, tmp_path / "store", BY_NIGHT))
    read, reduced = counted
    faults.halve_events(own, 6)
    read.clear()
    reduced.clear()
    second = until_datasets(config_of(own, tmp_path / "store", BY_NIGHT))
    assert (read, reduced) == ([6], ["6"])
    before, after = stacks_of(first), stacks_of(second)
    assert [night for night in before if before[night] != after[night]] == ["2024-12-11"]
    assert after == stacks_of(until_datasets(config_of(own, tmp_path / "at once", BY_NIGHT)))


def test_readers_see_the_old_or_the_new_state_while_a_night_comes(nights_release, tmp_path):
    first = "observations: {obs_ids: [1, 2, 3, 4]}"
    wanted = rows_of(nights_release, tmp_path / "wanted")
    rows_of(nights_release, tmp_path / "store", first)
    seen, over = [], threading.Event()

    def look():
        while True:
            last = over.is_set()
            seen.append(rows_of(tmp_path / "store", tmp_path / "reader"))
            if last:
                return

    reader = threading.Thread(target=look)
    reader.start()
    for obs_ids in ([5, 6], [7]):
        open_release(nights_release).load(obs_ids, Store(tmp_path / "store"))
        compact(Store(tmp_path / "store"))
    over.set()
    reader.join()
    states = [set(rows) for rows in seen]
    assert all(state in ({*"1234"}, {*"123456"}, {*"1234567"}) for state in states)
    assert states[-1] == {*"1234567"}
    assert all(rows[name] == wanted[name] for rows in seen for name in rows)


def test_a_compacted_store_gives_the_same_stacks_and_finds_them(nights_release, tmp_path, counted):
    for obs_ids in ([1, 2], [3, 4], [5, 6, 7]):
        grown = until_datasets(
            config_of(nights_release, tmp_path / "store", BY_NIGHT, f"observations: {{obs_ids: {obs_ids}}}")
        )
    compact(grown.store)
    read, reduced = counted
    read.clear()
    reduced.clear()
    again = until_datasets(config_of(nights_release, tmp_path / "store", BY_NIGHT))
    assert (read, reduced) == ([], [])
    assert stacks_of(again) == stacks_of(until_datasets(config_of(nights_release, tmp_path / "at once", BY_NIGHT)))


# --- several releases in one store


def test_two_releases_of_one_instrument_in_one_store_are_not_mixed(tiny_release, tmp_path):
    other = release_of(dataclasses.replace(TINY, name="other", seed=9), tmp_path)
    alone = [rows_of(release, tmp_path / f"store-{release.name}") for release in (tiny_release, other)]
    assert alone[0] != alone[1]
    for turn in range(2):
        assert [rows_of(release, tmp_path / "both") for release in (tiny_release, other)] == alone, turn
    assert sorted(record.texts["release"] for record in Store(tmp_path / "both").ls("dl3")) == ["other", "tiny"]
    with pytest.raises(StoreError, match="holds the releases other, tiny, which share observation ids"):
        Analysis(config_of(tmp_path / "both", tmp_path / "x")).get_observations()


def test_two_releases_without_a_common_run_are_read_together(tiny_release, tmp_path):
    other = release_of(dataclasses.replace(TINY, name="other", seed=9, first_obs_id=100), tmp_path)
    alone = rows_of(tiny_release, tmp_path / "both") | rows_of(other, tmp_path / "both")
    assert rows_of(tmp_path / "both", tmp_path / "reader") == alone


def test_a_release_with_several_irf_layouts_is_reduced_as_each_layout_alone(tmp_path):
    layouts = {
        "king": dataclasses.replace(COARSE, psf="psf_king"),
        "fine": dataclasses.replace(COARSE, energy_bins=24, psf="psf_3gauss", background="bkg_2d"),
    }
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    wanted = {}
    for number, (name, response) in enumerate(layouts.items()):
        plan = dataclasses.replace(TINY, name=name, response=response, first_obs_id=10 * number + 1, seed=number)
        release = release_of(plan, tmp_path)
        wanted |= rows_of(release, tmp_path / f"store-{name}")
        shutil.copytree(release / "data", mixed / name)
    assert rows_of(mixed, tmp_path / "store") == wanted
    [record] = Store(tmp_path / "store").ls("dl3")
    kinds = sorted(group.rpartition("-")[0] for group in record.digests if group.startswith("irf/"))
    assert kinds == ["irf/aeff_2d"] * 2 + ["irf/bkg_2d", "irf/bkg_3d"] + ["irf/edisp_2d"] * 2 + [
        "irf/psf_3gauss",
        "irf/psf_king",
    ]


def test_a_response_that_runs_share_is_stored_once(tmp_path):
    shared = release_of(dataclasses.replace(TINY, name="shared", share_irfs=True), tmp_path)
    each = release_of(dataclasses.replace(TINY, name="each"), tmp_path)
    assert rows_of(shared, tmp_path / "a") == rows_of(each, tmp_path / "b")
    store = Store(tmp_path / "a")
    [record] = store.ls("dl3")
    for group in record.digests:
        if group.startswith("irf/"):
            assert store.get("dl3", record.key, group).sizes["irf"] == 1
    assert store.get("dl3", record.key)["aeff_row"].values.tolist() == [0, 0, 0]


def test_the_runs_of_fact_share_one_response(gammapy_data, tmp_path):
    """Point-like runs without good zenith angles, of which all have the same responses in files of their own."""
    fact = gammapy_data / "joint-crab-paper" / "fact"
    if not fact.is_dir():
        pytest.skip("the real data do not hold joint-crab-paper/fact")
    release = open_release(fact)
    store = Store(tmp_path / "store")
    held = release.load(list(release.facts()), store)
    assert not held.failures
    [record] = store.ls("dl3")
    assert len(record.texts["runs"]) == len(held.places) > 10
    tables = [store.get("dl3", record.key, group) for group in record.digests if group.startswith("irf/aeff")]
    assert [table.sizes["irf"] for table in tables] == [1]
    part = part_in_memory(fact)
    radius = float(part.column("rad_max", np.array([0]))[0])
    grid = dataclasses.replace(recipe().grid, space=RegionSpace((Circle(83.633, 22.014, radius),)))
    request = recipe(grid=grid, containment=False, safe_masks=())
    alone = [reduce_spectra(part, rows_in(part, [number]), request) for number in (0, 5)]
    both = reduce_spectra(part, rows_in(part, [0, 5]), request)
    for number, row in enumerate(alone):
        for name in ("counts", "counts_off", "exposure", "edisp"):
            np.testing.assert_array_equal(row[name].values[0], both[name].values[number])

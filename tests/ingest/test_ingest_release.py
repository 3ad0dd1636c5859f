"""Ingest: runs of FITS files become columns of a part, with everything that the algorithms need."""

import dataclasses
import gc
import logging
import os
import pickle
import weakref

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

import faults
from command_line import CommandLine
from faults import run_file
from indices import OBS, rewrite_index
from releases import NIGHTS, TINY, config_of, part_in_memory, release_of
from xgamma.errors import InputError, MissingInputError, StoreError
from xgamma.events import Part
from xgamma.formats.gadf.index import read_index
from xgamma.ingest import open_release
from xgamma.ingest.part import built, part_of, read_runs, run_document
from xgamma.ingest.stored import StoredGroups, stored_runs, stored_versions
from xgamma.outcome import Outcome
from xgamma.simulate import AnalyticResponse
from xgamma.simulate.plan import MJDREFF, MJDREFI
from xgamma.store import Store, dataset_digest, digest
from xgamma.upkeep.verify import verify


def nothing():
    """Report no progress."""


def ingested(release, store, obs_ids=None):
    opened = open_release(release)
    return opened.load(list(opened.facts()) if obs_ids is None else obs_ids, store)


# --- what a part holds


def test_events_are_those_of_the_files_run_by_run(nights_release, nights_part):
    obs, events = nights_part.obs, nights_part.events
    assert obs["obs_id"].values.tolist() == [1, 2, 3, 4, 5, 6, 7]
    for number, obs_id in enumerate(obs["obs_id"].values):
        table = Table.read(run_file(nights_release, obs_id), hdu="EVENTS")
        start, size = int(obs["event_start"][number]), int(obs["event_size"][number])
        assert size == len(table)
        for name in ("RA", "DEC", "ENERGY", "TIME", "EVENT_ID", "MC_ID"):
            np.testing.assert_array_equal(events[name.lower()][start : start + size], table[name])
    assert int(obs["event_start"][-1] + obs["event_size"][-1]) == events.sizes["event"]


def test_good_time_and_dead_time_make_the_livetime(nights_part):
    runs = [NIGHTS.run(number) for number in range(7)]
    obs = nights_part.obs
    np.testing.assert_allclose(obs["ontime"], [run.ontime for run in runs], rtol=1e-9)
    np.testing.assert_allclose(obs["livetime"], [run.livetime for run in runs], rtol=1e-9)
    assert obs["gti_size"].values.tolist() == [2] * 7
    wanted = np.concatenate([run.gti for run in runs])
    np.testing.assert_array_equal(nights_part.gti["start"], wanted[:, 0])
    np.testing.assert_array_equal(nights_part.gti["stop"], wanted[:, 1])
    assert obs.attrs["mjdref"] == pytest.approx(MJDREFI + MJDREFF, abs=1e-12)


def test_pointing_thresholds_and_names_are_those_of_the_headers(nights_part):
    runs = [NIGHTS.run(number) for number in range(7)]
    obs = nights_part.obs
    np.testing.assert_allclose(obs["ra_pnt"], [run.lon for run in runs], rtol=1e-12)
    np.testing.assert_allclose(obs["dec_pnt"], [run.lat for run in runs], rtol=1e-12)
    assert set(obs["energy_min"].values) == {NIGHTS.response.lo_thres}
    assert obs.attrs["telescope"] == [NIGHTS.telescope] * 7
    assert obs.attrs["target"] == ["crab"] * 7
    assert not obs["point_like"].any()


def test_a_response_shared_by_runs_is_stored_once(nights_part):
    obs = nights_part.obs
    assert obs["aeff_row"].values.tolist() == [0, 1, 0, 1, 0, 1, 0]
    assert obs["edisp_row"].values.tolist() == [0] * 7
    tables = {role: nights_part.table_of(int(obs[f"{role}_table"][0])) for role in ("aeff", "edisp", "psf", "bkg")}
    assert {role: table.sizes["irf"] for role, table in tables.items()} == {"aeff": 2, "edisp": 1, "psf": 1, "bkg": 2}
    area = tables["aeff"]["aeff"].values
    np.testing.assert_allclose(area[1], 0.8 * area[0], rtol=1e-6)


def test_responses_of_other_axes_go_to_a_table_of_their_own(tmp_path):
    coarse = release_of(TINY, tmp_path)
    fine = release_of(dataclasses.replace(TINY, name="fine", response=AnalyticResponse(energy_bins=20)), tmp_path)
    entries = [next(iter(read_index(release).runs.values())) for release in (coarse, fine)]
    runs, _ = read_runs(entries, nothing)
    part = part_of(runs, "both")
    assert part.obs["aeff_table"].values[0] != part.obs["aeff_table"].values[1]
    # The migration has no spectrum, but an energy axis; the PSF has the same axes in both.
    assert part.obs["psf_table"].values[0] == part.obs["psf_table"].values[1]
    bins = [part.table_of(int(number)).sizes["energy_true"] for number in part.obs["aeff_table"].values]
    assert bins == [16, 20]


def test_epochs_of_runs_may_differ(tmp_path):
    release = release_of(TINY, tmp_path)
    with fits.open(run_file(release, 2), memmap=False) as hdus:
        for name, columns in (("EVENTS", ["TIME"]), ("GTI", ["START", "STOP"])):
            hdus[name].header["MJDREFI"] -= 10
            for column in columns:
                hdus[name].data[column] += 864000.0
        hdus.writeto(run_file(release, 2), overwrite=True)
    shifted = part_in_memory(release)
    plain = part_in_memory(release_of(TINY, tmp_path / "plain"))
    np.testing.assert_allclose(shifted.events["time"], plain.events["time"], atol=1e-6)
    np.testing.assert_allclose(shifted.gti["start"], plain.gti["start"], atol=1e-6)
    np.testing.assert_allclose(shifted.obs["tstart"], plain.obs["tstart"], atol=1e-6)


def test_a_column_that_only_some_runs_have_is_left_out(tmp_path):
    release = release_of(TINY, tmp_path)
    with fits.open(run_file(release, 1), memmap=False) as hdus:
        names = [column for column in hdus["EVENTS"].columns if column.name != "MC_ID"]
        hdus["EVENTS"] = fits.BinTableHDU.from_columns(names, header=hdus["EVENTS"].header, name="EVENTS")
        hdus.writeto(run_file(release, 1), overwrite=True)
    part = part_in_memory(release)
    assert "mc_id" not in part.events
    assert "event_id" in part.events


def test_no_run_gives_no_part():
    with pytest.raises(InputError, match="There is no readable run to ingest"):
        part_of([], "empty")


# --- runs that cannot be read


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (faults.truncate_file, Outcome.UNREADABLE_FILE),
        (faults.remove_file, Outcome.UNREADABLE_FILE),
        (faults.remove_hdu, Outcome.MISSING_HDU),
    ],
)
def test_a_run_that_cannot_be_read_does_not_stop_others(own_release, caplog, fault, outcome):
    fault(own_release, 2)
    held = ingested(own_release, Store("memory://"))
    assert list(held.places) == [1, 3]
    [failure] = held.failures
    assert (failure.obs_id, failure.outcome) == (2, outcome)
    assert "Run 2 is left out" in caplog.text
    assert failure.message in caplog.text


def test_a_run_that_could_not_be_read_is_tried_again(own_release, tmp_path, tiny_release):
    store = Store(tmp_path / "store")
    faults.truncate_file(own_release, 2)
    assert [failure.obs_id for failure in ingested(own_release, store).failures] == [2]
    run_file(own_release, 2).write_bytes(run_file(tiny_release, 2).read_bytes())
    held = ingested(own_release, store)
    assert (held.failures, held.ingested, list(held.places)) == ([], [2], [1, 2, 3])


def test_a_failed_run_does_not_move_the_others(own_release):
    faults.truncate_file(own_release, 1)
    held = ingested(own_release, Store("memory://"))
    for obs_id, (key, number) in held.places.items():
        part = held.parts[key]
        assert int(part.obs["obs_id"][number]) == obs_id


# --- identity


def test_a_run_key_is_of_bytes_and_not_of_paths(tiny_release, own_release):
    keys = []
    for release in (tiny_release, own_release):
        runs, _ = read_runs(read_index(release).runs.values(), nothing)
        keys.append([digest(run_document(run.entry, run.file_digests)) for run in runs])
    assert keys[0] == keys[1]
    assert len(set(keys[0])) == 3


def test_a_run_key_holds_the_pointing_of_the_index(own_release):
    entry = read_index(own_release).runs[1]
    runs, _ = read_runs([entry], nothing)
    moved = dataclasses.replace(entry, ra=entry.ra + 1e-9)
    assert run_document(entry, runs[0].file_digests) != run_document(moved, runs[0].file_digests)


def test_parts_of_a_store_are_those_of_the_memory(nights_release, nights_part, tmp_path):
    store = Store(tmp_path / "store")
    held = ingested(nights_release, store)
    [(key, fresh)] = held.parts.items()
    assert dict(store.record("dl3", key).digests) == {
        group: dataset_digest(content) for group, content in nights_part.groups.items()
    }
    stored = StoredGroups(store, store.record("dl3", key))
    assert list(stored) == list(fresh.groups)
    assert len(stored) == len(fresh.groups)
    assert Part(stored).facts() == fresh.facts()


def test_ingesting_again_reads_no_file(nights_release, monkeypatch):
    store = Store("memory://")
    first = ingested(nights_release, store)
    assert first.ingested == [1, 2, 3, 4, 5, 6, 7]
    monkeypatch.setattr("xgamma.ingest.release.read_runs", lambda *_: pytest.fail("files were read"))
    monkeypatch.setattr("xgamma.ingest.release.file_digest", lambda *_: pytest.fail("files were hashed"))
    second = ingested(nights_release, store)
    assert second.ingested == []
    assert (second.run_keys, second.places) == (first.run_keys, first.places)
    assert open_release(nights_release).pending([1, 5], store) == []


def test_runs_are_found_in_the_order_that_is_asked_for(nights_release):
    store = Store("memory://")
    ingested(nights_release, store, [5, 2])
    held = ingested(nights_release, store, [7, 2, 5, 1])
    assert list(held.places) == [7, 2, 5, 1]
    assert held.ingested == [7, 1]
    for obs_id, (key, number) in held.places.items():
        assert int(held.parts[key].obs["obs_id"][number]) == obs_id


def test_many_runs_make_several_parts(nights_release, monkeypatch):
    monkeypatch.setattr("xgamma.ingest.release.RUNS_PER_PART", 3)
    store = Store("memory://")
    held = ingested(nights_release, store)
    assert [part.obs.sizes["obs"] for part in held.parts.values()] == [3, 3, 1]
    assert [len(record.texts["runs"]) for record in store.ls("dl3")].count(3) == 2


def test_of_many_parts_the_last_stays_in_memory(nights_release, monkeypatch):
    monkeypatch.setattr("xgamma.ingest.release.RUNS_PER_PART", 3)
    held = ingested(nights_release, Store("memory://"))
    for name in ("get", "get_arrays", "open"):
        monkeypatch.setattr(Store, name, lambda *_: pytest.fail("the store was read"))
    *earlier, last = held.parts.values()
    assert last.obs["obs_id"].values.tolist() == [7]
    assert last.events.sizes["event"] == int(last.obs["event_size"].sum())
    for part in earlier:
        with pytest.raises(pytest.fail.Exception, match="the store was read"):
            part.obs  # noqa: B018


def test_no_part_and_no_run_of_it_is_in_memory_while_the_next_is_read(nights_release, monkeypatch):
    monkeypatch.setattr("xgamma.ingest.release.RUNS_PER_PART", 3)
    seen, alive = [], []

    def reading(*given):
        gc.collect()
        alive.append(sum(found() is not None for found in seen))
        found = read_runs(*given)
        seen.extend(weakref.ref(run) for run in found[0])
        return found

    def building(*given):
        found = built(*given)
        seen.append(weakref.ref(found[0]))
        return found

    monkeypatch.setattr("xgamma.ingest.release.read_runs", reading)
    monkeypatch.setattr("xgamma.ingest.release.built", building)
    ingested(nights_release, Store("memory://"))
    assert alive == [0, 0, 0]
    assert len(seen) == 10


def test_runs_that_are_read_together_share_the_arrays_of_equal_responses(nights_release):
    runs, _ = read_runs(read_index(nights_release).runs.values(), nothing)
    for role, first in runs[0].responses.items():
        for run in runs[1:]:
            is_same = run.responses[role].digest == first.digest
            assert (run.responses[role].values is first.values) == is_same
            assert run.responses[role].header is not first.header


def test_what_is_known_of_stored_runs_are_places_and_keys(nights_release):
    store = Store("memory://")
    ingested(nights_release, store)
    for held in (ingested(nights_release, store), ingested(nights_release, Store("memory://"))):
        assert all(part.groups._record.texts == {} for part in held.parts.values())


def test_a_fresh_part_travels_as_the_url_of_its_store(nights_release, tmp_path):
    [part] = ingested(nights_release, Store(tmp_path / "store")).parts.values()
    content = pickle.dumps(part)
    assert len(content) < 2500
    again = pickle.loads(content)
    assert {name: dataset_digest(again.groups[name].compute()) for name in again.groups} == {
        name: dataset_digest(part.groups[name]) for name in part.groups
    }


def test_the_newest_version_of_a_run_wins_and_the_old_stays(own_release, tmp_path):
    store = Store(tmp_path / "store")
    old = ingested(own_release, store).run_keys[2]
    faults.spoil_energies(own_release, 2)
    new = ingested(own_release, store).run_keys[2]
    assert old != new
    assert stored_runs(store)[2].run_key == new
    assert list(stored_versions(store)[2]) == [old, new]
    assert list(stored_versions(store)[1]) == [stored_runs(store)[1].run_key]


def facts_of_store(store):
    return {obs_id: (run.target, run.ra, run.zenith) for obs_id, run in open_release(store).facts().items()}


@pytest.mark.some_long(3)
@pytest.mark.parametrize(("column", "value"), [("OBJECT", "Crab pulsar"), ("ZEN_PNT", 33.0), ("RA_PNT", 83.7)])
def test_the_store_follows_changes_in_the_index(own_release, tmp_path, column, value):
    store = Store(tmp_path / "store")
    ingested(own_release, store)

    def change(table):
        table[column][table["OBS_ID"] == 2] = value

    rewrite_index(own_release, OBS, change)
    held = ingested(own_release, store)
    assert held.ingested == [2]
    ingested(own_release, Store(tmp_path / "fresh"))
    assert facts_of_store(tmp_path / "store") == facts_of_store(tmp_path / "fresh")
    assert ingested(own_release, store).ingested == []


def changed_in_the_same_second(release, obs_id):
    """Change a run in place, and give its file the size and the time that it had."""
    path = run_file(release, obs_id)
    status, content = path.stat(), bytearray(path.read_bytes())
    at = content.index(b"LIVETIME=")
    content[at + 30 : at + 31] = b"1" if content[at + 30 : at + 31] != b"1" else b"2"
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert path.stat().st_size == status.st_size


def test_a_file_that_kept_size_and_time_is_compared_where_that_is_asked_for(own_release, tmp_path):
    store = Store(tmp_path / "store")
    ids = [1, 2, 3]
    old = open_release(own_release).load(ids, store).run_keys
    changed_in_the_same_second(own_release, 2)
    assert open_release(own_release).load(ids, store).run_keys == old
    held = open_release(own_release).load(ids, store, rehash=True)
    assert held.ingested == [2]
    assert [obs_id for obs_id in ids if held.run_keys[obs_id] != old[obs_id]] == [2]
    for rehash in (False, True):
        again = open_release(own_release).load(ids, store, rehash=rehash)
        assert (again.ingested, again.run_keys) == ([], held.run_keys)


def test_the_command_compares_such_files_too(own_release, tmp_path, capsys):
    xgamma = CommandLine(capsys)
    config_of(own_release, tmp_path / "store").write(tmp_path / "my.yaml")
    assert xgamma("run", tmp_path / "my.yaml", "--until", "datasets").code == 0
    changed_in_the_same_second(own_release, 2)
    assert "Everything was found" in xgamma("run", tmp_path / "my.yaml", "--until", "datasets").err
    assert "Everything was found" not in xgamma("run", tmp_path / "my.yaml", "--until", "datasets", "--rehash").err
    changed_in_the_same_second(own_release, 3)
    assert xgamma("ingest", own_release, tmp_path / "store").out.startswith("0 runs ingested, 3 were there")
    assert xgamma("ingest", own_release, tmp_path / "store", "--rehash").out.startswith("1 run ingested, 2 were there")


def read_by_version_2(release, store, monkeypatch):
    """Ingest as version 2 of the reading did."""
    with monkeypatch.context() as older:
        older.setattr("xgamma.ingest.release.STEP_VERSION", 2)
        older.setattr(
            "xgamma.ingest.release.run_document", lambda entry, digests, version=2: run_document(entry, digests, 2)
        )
        return ingested(release, store)


def test_runs_of_older_versions_are_read_again_where_their_files_are_and_stay_readable(
    own_release, tmp_path, monkeypatch, caplog
):
    store = Store(tmp_path / "store")
    old = read_by_version_2(own_release, store, monkeypatch)
    assert open_release(tmp_path / "store").load([1, 2, 3], store).run_keys == old.run_keys
    with caplog.at_level(logging.INFO):
        new = ingested(own_release, store)
    assert new.ingested == [1, 2, 3]
    assert not set(new.run_keys.values()) & set(old.run_keys.values())
    assert "3 runs were read by an older version of xgamma, and are read anew." in caplog.text
    assert "has changed" not in caplog.text
    assert set(stored_versions(store)[2]) == {old.run_keys[2], new.run_keys[2]}
    assert open_release(own_release).run_keys(2, store) == (new.run_keys[2], old.run_keys[2])
    assert verify(store).faults == []


def test_releases_of_different_names_are_separate(own_release, tiny_release, tmp_path, caplog):
    store = Store(tmp_path / "store")
    ingested(tiny_release, store)
    faults.spoil_energies(own_release, 2)
    other = own_release.rename(own_release.with_name("other"))
    with caplog.at_level(logging.WARNING):
        held = ingested(other, store)
    assert "has changed" not in caplog.text
    assert held.ingested == [1, 2, 3]
    assert ingested(other, store).ingested == []
    assert set(stored_versions(store, "tiny")) == set(stored_versions(store, "other")) == {1, 2, 3}


# --- where runs can lie


def test_a_folder_without_index_is_a_release(tiny_release, tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    for obs_id in (1, 2, 3):
        (folder / f"{obs_id}.fits").write_bytes(run_file(tiny_release, obs_id).read_bytes())
    part, wanted = part_in_memory(folder), part_in_memory(tiny_release)
    assert part.obs["obs_id"].values.tolist() == [1, 2, 3]
    assert dataset_digest(part.events) == dataset_digest(wanted.events)
    assert set(part.groups) == set(wanted.groups)


def test_one_index_file_is_a_release(own_release):
    with fits.open(own_release / "obs-index.fits.gz") as obs, fits.open(own_release / "hdu-index.fits.gz") as hdu:
        fits.HDUList([fits.PrimaryHDU(), obs[1].copy(), hdu[1].copy()]).writeto(own_release / "index.fits")
    opened = open_release(own_release / "index.fits")
    assert opened.name == "index"
    held = opened.load(list(opened.facts()), Store("memory://"))
    assert (list(held.places), held.failures) == ([1, 2, 3], [])


def test_shared_and_compressed_responses_are_those_of_the_runs(tmp_path):
    plans = [dataclasses.replace(TINY, share_irfs=True, compress=True), dataclasses.replace(TINY, name="own")]
    shared, own = (part_in_memory(release_of(plan, tmp_path)) for plan in plans)
    assert [dataset_digest(own.groups[name]) for name in own.groups if name] == [
        dataset_digest(shared.groups[name]) for name in shared.groups if name
    ]


def test_facts_are_the_same_from_files_and_from_a_store(own_release, tmp_path):
    faults.remove_index_row(own_release, 3, "psf")
    ingested(own_release, Store(tmp_path / "store"))
    from_files, from_store = open_release(own_release).facts(), open_release(tmp_path / "store").facts()
    assert from_files == from_store
    assert from_store[3].roles == {"events", "gti", "aeff", "edisp", "bkg"}
    assert open_release(tmp_path / "store").name == "tiny"


def test_raises_for_a_store_without_runs(tmp_path):
    Store(tmp_path / "store")
    with pytest.raises(StoreError, match=r"holds no runs\. Ingest a FITS release into it"):
        open_release(tmp_path / "store")


def test_raises_for_a_folder_without_runs(tmp_path):
    with pytest.raises(MissingInputError, match="Datastore not found"):
        open_release(tmp_path / "nowhere").facts()

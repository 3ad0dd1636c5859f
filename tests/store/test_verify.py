"""A sound store has no faults; each kind of damage is found and named with its path and a remedy."""

import json

import numpy as np
import pytest
import xarray as xr

from xgamma.store import Store, digest
from xgamma.store.integrity import check_labels, check_product, read_contents


@pytest.fixture
def store(tmp_path):
    """Two products: one with a group, one without."""
    store = Store(tmp_path / "store")
    values = np.random.default_rng(1).random(4000)
    root = xr.Dataset({"counts": ("dataset", values[:3])}, coords={"dataset": ["a", "b", "c"]})
    events = xr.Dataset({"energy": ("event", values, {"units": "TeV"}), "id": ("event", np.arange(4000))})
    chunks = {"events/energy": {"chunks": (1000,)}}
    store.put("dl3", "k1", {"": root, "events": events}, {}, texts={"note": "x"}, encoding=chunks)
    store.put("fit", "k2", {"": root}, {})
    return store


def path_of(store, product, *parts):
    record = store.record(*product.split("/"))
    return store._backend.folder.joinpath(record.folder, *parts)


def faults_of(store):
    contents = read_contents(store)
    found = [*contents.faults, *check_labels(store, contents.records)]
    return found + [fault for record in contents.records for fault in check_product(store, record).faults]


def kinds_of(store):
    return [(fault.where, fault.what) for fault in faults_of(store)]


def change_record(store, product, **changes):
    path = store._backend.folder / product / "record.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_sound_store_has_no_faults_and_is_not_written_to(store):
    before = {path: path.stat().st_mtime_ns for path in store._backend.folder.rglob("*")}
    store = Store(store.url)
    assert faults_of(store) == []
    assert {path: path.stat().st_mtime_ns for path in store._backend.folder.rglob("*")} == before


def test_a_sound_store_in_memory_has_no_faults():
    store = Store("memory://")
    store.put("fit", "k", {"": xr.Dataset({"a": ("x", [np.nan, np.inf])})}, {})
    assert faults_of(store) == []
    assert [record.key for record in read_contents(store).records] == ["k"]


@pytest.mark.parametrize("place", [0.02, 0.5, 0.99])
def test_a_flipped_bit_of_a_chunk_is_found(store, place):
    path = path_of(store, "dl3/k1", "events", "energy", "c.2")
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 0x04
    path.write_bytes(content)
    (fault,) = faults_of(store)
    assert fault.where == "dl3/k1"
    assert fault.what in ("digest", "unreadable")
    assert "group 'events'" in fault.message
    assert f"Delete {store.url}/dl3/k1/record.json and ingest the run again" in fault.remedy


def test_a_flipped_bit_is_found_unless_every_number_is_the_same(store):
    path = path_of(store, "dl3/k1", "events", "id", "c.0")
    content, put = path.read_bytes(), store.get("dl3", "k1", "events")
    for place in range(0, len(content), len(content) // 30):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :])
        try:
            is_same = put.identical(store.get("dl3", "k1", "events"))
        except Exception:
            is_same = False
        assert bool(faults_of(store)) == (not is_same)


@pytest.mark.parametrize("length", [0, 10, 100])
def test_a_truncated_chunk_is_found(store, length):
    path = path_of(store, "dl3/k1", "events", "energy", "c.3")
    path.write_bytes(path.read_bytes()[:length])
    (fault,) = faults_of(store)
    assert (fault.where, fault.what) == ("dl3/k1", "unreadable")
    assert fault.message.startswith("group 'events' cannot be read: ")


def test_a_missing_chunk_is_found(store):
    path_of(store, "fit/k2", "counts", "c.0").unlink()
    (fault,) = faults_of(store)
    assert (fault.where, fault.what) == ("fit/k2", "unreadable")
    assert "counts/c.0 is missing" in fault.message
    assert "the next run computes it again" in fault.remedy


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"attributes": 3}'])
def test_damaged_metadata_are_found(store, content):
    path_of(store, "fit/k2", "zarr.json").write_bytes(content)
    found = kinds_of(Store(store.url))
    assert found[0] == ("fit/k2", "metadata")
    assert {where for where, _ in found} == {"fit/k2"}


def test_metadata_of_an_array_that_differ_from_those_of_the_product_are_found(store):
    path = path_of(store, "dl3/k1", "events", "energy", "zarr.json")
    path.write_text(path.read_text().replace("TeV", "GeV"))
    assert kinds_of(store) == [("dl3/k1", "metadata")]
    path.unlink()
    (fault,) = faults_of(store)
    assert fault.message == "events/energy/zarr.json is missing."


def test_a_product_without_its_attempt_is_found(store):
    change_record(store, "fit/k2", attempt="0" * 12)
    assert set(kinds_of(store)) == {("fit/k2", "unreadable")}


def test_a_deleted_record_leaves_an_attempt_that_is_no_product(store):
    folder = store.record("fit", "k2").folder
    (store._backend.folder / "fit" / "k2" / "record.json").unlink()
    contents = read_contents(store)
    assert contents.unpublished == (folder,)
    assert [record.key for record in contents.records] == ["k1"]
    assert faults_of(store) == []


def test_a_deleted_record_that_a_name_points_to_is_found(store):
    store.set_name("best", "fit", "k2")
    (store._backend.folder / "fit" / "k2" / "record.json").unlink()
    (fault,) = faults_of(store)
    assert (fault.where, fault.what) == ("_names/best.json", "label")
    assert fault.message == "It points to fit/k2, which the store does not hold."


def test_superseded_attempts_are_not_reported_as_left_over(store):
    merged = store.compact("fit", ["k2"], lambda parts: parts[0], {})
    assert merged.key == digest({"compact": ["k2"]})
    assert read_contents(store).unpublished == ()
    assert faults_of(store) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"key": "k3"}, "says that it is the record of fit/k3"),
        ({"kind": "rows"}, "says that it is the record of rows/k2"),
        ({"attempt": "../k1"}, "Expected a folder name of letters"),
        ({"digests": []}, "digests is no mapping"),
        ({"schema": 99}, "has schema 99, this xgamma reads up to 1"),
        ({"schema": "new"}, "has schema new"),
        ({"supersedes": ["k0"]}, "the key is not that of the products"),
        ({"supersedes": 3}, "is damaged"),
    ],
)
def test_an_edited_record_is_found(store, changes, message):
    change_record(store, "fit/k2", **changes)
    (fault,) = faults_of(store)
    assert (fault.where, fault.what) == ("fit/k2", "record")
    assert message in fault.message


@pytest.mark.parametrize(("changes", "what"), [({"digests": {"": "0" * 32}}, "digest"), ({"nbytes": 1}, "metadata")])
def test_a_record_that_does_not_fit_the_arrays_is_found(store, changes, what):
    change_record(store, "fit/k2", **changes)
    assert kinds_of(store) == [("fit/k2", what)]


def test_a_torn_record_is_found_and_the_others_are_read(store):
    (store._backend.folder / "dl3" / "k1" / "record.json").write_bytes(b'{"kind": "dl')
    assert kinds_of(store) == [("dl3/k1", "record")]
    assert [record.key for record in read_contents(store).records] == ["k2"]


def test_a_torn_label_is_found(store):
    store.remember("file.fits", 1, 2, "d")
    store.set_tag("t", {"products": {"fit": ["k2"]}})
    assert faults_of(store) == []
    (path,) = (store._backend.folder / "_files").iterdir()
    path.write_text("{")
    assert kinds_of(store) == [(f"_files/{path.name}", "label")]

"""gc and compact lose nothing that has a record, at whatever moment they are killed."""

import datetime
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from xgamma.errors import StoreError
from xgamma.store import Store, listing

NOTHING = datetime.timedelta(0)


@pytest.fixture(params=["memory", "disk", "s3"])
def store(request, new_place):
    return Store(new_place(request.param))


def rows(*names):
    values = np.array([float(name) for name in names])
    return {"": xr.Dataset({"counts": ("dataset", values)}, coords={"dataset": list(names)})}


def concatenated(parts):
    return {"": xr.concat([part[""] for part in parts], "dataset", join="exact")}


def abandoned_attempt(store):
    """What a writer leaves that is killed before its record."""
    record = store.put("dl4", "torn", rows("9"), {})
    store._backend.delete("dl4/torn/record.json")
    return record.folder


def test_gc_deletes_nothing_that_has_a_record(store):
    dead = abandoned_attempt(store)
    for key in ("k1", "k2"):
        store.put("dl4", key, rows("1", "2"), {})
    store.set_name("crab", "dl4", "k1")
    before = store.ls()
    assert store.gc(older_than=NOTHING) == [dead]
    assert store.gc(older_than=NOTHING) == []
    assert store.ls() == before
    assert store._backend.modified(dead) == {}
    for key in ("k1", "k2"):
        xr.testing.assert_identical(store.get("dl4", key), rows("1", "2")[""])


def test_gc_deletes_no_recent_attempt(store):
    dead = abandoned_attempt(store)
    assert store.gc() == []
    assert store._backend.modified(dead) != {}


def test_a_key_can_be_put_again_after_its_attempt_was_lost(store):
    dead = abandoned_attempt(store)
    record = store.put("dl4", "torn", rows("9"), {})
    assert store.gc(older_than=NOTHING) == [dead]
    assert store.record("dl4", "torn") == record
    xr.testing.assert_identical(store.get("dl4", "torn"), rows("9")[""])


def test_compact_publishes_one_product_and_unpublishes_its_parts(store):
    old = [store.put("dl4", f"k{name}", rows(name), {}) for name in "123"]
    merged = store.compact("dl4", ["k1", "k2", "k3"], concatenated, {"why": "many"}, texts={"rows": ["1", "2", "3"]})
    assert store.ls() == [merged]
    assert merged.supersedes == merged.inputs == ("k1", "k2", "k3")
    xr.testing.assert_identical(store.get("dl4", merged.key), rows("1", "2", "3")[""])
    assert store.gc() == []
    assert store.gc(older_than=NOTHING) == sorted(record.folder for record in old)
    assert store.ls() == [merged]
    assert store.compact("dl4", ["k1", "k2", "k3"], concatenated, {}) == merged


def test_a_reader_can_finish_after_compact(store):
    store.put("dl4", "k1", rows("1"), {})
    opened = store.open("dl4", "k1")
    store.compact("dl4", ["k1"], concatenated, {})
    store.gc()
    xr.testing.assert_identical(opened.load(), rows("1")[""])
    with pytest.raises(StoreError, match="no product dl4/k1"):
        store.get("dl4", "k1")


def test_compact_leaves_a_part_that_a_name_points_to(store):
    for name in "12":
        store.put("dl4", f"k{name}", rows(name), {})
    store.set_name("night", "dl4", "k1")
    merged = store.compact("dl4", ["k1", "k2"], concatenated, {})
    assert {record.key for record in store.ls()} == {"k1", merged.key}
    store.gc(older_than=NOTHING)
    xr.testing.assert_identical(store.get(*store.resolve("night")), rows("1")[""])


@pytest.mark.some_long(4)
@pytest.mark.parametrize("ending", ["compact", "gc"])
@pytest.mark.parametrize("moment", range(5))
def test_a_compaction_that_is_killed_at_any_write_loses_no_row_and_is_completed_by_the_next(
    store, monkeypatch, ending, moment
):
    for name in "12":
        store.put("dl4", f"k{name}", rows(name), {})
    calls = []

    def killing(verb):
        def write(*given):
            calls.append((verb.__name__, given[0]))
            if len(calls) > moment:
                raise KeyboardInterrupt
            return verb(*given)

        return write

    with monkeypatch.context() as killed:
        for verb in ("create", "replace", "delete"):
            killed.setattr(store._backend, verb, killing(getattr(store._backend, verb)))
        with pytest.raises(KeyboardInterrupt):
            store.compact("dl4", ["k1", "k2"], concatenated, {})
    parts = [store.get("dl4", record.key) for record in store.ls()]
    assert {name for part in parts for name in part.dataset.values} == {"1", "2"}

    if ending == "compact" or moment == 0:
        store.compact("dl4", ["k1", "k2"], concatenated, {})
    store.gc(older_than=NOTHING)
    (merged,) = store.ls()
    xr.testing.assert_identical(store.get("dl4", merged.key), rows("1", "2")[""])
    assert {path.split("/")[2] for path in store._backend.modified("dl4")} == {"record.json", merged.attempt}


def test_gc_deletes_staged_files_and_empty_folders(tmp_path):
    store = Store(tmp_path)
    record = store.put("dl4", "k1", rows("1"), {})
    staged = tmp_path / "dl4" / "k2" / "attempt" / "zarr.json#1"
    staged.parent.mkdir(parents=True)
    staged.write_text("{")
    store.gc()
    assert staged.exists()
    store.gc(older_than=NOTHING)
    assert not (tmp_path / "dl4" / "k2").exists()
    assert store.ls() == [record]


def test_folders_with_a_leading_underscore_are_no_kinds(store):
    store.put("dl4", "k1", rows("1"), {})
    store.set_tag("t", {})
    store.remember("u", 1, 2, "d")
    assert listing.kinds(store._backend) == ["dl4"]


def test_gc_ends_in_a_tree_that_is_deeper_than_calls_may_be(tmp_path):
    store, place = Store(tmp_path), tmp_path / "_deep"
    for _ in range(1500):
        place.mkdir()
        place = Path(f"{place}/d")
    store.gc(older_than=NOTHING)
    assert not (tmp_path / "_deep").exists()

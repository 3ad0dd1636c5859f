"""``verify`` during ``compact``, ``gc`` and writes: unpublished products are no faults."""

import datetime
import shutil

import numpy as np
import pytest
import xarray as xr

from releases import config_of, until_datasets
from xgamma.store import Store
from xgamma.store import integrity as reading
from xgamma.upkeep import verify as verifying
from xgamma.upkeep.parts import compact, tag
from xgamma.upkeep.verify import verify

AT_ONCE = datetime.timedelta(0)


@pytest.fixture(scope="module")
def whole(tiny_release, tmp_path_factory):
    """A store of three nights, each with its part and its rows, and a tag."""
    place = tmp_path_factory.mktemp("races") / "store"
    for run in (1, 2, 3):
        until_datasets(config_of(tiny_release, place, f"observations: {{obs_ids: [{run}]}}"))
    tag(Store(place), "before")
    return place


@pytest.fixture
def store(whole, tmp_path):
    return Store(shutil.copytree(whole, tmp_path / "store"))


def compacted(store):
    compact(store)


def compacted_and_deleted(store):
    compact(store)
    store.gc(AT_ONCE)


def written(store):
    """A product, a name and a tag that come while others are read."""
    store.put("dl4", "new", {"": xr.Dataset({"a": ("x", np.arange(3.0))})}, {})
    store.set_name("new", "dl4", "new")
    tag(store, "after", overwrite=True)


def set_aside(store):
    """A product that a reader found damaged and set aside, and computed again."""
    (record, *_) = store.ls("rows")
    groups = {"": store.get("rows", record.key)}
    (store._backend.folder / "rows" / record.key / "record.json").unlink()
    store.put("rows", record.key, groups, record.provenance, inputs=record.inputs, texts=record.texts)


@pytest.mark.some_long(5)
@pytest.mark.parametrize("work", [compacted, compacted_and_deleted, written, set_aside])
@pytest.mark.parametrize(("moment", "sample"), [("check_product", 0), ("_read", 2), ("check_labels", 2)])
def test_changes_of_other_processes_during_verify_are_no_faults(store, monkeypatch, work, moment, sample):
    began = []
    module = verifying if moment in ("check_product", "check_labels") else reading
    whole = getattr(module, moment)

    def meanwhile(*given):
        # When the third product is looked at, so that some were read before and some are read after.
        began.append(moment)
        if len(began) == (1 if moment == "check_labels" else 3):
            work(Store(store.url))
        return whole(*given)

    monkeypatch.setattr(module, moment, meanwhile)
    report = verify(Store(store.url), sample=sample, seed=1)
    assert len(began) >= 1
    assert [(fault.where, fault.what, fault.message) for fault in report.faults] == []
    assert [(fault.where, fault.message) for fault in verify(Store(store.url)).faults] == []


def test_damage_that_persists_during_verify_is_a_fault(store, monkeypatch):
    (record, *_) = store.ls("stack")
    chunk = next((store._backend.folder / record.folder / "counts").glob("c.*"))
    chunk.write_bytes(chunk.read_bytes()[:-1])
    whole = verifying.check_product

    def meanwhile(*given):
        compact(Store(store.url))
        return whole(*given)

    monkeypatch.setattr(verifying, "check_product", meanwhile)
    assert {(fault.where, fault.what) for fault in verify(Store(store.url)).faults} == {
        (f"stack/{record.key}", "unreadable")
    }

"""A product that lost bytes, as in an interrupted copy: every reader raises, a run computes it again."""

import datetime
import itertools
import logging

import numpy as np
import pytest
import xarray as xr

import faults
from command_line import CommandLine
from releases import config_of, until_datasets, whole
from survival.stage import abandoned, digests, files
from xgamma.errors import DamagedError
from xgamma.ingest.stored import tagged_runs
from xgamma.store import Store
from xgamma.store.integrity import check_product, read_contents
from xgamma.upkeep.parts import tag

KINDS = ("dl3", "rows", "stack", "fit", "flux-points")


def remove(path):
    path.unlink()


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path):
    path.write_bytes(b"")


def place_of(store, kind, name):
    (record,) = store.ls(kind)
    return store._backend.folder / record.folder / name


@pytest.fixture
def small(tmp_path):
    store = Store(tmp_path / "store")
    values = np.random.default_rng(1).random(4000)
    events = xr.Dataset({"energy": ("event", values, {"units": "TeV"})})
    store.put("dl3", "k1", {"": xr.Dataset(), "events": events}, {}, encoding={"events/energy": {"chunks": (1000,)}})
    return store


READERS = {
    "get": lambda store: store.get("dl3", "k1", "events"),
    "open": lambda store: store.open("dl3", "k1", "events").load(),
    "read_columns": lambda store: store.read_columns("dl3", "k1", "events", ["energy"], 2100, 2900),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", ["events/energy/c.2", "zarr.json"])
@pytest.mark.parametrize("damage", [remove, cut, empty])
def test_every_reader_raises_for_lost_bytes_and_verify_names_them(small, reader, name, damage):
    path = place_of(small, "dl3", name)
    damage(path)
    with pytest.raises(DamagedError, match=r"the product is damaged\. Copy it from a sound store, or delete") as error:
        READERS[reader](Store(small.url))
    assert small._backend.folder / error.value.path == path
    (record,) = read_contents(small).records
    assert check_product(small, record).faults[0].where == "dl3/k1"


def test_a_product_that_was_set_aside_stays_for_a_day_and_is_no_fault(small):
    place_of(small, "dl3", "events/energy/c.2").unlink()
    before = files(small.url)
    with pytest.raises(DamagedError) as error:
        small.get("dl3", "k1", "events")
    small.set_aside(error.value)
    small.set_aside(error.value)
    assert small.ls() == []
    assert read_contents(small).unpublished == ()
    assert small.gc() == []
    assert {name for name, *_ in before} - {name for name, *_ in files(small.url)} == {"dl3/k1/record.json"}


def test_a_product_that_was_put_again_meanwhile_is_not_set_aside(small):
    place_of(small, "dl3", "zarr.json").unlink()
    with pytest.raises(DamagedError) as error:
        small.get("dl3", "k1")
    small.set_aside(error.value)
    record = small.put("dl3", "k1", {"": xr.Dataset()}, {})
    small.set_aside(error.value)
    assert small.ls() == [record]


@pytest.fixture(scope="module")
def undisturbed(tiny_release, tmp_path_factory):
    store = tmp_path_factory.mktemp("healing") / "undisturbed"
    whole(config_of(tiny_release, store))
    return digests(Store(store))


def uncover(store, kind):
    """Unpublish what is made from a kind, so that it is read again."""
    for above in KINDS[KINDS.index(kind) + 1 :]:
        (record,) = store.ls(above)
        (store._backend.folder / above / record.key / "record.json").unlink()


def damage_chunk(store, kind):
    events = "events/energy/c.0" if kind == "dl3" else ""
    folder = place_of(store, kind, "")
    remove(folder / events if events else next(path for path in folder.rglob("c*") if path.is_file()))
    uncover(store, kind)


def damage_metadata(store, kind):
    cut(place_of(store, kind, "zarr.json"))
    uncover(store, kind)


def damage_record(store, kind):
    empty(place_of(store, kind, "").parent / "record.json")


def test_a_run_computes_again_what_it_finds_damaged(tiny_release, tmp_path, undisturbed, caplog, survival):
    config = config_of(tiny_release, tmp_path / "store")
    whole(config)
    store = Store(tmp_path / "store")
    with survival("damaged products in a store, met by a run") as tally:
        for kind, damage in itertools.product(KINDS, [damage_chunk, damage_metadata, damage_record]):
            if (kind, damage) == ("dl3", damage_record):
                continue  # nobody knows its runs any more: see below
            with tally.trial(f"{damage.__name__}, {kind}"):
                damage(store, kind)
                caplog.clear()
                whole(config)
                assert digests(store) == undisturbed
                said = [entry.getMessage() for entry in caplog.records if entry.levelno == logging.WARNING]
                assert any("is damaged" in text and text.endswith("computed again now.") for text in said)
        store.gc(datetime.timedelta(0))
        assert abandoned(store.url) == {}
        assert digests(store) == undisturbed


def test_a_damaged_record_of_runs_raises_and_is_not_set_aside(tiny_release, tmp_path):
    """Its runs may be another release's, or as files once were."""
    config = config_of(tiny_release, tmp_path / "store")
    whole(config)
    store = Store(tmp_path / "store")
    damage_record(store, "dl3")
    with pytest.raises(DamagedError, match=r"The record dl3/.* is damaged"):
        whole(config)
    assert not list((tmp_path / "store" / "dl3").glob("*/retired.json"))


def test_an_earlier_version_of_a_run_is_not_set_aside(own_release, tmp_path):
    config = config_of(own_release, tmp_path / "store")
    whole(config)
    store = Store(tmp_path / "store")
    tag(store, "before")
    faults.halve_events(own_release, 1)
    remove(place_of(store, "dl3", "events/energy/c.0"))
    for record in store.ls("rows"):
        (store._backend.folder / "rows" / record.key / "record.json").unlink()
    until_datasets(config)
    assert tag(store, "after")["runs"]["tiny"].keys() == {"1", "2", "3"}
    tagged_runs(store, "before")


def test_runs_without_files_are_not_set_aside(own_release, tmp_path, capsys):
    place = tmp_path / "store"
    config = config_of(own_release, place)
    whole(config)
    store = Store(place)
    place_of(store, "dl3", "events/energy/c.0").unlink()
    (place / "rows" / store.ls("rows")[0].key / "record.json").unlink()
    held = store.ls("dl3")
    path = tmp_path / "config.yaml"
    from_store = config.update(f"observations: {{datastore: '{place}'}}")
    from_store.write(path)
    ran = CommandLine(capsys)("run", path)
    assert ran.code == 3
    assert ran.err.splitlines()[-1].startswith(f"Error: {path}: No run can be used. Run 1 and 2 more: dl3/")
    assert "the product is damaged" in ran.err
    assert store.ls("dl3") == held

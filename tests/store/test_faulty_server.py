"""A store on a server that refuses, stalls and cuts: right values or one error, and whole afterwards."""

import collections
import dataclasses
import datetime
import random

import numpy as np
import pytest
import xarray as xr

from releases import config_of, until_datasets
from store.faulty_server import FAULTS, FaultyServer, seeded
from xgamma.errors import StoreError, UnknownNameError
from xgamma.storage import retries
from xgamma.storage.backend import open_backend
from xgamma.store import Store, dataset_digest, digest

TRIES = 3
QUICK = tuple(fault for fault in FAULTS if "stall" not in fault)
NOTHING = datetime.timedelta(0)
FOR_READING_ONLY = {"short answer", "cut in the answer", "stall in the answer"}


@pytest.fixture(scope="module")
def server(s3_server):
    faulty = FaultyServer(s3_server.url)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**s3_server.environment, "AWS_ENDPOINT_URL": faulty.url, "AWS_TIMEOUT": "500ms"}.items():
            patch.setenv(name, value)
        quick = dataclasses.replace(retries.STORE, retries=TRIES - 1, pause=0.005, longest_pause=0.02)
        patch.setattr(retries, "STORE", quick)
        yield faulty
    faulty.close()


@pytest.fixture
def sound(server, s3_server):
    """The server without faults, also after the test; and the url of a place where nothing is yet."""
    server.plan = lambda *_: None
    yield s3_server.new_url()
    server.plan = lambda *_: None


def key(number):
    return digest({"number": number})


def product(number):
    # Larger than what a product holds copies of: each array is asked for.
    values = np.random.default_rng(number).random((5_000, 3))
    return {"": xr.Dataset({"x": (("row", "bin"), values), "n": ("row", np.arange(5_000))})}


def joined(parts):
    return {"": xr.concat([part[""] for part in parts], "row")}


def content(store):
    return {
        record.key: {group: dataset_digest(store.get(record.kind, record.key, group)) for group in record.digests}
        for record in store.ls()
    }


STEPS = {
    **{f"put {n}": lambda store, n=n: store.put("dl4", key(n), product(n), {}) for n in range(4)},
    "name": lambda store: store.set_name("best", "dl4", key(2)),
    "compact": lambda store: store.compact("dl4", [key(0), key(1)], joined, {}),
    "ls": lambda store: store.ls(),
    "get": content,
    "gc": lambda store: store.gc(NOTHING),
    "get again": content,
    "resolve": lambda store: store.resolve("best"),
}


def work(url, tally):
    """Take all steps, go on after a sentence, and count what became of them."""
    try:
        store = Store(url)
    except StoreError as error:
        note(tally, "refused", error)
        return
    for step in STEPS.values():
        try:
            step(store)
        except (StoreError, UnknownNameError) as error:
            note(tally, "refused", error)
        else:
            tally["survived"] += 1


def note(tally, what, error):
    tally[what] += 1
    text = str(error)
    assert "\n" not in text
    assert text.endswith((".", "again."))


def attempts(store):
    paths = store._backend.modified("dl4")
    return {path.rpartition("/zarr.json")[0] for path in paths if path.count("/") == 3 and path.endswith("/zarr.json")}


@pytest.mark.long
def test_a_store_on_a_faulty_server_is_right_or_raises_and_is_whole_afterwards(server, sound, s3_server):
    work(sound, collections.Counter())
    expected = content(Store(sound))
    tally = collections.Counter()
    for seed in range(8):
        url = s3_server.new_url()
        server.plan = seeded(seed, random.Random(seed).choice([0.1, 0.3, 0.6]))
        work(url, tally)
        server.plan = lambda *_: None
        for record_key, digests in content(Store(url)).items():
            assert digests == dict(Store(url).record("dl4", record_key).digests)
        again = collections.Counter()
        work(url, again)
        assert again == {"survived": len(STEPS)}
        store = Store(url)
        assert content(store) == expected
        store.gc(NOTHING)
        assert attempts(store) == {record.folder for record in store.ls()}
    met = sum(server.done.values())
    print(
        f"{met} faults; steps: tried {tally.total()}, survived {tally['survived']}, refused {tally['refused']}, lost 0"
    )
    assert all(server.done.values())
    assert tally["survived"] > tally["refused"] > 0


@pytest.mark.long
def test_an_analysis_on_a_faulty_server_gives_the_bytes_of_one_on_a_sound_server(
    server, sound, s3_server, tiny_release, monkeypatch
):
    # Many requests at once, on a machine that may be busy.
    monkeypatch.setenv("AWS_TIMEOUT", "10s")
    until_datasets(config_of(tiny_release, sound))
    expected = {(record.kind, record.key): dict(record.digests) for record in Store(sound).ls()}
    assert {kind for kind, _ in expected} == {"dl3", "rows", "stack"}
    tally = collections.Counter()
    for seed, share in enumerate([0.1, 0.1, 0.3, 0.5]):
        url = s3_server.new_url()
        server.plan = seeded(seed, share, QUICK)
        try:
            until_datasets(config_of(tiny_release, url))
            tally["survived"] += 1
        except StoreError as error:
            note(tally, "refused", error)
        server.plan = lambda *_: None
        found = {(record.kind, record.key): dict(record.digests) for record in Store(url).ls()}
        assert found.items() <= expected.items()
        until_datasets(config_of(tiny_release, url))
        assert {(record.kind, record.key): dict(record.digests) for record in Store(url).ls()} == expected
    print(f"analyses: tried {tally.total()}, survived {tally['survived']}, refused {tally['refused']}, lost 0")
    assert tally["survived"] > 0


VERBS = {
    "HEAD": lambda backend: backend.exists("a"),
    "GET": lambda backend: backend.read("a"),
    "LIST": lambda backend: backend.modified(""),
    "FOLDERS": lambda backend: backend.children(),
    "CREATE": lambda backend: backend.create("b", b"b"),
    "PUT": lambda backend: backend.replace("a", b"a" * 100),
    "DELETE": lambda backend: backend.delete("b"),
}


def ask(server, verb, fault, times, backend):
    """Ask once, and return the error and how many requests were made; the first ``times`` meet the fault."""
    made = []

    def plan(*asked):
        made.append(asked)
        return fault if len(made) <= times else None

    server.plan = plan
    try:
        VERBS[verb](backend)
    except StoreError as error:
        return error, len(made)
    finally:
        server.plan = lambda *_: None
    return None, len(made)


ONCE = [(verb, fault) for verb in VERBS for fault in QUICK if fault not in FOR_READING_ONLY]


@pytest.mark.some_long(3)
@pytest.mark.parametrize(("verb", "fault"), [*ONCE, ("GET", "stall"), ("CREATE", "stall"), ("DELETE", "stall")])
def test_a_failed_request_is_repeated_and_lasting_failures_name_the_server(server, sound, verb, fault):
    backend = open_backend(sound)
    backend.replace("a", b"a" * 100)
    assert ask(server, verb, fault, 1, backend) == (None, 2)
    error, made = ask(server, verb, fault, 1000, backend)
    assert made == TRIES
    assert f"That is the server, which was asked {TRIES} times. Try again later" in str(error)


BROKEN = [(verb, "cut in the answer") for verb in ("GET", "LIST", "FOLDERS", "DELETE")]


@pytest.mark.parametrize(("verb", "fault"), [*BROKEN, ("GET", "stall in the answer"), ("LIST", "stall in the answer")])
def test_a_truncated_answer_is_requested_again(server, sound, verb, fault):
    backend = open_backend(sound)
    backend.replace("a", b"a" * 100)
    assert ask(server, verb, fault, 1, backend) == (None, 2)
    error, made = ask(server, verb, fault, 1000, backend)
    assert made == TRIES
    assert f"which was asked {TRIES} times" in str(error)


@pytest.mark.some_long(3)
@pytest.mark.parametrize("what", ["record.json", "zarr.json", "x/c.0.0", "n/c.0", "_names", "store.json"])
@pytest.mark.parametrize("read", ["get", "open", "columns"])
def test_a_truncated_object_is_never_accepted(server, sound, what, read):
    store = Store(sound)
    store.put("dl4", key(1), product(1), {})
    store.set_name("best", "dl4", key(1))
    server.plan = lambda method, path: "short answer" if method == "GET" and what in path else None
    with pytest.raises(StoreError, match=r"damaged|breaks off|something else"):
        fresh = Store(sound)
        fresh.resolve("best")
        if read == "get":
            fresh.get("dl4", key(1))
        elif read == "open":
            fresh.open("dl4", key(1)).load()
        else:
            fresh.read_columns("dl4", key(1), "", ["n", "x"], 1, 2)


def test_a_record_whose_answer_was_lost_belongs_to_its_writer(server, sound):
    store = Store(sound)
    server.plan = lambda method, path: "lost answer" if lose(method, path) else None
    lost = []

    def lose(method, path):
        if method == "PUT" and path.endswith("record.json") and not lost:
            lost.append(path)
            return True
        return False

    record = store.put("dl4", key(1), product(1), {})
    assert len(lost) == 1
    assert record == store.record("dl4", key(1))
    xr.testing.assert_identical(store.get("dl4", key(1)), product(1)[""])


def test_options_of_the_environment_override_the_defaults(monkeypatch):
    monkeypatch.setenv("AWS_TIMEOUT", "7s")
    monkeypatch.setenv("AWS_PROXY_URL", "http://127.0.0.1:1")
    found = retries.client_options("AWS")
    assert found["timeout"] == "7s"
    assert found["proxy_url"] == "http://127.0.0.1:1"
    assert retries.client_options("GOOGLE")["timeout"] == "120s"
    assert retries.client_options("AWS", retries.Retries(timeout=0.5))["read_timeout"] == "500000us"
    assert retries.client_options("AWS", retries.Retries())["timeout"] == "86400s"

"""A store in a bucket, on a server of S3 on loopback, and on the web."""

import functools
import http.server
import pickle
import subprocess
import sys
import threading
import traceback
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from obstore.store import from_url
from zarr.storage import ObjectStore

import xgamma
from xgamma.errors import StoreError
from xgamma.storage import locations
from xgamma.storage.backend import Backend, open_backend
from xgamma.store import Store, is_store
from xgamma.store.records import draft_record

RUNS, EVENTS = 105, 400
COLUMNS = ["time", "ra", "dec", "energy"]


def product(number=0):
    values = np.random.default_rng(number).random(RUNS * EVENTS)
    return {
        "": xr.Dataset({f"fact{n}": ("obs", np.arange(RUNS)) for n in range(20)}, coords={"obs": np.arange(RUNS)}),
        "events": xr.Dataset({name: ("event", values + n, {"units": "s"}) for n, name in enumerate(COLUMNS)}),
    }


@pytest.fixture
def url(s3):
    yield s3.new_url()
    if not s3.is_real:
        s3.ignores_conditions = False


@pytest.fixture
def store(url):
    store = Store(url)
    store.put("dl3", "k1", product(), {})
    return store


# Where it is


def test_the_same_prefix_is_the_same_store(store):
    assert Store(f"{store.url}/").ls() == store.ls()
    assert Store(f"{store.url} of another name").ls() == []
    assert is_store(store.url)
    assert not is_store(f"{store.url}/below")


def test_a_whole_bucket_is_a_store(s3):
    store = Store("s3://products")
    record = store.put("dl5", "k1", product(), {})
    assert store.path("dl5", "k1") == f"s3://products/{record.folder}"
    assert Store("s3://products/").has("dl5", "k1")


def test_plain_xarray_opens_a_product_by_its_path(store):
    assert store.path("dl3", "k1") == f"{store.url}/{store.record('dl3', 'k1').folder}"
    objects = ObjectStore(from_url(store.path("dl3", "k1")), read_only=True)
    opened = xr.open_zarr(objects, group="events", chunks=None)
    assert opened.ra.attrs["units"] == "s"
    np.testing.assert_array_equal(opened.ra, product()["events"].ra)


def test_another_process_opens_a_store_that_was_pickled(store, monkeypatch):
    sent = pickle.dumps((store, store.open("dl3", "k1", "events")))
    ask = "import pickle, sys; store, sent = pickle.load(sys.stdin.buffer); print(store.ls()[0].key, sent.ra[3].item())"
    monkeypatch.setenv("PYTHONPATH", str(Path(xgamma.__file__).parents[1]))
    answer = subprocess.run([sys.executable, "-c", ask], input=sent, capture_output=True, check=True).stdout.decode()
    assert answer == f"k1 {product()['events'].ra[3].item()}\n"


def test_a_large_chunk_takes_one_request(url, asked):
    store = Store(url)
    large = xr.Dataset({"x": ("n", np.random.default_rng(1).random(1_500_000))})
    # store.json is there; the key is looked up, then group, array, chunk and record are put, and the record read back.
    assert asked(store.put, "dl3", "large", {"": large}, {}) == 6
    xr.testing.assert_identical(store.get("dl3", "large"), large)


# How often it asks


def test_opening_and_reading_the_events_of_one_run_takes_few_requests(store, asked):
    def read_one_run():
        Store(store.url).read_columns("dl3", "k1", "events", COLUMNS, EVENTS, 2 * EVENTS)

    assert asked(read_one_run) <= 3 + len(COLUMNS) < 20


def test_reading_all_events_of_many_runs_takes_few_requests(store, asked):
    def read_all():
        opened = Store(store.url)
        opened.get("dl3", "k1")
        opened.get("dl3", "k1", "events")

    assert asked(read_all) < 40


def test_known_objects_of_an_attempt_are_not_requested_again(store, asked):
    first = asked(store.get, "dl3", "k1", "events")
    assert asked(store.get, "dl3", "k1", "events") <= first
    assert asked(store.has, "dl3", "k1") == 1
    assert asked(store.open, "dl3", "k1", "events") == 1
    assert asked(is_store, store.url) == 1


def test_a_product_that_is_there_is_found_by_one_request(store, asked):
    assert asked(store.put, "dl3", "k1", product(), {}) == 1


def test_listing_takes_one_request_and_one_for_each_record(store, asked):
    store.put("dl3", "k2", product(), {})
    assert asked(store.ls, "dl3") == 3


# Servers that ignore conditional writes


def rivals(url):
    """Put one key from several threads that all see it missing, and return the records that they got."""
    together = threading.Barrier(4)

    class Together(Store):
        def _publish(self, *given):
            together.wait()
            return super()._publish(*given)

    records = []

    def put():
        records.append(Together(url).put("dl4", "k1", product(1), {}))

    threads = [threading.Thread(target=put) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return records


@pytest.mark.some_long(2)
@pytest.mark.parametrize("ignores", [False, True])
def test_racing_writers_publish_one_whole_product(request, url, ignores):
    store = Store(url)
    if ignores:
        request.getfixturevalue("moto").ignores_conditions = True
    got = rivals(url)
    assert len(got) == 4
    (standing,) = store.ls()
    for group, expected in product(1).items():
        xr.testing.assert_identical(store.get("dl4", "k1", group), expected)
    if not ignores:
        assert got == [standing] * 4
    # What a writer was told it had published may be in use, and stays until gc.
    for record in got:
        assert store._backend.exists(f"{record.folder}/zarr.json")


def test_without_conditional_writes_the_published_record_is_returned(moto, url):
    moto.ignores_conditions = True
    winner = Store(url)

    class Early(Backend):
        def create(self, path, content):
            """Publish, and be overwritten before the answer is there."""
            created = super().create(path, content)
            winner._publish(draft_record("dl4", "k1", {}, (), {}), product(2), {})
            return created

    early = Store(url)
    early._backend.__class__ = Early
    returned = early.put("dl4", "k1", product(1), {})
    assert returned == winner.record("dl4", "k1")
    xr.testing.assert_identical(early.get("dl4", "k1", "events"), product(2)["events"])


# Who may read and write


def test_public_data_are_read_without_a_key(s3, store, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    before = len(s3.signed)
    xr.testing.assert_identical(Store(store.url).get("dl3", "k1"), product()[""])
    assert set(s3.signed[before:]) == {False}


def test_requests_are_signed_with_the_key_of_the_environment(s3, store):
    before = len(s3.signed)
    store.ls()
    assert set(s3.signed[before:]) == {True}


def texts_of(error):
    return "".join(traceback.format_exception(error))


def test_no_secret_is_in_a_record_a_repr_or_a_pickle(s3, store):
    record = store._backend.read("dl3/k1/record.json").decode()
    opened = store.open("dl3", "k1", "events")
    said = [record, repr(store), str(vars(store)), repr(opened), store.path("dl3", "k1")]
    said += [pickle.dumps(sent).decode("latin1") for sent in (store, opened)]
    for words in said:
        for own in s3.own_words:
            assert own not in words


def test_no_secret_is_in_an_error(moto, url, monkeypatch):
    store = Store(url)
    record = store.put("dl3", "k1", product(), {})
    opened = store.open("dl3", "k1", "events")
    # What servers answer to a wrong key repeats it.
    answer = f"<Error><Code>InvalidAccessKeyId</Code><AWSAccessKeyId>{moto.own_words[0]}</AWSAccessKeyId></Error>"
    monkeypatch.setattr(moto, "refusal", answer)
    asks = [
        lambda: Store(url),
        lambda: is_store(url),
        lambda: store.get("dl3", "k1"),
        lambda: store.put("dl3", "k2", product(), {}),
        lambda: store._backend.delete_folder(record.folder),
        lambda: store.ls(),
        opened.load,
    ]
    for ask in asks:
        with pytest.raises(StoreError, match=r"403 Forbidden( \(InvalidAccessKeyId\))?\. Check the bucket") as error:
            ask()
        for own in moto.own_words:
            assert own not in texts_of(error.value)


@pytest.mark.parametrize(
    "secret", ["s3://key:word@bucket/x", "https://host/x?X-Amz-Signature=word", "s3://bucket/x#word"]
)
def test_a_url_that_holds_a_secret_raises_without_repeating_it(secret):
    with pytest.raises(StoreError, match="and the credentials in the environment") as error:
        Store(secret)
    assert "word" not in texts_of(error.value)


@pytest.mark.parametrize("url", ["https://host/a@b?sv=1&sig=word", "https://key:word@host/a@b", "https://host/a@b"])
def test_the_secret_part_of_a_url_is_not_repeated(url):
    error = OSError(f"Error performing GET {url} in 2 ms - no answer.\n\nDebug source:\nword")
    assert locations.reason(error) == "Error performing GET https://host/a@b in 2 ms - no answer"


# What cannot be


def test_a_missing_bucket_raises(s3):
    with pytest.raises(StoreError, match=r"no-such/x cannot be written: .*404 Not Found \(NoSuchBucket\)\. Check"):
        Store("s3://no-such/x")


@pytest.mark.parametrize("url", ["s3://", "https://", "az://container/path"])
def test_a_url_without_a_bucket_raises(url):
    with pytest.raises(StoreError, match="cannot be opened"):
        Store(url)


# On the web


@pytest.fixture
def web(tmp_path):
    """A folder with a store, and the url under which a web server shows it."""

    class Silent(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_given):
            pass

    Store(tmp_path / "store").put("dl4", "k1", product(), {})
    handler = functools.partial(Silent, directory=tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/store"
        server.shutdown()


def test_a_store_on_the_web_is_read_by_key(web):
    store = Store(web)
    xr.testing.assert_identical(store.get("dl4", "k1"), product()[""])
    xr.testing.assert_identical(store.open("dl4", "k1", "events").load(), product()["events"])
    assert not store.has("dl4", "k2")
    assert is_store(web)
    assert not is_store(f"{web}/below")


def test_a_store_on_the_web_is_neither_written_nor_listed(web):
    store = Store(web)
    with pytest.raises(StoreError, match="cannot be written: a web server only gives"):
        store.put("dl4", "k2", product(), {})
    with pytest.raises(StoreError, match="cannot be listed: a web server only gives"):
        store.ls()
    with pytest.raises(StoreError, match="cannot be written"):
        open_backend(web).delete("store.json")

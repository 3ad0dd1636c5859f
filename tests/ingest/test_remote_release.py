"""A release in a bucket, on the web or in memory is the release that it is on a disk: same keys, same products."""

import functools
import gzip
import http.server
import pickle
import threading

import obstore
import pytest
import xarray as xr
from astropy.io import fits

import faults
from command_line import CommandLine
from releases import config_of, until_datasets, whole
from xgamma.analysis.plan import plan
from xgamma.analysis.preview import preview
from xgamma.errors import InputError, MissingInputError, StoreError, XgammaError
from xgamma.formats.fits import tables
from xgamma.formats.gadf import files as gadf_files
from xgamma.formats.gadf.files import located, read_file, release_files, release_name
from xgamma.formats.gadf.index import read_index
from xgamma.formats.gadf.run import read_run
from xgamma.ingest import open_release
from xgamma.ingest.part import read_runs
from xgamma.storage.backend import open_backend
from xgamma.store import Store

IDS = [1, 2, 3]


def nothing():
    """Report no progress."""


@pytest.fixture
def xgamma(capsys):
    """The command."""
    return CommandLine(capsys)


def copied(folder, url):
    """Copy a folder to a url, and return the place that holds it."""
    place = open_backend(url)
    for path in folder.rglob("*"):
        if path.is_file():
            obstore.put(place.objects, path.relative_to(folder).as_posix(), path.read_bytes())
    return place


class Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_given):
        pass


@pytest.fixture(scope="session")
def web(tiny_release):
    """The url under which a web server shows a folder with the release."""
    handler = functools.partial(Silent, directory=tiny_release.parent)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def bucket(s3, tiny_release):
    """The url of the release in a bucket."""
    url = f"{s3.new_url()}/tiny"
    copied(tiny_release, url)
    return url


@pytest.fixture(params=["disk", "file", "memory", "web", "s3"])
def place(request, tiny_release):
    """The release at every kind of place."""
    if request.param == "memory":
        held = copied(tiny_release, "memory://tiny")
        yield "memory://tiny"
        del held
    elif request.param == "s3":
        yield request.getfixturevalue("bucket")
    elif request.param == "web":
        yield f"{request.getfixturevalue('web')}/tiny"
    else:
        yield str(tiny_release) if request.param == "disk" else f"file://{tiny_release}"


# --- the same release


def test_a_release_has_the_same_runs_and_keys_wherever_it_lies(place, tiny_release, tmp_path):
    store = Store(tmp_path / "store")
    release = open_release(place)
    assert release.name == "tiny"
    assert release.facts() == open_release(tiny_release).facts()
    assert release.pending(IDS, store) == IDS
    assert release.nbytes(IDS) == sum(faults.run_file(tiny_release, number).stat().st_size for number in IDS)
    held = release.load(IDS, store)
    assert (held.failures, held.ingested) == ([], IDS)
    # What was ingested from there is found from here, and the other way round.
    again = open_release(tiny_release).load(IDS, store)
    assert (again.ingested, again.run_keys, again.places) == ([], held.run_keys, held.places)
    assert open_release(place).pending(IDS, store) == []


def test_an_analysis_of_a_bucket_finds_the_products_of_the_disk(bucket, tiny_release, tmp_path):
    store = tmp_path / "store"
    first = whole(config_of(tiny_release, store))
    second = whole(config_of(bucket, store))
    assert first.computed == {"observations", "datasets", "fit", "flux_points"}
    assert second.computed == set()
    assert [step.state for step in plan(config_of(bucket, store))] == ["found"] * 5


def test_release_and_store_may_both_be_in_a_bucket(s3, bucket, tiny_release):
    config = config_of(bucket, s3.new_url(), "datasets: {stack: false}")
    assert preview(config).facts["datastore"] == "tiny: 3 runs"
    assert plan(config)[0].cost.nbytes_in > 0
    analysis = until_datasets(config)
    wanted = until_datasets(config_of(tiny_release, "memory://", "datasets: {stack: false}"))
    for given, expected in zip(analysis.datasets.to_xarray(), wanted.datasets.to_xarray(), strict=True):
        xr.testing.assert_identical(given, expected)
    assert until_datasets(config).computed == set()


def test_a_file_that_changed_in_its_bucket_is_a_new_version(bucket, own_release, tmp_path):
    store = Store(tmp_path / "store")
    old = open_release(bucket).load(IDS, store).run_keys
    faults.spoil_energies(own_release, 2)
    copied(own_release, bucket)
    assert open_release(bucket).pending(IDS, store) == [2]
    held = open_release(bucket).load(IDS, store)
    assert held.ingested == [2]
    assert [obs_id for obs_id in IDS if held.run_keys[obs_id] != old[obs_id]] == [2]


def test_the_command_ingests_plans_and_checks_a_bucket(xgamma, bucket, tmp_path):
    store = tmp_path / "store"
    assert xgamma("ingest", bucket, store).out == "3 runs ingested, 0 were there, 0 could not be read.\n"
    config = tmp_path / "config.yaml"
    config_of(bucket, store, "flux_points: {energy: {nbins: 2}}").write(config)
    assert xgamma("check", config).code == 0
    steps = xgamma("plan", config, "--json").document
    assert [step["state"] for step in steps] == ["found"] + ["compute"] * 4
    assert xgamma("run", config).code == 0


# --- requests


def test_a_run_takes_one_request_and_a_known_one_a_status_request(bucket, asked, tmp_path):
    store = Store(tmp_path / "store")
    # It is no store; then the two index files, and each run.
    assert asked(lambda: open_release(bucket).load(IDS, store)) == 3 + len(IDS)
    assert asked(lambda: open_release(bucket).load(IDS, store)) == 3 + len(IDS)


def test_many_known_files_are_compared_by_one_listing(bucket, asked, monkeypatch, tmp_path):
    store = Store(tmp_path / "store")
    open_release(bucket).load(IDS, store)
    monkeypatch.setattr(gadf_files, "_LIST_FROM", 3)
    assert asked(lambda: open_release(bucket).load(IDS, store)) == 3 + 1
    assert open_release(bucket).pending(IDS, store) == []


def test_raises_for_a_large_object_before_fetching_it(bucket, monkeypatch):
    entry = read_index(bucket).runs[2]
    monkeypatch.setattr(gadf_files, "LARGEST_FILE", 1 << 10)
    sent = []
    monkeypatch.setattr("xgamma.storage.backend.bytes", lambda _: sent.append(1), raising=False)
    with pytest.raises(InputError, match="is not read: expected at most 0 MB, it has"):
        read_run(entry)
    assert sent == []


def test_a_gzip_bomb_in_a_bucket_is_not_inflated(bucket, monkeypatch):
    place = open_backend(bucket)
    entry = read_index(bucket).runs[2]
    (file,) = {location.path for location in entry.hdus.values()}
    monkeypatch.setattr(tables, "INFLATED_AT_LEAST", 1 << 20)
    obstore.put(place.objects, file.name, gzip.compress(bytes(4 << 20)))
    runs, failures = read_runs(read_index(bucket).runs.values(), nothing)
    assert [run.entry.obs_id for run in runs] == [1, 3]
    assert "is not inflated" in failures[0].message


# --- index files


def test_one_index_file_in_a_bucket_is_a_release(own_release, s3):
    with fits.open(own_release / "obs-index.fits.gz") as obs, fits.open(own_release / "hdu-index.fits.gz") as hdu:
        fits.HDUList([fits.PrimaryHDU(), obs[1].copy(), hdu[1].copy()]).writeto(own_release / "index.fits")
    url = s3.new_url()
    copied(own_release, url)
    opened = open_release(f"{url}/index.fits")
    assert opened.name == "index"
    held = opened.load(list(opened.facts()), Store("memory://"))
    assert (list(held.places), held.failures) == (IDS, [])


def test_without_an_index_a_bucket_is_listed_and_a_web_server_is_not(own_release, s3):
    for index in own_release.glob("*-index.fits.gz"):
        index.unlink()
    url = s3.new_url()
    copied(own_release, url)
    assert list(open_release(url).facts()) == IDS
    handler = functools.partial(Silent, directory=own_release)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(MissingInputError, match=r"has no hdu-index\.fits\[\.gz\], and a web server lists no files"):
            open_release(f"http://127.0.0.1:{server.server_port}/").facts()
        server.shutdown()


def test_without_an_observation_index_pointings_are_those_of_the_runs(own_release, s3):
    (own_release / "obs-index.fits.gz").unlink()
    url = s3.new_url()
    copied(own_release, url)
    assert open_release(url).facts() == open_release(own_release).facts()


# --- names that lead out

WAYS_OUT = [
    "../other/run.fits",
    "data/../../other/run.fits",
    "/etc/passwd",
    "//evil.example/run.fits",
    "http://evil.example/run.fits",
    "data/run.fits?versionId=1",
    "data/run.fits#x",
    "%2e%2e/other/run.fits",
    "data/%2e%2e/%2e%2e/other/run.fits",
    "..\\other\\run.fits",
    "data/run\n.fits",
    "",
    ".",
    "..",
]


@pytest.mark.some_long(3)
@pytest.mark.parametrize("name", WAYS_OUT)
def test_raises_for_a_name_outside_of_the_url_without_a_request(bucket, own_release, asked, name):
    faults.name_file(own_release, "", name)
    table = own_release / "hdu-index.fits.gz"
    place = open_backend(bucket)
    obstore.put(place.objects, table.name, table.read_bytes())
    entries = read_index(bucket).runs
    assert list(entries) == IDS

    def refused():
        with pytest.raises(InputError, match=r"^The file '.*Correct the index|^The file '.* lies outside"):
            read_run(entries[2])

    assert asked(refused) == 0
    assert len(read_runs(entries.values(), nothing)[0]) == 2


def test_relative_paths_inside_of_a_release_are_resolved(bucket):
    files, _ = release_files(bucket)
    file, refusal = located(files, "a/../data/x.fits")
    assert (str(file), refusal) == (f"{bucket}/data/x.fits", "")


# --- what travels


def test_an_entry_is_pickled_as_its_url(bucket, s3):
    entry = read_index(bucket).runs[2]
    sent = pickle.dumps(entry)
    assert len(sent) < 2000
    for word in s3.own_words:
        assert word.encode() not in sent
    again = pickle.loads(sent)
    assert again == entry
    assert read_run(again).file_digests == read_run(entry).file_digests


def test_raises_when_an_entry_of_a_release_in_memory_is_pickled(tiny_release):
    held = copied(tiny_release, "memory://stays")
    entry = read_index("memory://stays").runs[1]
    with pytest.raises(StoreError, match=r"A release in memory stays in its process\. Use a folder"):
        pickle.dumps(entry)
    del held


# --- places that are no release


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("ftp://host/data", "ftp://host/data cannot be opened: expected s3://, gs://, az://, https://, memory://"),
        ("s3://key:word@products/data", "s3://products/data came with a user, a query or a fragment"),
        ("https://host/data?sig=word", "https://host/data came with a user, a query or a fragment"),
    ],
)
def test_raises_for_an_invalid_url_without_a_request(url, sentence, tmp_path):
    config = config_of(url, tmp_path / "store")
    with pytest.raises(MissingInputError, match=r"^observations\.datastore: ") as error:
        config.check(files=True)
    assert sentence in str(error.value)
    assert "word" not in str(error.value)
    with pytest.raises(XgammaError) as error:
        open_release(url).facts()
    assert sentence in str(error.value)


def test_raises_for_a_location_without_a_release(xgamma, s3, web, tmp_path):
    for url, said in {
        s3.new_url(): "holds neither hdu-index.fits[.gz] nor FITS files with an EVENTS HDU.",
        "s3://no-such-bucket-here/x": "404 Not Found (NoSuchBucket). Check the bucket, the endpoint",
        f"{web}/nowhere": "has no hdu-index.fits[.gz], and a web server lists no files.",
        f"{web}/nowhere/index.fits": "There is no file ",
        "http://127.0.0.1:9/x": "cannot be read: ",
    }.items():
        config = tmp_path / "config.yaml"
        config_of(url, tmp_path / "store").write(config, overwrite=True)
        done = xgamma("check", config)
        assert done.code == 3
        assert done.err.startswith("Error: ")
        assert done.err.count("\n") == 1
        assert said in done.err


def test_the_name_of_a_release_is_the_last_part_of_its_location(tmp_path):
    assert release_name("s3://bucket/a/nights/") == "nights"
    assert release_name("s3://bucket") == "bucket"
    assert release_name("https://host/a/index.fits.gz") == "index"
    assert release_name(tmp_path / "nights") == "nights"


def test_a_server_that_stops_answering_is_a_failure_of_the_run(s3, bucket, monkeypatch):
    entries = read_index(bucket).runs
    (file,) = {location.path for location in entries[2].hdus.values()}
    obstore.delete(open_backend(bucket).objects, file.name)
    with pytest.raises(MissingInputError, match=r"There is no file s3://.*\. Check the index of the release, or copy"):
        read_file(file)
    runs, failures = read_runs(entries.values(), nothing)
    assert ([run.entry.obs_id for run in runs], [failure.obs_id for failure in failures]) == ([1, 3], [2])

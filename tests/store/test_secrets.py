"""Credentials are in no store, log, error, traceback, pickle or task, while a server repeats them."""

import io
import itertools
import logging
import pickle
import traceback

import distributed
import distributed.protocol.pickle
import obstore
import pytest

from command_line import CommandLine
from releases import config_of, until_datasets, whole
from xgamma.errors import XgammaError
from xgamma.formats.gadf.index import read_index
from xgamma.ingest import open_release
from xgamma.storage.backend import open_backend
from xgamma.store import Store


@pytest.fixture
def said():
    """Every record of every logger at the lowest level, with its traceback, as text."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(name)s %(message)s %(args)s"))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture
def sent(monkeypatch):
    """Everything that dask pickles for its scheduler and workers."""
    pickled = []
    dumps = distributed.protocol.pickle.dumps

    def kept(*given, **more):
        content = dumps(*given, **more)
        pickled.append(bytes(content))
        return content

    monkeypatch.setattr(distributed.protocol.pickle, "dumps", kept)
    return pickled


@pytest.fixture
def talkative(moto):
    """A server whose error answers repeat the headers and the URL of the request."""
    turns = itertools.count()

    def refuse(environ):
        """Refuse every fiftieth request, and every request to what is called refused."""
        if next(turns) % 50 and "refused" not in environ["PATH_INFO"]:
            return None
        told = " ".join(str(value) for name, value in environ.items() if name.startswith("HTTP_"))
        return f"<Error><Code>SlowDown</Code><AWSAccessKeyId>{moto.own_words[0]}</AWSAccessKeyId>{told}</Error>"

    moto.fault = refuse
    yield moto
    moto.fault = lambda environ: None


@pytest.fixture
def release(s3, tiny_release):
    """The url of the release in a bucket."""
    place = open_backend(f"{s3.new_url()}/tiny")
    for path in tiny_release.rglob("*.fits*"):
        place.replace(path.relative_to(tiny_release).as_posix(), path.read_bytes())
    return place.url


def content_of(url):
    """Return the bytes of every object below a url."""
    objects = open_backend(url).objects
    paths = [item["path"] for batch in obstore.list(objects) for item in batch]
    assert paths
    return [path.encode() + bytes(obstore.get(objects, path).bytes()) for path in paths]


def assert_nowhere(words, contents):
    for content in contents:
        for word in words:
            assert word.encode() not in content


def test_the_answers_of_the_server_hold_the_secrets(talkative):
    told = {"HTTP_AUTHORIZATION": talkative.own_words[0], "HTTP_TOKEN": talkative.own_words[2], "PATH_INFO": "refused"}
    assert talkative.own_words[2] in talkative.fault(told)


@pytest.mark.long
def test_no_secret_is_in_a_store_a_log_or_a_pickle_on_threads(talkative, release, said, monkeypatch):
    monkeypatch.setattr("xgamma.ingest.release.RUNS_PER_PART", 1)
    url = talkative.new_url()
    analysis = whole(config_of(release, url))
    pickles = [pickle.dumps(thing) for thing in (analysis.observations.holdings, analysis.store, read_index(release))]
    assert_nowhere(talkative.own_words, [*content_of(url), *pickles, said.getvalue().encode()])
    assert b"s3://" in pickles[0]


def test_no_secret_is_in_the_tasks_of_a_cluster(talkative, release, said, sent, monkeypatch):
    monkeypatch.setattr("xgamma.reduce.spectra.MAX_ROWS", 1)
    url = talkative.new_url()
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as cluster:
        until_datasets(config_of(release, url, f"general: {{scheduler: '{cluster.scheduler_address}'}}"))
    assert any(url.encode() in content for content in sent)
    assert_nowhere(talkative.own_words, [*sent, *content_of(url), said.getvalue().encode()])


def test_no_secret_is_in_an_error_or_its_traceback(talkative, release, monkeypatch, said, capsys):
    xgamma = CommandLine(capsys)
    url = talkative.new_url()
    open_release(release).load([1], Store(url))
    # Now nobody is let in, and the answer repeats who asked.
    monkeypatch.setattr(talkative, "fault", lambda environ: None)
    monkeypatch.setattr(talkative, "refusal", f"<Error><Code>Denied</Code>{' '.join(talkative.own_words)}</Error>")
    texts = []
    for ask in (
        lambda: Store(url),
        lambda: open_release(url),
        lambda: open_release(release).facts(),
        lambda: read_index(release),
        lambda: whole(config_of(release, url)),
    ):
        with pytest.raises(XgammaError) as error:
            ask()
        texts += [str(error.value), "".join(traceback.format_exception(error.value)), repr(error.value)]
        texts.append(pickle.dumps(error.value).decode("latin1"))
    for words in (["ls", url], ["ingest", release, url], ["verify", url], ["gc", url]):
        done = xgamma(*words, "--debug")
        assert done.code == 3
        assert "Traceback" in done.err
        texts += [done.out, done.err]
    assert_nowhere(talkative.own_words, [text.encode() for text in [*texts, said.getvalue()]])

"""Blocks on threads and processes: the same bytes as one after the other, and what goes wrong is said."""

import pickle
import subprocess
import sys
import threading
from pathlib import Path

import dask
import numpy as np
import pytest

import xgamma
from releases import recipe, rows_in
from xgamma.errors import StoreError
from xgamma.events import Part
from xgamma.execute import Workers, progress_bar, run_blocks
from xgamma.ingest import open_release
from xgamma.ingest.stored import StoredGroups
from xgamma.reduce import joined_rows, reduce_block, reduce_spectra
from xgamma.store import Store, dataset_digest


@pytest.fixture(scope="module")
def stored(nights_release, tmp_path_factory):
    """The runs of a release in a store on disk."""
    store = Store(tmp_path_factory.mktemp("execute") / "store")
    open_release(nights_release).load(range(1, 8), store)
    [record] = store.ls("dl3")
    return Part(StoredGroups(store, record))


@pytest.fixture
def small_blocks(monkeypatch):
    """Cut the seven runs into four blocks."""
    monkeypatch.setattr("xgamma.reduce.spectra.MAX_ROWS", 2)


@pytest.fixture(scope="module")
def eager(stored):
    return dataset_digest(reduce_block(stored, rows_in(stored), recipe()))


def test_threads_give_the_bytes_of_one_block(stored, eager, small_blocks):
    assert dataset_digest(reduce_spectra(stored, rows_in(stored), recipe())) == eager


def test_blocks_one_after_the_other_give_the_bytes_of_one_block(stored, eager):
    rows = rows_in(stored)
    blocks = [reduce_block(stored, rows[first : first + 2], recipe()) for first in range(0, 7, 2)]
    assert dataset_digest(joined_rows(blocks)) == eager


@pytest.mark.long
def test_processes_give_the_bytes_of_one_block(stored, eager, small_blocks):
    assert dataset_digest(reduce_spectra(stored, rows_in(stored), recipe(), Workers(2))) == eager


def test_any_scheduler_gives_the_bytes_of_one_block(stored, eager, small_blocks):
    distributed = pytest.importorskip("distributed")
    options = {"dashboard_address": ":0", "processes": True, "threads_per_worker": 1, "n_workers": 1}
    with distributed.LocalCluster(**options) as cluster:
        found = reduce_spectra(stored, rows_in(stored), recipe(), Workers(scheduler=cluster.scheduler_address))
    assert dataset_digest(found) == eager


def test_results_keep_the_order_of_their_arguments():
    released = threading.Event()

    def number(one):
        # The first block ends last.
        if one == 0:
            released.wait(2)
        elif one == 5:
            released.set()
        return one

    assert run_blocks(number, [(one,) for one in range(6)], "Counting") == list(range(6))


def test_one_block_runs_in_this_thread():
    assert run_blocks(threading.get_ident, [()], "One") == [threading.get_ident()]
    assert run_blocks(threading.get_ident, [], "None") == []


def test_an_error_in_a_block_is_raised_unchanged():
    def fail(number):
        if number == 1:
            raise StoreError("chunk 1 is gone")
        return number

    with pytest.raises(StoreError, match="chunk 1 is gone"):
        run_blocks(fail, [(0,), (1,), (2,)], "Failing")


def test_a_store_in_memory_cannot_be_used_from_another_process(nights_release):
    store = Store("memory://")
    held = open_release(nights_release).load([1], store)
    [record] = store.ls("dl3")
    assert list(held.places) == [1]
    with pytest.raises(StoreError, match="A store in memory stays in its process"):
        StoredGroups(store, record).__reduce__()[1][0].__reduce__()


def test_a_task_carries_the_url_of_the_store_and_not_its_arrays(stored):
    stored.events["energy"].values[:5]
    content = pickle.dumps((stored, rows_in(stored)))
    assert len(content) < 3000
    again, _ = pickle.loads(content)
    assert dataset_digest(again.events) == dataset_digest(stored.events)


def test_one_block_needs_no_dask():
    code = (
        "import sys; from xgamma.execute import run_blocks;"
        "assert run_blocks(len, [((1, 2),)], 'One') == [2];"
        "print([name for name in ('dask.delayed', 'distributed') if name in sys.modules])"
    )
    source = Path(xgamma.__file__).parents[1]
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=source)
    assert found.stdout.strip() == "[]"


def test_a_hidden_progress_bar_prints_nothing(capsys):
    with progress_bar("Reading", 5) as advance:
        for _ in range(5):
            advance()
    assert capsys.readouterr() == ("", "")


def test_threads_take_neighbours_after_each_other_as_they_read_the_same_product():
    begun = []

    def noted(number):
        begun.append(number)
        return number

    with dask.config.set(num_workers=1):
        found = run_blocks(noted, [(number,) for number in range(300)], "Blocks")
    assert found == list(range(300))
    assert np.abs(np.diff(begun)).tolist() == [1] * 299

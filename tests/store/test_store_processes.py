"""Laws of the store among processes that write at once or are killed; every process here is a real one."""

import datetime
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import xgamma
from store.writer import key, product, write
from xgamma.store import Store, dataset_digest, digest

WRITER = Path(__file__).with_name("writer.py")
SOURCE = Path(xgamma.__file__).parents[1]
NOTHING = datetime.timedelta(0)


def environment(**more):
    # One thread, because the writers are forked.
    return {**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONWARNINGS": "error", "OPENBLAS_NUM_THREADS": "1", **more}


@pytest.fixture
def writers():
    """Return two processes that fork a writer for each line that they are told."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen([sys.executable, WRITER], env=environment(), **pipes) for _ in range(2)]
    for process in processes:
        assert heard(process) == ["ready"]
    yield processes
    for process in processes:
        process.communicate(timeout=30)
        assert process.returncode == 0


def tell(process, *words):
    print(*words, file=process.stdin, flush=True)


def heard(process):
    return process.stdout.readline().split()


def digests(store):
    return {record.key: dict(record.digests) for record in store.ls("dl4")}


def digests_of_content(store):
    return {
        record.key: {group: dataset_digest(store.get("dl4", record.key, group)) for group in record.digests}
        for record in store.ls("dl4")
    }


def attempts(folder):
    return {path.relative_to(folder).as_posix() for path in Path(folder).glob("dl4/*/*") if path.is_dir()}


def attempts_in(store):
    """The attempts that hold anything, as the place itself lists them."""
    paths = store._backend.modified("dl4")
    return {path.rpartition("/zarr.json")[0] for path in paths if path.count("/") == 3 and path.endswith("/zarr.json")}


def test_kill_at_twenty_random_moments_leaves_each_product_whole_or_absent(tmp_path, writers):
    number = 4
    write(tmp_path / "first", 0, 1)
    started = time.perf_counter()
    write(tmp_path / "expected", 0, number)
    seconds = time.perf_counter() - started
    expected = digests(Store(tmp_path / "expected"))

    moments = random.Random(1)
    torn = 0
    for attempt in range(20):
        folder = tmp_path / str(attempt)
        tell(writers[0], folder, 0, number)
        (writer,) = heard(writers[0])
        time.sleep(moments.uniform(0, 0.8) * seconds)
        os.kill(int(writer), signal.SIGKILL)
        tell(writers[0], "end")
        while heard(writers[0])[0] != "ended":
            pass  # it was done before it was killed and says what it wrote

        store = Store(folder)
        assert digests_of_content(store) == digests(store)
        torn += len(attempts(folder)) > len(store.ls())
        write(folder, 0, number)
        assert digests_of_content(store) == digests(store) == expected
        store.gc(older_than=NOTHING)
        assert attempts(folder) == {record.folder for record in store.ls()}
        assert list(folder.rglob("*#*")) == []
    print(f"{torn} of 20 kills tore a write")
    assert torn > 0, "no kill hit a write, so nothing was tested: change the moments"


@pytest.mark.parametrize("kind", ["disk", "s3"])
def test_processes_that_put_the_same_keys_at_once_end_with_one_product_each(kind, new_place, request):
    place = new_place(kind)
    # Later than the place, whose environment they need.
    writers = request.getfixturevalue("writers")
    for process in writers:
        tell(process, place, 0, 20)
    for process in writers:
        heard(process)
    first, second = [heard(process) for process in writers]
    for process in writers:
        tell(process, "end")
        assert heard(process) == ["ended", "0"]

    store = Store(place)
    assert first == second == [store.record("dl4", key(number)).attempt for number in range(20)]
    assert attempts_in(store) == {record.folder for record in store.ls()}
    assert digests_of_content(store) == digests(store)


def test_the_same_request_has_the_same_key_in_a_new_process():
    request = {"energy": {"min": 0.1, "nbins": np.int64(20), "step": np.float64(0.1) + 0.2}, "on": (True, None, "é")}
    ask = (
        "import numpy as np; from xgamma.store import digest, dataset_digest; import sys; sys.path.insert(0, %r);"
        "from writer import product;"
        f"print(digest({request!r}), dataset_digest(product(3)['']))" % str(WRITER.parent)
    )
    expected = f"{digest(request)} {dataset_digest(product(3)[''])}\n"
    for seed in ("1", "2"):
        command = [sys.executable, "-c", ask]
        answer = subprocess.run(
            command, env=environment(PYTHONHASHSEED=seed), capture_output=True, text=True, check=True
        ).stdout
        assert answer == expected


@pytest.mark.parametrize("kind", ["disk", "s3"])
def test_the_loser_of_a_race_deletes_its_attempt_and_gets_the_winner(kind, new_place):
    winner = Store(new_place(kind))

    class Late(Store):
        def _find(self, kind, key_):
            """Not see the winner before writing, and let it publish meanwhile."""
            if not winner.has(kind, key_):
                winner.put(kind, key_, product(1), {})
                return None
            return super()._find(kind, key_)

    record = Late(winner.url).put("dl4", key(1), product(1), {})
    assert record == winner.record("dl4", key(1))
    assert attempts_in(winner) == {record.folder}


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    store = Store(tmp_path)
    monkeypatch.setattr("xgamma.store.chunks._encoded", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        store.put("dl4", key(1), product(1), {})
    assert not store.has("dl4", key(1))
    assert attempts(tmp_path) == set()


def test_a_store_that_is_copied_while_it_is_written_opens(tmp_path, writers):
    source = tmp_path / "source"
    tell(writers[0], source, 0, 10)
    heard(writers[0])
    for number in range(5):
        copy = tmp_path / f"copy{number}"
        subprocess.run(["cp", "-r", source, copy], check=False, capture_output=True)
        if (copy / "store.json").exists():
            store = Store(copy)
            # Folders are read in any order, so a record may be copied that is younger than the copy of its attempt.
            whole = [record for record in store.ls() if (copy / record.folder / "zarr.json").exists()]
            for record in whole:
                assert isinstance(xr.open_zarr(store.path("dl4", record.key), chunks=None), xr.Dataset)

"""Processes that put the same keys at the same time into one store, and what became of the products."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import xgamma
from store.writer import key, product
from xgamma.errors import XgammaError
from xgamma.store import Store, dataset_digest

WRITER = Path(__file__).with_name("writer.py")


class Outcome(NamedTuple):
    """What a race left.

    Parameters
    ----------
    products
        Records in the store.
    lost
        Keys without a record that points to the whole content.
    duplicates
        Attempts that no record points to.
    seconds
        From the first to the last put.
    """

    products: int
    lost: int
    duplicates: int
    seconds: float


def race(url, processes=4, keys=60):
    """Let several processes put the same keys, all in the same order."""
    Store(url)
    environment = {**os.environ, "PYTHONPATH": str(Path(xgamma.__file__).parents[1]), "OPENBLAS_NUM_THREADS": "1"}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    writers = [subprocess.Popen([sys.executable, WRITER], env=environment, **pipes) for _ in range(processes)]
    assert [writer.stdout.readline() for writer in writers] == ["ready\n"] * processes
    started = time.perf_counter()
    for writer in writers:
        print(f"{url} 0 {keys}", file=writer.stdin, flush=True)
    for writer in writers:
        writer.stdout.readline()
        assert len(writer.stdout.readline().split()) == keys
    seconds = time.perf_counter() - started
    for writer in writers:
        writer.communicate("\n", timeout=30)
    return outcome(url, keys, seconds)


def outcome(url, keys, seconds):
    store = Store(url)
    records = {record.key: record for record in store.ls("dl4")}
    lost = sum(not is_whole(store, number) for number in range(keys))
    backend = store._backend
    left = {path.rpartition("/zarr.json")[0] for path in backend.modified("dl4") if path.count("/") == 3}
    return Outcome(len(records), lost, len(left - {record.folder for record in records.values()} - {""}), seconds)


def is_whole(store, number):
    try:
        record = store.record("dl4", key(number))
        expected = {group: dataset_digest(content) for group, content in product(number).items()}
        return (
            dict(record.digests)
            == expected
            == {group: dataset_digest(store.get("dl4", record.key, group, record)) for group in expected}
        )
    except XgammaError:
        return False

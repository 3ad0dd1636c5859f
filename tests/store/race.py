"""Processes that put the same keys at the same time into one store, and what became of the products."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import xgamma
from store.written import key, product, write
from xgamma.errors import XgammaError
from xgamma.store import Store, dataset_digest


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
    paths = [str(Path(xgamma.__file__).parents[1]), str(Path(__file__).parents[1])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, __file__, url, str(processes), str(keys)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return outcome(url, keys, float(done.stdout))


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


def main(url, processes, keys):
    """Fork the writers, so that all import once, let them go at once, and print the seconds that they took."""
    gate, go = os.pipe()
    children = []
    for _ in range(processes):
        child = os.fork()
        if child == 0:
            os.close(go)
            write("memory://", 0, 1)  # the first write of a process starts threads
            os.read(gate, 1)
            os._exit(0 if len(write(url, 0, keys)) == keys else 1)
        children.append(child)
    started = time.perf_counter()
    os.close(go)
    failed = [child for child in children if os.waitpid(child, 0)[1]]
    print(time.perf_counter() - started)
    sys.exit(len(failed))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))

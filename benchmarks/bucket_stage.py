"""One stage of ``bucket_scale.py`` in its own process: ``python bucket_stage.py STAGE RELEASE STORE RUNS``.

Release and store may be urls. Prints one line of JSON: seconds, seconds of CPU, peak memory.
"""

from __future__ import annotations

import json
import logging
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from report import peak_memory
from scale_stage import NIGHT, session

from xgamma.ingest import open_release
from xgamma.store import Store


def ingest(release: str, store: str, runs: int, folder: Path) -> Callable[[], object]:
    """Read a release into a store."""
    return lambda: open_release(release).load(np.arange(1, runs + 1).tolist(), Store(store))


def reread(release: str, store: str, runs: int, folder: Path) -> Callable[[], object]:
    """Read the same release again, of which nothing is new."""
    return ingest(release, store, runs, folder)


def nights(release: str, store: str, runs: int, folder: Path) -> Callable[[], object]:
    """Reduce the runs that a store holds but those of the last night, and stack them by night."""
    return _reduction(store, runs - NIGHT, folder)


def night(release: str, store: str, runs: int, folder: Path) -> Callable[[], object]:
    """The same with one more night."""
    return _reduction(store, runs, folder)


def again(release: str, store: str, runs: int, folder: Path) -> Callable[[], object]:
    """The same once more, when all is in the store."""
    return _reduction(store, runs, folder)


def _reduction(store: str, runs: int, folder: Path) -> Callable[[], object]:
    analysis = session(store, runs, folder, stack=True)
    analysis.config.general.store = store
    analysis.config.datasets.stack_by = "night"

    def steps() -> None:
        analysis.get_observations()
        analysis.get_datasets()
        assert analysis.datasets is not None
        assert len(analysis.datasets) > 0

    return steps


STAGES = {stage.__name__: stage for stage in (ingest, reread, nights, night, again)}


def main() -> None:
    stage, release, store, runs = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
    logging.captureWarnings(True)
    with tempfile.TemporaryDirectory() as folder:
        work = STAGES[stage](release, store, runs, Path(folder))
        start, used = time.perf_counter(), time.process_time()
        work()
        seconds, cpu = time.perf_counter() - start, time.process_time() - used
    print(json.dumps({"seconds": seconds, "cpu": cpu, "peak": peak_memory()}))


if __name__ == "__main__":
    main()

"""An ingest into a bucket far away by several workers: seconds against what the plan says, ``bucket_workers.py``.

Workers that mostly wait go side by side on any number of cores, so that the delay is long here: 0.3 s. The store is
made of parts of 60 runs, each of which one worker reads and writes. Prints a table of Markdown.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import report
from bucket_plan import AT_ONCE
from bucket_scale import BUCKET, RATE, bucket, upload

from xgamma.execute import Workers, run_blocks, shared_workers
from xgamma.ingest import open_release, release
from xgamma.store import Store

PER_PART = 60
WAYS = (("n_jobs", 1), ("n_jobs", 2), ("n_jobs", 4), ("scheduler", 2), ("scheduler", 4))


@contextlib.contextmanager
def workers_of(way: str, count: int) -> Iterator[Workers]:
    """Start workers, which is not counted."""
    if way == "n_jobs":
        with shared_workers(Workers(count)):
            yield Workers(count)
        return
    import distributed  # noqa: PLC0415

    options = {"n_workers": count, "threads_per_worker": 1, "dashboard_address": ":0"}
    with distributed.LocalCluster(**options) as cluster:
        yield Workers(scheduler=cluster.scheduler_address)


def cpu_of(path: Path) -> float:
    """Return the seconds of CPU of a process that runs."""
    fields = path.read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def busy(_number: int) -> tuple[int, float]:
    """Return a worker and its CPU until now; with the imports of an ingest the first time."""
    import xgamma.ingest.part  # noqa: F401, PLC0415

    time.sleep(0.3)
    return os.getpid(), cpu_of(Path("/proc/self/stat"))


def cpu_by_worker(workers: Workers, count: int) -> dict[int, float]:
    return dict(run_blocks(busy, [(number,) for number in range(4 * count)], "Asking", workers))


def stage(way: str, count: int, url: str, runs: int) -> None:
    """Read a release into a store of its own; print seconds, and seconds of CPU of all processes."""
    release.RUNS_PER_PART = PER_PART
    with workers_of(way, count) as workers:
        before = cpu_by_worker(workers, count)
        start = time.perf_counter()
        held = open_release(url).load(np.arange(1, runs + 1).tolist(), Store(f"s3://{BUCKET}/{way}-{count}"), workers)
        seconds = time.perf_counter() - start
        after = cpu_by_worker(workers, count)
    assert len(held.ingested) == runs
    print(json.dumps({"seconds": seconds, "cpu": sum(after[pid] - before.get(pid, 0) for pid in after)}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=480)
    parser.add_argument("--latency", type=float, default=0.3, help="seconds that an answer is delayed")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder, bucket(options.latency) as place:
        os.environ |= place.environment(False)
        url = upload(Path(folder), options.runs, RATE)
        os.environ |= place.environment(True)
        for way, count in WAYS:
            place.counted()
            given = ("--stage", way, count, url, options.runs)
            found = report.run(report.OURS, sys.executable, Path(__file__).name, *given)[1]
            requests = sum(number for name, number in place.counted().items() if not name.startswith("bytes"))
            waiting = requests * options.latency
            parts = -(-options.runs // PER_PART)
            share = -(-parts // count) / parts
            predicted = share * (found["cpu"] + waiting / AT_ONCE)
            cells = [f"{predicted:.1f} s", f"{found['seconds']:.1f} s", f"{waiting / found['seconds']:.1f}"]
            rows.append([f"{way} {count}", str(requests), f"{found['cpu']:.1f} s", *cells, f"{os.getloadavg()[0]:.1f}"])
            print(rows[-1], file=sys.stderr)
    head = ["workers", "requests", "CPU", "predicted", "measured", "under way at a time", "load"]
    print(report.table(head, rows))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--stage"]:
        stage(sys.argv[2], int(sys.argv[3]), sys.argv[4], int(sys.argv[5]))
    else:
        main()

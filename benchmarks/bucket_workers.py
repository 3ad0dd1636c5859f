"""An ingest into a bucket far away by several workers: seconds against what the plan says, ``bucket_workers.py``.

Workers that mostly wait go side by side on any number of cores, so that the delay is long here: 0.3 s. The store is
made of parts of 60 runs, each of which one worker reads and writes. How many answers are waited for one after the other
is counted first. Predicted is that waiting and CPU: the share of a worker that has cores of its own, and all of it one
after the other, with that of the server both times. Prints a table of Markdown.
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
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import report
from bucket_scale import BUCKET, RATE, Bucket, bucket, upload

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


def stage(way: str, count: int, url: str, runs: int, name: str) -> None:
    """Read a release into a store of its own; print seconds, and seconds of CPU of all processes."""
    release.RUNS_PER_PART = PER_PART
    with workers_of(way, count) as workers:
        before = cpu_by_worker(workers, count)
        start = time.perf_counter()
        held = open_release(url).load(np.arange(1, runs + 1).tolist(), Store(f"s3://{BUCKET}/{name}"), workers)
        seconds = time.perf_counter() - start
        after = cpu_by_worker(workers, count)
    assert len(held.ingested) == runs
    print(json.dumps({"seconds": seconds, "cpu": sum(after[pid] - before.get(pid, 0) for pid in after)}))


@dataclass(frozen=True)
class Took:
    """What a stage took: seconds, those of CPU of its own processes and of those that play the bucket, requests."""

    seconds: float
    cpu: float
    server: float
    requests: int


def measured(place: Bucket, way: str, count: int, url: str, runs: int, name: str) -> Took:
    """Run a stage in a process of its own."""
    place.counted()
    before = sum(cpu_of(Path(f"/proc/{pid}/stat")) for pid in place.pids)
    given = ("--stage", way, count, url, runs, name)
    found = report.run(report.OURS, sys.executable, Path(__file__).name, *given)[1]
    server = sum(cpu_of(Path(f"/proc/{pid}/stat")) for pid in place.pids) - before
    requests = sum(number for each, number in place.counted().items() if not each.startswith("bytes"))
    took = Took(found["seconds"], found["cpu"], server, requests)
    print(name, took, f"load {os.getloadavg()[0]:.1f}", file=sys.stderr)
    return took


def rounds(latency: float) -> tuple[float, float]:
    """Return how many answers are waited for one after the other: once in an ingest, and for each part of it.

    In one process, by the time that is not CPU of it or of the server: one and two parts, and a delay beside which that
    is little.
    """
    with tempfile.TemporaryDirectory() as folder, bucket(latency) as place:
        os.environ |= place.environment(False)
        url = upload(Path(folder), 2 * PER_PART, RATE)
        os.environ |= place.environment(True)
        found = [measured(place, "n_jobs", 1, url, parts * PER_PART, f"rounds-{parts}") for parts in (1, 2)]
    one, two = ((each.seconds - each.cpu - each.server) / latency for each in found)
    return 2 * one - two, two - one


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=480)
    parser.add_argument("--latency", type=float, default=0.3, help="seconds that an answer is delayed")
    parser.add_argument("--far", type=float, default=1.0, help="seconds of delay by which rounds are counted")
    options = parser.parse_args()
    once, each_part = rounds(options.far)
    print(f"{once:.1f} answers one after the other, and {each_part:.1f} for each part.")
    rows, parts = [], -(-options.runs // PER_PART)
    with tempfile.TemporaryDirectory() as folder, bucket(options.latency) as place:
        os.environ |= place.environment(False)
        url = upload(Path(folder), options.runs, RATE)
        os.environ |= place.environment(True)
        for way, count in WAYS:
            took = measured(place, way, count, url, options.runs, f"{way}-{count}")
            turns = -(-parts // count)
            waiting = options.latency * (once + each_part * turns)
            alone = waiting + turns / parts * (took.cpu + took.server)
            shared = waiting + took.cpu + took.server
            cells = [f"{took.cpu:.1f} s", f"{took.server:.1f} s", f"{waiting:.1f} s", f"{alone:.1f} to {shared:.1f} s"]
            rows.append([f"{way} {count}", str(took.requests), *cells, f"{took.seconds:.1f} s"])
    print(report.table(["workers", "requests", "CPU", "CPU of the server", "waiting", "predicted", "measured"], rows))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--stage"]:
        stage(sys.argv[2], int(sys.argv[3]), sys.argv[4], int(sys.argv[5]), sys.argv[6])
    else:
        main()

"""Runs in a bucket far away, stage by stage: requests, bytes, seconds and memory of few runs and of many.

``python bucket_scale.py [--runs 10000] [--few 500 1500] [--latency 0.03] [--output measured.json]``. S3 is moto in a
process of its own, behind a proxy that delays each answer. The few are measured with and without the delay, and once
more with long event lists, the many with it. ``bucket_plan.py`` makes of the output unit costs, the prediction of the
many, and the plan of a million for ``docs/scale.md``.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import obstore
import report
from bucket_server import BUCKET
from scale_release import make_release

HERE = Path(__file__).parent
DISTINCT = 50
# Events per second of a run; a run is small, as moto keeps what it is given in memory.
RATE = 0.3
LONG_RATE = 3.0
PER_PART = 500
READING, REDUCING = ("ingest", "reread"), ("nights", "night", "again")
KEY = {"AWS_ACCESS_KEY_ID": "benchmark", "AWS_SECRET_ACCESS_KEY": "benchmark", "AWS_REGION": "us-east-1"}


@dataclass(frozen=True)
class Bucket:
    """A server with one bucket, near at ``near`` and far at ``far``, and the processes that play it."""

    near: str
    far: str
    pids: tuple[int, ...] = ()

    def counted(self) -> dict[str, int]:
        """Return the requests by method and the bytes since it was asked last."""
        with urllib.request.urlopen(f"{self.near}/counted") as answer:
            return dict(json.load(answer))

    def environment(self, is_far: bool) -> dict[str, str]:
        return {**KEY, "AWS_ENDPOINT_URL": self.far if is_far else self.near, "AWS_ALLOW_HTTP": "true"}


@contextlib.contextmanager
def process(*arguments: object) -> Iterator[tuple[int, int]]:
    """Start a program of this folder that prints its port, which is given with its id; end it afterwards."""
    command = [sys.executable, str(HERE / str(arguments[0])), *map(str, arguments[1:])]
    environment = {**os.environ, "MOTO_S3_DEFAULT_KEY_BUFFER_SIZE": "4096"}  # Larger objects lie on the disk.
    started = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert started.stdout is not None
        yield int(started.stdout.readline()), started.pid
    finally:
        started.terminate()
        started.wait()


@contextlib.contextmanager
def bucket(latency: float) -> Iterator[Bucket]:
    with (
        process("bucket_server.py") as (near, server),
        process("delaying_proxy.py", "127.0.0.1", near, latency) as away,
    ):
        found = Bucket(f"http://127.0.0.1:{near}", f"http://127.0.0.1:{away[0]}", (server, away[1]))
        urllib.request.urlopen(urllib.request.Request(f"{found.near}/{BUCKET}", method="PUT")).close()
        yield found


def upload(folder: Path, runs: int, rate: float) -> str:
    """Put a release of runs with a rate of events into the bucket; return its url."""
    url = f"s3://{BUCKET}/release-{runs}-{rate:g}"
    place, made = obstore.store.from_url(url), make_release(folder / f"{runs}-{rate:g}", runs, DISTINCT, rate)
    for path in sorted(made.rglob("*.fits*")):
        obstore.put(place, path.relative_to(made).as_posix(), path.read_bytes())
    return url


def measured(place: Bucket, runs: int, stage: str, release: str, store: str, is_far: bool) -> dict[str, Any]:
    """Run one stage; return what it took, with its requests and bytes."""
    print(f"{stage} of {runs:,} runs, {'far' if is_far else 'near'}", file=sys.stderr)
    os.environ |= place.environment(is_far)
    place.counted()
    found = report.run(report.OURS, sys.executable, "bucket_stage.py", stage, release, store, runs)[1]
    return {"stage": stage, "runs": runs, **found, **place.counted()}


def chain(place: Bucket, folder: Path, runs: int, is_far: bool, rate: float = RATE) -> list[dict[str, Any]]:
    """Run all stages of a number of runs in stores of their own."""
    name = f"{runs}-{'far' if is_far else 'near'}-{rate:g}"
    read, store = (f"s3://{BUCKET}/{word}-{name}" for word in ("read", "store"))
    os.environ |= place.environment(False)
    release = upload(folder, runs, rate)
    copies = report.run(report.OURS, sys.executable, "scale_store.py", store, runs, DISTINCT, rate, PER_PART)[1]
    found = [measured(place, runs, stage, release, read, is_far) for stage in READING]
    found += [measured(place, runs, stage, "-", store, is_far) for stage in REDUCING]
    return [{"line": "far" if is_far else "near", "events": copies["events"], **each} for each in found]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--few", type=int, nargs=2, default=(500, 1500))
    parser.add_argument("--latency", type=float, default=0.03, help="seconds that an answer is delayed")
    parser.add_argument("--output", type=Path, default=Path("measured.json"))
    options = parser.parse_args()
    found: list[dict[str, Any]] = []
    about = {"latency": options.latency, "date": f"{datetime.date.today():%Y-%m-%d}", "machine": report.machine()}
    chains = [(few, is_far, RATE) for few in options.few for is_far in (False, True)]
    chains += [(min(options.few), False, LONG_RATE), (options.runs, True, RATE)]
    for runs, is_far, rate in chains:
        # A bucket each: moto lists what it holds by looking at all of it.
        with tempfile.TemporaryDirectory() as folder, bucket(options.latency) as place:
            found += chain(place, Path(folder), runs, is_far, rate)
        options.output.write_text(json.dumps({**about, "measured": found}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()

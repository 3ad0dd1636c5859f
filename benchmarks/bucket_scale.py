"""Ten thousand runs in a bucket far away, and what follows for a million: unit costs, a prediction, and its check.

``python bucket_scale.py [--runs 10000] [--few 1000] [--latency 0.03]``. S3 is moto in a process of its own, behind a
proxy that delays each answer. Stages of the fewer runs are measured with and without the delay, and what the many take
is predicted from them, stage by stage; then the many are run. Prints tables for ``docs/scale.md``.
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
PER_PART = 500
STAGES = ("ingest", "nights", "night", "again")
METHODS = ("GET", "PUT", "LIST", "HEAD", "DELETE")
KEY = {"AWS_ACCESS_KEY_ID": "benchmark", "AWS_SECRET_ACCESS_KEY": "benchmark", "AWS_REGION": "us-east-1"}


@dataclass(frozen=True)
class Bucket:
    """A server with one bucket, near at ``near`` and far at ``far``."""

    near: str
    far: str

    def counted(self) -> dict[str, int]:
        """Return the requests by method and the bytes since it was asked last."""
        with urllib.request.urlopen(f"{self.near}/counted") as answer:
            return dict(json.load(answer))

    def environment(self, is_far: bool) -> dict[str, str]:
        return {**KEY, "AWS_ENDPOINT_URL": self.far if is_far else self.near, "AWS_ALLOW_HTTP": "true"}


@contextlib.contextmanager
def process(*arguments: object) -> Iterator[int]:
    """Start a program of this folder that prints its port; end it afterwards."""
    command = [sys.executable, str(HERE / str(arguments[0])), *map(str, arguments[1:])]
    environment = {**os.environ, "MOTO_S3_DEFAULT_KEY_BUFFER_SIZE": "4096"}  # Larger objects lie on the disk.
    started = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert started.stdout is not None
        yield int(started.stdout.readline())
    finally:
        started.terminate()
        started.wait()


@contextlib.contextmanager
def bucket(latency: float) -> Iterator[Bucket]:
    with process("bucket_server.py") as near, process("delaying_proxy.py", "127.0.0.1", near, latency) as far:
        found = Bucket(f"http://127.0.0.1:{near}", f"http://127.0.0.1:{far}")
        urllib.request.urlopen(urllib.request.Request(f"{found.near}/{BUCKET}", method="PUT")).close()
        yield found


def upload(folder: Path, prefix: str) -> str:
    """Put a release into the bucket; return its url."""
    url = f"s3://{BUCKET}/{prefix}"
    place = obstore.store.from_url(url)
    for path in sorted(folder.rglob("*.fits*")):
        obstore.put(place, path.relative_to(folder).as_posix(), path.read_bytes())
    return url


def measured(place: Bucket, runs: int, stage: str, release: str, store: str, is_far: bool) -> dict[str, Any]:
    """Run one stage; return what it took, with its requests and bytes."""
    print(f"{stage} of {runs:,} runs, {'far' if is_far else 'near'}", file=sys.stderr)
    os.environ |= place.environment(is_far)
    place.counted()
    found = report.run(report.OURS, sys.executable, "bucket_stage.py", stage, release, store, runs)[1]
    return found | place.counted()


def chain(place: Bucket, folder: Path, runs: int, is_far: bool, release: str) -> dict[str, dict[str, Any]]:
    """Run all stages of a number of runs in stores of their own."""
    name = f"{runs}-{'far' if is_far else 'near'}"
    found = {"ingest": measured(place, runs, "ingest", release, f"s3://{BUCKET}/read-{name}", is_far)}
    store = f"s3://{BUCKET}/store-{name}"
    os.environ |= place.environment(False)
    report.run(report.OURS, sys.executable, "scale_store.py", store, runs, DISTINCT, RATE, PER_PART)
    for stage in STAGES[1:]:
        found[stage] = measured(place, runs, stage, "-", store, is_far)
    return found


def requests(found: dict[str, Any]) -> int:
    return sum(found.get(method, 0) for method in METHODS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--few", type=int, default=1_000)
    parser.add_argument("--latency", type=float, default=0.03, help="seconds that an answer is delayed")
    options = parser.parse_args()
    few, many, latency = options.few, options.runs, options.latency
    with tempfile.TemporaryDirectory() as temporary, bucket(latency) as place:
        os.environ |= place.environment(False)
        folder = Path(temporary)
        release = upload(make_release(folder / "release", many, DISTINCT, RATE), "release")
        near = chain(place, folder, few, False, release)
        far = chain(place, folder, few, True, release)
        whole = chain(place, folder, many, True, release)
    rows = []
    for stage in STAGES:
        scale = 1 if stage == "again" else many / few
        if stage == "night":
            scale = 1
        predicted = far[stage]["seconds"] * scale
        waits = (far[stage]["seconds"] - near[stage]["seconds"]) / latency
        one = whole[stage]
        rows.append(
            [
                stage,
                f"{near[stage]['cpu'] / few * 1e3:.2f} ms",
                f"{requests(near[stage])}",
                f"{waits:.0f}",
                report.shown(predicted),
                report.shown(one["seconds"]),
                f"{requests(one):,}",
                f"{one['cpu'] / many * 1e3:.2f} ms",
                f"{(one['bytes in'] + one['bytes out']) / 1e6:,.0f} MB",
                f"{one['peak']:.0f} MB",
            ]
        )
    head = ["stage", f"CPU a run of {few:,}", "requests", "waits", "predicted", "measured", "requests", "CPU a run"]
    print(report.table([*head, "bytes", "peak memory"], rows))
    print(json.dumps({"near": near, "far": far, "whole": whole}))
    print(f"\n{latency * 1e3:.0f} ms each, {datetime.date.today():%Y-%m-%d}; {report.machine()}.")


if __name__ == "__main__":
    main()

"""The plan of a million runs in a bucket, from what ``bucket_scale.py`` measured: ``bucket_plan.py measured.json``.

What a stage takes is a number for each store and one for each run. Those of the two smaller sizes predict the largest,
which was measured too; those of the two larger ones, with what a longer event list adds, make the plan. Prices are
options: the defaults are those of ``docs/scale.md`` for Amazon's S3 Standard in us-east-1 and a machine of two cores.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import report

STAGES = ("ingest", "reread", "nights", "night", "again")
COUNTED = ("GET", "PUT", "LIST", "bytes in", "bytes out", "cpu", "peak")
WRITTEN = ("PUT", "LIST")
# Requests that a process has under way at a time, xgamma.storage.retries.REQUESTS.
AT_ONCE = 16
# Metadata and arrays above 32 kB of a product of rows, the rows of one, and how many products of 4 MB stay in memory.
READ_BACK, PER_PRODUCT, IN_MEMORY = 11, 500, 3
HOUR, GB = 3600.0, 1e9
Found = dict[str, float]


def line(found: list[dict[str, Any]], stage: str, sizes: tuple[int, int]) -> tuple[Found, Found]:
    """Return what a stage takes for each store and for each run, from its measurements at two sizes."""
    few, many = (next(one for one in found if (one["stage"], one["runs"]) == (stage, size)) for size in sizes)
    each = {name: (many.get(name, 0) - few.get(name, 0)) / (sizes[1] - sizes[0]) for name in COUNTED}
    return {name: few.get(name, 0) - each[name] * sizes[0] for name in COUNTED}, each


def at(lines: tuple[Found, Found], runs: int) -> Found:
    fixed, each = lines
    return {name: fixed[name] + each[name] * runs for name in COUNTED}


def read_back(runs: int) -> int:
    """Return the requests of a stack for rows that are not in memory any more: each product of them is read once."""
    return READ_BACK * max(0, -(-runs // PER_PRODUCT) - IN_MEMORY)


def of_events(found: list[dict[str, Any]], stage: str) -> Found:
    """Return what an event more takes."""
    runs = min(one["runs"] for one in found)
    of_size = (one for one in found if (one["stage"], one["runs"], one["line"]) == (stage, runs, "near"))
    short, long = sorted(of_size, key=lambda one: float(one["events"]))
    names = ("bytes in", "bytes out", "cpu")
    return {name: (long.get(name, 0) - short.get(name, 0)) / (long["events"] - short["events"]) for name in names}


def checked(far: list[dict[str, Any]], sizes: list[int]) -> str:
    """Return the table of what was predicted of the largest size, and measured."""
    rows = []
    for stage in STAGES:
        predicted = at(line(far, stage, (sizes[0], sizes[1])), sizes[2])
        if stage == "nights":
            predicted["GET"] += read_back(sizes[2]) - read_back(sizes[1])
        measured = next(one for one in far if (one["stage"], one["runs"]) == (stage, sizes[2]))
        cells = [f"{predicted[name]:,.0f}; {measured.get(name, 0):,}" for name in ("GET", "PUT", "LIST")]
        volume = [sum(one.get(name, 0) for name in ("bytes in", "bytes out")) / 1e6 for one in (predicted, measured)]
        cells += [f"{volume[0]:,.0f}; {volume[1]:,.0f}", f"{predicted['cpu']:.1f}; {measured['cpu']:.1f}"]
        rows.append([stage, *cells, f"{predicted['peak']:.0f}; {measured['peak']:.0f}"])
    return report.table(["stage", "GET", "PUT", "LIST", "MB", "CPU, s", "peak, MB"], rows)


def planned(found: list[dict[str, Any]], sizes: list[int], options: argparse.Namespace, latency: float) -> str:
    """Return the table of what the stages take with ``options.runs`` runs."""
    far = [one for one in found if one["line"] == "far"]
    per_run = far[0]["events"] / far[0]["runs"]
    rows = []
    for stage in STAGES:
        takes = at(line(far, stage, (sizes[1], sizes[2])), options.runs)
        more = of_events(found, stage) if stage in ("ingest", "nights") else {}
        takes |= {name: takes[name] + each * (options.events - per_run) * options.runs for name, each in more.items()}
        requests = sum(takes[name] for name in ("GET", "PUT", "LIST"))
        hours = (takes["cpu"] + requests * latency / AT_ONCE) / HOUR
        written = sum(takes[name] for name in WRITTEN)
        money = takes["GET"] * options.get / 1e3 + written * options.put / 1e3
        cells = [stage, *(f"{takes[name]:,.0f}" for name in ("GET", "PUT", "LIST"))]
        cells += [f"{takes[name] / GB:,.1f} GB" for name in ("bytes out", "bytes in")]
        cells += [f"{takes['cpu'] / HOUR:.2f}", f"{hours:.2f}", f"{money:.2f} + {hours / 2 * options.worker:.2f}"]
        rows.append([*cells, f"{takes['peak'] / 1e3:.1f} GB"])
    head = ["stage", "GET", "PUT", "LIST", "read", "written", "CPU, h", "with waiting, h", "requests + workers, $"]
    return report.table([*head, "peak, one process"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("measured", type=Path)
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--events", type=float, default=10_000, help="of a run")
    parser.add_argument("--get", type=float, default=0.0004, help="$ for 1,000 GET")
    parser.add_argument("--put", type=float, default=0.005, help="$ for 1,000 PUT or LIST")
    parser.add_argument("--month", type=float, default=0.023, help="$ for a GB a month")
    parser.add_argument("--worker", type=float, default=0.1008, help="$ for an hour of two cores")
    options = parser.parse_args()
    document = json.loads(options.measured.read_text(encoding="utf-8"))
    found = document["measured"]
    far = [one for one in found if one["line"] == "far"]
    sizes = sorted({one["runs"] for one in far})
    print(checked(far, sizes), end="\n\n")
    print(planned(found, sizes, options, document["latency"]), end="\n\n")
    read, kept = (of_events(found, "ingest")[name] for name in ("bytes out", "bytes in"))
    _, ingest = line(far, "ingest", (sizes[1], sizes[2]))
    more = options.events - far[0]["events"] / far[0]["runs"]
    stored = options.runs * (ingest["bytes in"] + kept * more) / GB
    files = options.runs * (ingest["bytes out"] + read * more) / GB
    print(
        f"Kept: {files:,.0f} GB of files, {stored:,.0f} GB of store: {options.month * (files + stored):,.2f} $ a month."
    )
    print(f"{document['latency'] * 1e3:.0f} ms each, {document['date']}; {document['machine']}.")


if __name__ == "__main__":
    main()

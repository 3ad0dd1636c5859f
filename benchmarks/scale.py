"""Ten thousand runs: simulated, put into a store, and every stage measured in a process of its own.

``python scale.py [--runs 10000] [--repeats 3]``. A few runs are simulated and stored again and again under other ids,
so that it takes half a minute and not an hour to make the store; what is measured reads every one of them.
"""

from __future__ import annotations

import argparse
import datetime
import sys
import tempfile
from pathlib import Path
from typing import Any

import report

# Distinct runs, events per second, runs of a part; and of runs that are a hundred times as large.
DISTINCT, RATE, PER_PART = 50, 5.6, 500
LARGE_RUNS, LARGE_DISTINCT, LARGE_RATE, LARGE_PER_PART = 20, 4, 595.0, 5
FEW = 1000


def stored(folder: Path, name: str, runs: int, distinct: int, rate: float, per_part: int) -> tuple[Path, int]:
    """Make a store of simulated runs; return where it is and how many events it holds."""
    print(f"making a store of {runs:,} runs", file=sys.stderr)
    store = folder / name
    _, made = report.run(report.OURS, sys.executable, "scale_store.py", store, runs, distinct, rate, per_part)
    return store, int(made["events"])


def best(stage: str, store: Path, runs: int, repeats: int) -> dict[str, Any]:
    """Return the fastest of several processes of a stage, with the largest peak memory of them."""
    print(f"{stage} of {runs:,} runs", file=sys.stderr)
    done = [report.run(report.OURS, sys.executable, "scale_stage.py", stage, store, runs)[1] for _ in range(repeats)]
    smallest = {name: min(one[name] for one in done) for name in done[0]}
    return smallest | {"peak": max(one["peak"] for one in done)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=3, help="processes of each stage; the fastest counts")
    options = parser.parse_args()
    rows = []
    few = min(FEW, options.runs)

    def row(what: str, wanted: str, seconds: float, found: dict[str, Any]) -> None:
        rows.append([what, wanted, report.shown(seconds), f"{found['peak']:.0f} MB"])

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        store, events = stored(folder, "many", options.runs, DISTINCT, RATE, PER_PART)
        small = best("reduction", store, few, options.repeats)
        large = best("reduction", store, options.runs, options.repeats)
        row(f"reduce and stack {few:,} runs", "-", small["seconds"], small)
        row(f"reduce and stack {options.runs:,} runs, {events:,} events", "15 s, 1 GB", large["seconds"], large)
        cost = (large["seconds"] / options.runs) / (small["seconds"] / few)
        memory = large["peak"] / small["peak"]
        rows.append(["cost of a run, and peak memory, against the fewer", "1.2", f"{cost:.2f}", f"{memory:.2f}"])
        found = best("table", store, options.runs, options.repeats)
        row(f"open the store of {options.runs:,} runs, print the table", "0.3 s", found["seconds"], found)
        found = best("joint", store, few, options.repeats)
        row(f"joint fit of {few:,} runs", "100 ms", found["fit"], found)
        row(f"flux points of {few:,} runs", "200 ms", found["points"], found)
        row(f"run_fit() of {few:,} runs, with keys and store", "-", found["seconds"], found)
        row(f"get_flux_points() of {few:,} runs, with keys and store", "-", found["session_points"], found)
        store, events = stored(folder, "large", LARGE_RUNS, LARGE_DISTINCT, LARGE_RATE, LARGE_PER_PART)
        found = best("reduction", store, LARGE_RUNS, options.repeats)
        row(f"reduce and stack {LARGE_RUNS} runs, {events:,} events", "5 s, 1 GB", found["seconds"], found)
    print(report.table(["from the store", "wanted", "measured", "peak memory"], rows))
    print(f"\nFastest of {options.repeats} processes each, {datetime.date.today():%Y-%m-%d}; {report.machine()}.")
    print(f"Imports alone take {found['imports']:.0f} MB.")


if __name__ == "__main__":
    main()

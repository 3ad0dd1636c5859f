"""Single stages for each run, the reduction from the store and its peak memory; Gammapy beside the stages it has."""

from __future__ import annotations

import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import report
from report import OURS, PEER

from xgamma.ingest import open_release
from xgamma.simulate import Plan, simulate
from xgamma.store import Store

ROUNDS = 5
BLOCK = 100
RUNS = (100, 1000)


def single_runs(repeats: int, peer: str | None) -> None:
    """Print the stages that both packages have, for each of four real runs."""
    times: dict[tuple[str, str], list[float]] = defaultdict(list)
    for number in range(repeats):
        for package, python in report.pythons(peer).items():
            print(f"{package}, {number + 1} of {repeats}", file=sys.stderr)
            _, measured = report.run(package, python, "one_run.py", package, ROUNDS)
            for name, seconds in measured.items():
                times[name, package].append(seconds)
    medians = {key: report.median(values) for key, values in times.items()}
    names = dict.fromkeys(name for name, _ in times)
    rows = [report.compared(name, medians.get((name, OURS)), medians.get((name, PEER))) for name in names]
    print(report.table(["four runs of the Crab, each", OURS, PEER, "ratio"], rows))


def ingested(folder: Path, runs: int) -> Path:
    """Simulate runs and return the store that holds them."""
    release = simulate(Plan(runs=runs, compress=False, share_irfs=True), folder / f"release-{runs}")
    store = folder / f"store-{runs}"
    opened = open_release(release.path)
    opened.load(list(opened.facts()), Store(store))
    return store


def from_store(repeats: int) -> None:
    """Print time for each run and peak memory of a reduction from the store."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for runs in RUNS:
            print(f"simulating {runs} runs", file=sys.stderr)
            store = ingested(Path(folder), runs)
            measured = [report.run(OURS, sys.executable, "from_store.py", store, BLOCK)[1] for _ in range(repeats)]
            each = report.median([one["seconds"] / one["runs"] for one in measured])
            peak = report.median([one["peak"] for one in measured])
            last = measured[-1]
            rows.append(
                [f"{runs:,}", f"{last['events']:,}", report.shown(each), f"{peak:.0f} MB", f"{last['imports']:.0f} MB"]
            )
    head = ["simulated runs", "events", f"each, in blocks of {BLOCK}", "peak memory", "of that imports"]
    print(report.table(head, rows))


def main() -> None:
    options = report.options(__doc__)
    if report.has_data():
        single_runs(options.repeats, options.peer)
        print()
    from_store(options.repeats)
    print(f"\nMedian of {options.repeats} processes each; {report.machine()}.")


if __name__ == "__main__":
    main()

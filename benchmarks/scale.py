"""Ten thousand runs: simulated, put into a store, and every stage measured in a process of its own.

``python scale.py [--runs 10000] [--repeats 3] [--peer PYTHON]``. A few runs are simulated and stored again and again
under other ids, so that it takes half a minute and not an hour to make the store; what is measured reads all of them.
"""

from __future__ import annotations

import argparse
import datetime
import sys
import tempfile
from pathlib import Path
from typing import Any

import report
from scale_release import make_release

# Distinct runs, events per second, runs of a part; and of runs that are a hundred times as large.
DISTINCT, RATE, PER_PART = 50, 5.6, 500
LARGE_RUNS, LARGE_DISTINCT, LARGE_RATE, LARGE_PER_PART = 20, 4, 595.0, 5
FEW = 1000
# Of the release that both packages reduce from gzipped files.
PEER_RUNS, PEER_DISTINCT = 400, 50


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


def beside_peer(folder: Path, peer: str | None, per_run: float) -> list[list[str]]:
    """Return rows of what both packages take for the same runs from gzipped files, and of the real runs read once."""
    release = make_release(folder / "release", PEER_RUNS, PEER_DISTINCT)
    rows = []
    ours = report.run(
        report.OURS, sys.executable, "scale_peer.py", report.OURS, "reduce", release, PEER_RUNS, folder / "a"
    )[1]
    what = f"{PEER_RUNS} runs from gzipped files to a stack: CPU a run"
    rows.append([f"{what}, xgamma", "-", report.shown(ours["cpu"] / PEER_RUNS), f"{ours['peaks'][-1]:.0f} MB"])
    if peer:
        print(f"{PEER_RUNS} runs with Gammapy", file=sys.stderr)
        theirs = report.run(report.PEER, peer, "scale_peer.py", report.PEER, "reduce", release, PEER_RUNS, "-")[1]
        assert theirs["counts"] == ours["counts"]
        grown = "from {:.0f} MB".format(theirs["peaks"][0])
        rows.append(
            [f"{what}, Gammapy", "-", report.shown(theirs["cpu"] / PEER_RUNS), f"{theirs['peaks'][-1]:.0f} MB, {grown}"]
        )
        rows.append(["Gammapy against xgamma, from gzipped files", "10", f"{theirs['cpu'] / ours['cpu']:.1f}", "-"])
        ratio = theirs["seconds"] / PEER_RUNS / per_run
        rows.append(["Gammapy from files against xgamma from the store, wall-clock", "200", f"{ratio:.0f}", "-"])
    return rows + real_runs(folder, peer)


def real_runs(folder: Path, peer: str | None) -> list[list[str]]:
    """Return rows of reading the real runs once, where there are any: into a store here, into objects with the peer."""
    if not report.has_data():
        return []
    release = Path(report.environment()["GAMMAPY_DATA"]) / "hess-dl3-dr1"
    rows = []
    for workers in (1, 2):
        given = ("read", release, workers, folder / f"real-{workers}")
        found = report.run(report.OURS, sys.executable, "scale_peer.py", report.OURS, *given)[1]
        text = f"ingest {found['runs']} real runs into a store, n_jobs {workers}"
        rows.append([text, "the peer", report.shown(found["seconds"]), f"{found['peaks'][-1]:.0f} MB"])
    if peer:
        found = report.run(report.PEER, peer, "scale_peer.py", report.PEER, "read", release, 1, "-")[1]
        text = f"read {found['runs']} real runs once, Gammapy"
        rows.append([text, "-", report.shown(found["seconds"]), f"{found['peaks'][-1]:.0f} MB"])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=3, help="processes of each stage; the fastest counts")
    parser.add_argument("--peer", help="a Python with Gammapy installed")
    options = parser.parse_args()
    rows: list[list[str]] = []
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
        found = best("night", store, options.runs, 1)
        whole, night = report.shown(found["first"]), report.shown(found["night"])
        what = f"50 runs of a night more in {options.runs:,}, stacks of {found['stacks']} nights"
        row(f"{what} (all: {whole}, that night alone: {night})", "the night", found["seconds"], found)
        found = best("workers", store, 2 * few, options.repeats)
        rows.append(
            [f"reduce {2 * few:,} runs, 2 workers against 1", "1.6", f"{found['one'] / found['seconds']:.2f}", "-"]
        )
        per_run = large["seconds"] / options.runs
        rows += beside_peer(folder, options.peer, per_run)
        store, events = stored(folder, "large", LARGE_RUNS, LARGE_DISTINCT, LARGE_RATE, LARGE_PER_PART)
        found = best("reduction", store, LARGE_RUNS, options.repeats)
        row(f"reduce and stack {LARGE_RUNS} runs, {events:,} events", "5 s, 1 GB", found["seconds"], found)
    print(report.table(["from the store", "wanted", "measured", "peak memory"], rows))
    print(f"\nFastest of {options.repeats} processes each, {datetime.date.today():%Y-%m-%d}; {report.machine()}.")
    print(f"Imports alone take {found['imports']:.0f} MB.")


if __name__ == "__main__":
    main()

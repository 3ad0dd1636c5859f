"""The Crab spectrum with xgamma and with Gammapy: medians of fresh processes that take turns, and ratios."""

from __future__ import annotations

import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import report
from report import OURS, PEER

STEPS = ("get_datasets", "fit", "flux points")
WHOLE, AGAIN = "whole tutorial, fresh process", "the same again, products in the store"


def main() -> None:
    options = report.options(__doc__)
    if not report.has_data():
        print(
            "No real data: set GAMMAPY_DATA to the folder that holds hess-dl3-dr1 and joint-crab. Nothing was measured."
        )
        return
    times: dict[tuple[str, str], list[float]] = defaultdict(list)
    numbers = {}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.repeats):
            for package, python in report.pythons(options.peer).items():
                place = Path(folder) / f"{package}-{number}"
                print(f"{package}, {number + 1} of {options.repeats}", file=sys.stderr)
                _, staged = report.run(package, python, "crab.py", package, place / "stages", "--stages", 2)
                for step in STEPS:
                    first, again = staged["seconds"][step]
                    times[package, f"{step}, first"].append(first)
                    times[package, f"{step}, again"].append(again)
                seconds, whole = report.run(package, python, "crab.py", package, place / "whole")
                times[package, WHOLE].append(seconds)
                numbers[package] = whole["numbers"]
                if package == OURS:
                    seconds, _ = report.run(package, python, "crab.py", package, place / "whole")
                times[package, AGAIN].append(seconds)
    names = [f"{step}, {call}" for step in STEPS for call in ("first", "again")] + [WHOLE, AGAIN]
    medians = {key: report.median(values) for key, values in times.items()}
    rows = [report.compared(name, medians.get((OURS, name)), medians.get((PEER, name))) for name in names]
    print(report.table(["four runs of the Crab", OURS, PEER, "ratio"], rows))
    print(f"\nMedian of {options.repeats} processes each; {report.machine()}.")
    for package, found in numbers.items():
        print(f"{package}: index {found['index']:.4f}, amplitude {found['amplitude']:.4e}, stat {found['stat']:.4f}")


if __name__ == "__main__":
    main()

"""Fits with 2, 5 and 12 free parameters: MIGRAD, MIGRAD with derivatives and Fisher scoring; another build beside them.

Calls count every evaluation of the statistic, of its derivatives and of second derivatives as one; seconds are those of
the processor for whole fits, errors included. Deviations of values are those from MIGRAD, in errors; of errors those
from HESSE at MIGRAD's minimum, as a share.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import Any

import report

METHODS = {"MIGRAD": "migrad", "MIGRAD with derivatives": "derivatives", "Fisher scoring": "scoring"}
OURS, BEFORE = "this build", "the other build"


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path, help="the folder src of another build, to be measured in turns")
    parser.add_argument("--repeats", type=int, default=3, help="fresh processes of each (the fastest counts)")
    parser.add_argument("--peer", help="not used: Gammapy is not measured here")
    return parser.parse_args()


def measured(build: str, sources: Path, methods: list[str], repeats: int) -> dict[str, Any]:
    """Return what ``one_fit.py`` finds for each case and method: the fastest of fresh processes."""
    best: dict[str, Any] = {}
    for number in range(repeats):
        for method in methods:
            print(f"{build}, {method}, {number + 1} of {repeats}", file=sys.stderr)
            _, found = report.run(build, sys.executable, "one_fit.py", method, sources=sources)
            for case, values in found.items():
                known = best.get((case, method))
                if known is None or values["seconds"] < known["seconds"]:
                    best[case, method] = values
    return best


def deviations(found: dict[str, Any], expected: dict[str, Any]) -> tuple[str, str]:
    """Return the largest deviation of a value, in errors, and of an error."""
    columns = zip(found["values"], expected["values"], found["errors"], expected["hesse"], strict=True)
    pairs = [((a - b) / error, new / error - 1) for a, b, new, error in columns if error > 0]
    if not pairs:
        return "-", "-"
    value, error = (max(abs(pair[place]) for pair in pairs) for place in (0, 1))
    return (f"{value:.4f}", f"{error:.1%}") if math.isfinite(value) else ("-", "-")


def main() -> None:
    chosen = options()
    ours = measured(OURS, report.REPOSITORY / "src", [*METHODS.values(), "default"], chosen.repeats)
    cases = list(dict.fromkeys(case for case, _ in ours))
    rows = []
    for case in cases:
        for name, method in METHODS.items():
            one, alone = ours[case, method], ours[case, "migrad"]
            ended = one["method"] if one["success"] else f"{one['method']}, no success"
            speed = [f"{one['calls']}", report.shown(one["seconds"]), f"{alone['seconds'] / one['seconds']:.1f}x"]
            rows.append([case, name, *speed, f"{one['total'] - alone['total']:+.0e}", *deviations(one, alone), ended])
    head = ["free parameters", "method", "calls", "seconds", "MIGRAD's", "statistic", "values", "errors", "ended by"]
    print(report.table(head, rows))
    if chosen.before:
        before = measured(BEFORE, chosen.before, ["default"], chosen.repeats)
        print(f"\n{against(cases, before, ours)}")
    print(f"\nThe fastest of {chosen.repeats} processes each; {report.machine()}.")


def against(cases: list[str], before: dict[str, Any], ours: dict[str, Any]) -> str:
    """Return the table of both builds as they fit by default."""
    rows = []
    for case in cases:
        old, new = before[case, "default"], ours[case, "default"]
        ratios = [f"{old[name] / new[name]:.1f}x" for name in ("calls", "seconds")]
        rows.append([case, f"{old['calls']}", f"{new['calls']}", ratios[0], report.shown(old["seconds"]),
                     report.shown(new["seconds"]), ratios[1], f"{new['total'] - old['total']:+.0e}",
                     *deviations(new, old)])  # fmt: skip
    head = ["free parameters", "calls before", "now", "fewer", "seconds before", "now", "faster", "statistic", "values",
            "errors"]  # fmt: skip
    return report.table(head, rows)


if __name__ == "__main__":
    main()

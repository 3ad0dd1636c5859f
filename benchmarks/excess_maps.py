"""Excess maps beside Gammapy: ``python excess_maps.py --peer PYTHON``; both take turns, and the medians are printed."""

from __future__ import annotations

import sys

import report

STAGE = "excess_map_stage.py"
SECONDS = 2.0
# Significances of both are the same to single precision.
SAME = 1e-4


def main() -> None:
    given = report.options(__doc__ or "")
    found: dict[str, list[dict[str, dict[str, float]]]] = {}
    for _ in range(given.repeats):
        for package, python in report.pythons(given.peer).items():
            found.setdefault(package, []).append(report.run(package, python, STAGE, package, SECONDS)[1])
    rows = []
    for case, peak in found[report.OURS][0]["sqrt_ts"].items():
        times = {
            package: report.median([one["seconds"][case] for one in results]) for package, results in found.items()
        }
        theirs = found[report.PEER][0]["sqrt_ts"][case] if report.PEER in found else peak
        if abs(peak - theirs) > SAME * theirs:
            sys.exit(f"{case}: the largest significance is {peak}, and {theirs} with Gammapy.")
        rows.append(report.compared(case, times[report.OURS], times.get(report.PEER)))
    print(report.table(["excess map of 200 x 200 pixels, 10 energies", "xgamma", "Gammapy", "ratio"], rows))
    print(f"\n{report.machine()}")


if __name__ == "__main__":
    main()

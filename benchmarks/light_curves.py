"""Light curves of real runs beside Gammapy: ``python light_curves.py --peer PYTHON [--speed]``.

Steady runs of PKS 2155-304 and runs of the Crab nebula, one bin each, per night and in given intervals, in one and in
three bins of energy. Errors and limits are compared where fluxes agree to a thousandth of their error; where they do
not, as at kinks at norm 0 and where a minimiser stops early, our statistic is compared with that at Gammapy's norm, and
with a minimum that scipy finds. ``--speed`` is 15 runs, one bin each, all options.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import report
from light_curve_stage import CRAB, ENERGIES, INTERVALS, NIGHTS, PKS, curve_of, datasets_of
from scipy.optimize import minimize_scalar

from xgamma import stats
from xgamma.predict import npred_signal

STAGE = "light_curve_stage.py"
SAME = 1e-3


def statistic_of(datasets: Any, curve: Any, time: int, energy: int) -> Any:
    """Return the statistic of one bin as a function of the norm, from the counts and not from the estimator."""
    [ds] = datasets.to_xarray()
    low, high = curve.data["energy_bounds"].values[energy]
    inside = (ds["energy"].values > low) & (ds["energy"].values < high)
    rows = curve.data["bin_of_dataset"].values == time
    used = ds["mask_safe"].values & inside & rows[:, np.newaxis, np.newaxis]
    reference = npred_signal(ds, datasets.models).values[used]
    alpha = (ds["acceptance"] / ds["acceptance_off"]).values[used]
    on, off = ds["counts"].values[used], ds["counts_off"].values[used]

    def statistic(norm: float) -> float:
        return float(stats.wstat(on, off, alpha, norm * reference).sum())

    return statistic


def difference(ours: Any, theirs: Any, name: str, scale: str = "norm_err") -> np.ndarray:
    """Return the difference of a column in units of our error, or of itself."""
    mine, other = np.array(ours[name]), np.array(theirs[name])
    return np.abs(mine - other) / np.abs(np.array(ours[scale]))


def below(curve: Any, datasets: Any, ours: Any, theirs: Any) -> tuple[int, float, float]:
    """Return of the bins that differ how many they are, how far ours is below theirs, and above scipy's minimum."""
    apart = np.argwhere(difference(ours, theirs, "norm") > SAME)
    lower, above = np.inf, -np.inf
    for time, energy in apart.tolist():
        statistic = statistic_of(datasets, curve, time, energy)
        norm, other, error = (float(np.array(one[key])[time, energy]) for one, key in
                              ((ours, "norm"), (theirs, "norm"), (ours, "norm_err")))  # fmt: skip
        if not np.isfinite(other):
            continue
        bounds = (min(norm, other) - 5 * error, max(norm, other) + 5 * error)
        best = minimize_scalar(statistic, bounds=bounds, method="bounded", options={"xatol": 1e-10 * error})
        lower = min(lower, statistic(other) - statistic(norm))
        above = max(above, statistic(norm) - best.fun)
    return len(apart), lower, above


def compared(peer: str, folder: Path) -> list[list[str]]:
    """Return a row for each light curve."""
    theirs = report.run(report.PEER, peer, STAGE, report.PEER, "parity", folder / "peer")[1]
    ours = report.run(report.OURS, sys.executable, STAGE, report.OURS, "parity", folder / "ours")[1]
    return table_of(ours, theirs, folder)


def table_of(ours: Any, theirs: Any, folder: Path) -> list[list[str]]:
    """Return the rows of two results of ``light_curve_stage.py``."""
    rows = []
    about = {"crab": CRAB, "pks": PKS}
    datasets = {name: datasets_of(report.OURS, each, folder / name) for name, each in about.items()}
    for key, mine in ours["curves"].items():
        other = theirs["curves"][key]
        name, binning, count = key.split(", ")
        pairs = {"observation": None, "night": NIGHTS[name], "intervals": INTERVALS[name]}[binning]
        curve = curve_of(report.OURS, datasets[name], ENERGIES[count], pairs)[0]
        flux = difference(mine, other, "norm")
        same = (flux <= SAME) & (np.array(mine["norm"]) != 0)
        worst = [
            np.nanmax(difference(mine, other, column, column)[same]) for column in ("norm_err", "norm_errp", "norm_ul")
        ]
        apart, lower, above = below(curve, datasets[name], mine, other)
        rows.append([
            key, f"{int((flux <= SAME).sum())} of {flux.size}", f"{np.nanmax(flux):.1e}",
            *(f"{one:.1e}" for one in worst),
            "-" if not apart else f"{lower:.1e}", "-" if not apart else f"{above:.0e}",
            f"{np.abs(np.array(mine['times']) - np.array(other['times'])).max():.0e}",
        ])  # fmt: skip
    return rows


def speed(peer: str, folder: Path) -> list[list[str]]:
    """Return one row: the light curve of 15 runs with both packages."""
    stages = ((report.PEER, peer), (report.OURS, sys.executable))
    taken = {name: report.run(name, python, STAGE, name, "speed", folder / name)[1] for name, python in stages}
    ours, theirs = (taken[name]["seconds"]["15 runs"] for name in (report.OURS, report.PEER))
    return [report.compared("light curve of 15 runs, one bin each, all options", ours, theirs)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", required=True, help="a Python with Gammapy installed")
    parser.add_argument("--speed", action="store_true", help="compare times instead of numbers")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        if given.speed:
            print(report.table(["", "xgamma", "Gammapy", "ratio"], speed(given.peer, Path(temporary))))
            return
        head = [
            "light curve",
            f"within {SAME:g}",
            "flux / error",
            "error",
            "errp",
            "limit",
            "lower by",
            "above scipy",
            "days",
        ]
        print(report.table(head, compared(given.peer, Path(temporary))))


if __name__ == "__main__":
    main()

"""The tables and pictures of docs/closure.md: sets of a source like the Crab, of fainter and brighter ones, of fields.

``python closure.py [--sets N] [--fields N] [--folder FOLDER]``; what FOLDER holds already is not computed again. Some
minutes; ``--sets 0`` leaves out the spectra.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import platform
import time
from pathlib import Path

import numpy as np
from report import REPOSITORY

from xgamma.analysis import AnalysisConfig
from xgamma.axes import Axis
from xgamma.closure import (
    excess_ratio,
    field_plan,
    findings,
    moments,
    picture,
    reduced_sets,
    run_closure,
    simulator_of,
    trial_of,
)
from xgamma.closure.findings import LIMIT, POINT
from xgamma.digits import value_with_error
from xgamma.estimate import flux_points
from xgamma.predict import alpha, npred_signal
from xgamma.reduce import select_rows
from xgamma.simulate import AnalyticResponse, Plan, Source, power_law
from xgamma.store import Store

CRAB = 3.5e-11
HEAD = "| | counts | bias in % | mean of pulls | width of pulls | covered | possible | promised | holds |"


def plan_of(brightness: float, seed: int, **changes) -> Plan:
    """Return the demo with another source."""
    source = Source(spectral=power_law(amplitude=CRAB * brightness))
    return dataclasses.replace(Plan(), seed=seed, source=source, **changes)


# The first is the demo; no two share a seed.
PLANS = {
    "1 Crab": plan_of(1.0, 2),
    "0.1 Crab": plan_of(0.1, 10_000),
    "0.3 Crab": plan_of(0.3, 20_000),
    "3 Crab": plan_of(3.0, 30_000),
    "10 Crab": plan_of(10.0, 40_000),
    "0.02 Crab, runs ten times as long": plan_of(0.02, 50_000, duration=16_800.0, runs_per_night=4),
}


def line(finding) -> str:
    """Return a finding as a line of Markdown."""
    pull, (low, high) = finding.pull, finding.coverage.interval
    numbers = ["", "", ""]
    if pull is not None:
        numbers = [
            value_with_error(100 * finding.bias, 100 * finding.bias_error),
            value_with_error(pull.mean, pull.mean_error),
            value_with_error(pull.width, pull.width_error),
        ]
    counts = "" if np.isnan(finding.counts) else f"{finding.counts:.1f}"
    covered = [f"{finding.coverage.fraction:.3f}", f"{low:.3f} to {high:.3f}", f"{finding.coverage.nominal:.3f}"]
    holds = "yes" if finding.holds else "**no**"
    cells = [finding.title, counts, *numbers, *covered, holds if finding.is_asked else f"({holds.strip('*')})"]
    return f"| {' | '.join(cells)} |"


def print_results(title: str, results, seconds: float) -> None:
    failed = int((~results["success"].values).sum())
    print(f"\n{title}: {results.sizes['set']} sets, {failed} not converged, {seconds:.0f} s", end="")
    print(f", excess over predicted {value_with_error(*excess_ratio(results))}\n\n{HEAD}")
    print("|" + "---|" * (HEAD.count("|") - 1))
    print("\n".join(line(finding) for finding in findings(results)), flush=True)


def print_source_alone() -> None:
    """Print where the counts of a very bright source without background end: in the on region, in off regions."""
    plan = plan_of(300.0, 60_000, response=AnalyticResponse(background_rate=0.0))
    trial, simulator = trial_of(plan), simulator_of(plan)
    print("\n| bins of true energy | counts over predicted | part in off regions |\n|---|---|---|")
    for nbin in (48, 160, 640):
        grid = dataclasses.replace(trial.recipe.grid, energy_true=Axis.from_bounds("energy_true", 0.2, 100.0, nbin))
        stacks = reduced_sets(simulator, range(60_000, 60_040), dataclasses.replace(trial.recipe, grid=grid))
        counts, predicted = float(stacks["counts"].sum()), float(npred_signal(stacks, trial.models()).sum())
        leaked = float((alpha(stacks) * stacks["counts_off"].values).sum()) / predicted
        print(
            f"| {nbin} | {value_with_error(counts / predicted, counts**0.5 / predicted)} | {leaked:.5f} |", flush=True
        )


def print_no_source(sets: int) -> None:
    """Print how the signed root of the test statistic is spread where there is no source; 20 sets at once."""
    trial, simulator = trial_of(PLANS["1 Crab"]), simulator_of(plan_of(0.0, 70_000))
    roots: list[float] = []
    for first in range(70_000, 70_000 + sets, 20):
        stacks = reduced_sets(simulator, range(first, first + 20), trial.recipe)
        for row in range(20):
            points = flux_points([select_rows(stacks, [row])], trial.models(), "crab", [1.0, 40.0])
            roots += points["sqrt_ts"].values.tolist()
    found, above = moments(np.array(roots)), np.array([np.mean(np.array(roots) > level) for level in (1.0, 2.0, 3.0)])
    print(
        f"\nNo source: {len(roots)} sets, mean of sqrt(TS) {value_with_error(found.mean, found.mean_error)}, ", end=""
    )
    print(f"width {value_with_error(found.width, found.width_error)}, above 1, 2, 3: {above}", flush=True)


def print_fields(sets: int, store: Store) -> None:
    """Print what comes back of a field of three sources, and of one whose effective area is the same everywhere."""
    plan, flat = field_plan(100_000), field_plan(200_000)
    flat = dataclasses.replace(flat, response=dataclasses.replace(flat.response, area_width=1000.0))
    for title, one in {"Three sources": plan, "Three sources, flat effective area": flat}.items():
        start = time.perf_counter()
        results = run_closure(trial_of(one), sets, store)
        print_results(title, results, time.perf_counter() - start)
        if one is plan:
            (REPOSITORY / "docs" / "images" / "closure-fields.png").write_bytes(picture(results))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=1000)
    parser.add_argument("--fields", type=int, default=200)
    parser.add_argument("--folder", type=Path, default=Path("closure"))
    given = parser.parse_args()
    store = Store(given.folder / "xgamma-store")
    print(f"{datetime.date.today()}, {platform.machine()}, {platform.system()}, Python {platform.python_version()}")
    print_fields(given.fields, store)
    if given.sets:
        print_spectra(given.sets, store)


def print_spectra(sets: int, store: Store) -> None:
    """Print what comes back of spectra, and draw it."""
    coarse = AnalysisConfig.read(REPOSITORY / "examples" / "demo.yaml")
    trials = {title: trial_of(plan) for title, plan in PLANS.items()}
    trials["1 Crab as examples/demo.yaml"] = trial_of(PLANS["1 Crab"], coarse)
    results = {}
    for title, trial in trials.items():
        start = time.perf_counter()
        results[title] = run_closure(trial, sets, store)
        print_results(title, results[title], time.perf_counter() - start)
    every = [finding for title in PLANS for finding in findings(results[title]) if finding.is_asked]
    for kind in (POINT, LIMIT):
        chosen = [finding for finding in every if finding.what == kind]
        covered, count = (sum(getattr(f.coverage, name) for f in chosen) for name in ("covered", "count"))
        print(f"\n{kind}: {len(chosen)} with 20 counts or more, {sum(f.is_wrong for f in chosen)} wrong, ", end="")
        print(f"together {covered} of {count} = {covered / count:.4f}")
    print_source_alone()
    print_no_source(sets)
    first, *others = (results[title] for title in PLANS)
    (REPOSITORY / "docs" / "images" / "closure.png").write_bytes(picture(first, others))


if __name__ == "__main__":
    main()

"""``xgamma simulate`` and ``closure``: simulated releases, and whether their truth comes back."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import click
import numpy as np
import xarray as xr

from xgamma.cli.console import examples, json_option, print_json, print_table, some, typed
from xgamma.closure import Finding, excess_ratio, findings, picture, run_closure, trial_of
from xgamma.config.config import AnalysisConfig
from xgamma.digits import NOTHING, number_text, value_with_error
from xgamma.errors import ExitCode
from xgamma.formats.local_files import write_files
from xgamma.simulate import Plan, about_first_model, read_plan, simulate
from xgamma.store import Store


@click.command(
    "simulate",
    epilog=examples(
        "xgamma simulate demo/release",
        "xgamma simulate demo/release --runs 20 --seed 1",
        "xgamma simulate demo/field --models sources.yaml",
    ),
)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--plan", "plan_file", type=click.Path(path_type=Path), help="A YAML file with the plan.")
@click.option("--models", "models_file", type=click.Path(path_type=Path), help="A models file: several sources.")
@click.option("--runs", type=click.IntRange(min=1), help="The number of runs.")
@click.option("--seed", type=int, help="The seed of all random numbers.")
@click.option("--overwrite", is_flag=True, help="Replace the simulated release in FOLDER.")
def simulate_command(
    folder: Path,
    plan_file: Path | None,
    models_file: Path | None,
    runs: int | None,
    seed: int | None,
    overwrite: bool,
) -> None:
    """Simulate a valid GADF release into FOLDER: index files, runs with events and responses, and the truth beside it.

    Without --plan it is the demo: a source like the Crab nebula, seen in wobble mode. The sources of --models shine
    instead of that of the plan; without a plan the pointings lie about the first of them.
    """
    plan = Plan() if plan_file is None else read_plan(plan_file)
    if models_file is not None:
        plan = dataclasses.replace(plan, models=models_file)
        plan = plan if plan_file is not None else about_first_model(plan)
    plan = dataclasses.replace(plan, runs=plan.runs if runs is None else runs, seed=plan.seed if seed is None else seed)
    release = simulate(plan, folder, overwrite=overwrite)
    click.echo(f"{len(release.obs_ids)} runs, {release.events} events: {folder}")
    click.echo(f"Next: xgamma init {typed(folder)}", err=True)


@click.command(
    "closure",
    epilog=examples(
        "xgamma closure --sets 100",
        "xgamma closure plan.yaml --config my.yaml --out closure",
    ),
)
@click.argument("plan_file", metavar="[PLAN]", required=False, type=click.Path(path_type=Path))
@click.option("--config", type=click.Path(path_type=Path), help="A configuration that says how sets are analysed.")
@click.option("--sets", type=click.IntRange(min=2), default=1000, show_default=True, help="The number of sets.")
@click.option("--seed", type=click.IntRange(min=0), help="The seed of the first set.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="A folder for results and a picture.")
@json_option
def closure_command(
    plan_file: Path | None, config: Path | None, sets: int, seed: int | None, out: Path | None, as_json: bool
) -> ExitCode:
    """Simulate many sets of runs, reduce and fit each, and compare with the truth that they were drawn from.

    PLAN is a YAML file as of xgamma simulate; without it a set is the demo, six runs on a source like the Crab nebula.
    With --out what was computed is kept and a second call goes on from there. Exit code 6 when the pulls of a
    parameter, or the coverage of a flux point or limit with enough counts, are not as they should be.
    """
    plan = Plan() if plan_file is None else read_plan(plan_file)
    plan = plan if seed is None else dataclasses.replace(plan, seed=seed)
    trial = trial_of(plan, None if config is None else AnalysisConfig.read(config))
    results = run_closure(trial, sets, None if out is None else Store(out / "xgamma-store"))
    found = findings(results)
    document = _closure_document(results, found)
    if out is not None:
        text = json.dumps(document, indent=2) + "\n"
        write_files({out / "closure.json": text.encode(), out / "closure.png": picture(results)}, overwrite=True)
    if as_json:
        print_json(document)
    else:
        _print_closure(results, found)
    return ExitCode.FAULT if any(finding.is_wrong for finding in found) else ExitCode.DONE


def _closure_document(results: xr.Dataset, found: list[Finding]) -> dict[str, object]:
    return {
        "sets": results.sizes["set"],
        "first_seed": int(results["set"].values[0]),
        "not_converged": int((~results["success"].values).sum()),
        "excess_over_predicted": list(excess_ratio(results)),
        "closes": not any(finding.is_wrong for finding in found),
        "findings": [finding.document() for finding in found],
    }


def _print_closure(results: xr.Dataset, found: list[Finding]) -> None:
    print_table([_finding_row(finding) for finding in found])
    promised = ", ".join(f"{nominal:.4f}" for nominal in sorted({finding.coverage.nominal for finding in found}))
    click.echo(f"Promised coverage, of errors and of limits: {promised}")
    click.echo(f"Excess of all sets over the predicted: {value_with_error(*excess_ratio(results))}")
    failed = int((~results["success"].values).sum())
    click.echo(f"{some(results.sizes['set'], 'set')}, {failed} without a converged fit, which are left out.")
    wrong = [finding for finding in found if finding.is_wrong]
    click.echo("It closes." if not wrong else f"It does not close: {some(len(wrong), 'line')} marked 'no'.")


def _finding_row(finding: Finding) -> dict[str, str]:
    pull, covered = finding.pull, finding.coverage
    return {
        "what": finding.title,
        "counts": number_text(finding.counts, 3),
        "bias / %": NOTHING
        if np.isnan(finding.bias)
        else value_with_error(100 * finding.bias, 100 * finding.bias_error),
        "pull": NOTHING if pull is None else value_with_error(pull.mean, pull.mean_error),
        "width": NOTHING if pull is None else value_with_error(pull.width, pull.width_error),
        "covered": f"{covered.fraction:.3f}",
        "holds": ("yes" if finding.holds else "no") if finding.is_asked else "(few)",
    }

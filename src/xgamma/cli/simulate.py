"""``xgamma simulate``: a release of simulated observations."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from xgamma.simulate import Plan, read_plan, simulate


@click.command("simulate")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--plan", "plan_file", type=click.Path(path_type=Path), help="A YAML file with the plan.")
@click.option("--runs", type=click.IntRange(min=1), help="The number of runs.")
@click.option("--seed", type=int, help="The seed of all random numbers.")
@click.option("--overwrite", is_flag=True, help="Replace the simulated release in FOLDER.")
def command(folder: Path, plan_file: Path | None, runs: int | None, seed: int | None, overwrite: bool) -> None:
    """Simulate a valid GADF release into FOLDER: index files, runs with events and responses, and the truth beside it.

    Without --plan it is the demo: a source like the Crab nebula, seen in wobble mode.
    """
    plan = Plan() if plan_file is None else read_plan(plan_file)
    plan = dataclasses.replace(plan, runs=plan.runs if runs is None else runs, seed=plan.seed if seed is None else seed)
    release = simulate(plan, folder, overwrite=overwrite)
    click.echo(f"{len(release.obs_ids)} runs, {release.events} events: {folder}")
    click.echo(f"Next: xgamma init {folder}", err=True)

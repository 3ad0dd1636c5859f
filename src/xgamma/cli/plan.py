"""``xgamma plan``: what would be computed, and why."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from xgamma.analysis.config import AnalysisConfig
from xgamma.analysis.plan import plan
from xgamma.cli.console import NOTHING, json_option, print_json, print_table, size_text


@click.command("plan")
@click.argument("config", type=click.Path(path_type=Path))
@json_option
def command(config: Path, as_json: bool) -> None:
    """Show each product of CONFIG, whether it is found or computed, and why. Computes and writes nothing."""
    given = AnalysisConfig.read(config)
    # A look at the store goes through the steps, whose messages belong to a run.
    given.general.log.level, given.general.log.filename = "warning", None
    steps = plan(given)
    if as_json:
        print_json([dataclasses.asdict(step) for step in steps])
        return
    rows = [
        {
            "product": step.step,
            "state": step.state,
            "runs": step.runs,
            "to read": size_text(step.nbytes) if step.nbytes else NOTHING,
            "peak memory": size_text(step.peak) if step.peak else NOTHING,
            "key": (step.key or NOTHING)[:12],
            "why": step.reason,
        }
        for step in steps
    ]
    print_table(rows)
    click.echo(f"Next: xgamma run {config}", err=True)

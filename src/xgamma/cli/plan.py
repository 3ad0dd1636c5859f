"""``xgamma plan``: what would be computed, and why."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from xgamma.analysis.config import AnalysisConfig
from xgamma.analysis.plan import plan
from xgamma.cli.console import json_option, print_json, print_table, size_text


@click.command("plan")
@click.argument("config", type=click.Path(path_type=Path))
@json_option
def command(config: Path, as_json: bool) -> None:
    """Show each product of CONFIG, whether it is found or computed, and why. Computes and writes nothing."""
    steps = plan(AnalysisConfig.read(config))
    if as_json:
        print_json([dataclasses.asdict(step) for step in steps])
        return
    rows = [
        {
            "product": step.step,
            "state": step.state,
            "runs": step.runs,
            "why": step.reason,
            "to read": size_text(step.nbytes) if step.nbytes else "-",
            "peak memory": size_text(step.peak) if step.peak else "-",
            "key": (step.key or "-")[:12],
        }
        for step in steps
    ]
    print_table(rows)
    click.echo(f"Next: xgamma run {config}", err=True)

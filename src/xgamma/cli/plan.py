"""``xgamma plan``: what would be computed, and why."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from xgamma.analysis.plan import plan, validate_steps
from xgamma.cli.console import NOTHING, json_option, print_json, print_table, size_text
from xgamma.config.config import AnalysisConfig


@click.command("plan")
@click.argument("config", type=click.Path(path_type=Path))
@json_option
def plan_command(config: Path, as_json: bool) -> None:
    """Show each product of CONFIG, whether it is found or computed, and why. Computes and writes nothing.

    Of what is computed it says how many tasks it takes, how many bytes go in and out, and the projected peak of memory
    with all imports. Exit code 2 when that is beyond general.memory_limit; xgamma run then refuses to begin.
    """
    given = AnalysisConfig.read(config)
    # The steps log to the handlers of this process; their messages belong to a run.
    given.general.log.level, given.general.log.filename = "warning", None
    given.set_logging()
    steps = plan(given)
    if as_json:
        print_json([dataclasses.asdict(step) for step in steps])
        validate_steps(given, steps)
        return
    rows = [
        {
            "product": step.step,
            "state": step.state,
            "runs": step.runs,
            "tasks": step.cost.tasks or NOTHING,
            "in": size_text(step.cost.nbytes_in) if step.cost.nbytes_in else NOTHING,
            "out": size_text(step.cost.nbytes_out) if step.cost.nbytes_out else NOTHING,
            "memory": size_text(step.cost.peak) if step.cost.peak else NOTHING,
            "key": (step.key or NOTHING)[:12],
            "why": step.reason,
        }
        for step in steps
    ]
    print_table(rows)
    validate_steps(given, steps)
    click.echo(f"Next: xgamma run {config}", err=True)

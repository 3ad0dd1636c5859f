"""``xgamma check``, ``plan`` and ``run``: what a configuration asks for looked at, planned and computed."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from xgamma.analysis import plan, preview, run
from xgamma.analysis.steps import SECTIONS, STEPS
from xgamma.cli.configurations import config_argument, configuration
from xgamma.cli.console import (
    examples,
    json_option,
    print_facts,
    print_json,
    print_table,
    print_tables,
    print_unused,
    rehash_option,
    size_text,
    some,
    typed,
)
from xgamma.cli.places import PlaceType
from xgamma.digits import NOTHING
from xgamma.errors import ExitCode, FitError

if TYPE_CHECKING:
    from xgamma.analysis.plan import PlannedStep
    from xgamma.analysis.preview import Preview
    from xgamma.analysis.run import RunReport


@click.command(
    "run",
    epilog=examples(
        "xgamma run my.yaml",
        "xgamma run my.yaml --until datasets --n-jobs 4",
        "xgamma run my.yaml --outdir second --store out/xgamma-store",
    ),
)
@config_argument
@click.option("--until", type=click.Choice(SECTIONS), help="The last step to run.")
@click.option("--outdir", type=PlaceType(), help="In the place of general.outdir.")
@click.option("--store", type=PlaceType(), help="In the place of general.store.")
@click.option("--n-jobs", type=click.IntRange(min=1), help="In the place of general.n_jobs.")
@click.option("--scheduler", help="In the place of general.scheduler.")
@click.option("--retry-failed", is_flag=True, help="Read runs that failed before, and no new ones.")
@click.option("--fail-fast", is_flag=True, help="End with the first run that fails; otherwise the others go on.")
@rehash_option
@json_option
def run_command(
    config: Path,
    until: str | None,
    retry_failed: bool,
    fail_fast: bool,
    rehash: bool,
    as_json: bool,
    **instead: str | int | None,
) -> int:
    """Run CONFIG to the end: observations, datasets, fit, flux points, with files and pictures in its outdir.

    CONFIG is a file, or - for standard input.

    What the store holds already is not computed again. Files of an earlier run in the same outdir are replaced.
    """
    with configuration(config, instead | {"fail_fast": fail_fast or None}) as given:
        report = run.run(given, until, retry_failed, rehash)
    if as_json:
        print_json(_document(report))
    else:
        _print(report)
    for remark in report.remarks:
        click.echo(remark, err=True)
    print_unused(report.unused)
    if not report.analysis.computed:
        click.echo("Everything was found in the store; nothing was computed.", err=True)
    if not report.is_converged:
        raise FitError(f"The fit did not converge. {_why(report)} Try other start values, or freeze a parameter.")
    if until is None and not as_json:
        click.echo(f"Next: xgamma report {typed(given.general.outdir.expanded())}", err=True)
    return ExitCode.INCOMPLETE if report.unused else ExitCode.DONE


def _why(report: RunReport) -> str:
    result = report.analysis.fit_result
    if result is None:
        return ""
    return result.covariance_result.message if result.optimize_result.success else result.message


def _document(report: RunReport) -> dict[str, object]:
    analysis = report.analysis
    document: dict[str, object] = {
        "store": analysis.store.url,
        "files": {what: str(path) for what, path in report.files.items()},
        "computed": sorted(analysis.computed),
        "unused_runs": [run.document() for run in report.unused],
        "remarks": list(report.remarks),
    }
    for step in STEPS:
        document |= step.document(analysis.results)
    return document


def _print(report: RunReport) -> None:
    for step in STEPS:
        print_tables(step.tables(report.analysis.results))
    print_facts({**report.files, "products": report.analysis.store.url}, "Files")


@click.command("plan", epilog=examples("xgamma plan my.yaml", "xgamma plan my.yaml --json"))
@config_argument
@json_option
def plan_command(config: Path, as_json: bool) -> None:
    """Show each product of CONFIG, whether it is found or computed, and why. Computes and writes nothing.

    Of what is computed it says how many tasks it takes, how many bytes go in and out, and the projected peak of memory
    with all imports. Exit code 2 when that is beyond general.memory_limit; xgamma run then refuses to begin.
    """
    with configuration(config) as given:
        # The steps log to the handlers of this process; their messages belong to a run.
        given.general.log.level, given.general.log.filename = "warning", None
        given.set_logging()
        steps = plan.plan(given)
        if as_json:
            print_json([dataclasses.asdict(step) for step in steps])
        else:
            print_table(_rows_of_plan(steps), spare=("key", "tasks", "in"))
        plan.validate_steps(given, steps)
    if not as_json:
        click.echo(f"Next: xgamma run {typed(config)}", err=True)


def _rows_of_plan(steps: Sequence[PlannedStep]) -> list[dict[str, object]]:
    return [
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


UNUSABLE_SHOWN = 10
DROPPED_SHOWN = 3


@click.command("check", epilog=examples("xgamma check my.yaml", "xgamma check my.yaml --json", "xgamma check -"))
@config_argument
@json_option
def check_command(config: Path, as_json: bool) -> None:
    """Check the configuration CONFIG and the files and runs it names. Writes nothing.

    What xgamma run would refuse is refused in the same words and with the same exit code. For that the headers and
    responses of up to 20 runs are read, of two where they are on a server; of the others it sees whether files are
    there. Keys that no step will use are named.

    Of runs that are not selected it says how many each criterion drops, and why the first few; --json names them all.
    """
    with configuration(config) as given:
        found = preview.preview(given)
    if as_json:
        print_json(_preview_document(found))
        return
    print_facts(found.facts, "All is well with:" if not found.unusable else "Found:")
    _print_dropped(found)
    for obs_id, reason in list(found.unusable.items())[:UNUSABLE_SHOWN]:
        click.echo(f"Run {obs_id} will not be used: {reason}.", err=True)
    if len(found.unusable) > UNUSABLE_SHOWN:
        click.echo(f"{some(len(found.unusable), 'run')} will not be used in all; --json lists them.", err=True)
    for remark in found.remarks:
        click.echo(remark, err=True)
    click.echo(f"Next: xgamma plan {typed(config)}, xgamma run {typed(config)}", err=True)


def _print_dropped(found: Preview) -> None:
    for criterion, runs in found.dropped.items():
        # A run that lacks a response is named with those that cannot be used.
        if runs and not criterion.endswith("required_irf"):
            first = "; ".join(f"{obs_id}: {reason}" for obs_id, reason in list(runs.items())[:DROPPED_SHOWN])
            more = f"; and {len(runs) - DROPPED_SHOWN} more" if len(runs) > DROPPED_SHOWN else ""
            click.echo(f"{_criterion(criterion)} drops {some(len(runs), 'run')}. {first}{more}.", err=True)
    for criterion in found.undecided:
        click.echo(f"What {_criterion(criterion)} drops is known after the ingest.", err=True)


def _criterion(criterion: str) -> str:
    """Return the key of a criterion, after the name of the entry of datasets whose own observations it selects."""
    name, mark, key = criterion.rpartition(": ")
    return f"{name}{mark}observations.{key}"


def _preview_document(found: Preview) -> dict[str, object]:
    unusable = {str(obs_id): reason for obs_id, reason in found.unusable.items()}
    dropped = {name: {str(obs_id): reason for obs_id, reason in runs.items()} for name, runs in found.dropped.items()}
    return {
        "runs": list(found.obs_ids),
        "unusable_runs": unusable,
        "dropped_runs": dropped,
        "undecided": list(found.undecided),
        "remarks": list(found.remarks),
        **found.facts,
    }

"""``xgamma run``: from a configuration to results."""

from __future__ import annotations

from pathlib import Path

import click

from xgamma.analysis.run import RunReport, run
from xgamma.analysis.steps import SECTIONS, STEPS
from xgamma.cli.console import json_option, print_facts, print_json, print_table, rehash_option
from xgamma.cli.ingest import print_unused
from xgamma.config.config import AnalysisConfig
from xgamma.errors import ExitCode, FitError
from xgamma.units import number_text

DIGITS = 4


@click.command("run")
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--until", type=click.Choice(SECTIONS), help="The last step to run.")
@click.option("--outdir", help="In the place of general.outdir.")
@click.option("--store", help="In the place of general.store.")
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

    What the store holds already is not computed again. Files of an earlier run in the same outdir are replaced.
    """
    given = AnalysisConfig.read(config)
    for name, value in instead.items():
        if value is not None:
            setattr(given.general, name, value)
    if fail_fast:
        given.general.fail_fast = True
    report = run(given, until, retry_failed, rehash)
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
        for table in step.tables(report.analysis.results):
            digits = table.digits
            rows = [{name: number_text(row[name], digits.get(name, DIGITS)) for name in row} for row in table.rows]
            print_table(rows, table.title)
    print_facts({**report.files, "products": report.analysis.store.url}, "Files")

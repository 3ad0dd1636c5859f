"""``xgamma run``: from a configuration to results."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from xgamma.analysis.run import ACTIONS, RunReport, run
from xgamma.analysis.session import Analysis
from xgamma.cli.console import NOTHING, json_option, number_text, print_facts, print_json, print_table, rehash_option
from xgamma.cli.ingest import print_unused
from xgamma.config.config import AnalysisConfig
from xgamma.datasets import FluxPoints
from xgamma.errors import ExitCode, FitError
from xgamma.units import unit_string

ROWS_SHOWN = 10
EDGES, EDGES_FIT = ("e_min", "e_max"), ("e_min_fit", "e_max_fit")


@click.command("run")
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--until", type=click.Choice(list(ACTIONS)), help="The last step to run.")
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
    analysis, result = report.analysis, report.analysis.fit_result
    return {
        "store": analysis.store.url,
        "files": {what: str(path) for what, path in report.files.items()},
        "computed": sorted(analysis.computed),
        "unused_runs": [dataclasses.asdict(run) for run in report.unused],
        "remarks": list(report.remarks),
        "converged": report.is_converged if result is not None else None,
        "total_stat": None if result is None else result.total_stat,
        "models": {} if result is None else _models_document(analysis),
    }


def _models_document(analysis: Analysis) -> dict[str, object]:
    return {
        model.name: {
            p.name: {"value": p.value, "error": p.error, "unit": unit_string(p.unit), "frozen": p.frozen}
            for p in model.parameters
        }
        for model in analysis.models
    }


def _print(report: RunReport) -> None:
    analysis = report.analysis
    if analysis.datasets is not None:
        info = analysis.datasets.info_table()
        names = ("name", "counts", "background", "excess", "sqrt_ts", "livetime")
        shown = f"the first {ROWS_SHOWN} of {len(info)}, " if len(info) > ROWS_SHOWN else ""
        rows = [{name: number_text(row[name]) for name in names} for row in info[:ROWS_SHOWN]]
        print_table(rows, f"Datasets: {shown}livetime in s")
    if analysis.fit_result is not None:
        state = "converged" if report.is_converged else "NOT CONVERGED"
        print_table(_parameter_rows(analysis), f"Fit: {state}, statistic {analysis.fit_result.total_stat:.2f}")
    if analysis.flux_points is not None:
        title = "Flux points: energies in TeV, dnde in cm-2 s-1 TeV-1"
        print_table(_point_rows(analysis.flux_points.data), title)
    print_facts({**report.files, "products": analysis.store.url}, "Files")


def _parameter_rows(analysis: Analysis) -> list[dict[str, str]]:
    return [
        {
            "model": model.name,
            "parameter": p.name,
            "value": number_text(p.value),
            "error": "frozen" if p.frozen else number_text(p.error, 2),
            "unit": unit_string(p.unit) or NOTHING,
        }
        for model in analysis.models
        for p in model.parameters
    ]


def _point_rows(points: FluxPoints) -> list[dict[str, str]]:
    """Return a row a point; energies used and counts left out only where a request could not be honoured."""
    table = points.to_table(sed_type="dnde")
    names = [name for name in ("dnde", "dnde_err", "dnde_ul", "sqrt_ts") if name in table.colnames]
    rows = []
    for number in range(len(table)):
        row = table[number]
        edges, used = ([number_text(row[name]) for name in pair] for pair in (EDGES, EDGES_FIT))
        left_out = float(row["counts_left_out"].sum())
        honest = {
            "used": NOTHING if edges == used else "nothing" if NOTHING in used else "-".join(used),
            "left out": f"{left_out:.0f}" if left_out else NOTHING,
        }
        rows.append(dict(zip(EDGES, edges, strict=True)) | honest | {name: number_text(row[name], 3) for name in names})
    return rows

"""``xgamma run``: from a configuration to results."""

from __future__ import annotations

from pathlib import Path

import click

from xgamma.analysis.config import STEPS, AnalysisConfig
from xgamma.analysis.fields import read_location
from xgamma.analysis.run import Report, run
from xgamma.cli.console import json_option, print_json, print_table

SOME_RUNS_UNUSED = 4


@click.command("run")
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--until", type=click.Choice(STEPS), help="The last step to run.")
@click.option("--outdir", help="In the place of general.outdir.")
@click.option("--store", help="In the place of general.store.")
@json_option
def command(config: Path, until: str | None, outdir: str | None, store: str | None, as_json: bool) -> int:
    """Run CONFIG to the end: observations, datasets, fit, flux points, with files and pictures in its outdir.

    What the store holds already is not computed again. Files of an earlier run in the same outdir are replaced.
    """
    given = AnalysisConfig.read(config)
    if outdir is not None:
        given.general.outdir = read_location(outdir)
    if store is not None:
        given.general.store = read_location(store)
    report = run(given, until)
    if as_json:
        print_json(_document(report))
    else:
        _print(report)
    return SOME_RUNS_UNUSED if report.unused else 0


def _document(report: Report) -> dict[str, object]:
    result = report.analysis.fit_result
    parameters = {} if result is None else {p.name: {"value": p.value, "error": p.error} for p in result.parameters}
    return {
        "store": report.analysis.store.url,
        "files": {what: str(path) for what, path in report.files.items()},
        "unused_runs": dict(report.unused),
        "total_stat": None if result is None else result.total_stat,
        "parameters": parameters,
    }


def _print(report: Report) -> None:
    analysis = report.analysis
    if analysis.datasets is not None:
        info = analysis.datasets.info_table()
        names = ("name", "counts", "background", "excess", "sqrt_ts", "livetime")
        print_table([{n: _text(row[n]) for n in names} for row in info[:10]], "Datasets")
    if analysis.fit_result is not None:
        rows = [
            {
                "model": model.name,
                "parameter": p.name,
                "value": f"{p.value:.4g}",
                "error": f"{p.error:.2g}",
                "unit": str(p.unit),
            }
            for model in analysis.models
            for p in model.parameters
        ]
        print_table(rows, f"Fit: statistic {analysis.fit_result.total_stat:.2f}")
    if analysis.flux_points is not None:
        table = analysis.flux_points.data.to_table(sed_type="dnde")
        names = ("e_ref", "e_min", "e_max", "dnde", "dnde_err", "dnde_ul", "sqrt_ts")
        known = [name for name in names if name in table.colnames]
        print_table([{n: _text(row[n]) for n in known} for row in table], "Flux points: TeV, cm-2 s-1 TeV-1")
    files = [{"what": what, "file": str(path)} for what, path in report.files.items()]
    print_table([*files, {"what": "products", "file": analysis.store.url}], "Files")
    for name, reason in report.unused:
        click.echo(f"run {name} was not used: {reason}", err=True)


def _text(value: object) -> str:
    number = getattr(value, "value", value)
    return f"{number:.4g}" if isinstance(number, float) else str(number)

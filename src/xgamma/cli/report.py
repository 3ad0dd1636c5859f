"""``xgamma report``: what an analysis or a store holds, as one HTML file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from xgamma.analysis.plan import found_results, validated_request
from xgamma.analysis.reported import report_of, write_report
from xgamma.analysis.stored import store_report
from xgamma.cli.configurations import configuration
from xgamma.cli.console import examples, typed
from xgamma.cli.places import PlaceType, hint_of_release, opened_store
from xgamma.config.config import AnalysisConfig
from xgamma.config.requests import outdir_of
from xgamma.errors import ConfigError, MissingInputError
from xgamma.formats.local_files import validate_ending
from xgamma.store import Store, is_store

REPORT = "report.html"
CONFIG = "config.yaml"


@click.command(
    "report",
    epilog=examples(
        "xgamma report my.yaml",
        "xgamma report out --output crab.html",
        "xgamma report out/xgamma-store",
    ),
)
@click.argument("where", metavar="CONFIG|OUTDIR|STORE", type=PlaceType())
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="The file; by default report.html in the outdir, of a store report-of-STORE.html in this folder.",
)
@click.option(
    "--overwrite", is_flag=True, help="Replace a file that is no report; an earlier report is replaced anyway."
)
def report_command(where: str, output: Path | None, overwrite: bool) -> None:
    """Write one HTML file about a run of CONFIG or into OUTDIR, or about STORE; it needs no other file and no server.

    All that it shows is read from the store: run xgamma run before. Pictures are kept there for the next report, where
    it can be written. It names the steps that are not done yet; where
    none is, the exit code is 2.
    """
    if output is not None:
        validate_ending(output, (".html", ".htm"), "A report")
    if is_store(where):
        target = output or Path(f"report-of-{Path(where.rstrip('/')).name}.html")
        write_report(target, store_report(opened_store(where), where), overwrite)
    else:
        path = _config_at(Path(where))
        with configuration(path) as config:
            config.general.log.level, config.general.log.filename = "error", None
            config.set_logging()
            target = output or outdir_of(config) / REPORT
            write_report(target, _report(config, path), overwrite)
    click.echo(str(target))


def _config_at(where: Path) -> Path:
    """Return the configuration that is named, or that a run left in its outdir; raises ``MissingInputError``."""
    path = where / CONFIG if where.is_dir() else where
    if not path.is_file():
        raise MissingInputError(
            f"There is no configuration and no store at {where}. "
            + (hint_of_release(str(where)) or "Give a configuration, a folder that xgamma run wrote, or a store.")
        )
    return path


def _report(config: AnalysisConfig, path: Path) -> str:
    request = validated_request(config)
    try:
        results, missing = found_results(request, request.selected())
    except ConfigError as error:
        raise ConfigError(f"{error} A report shows what was computed; run xgamma run {typed(path)} before.") from None
    if is_store(results.store.url):
        # Pictures are kept there, where it can be written.
        results = replace(results, store=Store(results.store.url))
    left = [f"{step.step}: {step.reason}" for step in missing]
    if left:
        click.echo(f"Not done yet: {'; '.join(left)}. Next: xgamma run {typed(path)}", err=True)
    return report_of(request.config, results, request.remarks, missing=left)

"""``xgamma check``: is everything there and does it make sense?"""

from __future__ import annotations

from pathlib import Path

import click

from xgamma.analysis.preview import Preview, preview
from xgamma.cli.console import json_option, print_facts, print_json, some
from xgamma.config.config import AnalysisConfig

UNUSABLE_SHOWN = 10
DROPPED_SHOWN = 3


@click.command("check")
@click.argument("config", type=click.Path(path_type=Path))
@json_option
def check_command(config: Path, as_json: bool) -> None:
    """Check the configuration CONFIG and the files and runs it names. Writes nothing.

    What xgamma run would refuse is refused in the same words and with the same exit code. For that the headers and
    responses of up to 20 runs are read, of two where they are on a server; of the others it sees whether files are
    there. Keys that no step will use are named.

    Of runs that are not selected it says how many each criterion drops, and why the first few; --json names them all.
    """
    found = preview(AnalysisConfig.read(config))
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
    click.echo(f"Next: xgamma plan {config}, xgamma run {config}", err=True)


def _print_dropped(found: Preview) -> None:
    for criterion, runs in found.dropped.items():
        # A run that lacks a response is named with those that cannot be used.
        if runs and criterion != "required_irf":
            first = "; ".join(f"{obs_id}: {reason}" for obs_id, reason in list(runs.items())[:DROPPED_SHOWN])
            more = f"; and {len(runs) - DROPPED_SHOWN} more" if len(runs) > DROPPED_SHOWN else ""
            click.echo(f"observations.{criterion} drops {some(len(runs), 'run')}. {first}{more}.", err=True)
    for criterion in found.undecided:
        click.echo(f"What observations.{criterion} drops is known after the ingest.", err=True)


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

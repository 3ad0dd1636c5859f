"""``xgamma check``: is everything there and does it make sense?"""

from __future__ import annotations

from pathlib import Path

import click

from xgamma.analysis.config import AnalysisConfig
from xgamma.analysis.preview import Preview, preview
from xgamma.cli.console import json_option, print_facts, print_json, some

UNUSABLE_SHOWN = 10


@click.command("check")
@click.argument("config", type=click.Path(path_type=Path))
@json_option
def command(config: Path, as_json: bool) -> None:
    """Check the configuration CONFIG, the files it names, and where its region lies in its runs. Writes nothing."""
    found = preview(AnalysisConfig.read(config))
    if as_json:
        print_json(_document(found))
        return
    print_facts(found.facts, "All is well with:" if not found.unusable else "Found:")
    for obs_id, reason in list(found.unusable.items())[:UNUSABLE_SHOWN]:
        click.echo(f"Run {obs_id} will not be used: {reason}.", err=True)
    if len(found.unusable) > UNUSABLE_SHOWN:
        click.echo(f"{some(len(found.unusable), 'run')} will not be used in all; --json lists them.", err=True)
    click.echo(f"Next: xgamma plan {config}, xgamma run {config}", err=True)


def _document(found: Preview) -> dict[str, object]:
    unusable = {str(obs_id): reason for obs_id, reason in found.unusable.items()}
    return {"runs": list(found.obs_ids), "unusable_runs": unusable, **found.facts}

"""``xgamma check``: is everything there and does it make sense?"""

from __future__ import annotations

from pathlib import Path

import click

from xgamma.analysis.config import AnalysisConfig
from xgamma.analysis.preview import Preview, preview
from xgamma.cli.console import json_option, print_json, print_table


@click.command("check")
@click.argument("config", type=click.Path(path_type=Path))
@json_option
def command(config: Path, as_json: bool) -> None:
    """Validate the configuration CONFIG, the files it names, and the geometry of its runs. Writes nothing."""
    found = preview(AnalysisConfig.read(config))
    if as_json:
        print_json(_document(found))
        return
    print_table([{"check": name, "result": text} for name, text in found.facts.items()])
    if found.far:
        click.echo(f"{len(found.far)} runs will not be used: {', '.join(map(str, found.far))}.", err=True)
    click.echo(f"Next: xgamma plan {config}, xgamma run {config}", err=True)


def _document(found: Preview) -> dict[str, object]:
    return {"runs": found.obs_ids, "outside_field_of_view": found.far, **found.facts}

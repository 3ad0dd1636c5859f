"""What is said of runs that could not be used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import click

from xgamma.analysis.unused import UnusedRun
from xgamma.cli.console import some

SHOWN = 20


def print_unused(runs: Sequence[UnusedRun]) -> None:
    """Print on stderr why runs were not used, a line each; of many the first few, and a summary."""
    for run in runs[:SHOWN]:
        click.echo(f"Run {run.name} was not used: {run.message.rstrip('.')}.", err=True)
    if len(runs) > 1:
        counts = Counter((run.stage, run.kind) for run in runs)
        kinds = "; ".join(f"{count} at {stage}: {kind}" for (stage, kind), count in counts.most_common())
        more = f", the first {SHOWN} are named" if len(runs) > SHOWN else ""
        click.echo(f"{some(len(runs), 'run')} not used{more} ({kinds}).", err=True)

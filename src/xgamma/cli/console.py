"""What verbs share: tables and JSON; stores and products named on the command line."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from xgamma import digits
from xgamma.cli.table_lines import table_lines
from xgamma.errors import DamagedError, ExitCode, StoreError, more_about
from xgamma.tables.table import Table

if TYPE_CHECKING:
    from xgamma.outcome import UnusedRun

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
rehash_option = click.option("--rehash", is_flag=True, help="Read files that kept size and time too, and compare.")

some = digits.some
UNITS = ("B", "kB", "MB", "GB", "TB")
WIDEST = 200
"""Of tables that are not printed on a terminal."""


def examples(*lines: str) -> str:
    """Return what stands below the help of a verb: commands that one can type."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def typed(place: object) -> str:
    """Return a place as one types it in a shell.

    >>> typed("my runs.yaml")
    "'my runs.yaml'"
    """
    return shlex.quote(str(place))


def print_json(document: Any) -> None:
    """Print a document as JSON."""
    click.echo(json.dumps(document, indent=2))


def print_table(rows: Sequence[Mapping[str, Any]], title: str = "", spare: Sequence[str] = ()) -> None:
    """Print rows as a table.

    The columns are the keys of the first row; those with nothing but ``-`` are left out, numbers stand right, and only
    the last column is wrapped where the terminal is narrow.
    """
    print_tables([Table(title, [{name: str(cell) for name, cell in row.items()} for row in rows], spare=spare)])


def print_tables(tables: Sequence[Table]) -> None:
    """Print tables one below the other; numbers are never cut off: columns that can be spared are left out before."""
    # A file or a pipe has all the width that there is.
    has_width = sys.stdout.isatty() or "COLUMNS" in os.environ
    width = shutil.get_terminal_size().columns if has_width else WIDEST
    for table in tables:
        for line in textwrap.wrap(table.title, width) if table.rows else ():
            click.echo(line)
        columns = table.columns(width)
        if columns:
            click.echo("\n".join(table_lines(columns, width)))
        for note in table.notes:
            click.echo(textwrap.fill(note, width, break_long_words=False, break_on_hyphens=False))


def print_facts(facts: Mapping[str, Any], title: str = "") -> None:
    """Print names and texts, one a line; long texts such as paths are never broken."""
    if title:
        click.echo(title)
    width = max(len(name) for name in facts)
    for name, text in facts.items():
        click.echo(f"  {name:<{width}}  {text}")


def size_text(nbytes: float) -> str:
    """Return a number of bytes for people.

    >>> size_text(12_300_000)
    '12.3 MB'
    """
    value, unit = float(nbytes), 0
    while value >= 1000 and unit < len(UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.3g} {UNITS[unit]}"


def print_damaged(damaged: Mapping[str, StoreError]) -> ExitCode:
    """Name products whose records are damaged; return the exit code."""
    for error in damaged.values():
        click.echo(str(error), err=True)
    if damaged:
        click.echo(more_about(DamagedError.kind), err=True)
    return ExitCode.FAULT if damaged else ExitCode.DONE


RUNS_SHOWN = 20


def print_unused(runs: Sequence[UnusedRun]) -> None:
    """Print on stderr why runs were not used, a line each; of many the first few, and a summary."""
    for run in runs[:RUNS_SHOWN]:
        click.echo(f"Run {run.name} was not used: {run.message.rstrip('.')}.", err=True)
    if len(runs) > 1:
        counts = Counter((run.stage, run.kind) for run in runs)
        kinds = "; ".join(f"{count} at {stage}: {kind}" for (stage, kind), count in counts.most_common())
        more = f", the first {RUNS_SHOWN} are named" if len(runs) > RUNS_SHOWN else ""
        click.echo(f"{some(len(runs), 'run')} not used{more} ({kinds}).", err=True)
    if runs:
        click.echo(more_about("unused-runs"), err=True)

"""``xgamma gc``: what no record names is deleted."""

from __future__ import annotations

import datetime

import click

from xgamma.cli.console import json_option, print_json, some, store_argument
from xgamma.cli.products import DAMAGED, opened_store


@click.command("gc")
@store_argument
@click.option("--older-than", type=click.FloatRange(min=0), default=24.0, show_default=True, metavar="HOURS")
@json_option
def command(store: str, older_than: float, as_json: bool) -> int:
    """Delete from STORE what killed writers left, and parts that were merged, after a day in which nothing changed.

    Products are never deleted, and nothing of one whose record is damaged: such are named, and the exit code is 6.
    Less than a day is safe only while nobody else writes to the store or reads from it.
    """
    place = opened_store(store, read_only=False)
    code = DAMAGED if place.listing().damaged else 0
    deleted = place.gc(datetime.timedelta(hours=older_than))
    if as_json:
        print_json(deleted)
    else:
        for path in deleted:
            click.echo(path)
        click.echo(f"{some(len(deleted), 'attempt')} deleted.", err=True)
    return code

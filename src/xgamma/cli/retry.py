"""``xgamma retry``: runs that could not be read, once more."""

from __future__ import annotations

import click

from xgamma.analysis.failures import retry
from xgamma.cli.console import json_option, print_json, some, store_argument
from xgamma.cli.failed import print_unused
from xgamma.cli.products import opened_store

STILL_FAILING = 4


@click.command("retry")
@store_argument
@json_option
def command(store: str, as_json: bool) -> int:
    """Read those runs into STORE that could not be read when they were tried last, and no others.

    Where they lie is remembered. Exit code 4 when some fail again.
    """
    tried, failed = retry(opened_store(store, read_only=False))
    if as_json:
        print_json({"tried": len(tried), "failed": [each.document() for each in failed]})
    elif not tried:
        click.echo("No run has failed.")
    else:
        click.echo(f"{some(len(tried), 'run')} tried again, {len(failed)} failed again.")
    print_unused([each.run for each in failed])
    return STILL_FAILING if failed else 0

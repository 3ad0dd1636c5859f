"""``xgamma compact``: small parts of a store merged."""

from __future__ import annotations

import click

from xgamma.cli.console import json_option, print_json, size_text, some, store_argument
from xgamma.cli.products import DAMAGED, opened_store
from xgamma.upkeep.compact import compact


@click.command("compact")
@store_argument
@json_option
def command(store: str, as_json: bool) -> int:
    """Merge the parts of STORE: runs ingested night by night, and rows reduced night by night.

    What was found before is found after. The old parts stay readable for a day; then xgamma gc deletes them. Parts
    whose record is damaged are named and stay as they are; the exit code is then 6.
    """
    place = opened_store(store, read_only=False)
    code = DAMAGED if place.listing().damaged else 0
    merged = compact(place)
    if as_json:
        print_json([{"kind": record.kind, "key": record.key, "merged": list(record.supersedes)} for record in merged])
    else:
        for record in merged:
            parts = some(len(record.supersedes), "part")
            click.echo(f"{record.kind}/{record.key}  {parts} merged, {size_text(record.nbytes)}")
        click.echo(f"Next: xgamma gc {store}, a day later" if merged else "There is nothing to merge.", err=True)
    return code

"""``xgamma tag``: the present state of a store under a name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from xgamma.cli.console import json_option, print_json, print_table, some, store_argument
from xgamma.cli.products import opened_store
from xgamma.upkeep.tags import tag


@click.command("tag")
@store_argument
@click.argument("name", required=False)
@click.option("--overwrite", is_flag=True, help="Replace the tag if it is there.")
@json_option
def command(store: str, name: str | None, overwrite: bool, as_json: bool) -> None:
    """Remember under NAME the newest version of each run of STORE and all that was made; without NAME list the tags."""
    place = opened_store(store, read_only=name is None)
    shown = place.tags() if name is None else {name: tag(place, name, overwrite=overwrite)}
    if as_json:
        print_json(shown)
        return
    print_table([_row(each, content) for each, content in shown.items()])
    if not shown:
        click.echo(f"There is no tag. Next: xgamma tag {store} NAME", err=True)


def _row(name: str, content: Mapping[str, Any]) -> dict[str, str]:
    runs, products = (_count(content.get(key)) for key in ("runs", "products"))
    return {
        "tag": name,
        "time (UTC)": str(content.get("time", ""))[:19].replace("T", " "),
        "runs": some(runs, "run"),
        "made of them": some(products, "product"),
    }


def _count(keys: Any) -> int:
    """Return how many keys a tag names; of one that is damaged, which ``verify`` says, none."""
    lists = keys.values() if isinstance(keys, Mapping) else ()
    return sum(len(each) for each in lists if isinstance(each, Mapping | list))

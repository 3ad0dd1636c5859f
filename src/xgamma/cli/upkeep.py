"""``xgamma gc``, ``compact`` and ``tag``: what keeps a store small, and its states by name."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

import click

from xgamma.cli.console import examples, json_option, print_json, print_table, size_text, some, typed
from xgamma.cli.places import complete_tag, opened_store, store_argument
from xgamma.errors import ExitCode
from xgamma.upkeep import parts


@click.command("gc", epilog=examples("xgamma gc store", "xgamma gc store --older-than 48"))
@store_argument
@click.option("--older-than", type=click.FloatRange(min=0), default=24.0, show_default=True, metavar="HOURS")
@json_option
def gc_command(store: str, older_than: float, as_json: bool) -> ExitCode:
    """Delete from STORE what killed writers left, and parts that were merged, after a day in which nothing changed.

    Products are never deleted, and nothing of one whose record is damaged: such are named, and the exit code is 6.
    Less than a day is safe only while nobody else writes to the store or reads from it.
    """
    deleted, damaged = opened_store(store, read_only=False).collect(datetime.timedelta(hours=older_than))
    if as_json:
        print_json(deleted)
    else:
        for path in deleted:
            click.echo(path)
        click.echo(f"{some(len(deleted), 'attempt')} deleted.", err=True)
    return ExitCode.FAULT if damaged else ExitCode.DONE


@click.command("compact", epilog=examples("xgamma compact store"))
@store_argument
@json_option
def compact_command(store: str, as_json: bool) -> ExitCode:
    """Merge the parts of STORE: runs ingested night by night, and rows reduced night by night.

    What was found before is found after. The old parts stay readable for a day; then xgamma gc deletes them. Parts
    whose record is damaged are named and stay as they are; the exit code is then 6.
    """
    place = opened_store(store, read_only=False)
    code = ExitCode.FAULT if place.listing().damaged else ExitCode.DONE
    merged = parts.compact(place)
    if as_json:
        print_json([{"kind": record.kind, "key": record.key, "merged": list(record.supersedes)} for record in merged])
    else:
        for record in merged:
            held = some(len(record.supersedes), "part")
            click.echo(f"{record.kind}/{record.key}  {held} merged, {size_text(record.nbytes)}")
        click.echo(f"Next: xgamma gc {typed(store)}, a day later" if merged else "There is nothing to merge.", err=True)
    return code


@click.command("tag", epilog=examples("xgamma tag store paper-2026", "xgamma tag store"))
@store_argument
@click.argument("name", required=False, shell_complete=complete_tag)
@click.option("--overwrite", is_flag=True, help="Replace the tag if it is there.")
@json_option
def tag_command(store: str, name: str | None, overwrite: bool, as_json: bool) -> None:
    """Remember under NAME the newest version of each run of STORE and all that was made; without NAME list the tags."""
    place = opened_store(store, read_only=name is None)
    shown = place.tags() if name is None else {name: parts.tag(place, name, overwrite=overwrite)}
    if as_json:
        print_json(shown)
        return
    print_table([_tag_row(each, content) for each, content in shown.items()])
    if not shown:
        click.echo(f"There is no tag. Next: xgamma tag {typed(store)} NAME", err=True)


def _tag_row(name: str, content: Mapping[str, Any]) -> dict[str, str]:
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

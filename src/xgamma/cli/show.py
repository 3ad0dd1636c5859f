"""``xgamma show``: one product and where it came from."""

from __future__ import annotations

import click

from xgamma.cli.console import NOTHING, json_option, print_json, size_text, store_argument
from xgamma.cli.products import opened_store, product_named
from xgamma.events import Part
from xgamma.ingest.notes import grouped, summaries
from xgamma.ingest.stored import KIND, StoredGroups
from xgamma.store import Record, Store


@click.command("show")
@store_argument
@click.argument("product")
@json_option
def command(store: str, product: str, as_json: bool) -> None:
    """Show PRODUCT (KIND/KEY; the beginning of the key is enough) of STORE: its arrays, inputs and provenance."""
    place = opened_store(store)
    record = product_named(place, product)
    if as_json:
        print_json(
            {
                "kind": record.kind,
                "key": record.key,
                "path": place.path(record.kind, record.key),
                "created": record.created,
                "inputs": list(record.inputs),
                "texts": dict(record.texts),
                "provenance": dict(record.provenance),
            }
        )
        return
    known = record.provenance.get("software")
    software = ", ".join(f"{name} {version}" for name, version in known.items()) if isinstance(known, dict) else NOTHING
    click.echo(f"{record.kind}/{record.key}   {size_text(record.nbytes)}   {record.created}")
    click.echo(f"open with  xr.open_zarr({place.path(record.kind, record.key)!r})")
    click.echo(f"made with  {software}")
    click.echo(f"made from  {', '.join(key[:12] for key in record.inputs[:8]) or 'files'}")
    for line in _said(place, record):
        click.echo(f"said       {line}")
    for group in record.digests:
        click.echo(f"\n{group or 'root'}: {place.get(record.kind, record.key, group)}")


def _said(store: Store, record: Record) -> list[str]:
    """Return the lines of the notes of runs."""
    if record.kind != KIND:
        return []
    notes = {run.obs_id: run.notes for run in Part(StoredGroups(store, record)).facts()}
    return [line for topic, sentences in grouped(notes).items() for line in summaries(topic, sentences)]

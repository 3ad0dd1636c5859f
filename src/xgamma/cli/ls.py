"""``xgamma ls``: what a store holds."""

from __future__ import annotations

import click

from xgamma.cli.console import json_option, print_json, print_table, size_text, store_argument
from xgamma.cli.products import opened_store
from xgamma.ingest import open_release
from xgamma.store import Record

KEY_SHOWN = 12


@click.command("ls")
@store_argument
@click.option("--kind", help="Only products of this kind: dl3, rows, stack, fit, flux-points.")
@click.option("--runs", is_flag=True, help="The observations in the place of the products.")
@json_option
def command(store: str, kind: str | None, runs: bool, as_json: bool) -> None:
    """List the products of STORE, or with --runs its observations."""
    rows = _runs(store) if runs else [_row(record) for record in opened_store(store).ls(kind)]
    if as_json:
        print_json(rows)
    else:
        print_table(rows)
        click.echo(f"{len(rows)} {'runs' if runs else 'products'}. Next: xgamma show {store} KIND/KEY", err=True)


def _row(record: Record) -> dict[str, object]:
    held = record.texts.get("runs") or record.texts.get("rows") or record.inputs
    return {
        "kind": record.kind,
        "key": record.key[:KEY_SHOWN],
        "created": record.created[:19],
        "size": size_text(record.nbytes),
        "of": len(held),
    }


def _runs(store: str) -> list[dict[str, object]]:
    facts = open_release(opened_store(store).url).facts().values()
    return [
        {"obs_id": run.obs_id, "ra": round(run.ra, 4), "dec": round(run.dec, 4), "has": " ".join(sorted(run.roles))}
        for run in facts
    ]

"""``xgamma ls``: what a store holds."""

from __future__ import annotations

import click

from xgamma.analysis.products import FIT, POINTS
from xgamma.analysis.rows import ROWS
from xgamma.analysis.stacks import STACK
from xgamma.cli.console import NOTHING, json_option, print_json, print_table, size_text, some, store_argument
from xgamma.cli.products import opened_store, told_damage
from xgamma.events import RunFacts
from xgamma.ingest import open_release
from xgamma.store import Record

KEY_SHOWN = 12


@click.command("ls")
@store_argument
@click.option("--kind", type=click.Choice(("dl3", ROWS, STACK, FIT, POINTS)), help="Only products of this kind.")
@click.option("--runs", is_flag=True, help="List the observations instead of the products.")
@click.option("--tag", help="With --runs: those of a tag, in the place of the newest.")
@json_option
def command(store: str, kind: str | None, runs: bool, tag: str | None, as_json: bool) -> int:
    """List the products of STORE, or with --runs its observations.

    dl3 are observations, rows their spectra, stack sums of rows; fit and flux-points are what was made from those.
    """
    if runs:
        _list_runs(store, tag, as_json)
        return 0
    records, damaged = opened_store(store).listing(kind)
    if as_json:
        print_json([_document(record) for record in records])
    else:
        print_table([_row(record) for record in records])
        click.echo(f"{some(len(records), 'product')}. Next: xgamma show {store} KIND/KEY", err=True)
    return told_damage(damaged)


def _document(record: Record) -> dict[str, object]:
    return {
        "kind": record.kind,
        "key": record.key,
        "created": record.created,
        "bytes": record.nbytes,
        "inputs": list(record.inputs),
    }


def _row(record: Record) -> dict[str, object]:
    return {
        "kind": record.kind,
        "key": record.key[:KEY_SHOWN],
        "created (UTC)": record.created[:19].replace("T", " "),
        "size": size_text(record.nbytes),
        "made of": _made_of(record),
    }


def _made_of(record: Record) -> str:
    if "runs" in record.texts:
        return some(len(record.texts["runs"]), "run")
    return some(len(record.texts.get("rows", record.inputs)), "run" if "rows" in record.texts else "product")


def _list_runs(store: str, tag: str | None, as_json: bool) -> None:
    facts = open_release(opened_store(store).url, tag).facts().values()
    if as_json:
        print_json([_facts_document(run) for run in facts])
        return
    names = ("obs_id", "ra (deg)", "dec (deg)", "has", "notes")
    cells = [
        (run.obs_id, f"{run.ra:.4f}", f"{run.dec:.4f}", " ".join(sorted(run.readable)), _said(run)) for run in facts
    ]
    print_table([dict(zip(names, row, strict=True)) for row in cells])
    click.echo(f"{some(len(cells), 'run')}. Next: xgamma init, with this store as observations.datastore", err=True)


def _facts_document(run: RunFacts) -> dict[str, object]:
    notes = [note._asdict() for note in run.notes]
    return {"obs_id": run.obs_id, "ra": run.ra, "dec": run.dec, "has": sorted(run.readable), "notes": notes}


def _said(run: RunFacts) -> str:
    return " ".join(f"{note.topic}: {note.text}" for note in run.notes) or NOTHING

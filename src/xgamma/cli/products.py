"""``xgamma ls``, ``show`` and ``export``: the products of a store listed, shown and written as files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import click
import xarray as xr

from xgamma.cli.console import (
    json_option,
    opened_store,
    print_damaged,
    print_json,
    print_table,
    product_named,
    size_text,
    some,
    store_argument,
)
from xgamma.datasets import Datasets, ExcessMap, FluxPoints, GroupFits, GroupPoints, LightCurve
from xgamma.digits import NOTHING
from xgamma.errors import ConfigError, ExitCode
from xgamma.events import Part, RunFacts
from xgamma.ingest import open_release
from xgamma.ingest.notes import runs_by_note, summaries
from xgamma.ingest.stored import StoredGroups
from xgamma.schema import Kind
from xgamma.store import Record, Store

KEY_SHOWN = 12
VIEWS: Mapping[
    Kind, Callable[[xr.Dataset], Datasets | FluxPoints | LightCurve | GroupFits | GroupPoints | ExcessMap]
] = {
    Kind.ROWS: Datasets.from_xarray,
    Kind.STACK: Datasets.from_xarray,
    Kind.POINTS: FluxPoints,
    Kind.LIGHT_CURVE: LightCurve,
    Kind.FIT_EACH: GroupFits,
    Kind.POINTS_EACH: GroupPoints,
    Kind.EXCESS_MAP: ExcessMap,
}
"""What writes the products of a kind as a file."""


@click.command("ls")
@store_argument
@click.option(
    "--kind",
    type=click.Choice([kind.value for kind in Kind]),
    metavar="KIND",
    help=f"Only products of this kind: {', '.join(kind.value for kind in Kind)}.",
)
@click.option("--runs", is_flag=True, help="List the observations instead of the products.")
@click.option("--tag", help="With --runs: those of a tag, in the place of the newest.")
@json_option
def ls_command(store: str, kind: str | None, runs: bool, tag: str | None, as_json: bool) -> ExitCode:
    """List the products of STORE, or with --runs its observations.

    dl3 are observations, rows their spectra, stack sums of rows; fit and flux-points are what was made from those.
    """
    if runs:
        _list_runs(store, tag, as_json)
        return ExitCode.DONE
    records, damaged = opened_store(store).listing(kind)
    if as_json:
        print_json([_record_document(record) for record in records])
    else:
        print_table([_record_row(record) for record in records])
        click.echo(f"{some(len(records), 'product')}. Next: xgamma show {store} KIND/KEY", err=True)
    return print_damaged(damaged)


def _record_document(record: Record) -> dict[str, object]:
    return {
        "kind": record.kind,
        "key": record.key,
        "created": record.created,
        "bytes": record.nbytes,
        "inputs": list(record.inputs),
    }


def _record_row(record: Record) -> dict[str, object]:
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
        (run.obs_id, f"{run.ra:.4f}", f"{run.dec:.4f}", " ".join(sorted(run.readable)), _notes_text(run))
        for run in facts
    ]
    print_table([dict(zip(names, row, strict=True)) for row in cells])
    click.echo(f"{some(len(cells), 'run')}. Next: xgamma init, with this store as observations.datastore", err=True)


def _facts_document(run: RunFacts) -> dict[str, object]:
    notes = [note._asdict() for note in run.notes]
    return {"obs_id": run.obs_id, "ra": run.ra, "dec": run.dec, "has": sorted(run.readable), "notes": notes}


def _notes_text(run: RunFacts) -> str:
    return " ".join(f"{note.topic}: {note.text}" for note in run.notes) or NOTHING


@click.command("show")
@store_argument
@click.argument("product")
@json_option
def show_command(store: str, product: str, as_json: bool) -> None:
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
    for line in _note_lines(place, record):
        click.echo(f"said       {line}")
    for group in record.digests:
        click.echo(f"\n{group or 'root'}: {place.get(record.kind, record.key, group)}")


def _note_lines(store: Store, record: Record) -> list[str]:
    """Return the lines of the notes of runs."""
    if record.kind != Kind.DL3:
        return []
    notes = {run.obs_id: run.notes for run in Part(StoredGroups(store, record)).facts()}
    return [line for topic, sentences in runs_by_note(notes).items() for line in summaries(topic, sentences)]


@click.command("export")
@store_argument
@click.argument("product")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--overwrite", is_flag=True, help="Replace FILE if it is there.")
def export_command(store: str, product: str, file: Path, overwrite: bool) -> None:
    """Write PRODUCT (KIND/KEY) of STORE as FILE.

    Rows and stacks go to .zarr, .fits, .fits.gz, or .yaml with OGIP files beside it; flux points and light curves to
    .fits or .ecsv; those of groups to .ecsv.
    """
    place = opened_store(store)
    record = product_named(place, product)
    view = VIEWS.get(Kind(record.kind))
    if view is None:
        raise ConfigError(
            f"A product of kind {record.kind!r} has no file format; copy {place.path(record.kind, record.key)}."
        )
    view(place.get(record.kind, record.key)).write(file, overwrite=overwrite)
    click.echo(str(file))

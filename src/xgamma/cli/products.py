"""``xgamma show``: a product as tables, or one run."""

from __future__ import annotations

from typing import Any

import click
import xarray as xr

from xgamma.cli.console import examples, json_option, print_facts, print_json, print_tables, size_text, some
from xgamma.cli.places import (
    complete_product,
    opened_store,
    place_argument,
    product_named,
    shown_key,
    store_location,
)
from xgamma.digits import NOTHING
from xgamma.errors import ConfigError, UnknownNameError, did_you_mean
from xgamma.events import Part
from xgamma.formats.sed.points import SED_TYPES
from xgamma.ingest import open_release
from xgamma.ingest.notes import runs_by_note, summaries
from xgamma.ingest.run_table import run_table
from xgamma.ingest.stored import StoredGroups
from xgamma.schema.tables import Kind
from xgamma.store import Record, Store
from xgamma.tables.products import WITH_FLUXES, content_of, tables_of
from xgamma.tables.runs import runs_document, runs_table

RUN, RUNS = "run", "runs"
NOTES_SHOWN = 5


@click.command(
    "show",
    epilog=examples(
        "xgamma show out fit",
        "xgamma show out flux-points --sed-type e2dnde",
        "xgamma show out stack/65396f",
        "xgamma show store fit/latest --json",
        "xgamma show $GAMMAPY_DATA/hess-dl3-dr1 run/23523",
    ),
)
@place_argument
@click.argument("product", shell_complete=complete_product)
@click.option("--sed-type", type=click.Choice(SED_TYPES), help="The kind of flux of flux points and light curves.")
@click.option("--arrays", is_flag=True, help="Show the arrays too, as xarray prints them.")
@json_option
def show_command(place: str, product: str, sed_type: str | None, arrays: bool, as_json: bool) -> None:
    """Show PRODUCT of PLACE as a table: values with their errors, and where they come from.

    PLACE is a store, the folder that a run of xgamma wrote, or a configuration. PRODUCT is KIND/KEY, where the
    beginning of the key is enough; KIND where there is only one; KIND/latest; or a key. Kinds are fit, flux-points,
    light-curve, stack, rows, fit-each, flux-points-each, excess-map, picture, dl3; run/OBS_ID is one run, runs are all,
    of a release of FITS files too.
    """
    word, _, start = product.partition("/")
    if word in (RUN, RUNS) and (word == RUNS or start):
        _show_runs(place, start, as_json)
        return
    store = opened_store(store_location(place))
    record = product_named(store, product)
    if sed_type is not None and record.kind not in WITH_FLUXES:
        raise ConfigError(f"--sed-type is about fluxes, and {record.kind} has none; leave it out.")
    content = None if record.kind == Kind.DL3 else store.get_valid(record.kind, record.key)
    if as_json:
        print_json(_document(store, record, content, sed_type))
    else:
        _print(store, record, content, sed_type)
        for group in record.digests if arrays else ():
            click.echo(f"\n{group or 'root'}: {store.get(record.kind, record.key, group)}")
        click.echo(f"Next: xgamma explain {place} {shown_key(record)}", err=True)


def _document(store: Store, record: Record, content: xr.Dataset | None, sed_type: str | None) -> dict[str, Any]:
    return {
        "kind": record.kind,
        "key": record.key,
        "path": store.path(record.kind, record.key),
        "created": record.created,
        "inputs": list(record.inputs),
        "texts": dict(record.texts),
        "provenance": dict(record.provenance),
        "content": None if content is None else content_of(Kind(record.kind), content, record.texts, sed_type),
    }


def _print(store: Store, record: Record, content: xr.Dataset | None, sed_type: str | None) -> None:
    if content is None:
        table = runs_table(facts := Part(StoredGroups(store, record)).facts(), _columns(store, record))
        print_tables([table])
        for line in _note_lines(record, {run.obs_id: run.notes for run in facts}):
            click.echo(line)
    else:
        print_tables(tables_of(Kind(record.kind), content, record.texts, sed_type))
    print_facts(
        {
            "product": f"{record.kind}/{record.key}, {size_text(record.nbytes)}",
            "made": f"{record.created[:19].replace('T', ' ')} UTC, with {_software(record)}",
            "open with": f"xr.open_zarr({store.path(record.kind, record.key)!r})",
        }
    )


def _columns(store: Store, record: Record) -> dict[str, Any]:
    """Return the columns of the runs of a part; offsets to a position are those of ``ls``."""
    part = Part(StoredGroups(store, record))
    numbers = xr.DataArray(range(part.obs.sizes["obs"])).values
    columns = part.run_columns(numbers)
    return {**columns, "offset": numbers * float("nan")}


def _software(record: Record) -> str:
    known = record.provenance.get("software")
    return f"xgamma {known.get('xgamma', '?')}" if isinstance(known, dict) else NOTHING


def _note_lines(record: Record, notes: Any) -> list[str]:
    lines = [line for topic, sentences in runs_by_note(notes).items() for line in summaries(topic, sentences)]
    more = [f"{some(len(lines) - NOTES_SHOWN, 'more note')}; --json has all."] if len(lines) > NOTES_SHOWN else []
    return [*lines[:NOTES_SHOWN], *more]


def _show_runs(place: str, start: str, as_json: bool) -> None:
    found = run_table(open_release(store_location(place)))
    if start:
        known = [str(run.obs_id) for run in found.facts]
        if start not in known:
            raise UnknownNameError(f"{place} has no run {start}.{did_you_mean(start, known[:1000])}")
        found = found.at([known.index(start)])
    documents = runs_document(found.facts, found.columns)
    if as_json:
        print_json(documents[0] if start else documents)
    elif start:
        facts = {key: value for key, value in documents[0].items() if value not in (None, "", [])}
        shown = {key: " ".join(value) if key == "has" else value for key, value in facts.items() if key != "notes"}
        print_facts(shown, f"Run {start}: times are MJD (TT) and s, angles deg")
        for note in documents[0]["notes"]:
            click.echo(f"  {note['topic']}: {note['text']}")
    else:
        print_tables([runs_table(found.facts, found.columns)])

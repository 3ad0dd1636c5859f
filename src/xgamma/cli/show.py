"""``xgamma show``: a product as tables, or one run."""

from __future__ import annotations

from typing import Any

import click

from xgamma.cli import runs as runs_of_place
from xgamma.cli.console import examples, json_option, print_facts, print_json, print_tables, size_text, typed
from xgamma.cli.places import (
    complete_product,
    opened_store,
    place_argument,
    product_named,
    shown_key,
)
from xgamma.digits import NOTHING
from xgamma.errors import ConfigError
from xgamma.formats.sed.kinds import SED_TYPES
from xgamma.schema.arrays import NamedArrays
from xgamma.schema.tables import Kind
from xgamma.store import Record, Store
from xgamma.store.said import warnings_of
from xgamma.tables.products import WITH_FLUXES, content_of, tables_of

RUN, RUNS = "run", "runs"


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
        runs_of_place.show_runs(place, start, as_json)
        return
    store = opened_store(place)
    record = product_named(store, product)
    if sed_type is not None and record.kind not in WITH_FLUXES:
        raise ConfigError(f"--sed-type is about fluxes, and {record.kind} has none; leave it out.")
    content = None if record.kind == Kind.DL3 else store.get_arrays(record.kind, record.key)
    if as_json:
        print_json(_document(store, record, content, sed_type))
    else:
        _print(store, record, content, sed_type)
        for group in record.digests if arrays else ():
            click.echo(f"\n{group or 'root'}: {store.get(record.kind, record.key, group)}")
        click.echo(f"Next: xgamma explain {typed(place)} {shown_key(record)}", err=True)


def _document(store: Store, record: Record, content: NamedArrays | None, sed_type: str | None) -> dict[str, Any]:
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


def _print(store: Store, record: Record, content: NamedArrays | None, sed_type: str | None) -> None:
    if content is None:
        runs_of_place.print_part(store, record)
    else:
        print_tables(tables_of(Kind(record.kind), content, record.texts, sed_type))
    print_facts(
        {
            "product": f"{record.kind}/{record.key}, {size_text(record.nbytes)}",
            "made": f"{record.created[:19].replace('T', ' ')} UTC, with {_software(record)}",
            "open with": f"xr.open_zarr({store.path(record.kind, record.key)!r})",
        }
    )
    for text in warnings_of(record):
        click.echo(f"Warning when it was made: {text}")


def _software(record: Record) -> str:
    known = record.provenance.get("software")
    return f"xgamma {known.get('xgamma', '?')}" if isinstance(known, dict) else NOTHING

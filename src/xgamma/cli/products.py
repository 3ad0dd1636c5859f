"""Products named on the command line."""

from __future__ import annotations

from collections.abc import Mapping

import click

from xgamma.errors import MissingInputError, StoreError, UnknownNameError
from xgamma.store import Record, Store, is_store

DAMAGED = 6


def opened_store(store: str, *, read_only: bool = True) -> Store:
    """Open a store that is there; making an empty one would hide a misspelt path."""
    if not is_store(store):
        raise MissingInputError(f"There is no store at {store}. Make one with xgamma ingest or xgamma run.")
    return Store(store, read_only=read_only)


def product_named(store: Store, name: str) -> Record:
    """Return the product called KIND/KEY, where the beginning of the key is enough."""
    kind, _, start = name.partition("/")
    records, damaged = store.listing(kind)
    found = [record for record in records if record.key.startswith(start)] if start else []
    for product, error in damaged.items() if start and not found else ():
        if product.startswith(name):
            raise error
    if len(found) == 1:
        return found[0]
    if found:
        keys = ", ".join(record.key[: len(start) + 4] for record in found)
        raise UnknownNameError(f"{name!r} is not unique: {keys}. Give more of the key.")
    raise UnknownNameError(f"The store {store.url} has no product {name!r}. Look with xgamma ls {store.url}.")


def told_damage(damaged: Mapping[str, StoreError]) -> int:
    """Name products whose records are damaged; return the exit code."""
    for error in damaged.values():
        click.echo(str(error), err=True)
    return DAMAGED if damaged else 0

"""Products named on the command line."""

from __future__ import annotations

from xgamma.errors import MissingInputError, UnknownNameError
from xgamma.store import Record, Store, is_store


def opened_store(store: str) -> Store:
    """Open a store that is there; making an empty one would hide a misspelt path."""
    if not is_store(store):
        raise MissingInputError(f"There is no store at {store}. Make one with xgamma ingest or xgamma run.")
    return Store(store)


def product_named(store: Store, name: str) -> Record:
    """Return the product called KIND/KEY, where the beginning of the key is enough."""
    kind, _, start = name.partition("/")
    found = [record for record in store.ls(kind) if record.key.startswith(start)] if start else []
    if len(found) == 1:
        return found[0]
    if found:
        keys = ", ".join(record.key[: len(start) + 4] for record in found)
        raise UnknownNameError(f"{name!r} is not unique: {keys}. Give more of the key.")
    raise UnknownNameError(f"The store {store.url} has no product {name!r}. Look with xgamma ls {store.url}.")

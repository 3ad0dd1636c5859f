"""What is named on the command line: stores, the folders of runs, configurations; and products in them."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from xgamma.errors import ConfigError, MissingInputError, StoreError, UnknownNameError, did_you_mean
from xgamma.formats import yaml_documents
from xgamma.formats.gadf.folders import index_folders, index_is_below
from xgamma.formats.local_files import is_there, local_path
from xgamma.schema.tables import Kind
from xgamma.storage.disk import with_home
from xgamma.store import Record, Store, is_store

PLACE = "PLACE is a store, the folder that a run wrote (general.outdir), or a configuration."
ENDINGS = (".yaml", ".yml")
STORE_FOLDER, CONFIG_FILE = "xgamma-store", "config.yaml"
LATEST = "latest"
MAKE_STORE = "Make one with xgamma ingest or xgamma run."
WORDS = {"runs": Kind.DL3, "run": Kind.DL3, "spectra": Kind.ROWS, "points": Kind.POINTS}
"""Other words for kinds."""


class PlaceType(click.Path):
    """A path or url whose completion in a shell is that of files."""

    name = "place"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the place; a variable of a shell that is not set leaves none."""
        if not value:
            self.fail("expected a place, got an empty name", param, ctx)
        return super().convert(value, param, ctx)


store_argument = click.argument("store", type=PlaceType())
place_argument = click.argument("place", type=PlaceType())


def opened_store(place: str, *, read_only: bool = True) -> Store:
    """Open the store that is at a place, or that the run in a folder or a configuration kept its products in.

    An empty one is not made: it would hide a misspelt path.

    Raises
    ------
    MissingInputError
        Where there is none.
    ConfigError
        Where the configuration cannot be read.
    """
    location = store_location(place)
    if not is_store(location):
        raise MissingInputError(f"There is no store at {location}. {hint_of_release(location) or MAKE_STORE}")
    return Store(location, read_only=read_only)


def hint_of_release(place: str) -> str:
    """Return what to do with a folder that is no store and a release of FITS files, or above one; else nothing."""
    found = index_folders(local_path(place)) if "://" not in place and is_there(place) else []
    if "." in found:
        ingest = f"make a store of it with xgamma ingest {place} STORE"
        return f"It is a release of FITS files: list its runs with xgamma ls {place} --runs, or {ingest}."
    return index_is_below(place, found) if found else ""


def store_location(place: str) -> str:
    """Return where the store is that belongs to a place; of a store, the place itself."""
    if place.lower().endswith(ENDINGS):
        return _store_of_config(Path(with_home(place)))
    if is_store(place):
        return place
    folder = local_path(place) if "://" not in place else None
    if folder is None or not folder.is_dir():
        return place
    if is_store(folder / STORE_FOLDER):
        return str(folder / STORE_FOLDER)
    if (folder / CONFIG_FILE).is_file():
        return _store_of_config(folder / CONFIG_FILE)
    return place


def _store_of_config(path: Path) -> str:
    """Return the store that a configuration names; only its section ``general`` is looked at."""
    document = yaml_documents.read_yaml(path, "configuration")
    if not isinstance(document, Mapping):
        raise ConfigError(f"{path}: expected the sections of a configuration; xgamma check {path} says what is wrong.")
    general = document.get("general") or {}
    if not isinstance(general, Mapping):
        raise ConfigError(f"{path}: general is no section; xgamma check {path} says what is wrong.")
    given = general.get("store") or f"{str(general.get('outdir', '.')).rstrip('/')}/{STORE_FOLDER}"
    return os.path.expandvars(str(given) if "://" in str(given) else str(with_home(str(given))))


def product_named(store: Store, name: str) -> Record:
    """Return the product called KIND/KEY, where the beginning of the key is enough.

    Of a KIND alone it is the only one there is, ``KIND/latest`` is the one that was made last, and a KEY alone that of
    any kind.

    Raises
    ------
    UnknownNameError
        Where there is none, or where several are meant.
    """
    word, _, start = name.partition("/")
    kind = kind_of(word)
    if kind is None and start:
        raise UnknownNameError(f"There is no kind of product {word!r}.{did_you_mean(word, [*Kind, *WORDS])}")
    records, damaged = store.listing(kind)
    if kind is None:
        return _only([record for record in records if record.key.startswith(word)], store, name, word, damaged)
    if start == LATEST and records:
        return max(records, key=lambda record: record.created)
    return _only([record for record in records if record.key.startswith(start)], store, name, start, damaged)


def kind_of(word: str) -> Kind | None:
    """Return the kind of products that a word stands for, ``None`` where it is none."""
    return WORDS.get(word) or (Kind(word) if word in list(Kind) else None)


def _only(found: list[Record], store: Store, name: str, start: str, damaged: Mapping[str, StoreError]) -> Record:
    if len(found) == 1:
        return found[0]
    for product, error in damaged.items():
        if not found and product.rpartition("/")[2].startswith(start):
            raise error
    if found:
        raise UnknownNameError(
            f"The store {store.url} has {len(found)} products {name!r}: {_newest(found, len(start) + 6)}. Give more of "
            f"the key, or {found[0].kind}/{LATEST} for the newest."
        )
    hint = _instead(list(store.listing().records), name, start)
    raise UnknownNameError(f"The store {store.url} has no product {name!r}.{hint} Look with xgamma ls {store.url}.")


def _instead(records: list[Record], name: str, start: str) -> str:
    """Return which products there are in the place of one: those with a key like its, of its kind, or all kinds."""
    kind = kind_of(name.partition("/")[0])
    of_kind = [record for record in records if kind in (None, record.kind)]
    if start and (near := difflib.get_close_matches(start, {record.key[: len(start)] for record in of_kind}, 3, 0.7)):
        return f" Did you mean {_newest([record for record in of_kind if record.key.startswith(tuple(near))])}?"
    if kind is not None and of_kind:
        return f" It has {_newest(of_kind)}."
    held = sorted({record.kind for record in records})
    return f" It has {', '.join(held)}." if held else ""


def _newest(records: list[Record], shown: int = 8) -> str:
    """Return the names and times of the newest of some products, and how many others there are."""
    newest = sorted(records, key=lambda record: record.created, reverse=True)
    each = ", ".join(f"{record.kind}/{record.key[:shown]} of {_when(record)}" for record in newest[:3])
    return each + (f", and {len(records) - 3} more" if len(records) > 3 else "")


def shown_key(record: Record) -> str:
    """Return KIND/KEY with as much of the key as one types."""
    return f"{record.kind}/{record.key[:8]}"


def _when(record: Record) -> str:
    return record.created[:16].replace("T", " ")


def complete_tag(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the tags of a store that begin as a word does; a shell asks for them."""
    place = ctx.params.get("store") or ctx.params.get("place")
    try:
        return (
            []
            if place is None
            else [name for name in sorted(opened_store(place).tags()) if name.startswith(incomplete)]
        )
    except Exception:
        # Whoever completes a word reads no errors.
        return []


def complete_product(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
    """Return kinds, and keys of a kind, that begin as a word does; a shell asks for them."""
    place = ctx.params.get("store") or ctx.params.get("place")
    kind, slash, start = incomplete.partition("/")
    if not slash or place is None:
        return [word for word in Kind if word.startswith(incomplete)]
    try:
        records = opened_store(place).listing(kind_of(kind)).records
    except Exception:
        # Whoever completes a word reads no errors.
        return []
    return [f"{kind}/{record.key[:12]}" for record in records if record.key.startswith(start)]

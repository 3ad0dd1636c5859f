"""What a url leads to - a store, a product, a Zarr group alone - and groups of it opened lazily."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr
import zarr
from xarray.backends import ZarrStore

from xgamma.errors import InputError, MissingInputError, StoreError, UnknownNameError, did_you_mean
from xgamma.store.backend import Backend, open_backend
from xgamma.store.encoding import Documents, decoded, read_documents
from xgamma.store.places import is_remote
from xgamma.store.records import Record, validate_schema

_MARK, _RECORD, _GROUP = "store.json", "record.json", "zarr.json"


@dataclass(frozen=True)
class Location:
    """What a url leads to.

    Parameters
    ----------
    url
        Without a slash at its end.
    what
        ``store``, ``product`` or ``group``, a Zarr group that no record names.
    backend
        Of the store, of the product's folder, or of the group.
    product
        The kind and the key of a product as its path says them, else empty.
    attempt
        The attempt that the path names, empty where it names none.
    """

    url: str
    what: str
    backend: Backend
    product: str = ""
    attempt: str = ""


def locate(url: str | Path) -> Location:
    """Return what is at a url: a store, ``STORE/kind/key``, ``STORE/kind/key/attempt``, or a Zarr group.

    Raises
    ------
    MissingInputError
        When there is nothing of the kind.
    StoreError
        When nobody can know, as a server does not answer or forbids to look.
    """
    try:
        backend = open_backend(url, create=False)
    except StoreError as error:
        if is_remote(str(url)):
            raise
        raise MissingInputError(f"There is no folder {url}. Give a store, STORE/KIND/KEY or a Zarr group.") from error
    place = backend.url.rstrip("/")
    if backend.exists(_MARK):
        return Location(place, "store", backend)
    if backend.exists(_RECORD):
        return Location(place, "product", backend, "/".join(place.split("/")[-2:]))
    if backend.exists(_GROUP):
        return _published(place) or Location(place, "group", backend)
    raise MissingInputError(
        f"At {place} there is no store, no product and no Zarr group of version 3: none of {_MARK}, {_RECORD}, "
        f"{_GROUP}. Give a store, STORE/KIND/KEY or a Zarr group."
    )


def _published(place: str) -> Location | None:
    """Return the product whose attempt is at ``place``, ``None`` for a Zarr group without a record beside it."""
    folder, _, attempt = place.rpartition("/")
    if len(folder.split("/")) < 3:  # the root of a disk, a host or a bucket is no product
        return None
    backend = open_backend(folder, create=False)
    if not backend.exists(_RECORD):
        return None
    return Location(place, "product", backend, "/".join(folder.split("/")[-2:]), attempt)


def attempt_of(location: Location) -> str:
    """Return the folder of a product's Zarr group below its location, empty for a group alone.

    Raises
    ------
    StoreError
        When the record is damaged or of a newer version, or names another attempt than the url.
    InputError
        For a whole store.
    """
    if location.what == "store":
        raise InputError(f"{location.url} is a whole store: give one product of it, {location.url}/KIND/KEY.")
    if location.what == "group":
        return ""
    record = Record.from_bytes(location.backend.read(_RECORD) or b"", f"{location.product}/{_RECORD}")
    validate_schema(record)
    if location.attempt not in ("", record.attempt):
        raise StoreError(
            f"{location.url} is not published: the product {location.product} is the attempt {record.attempt}. "
            f"Give {location.url.rpartition('/')[0]}."
        )
    return record.attempt


def documents_of(backend: Backend, folder: str) -> Documents:
    """Return the documents of a Zarr group with consolidated metadata; raises ``InputError`` for another."""
    path = f"{folder}/{_GROUP}".lstrip("/")
    content = backend.read(path)
    if content is None:
        raise MissingInputError(f"There is no {path} in {backend.url}. Copy the product again.")
    try:
        return read_documents(content)
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} in {backend.url} has no consolidated metadata of Zarr version 3: xgamma did not write it. "
            "Open it with xr.open_zarr."
        ) from error


def validate_group(documents: Documents, group: str, where: str) -> None:
    """Raise ``UnknownNameError`` unless there is such a group."""
    groups = [path for path, node in documents.items() if node["node_type"] == "group"]
    if group not in groups:
        raise UnknownNameError(
            f"{where} has no group {group!r}.{did_you_mean(group, [name or '(root)' for name in groups])}"
        )


def open_raw(backend: Backend, folder: str, group: str, **options: Any) -> xr.Dataset:
    """Return one group as it lies there: arrays are read when they are used, names are integers."""
    with backend.sentences("read"):
        root = zarr.open_group(backend.zarr, path=folder, mode="r", zarr_format=3, use_consolidated=True)
        opened = ZarrStore(root[group] if group else root, mode="r")
        return xr.open_dataset(opened, mask_and_scale=False, decode_times=False, decode_timedelta=False, **options)


def open_group(backend: Backend, folder: str, group: str) -> xr.Dataset:
    """Return one group with its names, whose other arrays are read when they are used, without dask."""
    with backend.sentences("read"):
        return decoded(open_raw(backend, folder, group))

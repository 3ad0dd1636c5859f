"""What a url leads to - a store, a product, a Zarr group alone - and groups of it opened lazily."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from xgamma.errors import InputError, MissingInputError, StoreError, UnknownNameError, did_you_mean
from xgamma.storage.backend import Backend, open_backend
from xgamma.storage.locations import damaged, is_remote
from xgamma.store.copies import copies_in
from xgamma.store.documents import Documents
from xgamma.store.layout import validated_documents
from xgamma.store.place import MARK
from xgamma.store.records import Record, validate_schema

_RECORD, _GROUP = "record.json", "zarr.json"


@dataclass(frozen=True)
class OpenedLocation:
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
        The kind and the key of a product, taken from its path, else empty.
    attempt
        The attempt that the path names, empty where it names none.
    """

    url: str
    what: str
    backend: Backend
    product: str = ""
    attempt: str = ""


def locate(url: str | Path) -> OpenedLocation:
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
    if backend.exists(MARK):
        return OpenedLocation(place, "store", backend)
    if backend.exists(_RECORD):
        return OpenedLocation(place, "product", backend, "/".join(place.split("/")[-2:]))
    if backend.exists(_GROUP):
        return _published(place) or OpenedLocation(place, "group", backend)
    raise MissingInputError(
        f"At {place} there is no store, no product and no Zarr group of version 3: none of {MARK}, {_RECORD}, "
        f"{_GROUP}. Give a store, STORE/KIND/KEY or a Zarr group."
    )


def _published(place: str) -> OpenedLocation | None:
    """Return the product whose attempt is at ``place``, ``None`` for a Zarr group without a record beside it."""
    folder, _, attempt = place.rpartition("/")
    if len(folder.split("/")) < 3:  # the root of a disk, a host or a bucket is no product
        return None
    backend = open_backend(folder, create=False)
    if not backend.exists(_RECORD):
        return None
    return OpenedLocation(place, "product", backend, "/".join(folder.split("/")[-2:]), attempt)


def record_at(location: OpenedLocation) -> Record | None:
    """Return the record of a product at its location, ``None`` for a group alone.

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
        return None
    record = Record.from_bytes(location.backend.read(_RECORD) or b"", f"{location.product}/{_RECORD}", location.url)
    validate_schema(record)
    if location.attempt not in ("", record.attempt):
        raise StoreError(
            f"{location.url} is not published: the product {location.product} is the attempt {record.attempt}. "
            f"Give {location.url.rpartition('/')[0]}."
        )
    return record


def documents_at(location: OpenedLocation) -> tuple[str, Documents]:
    """Return the folder of the Zarr group at a location, below it, and its documents.

    Raises
    ------
    StoreError
        As ``record_at``, and for a product whose metadata differ from its record.
    InputError
        For a group alone that is not of the format.
    """
    record = record_at(location)
    if record is not None:
        return record.attempt, documents_of(location.backend, record, record.attempt)
    content = location.backend.read(_GROUP) or b""
    try:
        return "", validated_documents(content)
    except ValueError as error:
        raise InputError(
            f"{_GROUP} in {location.url} {error}: it is damaged, or xgamma did not write it. "
            "Then open it with xr.open_zarr."
        ) from None


def documents_of(backend: Backend, record: Record, folder: str) -> Documents:
    """Return the documents of a product whose attempt is ``folder`` in a backend.

    Raises ``StoreError``, on a disk ``DamagedError``, where they differ from its record, or violate the format.
    """
    path = f"{folder}/{_GROUP}"
    content = backend.read(path)
    if content is None:
        raise damaged(backend.url, path, "is missing")
    try:
        documents = validated_documents(content)
        copies = copies_in(content) if backend.is_remote else {}
    except ValueError as error:
        raise backend.whole.damage(path, str(error)) from None
    if record.metadata not in ("", metadata_digest(content)):
        raise backend.whole.damage(path, "is not what its record says")
    # Small arrays behind a server are not requested one by one.
    backend.whole.know(folder, copies)
    return documents


def metadata_digest(content: bytes) -> str:
    """Return the SHA-256 of the ``zarr.json`` of a product, as its record has it."""
    return hashlib.sha256(content).hexdigest()


def validate_group(documents: Documents, group: str, where: str) -> None:
    """Raise ``UnknownNameError`` unless there is such a group."""
    groups = [path for path, node in documents.items() if node["node_type"] == "group"]
    if group not in groups:
        raise UnknownNameError(
            f"{where} has no group {group!r}.{did_you_mean(group, [name or '(root)' for name in groups])}"
        )

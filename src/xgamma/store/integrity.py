"""Whether a store holds what its records say: every record, every byte that a digest covers, every name and tag.

Nothing is written. What is found is a list of faults, each with what is wrong and what to do; reading goes on after it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from xgamma.errors import DataError, StoreError, XgammaError
from xgamma.schema import Kind
from xgamma.storage.backend import Backend, open_backend
from xgamma.store.copies import copies_in
from xgamma.store.documents import Documents, array_documents, dataset_digest, digest, parsed_mapping
from xgamma.store.garbage import is_retired
from xgamma.store.layout import validated_documents
from xgamma.store.ledgers import NAMES, RULES, TAGS, parsed_label
from xgamma.store.listing import kinds, read_each
from xgamma.store.opening import metadata_digest
from xgamma.store.records import Record, record_path, validate_schema
from xgamma.store.store import Store


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong.

    Parameters
    ----------
    where
        The product, ``kind/key``, or the path of a file of the store.
    what
        ``record``, ``unreadable``, ``digest``, ``metadata``, ``label``; analyses add ``schema``, ``ledger``, ...
    message
        A sentence: what was expected, what is there.
    remedy
        A sentence: what to do.
    """

    where: str
    what: str
    message: str
    remedy: str


@dataclass(frozen=True)
class Contents:
    """What a store publishes.

    Parameters
    ----------
    records
        The records that can be read, sorted by kind and key.
    faults
        What is wrong with the others.
    unpublished
        Attempts without a record, which no reader sees: of writers that are at work or were killed, or of products
        whose record was deleted.
    """

    records: tuple[Record, ...]
    faults: tuple[Fault, ...]
    unpublished: tuple[str, ...]


@dataclass
class Checked:
    """What reading a product gave: its root group where that is as it was put, and the faults of all groups."""

    root: xr.Dataset | None = None
    faults: list[Fault] = field(default_factory=list)


def _backend(store: Store) -> Backend:
    return open_backend(store.url, create=False)


def read_contents(store: Store) -> Contents:
    """Return every record of a store, sound or not."""
    backend = _backend(store)
    products = [(kind, key) for kind in kinds(backend) for key in backend.children(kind)]
    found = read_each(backend, [record_path(*product) for product in products])
    records, faults, unpublished = [], [], []
    for (kind, key), content in zip(products, found, strict=True):
        if content is None:
            unpublished += _attempts(backend, f"{kind}/{key}")
            continue
        try:
            records.append(_sound_record(store, _bytes(content), kind, key))
        except XgammaError as error:
            if read_each(backend, [record_path(kind, key)]) == [content]:
                faults.append(record_fault(store, kind, key, str(error)))
    return Contents(tuple(records), tuple(faults), tuple(unpublished))


def _bytes(content: bytes | str) -> bytes:
    if isinstance(content, str):
        raise DataError(f"{content}.")
    return content


def _attempts(backend: Backend, product: str) -> list[str]:
    if is_retired(backend, product):
        return []
    return [f"{product}/{attempt}" for attempt in backend.children(product)]


def _sound_record(store: Store, content: bytes, kind: str, key: str) -> Record:
    path = record_path(kind, key)
    record = Record.from_bytes(content, path, store.url)
    validate_schema(record)
    if record.supersedes and key != digest({"compact": list(record.supersedes)}):
        raise DataError(f"{path}: the key is not that of the products which it says that it holds.")
    return record


def still_stands(store: Store, record: Record) -> bool:
    """Whether a product is published as it was; ``compact``, ``gc`` or another writer may have been at work meanwhile.

    What is not published any more has no faults.
    """
    path = record_path(record.kind, record.key)
    try:
        content = _backend(store).read(path)
        return content is not None and Record.from_bytes(content, path, store.url) == record
    except StoreError:
        return False


def record_fault(store: Store, kind: str, key: str, message: str, what: str = "record") -> Fault:
    """Return a fault of a product; to delete its record is to have it computed again."""
    again = "ingest the run again" if kind == Kind.DL3 else "the next run computes it again"
    path = f"{store.url.rstrip('/')}/{record_path(kind, key)}"
    return Fault(f"{kind}/{key}", what, message, f"Delete {path} and {again}, or copy the product from a sound store.")


def check_product(store: Store, record: Record) -> Checked:
    """Read every group of a product and compare it with the record; one group is in memory at a time."""
    checked = Checked()
    faults = _metadata_faults(store, record)
    for group, expected in record.digests.items():
        name = f"group {group!r}" if group else "the root group"
        dataset, reason = _read(store, record, group)
        if dataset is None:
            faults.append(("unreadable", f"{name} cannot be read: {reason}"))
        elif dataset_digest(dataset) != expected:
            faults.append(("digest", f"{name} has the digest {dataset_digest(dataset)}, the record says {expected}"))
        elif not group:
            checked.root = dataset
    if not faults:
        faults += [("metadata", text) for text in _unlike_copies(store, record)]
    if faults and not still_stands(store, record):
        return Checked()
    checked.faults = [record_fault(store, record.kind, record.key, f"{text}.", what) for what, text in faults]
    return checked


def _read(store: Store, record: Record, group: str) -> tuple[xr.Dataset | None, str]:
    """Return a group, or ``None`` and why it cannot be read."""
    try:
        # By its record: where it is merged meanwhile, its attempt stays.
        dataset = store.get(record.kind, record.key, group, record)
        dataset_digest(dataset)
    except XgammaError as error:
        return None, str(error).rstrip(".")
    except Exception as error:  # whatever is in a store, the others are looked at
        return None, f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
    return dataset, ""


def _metadata_faults(store: Store, record: Record) -> list[tuple[str, str]]:
    (content,) = read_each(_backend(store), [f"{record.folder}/zarr.json"])
    if content is None:
        return [("unreadable", f"{record.folder}/zarr.json is missing")]
    if isinstance(content, str):
        return [("unreadable", content)]
    if record.metadata not in ("", metadata_digest(content)):
        return [("metadata", f"{record.folder}/zarr.json has not the SHA-256 that the record says")]
    try:
        return [("metadata", text) for text in _unlike_documents(store, record, validated_documents(content))]
    except ValueError as error:
        return [("metadata", f"{record.folder}/zarr.json {error}")]


def _unlike_documents(store: Store, record: Record, documents: Documents) -> Iterator[str]:
    """Yield what differs between the metadata of a product, its record, and the copies beside the arrays."""
    paths = [path for path in documents if path]
    copies = read_each(_backend(store), [f"{record.folder}/{path}/zarr.json" for path in paths])
    for path, copy in zip(paths, copies, strict=True):
        if not isinstance(copy, bytes) or _json(copy) != documents[path]:
            wrong = "is missing" if copy is None else "is not what the zarr.json of the product says"
            yield f"{path}/zarr.json {wrong}"
    groups = {path for path, node in documents.items() if node["node_type"] == "group"}
    lacking = sorted(path for path in groups if array_documents(documents, path) and path not in record.digests)
    if lacking:
        yield f"the record has no digest of the groups {', '.join(map(repr, lacking))}"
    arrays = [node for node in documents.values() if node["node_type"] == "array"]
    nbytes = sum(math.prod(node["shape"]) * np.dtype(node["data_type"]).itemsize for node in arrays)
    if nbytes != record.nbytes:
        yield f"the arrays have {nbytes} bytes, the record says {record.nbytes}"


def _unlike_copies(store: Store, record: Record) -> Iterator[str]:
    """Yield which chunks are not what their copies in the metadata of the product are."""
    backend = _backend(store)
    try:
        copies = copies_in(backend.read(f"{record.folder}/zarr.json") or b"")
    except ValueError as error:
        yield f"{record.folder}/zarr.json {error}"
        return
    chunks = read_each(backend, [f"{record.folder}/{key}" for key in copies])
    for (key, copy), chunk in zip(copies.items(), chunks, strict=True):
        if chunk != copy:
            yield f"{key} is not what its copy in the zarr.json of the product says"


def _json(content: bytes) -> Any:
    try:
        return parsed_mapping(content)
    except ValueError:
        return None


def check_labels(store: Store, records: Sequence[Record]) -> list[Fault]:
    """Return what is wrong with names, tags and the memory of files that were read."""
    backend = _backend(store)
    held = {(record.kind, record.key) for record in records}
    faults: list[Fault] = []
    for folder in RULES:
        paths = sorted(backend.modified(folder))
        for path, content in zip(paths, read_each(backend, paths), strict=True):
            if content is not None:
                faults += _label_faults(store, path, content, held)
    return faults


def _label_faults(store: Store, path: str, content: bytes | str, held: set[tuple[str, str]]) -> Iterator[Fault]:
    label, wrong = (
        ({}, f"cannot be read: {content}") if isinstance(content, str) else parsed_label(path, content, whole=True)
    )
    if wrong:
        yield Fault(path, "label", f"It {wrong}.", "Delete it; a file that was read is read again.")
        return
    missing = [product for product in _pointed_to(path, label) if product not in held]
    # Looked at again, as products come while the others are read.
    lost = [f"{kind}/{key}" for kind, key in missing if not _holds(store, kind, key)]
    if lost:
        some = ", ".join(lost[:3]) + (f" and {len(lost) - 3} more" if len(lost) > 3 else "")
        yield Fault(
            path, "label", f"It points to {some}, which the store does not hold.", "Compute them again, or delete it."
        )


def _holds(store: Store, kind: str, key: str) -> bool:
    try:
        return store.has(kind, key)
    except DataError:  # it is no name of a product
        return False


def _pointed_to(path: str, label: Mapping[str, Any]) -> list[tuple[str, str]]:
    if path.startswith(f"{NAMES}/"):
        return [(label["kind"], label["key"])]
    products = label.get("products", {}) if path.startswith(f"{TAGS}/") else {}
    return [(kind, key) for kind, keys in products.items() for key in keys]

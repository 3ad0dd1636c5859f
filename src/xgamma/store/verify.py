"""Whether a store holds what its records say: every record, every byte that a digest covers, every name and tag.

Nothing is written. What is found is a list of faults, each with what is wrong and what to do; reading goes on after it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from xgamma.errors import DataError, StoreError, XgammaError
from xgamma.store.backend import Backend, open_backend
from xgamma.store.care import is_retired, kinds
from xgamma.store.copies import copies_in
from xgamma.store.encoding import Documents, read_documents
from xgamma.store.keys import dataset_digest, digest, validate_segment
from xgamma.store.labels import FAILED, FILES, NAMES, TAGS
from xgamma.store.products import Store
from xgamma.store.records import Record, record_path, validate_schema


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
    found = backend.read_many(record_path(*product) for product in products)
    records, faults, unpublished = [], [], []
    for (kind, key), content in zip(products, found, strict=True):
        if content is None:
            unpublished += _attempts(backend, f"{kind}/{key}")
            continue
        try:
            records.append(_sound_record(store, content, kind, key))
        except XgammaError as error:
            faults.append(record_fault(store, kind, key, str(error)))
    return Contents(tuple(records), tuple(faults), tuple(unpublished))


def _attempts(backend: Backend, product: str) -> list[str]:
    if is_retired(backend, product):
        return []
    return [f"{product}/{attempt}" for attempt in backend.children(product)]


def _sound_record(store: Store, content: bytes, kind: str, key: str) -> Record:
    path = record_path(kind, key)
    record = Record.from_bytes(content, path, store.url)
    validate_schema(record)
    if (record.kind, record.key) != (kind, key):
        raise DataError(f"{path} says that it is the record of {record.kind}/{record.key}.")
    validate_segment(record.attempt, "folder name")
    for name in ("digests", "provenance", "texts"):
        if not isinstance(getattr(record, name), dict):
            raise DataError(f"{path}: {name} is no mapping.")
    if record.supersedes and key != digest({"compact": list(record.supersedes)}):
        raise DataError(f"{path}: the key is not that of the products which it says that it holds.")
    return record


def record_fault(store: Store, kind: str, key: str, message: str, what: str = "record") -> Fault:
    """Return a fault of a product; to delete its record is to have it computed again."""
    again = "ingest the run again" if kind == "dl3" else "the next run computes it again"
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
    checked.faults = [record_fault(store, record.kind, record.key, f"{text}.", what) for what, text in faults]
    return checked


def _read(store: Store, record: Record, group: str) -> tuple[xr.Dataset | None, str]:
    """Return a group, or ``None`` and why it cannot be read."""
    try:
        dataset = store.get(record.kind, record.key, group)
        dataset_digest(dataset)
    except XgammaError as error:
        return None, str(error).rstrip(".")
    except Exception as error:  # from damaged bytes a decoder may raise anything
        return None, f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
    return dataset, ""


def _metadata_faults(store: Store, record: Record) -> list[tuple[str, str]]:
    content = _backend(store).read(f"{record.folder}/zarr.json")
    if content is None:
        return [("unreadable", f"{record.folder}/zarr.json is missing")]
    try:
        return [("metadata", text) for text in _unlike_documents(store, record, read_documents(content))]
    except (ValueError, TypeError, KeyError, AttributeError):
        return [("metadata", f"{record.folder}/zarr.json is no metadata of a product")]


def _unlike_documents(store: Store, record: Record, documents: Documents) -> Iterator[str]:
    """Yield what differs between the metadata of a product, its record, and the copies beside the arrays."""
    paths = [path for path in documents if path]
    copies = _backend(store).read_many(f"{record.folder}/{path}/zarr.json" for path in paths)
    for path, copy in zip(paths, copies, strict=True):
        if copy is None or _json(copy) != documents[path]:
            wrong = "is missing" if copy is None else "is not what the zarr.json of the product says"
            yield f"{path}/zarr.json {wrong}"
    arrays = [node for node in documents.values() if node["node_type"] == "array"]
    nbytes = sum(math.prod(node["shape"]) * np.dtype(node["data_type"]).itemsize for node in arrays)
    if nbytes != record.nbytes:
        yield f"the arrays have {nbytes} bytes, the record says {record.nbytes}"


def _unlike_copies(store: Store, record: Record) -> Iterator[str]:
    """Yield which chunks are not what their copies in the metadata of the product are."""
    backend = _backend(store)
    try:
        copies = copies_in(backend.read(f"{record.folder}/zarr.json") or b"")
    except StoreError as error:
        yield str(error).rstrip(".")
        return
    chunks = backend.read_many(f"{record.folder}/{key}" for key in copies)
    for (key, copy), chunk in zip(copies.items(), chunks, strict=True):
        if chunk != copy:
            yield f"{key} is not what its copy in the zarr.json of the product says"


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None


def check_labels(store: Store, records: Sequence[Record]) -> list[Fault]:
    """Return what is wrong with names, tags and the memory of files that were read."""
    backend = _backend(store)
    held = {(record.kind, record.key) for record in records}
    faults: list[Fault] = []
    for folder in (NAMES, TAGS, FILES, FAILED):
        paths = sorted(backend.modified(folder))
        for path, content in zip(paths, backend.read_many(paths), strict=True):
            if content is not None:
                faults += _label_faults(path, _json(content), held)
    return faults


def _label_faults(path: str, label: Any, held: set[tuple[str, str]]) -> Iterator[Fault]:
    if not isinstance(label, dict):
        yield Fault(path, "label", "It is no JSON of a mapping.", "Delete it; a file that was read is read again.")
        return
    lost = [f"{kind}/{key}" for kind, key in _pointed_to(path, label) if (kind, key) not in held]
    if lost:
        some = ", ".join(lost[:3]) + (f" and {len(lost) - 3} more" if len(lost) > 3 else "")
        yield Fault(
            path, "label", f"It points to {some}, which the store does not hold.", "Compute them again, or delete it."
        )


def _pointed_to(path: str, label: Mapping[str, Any]) -> list[tuple[str, str]]:
    if path.startswith(f"{NAMES}/"):
        return [(str(label.get("kind")), str(label.get("key")))]
    products = label.get("products") if path.startswith(f"{TAGS}/") else None
    return [(kind, key) for kind, keys in products.items() for key in keys] if isinstance(products, dict) else []

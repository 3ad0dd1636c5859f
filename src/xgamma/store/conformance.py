"""Whether a store, a product or a Zarr group conforms to the format (docs/format.md); ``verify`` compares bytes.

Nothing is written. Only arrays are read whose values a law constrains; the events of runs are not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import xarray as xr

from xgamma.errors import DataError, StoreError, XgammaError
from xgamma.schema import FILE, PRODUCTS, Kind, product_violations
from xgamma.schema import documents as rules
from xgamma.schema.tables import Attribute, Product, Violation, field_violations, group_named
from xgamma.storage.backend import Backend
from xgamma.store.documents import Documents, array_documents, parsed_mapping
from xgamma.store.encoding import open_group
from xgamma.store.garbage import retired_path
from xgamma.store.layout import layout_violations
from xgamma.store.ledgers import RULES
from xgamma.store.listing import kinds
from xgamma.store.opening import OpenedLocation, locate, record_at
from xgamma.store.place import MARK
from xgamma.store.records import record_path

_KEY = re.compile(r"[0-9a-f]{32}")
_SCHEMAS = {kind: product.groups[""].attrs["schema"].value for kind, product in PRODUCTS.items()}


@dataclass
class Conformance:
    """What was looked at.

    Parameters
    ----------
    products
        How many products, or groups of spectra outside of a store, were checked.
    documents
        How many names, tags and other small documents.
    violations
        All that violates the format.
    skipped
        What was passed over, and why: it is no fault.
    what
        Of a file that is no product, what it holds.
    """

    products: int = 0
    documents: int = 0
    violations: list[Violation] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    what: str = ""


def validate(url: str | Path) -> Conformance:
    """Compare what is at a url with the format: a store, ``STORE/kind/key``, with or without attempt, a Zarr group.

    Raises
    ------
    MissingInputError
        When there is nothing of the kind.
    DataError
        When a Zarr group has no schema among its attributes.
    StoreError
        When the place cannot be read.
    """
    location = locate(url)
    result = Conformance()
    if location.what == "store":
        _check_store(location, result)
    elif location.what == "product":
        if location.attempt:
            record_at(location)
        kind, key = location.product.split("/")
        content = location.backend.read("record.json")
        _check_record(location.backend, "", kind, key, content or b"", result)
    else:
        _check_file(location, result)
    return result


# --- stores


def _check_store(location: OpenedLocation, result: Conformance) -> None:
    backend = location.backend
    if urlsplit(location.url).scheme in ("http", "https"):
        raise StoreError(
            f"The store {location.url} cannot be listed: a web server only gives what is asked for by its key. "
            f"Give one product: {location.url}/KIND/KEY."
        )
    found = list(_document_violations(backend.read(MARK), rules.STORE, MARK))
    result.documents += 1
    result.violations += found
    if found:
        return
    for kind in kinds(backend):
        keys = backend.children(kind)
        for key, content in zip(keys, backend.read_many(record_path(kind, key) for key in keys), strict=True):
            if content is None:
                _check_unpublished(backend, f"{kind}/{key}", result)
            else:
                _check_record(backend, f"{kind}/{key}", kind, key, content, result)
    for folder, fields in RULES.items():
        paths = sorted(backend.modified(folder))
        for path, content in zip(paths, backend.read_many(paths), strict=True):
            result.documents += 1
            result.violations += _document_violations(content, fields, path)


def _check_unpublished(backend: Backend, product: str, result: Conformance) -> None:
    path = retired_path(product)
    content = backend.read(path)
    if content is None:
        result.skipped.append(f"{product}: no record, so it is no product")
        return
    result.documents += 1
    result.violations += _document_violations(content, rules.RETIRED, path)


def _document_violations(content: bytes | None, fields: rules.Document, where: str) -> Iterator[Violation]:
    document = _json(content)
    if document is None:
        yield Violation(where, "JSON of a mapping", "something else")
    else:
        yield from field_violations(document, fields, where)


def _json(content: bytes | None) -> dict[str, Any] | None:
    try:
        return parsed_mapping(content or b"")
    except ValueError:
        return None


# --- products


def _check_record(backend: Backend, folder: str, kind: str, key: str, content: bytes, result: Conformance) -> None:
    """Check a record and the product that it names; ``folder`` is where it stands in ``backend``."""
    place = f"{kind}/{key}"
    record = _json(content)
    if record is None:
        result.products += 1
        result.violations.append(Violation(f"{place} record.json", "JSON of a mapping", "something else"))
        return
    if kind not in PRODUCTS and record.get("schema") == 1:
        result.skipped.append(f"{place}: products of the kind {kind!r} are not part of this version of the format")
        return
    result.products += 1
    found = list(_record_violations(record, kind, key))
    if not found:
        product = PRODUCTS[kind]
        found += _content_violations(backend, f"{folder}/{record['attempt']}".lstrip("/"), product, record)
    result.violations += [violation.inside(place) for violation in found]


def _record_violations(record: Mapping[str, Any], kind: str, key: str) -> Iterator[Violation]:
    place = "record.json"
    identity = {"kind": Attribute("text", "", value=kind), "key": Attribute("text", "", value=key)}
    found = list(field_violations(record, {**rules.RECORD, **identity}, place))
    yield from found
    if found:
        return
    if not _KEY.fullmatch(key):
        yield Violation(f"{place} key", "32 lower-case hex digits", repr(key))
    for group, digest in record["digests"].items():
        if not _KEY.fullmatch(digest):
            yield Violation(f"{place} digests {group}".rstrip(), "32 lower-case hex digits", repr(digest))
    product = PRODUCTS[kind]
    yield from field_violations(record["texts"], product.texts, f"{place} texts")
    # Of a merged product the record names the origin in what it supersedes.
    own = {} if record["supersedes"] else product.provenance
    yield from field_violations(record["provenance"], {**rules.PROVENANCE, **own}, f"{place} provenance")
    for number, run in enumerate(record["texts"].get("runs", []) if kind == Kind.DL3 else []):
        if isinstance(run, dict):
            yield from field_violations(run, rules.RUN, f"{place} texts runs[{number}]")


def _content_violations(backend: Backend, folder: str, product: Product, record: Mapping[str, Any]) -> list[Violation]:
    """Return what is wrong with the Zarr group of a product, and with its record beside it."""
    documents, found = layout_violations(backend.read(f"{folder}/zarr.json".lstrip("/")))
    if found:
        return found
    names = _groups_with_arrays(documents)
    found += _unlike_record(documents, names, record)
    places = {name: name for name in names if group_named(product, name)}
    return found + _value_violations(backend, folder, documents, places, product, record["texts"])


def _value_violations(
    backend: Backend,
    folder: str,
    documents: Documents,
    places: Mapping[str, str],
    product: Product,
    texts: Mapping[str, Any],
) -> list[Violation]:
    """Return what is wrong with the groups of a product, whose paths below ``folder`` are ``places``."""
    try:
        groups = {name: open_group(backend, folder, documents, path) for name, path in places.items()}
        return product_violations(groups, product) or list(_lengths(groups[""], product, texts))
    except XgammaError as error:
        return [Violation("arrays", "numbers that can be read", str(error).rstrip("."))]
    except Exception as error:  # from damaged bytes a decoder may raise anything
        return [Violation("arrays", "numbers that can be read", f"{type(error).__name__}: {error}")]


def _groups_with_arrays(documents: Documents) -> list[str]:
    return [
        path for path, node in documents.items() if node["node_type"] == "group" and array_documents(documents, path)
    ]


def _unlike_record(documents: Documents, names: list[str], record: Mapping[str, Any]) -> Iterator[Violation]:
    if set(names) != set(record["digests"]):
        yield Violation("record.json digests", f"the groups {sorted(names)}", str(sorted(record["digests"])))
    arrays = [node for node in documents.values() if node["node_type"] == "array"]
    nbytes = sum(int(np.prod(node["shape"])) * np.dtype(node["data_type"]).itemsize for node in arrays)
    if nbytes != record["nbytes"]:
        yield Violation("record.json nbytes", f"{nbytes}, the size of all arrays", str(record["nbytes"]))


def _lengths(root: xr.Dataset, product: Product, texts: Mapping[str, Any]) -> Iterator[Violation]:
    for name, spec in product.texts.items():
        if spec.along and name in texts and len(texts[name]) != root.sizes[spec.along]:
            expected = f"{root.sizes[spec.along]}, one for each {spec.along}"
            yield Violation(f"record.json texts {name}", expected, str(len(texts[name])))


# --- Zarr groups outside of a store


def _check_file(location: OpenedLocation, result: Conformance) -> None:
    """Check a Zarr group alone: a part, spectra in the root or in ``spectra-0``, ..., a fit, or flux points."""
    backend = location.backend
    documents, found = layout_violations(backend.read("zarr.json"))
    result.violations += found
    if found:
        return
    names = _groups_with_arrays(documents)
    if _schema_of(documents, "") == _SCHEMAS[Kind.DL3]:
        part = PRODUCTS[Kind.DL3]
        result.products += 1
        places = {name: name for name in names if group_named(part, name)}
        result.violations += _value_violations(backend, "", documents, places, part, {})
        return
    for name in names:
        product = product_of_schema(_schema_of(documents, name))
        if product is None and name:
            result.skipped.append(f"{name}: it does not say what it is")
        elif product is None:
            raise DataError(
                f"{location.url} has no attribute 'schema' of the format, so that nobody knows what it is. "
                "Give the product in its store, STORE/KIND/KEY, or a file that xgamma wrote."
            )
        else:
            result.products += 1
            result.violations += [
                violation.inside(name)
                for violation in _value_violations(backend, "", documents, {"": name}, product, {})
            ]


def _schema_of(documents: Documents, group: str) -> Any:
    return documents[group]["attributes"].get("schema")


def product_of_schema(schema: Any) -> Product | None:
    """Return the product whose root group has a schema; ``None`` where it is none."""
    known = {
        _SCHEMAS[Kind.ROWS]: FILE,
        **{_SCHEMAS[kind]: PRODUCTS[kind] for kind in PRODUCTS if kind not in (Kind.DL3, Kind.ROWS, Kind.STACK)},
    }
    return known.get(schema) if isinstance(schema, str) else None

"""The rules of a Zarr group of the format, as its documents show them; no array is read.

Every reader goes through them: what they let pass can be read, or its bytes are damaged.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from xgamma.errors import DataError, shortened
from xgamma.schema.tables import Violation, is_of_type
from xgamma.storage.whole_objects import MAX_CHUNK_BYTES
from xgamma.store.chunks import CODECS, SEPARATOR
from xgamma.store.documents import (
    NAME,
    NUMBERS,
    RESERVED_ATTRS,
    Documents,
    array_documents,
    parsed_mapping,
    read_documents,
    validate_segment,
)

_KEY_ENCODING = {"name": "default", "configuration": {"separator": SEPARATOR}}
# Attributes of an array that the encoding itself uses.
_OWN = frozenset(["coordinates", "names_in"])
MAX_ARRAY_BYTES = 1 << 40
"""The largest array, a thousand times what is read at once."""
MAX_CHUNKS = 1 << 20
"""The most chunks of an array."""


def validated_documents(content: bytes) -> Documents:
    """Return the documents of a group from its ``zarr.json``.

    Raises ``ValueError`` for what is not of the format; its text goes on after the name of the document.
    """
    documents, found = _documents(content)
    if found:
        raise ValueError(f"is not of the format: {str(found[0]).rstrip('.')}")
    return documents


def layout_violations(content: bytes | None) -> tuple[Documents, list[Violation]]:
    """Return the documents of a group from its ``zarr.json``, and what is wrong with them."""
    if content is None:
        return {}, [Violation("zarr.json", "an object", "none")]
    try:
        parsed_mapping(content)
    except ValueError:
        return {}, [Violation("zarr.json", "JSON", "something else")]
    try:
        return _documents(content)
    except ValueError:
        return {}, [Violation("zarr.json", "consolidated_metadata with metadata of all nodes", "none")]


def _documents(content: bytes) -> tuple[Documents, list[Violation]]:
    documents = read_documents(content)
    found: list[Violation] = []
    for path, node in documents.items():
        found += _path_violations(path)
        found += _node_violations(path or "root", node)
    if not found:
        for path, node in documents.items():
            found += _tree_violations(path, documents)
            if node["node_type"] == "group":
                found += _group_violations(path, node["attributes"], array_documents(documents, path))
    return documents, found


def _path_violations(path: str) -> Iterator[Violation]:
    try:
        for name in path.split("/") if path else ():
            validate_segment(name, "name of a node")
    except DataError as error:
        yield Violation("zarr.json", "names of nodes with '/' between them", str(error).rstrip("."))


def _node_violations(path: str, node: Any) -> Iterator[Violation]:
    if not isinstance(node, dict) or node.get("zarr_format") != 3:
        yield Violation(path, "a node of zarr_format 3", _shown(node))
    elif not isinstance(node.get("attributes"), dict):
        yield Violation(path, "attributes, a mapping", _shown(node.get("attributes")))
    elif node.get("node_type") == "array":
        yield from _array_violations(path, node)
    elif node.get("node_type") != "group":
        yield Violation(path, "node_type group or array", _shown(node.get("node_type")))


def _array_violations(path: str, node: Mapping[str, Any]) -> Iterator[Violation]:
    shape: Any = node.get("shape")
    dims: Any = node.get("dimension_names")
    dtype = node.get("data_type")
    if not is_of_type(shape, "list of whole number") or min(shape, default=0) < 0:
        yield Violation(path, "shape, a list of whole numbers", _shown(shape))
        return
    if not isinstance(dtype, str) or dtype not in NUMBERS:
        yield Violation(path, f"data_type one of {', '.join(sorted(NUMBERS))}", _shown(dtype))
        return
    if not is_of_type(dims, "list of text") or len(dims) != len(shape):
        yield Violation(path, f"dimension_names, {len(shape)} texts", _shown(dims))
    elif len(set(dims)) < len(dims) or not all(map(NAME.fullmatch, dims)):
        yield Violation(path, "a name of letters and digits for each dim, none of them twice", _shown(dims))
    if not NAME.fullmatch(path.rpartition("/")[2]):
        yield Violation(path, "a name of letters and digits that starts with a letter", _shown(path))
    yield from _size_violations(path, node, shape, np.dtype(dtype).itemsize)
    yield from _meaning_violations(path, node)


def _size_violations(path: str, node: Mapping[str, Any], shape: list[int], itemsize: int) -> Iterator[Violation]:
    chunks: Any = _configuration(node.get("chunk_grid"), "regular").get("chunk_shape")
    if not is_of_type(chunks, "list of whole number") or len(chunks) != len(shape) or min(chunks, default=1) < 1:
        yield Violation(path, f"a regular chunk_grid of {len(shape)} sizes above 0", _shown(node.get("chunk_grid")))
    elif math.prod(chunks) * itemsize > MAX_CHUNK_BYTES:
        yield Violation(path, f"chunks of at most {MAX_CHUNK_BYTES} bytes", _shown(chunks))
    elif math.prod(max(1, size) for size in shape) * itemsize > MAX_ARRAY_BYTES:
        yield Violation(path, f"an array of at most {MAX_ARRAY_BYTES} bytes", _shown(shape))
    elif math.prod(max(1, -(-size // chunk)) for size, chunk in zip(shape, chunks, strict=True)) > MAX_CHUNKS:
        yield Violation(path, f"at most {MAX_CHUNKS} chunks of an array", f"{_shown(shape)} in chunks {_shown(chunks)}")


def _meaning_violations(path: str, node: Mapping[str, Any]) -> Iterator[Violation]:
    """Yield what would give the same bytes another meaning."""
    dtype = np.dtype(node["data_type"])
    if node.get("chunk_key_encoding") != _KEY_ENCODING:
        yield Violation(path, f"the default chunk keys with {SEPARATOR!r}", _shown(node.get("chunk_key_encoding")))
    yield from _codec_violations(path, node.get("codecs"), dtype.itemsize)
    fill = node.get("fill_value")
    if not isinstance(fill, int | float) or fill != 0:
        yield Violation(path, "fill_value 0", _shown(fill))
    if node.get("storage_transformers", []) != []:
        yield Violation(path, "no storage_transformers", _shown(node["storage_transformers"]))
    for name in sorted((RESERVED_ATTRS - _OWN).intersection(node["attributes"])):
        yield Violation(path, "plain numbers", f"attributes[{name!r}], which would change them")


def _codec_violations(path: str, codecs: Any, itemsize: int) -> Iterator[Violation]:
    names = [codec.get("name") for codec in codecs] if is_of_type(codecs, "list of mapping") else None
    if names != CODECS:
        yield Violation(path, f"the codecs {', '.join(CODECS)}", _shown(codecs if names is None else names))
    elif itemsize > 1 and _configuration(codecs[0], "bytes").get("endian") != "little":
        yield Violation(path, "little-endian bytes", _shown(codecs[0]))


def _configuration(document: Any, name: str) -> dict[str, Any]:
    if not isinstance(document, dict) or document.get("name") != name:
        return {}
    configuration = document.get("configuration")
    return configuration if isinstance(configuration, dict) else {}


def _tree_violations(path: str, documents: Documents) -> Iterator[Violation]:
    parent = path.rpartition("/")[0]
    if path and documents.get(parent, {}).get("node_type") != "group":
        yield Violation(path, f"a group {parent!r} above it", "none")


def _group_violations(group: str, attrs: Mapping[str, Any], arrays: Documents) -> Iterator[Violation]:
    sizes: dict[str, int] = {}
    for name, node in arrays.items():
        place = f"{group}/{name}".lstrip("/")
        for dim, size in zip(node["dimension_names"], node["shape"], strict=True):
            if sizes.setdefault(dim, size) != size:
                yield Violation(place, f"{sizes[dim]} along {dim}, as in other arrays of the group", str(size))
        yield from _names_violations(place, node, attrs)
        yield from _coordinates_violations(place, node["attributes"], arrays)
    yield from _coordinates_violations(group or "root", attrs, arrays)


def _names_violations(place: str, node: Mapping[str, Any], attrs: Mapping[str, Any]) -> Iterator[Violation]:
    if "names_in" not in node["attributes"]:
        return
    pointer = node["attributes"]["names_in"]
    if not isinstance(pointer, str) or not is_of_type(attrs.get(pointer), "list of text"):
        yield Violation(place, "names_in, an attribute of the group that is a list of text", _shown(pointer))
    if np.dtype(node["data_type"]).kind not in "iu":
        yield Violation(place, "whole numbers into the list of names", node["data_type"])


def _coordinates_violations(place: str, attrs: Mapping[str, Any], arrays: Documents) -> Iterator[Violation]:
    words = attrs.get("coordinates", "")
    lost = [word for word in words.split() if word not in arrays] if isinstance(words, str) else [_shown(words)]
    if lost:
        yield Violation(place, "coordinates, names of arrays of the group", ", ".join(lost))


def _shown(value: Any) -> str:
    return shortened(json.dumps(value, default=str), 80)

"""JSON documents as the format has them: UTF-8, a mapping, no name twice, no NaN, not nested without end.

Documents of a store may come from anybody. What is read here can be walked through, printed and written again.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from typing import Any

import numpy.typing as npt

from xgamma.store.chunks import ZarrDocument, encoded_chunks

MAX_DEPTH = 64
"""How deeply mappings and lists may be nested."""

_BRACKETS = b"[]{}"
_OTHERS = bytes(set(range(256)) - set(_BRACKETS))
_ALIKE = bytes.maketrans(b"{}", b"[]")


def parsed_mapping(content: bytes) -> dict[str, Any]:
    """Return the mapping that a document holds.

    Raises ``ValueError``, whose text goes on after the name of the document: ``breaks off or is no JSON``.
    """
    try:
        text = content.decode("utf-8")
        if _may_be_deep(content):
            _validate_depth(json.loads(text))
        document = json.loads(text, object_pairs_hook=_mapping, parse_constant=_no_number)
    except RecursionError:
        raise ValueError(f"is nested more than {MAX_DEPTH} levels deep") from None
    except _FormatError:
        raise
    except ValueError:
        raise ValueError("breaks off or is no JSON in UTF-8") from None
    if not isinstance(document, dict):
        raise ValueError("is no JSON of a mapping")
    if "\\u" in text:
        _validate_text(document)
    return document


class _FormatError(ValueError):
    """A document that is JSON to some, and not of the format."""


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _FormatError(f"has the name {twice!r} twice in one mapping")
    return document


def _no_number(word: str) -> float:
    raise _FormatError(f"holds {word}, which is no number in JSON")


def _may_be_deep(content: bytes) -> bool:
    """Whether brackets may be nested beyond ``MAX_DEPTH``, at the speed of memory; brackets in texts count as well."""
    left = content.translate(_ALIKE, _OTHERS)
    for _ in range(MAX_DEPTH):
        if not left:
            return False
        # The innermost pairs.
        left = left.replace(b"[]", b"")
    return bool(left)


def _validate_depth(document: Any) -> None:
    level = [document]
    for _ in range(MAX_DEPTH):
        level = [item for each in level for item in _items(each)]
    if level:
        raise RecursionError


def _items(value: Any) -> list[Any]:
    """Return what is nested in a mapping or a list; plain values hold nothing."""
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _validate_text(document: Any) -> None:
    """Raise ``ValueError`` for half a surrogate pair, which no text can be written with."""
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise _FormatError("holds half a character") from None


KEY = "small_chunks"
# A column of 500 runs has 4 kB; the document of a product grows by what is shorter to fetch than to ask for.
_ARRAY_BYTES, _PRODUCT_BYTES = 32_000, 192_000


def small_chunks(arrays: Iterable[tuple[str, ZarrDocument, npt.NDArray[Any]]]) -> dict[str, str]:
    """Return the chunks of small arrays as base64, by their keys below the product.

    Parameters
    ----------
    arrays
        Path below the product, document and values of each array. The first come first, until there is enough.
    """
    found: dict[str, str] = {}
    left = _PRODUCT_BYTES
    for path, document, values in arrays:
        if values.nbytes > _ARRAY_BYTES:
            continue
        chunks = encoded_chunks(document, values)
        left -= sum(map(len, chunks.values()))
        if left < 0:
            break
        found |= {f"{path}/{key}": base64.b64encode(chunk).decode() for key, chunk in chunks.items()}
    return found


def copies_in(content: bytes) -> dict[str, bytes]:
    """Return the copies that the ``zarr.json`` of a product holds, by their keys below the product.

    Raises ``ValueError`` where they are none; its text goes on after the name of the document.
    """
    consolidated = parsed_mapping(content).get("consolidated_metadata")
    copies: Any = consolidated.get(KEY, {}) if isinstance(consolidated, dict) else None
    try:
        return {key: base64.b64decode(text, validate=True) for key, text in copies.items()}
    except (ValueError, TypeError, AttributeError):
        raise ValueError("has copies of chunks that are none") from None

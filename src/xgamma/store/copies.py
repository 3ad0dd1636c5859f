"""Copies of small chunks in the ``zarr.json`` of a product, which are shorter to fetch than to ask for."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any

import numpy.typing as npt

from xgamma.store.chunks import encoded_chunks
from xgamma.store.documents import ZarrDocument, parsed_mapping

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

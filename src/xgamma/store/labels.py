"""Small JSON objects beside the products: names, tags, digests of files that were read, and runs that failed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from xgamma.store.backend import Backend
from xgamma.store.keys import plain, validate_segment

# A kind of product never starts with an underscore.
NAMES, TAGS, FILES, FAILED = "_names", "_tags", "_files", "_failed"


def write_label(backend: Backend, folder: str, name: str, content: Mapping[str, Any]) -> None:
    """Put a small mapping in the place of the one of that name; raises ``DataError`` for a name that is no path."""
    backend.replace(_path(folder, name), json.dumps(plain(content, name), allow_nan=False).encode())


def delete_label(backend: Backend, folder: str, name: str) -> None:
    """Delete the mapping of that name; one that is gone already is no error."""
    backend.delete(_path(folder, name))


def read_label(backend: Backend, folder: str, name: str) -> dict[str, Any] | None:
    """Return the mapping of that name, ``None`` if there is none."""
    content = backend.read(_path(folder, name))
    return None if content is None else dict(json.loads(content))


def read_labels(backend: Backend, folder: str) -> dict[str, dict[str, Any]]:
    """Return all mappings of a folder by their names."""
    paths = sorted(backend.modified(folder))
    names = [path.removeprefix(f"{folder}/").removesuffix(".json") for path in paths]
    contents = zip(names, backend.read_many(paths), strict=True)
    return {name: json.loads(content) for name, content in contents if content is not None}


def _path(folder: str, name: str) -> str:
    return f"{folder}/{validate_segment(name, 'name')}.json"

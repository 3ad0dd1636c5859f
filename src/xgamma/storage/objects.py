"""Objects that others put into a bucket: their size and version, and their bytes below a limit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import obstore

from xgamma.errors import StoreError
from xgamma.storage.backend import Backend


@dataclass(frozen=True)
class FileStatus:
    """What tells a file from its earlier content.

    Parameters
    ----------
    size
        Bytes.
    version
        The time of its last change in nanoseconds on a disk, the ETag of an object, or the time where it has none.
    """

    size: int
    version: int | str


def object_status(backend: Backend, path: str) -> FileStatus | None:
    """Return the status of an object, ``None`` if it is not there; raises ``StoreError`` where nobody can know."""
    with backend.sentences("read"):
        try:
            return _status(obstore.head(backend.objects, path))
        except FileNotFoundError:
            return None


def object_statuses(backend: Backend, prefix: str) -> dict[str, FileStatus]:
    """Return the status of every object below ``prefix`` by its path, a thousand in each request."""
    with backend.sentences("listed"):
        batches = obstore.list(backend.objects, prefix or None)
        return {item["path"]: _status(item) for batch in batches for item in batch}


def read_object(backend: Backend, path: str, limit: int) -> tuple[FileStatus, bytes] | None:
    """Return an object with its status by one request, ``None`` if it is not there.

    Raises ``StoreError``, before its content is fetched, for an object of more than ``limit`` bytes.
    """
    with backend.sentences("read"):
        try:
            found = obstore.get(backend.objects, path)
        except FileNotFoundError:
            return None
        status = _status(found.meta)
        if status.size > limit:
            sizes = f"expected at most {limit >> 20} MB, it has {status.size >> 20} MB"
            raise StoreError(f"{path} in {backend.url} is not read: {sizes}.")
        return status, bytes(found.bytes())


def _status(meta: Mapping[str, Any]) -> FileStatus:
    return FileStatus(int(meta["size"]), str(meta.get("e_tag") or meta["last_modified"].isoformat()))

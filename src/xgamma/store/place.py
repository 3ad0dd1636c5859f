"""What makes a folder, a bucket or a path in one a store."""

from __future__ import annotations

from pathlib import Path

from xgamma.errors import StoreError
from xgamma.storage.backend import Backend, open_backend
from xgamma.storage.disk import other_file
from xgamma.storage.locations import is_remote

MARK = "store.json"
"""The file of a store that is written first."""


def is_store(url: str | Path) -> bool:
    """Whether there is a store at ``url``; makes nothing.

    Raises ``StoreError`` where nobody can know, as the server does not answer or forbids to look.
    """
    try:
        return open_backend(url, create=False).exists(MARK)
    except StoreError:
        if is_remote(str(url)):
            raise
        return False


def validate_place(backend: Backend) -> None:
    """Raise ``StoreError`` where a new store would be mixed with the files of something else on a disk."""
    other = "" if backend.folder is None else other_file(backend.folder, MARK)
    # Another process may have made the store since.
    if other and not backend.exists(MARK):
        raise StoreError(
            f"{backend.url} holds other files, such as {other}, and is no store. Use a new or an empty folder as store."
        )

"""Arrays of a store that are read when they are used, and of those no more than is used."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from xarray.backends import BackendArray
from xarray.core import indexing
from zarr.core.sync import sync

from xgamma.store.chunks import Damageable, Document, Selector, read_window


class StoredArray(BackendArray):
    """One array of a store; travels to a worker as its place and its document.

    Parameters
    ----------
    zarr, path, document
        The place of its chunks, its path there, and its document, which ``validated_documents`` has looked at.
    """

    def __init__(self, zarr: Damageable, path: str, document: Document) -> None:
        self._zarr = zarr
        self._path = path
        self._document = document
        self.shape = tuple(document["shape"])
        self.dtype = np.dtype(document["data_type"])

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        """Return what is asked for, as numpy numbers it; raises ``StoreError`` as ``read_window``."""
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self._read)

    async def async_getitem(self, key: indexing.ExplicitIndexer) -> Any:
        """Return the same without waiting."""
        return await indexing.async_explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.OUTER, self._found
        )

    def _read(self, key: tuple[Any, ...]) -> npt.NDArray[Any]:
        found: npt.NDArray[Any] = sync(self._found(key))
        return found

    async def _found(self, key: tuple[Any, ...]) -> npt.NDArray[Any]:
        asked = [_place(each, size) for each, size in zip(key, self.shape, strict=True)]
        found = await read_window(self._zarr, self._path, self._document, tuple(asked))
        # A single number takes its dim away.
        return found[tuple(0 if isinstance(each, int | np.integer) else slice(None) for each in key)]


def _place(key: Any, size: int) -> Selector:
    if isinstance(key, slice):
        return key if key.step in (None, 1) else np.arange(size)[key]
    numbers = np.atleast_1d(np.asarray(key, dtype=np.int64))
    return np.where(numbers < 0, numbers + size, numbers)


def lazy_array(zarr: Damageable, path: str, document: Document) -> indexing.LazilyIndexedArray:
    """Return an array as a variable of xarray holds it that is not read yet."""
    return indexing.LazilyIndexedArray(StoredArray(zarr, path, document))

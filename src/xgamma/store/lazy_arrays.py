"""Arrays of a store that are read when they are used, as xarray holds them."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import numpy.typing as npt
from xarray.backends import BackendArray
from xarray.core import indexing

from xgamma.storage.whole_objects import WholeObjects
from xgamma.store.chunks import Selector, read_arrays
from xgamma.store.nodes import ZarrDocument


class StoredArray(BackendArray):
    """One array of a store; travels to a worker as its place and its document.

    Parameters
    ----------
    objects, path, document
        The place of its chunks, its path there, and its document, which ``validated_documents`` has looked at.
    """

    def __init__(self, objects: WholeObjects, path: str, document: ZarrDocument) -> None:
        self._objects = objects
        self._path = path
        self._document = document
        self.shape = tuple(document["shape"])
        self.dtype = np.dtype(document["data_type"])

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        """Return the selection, as numpy indexes it; raises ``StoreError`` as ``read_arrays``."""
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self._read)

    async def async_getitem(self, key: indexing.ExplicitIndexer) -> Any:
        """Return the same without waiting."""
        return await asyncio.to_thread(self.__getitem__, key)

    def _read(self, key: tuple[Any, ...]) -> npt.NDArray[Any]:
        asked = [_place(each, size) for each, size in zip(key, self.shape, strict=True)]
        found = read_arrays(self._objects, {self._path: self._document}, asked)[self._path]
        # A single number takes its dim away.
        return found[tuple(0 if isinstance(each, int | np.integer) else slice(None) for each in key)]


def _place(key: Any, size: int) -> Selector:
    if isinstance(key, slice):
        return key if key.step in (None, 1) else np.arange(size)[key]
    numbers = np.atleast_1d(np.asarray(key, dtype=np.int64))
    return np.where(numbers < 0, numbers + size, numbers)


def lazy_array(objects: WholeObjects, path: str, document: ZarrDocument) -> indexing.LazilyIndexedArray:
    """Return an array as a variable of xarray holds it that is not read yet."""
    return indexing.LazilyIndexedArray(StoredArray(objects, path, document))

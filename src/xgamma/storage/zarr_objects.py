"""The objects of products as zarr reads them, with the same errors; xgamma itself reads and writes without zarr."""

from __future__ import annotations

import asyncio
import weakref
from typing import Any

from zarr.abc.store import ByteRequest
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import ObjectStore, StorePath

from xgamma.storage.locations import Location
from xgamma.storage.retries import REQUESTS
from xgamma.storage.whole_objects import WholeObjects


class ZarrObjects(ObjectStore[Any]):
    """Zarr on obstore, read-only, where a missing chunk is an error; Zarr itself would read it as zeros.

    In memory and on a disk nothing is waited for: what obstore is asked to do meanwhile ends on a thread for each
    object, and hundreds stay for seconds.
    """

    def __init__(self, objects: Any, place: Location, whole: WholeObjects) -> None:
        super().__init__(objects, read_only=True)
        self._place = place
        self._whole = whole

    def __str__(self) -> str:
        # Objects of obstore at az:// cannot print their own name where the account is known from the environment.
        return self._place.url

    def with_read_only(self, read_only: bool = False) -> ZarrObjects:
        """Return the same: nobody writes through zarr."""
        return self

    def path_of(self, folder: str) -> StorePath:
        """Return what ``xr.open_zarr`` opens: a group, read-only."""
        return StorePath(self, folder)

    async def get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Buffer | None:
        """Return the bytes of one object, or ``None`` for metadata that is not there."""
        if byte_range is None and (not self._place.is_remote or self._whole.known(key) is not None):
            content = self._whole.get(key)
            return None if content is None else prototype.buffer.from_bytes(content)
        with self._place.sentences("read"):
            async with _gate():
                found = await super().get(key, prototype, byte_range)
        if byte_range is None:
            self._whole.validate(key, None if found is None else found.to_bytes())
        return found


# One for each event loop: a semaphore does not work in two.
_GATES: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = weakref.WeakKeyDictionary()


def _gate() -> asyncio.Semaphore:
    """Return what lets a few requests through at a time: each has to be answered before its time is over."""
    return _GATES.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(REQUESTS))

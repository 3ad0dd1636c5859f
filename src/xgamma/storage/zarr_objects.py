"""The chunks of products as zarr reads and writes them: whole objects, and a missing or cut one is an error."""

from __future__ import annotations

import asyncio
import contextlib
import re
import weakref
from collections.abc import Mapping
from typing import Any

import obstore
from zarr.abc.store import ByteRequest
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import ObjectStore, StorePath

from xgamma.errors import StoreError
from xgamma.storage.disk import read_regular_file, write_file
from xgamma.storage.locations import Location, damaged
from xgamma.storage.retries import REQUESTS

MAX_CHUNK_BYTES = (1 << 31) - 1
"""The longest chunk, as blosc knows no longer one; what is encoded is at most a head longer than the numbers."""
# The head of a chunk of blosc: bytes 4 to 8 are the length of its numbers, the last four that of the whole.
_HEAD_BYTES = 16
_CHUNK = re.compile(r"(.*/)?c(\.\d+)*")
_KNOWN_FOLDERS = 64
# Above this a thread is worth its start.
_LARGE_BYTES = 1_000_000


class WholeObjectStore(ObjectStore[Any]):
    """Zarr on obstore where a missing chunk is an error; Zarr itself would read it as zeros.

    On a local disk whole objects are read and written as files: nobody else knows the folder of an attempt before its
    record is there, so that the staging and renaming of obstore, 0.4 ms for each object, has nothing to protect.
    In a bucket an object is one request, which leaves nothing behind when its writer is killed. In memory nothing is
    waited for: what obstore is asked to do meanwhile ends on a thread for each object, and hundreds stay for seconds.
    """

    def __init__(self, objects: Any, place: Location) -> None:
        super().__init__(objects)
        self._place = place
        self._folder = place.folder
        self._is_memory = place.scheme == "memory"
        # Objects of attempts, which never change; shared with the read-only views.
        self._known: dict[str, Mapping[str, bytes]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_known": {}}

    def know(self, folder: str, objects: Mapping[str, bytes]) -> None:
        """Remember objects below the folder of an attempt, which are not requested again."""
        # Threads may do so at once.
        for oldest in list(self._known)[: max(0, len(self._known) + 1 - _KNOWN_FOLDERS)]:
            self._known.pop(oldest, None)
        self._known[folder] = objects

    def _known_object(self, key: str) -> bytes | None:
        kind, _, rest = key.partition("/")
        product, _, rest = rest.partition("/")
        attempt, _, name = rest.partition("/")
        return self._known.get(f"{kind}/{product}/{attempt}", {}).get(name)

    def __str__(self) -> str:
        # Objects of obstore at az:// cannot print their own name where the account is known from the environment.
        return self._place.url

    def with_read_only(self, read_only: bool = False) -> WholeObjectStore:
        """Return the same store, read-only or not."""
        store = WholeObjectStore(self.store, self._place)
        store._known = self._known
        store._read_only = read_only
        return store

    def path_of(self, folder: str) -> StorePath:
        """Return what ``xr.open_zarr`` opens: a group, read-only."""
        return StorePath(self.with_read_only(True), folder)

    async def set(self, key: str, value: Buffer) -> None:
        """Put one whole object."""
        if self._is_memory:
            obstore.put(self.store, key, value.to_bytes(), use_multipart=False)
        elif self._folder is None:
            async with _gate():
                await obstore.put_async(self.store, key, value.to_bytes(), use_multipart=False)
        elif len(value) > _LARGE_BYTES:
            # Its own memory, as a copy of large chunks takes as long as writing them.
            await asyncio.to_thread(write_file, self._folder / key, value.as_numpy_array().data)
        else:
            write_file(self._folder / key, value.to_bytes())

    async def get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Buffer | None:
        """Return the bytes of one object, or ``None`` for metadata that is not there."""
        known = self._known_object(key) if self._known and byte_range is None else None
        if known is not None:
            return prototype.buffer.from_bytes(known)
        found: Buffer | None = None
        if self._folder is not None and byte_range is None:
            with self._place.sentences("read"):
                content = read_regular_file(self._folder / key, MAX_CHUNK_BYTES)
            found = None if content is None else prototype.buffer.from_bytes(content)
        elif self._is_memory and byte_range is None:
            with contextlib.suppress(FileNotFoundError):
                found = prototype.buffer.from_bytes(bytes(obstore.get(self.store, key).bytes()))
        else:
            # Arrays of an opened product are read later, outside of any other context of errors.
            with self._place.sentences("read"):
                async with _gate():
                    found = await super().get(key, prototype, byte_range)
        if byte_range is None and _CHUNK.fullmatch(key):
            self._validate_chunk(found, key)
        return found

    def _validate_chunk(self, found: Buffer | None, key: str) -> None:
        """Raise ``DamagedError`` for a chunk that is missing or cut off, as a copy may hold that was interrupted.

        What a server cut off on its way may be whole there: that is a ``StoreError``.
        """
        if found is None:
            raise damaged(self._place.url, key, "is missing")
        if is_cut(found.to_bytes()):
            raise self.damage(key, f"breaks off after {len(found)} bytes")

    def damage(self, key: str, what: str) -> StoreError:
        """Return the error for an object that is not as it was put; on a server it may be whole."""
        if not self._place.is_remote:
            return damaged(self._place.url, key, what)
        return StoreError(f"{key} in {self} {what}. Try again; where that does not help, copy the store again.")


def is_cut(content: bytes) -> bool:
    """Whether a chunk has another length than its header; Blosc would decode what lies behind the end of a cut one."""
    head = content[:_HEAD_BYTES]
    return len(head) < _HEAD_BYTES or int.from_bytes(head[-4:], "little") != len(content)


# One for each event loop: a semaphore does not work in two.
_GATES: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = weakref.WeakKeyDictionary()


def _gate() -> asyncio.Semaphore:
    """Return what lets a few requests through at a time: each has to be answered before its time is over."""
    return _GATES.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(REQUESTS))

"""The objects of products, read and written whole: a chunk that is missing or cut off is an error."""

from __future__ import annotations

import itertools
import os
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent import futures
from typing import Any

import obstore

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
# Above this a second thread is worth its start.
_LARGE_BYTES = 1_000_000
_THREADS = min(32, (os.cpu_count() or 1) + 4)
# So many are begun at a time: after a missing one the others, which may exist in the metadata only, are not tried.
_AT_ONCE = 256
# Of all threads that read; each request has to be answered before its time is over.
_GATE = threading.BoundedSemaphore(REQUESTS)


class WholeObjects:
    """Objects of attempts by their paths in one place.

    On a local disk whole objects are read and written as files: nobody else knows the folder of an attempt before its
    record is there, so that the staging and renaming of obstore, 0.4 ms for each object, has nothing to protect.
    In a bucket an object is one request, which leaves nothing behind when its writer is killed.

    Parameters
    ----------
    objects, place
        The objects as obstore knows them, and where that is.
    """

    def __init__(self, objects: Any, place: Location) -> None:
        self._objects = objects
        self._place = place
        # Objects of attempts, which never change.
        self._known: dict[str, Mapping[str, bytes]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_known": {}}

    def know(self, folder: str, objects: Mapping[str, bytes]) -> None:
        """Remember objects below the folder of an attempt, which are not requested again."""
        # Threads may do so at once.
        for oldest in list(self._known)[: max(0, len(self._known) + 1 - _KNOWN_FOLDERS)]:
            self._known.pop(oldest, None)
        self._known[folder] = objects

    def known(self, path: str) -> bytes | None:
        """Return an object that is remembered."""
        if not self._known:
            return None
        kind, _, rest = path.partition("/")
        product, _, rest = rest.partition("/")
        attempt, _, name = rest.partition("/")
        return self._known.get(f"{kind}/{product}/{attempt}", {}).get(name)

    def set(self, path: str, content: bytes) -> None:
        """Put one whole object."""
        if self._place.folder is not None:
            write_file(self._place.folder / path, content)
        else:
            with _GATE:
                obstore.put(self._objects, path, content, use_multipart=False)

    def get(self, path: str) -> bytes | None:
        """Return the bytes of one object, or ``None`` for metadata that is not there."""
        known = self.known(path)
        if known is not None:
            return known
        # Arrays of an opened product are read later, outside of any other context of errors.
        with self._place.sentences("read"):
            found = self._read(path)
        self.validate(path, found)
        return found

    def _read(self, path: str) -> bytes | None:
        if self._place.folder is not None:
            return read_regular_file(self._place.folder / path, MAX_CHUNK_BYTES)
        try:
            with _GATE:
                return bytes(obstore.get(self._objects, path).bytes())
        except (FileNotFoundError, NotADirectoryError):
            return None

    def validate(self, path: str, found: bytes | None) -> None:
        """Raise ``DamagedError`` for a chunk that is missing or cut off, as a copy may hold that was interrupted.

        What a server cut off on its way may be whole there: that is a ``StoreError``.
        """
        if _CHUNK.fullmatch(path):
            if found is None:
                raise damaged(self._place.url, path, "is missing")
            if is_cut(found):
                raise self.damage(path, f"breaks off after {len(found)} bytes")

    def damage(self, path: str, what: str) -> StoreError:
        """Return the error for an object that is not as it was put; on a server it may be whole."""
        if not self._place.is_remote:
            return damaged(self._place.url, path, what)
        return StoreError(
            f"{path} in {self._place.url} {what}. Try again; where that does not help, copy the store again."
        )

    def run(self, jobs: Iterable[Callable[[], None]], nbytes: int) -> None:
        """Do jobs that read and write ``nbytes`` together: of a server, or where these are many, several at a time.

        After an error the rest is not begun, and what was begun is waited for, so that nobody writes any more.
        """
        threads = REQUESTS if self._place.is_remote else _THREADS if nbytes > _LARGE_BYTES else 1
        left = iter(jobs)
        # Also a single one: on the main thread blosc starts threads, which write its blocks in the order they end in.
        with futures.ThreadPoolExecutor(threads, "xgamma-chunks") as pool:
            while batch := list(itertools.islice(left, _AT_ONCE)):
                for _ in pool.map(_done, batch):
                    pass


def _done(job: Callable[[], None]) -> None:
    job()


def is_cut(content: bytes) -> bool:
    """Whether a chunk has another length than its header; Blosc would decode what lies behind the end of a cut one."""
    head = content[:_HEAD_BYTES]
    return len(head) < _HEAD_BYTES or int.from_bytes(head[-4:], "little") != len(content)

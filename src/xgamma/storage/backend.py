"""``Backend``: the few verbs that a store needs of a folder, a bucket or memory, through obstore.

Whole objects only: read, create if absent, replace, list, delete. Everything above is built from these. Objects that
others put there, such as the files of a release, have a size and a version as well.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import re
import uuid
import weakref
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError
from obstore.store import LocalStore, MemoryStore
from zarr.abc.store import ByteRequest
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import ObjectStore

from xgamma.errors import DamagedError, StoreError
from xgamma.storage.disk import delete_tree, is_behind_link, leftovers, read_regular_file, with_home, write_file
from xgamma.storage.locations import Location, reason, remote_objects
from xgamma.storage.retries import REQUESTS, persistent

MAX_CHUNK_BYTES = (1 << 31) - 1
"""The longest chunk, as blosc knows no longer one; what is encoded is at most a head longer than the numbers."""
MAX_DOCUMENT_BYTES = 1 << 28
"""The largest document that is read; the record of a hundred thousand runs has a tenth of it."""
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
    In a bucket an object is one request, which leaves nothing behind when its writer is killed.
    """

    def __init__(self, objects: Any, place: Location) -> None:
        super().__init__(objects)
        self._place = place
        self._folder = place.folder
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

    async def set(self, key: str, value: Buffer) -> None:
        """Put one whole object."""
        if self._folder is None:
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
        if self._folder is not None and byte_range is None:
            with self._place.sentences("read"):
                content = read_regular_file(self._folder / key, MAX_CHUNK_BYTES)
            found = None if content is None else prototype.buffer.from_bytes(content)
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


def damaged(url: str, path: str, what: str) -> DamagedError:
    """Return the error for an object of a published product that is not as it was put."""
    return DamagedError(
        f"{path} {what} in {url}: the product is damaged. Copy it from a sound store, or delete its record.json, "
        "then it is computed again.",
        url,
        path,
    )


# One for each event loop: a semaphore does not work in two.
_GATES: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = weakref.WeakKeyDictionary()


def _gate() -> asyncio.Semaphore:
    """Return what lets a few requests through at a time: each has to be answered before its time is over."""
    return _GATES.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(REQUESTS))


class Backend:
    """One place that holds objects by path; ``folder`` is set on local disk only."""

    def __init__(self, place: Location, objects: Any) -> None:
        self.url = place.url
        self.folder = place.folder
        self.is_remote = place.is_remote
        self.sentences = place.sentences
        self.objects = objects
        self.zarr = WholeObjectStore(objects, place)

    def read(self, path: str) -> bytes | None:
        """Return the bytes of an object, ``None`` if it is not there; raises ``StoreError`` for one of absurd size."""
        with self.sentences("read"):
            if self.folder is not None:
                return read_regular_file(self.folder / path, MAX_DOCUMENT_BYTES)
            try:
                found = obstore.get(self.objects, path)
            except FileNotFoundError:
                return None
            if found.meta["size"] > MAX_DOCUMENT_BYTES:
                raise StoreError(
                    f"{path} in {self.url} is not read: expected at most {MAX_DOCUMENT_BYTES} bytes, it has "
                    f"{found.meta['size']}. Copy the store again."
                )
            return bytes(found.bytes())

    def read_many(self, paths: Iterable[str]) -> list[bytes | None]:
        """Return the bytes of many objects, several requests at a time."""
        with ThreadPoolExecutor(REQUESTS) as pool:
            return list(pool.map(self.read, paths))

    def exists(self, path: str) -> bool:
        """Whether an object is there."""
        with self.sentences("read"):
            if self.folder is not None:
                # obstore opens what it looks at, and waits for a pipe.
                return (self.folder / path).is_file()
            try:
                obstore.head(self.objects, path)
            except FileNotFoundError:
                return False
            return True

    def exist(self, paths: Iterable[str]) -> list[bool]:
        """Whether each object is there, several requests at a time."""
        with ThreadPoolExecutor(REQUESTS) as pool:
            return list(pool.map(self.exists, paths))

    def create(self, path: str, content: bytes) -> bool:
        """Put a whole object if there is none; return whether it was this call that put it.

        Where a server's answer was lost the object is put again and meets itself: then ``False`` is returned.
        """
        with self.sentences("written"):
            try:
                persistent(lambda: obstore.put(self.objects, path, content, mode="create"))
            except (AlreadyExistsError, PreconditionError):
                return False
            return True

    def replace(self, path: str, content: bytes) -> None:
        """Put a whole object in the place of the old one; a reader sees one or the other."""
        with self.sentences("written"):
            obstore.put(self.objects, path, content)

    def delete(self, path: str) -> None:
        """Delete one object; one that is gone already is no error."""
        with self.sentences("written"), contextlib.suppress(FileNotFoundError):
            persistent(lambda: obstore.delete(self.objects, path))

    def delete_folder(self, prefix: str) -> None:
        """Delete every object under ``prefix``, and on disk the folder and what a killed writer left in it.

        What a link on a disk leads to is not of the store, and stays.
        """
        if self.folder is not None:
            with self.sentences("written"):
                if not self.is_behind_link(prefix):
                    delete_tree(self.folder / prefix)
            return
        with ThreadPoolExecutor(REQUESTS) as pool:
            list(pool.map(self.delete, self.modified(prefix)))

    def is_behind_link(self, path: str) -> bool:
        """Whether a folder above ``path`` is a link on a disk, so that ``path`` may lie outside of the store."""
        return self.folder is not None and is_behind_link(self.folder, path)

    def tidy(self, limit: datetime.datetime) -> None:
        """Delete what killed writers left on a disk and obstore does not list: staged files and empty folders."""
        if self.folder is None:
            return
        # All ages are read first, because taking a file out of a folder makes the folder young.
        for path, changed in list(leftovers(self.folder)):
            # Another writer may have renamed the file, or put something into the folder.
            with contextlib.suppress(OSError):
                if changed < limit.timestamp():
                    path.rmdir() if path.is_dir() else path.unlink()

    def children(self, prefix: str = "") -> list[str]:
        """Return the sorted names of the folders directly under ``prefix``."""
        with self.sentences("listed"):
            found = persistent(lambda: obstore.list_with_delimiter(self.objects, prefix or None))["common_prefixes"]
        return sorted(path.rsplit("/", 1)[-1] for path in found)

    def modified(self, prefix: str) -> dict[str, datetime.datetime]:
        """Return the path and time of change of every object under ``prefix``."""
        with self.sentences("listed"):
            batches = persistent(lambda: list(obstore.list(self.objects, prefix)))
            return {item["path"]: item["last_modified"] for batch in batches for item in batch}


# Weak, so that a store in memory lives as long as somebody holds it, and a second Store of its url is the same place.
_IN_MEMORY: weakref.WeakValueDictionary[str, Backend] = weakref.WeakValueDictionary()


def open_backend(url: str | Path, *, create: bool = True) -> Backend:
    """Return the backend of a path, ``file://``, ``memory://``, ``s3://bucket/prefix`` or another url of objects.

    ``memory://`` is a new place each time, ``memory://NAME`` the place of that name in this process.
    A folder that is not there is made if ``create``. Raises ``StoreError`` when the place cannot be used.
    """
    parts = urlsplit(str(url))
    if parts.scheme == "memory":
        return _memory(f"memory://{parts.netloc or uuid.uuid4().hex}")
    folder = local_folder(url)
    if folder is not None:
        return _folder(folder, create)
    return Backend(Location(str(url), None), remote_objects(str(url)))


def local_folder(url: str | Path) -> Path | None:
    """Return the folder on this machine that a path or ``file://`` names; ``None`` for another url."""
    parts = urlsplit(str(url))
    if parts.scheme in ("", "file") or isinstance(url, Path):
        return with_home(unquote(parts.path) if parts.scheme == "file" else url).absolute()
    return None


def _memory(url: str) -> Backend:
    return _IN_MEMORY.setdefault(url, Backend(Location(url, None), MemoryStore()))


def _folder(folder: Path, create: bool) -> Backend:
    try:
        return Backend(Location(str(folder), folder), LocalStore(folder, mkdir=create))
    except (BaseError, OSError, ValueError) as error:
        raise StoreError(
            f"The store {folder} cannot be opened as a folder: {reason(error)}. Give a folder that can be written."
        ) from error


@dataclass(frozen=True)
class FileStatus:
    """What distinguishes a file from its earlier content.

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

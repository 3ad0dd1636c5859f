"""``Backend``: the few verbs that a store needs of a folder, a bucket or memory, through obstore.

Whole objects only: read, create if absent, replace, list, delete. Everything above is built from these. Objects that
others put there, such as the files of a release, have a size and a version as well.
"""

from __future__ import annotations

import contextlib
import datetime
import uuid
import weakref
from collections.abc import Collection, Iterable, Mapping
from concurrent import futures
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError
from obstore.store import LocalStore, MemoryStore

from xgamma.errors import StoreError
from xgamma.storage import zarr_objects
from xgamma.storage.disk import (
    delete_tree,
    folders_in,
    holds_only,
    is_behind_link,
    leftovers,
    read_regular_file,
    with_home,
)
from xgamma.storage.locations import Location, reason, remote_objects
from xgamma.storage.retries import REQUESTS, persistent
from xgamma.storage.whole_objects import WholeObjects

MAX_DOCUMENT_BYTES = 1 << 28
"""The largest document that is read; the record of a hundred thousand runs has a tenth of it."""


class Backend:
    """One place that holds objects by path; ``folder`` is set on local disk only."""

    def __init__(self, place: Location, objects: Any) -> None:
        self._place = place
        self.url = place.url
        self.folder = place.folder
        self._folder_text = f"{place.folder}/"
        self.is_remote = place.is_remote
        self.sentences = place.sentences
        self.objects = objects

    @cached_property
    def whole(self) -> WholeObjects:
        """The objects of products in the same place."""
        return WholeObjects(self.objects, self._place)

    @cached_property
    def zarr(self) -> zarr_objects.ZarrObjects:
        """The same as zarr takes them."""
        return zarr_objects.ZarrObjects(self.objects, self._place, self.whole)

    def _file(self, path: str) -> str:
        """Return the path of an object on a disk as a text, as thousands of paths of pathlib take long."""
        return self._folder_text + path

    def read(self, path: str) -> bytes | None:
        """Return the bytes of an object, ``None`` if it is not there; raises ``StoreError`` for one of absurd size."""
        with self.sentences("read"):
            if self.folder is not None:
                return read_regular_file(self._file(path), MAX_DOCUMENT_BYTES)
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
        """Return the bytes of many objects, of a server several at a time."""
        if self.folder is not None:
            with self.sentences("read"):
                return [read_regular_file(self._file(path), MAX_DOCUMENT_BYTES) for path in paths]
        with futures.ThreadPoolExecutor(REQUESTS if self.is_remote else 1) as pool:
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
        """Whether each object is there, of a server several requests at a time."""
        if not self.is_remote:
            return [self.exists(path) for path in paths]
        with futures.ThreadPoolExecutor(REQUESTS) as pool:
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
        with futures.ThreadPoolExecutor(REQUESTS) as pool:
            list(pool.map(self.delete, self.modified(prefix)))

    def is_behind_link(self, path: str) -> bool:
        """Whether a folder above ``path`` is a link on a disk, so that ``path`` may lie outside of the store."""
        return self.folder is not None and is_behind_link(self.folder, path)

    def holds_only(self, folder: str, names: Collection[str]) -> bool:
        """Whether nothing in a folder on a disk has another name; ``False`` where that takes a request."""
        return self.folder is not None and holds_only(self._file(folder), names)

    def tidy(self, limit: datetime.datetime, whole: Collection[str] = ()) -> None:
        """Delete what killed writers left on a disk and obstore does not list: staged files and empty folders.

        The ``whole`` folders are not looked at.
        """
        if self.folder is None:
            return
        # All ages are read first, because taking a file out of a folder makes the folder young.
        for path, changed in leftovers(self.folder, map(self._file, whole)):
            # Another writer may have renamed the file, or put something into the folder.
            with contextlib.suppress(OSError):
                if changed < limit.timestamp():
                    path.rmdir() if path.is_dir() else path.unlink()

    def children(self, prefix: str = "") -> list[str]:
        """Return the sorted names of the folders directly under ``prefix``."""
        with self.sentences("listed"):
            if self.folder is not None:
                return sorted(folders_in(self._file(prefix)))
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

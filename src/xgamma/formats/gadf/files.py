"""The files of a release, in a folder, in a bucket or on the web, by the names that its index gives.

A file is a path or a ``RemoteFile``; both are printed as what a user can open, and both travel to other processes. On
a disk a name may lead anywhere that its reader may read; behind a url it stays below the url.
"""

from __future__ import annotations

import contextlib
import functools
import os
import posixpath
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar
from urllib.parse import unquote, urlsplit

from xgamma.errors import InputError, MissingInputError, StoreError
from xgamma.formats.fits.tables import LARGEST_FILE, read_raw
from xgamma.formats.local_files import is_there
from xgamma.storage.backend import Backend, FileStatus, object_status, object_statuses, open_backend, read_object
from xgamma.storage.retries import REQUESTS
from xgamma.warned import for_threads

Item = TypeVar("Item")
Result = TypeVar("Result")

# From here on a list of the folder is cheaper than a request for each file.
_LIST_FROM = 16
_ENDINGS = (".fits", ".fits.gz")
# What a server may take for something else than a name: queries, fragments, escapes, other separators.
_DOUBTFUL = re.compile(r"[%?#\\\x00-\x1f\x7f]|//")
# A list of the web is never asked for.
_UNLISTED = ("http", "https")
_VARIABLE = re.compile(r"\$(?:(\w+)|\{([^}]*)\})")

ABSENT, UNREAD = "absent", "unread"
"""What a file without bytes is instead of them: it is not there, or could not be read."""


@dataclass(frozen=True)
class RemoteFile:
    """A file of a release behind a url; holds no credentials, and opens its release again where it is sent."""

    release: RemoteFiles
    name: str

    def __str__(self) -> str:
        return f"{self.release}/{self.name}"


File = Path | RemoteFile


class Files(Protocol):
    """The files of one release."""

    def file(self, name: str) -> File:
        """Return the file of a name that is known to be inside."""

    def names(self) -> list[str]:
        """Return the sorted names of all FITS files."""

    def judged(self, names: Sequence[str]) -> list[tuple[str, str]]:
        """Return for each name of an index the one that ``file`` takes, and why that may not be read or nothing."""

    def absent(self, names: Sequence[str]) -> set[str]:
        """Return those of some names for which there is no file."""


NOWHERE = Path(os.devnull)


class LocalFiles:
    """The files in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __str__(self) -> str:
        return str(self._folder)

    def file(self, name: str) -> Path:
        """Return the path of a file."""
        return self._folder / name

    def names(self) -> list[str]:
        """Return the names of all FITS files in the folder and below, where links lead to as well."""
        return sorted(str(path.relative_to(self._folder)) for path in _walk(self._folder, set()))

    def judged(self, names: Sequence[str]) -> list[tuple[str, str]]:
        """Return each name with its variables filled in; nothing but regular files is read."""
        filled = [self._filled(name) for name in names]
        listed = _listed(self._folder, (name for name, reason in filled if not reason))
        return [
            (name, reason or ("" if name in listed else self._reason_against(name, as_given)))
            for as_given, (name, reason) in zip(names, filled, strict=True)
        ]

    def absent(self, names: Sequence[str]) -> set[str]:
        """Return those of some names for which there is no file."""
        listed = _listed(self._folder, names)
        return {name for name in names if name not in listed and _local_status(self.file(name)) is None}

    def _filled(self, name: str) -> tuple[str, str]:
        """Return a name with its variables filled in, and why it can be none of a file."""
        if "$" not in name and "://" not in name:
            return name, ""
        unset = next((one for one in map(_variable, _VARIABLE.finditer(name)) if one not in os.environ), None)
        if unset is not None:
            way_out = f"Set it: export {unset}=/path/to/it"
            return name, f"The file {name!r} is named by ${unset}, which is not set. {way_out}."
        expanded = os.path.expandvars(name)
        if "://" in expanded:
            return name, f"The file {name!r} is behind a url, and a release on a disk has its files on disks."
        return expanded, ""

    def _reason_against(self, name: str, as_given: str) -> str:
        try:
            is_odd = not stat.S_ISREG(self.file(name).stat().st_mode)
        except FileNotFoundError:
            is_odd = False
        except (OSError, ValueError):
            reason = "cannot be looked at under that name. Correct the index or the access rights of"
            return f"The file {as_given!r} {reason} {self}."
        return f"The file {as_given!r} is no regular file. Correct the index or the files of {self}." if is_odd else ""


def located(files: Files, name: str) -> tuple[File, str]:
    """Return the file of a name that an index gives, and the sentence why it may not be read or nothing.

    The null device stands for what may not be read, so that nobody looks at it, not even at its size.
    """
    ((known, refusal),) = files.judged([name])
    return (NOWHERE if refusal else files.file(known)), refusal


def _variable(match: re.Match[str]) -> str:
    return match[1] or match[2]


def _listed(folder: Path, names: Iterable[str]) -> set[str]:
    """Return those of some names that lists of their folders show to be regular files; others may be there too."""
    by_folder: dict[str, list[str]] = {}
    for name in names:
        head, slash, tail = name.rpartition("/")
        by_folder.setdefault(head + slash, []).append(tail)
    found: set[str] = set()
    for head, tails in by_folder.items():
        if len(tails) >= _LIST_FROM:
            found.update(head + tail for tail in _regular(folder / head).intersection(tails))
    return found


def _regular(folder: Path) -> set[str]:
    """Return the names of the files in a folder that may be looked at; links are not followed."""
    with contextlib.suppress(OSError, ValueError):
        if os.access(folder, os.X_OK):
            with os.scandir(folder) as entries:
                return {entry.name for entry in entries if entry.is_file(follow_symlinks=False)}
    return set()


def _walk(folder: Path, seen: set[tuple[int, int]]) -> Iterator[Path]:
    """Yield the FITS files below a folder; a folder that links lead to twice is looked at once."""
    with contextlib.suppress(OSError):
        status = folder.stat()
        if (status.st_dev, status.st_ino) in seen:
            return
        seen.add((status.st_dev, status.st_ino))
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            if entry.is_dir():
                yield from _walk(Path(entry.path), seen)
            elif ".fits" in entry.name:
                yield Path(entry.path)


class RemoteFiles:
    """The files below a url of a bucket, a web server or memory. Raises ``StoreError`` for a url that leads nowhere."""

    def __init__(self, url: str) -> None:
        self.backend: Backend = open_backend(url)
        self._url = self.backend.url.rstrip("/")

    def __str__(self) -> str:
        return self._url

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RemoteFiles) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(self._url)

    def __reduce__(self) -> tuple[object, tuple[str]]:
        if self._url.startswith("memory:"):
            raise StoreError("A release in memory stays in its process. Use a folder when other processes take part.")
        return _remote_files, (self._url,)

    def file(self, name: str) -> RemoteFile:
        """Return a file; detours in its name, which only a file system knows, are taken out."""
        return RemoteFile(self, posixpath.normpath(name))

    @property
    def is_listed(self) -> bool:
        """Whether the place can say what it holds."""
        return urlsplit(self._url).scheme not in _UNLISTED

    def names(self) -> list[str]:
        """Return the names of all FITS files; raises ``MissingInputError`` where the place cannot be listed."""
        if not self.is_listed:
            raise MissingInputError(
                f"{self} has no hdu-index.fits[.gz], and a web server lists no files. Check the url, or add an index."
            )
        with _as_input_error():
            return sorted(name for name in object_statuses(self.backend, "") if name.endswith(_ENDINGS))

    def judged(self, names: Sequence[str]) -> list[tuple[str, str]]:
        """Return each name, unless it leads outside, or a server may read it in another way."""
        reasons = map(self._reason_against, names)
        return [
            (name, reason and f"The file {name!r} {reason} {self}.")
            for name, reason in zip(names, reasons, strict=True)
        ]

    def absent(self, names: Sequence[str]) -> set[str]:
        """Return those of some names for which there is no file, by few requests."""
        statuses = statuses_of(map(self.file, names))
        return {name for name in names if statuses[self.file(name)] is None}

    def _reason_against(self, name: str) -> str:
        if _DOUBTFUL.search(name):
            return "has a name that is not one of a file below a url. Correct the index or the files of"
        if name.startswith("/") or posixpath.normpath(name).split("/")[0] == "..":
            return "lies outside of its release, and only files inside are read. Put it into the folder"
        return "is no regular file. Correct the index or the files of" if posixpath.normpath(name) == "." else ""


@functools.lru_cache(maxsize=16)
def _remote_files(url: str) -> RemoteFiles:
    # In a process that gets many files of one release, their connections are shared.
    return RemoteFiles(url)


def release_files(datastore: str | os.PathLike[str]) -> tuple[Files, File | None]:
    """Return the files of a release, and its index file where ``datastore`` names that one.

    Raises
    ------
    MissingInputError
        Where there is no such folder or file on this machine.
    StoreError
        For a url that leads nowhere.
    """
    text = os.fspath(datastore)
    scheme = urlsplit(text).scheme if "://" in text else ""
    if scheme not in ("", "file"):
        return _remote_release(text)
    path = Path(unquote(urlsplit(text).path)) if scheme else Path(text)
    if not is_there(path):
        raise MissingInputError(
            f"Datastore not found: {path}. Expected a folder with hdu-index.fits.gz, an index file, or a folder "
            "of run files; is $GAMMAPY_DATA set to where the data are?"
        )
    return (LocalFiles(path.parent), path) if path.is_file() else (LocalFiles(path), None)


def _remote_release(url: str) -> tuple[RemoteFiles, RemoteFile | None]:
    if not url.endswith(_ENDINGS):
        return RemoteFiles(url), None
    folder, _, name = url.rpartition("/")
    files = RemoteFiles(folder)
    return files, files.file(name)


def release_name(datastore: str | os.PathLike[str]) -> str:
    """Return the name of a release: that of its folder or index file, on a disk or behind a url."""
    text = os.fspath(datastore)
    parts = urlsplit(text) if "://" in text else None
    last = f"{parts.netloc}{parts.path}".rstrip("/").rpartition("/")[2] if parts else Path(text).resolve().name
    return last.removesuffix(".gz").removesuffix(".fits")


def read_file(file: File) -> tuple[FileStatus, bytes]:
    """Return the bytes of a file and the status that it had when their reading began.

    Raises
    ------
    MissingInputError
        Where there is none.
    InputError
        When it may not be read, is larger than ``LARGEST_FILE``, or the server does not answer.
    """
    if isinstance(file, Path):
        # Looked at before the bytes are read: a file that is replaced meanwhile is then seen as changed.
        status = _local_status(file)
        content = read_raw(file)
        return status or FileStatus(len(content), "not there before"), content
    with _as_input_error():
        found = read_object(file.release.backend, file.name, LARGEST_FILE)
    if found is None:
        raise MissingInputError(f"There is no file {file}. Check the index of the release, or copy the file there.")
    return found


def read_files(files: Iterable[File]) -> dict[File, tuple[FileStatus, bytes] | InputError]:
    """Return what ``read_file`` returns or raises for each file, reading remote ones at the same time."""
    every = list(dict.fromkeys(files))
    at_once = len(every) > 1 and any(is_remote(file) for file in every)
    return dict(zip(every, several(_read_or_error, every, at_once), strict=True))


def _read_or_error(file: File) -> tuple[FileStatus, bytes] | InputError:
    try:
        return read_file(file)
    except InputError as error:
        return error


def is_remote(file: File) -> bool:
    """Whether a file is read from a server."""
    return isinstance(file, RemoteFile)


def several(function: Callable[[Item], Result], items: Iterable[Item], at_once: bool) -> Iterator[Result]:
    """Yield the results of a function in the order of ``items``, several computed at a time where that is asked for."""
    if not at_once:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(REQUESTS, **for_threads()) as pool:
        yield from pool.map(function, items)


def _local_status(path: Path) -> FileStatus | None:
    with contextlib.suppress(OSError):
        status = path.stat()
        return FileStatus(status.st_size, status.st_mtime_ns)
    return None


def statuses_of(files: Iterable[File]) -> dict[File, FileStatus | None]:
    """Return the status of each file, ``None`` where there is none, by few requests."""
    every = list(dict.fromkeys(files))
    found: dict[File, FileStatus | None] = {file: _local_status(file) for file in every if isinstance(file, Path)}
    remote = [file for file in every if isinstance(file, RemoteFile)]
    for release in dict.fromkeys(file.release for file in remote):
        with _as_input_error():
            found |= _remote_statuses(release, [file for file in remote if file.release == release])
    return found


def _remote_statuses(release: RemoteFiles, files: list[RemoteFile]) -> dict[File, FileStatus | None]:
    if release.is_listed and len(files) >= _LIST_FROM:
        listed = object_statuses(
            release.backend, posixpath.commonpath([posixpath.dirname(file.name) for file in files])
        )
        return {file: listed.get(file.name) for file in files}
    asked = several(lambda file: object_status(release.backend, file.name), files, True)
    return dict(zip(files, asked, strict=True))


@contextlib.contextmanager
def _as_input_error() -> Iterator[None]:
    """Let a file that cannot be read be an input that cannot be read: it is not the store of the products."""
    try:
        yield
    except StoreError as error:
        raise InputError(str(error)) from None

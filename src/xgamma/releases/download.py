"""Downloading one file: from where it ended, from the first source that has it, verified.

A ``DownloadSource`` is a folder, a web address or a bucket. obstore speaks the protocols.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import BaseError, NotSupportedError, PreconditionError
from obstore.store import LocalStore

from xgamma.errors import ConfigError, InputError, MissingInputError, OutputError, StoreError
from xgamma.formats.local_files import local_path
from xgamma.releases.release import CatalogFile
from xgamma.storage.locations import reason, remote_objects, validate_url
from xgamma.storage.retries import Retries

# What comes is handed on as it comes: what is collected in between is lost where a connection breaks.
_CHUNK_BYTES = 1
_STATUS = re.compile(r"status code: (\d{3}[^:\n]*)")
_SENT = re.compile(r"HTTP error: (error sending request|request or response body error)")
_WORDS = {
    "error sending request": "there was no connection or no answer",
    "request or response body error": "the connection broke or stood still",
}
_DETAIL = re.compile(r"dns error|Connection refused|InvalidCertificate")


class ChangedError(InputError):
    """What is at a source is not the beginning of what came before, or cannot be had from its middle."""


@dataclass(frozen=True)
class Arrival:
    """A file that is being received: its whole size, and its bytes from the requested offset."""

    size: int
    chunks: AsyncIterator[bytes]


class DownloadSource:
    """Files below a folder, a web address or a bucket; ``lost`` counts the files in a row that could not be had."""

    def __init__(self, location: str, objects: Any, folder: Path | None = None) -> None:
        self.location = location
        self._folder = folder
        self.lost = 0
        self._objects = objects

    async def open(self, name: str, offset: int) -> Arrival:
        """Ask for a file from ``offset`` on.

        Raises
        ------
        MissingInputError
            When it is not there.
        ChangedError
            When the source does not send it from ``offset`` on.
        InputError
            When it cannot be read, after all retries.
        """
        # A pipe is waited for, and a device has no end.
        if self._folder is not None and (self._folder / name).exists() and not (self._folder / name).is_file():
            raise InputError(f"{self._folder / name} is no file")
        options = {"range": {"offset": offset}} if offset else None
        try:
            result = await obstore.get_async(self._objects, name, options=options)  # type: ignore[arg-type]
        except FileNotFoundError:
            raise MissingInputError(f"{self.location} has no such file") from None
        except NotSupportedError:
            raise ChangedError(f"{self.location} sends the file from its beginning only") from None
        except (BaseError, OSError) as error:
            raise _failure(error, self.location, offset) from None
        return Arrival(result.meta["size"], self._chunks(result))

    async def _chunks(self, result: Any) -> AsyncIterator[bytes]:
        try:
            async for chunk in result.stream(min_chunk_size=_CHUNK_BYTES):
                yield bytes(chunk)
        except PreconditionError:
            raise ChangedError(f"{self.location} changed the file while it was fetched") from None
        except (BaseError, OSError) as error:
            raise _failure(error, self.location, 0) from None


def _failure(error: Exception, location: str, offset: int) -> InputError:
    why = _why(str(error)) or reason(error)
    # The file there ends before the offset: it is not the one of which the beginning is here.
    is_shorter = offset and ("answered 416" in why or "range was invalid" in why)
    return (ChangedError if is_shorter else InputError)(f"{location}: {why}")


def _why(text: str) -> str:
    # The answer of a server may hold anything; of it only the code is repeated.
    if status := _STATUS.search(text):
        return f"the server answered {status.group(1).strip()}"
    if sent := _SENT.search(text):
        detail = _DETAIL.search(text)
        return _WORDS[sent.group(1)] + (f" ({detail.group()})" if detail else "")
    return ""


def open_source(location: str | Path, retries: Retries) -> DownloadSource:
    """Return the source at a folder or url.

    Raises
    ------
    MissingInputError
        When there is no such folder.
    ConfigError
        When the url is of no kind that files are fetched from.
    """
    if "://" not in str(location):
        folder = local_path(location).absolute()
        if not folder.is_dir():
            raise MissingInputError(f"There is no folder {folder} to take files from. Give a folder, or a url.")
        return DownloadSource(str(folder), LocalStore(folder), folder)
    url = str(location).rstrip("/")
    validate_url(url, is_download=True)
    try:
        return DownloadSource(url, remote_objects(url, retries))
    except StoreError as error:
        raise ConfigError(str(error)) from None


# After so many failed files in a row a source is given up: one that is not reached is not asked for each file.
GIVEN_UP = 4
# An attempt that brought as much is followed by another one, however many there were.
_WORTH_BYTES = 1_000_000

# Bytes of a file that are here, bytes of them that came now, its size where it is known.
Count = Callable[[int, int, int | None], None]


class _OtherSizeError(InputError):
    """The file of a source has another size than that of the catalogue; nothing of it was taken."""


class _OtherBytesError(InputError):
    """What came is not the file of the catalogue."""


# Failures of one file that do not concern the others.
_ANSWERS = (_OtherSizeError, _OtherBytesError, ChangedError, MissingInputError)


def size_of(path: Path) -> int:
    """Return the size of a file, 0 where there is none."""
    return path.stat().st_size if path.is_file() else 0


def validate_room(folder: Path, needed: int) -> None:
    """Raise ``OutputError`` unless the disk of a folder has so many bytes of free space."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OutputError(
            f"{folder} has {free} bytes of free space, and {needed} are needed. Free some, choose another folder, or "
            "fetch fewer runs."
        )


async def download(file: CatalogFile, part: Path, sources: Sequence[DownloadSource], count: Count) -> None:
    """Complete the part of a file from the first source that has it.

    Raises
    ------
    InputError
        When none of them has it, with what is wrong with each; what came of it stays, unless it was something else.
    OutputError
        When there is no space for it.
    """
    failures = []
    for source in sources:
        if source.lost >= GIVEN_UP:
            failures.append(f"{source.location} was given up after {GIVEN_UP} files in a row that could not be had")
            continue
        try:
            await _fetch_whole(file, part, source, count)
        except InputError as error:
            failures.append(str(error))
            source.lost = 0 if isinstance(error, _ANSWERS) else source.lost + 1
        else:
            source.lost = 0
            return
    raise InputError("; ".join(dict.fromkeys(failures)))


async def _fetch_whole(file: CatalogFile, part: Path, source: DownloadSource, count: Count) -> None:
    """Fetch a file from one source, going on from what is here; where that was of another file, once from zero."""
    again = anew = False
    while True:
        start = size_of(part)
        try:
            await _fetch_rest(file, part, source, count)
        except (_OtherBytesError, ChangedError):
            part.unlink(missing_ok=True)
            if anew or not start:
                raise
            anew = True
        except InputError:
            came = size_of(part) - start
            # A file that was changed meanwhile is not given to those who insist on the old one, as obstore does.
            if not came or (again and came < _WORTH_BYTES):
                raise
            again = again or came < _WORTH_BYTES
        else:
            return


async def _fetch_rest(file: CatalogFile, part: Path, source: DownloadSource, count: Count) -> None:
    """Append what is missing to the part of a file and verify the whole."""
    if file.size is not None and size_of(part) > file.size:
        part.unlink()
    start, digest = await asyncio.to_thread(_begun, part)
    if start and digest.hexdigest() == file.sha256:
        return
    arrival = await source.open(file.name, start)
    if file.size is not None and arrival.size != file.size:
        raise _OtherSizeError(f"{source.location} has another file, of {arrival.size} bytes; expected {file.size}")
    validate_room(part.parent, arrival.size - start)
    here = start
    with part.open("ab") as out:
        async for chunk in arrival.chunks:
            out.write(chunk)
            # Out of this process at once, so that it is there when the process is killed.
            out.flush()
            digest.update(chunk)
            here += len(chunk)
            count(here, len(chunk), arrival.size)
            if here > arrival.size:
                raise _OtherBytesError(f"{source.location} sends more than the {arrival.size} bytes that it announced")
        os.fsync(out.fileno())
    if here < arrival.size:
        raise InputError(f"{source.location} ended after {here} of {arrival.size} bytes")
    if digest.hexdigest() != file.sha256:
        page = ", and it looks like a web page" if _looks_like_a_page(part) else ""
        raise _OtherBytesError(
            f"{source.location} has another file: its SHA-256 is {digest.hexdigest()}, expected {file.sha256}{page}"
        )


def _begun(part: Path) -> tuple[int, Any]:
    digest = hashlib.sha256()
    start = 0
    if part.is_file():
        with part.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
                start += len(block)
    return start, digest


def _looks_like_a_page(part: Path) -> bool:
    with part.open("rb") as file:
        return file.read(64).lstrip().startswith(b"<")

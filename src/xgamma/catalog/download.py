"""Downloading one file: from where it ended, from the first place that has it, verified."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from xgamma.catalog.release import CatalogFile
from xgamma.catalog.source import ChangedError, Source
from xgamma.errors import InputError, MissingInputError, OutputError

# So many files in a row that could not be had, after all retries: a source that is not reached is not asked for each.
GIVEN_UP = 4
# An attempt that brought as much is followed by another one, however many there were.
_WORTH_BYTES = 1_000_000

# Bytes of a file that are here, bytes of them that came now, its size where it is known.
Count = Callable[[int, int, int | None], None]


class _OtherSizeError(InputError):
    """The file of a source has another size than that of the catalogue; nothing of it was taken."""


class _OtherBytesError(InputError):
    """What came is not the file of the catalogue."""


# Failures of one file that say nothing about the others.
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


async def download(file: CatalogFile, part: Path, sources: Sequence[Source], count: Count) -> None:
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


async def _fetch_whole(file: CatalogFile, part: Path, source: Source, count: Count) -> None:
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


async def _fetch_rest(file: CatalogFile, part: Path, source: Source, count: Count) -> None:
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

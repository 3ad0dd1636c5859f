"""``Source``: where files come from, the only door to the network of a fetch; obstore speaks the protocols."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import BaseError, NotSupportedError, PreconditionError
from obstore.store import LocalStore

from xgamma.errors import ConfigError, InputError, MissingInputError, StoreError
from xgamma.formats.local_files import local_path
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
    """A file that is on its way: its whole size, and its bytes from the offset that was asked for."""

    size: int
    chunks: AsyncIterator[bytes]


class Source:
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


def open_source(location: str | Path, retries: Retries) -> Source:
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
        return Source(str(folder), LocalStore(folder), folder)
    url = str(location).rstrip("/")
    validate_url(url, is_download=True)
    try:
        return Source(url, remote_objects(url, retries))
    except StoreError as error:
        raise ConfigError(str(error)) from None

"""``Location``: where a store is, what can be done there, and the error message when it fails.

Credentials never pass through here: obstore takes them from the environment or from the provider, and of what a server
answers only the parts are repeated that cannot hold them.
"""

from __future__ import annotations

import contextlib
import errno
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from obstore.exceptions import BaseError
from obstore.store import HTTPStore, from_url

from xgamma.errors import ConfigError, DamagedError, StoreError
from xgamma.storage.retries import Retries, client_options, retry_config, tries_of, without_tries

_WEB = ("http", "https")
# The first word of the variables of the environment that obstore reads.
_KEYS = {
    **dict.fromkeys(["s3", "s3a"], "AWS"),
    "gs": "GOOGLE",
    **dict.fromkeys(["az", "adl", "azure", "abfs", "abfss"], "AZURE"),
}
_CODE = re.compile(r"<Code>(\w+)</Code>")
_NUMBER = re.compile(r"os error (\d+)")
# What obstore and Python put around the words of the system.
_OF_SYSTEM = re.compile(r"(?:Generic LocalFileSystem error: (?:.*: )?|\[Errno \d+\] )(.+?)(?: \(os error \d+\))?")
_FULL = "Make space, or take another place, and run again: what is in the store stays and is not computed again."
_CLOSED = "What it holds can be read; to add to it, get write rights, or give another place as general.store."
_WAYS_OUT: dict[int | None, str] = {
    **dict.fromkeys([errno.ENOSPC, errno.EDQUOT, errno.EFBIG], _FULL),
    **dict.fromkeys([errno.EROFS, errno.EACCES, errno.EPERM], _CLOSED),
}
# Signed urls carry the signature in their query, some endpoints a password before the host.
_URL = re.compile(r"(\w+://)(?:[^\s/@]*@)?([^\s?]+)(?:\?\S*)?")


@dataclass(frozen=True)
class Location:
    """A url, and the folder where it is one on this machine's disks."""

    url: str
    folder: Path | None

    @property
    def scheme(self) -> str:
        """The part before ``://``, empty for a folder."""
        return "" if self.folder is not None else urlsplit(self.url).scheme

    @property
    def is_remote(self) -> bool:
        """Whether it is reached through a server."""
        return self.folder is None and is_remote(self.url)

    @contextlib.contextmanager
    def sentences(self, verb: str) -> Iterator[None]:
        """Turn what obstore and Zarr raise into one ``StoreError``; ``verb`` is ``read``, ``listed`` or ``written``."""
        if self.scheme in _WEB and verb != "read":
            raise StoreError(
                f"{self.url} cannot be {verb}: a web server only gives what is asked for by its key. "
                "Copy the store to a folder, or name its bucket."
            )
        try:
            yield
        except StoreError:
            raise
        except (BaseError, OSError) as error:
            sentence = f"{self.url} cannot be {verb}: {reason(error)}. {self._way_out(error)}"
            if self.is_remote:
                # The answer of a server may repeat a key or a signed url, and stay in the context of what is raised,
                # which dask sends along.
                error.args = (reason(error),)
            raise StoreError(sentence) from (None if self.is_remote else error)
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise StoreError(
                f"{self.url} cannot be {verb}: a document in it breaks off or is no JSON. "
                "Try again; where that does not help, copy the store again."
            ) from error

    def _way_out(self, error: Exception) -> str:
        tries = tries_of(error) if self.is_remote else None
        if tries is not None:
            times = "once" if tries == 1 else f"{tries} times"
            return f"That is the server, which was asked {times}. Try again later; what is in the store stays whole."
        if self.scheme in _KEYS:
            keys = _KEYS[self.scheme]
            return (
                f"Check the bucket, the endpoint and the credentials of {keys}_... in the environment; "
                f"{keys}_SKIP_SIGNATURE=true reads without any."
            )
        return _WAYS_OUT.get(error_number(error), "Check the place and its rights.")


def error_number(error: Exception) -> int | None:
    """Return the error number of the system, of an error of Python or of obstore, which has it in its text only."""
    said = _NUMBER.search(str(error))
    return int(said[1]) if said else getattr(error, "errno", None)


def damaged(url: str, path: str, what: str) -> DamagedError:
    """Return the error for an object of a published product that is not as it was put."""
    return DamagedError(
        f"{path} {what} in {url}: the product is damaged. Copy it from a sound store, or delete its record.json, "
        "then it is computed again.",
        url,
        path,
    )


def is_remote(url: str) -> bool:
    """Whether a url leads to a server."""
    return urlsplit(url).scheme in (*_WEB, *_KEYS)


def reason(error: Exception) -> str:
    """Return the first line of an error of obstore, without pages of debugging, and of a server's answer the code."""
    text = str(error).partition("\n\nDebug source")[0]
    # Servers answer in XML or HTML.
    said, _, answer = text.partition(": <")
    code = _CODE.search(answer)
    first = _URL.sub(r"\1\2", without_tries(said.partition("\n")[0])).rstrip(" :.")
    system = _OF_SYSTEM.fullmatch(first)
    first = system[1] if system else first
    return f"{first} ({code.group(1)})" if code else first


def remote_objects(url: str, retries: Retries | None = None) -> Any:
    """Return the objects below ``s3://bucket/prefix`` and the like; ``https://`` is for reading only.

    Endpoint, region and credentials come from the environment, which obstore reads. Raises ``StoreError``.
    """
    validate_url(url)
    scheme = urlsplit(url).scheme
    options = client_options("HTTP" if scheme in _WEB else _KEYS.get(scheme, "AWS"), retries)
    try:
        if scheme in _WEB:
            options["allow_http"] = scheme == "http"
            return HTTPStore.from_url(url, client_options=options, retry_config=retry_config(retries))
        return from_url(url, client_options=options, retry_config=retry_config(retries))
    except (BaseError, OSError, ValueError) as error:
        raise StoreError(f"{url} cannot be opened: {reason(error)}. Check its url.") from None


DOWNLOAD_SCHEMES = ("https", "http", "s3", "gs", "az")


def validate_url(url: Any, *, is_download: bool = False) -> None:
    """Raise for a url of no known kind, or one that could hold a secret: urls get into records and messages.

    Raises
    ------
    StoreError
        For one where no store and no release can be.
    ConfigError
        With ``is_download``, for one that no file can be fetched from.
    """
    error = ConfigError if is_download else StoreError
    parts = urlsplit(url if isinstance(url, str) else "")
    bare = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}" if parts.scheme else repr(url)
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise error(
            f"The url {bare} came with a user, a query or a fragment. Give {bare} alone, "
            "and the credentials in the environment."
        )
    if is_download and (parts.scheme not in DOWNLOAD_SCHEMES or not parts.netloc):
        expected = ", ".join(f"{word}://" for word in DOWNLOAD_SCHEMES)
        raise error(f"{bare} cannot be opened: expected {expected} with a host or bucket and a path.")
    if not is_download and parts.scheme not in (*_WEB, *_KEYS, "memory", "file"):
        raise error(f"{bare} cannot be opened: expected s3://, gs://, az://, https://, memory://, file:// or a path.")

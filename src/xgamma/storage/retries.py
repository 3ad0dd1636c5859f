"""All settings of requests: timeouts, repetitions, how many at a time, and how errors name them.

obstore asks again by itself where it knows that this does no harm. The store knows more: to put a record a second time
meets the first one, to delete twice is to delete, and a list is read from its beginning.
"""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from obstore.exceptions import GenericError

from xgamma.errors import ConfigError

Result = TypeVar("Result")

DAY = 86_400.0
REQUESTS = 16
"""How many requests are made at a time: each has to be answered before its time is over."""


@dataclass(frozen=True)
class Retries:
    """How long a server is waited for, and how often it is asked again.

    Parameters
    ----------
    timeout
        Seconds without a byte after which a connection is given up.
    retries
        How often in a row a request is repeated that failed for a reason that may pass: no connection, a connection
        that breaks or stands still, an overloaded server.
    pause, longest_pause
        Seconds before the first repetition; each further pause is twice as long, up to the longest.
    connect_timeout, request_timeout
        Seconds to connect, by default ``timeout``, and for a whole request.
    total
        Seconds after which a request is not repeated any more.

    Raises
    ------
    ConfigError
        For a number that is out of its range.
    """

    timeout: float = 30.0
    retries: int = 5
    pause: float = 0.5
    longest_pause: float = 15.0
    connect_timeout: float | None = None
    request_timeout: float = DAY
    total: float = DAY

    def __post_init__(self) -> None:
        if not (0 < self.timeout <= DAY and 0 < self.pause <= DAY and 0 <= self.retries <= 1000):
            raise ConfigError(
                f"Expected a timeout and a pause above 0 s and at most {DAY:g} s, and 0 to 1000 retries, got {self}."
            )


DOWNLOADS = Retries()
"""Of the files of a release: a large one may take long, one that stands still is requested again."""
# An answer of 16 MB, of which sixteen are on the way at once, takes 100 s at 20 Mbit/s.
STORE = Retries(120.0, pause=0.1, longest_pause=10.0, connect_timeout=5.0, request_timeout=120.0, total=180.0)
"""Of the objects of stores and releases in buckets and on the web."""
# What obstore takes from the environment only as long as it is given no options at all.
_OPTIONS = (
    "allow_http",
    "allow_invalid_certificates",
    "connect_timeout",
    "http1_only",
    "http2_only",
    "pool_idle_timeout",
    "proxy_ca_certificate",
    "proxy_excludes",
    "proxy_url",
    "randomize_addresses",
    "read_timeout",
    "timeout",
    "user_agent",
)
# An answer that broke off. Status codes obstore has asked again for by itself.
_BROKEN = re.compile(r"HTTP error: |Got invalid \w+ response")
_TRIED = re.compile(r", after (\d+) retries, max_retries: \d+, retry_timeout: \w+ ")
_OF_SERVER = re.compile(r"HTTP error: |Got invalid \w+ response|status code: (?:5\d\d|429)")


def client_options(prefix: str, retries: Retries | None = None) -> Any:
    """Return the options of obstore's client: those of the environment, ``<prefix>_TIMEOUT`` and such, and timeouts.

    The environment goes before those of ``STORE``, the default, but not before ``retries`` that are given.
    """
    known = {name: os.environ.get(f"{prefix}_{name.upper()}") for name in _OPTIONS}
    environment = {name: value for name, value in known.items() if value is not None}
    timeouts = _timeouts(retries or STORE)
    return timeouts | environment if retries is None else environment | timeouts


def _timeouts(retries: Retries) -> dict[str, str]:
    connect = retries.timeout if retries.connect_timeout is None else retries.connect_timeout
    seconds = {"timeout": retries.request_timeout, "connect_timeout": connect}
    if retries.timeout < retries.request_timeout:
        seconds["read_timeout"] = retries.timeout
    return {
        name: f"{value:.0f}s" if value == round(value) else f"{1e6 * value:.0f}us" for name, value in seconds.items()
    }


def retry_config(retries: Retries | None = None) -> Any:
    """Return how often obstore asks again, by default as ``STORE`` says."""
    chosen = retries or STORE
    longest = max(chosen.pause, chosen.longest_pause)
    pauses = {"init_backoff": timedelta(seconds=chosen.pause), "max_backoff": timedelta(seconds=longest), "base": 2}
    return {"max_retries": chosen.retries, "retry_timeout": timedelta(seconds=chosen.total), "backoff": pauses}


def persistent(ask: Callable[[], Result]) -> Result:
    """Return what ``ask`` returns; where its answer broke off it is called again. It must do no harm twice."""
    began = time.monotonic()
    for tries in range(1, STORE.retries + 2):
        try:
            return ask()
        except GenericError as error:
            is_last = tries > STORE.retries or time.monotonic() - began > STORE.total
            if is_last or not _BROKEN.search(str(error)) or _TRIED.search(str(error)):
                error.add_note(f"tries: {tries}")
                raise
        # Not all at the same moment.
        time.sleep(random.uniform(0.5, 1) * min(STORE.longest_pause, STORE.pause * 2 ** (tries - 1)))
    raise AssertionError("the last try returns or raises")


def tries_of(error: BaseException) -> int | None:
    """Return how often a request was made that failed because of the server; ``None`` where it was not that."""
    text = str(error)
    if not isinstance(error, GenericError) or not _OF_SERVER.search(text):
        return None
    tried = _TRIED.search(text)
    if tried:
        return int(tried.group(1)) + 1
    noted = [
        int(note.removeprefix("tries: ")) for note in getattr(error, "__notes__", []) if note.startswith("tries: ")
    ]
    # Of an answer to a reading that broke off obstore does not say how often it asked again.
    return max(noted, default=STORE.retries + 1 if "body" in text else 1)


def without_tries(text: str) -> str:
    """Return an error message of obstore without its count."""
    return _TRIED.sub(" ", text)

"""How long a server is waited for, how often it is asked again, and how that is said.

obstore asks again by itself where it knows that this does no harm. The store knows more: to put a record a second time
meets the first one, to delete twice is to delete, and a list is read from its beginning.
"""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from obstore.exceptions import GenericError

Result = TypeVar("Result")

TRIES = 6
"""How often a request is made in all."""
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 10.0
"""The first and the longest pause between two of them, in s."""
TOTAL_SECONDS = 180.0
"""After this no request is made again."""
# An answer of 16 MB, of which sixteen are on the way at once, takes 100 s at 20 Mbit/s.
_DEFAULTS = {"timeout": "120s", "connect_timeout": "5s"}
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


def client_options(words: str) -> Any:
    """Return the options of obstore's client: those of the environment, ``<words>_TIMEOUT`` and such, over ours."""
    given = {name: os.environ.get(f"{words}_{name.upper()}") for name in _OPTIONS}
    return _DEFAULTS | {name: value for name, value in given.items() if value is not None}


def retry_config() -> Any:
    """Return how often obstore asks again."""
    backoff = {
        "init_backoff": timedelta(seconds=FIRST_PAUSE),
        "max_backoff": timedelta(seconds=LONGEST_PAUSE),
        "base": 2,
    }
    return {"max_retries": TRIES - 1, "retry_timeout": timedelta(seconds=TOTAL_SECONDS), "backoff": backoff}


def persistent(ask: Callable[[], Result]) -> Result:
    """Return what ``ask`` returns; where its answer broke off it is called again. It must do no harm twice."""
    began = time.monotonic()
    for tries in range(1, TRIES + 1):
        try:
            return ask()
        except GenericError as error:
            is_last = tries == TRIES or time.monotonic() - began > TOTAL_SECONDS
            if is_last or not _BROKEN.search(str(error)) or _TRIED.search(str(error)):
                error.add_note(f"tries: {tries}")
                raise
        # Not all at the same moment.
        time.sleep(random.uniform(0.5, 1) * min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (tries - 1)))
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
    return max(noted, default=TRIES if "body" in text else 1)


def without_tries(text: str) -> str:
    """Return what obstore said without its count."""
    return _TRIED.sub(" ", text)

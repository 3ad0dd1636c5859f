"""One fetch at a time in a folder."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path

from xgamma.errors import OutputError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

log = logging.getLogger(__name__)


@contextlib.contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder while in the context; it ends with the process, however that ends.

    Where the system or its disk knows no locks nothing is held, and two fetches at a time cost a second attempt: what
    they mix up has the wrong digest.

    Raises
    ------
    OutputError
        When another process holds it.
    """
    if fcntl is None:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise OutputError(f"Another fetch is at work in {folder}. Wait for its end.") from None
    except OSError:
        log.info("The disk of %s knows no locks: do not start two fetches there at a time.", folder)
    try:
        yield
    finally:
        os.close(handle)

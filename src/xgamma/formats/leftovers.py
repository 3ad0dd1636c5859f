"""Hidden files and folders of writers that were killed: told from those of writers at work by a lock, and deleted.

A writer holds the lock of what it writes until that has its name; the lock ends with the process, however that ends.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

PART, OLD = "part", "old"
_NAME = re.compile(rf"\.(?P<target>.+)\.[0-9a-f]{{12}}\.(?P<state>{PART}|{OLD})")
# Where the system or its disk knows no locks.
_LONG_AGO = 86_400.0


def hidden(target: Path, state: str, token: str) -> Path:
    """Return the name beside ``target`` under which it is written, or kept until the new one is there."""
    return target.with_name(f".{target.name}.{token}.{state}")


def new_token() -> str:
    """Return what tells the hidden names of one writing from those of others."""
    return uuid.uuid4().hex[:12]


def begun(path: Path, make: Callable[[Path], object]) -> int:
    """Make a hidden file or folder and return the handle that holds its lock; to close it lets go."""
    while True:
        make(path)
        handle = os.open(path, os.O_RDONLY)
        _lock(handle)
        # Before the lock was held it may have been taken for left over.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), path.stat()):
                return handle
        os.close(handle)


def _lock(handle: int, flags: int = 0) -> bool:
    """Take a lock; return whether that is known: ``False`` where the disk or the system knows none."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | flags)
    except BlockingIOError:
        raise
    except OSError:
        return False
    return True


def delete_leftovers(folder: Path) -> list[Path]:
    """Delete what killed writers left in a folder, and nothing that a writer is at; return what was deleted."""
    deleted = []
    for path, target, state in list(_found(folder)):
        # What was there before is only needed as long as the new one is not.
        if state == OLD and not (folder / target).exists():
            continue
        with contextlib.suppress(OSError):
            if _delete_if_left(path):
                deleted.append(path)
    return deleted


def _found(folder: Path) -> Iterator[tuple[Path, str, str]]:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            match = _NAME.fullmatch(entry.name)
            if match and not entry.is_symlink() and (entry.is_file() or entry.is_dir()):
                yield Path(entry.path), match["target"], match["state"]


def _delete_if_left(path: Path) -> bool:
    handle = os.open(path, os.O_RDONLY)
    try:
        knows = _lock(handle, fcntl.LOCK_NB if fcntl is not None else 0)
        if not knows and time.time() - os.fstat(handle).st_mtime < _LONG_AGO:
            return False
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    finally:
        os.close(handle)
    return True

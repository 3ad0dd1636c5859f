"""Files on this machine: texts of others read within bounds; files and folders written whole or not at all.

What is written is under a hidden name first, and the names are swapped at the end.

A writer holds the lock of what it writes until that has its name. The lock ends with the process, however that ends, so
that what a killed writer left is told from what another one is writing, and deleted.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shutil
import stat
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

from xgamma.errors import ConfigError, InputError, MissingInputError, OutputError, OutputExistsError
from xgamma.storage.disk import with_home

# The models of the largest catalogues are some megabytes.
LARGEST_TEXT = 16 << 20
_KINDS = {
    stat.S_ISDIR: "it is a folder",
    stat.S_ISCHR: "it is a device",
    stat.S_ISBLK: "it is a device",
    stat.S_ISFIFO: "it is a pipe",
    stat.S_ISSOCK: "it is a socket",
}


def local_path(path: str | os.PathLike[str]) -> Path:
    """Return a path with ``~`` and environment variables such as ``$GAMMAPY_DATA`` filled in."""
    return with_home(os.path.expandvars(os.fspath(path)))


def is_there(path: str | os.PathLike[str]) -> bool:
    """Whether something has a name; one that is too long is the name of nothing."""
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False


FileState: TypeAlias = tuple[str, int, int]
"""A name of a file and what it was read as, its size, and the time of its last change in nanoseconds."""


def state_of(path: Path, what: str) -> FileState | None:
    """Return the state of a file that is read as ``what``, by which a store remembers it; ``None`` where none is."""
    try:
        found = path.stat()
    except OSError:
        return None
    return f"{what} {path.absolute()}", found.st_size, found.st_mtime_ns


def read_text(path: Path, what: str) -> str:
    """Return the text of a regular file; ``what`` is its name in sentences, as "catalogue".

    Raises
    ------
    MissingInputError
        When there is no such file.
    InputError
        When it is no regular file, larger than ``LARGEST_TEXT``, no text, or may not be read.
    """
    try:
        return text_of(path)
    except FileNotFoundError:
        raise MissingInputError(f"There is no {what} {path}.") from None
    except UnicodeDecodeError as error:
        reason = f"it is no text in UTF-8, by byte {error.start}; expected a file of text"
        raise InputError(f"The {what} {path} cannot be read: {reason}.") from None
    except OSError as error:
        raise InputError(f"The {what} {path} cannot be read: {error}.") from None


def text_of(path: Path, encoding: str = "utf-8") -> str:
    """Return the text of a regular file.

    Raises
    ------
    FileNotFoundError
        Where there is none.
    OSError
        When it is no regular file, larger than ``LARGEST_TEXT``, or may not be read; its text is a part of a sentence.
    UnicodeDecodeError
        When it is no text.
    """
    mode = path.stat().st_mode
    kind = next((what for is_kind, what in _KINDS.items() if is_kind(mode)), "")
    if kind:
        raise OSError(f"{kind}; expected a file of text")
    with path.open("rb") as file:
        content = file.read(LARGEST_TEXT + 1)
    if len(content) > LARGEST_TEXT:
        raise OSError(f"it is larger than {LARGEST_TEXT >> 20} MB; expected a file of text")
    return content.decode(encoding)


try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

PART, OLD = "part", "old"
_NAME = re.compile(rf"\.(?P<target>.+)\.[0-9a-f]{{12}}\.(?P<state>{PART}|{OLD})")
# Where the system or its disk knows no locks.
_LONG_AGO = 86_400.0


def validate_ending(path: Path, endings: Iterable[str], what: str) -> None:
    """Raise ``ConfigError`` unless the name ends in one of ``endings``."""
    known = list(endings)
    if not path.name.lower().endswith(tuple(known)):
        raise ConfigError(f"{what}: expected a name that ends in {' or '.join(known)}, got {path.name!r}.")


def validate_output(path: Path, overwrite: bool) -> None:
    """Refuse a file that exists (unless ``overwrite``) and a folder that cannot be written.

    Raises
    ------
    OutputExistsError
        When the file exists and ``overwrite`` is false.
    OutputError
        When the folder is not there, is not a folder, or is not writable.
    """
    if path.exists() and not overwrite:
        raise OutputExistsError(f"{path} exists already. Choose another name, or write with overwrite=True.")
    if path.is_dir():
        raise OutputError(f"{path} is a folder; expected the name of a file.")
    folder = path.parent
    if not folder.is_dir():
        raise OutputError(f"{path} cannot be written: there is no folder {folder}. Make it first.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"{path} cannot be written: the folder {folder} is not writable. Choose another folder.")


# --- files


def write_files(contents: Mapping[Path, bytes], *, overwrite: bool = False) -> None:
    """Write some files together: all of them or none.

    The bytes of every file are on disk under temporary names before the first name is touched; names are then swapped
    in the order given, so that an index comes last. When a swap fails, files that were not there before are removed and
    those that were are put back. What a killed writer left in their folders is deleted.

    Parameters
    ----------
    contents
        The bytes of each file; paths as returned by ``local_files.local_path``.
    overwrite
        Whether files that exist are replaced.

    Raises
    ------
    OutputExistsError, OutputError
        As `validate_output`, before the first byte moves; ``OutputError`` also for a full or failing disk.
    """
    for path in contents:
        validate_output(path, overwrite)
    # A link is written through, as an ordinary open() would.
    targets = {path.resolve(): content for path, content in contents.items()}
    for folder in {target.parent for target in targets}:
        delete_leftovers(folder)
    token = _new_token()
    parts = {target: _hidden(target, PART, token) for target in targets}
    # One file is there before or after; of several, those that were swapped first are put back.
    several = len(targets) > 1
    olds = {target: _hidden(target, OLD, token) for target in targets if several and target.exists()}
    swapped: list[Path] = []
    with contextlib.ExitStack() as locks, _undone_on_error(swapped, parts, olds):
        for target, content in targets.items():
            locks.callback(os.close, _begun(parts[target], lambda part: part.touch(exist_ok=False)))
            _write_through(parts[target], content)
        for target, old in olds.items():
            locks.callback(os.close, _begun(old, functools.partial(_link_or_copy, target)))
        for target, part in parts.items():
            swapped += [] if target.exists() and target not in olds else [target]
            part.replace(target)


@contextlib.contextmanager
def _undone_on_error(swapped: list[Path], parts: Mapping[Path, Path], olds: Mapping[Path, Path]) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        for target in swapped:
            if target in olds:
                olds[target].replace(target)
            else:
                target.unlink(missing_ok=True)
        if isinstance(error, OSError):
            names = ", ".join(str(path) for path in parts)
            raise _failed(names, error) from error
        raise
    finally:
        for path in (*parts.values(), *olds.values()):
            path.unlink(missing_ok=True)


def _failed(names: object, error: OSError) -> OutputError:
    return OutputError(
        f"Writing {names} failed and nothing was kept: {error.strerror or error}. Make space, or choose another folder."
    )


def _link_or_copy(path: Path, copy: Path) -> None:
    try:
        copy.hardlink_to(path)
    except (OSError, NotImplementedError):
        # Not every disk or system knows links.
        shutil.copy2(path, copy)


def _write_through(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


# --- folders


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yield a hidden folder to write into, which takes the place of ``path`` when the block ends.

    When it ends by an error nothing of the folder is left, and what stood under its name stays.

    Raises
    ------
    OutputError
        For whatever ``OSError`` ends the block or the swap.

    Examples
    --------
    >>> with new_folder(Path("release")) as folder:  # doctest: +SKIP
    ...     write_inside(folder / "index", b"...")
    """
    target = path.resolve()
    delete_leftovers(target.parent)
    token = _new_token()
    part, old = _hidden(target, PART, token), _hidden(target, OLD, token)
    try:
        handle = _begun(part, lambda folder: folder.mkdir())
        try:
            yield part
            if target.exists():
                target.rename(old)
            part.rename(target)
        finally:
            shutil.rmtree(part, ignore_errors=True)
            if old.exists() and not target.exists():
                old.rename(target)
            shutil.rmtree(old, ignore_errors=True)
            os.close(handle)
    except OutputError:
        raise
    except OSError as error:
        raise _failed(path, error) from error


def write_inside(path: Path, content: bytes) -> int:
    """Write a file of a hidden folder, see `new_folder`, and return its size; raises ``OutputError``."""
    try:
        return path.write_bytes(content)
    except OSError as error:
        why = error.strerror or error
        raise OutputError(f"{path} cannot be written: {why}. Make space, or choose another folder.") from error


# --- hidden names and their locks


def _hidden(target: Path, state: str, token: str) -> Path:
    """Return the name beside ``target`` under which it is written, or kept until the new one is there."""
    return target.with_name(f".{target.name}.{token}.{state}")


def _new_token() -> str:
    """Return what tells the hidden names of one writing from those of others."""
    return uuid.uuid4().hex[:12]


def _begun(path: Path, make: Callable[[Path], object]) -> int:
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

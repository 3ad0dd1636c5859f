"""Files and folders of a store on a disk: only ordinary files are read, and nothing behind a link is deleted."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path

# A writer that was killed leaves the file that obstore renames at the end; obstore never lists it.
_STAGED = re.compile(r".*#\d+")


def with_home(path: str | os.PathLike[str]) -> Path:
    """Return a path with ``~`` filled in; ``~name`` of a user that is not known stays as it is, as in a shell.

    >>> with_home("~no-such-user/events.fits").as_posix()
    '~no-such-user/events.fits'
    """
    # The method of a path raises RuntimeError for an unknown user.
    return Path(os.path.expanduser(path))  # noqa: PTH111


def is_closed(folder: Path) -> bool:
    """Whether a folder is there in which this process may write nothing."""
    return folder.is_dir() and not os.access(folder, os.W_OK | os.X_OK)


def read_regular_file(path: str | Path, limit: int) -> bytes | None:
    """Return the bytes of an ordinary file, ``None`` if there is nothing.

    Raises
    ------
    OSError
        For a folder, a device or a pipe, for a file of more than ``limit`` bytes, of which none is read, and when the
        file cannot be read.
    """
    try:
        # Not by methods of a path, and not through a file object: thousands of records are read.
        status = os.stat(path)  # noqa: PTH116
        if not stat.S_ISREG(status.st_mode):
            raise OSError(f"{path} is no file but {_what(status.st_mode)}")
        if status.st_size > limit:
            raise OSError(f"{path} has {status.st_size} bytes, more than the {limit} that are read")
        return _beginning(path, status.st_size)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _beginning(path: str | Path, size: int) -> bytes:
    """Return the first bytes of a file, which may have become longer or shorter meanwhile."""
    file = os.open(path, os.O_RDONLY)
    try:
        content = os.read(file, size)
        # The system may give less at a time than there is, of a chunk of gigabytes it does.
        while len(content) < size and (more := os.read(file, size - len(content))):
            content += more
        return content
    finally:
        os.close(file)


def _what(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a folder"
    return "a pipe" if stat.S_ISFIFO(mode) else "a device"


def write_file(path: Path, content: bytes | memoryview) -> None:
    """Write a file that nobody else knows, and its folder where that is not there."""
    try:
        path.write_bytes(content)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def is_behind_link(folder: Path, path: str) -> bool:
    """Whether a folder on the way from ``folder`` down to ``path`` is a link; ``path`` itself may be one."""
    parts = path.split("/")[:-1]
    return any(folder.joinpath(*parts[: depth + 1]).is_symlink() for depth in range(len(parts)))


def delete_tree(path: Path) -> None:
    """Delete a folder and all in it; of a link, here or inside, only the link. Raises ``OSError``."""
    if not path.is_symlink():
        for place, folders, files in os.walk(path, topdown=False):
            for name in [*files, *folders]:
                _delete(Path(place, name))
    _delete(path)


def _delete(path: Path) -> None:
    try:
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink()
    except FileNotFoundError:
        return
    except OSError as error:
        # Its writer put something into a folder meanwhile.
        if error.errno != errno.ENOTEMPTY:
            raise


def folders_in(folder: str) -> list[str]:
    """Return the names of the folders directly in a folder, links to folders too; none where there is nothing.

    Raises ``OSError`` for a link that leads back to a folder above, and where the folder cannot be read.
    """
    try:
        with os.scandir(folder) as entries:
            found = [entry for entry in entries if entry.is_dir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    for entry in found:
        if entry.is_symlink() and Path(folder).resolve().is_relative_to(Path(entry.path).resolve()):
            raise OSError(f"the link {entry.path} leads back to a folder above it")
    return [entry.name for entry in found]


def holds_only(folder: str, names: Collection[str]) -> bool:
    """Whether a folder is there, and nothing in it has another name; ``False`` where nobody can know."""
    try:
        return set(names).issuperset(os.listdir(folder))  # noqa: PTH208, paths of thousands of names take long
    except OSError:
        return False


def other_file(folder: Path, mark: str) -> str:
    """Return the name of something in a folder without a file ``mark``, whatever it is; empty where nothing is.

    Hidden files do not count, nor does what systems put into the root of a disk. A file that is being written counts as
    it will be called.
    """
    try:
        found = sorted(os.listdir(folder))  # noqa: PTH208, as holds_only
    except OSError:
        return ""
    if any(name.partition("#")[0] == mark for name in found):
        return ""
    return next((name for name in found if not name.startswith(".") and name != "lost+found"), "")


def leftovers(folder: Path, whole: Iterable[str] = ()) -> list[tuple[Path, float]]:
    """Return staged files, and folders without any other file, with the time of their last change; follows no link.

    The inner ones come first. The ``whole`` folders are those in which nothing is left over; they are not looked at.
    """
    passed_over = frozenset(whole)
    kept: set[str] = set()
    found: list[str] = []
    # Each folder stands before those in it, so that they are judged from the end.
    for place in reversed(_folders(str(folder), passed_over, kept, found)):
        if place in kept:
            kept.add(os.path.dirname(place))  # noqa: PTH120, paths of thousands of folders take long
        elif place != str(folder):
            found.append(place)
    return [(Path(place), time) for place in found if (time := _changed(place)) is not None]


def _folders(folder: str, passed_over: Collection[str], kept: set[str], staged: list[str]) -> list[str]:
    """Return a folder and all below it; note those with something to keep, and staged files."""
    folders = [folder]
    for place in folders:
        try:
            with os.scandir(place) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False) and entry.path not in passed_over:
                        folders.append(entry.path)
                    elif _STAGED.fullmatch(entry.name):
                        staged.append(entry.path)
                    else:
                        kept.add(place)
        except OSError:
            # What cannot be looked into is kept.
            kept.add(place)
    return folders


def _changed(path: str) -> float | None:
    """Return the time of the last change of what is at a path, ``None`` where nothing is any more."""
    with suppress(FileNotFoundError):
        return os.lstat(path).st_mtime
    return None

"""Files on this machine: their paths, and texts that others wrote, of which a device or a huge file is never read."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from xgamma.errors import InputError, MissingInputError

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
    return Path(os.path.expandvars(os.fspath(path))).expanduser()


def is_there(path: str | os.PathLike[str]) -> bool:
    """Whether something has a name; one that is too long is the name of nothing."""
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False


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
    except (OSError, UnicodeDecodeError) as error:
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

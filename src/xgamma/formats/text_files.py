"""Texts that others wrote, read up to a bound: a device, a pipe or a huge file is refused and not read without end."""

from __future__ import annotations

import os
import stat
from pathlib import Path

# The models of the largest catalogues are some megabytes.
LARGEST_TEXT = 16 << 20
_KINDS = {
    stat.S_ISDIR: "it is a folder",
    stat.S_ISCHR: "it is a device",
    stat.S_ISBLK: "it is a device",
    stat.S_ISFIFO: "it is a pipe",
    stat.S_ISSOCK: "it is a socket",
}


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


def is_there(path: str | os.PathLike[str]) -> bool:
    """Whether something has a name; one that is too long is the name of nothing."""
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False

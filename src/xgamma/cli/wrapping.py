"""Texts that take several lines, or whose characters take several places, as ``rich`` breaks and measures them."""

from __future__ import annotations

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

places = cell_len
_CONSOLE = Console(width=80)


def pieces(text: str, room: int) -> list[str]:
    """Return the lines of a text, none of which takes more places than there is room for.

    What does not print, such as a character that moves the cursor, is a space or a question mark.
    """
    shown = "".join(each if each.isprintable() or each == "\n" else " " if each.isspace() else "�" for each in text)
    return [line.plain.rstrip() for line in Text(shown).wrap(_CONSOLE, room, overflow="fold")]

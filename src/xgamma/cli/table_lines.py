"""Tables as lines of a terminal, as ``rich`` would draw them; its way takes half a millisecond for each row.

Only a text that is long, or has characters that take several places, is broken and measured by ``rich``.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import click

from xgamma.cli import wrapping
from xgamma.digits import stands_right

LEAST = 16
"""The width that a text is wrapped in where there is no room."""
UNBROKEN = 100_000


class _Column(NamedTuple):
    """A column: the first line of its name and of each cell, and further lines of a cell by its number, all padded."""

    width: int
    first: list[str]
    further: Mapping[int, list[str]]

    def line(self, number: int, below: int) -> str:
        """Return a further line of a cell, spaces where it has none."""
        lines = self.further.get(number, ())
        return lines[below] if below < len(lines) else " " * self.width


def table_lines(columns: Mapping[str, Sequence[str]], width: int) -> list[str]:
    """Return the lines of a table; texts of the last column are wrapped where they do not fit, the others never."""
    *others, last = columns
    laid = [_laid(name, columns[name], UNBROKEN) for name in others]
    room = max(width - sum(each.width + 2 for each in laid) - 2, LEAST, len(last))
    laid.append(_laid(last, columns[last], UNBROKEN if _is_right(columns[last]) else room))
    head, *rows = _joined(laid)
    empty = " " * sum(each.width + 2 for each in laid)
    return [empty, click.style(head, bold=True), f" {'─' * (len(empty) - 2)} ", *rows, empty]


def _joined(laid: Sequence[_Column]) -> list[str]:
    """Return columns side by side."""
    lines = [f" {'  '.join(cells)} " for cells in zip(*(each.first for each in laid), strict=True)]
    tall = {number for each in laid for number in each.further}
    if not tall:
        return lines
    found: list[str] = []
    for number, line in enumerate(lines):
        height = max(len(each.further.get(number, ())) for each in laid) if number in tall else 0
        found += [line, *(f" {'  '.join(each.line(number, below) for each in laid)} " for below in range(height))]
    return found


def _laid(name: str, cells: Sequence[str], room: int) -> _Column:
    """Return a column whose cells are broken where they are wider than there is room for; numbers stand right."""
    every, distinct, is_right = [name, *cells], {name, *cells}, _is_right(cells)
    odd = [] if _is_simple(distinct, room) else [cell for cell in distinct if not _is_simple((cell,), room)]
    broken = {cell: wrapping.pieces(cell, room) for cell in odd}
    width = max(map(len, distinct.difference(odd)), default=0)
    width = max([width, *(wrapping.places(line) for lines in broken.values() for line in lines)])
    pad = str.rjust if is_right else str.ljust
    # A character of two places is padded as if it were two.
    padded = {
        cell: [pad(line, width - wrapping.places(line) + len(line)) for line in lines] for cell, lines in broken.items()
    }
    first = [padded[cell][0] if cell in padded else pad(cell, width) for cell in every]
    further = {number: padded[cell][1:] for number, cell in enumerate(every) if cell in padded} if padded else {}
    return _Column(width, first, {number: lines for number, lines in further.items() if lines})


def _is_right(cells: Sequence[str]) -> bool:
    return all(map(stands_right, set(cells)))


def _is_simple(cells: Collection[str], room: int) -> bool:
    """Whether cells fit into their room as they are, and each of their characters takes one place."""
    text = "".join(cells)
    return (
        max(map(len, cells)) <= room
        and text.isprintable()
        and (text.isascii() or all(map(_takes_one_place, set(text))))
    )


def _takes_one_place(character: str) -> bool:
    """Whether a character surely takes one place: alphabets, punctuation and signs do, but not marks on others."""
    is_narrow = character < "\u1100" or "\u2000" <= character < "\u2300"
    return is_narrow and not unicodedata.category(character).startswith("M")

"""What an object says of itself, once: ``print`` shows it as text, a notebook as HTML."""

from __future__ import annotations

import importlib
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, ClassVar, TypeAlias

from xgamma.digits import decimals, number_text, some, stands_right

SHOWN = 10
"""How many rows of a list are shown, the first and the last of them: what is shown of thousands is as long."""
MATRIX_MAX = 12
"""Of more parameters than these the largest correlations are listed."""
LABEL_WIDTH = 31

Cells: TypeAlias = Sequence[Sequence[Any]]


@dataclass(frozen=True)
class Facts:
    """Labels, each with a text; those in ``marked`` stand out."""

    kind: ClassVar[str] = "facts"
    rows: Sequence[tuple[str, str]]
    marked: frozenset[str] = frozenset()

    def lines(self) -> list[str]:
        """Return the lines that are printed."""
        marks = ["*" if label in self.marked else " " for label, _ in self.rows]
        below = "\n" + " " * (LABEL_WIDTH + 5)
        texts = [text.replace("\n", below) for _, text in self.rows]
        labels = [f"{mark} {label:<{LABEL_WIDTH}} :" for mark, (label, _) in zip(marks, self.rows, strict=True)]
        return "\n".join(f"{label} {text}".rstrip() for label, text in zip(labels, texts, strict=True)).split("\n")


@dataclass(frozen=True)
class Sheet:
    """Rows of texts or numbers below the names of their columns; ``more`` of them are left out after half of these."""

    kind: ClassVar[str] = "sheet"
    columns: Sequence[str]
    rows: Cells
    more: int = 0
    caption: str = ""

    @property
    def gap(self) -> int:
        """How many rows stand before those that are left out."""
        return (len(self.rows) + 1) // 2

    def columns_shown(self) -> dict[str, list[Any]]:
        """Return the columns that have a text in any row."""
        columns = zip(self.columns, zip(*self.rows, strict=True), strict=False)
        return {name: list(cells) for name, cells in columns if any(cell != "" for cell in cells)}

    def dicts(self) -> list[dict[str, Any]]:
        """Return the rows by column."""
        shown = self.columns_shown()
        return [dict(zip(shown, row, strict=True)) for row in zip(*shown.values(), strict=True)]

    def lines(self) -> list[str]:
        """Return the lines that are printed."""
        aligned = [_aligned(name, list(map(_text, cells))) for name, cells in self.columns_shown().items()]
        lines = ["  ".join(cells).rstrip() for cells in zip(*aligned, strict=True)]
        if self.more:
            lines.insert(2 + self.gap, f"... {self.more:,} more ...")
        return [*([self.caption] if self.caption else []), *(f"  {line}" for line in lines)]


@dataclass(frozen=True)
class Correlations:
    """The correlations of some numbers by name, shape (name, name)."""

    kind: ClassVar[str] = "correlations"
    names: Sequence[str]
    values: Sequence[Sequence[float]]

    @property
    def is_matrix(self) -> bool:
        """Whether they are few enough to be shown as a matrix."""
        return len(self.names) <= MATRIX_MAX

    def largest(self) -> Sheet:
        """Return the largest of them."""
        pairs = list(combinations(range(len(self.names)), 2))
        pairs.sort(key=lambda pair: -_size(self.values[pair[0]][pair[1]]))
        rows = [(self.names[one], self.names[two], correlation_text(self.values[one][two])) for one, two in pairs]
        caption = f"Largest of {some(len(pairs), 'correlation')}"
        return Sheet(("", "and", "correlation"), rows[:SHOWN], caption=caption)

    def shades(self) -> list[list[tuple[str, str, float]]]:
        """Return the text, the colour and the strength from 0 to 1 of each cell."""
        return [
            [(correlation_text(value), "178,24,43" if value > 0 else "33,102,172", _size(value)) for value in row]
            for row in self.values
        ]

    def lines(self) -> list[str]:
        """Return the lines that are printed."""
        if not self.is_matrix:
            return self.largest().lines()
        numbers = [str(number) for number in range(1, len(self.names) + 1)]
        rows = [
            (number, name, *map(correlation_text, row[: int(number)]), *[""] * (len(numbers) - int(number)))
            for number, name, row in zip(numbers, self.names, self.values, strict=True)
        ]
        return Sheet(("", "correlation", *numbers), rows).lines()


@dataclass(frozen=True)
class Folded:
    """Parts under a title, which a notebook opens on a click."""

    kind: ClassVar[str] = "folded"
    title: str
    parts: Sequence[Part]
    is_open: bool = False

    def lines(self) -> list[str]:
        """Return the lines that are printed."""
        return [f"  {self.title}:", *textwrap.indent("\n".join(_joined(self.parts)), "  ").splitlines()]


Part: TypeAlias = Facts | Sheet | Correlations | Folded


@dataclass(frozen=True)
class Description:
    """A title and what stands below it."""

    title: str
    parts: Sequence[Part]

    @property
    def text(self) -> str:
        """What ``print`` shows: parts are parted by an empty line."""
        return "\n".join([self.title, "-" * len(self.title), "", *_joined(self.parts)]) + "\n"

    @property
    def html(self) -> str:
        """What a notebook shows."""
        return str(_pages().rendered("description.html", title=self.title, parts=self.parts, table=_table))


class Described:
    """Prints and shows what its ``_description`` says."""

    def _description(self) -> Description:
        raise NotImplementedError

    def __str__(self) -> str:
        return self._description().text

    def _repr_html_(self) -> str:
        return self._description().html


def facts(*paragraphs: Sequence[tuple[str, str]]) -> list[Facts]:
    """Return paragraphs of labels and texts as parts."""
    return [Facts(rows) for rows in paragraphs if rows]


def ends(count: int, shown: int = SHOWN) -> tuple[list[int], int]:
    """Return the numbers of the first and the last of some rows, and how many are left out between them.

    >>> ends(3), ends(10_000, 4)
    (([0, 1, 2], 0), ([0, 1, 9998, 9999], 9996))
    """
    if count <= shown:
        return list(range(count)), 0
    first = (shown + 1) // 2
    return [*range(first), *range(count - (shown - first), count)], count - shown


def correlation_text(value: float) -> str:
    """Return a correlation with two decimals, ``-`` where there is none.

    >>> correlation_text(-0.004), correlation_text(1.0), correlation_text(float("nan"))
    ('0.00', '1.00', '-')
    """
    return decimals(value)


def _size(value: float) -> float:
    return min(abs(value), 1.0) if value == value else 0.0


def _text(cell: Any) -> str:
    return cell if isinstance(cell, str) else number_text(cell)


def _aligned(name: str, cells: list[str]) -> list[str]:
    width = max(map(len, [name, *cells]))
    is_right = all(stands_right(cell) for cell in cells if cell)
    return [f"{cell:>{width}}" if is_right else f"{cell:<{width}}" for cell in (name, "-" * width, *cells)]


def _joined(parts: Sequence[Part]) -> list[str]:
    lines: list[str] = []
    for part in parts:
        lines += [*([""] if lines else []), *part.lines()]
    return lines


def _table(sheet: Sheet) -> Any:
    return _pages().table(sheet.dicts(), sheet.caption, sheet.more, sheet.gap)


def _pages() -> Any:
    # The library of templates is loaded by the first object that a notebook shows, and not by verbs that print text.
    return importlib.import_module("xgamma.html")

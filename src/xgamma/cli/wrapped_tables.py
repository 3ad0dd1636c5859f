"""Tables that a terminal has no room for, or whose characters take several places, as ``rich`` draws them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as Grid

from xgamma.digits import stands_right
from xgamma.tables.table import width_of

LEAST = 16
"""The width that a text is wrapped in where there is no room."""


def print_wrapped(columns: Mapping[str, Sequence[str]], width: int) -> None:
    """Print columns of texts; the last one is wrapped where they do not fit into a width, the others never."""
    console = Console(markup=False, highlight=False, emoji=False, width=max(width, _least_width(columns)))
    console.print(_grid(columns))


def _least_width(columns: Mapping[str, Sequence[str]]) -> int:
    """Return the width in which all columns but the last one, which may be wrapped, are whole."""
    *others, last = columns
    return width_of({name: columns[name] for name in others}) + max(LEAST, len(last)) + 2


def _grid(columns: Mapping[str, Sequence[str]]) -> Grid:
    grid = Grid(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name, cells in columns.items():
        is_right = all(map(stands_right, cells))
        may_wrap = name == list(columns)[-1] and not is_right
        grid.add_column(name, justify="right" if is_right else "left", overflow="fold", no_wrap=not may_wrap)
    for row in zip(*columns.values(), strict=True):
        grid.add_row(*row)
    return grid

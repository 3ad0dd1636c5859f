"""``Table``: rows of texts for a terminal, a page or a log, and how numbers become texts in them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from xgamma.digits import NOTHING, decimals, number_text, stands_right

if TYPE_CHECKING:
    import numpy.typing as npt

SECONDS_PER_HOUR, SECONDS_PER_DAY = 3600.0, 86400.0
MOST_DAYS = 1e13


@dataclass(frozen=True)
class Table:
    """Rows for people.

    Parameters
    ----------
    title
        What they are, with units that no column names.
    rows
        Texts by column; all rows have the same columns.
    notes
        Sentences that stand below.
    spare
        Columns that are left out where there is no room for all, the first ones first.
    """

    title: str
    rows: Sequence[Mapping[str, str]]
    notes: Sequence[str] = ()
    spare: Sequence[str] = ()

    def columns(self, width: float = math.inf) -> dict[str, Sequence[str]]:
        """Return the columns that say something, and fit into a width together as far as some can be spared.

        Those with nothing but ``-`` are left out.
        """
        shown = {name: cells for name, cells in _columns_of(self.rows).items() if any(map(_says_something, cells))}
        too_wide = width_of(shown) - width
        for name in self.spare:
            if too_wide > 0 and name in shown:
                too_wide -= width_of({name: shown.pop(name)})
        return shown

    def __str__(self) -> str:
        columns = [_aligned([name, *cells]) for name, cells in self.columns().items()]
        lines = ["  ".join(cells).rstrip() for cells in zip(*columns, strict=True)]
        return "\n".join([self.title, *lines, *self.notes])


class Lined(Sequence[Mapping[str, str]]):
    """Rows that are given by their columns, of which many would be many dicts.

    Parameters
    ----------
    columns
        Texts by column, all of the same length.
    """

    def __init__(self, columns: Mapping[str, Sequence[str]]) -> None:
        self.columns = columns

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    @overload
    def __getitem__(self, at: int) -> Mapping[str, str]: ...
    @overload
    def __getitem__(self, at: slice) -> Lined: ...
    def __getitem__(self, at: int | slice) -> Mapping[str, str] | Lined:
        if isinstance(at, slice):
            return Lined({name: cells[at] for name, cells in self.columns.items()})
        return {name: cells[at] for name, cells in self.columns.items()}


def _columns_of(rows: Sequence[Mapping[str, str]]) -> Mapping[str, Sequence[str]]:
    if isinstance(rows, Lined):
        return rows.columns
    return {name: [row[name] for row in rows] for name in (rows[0] if rows else ())}


def _says_something(cell: str) -> bool:
    return cell not in (NOTHING, "")


def _aligned(cells: Sequence[str]) -> list[str]:
    """Return the cells of a column in one width; numbers stand right."""
    width, side = max(map(len, cells)), ">" if all(map(stands_right, cells[1:])) else "<"
    return [f"{cell:{side}{width}}" for cell in cells]


def width_of(columns: Mapping[str, Sequence[str]]) -> int:
    """Return how wide columns are side by side, with two places between them and one at each end."""
    return sum(max(len(name), max(map(len, cells), default=0)) + 2 for name, cells in columns.items())


def first_of(count: int, most: int) -> str:
    """Return what a title adds where a table holds the first rows only.

    >>> first_of(20, 10), first_of(5, 10)
    (', the first 10 of 20', '')
    """
    return f", the first {most} of {count}" if count > most else ""


def bounds_text(low: float, high: float) -> str:
    """Return a range of numbers.

    >>> bounds_text(0.5, 30.0)
    '0.500-30.0'
    """
    return f"{number_text(float(low), 3)}-{number_text(float(high), 3)}"


def hours_text(seconds: Any) -> str:
    """Return a time in hours; short ones in three digits.

    >>> hours_text(6314.0), hours_text(60.0), hours_text(0.0)
    ('1.75', '0.0167', '0.00')
    """
    hours = float(seconds) / SECONDS_PER_HOUR
    return number_text(hours, 3) if 0 < abs(hours) < 0.1 else decimals(hours)


def finite(value: Any) -> float | None:
    """Return a number as JSON holds it, ``None`` for one that is not finite."""
    number = float(value)
    return number if math.isfinite(number) else None


EPOCH = "1858-11-17T00:00:00"


def date_text(mjd: float) -> str:
    """Return a time to the minute, in the scale of the MJD.

    >>> date_text(53090.123451)
    '2004-03-26 02:57'
    """
    return date_texts(np.array([mjd]))[0]


def date_texts(mjd: npt.NDArray[np.float64]) -> list[str]:
    """Return each of many times as ``date_text`` does.

    >>> date_texts(np.array([53090.123451, np.nan]))
    ['2004-03-26 02:57', '-']
    """
    # Beyond that a number of seconds is no date of numpy; NaN is neither.
    is_known = np.abs(mjd) < MOST_DAYS
    seconds = np.rint(np.where(is_known, mjd, 0.0) * SECONDS_PER_DAY).astype("timedelta64[s]")
    texts = np.datetime_as_string(np.datetime64(EPOCH) + seconds, unit="m").tolist()
    return [text.replace("T", " ") if known else NOTHING for text, known in zip(texts, is_known.tolist(), strict=True)]

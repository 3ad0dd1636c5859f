"""The rows of a table of a catalogue: numbers in the unit that is asked for, each column converted once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import astropy
import numpy as np
import numpy.typing as npt

from xgamma.axes import BoolArray, FloatArray
from xgamma.errors import InputError, did_you_mean
from xgamma.formats.fits.hdus import HduTable, table_of_columns
from xgamma.formats.sed.points import flags

if TYPE_CHECKING:
    from astropy.table import Table


# What catalogues write where there is no text.
_NO_TEXT = ("", "--", "None", "N/A")


class SourceTable:
    """One table of a catalogue; names of columns may be in capital or small letters.

    Parameters
    ----------
    table
        As ``xgamma.formats.source_tables.read_source_tables`` returns it.
    path
        Its file, for sentences.
    """

    def __init__(self, table: Table, path: Path) -> None:
        self.table = table
        self._plain: HduTable = table_of_columns(table, path, str(table.meta.get("EXTNAME", path.name)))
        self._numbers: dict[tuple[str, str], FloatArray] = {}
        self._texts: dict[str, list[str]] = {}

    def __len__(self) -> int:
        return len(self.table)

    def __contains__(self, name: str) -> bool:
        return name in self._plain

    def _column(self, name: str) -> npt.NDArray[Any]:
        if name not in self._plain:
            near = did_you_mean(name, self.table.colnames)
            raise InputError(
                f"{self._plain.path}: the table {self._plain.name!r} has no column {name!r}, which is needed here."
                f"{near if near.startswith(' Did') else ' Fetch the catalogue again, or read it with its own class.'}"
            )
        return self._plain.column(name)

    def numbers(self, name: str, unit: str = "") -> FloatArray:
        """Return a column, shape (row, ...); what is not finite, as the -inf of some catalogues, is NaN.

        A column without a unit is taken to be in ``unit``. Raises ``InputError`` where there is no such column, or its
        unit is not known or is of another dimension.
        """
        if (name, unit) not in self._numbers:
            self._column(name)
            values = self._plain.numbers(name, unit)
            self._numbers[name, unit] = np.where(np.isfinite(values), values, np.nan)
        return self._numbers[name, unit]

    def texts(self, name: str) -> list[str]:
        """Return a column of texts, empty where there is none."""
        if name not in self._texts:
            texts = [(each.decode() if isinstance(each, bytes) else str(each)).strip() for each in self._column(name)]
            self._texts[name] = ["" if text in _NO_TEXT else text for text in texts]
        return self._texts[name]

    def flags(self, name: str) -> BoolArray:
        """Return a column of truths, shape (row, ...): logicals, bytes of 0 and 1, or words."""
        values = self._column(name)
        single = astropy.table.Table({name: values.reshape(-1)})
        return flags(table_of_columns(single, self._plain.path, self._plain.name), name).reshape(values.shape)


@dataclass(frozen=True)
class TableRow:
    """One row of a table of a catalogue."""

    columns: SourceTable
    index: int

    def __contains__(self, name: str) -> bool:
        return name in self.columns

    def number(self, name: str, unit: str = "") -> float:
        """Return one number, NaN where the catalogue has none."""
        return float(self.columns.numbers(name, unit)[self.index])

    def optional(self, name: str, unit: str = "") -> float:
        """Return one number, NaN also where there is no such column."""
        return self.number(name, unit) if name in self else math.nan

    def numbers(self, name: str, unit: str = "") -> FloatArray:
        """Return the numbers of a column of arrays."""
        return np.atleast_1d(self.columns.numbers(name, unit)[self.index])

    def flags(self, name: str) -> BoolArray:
        """Return the truths of a column of arrays."""
        return np.atleast_1d(self.columns.flags(name)[self.index])

    def text(self, name: str) -> str:
        """Return one text, empty where the catalogue has none or there is no such column."""
        return self.columns.texts(name)[self.index] if name in self else ""

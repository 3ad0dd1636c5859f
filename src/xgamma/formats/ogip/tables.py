"""What OGIP files have in common: extensions by class, values that are a column or a keyword, files that name files.

Source: OGIP memos OGIP/92-007, OGIP/93-003 and CAL/GEN/92-002.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from xgamma.axes import Axis, FloatArray, IntArray
from xgamma.errors import InputError
from xgamma.formats.fits.hdus import HduTable, axis_of_table, table_named
from xgamma.formats.spectrum_rows import SpectrumRow

ENERGY_UNIT = "keV"
"""What energies without TUNIT are in: the unit of OGIP files since before they had to say it."""

_NO_FILE = ("", "NONE")


class Extension(NamedTuple):
    """How an extension is known: by the class in HDUCLAS1 or HDUCLAS2, or by its EXTNAME."""

    keyword: str
    label: str
    names: tuple[str, ...]

    def describes(self, table: HduTable) -> bool:
        """Whether ``table`` is such an extension."""
        return self.label == text_of(table, self.keyword) or table.name in self.names


SPECTRUM = Extension("HDUCLAS1", "SPECTRUM", ("SPECTRUM",))
BOUNDS = Extension("HDUCLAS2", "EBOUNDS", ("EBOUNDS",))
AREA = Extension("HDUCLAS2", "SPECRESP", ("SPECRESP",))
MATRIX = Extension("HDUCLAS2", "RSP_MATRIX", ("MATRIX", "SPECRESP MATRIX"))


def holds(tables: Mapping[str, HduTable], extension: Extension) -> bool:
    """Whether a file has such an extension."""
    return any(extension.describes(table) for table in tables.values())


def extension_of(tables: Mapping[str, HduTable], extension: Extension, path: Path) -> HduTable:
    """Return the one extension of a kind; raises ``InputError`` when there is none or several."""
    found = [table for table in tables.values() if extension.describes(table)]
    if len(found) > 1:
        raise InputError(
            f"{path} has {len(found)} extensions of the class {extension.label}; expected one. Write each into a file "
            "of its own."
        )
    return found[0] if found else table_named(tables, extension.names, path)


def text_of(table: HduTable, keyword: str) -> str:
    """Return a keyword of a few words in upper case, empty where there is none."""
    return str(table.header.get(keyword, "")).strip().upper()


def axis_of(table: HduTable, name: str, low: str, high: str) -> Axis:
    """Return the energy axis (TeV) of an OGIP table; energies without a unit are keV."""
    return axis_of_table(table, name, low, high, ENERGY_UNIT)


def number_of(table: HduTable, keyword: str, default: float) -> float:
    """Return a keyword as a number; raises ``InputError`` when it is none."""
    value: Any = table.header.get(keyword, default)
    try:
        return float(value)
    except (TypeError, ValueError):
        raise InputError(f"{table.path} has {keyword} = {value!r}; expected a number.") from None


def per_channel(table: HduTable, name: str, default: float, channels: int) -> FloatArray:
    """Return a quantity that OGIP allows as a column or as one keyword, shape (channels,)."""
    values = table.numbers(name) if name in table else np.full(channels, number_of(table, name, default))
    if values.shape != (channels,):
        raise InputError(f"{table.path}: column {name!r} has the shape {values.shape}; expected ({channels},).")
    return values


def companion(table: HduTable, keyword: str) -> Path | None:
    """Return the file that a keyword names beside the file of ``table``; ``None`` for no name and for ``none``.

    As in FITS readers, a name also stands for the file with ``.gz`` after it.
    """
    name = str(table.header.get(keyword, "")).strip()
    if name.upper() in _NO_FILE:
        return None
    path = table.path.parent / name
    packed = path.with_name(f"{path.name}.gz")
    return packed if packed.exists() and not path.exists() else path


_BEGIN, _CONTINUE, _ALONE = 1, -1, 0


def group_starts(spectrum: HduTable, channels: int) -> IntArray:
    """Return the first channel of each group, shape (group,); raises ``InputError`` for a flag that has no meaning."""
    flags = per_channel(spectrum, "GROUPING", _ALONE, channels)
    odd = ~np.isin(flags, (_BEGIN, _CONTINUE, _ALONE))
    if odd.any():
        raise InputError(
            f"{spectrum.path}: GROUPING of channel number {odd.argmax()} is {flags[odd][0]:g}; expected 1, -1 or 0."
        )
    begins = flags != _CONTINUE
    begins[:1] = True
    return np.flatnonzero(begins)


def grouped_row(row: SpectrumRow, starts: IntArray) -> SpectrumRow:
    """Return the spectrum with channels added up to groups that begin at ``starts``.

    A group is good when all its channels are. Its alpha is such that the background
    counts expected in the on region are the sum of those of its channels.
    """
    if len(starts) == row.energy.nbin:
        return row
    size = np.diff(np.append(starts, row.energy.nbin))
    good = np.logical_and.reduceat(row.mask_safe, starts)
    acceptance = np.add.reduceat(row.acceptance, starts) / size
    grouped = replace(
        row,
        energy=Axis(row.energy.name, row.energy.edges[np.append(starts, row.energy.nbin)]),
        counts=np.add.reduceat(row.counts, starts),
        acceptance=acceptance,
        edisp=np.add.reduceat(row.edisp, starts, axis=1),
        mask_safe=good,
    )
    if row.counts_off is None or row.acceptance_off is None:
        return grouped
    mean = np.add.reduceat(row.acceptance_off, starts) / size
    alpha = _alpha(row.acceptance, row.acceptance_off, row.counts_off, starts)
    off = np.divide(acceptance, alpha, out=mean, where=good & (alpha > 0))
    return replace(grouped, counts_off=np.add.reduceat(row.counts_off, starts), acceptance_off=off)


def _alpha(on: FloatArray, off: FloatArray, counts: FloatArray, starts: IntArray) -> FloatArray:
    """Return the mean of alpha over each group, weighted by its off counts where there are any; 0 if unknown."""
    each = np.divide(on, off, out=np.zeros_like(on), where=off > 0)
    has_counts = np.repeat(np.add.reduceat(counts, starts) > 0, np.diff(np.append(starts, len(counts))))
    weight = np.where(has_counts, counts, 1.0)
    return np.asarray(np.add.reduceat(each * weight, starts) / np.add.reduceat(weight, starts))

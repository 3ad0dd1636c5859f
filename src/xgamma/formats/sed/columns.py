"""Columns of a table of flux points, brought to one form: numbers a row, truths, energies with edges.

What writers leave out (units of errors, edges, words for truths) is taken from what stands beside it, or refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from astropy import table as tables

from xgamma.axes import Axis, BoolArray, FloatArray
from xgamma.dialects import fits_unit
from xgamma.errors import InputError
from xgamma.formats.fits.hdus import HduTable

ENERGIES = ("e_ref", "e_min", "e_max")
_WORDS = {"TRUE": True, "T": True, "YES": True, "1": True, "FALSE": False, "F": False, "NO": False, "0": False}
# What stands in a table of text where there is nothing.
_NO_WORD = {"": False, "NAN": False, "--": False, "NONE": False}


def table_of_columns(table: tables.Table, path: Path, name: str) -> HduTable:
    """Return a table of astropy as plain arrays: what is masked is NaN, false or an empty text."""
    plain = tables.Table(table, copy=False)
    columns = {column.upper(): _filled(plain[column]) for column in plain.colnames}
    units = {column.upper(): str(getattr(plain[column], "unit", None) or "") for column in plain.colnames}
    return HduTable(path, name, dict(table.meta), columns, units)


def _filled(column: Any) -> npt.NDArray[Any]:
    values: Any = np.ma.asarray(column)
    if values.dtype.kind in "iu" and np.ma.is_masked(values):
        values = values.astype(np.float64)
    empty: Any = {"f": np.nan, "b": False, "U": "", "S": b""}.get(values.dtype.kind)
    return np.asarray(values.filled(empty))


def energies(table: HduTable, dnde: str) -> tuple[FloatArray, FloatArray]:
    """Return e_ref, shape (energy,), and the edges, shape (energy, 2), in TeV.

    Parameters
    ----------
    table
        With ``e_ref``, or ``e_min`` and ``e_max``, or all of them.
    dnde
        The column of dN/dE, whose unit says that of energies where they have none.

    Raises
    ------
    InputError
        For energies that are no numbers above 0, or edges that are no bins.
    """
    unit = first_unit(table, ENERGIES) or _energy_in(table.units.get(dnde.upper(), ""))
    held = {name: one_a_row(table, name, "TeV", unit) for name in ENERGIES if name in table}
    e_ref, low, high = (held.get(name) for name in ENERGIES)
    if (low is None) != (high is None):
        raise InputError(f"{table.path} has one of the columns e_min and e_max; expected both, or e_ref alone.")
    if low is None or high is None or (e_ref is not None and np.isnan([low, high]).all()):
        e_ref = held["e_ref"] if "e_ref" in held else one_a_row(table, "e_ref", "TeV", unit)
        _validate_energies(table, e_ref, e_ref)
        return e_ref, _halfway(table, e_ref)
    e_ref = np.sqrt(low * high) if e_ref is None else e_ref
    _validate_energies(table, e_ref, low)
    if not np.all(np.isfinite(high) & (high > low)):
        raise InputError(f"{table.path}: e_max has to be above e_min in each row of flux points.")
    return e_ref, np.stack([low, high], axis=1)


def _validate_energies(table: HduTable, *energies: FloatArray) -> None:
    if not len(energies[0]):
        raise InputError(f"{table.path} has no flux points: its table {table.name} has no rows.")
    if not all(np.all(np.isfinite(values) & (values > 0)) for values in energies):
        raise InputError(f"{table.path}: the energies of flux points have to be numbers above 0. Leave out other rows.")


def _halfway(table: HduTable, e_ref: FloatArray) -> FloatArray:
    order = np.argsort(e_ref)
    if np.any(np.diff(e_ref[order]) == 0):
        raise InputError(
            f"{table.path} has two flux points at one energy, and no edges. Give e_min and e_max, or one point each."
        )
    bounds = np.empty((len(e_ref), 2))
    bounds[order] = Axis.from_nodes("energy", e_ref[order], "TeV", "log").bounds
    return bounds


def one_a_row(table: HduTable, name: str, unit: str, without: str) -> FloatArray:
    """Return one number a row in ``unit``, shape (row,); ``without`` is the unit of a column that has none.

    Raises ``InputError`` when neither says a unit, for one of another dimension, and for columns of arrays.
    """
    values = table.numbers(name, unit, without)
    if unit and not (table.units[name.upper()].strip() or without):
        raise InputError(f"{table.path}: column {name!r} has no unit. Give it one, such as {unit!r}.")
    if values.size != len(values):
        raise InputError(
            f"{table.path}: column {name!r} has the shape {values.shape}; expected one number in each row, as flux "
            "points are one spectrum."
        )
    return values.reshape(len(values))


def first_unit(table: HduTable, names: Iterable[str]) -> str:
    """Return the first unit of the columns that are there, empty where none has one."""
    return next((unit for name in names if (unit := table.units.get(name.upper(), "").strip())), "")


def _energy_in(dnde: str) -> str:
    """Return the unit of energy in that of a dN/dE."""
    bases = [base.to_string() for base in fits_unit(dnde).bases]
    return next((base for base in bases if base.endswith("eV")), "")


def flags(table: HduTable, name: str) -> BoolArray:
    """Return a column of truths, which writers keep as logicals, numbers and words; what is missing is false."""
    values = table.column(name).reshape(len(table.column(name)))
    if values.dtype.kind == "b":
        return values
    if values.dtype.kind in "iuf":
        words = ["" if np.isnan(value) else f"{value:g}" for value in values]
    else:
        words = [(value.decode() if isinstance(value, bytes) else str(value)).strip().upper() for value in values]
    known = _WORDS | _NO_WORD
    odd = [word for word in words if word not in known]
    if odd:
        raise InputError(f"{table.path}: column {name!r} holds {odd[0]!r}; expected true or false, 1 or 0.")
    return np.array([known[word] for word in words], dtype=np.bool_)

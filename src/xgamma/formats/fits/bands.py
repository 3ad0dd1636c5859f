"""The axes of arrays in FITS beside those of the sky: tables of bands, and cards that say which columns are an axis.

Sources: gamma-astro-data-formats, "Sky maps", BANDS HDU; the tables EBOUNDS and ENERGIES of the Fermi tools.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from xgamma.axes import Axis, FloatArray, Scale
from xgamma.errors import ConfigError, InputError, LaterError
from xgamma.formats.fits.encoding import Column
from xgamma.formats.fits.hdus import HduTable

# Two names of the format are not those of its rule, NAME with NAME_MIN and NAME_MAX.
_EDGES = {"energy": ("E_MIN", "E_MAX")}
_NAMES: dict[tuple[str, ...], str] = {edges: name for name, edges in _EDGES.items()}
# The unit of columns that say none: gtexpcube2 writes MeV, EBOUNDS is keV by the memo OGIP/92-002.
_WITHOUT_UNIT, _EBOUNDS = "MeV", {"EBOUNDS": "keV"}
_ENERGIES, _ANGLES, _SCALES = ("energy", "energy_true"), ("rad", "theta", "offset"), ("log", "lin")
# Bins of tables in single precision are contiguous to this share of their width.
_CONTIGUOUS = 1e-3


def band_columns(axes: Sequence[Axis]) -> list[Column]:
    """Return the columns of a table of bands; ``axes`` are in FITS order, the fastest first."""
    shape = tuple(axis.nbin for axis in reversed(axes))
    columns = [Column("CHANNEL", np.arange(int(np.prod(shape)), dtype=np.int64))]
    for number, axis in enumerate(axes):
        along = [1] * len(shape)
        along[len(shape) - 1 - number] = axis.nbin
        for column, values in zip(_columns(axis.name), (axis.center, *axis.bounds.T), strict=True):
            array = np.broadcast_to(values.reshape(along), shape).ravel()
            columns.append(Column(column, array, axis.unit))
    return columns


def band_header(axes: Sequence[Axis]) -> dict[str, Any]:
    """Return the cards that say which columns are an axis, and in what scale; ``axes`` are in FITS order."""
    header: dict[str, Any] = {}
    for number, axis in enumerate(axes, start=1):
        center, *edges = _columns(axis.name)
        header[f"AXCOLS{number}"] = center if _is_of_nodes(axis) else ",".join(edges)
        header[f"INTERP{number}"] = axis.scale
    return header


def _columns(name: str) -> tuple[str, str, str]:
    upper = name.upper()
    low, high = _EDGES.get(name, (f"{upper}_MIN", f"{upper}_MAX"))
    return upper, low, high


def _is_of_nodes(axis: Axis) -> bool:
    """Whether the edges are those that follow from the nodes."""
    if axis.nodes is None:
        return False
    made = Axis.from_nodes(axis.name, axis.nodes, axis.unit, axis.scale)
    return bool(np.allclose(made.edges, axis.edges, rtol=1e-9, atol=0))


def axes_of_bands(table: HduTable, header: Mapping[str, Any], shape: tuple[int, ...]) -> tuple[Axis, ...]:
    """Return the axes of an array from its table of bands, slowest first as in ``shape``.

    Energies are in TeV and angles in deg, other axes in the unit of the file. Energies whose scale the file does not
    say are logarithmic.

    Parameters
    ----------
    table
        BANDS, EBOUNDS or ENERGIES.
    header
        Of the array, where the table does not say which columns are an axis.
    shape
        The lengths of the axes, in numpy order.

    Raises
    ------
    InputError
        When the table does not fit the array, or its bins leave gaps or do not ascend.
    LaterError
        For an axis of labels.
    """
    size = int(np.prod(shape))
    if any(len(values) != size for values in table.columns.values()):
        raise InputError(
            f"{table.where} has {len(next(iter(table.columns.values())))} rows; expected {size}, one for each plane "
            f"of the array of {shape}."
        )
    named = [_named_columns(table, header, number) for number in range(1, len(shape) + 1)]
    if len(shape) == 1 and named == [()]:
        named = [_usual_columns(table)]
    if () in named:
        raise InputError(f"{table.where} does not say which columns are axis {named.index(()) + 1} (AXCOLS).")
    axes = []
    for dim, columns in enumerate(reversed(named)):
        number = len(shape) - dim
        interp = str(table.header.get(f"INTERP{number}", header.get(f"INTERP{number}", ""))).strip().lower()
        axes.append(_axis(_Columns(table, columns, shape, dim), interp))
    return tuple(axes)


def _named_columns(table: HduTable, header: Mapping[str, Any], number: int) -> tuple[str, ...]:
    text = str(table.header.get(f"AXCOLS{number}", header.get(f"AXCOLS{number}", "")))
    return tuple(name.strip().upper() for name in text.split(",") if name.strip())


def _usual_columns(table: HduTable) -> tuple[str, ...]:
    """Return the columns of an axis of energies where the table does not say them."""
    for columns in (("E_MIN", "E_MAX"), ("ENERGY_TRUE_MIN", "ENERGY_TRUE_MAX"), ("ENERGY_TRUE",), ("ENERGY",)):
        if all(column in table for column in columns):
            return columns
    return ()


class _Columns(NamedTuple):
    """The columns of one axis of an array of ``shape``, which is number ``dim`` of it."""

    table: HduTable
    names: tuple[str, ...]
    shape: tuple[int, ...]
    dim: int

    @property
    def axis(self) -> str:
        """The name of the axis."""
        if self.table.name == "ENERGIES":
            return "energy_true"
        return _NAMES.get(self.names, self.names[0].removesuffix("_MIN").lower())

    @property
    def units(self) -> tuple[str, str]:
        """The unit of the axis, and that of its columns where they say none."""
        if self.axis in _ENERGIES:
            return "TeV", _EBOUNDS.get(self.table.name, _WITHOUT_UNIT)
        return ("deg", "deg") if self.axis in _ANGLES else (self.table.units.get(self.names[0], ""), "")

    def numbers(self, column: str) -> FloatArray:
        """Return the values of a column along the axis in its unit."""
        if np.asarray(self.table.column(column)).dtype.kind in "USO":
            raise LaterError(f"{self.table.where} has an axis of labels, {column}; maps with these are not read yet.")
        given = self.table.numbers(column, *self.units)
        if given.ndim != 1:
            raise InputError(f"{self.table.where}: {column} has {given.shape[1:]} numbers in a row; expected one.")
        values = given.reshape(self.shape)
        return np.asarray(np.moveaxis(values, self.dim, 0).reshape(self.shape[self.dim], -1)[:, 0])


def _axis(columns: _Columns, interp: str) -> Axis:
    where = columns.table.where
    try:
        match columns.names:
            case (node,):
                nodes = columns.numbers(node)
                return Axis.from_nodes(columns.axis, nodes, columns.units[0], _scale(columns.axis, interp, nodes[0]))
            case (low, high):
                return _axis_of_edges(columns, columns.numbers(low), columns.numbers(high), interp)
    except ConfigError as error:
        raise InputError(f"{where}: {error}") from None
    raise InputError(f"{where} has an axis of {len(columns.names)} columns; expected nodes, or lower and upper edges.")


def _axis_of_edges(columns: _Columns, low: FloatArray, high: FloatArray, interp: str) -> Axis:
    name, unit = columns.axis, columns.units[0]
    if not np.allclose(low[1:], high[:-1], rtol=0, atol=_CONTIGUOUS * np.abs(high - low).max(initial=0)):
        raise InputError(
            f"{columns.table.where}: the bins of its axis {name!r} leave gaps. Fill them, or split the map."
        )
    axis = Axis(name, np.append(low, high[-1]), unit, _scale(name, interp, low[0]))
    center = _columns(name)[0]
    # Centres in another scale, as the square root, are kept as they are in the file.
    if interp in (*_SCALES, "") or center not in columns.table:
        return axis
    return replace(axis, nodes=columns.numbers(center))


def _scale(name: str, interp: str, first: float) -> Scale:
    wanted = interp or ("log" if name in _ENERGIES else "lin")
    return "log" if wanted == "log" and first > 0 else "lin"

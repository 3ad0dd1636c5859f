"""GADF response HDUs as labelled arrays in canonical units, and where they have holes.

A hole is a true energy without an entry between others of the same offset that have one. Where a table begins and ends,
nothing was simulated; in the middle an entry was lost, and an interpolation beside it would take a share of it for an
answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from xgamma.axes import Axis, BoolArray
from xgamma.errors import InputError
from xgamma.formats.fits.tables import FitsTable, Header, as_input_error
from xgamma.formats.gadf.irf_axes import FloatingArray, given_axes, in_order
from xgamma.formats.gadf.layouts import LAYOUTS, ColumnLayout, sister_class
from xgamma.units import unit_factor

Values = Mapping[str, FloatingArray]


@dataclass(frozen=True)
class Response:
    """One response of one run.

    Parameters
    ----------
    kind
        The GADF HDU_CLASS, for example ``psf_table``.
    axes
        Its axes in the order of the dims of ``values``.
    values
        Variables in canonical units, in the precision of the file.
    units
        Their units.
    header
        The header of its HDU.
    remarks
        What had to be assumed to read it, in sentences.
    """

    kind: str
    axes: tuple[Axis, ...]
    values: dict[str, FloatingArray]
    units: dict[str, str]
    header: Header
    remarks: tuple[str, ...] = ()

    @property
    def table_name(self) -> str:
        """The name of the table that it shares with all responses of its kind and axes."""
        digest = hashlib.sha256("".join(axis.digest for axis in self.axes).encode()).hexdigest()[:12]
        return f"irf/{self.kind}-{digest}"

    @property
    def digest(self) -> bytes:
        """A digest of the values."""
        content = hashlib.blake2b(self.kind.encode(), digest_size=16)
        for values in self.values.values():
            content.update(np.ascontiguousarray(values).tobytes())
        return content.digest()

    @cached_property
    def identity(self) -> tuple[str, bytes]:
        """Table name and digest, which are the same where kind, axes and values are."""
        return self.table_name, self.digest

    def sharing(self, other: Response) -> Response:
        """Return the same with the arrays of another one of the same identity."""
        if other is self:
            return self
        shared = replace(self, axes=other.axes, values=other.values)
        shared.__dict__["identity"] = other.identity
        return shared


def response(kind: str, table: FitsTable) -> Response:
    """Return the response of one HDU.

    Parameters
    ----------
    kind
        The HDU_CLASS that the index gives; where the columns are those of a sister class, such as another form of the
        point spread function, they decide.
    table
        The HDU.

    Raises
    ------
    InputError
        For a class, a unit or a layout that is not known, or that can be read in two ways.
    """
    if kind not in LAYOUTS:
        raise InputError(f"HDU {table.name!r} has the class {kind!r}; known are {', '.join(LAYOUTS)}.")
    with as_input_error(f"HDU {table.name!r} of class {kind}"):
        validate_one_row(table)
        found = _response(sister_class(kind, frozenset(table.columns)), table)
    if found.kind == kind:
        return found
    return replace(found, remarks=(*found.remarks, f"Its class is {kind} by name, and {found.kind} by its columns."))


def validate_one_row(table: FitsTable) -> None:
    """Raise ``InputError`` unless an HDU holds one response: a row, or several that are the same."""
    rows = table.rows
    if not len(rows) or any(row.tobytes() != rows[0].tobytes() for row in rows[1:]):
        raise InputError(f"HDU {table.name!r} has {len(rows)} rows that differ; expected one row with one response.")


def _response(kind: str, table: FitsTable) -> Response:
    given = given_axes(kind, table)
    layout = LAYOUTS[kind]
    values: dict[str, FloatingArray] = {}
    meant = dict(given.units)
    for name, columns in layout.columns.items():
        column = _column(columns, table)
        meant[column] = "" if columns.has_any_unit else layout.file_units[name]
        unit = None if columns.has_any_unit else layout.units[name]
        values[name] = in_order(_values(table, column, meant[column], unit), kind, column, table, given)
    lost = holes(kind, values)
    if kind == "psf_3gauss":
        values |= {f"sigma_{n}": _width(values[f"sigma_{n}"], values.get(f"ampl_{n}")) for n in (1, 2, 3)}
    axes = tuple(given.axes[dim] for dim in layout.dims)
    bare = [column for column, unit in meant.items() if unit and not table.columns[column].strip()]
    assumed = [f"Its column {column} has no unit; {meant[column]} is assumed." for column in bare]
    if lost is not None and kind != "aeff_2d":
        values = with_unknown_holes(values, lost)
    return Response(kind, axes, values, layout.units, table.header, (*given.remarks, *assumed))


def _width(sigma: FloatingArray, amplitude: FloatingArray | None) -> FloatingArray:
    # A component that is not there has sigma 0 or amplitude 0: any other width keeps it finite.
    is_absent = (sigma == 0) | (False if amplitude is None else (amplitude == 0) & ~np.isfinite(sigma))
    return np.where(is_absent, sigma.dtype.type(1), sigma)


def _column(layout: ColumnLayout, table: FitsTable) -> str:
    present = [column for column in layout.names if column in table.columns]
    if not present:
        raise InputError(f"HDU {table.name!r} has no column {layout.names[0]!r}; it has {', '.join(table.columns)}.")
    return present[0]


def _values(table: FitsTable, column: str, meant: str, unit: str | None) -> FloatingArray:
    """Return the array of a column in ``unit``, in the precision of the file; without a unit it is in ``meant``."""
    given = table.columns[column].strip() or meant
    stored = np.atleast_1d(table.column(column)[0])
    values: FloatingArray = stored if stored.dtype.kind == "f" else stored.astype(float)
    where = f"HDU {table.name!r}: the column {column}"
    factor = 1.0 if unit is None else unit_factor(given, unit, where)
    return values if factor == 1.0 else np.asarray(values * values.dtype.type(factor))


def holes(kind: str, values: Values) -> BoolArray | None:
    """Return where a response has holes, shape (offset, energy_true); ``None`` where it has none, or cannot have any.

    Parameters
    ----------
    kind
        Its HDU_CLASS.
    values
        Its variables, dims in the order of its class, energies last.
    """
    empty = _empty(kind, values)
    if empty is None or not empty.any():
        return None
    found = between(empty)
    return found if found.any() else None


def between(empty: BoolArray) -> BoolArray:
    """Return which empty entries lie between others that are not, along the last axis.

    >>> between(np.array([True, False, True, True, False, True])).tolist()
    [False, False, True, True, False, False]
    """
    begun = np.logical_or.accumulate(~empty, axis=-1)
    goes_on = np.logical_or.accumulate(~empty[..., ::-1], axis=-1)[..., ::-1]
    return np.asarray(empty & begun & goes_on)


def _empty(kind: str, values: Values) -> BoolArray | None:
    if kind == "aeff_2d":
        return np.asarray(values["aeff"] == 0)
    if kind == "psf_table":
        return np.asarray((values["psf"] == 0).all(axis=1))
    if kind == "psf_3gauss":
        return np.asarray((values["scale"] == 0) | (values["sigma_1"] == 0))
    if kind == "psf_king":
        return np.asarray((values["gamma"] == 0) | (values["sigma"] == 0))
    return None


def with_unknown_holes(values: Values, where: BoolArray) -> dict[str, FloatingArray]:
    """Return the values with NaN in the holes, which is what is not known; dims are (offset, ..., energy_true)."""
    filled = {}
    for name, value in values.items():
        wide = where.reshape(where.shape[0], *[1] * (value.ndim - 2), where.shape[1])
        filled[name] = np.where(wide, value.dtype.type(np.nan), value)
    return filled


def span_of_holes(axis: Axis, where: BoolArray) -> str:
    """Return the energies of holes as a text.

    >>> span_of_holes(Axis.from_bounds("energy_true", 1, 100, 2), np.array([[False, True], [False, False]]))
    '10 to 100 TeV'
    """
    bins = np.flatnonzero(where.any(axis=0))
    return f"{axis.edges[bins[0]]:.3g} to {axis.edges[bins[-1] + 1]:.3g} {axis.unit}"

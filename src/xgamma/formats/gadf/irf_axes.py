"""Axes of a response, and which dim of an array is which of them.

What says so must agree: TDIM gives the sizes, CREF names the axes, and where there is no CREF the columns stand in
their order, or in that of the format. An array that fits none of it, or two orders that differ, is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from xgamma.axes import Axis, FloatArray
from xgamma.errors import InputError
from xgamma.formats.fits.tables import FitsTable
from xgamma.formats.gadf.layouts import AXES, LAYOUTS, AxisLayout, dims_of
from xgamma.units import unit_factor

# Edges of single precision in another unit.
TOUCHING = 1e-4

Order = tuple[str, ...]
FloatingArray = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class GivenAxes:
    """The axes of one HDU.

    Parameters
    ----------
    axes
        By dim, in the order of their columns; ascending.
    descending
        Those that descend in the file.
    units
        The canonical unit of each of their columns.
    """

    axes: dict[str, Axis]
    descending: frozenset[str]
    units: dict[str, str]

    @property
    def remarks(self) -> tuple[str, ...]:
        """What had to be assumed, in sentences."""
        return tuple(f"Its axis {name} descends; it is turned with its values." for name in sorted(self.descending))

    @property
    def order(self) -> Order:
        """The dims in the order of their columns."""
        return tuple(self.axes)


def given_axes(kind: str, table: FitsTable) -> GivenAxes:
    """Return the axes of an HDU of a class; raises ``InputError`` unless they are those of the class, each once."""
    names = dims_of(kind)
    prefixes = [column.removesuffix("_LO") for column in table.columns if column.endswith("_LO")]
    found = [prefix for prefix in prefixes if prefix in names]
    if sorted(names[prefix] for prefix in found) != sorted(LAYOUTS[kind].dims):
        raise InputError(
            f"HDU {table.name!r} of class {kind} has the axes {sorted(names[prefix] for prefix in found)}; expected "
            f"{sorted(LAYOUTS[kind].dims)}."
        )
    axes: dict[str, Axis] = {}
    descending = set[str]()
    for prefix in found:
        name = names[prefix]
        low, high = (_column(table, f"{prefix}_{end}", AXES[name].unit) for end in ("LO", "HI"))
        if len(low) > 1 and low[0] > low[-1]:
            low, high = low[::-1], high[::-1]
            descending.add(name)
        axes[name] = _axis(name, low, high, AXES[name], f"HDU {table.name!r}: the axis {prefix}")
    units = {f"{prefix}_{end}": AXES[names[prefix]].unit for prefix in found for end in ("LO", "HI")}
    return GivenAxes(axes, frozenset(descending), units)


def _column(table: FitsTable, column: str, unit: str) -> FloatArray:
    values = np.atleast_1d(table.column(column)[0]).astype(float).ravel()
    return values * unit_factor(table.columns[column], unit, f"HDU {table.name!r}: the column {column}")


def _axis(name: str, low: FloatArray, high: FloatArray, layout: AxisLayout, where: str) -> Axis:
    # The runs of a release have the same few axes.
    return _axis_of(name, low.tobytes(), high.tobytes(), layout, where)


@lru_cache(maxsize=256)
def _axis_of(name: str, lower: bytes, upper: bytes, layout: AxisLayout, where: str) -> Axis:
    low, high = np.frombuffer(lower), np.frombuffer(upper)
    if len(low) != len(high) or not len(low) or not np.isfinite([low, high]).all():
        raise InputError(
            f"{where} needs as many lower as upper edges, all finite; got {_shown(low)} and {_shown(high)}."
        )
    is_nodes = np.allclose(low, high)
    if np.any(np.diff(low) <= 0) or np.any(np.diff(high) <= 0) or (not is_nodes and np.any(low >= high)):
        raise InputError(f"{where} does not ascend: its edges are {_shown(low)} and {_shown(high)}.")
    if layout.scale == "log" and low[0] <= 0:
        raise InputError(f"{where} begins at {low[0]:g} {layout.unit}; energies are above 0 and not logarithms.")
    if is_nodes:
        return _from_centre(Axis.from_nodes(name, low, layout.unit, layout.scale), where)
    reach = TOUCHING * (high - low)
    if np.all(np.abs(low[1:] - high[:-1]) <= np.minimum(reach[1:], reach[:-1])):
        return _from_centre(Axis(name, np.append(low, high[-1]), layout.unit, layout.scale), where)
    if layout.is_integrated:
        raise InputError(f"{where} has bins that do not touch: its edges are {_shown(low)} and {_shown(high)}.")
    return _apart(name, low, high, layout)


def _from_centre(axis: Axis, where: str) -> Axis:
    """Return an axis of rings that begins at the centre: a core left out is as dense as the first ring."""
    if axis.name != "rad" or axis.edges[0] <= 0:
        return axis
    if axis.edges[0] > axis.width[0]:
        raise InputError(f"{where} begins at {axis.edges[0]:g} {axis.unit}: what is nearer to the centre is not known.")
    return replace(axis, edges=np.append(0.0, axis.edges[1:]))


def _apart(name: str, low: FloatArray, high: FloatArray, layout: AxisLayout) -> Axis:
    """Return the axis of bins that have gaps or overlap: their centres are nodes, and edges lie between them."""
    center = np.sqrt(low * high) if layout.scale == "log" else 0.5 * (low + high)
    scaled = np.log(center) if layout.scale == "log" else center
    middle = 0.5 * (scaled[1:] + scaled[:-1])
    inner = np.exp(middle) if layout.scale == "log" else middle
    return Axis(name, np.concatenate([[low[0]], inner, [high[-1]]]), layout.unit, layout.scale, center)


def _shown(values: FloatArray) -> str:
    return ", ".join(f"{value:g}" for value in values[:4].tolist()) + (", ..." if len(values) > 4 else "")


def in_order(values: FloatingArray, kind: str, column: str, table: FitsTable, given: GivenAxes) -> FloatingArray:
    """Return the array of a column with its dims in the order of ``LAYOUTS[kind].dims``, each ascending.

    Parameters
    ----------
    values
        As in the file: the fastest dim last, or flat.
    kind, column, table
        The class, and where the values come from.
    given
        The axes of the HDU.

    Raises
    ------
    InputError
        When the sizes are not those of the axes, or it cannot be said which dim is which.
    """
    order = _order(values.shape, kind, column, table, given)
    shaped = values.reshape([given.axes[name].nbin for name in order])
    flip = tuple(slice(None, None, -1) if name in given.descending else slice(None) for name in order)
    return np.ascontiguousarray(shaped[flip].transpose([order.index(dim) for dim in _stored(kind, given)]))


def _stored(kind: str, given: GivenAxes) -> Order:
    return ("energy", "fov_lat", "fov_lon") if _is_square_cube(kind, given) else LAYOUTS[kind].dims


def _is_square_cube(kind: str, given: GivenAxes) -> bool:
    # The field reads cubes of files, (ENERG, DETY, DETX), as (energy, fov_lon, fov_lat): reference backgrounds follow
    # that reading, and the cubes are not symmetric.
    return kind == "bkg_3d" and given.axes["fov_lon"].nbin == given.axes["fov_lat"].nbin


def _order(shape: tuple[int, ...], kind: str, column: str, table: FitsTable, given: GivenAxes) -> Order:
    """Return the dims of an array in the file, the slowest first."""
    where = f"HDU {table.name!r}: the array {column}"
    named = _named(kind, column, table)
    usual = [order[::-1] for order in LAYOUTS[kind].orders]
    by_columns = given.order[::-1]
    first = [] if _is_square_cube(kind, given) and by_columns not in usual else [by_columns]
    candidates = [named] if named else [*first, *(order for order in usual if order != by_columns)]
    fitting = [order for order in candidates if _fits(shape, order, given)]
    if not fitting:
        sizes = ", ".join(f"{name} {given.axes[name].nbin}" for name in candidates[0][::-1])
        raise InputError(
            f"{where} has the sizes {', '.join(map(str, shape[::-1]))} (TDIM) where its axes are {sizes} "
            f"({'CREF' if named else 'the order of its columns'}); correct the file so that they agree."
        )
    arrangements = {tuple(name for name in order if given.axes[name].nbin > 1) for order in fitting}
    if named or by_columns in usual or len(arrangements) == 1:
        return fitting[0]
    raise InputError(
        f"{where} can be read in two ways, {' and '.join('(' + ', '.join(order[::-1]) + ')' for order in fitting)}, as "
        "their sizes are the same and there is no CREF; add one to its header."
    )


def _fits(shape: tuple[int, ...], order: Order, given: GivenAxes) -> bool:
    sizes = [given.axes[name].nbin for name in order]
    many = [size for size in sizes if size > 1]
    return [size for size in shape if size > 1] == many or shape == (int(np.prod(sizes)),)


def _named(kind: str, column: str, table: FitsTable) -> Order | None:
    """Return the dims that CREF names, the slowest first; ``None`` where there is none that names them all."""
    number = list(table.columns).index(column) + 1
    names = dims_of(kind)
    words = str(table.header.get(f"CREF{number}", "")).strip().strip("()").upper().split(",")
    found = tuple(names.get(word.split(":")[0].strip().removesuffix("_LO"), "") for word in words)
    return found[::-1] if sorted(found) == sorted(LAYOUTS[kind].dims) else None

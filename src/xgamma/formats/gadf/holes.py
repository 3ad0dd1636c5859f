"""Holes of a response: true energies without an entry, between others of the same offset that have one.

Where a table begins and ends, nothing was simulated. In the middle somebody lost something, and an interpolation beside
a hole would take a share of it for an answer.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from xgamma.axes import Axis, BoolArray
from xgamma.formats.gadf.irf_axes import FloatingArray

Values = Mapping[str, FloatingArray]


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

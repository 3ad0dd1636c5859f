"""Stacking: rows of a reduction summed to one, by sums that can be combined and a division at the end.

Sums run in the canonical order of the rows and in leaves of a fixed size, so that neither chunking nor the number of
workers changes a bit of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from xgamma import schema
from xgamma.axes import BoolArray, FloatArray, IntArray
from xgamma.errors import DataError
from xgamma.outcome import Outcome
from xgamma.reduce.rows import MEMBERS
from xgamma.times import merged_gti

LEAF = 64
STEP_VERSION = 2

Sums = dict[str, FloatArray]


@dataclass(frozen=True)
class Leaves:
    """How rows are cut into leaves: never across groups, so that a group alone sums to the same bytes.

    Parameters
    ----------
    order
        The rows, group by group, in each the order that they came in, shape (row,).
    leaf
        The leaf of each row in that order, ascending, shape (row,).
    group
        The group of each leaf, shape (leaf,).
    """

    order: IntArray
    leaf: IntArray
    group: IntArray

    def blocks(self, rows: int) -> Iterator[slice]:
        """Yield slices of the ordered rows that hold whole leaves and at least ``rows`` rows, but for the last."""
        ends = np.append(np.flatnonzero(np.diff(self.leaf)) + 1, len(self.leaf))
        start = 0
        while start < len(self.leaf):
            stop = int(ends[min(int(np.searchsorted(ends, start + rows)), len(ends) - 1)])
            yield slice(start, stop)
            start = stop


def leaves_of(groups: IntArray) -> Leaves:
    """Return the leaves of rows in canonical order, of which ``groups`` is the group of each, shape (row,)."""
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    first = np.searchsorted(ordered, ordered)
    cut = (np.arange(len(ordered)) - first) // LEAF
    is_new = np.ones(len(ordered), dtype=bool)
    is_new[1:] = (np.diff(ordered) != 0) | (np.diff(cut) != 0)
    return Leaves(order, np.cumsum(is_new) - 1, ordered[is_new])


def leaf_sums(ds: xr.Dataset, leaf: IntArray) -> Sums:
    """Return the sufficient statistics of whole leaves; a masked row is the neutral element.

    Parameters
    ----------
    ds
        DL4 rows.
    leaf
        The leaf of each, ascending, shape (dataset,).

    Returns
    -------
    dict
        Sums of shape (leaf, ...): ``counts``, ``exposure``, ``weight`` (exposure of edisp), ``weighted_edisp``,
        ``livetime``, ``ontime``, ``ledger``, and with off counts ``off``, ``alpha_off``, ``safe``, ``acceptance_off``.
    """
    count = int(leaf[-1] - leaf[0]) + 1 if len(leaf) else 0
    values = {str(name): ds[name].values for name in ds.data_vars}
    total: Sums = {}
    for rows in Leaves(np.arange(len(leaf)), leaf, leaf).blocks(LEAF):
        for name, term in _terms({name: array[rows] for name, array in values.items()}).items():
            sums = total.setdefault(name, np.zeros((count, *term.shape[1:]), dtype=term.dtype))
            np.add.at(sums, leaf[rows] - leaf[0], term)
    return total


def summed(leaves: Iterable[Sums], group: IntArray, count: int) -> Sums:
    """Return the sums of groups, shape (group, ...), from those of all leaves in their order.

    Parameters
    ----------
    leaves
        Results of ``leaf_sums``, one after the other.
    group
        The group of each leaf, shape (leaf,).
    count
        The number of groups.
    """
    total: Sums = {}
    first = 0
    for sums in leaves:
        for name, term in sums.items():
            added = total.setdefault(name, np.zeros((count, *term.shape[1:]), dtype=term.dtype))
            np.add.at(added, group[first : first + len(term)], term)
        first += len(sums["counts"])
    return total


def combine(ds: xr.Dataset, groups: IntArray, count: int) -> Sums:
    """Return the sufficient statistics of each group of rows, shape (group, ...); see ``leaf_sums``.

    Parameters
    ----------
    ds
        DL4 rows in canonical order.
    groups
        The group of each row, shape (dataset,).
    count
        The number of groups.
    """
    leaves = leaves_of(groups)
    is_ordered = np.array_equal(leaves.order, np.arange(len(leaves.order)))
    return summed([leaf_sums(ds if is_ordered else ds.isel(dataset=leaves.order), leaves.leaf)], leaves.group, count)


def _terms(rows: Mapping[str, npt.NDArray[Any]]) -> Sums:
    """Return what each of some rows adds to the sums of its group."""
    safe: BoolArray = rows["mask_safe"]
    any_safe = np.any(safe, axis=2)
    used = np.any(any_safe, axis=1)
    weight = _masked(rows["exposure_edisp"], any_safe[..., None])
    terms = {
        "counts": _masked(rows["counts"], safe),
        "safe": safe.astype(float),
        "exposure": _masked(rows["exposure"], any_safe[..., None]),
        "weight": weight,
        "weighted_edisp": _masked(rows["edisp"], weight[..., None] * safe[:, :, None, :]),
        "livetime": _masked(rows["livetime"], used),
        "ontime": _masked(rows["ontime"], used),
        "ledger": rows["ledger"],
    }
    if "background" in rows:
        terms["background"] = _masked(rows["background"], safe)
    if "counts_off" in rows:
        off, acceptance, acceptance_off = (rows[n] for n in ("counts_off", "acceptance", "acceptance_off"))
        with np.errstate(invalid="ignore", over="ignore"):
            alpha = np.divide(acceptance, acceptance_off, out=np.zeros_like(off), where=acceptance_off > 0)
        off = _masked(off, safe)
        terms |= {"off": off, "alpha_off": _masked(alpha, off), "acceptance_off": _masked(acceptance_off, safe)}
    return terms


def _masked(values: npt.NDArray[Any], factor: npt.NDArray[Any]) -> FloatArray:
    """Return the product, which is 0 where the factor is, whatever the value: 0 times NaN is not neutral."""
    with np.errstate(invalid="ignore", over="ignore"):
        product = values * factor
        is_finite = bool(np.isfinite(product.sum()))
    return np.asarray(product if is_finite else np.where(factor == 0, 0.0, product))


def finalise(sums: Sums) -> dict[str, Any]:
    """Return the variables of the stacks from their sums: the divisions, once, at the end."""
    weight = sums["weight"][..., None]
    values: dict[str, Any] = {
        name: sums[name]
        for name in ("counts", "exposure", "livetime", "ontime", "ledger", "background")
        if name in sums
    }
    values |= {
        "exposure_edisp": sums["weight"],
        "edisp": np.divide(sums["weighted_edisp"], weight, out=np.zeros_like(sums["weighted_edisp"]), where=weight > 0),
        "mask_safe": sums["safe"] > 0,
    }
    if "off" in sums:
        ones = np.ones_like(sums["off"])
        values |= {"counts_off": sums["off"], "acceptance": ones, "acceptance_off": _acceptance_off(sums)}
    return values


def _acceptance_off(sums: Sums) -> FloatArray:
    """Return off / (alpha off); bins without off counts take the mean over the energies, else of the rows."""
    off, alpha_off = sums["off"], sums["alpha_off"]
    rows = sums["safe"].sum(axis=-1)
    fallback = np.divide(sums["acceptance_off"].sum(axis=-1), rows, out=np.zeros_like(rows), where=rows > 0)
    total_off, total = off.sum(axis=-1), alpha_off.sum(axis=-1)
    mean = np.divide(total_off, total, out=fallback, where=total > 0)
    spread = np.repeat(mean[..., None], off.shape[-1], axis=-1)
    return np.asarray(np.divide(off, alpha_off, out=spread, where=alpha_off > 0))


def stack(ds: xr.Dataset, groups: Sequence[str] | None = None, name: str = "stacked") -> xr.Dataset:
    """Stack the rows of a reduction, all into one or by group.

    Parameters
    ----------
    ds
        DL4, rows in canonical order (time, then key).
    groups
        The name of the group of each row; ``None`` for one stack.
    name
        The name of the one stack.

    Returns
    -------
    xarray.Dataset
        DL4, a row for each group in the order of first appearance; ``attrs["rows"]`` names the rows of each.

    Raises
    ------
    DataError
        When no row can be used.
    """
    labels = [name] * ds.sizes["dataset"] if groups is None else list(groups)
    names = list(dict.fromkeys(labels))
    place = {label: number for number, label in enumerate(names)}
    number = np.array([place[label] for label in labels])
    found = row_facts(ds)
    if not found.used.any():
        reasons = sorted(set(ds.attrs["outcome_details"]))
        raise DataError(f"There is nothing to stack: no run can be used ({'; '.join(reasons)}).")
    result = stacks(combine(ds, number, len(names)), number, found, names, ds)
    members = [ds["dataset"].values[number == group].tolist() for group in range(len(names))]
    return result.assign_attrs({MEMBERS: members})


@dataclass(frozen=True)
class RowFacts:
    """What a stack needs of rows beside their sums: good time (row, gti, bound), outcome, whether each is used."""

    gti: FloatArray
    outcome: IntArray
    used: BoolArray


def row_facts(ds: xr.Dataset) -> RowFacts:
    """Return the facts of DL4 rows."""
    return RowFacts(ds["gti"].values, ds["outcome"].values, np.asarray(ds["mask_safe"].values.any(axis=(1, 2))))


def stacks(sums: Sums, groups: IntArray, rows: RowFacts, names: Sequence[str], like: xr.Dataset) -> xr.Dataset:
    """Return the stacks of groups of rows.

    Parameters
    ----------
    sums
        Their sufficient statistics, shape (group, ...).
    groups
        The group of each row, shape (row,).
    rows
        The facts of all rows.
    names
        The names of the groups.
    like
        Some of the rows, for axes, space and attributes.
    """
    values = finalise(sums)
    members = [np.flatnonzero(groups == group) for group in range(len(names))]
    values["gti"] = _padded([merged_gti(_rows_of(rows.gti[own[rows.used[own]]])) for own in members])
    outcome = [_outcome(rows.outcome[own], rows.used[own]) for own in members]
    values["outcome"] = np.array(outcome)
    kept = [key for key in like.coords if "dataset" not in like.coords[key].dims and key != "fate"]
    coords: dict[Any, Any] = {key: like.coords[key] for key in kept}
    coords["dataset"] = (("dataset",), np.array(names), {"long_name": "Name"})
    attrs = {**like.attrs, "outcome_details": [code.sentence for code in outcome]}
    dims = tuple(str(dim) for dim in like["counts"].dims if dim not in ("dataset", "energy"))
    return schema.dataset(values, coords, attrs, dims, tuple(like.sizes[dim] for dim in dims))


def _outcome(outcomes: IntArray, used: BoolArray) -> Outcome:
    """Return what a group of rows comes to: used, or why its first row is not."""
    if used.any():
        return Outcome.USED
    reasons = outcomes[outcomes != Outcome.USED]
    return Outcome(int(reasons[0])) if len(reasons) else Outcome.NO_SAFE_BIN


def _rows_of(gti: FloatArray) -> FloatArray:
    rows = gti.reshape(-1, 2)
    return rows[np.isfinite(rows).all(axis=1)]


def _padded(intervals: list[FloatArray]) -> FloatArray:
    width = max([len(rows) for rows in intervals] + [1])
    return np.stack([np.pad(rows, ((0, width - len(rows)), (0, 0)), constant_values=np.nan) for rows in intervals])

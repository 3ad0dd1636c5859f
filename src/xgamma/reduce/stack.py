"""Stacking: rows of a reduction summed to one, by sums that can be combined and a division at the end.

Sums run in the canonical order of the rows and in leaves of a fixed size, so that neither chunking nor the number of
workers changes a bit of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from xgamma import schema
from xgamma.axes import BoolArray, FloatArray, IntArray
from xgamma.errors import DataError
from xgamma.outcome import Outcome
from xgamma.times import merged_gti

LEAF = 64
STEP_VERSION = 1


def combine(ds: xr.Dataset, groups: IntArray, count: int) -> dict[str, FloatArray]:
    """Return the sufficient statistics of each group of rows; a masked row is the neutral element.

    Parameters
    ----------
    ds
        DL4 rows in canonical order.
    groups
        The group of each row, shape (dataset,).
    count
        The number of groups.

    Returns
    -------
    dict
        Sums of shape (group, ...): ``counts``, ``any_safe``, ``exposure``, ``weight`` (exposure of edisp),
        ``weighted_edisp``, ``livetime``, ``ontime``, ``ledger``, and with off counts ``off``, ``alpha_off``,
        ``safe``, ``acceptance_off``.
    """
    values = {str(name): ds[name].values for name in ds.data_vars}
    total: dict[str, FloatArray] = {}
    for start in range(0, len(groups), LEAF):
        leaf = slice(start, start + LEAF)
        for name, term in _terms({name: rows[leaf] for name, rows in values.items()}).items():
            added = _summed(term, groups[leaf], count)
            total[name] = total[name] + added if name in total else added
    return total


def _terms(rows: Mapping[str, npt.NDArray[Any]]) -> dict[str, FloatArray]:
    """Return what each of some rows adds to the sums of its group."""
    safe: BoolArray = rows["mask_safe"]
    any_safe = np.any(safe, axis=2)
    used = np.any(any_safe, axis=1)
    weight = rows["exposure_edisp"] * any_safe[..., None]
    terms = {
        "counts": rows["counts"] * safe,
        "safe": safe.astype(float),
        "exposure": rows["exposure"] * any_safe[..., None],
        "weight": weight,
        "weighted_edisp": rows["edisp"] * weight[..., None] * safe[:, :, None, :],
        "livetime": rows["livetime"] * used,
        "ontime": rows["ontime"] * used,
        "ledger": rows["ledger"],
    }
    if "background" in rows:
        terms["background"] = rows["background"] * safe
    if "counts_off" in rows:
        off, acceptance, acceptance_off = (rows[n] for n in ("counts_off", "acceptance", "acceptance_off"))
        alpha = np.divide(acceptance, acceptance_off, out=np.zeros_like(off), where=acceptance_off > 0)
        terms |= {"off": off * safe, "alpha_off": alpha * off * safe, "acceptance_off": acceptance_off * safe}
    return terms


def _summed(values: FloatArray, groups: IntArray, count: int) -> FloatArray:
    total = np.zeros((count, *values.shape[1:]), dtype=values.dtype)
    np.add.at(total, groups, values)
    return total


def finalise(sums: dict[str, FloatArray]) -> dict[str, Any]:
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


def _acceptance_off(sums: dict[str, FloatArray]) -> FloatArray:
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
        DL4, a row for each group in the order of first appearance.

    Raises
    ------
    DataError
        When no row can be used.
    """
    labels = [name] * ds.sizes["dataset"] if groups is None else list(groups)
    names = list(dict.fromkeys(labels))
    number = np.array([names.index(label) for label in labels])
    used = np.asarray(ds["mask_safe"].values.any(axis=(1, 2)))
    if not used.any():
        reasons = sorted(set(ds.attrs["outcome_details"]))
        raise DataError(f"There is nothing to stack: no run can be used ({'; '.join(reasons)}).")
    sums = combine(ds, number, len(names))
    gti = [merged_gti(_rows_of(ds["gti"].values[(number == group) & used])) for group in range(len(names))]
    values = finalise(sums)
    values["gti"] = _padded(gti)
    outcome = [_outcome(ds["outcome"].values[number == group], used[number == group]) for group in range(len(names))]
    values["outcome"] = np.array(outcome)
    kept = [key for key in ds.coords if "dataset" not in ds.coords[key].dims and key != "fate"]
    coords: dict[Any, Any] = {key: ds.coords[key] for key in kept}
    coords["dataset"] = (("dataset",), np.array(names), {"long_name": "Name"})
    details = {"outcome_details": [code.sentence for code in outcome], "rows": ds["dataset"].values.tolist()}
    attrs = dict(ds.attrs) | details
    dims = tuple(str(dim) for dim in ds["counts"].dims if dim not in ("dataset", "energy"))
    return schema.dataset(values, coords, attrs, dims, tuple(ds.sizes[dim] for dim in dims))


def _outcome(outcomes: IntArray, used: BoolArray) -> Outcome:
    """Return what a group of rows comes to: used, or why its first row is not."""
    if used.any():
        return Outcome.USED
    reasons = outcomes[outcomes != Outcome.USED]
    return Outcome(int(reasons[0])) if len(reasons) else Outcome.NO_SAFE_BIN


def _rows_of(gti: FloatArray) -> FloatArray:
    rows = gti.reshape(-1, 2)
    return rows[np.isfinite(rows[:, 0])]


def _padded(intervals: list[FloatArray]) -> FloatArray:
    width = max([len(rows) for rows in intervals] + [1])
    return np.stack([np.pad(rows, ((0, width - len(rows)), (0, 0)), constant_values=np.nan) for rows in intervals])

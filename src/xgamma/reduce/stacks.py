"""Stacking: rows of a reduction summed to one, by sums that can be combined and a division at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from xgamma import schema
from xgamma.axes import BoolArray, FloatArray, IntArray
from xgamma.errors import DataError
from xgamma.outcome import Outcome
from xgamma.reduce.grids import has_grids, space_of_windows, stacked_grids
from xgamma.reduce.recipe import MEMBERS
from xgamma.reduce.rows import joined_members, members_of, without_padding
from xgamma.reduce.sums import Sums, combine
from xgamma.sky import SkySpace
from xgamma.times import merged_gti, padded_gti


def finalise(sums: Sums) -> dict[str, Any]:
    """Return the variables of the stacks from their sums: the divisions, once, at the end."""
    values: dict[str, Any] = {
        name: sums[name]
        for name in ("counts", "exposure", "livetime", "ontime", "ledger", "background")
        if name in sums
    }
    values["mask_safe"] = sums["safe"] > 0
    if "weight" in sums:
        weight, weighted = sums["weight"][..., None], sums["weighted_edisp"]
        values["exposure_edisp"] = sums["weight"]
        values["edisp"] = np.divide(weighted, weight, out=np.zeros_like(weighted), where=weight > 0)
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
        DL4, a row for each group in the order of first appearance; ``attrs["rows"]`` names the rows of each. Of
        windows of the sky the whole image.

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
    if has_grids(ds):
        grids = stacked_grids(ds, number, len(names))
        result = result.assign({name: (ds[name].dims, values, ds[name].attrs) for name, values in grids.items()})
    members = [ds["dataset"].values[number == group].tolist() for group in range(len(names))]
    return result.assign_attrs({MEMBERS: members})


@dataclass(frozen=True)
class RowFacts:
    """What a stack needs of rows beside their sums.

    Parameters
    ----------
    gti
        Good time, shape (row, gti, bound).
    outcome, used
        The outcome of each row, and whether it is used, shape (row,).
    members
        Of windows of the sky the runs with their responses at nodes, ``None`` of regions.
    """

    gti: FloatArray
    outcome: IntArray
    used: BoolArray
    members: xr.Dataset | None = None


def row_facts(ds: xr.Dataset) -> RowFacts:
    """Return the facts of DL4 rows."""
    members = members_of(ds)
    return RowFacts(ds["gti"].values, ds["outcome"].values, schema.has_safe_bin(ds), members)


def joined_facts(facts: Sequence[RowFacts]) -> RowFacts:
    """Return the facts of rows that come in pieces."""
    width = max(each.gti.shape[1] for each in facts)
    gti = [np.pad(each.gti, ((0, 0), (0, width - each.gti.shape[1]), (0, 0)), constant_values=np.nan) for each in facts]
    outcome, used = (np.concatenate([getattr(each, name) for each in facts]) for name in ("outcome", "used"))
    firsts = np.cumsum([0, *(len(each.used) for each in facts)]).tolist()
    members = [(each.members, first) for each, first in zip(facts, firsts, strict=False) if each.members is not None]
    return RowFacts(np.concatenate(gti), outcome, used, joined_members(members) if members else None)


def stacks(
    sums: Sums,
    groups: IntArray,
    rows: RowFacts,
    names: Sequence[str],
    like: xr.Dataset,
    image: SkySpace | None = None,
) -> xr.Dataset:
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
    image
        The image of the sums of windows; ``None`` is the one that the rows are cut out of.
    """
    values = finalise(sums)
    members = [np.flatnonzero(groups == group) for group in range(len(names))]
    values["gti"] = padded_gti([merged_gti(_rows_of(rows.gti[own[rows.used[own]]])) for own in members])
    outcome = [_outcome(rows.outcome[own], rows.used[own]) for own in members]
    values["outcome"] = np.array(outcome)
    kept = [key for key in like.coords if "dataset" not in like.coords[key].dims and key != "fate"]
    coords: dict[Any, Any] = {key: like.coords[key] for key in kept}
    coords["dataset"] = (("dataset",), np.array(names), {"long_name": "Name"})
    attrs = {**like.attrs, "outcome_details": [code.sentence for code in outcome]}
    dims = schema.space_dims(like)
    shape = tuple(like.sizes[dim] for dim in dims.cells)
    if dims == schema.WINDOWS:
        image = space_of_windows(like).image if image is None else image
        shape, coords = image.shape, coords | image.coords(np.zeros((len(names), 2), dtype=np.int64))
    if rows.members is not None:
        used = rows.used[rows.members[schema.MEMBER_ROW].values]
        own = without_padding(rows.members if used.all() else rows.members.isel(member=np.flatnonzero(used)))
        values |= {str(name): each.values for name, each in own.data_vars.items()}
        values[schema.MEMBER_ROW] = groups[own[schema.MEMBER_ROW].values]
    return schema.dataset(values, coords, attrs, dims.cells, shape)


def _outcome(outcomes: IntArray, used: BoolArray) -> Outcome:
    """Return what a group of rows comes to: used, or why its first row is not."""
    if used.any():
        return Outcome.USED
    reasons = outcomes[outcomes != Outcome.USED]
    return Outcome(int(reasons[0])) if len(reasons) else Outcome.NO_SAFE_BIN


def _rows_of(gti: FloatArray) -> FloatArray:
    rows = gti.reshape(-1, 2)
    return rows[np.isfinite(rows).all(axis=1)]

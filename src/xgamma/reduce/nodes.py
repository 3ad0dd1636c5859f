"""Responses in windows of the sky: functions of the offset from the pointing, known at a handful of nodes.

Between its nodes a response is linear in offset. So that sums over runs stay sums, neither the point spread function
nor the energy dispersion is divided by its norm before it is interpolated: a mean over runs, each weighted with its
exposure, is one weighted sum over all nodes, at any position. Nothing of it is held for each pixel and run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from xgamma import schema
from xgamma.axes import Axis, BoolArray, FloatArray, IntArray
from xgamma.events import Part, Rows
from xgamma.geometry import separation
from xgamma.grid import ORIGIN, Grid, SkySpace
from xgamma.irf import PSF_DENSITY, IrfTable, edisp_sums, effective_area
from xgamma.reduce.grids import ResponsesAt, has_grids, responses_on_grid
from xgamma.reduce.response import by_table

RAD = Axis.from_bounds("rad", 0.0, 0.66, 66, "deg", "lin")
"""The distances at which point spread functions are held: those of Gammapy."""
RESPONSES = ("exposure_edisp", "edisp", "edisp_norm", "psf")
"""The variables that have values at the nodes."""
MEMBERS = (schema.MEMBER_ROW, "member_lon", "member_lat", "node_offset", "reach", "safe_offset", *RESPONSES)
"""The variables of members."""


@dataclass(frozen=True)
class Nodes:
    """The offsets at which the responses of rows are evaluated.

    Parameters
    ----------
    offset
        Degrees, ascending, NaN last, shape (row, node).
    reach
        The offset beyond which each has no effective area, shape (row,).
    """

    offset: FloatArray
    reach: FloatArray

    @property
    def filled(self) -> FloatArray:
        """The offsets with the last one in place of NaN."""
        return np.asarray(np.where(np.isnan(self.offset), np.nanmax(self.offset, axis=1, keepdims=True), self.offset))


def nodes_of(part: Part, rows: Rows, roles: tuple[str, ...], farthest: float) -> Nodes:
    """Return the nodes of all tables of some roles of each row, up to the first beyond an offset.

    Parameters
    ----------
    part, rows
        The runs.
    roles
        ``aeff`` and what else is wanted of ``edisp`` and ``psf``.
    farthest
        The largest offset (deg) at which a response is asked for.
    """
    numbers = np.stack([part.column(f"{role}_table", rows.obs) for role in roles], axis=1)
    sets, which = np.unique(numbers, axis=0, return_inverse=True)
    found = [_joined_nodes(part, own, farthest) for own in sets.tolist()]
    width = max((len(offset) for offset, _ in found), default=1)
    padded = [np.pad(offset, (0, width - len(offset)), constant_values=np.nan) for offset, _ in found]
    reach = np.array([reach for _, reach in found])
    return Nodes(np.array(padded).reshape(-1, width)[which.ravel()], reach[which.ravel()])


def _joined_nodes(part: Part, tables: list[int], farthest: float) -> tuple[FloatArray, float]:
    axes = [Axis.from_coords(part.table_of(table).coords, "offset") for table in tables]
    reach = float(axes[0].edges[-1])
    nodes = np.unique(np.concatenate([axis.center for axis in axes]))
    nodes = nodes[(nodes >= axes[0].edges[0]) & (nodes <= reach)]
    return nodes[: int(np.searchsorted(nodes, farthest)) + 1], reach


def node_responses(
    part: Part, rows: Rows, grid: Grid, nodes: Nodes, livetime: FloatArray, maps: tuple[str, ...]
) -> dict[str, npt.NDArray[Any]]:
    """Return what rows hold of their responses, by variable name.

    Parameters
    ----------
    part, rows, grid
        The runs and the target.
    nodes
        Where they are evaluated.
    livetime
        Seconds, shape (row,).
    maps
        Which of ``psf`` and ``edisp`` are wanted.

    Returns
    -------
    dict
        ``exposure_edisp`` (row, node, energy_true) in m2 s, where asked for ``edisp`` (row, node, energy_true, energy)
        with ``edisp_norm``, and ``psf`` (row, node, energy_true, rad) in sr-1; 0 at nodes that a row does not have.
    """
    energy_true, edges, offset = grid.energy_true.center, grid.energy.edges, nodes.filled
    area = np.nan_to_num(by_table(part, rows, "aeff", offset, lambda table, _: effective_area(table, energy_true)))
    values: dict[str, npt.NDArray[Any]] = {"exposure_edisp": area * livetime[:, None, None]}
    if "edisp" in maps:

        def dispersion(table: IrfTable, _: str) -> FloatArray:
            kernel, norm = edisp_sums(table, energy_true, edges)
            return np.concatenate([kernel, norm[..., None]], axis=-1)

        found = np.nan_to_num(by_table(part, rows, "edisp", offset, dispersion))
        values |= {"edisp": found[..., :-1], "edisp_norm": found[..., -1]}
    if "psf" in maps:
        values["psf"] = by_table(
            part, rows, "psf", offset, lambda table, kind: PSF_DENSITY[kind](table, energy_true, RAD.center)
        ).astype(np.float32)
    missing = np.isnan(nodes.offset)
    if missing.any():
        for array in values.values():
            array[missing] = 0
    return values


def hat_weights(offset: FloatArray, nodes: FloatArray) -> FloatArray:
    """Return the weight of each node in a function that is linear between them, and goes on beyond the last.

    Parameters
    ----------
    offset
        Degrees, shape (place,).
    nodes
        Those of one row, ascending, NaN last, shape (node,).

    Returns
    -------
    numpy.ndarray
        Shape (place, node).
    """
    known = nodes[np.isfinite(nodes)]
    weights = np.zeros((len(offset), len(nodes)))
    if len(known) < 2:
        weights[:, :1] = 1.0
        return weights
    lower = np.clip(np.searchsorted(known, offset, side="right") - 1, 0, len(known) - 2)
    upper = (offset - known[lower]) / (known[lower + 1] - known[lower])
    place = np.arange(len(offset))
    weights[place, lower], weights[place, lower + 1] = 1 - upper, upper
    return weights


def exposure_at(exposure: FloatArray, nodes: FloatArray, reach: float, offset: FloatArray) -> FloatArray:
    """Return the exposure of one row at offsets in m2 s, shape (energy_true, place).

    ``exposure`` has shape (node, energy_true). As in Gammapy it goes on beyond the last node and is never below 0.
    Beyond ``reach``, and where an offset is NaN, it is 0.
    """
    is_near = offset <= reach
    found = np.maximum(exposure.T @ hat_weights(np.where(is_near, offset, 0.0), nodes).T, 0.0)
    found *= is_near
    return np.asarray(found)


def exposure_in_windows(ds: xr.Dataset, rows: slice = slice(None)) -> FloatArray:
    """Return the exposure of the pixels of windows of runs in m2 s, shape (row, energy_true, v, u).

    Parameters
    ----------
    ds
        DL4 rows of runs in windows, each with one member.
    rows
        Which of them.
    """
    space = SkySpace.from_coords(ds.coords, tuple(ds.sizes[dim] for dim in schema.WINDOWS.cells))
    number = np.arange(ds.sizes["dataset"])[rows]
    origin = np.stack([ds[name].values for name in ORIGIN], axis=-1)[number]
    member = {int(row): place for place, row in enumerate(ds[schema.MEMBER_ROW].values)}
    lon, lat, nodes, reach, exposure = (
        ds[name].values for name in ("member_lon", "member_lat", "node_offset", "reach", "exposure_edisp")
    )
    result = np.zeros((len(number), ds.sizes["energy_true"], *space.shape))
    for place, row in enumerate(number.tolist()):
        own = member[row]
        some = slice(own, own + 1)
        if exposure[own].any():
            offset = space.offsets(lon[some], lat[some], origin[place : place + 1])[0]
            result[place] = exposure_at(exposure[own], nodes[own], float(reach[own]), offset).reshape(-1, *space.shape)
    return result


def responses_at(ds: xr.Dataset, row: int, lon: npt.ArrayLike, lat: npt.ArrayLike) -> ResponsesAt:
    """Return the responses of one row at ICRS positions: means over its members, each weighted with its exposure.

    In a stack a member counts at a position where any of its bins is safe there, and its energy dispersion in its safe
    bins alone, so that rows of the kernel may sum to less than 1 where some members are masked.

    Parameters
    ----------
    ds
        DL4 in windows, rows of runs or stacks.
    row
        The number of the row.
    lon, lat
        Degrees, shape (place,).
    """
    place_lon, place_lat = np.atleast_1d(np.asarray(lon, float)), np.atleast_1d(np.asarray(lat, float))
    if has_grids(ds):
        return responses_on_grid(ds, row, place_lon, place_lat)
    is_stack = "rows" in ds.attrs
    members = np.flatnonzero(ds[schema.MEMBER_ROW].values == row)
    values = {str(name): ds[name].values[members] for name in MEMBERS if name in ds}
    offset = separation(place_lon, place_lat, values["member_lon"][:, None], values["member_lat"][:, None])
    safe = _safe_at(values["safe_offset"], offset)
    used = np.asarray(safe.any(axis=-1)) if is_stack else np.ones(offset.shape, dtype=bool)
    shape = (len(place_lon), ds.sizes["energy_true"])
    total = np.zeros(shape)
    edisp = np.zeros((*shape, ds.sizes["energy"])) if "edisp" in values else None
    psf = np.zeros((*shape, ds.sizes["rad"])) if "psf" in values else None
    rings = 2 * np.pi * np.deg2rad(RAD.center) * np.deg2rad(RAD.width)
    for member in range(len(members)):
        nodes, at = values["node_offset"][member], offset[member]
        weights = hat_weights(at, nodes)
        exposure = exposure_at(values["exposure_edisp"][member], nodes, float(values["reach"][member]), at).T
        exposure = exposure * used[member][:, None]
        total += exposure
        if edisp is not None:
            kernel = _over(np.tensordot(weights, values["edisp"][member], 1), weights @ values["edisp_norm"][member])
            share = exposure[..., None] * (safe[member][:, None, :] if is_stack else 1.0)
            edisp += np.maximum(kernel, 0.0) * share
        if psf is not None:
            density = np.maximum(np.tensordot(weights, values["psf"][member].astype(float), 1), 0.0)
            psf += _over(density, density @ rings) * exposure[..., None]
    return ResponsesAt(
        total, None if edisp is None else _over(edisp, total), None if psf is None else _over(psf, total)
    )


def _safe_at(safe_offset: FloatArray, offset: FloatArray) -> BoolArray:
    """Return whether a bin of each member is safe at offsets (member, place), shape (member, place, energy)."""
    with np.errstate(invalid="ignore"):
        return np.asarray(offset[..., None] <= safe_offset[:, None, :])


def _over(values: FloatArray, total: FloatArray) -> FloatArray:
    """Return values over what they are to be divided by, 0 where that is 0; ``values`` have one axis more."""
    divisor = total[..., None]
    return np.divide(values, divisor, out=np.zeros_like(values), where=divisor > 0)


def safe_offsets(mask: BoolArray, offset: FloatArray) -> FloatArray:
    """Return the largest offset at which a bin of each row is safe, NaN for none, shape (row, energy).

    ``mask`` has shape (row, cell, energy), ``offset`` (row, cell).
    """
    found = np.full((mask.shape[0], mask.shape[2]), np.nan)
    for row, own in enumerate(mask.swapaxes(1, 2)):
        for energy, plane in enumerate(own):
            if plane.any():
                found[row, energy] = offset[row][plane].max()
    return found


def select_members(ds: xr.Dataset, rows: IntArray) -> xr.Dataset:
    """Return the members of some rows, numbered by the place of their row among those.

    ``ds`` has the variables of members alone.
    """
    number = ds[schema.MEMBER_ROW].values
    chosen = [np.flatnonzero(number == row) for row in rows.tolist()]
    places = np.repeat(np.arange(len(rows)), [len(own) for own in chosen])
    some = ds.isel(member=np.concatenate([np.empty(0, dtype=np.int64), *chosen]))
    return some.assign({schema.MEMBER_ROW: some[schema.MEMBER_ROW].copy(data=places.astype(np.int64))})

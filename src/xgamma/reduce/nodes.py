"""Responses in windows of the sky: functions of the offset from the pointing, known at a handful of nodes.

Between its nodes a response is linear in offset, and nearly so where a table is extrapolated to the pointing. So that
sums over runs stay sums, neither the point spread function nor the energy dispersion is divided by its norm before it
is interpolated: a mean over runs, each weighted with its exposure, is one weighted sum over all nodes, at any
position. Nothing of it is held for each pixel and run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
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
from xgamma.reduce.grids import ResponsesAt, has_grids, responses_on_grid, space_of_windows
from xgamma.reduce.response import by_table

RAD = Axis.from_bounds("rad", 0.0, 0.66, 66, "deg", "lin")
"""The distances at which point spread functions are held: those of Gammapy."""
# The areas of the rings of that axis in sr.
_RINGS = 2 * np.pi * np.deg2rad(RAD.center) * np.deg2rad(RAD.width)
# So many members and places are looked at together: some ten megabytes.
_MEMBERS_AT_ONCE, _PLACES_AT_ONCE = 64, 16
_FEW_MEMBERS = 200
# So many pixels, so that their weights stay in the caches of a core.
_PIXELS_AT_ONCE = 16384
# Where a table is extrapolated a density is cut at 0 and not linear in offset: parts of the way to its first centre.
_TO_THE_CENTRE = np.array([0.0, 0.1, 0.2, 0.4, 0.7])
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
    nodes = np.unique(np.concatenate([_own_nodes(axis) for axis in axes]))
    nodes = nodes[(nodes >= axes[0].edges[0]) & (nodes <= reach)]
    return nodes[: int(np.searchsorted(nodes, farthest)) + 1], reach


def _own_nodes(axis: Axis) -> FloatArray:
    """Return the centres of a table, and more below the first where it is extrapolated towards the pointing."""
    low, first = max(axis.edges[0], 0.0), axis.center[0]
    before = low + (first - low) * _TO_THE_CENTRE if axis.nbin > 1 and low < first else []
    return np.concatenate([before, axis.center])


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
        values |= {"edisp": found[..., :-1].astype(np.float32), "edisp_norm": found[..., -1]}
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
        Degrees, shape (row, place).
    nodes
        Ascending, NaN last, shape (row, node).

    Returns
    -------
    numpy.ndarray
        Shape (row, node, place), in the precision of the offsets.
    """
    count, nodes = np.isfinite(nodes).sum(axis=1), nodes.astype(offset.dtype, copy=False)
    weights = np.empty((len(nodes), nodes.shape[1], offset.shape[1]), offset.dtype)
    # How far a place is on its way from each node to the next: 0 before it and 1 beyond it, but at the ends.
    before: FloatArray | float = 1.0
    for number in range(nodes.shape[1] - 1):
        start, stop = nodes[:, number, None], nodes[:, number + 1, None]
        passed = (offset - start) / (stop - start)
        is_last, is_behind = number == count - 2, number > count - 2
        highest = np.where(is_last, np.inf, 1.0).astype(offset.dtype)
        np.clip(passed, 0.0 if number else -np.inf, _one_or_all(highest), out=passed)
        passed[is_behind] = 0.0
        np.subtract(before, passed, out=weights[:, number])
        before = passed
    weights[:, -1] = before
    return weights


def _one_or_all(values: FloatArray) -> float | FloatArray:
    """Return the number that all rows share, or one for each: a clip to numbers is four times as fast."""
    return float(values[0]) if len(values) and (values == values[0]).all() else values[:, None]


def exposure_at(
    exposure: FloatArray,
    nodes: FloatArray,
    reach: FloatArray,
    offset: FloatArray,
    where: BoolArray | None = None,
    out: npt.NDArray[np.floating] | None = None,
) -> npt.NDArray[np.floating]:
    """Return the exposure of rows at offsets in m2 s, shape (row, energy_true, place).

    As in Gammapy it goes on beyond the last node and is never below 0. Beyond ``reach``, where an offset is NaN, and
    where it is not wanted, it is 0.

    Parameters
    ----------
    exposure, nodes, reach
        That at the nodes, shape (row, node, energy_true); their offsets, NaN last, shape (row, node); shape (row,).
    offset
        Degrees, shape (row, place).
    where
        The places that are wanted, shape (row, place); all of them by default.
    out
        Where it is put, in its precision; in single precision it is within 1e-6 of itself.
    """
    result = np.empty((len(nodes), exposure.shape[2], offset.shape[1])) if out is None else out
    # Of two arrays a maximum is four times as fast as of one and a number.
    nothing = np.zeros(min(_PIXELS_AT_ONCE, offset.shape[1]), dtype=result.dtype)
    at_nodes = exposure.swapaxes(1, 2).astype(result.dtype, copy=False)
    for first in range(0, offset.shape[1], _PIXELS_AT_ONCE):
        piece = np.s_[:, first : first + _PIXELS_AT_ONCE]
        is_near = offset[piece] <= reach[:, None]
        if where is not None:
            is_near &= where[piece]
        is_all = bool(is_near.all())
        own = offset[piece] if is_all else np.where(is_near, offset[piece], 0.0)
        weights = hat_weights(own.astype(result.dtype, copy=False), nodes)
        if not is_all:
            weights *= is_near[:, None]
        found = result[:, :, piece[1]]
        np.matmul(at_nodes, weights, out=found)
        # Only a weight beyond the nodes is below 0.
        if weights.min(initial=0.0) < 0:
            np.maximum(found, nothing[: found.shape[2]], out=found)
    return result


@dataclass(frozen=True)
class WindowExposures:
    """What makes the exposures of windows of runs, each with one member.

    Parameters
    ----------
    space
        That of the windows.
    origin
        The first pixel of each, shape (row, 2).
    member
        The number of the member of each row.
    lon, lat, nodes, reach, exposure
        Of the members: ``member_lon``, ``member_lat``, ``node_offset``, ``reach``, ``exposure_edisp``.
    """

    space: SkySpace
    origin: IntArray
    member: Mapping[int, int]
    lon: FloatArray
    lat: FloatArray
    nodes: FloatArray
    reach: FloatArray
    exposure: FloatArray

    @classmethod
    def of(cls, ds: xr.Dataset) -> WindowExposures:
        """Return those of DL4 rows."""
        space = space_of_windows(ds)
        names = ("member_lon", "member_lat", "node_offset", "reach", "exposure_edisp")
        origin = np.stack([ds.variables[name].values for name in ORIGIN], axis=-1)
        member = {int(row): place for place, row in enumerate(ds.variables[schema.MEMBER_ROW].values)}
        return cls(space, origin, member, *(ds.variables[name].values for name in names))

    @cached_property
    def room(self) -> npt.NDArray[np.float32]:
        """Where one exposure after the other may be put, shape (energy_true, cell), in single precision."""
        return np.empty((self.exposure.shape[2], math.prod(self.space.shape)), dtype=np.float32)

    def of_band(self, row: int, first: int, stop: int, where: BoolArray) -> npt.NDArray[np.floating]:
        """Return the exposure of some pixel rows of a window in single precision; see ``of_row``."""
        height, width = stop - first, self.space.shape[1]
        band = replace(
            self, space=replace(self.space, window=(width, height)), origin=self.origin + np.array([first, 0])
        )
        return band.of_row(row, where, band.room)

    def of_row(
        self, row: int, where: BoolArray | None = None, out: npt.NDArray[np.floating] | None = None
    ) -> npt.NDArray[np.floating]:
        """Return the exposure of the pixels of a window in m2 s, shape (energy_true, cell); 0 outside of ``where``.

        ``where`` has the shape (cell,), ``out`` that of the result.
        """
        some = slice(self.member[row], self.member[row] + 1)
        offset = self.space.offsets(self.lon[some], self.lat[some], self.origin[row : row + 1])
        wanted, result = None if where is None else where[None], None if out is None else out[None]
        found = exposure_at(self.exposure[some], self.nodes[some], self.reach[some], offset, wanted, result)
        return np.asarray(found[0])


def exposure_in_windows(ds: xr.Dataset, rows: slice = slice(None)) -> FloatArray:
    """Return the exposure of the pixels of windows of runs in m2 s, shape (row, energy_true, v, u).

    Parameters
    ----------
    ds
        DL4 rows of runs in windows, each with one member.
    rows
        Which of them.
    """
    made = WindowExposures.of(ds)
    numbers = np.arange(ds.sizes["dataset"])[rows].tolist()
    result = np.empty((len(numbers), ds.sizes["energy_true"], math.prod(made.space.shape)))
    for place, row in enumerate(numbers):
        made.of_row(row, out=result[place])
    return result.reshape(*result.shape[:2], *made.space.shape)


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
    return RowResponses(ds, row).at(lon, lat)


class RowResponses:
    """The responses of one row, to be asked for again and again.

    Parameters
    ----------
    ds
        DL4 in windows, rows of runs or stacks.
    row
        The number of the row.
    """

    def __init__(self, ds: xr.Dataset, row: int) -> None:
        self.ds, self.row, self._is_stack, self._has_grids = ds, row, "rows" in ds.attrs, has_grids(ds)
        if self._has_grids:
            return
        self._energies = ds.sizes["energy_true"]
        of_edisp, of_psf = ds.sizes.get("energy", 0), ds.sizes.get("rad", 0)
        self._sizes = (of_edisp if "edisp" in ds.variables else None, of_psf if "psf" in ds.variables else None)
        members = np.flatnonzero(ds.variables[schema.MEMBER_ROW].values == row)
        # Products of numbers of one kind are quicker; of many members they would take up too much.
        kind = float if len(members) <= _FEW_MEMBERS else np.float32
        self._members = [
            {
                name: ds.variables[name].values[some].astype(kind if name in RESPONSES else float)
                for name in MEMBERS
                if name in ds.variables
            }
            for first in range(0, len(members), _MEMBERS_AT_ONCE)
            for some in [members[first : first + _MEMBERS_AT_ONCE]]
        ]

    def at(self, lon: npt.ArrayLike, lat: npt.ArrayLike) -> ResponsesAt:
        """Return them at ICRS positions in degrees, shape (place,); see ``responses_at``."""
        place_lon, place_lat = np.atleast_1d(np.asarray(lon, float)), np.atleast_1d(np.asarray(lat, float))
        if self._has_grids:
            return responses_on_grid(self.ds, self.row, place_lon, place_lat)
        shape = len(place_lon), self._energies
        total = np.zeros(shape)
        edisp, psf = (None if size is None else np.zeros((*shape, size)) for size in self._sizes)
        for members in self._members:
            for start in range(0, len(place_lon), _PLACES_AT_ONCE):
                own = slice(start, start + _PLACES_AT_ONCE)
                found = _sums_at(members, place_lon[own], place_lat[own], self._is_stack)
                for result, added in zip((total, edisp, psf), found, strict=True):
                    if result is not None and added is not None:
                        result[own] += added
        return ResponsesAt(
            total, None if edisp is None else _over(edisp, total), None if psf is None else _over(psf, total)
        )


def _sums_at(
    members: Mapping[str, FloatArray], lon: FloatArray, lat: FloatArray, is_stack: bool
) -> tuple[FloatArray, FloatArray | None, FloatArray | None]:
    """Return exposure, and edisp and psf times exposure, summed over members; see ``responses_at``."""
    offset, nodes = separation(lon, lat, members["member_lon"][:, None], members["member_lat"][:, None]), "node_offset"
    safe = _safe_at(members["safe_offset"], offset)
    used = np.asarray(safe.any(axis=-1)) if is_stack else None
    found = exposure_at(members["exposure_edisp"], members[nodes], members["reach"], offset, used)
    exposure = np.asarray(found.swapaxes(1, 2), dtype=float)
    weights = hat_weights(offset, members[nodes]).swapaxes(1, 2)

    def at_places(name: str) -> FloatArray:
        table = members[name]
        found = weights @ table.reshape(*table.shape[:2], -1)
        return found.reshape(*offset.shape, *table.shape[2:])

    edisp = psf = None
    if "edisp" in members:
        share = exposure[..., None] * (safe[:, :, None, :] if is_stack else 1.0)
        kernel = _over(np.maximum(at_places("edisp"), 0.0), at_places("edisp_norm"))
        edisp = np.einsum("mpte,mpte->pte", kernel, np.broadcast_to(share, kernel.shape))
    if "psf" in members:
        density = np.maximum(at_places("psf"), 0.0)
        psf = np.einsum("mptr,mpt->ptr", density, _over(exposure[..., None], density @ _RINGS)[..., 0])
    return exposure.sum(axis=0), edisp, psf


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
            # Most safe masks cut all energies alike.
            if energy and np.array_equal(plane, own[energy - 1]):
                found[row, energy] = found[row, energy - 1]
            elif plane.any():
                found[row, energy] = offset[row][plane].max()
    return found


def members_in(number: IntArray, rows: Sequence[int]) -> list[IntArray]:
    """Return the members of each of some rows, of which ``number`` is the row of each member."""
    return [np.flatnonzero(number == row) for row in rows]

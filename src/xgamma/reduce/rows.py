"""Rows of reductions put together: chosen, joined under one axis, and stood in for where a run could not be read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from xgamma import schema
from xgamma.axes import Axis, FloatArray, IntArray, unify_axis
from xgamma.errors import ConfigError, DataError
from xgamma.grid import IMAGE, REGION_NAME, Grid, region_row_name
from xgamma.outcome import Fate, Outcome
from xgamma.reduce import grids
from xgamma.reduce import nodes as sky_nodes
from xgamma.reduce.background.names import OFF_CIRCLES, OFF_COUNTS
from xgamma.reduce.recipe import MEMBERS, OF_MAPS
from xgamma.schema import MEMBER_ROW
from xgamma.schema.arrays import Arrays, NamedArray, SomeArrays, dataset_of
from xgamma.times import SECONDS_PER_DAY

# Attributes that hold a text, or texts, for each row.
_ROW_TEXTS = ("outcome_details", MEMBERS)
# The padded dims, and for each the variable that says how far it is used.
_PADDED = {"off": "off_lon", "gti": "gti", "node": "node_offset"}
# What a row without data holds where it does not hold 0.
_NEUTRAL = {
    "acceptance": 1.0,
    **dict.fromkeys(("gti", "pointing_lon", "pointing_lat", "offset", "off_lon", "off_lat", "off_radius"), np.nan),
    **dict.fromkeys(("node_offset", "safe_offset", "member_lon", "member_lat"), np.nan),
}
# What windows of runs hold in single precision, which the numbers of their events and responses have; sums do not.
SINGLE = ("counts", "background", "counts_off", "acceptance", "acceptance_off", "psf", "edisp")
# What rows hold of a background, each as far as its method gives it.
_OF_BACKGROUND = (
    *(*OFF_COUNTS, *OFF_CIRCLES, "background", "alpha_systematic"),
    *(f"background_{name}" for name in ("norm", "norm_error", "tilt", "tilt_error")),
)
_OF_WINDOWS = tuple(name for names in OF_MAPS.values() for name in names)
# Of a row of which nothing is known yet.
_TYPICAL_NODES = 8
AT_NO_NODE = {"node_offset": np.nan, **dict.fromkeys(("exposure_edisp", *_OF_WINDOWS), 0)}


def select_rows(ds: SomeArrays, rows: Sequence[int]) -> SomeArrays:
    """Return some rows in the given order, with no more padding than they need."""
    is_all = np.array_equal(rows, np.arange(ds.sizes["dataset"]))
    chosen = without_padding(ds if is_all else _chosen(ds, rows))
    return chosen.assign_attrs({n: [ds.attrs[n][row] for row in rows] for n in _ROW_TEXTS if n in ds.attrs})


def without_padding(ds: SomeArrays) -> SomeArrays:
    """Return rows, or their members, with no more padding than they need."""
    return ds.isel({dim: slice(_width(ds[name], dim)) for dim, name in _PADDED.items() if dim in ds.sizes})


def without_maps(ds: xr.Dataset) -> xr.Dataset:
    """Return windows of the sky without their maps but ``mask_safe``, for axes, space and attributes; others whole."""
    cells = set(schema.WINDOWS.cells)
    return ds.drop_vars([n for n, values in ds.data_vars.items() if cells <= set(values.dims) and n != "mask_safe"])


def _chosen(ds: SomeArrays, rows: Sequence[int]) -> SomeArrays:
    if MEMBER_ROW not in ds:
        return ds.isel({"dataset": places(rows)})
    own = sky_nodes.members_in(ds[MEMBER_ROW].values, rows)
    members = np.concatenate([np.empty(0, dtype=np.int64), *own]).tolist()
    some = ds.isel({"dataset": places(rows), "member": places(members)})
    number = np.repeat(np.arange(len(rows)), [len(each) for each in own]).astype(np.int64)
    return some.assign({MEMBER_ROW: (some[MEMBER_ROW].dims, number, some[MEMBER_ROW].attrs)})


def places(numbers: Sequence[int]) -> slice | list[int]:
    """Return numbers as an index: neighbours in order as a slice, which copies nothing.

    >>> places([3, 4, 5]), places([3, 5])
    (slice(3, 6, None), [3, 5])
    """
    some = [int(number) for number in numbers]
    is_run = bool(some) and some == list(range(some[0], some[0] + len(some)))
    return slice(some[0], some[-1] + 1) if is_run else some


def _without_members(ds: xr.Dataset) -> tuple[xr.Dataset, xr.Dataset | None]:
    """Return the rows without what belongs to their members, and that, ``None`` of regions."""
    names = [name for name, variable in ds.variables.items() if "member" in variable.dims]
    return (ds.drop_vars(names), ds[names]) if names else (ds, None)


def members_of(ds: xr.Dataset) -> xr.Dataset | None:
    """Return the members of rows with their responses, ``None`` of regions."""
    return _without_members(ds)[1]


def with_members(ds: xr.Dataset, members: xr.Dataset) -> xr.Dataset:
    """Return rows with these members."""
    return ds.assign(members.data_vars)


def joined_members(pieces: Sequence[tuple[xr.Dataset, int]]) -> xr.Dataset:
    """Return the members of several Datasets, each with the number of the row at which its rows begin."""
    width = max(members.sizes["node"] for members, _ in pieces)
    lacking = [width - members.sizes["node"] for members, _ in pieces]
    wide = [
        own.pad({"node": (0, nodes)}, constant_values=AT_NO_NODE, keep_attrs=True) if nodes else own
        for (own, _), nodes in zip(pieces, lacking, strict=True)
    ]
    numbers = np.concatenate([own[MEMBER_ROW].values + first for own, first in pieces])
    joined = _concatenated(wide, "member")
    return joined.assign({MEMBER_ROW: joined[MEMBER_ROW].copy(data=numbers)})


def _width(array: NamedArray, dim: str) -> int:
    values = np.moveaxis(array.values, array.dims.index(dim), 0)
    used = np.isfinite(values).reshape(len(values), -1).any(axis=1)
    return max([1, *(np.flatnonzero(used) + 1).tolist()])


def with_names(ds: SomeArrays, names: Sequence[str]) -> SomeArrays:
    """Return the rows under other names."""
    return ds.assign_coords({"dataset": (("dataset",), np.array(names), ds["dataset"].attrs)})


def with_alpha_systematic(ds: SomeArrays, error: float) -> SomeArrays:
    """Return rows whose alpha fits know to a relative error alone, with one factor for each row and region.

    Stacks of such rows do not have it: it is that of what is fitted.

    Raises
    ------
    ConfigError
        For an error that is not above 0 and up to 1, or rows without off counts.
    """
    if not 0 < error <= 1:
        raise ConfigError(f"alpha_systematic: expected a number above 0 and up to 1, got {error!r}.")
    if "counts_off" not in ds:
        raise ConfigError("alpha_systematic: expected rows with off counts, as others have no alpha.")
    values = np.full(ds.sizes["dataset"], float(error))
    return ds.assign({"alpha_systematic": (("dataset",), values, schema.DL4["alpha_systematic"].attrs())})


def regions_apart(given: Arrays) -> list[Arrays]:
    """Return a Dataset for each on-region that has a name, whose rows are called by row and region.

    A row that sees nothing of a region has an outcome that says so there. Without names it is the Dataset alone.
    """
    if REGION_NAME not in given.coords:
        return [given]
    ds = dataset_of(given)
    names = [str(name) for name in ds[REGION_NAME].values]
    return [_apart(ds.isel(region=slice(number, number + 1)), name) for number, name in enumerate(names)]


def _apart(ds: xr.Dataset, name: str) -> xr.Dataset:
    rows = [region_row_name(row, name) for row in ds["dataset"].values.tolist()]
    apart = with_names(ds.drop_vars(REGION_NAME), rows)
    outcome = np.asarray(ds["outcome"].values) if "outcome" in ds else np.zeros(len(rows), dtype=np.int8)
    blind = (outcome == Outcome.USED) & ~schema.has_safe_bin(ds)
    if "outcome_details" not in ds.attrs or not blind.any():
        return apart
    details = list(ds.attrs["outcome_details"])
    is_dark = ~ds["exposure"].values.reshape(len(rows), -1).any(axis=1)
    alone = ds["off_number"].values.reshape(-1) == 0 if "off_number" in ds else np.zeros(len(rows), dtype=bool)
    why = np.select([alone, is_dark], [Outcome.NO_OFF_REGION, Outcome.OUTSIDE_FIELD_OF_VIEW], Outcome.NO_SAFE_BIN)
    for row in np.flatnonzero(blind).tolist():
        details[row] = Outcome(int(why[row])).sentence
    settled = np.where(blind, why, outcome).astype(outcome.dtype)
    return apart.assign(outcome=apart["outcome"].copy(data=settled)).assign_attrs(outcome_details=details)


def joined_rows(datasets: Sequence[xr.Dataset]) -> xr.Dataset:
    """Return the rows of several reductions under the axes of the first.

    Raises
    ------
    DataError
        When their axes differ by more than 1e-9, or their cells are others.
    """
    if len(datasets) == 1:
        return datasets[0]
    for name in ("energy", "energy_true"):
        unify_axis([Axis.from_coords(ds.coords, name) for ds in datasets])
    first = datasets[0]
    _validate_cells(datasets)
    common = {name: first.coords[name] for name in first.coords if "dataset" not in first.coords[name].dims}
    mjdref = float(first.attrs["mjdref"])
    aligned = [_padded(since(ds, mjdref), datasets).assign_coords(common) for ds in datasets]
    apart = [_without_members(ds) for ds in aligned]
    result = _concatenated([own for own, _ in apart], "dataset")
    firsts = np.cumsum([0, *(ds.sizes["dataset"] for ds in datasets)]).tolist()
    members = [(own, number) for (_, own), number in zip(apart, firsts, strict=False) if own is not None]
    if members:
        result = with_members(result, joined_members(members))
    texts = {
        name: [text for ds in datasets for text in ds.attrs[name]]
        for name in _ROW_TEXTS
        if all(name in ds.attrs for ds in datasets)
    }
    return result.assign_attrs({**texts, "telescope": joined_telescopes(ds.attrs["telescope"] for ds in datasets)})


def _concatenated(pieces: Sequence[xr.Dataset], dim: str) -> xr.Dataset:
    """Return pieces one behind the other along a dim, with the attrs of the first."""
    first, names = pieces[0], set(pieces[0].variables)
    is_plain = all(isinstance(v._data, np.ndarray) for ds in pieces for v in ds.variables.values() if v.ndim > 1)
    if not is_plain or any(set(ds.variables) != names for ds in pieces):
        return xr.concat(pieces, dim, join="exact", combine_attrs="override", data_vars="minimal", coords="minimal",
            compat="equals",
        )  # fmt: skip
    # Of plain arrays xarray compares and aligns for ten times as long as it takes to copy them.
    variables = {
        name: variable
        if dim not in variable.dims
        else xr.Variable(
            variable.dims,
            np.concatenate([ds.variables[name].values for ds in pieces], axis=variable.dims.index(dim)),
            variable.attrs,
        )
        for name, variable in first.variables.items()
    }
    coords = {name: variable for name, variable in variables.items() if name in first.coords}
    data = {name: variable for name, variable in variables.items() if name not in coords}
    return xr.Dataset(data, coords, first.attrs)


def _validate_cells(datasets: Sequence[xr.Dataset]) -> None:
    grids.validate_one_kind(datasets)
    dims = schema.space_dims(datasets[0]).cells
    cells = [[ds.sizes.get(dim) for dim in dims] for ds in datasets]
    images = [ds.coords[IMAGE].attrs if IMAGE in ds.coords else {} for ds in datasets]
    if any(own != cells[0] for own in cells) or any(image != images[0] for image in images):
        raise DataError(
            f"Expected rows with the same cells ({', '.join(dims)}), got {cells[0]} and others; reduce all of them "
            "with the same regions, or to windows of one size and image."
        )


def joined_telescopes(given: Iterable[str]) -> str:
    """Return the names of all telescopes, sorted, each once; one text may hold several.

    >>> joined_telescopes(["HESS", "", "MAGIC, HESS"])
    'HESS, MAGIC'
    """
    return ", ".join(sorted({name for names in given for name in str(names).split(", ")} - {""}))


def since(ds: SomeArrays, mjdref: float) -> SomeArrays:
    """Return the rows with their times counted from another epoch."""
    shift = (float(ds.attrs["mjdref"]) - mjdref) * SECONDS_PER_DAY
    if shift == 0:
        return ds
    times = [name for name in ("gti", "interval") if name in ds]
    moved = {name: (ds[name].dims, ds[name].values + shift, ds[name].attrs) for name in times}
    return ds.assign(moved).assign_coords({name: values for name, values in moved.items() if name in ds.coords})


def _padded(ds: xr.Dataset, datasets: Sequence[xr.Dataset]) -> xr.Dataset:
    widths = {dim: max(other.sizes.get(dim, 0) for other in datasets) for dim in _PADDED if dim != "node"}
    missing = {dim: (0, width - ds.sizes[dim]) for dim, width in widths.items() if 0 < ds.sizes.get(dim, 0) < width}
    return ds.pad(missing, constant_values=np.nan, keep_attrs=True) if missing else ds


def with_same_variables(rows: Sequence[xr.Dataset]) -> list[xr.Dataset]:
    """Return rows with the variables and labels that all have; where one has no background it is 0."""
    has_any = any("background" in ds for ds in rows)
    filled = [
        ds if "background" in ds or not has_any else ds.assign(background=xr.zeros_like(ds["counts"], dtype=float))
        for ds in rows
    ]
    common = set.intersection(*(set(ds.variables) for ds in filled))
    return [ds.drop_vars([name for name in ds.variables if name not in common]) for ds in filled]


def masked_rows(
    grid: Grid, like: xr.Dataset, obs_ids: IntArray, outcomes: Sequence[Outcome], details: Sequence[str]
) -> xr.Dataset:
    """Return rows for runs that could not be read: the neutral element of a stack, with a reason.

    Parameters
    ----------
    grid
        The target of the reduction.
    like
        A reduction of other runs, for the epoch of its times and what it holds of a background.
    obs_ids, outcomes, details
        The runs and what is wrong with them.
    """
    count = len(obs_ids)
    held = [name for name in (*_OF_BACKGROUND, *_OF_WINDOWS) if name in like]
    values = {**neutral_values(grid, count, held), "outcome": np.array(outcomes)}
    interval = np.tile([-np.inf, np.inf], (count, 1))
    origin = np.zeros((count, 2), np.int64)
    coords = row_coords(grid, [str(obs_id) for obs_id in obs_ids], obs_ids, interval, origin)
    attrs = {**like.attrs, "telescope": "", "outcome_details": list(details)}
    return schema.dataset(values, coords, attrs, grid.space.dims, grid.space.shape)


def neutral_values(grid: Grid, count: int, held: Iterable[str] = ()) -> dict[str, Any]:
    """Return the variables of rows that add nothing to a stack, in the dims and types of the schema.

    ``held`` names the variables of a background, and of windows those of responses, that the rows have.
    """
    values = {
        name: np.full((count, *shape), _NEUTRAL.get(name, 0), dtype)
        for name, (shape, dtype) in _row_layout(grid, held).items()
    }
    return values if grid.is_region else {**values, MEMBER_ROW: np.arange(count)}


def row_bytes(grid: Grid, held: Iterable[str] = ()) -> int:
    """Return the size of one row of a reduction, of which nothing is made; ``held`` as for ``neutral_values``."""
    return sum(math.prod(shape) * dtype.itemsize for shape, dtype in _row_layout(grid, held).values())


def _row_layout(grid: Grid, held: Iterable[str]) -> Mapping[str, tuple[tuple[int, ...], np.dtype[Any]]]:
    """Return shape and type of what one row holds, by variable name."""
    space = next(space for space in schema.DL4_IN if space.cells == grid.space.dims)
    sizes = {"gti": 1, "bound": 2, "off": 1, "fate": len(Fate)}
    sizes |= {"energy": grid.energy.nbin, "energy_true": grid.energy_true.nbin}
    sizes |= zip(grid.space.dims, grid.space.shape, strict=True)
    without = set(_OF_BACKGROUND) | (set() if grid.points.any() else {"rad_max"})
    if space.by_plane:
        sizes |= {"node": _TYPICAL_NODES, "rad": sky_nodes.RAD.nbin}
        without |= {"exposure", *_OF_WINDOWS}
    without -= set(held)
    single = SINGLE if space.by_plane else ()
    return {
        name: (tuple(sizes[dim] for dim in spec.dims[1:]), np.dtype("f4" if name in single else spec.dtype))
        for name, spec in schema.DL4_IN[space].items()
        if set(spec.dims) <= {"dataset", "member", *sizes} and name not in without
    }


def row_coords(
    grid: Grid, names: Sequence[str], obs_ids: IntArray, interval: FloatArray, origin: IntArray | None
) -> dict[Any, Any]:
    """Return the coordinates of rows: names, observation ids, intervals (row, bound), axes and cells from an origin."""
    return {
        "dataset": (("dataset",), np.array(names), {"long_name": "Name"}),
        "obs_id": (("dataset",), obs_ids, {"units": "", "long_name": "Observation id"}),
        "interval": (("dataset", "bound"), interval, {"units": "s", "long_name": "Selected interval since mjdref"}),
        **grid.energy.coords(),
        **grid.energy_true.coords(),
        **({} if grid.is_region else sky_nodes.RAD.coords()),
        **grid.space.coords(origin),
    }

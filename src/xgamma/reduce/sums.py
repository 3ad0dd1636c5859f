"""The sums that a stack is made of: sufficient statistics of rows, which can be added in any number of steps.

Sums run in the canonical order of the rows and in leaves of a fixed size, so that neither chunking nor the number of
workers changes a bit of them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from xgamma import schema
from xgamma.axes import BoolArray, FloatArray, IntArray
from xgamma.grid import ORIGIN, SkySpace
from xgamma.reduce.grids import space_of_windows
from xgamma.reduce.limits import LEAF, STEP_BYTES
from xgamma.reduce.nodes import WindowExposures
from xgamma.reduce.rows import select_rows
from xgamma.warned import for_threads

# So many pixels of an image are summed together: all planes of them fit into the cache of a processor.
BAND_PIXELS = 16_384
# Sums that have no cells of a window.
PER_ROW = ("livetime", "ontime", "ledger")

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


def leaf_sums(
    pieces: Iterable[xr.Dataset],
    leaf: IntArray,
    image: SkySpace | None = None,
    *,
    begun: Sums | None = None,
    threads: int = 1,
) -> Sums:
    """Return the sufficient statistics of whole leaves; a masked row is the neutral element.

    Windows of the sky are added to their place in the image, whole pixels to whole pixels.

    Parameters
    ----------
    pieces
        DL4 rows, in pieces of any number of them: they are added one after the other.
    leaf
        The leaf of each row of all pieces, ascending, shape (dataset,).
    image
        Where windows are added, which lie inside of it; ``None`` is the image that they are cut out of.
    begun
        The sums of the rows before these, of the one leaf that all are in; they are changed.
    threads
        How many bands of an image are added at once. With more than one the next piece is made meanwhile.

    Returns
    -------
    dict
        Sums of shape (leaf, ...), with one axis for the cells: ``counts``, ``exposure``, ``safe``, ``livetime``,
        ``ontime``, ``ledger``; of regions ``weight`` (exposure of edisp) and ``weighted_edisp``, and with off counts
        ``off``, ``alpha_off``, ``acceptance_off``; of windows with off counts ``background``, expected from those.
    """
    count = int(leaf[-1] - leaf[0]) + 1 if len(leaf) else 0
    total: Sums = {} if begun is None else begun
    first = 0
    with ThreadPoolExecutor(threads, **for_threads()) if threads > 1 else nullcontext() as pool:
        for ds in pieces if pool is None else _made_ahead(pieces):
            length = ds.sizes["dataset"]
            own = leaf[first : first + length] - leaf[0]
            placement = Placement.of(ds, image)
            if placement.origin is None:
                _add_regions(total, ds, placement, own, count)
            else:
                _add_windows(total, ds, placement, own, count, pool)
            first += length
            # Windows are large: they are not kept while the next are read.
            del ds
    return total


def _made_ahead(pieces: Iterable[xr.Dataset]) -> Iterator[xr.Dataset]:
    """Yield pieces, each of which is made while the one before it is used."""
    end, source = object(), iter(pieces)
    with ThreadPoolExecutor(1, **for_threads()) as maker:
        coming: Future[Any] = maker.submit(next, source, end)
        while (found := coming.result()) is not end:
            coming = maker.submit(next, source, end)
            yield found
            del found


def _add_regions(total: Sums, ds: xr.Dataset, placement: Placement, leaf: IntArray, count: int) -> None:
    """Add rows of regions to the sums of their leaves, in place."""
    values, length = flat_values(ds), len(leaf)
    step = max(1, min(LEAF, STEP_BYTES * length // max(1, ds.nbytes)))
    for start in range(0, length, step):
        rows = slice(start, start + step)
        some = {name: array[rows] for name, array in values.items()}
        used: BoolArray = np.any(some["mask_safe"], axis=(1, 2))
        for name, term in itertools.chain(_row_terms(some, used), _cell_terms(some)):
            placement.add(total, name, count, leaf[rows], term, rows)


def _add_windows(
    total: Sums, ds: xr.Dataset, placement: Placement, leaf: IntArray, count: int, pool: ThreadPoolExecutor | None
) -> None:
    """Add windows to the images of their leaves, in place, band by band of pixel rows.

    A band of all sums stays in the cache of a processor while one window after the other is added to it, and bands are
    independent of each other. They do not depend on the windows, nor on who adds them: so do the bytes of the sums.
    """
    values, length = flat_values(ds), len(leaf)
    assert placement.origin is not None
    used: BoolArray = np.any(values["mask_safe"], axis=(1, 2))
    origins: list[list[int]] = placement.origin.tolist()
    for name, term in _row_terms(values, used):
        placement.add(total, name, count, leaf, term, slice(0, length))
    exposures = None if "exposure" in values else WindowExposures.of(ds)
    names = ["counts", "safe", *(["background"] if {"background", "counts_off"} & set(values) else [])]
    planes = {**dict.fromkeys(names, ds.sizes["energy"]), "exposure": ds.sizes["energy_true"]}
    images = {name: placement.images(total, name, count, number) for name, number in planes.items()}
    height, width = placement.window
    arrays = {name: array for name, array in values.items() if array.ndim == 3 and array.shape[1] == height * width}

    def add(band: slice) -> None:
        for row, (v, u) in enumerate(origins):
            start, stop = max(band.start, v), min(band.stop, v + height)
            if stop <= start or not used[row]:
                continue
            cells = slice((start - v) * width, (stop - v) * width)
            some = {name: array[row : row + 1, cells] for name, array in arrays.items()}
            exposure = None if exposures is None else partial(exposures.of_band, row, start - v, stop - v)
            for name, term in _cell_terms(some, exposure):
                into = images[name][leaf[row], :, start:stop, u : u + width]
                into += term[0].T.reshape(len(into), stop - start, width)

    size = max(1, BAND_PIXELS // placement.image[1])
    bands = [slice(start, start + size) for start in range(0, placement.image[0], size)]
    for _ in map(add, bands) if pool is None else pool.map(add, bands):
        pass


def flat_values(ds: xr.Dataset) -> dict[str, npt.NDArray[Any]]:
    """Return the variables of rows with one axis for the cells: (row, cell, ...); windows stay plane by plane."""
    dims = schema.space_dims(ds)
    cells = math.prod(ds.sizes[dim] for dim in dims.cells)
    values = {}
    for name, spec in schema.DL4_IN[dims].items():
        if name not in ds.variables or spec.dims[0] != "dataset":
            continue
        array = ds.variables[name].transpose(*spec.dims).values
        if not set(dims.cells) <= set(spec.dims):
            values[name] = array
        elif dims.by_plane:
            values[name] = array.reshape(len(array), -1, cells).swapaxes(1, 2)
        else:
            values[name] = array.reshape(len(array), cells, *array.shape[1 + len(dims.cells) :])
    return values


@dataclass(frozen=True)
class Placement:
    """Where the cells of rows are added: regions to the same regions, a window to its place in the image.

    Parameters
    ----------
    origin
        The first pixel of each window, shape (row, 2); ``None`` for regions.
    window, image
        Their shapes (v, u).
    """

    origin: IntArray | None
    window: tuple[int, ...] = ()
    image: tuple[int, ...] = ()

    @classmethod
    def of(cls, ds: xr.Dataset, image: SkySpace | None = None) -> Placement:
        """Return that of rows, of windows in the image that they are cut out of or another with the same pixels."""
        if schema.space_dims(ds) != schema.WINDOWS:
            return cls(None)
        space, origin = space_of_windows(ds), np.stack([ds[name].values for name in ORIGIN], axis=-1)
        if image is None:
            return cls(origin, space.shape, space.image.shape)
        shift = np.array(image.shift_to(space.image), dtype=np.int64)
        return cls(origin + shift, space.shape, image.shape)

    def add(self, total: Sums, name: str, count: int, number: IntArray, term: npt.NDArray[Any], rows: slice) -> None:
        """Add terms of shape (row, cell, ...) to those of the sums (count, ...) whose numbers are given."""
        if self.origin is None or name in PER_ROW:
            added = total.setdefault(name, np.zeros((count, *term.shape[1:]), dtype=term.dtype))
            for own, value in zip(number.tolist(), term, strict=True):
                added[own] += value
            return
        planes = term.shape[-1]
        images, (height, width) = self.images(total, name, count, planes), self.window
        for own, (v, u), values in zip(number, self.origin[rows], term.swapaxes(1, 2), strict=True):
            images[own, :, v : v + height, u : u + width] += values.reshape(planes, *self.window)

    def images(self, total: Sums, name: str, count: int, planes: int) -> npt.NDArray[Any]:
        """Return the sums of windows of some name as images of shape (count, plane, v, u); at first all are 0."""
        if name not in total:
            total[name] = np.zeros((count, planes, math.prod(self.image)), _type_of_sum(name)).swapaxes(1, 2)
        return total[name].swapaxes(1, 2).reshape(count, planes, *self.image)


def _type_of_sum(name: str) -> type[np.generic]:
    """Return the type of a sum of windows: of safe bins whether any row has one."""
    return np.bool_ if name == "safe" else np.float64


def sum_bytes(like: xr.Dataset) -> int:
    """Return about how many bytes the sums of one leaf take, of which ``like`` is a row."""
    if schema.space_dims(like) != schema.WINDOWS:
        return like.nbytes
    bins = (
        8 * like.sizes["energy_true"]
        + (8 * (1 + ("background" in like or "counts_off" in like)) + 1) * like.sizes["energy"]
    )
    return bins * math.prod(space_of_windows(like).image.shape)


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
        length = len(sums["counts"])
        # Images may be large: the first leaf of a single group is the sum that the others are added to.
        if not total and length == count == 1:
            total = dict(sums)
        else:
            _add_leaves(total, sums, group[first : first + length].tolist(), count)
        first += length
        # It is not kept while the next one is made.
        del sums
    return total


def _add_leaves(total: Sums, leaves: Sums, groups: list[int], count: int) -> None:
    """Add leaves to the sums of their groups, in place."""
    for name, term in leaves.items():
        if name not in total:
            total[name] = np.zeros_like(term, shape=(count, *term.shape[1:]))
        for group, value in zip(groups, term, strict=True):
            total[name][group] += value


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
    return summed(
        [leaf_sums([ds if is_ordered else select_rows(ds, leaves.order.tolist())], leaves.leaf)], leaves.group, count
    )


def _row_terms(rows: Mapping[str, npt.NDArray[Any]], used: BoolArray) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """Yield what some rows add to the sums that have no cells, by name; ``used`` has the shape (row,)."""
    for name in ("livetime", "ontime"):
        yield name, _masked(rows[name], used)
    yield "ledger", rows["ledger"]


def _cell_terms(
    rows: Mapping[str, npt.NDArray[Any]], exposure: Callable[[BoolArray], npt.NDArray[np.floating]] | None = None
) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """Yield what each of some rows adds to the sums of its group, by name, one after the other, (row, cell, ...).

    The exposure of a window of a run is made here, of shape (energy_true, cell), from which cells are used.
    """
    safe: BoolArray = rows["mask_safe"]
    any_safe = np.any(safe, axis=2)
    is_window = "edisp" not in rows
    yield "counts", _masked(rows["counts"], safe)
    yield "safe", safe if is_window else safe.astype(float)
    if exposure is None:
        yield "exposure", _masked(rows["exposure"], any_safe[..., None])
    else:
        yield "exposure", exposure(any_safe[0])[None].swapaxes(1, 2)
    if "edisp" in rows:
        weight = _masked(rows["exposure_edisp"], any_safe[..., None])
        yield "weight", weight
        yield "weighted_edisp", _masked(rows["edisp"], weight[..., None] * safe[:, :, None, :])
    if "counts_off" in rows:
        off, acceptance, acceptance_off = (rows[n] for n in ("counts_off", "acceptance", "acceptance_off"))
        with np.errstate(invalid="ignore", over="ignore"):
            alpha = np.divide(acceptance, acceptance_off, out=np.zeros_like(off), where=acceptance_off > 0)
        off = _masked(off, safe)
        if is_window:
            # Off counts of a ring belong to many pixels: a sum of such rows is one with an expected background.
            yield "background", _masked(alpha, off)
            return
        yield "off", off
        yield "alpha_off", _masked(alpha, off)
        yield "acceptance_off", _masked(acceptance_off, safe)
    if "background" in rows:
        yield "background", _masked(rows["background"], safe)


def _masked(values: npt.NDArray[Any], factor: npt.NDArray[Any]) -> FloatArray:
    """Return the product, which is 0 where the factor is, whatever the value: 0 times NaN is not neutral."""
    with np.errstate(invalid="ignore", over="ignore"):
        product = values * factor
        is_finite = bool(np.isfinite(product.sum()))
    return np.asarray(product if is_finite else np.where(factor == 0, 0.0, product))

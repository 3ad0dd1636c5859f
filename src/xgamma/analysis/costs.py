"""What a step costs before it runs: tasks, bytes in and out, and the peak of its memory.

The factors were measured on simulated runs (docs/performance.md); a test compares a projection with a measured peak.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence

from xgamma.analysis.memory import BLOCK_ROWS, KEPT_BYTES, SUMS_BYTES, Cost
from xgamma.events import Part, Rows
from xgamma.execute import THIS_PROCESS, Workers
from xgamma.ingest.release import RUNS_PER_PART
from xgamma.reduce import Recipe, blocks_of
from xgamma.reduce.limits import LEAF, MAX_BYTES, MAX_EVENTS, MAX_ROWS, PRODUCT_BYTES, STEP_BYTES, rows_within
from xgamma.reduce.rows import row_bytes as bytes_of_row

# What a process with all imports takes, before it does anything.
IMPORTS_BYTES = 165_000_000
# The columns of a block of events as they are read, their compressed bytes, and pieces of them in work.
BYTES_PER_EVENT = 90
# Columns that are read of an event: two angles and the energy, with the time where some events are not in time.
READ_BYTES_PER_EVENT = 24
# Tables of a response at the offset of a row, and its kernel, each in several copies: in units of the row.
COPIES_OF_ROW = 13
# What stays of each row after it was written: some of the last rows, keys, and memory that is not given back.
HELD_OF_ROW = 1.4
# At the most this many products of rows: the one that is written, and the next.
HELD_PRODUCTS = 2
# Windows of the sky are made plane by plane in place, and written chunk by chunk. Their products are what takes memory:
# the blocks of one, these together, and the one that is kept for the stack.
COPIES_OF_WINDOW = 2
HELD_WINDOWS, HELD_OF_WINDOW = 3, 1.0
# An image while it is summed, and as it is handed out.
COPIES_OF_IMAGE = 2.2
# A gzipped FITS file in memory: its bytes, what it inflates to, and the columns of it.
COPIES_OF_FILE = 9


def row_bytes(recipe: Recipe) -> int:
    """Return the size of one row of a reduction."""
    return bytes_of_row(recipe.grid, recipe.held)


def stack_bytes(recipe: Recipe) -> int:
    """Return the size of a stack; of windows of the sky that is their image, with sums in double precision."""
    grid = recipe.grid.stacked
    if grid.is_region:
        return row_bytes(recipe)
    sums = 1 + bool(recipe.background_variables)
    return math.prod(grid.space.shape) * (8 * grid.energy_true.nbin + (8 * sums + 1) * grid.energy.nbin)


def ingest_cost(nbytes: int, runs: int, workers: Workers) -> Cost:
    """Return what reading files takes: a part of them is in memory, in each process.

    Parameters
    ----------
    nbytes
        The size of the files.
    runs
        How many runs they hold.
    workers
        Where they are read.
    """
    parts = -(-runs // RUNS_PER_PART)
    at_once = min(parts, 1 if workers == THIS_PROCESS else _at_once(workers))
    size = int(nbytes / parts * COPIES_OF_FILE * at_once)
    return Cost(parts, nbytes, nbytes, _imports(workers) + size)


def reduction_cost(recipe: Recipe, rows: Iterable[tuple[Part, Rows]], workers: Workers) -> Cost:
    """Return what the reduction of rows takes, from the number of events of each."""
    sizes = [
        (len(block), int(part.column("event_size", block.obs).sum()))
        for part, own in rows
        for block in blocks_of(part, own, recipe)
    ]
    count = sum(number for number, _ in sizes)
    events = sum(number for _, number in sizes)
    return _reduction(recipe, sizes, count, events, workers)


def unknown_reduction_cost(recipe: Recipe, runs: int, workers: Workers) -> Cost:
    """Return what a reduction takes at the most, of runs whose events nobody knows yet."""
    most = min(MAX_ROWS, rows_within(MAX_BYTES, recipe))
    return _reduction(recipe, [(min(runs, most), MAX_EVENTS)] * -(-runs // most), runs, 0, workers)


def _reduction(recipe: Recipe, blocks: Sequence[tuple[int, int]], count: int, events: int, workers: Workers) -> Cost:
    row = row_bytes(recipe)
    # The largest blocks may run at once.
    at_once = sorted((_block_bytes(recipe, *block) for block in blocks), reverse=True)[: _at_once(workers)]
    peak = _imports(workers) + sum(at_once) + _held_bytes(recipe, count)
    return Cost(len(blocks), events * READ_BYTES_PER_EVENT, count * row, peak)


def _block_bytes(recipe: Recipe, rows: int, events: int) -> int:
    copies = COPIES_OF_ROW if recipe.grid.is_region else COPIES_OF_WINDOW
    return min(events, MAX_EVENTS) * BYTES_PER_EVENT + rows * row_bytes(recipe) * copies


def _held_bytes(recipe: Recipe, count: int) -> int:
    """Return what stays in memory of so many rows that were reduced."""
    row = row_bytes(recipe)
    if recipe.grid.is_region:
        return int(min(count * row, HELD_PRODUCTS * PRODUCT_BYTES) * HELD_OF_ROW)
    return int(min(count, HELD_WINDOWS * rows_within(PRODUCT_BYTES, recipe)) * row * HELD_OF_WINDOW)


def _at_once(workers: Workers) -> int:
    """Return how many blocks this machine works on at once; those of another cluster are elsewhere."""
    return (os.cpu_count() or 1) if workers == THIS_PROCESS else workers.n_jobs if workers.scheduler is None else 0


def _imports(workers: Workers) -> int:
    return IMPORTS_BYTES * (1 if workers.n_jobs == 1 or workers.scheduler is not None else workers.n_jobs + 1)


def stack_cost(recipe: Recipe, runs: int, groups: int, workers: Workers) -> Cost:
    """Return what stacking rows takes: a few blocks of leaves, and the sums of all groups."""
    row, stack = row_bytes(recipe), stack_bytes(recipe)
    if not recipe.grid.is_region:
        return _image_cost(recipe, runs, groups, workers)
    block = min(runs, BLOCK_ROWS, max(1, STEP_BYTES // row))
    # A row is read with all rows of its product.
    product = max(row, min(RUNS_PER_PART * row, PRODUCT_BYTES))
    held = min(runs * row, max(KEPT_BYTES, _at_once(workers) * product))
    held += _at_once(workers) * 5 * block * row + (6 * groups + -(-runs // LEAF)) * stack
    tasks = -(-runs // max(block, min(LEAF, BLOCK_ROWS)))
    return Cost(tasks, runs * row, groups * stack, _imports(workers) + held)


def _image_cost(recipe: Recipe, runs: int, groups: int, workers: Workers) -> Cost:
    """Return what stacking windows of the sky takes: what their reduction left, products of rows, and the images."""
    row, image, leaves = row_bytes(recipe), stack_bytes(recipe), max(groups, -(-runs // LEAF))
    at_once = min(leaves, max(1, _at_once(workers)))
    product = int(min(runs, rows_within(PRODUCT_BYTES, recipe)) * row * HELD_OF_WINDOW)
    batch = min(leaves, max(at_once, SUMS_BYTES // image))
    block = min(runs, rows_within(MAX_BYTES, recipe))
    # Of the blocks of the reduction that ran at once, what one took is not given back.
    left = _held_bytes(recipe, runs) + _block_bytes(recipe, block, 0)
    images = int(COPIES_OF_IMAGE * groups * image) + (batch - 1) * image
    # What goes into one stack is added while it is in memory, or read product by product where it is in the store.
    held = max(left, at_once * product) if groups == 1 else left + at_once * product
    peak = _imports(workers) + held + images
    return Cost(leaves, runs * row, groups * image, peak)


def joint_cost(rows: Iterable[tuple[Recipe, int]]) -> Cost:
    """Return what holding all rows for a joint fit takes; ``rows`` are how many of each recipe."""
    size = sum(count * row_bytes(recipe) for recipe, count in rows)
    return Cost(1, size, 0, IMPORTS_BYTES + 4 * size)


def maps_cost(stacks: Iterable[tuple[Recipe, int]]) -> Cost:
    """Return what excess maps of stacks take, of which there are so many of each recipe: a stack, and its sums."""
    sizes = [(count, stack_bytes(recipe)) for recipe, count in stacks]
    largest, number = max((size for _, size in sizes), default=0), sum(count for count, _ in sizes)
    return Cost(number, sum(count * size for count, size in sizes), 0, IMPORTS_BYTES + 2 * largest * max(number, 1))

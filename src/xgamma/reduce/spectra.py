"""Rows of any number reduced in blocks, eagerly or as a lazy Dataset."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import xarray as xr

from xgamma.events import Part, Rows
from xgamma.execute import run_blocks
from xgamma.reduce.block import MAX_EVENTS, MAX_ROWS, Recipe, reduce_block
from xgamma.reduce.rows import joined_rows


def blocks_of(part: Part, rows: Rows) -> Iterator[Rows]:
    """Yield the rows in blocks of at most ``MAX_ROWS`` runs and about ``MAX_EVENTS`` events; none is empty."""
    sizes = part.column("event_size", rows.obs)
    start = 0
    while start < len(rows):
        events = np.cumsum(sizes[start : start + MAX_ROWS])
        length = max(1, int(np.searchsorted(events, MAX_EVENTS, side="right")))
        yield rows[start : start + length]
        start += length


def reduce_spectra(part: Part, rows: Rows, recipe: Recipe, n_jobs: int = 1, scheduler: str | None = None) -> xr.Dataset:
    """Reduce rows of one part to spectra.

    Parameters
    ----------
    part, rows
        The runs, in memory or in a store, and which of them, cut by which interval.
    recipe
        What is wanted.
    n_jobs
        1 for the threads of this process, more for a local cluster of processes.
    scheduler
        The address of a dask scheduler to use instead.

    Returns
    -------
    xarray.Dataset
        DL4, one row for each of ``rows``.
    """
    blocks = [(part, block, recipe) for block in blocks_of(part, rows)]
    return joined_rows(run_blocks(reduce_block, blocks, "Reducing", n_jobs, scheduler))

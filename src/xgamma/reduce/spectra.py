"""Rows of any number reduced in blocks, eagerly or as a lazy Dataset."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr

from xgamma.errors import ConfigError, XgammaError
from xgamma.events import Part, Rows
from xgamma.execute import Workers, run_blocks
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


@dataclass(frozen=True)
class Isolated:
    """What became of rows that were reduced each at its own risk.

    Parameters
    ----------
    data
        DL4 of those that came to an end, in their order; ``None`` where none did.
    done
        Which those are.
    lost
        Why each of the others did not, by number.
    """

    data: xr.Dataset | None
    done: list[int]
    lost: dict[int, str]


def reduce_each(part: Part, rows: Rows, recipe: Recipe, workers: Workers) -> Isolated:
    """Reduce rows of one part so that one whose events cannot be read, or for which memory is short, stops no other.

    Parameters
    ----------
    part, rows, recipe
        As in ``reduce_spectra``.
    workers
        Where blocks run.

    Raises
    ------
    ConfigError
        For what is wrong with the request, and not with a run.
    """
    blocks = [(part, block, recipe) for block in blocks_of(part, rows)]
    found = run_blocks(_isolated_block, blocks, "Reducing", workers.n_jobs, workers.scheduler)
    pieces: list[xr.Dataset] = []
    done: list[int] = []
    lost: dict[int, str] = {}
    first = 0
    for piece in (piece for block in found for piece in block):
        if isinstance(piece, str):
            lost[first] = piece
            first += 1
        else:
            pieces.append(piece)
            done += range(first, first + piece.sizes["dataset"])
            first += piece.sizes["dataset"]
    return Isolated(joined_rows(pieces) if pieces else None, done, lost)


def _isolated_block(part: Part, rows: Rows, recipe: Recipe) -> list[xr.Dataset | str]:
    """Reduce a block; where that fails, its halves, down to the single rows that are to blame."""
    try:
        return [reduce_block(part, rows, recipe)]
    except ConfigError:
        raise
    except (XgammaError, OSError, ArithmeticError, LookupError, ValueError, MemoryError) as error:
        if len(rows) == 1:
            return [str(error) if isinstance(error, XgammaError) else f"{type(error).__name__}: {error}"]
    half = len(rows) // 2
    return [*_isolated_block(part, rows[:half], recipe), *_isolated_block(part, rows[half:], recipe)]

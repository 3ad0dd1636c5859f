"""Rows of any number reduced in blocks, eagerly or as a lazy Dataset."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr

from xgamma import schema
from xgamma.errors import WorkerLostError
from xgamma.events import Part, Rows
from xgamma.execute import THIS_PROCESS, Workers, run_blocks
from xgamma.reduce.block import reduce_block
from xgamma.reduce.enclosure import validate_enclosure
from xgamma.reduce.limits import MAX_BYTES, MAX_EVENTS, MAX_ROWS, rows_within
from xgamma.reduce.recipe import Recipe
from xgamma.reduce.rows import joined_rows


def blocks_of(part: Part, rows: Rows, recipe: Recipe) -> Iterator[Rows]:
    """Yield the rows in blocks, none empty: ``MAX_ROWS`` rows, ``MAX_BYTES`` of result, about ``MAX_EVENTS`` events."""
    sizes = part.column("event_size", rows.obs)
    most, start = min(MAX_ROWS, rows_within(MAX_BYTES, recipe)), 0
    while start < len(rows):
        events = np.cumsum(sizes[start : start + most])
        length = max(1, int(np.searchsorted(events, MAX_EVENTS, side="right")))
        yield rows[start : start + length]
        start += length


def reduce_spectra(part: Part, rows: Rows, recipe: Recipe, workers: Workers = THIS_PROCESS) -> xr.Dataset:
    """Reduce rows of one part to spectra.

    Parameters
    ----------
    part, rows
        The runs, in memory or in a store, and which of them, cut by which interval.
    recipe
        What is wanted.
    workers
        Where blocks run.

    Returns
    -------
    xarray.Dataset
        DL4, one row for each of ``rows``.

    Raises
    ------
    ConfigError
        When the responses of no row fit the on-region or the containment correction.
    """
    recipe.validate_travel(workers)
    validate_enclosure([(part, rows)], recipe.grid, recipe.containment)
    blocks = list(blocks_of(part, rows, recipe))
    arguments, names = [(part, block, recipe) for block in blocks], [_named(block) for block in blocks]
    return joined_rows(run_blocks(reduce_block, arguments, "Reducing", workers, names))


@dataclass(frozen=True)
class Isolated:
    """What became of rows that were reduced each at its own risk.

    Parameters
    ----------
    blocks
        DL4 of those that came to an end, in their order, block by block.
    done
        Which those are.
    lost
        Why each of the others did not, by number.
    """

    blocks: list[xr.Dataset]
    done: list[int]
    lost: dict[int, Exception]

    @property
    def data(self) -> xr.Dataset | None:
        """DL4 of all that came to an end; ``None`` where none did."""
        return joined_rows(self.blocks) if self.blocks else None

    def products(self) -> Iterator[tuple[list[int], xr.Dataset]]:
        """Yield what is kept together, and which rows these are; each is let go before the next.

        Blocks of windows stay apart: there is as much to copy in joining them as there is to reduce.
        """
        first = 0
        while self.blocks:
            is_window = schema.space_dims(self.blocks[0]) == schema.WINDOWS
            count = 1 if is_window else len(self.blocks)
            found = joined_rows(self.blocks[:count])
            del self.blocks[:count]
            length = found.sizes["dataset"]
            yield self.done[first : first + length], found
            first += length


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
    recipe.validate_travel(workers)
    blocks = list(blocks_of(part, rows, recipe))
    arguments, names = [(part, block, recipe) for block in blocks], [_named(block) for block in blocks]
    try:
        found = run_blocks(_isolated_block, arguments, "Reducing", workers, names)
    except WorkerLostError as error:
        # Of a block that took its worker with it nobody knows which row is to blame.
        results = zip(error.results, blocks, strict=True)
        found = [[error] * len(block) if pieces is None else pieces for pieces, block in results]
    ended = Isolated([], [], {})
    first = 0
    for piece in itertools.chain.from_iterable(found):
        if isinstance(piece, Exception):
            ended.lost[first] = piece
            first += 1
        else:
            ended.blocks.append(piece)
            ended.done.extend(range(first, first + piece.sizes["dataset"]))
            first += piece.sizes["dataset"]
    return ended


def _named(rows: Rows) -> str:
    names = [rows.names[0], *rows.names[-1:]] if len(rows) > 1 else [rows.names[0]]
    return f"run{'s' if len(rows) > 1 else ''} {' to '.join(names)}"


def _isolated_block(part: Part, rows: Rows, recipe: Recipe) -> list[xr.Dataset | Exception]:
    """Reduce a block; where it cannot be read or memory is short, its halves, down to the rows that are to blame.

    What is wrong with the request, and a defect of xgamma such as a ledger that does not add up, is no fault of a run.
    """
    try:
        return [reduce_block(part, rows, recipe)]
    except (OSError, MemoryError) as error:
        if len(rows) == 1:
            return [error]
    half = len(rows) // 2
    return [*_isolated_block(part, rows[:half], recipe), *_isolated_block(part, rows[half:], recipe)]

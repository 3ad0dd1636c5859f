"""The rows of a reduction as a store holds them: found under their keys, or reduced and put there part by part."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import xarray as xr

from xgamma import reduce
from xgamma.analysis.steps import sum_ahead
from xgamma.analysis.steps.row_reader import RowReader
from xgamma.axes import FloatArray, IntArray
from xgamma.errors import XgammaError
from xgamma.events import Part, Rows
from xgamma.execute import Workers
from xgamma.ingest import Holdings
from xgamma.masks import read_masks
from xgamma.outcome import REDUCE, Outcome, UnusedRun
from xgamma.reduce.limits import MAX_BYTES, PRODUCT_BYTES, rows_within
from xgamma.reduce.recipe import row_key
from xgamma.schema import Kind, window_chunks
from xgamma.select import selection_order
from xgamma.store import Store, digest
from xgamma.store.said import with_warnings
from xgamma.times import SECONDS_PER_DAY

if TYPE_CHECKING:
    from xgamma.analysis.steps.sum_ahead import RowAddress
    from xgamma.reduce import Recipe


@dataclass(frozen=True)
class Reduced:
    """The rows of a reduction in the order of the selection; their numbers stay in the store until they are read.

    Parameters
    ----------
    reader
        Where they are.
    keys, names, obs_ids
        The key, the name and the observation id of each row.
    places
        The product and the number in it of each.
    outcome, details
        What became of each, as code and sentence.
    telescopes
        The telescopes of the product of each.
    first
        The start of the good time of each in seconds since ``mjdref``, NaN without any, shape (row,).
    mjdref
        The epoch of times.
    found
        How many were in the store already.
    """

    reader: RowReader
    keys: tuple[str, ...]
    names: tuple[str, ...]
    obs_ids: tuple[int, ...]
    places: tuple[RowAddress, ...]
    outcome: IntArray
    details: tuple[str, ...]
    telescopes: tuple[str, ...]
    first: FloatArray
    mjdref: float
    found: int

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def canonical_order(self) -> list[int]:
        """The numbers of the rows in time, rows of one time by key: the order in which they are summed."""
        start = np.nan_to_num(self.first, nan=np.inf)
        return sorted(range(len(self)), key=lambda row: (start[row], self.keys[row]))

    def read(self, rows: Sequence[int] | None = None) -> xr.Dataset:
        """Return some rows, or all of them, as one Dataset."""
        chosen = range(len(self)) if rows is None else rows
        found = self.reader.rows_at([self.places[row] for row in chosen], self.mjdref)
        return reduce.with_names(found, [self.names[row] for row in chosen])

    def like(self, row: int) -> xr.Dataset:
        """Return one row for its axes, space, sizes and attributes; of windows no map is read."""
        return self.reader.like(self.places[row], self.mjdref)

    def unused(self) -> Iterator[UnusedRun]:
        """Yield each row that could not be used."""
        for row in np.flatnonzero(self.outcome):
            outcome = Outcome(int(self.outcome[row]))
            yield UnusedRun(self.obs_ids[row], self.names[row], REDUCE, outcome, self.details[row])


def row_keys(recipe: Recipe, holdings: Holdings, key: str, rows: Rows) -> list[str]:
    """Return the key of each row: of the recipe, the bytes of its run and its interval, and of runs of its background.

    Those count that lie in the same part.
    """
    obs_ids = holdings.parts[key].column("obs_id", rows.obs).tolist()
    pieces = zip(obs_ids, rows.start.tolist(), rows.stop.tolist(), strict=True)
    recipe_key, run_keys, places = recipe.key, holdings.run_keys, holdings.places

    def others(obs_id: int) -> list[str]:
        held = (one for one in recipe.other_runs(obs_id) if one in places and places[one][0] == key)
        return [run_keys[one] for one in held]

    return [row_key(recipe_key, run_keys[obs_id], start, stop, others(obs_id)) for obs_id, start, stop in pieces]


class Piece(NamedTuple):
    """Rows of one part, and the key of each."""

    part_key: str
    part: Part
    rows: Rows
    keys: list[str]


@dataclass(frozen=True)
class WantedRows:
    """The rows of a recipe that are wanted, and where those lie that a store holds.

    Parameters
    ----------
    reader
        Reads the products of the recipe.
    recipe_key
        The digest of the recipe.
    pieces
        The rows, part by part.
    known
        Where rows of this recipe lie, by key.
    """

    reader: RowReader
    recipe_key: str
    pieces: tuple[Piece, ...]
    known: Mapping[str, RowAddress]

    def __len__(self) -> int:
        return sum(len(piece.keys) for piece in self.pieces)

    def in_order(self) -> list[tuple[str, str, int]]:
        """Return key, name and observation id of each row in the order of the selection."""
        rows: list[tuple[str, str, int]] = []
        for piece in self.pieces:
            obs_ids = piece.part.column("obs_id", piece.rows.obs).tolist()
            rows += zip(piece.keys, piece.rows.names, obs_ids, strict=True)
        order = selection_order([(piece.part_key, piece.rows) for piece in self.pieces])
        return [rows[number] for number in order.tolist()]

    def missing(self, most: int = sys.maxsize) -> Iterator[Piece]:
        """Yield the rows that the store does not hold, at the most so many of them at a time; no piece is empty."""
        for piece in self.pieces:
            numbers = [number for number, key in enumerate(piece.keys) if key not in self.known]
            for first in range(0, len(numbers), most):
                some = numbers[first : first + most]
                yield piece._replace(rows=piece.rows.at(some), keys=[piece.keys[number] for number in some])

    def reduced(self, new: Mapping[str, RowAddress]) -> Reduced:
        """Return those rows that the store held or that were put there now."""
        found = sum(key in self.known for piece in self.pieces for key in piece.keys)
        known = {**self.known, **new}
        return _reduced_at(self.reader, [(*row, known[row[0]]) for row in self.in_order() if row[0] in known], found)


def wanted_rows(store: Store, holdings: Holdings, selected: Sequence[tuple[str, Rows]], recipe: Recipe) -> WantedRows:
    """Return the rows of a selection by their keys, and where the store holds them.

    Parameters
    ----------
    store, holdings, selected, recipe
        Where rows are kept, the runs, which rows of which part, and what is wanted.
    """
    recipe_key = recipe.key
    records = {record.key: record for record in store.records(Kind.ROWS) if record.texts["recipe"] == recipe_key}
    known = {
        key: (record.key, number) for record in records.values() for number, key in enumerate(record.texts["rows"])
    }
    pieces = [
        Piece(part_key, holdings.parts[part_key], rows, row_keys(recipe, holdings, part_key, rows))
        for part_key, rows in selected
    ]
    return WantedRows(RowReader(store, records), recipe_key, tuple(pieces), known)


def reduced(
    wanted: WantedRows,
    recipe: Recipe,
    workers: Workers,
    on_failure: Callable[[UnusedRun, Exception], None],
    *,
    is_one_stack: bool = False,
) -> tuple[Reduced, list[UnusedRun]]:
    """Return rows that are wanted; those that the store does not hold are reduced and put there, part by part.

    Parameters
    ----------
    wanted, recipe, workers
        Which rows, what of them, and where it is computed.
    on_failure
        Called with each run whose reduction did not come to an end, and why; what it raises ends the work.
    is_one_stack
        Whether all of them are stacked: then windows are added while they are in memory.

    Returns
    -------
    tuple
        The rows, and the runs that are not among them.

    Raises
    ------
    ConfigError
        When the responses of no run fit the on-region or the containment correction.
    InputError
        When a mask is needed and has changed in secret.
    """
    reduce.validate_enclosure([(piece.part, piece.rows) for piece in wanted.pieces], recipe.grid, recipe.containment)
    if any(True for _ in wanted.missing(1)):
        read_masks(recipe.exclusion)
    document = recipe.document()
    lost: dict[str, UnusedRun] = {}
    if is_one_stack and not recipe.grid.is_region and not wanted.known:
        wanted.reader.ahead = sum_ahead.SumAhead()
    # Rows of a part are written while those of the next are reduced.
    with ThreadPoolExecutor(1) as writer:
        written: list[Future[dict[str, RowAddress]]] = []
        for piece in wanted.missing(_rows_at_once(recipe, workers)):
            fresh = reduce.reduce_each(piece.part, piece.rows, recipe, workers)
            # A store that cannot be written ends the work here, and not after all parts.
            for before in written[-1:]:
                before.result()
            for numbers, data in fresh.products():
                keys = [piece.keys[number] for number in numbers]
                # What was logged until now belongs to these rows, and is not known to the thread that writes.
                made = with_warnings({"recipe": document})
                written.append(writer.submit(_put_rows, wanted.reader, keys, data, piece.part_key, made))
                # Its writer has it, and nobody else.
                del data
            for number, error in fresh.lost.items():
                [run] = lost_rows(piece.part, piece.rows, {number: error})
                lost[piece.keys[number]] = run
                on_failure(run, error)
    new = {key: place for places in written for key, place in places.result().items()}
    return wanted.reduced(new), [lost[key] for key, _, _ in wanted.in_order() if key in lost]


def _rows_at_once(recipe: Recipe, workers: Workers) -> int:
    """Return how many rows are reduced before they are written: of windows, which are large, a block a worker."""
    if recipe.grid.is_region or workers.scheduler is not None:
        return rows_within(PRODUCT_BYTES, recipe)
    return rows_within(min(PRODUCT_BYTES, workers.threads * MAX_BYTES), recipe)


def unused_rows(part: Part, rows: Rows, ends: Iterable[tuple[int, Outcome, str]]) -> list[UnusedRun]:
    """Return rows that cannot be used, each given by its number, its outcome and what is wrong."""
    obs_ids = part.column("obs_id", rows.obs).tolist()
    return [UnusedRun(obs_ids[number], rows.names[number], REDUCE, outcome, why) for number, outcome, why in ends]


def lost_rows(part: Part, rows: Rows, errors: Mapping[int, Exception]) -> list[UnusedRun]:
    """Return the rows whose reduction did not come to an end, given by number with the error; others' are named."""
    said = {n: str(e) if isinstance(e, XgammaError) else f"{type(e).__name__}: {e}" for n, e in errors.items()}
    return unused_rows(part, rows, ((number, Outcome.NOT_FINISHED, text) for number, text in said.items()))


def _put_rows(
    reader: RowReader, keys: Sequence[str], data: xr.Dataset, part_key: str, made: Mapping[str, Any]
) -> dict[str, RowAddress]:
    """Put rows into the store as one product, and return where they are."""
    texts = {"recipe": digest(made["recipe"]), "rows": list(keys)}
    key = digest(list(keys))
    cut = window_chunks(data, "dataset")
    record = reader.store.put(Kind.ROWS, key, {"": data}, made, inputs=[part_key], texts=texts, encoding=cut)
    reader.put(record, data)
    if reader.ahead is not None:
        reader.ahead.add([(record.key, number) for number in range(len(keys))], keys, data)
    return {key: (record.key, number) for number, key in enumerate(keys)}


def _reduced_at(reader: RowReader, rows: Sequence[tuple[str, str, int, RowAddress]], found: int) -> Reduced:
    """Return rows of a store by key, name, observation id and place, with what became of them."""
    keys, names, obs_ids, places = zip(*rows, strict=True) if rows else ((), (), (), ())
    products = list(dict.fromkeys(key for key, _ in places))
    facts = {key: reader.facts(key) for key in products}
    mjdref = facts[products[0]].mjdref if products else 0.0
    shifts = {key: (fact.mjdref - mjdref) * SECONDS_PER_DAY for key, fact in facts.items()}
    return Reduced(
        reader,
        keys,
        names,
        obs_ids,
        places,
        np.array([facts[key].outcome[number] for key, number in places], dtype=np.int64),
        tuple(facts[key].details[number] for key, number in places),
        tuple(facts[key].telescope for key, _ in places),
        np.array([facts[key].first[number] + shifts[key] for key, number in places]),
        mjdref,
        found,
    )


def failed_rows(rows: Reduced, recipe: Recipe, runs: Sequence[UnusedRun]) -> xr.Dataset:
    """Return a masked row for each run that could not be read, or whose reduction did not come to an end."""
    obs_ids = np.array([run.obs_id for run in runs])
    outcomes, details = [run.outcome for run in runs], [run.message for run in runs]
    masked = reduce.masked_rows(recipe.grid, rows.read([0]), obs_ids, outcomes, details)
    return reduce.with_names(masked, [run.name for run in runs])

"""The rows of a reduction as a store holds them: found under their keys, or reduced and put there part by part."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import numpy as np
import xarray as xr

from xgamma.analysis.unused import REDUCE, UnusedRun
from xgamma.axes import FloatArray, IntArray
from xgamma.errors import XgammaError
from xgamma.events import Rows
from xgamma.execute import Workers
from xgamma.ingest import Holdings
from xgamma.outcome import Outcome
from xgamma.reduce import (
    PRODUCT_BYTES,
    Recipe,
    joined_rows,
    masked_rows,
    reduce_each,
    rows_within,
    select_rows,
    since,
    validate_enclosure,
    with_names,
)
from xgamma.select import selection_order
from xgamma.store import Record, Store, digest
from xgamma.times import SECONDS_PER_DAY

ROWS = "rows"
# A thousand rows or two; what is read again from the store costs a millisecond for each array.
KEPT_BYTES = 16_000_000

RowAddress = tuple[str, int]


@dataclass
class Shelf:
    """Products of rows, the last few of which stay in memory; travels to a worker as the store alone."""

    store: Store
    records: dict[str, Record] = field(default_factory=dict)
    _held: OrderedDict[str, xr.Dataset] = field(default_factory=OrderedDict)
    # Threads that stack meet here: what one moves another may let go.
    _lock: Lock = field(default_factory=Lock)

    def __reduce__(self) -> tuple[type[Shelf], tuple[Store, dict[str, Record]]]:
        return Shelf, (self.store, {key: record.bare() for key, record in self.records.items()})

    def product(self, key: str) -> xr.Dataset:
        """Return a product of rows."""
        # Threads may read the same one twice, which costs time and changes nothing.
        found = self._held.get(key)
        if found is None:
            # By the record that was read first: where products are merged meanwhile, theirs stay for a day.
            found = self.store.get_valid(ROWS, key, self.records.get(key))
        self.keep(key, found)
        return found

    def keep(self, key: str, product: xr.Dataset) -> None:
        """Hold a product, and let go those that were used longest ago beyond ``KEPT_BYTES``."""
        with self._lock:
            self._held[key] = product
            self._held.move_to_end(key)
            while len(self._held) > 1 and sum(held.nbytes for held in self._held.values()) > KEPT_BYTES:
                self._held.popitem(last=False)

    def rows_at(self, places: Sequence[RowAddress], mjdref: float) -> xr.Dataset:
        """Return the rows of some places in their order, their times counted from ``mjdref``."""
        return rows_of_products(self.product, places, mjdref)


def rows_of_products(product: Callable[[str], xr.Dataset], places: Sequence[RowAddress], mjdref: float) -> xr.Dataset:
    """Return the rows of some places in their order.

    Parameters
    ----------
    product
        Returns the Dataset of a product key.
    places
        Where the rows lie.
    mjdref
        What their times are counted from.
    """
    positions: dict[str, list[int]] = {}
    for position, (key, _) in enumerate(places):
        positions.setdefault(key, []).append(position)
    pieces = []
    for number, (key, own) in enumerate(positions.items()):
        rows = since(select_rows(product(key), [places[position][1] for position in own]), mjdref)
        # Rows of different products may have one name.
        pieces.append(with_names(rows, [f"{number}-{row}" for row in range(len(own))]) if len(positions) > 1 else rows)
    order = [position for own in positions.values() for position in own]
    return select_rows(joined_rows(pieces), np.argsort(order).tolist())


@dataclass(frozen=True)
class Reduced:
    """The rows of a reduction in the order of the selection; their numbers stay in the store until they are read.

    Parameters
    ----------
    shelf
        Where they are.
    keys, names
        The key and the name of each row.
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

    shelf: Shelf
    keys: tuple[str, ...]
    names: tuple[str, ...]
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
        found = self.shelf.rows_at([self.places[row] for row in chosen], self.mjdref)
        return with_names(found, [self.names[row] for row in chosen])

    def unused(self) -> Iterator[UnusedRun]:
        """Yield each row that could not be used."""
        for row in np.flatnonzero(self.outcome):
            yield UnusedRun.of(self.names[row], REDUCE, Outcome(int(self.outcome[row])), self.details[row])


def row_keys(recipe_key: str, holdings: Holdings, key: str, rows: Rows) -> list[str]:
    """Return the key of each row: of the recipe, the bytes of its run and its interval."""
    obs_ids = holdings.parts[key].column("obs_id", rows.obs).tolist()
    pieces = zip(obs_ids, rows.start.tolist(), rows.stop.tolist(), strict=True)
    return [digest([recipe_key, holdings.run_keys[obs_id], repr(start), repr(stop)]) for obs_id, start, stop in pieces]


def stored_rows(store: Store, recipe_key: str) -> tuple[Shelf, dict[str, RowAddress]]:
    """Return the products of a recipe, and where its rows lie: product key and number, by row key."""
    records = {record.key: record for record in store.records(ROWS) if record.texts["recipe"] == recipe_key}
    places = {
        key: (record.key, number) for record in records.values() for number, key in enumerate(record.texts["rows"])
    }
    return Shelf(store, records), places


def reduced(
    store: Store,
    holdings: Holdings,
    selected: Sequence[tuple[str, Rows]],
    recipe: Recipe,
    workers: Workers,
    on_failure: Callable[[UnusedRun, Exception], None],
) -> tuple[Reduced, list[UnusedRun]]:
    """Return the rows of a selection; those that the store does not hold are reduced and put there, part by part.

    Parameters
    ----------
    store, holdings, selected, recipe, workers
        Where rows are kept, the runs, which rows of which part, what is wanted, and where it is computed.
    on_failure
        Called with each run whose reduction did not come to an end, and why; what it raises ends the work.

    Returns
    -------
    tuple
        The rows, and the runs that are not among them.

    Raises
    ------
    ConfigError
        When the responses of no run fit the on-region or the containment correction.
    """
    pieces = [(holdings.parts[part_key], rows) for part_key, rows in selected]
    validate_enclosure(pieces, recipe.grid, recipe.containment)
    document = recipe.document()
    recipe_key = digest(document)
    shelf, known = stored_rows(store, recipe_key)
    keys: list[str] = []
    lost: dict[str, UnusedRun] = {}
    found, most = 0, rows_within(PRODUCT_BYTES, recipe)
    # Rows of a part are written while those of the next are reduced.
    with ThreadPoolExecutor(1) as writer:
        written: list[Future[dict[str, RowAddress]]] = []
        for part_key, rows in selected:
            wanted = row_keys(recipe_key, holdings, part_key, rows)
            missing = [number for number, key in enumerate(wanted) if key not in known]
            found += len(wanted) - len(missing)
            keys += wanted
            for first in range(0, len(missing), most):
                some = missing[first : first + most]
                chosen, new_keys = rows_at(rows, some), [wanted[number] for number in some]
                fresh = reduce_each(holdings.parts[part_key], chosen, recipe, workers)
                # A store that cannot be written ends the work here, and not after all parts.
                for before in written[-1:]:
                    before.result()
                done_keys = [new_keys[number] for number in fresh.done]
                written.append(writer.submit(_put_rows, shelf, done_keys, fresh.data, part_key, document))
                for number, error in fresh.lost.items():
                    run = UnusedRun.of(chosen.names[number], REDUCE, Outcome.NOT_FINISHED, sentence_of(error))
                    lost[new_keys[number]] = run
                    on_failure(run, error)
    for places in written:
        known |= places.result()
    names = [name for _, rows in selected for name in rows.names]
    order = selection_order(selected).tolist()
    at = [(keys[row], names[row], known[keys[row]]) for row in order if keys[row] in known]
    return reduced_at(shelf, at, found), [lost[keys[row]] for row in order if keys[row] in lost]


def sentence_of(error: Exception) -> str:
    """Return what an error says; one that is not ours is named."""
    return str(error) if isinstance(error, XgammaError) else f"{type(error).__name__}: {error}"


def _put_rows(
    shelf: Shelf, keys: Sequence[str], data: xr.Dataset | None, part_key: str, recipe: Mapping[str, Any]
) -> dict[str, RowAddress]:
    """Put rows into the store as one product, and return where they are."""
    if data is None:
        return {}
    texts = {"recipe": digest(recipe), "rows": list(keys)}
    record = shelf.store.put(ROWS, digest(list(keys)), {"": data}, {"recipe": recipe}, inputs=[part_key], texts=texts)
    shelf.records[record.key] = record
    shelf.keep(record.key, data)
    return {key: (record.key, number) for number, key in enumerate(keys)}


def reduced_at(shelf: Shelf, rows: Sequence[tuple[str, str, RowAddress]], found: int) -> Reduced:
    """Return rows of a store by key, name and place, with what became of them."""
    keys, names, places = zip(*rows, strict=True) if rows else ((), (), ())
    products = list(dict.fromkeys(key for key, _ in places))
    facts = {key: _facts(shelf.product(key)) for key in products}
    mjdref = facts[products[0]]["mjdref"] if products else 0.0
    shifts = {key: (fact["mjdref"] - mjdref) * SECONDS_PER_DAY for key, fact in facts.items()}
    return Reduced(
        shelf,
        keys,
        names,
        places,
        np.array([facts[key]["outcome"][number] for key, number in places], dtype=np.int64),
        tuple(facts[key]["details"][number] for key, number in places),
        tuple(facts[key]["telescope"] for key, _ in places),
        np.array([facts[key]["first"][number] + shifts[key] for key, number in places]),
        mjdref,
        found,
    )


def _facts(product: xr.Dataset) -> dict[str, Any]:
    return {
        "mjdref": float(product.attrs["mjdref"]),
        "outcome": product["outcome"].values,
        "details": product.attrs["outcome_details"],
        "telescope": str(product.attrs["telescope"]),
        "first": product["gti"].values[:, 0, 0],
    }


def rows_at(rows: Rows, numbers: Sequence[int]) -> Rows:
    """Return some of the rows, in the order of their numbers."""
    at = np.array(numbers)
    return Rows(rows.obs[at], rows.start[at], rows.stop[at], tuple(rows.names[number] for number in numbers))


def failed_rows(rows: Reduced, recipe: Recipe, runs: Sequence[UnusedRun]) -> xr.Dataset:
    """Return a masked row for each run that could not be read, or whose reduction did not come to an end."""
    obs_ids = np.array([int(run.name.partition("-")[0]) for run in runs])
    outcomes, details = [Outcome[run.kind.upper()] for run in runs], [run.message for run in runs]
    masked = masked_rows(recipe.grid, rows.read([0]), obs_ids, outcomes, details)
    return with_names(masked, [run.name for run in runs])

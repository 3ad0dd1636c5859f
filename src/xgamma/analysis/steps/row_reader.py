"""Products of rows as they are read: facts, single rows and whole products, the last few of which stay in memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xgamma.analysis.memory import KEPT_BYTES
from xgamma.axes import FloatArray, IntArray
from xgamma.reduce.rows import joined_rows, select_rows, since, with_names
from xgamma.schema import Kind
from xgamma.schema.arrays import PlainArrays
from xgamma.store import Record, Store

if TYPE_CHECKING:
    from xgamma.analysis.steps.sum_ahead import RowAddress, SumAhead


@dataclass(frozen=True)
class RowsFacts:
    """What became of the rows of a product.

    Parameters
    ----------
    mjdref
        The epoch of their times.
    telescope
        Their telescopes.
    outcome, details
        As code and as sentence, by row.
    first
        The start of the good time in seconds since ``mjdref``, shape (row,).
    """

    mjdref: float
    telescope: str
    outcome: IntArray
    details: tuple[str, ...]
    first: FloatArray

    @classmethod
    def of(cls, attrs: Mapping[Any, Any], outcome: IntArray, gti: FloatArray) -> RowsFacts:
        """Return those of a product with some attrs, outcomes (row,) and good times (row, gti, bound)."""
        details = tuple(attrs["outcome_details"])
        return cls(float(attrs["mjdref"]), str(attrs["telescope"]), outcome, details, gti[:, 0, 0])


@dataclass
class RowReader:
    """Reads products of rows, the last few of which stay in memory; a worker gets the store alone.

    ``ahead`` is what was added of a stack while its rows were in memory.
    """

    store: Store
    records: dict[str, Record] = field(default_factory=dict)
    ahead: SumAhead | None = None
    _held: OrderedDict[str, xr.Dataset | PlainArrays] = field(default_factory=OrderedDict)
    _facts: dict[str, RowsFacts] = field(default_factory=dict)
    # Threads that stack meet here: what one moves another may let go.
    _lock: Lock = field(default_factory=Lock)
    _reading: dict[str, Lock] = field(default_factory=dict)

    def __reduce__(self) -> tuple[type[RowReader], tuple[Store, dict[str, Record]]]:
        return RowReader, (self.store, {key: record.bare() for key, record in self.records.items()})

    def product(self, key: str) -> xr.Dataset:
        """Return a product of rows."""
        found = self._arrays(key)
        if isinstance(found, PlainArrays):
            found = found.dataset
            self.hold(key, found)
        return found

    def _arrays(self, key: str) -> xr.Dataset | PlainArrays:
        """Return a product of rows; one that was only looked at so far as plain arrays, which take no xarray.

        Of threads that want the same one the first reads it, and the others wait.
        """
        with self._lock:
            reading = self._reading.setdefault(key, Lock())
        with reading:
            found = self._held.get(key)
            if found is None:
                record = self.records.get(key)
                # Before it is read: of maps there is not room for more.
                self._let_go(KEPT_BYTES - (0 if record is None else record.nbytes))
                # By the record that was read first: where products are merged meanwhile, theirs stay for a day.
                found = self.store.get_arrays(Kind.ROWS, key, record)
            self.hold(key, found)
        return found

    def hold(self, key: str, product: xr.Dataset | PlainArrays) -> None:
        """Hold a product, and let go those that were used longest ago beyond ``KEPT_BYTES``."""
        self._let_go(KEPT_BYTES - product.nbytes, key)
        with self._lock:
            self._held[key] = product
            self._held.move_to_end(key)

    def put(self, record: Record, product: xr.Dataset) -> None:
        """Remember a product that was put into the store."""
        self.records[record.key] = record
        self._facts[record.key] = RowsFacts.of(product.attrs, product["outcome"].values, product["gti"].values)
        # A larger one would be let go for the first that is read.
        if product.nbytes <= KEPT_BYTES:
            self.hold(record.key, product)

    def _let_go(self, nbytes: int, but: str = "") -> None:
        """Let go products that were used longest ago, except one, until the others have so many bytes at most."""
        with self._lock:
            sizes = {key: held.nbytes for key, held in self._held.items() if key != but}
            total = sum(sizes.values())
            for key, size in sizes.items():
                if total <= nbytes:
                    break
                total -= size
                del self._held[key]

    def facts(self, key: str) -> RowsFacts:
        """Return what a product says of its rows; of one with maps nothing else is read."""
        if key not in self._facts:
            record = self.records.get(key)
            if key in self._held or record is None or record.nbytes <= KEPT_BYTES:
                product = self._arrays(key)
                self._facts[key] = RowsFacts.of(product.attrs, product["outcome"].values, product["gti"].values)
            else:
                names, count = ("outcome", "gti"), len(record.texts["rows"])
                arrays = self.store.read_columns(Kind.ROWS, key, "", names, 0, count, record)
                attrs = self.store.read_attrs(Kind.ROWS, key, record)
                self._facts[key] = RowsFacts.of(attrs, arrays["outcome"], arrays["gti"])
        return self._facts[key]

    def like(self, place: RowAddress, mjdref: float) -> xr.Dataset:
        """Return one row for its axes, space, sizes and attributes; of a large product no map is read."""
        key, number = place
        record = self.records.get(key)
        if key in self._held or record is None or record.nbytes <= KEPT_BYTES:
            return self.rows_at([place], mjdref)
        return since(select_rows(self.store.open(Kind.ROWS, key, "", record), [number]), mjdref)

    def ahead_of(self, places: Sequence[RowAddress], mjdref: float) -> SumAhead | None:
        """Give away what was added of rows at the first of some places; ``None`` where it was others."""
        ahead, self.ahead = self.ahead, None
        return ahead if ahead is not None and ahead.begins(places, mjdref) else None

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
    if len({key for key, _ in places}) == 1:
        return since(select_rows(product(places[0][0]), [number for _, number in places]), mjdref)
    positions: dict[str, list[int]] = {}
    for position, (key, _) in enumerate(places):
        positions.setdefault(key, []).append(position)
    pieces = []
    for number, (key, own) in enumerate(positions.items()):
        rows = since(select_rows(product(key), [places[position][1] for position in own]), mjdref)
        # Rows of different products may have one name.
        pieces.append(with_names(rows, [f"{number}-{row}" for row in range(len(own))]))
    order = [position for own in positions.values() for position in own]
    return select_rows(joined_rows(pieces), np.argsort(order).tolist())

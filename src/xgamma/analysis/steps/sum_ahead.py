"""The first leaf of a stack of windows, added while its rows are in memory, so that they are not read back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import xarray as xr

from xgamma.analysis.memory import SUMS_BYTES
from xgamma.reduce import select_rows
from xgamma.reduce.limits import LEAF
from xgamma.reduce.stacks import RowFacts, row_facts
from xgamma.reduce.sums import Sums, leaf_sums, sum_bytes

RowAddress = tuple[str, int]
"""The product that a row lies in, and its number there."""


@dataclass
class SumAhead:
    """The sum of the first rows of a stack, as long as they come in canonical order and fit into one leaf.

    Sums run row by row, so that what was added of the first rows is what they add to the whole leaf, bit by bit.

    Parameters
    ----------
    places
        The rows that were added.
    sums, facts
        What a stack needs of them.
    mjdref
        The epoch of their times.
    """

    places: list[RowAddress] = field(default_factory=list)
    sums: Sums = field(default_factory=dict)
    facts: list[RowFacts] = field(default_factory=list)
    mjdref: float = np.nan
    _last: tuple[float, str] = (-np.inf, "")
    _is_done: bool = False

    def add(self, places: Sequence[RowAddress], keys: Sequence[str], rows: xr.Dataset) -> None:
        """Add rows, of which places and keys are given, up to the end of the leaf; in another order all is let go."""
        count = min(len(places), LEAF - len(self.places))
        if self._is_done or count == 0:
            return
        starts, mjdref = np.nan_to_num(rows["gti"].values[:, 0, 0], nan=np.inf), float(rows.attrs["mjdref"])
        order = [self._last, *zip(starts.tolist(), keys, strict=True)]
        if order != sorted(order) or (self.places and mjdref != self.mjdref) or sum_bytes(rows) > SUMS_BYTES:
            self.places, self.sums, self.facts, self._is_done = [], {}, [], True
            return
        some = rows if count == len(places) else select_rows(rows, range(count))
        self.sums = leaf_sums([some], np.zeros(count, dtype=np.int64), begun=self.sums)
        self.facts.append(row_facts(some))
        self.places += places[:count]
        self.mjdref, self._last, self._is_done = mjdref, order[-1], count < len(places)

    def begins(self, places: Sequence[RowAddress], mjdref: float) -> bool:
        """Whether these are the first of some places in canonical order."""
        own = len(self.places)
        return 0 < own <= len(places) and list(places[:own]) == self.places and self.mjdref == mjdref

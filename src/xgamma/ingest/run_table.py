"""The runs of a release or a store as columns: for lists, to be sorted, and to be chosen by an expression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from xgamma.errors import UnknownNameError, did_you_mean
from xgamma.events import RUN_COLUMNS, RunFacts
from xgamma.expressions import Expression
from xgamma.geometry import separation, to_frame
from xgamma.ingest.release import FitsRelease
from xgamma.ingest.stored import StoredRelease

OFFSET = "offset"
TABLE_COLUMNS = (*RUN_COLUMNS, OFFSET)
"""What runs can be sorted and chosen by."""
Columns = Mapping[str, npt.NDArray[Any]]


class Position(NamedTuple):
    """A position on the sky, deg."""

    lon: float
    lat: float
    frame: str = "icrs"


class RunTable(NamedTuple):
    """Runs, and what is known of each.

    Parameters
    ----------
    facts
        What a selection looks at, for each run.
    columns
        ``TABLE_COLUMNS`` of the same runs; NaN and empty where nobody says it.
    """

    facts: Sequence[RunFacts]
    columns: Columns

    def where(self, expression: Expression) -> RunTable:
        """Return the runs for which an expression is true; raises ``UnknownNameError`` for a column there is not."""
        expression.validate_names(TABLE_COLUMNS, "--where")
        return self.at(np.flatnonzero(expression.holds(self.columns)))

    def sorted_by(self, name: str, *, falling: bool = False) -> RunTable:
        """Return the runs in the order of a column; those whose value is not known come last.

        Raises ``UnknownNameError`` for a column that is not there.
        """
        if name not in self.columns:
            raise UnknownNameError(f"--sort: there is no column {name!r}.{did_you_mean(name, TABLE_COLUMNS)}")
        values = self.columns[name]
        order = np.argsort(values, kind="stable")
        order = order[::-1] if falling else order
        is_known = values[order] == values[order]
        return self.at(np.concatenate([order[is_known], order[~is_known]]))

    def at(self, numbers: npt.ArrayLike) -> RunTable:
        """Return some of the runs, in the order of their numbers."""
        rows = np.asarray(numbers, dtype=np.int64)
        columns = {name: values[rows] for name, values in self.columns.items()}
        return RunTable([self.facts[row] for row in rows.tolist()], columns)


def run_table(release: FitsRelease | StoredRelease, position: Position | None = None) -> RunTable:
    """Return the runs of a release or a store; without a position their offsets to it are not known.

    Raises
    ------
    InputError, StoreError
        When the index or the store cannot be read.
    """
    columns = release.run_columns()
    return RunTable(list(release.facts().values()), {**columns, OFFSET: _offsets(columns, position)})


def _offsets(columns: Columns, position: Position | None) -> npt.NDArray[np.float64]:
    """Return the offset of each pointing to a position, deg."""
    ra, dec = np.asarray(columns["ra"], dtype=float), np.asarray(columns["dec"], dtype=float)
    if position is None or not len(ra):
        return np.full(len(ra), np.nan)
    return np.asarray(separation(ra, dec, *to_frame(*position, "icrs")))

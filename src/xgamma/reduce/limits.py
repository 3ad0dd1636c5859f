"""How much is reduced, read, summed and kept at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xgamma.reduce import rows

if TYPE_CHECKING:
    from xgamma.reduce.recipe import Recipe

# Of the events that are read at a time.
MAX_EVENTS = 2_000_000
# A fourth of a part of 500 runs: two or four workers end at the same time.
MAX_ROWS = 125
# Of the result of a block: 125 rows of 60 by 300 energies are below it, and one window of 200 by 200 pixels is near it.
MAX_BYTES = 32_000_000
# Of rows that are kept together: all of a part of 500 runs, but where each takes more than 128 kB.
PRODUCT_BYTES = 64_000_000
# So many rows are summed to a leaf of a stack.
LEAF = 64
# So much of rows is looked at in one go.
STEP_BYTES = 32_000_000


def rows_within(nbytes: int, recipe: Recipe) -> int:
    """Return how many rows of a reduction take at most so many bytes, at least one."""
    return max(1, nbytes // rows.row_bytes(recipe.grid, recipe.held))

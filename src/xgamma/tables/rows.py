"""Rows and stacks as tables: counts, background, significance and live time of each, and why one is not used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from xgamma.axes import BoolArray, FloatArray
from xgamma.digits import NOTHING, decimals
from xgamma.outcome import Outcome
from xgamma.schema import safe_along
from xgamma.schema.arrays import NamedArrays
from xgamma.tables.counts import background_values, is_on_off, lines, row_names, sqrt_ts_of_lines, sums_of_lines
from xgamma.tables.table import Table, bounds_text, finite, first_of, hours_text


def rows_table(several: Sequence[NamedArrays], title: str, most: int) -> Table:
    """Return a row for each region of each row of reductions, or of stacks, summed over its safe bins."""
    shown: list[Mapping[str, str]] = []
    for ds in several:
        shown += _rows(ds, most - len(shown))
    more = first_of(sum(map(lines, several)), most)
    return Table(f"{title}{more}: live time in h, safe energies in TeV", shown, spare=("off", "safe"))


def _rows(ds: NamedArrays, most: int) -> list[Mapping[str, str]]:
    found = _summed(ds)
    names, each = row_names(ds), lines(ds) // max(1, ds.sizes["dataset"])
    safe, edges = safe_along(ds, "dataset", "energy"), ds["energy_bounds"].values
    return [
        {
            "name": name,
            "counts": f"{found['counts'][line]:.0f}",
            "off": f"{found['counts_off'][line]:.0f}" if "counts_off" in found else NOTHING,
            "background": decimals(found["background"][line], 1),
            "excess": decimals(found["excess"][line], 1),
            "sqrt_ts": decimals(found["sqrt_ts"][line], 1),
            "live": hours_text(found["livetime"][line]),
            "safe": _span_of(safe[line // each], edges),
            "outcome": _outcome(ds, line // each),
        }
        for line, name in enumerate(names[:most])
    ]


def rows_document(ds: NamedArrays) -> list[dict[str, Any]]:
    """Return the same of all rows as JSON holds it."""
    found, each = _summed(ds), lines(ds) // max(1, ds.sizes["dataset"])
    outcomes = ds["outcome"].values if "outcome" in ds else np.zeros(ds.sizes["dataset"], dtype=int)
    return [
        {
            "name": name,
            **{key: finite(values[line]) for key, values in found.items()},
            "outcome": Outcome(int(outcomes[line // each])).name.lower(),
        }
        for line, name in enumerate(row_names(ds))
    ]


def _summed(ds: NamedArrays) -> Mapping[str, Any]:
    safe = ds["mask_safe"].values
    counts = sums_of_lines(ds, ds["counts"].values, safe)
    known = sums_of_lines(ds, background_values(ds), safe)
    live = np.repeat(ds["livetime"].values, lines(ds) // max(1, ds.sizes["dataset"]))
    found = {"counts": counts, "background": known, "excess": counts - known, "livetime": live}
    if is_on_off(ds):
        found["counts_off"] = sums_of_lines(ds, ds["counts_off"].values, safe)
    return found | {"sqrt_ts": sqrt_ts_of_lines(ds, counts, known, safe)}


def _span_of(safe: BoolArray, edges: FloatArray) -> str:
    used = np.flatnonzero(safe)
    return bounds_text(edges[used[0], 0], edges[used[-1], 1]) if len(used) else "none"


def _outcome(ds: NamedArrays, row: int) -> str:
    """Return why a row is not used; nothing of one that is."""
    outcome = Outcome(int(ds["outcome"].values[row])) if "outcome" in ds else Outcome.USED
    if outcome == Outcome.USED:
        return NOTHING
    details = ds.attrs.get("outcome_details")
    return str(details[row]) if details else outcome.sentence

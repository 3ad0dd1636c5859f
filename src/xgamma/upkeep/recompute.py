"""Rows of a store reduced again from the events that it holds, and compared bit for bit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import xarray as xr

from xgamma.errors import StoreError, UnknownNameError, XgammaError
from xgamma.events import Part, Rows
from xgamma.execute import progress_bar
from xgamma.ingest.stored import StoredGroups
from xgamma.reduce import Recipe, blocks_of, reduce_block, row_key, select_rows
from xgamma.schema import Kind
from xgamma.store import Record, Store
from xgamma.store.integrity import still_stands

NO_RUN = "the store does not hold the runs that they were made from, or their background is that of off runs"
DAMAGED_RUN = "their runs are damaged"
EXCLUSION = "only the digest of their exclusion mask is recorded"
OTHER_VERSION = "another version of xgamma made them"
UNKNOWN_METHOD = "their recipe names a background or a safe mask that is not registered here"
MEANWHILE = "they were merged or deleted while they were looked at"
OTHER_EPOCH = "their runs were merged under another epoch"


Version = TypeVar("Version")


@dataclass(frozen=True)
class StoredRow:
    """A row of a reduction: its product and number, and the part and number of its run, where the store holds it."""

    product: str
    number: int
    part: str | None
    obs: int


@dataclass
class Recomputed:
    """How many rows were reduced again, in which products they differ and how, and how many cannot be, by reason."""

    count: int = 0
    differ: list[tuple[str, str]] = field(default_factory=list)
    impossible: Counter[str] = field(default_factory=Counter)


def recomputed(
    store: Store,
    records: Mapping[str, Record],
    rows: Sequence[StoredRow],
    damaged: frozenset[str],
    sample: int,
    random: np.random.Generator,
) -> Recomputed:
    """Reduce a sample of rows again.

    Parameters
    ----------
    store, records
        Where the products are, and the records of the rows and of the parts of their runs, by key.
    rows
        From which the sample is drawn, as far as their recipe and run are known.
    damaged
        Keys of parts that are not as they were put.
    sample, random
        How many, and who draws them.
    """
    result = Recomputed()
    recipes = {key: _known_recipe(records[key]) for key in {row.product for row in rows}}
    reasons = [_obstacle(row, recipes[row.product], damaged) for row in rows]
    result.impossible.update(reason for reason in reasons if reason is not None)
    possible = [row for row, reason in zip(rows, reasons, strict=True) if reason is None]
    chosen = sorted(random.choice(len(possible), min(sample, len(possible)), replace=False).tolist())
    batches: dict[tuple[str, str], list[StoredRow]] = {}
    for row in (possible[number] for number in chosen):
        batches.setdefault((row.product, str(row.part)), []).append(row)
    with progress_bar("Reducing again", len(chosen)) as advance:
        for (product, part_key), batch in batches.items():
            part_record, record = records[part_key], records[product]
            try:
                found = _compared(store, part_record, record, batch, recipes[product])
            except StoreError:
                found = MEANWHILE
            if found == MEANWHILE or any(found):
                # Others may be at work; what stands was damaged since it was read, and the next look says how.
                stand = still_stands(store, part_record) and still_stands(store, record)
                found = found if stand else MEANWHILE
            if isinstance(found, str):
                result.impossible[found] += len(batch)
                continue
            for message in found:
                result.count += 1
                result.differ += [(product, message)] if message else []
                advance()
    return result


def _compared(
    store: Store, part_record: Record, record: Record, batch: Sequence[StoredRow], recipe: Any
) -> list[str] | str:
    """Return for each row of a product in what it differs from what its run gives now, or why this is not known."""
    # By the records that were read first: products may be merged meanwhile.
    part, held = Part(StoredGroups(store, part_record)), store.get(Kind.ROWS, record.key, record=record)
    if part.runs.attrs["mjdref"] != held.attrs["mjdref"]:
        return OTHER_EPOCH
    return list(_comparisons(part, held, batch, recipe))


def _obstacle(row: StoredRow, recipe: Recipe | str, damaged: frozenset[str]) -> str | None:
    """Return why a row cannot be reduced again, ``None`` where it can."""
    if isinstance(recipe, str):
        return recipe
    if row.part is None:
        return NO_RUN
    return DAMAGED_RUN if row.part in damaged else None


def run_of_row(recipe: str, wanted: str, interval: np.ndarray, versions: Mapping[str, Version]) -> Version | None:
    """Return that version of a run which, with a recipe and an interval, makes the key of a row, if there is one.

    Parameters
    ----------
    recipe, wanted
        The keys of the recipe and of the row.
    interval
        Start and stop in seconds, shape (2,).
    versions
        What is known of each version, by run key.
    """
    start, stop = interval.tolist()
    for run_key, version in versions.items():
        if row_key(recipe, run_key, start, stop) == wanted:
            return version
    return None


def _known_recipe(record: Record) -> Recipe | str:
    """Return the recipe of rows, or why it cannot be rebuilt."""
    document = record.provenance.get("recipe")
    if not isinstance(document, dict):
        return OTHER_VERSION
    if document.get("exclusion") is not None:
        return EXCLUSION
    try:
        recipe = Recipe.from_document(document)
        return recipe if recipe.key == record.texts["recipe"] else OTHER_VERSION
    except UnknownNameError:
        return UNKNOWN_METHOD
    except (KeyError, TypeError, ValueError, AttributeError, XgammaError):
        return OTHER_VERSION


def _comparisons(part: Part, held: xr.Dataset, batch: Sequence[StoredRow], recipe: Any) -> Iterator[str]:
    """Yield for each row of one product and one part in what it differs from what its run gives now."""
    rows = np.array([row.number for row in batch])
    start, stop = held["interval"].values[rows].T
    names = tuple(str(name) for name in held["dataset"].values[rows])
    first = 0
    for block in blocks_of(part, Rows(np.array([row.obs for row in batch]), start, stop, names), recipe):
        here = rows[first : first + len(block)].tolist()
        first += len(block)
        try:
            fresh = reduce_block(part, block, recipe)
        except (XgammaError, ValueError, KeyError, IndexError) as error:
            yield from (f"Row {name!r} cannot be reduced again: {error}" for name in block.names)
            continue
        for number, (row, name) in enumerate(zip(here, block.names, strict=True)):
            unlike = unlike_variables(select_rows(held, [row]), select_rows(fresh, [number]))
            yield f"Row {name!r} differs from what its run gives now, in {', '.join(unlike)}." if unlike else ""


def unlike_variables(one: xr.Dataset, other: xr.Dataset) -> list[str]:
    """Return the variables, coordinates and row texts that are not the same bit for bit, numbers with how unlike."""
    names = sorted({*map(str, one.variables), *map(str, other.variables)})
    pairs = {name: (one.variables.get(name), other.variables.get(name)) for name in names}
    unlike = [f"{name}{_deviation(*pair)}" for name, pair in pairs.items() if not _is_same(*pair)]
    same_text = one.attrs["outcome_details"] == other.attrs["outcome_details"]
    return unlike if same_text else [*unlike, "outcome_details"]


def _deviation(one: xr.Variable | None, other: xr.Variable | None) -> str:
    if one is None or other is None or one.shape != other.shape or {one.dtype.kind, other.dtype.kind} != {"f"}:
        return ""
    values, others = np.asarray(one.values), np.asarray(other.values)
    unlike = np.isfinite(values) & np.isfinite(others) & (values != others)
    largest = np.maximum(abs(values[unlike]), abs(others[unlike]))
    relative = abs(values[unlike] - others[unlike]) / largest
    return f" (relative difference {relative.max():.1e})" if relative.size else ""


def _is_same(one: xr.Variable | None, other: xr.Variable | None) -> bool:
    if one is None or other is None or one.dims != other.dims or one.shape != other.shape:
        return False
    values, others = np.asarray(one.values), np.asarray(other.values)
    if values.dtype.kind == "U":
        return bool((values == others).all())
    return values.dtype == others.dtype and values.tobytes() == others.tobytes()

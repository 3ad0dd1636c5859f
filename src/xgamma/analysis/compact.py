"""Small parts of a store merged: runs by release, reduced rows by recipe."""

from __future__ import annotations

from collections.abc import Sequence

from xgamma.analysis.products import ROWS
from xgamma.ingest import merge_parts
from xgamma.ingest.release import KIND
from xgamma.reduce import joined_rows
from xgamma.store import Record, Store


def compact(store: Store) -> list[Record]:
    """Merge the parts of each release and of each recipe; what was found before is found after.

    Returns
    -------
    list
        The records of the merged parts. The old ones stay readable until ``Store.gc``, a day later.

    Examples
    --------
    >>> compact(Store("memory://"))
    []
    """
    # What a merged part holds already is not merged again: the rest of an interrupted compaction, parts with a name.
    records = sorted(store.end_compactions(), key=lambda record: record.created)
    runs = _grouped([record for record in records if record.kind == KIND], "release")
    rows = _grouped([record for record in records if record.kind == ROWS], "recipe")
    merged = [merge_parts(store, release, of_release) for release, of_release in runs.items()]
    merged += [_merge_rows(store, recipe, of_recipe) for recipe, of_recipe in rows.items()]
    return [record for record in merged if record is not None]


def _grouped(records: Sequence[Record], text: str) -> dict[str, list[Record]]:
    """Return records by one of their texts, sorted by it."""
    texts = sorted({str(record.texts[text]) for record in records})
    return {value: [record for record in records if record.texts[text] == value] for value in texts}


def _merge_rows(store: Store, recipe: str, records: Sequence[Record]) -> Record | None:
    if len(records) < 2:
        return None
    texts = {"recipe": recipe, "rows": [row for record in records for row in record.texts["rows"]]}
    return store.compact(
        ROWS,
        [record.key for record in records],
        lambda parts: {"": joined_rows([part[""] for part in parts])},
        {"recipe": records[0].provenance["recipe"]},
        texts=texts,
    )

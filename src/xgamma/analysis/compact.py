"""Small parts of a store merged: runs by release, reduced rows by recipe."""

from __future__ import annotations

from xgamma.analysis.rows import ROWS
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
    releases = sorted({str(record.texts["release"]) for record in store.ls(KIND)})
    recipes = sorted({str(record.texts["recipe"]) for record in store.ls(ROWS)})
    merged = [merge_parts(store, release) for release in releases]
    merged += [_merge_rows(store, recipe) for recipe in recipes]
    return [record for record in merged if record is not None]


def _merge_rows(store: Store, recipe: str) -> Record | None:
    records = sorted((r for r in store.ls(ROWS) if r.texts["recipe"] == recipe), key=lambda record: record.created)
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

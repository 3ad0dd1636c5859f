"""Stored pictures as tables: their names and the sizes of their files."""

from __future__ import annotations

from typing import Any

from xgamma.schema.arrays import NamedArrays
from xgamma.tables.table import Table


def pictures_table(ds: NamedArrays) -> Table:
    """Return a row for each picture of a step."""
    rows = [{"picture": each["picture"], "bytes": str(each["bytes"])} for each in pictures_document(ds)]
    return Table(f"Pictures of {ds.attrs['step']}", rows)


def pictures_document(ds: NamedArrays) -> list[dict[str, Any]]:
    """Return the same as JSON holds it."""
    pairs = zip(ds["picture"].values.tolist(), ds["size"].values.tolist(), strict=True)
    return [{"picture": str(name), "bytes": int(size)} for name, size in pairs]

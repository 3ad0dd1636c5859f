"""Warnings that were logged while a product was made: they are written into its record, and said again with it."""

from __future__ import annotations

from typing import Any

from xgamma.store.records import Record
from xgamma.warned import taken_warnings

WARNINGS = "warnings"
"""What the provenance of a record calls them."""


def with_warnings(given: Any) -> dict[str, Any]:
    """Return provenance with the warnings of this context since the last product, each once, where there are any."""
    said = taken_warnings()
    return {**given, WARNINGS: [*given.get(WARNINGS, ()), *said]} if said else dict(given)


def warnings_of(record: Record) -> list[str]:
    """Return the warnings that were logged when a product was made; records of older versions have none."""
    said = record.provenance.get(WARNINGS, ())
    return [str(text) for text in said] if isinstance(said, list | tuple) else []

"""Warnings that are logged while a product is made: they are written into its record, and said again with it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from xgamma.store.records import Record

WARNINGS = "warnings"
"""What the provenance of a record calls them."""


class _Collector(logging.Handler):
    """Keeps the text of warnings."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())
        if not _is_handled(logging.getLogger(record.name)) and logging.lastResort is not None:
            # Where nobody has set up logging, Python prints warnings as long as there is no handler at all.
            logging.lastResort.handle(record)


_OPEN: list[_Collector] = []


@contextmanager
def collected_warnings() -> Iterator[None]:
    """Collect the warnings of xgamma for the records of the products that are put into a store meanwhile."""
    collector, logger = _Collector(), logging.getLogger("xgamma")
    logger.addHandler(collector)
    _OPEN.append(collector)
    try:
        yield
    finally:
        _OPEN.remove(collector)
        logger.removeHandler(collector)


def with_warnings(given: Any) -> dict[str, Any]:
    """Return provenance with the warnings since the last product, each once, where there are any."""
    if not _OPEN or not _OPEN[-1].said:
        return dict(given)
    said, _OPEN[-1].said = list(dict.fromkeys(_OPEN[-1].said)), []
    return {**given, WARNINGS: said}


def warnings_of(record: Record) -> list[str]:
    """Return the warnings that were logged when a product was made; records of older versions have none."""
    said = record.provenance.get(WARNINGS, ())
    return [str(text) for text in said] if isinstance(said, list | tuple) else []


def _is_handled(logger: logging.Logger | None) -> bool:
    """Whether anything else than collectors handles what a logger gets."""
    while logger is not None:
        if any(not isinstance(handler, _Collector) for handler in logger.handlers):
            return True
        logger = logger.parent if logger.propagate else None
    return False

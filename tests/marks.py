"""Marks of tests: which of many cases of one kind are left to `make test-all`."""

from collections.abc import Iterable

import pytest


def some_long(cases: Iterable[object], kept: int) -> list[object]:
    """Return the cases of a parametrized test; only the first of each ``kept`` is not long."""
    return [pytest.param(case, marks=[pytest.mark.long] if n % kept else []) for n, case in enumerate(cases)]

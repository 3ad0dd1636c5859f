"""``Grouping``: which rows are stacked together: by night, month, band of a column, or expression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from xgamma.axes import FloatArray
from xgamma.errors import ConfigError
from xgamma.events import RUN_COLUMNS
from xgamma.expressions import Column, Expression, parsed
from xgamma.units import canonical

OFFSET = "offset"
GROUP_COLUMNS = (*RUN_COLUMNS, OFFSET)
# The units of edges of bands; a column without an entry has no unit.
_UNITS = dict.fromkeys(("ra", "dec", "zenith", OFFSET), "deg") | dict.fromkeys(("ontime", "livetime"), "s")
_TEXTS = ("target", "telescope", "night", "month")
_EXAMPLE = "write night, month, an expression such as zenith < 30, or edges such as {zenith: [0, 20, 40, 60]}"


@dataclass(frozen=True)
class Grouping:
    """How rows are grouped; make one with ``normalize_grouping``.

    Parameters
    ----------
    expression
        Rows with the same value are one group.
    edges
        Edges of bands of that value in canonical units, each band closed below and open above; may be empty.
    """

    expression: Expression
    edges: tuple[float, ...] = ()

    def document(self) -> str | dict[str, list[float]]:
        """Return the argument of ``normalize_grouping``, as written in YAML."""
        return {self.expression.text: list(self.edges)} if self.edges else self.expression.text

    def labels(self, columns: Mapping[str, Column]) -> list[str]:
        """Return the name of the group of each row.

        Parameters
        ----------
        columns
            ``GROUP_COLUMNS`` of the rows, each of shape (row,).

        Examples
        --------
        >>> columns = {"zenith": np.array([12.0, 31.0, 75.0])}
        >>> Grouping(parsed("zenith", "by"), (0.0, 20.0, 40.0)).labels(columns)
        ['zenith 0-20', 'zenith 20-40', 'zenith outside 0-40']
        >>> Grouping(parsed("zenith < 30", "by")).labels(columns)
        ['zenith < 30', 'not zenith < 30', 'not zenith < 30']
        """
        values = self.expression.of(columns)
        text = self.expression.text.strip()
        if self.edges:
            return _bands(text, values, self.edges)
        if values.dtype.kind == "b":
            return [text if value else f"not {text}" for value in values.tolist()]
        return [str(value) or "unknown" for value in values.tolist()]


def _bands(name: str, values: FloatArray, edges: Sequence[float]) -> list[str]:
    # Short only where that is exact, so that two bands never have the same name.
    shown = [f"{edge:g}" if float(f"{edge:g}") == edge else repr(edge) for edge in edges]
    names = [f"{name} {low}-{high}" for low, high in pairwise(shown)]
    names.append(f"{name} outside {shown[0]}-{shown[-1]}")
    band = np.searchsorted(edges, values, side="right") - 1
    inside = (band >= 0) & (band < len(edges) - 1)
    return [names[number] for number in np.where(inside, band, len(edges) - 1).tolist()]


def normalize_grouping(value: Any, where: str) -> Grouping:
    """Return the grouping from text, or from a mapping of one column to edges.

    Raises
    ------
    ConfigError
        For anything else, an unknown column, edges that do not ascend or have a wrong unit.
    """
    if isinstance(value, Grouping):
        return value
    if isinstance(value, Mapping) and len(value) == 1:
        name, edges = next(iter(value.items()))
        return Grouping(_column(name, where), _edges(name, edges, f"{where}.{name}"))
    if not isinstance(value, str):
        raise ConfigError(f"{where}: expected one way to group, got {value!r}; {_EXAMPLE}.")
    expression = parsed(value, where)
    expression.validate_names(GROUP_COLUMNS, where)
    if expression.is_name and expression.names[0] not in (*_TEXTS, "obs_id"):
        raise ConfigError(f"{where}: {value.strip()} has a value for each run; {_EXAMPLE}.")
    return Grouping(expression)


def _column(name: Any, where: str) -> Expression:
    expression = parsed(str(name), where)
    expression.validate_names(GROUP_COLUMNS, where)
    if not expression.is_name or expression.names[0] in _TEXTS:
        raise ConfigError(f"{where}: expected a column of numbers, got {name!r}; {_EXAMPLE}.")
    return expression


def _edges(name: str, given: Any, where: str) -> tuple[float, ...]:
    if not isinstance(given, Sequence) or isinstance(given, str) or len(given) < 2:
        raise ConfigError(f"{where}: expected two edges or more, got {given!r}; {_EXAMPLE}.")
    edges = tuple(_edge(edge, _UNITS.get(name, ""), where) for edge in given)
    if not all(low < high for low, high in pairwise(edges)):
        raise ConfigError(f"{where}: expected edges that ascend, got {list(given)}.")
    return edges


def _edge(value: Any, unit: str, where: str) -> float:
    is_bare = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_bare else canonical(value, unit, where)

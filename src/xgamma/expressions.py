"""Expressions over the columns of a table, such as ``zenith < 30 and target != 'Crab'``; they can run no code.

An expression is parsed by Python's own parser, and every node of its tree has to be on a short list: names of columns,
numbers, texts, comparisons, ``and``, ``or``, ``not``, ``in``. Calls, attributes, indices and arithmetic raise an error.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from xgamma.axes import BoolArray
from xgamma.errors import ConfigError, UnknownNameError, did_you_mean

Column = npt.NDArray[Any]

# Longer than any real expression; deeper nesting would use up the stack of the interpreter.
MAX_LENGTH = 1000
_ALLOWED = "names of columns, numbers, texts, comparisons, and, or, not, in"
_COMPARISONS: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.In: lambda column, words: np.isin(column, words),
    ast.NotIn: lambda column, words: ~np.isin(column, words),
}
_JOINTS: Mapping[type[ast.boolop], Callable[[Any, Any], Any]] = {ast.And: operator.and_, ast.Or: operator.or_}


@dataclass(frozen=True)
class Expression:
    """A validated expression; make one with ``parsed``.

    Parameters
    ----------
    text
        As written by the user.

    Examples
    --------
    >>> parsed("20 <= zenith < 30 and target in ('Crab', 'MSH 15-52')").names
    ('target', 'zenith')
    """

    text: str

    def __str__(self) -> str:
        return self.text

    @cached_property
    def _tree(self) -> ast.expr:
        return ast.parse(self.text.strip(), mode="eval").body

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the columns that it uses, sorted."""
        return tuple(sorted({node.id for node in ast.walk(self._tree) if isinstance(node, ast.Name)}))

    @property
    def is_name(self) -> bool:
        """Whether it is nothing but the name of a column."""
        return isinstance(self._tree, ast.Name)

    def validate_names(self, known: Sequence[str], where: str) -> None:
        """Raise ``UnknownNameError``, which starts with ``where``, for a column that is not ``known``."""
        for name in self.names:
            if name not in known:
                raise UnknownNameError(f"{where}: there is no column {name!r} in {self.text!r}.{_hint(name, known)}")

    def of(self, columns: Mapping[str, Column]) -> Column:
        """Return its value for each row of the columns, shape (row,).

        Raises
        ------
        ConfigError
            When a text is compared with a number.
        """
        value = np.asarray(_value(self._tree, columns, self.text))
        return np.broadcast_to(value, np.shape(next(iter(columns.values()))))

    def holds(self, columns: Mapping[str, Column]) -> BoolArray:
        """Return for which rows it is true, shape (row,).

        NaN equals nothing and is neither less nor greater: ``zenith < 30`` is false, and ``zenith != 30``
        true, of a run whose zenith angle is not known.

        Raises
        ------
        ConfigError
            When its value is not true or false.
        """
        value = self.of(columns)
        if value.dtype.kind != "b":
            raise ConfigError(f"Expected a condition such as {self.text.strip()} > 0, got {self.text!r} alone.")
        return value


def _hint(name: str, known: Sequence[str]) -> str:
    near = did_you_mean(name, known)
    return near if "Did you mean" in near else f" Known: {', '.join(known)}. Write texts in quotes: '{name}'."


def parsed(text: str, where: str) -> Expression:
    """Return the expression of a text.

    Parameters
    ----------
    text
        Python's syntax, as far as it is allowed here.
    where
        The start of an error message, such as the path of a key.

    Raises
    ------
    ConfigError
        When it is not an expression, or contains anything but names, numbers, texts, comparisons, and, or, not, in.
    """
    if len(text) > MAX_LENGTH:
        raise ConfigError(f"{where}: expected at most {MAX_LENGTH} characters, got {len(text)}.")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else type(error).__name__
        raise ConfigError(
            f"{where}: {text!r} is no expression ({reason}); write for example zenith < 30 and livetime > 600."
        ) from None
    for node in ast.walk(tree):
        if not _is_allowed(node) or isinstance(tree, ast.Tuple | ast.List):
            found = (ast.get_source_segment(text.strip(), node) or "") if isinstance(node, ast.expr) else ""
            raise ConfigError(
                f"{where}: {found or type(node).__name__!r} is not allowed in an expression; allowed are {_ALLOWED}."
            )
    return Expression(text)


def _is_allowed(node: ast.AST) -> bool:
    match node:
        case ast.Constant():
            return isinstance(node.value, int | float | str)
        case ast.UnaryOp(op=ast.USub()):
            return isinstance(node.operand, ast.Constant) and isinstance(node.operand.value, int | float)
        case ast.UnaryOp():
            return isinstance(node.op, ast.Not)
        case ast.Compare():
            sides = pairwise([node.left, *node.comparators])
            return all(_is_comparable(op, *pair) for op, pair in zip(node.ops, sides, strict=True))
        case ast.Tuple() | ast.List():
            return all(isinstance(item, ast.Constant | ast.UnaryOp) for item in node.elts)
        case ast.BoolOp() | ast.Name() | ast.Load() | ast.boolop() | ast.cmpop() | ast.Not() | ast.USub():
            return not isinstance(node, ast.Is | ast.IsNot)
        case _:
            return False


def _is_comparable(op: ast.cmpop, left: ast.expr, right: ast.expr) -> bool:
    are_lists = [isinstance(side, ast.Tuple | ast.List) for side in (left, right)]
    return are_lists == [False, isinstance(op, ast.In | ast.NotIn)]


def _value(node: ast.expr, columns: Mapping[str, Column], text: str) -> Any:
    match node:
        case ast.Name():
            return columns[node.id]
        case ast.Constant():
            return node.value
        case ast.UnaryOp(op=ast.USub()):
            return -_value(node.operand, columns, text)
        case ast.UnaryOp():
            return ~_condition(node.operand, columns, text)
        case ast.Tuple() | ast.List():
            return [_value(item, columns, text) for item in node.elts]
        case ast.BoolOp():
            return reduce(_JOINTS[type(node.op)], (_condition(each, columns, text) for each in node.values))
        case ast.Compare():
            return _comparison(node, columns, text)
    raise ConfigError(f"{text!r} holds {type(node).__name__}; allowed are {_ALLOWED}.")


def _condition(node: ast.expr, columns: Mapping[str, Column], text: str) -> BoolArray:
    value = np.asarray(_value(node, columns, text))
    if value.dtype.kind != "b":
        part = ast.get_source_segment(text.strip(), node)
        raise ConfigError(f"{text!r}: expected a condition such as a comparison, got {part!r}.")
    return value


def _comparison(node: ast.Compare, columns: Mapping[str, Column], text: str) -> BoolArray:
    values = [_value(each, columns, text) for each in (node.left, *node.comparators)]
    result: Any = True
    for op, (left, right) in zip(node.ops, pairwise(values), strict=True):
        kinds = {_kind(item) for side in (left, right) for item in (side if isinstance(side, list) else [side])}
        if len(kinds) > 1:
            raise ConfigError(f"{text!r} compares a text with a number; write texts in quotes and numbers without.")
        result = result & np.asarray(_COMPARISONS[type(op)](left, right))
    return np.asarray(result)


def _kind(value: Any) -> str:
    return "text" if np.asarray(value).dtype.kind == "U" else "number"

"""Fields of the configuration that speak of the columns of runs: an expression, and a way to group."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from xgamma.analysis.fields import KEY, TEXT_SCHEMA, read_text
from xgamma.events import RUN_COLUMNS
from xgamma.expressions import Expression, parsed
from xgamma.groups import Grouping, normalize_grouping


def read_expression(value: Any) -> Expression:
    """Read an expression over the columns of runs."""
    if isinstance(value, Expression):
        return value
    expression = parsed(read_text(value), KEY)
    expression.validate_names(RUN_COLUMNS, KEY)
    return expression


def read_grouping(value: Any) -> Grouping:
    """Read a way to group rows: text, or a mapping of a column to the edges of its bands."""
    return normalize_grouping(value, KEY)


_BANDS = {
    "type": "object",
    "additionalProperties": {"type": "array", "items": {"type": ["number", "string"]}, "minItems": 2},
    "minProperties": 1,
    "maxProperties": 1,
    "examples": [{"zenith": [0, 20, 40, 60]}],
}
Condition = Annotated[Expression, PlainValidator(read_expression), PlainSerializer(str), WithJsonSchema(TEXT_SCHEMA)]
Groups = Annotated[
    Grouping,
    PlainValidator(read_grouping),
    PlainSerializer(Grouping.document),
    WithJsonSchema({"anyOf": [TEXT_SCHEMA, _BANDS]}),
]

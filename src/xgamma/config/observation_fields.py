"""Fields of observations: the datastore, expressions, groupings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from xgamma.config.fields import KEY, TEXT_SCHEMA, PathOrUrl, expected, read_location, read_text
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
    """Read a grouping of rows: text, or a mapping of a column to the edges of its bands."""
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


INDEX_KEYS = ("hdu_index", "obs_index")


@dataclass(frozen=True, eq=False)
class DatastoreLocation(PathOrUrl):
    """The location of a release whose index files do not have the default names."""

    hdu_index: str | None = None
    obs_index: str | None = None

    def __eq__(self, other: object) -> bool:
        return super().__eq__(other) and all(getattr(self, key) == getattr(other, key, None) for key in INDEX_KEYS)

    __hash__ = PathOrUrl.__hash__


def read_datastore(value: Any) -> DatastoreLocation:
    """Read a path or URL, or a mapping of it and the names of index files."""
    if isinstance(value, DatastoreLocation):
        return value
    if not isinstance(value, Mapping):
        return DatastoreLocation(read_location(value).text)
    unknown = [str(key) for key in value if key not in ("path", *INDEX_KEYS)]
    if unknown or value.get("path") is None:
        example = "{path: $DATA/release, hdu_index: hdu-index-other.fits.gz, obs_index: obs-index-other.fits.gz}"
        raise expected(f"a path, a URL, or a mapping such as {example}", dict(value))
    names = {key: value[key] for key in INDEX_KEYS if value.get(key) is not None}
    return DatastoreLocation(read_location(value["path"]).text, **{key: read_text(name) for key, name in names.items()})


def written_datastore(value: DatastoreLocation) -> str | dict[str, str]:
    """Return a path or URL as text, with names of index files as a mapping."""
    names = {key: getattr(value, key) for key in INDEX_KEYS if getattr(value, key) is not None}
    return {"path": value.text, **names} if names else value.text


DATASTORE_SCHEMA: dict[str, Any] = {
    "anyOf": [
        TEXT_SCHEMA,
        {
            "type": "object",
            "properties": dict.fromkeys(("path", *INDEX_KEYS), TEXT_SCHEMA),
            "required": ["path"],
            "additionalProperties": False,
        },
    ]
}
Datastore = Annotated[
    DatastoreLocation,
    PlainValidator(read_datastore),
    PlainSerializer(written_datastore),
    WithJsonSchema(DATASTORE_SCHEMA),
]

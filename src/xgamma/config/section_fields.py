"""Fields of single sections: counts and sizes with their bounds, the datastore, expressions, groupings, and models."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from xgamma.config.fields import (
    KEY,
    TEXT_SCHEMA,
    PathOrUrl,
    each_read,
    expected,
    plain_value,
    read_items,
    read_location,
    read_text,
    shown,
)
from xgamma.errors import ConfigError, did_you_mean
from xgamma.estimate.time_binning import TimeBinning, normalize_time_binning
from xgamma.events import RUN_COLUMNS
from xgamma.expressions import Expression, parsed
from xgamma.groups import Grouping, normalize_grouping

# Ten thousand bins in a decade are finer than any instrument; more is a typing error that fills the memory.
MOST_BINS = 10_000
MOST_JOBS = 1024
# Observation ids are stored as 64-bit integers.
LARGEST_ID = int(np.iinfo(np.int64).max)
LARGEST_MEMORY = 1 << 60
_SIZE = re.compile(r"(?P<number>\d{1,15}(\.\d*)?|\.\d+)\s*(?P<prefix>[kMGT])(?P<binary>i?)B")


@dataclass(frozen=True)
class WholeNumberReader:
    """Reads a whole number inside limits, also as text."""

    minimum: int
    maximum: int

    def __call__(self, value: Any) -> int:
        """Return the number, or raise ``ConfigError``."""
        number = _whole_number(value)
        if number < self.minimum:
            raise expected(f"a whole number of at least {self.minimum}", value)
        if number > self.maximum:
            raise expected(f"a whole number of at most {self.maximum}", value)
        return number

    def each(self, value: Any) -> list[int]:
        """Return a list of numbers."""
        return read_items(value, self, "a list such as [1, 2]")

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of one number."""
        return {"type": "integer", "minimum": self.minimum, "maximum": self.maximum}


def _whole_number(value: Any) -> int:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise expected("a whole number", value) from None
    if isinstance(value, bool | np.bool_) or not number.is_integer():
        raise expected("a whole number", value)
    return int(value) if isinstance(value, str) and value.strip().isdigit() else int(number)


def read_share(value: Any) -> float:
    """Read a share above 0 and up to 1, such as 0.05 for 5 %."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 < value <= 1:
        raise expected("a number above 0 and up to 1, such as 0.05 for 5 %", value)
    return float(value)


def read_memory_size(value: Any) -> str:
    """Read a size such as 4 GB, 500 MB or 1.5 GiB; a bare number has no unit."""
    text = str(value).strip()
    if not 0 < memory_bytes(text) <= LARGEST_MEMORY:
        raise expected("a size such as 4 GB, 500 MB or 1.5 GiB", value)
    return text


def memory_bytes(text: str) -> int:
    """Return the bytes of a size such as ``4 GB``, 0 for any other text.

    >>> memory_bytes("1.5 GiB"), memory_bytes("4")
    (1610612736, 0)
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        return 0
    return int(float(match["number"]) * (1024 if match["binary"] else 1000) ** ("kMGT".index(match["prefix"]) + 1))


BINS = WholeNumberReader(1, MOST_BINS)
JOBS = WholeNumberReader(1, MOST_JOBS)
OBS_ID = WholeNumberReader(-LARGEST_ID, LARGEST_ID)

Bins = Annotated[int, PlainValidator(BINS), WithJsonSchema(BINS.schema())]
Jobs = Annotated[int, PlainValidator(JOBS), WithJsonSchema(JOBS.schema())]
Share = Annotated[
    float,
    PlainValidator(read_share),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": 1, "examples": [0.05]}),
]
MemorySize = Annotated[str, PlainValidator(read_memory_size), WithJsonSchema(TEXT_SCHEMA)]
ObsIds = Annotated[
    list[int],
    PlainValidator(OBS_ID.each),
    WithJsonSchema({"type": "array", "items": {"type": "integer"}, "uniqueItems": True}),
]


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


def read_time_bins(value: Any) -> TimeBinning:
    """Read how time is binned: a word, or a mapping of a word to a number."""
    if isinstance(value, TimeBinning | str | Mapping):
        return normalize_time_binning(value, KEY)
    raise expected("observation, night, blocks, or a mapping such as {width: 7 d}", value)


EACH_DATASET = "dataset"
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


_NUMBERED_BINS = {
    "type": "object",
    "properties": {"width": TEXT_SCHEMA, "blocks": {"type": "number"}},
    "additionalProperties": False,
    "minProperties": 1,
    "maxProperties": 1,
    "examples": [{"width": "7 d"}],
}
TimeBins = Annotated[
    TimeBinning,
    PlainValidator(read_time_bins),
    PlainSerializer(TimeBinning.asked),
    WithJsonSchema({"anyOf": [TEXT_SCHEMA, _NUMBERED_BINS]}),
]


def read_each(value: Any) -> Grouping | str:
    """Read what is fitted by itself: each dataset, or each group of rows."""
    return EACH_DATASET if value == EACH_DATASET else read_grouping(value)


def each_document(value: Grouping | str) -> Any:
    """Return the argument of `read_each`, as written in YAML."""
    return value.document() if isinstance(value, Grouping) else value


Each = Annotated[
    Grouping | str,
    PlainValidator(read_each),
    PlainSerializer(each_document),
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


def read_files(value: Any) -> list[PathOrUrl]:
    """Read the path of a file, a pattern such as ``pha_*.fits``, or a list of them."""
    given = value if isinstance(value, list | tuple) else [value]
    if not given:
        raise expected("a path, a pattern such as spectra/pha_*.fits, or a list of them", value)
    return each_read(given, read_location) if len(given) > 1 else [read_location(given[0])]


def written_files(value: list[PathOrUrl]) -> str | list[str]:
    """Return the text of one path, or the texts of several."""
    texts = [str(path) for path in value]
    return texts[0] if len(texts) == 1 else texts


Files = Annotated[
    list[PathOrUrl],
    PlainValidator(read_files),
    PlainSerializer(written_files),
    WithJsonSchema({"anyOf": [TEXT_SCHEMA, {"type": "array", "items": TEXT_SCHEMA, "minItems": 1}]}),
]


DOCUMENT_KEYS = ("components", "covariance", "metadata")
PARTS = ("spectral", "spatial", "temporal")
EXAMPLE = "{components: [{name: crab, type: SkyModel, spectral: {type: PowerLawSpectralModel}}]}"


def read_models(value: Any) -> dict[str, Any] | PathOrUrl:
    """Read a models document or the path of one; ``Models`` reads its contents."""
    if isinstance(value, PathOrUrl | str | os.PathLike):
        if "\n" in str(value):
            raise expected(f"a mapping such as {EXAMPLE} or the path of a YAML file", value)
        return read_location(value)
    if not isinstance(value, Mapping):
        raise expected(f"a mapping such as {EXAMPLE} or the path of a YAML file", value)
    problems = list(document_problems(value))
    if problems:
        raise ConfigError("\n".join(problems))
    return {str(key): plain_value(item) for key, item in value.items()}


def document_problems(document: Mapping[Any, Any]) -> Iterator[str]:
    """Yield problems of a document: it needs components, each with a type; sky models need unique names."""
    for key in document:
        if key not in DOCUMENT_KEYS:
            yield f"{KEY}.{key}: there is no such key.{did_you_mean(str(key), DOCUMENT_KEYS)}"
    components = document.get("components")
    if not isinstance(components, list | tuple):
        yield f"{KEY}.components: expected a list of models such as {EXAMPLE}, got {shown(components)}."
        return
    for number, component in enumerate(components):
        yield from component_problems(component, f"{KEY}.components[{number}]")
    names = [component.get("name") for component in components if isinstance(component, Mapping)]
    for name in sorted({str(name) for name in names if name is not None and names.count(name) > 1}):
        yield f"{KEY}.components: two models are called {name!r}; give each model a name of its own."


def component_problems(component: Any, where: str) -> Iterator[str]:
    """Yield problems of a component: it needs a type, and so do its parts."""
    if not isinstance(component, Mapping):
        yield f"{where}: expected a mapping with name, type and spectral, got {shown(component)}."
        return
    if not isinstance(component.get("type"), str):
        yield f"{where}.type: expected the type of the model such as SkyModel, got {shown(component.get('type'))}."
    elif component["type"] == "SkyModel" and not (isinstance(component.get("name"), str) and component["name"]):
        yield f"{where}.name: expected the name of the model, got {shown(component.get('name'))}."
    for part in PARTS:
        model = component.get(part)
        if model is not None and not (isinstance(model, Mapping) and isinstance(model.get("type"), str)):
            yield f"{where}.{part}: expected a mapping with a type such as PowerLawSpectralModel, got {shown(model)}."


def model_names(models: dict[str, Any] | PathOrUrl | None) -> list[str] | None:
    """Return the names in a document; ``None`` where the models are in a file."""
    if not isinstance(models, dict):
        return None
    return [component["name"] for component in models["components"] if "name" in component]


Models = Annotated[
    dict[str, Any] | PathOrUrl,
    PlainValidator(read_models),
    PlainSerializer(lambda models: str(models) if isinstance(models, PathOrUrl) else models),
    WithJsonSchema(
        {
            "anyOf": [
                TEXT_SCHEMA,
                {
                    "type": "object",
                    "properties": {
                        "components": {
                            "type": "array",
                            "items": {
                                "type": "object",
                                "properties": {"name": {"type": "string"}, "type": {"type": "string"}},
                                "required": ["type"],
                            },
                        },
                        "covariance": {"type": "string"},
                    },
                    "required": ["components"],
                },
            ]
        }
    ),
]

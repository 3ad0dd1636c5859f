"""The free ``parameters`` mappings of the configuration, checked against the dataclass of what they configure."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from xgamma import registry
from xgamma.config.fields import KEY, plain_value, read_mapping
from xgamma.errors import ConfigError
from xgamma.estimate.excess_parameters import EXCESS_MAP
from xgamma.estimate.flux_points_parameters import FLUX_POINTS, LIGHT_CURVE
from xgamma.reduce.background.names import KIND as BACKGROUND_KIND
from xgamma.reduce.background.names import SPACES
from xgamma.reduce.safe_mask import KIND as SAFE_MASK_KIND
from xgamma.reduce.safe_mask import SafeMaskParameters
from xgamma.registry import Form, hints_of, is_required, normalize_parameters, normalize_value

SAFE_MASK = Form(SAFE_MASK_KIND, "any method", SafeMaskParameters)


def backgrounds_for(space: str) -> str:
    """Return the backgrounds of a datasets.type, for a sentence.

    >>> backgrounds_for("3d")
    'adaptive_ring, fov_background or ring'
    """
    *others, last = [name for name, known in SPACES.items() if known == space]
    return f"{', '.join(others)} or {last}" if others else last


def parameter_problems(target: Form, given: Mapping[str, Any], where: str) -> list[str]:
    """Return a message for each parameter that ``target`` does not accept; an empty list when there is none."""
    problems = [problem for key, value in given.items() for problem in _key_problems(target, key, value, where)]
    problems += lacking_parameters(target, given, where)
    return problems or _problems(target, lambda: normalize_parameters(target, given, where), where)


def lacking_parameters(target: Form, given: Mapping[str, Any], where: str) -> list[str]:
    """Return a sentence about the parameters that ``target`` needs and that are not given, if there are any."""
    needed = [known.name for known in dataclasses.fields(target.parameters) if is_required(known)]
    missing = [name for name in needed if name not in given]
    return [f"{where}: {target.kind} {target.name!r} needs {' and '.join(missing)}."] if missing else []


def _key_problems(target: Form, key: str, value: Any, where: str) -> list[str]:
    fields = {known.name: known for known in dataclasses.fields(target.parameters)}
    if key not in fields:
        return _problems(target, lambda: normalize_parameters(target, {key: value}, where), where)
    hint, metadata = hints_of(target.parameters)[key], fields[key].metadata
    return _problems(target, lambda: normalize_value(value, hint, metadata, f"{where}.{key}"), where)


def _problems(target: Form, read: Callable[[], Any], where: str) -> list[str]:
    try:
        read()
    except ConfigError as error:
        return [_with_path(str(error), target, where)]
    return []


def _with_path(message: str, target: Form, where: str) -> str:
    """Return the message of a rule between parameters, with the path that the dataclass does not know."""
    if message.startswith(where):
        return message
    name, mark, rest = re.split(r"([.:])", message, maxsplit=1)
    return f"{where}{mark}{rest}" if name in registry.names(target.kind) else f"{where}.{message}"


def read_parameters(target: Form, value: Any) -> dict[str, Any]:
    """Read a mapping of parameters of ``target``; the values are returned as given."""
    given = read_mapping(value)
    problems = parameter_problems(target, given, KEY)
    if problems:
        raise ConfigError("\n".join(problems))
    return given


def read_safe_mask_parameters(value: Any) -> dict[str, Any]:
    """Read the parameters of all safe masks in one mapping: those of the built-in methods and of users' own."""
    given = read_mapping(value)
    problems = [problem for key, own in given.items() for problem in _key_problems(_taker(key), key, own, KEY)]
    if problems:
        raise ConfigError("\n".join(problems))
    return given


def _taker(key: str) -> Form:
    """Return a safe mask that takes a parameter, else what all built-in methods take."""
    own = [registry.lookup(SAFE_MASK_KIND, name) for name in registry.names(SAFE_MASK_KIND)]
    takers = (
        known for known in (SAFE_MASK, *own) if key in {field.name for field in dataclasses.fields(known.parameters)}
    )
    return next(takers, SAFE_MASK)


def parameters_schema(*targets: type) -> dict[str, Any]:
    """Return the JSON Schema of a mapping with the parameters of some dataclasses."""
    properties = {
        known.name: _property(hints_of(target)[known.name], known.metadata)
        for target in targets
        for known in dataclasses.fields(target)
    }
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _property(hint: Any, metadata: Mapping[str, Any]) -> dict[str, Any]:
    unit = metadata.get("unit")
    kinds = {float: "number", int: "integer", bool: "boolean", str: "string"}
    kind: dict[str, Any] = {"type": kinds[hint]} if hint in kinds else {}
    kind |= {"type": ["string", "number", "null"]} if unit else {}
    texts = [metadata.get("description", ""), f"A quantity such as '1 {unit}', or a number in {unit}." if unit else ""]
    description = "; ".join(text for text in texts if text)
    return kind | ({"description": description} if description else {})


class _OfBackgrounds:
    """The JSON Schema of the parameters of all backgrounds, whose modules are loaded when it is asked for."""

    def __get_pydantic_json_schema__(self, *_: Any) -> dict[str, Any]:
        return parameters_schema(*(registry.lookup(BACKGROUND_KIND, name).parameters for name in SPACES))


BackgroundMapping = Annotated[
    dict[str, Any],
    PlainValidator(read_mapping),
    PlainSerializer(plain_value),
    _OfBackgrounds(),
]
SafeMaskMapping = Annotated[
    dict[str, Any],
    PlainValidator(read_safe_mask_parameters),
    PlainSerializer(plain_value),
    WithJsonSchema(parameters_schema(SafeMaskParameters)),
]
FluxPointsMapping = Annotated[
    dict[str, Any],
    PlainValidator(partial(read_parameters, FLUX_POINTS)),
    PlainSerializer(plain_value),
    WithJsonSchema(parameters_schema(FLUX_POINTS.parameters)),
]
LightCurveMapping = Annotated[
    dict[str, Any],
    PlainValidator(partial(read_parameters, LIGHT_CURVE)),
    PlainSerializer(plain_value),
    WithJsonSchema(parameters_schema(LIGHT_CURVE.parameters)),
]
ExcessMapMapping = Annotated[
    dict[str, Any],
    PlainValidator(partial(read_parameters, EXCESS_MAP)),
    PlainSerializer(plain_value),
    WithJsonSchema(parameters_schema(EXCESS_MAP.parameters)),
]

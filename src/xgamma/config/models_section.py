"""The ``models`` section: a models document in the configuration, or the path of one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from xgamma.config.fields import KEY, TEXT_SCHEMA, PathOrUrl, expected, plain_value, read_location, shown
from xgamma.errors import ConfigError, did_you_mean

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
    elif component["type"] == "SkyModel" and not isinstance(component.get("name"), str):
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

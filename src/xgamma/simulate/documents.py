"""Frozen descriptions and their documents: file, object, file is the identity.

The metadata of a field say its unit and limits, as ``xgamma.registry`` checks them, its choices, or the unit of each
number of a list. A field that was ``added`` to an older description is written where it is not the default, so that
documents stay as they were.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from dataclasses import field
from typing import Any, TypeVar, get_type_hints

import numpy as np

from xgamma.errors import ConfigError, did_you_mean
from xgamma.registry import normalize_value

T = TypeVar("T")


def quantity(default: float, unit: str, **limits: float) -> Any:
    """Return a field that is a number in ``unit``; limits are ``minimum`` and ``above``, ``added`` as above."""
    return field(default=default, metadata={"unit": unit, **limits})


def count(default: int, **limits: float) -> Any:
    """Return a field that is a whole number."""
    return field(default=default, metadata=limits)


def choice(*words: str, added: bool = False) -> Any:
    """Return a field that is one of ``words``; the first is the default."""
    return field(default=words[0], metadata={"choices": words, "added": added})


def normalize_fields(instance: Any, where: str) -> None:
    """Check the fields of a frozen description and bring them to canonical units; raises ``ConfigError``."""
    hints = get_type_hints(type(instance))
    for entry in dataclasses.fields(instance):
        value, rules, place = getattr(instance, entry.name), entry.metadata, f"{where}.{entry.name}"
        if "choices" in rules:
            _validate_choice(value, rules["choices"], place)
        elif "each" in rules:
            value = _numbers(value, rules["each"], place)
        elif hints[entry.name] in (int, float, bool):
            value = normalize_value(value, hints[entry.name], rules, place)
        elif hints[entry.name] is str:
            value = _text(value, place)
        object.__setattr__(instance, entry.name, value)


def _validate_choice(value: Any, choices: tuple[str, ...], place: str) -> None:
    if value not in choices:
        raise ConfigError(f"{place}: there is no {value!r}.{did_you_mean(str(value), choices)}")


def _text(value: Any, place: str) -> str:
    text = str(value)
    # As FITS headers hold it.
    if not (text and text.isascii() and text.isprintable() and len(text) <= 60):
        raise ConfigError(f"{place}: expected 1 to 60 printable ASCII characters, got {value!r}.")
    return text


def _numbers(values: Any, unit: str, place: str) -> tuple[float, ...]:
    if isinstance(values, str) or not np.iterable(values) or not tuple(values):
        raise ConfigError(f"{place}: expected a list of at least one number, got {values!r}.")
    rules = {"unit": unit} if unit else {}
    return tuple(normalize_value(value, float, rules, place) for value in values)


def document_of(description: Any) -> dict[str, Any]:
    """Return a description as plain text and numbers, with units."""
    written: dict[str, Any] = {}
    for entry in dataclasses.fields(description):
        value, rules = getattr(description, entry.name), entry.metadata
        if rules.get("added") and value == entry.default:
            continue
        if dataclasses.is_dataclass(value):
            written[entry.name] = document_of(value)
        elif rules.get("unit"):
            written[entry.name] = f"{value!r} {rules['unit']}"
        elif "each" in rules:
            written[entry.name] = [f"{number!r} {rules['each']}" if rules["each"] else number for number in value]
        else:
            written[entry.name] = copy.deepcopy(value)
    return written


def from_document(kind: type[T], document: Any, where: str) -> T:
    """Return the description of ``kind`` that a document declares; raises ``ConfigError`` with the path of a key."""
    if not isinstance(document, Mapping):
        raise ConfigError(f"{where}: expected a mapping of names to values, got {document!r}.")
    hints = get_type_hints(kind)
    for key in document:
        if key not in hints:
            raise ConfigError(f"{where}: there is no {key!r}.{did_you_mean(str(key), hints)}")
    values = {
        key: from_document(hints[key], value, f"{where}.{key}") if dataclasses.is_dataclass(hints[key]) else value
        for key, value in document.items()
    }
    return kind(**values)

"""A configuration in words: its sections, one in the other, with what differs from the defaults marked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xgamma.description import Facts, Folded, Part
from xgamma.digits import NOTHING
from xgamma.formats.yaml_documents import mixed_yaml

# A document of models is one value, whatever it holds.
WHOLE = "models"


def section_parts(document: Mapping[str, Any], defaults: Mapping[str, Any]) -> list[Part]:
    """Return the keys of a section with those marked that differ from the defaults, and the sections in it, folded."""
    rows: list[tuple[str, str]] = []
    below: list[Part] = []
    marked: set[str] = set()
    for name, value in document.items():
        default = defaults.get(name)
        entries = _sections(name, value)
        if entries is None:
            rows.append((name, _text(value)))
            marked |= {name} if name not in defaults or value != default else set()
        for label, entry in (entries or {}).items():
            given = default if isinstance(default, Mapping) else {}
            count = _differences(entry, given)
            title = f"{label}: {count} set" if count else label
            below.append(Folded(title, section_parts(entry, given), is_open=count > 0))
    return [*([Facts(rows, frozenset(marked))] if rows else []), *below]


def _sections(name: str, value: Any) -> dict[str, Mapping[str, Any]] | None:
    """Return the sections that a value is, by what they are called; ``None`` for a value that is none."""
    if name == WHOLE or not value:
        return None
    if isinstance(value, Mapping):
        return {name: value}
    if isinstance(value, list) and all(isinstance(entry, Mapping) for entry in value):
        return {f"{name}[{number}]": entry for number, entry in enumerate(value)}
    return None


def _differences(document: Mapping[str, Any], defaults: Mapping[str, Any]) -> int:
    """Return how many keys differ from the defaults, in sections of sections too."""
    count = 0
    for name, value in document.items():
        entries, default = _sections(name, value), defaults.get(name)
        if entries is None:
            count += name not in defaults or value != default
        for entry in (entries or {}).values():
            count += _differences(entry, default if isinstance(default, Mapping) else {})
    return count


def _text(value: Any) -> str:
    if value is None or value in ({}, []):
        return NOTHING
    if isinstance(value, Mapping):
        return mixed_yaml(value).rstrip()
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(map(_text, value)) if isinstance(value, list | tuple) else str(value)

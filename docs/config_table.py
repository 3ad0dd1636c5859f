"""The tables of every key of the configuration, from its JSON Schema and its defaults."""

from pathlib import Path

import yaml

from xgamma.config.config import AnalysisConfig

WORDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "array": "list",
    "object": "mapping",
}


def write(path: Path) -> None:
    """Write the tables as Markdown."""
    schema = AnalysisConfig.json_schema()
    defaults = AnalysisConfig().document()
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(_section(schema, schema["$defs"], "", defaults)), encoding="utf-8")


def _section(section, definitions, path, defaults):
    """Yield the lines of a section: its own keys as a table, then the sections in it."""
    if path:
        yield from (f"## `{path}`" if "." not in path else f"### `{path}`", "", _text(section), "")
    keys = {name: _resolved(entry, definitions) for name, entry in section["properties"].items()}
    leaves = {name: entry for name, entry in keys.items() if "properties" not in entry}
    if leaves:
        yield from ("| key | values | default | meaning |", "|---|---|---|---|")
        for name, entry in leaves.items():
            yield f"| `{name}` | {_values(entry)} | {_default(defaults.get(name))} | {_text(entry)} |"
        yield ""
    for name, entry in keys.items():
        if name not in leaves:
            yield from _section(entry, definitions, f"{path}.{name}".lstrip("."), defaults[name])


def _resolved(entry, definitions):
    """Follow a reference; what stands beside it, such as a description, comes before what stands behind it."""
    options = [entry, *entry.get("allOf", ()), *entry.get("oneOf", ())]
    reference = next((one["$ref"] for one in options if "$ref" in one), None)
    if reference is None:
        return entry
    behind = definitions[reference.rsplit("/", 1)[1]]
    return {
        **behind,
        **{key: value for key, value in entry.items() if key not in ("$ref", "allOf", "oneOf", "default")},
    }


def _text(entry):
    return " ".join(entry.get("description", "").split()).replace("|", "\\|").replace("<", "&lt;")


def _values(entry):
    options = entry.get("anyOf") or [entry]
    words = dict.fromkeys(_value(option) for option in options if option.get("type") != "null")
    return " or ".join(word for word in words if word)


def _value(option):
    if "$ref" in option:
        return WORDS["object"]
    if "anyOf" in option:
        return _values(option)
    if "enum" in option:
        return ", ".join(f"`{word}`" for word in option["enum"])
    if option.get("type") == "array":
        return f"list of {_values(option.get('items', {})) or 'values'}"
    kinds = option.get("type", [])
    words = [WORDS[kind] for kind in ([kinds] if isinstance(kinds, str) else kinds) if kind != "null"]
    return " or ".join(words)


def _default(value):
    flow = yaml.safe_dump(value, default_flow_style=True, width=10_000).removesuffix("...\n").strip()
    return f"`{flow}`"

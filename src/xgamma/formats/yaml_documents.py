"""YAML documents: every text and file is read here, strictly and within bounds, and every document is written here."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from xgamma.errors import ConfigError, ConfigTypeError
from xgamma.formats.local_files import LARGEST_TEXT, read_text

LINE_WIDTH = 120
MAX_NODES = 100_000
# A model document has about ten levels.
MAX_DEPTH = 100
# YAML 1.1 takes 1e-3 for text, as it has no point; everyone who writes it means a number.
_FLOAT_TAG = "tag:yaml.org,2002:float"
_FLOAT = re.compile(r"[-+]?[0-9]+[eE][-+]?[0-9]+$")


class Loader(yaml.SafeLoader):
    """Refuses repeated keys, keys that are no text, deep nesting, and aliases that make a short text a huge one."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        # Without aliases there are fewer values than characters.
        self._limit = max(MAX_NODES, len(text))
        self._depth = 0

    def get_single_node(self) -> yaml.Node | None:
        """Return the root of the text; a short one has at most ``MAX_NODES`` nodes with all aliases written out."""
        node: yaml.Node | None = super().get_single_node()
        if node is not None:
            _written_out(node, {}, self._limit)
        return node

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Return the next node; raises ``ConfigError`` below ``MAX_DEPTH`` levels."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            line = self.peek_event().start_mark.line + 1  # type: ignore[no-untyped-call]
            raise ConfigError(f"line {line}: the YAML is nested too deeply; expected at most {MAX_DEPTH} levels.")
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return the mapping of one node; raises ``ConfigError`` with the line of a bad key."""
        seen: set[str] = set()
        for key_node, _ in node.value:
            key, line = key_node.value, key_node.start_mark.line + 1
            if key_node.tag not in ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"):
                raise ConfigError(f"line {line}: expected a name as key, got {key!r}.")
            if key in seen:
                raise ConfigError(f"line {line}: the key {key!r} stands twice in one section; keep one of them.")
            seen.add(key)
        return super().construct_mapping(node, deep)


def _written_out(node: yaml.Node, known: dict[int, int], limit: int) -> int:
    """Return the number of nodes with all aliases written out; ``known`` are the numbers found so far."""
    if isinstance(node, yaml.ScalarNode):
        return 1
    if id(node) not in known:
        # An alias inside what it stands for finds this number.
        known[id(node)] = limit
        pairs = isinstance(node, yaml.MappingNode)
        below = itertools.chain.from_iterable(node.value) if pairs else node.value
        known[id(node)] = 1 + sum(_written_out(child, known, limit) for child in below)
    if known[id(node)] > limit:
        line = node.start_mark.line + 1
        raise ConfigError(f"line {line}: there are more than {limit} values with all aliases written out.")
    return known[id(node)]


class Dumper(yaml.SafeDumper):
    """Quotes texts that ``Loader`` would take for numbers."""


class OneLineDumper(Dumper):
    """Breaks long lines between items only, never inside a value."""

    def write_plain(self, text: str, split: bool = True) -> None:
        """Write a plain scalar on one line."""
        super().write_plain(text, split=False)  # type: ignore[no-untyped-call]


for _class in (Loader, Dumper, OneLineDumper):
    _class.add_implicit_resolver(_FLOAT_TAG, _FLOAT, list("-+0123456789"))


def read_yaml(path: Path, what: str) -> Any:
    """Return what a YAML file holds, ``None`` if it is empty; ``what`` is its name in sentences, as "catalogue".

    Raises
    ------
    MissingInputError, InputError
        When there is no such file, or it is no regular file of text of at most ``LARGEST_TEXT`` bytes.
    ConfigError
        As ``parsed_yaml``.
    """
    return parsed_yaml(read_text(path, what), f"{what} {path}")


def parsed_yaml(text: str, what: str = "") -> Any:
    """Return what a YAML text holds, ``None`` if it is empty; ``what`` is its name in sentences.

    Raises
    ------
    ConfigError
        For text that is not YAML, that is larger or nested deeper than any document, or becomes so by its aliases; for
        a key that is repeated in one mapping, or is not text.
    """
    try:
        return _parsed(text)
    except ConfigError as error:
        raise ConfigError(f"The {what}: {error}" if what else str(error)) from None


def sections_of_yaml(text: str) -> dict[str, Any]:
    """Return the mapping of sections that the YAML of a configuration holds.

    Raises
    ------
    ConfigError
        As ``parsed_yaml``, and for text that is empty or holds something else than a mapping.
    """
    if not isinstance(text, str):
        raise ConfigTypeError(f"Expected YAML as text, got {type(text).__name__}.")
    document = parsed_yaml(text)
    if document is None:
        raise ConfigError("The YAML is empty; expected a mapping of sections such as 'datasets: {type: 1d}'.")
    if not isinstance(document, Mapping):
        hint = " To read a file, use AnalysisConfig.read(path)." if isinstance(document, str) else ""
        kind = {"str": "text", "list": "a list"}.get(type(document).__name__, repr(document))
        raise ConfigError(f"Expected a mapping of sections such as 'datasets: {{type: 1d}}', got {kind}.{hint}")
    return dict(document)


def _parsed(text: str) -> Any:
    if len(text) > LARGEST_TEXT:
        raise ConfigError(f"The YAML has {len(text)} characters; expected at most {LARGEST_TEXT}.")
    try:
        return yaml.load(text, Loader)
    except yaml.YAMLError as error:
        raise ConfigError(f"The text is not YAML: {_sentence(error)}") from None
    except ConfigError:
        raise
    except (ValueError, LookupError, AttributeError) as error:
        raise ConfigError(f"A date or number of the YAML cannot be read: {error}; quote it if it is text.") from None


def _sentence(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}." if mark else f"{problem}."


def mixed_yaml(document: Mapping[str, Any]) -> str:
    """Return the YAML of a document: collections of plain values on one line, everything else in blocks."""
    return yaml.dump(
        dict(document),
        Dumper=OneLineDumper,
        default_flow_style=None,
        sort_keys=False,
        indent=4,
        width=LINE_WIDTH,
        allow_unicode=True,
    )


def block_yaml(document: Mapping[str, Any], indent: int = 4) -> str:
    """Return the YAML of a document in blocks, one value a line, in ASCII and lines of 80 characters."""
    return str(yaml.dump(dict(document), Dumper=Dumper, default_flow_style=False, sort_keys=False, indent=indent))

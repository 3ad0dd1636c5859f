"""Named, versioned functions with typed parameters: safe masks, backgrounds, models; built-in and users' own.

The parameters of an entry are a frozen dataclass. A field's metadata says what is checked where they come in: ``unit``
(the canonical unit, quantities and strings are converted), ``minimum``, ``maximum`` and ``above`` (the last exclusive);
``description`` is what the table of keys says of it.
"""

from __future__ import annotations

import dataclasses
import importlib
import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar, get_type_hints

from xgamma.errors import ConfigError, UnknownNameError, did_you_mean
from xgamma.units import canonical

F = TypeVar("F", bound=Callable[..., Any])


@dataclasses.dataclass(frozen=True)
class NoParameters:
    """The parameters of a function that takes none."""


@dataclasses.dataclass(frozen=True)
class Form:
    """What a function is asked with: the parameters of a name; what is filled in may not be loaded yet."""

    kind: str
    name: str
    parameters: type


@dataclasses.dataclass(frozen=True)
class Entry(Form):
    """One registered function: ``version`` enters every key, so that a changed function is a new product."""

    function: Callable[..., Any]
    version: int

    @property
    def is_built_in(self) -> bool:
        """Whether the function is one of xgamma and not a user's."""
        return str(self.function.__module__).partition(".")[0] == __name__.partition(".")[0]


@dataclasses.dataclass(frozen=True)
class Method:
    """A registered function with its parameters, as a request holds it.

    It holds the function itself: another process calls it without a registry that knows it.
    """

    entry: Entry
    parameters: Any

    @property
    def name(self) -> str:
        """The name under which the function is registered."""
        return self.entry.name

    @property
    def version(self) -> int:
        """The version of the function."""
        return self.entry.version

    def document(self) -> list[Any]:
        """Return what enters a key: the version and all parameters."""
        return [self.version, dataclasses.asdict(self.parameters)]


_ENTRIES: dict[tuple[str, str], Entry] = {}
_HOMES: dict[str, tuple[str, ...]] = {}
"""The modules that register what xgamma has of a kind, and are loaded for it."""


_PROVIDERS = {
    "background": "reduce.background",
    "safe mask": "reduce.safe_mask",
    "spectral model": "models.spectral",
    "spatial model": "models.spatial",
    "temporal model": "models.temporal",
    "prior model": "models",
    "estimator": "estimate",
    "source catalogue": "sources",
}
"""What says where xgamma's own of a kind are, by kind; a script may ask before it has imported any of it."""


def provide(kind: str, *modules: str) -> None:
    """Say which modules register what xgamma has of a kind.

    They are loaded one after another until the name is there that is looked up.
    """
    _HOMES[kind] = modules


def _load(kind: str, name: str | None = None) -> None:
    """Load the modules that register a name, or all of a kind."""
    if kind in _PROVIDERS:
        importlib.import_module(f"{__package__}.{_PROVIDERS[kind]}")
    for module in _HOMES.get(kind, ()):
        if name is not None and (kind, name) in _ENTRIES:
            return
        importlib.import_module(module)


def register(kind: str, name: str, *, version: int = 1, parameters: type = NoParameters) -> Callable[[F], F]:
    """Register the decorated function or class under ``kind`` and ``name``; the same name again replaces it.

    The decorator raises ``ConfigError`` for a name of xgamma's own: products are stored under it.
    """

    def decorate(function: F) -> F:
        entry = Entry(kind, name, parameters, function, version)
        if not entry.is_built_in:
            _load(kind, name)
        if (kind, name) in _ENTRIES and _ENTRIES[kind, name].is_built_in and not entry.is_built_in:
            raise ConfigError(f"{kind} {name!r} is one of xgamma; register yours under another name.")
        _ENTRIES[kind, name] = entry
        return function

    return decorate


def names(kind: str) -> list[str]:
    """Return the sorted names of one kind."""
    _load(kind)
    return sorted(name for entry_kind, name in _ENTRIES if entry_kind == kind)


def built_in(kind: str) -> list[str]:
    """Return the sorted names of one kind that are xgamma's own."""
    return [name for name in names(kind) if lookup(kind, name).is_built_in]


def lookup(kind: str, name: str) -> Entry:
    """Return the entry, or raise ``UnknownNameError`` with the nearest known name."""
    _load(kind, name)
    if (kind, name) not in _ENTRIES:
        raise UnknownNameError(f"There is no {kind} called {name!r}.{did_you_mean(name, names(kind))}")
    return _ENTRIES[kind, name]


def method(kind: str, name: str, /, **parameters: Any) -> Method:
    """Return a registered function with parameters; those not given have their defaults.

    Raises
    ------
    UnknownNameError
        When nothing is registered under the name.
    ConfigError
        For a parameter that is not known or not given, or one of a wrong type, unit or range.

    Examples
    --------
    >>> method("safe mask", "aeff-max", aeff_percent=5).parameters.aeff_percent  # doctest: +SKIP
    5.0
    """
    entry = lookup(kind, name)
    return Method(entry, normalize_parameters(entry, parameters, f"{kind} {name!r}"))


def normalize_parameters(entry: Form, given: Mapping[str, Any], where: str) -> Any:
    """Return the parameter dataclass of ``entry`` filled from ``given``, in canonical units.

    Raises ``ConfigError`` naming ``where`` for a key that is not known or lacking, a wrong type, unit or range.
    """
    fields = {field.name: field for field in dataclasses.fields(entry.parameters)}
    hints = hints_of(entry.parameters)
    for key in given:
        if key not in fields:
            raise ConfigError(
                f"{where}: {entry.kind} {entry.name!r} has no parameter {key!r}.{did_you_mean(key, fields)}"
            )
    lacking = [name for name, field in fields.items() if is_required(field) and name not in given]
    if lacking:
        raise ConfigError(f"{where}: {entry.kind} {entry.name!r} needs {' and '.join(lacking)}.")
    values = {
        key: normalize_value(value, hints[key], fields[key].metadata, f"{where}.{key}") for key, value in given.items()
    }
    return entry.parameters(**values)


@lru_cache(maxsize=256)
def hints_of(parameters: type) -> Mapping[str, Any]:
    """Return the types of the parameters of a dataclass, which are worked out from text; a configuration asks often."""
    return get_type_hints(parameters)


def is_required(field: dataclasses.Field[Any]) -> bool:
    """Whether a parameter has no default."""
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def normalize_value(value: Any, hint: Any, metadata: Mapping[str, Any], where: str) -> Any:
    """Check one parameter against its type hint and metadata and return it in canonical form.

    Raises ``ConfigError`` for another type, a number that is not finite, or one out of its range.
    """
    optional = type(None) in getattr(hint, "__args__", ())
    if value is None and optional:
        return None
    if "unit" in metadata:
        # A bare number is read in the canonical unit: the makers of Gammapy take radians and per cent that way.
        is_bare = isinstance(value, int | float) and not isinstance(value, bool)
        result: Any = float(value) if is_bare else canonical(value, metadata["unit"], where)
    elif hint is int:
        result = _integer(value, where)
    elif hint is float:
        result = number(value, where)
    elif hint is bool:
        if not isinstance(value, bool):
            raise ConfigError(f"{where}: expected true or false, got {value!r}.")
        result = value
    else:
        result = value
    _check_range(result, metadata, where)
    return result


def _integer(value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigError(f"{where}: expected a whole number, got {value!r}.")
    return value


def chosen_options(selection: Any, options: Sequence[str], where: str) -> tuple[str, ...]:
    """Return the optional results that are wanted, of ``options`` and in their order.

    Raises ``ConfigError`` for an unknown one.
    """
    if not isinstance(selection, str | list | tuple | None):
        raise ConfigError(f"{where}: expected all, null or a list of {', '.join(options)}, got {selection!r}.")
    wanted = [selection] if isinstance(selection, str) else list(selection or [])
    for name in wanted:
        if name not in ("all", *options):
            near = did_you_mean(str(name), ["all", *options])
            raise ConfigError(f"{where}: {name!r} is not an optional result.{near}")
    return tuple(name for name in options if name in wanted or "all" in wanted)


def number(value: Any, where: str) -> float:
    """Return a number, which ``True`` and a text are not; raises ``ConfigError``."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(f"{where}: expected a number, got {value!r}.")
    return float(value)


def _check_range(value: Any, metadata: Mapping[str, Any], where: str) -> None:
    unit = f" {metadata['unit']}" if metadata.get("unit") else ""
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{where}: expected a finite number, got {value!r}.")
    if "minimum" in metadata and not value >= metadata["minimum"]:
        raise ConfigError(f"{where}: expected at least {metadata['minimum']}{unit}, got {value!r}.")
    if "maximum" in metadata and not value <= metadata["maximum"]:
        raise ConfigError(f"{where}: expected at most {metadata['maximum']}{unit}, got {value!r}.")
    if "above" in metadata and not value > metadata["above"]:
        raise ConfigError(f"{where}: expected more than {metadata['above']}{unit}, got {value!r}.")

"""Modules that are loaded when something of them is first used, while their imports stay at the top of a file."""

from __future__ import annotations

import importlib
import sys
import threading
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class _Unloaded(ModuleType):
    """Stands for a module until something of it is used; the import system sees to it that threads load it once."""

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(self.__name__), name)


def unloaded(package: str, name: str, known: frozenset[str]) -> ModuleType:
    """Return what stands for the module ``name`` of a package; for its ``__getattr__``.

    ``from package import name`` then loads nothing, the first ``name.function`` does.

    Raises ``AttributeError`` for a name that is not one of the ``known``.
    """
    if name not in known:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    return _Unloaded(f"{package}.{name}")


_LOOKED_AT = ("__file__", "__warningregistry__", "__wrapped__")
_CLASSES = {"dask.array": "Array"}
"""Of deferred modules the class that others ask of each array whether it is one, as xarray does of that of dask."""


class _NoInstanceYet(type):
    """A class of a module that is not loaded: nothing can be an instance of it before the module is."""

    def __instancecheck__(cls, value: object) -> bool:
        known = loaded(cls.__module__)
        return known is not None and isinstance(value, getattr(known, cls.__name__, ()))


class _Deferred(_Unloaded):
    """An unloaded module that the import system knows, so that whoever imports it gets it.

    Whoever looks at all modules, as ``inspect.getmodule`` does for their files, does not use it.
    """

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            if name in _LOOKED_AT:
                raise AttributeError(f"module {self.__name__!r} is not loaded yet and has no {name}")
            if _CLASSES.get(self.__name__) == name:
                return _NoInstanceYet(name, (), {"__module__": self.__name__})
        _give_way(self)
        return super().__getattr__(name)


class _DeferredModules:
    """Asked first by the import system for each module that is not loaded; its loader too."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.lock = threading.Lock()

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Find what stands for a deferred module."""
        return ModuleSpec(name, self) if name in self.names else None  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> None:
        """Let the import system make the module, of which it looks at some attributes."""

    def exec_module(self, module: ModuleType) -> None:
        """Load nothing."""
        module.__class__ = _Deferred


_DEFERRED = _DeferredModules()


def defer(*names: str) -> None:
    """Let ``import name`` load nothing in this process, whoever imports it; the first ``name.something`` does.

    For a process with one task, such as the command. ``from name import something`` loads as ever.
    """
    if _DEFERRED not in sys.meta_path:
        sys.meta_path.insert(0, _DEFERRED)
    _DEFERRED.names.update(name for name in names if name not in sys.modules)


def _give_way(module: _Deferred) -> None:
    """Let the import system find the module itself."""
    with _DEFERRED.lock:
        _DEFERRED.names.discard(module.__name__)
        if sys.modules.get(module.__name__) is module:
            del sys.modules[module.__name__]


def loaded(name: str) -> ModuleType | None:
    """Return a module that was imported and is not deferred, else ``None``."""
    found = sys.modules.get(name)
    return None if isinstance(found, _Unloaded) else found

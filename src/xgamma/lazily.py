"""Modules that are loaded when something of them is first used, while their imports stay at the top of a file."""

from __future__ import annotations

import importlib
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

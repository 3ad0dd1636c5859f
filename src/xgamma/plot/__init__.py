"""Pictures: arrays and Datasets in, matplotlib Axes out; never a model.

Every function draws on the Axes it is given, or on the current ones, and returns them. Axes carry their unit.

``from xgamma.plot import sed`` loads nothing: a module of this package, and matplotlib, is loaded by the first picture.
"""

from __future__ import annotations

import pkgutil
from types import ModuleType
from typing import TYPE_CHECKING

from xgamma.lazily import unloaded

_MODULES = frozenset(module.name for module in pkgutil.iter_modules(__path__))

if not TYPE_CHECKING:

    def __getattr__(name: str) -> ModuleType:
        return unloaded(__name__, name, _MODULES)

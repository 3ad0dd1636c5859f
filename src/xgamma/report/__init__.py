"""The report of an analysis or of a store: one HTML file that holds everything and asks nobody for anything.

``blocks`` are what a page is made of, ``page`` fills the template with them; the other modules make sections of views,
each of one kind of result. Which of them an analysis has, ``analysis.reported`` says.

``from xgamma.report import fits`` loads nothing: a module of this package is loaded by the first report.
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

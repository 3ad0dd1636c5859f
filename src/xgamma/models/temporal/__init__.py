"""How the flux of a source depends on time: the base, formulas, and tables from files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xgamma.lazily import exported
from xgamma.registry import provide

if not TYPE_CHECKING:
    __getattr__, __dir__ = exported(__name__)

_MODULES = ("model", "templates")
provide("temporal model", *(f"{__name__}.{module}" for module in _MODULES))

"""Positions and morphologies: the base of all of them, and a module for each family."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xgamma.lazily import exported
from xgamma.registry import provide

if not TYPE_CHECKING:
    __getattr__, __dir__ = exported(__name__)

_MODULES = ("points", "gaussians", "disks", "templates", "norms")
provide("spatial model", *(f"{__name__}.{module}" for module in _MODULES))

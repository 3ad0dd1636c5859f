"""Flux points in the SED format of GADF and its relatives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xgamma.lazily import exported

if not TYPE_CHECKING:
    __getattr__, __dir__ = exported(__name__)

"""FITS files read as plain tables, headers and bytes, within bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xgamma.lazily import exported

if not TYPE_CHECKING:
    __getattr__, __dir__ = exported(__name__)

"""Products as tables for people: a Dataset in, rows of texts out; nothing of pictures and models is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xgamma.lazily import exported

if not TYPE_CHECKING:
    __getattr__, __dir__ = exported(__name__)

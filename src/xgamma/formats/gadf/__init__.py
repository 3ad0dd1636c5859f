"""The GADF format of event lists, responses and index tables; readers and ``write`` share only ``layouts``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xgamma.lazily import exported

if not TYPE_CHECKING:
    __getattr__, __dir__ = exported(__name__)

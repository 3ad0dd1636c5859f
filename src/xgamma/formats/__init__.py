"""Files in and out, a room for each format: ``read_`` makes a Dataset of a file, ``write_`` a file of a Dataset.

``region_objects`` and the package `regions` are loaded when a region of it is first read or made.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

from xgamma.lazily import unloaded

_UNLOADED = frozenset(["region_objects"])

if not TYPE_CHECKING:

    def __getattr__(name: str) -> ModuleType:
        return unloaded(__name__, name, _UNLOADED)

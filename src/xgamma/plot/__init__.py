"""Pictures: arrays and Datasets in, matplotlib Axes out; never a model.

Every function draws on the Axes it is given, or on the current ones, and returns them. Axes carry their unit.

``from xgamma.plot import sed`` loads nothing: a module of this package, and matplotlib, is loaded by the first picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xgamma.lazily import exported

if not TYPE_CHECKING:
    __getattr__, __dir__ = exported(__name__)

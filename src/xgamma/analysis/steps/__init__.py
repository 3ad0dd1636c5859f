"""The steps of an analysis, one file each; ``STEPS`` lists them in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xgamma.lazily import exported

if TYPE_CHECKING:
    from xgamma.analysis.steps.order import SECTIONS, STEPS
else:
    __getattr__, __dir__ = exported(__name__)

__all__ = ["SECTIONS", "STEPS"]

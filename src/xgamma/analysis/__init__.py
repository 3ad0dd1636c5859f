"""The high-level interface: ``AnalysisConfig`` declares an analysis, ``Analysis`` runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xgamma.gammapy_names import later_names
from xgamma.lazily import exported

if TYPE_CHECKING:
    from xgamma.analysis.session import Analysis
    from xgamma.config.config import AnalysisConfig
else:
    __getattr__, __dir__ = exported(__name__, later_names(__name__))

__all__ = ["Analysis", "AnalysisConfig"]

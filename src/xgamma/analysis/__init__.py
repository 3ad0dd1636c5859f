"""The high-level interface: ``AnalysisConfig`` declares an analysis, ``Analysis`` runs it."""

from __future__ import annotations

from xgamma.analysis.session import Analysis
from xgamma.config.config import AnalysisConfig
from xgamma.gammapy_names import later_names

__all__ = ["Analysis", "AnalysisConfig"]


__getattr__ = later_names(__name__)

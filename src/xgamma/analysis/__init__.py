"""The high-level interface: ``AnalysisConfig`` declares an analysis, ``Analysis`` runs it."""

from __future__ import annotations

from xgamma.analysis.session import Analysis
from xgamma.config.config import AnalysisConfig

__all__ = ["Analysis", "AnalysisConfig"]

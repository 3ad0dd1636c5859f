"""The high-level interface: ``AnalysisConfig`` declares an analysis, ``Analysis`` runs it."""

from __future__ import annotations

from xgamma.analysis.config import AnalysisConfig
from xgamma.analysis.session import Analysis

__all__ = ["Analysis", "AnalysisConfig"]

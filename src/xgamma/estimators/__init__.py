"""The import path of Gammapy's ``estimators``."""

from __future__ import annotations

from xgamma.datasets import FluxPoints

__all__ = ["FluxPoints"]

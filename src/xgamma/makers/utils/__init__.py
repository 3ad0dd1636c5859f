"""The import path of Gammapy's ``makers.utils``."""

from __future__ import annotations

from xgamma.datasets.theta2_table import make_theta_squared_table

__all__ = ["make_theta_squared_table"]

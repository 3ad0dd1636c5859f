"""The import path of Gammapy's ``makers.utils``."""

from __future__ import annotations

from xgamma.datasets.theta2_table import make_theta_squared_table
from xgamma.gammapy_names import later_names

__all__ = ["make_theta_squared_table"]


__getattr__ = later_names(__name__)

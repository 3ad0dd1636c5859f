"""The import path of Gammapy's ``visualization``."""

from __future__ import annotations

from xgamma.datasets.excess_map import plot_distribution
from xgamma.gammapy_names import later_names
from xgamma.plot.excess import plot_theta_squared_table

__all__ = ["plot_distribution", "plot_theta_squared_table"]


__getattr__ = later_names(__name__)

"""Parameters and fits at the import path that users of Gammapy know."""

from __future__ import annotations

from xgamma.fit import CovarianceResult, Fit, FitResult, OptimizeResult
from xgamma.gammapy_names import later_names
from xgamma.models import Covariance, Parameter, Parameters

__all__ = ["Covariance", "CovarianceResult", "Fit", "FitResult", "OptimizeResult", "Parameter", "Parameters"]

__getattr__ = later_names(__name__)

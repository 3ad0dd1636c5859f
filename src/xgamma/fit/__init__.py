"""Inference: the objective, MIGRAD, covariance, errors, profiles."""

from __future__ import annotations

from xgamma.fit.fitter import Fit, Fittable
from xgamma.fit.minimise import confidence, covariance, fit, stat_contour, stat_profile, warn_of
from xgamma.fit.problem import FitSettings, validate_fittable, validate_start
from xgamma.fit.result import CovarianceResult, FitResult, OptimizeResult
from xgamma.fit.statistic import Statistic, mask_fit, used_bins, validate_named

__all__ = [
    "CovarianceResult",
    "Fit",
    "FitResult",
    "FitSettings",
    "Fittable",
    "OptimizeResult",
    "Statistic",
    "confidence",
    "covariance",
    "fit",
    "mask_fit",
    "stat_contour",
    "stat_profile",
    "used_bins",
    "validate_fittable",
    "validate_named",
    "validate_start",
    "warn_of",
]

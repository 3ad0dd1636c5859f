"""Inference: the objective, MIGRAD, covariance, errors, profiles."""

from __future__ import annotations

from xgamma.fit.face import Fit, Fittable
from xgamma.fit.minimise import (
    FitSettings,
    confidence,
    covariance,
    fit,
    scan_values,
    stat_contour,
    stat_profile,
    validate_fittable,
)
from xgamma.fit.result import CovarianceResult, FitResult, OptimizeResult
from xgamma.fit.statistic import Statistic, mask_fit, used_bins

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
    "scan_values",
    "stat_contour",
    "stat_profile",
    "used_bins",
    "validate_fittable",
]

"""Inference: the objective, MIGRAD, covariance, errors, profiles."""

from __future__ import annotations

from xgamma.fit.fitter import Fit, Fittable
from xgamma.fit.goodness import Deviance, GoodnessOfFit, goodness_of_fit, pulls
from xgamma.fit.inputs import FitInput, mask_fit, validate_named
from xgamma.fit.minimise import confidence, covariance, fit, stat_contour, stat_profile, stat_surface, warn_of
from xgamma.fit.prior import validate_priors
from xgamma.fit.problem import FitSettings, validate_fittable, validate_models
from xgamma.fit.result import CovarianceResult, FitResult, OptimizeResult
from xgamma.fit.statistic import Statistic

__all__ = [
    "CovarianceResult",
    "Deviance",
    "Fit",
    "FitInput",
    "FitResult",
    "FitSettings",
    "Fittable",
    "GoodnessOfFit",
    "OptimizeResult",
    "Statistic",
    "confidence",
    "covariance",
    "fit",
    "goodness_of_fit",
    "mask_fit",
    "pulls",
    "stat_contour",
    "stat_profile",
    "stat_surface",
    "validate_fittable",
    "validate_models",
    "validate_named",
    "validate_priors",
    "warn_of",
]

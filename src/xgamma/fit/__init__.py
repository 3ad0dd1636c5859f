"""Inference: the objective, MIGRAD, covariance, errors, profiles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xgamma.lazily import exported

if TYPE_CHECKING:
    from xgamma.fit.beginning import start_near_counts, validate_beginning
    from xgamma.fit.fitter import Fit, Fittable
    from xgamma.fit.goodness import Deviance, GoodnessOfFit, goodness_of_fit, pulls
    from xgamma.fit.inputs import FitInput, mask_fit, validate_named
    from xgamma.fit.minimise import confidence, covariance, fit, stat_contour, stat_profile, stat_surface
    from xgamma.fit.result import CovarianceResult, FitResult, OptimizeResult, warn_of
    from xgamma.fit.settings import FitSettings, validate_fittable, validate_models, validate_priors
    from xgamma.fit.statistic import Statistic
else:
    __getattr__, __dir__ = exported(__name__)

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
    "start_near_counts",
    "stat_contour",
    "stat_profile",
    "stat_surface",
    "validate_beginning",
    "validate_fittable",
    "validate_models",
    "validate_named",
    "validate_priors",
    "warn_of",
]

"""Parameters and fits at the import path that users of Gammapy know."""

from __future__ import annotations

from xgamma.errors import later_names
from xgamma.fit import CovarianceResult, Fit, FitResult, OptimizeResult
from xgamma.models import Covariance, Parameter, Parameters

__all__ = ["Covariance", "CovarianceResult", "Fit", "FitResult", "OptimizeResult", "Parameter", "Parameters"]

_PRIOR = "the numbers of a prior are Parameters: parameter.prior.mu.value"
_SAMPLER = "posteriors are not sampled; see Fit.stat_profile and Fit.confidence"

__getattr__ = later_names(
    __name__,
    {
        "PriorParameter": _PRIOR,
        "PriorParameters": _PRIOR,
        "Sampler": _SAMPLER,
        "SamplerResult": _SAMPLER,
        "select_nested_models": "fit both models and compare total_stat of the results",
        "stat_profile_ul_scipy": "limits of flux points come with selection_optional: [ul], of a parameter with "
        "Fit.confidence",
    },
)

"""Estimators: flux points and light curves from reduced Datasets and a model, excess and TS maps from Datasets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xgamma.lazily import exported
from xgamma.registry import provide

if TYPE_CHECKING:
    from xgamma.estimate.curves import light_curve, validate_varied
    from xgamma.estimate.each import fit_each, flux_points_each
    from xgamma.estimate.excess import excess_map
    from xgamma.estimate.excess_parameters import ExcessMapParameters, log_planes
    from xgamma.estimate.flux_points_parameters import (
        FluxPointsParameters,
        LightCurveParameters,
        log_binning,
        log_light_curve,
        source_model,
    )
    from xgamma.estimate.group_fits import fit_groups, flux_points_groups
    from xgamma.estimate.points import flux_points
    from xgamma.estimate.reference import spectrum_fluxes
    from xgamma.estimate.significance import SignificanceDistribution, significance_distribution
    from xgamma.estimate.theta_squared import theta2
    from xgamma.estimate.time_binning import TimeBinning, normalize_time_binning
    from xgamma.estimate.time_bins import Placement
    from xgamma.estimate.ts_values import TSMapParameters, ts_map
else:
    __getattr__, __dir__ = exported(__name__)

provide("estimator", *(f"{__name__}.{module}" for module in ("points", "curves", "excess", "ts_values")))

__all__ = [
    "ExcessMapParameters",
    "FluxPointsParameters",
    "LightCurveParameters",
    "Placement",
    "SignificanceDistribution",
    "TSMapParameters",
    "TimeBinning",
    "excess_map",
    "fit_each",
    "fit_groups",
    "flux_points",
    "flux_points_each",
    "flux_points_groups",
    "light_curve",
    "log_binning",
    "log_light_curve",
    "log_planes",
    "normalize_time_binning",
    "significance_distribution",
    "source_model",
    "spectrum_fluxes",
    "theta2",
    "ts_map",
    "validate_varied",
]

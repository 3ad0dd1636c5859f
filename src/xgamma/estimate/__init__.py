"""Estimators: flux points and light curves from reduced Datasets and a model, excess and TS maps from Datasets."""

from __future__ import annotations

from xgamma.estimate.each import fit_each, flux_points_each
from xgamma.estimate.excess_map import excess_map, log_planes
from xgamma.estimate.excess_statistics import ExcessMapParameters
from xgamma.estimate.flux_points import flux_points, log_binning
from xgamma.estimate.flux_points_parameters import FluxPointsParameters, LightCurveParameters
from xgamma.estimate.group_fits import fit_groups, flux_points_groups
from xgamma.estimate.light_curve import light_curve, log_light_curve, validate_varied
from xgamma.estimate.reference import source_model
from xgamma.estimate.significance import SignificanceDistribution, significance_distribution
from xgamma.estimate.theta2 import theta2
from xgamma.estimate.time_binning import TimeBinning, normalize_time_binning
from xgamma.estimate.time_bins import Placement
from xgamma.estimate.ts_map import TSMapParameters, ts_map

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
    "theta2",
    "ts_map",
    "validate_varied",
]

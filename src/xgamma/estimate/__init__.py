"""Estimators: flux points from reduced Datasets and a model."""

from __future__ import annotations

from xgamma.estimate.each import fit_each, flux_points_each
from xgamma.estimate.flux_points import flux_points, log_binning, source_and_norm, validate_reoptimize
from xgamma.estimate.flux_points_parameters import FluxPointsParameters

__all__ = [
    "FluxPointsParameters",
    "fit_each",
    "flux_points",
    "flux_points_each",
    "log_binning",
    "source_and_norm",
    "validate_reoptimize",
]

"""Estimators: flux points from reduced Datasets and a model."""

from __future__ import annotations

from xgamma.estimate.flux_points import flux_points, log_binning, source_and_norm
from xgamma.estimate.flux_points_parameters import FluxPointsParameters

__all__ = ["FluxPointsParameters", "flux_points", "log_binning", "source_and_norm"]

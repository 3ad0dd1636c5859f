"""The import path of Gammapy's ``estimators``."""

from __future__ import annotations

from xgamma.datasets import ExcessMap, FluxPoints, LightCurve
from xgamma.estimators.maps import ExcessMapEstimator
from xgamma.estimators.points import FluxPointsEstimator, LightCurveEstimator
from xgamma.estimators.profiles import FluxProfileEstimator
from xgamma.estimators.ts_maps import TSMapEstimator
from xgamma.gammapy_names import later_names

__all__ = [
    "ExcessMap",
    "ExcessMapEstimator",
    "FluxMaps",
    "FluxPoints",
    "FluxPointsEstimator",
    "FluxProfileEstimator",
    "LightCurve",
    "LightCurveEstimator",
    "TSMapEstimator",
]

FluxMaps = ExcessMap

__getattr__ = later_names(__name__)

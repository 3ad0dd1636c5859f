"""The import path of Gammapy's ``estimators``."""

from __future__ import annotations

from xgamma.datasets import ExcessMap, FluxPoints, LightCurve
from xgamma.errors import OF_MAPS, later_names
from xgamma.estimators.maps import ExcessMapEstimator
from xgamma.estimators.points import FluxPointsEstimator, LightCurveEstimator
from xgamma.estimators.profiles import FluxProfileEstimator
from xgamma.estimators.ts_maps import TSMapEstimator

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

__getattr__ = later_names(
    __name__,
    {
        **dict.fromkeys(
            (
                "ASmoothMapEstimator",
                "EnergyDependentMorphologyEstimator",
                "ImageProfile",
                "ImageProfileEstimator",
            ),
            OF_MAPS,
        ),
        "ESTIMATOR_REGISTRY": "xgamma.registry.names('estimator') lists the estimators",
        "Estimator": "an estimator of your own is a function of Datasets, see xgamma.registry.register",
        "FluxMetaData": "what flux points are is in flux_points.data.attrs",
        "ParameterEstimator": "Fit.confidence and Fit.stat_profile give errors and profiles of a parameter",
        "ParameterSensitivityEstimator": "sensitivities come with a later version",
        "SensitivityEstimator": "sensitivities come with a later version",
    },
)

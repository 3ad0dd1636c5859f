"""The import path of Gammapy's ``estimators.utils``: peaks of maps, measures of the variability of light curves."""

from __future__ import annotations

from xgamma.datasets.maps.peaks import find_peaks
from xgamma.datasets.variability import (
    compute_lightcurve_chisq,
    compute_lightcurve_discrete_correlation,
    compute_lightcurve_doublingtime,
    compute_lightcurve_fpp,
    compute_lightcurve_fvar,
    compute_lightcurve_structure_function,
)
from xgamma.gammapy_names import later_names

__all__ = [
    "compute_lightcurve_chisq",
    "compute_lightcurve_discrete_correlation",
    "compute_lightcurve_doublingtime",
    "compute_lightcurve_fpp",
    "compute_lightcurve_fvar",
    "compute_lightcurve_structure_function",
    "find_peaks",
]

__getattr__ = later_names(__name__)

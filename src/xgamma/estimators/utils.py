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
from xgamma.errors import OF_MAPS, later_names

__all__ = [
    "compute_lightcurve_chisq",
    "compute_lightcurve_discrete_correlation",
    "compute_lightcurve_doublingtime",
    "compute_lightcurve_fpp",
    "compute_lightcurve_fvar",
    "compute_lightcurve_structure_function",
    "find_peaks",
]

_REBIN = "rebinned flux points come with a later version; estimate them again with other edges"

__getattr__ = later_names(
    __name__,
    {
        **dict.fromkeys(
            (
                "apply_threshold_sensitivity",
                "approximate_profile_map",
                "combine_flux_maps",
                "combine_significance_maps",
                "estimate_exposure_reco_energy",
                "find_peaks_in_flux_map",
                "get_combined_flux_maps",
                "get_combined_significance_maps",
                "get_flux_map_from_profile",
            ),
            OF_MAPS,
        ),
        **dict.fromkeys(("get_edges_fixed_bins", "get_edges_min_ts", "get_rebinned_axis"), _REBIN),
        "resample_energy_edges": "dataset.resample_energy_axis takes edges",
    },
)

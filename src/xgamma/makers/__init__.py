"""The import path of Gammapy's ``makers``."""

from __future__ import annotations

from xgamma.errors import later_names

__all__: list[str] = []

_MAPS = "it belongs to sky maps, which come with a later version"
_REDUCE = "Analysis.get_datasets reduces all runs at once, and so does xgamma.reduce.reduce_spectra"

__getattr__ = later_names(
    __name__,
    {
        **dict.fromkeys(
            (
                "DatasetsMaker",
                "PhaseBackgroundMaker",
                "ReflectedRegionsBackgroundMaker",
                "ReflectedRegionsFinder",
                "SafeMaskMaker",
                "SpectrumDatasetMaker",
                "WobbleRegionsFinder",
            ),
            _REDUCE,
        ),
        **dict.fromkeys(
            ("AdaptiveRingBackgroundMaker", "FoVBackgroundMaker", "MapDatasetMaker", "RingBackgroundMaker"), _MAPS
        ),
    },
)

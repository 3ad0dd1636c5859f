"""The import path of Gammapy's ``makers``: one run reduced step by step; ``Analysis`` reduces all of them at once."""

from __future__ import annotations

from xgamma.datasets.makers import (
    DatasetsMaker,
    ReflectedRegionsBackgroundMaker,
    ReflectedRegionsFinder,
    SafeMaskMaker,
    SpectrumDatasetMaker,
    WobbleRegionsFinder,
)
from xgamma.datasets.map_makers import MapDatasetMaker
from xgamma.errors import OF_MAPS, later_names

__all__ = [
    "DatasetsMaker",
    "MapDatasetMaker",
    "ReflectedRegionsBackgroundMaker",
    "ReflectedRegionsFinder",
    "SafeMaskMaker",
    "SpectrumDatasetMaker",
    "WobbleRegionsFinder",
]


__getattr__ = later_names(
    __name__,
    {
        **dict.fromkeys(("AdaptiveRingBackgroundMaker", "FoVBackgroundMaker", "RingBackgroundMaker"), OF_MAPS),
        "PhaseBackgroundMaker": "datasets.background.method: phase in a configuration takes off phases",
    },
)

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
from xgamma.datasets.map_makers import (
    AdaptiveRingBackgroundMaker,
    FoVBackgroundMaker,
    MapDatasetMaker,
    RingBackgroundMaker,
)
from xgamma.errors import later_names

__all__ = [
    "AdaptiveRingBackgroundMaker",
    "DatasetsMaker",
    "FoVBackgroundMaker",
    "MapDatasetMaker",
    "ReflectedRegionsBackgroundMaker",
    "ReflectedRegionsFinder",
    "RingBackgroundMaker",
    "SafeMaskMaker",
    "SpectrumDatasetMaker",
    "WobbleRegionsFinder",
]


__getattr__ = later_names(
    __name__,
    {
        "PhaseBackgroundMaker": "datasets.background.method: phase in a configuration takes off phases",
    },
)

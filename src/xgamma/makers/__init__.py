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
from xgamma.gammapy_names import later_names

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


__getattr__ = later_names(__name__)

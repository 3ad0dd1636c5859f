"""Thin views over reduced Datasets and flux points: they hold models and fit mask; print, index, plot and write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xgamma.gammapy_names import later_names
from xgamma.lazily import exported

if TYPE_CHECKING:
    from xgamma.datasets.collection import Datasets
    from xgamma.datasets.event_list import GTI
    from xgamma.datasets.event_sampler import MapDatasetEventSampler
    from xgamma.datasets.excess_map import ExcessMap
    from xgamma.datasets.flux_points import FluxPoints
    from xgamma.datasets.flux_points_dataset import FluxPointsDataset
    from xgamma.datasets.geom import RegionGeom
    from xgamma.datasets.group_fits import GroupFits, GroupPoints
    from xgamma.datasets.light_curve import LightCurve
    from xgamma.datasets.map_dataset import MapDataset, MapDatasetOnOff
    from xgamma.datasets.spectrum import SpectrumDataset, SpectrumDatasetOnOff
else:
    __getattr__, __dir__ = exported(__name__, later_names(__name__))

__all__ = [
    "GTI",
    "Datasets",
    "ExcessMap",
    "FluxPoints",
    "FluxPointsDataset",
    "GroupFits",
    "GroupPoints",
    "LightCurve",
    "MapDataset",
    "MapDatasetEventSampler",
    "MapDatasetOnOff",
    "RegionGeom",
    "SpectrumDataset",
    "SpectrumDatasetOnOff",
]

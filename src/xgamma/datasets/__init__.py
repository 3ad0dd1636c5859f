"""Thin views over reduced Datasets and flux points: they hold models and fit mask; print, index, plot and write."""

from __future__ import annotations

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
from xgamma.errors import OF_MAPS, later_names

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

_READ = "Datasets.read and SpectrumDatasetOnOff.read read OGIP files, and write writes them"
_EVENTS = "xgamma simulate and xgamma.simulate make event lists of runs, MapDatasetEventSampler those of maps"

__getattr__ = later_names(
    __name__,
    {
        **dict.fromkeys(
            (
                "MapDatasetMetaData",
                "create_empty_map_dataset_from_irfs",
                "create_map_dataset_from_observation",
                "create_map_dataset_geoms",
            ),
            OF_MAPS,
        ),
        **dict.fromkeys(("OGIPDatasetReader", "OGIPDatasetWriter"), _READ),
        "ObservationEventSampler": _EVENTS,
        "FermipyDatasetsReader": OF_MAPS,
        "DATASET_REGISTRY": "datasets of spectra, of maps and FluxPointsDataset are all there are",
        "Dataset": "datasets of spectra, of maps and FluxPointsDataset are all there are",
        "apply_edisp": "dataset.npred_signal folds a model with the response",
        "set_and_restore_mask_fit": "set dataset.mask_fit and put it back",
        "split_dataset": OF_MAPS,
    },
)

"""Thin faces over reduced Datasets and flux points: they hold models and fit mask; print, index, plot and write."""

from __future__ import annotations

from xgamma.datasets.collection import Datasets
from xgamma.datasets.flux_points import FluxPoints
from xgamma.datasets.flux_points_dataset import FluxPointsDataset
from xgamma.datasets.spectrum import SpectrumDataset, SpectrumDatasetOnOff

__all__ = ["Datasets", "FluxPoints", "FluxPointsDataset", "SpectrumDataset", "SpectrumDatasetOnOff"]

"""The import path of Gammapy's ``maps``: axes, geometries of images and regions, and maps."""

from __future__ import annotations

from xgamma.datasets.geom import RegionGeom
from xgamma.datasets.maps import Map, MapAxes, MapAxis, MapCoord, RegionNDMap, WcsGeom
from xgamma.gammapy_names import later_names

__all__ = ["Map", "MapAxes", "MapAxis", "MapCoord", "RegionGeom", "RegionNDMap", "WcsGeom", "WcsNDMap"]

WcsNDMap = Map

__getattr__ = later_names(__name__)

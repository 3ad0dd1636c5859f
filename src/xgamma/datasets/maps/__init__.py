"""Maps of the sky: geometries and values over them, asked for and made as Gammapy does."""

from __future__ import annotations

from xgamma.datasets.maps.axes import MapAxes
from xgamma.datasets.maps.coords import MapCoord
from xgamma.datasets.maps.geom import WcsGeom
from xgamma.datasets.maps.map import Map
from xgamma.datasets.maps.region_map import RegionNDMap

__all__ = ["Map", "MapAxes", "MapCoord", "RegionNDMap", "WcsGeom"]

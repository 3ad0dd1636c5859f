"""Maps of the sky: geometries and values over them, asked for and made as Gammapy does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xgamma.lazily import exported

if TYPE_CHECKING:
    from xgamma.datasets.maps.axes import MapAxes
    from xgamma.datasets.maps.axis import MapAxis
    from xgamma.datasets.maps.coords import MapCoord
    from xgamma.datasets.maps.geom import WcsGeom
    from xgamma.datasets.maps.map import Map, RegionNDMap
else:
    __getattr__, __dir__ = exported(__name__)

__all__ = ["Map", "MapAxes", "MapAxis", "MapCoord", "RegionNDMap", "WcsGeom"]

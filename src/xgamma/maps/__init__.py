"""The import path of Gammapy's ``maps``: axes, geometries of images and regions, and maps."""

from __future__ import annotations

from xgamma.datasets.geom import MapAxis, RegionGeom
from xgamma.datasets.maps import Map, MapAxes, MapCoord, RegionNDMap, WcsGeom
from xgamma.errors import later_names

__all__ = ["Map", "MapAxes", "MapAxis", "MapCoord", "RegionGeom", "RegionNDMap", "WcsGeom", "WcsNDMap"]

WcsNDMap = Map

_HEALPIX = "HEALPix comes with a later version; give a WcsGeom"

__getattr__ = later_names(
    __name__,
    {
        **dict.fromkeys(("HpxGeom", "HpxNDMap"), _HEALPIX),
        **dict.fromkeys(("LabelledMapAxis", "TimeMapAxis"), "axes of maps are bins of numbers, as MapAxis makes them"),
        "Maps": "a dict of maps will do",
    },
)

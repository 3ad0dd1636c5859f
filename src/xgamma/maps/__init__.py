"""The import path of Gammapy's ``maps``: axes and the geometry of a region."""

from __future__ import annotations

from xgamma.datasets.geom import MapAxis, RegionGeom
from xgamma.errors import OF_MAPS, later_names

__all__ = ["MapAxis", "RegionGeom"]


__getattr__ = later_names(
    __name__,
    {
        **dict.fromkeys(
            ("HpxGeom", "HpxNDMap", "LabelledMapAxis", "Map", "MapCoord", "Maps", "TimeMapAxis", "WcsGeom", "WcsNDMap"),
            OF_MAPS,
        ),
        **dict.fromkeys(("MapAxes",), "a list of axes will do"),
        **dict.fromkeys(("RegionNDMap",), "arrays of datasets are xarray.DataArray, as dataset.counts"),
    },
)

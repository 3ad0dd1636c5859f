"""A point, and a density that is the same everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

import numpy as np

from xgamma.axes import FloatArray
from xgamma.errors import ConfigError
from xgamma.models.parameters import Parameter
from xgamma.models.spatial.model import SpatialModel
from xgamma.shapes import Circle, Shape


class PointSpatialModel(SpatialModel):
    """delta(lon_0, lat_0)"""

    tag = ("PointSpatialModel", "point")
    lon_0 = Parameter("lon_0", 0.0, "deg")
    lat_0 = Parameter("lat_0", 0.0, "deg", min=-90.0, max=90.0)

    def _density(self, lon: FloatArray, lat: FloatArray, values: Sequence[float]) -> NoReturn:
        raise ConfigError(
            f"{self.tag[0]}: a point has no density; integrate it over pixels, or use a source with a size."
        )

    def _profile(self, distance: FloatArray, values: Sequence[float]) -> NoReturn:
        self._density(distance, distance, values)

    @property
    def is_point(self) -> bool:
        """It is one."""
        return True

    def outline(self, size_factor: float = 1.0) -> Shape:
        """Return the point."""
        lon, lat = self.canonical_values()
        return Circle(lon, lat, 0.0, self.frame)

    def reach(self, values: Sequence[float] | None = None) -> float:
        """Return 0."""
        return 0.0

    def resolution(self, values: Sequence[float] | None = None) -> float:
        """Return 0."""
        return 0.0


class ConstantSpatialModel(SpatialModel):
    """value"""

    tag = ("ConstantSpatialModel", "const")
    value = Parameter("value", 1.0, "sr-1", frozen=True)

    def _density(self, lon: FloatArray, lat: FloatArray, values: Sequence[float]) -> FloatArray:
        return np.full(np.broadcast_shapes(lon.shape, lat.shape), values[0])

"""``RegionNDMap``: what a map holds in a region, over its axes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from astropy import units as u
from matplotlib.axes import Axes

from xgamma.datasets.geom import RegionGeom
from xgamma.datasets.maps.axes import MapAxes
from xgamma.dialects import fits_unit
from xgamma.errors import DataError
from xgamma.plot.labels import axis_label, normalize_axes
from xgamma.shapes import Shape


class RegionNDMap:
    """Values of a region over axes.

    Parameters
    ----------
    region
        The region.
    axes
        The axes.
    data
        Values, one for each bin.
    unit, name
        What they are.
    """

    def __init__(
        self, region: Shape | None, axes: MapAxes, data: npt.ArrayLike, unit: str = "", name: str = ""
    ) -> None:
        self.region, self._axes, self._unit, self.name = region, axes, unit, name
        self.data = np.asarray(data).reshape(*axes.shape, 1, 1)

    @property
    def geom(self) -> RegionGeom:
        """The region and the axes."""
        return RegionGeom(self.region, {axis.name: axis for axis in self._axes})

    @property
    def unit(self) -> u.UnitBase:
        """The unit of the values."""
        return fits_unit(self._unit)

    @property
    def quantity(self) -> u.Quantity:
        """The values with their unit, shape (..., 1, 1)."""
        return u.Quantity(self.data, self.unit)

    @property
    def array(self) -> xr.DataArray:
        """The values as an array with labels."""
        coords = {axis.name: ((axis.name,), axis.center, {"units": axis.unit}) for axis in self._axes}
        values = self.data.reshape(self._axes.shape)
        return xr.DataArray(values, coords, self._axes.dims, self.name or None, {"units": self._unit})

    def plot(self, ax: Axes | None = None, **style: Any) -> Axes:
        """Draw the values over their one axis, as steps over its bins; raises ``DataError`` for more axes."""
        if len(self._axes) != 1:
            raise DataError(f"plot: expected values over one axis, got {', '.join(self._axes.names) or 'one value'}.")
        (axis,) = self._axes
        ax = normalize_axes(ax)
        ax.stairs(self.data.ravel(), axis.edges, **{"baseline": None, **style})
        if axis.scale == "log":
            ax.set_xscale("log")
        ax.set_xlabel(axis_label(axis.name.replace("_", " ").capitalize(), axis.unit))
        ax.set_ylabel(axis_label(self.name.replace("_", " ").capitalize() or "Value", self._unit))
        return ax

    plot_hist = plot

    def __repr__(self) -> str:
        return f"<RegionNDMap {' x '.join(map(str, self._axes.shape))} {self._unit}>"

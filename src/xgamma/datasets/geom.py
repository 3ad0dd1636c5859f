"""``array.geom``: the bins of an array that a view hands out, asked for as Gammapy does."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from xgamma.axes import Axis
from xgamma.errors import DataError
from xgamma.units import canonical

LOW, HIGH = "energy_min", "energy_max"


def with_edges(array: xr.DataArray, axis: Axis) -> xr.DataArray:
    """Return the array with the lower and the upper edge of each bin as coordinates, TeV."""
    edges = {LOW: axis.edges[:-1], HIGH: axis.edges[1:]}
    return array.assign_coords({name: ("energy", values, {"units": "TeV"}) for name, values in edges.items()})


@xr.register_dataarray_accessor("geom")  # type: ignore[no-untyped-call]
class Geom:
    """The bins of an array of a dataset.

    Examples
    --------
    >>> dataset.mask_fit = dataset.counts.geom.energy_mask(energy_min="1 TeV")  # doctest: +SKIP
    """

    def __init__(self, array: xr.DataArray) -> None:
        self._array = array

    @property
    def energy_axis(self) -> Axis:
        """The axis of reconstructed energy; raises ``DataError`` for an array that does not know its edges."""
        if LOW not in self._array.coords:
            raise DataError(
                "geom: expected an array of a dataset such as dataset.counts, got one without edges of energy."
            )
        return Axis("energy", np.append(self._array[LOW].values, self._array[HIGH].values[-1]))

    def energy_mask(self, energy_min: Any = None, energy_max: Any = None, round_to_edge: bool = False) -> xr.DataArray:
        """Return the bins that lie wholly between two energies (``"1 TeV"`` or a ``Quantity``), for ``mask_fit``.

        With ``round_to_edge`` the energies are moved to the nearest edges before.
        """
        axis = self.energy_axis
        given = (("energy_min", energy_min), ("energy_max", energy_max))
        low, high = (None if value is None else canonical(value, "TeV", name) for name, value in given)
        if round_to_edge:
            low, high = (None if value is None else _nearest(axis, value) for value in (low, high))
        inside = np.broadcast_to(axis.mask_inside(low, high), self._array.shape)
        return self._array.copy(data=inside.copy())


def _nearest(axis: Axis, energy: float) -> float:
    return float(axis.edges[np.argmin(np.abs(np.log(axis.edges / energy)))])

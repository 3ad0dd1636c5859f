"""``plot_distribution``: histograms of the values of a map, called as in Gammapy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from astropy import units as u
from matplotlib.axes import Axes

from xgamma.datasets.maps import Map
from xgamma.errors import ConfigTypeError, DataError
from xgamma.plot.significance import plot_histograms


def plot_distribution(
    wcs_map: Map,
    mask: Map | None = None,
    ax: Axes | Sequence[Axes] | None = None,
    ncols: int = 3,
    func: Callable[..., Any] | str | None = None,
    kwargs_hist: Mapping[str, Any] | None = None,
    kwargs_axes: Mapping[str, Any] | None = None,
    kwargs_fit: Mapping[str, Any] | None = None,
) -> tuple[npt.NDArray[Any], list[dict[str, Any]]]:
    """Draw a histogram of the values of each plane of a map, with a function that is fitted to its bins.

    ``ExcessMap.plot_distribution`` draws what is published: all pixels, those outside of an exclusion, and the normal
    distribution of greatest likelihood, which does not depend on bins.

    Parameters
    ----------
    wcs_map
        A map; values that are not finite are left out.
    mask
        An image that is true where values count.
    ax
        One for each plane; by default new ones, in ``ncols`` columns.
    ncols
        How many columns a new figure has.
    func
        ``norm`` for a normal density (then with ``density=True`` in ``kwargs_hist``), or a function of values and its
        parameters.
    kwargs_hist, kwargs_axes, kwargs_fit
        For ``Axes.hist``, ``Axes.set`` and ``scipy.optimize.curve_fit``.

    Returns
    -------
    tuple
        An array of the Axes; for each fit a dict of its ``param``, their ``covar`` and the ``axis_edges`` of the plane.

    Raises
    ------
    ConfigTypeError
        For what is no map.
    DataError
        For a mask of other pixels.
    """
    if not isinstance(wcs_map, Map):
        raise ConfigTypeError(f"plot_distribution: expected a Map, got a {type(wcs_map).__name__}.")
    values = np.asarray(wcs_map.data, dtype=float).reshape(-1, *wcs_map.geom.data_shape[-2:])
    if mask is not None:
        if mask.geom.data_shape[-2:] != values.shape[1:]:
            raise DataError(
                f"plot_distribution: expected a mask of the shape {values.shape[1:]}, got {mask.geom.data_shape[-2:]}."
            )
        kept = np.asarray(mask.data, dtype=bool).reshape(-1, *values.shape[1:])
        values = np.where(kept, values, np.nan)
    axes, results = plot_histograms(
        list(values), wcs_map.plane_titles(), ax, ncols, func, kwargs_hist, kwargs_axes, kwargs_fit
    )
    if len(wcs_map.geom.axes) == 1:
        [axis] = wcs_map.geom.axes
        for number, result in enumerate(results):
            result["axis_edges"] = tuple(u.Quantity(axis.edges[number : number + 2], axis.unit))
    return np.array(axes, dtype=object), results

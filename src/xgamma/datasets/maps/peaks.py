"""Local maxima of maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import astropy
import numpy as np
import scipy
from astropy import units as u

from xgamma.datasets.maps.map import Map
from xgamma.errors import ConfigError, ConfigTypeError, DataError
from xgamma.units import canonical

if TYPE_CHECKING:
    from astropy.table import Table


def find_peaks(image: Map, threshold: Any, min_distance: Any = 1) -> Table:
    """Return the pixels that are above a threshold and the largest within a square about them.

    Parameters
    ----------
    image
        A map with one plane; what is not finite in it is no peak.
    threshold
        A number, or one for each pixel.
    min_distance
        How far the square reaches to each side: a number of pixels, or an angle (``Quantity`` or text).

    Returns
    -------
    astropy.table.Table
        ``value``, ``x``, ``y`` (pixels from 0), ``ra``, ``dec`` (ICRS, deg), the largest value first; without rows
        where there is no peak.

    Raises
    ------
    ConfigTypeError, DataError, ConfigError
        For what is no map, for a map of several planes, for a distance below one pixel or a threshold of another shape.
    """
    if not isinstance(image, Map):
        raise ConfigTypeError(f"find_peaks: expected a Map, got a {type(image).__name__}.")
    values = np.asarray(image.data, dtype=float)
    shape = values.shape[-2:]
    if values.size != np.prod(shape):
        raise DataError(f"find_peaks: expected a map with one plane, got the shape {values.shape}; take one of them.")
    values = values.reshape(shape)
    reach = min_distance
    if isinstance(min_distance, str | u.Quantity):
        reach = round(canonical(min_distance, "deg", "find_peaks: min_distance") / image.geom.space.binsize)
    if isinstance(reach, bool) or reach != int(reach) or reach < 1:
        raise ConfigError(f"find_peaks: expected a min_distance of at least one pixel, got {min_distance!r}.")
    limit = np.asarray(threshold, dtype=float)
    if limit.shape not in ((), shape):
        raise ConfigError(f"find_peaks: expected one threshold or the shape {shape}, got {limit.shape}.")
    known = np.where(np.isfinite(values), values, -np.inf)
    side = (2 * int(reach) + 1,) * 2
    largest = scipy.ndimage.grey_dilation(known, side, mode="constant", cval=-np.inf)  # type: ignore[attr-defined]
    is_flat = known.max(initial=-np.inf) == known.min(initial=np.inf)
    y, x = np.nonzero((known == largest) & (known > limit) & (not is_flat))
    y, x = (places[np.argsort(-known[y, x], kind="stable")] for places in (y, x))
    lon, lat = image.geom.space.sky_of(x.astype(float), y.astype(float))
    value = u.Quantity(known[y, x], image.unit)
    table = astropy.table.Table({"value": value, "x": x, "y": y, "ra": lon * u.deg, "dec": lat * u.deg})
    for name, form in (("value", ".5g"), ("ra", ".5f"), ("dec", ".5f")):
        table[name].info.format = form
    return table

"""One morphology of several that share a spectrum: a map of their sum."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xgamma.errors import InputError
from xgamma.formats.sky_maps.sky_map import SkyMap
from xgamma.geometry import lonlat, separation, to_frame, unit_vector
from xgamma.models import GaussianSpatialModel, SpatialModel, TemplateSpatialModel
from xgamma.sky import SkySpace

BINSIZE = 0.02
"""The pixels of the map in degrees."""
SIGMAS = 5.0
"""So many of its sigmas each Gaussian is from the edge of the map at least."""
_FRAME = "galactic"


def composite(shares: Sequence[float], places: Sequence[SpatialModel], name: str) -> TemplateSpatialModel:
    """Return a map of Gaussians in Galactic coordinates, each times its share.

    Parameters
    ----------
    shares
        What each has of the whole.
    places
        Round Gaussians in Galactic coordinates.
    name
        Whose morphology it is, for sentences.

    Raises
    ------
    InputError
        Where one is a point, which no map shows.
    """
    gaussians = [place for place in places if isinstance(place, GaussianSpatialModel)]
    if len(gaussians) < len(places):
        raise InputError(f"{name} has a component without a size, which no map shows: use components_models().")
    centers = np.array([[place.lon_0.value, place.lat_0.value] for place in gaussians]).T
    lon, lat = (float(value) for value in lonlat(unit_vector(*centers).mean(axis=0)))
    sigmas = np.array([place.sigma.value for place in gaussians])
    half = float(np.max(separation(lon, lat, *centers) + SIGMAS * sigmas))
    space = SkySpace.of_width(lon, lat, _FRAME, BINSIZE, (2 * half, 2 * half))
    at = to_frame(*space.positions(), "icrs", _FRAME)
    densities = [share * place.density(*at) for share, place in zip(shares, gaussians, strict=True)]
    values = np.sum(densities, axis=0).reshape(space.shape)
    return TemplateSpatialModel(SkyMap.of_space(values, (), space, "sr-1"))

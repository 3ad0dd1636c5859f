"""Which models the spectrum of a region can hold: a spectrum, of a point in the region, that does not change."""

from __future__ import annotations

import numpy as np
import xarray as xr

from xgamma.errors import ConfigError, LaterError
from xgamma.geometry import separation, to_frame
from xgamma.models.models import SkyModel
from xgamma.models.spatial import PointSpatialModel
from xgamma.models.temporal import ConstantTemporalModel


def validate_spectral(model: SkyModel) -> None:
    """Raise for what the spectrum of a region cannot hold.

    A point and a constant change nothing: the response of a region is that of a point in its centre.

    Raises
    ------
    LaterError
        For another spatial or temporal part, and for what is no ``SkyModel``.
    ConfigError
        For a point whose position is free.
    """
    if not isinstance(model, SkyModel):
        raise LaterError(
            f"The model {model.name!r} is a {type(model).__name__}, which belongs to sky maps and comes with a later "
            "version; a 1D dataset takes SkyModel components."
        )
    parts = (
        ("spatial", model.spatial_model, PointSpatialModel),
        ("temporal", model.temporal_model, ConstantTemporalModel),
    )
    for name, part, held in parts:
        if part is not None and not isinstance(part, held):
            raise LaterError(
                f"The model {model.name!r} has a {name} part. It is kept in the document; predicting with it comes "
                "with a later version. Remove it to fit the spectrum of a 1D dataset."
            )
    free = [] if model.spatial_model is None else [one.name for one in model.spatial_model.parameters.free_parameters]
    if free:
        raise ConfigError(
            f"The model {model.name!r} has a free position ({', '.join(free)}), and the spectrum of a region does not "
            "tell it; freeze it."
        )


def validate_inside(model: SkyModel, ds: xr.Dataset) -> None:
    """Raise ``ConfigError`` when the point of a model lies outside the region of a dataset that it contributes to."""
    point = model.spatial_model
    applies = any(model.applies_to(str(name)) for name in ds["dataset"].values)
    if point is None or not applies or "region_lon" not in ds.coords:
        return
    place = point.canonical_values()
    lon, lat = to_frame(place[0], place[1], point.frame, "icrs")
    away = np.asarray(separation(lon, lat, ds["region_lon"].values, ds["region_lat"].values))
    if (away > ds["region_radius"].values).all():
        raise ConfigError(
            f"The model {model.name!r} is a point {away.min():.3g} deg from the centre of the on-region, whose radius "
            f"is {ds['region_radius'].values.max():.3g} deg; the spectrum of the region says nothing about it."
        )

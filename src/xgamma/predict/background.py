"""Backgrounds of rows: the share of off counts, and the expected one times the spectrum of a model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import xarray as xr

from xgamma import schema
from xgamma.axes import Axis, FloatArray
from xgamma.errors import ConfigError
from xgamma.models.npred_models import FoVBackgroundModel, NormModel
from xgamma.reduce.grids import image_of_row


def background_model(models: Iterable[Any], name: str) -> FoVBackgroundModel | None:
    """Return the model of the background of a dataset; raises ``ConfigError`` for two."""
    found = [model for model in models if isinstance(model, FoVBackgroundModel) and model.applies_to(name)]
    if len(found) > 1:
        raise ConfigError(
            f"The dataset {name!r} has two models of its background, {found[0].name!r} and {found[1].name!r}; keep one."
        )
    return found[0] if found else None


def factor_planes(model: NormModel, ds: xr.Dataset, row: int, values: Sequence[float] | None = None) -> FloatArray:
    """Return the spatial factor of a model in a row of windows, shape (energy or 1, v, u); 1 where there is no sky.

    ``values`` stand in for those of the spatial part.
    """
    space = image_of_row(ds, row)
    lon, lat = (each.reshape(space.shape) for each in space.positions())
    on_sky = np.isfinite(lon)
    energy = Axis.from_coords(ds.coords, "energy").center
    found = model.factor(np.where(on_sky, lon, 0.0), np.where(on_sky, lat, 0.0), energy, values)
    return np.where(on_sky, found, 1.0)


def background_planes(ds: xr.Dataset, models: Iterable[Any]) -> FloatArray:
    """Return the background of every bin of a Dataset that has one, in the dims of the counts, as models change it."""
    dims, chosen = schema.bin_dims(ds), list(models)
    values = ds["background"].transpose(*dims).values.astype(float)
    for row, name in enumerate(ds["dataset"].values):
        model = background_model(chosen, str(name))
        if model is not None:
            factor = model.spectral_model.dnde(Axis.from_coords(ds.coords, "energy").center)
            shape = [-1 if dim == "energy" else 1 for dim in dims[1:]]
            values[row] *= np.reshape(factor, shape)
            if model.spatial_model is not None:
                model.validate_factors()
                values[row] *= factor_planes(model, ds, row)
    return values

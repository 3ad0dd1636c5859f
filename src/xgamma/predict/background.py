"""Backgrounds of rows: the share of off counts, and the expected one times the spectrum of a model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import xarray as xr

from xgamma import schema
from xgamma.axes import Axis, FloatArray
from xgamma.errors import ConfigError, LaterError
from xgamma.models.models import FoVBackgroundModel


def alpha(ds: xr.Dataset) -> FloatArray:
    """Return acceptance / acceptance_off, in the dims of the counts; 0 where there is no off acceptance."""
    on, off = ds["acceptance"].values, ds["acceptance_off"].values
    return np.asarray(np.divide(on, off, out=np.zeros(on.shape), where=off > 0))


def background_model(models: Iterable[Any], name: str) -> FoVBackgroundModel | None:
    """Return the model of the background of a dataset.

    Raises ``ConfigError`` for two, and ``LaterError`` for one that depends on the position.
    """
    found = [model for model in models if isinstance(model, FoVBackgroundModel) and model.applies_to(name)]
    if len(found) > 1:
        raise ConfigError(
            f"The dataset {name!r} has two models of its background, {found[0].name!r} and {found[1].name!r}; keep one."
        )
    if found and found[0].spatial_model is not None:
        raise LaterError(
            f"The model {found[0].name!r} has a {type(found[0].spatial_model).__name__}: backgrounds that depend on "
            "the position come with a later version. Leave the spatial model out."
        )
    return found[0] if found else None


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
    return values

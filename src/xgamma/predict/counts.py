"""Predicted counts of every bin of rows, beside the counts that were measured; without models there is no signal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import xarray as xr

from xgamma import schema
from xgamma.axes import FloatArray
from xgamma.models.models import Models, SkyModel
from xgamma.predict.folding import Folding, selected_models
from xgamma.predict.observed import measured
from xgamma.predict.sky import planes


def npred_signal(ds: xr.Dataset, models: Models | Sequence[SkyModel]) -> xr.DataArray:
    """Return the counts that the models predict in every bin, without background, in the dims of the counts.

    Raises
    ------
    ConfigError, LaterError
        For a model that the Dataset cannot hold; see ``validate_spectral`` and ``validate_on_sky``.
    """
    return _counts_like(ds, _signal(ds, models).reshape(_shape(ds)), "npred_signal")


def npred_background(ds: xr.Dataset, models: Models | Sequence[SkyModel]) -> xr.DataArray:
    """Return the background in every bin: as given, or profiled for the models' signal where there are off counts."""
    data = measured(ds, np.ones(_shape(ds), dtype=bool), models)
    return _counts_like(ds, data.predicted_background(_signal(ds, models)).reshape(_shape(ds)), "npred_background")


def npred(ds: xr.Dataset, models: Models | Sequence[SkyModel]) -> xr.DataArray:
    """Return the counts predicted in every bin, signal and background, in the dims of the counts."""
    signal = _signal(ds, models)
    total = signal + measured(ds, np.ones(_shape(ds), dtype=bool), models).predicted_background(signal)
    return _counts_like(ds, np.maximum(total, 0.0).reshape(_shape(ds)), "npred")


def _signal(ds: xr.Dataset, models: Models | Sequence[SkyModel]) -> FloatArray:
    chosen = selected_models(models, [str(name) for name in ds["dataset"].values])
    if not chosen:
        return np.zeros(int(np.prod(_shape(ds))))
    if schema.space_dims(ds) == schema.WINDOWS:
        return planes.signal_planes(ds, chosen).ravel()
    response = Folding(((ds, np.ones(_shape(ds), dtype=bool)),))
    return np.asarray(np.sum([response.fold(model)() for model in chosen], axis=0))


def _shape(ds: xr.Dataset) -> tuple[int, ...]:
    return tuple(ds.sizes[dim] for dim in schema.bin_dims(ds))


def _counts_like(ds: xr.Dataset, values: npt.NDArray[np.float64], name: str) -> xr.DataArray:
    return xr.DataArray(values, dims=schema.bin_dims(ds), coords=ds["counts"].coords, name=name, attrs={"units": ""})

"""Predicted counts of every bin of rows, beside the counts that were measured; without models there is no signal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import xarray as xr

from xgamma import schema
from xgamma.axes import BoolArray, FloatArray
from xgamma.errors import LaterError
from xgamma.models.models import Models, SkyModel
from xgamma.nuisance import ScaledCounts
from xgamma.predict.folding import Folding
from xgamma.stats import CashCounts, Counts, WstatCounts

NO_MODELS_ON_MAPS = (
    "Models on sky maps come with a later version of xgamma; fit the spectra of regions, as to_spectrum_dataset() "
    "makes them, or hand the maps to Gammapy."
)


def alpha(ds: xr.Dataset) -> FloatArray:
    """Return acceptance / acceptance_off, in the dims of the counts; 0 where there is no off acceptance."""
    on, off = ds["acceptance"].values, ds["acceptance_off"].values
    return np.asarray(np.divide(on, off, out=np.zeros(on.shape), where=off > 0))


def measured(ds: xr.Dataset, used: BoolArray) -> Counts:
    """Return the counts of the chosen bins, flat, with the statistic that the Dataset declares by what it holds."""
    counts = ds["counts"].values[used].astype(float)
    if "counts_off" in ds:
        return WstatCounts(counts, ds["counts_off"].values[used].astype(float), alpha(ds)[used])
    background = ds["background"].values[used].astype(float) if "background" in ds else np.zeros(counts.shape)
    return CashCounts(counts, background)


def scaled(ds: xr.Dataset, used: BoolArray) -> ScaledCounts:
    """Return the counts of the chosen bins with the systematic error of alpha: one factor for each region of a row."""
    plain, shape = measured(ds, used), _shape(ds)
    assert isinstance(plain, WstatCounts)
    lines = np.prod(shape[:-1], dtype=int)
    number = np.broadcast_to(np.arange(lines).reshape(*shape[:-1], 1), shape)[used]
    share = ds["alpha_systematic"].values[np.nonzero(used)[0]].astype(float)
    return ScaledCounts(plain.counts, plain.counts_off, plain.alpha, share, number)


def selected_models(models: Models | Sequence[SkyModel], names: Sequence[str]) -> list[SkyModel]:
    """Return the models that contribute to at least one of the named datasets."""
    return [model for model in models if any(model.applies_to(name) for name in names)]


def npred_signal(ds: xr.Dataset, models: Models | Sequence[SkyModel]) -> xr.DataArray:
    """Return the counts that the models predict in every bin, without background, in the dims of the counts.

    Raises
    ------
    LaterError
        For a model with a spatial or temporal part; see ``validate_spectral``.
    """
    return _counts_like(ds, _signal(ds, models).reshape(_shape(ds)), "npred_signal")


def npred_background(ds: xr.Dataset, models: Models | Sequence[SkyModel]) -> xr.DataArray:
    """Return the background in every bin: as given, or profiled for the models' signal where there are off counts."""
    data = measured(ds, np.ones(_shape(ds), dtype=bool))
    return _counts_like(ds, data.predicted_background(_signal(ds, models)).reshape(_shape(ds)), "npred_background")


def npred(ds: xr.Dataset, models: Models | Sequence[SkyModel]) -> xr.DataArray:
    """Return the counts predicted in every bin, signal and background, in the dims of the counts."""
    signal = _signal(ds, models)
    total = signal + measured(ds, np.ones(_shape(ds), dtype=bool)).predicted_background(signal)
    return _counts_like(ds, np.maximum(total, 0.0).reshape(_shape(ds)), "npred")


def _signal(ds: xr.Dataset, models: Models | Sequence[SkyModel]) -> FloatArray:
    chosen = selected_models(models, [str(name) for name in ds["dataset"].values])
    if not chosen:
        return np.zeros(int(np.prod(_shape(ds))))
    if schema.space_dims(ds) == schema.WINDOWS:
        raise LaterError(NO_MODELS_ON_MAPS)
    response = Folding(((ds, np.ones(_shape(ds), dtype=bool)),))
    return np.asarray(np.sum([response.fold(model)() for model in chosen], axis=0))


def _shape(ds: xr.Dataset) -> tuple[int, ...]:
    return tuple(ds.sizes[dim] for dim in schema.bin_dims(ds))


def _counts_like(ds: xr.Dataset, values: npt.NDArray[np.float64], name: str) -> xr.DataArray:
    return xr.DataArray(values, dims=schema.bin_dims(ds), coords=ds["counts"].coords, name=name, attrs={"units": ""})

"""Fits and flux points, each found in the store under its key or computed and put there."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from xgamma.estimate import FluxPointsParameters, flux_points, log_binning
from xgamma.fit import FitInput, FitResult, FitSettings, fit, warn_of
from xgamma.fit.result import CovarianceResult, OptimizeResult
from xgamma.models.models import Models
from xgamma.models.parameters import Parameters
from xgamma.schema.dl5 import FIT_SCHEMA, SCHEMA_VERSION
from xgamma.schema.tables import head
from xgamma.store import Store, canonical_json, digest
from xgamma.units import unit_string

FIT, POINTS = "fit", "flux-points"
FIT_VERSION = 3
CURVE_ENERGIES = np.geomspace(1e-3, 1e3, 61)  # TeV
POINTS_VERSION = 3


@dataclass(frozen=True)
class Product:
    """A Dataset, the key it has in the store, and whether it was found there."""

    data: xr.Dataset
    key: str
    found: bool


def datasets_key(inputs: Sequence[FitInput], keys: Sequence[str]) -> str:
    """Return the key of what a likelihood sees: its Datasets and the bins it uses of them."""
    bins = [None if one.mask is None else np.packbits(one.mask).tobytes().hex() for one in inputs]
    return digest(
        {"datasets": list(keys), "names": [one.data["dataset"].values.tolist() for one in inputs], "mask_fit": bins}
    )


def model_key(models: Models) -> str:
    """Return the digest of models: of their document, of the tables they read, and of each spectrum at some energies.

    A document names tables and functions; the curves tell when a user's own function has become another.
    """
    spectra = [model.spectral_model for model in models if getattr(model, "spectral_model", None) is not None]
    with np.errstate(all="ignore"):
        curves = [[f"{value:.9e}" for value in np.atleast_1d(spectrum.dnde(CURVE_ENERGIES))] for spectrum in spectra]
    tables = [[hashlib.sha256(table).hexdigest() for table in spectrum.tables()] for spectrum in spectra]
    return digest({"document": models.to_yaml(full_output=True), "curves": curves, "tables": tables})


def fit_key(seen: str, models: Models, settings: FitSettings) -> str:
    """Return the key of a fit: what it sees, the models with their start values, how it runs."""
    request = {"step": FIT, "version": FIT_VERSION, "datasets": seen, "models": model_key(models)}
    return digest(request | {"settings": settings.document(len(models.parameters.free_parameters))})


def fitted(
    store: Store, seen: str, inputs: Sequence[FitInput], models: Models, settings: FitSettings
) -> tuple[FitResult, str, bool]:
    """Fit the models, or set them to the fit of the same request that the store holds.

    Returns
    -------
    tuple
        The result, its key, and whether it was found.
    """
    key, start = fit_key(seen, models, settings), models.to_yaml(full_output=True)
    if store.has(FIT, key):
        method = settings.method_for(len(models.parameters.free_parameters))
        return _restored(store.get_valid(FIT, key), models, method), key, True
    result = fit(inputs, models, settings)
    texts = {"models": models.to_yaml()}
    store.put(FIT, key, {"": _fit_dataset(result, models)}, {"models": start}, inputs=[seen], texts=texts)
    return result, key, False


def _fit_dataset(result: FitResult, models: Models) -> xr.Dataset:
    parameters = models.parameters
    units = {"parameter_units": [unit_string(parameter.unit) for parameter in parameters]}
    values, errors = (np.array([getattr(p, name) for p in parameters], dtype=float) for name in ("value", "error"))
    free = np.atleast_2d(result.covariance_result.matrix)
    variables = {
        "value": (("parameter",), values, {"long_name": "Best fit", **units}),
        "error": (("parameter",), errors, {"long_name": "Error", **units}),
        "covariance": (("parameter", "parameter_2"), np.array(models.covariance.data), {"long_name": "Covariance"}),
        "free_covariance": (("free", "free_2"), free, {"long_name": "Covariance of the free parameters"}),
    }
    optimum, covariance = result.optimize_result, result.covariance_result
    attrs = head(FIT_SCHEMA, SCHEMA_VERSION) | {
        "total_stat": repr(float(optimum.total_stat)),
        "nfev": optimum.nfev,
        "success": optimum.success,
        "message": optimum.message,
        "covariance_success": covariance.success,
        "covariance_message": covariance.message,
    }
    return xr.Dataset(variables, {"parameter": (("parameter",), np.array(models.parameters_unique_names))}, attrs)


def _restored(stored: xr.Dataset, models: Models, method: str) -> FitResult:
    for parameter, value in zip(models.parameters, stored["value"].values.tolist(), strict=True):
        parameter.value = value
    models.covariance = stored["covariance"].values
    for parameter, error in zip(models.parameters, stored["error"].values.tolist(), strict=True):
        parameter.error = error
    attrs = stored.attrs
    copies = Parameters([parameter.copy() for parameter in models.parameters])
    total = float(attrs["total_stat"])
    result = FitResult(
        OptimizeResult(copies, attrs["success"], attrs["message"], attrs["nfev"], total, models, method=method),
        CovarianceResult(stored["free_covariance"].values, attrs["covariance_success"], attrs["covariance_message"]),
    )
    warn_of(result)
    return result


@dataclass(frozen=True)
class PointsRequest:
    """Which flux points are wanted: ``models_key`` is that of the fit that set the models, or of their document."""

    seen: str
    models_key: str
    source: str
    edges: tuple[float, ...]
    parameters: FluxPointsParameters

    @property
    def key(self) -> str:
        """The key of the flux points."""
        settings = canonical_json(dataclasses.asdict(self.parameters))
        request = {"step": POINTS, "version": POINTS_VERSION, "datasets": self.seen, "models": self.models_key}
        return digest(request | {"source": self.source, "edges": list(self.edges), "parameters": settings})


def flux_points_of(store: Store, request: PointsRequest, inputs: Sequence[FitInput], models: Models) -> Product:
    """Return the flux points of a request, found or estimated."""
    if store.has(POINTS, request.key):
        points = store.get_valid(POINTS, request.key)
        log_binning(points)
        return Product(points, request.key, True)
    points = flux_points(inputs, models, request.source, np.array(request.edges), request.parameters)
    store.put(POINTS, request.key, {"": points}, {}, inputs=[request.seen, request.models_key])
    return Product(points, request.key, False)

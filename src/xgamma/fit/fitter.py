"""``Fit``: the fit as an object, on Datasets that carry their models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Protocol

import numpy as np

from xgamma.errors import ConfigError, ConfigTypeError, LaterError, did_you_mean
from xgamma.fit import minimise
from xgamma.fit.inputs import FitInput
from xgamma.fit.result import CovarianceResult, FitResult, OptimizeResult
from xgamma.fit.settings import FitSettings
from xgamma.models.models import Models
from xgamma.models.parameters import Parameter


class Fittable(Protocol):
    """What ``Fit`` takes: Datasets with their models and the bins to fit."""

    @property
    def models(self) -> Models:
        """The models to fit."""

    def fit_inputs(self) -> Sequence[FitInput]:
        """Return the Datasets, each with its bins to fit."""


class Together:
    """Several Datasets with the models that all of them hold, as one that can be fitted.

    Raises
    ------
    ConfigError
        When there is none, or they hold different models.
    """

    def __init__(self, datasets: Sequence[Fittable]) -> None:
        if not len(datasets):
            raise ConfigError("Fit: expected at least one dataset, got none.")
        self.datasets = datasets
        held = [{id(model) for model in dataset.models} for dataset in datasets]
        if any(models != held[0] for models in held):
            raise ConfigError(
                "The datasets hold different models. Set the same models on all of them, and say with datasets_names "
                "which model belongs to which dataset."
            )

    @property
    def models(self) -> Models:
        """The models of each of them."""
        return self.datasets[0].models

    def fit_inputs(self) -> Sequence[FitInput]:
        """Return the inputs of all of them."""
        return [one for dataset in self.datasets for one in dataset.fit_inputs()]


def normalize_fittable(datasets: Any) -> Fittable:
    """Return what can be fitted: a dataset, a collection, or a list of either; raises ``ConfigTypeError``."""
    if isinstance(datasets, list | tuple):
        return Together([normalize_fittable(dataset) for dataset in datasets])
    if not hasattr(datasets, "fit_inputs"):
        raise ConfigTypeError(
            f"Fit: expected Datasets, a list of datasets or one dataset, got a {type(datasets).__name__}; functions of "
            "xgamma.fit take Datasets of xarray."
        )
    found: Fittable = datasets
    return found


class Fit:
    """Fit the models of datasets: of ``Datasets``, a list of datasets, or a single one, of spectra or flux points.

    Parameters
    ----------
    backend
        ``"minuit"``.
    optimize_opts
        Any of ``tol``, ``strategy``, ``print_level``, ``method``: see ``FitSettings``.
    covariance_opts, confidence_opts
        ``{"backend": "minuit"}`` or nothing.
    store_trace
        Only False.

    Raises
    ------
    ConfigError
        For another backend or option.
    LaterError
        For ``store_trace``.
    """

    def __init__(
        self,
        backend: str = "minuit",
        optimize_opts: Mapping[str, Any] | None = None,
        covariance_opts: Mapping[str, Any] | None = None,
        confidence_opts: Mapping[str, Any] | None = None,
        store_trace: bool = False,
    ) -> None:
        if store_trace:
            raise LaterError("Fit: the trace of a fit is not kept by this version; leave store_trace out.")
        for name, options in (("covariance_opts", covariance_opts), ("confidence_opts", confidence_opts)):
            if dict(options or {}) not in ({}, {"backend": "minuit"}):
                raise ConfigError(f"Fit: expected {name} {{'backend': 'minuit'}} or none, got {dict(options or {})!r}.")
        if backend != "minuit":
            raise ConfigError(f"Fit: expected the backend 'minuit', got {backend!r}.")
        known = [setting.name for setting in fields(FitSettings)]
        for key in optimize_opts or {}:
            if key not in known:
                raise ConfigError(f"Fit: optimize_opts has no option {key!r}.{did_you_mean(key, known)}")
        self.backend = backend
        self.settings = FitSettings(**(optimize_opts or {}))

    def run(self, datasets: Any) -> FitResult:
        """Fit, set values, errors and covariance of the models, and return the report."""
        given = normalize_fittable(datasets)
        return minimise.fit(given.fit_inputs(), given.models, self.settings)

    def optimize(self, datasets: Any) -> OptimizeResult:
        """Return the optimum of ``run``."""
        return self.run(datasets).optimize_result

    def covariance(self, datasets: Any) -> CovarianceResult:
        """Return the covariance at the present values by HESSE, and set it on the models."""
        given = normalize_fittable(datasets)
        return minimise.covariance(given.fit_inputs(), given.models, self.settings)

    def confidence(
        self, datasets: Any, parameter: Parameter | str, sigma: float = 1.0, reoptimize: bool = True
    ) -> dict[str, Any]:
        """Return asymmetric errors by MINOS: ``errp``, ``errn``, ``success``, ``message``, ``nfev``."""
        given = normalize_fittable(datasets)
        return minimise.confidence(given.fit_inputs(), given.models, parameter, sigma, reoptimize)

    def stat_profile(
        self,
        datasets: Any,
        parameter: Parameter | str,
        values: Sequence[float] | None = None,
        reoptimize: bool = False,
    ) -> dict[str, Any]:
        """Return ``{MODEL.TYPE.NAME_scan, stat_scan}``: values (11 within 2 errors) and the statistic there."""
        given = normalize_fittable(datasets)
        profile = minimise.stat_profile(given.fit_inputs(), given.models, parameter, values, reoptimize)
        key = f"{minimise.unique_name(given.models, parameter)}_scan"
        return {key: np.asarray(profile[profile.dims[0]].values), "stat_scan": np.asarray(profile.values)}

    def stat_surface(
        self, datasets: Any, x: Parameter | str, y: Parameter | str, reoptimize: bool = False
    ) -> dict[str, Any]:
        """Return ``{MODEL.TYPE.NAME_scan, ..., stat_scan}``: ``scan_values`` of both, and the statistic, shape (x, y).

        ``fit_results``, which Gammapy gives beside them, is empty: functions of ``xgamma.fit`` return arrays.
        """
        given = normalize_fittable(datasets)
        surface = minimise.stat_surface(given.fit_inputs(), given.models, x, y, reoptimize=reoptimize)
        keys = [f"{minimise.unique_name(given.models, one)}_scan" for one in (x, y)]
        values = [np.asarray(surface[dim].values) for dim in surface.dims]
        return {**dict(zip(keys, values, strict=True)), "stat_scan": np.asarray(surface.values), "fit_results": []}

    def stat_contour(
        self, datasets: Any, x: Parameter | str, y: Parameter | str, numpoints: int = 10, sigma: float = 1.0
    ) -> dict[str, Any]:
        """Return the contour at ``sigma``: ``x``, ``y`` and ``success``."""
        given = normalize_fittable(datasets)
        return minimise.stat_contour(given.fit_inputs(), given.models, x, y, numpoints, sigma)

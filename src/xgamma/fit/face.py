"""``Fit``: the fit as an object, on Datasets that carry their models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Protocol

import numpy as np
import xarray as xr

from xgamma.errors import ConfigError, did_you_mean
from xgamma.fit.minimise import FitSettings, confidence, covariance, fit, stat_contour, stat_profile, unique_name
from xgamma.fit.result import CovarianceResult, FitResult, OptimizeResult
from xgamma.fit.statistic import Masks
from xgamma.models.model import Models
from xgamma.models.parameter import Parameter


class Fittable(Protocol):
    """What ``Fit`` takes: Datasets with their models and the bins to fit."""

    @property
    def models(self) -> Models:
        """The models to fit."""

    def fit_inputs(self) -> tuple[Sequence[xr.Dataset], Masks]:
        """Return the Datasets and, for each, the bins to fit or ``None`` for all."""


class Fit:
    """Fit the models of datasets.

    Parameters
    ----------
    backend
        ``"minuit"``.
    optimize_opts
        Any of ``tol``, ``strategy``, ``print_level``.

    Raises
    ------
    ConfigError
        For another backend or option.
    """

    def __init__(self, backend: str = "minuit", optimize_opts: Mapping[str, Any] | None = None) -> None:
        if backend != "minuit":
            raise ConfigError(f"Fit: expected the backend 'minuit', got {backend!r}.")
        known = [setting.name for setting in fields(FitSettings)]
        for key in optimize_opts or {}:
            if key not in known:
                raise ConfigError(f"Fit: optimize_opts has no option {key!r}.{did_you_mean(key, known)}")
        self.backend = backend
        self.settings = FitSettings(**(optimize_opts or {}))

    def run(self, datasets: Fittable) -> FitResult:
        """Fit, set values, errors and covariance of the models, and return the report."""
        inputs, masks = datasets.fit_inputs()
        return fit(inputs, datasets.models, masks, self.settings)

    def optimize(self, datasets: Fittable) -> OptimizeResult:
        """Return the optimum of ``run``."""
        return self.run(datasets).optimize_result

    def covariance(self, datasets: Fittable) -> CovarianceResult:
        """Return the covariance at the present values by HESSE, and set it on the models."""
        inputs, masks = datasets.fit_inputs()
        return covariance(inputs, datasets.models, masks, self.settings)

    def confidence(
        self, datasets: Fittable, parameter: Parameter | str, sigma: float = 1.0, reoptimize: bool = True
    ) -> dict[str, Any]:
        """Return asymmetric errors by MINOS: ``errp``, ``errn``, ``success``, ``message``, ``nfev``."""
        inputs, masks = datasets.fit_inputs()
        return confidence(inputs, datasets.models, parameter, sigma, reoptimize, masks)

    def stat_profile(
        self,
        datasets: Fittable,
        parameter: Parameter | str,
        values: Sequence[float] | None = None,
        reoptimize: bool = False,
    ) -> dict[str, Any]:
        """Return ``{MODEL.TYPE.NAME_scan, stat_scan}``: values (11 within 2 errors) and the statistic there."""
        inputs, masks = datasets.fit_inputs()
        profile = stat_profile(inputs, datasets.models, parameter, values, reoptimize, masks)
        key = f"{unique_name(datasets.models, parameter)}_scan"
        return {key: np.asarray(profile[profile.dims[0]].values), "stat_scan": np.asarray(profile.values)}

    def stat_contour(
        self, datasets: Fittable, x: Parameter | str, y: Parameter | str, numpoints: int = 10, sigma: float = 1.0
    ) -> dict[str, Any]:
        """Return the contour at ``sigma``: ``x``, ``y`` and ``success``."""
        inputs, masks = datasets.fit_inputs()
        return stat_contour(inputs, datasets.models, x, y, numpoints, sigma, masks)

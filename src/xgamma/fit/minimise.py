"""MIGRAD on the statistic: start rule, covariance, errors by MINOS, profiles and contours.

Each free parameter is minimised in units of the power of ten of its value, the start step is its error or 1 in these
units. The covariance is MIGRAD's own, scaled back; linked parameters count once.
"""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from iminuit import Minuit

from xgamma.axes import FloatArray
from xgamma.errors import ConfigError, FitError
from xgamma.fit.result import CovarianceResult, FitResult, OptimizeResult
from xgamma.fit.statistic import Masks, Statistic
from xgamma.models.model import Models, SkyModel
from xgamma.models.parameter import Parameter, Parameters

log = logging.getLogger("xgamma.fit")

OPTIMIZED, HESSE = "Optimization terminated successfully.", "Hesse terminated successfully."


@dataclass(frozen=True)
class FitSettings:
    """Tolerance (of the estimated distance to the minimum, 0.1 = 2e-4 in the statistic), strategy and printing."""

    tol: float = 0.1
    strategy: int = 1
    print_level: int = 0


def fit(
    datasets: Sequence[xr.Dataset],
    models: Models,
    mask_fit: Masks = None,
    settings: FitSettings | None = None,
) -> FitResult:
    """Fit the free parameters of ``models`` and set their values, errors and covariance.

    Parameters
    ----------
    datasets
        DL4 Datasets, one for each energy binning or instrument, or flux points. All rows enter one likelihood.
    models
        The models; changed by the fit.
    mask_fit
        For each Dataset the bins to use, bool (dataset, region, energy), or ``None`` for all safe bins.
    settings
        How MIGRAD runs.

    Raises
    ------
    ConfigError
        When no parameter is free.
    FitError
        When no bin is left, or the statistic is not a number at the start values.
    """
    problem = Problem(Statistic(datasets, models, mask_fit), settings or FitSettings())
    minuit = problem.minuit()
    minuit.migrad()
    result = FitResult(_optimum(problem, minuit, models), _set_covariance(problem, minuit, models))
    if not result.success:
        log.warning("The fit did not converge: %s %s", result.message, result.covariance_result.message)
    # The report holds the numbers of this fit, whatever happens to the models later.
    copies = Parameters([parameter.copy() for parameter in models.parameters])
    return dataclasses.replace(result, optimize_result=dataclasses.replace(result.optimize_result, parameters=copies))


def validate_fittable(free: int, bins: int) -> None:
    """Raise ``ConfigError`` without a free parameter, ``FitError`` without a bin."""
    if free == 0:
        raise ConfigError(
            "No free parameters for fitting: every parameter of the models on these datasets is frozen. "
            "Set frozen: false for at least one."
        )
    if bins == 0:
        raise FitError(
            "No bin is left to fit: the fit range and the safe masks exclude them all. Widen the fit range, or "
            "look at mask_safe of the datasets."
        )


class Problem:
    """The free parameters as MIGRAD sees them: factors of a power of ten each."""

    def __init__(self, statistic: Statistic, settings: FitSettings, parameters: Parameters | None = None) -> None:
        self.statistic, self.settings = statistic, settings
        self.parameters = statistic.free_parameters if parameters is None else parameters
        validate_fittable(len(self.parameters), statistic.n_bins)
        self.scales = np.array([scale(parameter) for parameter in self.parameters])

    def __call__(self, factors: FloatArray) -> float:
        """Return the statistic at the factors; infinite where the models predict no numbers."""
        for parameter, value in zip(self.parameters, (factors * self.scales).tolist(), strict=True):
            parameter.value = value
        # On its way MIGRAD tries values at which a model overflows.
        with np.errstate(all="ignore"):
            total = self.statistic()
        return total if math.isfinite(total) else math.inf

    def minuit(self) -> Minuit:
        """Return MIGRAD's state at the present values; raises ``FitError`` when the statistic is no number there."""
        start = np.array([parameter.value for parameter in self.parameters]) / self.scales
        function: Any = self
        minuit = Minuit(function, start, name=[f"p{number}" for number in range(len(start))])
        minuit.errordef, minuit.tol = 1.0, self.settings.tol
        minuit.strategy, minuit.print_level = self.settings.strategy, self.settings.print_level
        minuit.errors = [step(parameter, size) for parameter, size in zip(self.parameters, self.scales, strict=True)]
        minuit.limits = [limits(parameter, size) for parameter, size in zip(self.parameters, self.scales, strict=True)]
        if not math.isfinite(self(start)):
            values = ", ".join(f"{parameter.name} = {parameter.value:g}" for parameter in self.parameters)
            raise FitError(f"The statistic is not a number at the start values ({values}); start elsewhere.")
        return minuit

    def covariance(self, minuit: Minuit) -> FloatArray:
        """Return MIGRAD's covariance in the parameters' units, NaN where there is none."""
        size = len(self.scales)
        matrix = np.full((size, size), np.nan) if minuit.covariance is None else np.asarray(minuit.covariance)
        return np.asarray(matrix * np.outer(self.scales, self.scales))


def scale(parameter: Parameter) -> float:
    """Return the power of ten below the value (1 for 0), or the value itself for ``factor1``, 1 for no scaling."""
    if parameter.value == 0 or not math.isfinite(parameter.value) or not parameter.scale_method:
        return 1.0
    if parameter.scale_method == "factor1":
        return abs(parameter.value)
    return float(10.0 ** math.floor(math.log10(abs(parameter.value))))


def step(parameter: Parameter, size: float) -> float:
    """Return the first step in factors: the error when there is one, else 1."""
    return parameter.error / size if math.isfinite(parameter.error) and parameter.error > 0 else 1.0


def limits(parameter: Parameter, size: float) -> tuple[float | None, float | None]:
    """Return the limits in factors."""
    low, high = (None if math.isnan(limit) else limit / size for limit in (parameter.min, parameter.max))
    return low, high


def _optimum(problem: Problem, minuit: Minuit, models: Models) -> OptimizeResult:
    total = problem(np.array(minuit.values))
    success = bool(minuit.valid and math.isfinite(total))
    message = OPTIMIZED if success else f"Optimization failed.{_reason(minuit)}"
    return OptimizeResult(problem.parameters, success, message, int(minuit.nfcn), total, models)


def _reason(minuit: Minuit) -> str:
    state: Any = minuit.fmin
    reasons = {
        " The limit of calls was reached.": state.has_reached_call_limit,
        " The estimated distance to the minimum is too large.": state.is_above_max_edm,
        " The covariance is not positive definite.": not state.has_posdef_covar,
        " A parameter is at its limit.": state.has_parameters_at_limit,
    }
    return "".join(text for text, holds in reasons.items() if holds)


def _set_covariance(problem: Problem, minuit: Minuit, models: Models) -> CovarianceResult:
    matrix = problem.covariance(minuit)
    unique = models.parameters.unique_parameters
    places = [next(i for i, own in enumerate(unique) if own is parameter) for parameter in problem.parameters]
    full = np.zeros((len(unique), len(unique)))
    full[np.ix_(places, places)] = matrix
    models.covariance = full
    success = minuit.covariance is not None
    return CovarianceResult(matrix, success, HESSE if success else "Hesse failed.")


def covariance(
    datasets: Sequence[xr.Dataset], models: Models, mask_fit: Masks = None, settings: FitSettings | None = None
) -> CovarianceResult:
    """Return the covariance at the present values of the models by HESSE, and set it on them."""
    problem = Problem(Statistic(datasets, models, mask_fit), settings or FitSettings())
    start = [parameter.value for parameter in problem.parameters]
    minuit = problem.minuit()
    minuit.hesse()
    problem(np.array(start) / problem.scales)
    return _set_covariance(problem, minuit, models)


# --- around the minimum


def _level(sigma: float) -> float:
    return math.erf(sigma / math.sqrt(2.0))


def find_parameter(models: Models | Sequence[SkyModel], parameter: Parameter | str) -> Parameter:
    """Return the parameter itself, or the first one of this name."""
    every = Parameters([own for model in models for own in model.parameters])
    return every[parameter]


def unique_name(models: Models | Sequence[SkyModel], parameter: Parameter | str) -> str:
    """Return ``MODEL.TYPE.NAME`` of a parameter, at its first place."""
    chosen = find_parameter(models, parameter)
    owner = next(model for model in models if any(own is chosen for own in model.parameters))
    return f"{owner.name}.{chosen.type}.{chosen.name}"


def confidence(
    datasets: Sequence[xr.Dataset],
    models: Models,
    parameter: Parameter | str,
    sigma: float = 1.0,
    reoptimize: bool = True,
    mask_fit: Masks = None,
) -> dict[str, Any]:
    """Return asymmetric errors by MINOS: ``errp``, ``errn``, ``success``, ``message``, ``nfev``.

    With ``reoptimize`` the other free parameters follow, otherwise they stay. The models are left as they are.
    """
    chosen = find_parameter(models, parameter)
    statistic = Statistic(datasets, models, mask_fit)
    with models.parameters.restore_status():
        problem = Problem(statistic, FitSettings(), None if reoptimize else Parameters([chosen]))
        place = problem.parameters.index(chosen)
        minuit = problem.minuit()
        minuit.migrad()
        try:
            minuit.minos(place, cl=_level(sigma))
        except RuntimeError as error:
            return {"success": False, "message": f"Minos failed: {error}", "errp": np.nan, "errn": np.nan,
                    "nfev": int(minuit.nfcn)}  # fmt: skip
        found, size = minuit.merrors[place], problem.scales[place]
    message = "Minos terminated successfully." if found.is_valid else "Minos failed."
    return {"success": bool(found.is_valid), "message": message, "errp": float(found.upper * size),
            "errn": float(-found.lower * size), "nfev": int(minuit.nfcn)}  # fmt: skip


def scan_values(parameter: Parameter) -> FloatArray:
    """Return 11 values within 2 errors; raises ``ConfigError`` when the parameter has no error."""
    if not parameter.error > 0:
        raise ConfigError(
            f"{parameter.name}: there is no error to choose values of a scan from; fit first or give them."
        )
    return np.linspace(parameter.value - 2 * parameter.error, parameter.value + 2 * parameter.error, 11)


def stat_profile(
    datasets: Sequence[xr.Dataset],
    models: Models,
    parameter: Parameter | str,
    values: Sequence[float] | FloatArray | None = None,
    reoptimize: bool = False,
    mask_fit: Masks = None,
) -> xr.DataArray:
    """Return the statistic at values of one parameter, others kept or, with ``reoptimize``, fitted again each time.

    Returns
    -------
    ``stat_scan`` with one dim, the name of the parameter, and its values as coordinate. The models stay as they are.
    """
    chosen = find_parameter(models, parameter)
    positions = scan_values(chosen) if values is None else np.atleast_1d(np.asarray(values, dtype=float))
    statistic = Statistic(datasets, models, mask_fit)
    stats = np.empty(positions.shape)
    with models.parameters.restore_status():
        chosen.frozen = True
        minimise = reoptimize and len(statistic.free_parameters) > 0
        for number, value in enumerate(positions.tolist()):
            chosen.value = value
            stats[number] = _minimum(statistic) if minimise else statistic()
    attrs = {"units": "", "long_name": "-2 ln(likelihood)"}
    return xr.DataArray(stats, dims=chosen.name, coords={chosen.name: positions}, name="stat_scan", attrs=attrs)


def _minimum(statistic: Statistic) -> float:
    problem = Problem(statistic, FitSettings())
    minuit = problem.minuit()
    minuit.migrad()
    if not minuit.valid:
        log.warning("A point of the profile did not converge.%s", _reason(minuit))
    return problem(np.array(minuit.values))


def stat_contour(
    datasets: Sequence[xr.Dataset],
    models: Models,
    x: Parameter | str,
    y: Parameter | str,
    numpoints: int = 10,
    sigma: float = 1.0,
    mask_fit: Masks = None,
) -> dict[str, Any]:
    """Return points of the contour where the statistic, other parameters fitted, has risen by ``sigma**2``.

    The keys are ``x``, ``y`` (each closed, shape (numpoints + 1,)) and ``success``.
    """
    first, second = find_parameter(models, x), find_parameter(models, y)
    statistic = Statistic(datasets, models, mask_fit)
    with models.parameters.restore_status():
        problem = Problem(statistic, FitSettings())
        places = [problem.parameters.index(parameter) for parameter in (first, second)]
        minuit = problem.minuit()
        minuit.migrad()
        # Minuit's level is that of both parameters together: of chi2 with two degrees of freedom.
        points = np.asarray(minuit.mncontour(*places, cl=-math.expm1(-0.5 * sigma**2), size=numpoints))
    points = points * problem.scales[places]
    return {"x": points[:, 0], "y": points[:, 1], "success": len(points) > 0}

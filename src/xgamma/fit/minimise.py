"""MIGRAD on the statistic: start rule, covariance, errors by MINOS, profiles and contours.

The covariance is MIGRAD's own where its errors are reliable; linked parameters count once.
Sources: James & Roos 1975 (Comput. Phys. Commun. 10, 343) for MIGRAD and MINOS; Rolke, Lopez & Conrad 2005 (NIM A 551,
493) for limits from the profile likelihood.
"""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from xgamma.axes import FloatArray
from xgamma.errors import ConfigError
from xgamma.fit.beginning import start_near_counts
from xgamma.fit.ending import Ending, ending, risen_sides, told_errors
from xgamma.fit.inputs import Inputs, normalize_inputs, validate_datasets_names
from xgamma.fit.outcomes import outcomes
from xgamma.fit.problem import Problem, name_of
from xgamma.fit.result import CovarianceResult, FitResult, OptimizeResult, warn_of
from xgamma.fit.search import Search
from xgamma.fit.settings import FitSettings
from xgamma.fit.statistic import Statistic, free_parameters
from xgamma.models.models import Models, SkyModel
from xgamma.models.parameters import Parameter, Parameters
from xgamma.predict.folding import model_remarks
from xgamma.predict.held import Holder, validate_held

log = logging.getLogger("xgamma.fit")

BY_MIGRAD = FitSettings(method="migrad")
"""What MINOS and contours begin with."""
OPTIMIZED, HESSE = "Optimization terminated successfully.", "Hesse terminated successfully."


def fit(inputs: Inputs, models: Models, settings: FitSettings | None = None) -> FitResult:
    """Fit the free parameters of ``models`` and set their values, errors and covariance.

    Parameters
    ----------
    inputs
        DL4 Datasets, one for each energy binning or instrument, or flux points; a ``FitInput`` says which bins to use.
        All rows enter one likelihood.
    models
        The models; set once, at the end.
    settings
        How it is fitted.

    Raises
    ------
    ConfigError
        When no parameter is free.
    FitError
        When no bin is left, or no fit can begin at the start values: see ``validate_beginning``.
    """
    given = normalize_inputs(inputs)
    validate_datasets_names(models, given)
    rows = [one.data for one in given if not one.is_flux_points]
    holders = [Holder.of_rows(ds) for ds in rows]
    unseen = validate_held(models, holders) if rows else []
    statistic = Statistic(given, models)
    start, moved = start_near_counts(statistic)
    problem = Problem(statistic, settings or FitSettings(), start)
    for remark in (*unseen, *model_remarks(statistic.models, rows), *moved):
        log.warning("%s", remark)
    search = Search(problem)
    search.minimise()
    end = ending(problem, search)
    optimum = _optimum(problem, search, models)
    problem.parameters.value = search.values * problem.scales
    failed = outcomes(problem.statistic.counts_terms, models, holders, problem.parameters.value.tolist())
    if failed:
        optimum = dataclasses.replace(optimum, success=False, message=" ".join(failed))
    result = FitResult(optimum, _set_covariance(problem, end, models))
    warn_of(result)
    # The report holds the numbers of this fit, whatever happens to the models later.
    copies = Parameters([parameter.copy() for parameter in models.parameters])
    return dataclasses.replace(result, optimize_result=dataclasses.replace(result.optimize_result, parameters=copies))


def _optimum(problem: Problem, search: Search, models: Models) -> OptimizeResult:
    total = search.total
    success = bool(search.is_valid and math.isfinite(total))
    message = OPTIMIZED if success else f"Optimization failed.{search.reason}"
    prior = problem.statistic.prior_stat(search.values * problem.scales) if problem.statistic.priors else None
    return OptimizeResult(
        problem.parameters, success, message, search.calls, total - (prior or 0.0), models,
        method=search.method, prior_stat=prior,
    )  # fmt: skip


def _set_covariance(problem: Problem, end: Ending, models: Models) -> CovarianceResult:
    matrix = np.asarray(end.matrix * np.outer(problem.scales, problem.scales))
    unique = models.parameters.unique_parameters
    places = [next(i for i, own in enumerate(unique) if own is parameter) for parameter in problem.parameters]
    full = np.zeros((len(unique), len(unique)))
    full[np.ix_(places, places)] = matrix
    models.covariance = full
    success = not end.sentences
    return CovarianceResult(matrix, success, HESSE if success else " ".join(end.sentences))


def covariance(inputs: Inputs, models: Models, settings: FitSettings | None = None) -> CovarianceResult:
    """Return the covariance at the present values of the models by HESSE, and set it on them."""
    problem = Problem(Statistic(inputs, models), settings or FitSettings())
    search = Search(problem)
    search.hesse()
    return _set_covariance(problem, told_errors(problem, search), models)


# --- around the minimum


def _level(sigma: float) -> float:
    return math.erf(sigma / math.sqrt(2.0))


def find_parameter(models: Models | Sequence[SkyModel], parameter: Parameter | str) -> Parameter:
    """Return the parameter itself, that of this ``MODEL.TYPE.NAME``, or the first one of this name."""
    every = Parameters([own for model in models for own in model.parameters])
    unique = [name for model in models for name in model.parameters_unique_names]
    return every[unique.index(parameter)] if parameter in unique else every[parameter]


def unique_name(models: Models | Sequence[SkyModel], parameter: Parameter | str) -> str:
    """Return ``MODEL.TYPE.NAME`` of a parameter, at its first place."""
    return name_of(models, find_parameter(models, parameter))


def confidence(
    inputs: Inputs,
    models: Models,
    parameter: Parameter | str,
    sigma: float = 1.0,
    reoptimize: bool = True,
) -> dict[str, Any]:
    """Return asymmetric errors by MINOS: ``errp``, ``errn``, ``success``, ``message``, ``nfev``.

    With ``reoptimize`` the other free parameters follow, otherwise they stay. The models are left as they are. A side
    on which a limit of the parameter comes before the crossing is NaN, and the message says it.
    """
    chosen = find_parameter(models, parameter)
    problem = Problem(Statistic(inputs, models, None if reoptimize else [chosen]), BY_MIGRAD)
    search = Search(problem)
    search.minimise()
    return crossings(problem, search, problem.parameters.index(chosen), sigma) | {"nfev": search.calls}


def crossings(problem: Problem, search: Search, place: int, sigma: float) -> dict[str, Any]:
    """Return the crossings by MINOS or, at a limit or a kink, where it ends, by a search on each side."""
    size, message = problem.scales[place], "Minos terminated successfully."
    try:
        search.minuit.minos(place, cl=_level(sigma))
        found = search.minuit.merrors[search.minuit.parameters[place]]
        at_limit = (found.at_lower_limit, found.at_upper_limit)
        down, up, is_valid = -found.lower, found.upper, found.is_valid
    except RuntimeError:
        at_limit, is_valid = (False, False), False
    if not is_valid or any(at_limit):
        down, up = risen_sides(problem, search, place, sigma**2)
        limits = [bounds[place] for bounds in problem.bounds]
        ends = [name for name, limit, one in zip(("min", "max"), limits, (down, up), strict=True)
                if math.isnan(one) and math.isfinite(limit)]  # fmt: skip
        is_valid = math.isfinite(down) or math.isfinite(up)
        message = "The statistic was searched on both sides." if is_valid else "Minos failed."
        message += "".join(
            f" The {name} of {problem.names[place]} comes before it has risen far enough." for name in ends
        )
    return {"success": bool(is_valid), "message": message, "errp": float(up * size), "errn": float(down * size)}


def stat_profile(
    inputs: Inputs,
    models: Models,
    parameter: Parameter | str,
    values: Sequence[float] | FloatArray | None = None,
    reoptimize: bool = False,
) -> xr.DataArray:
    """Return the statistic at values of one parameter, others kept or, with ``reoptimize``, fitted again each time.

    Returns
    -------
    ``stat_scan`` with one dim, the name of the parameter, and its values as coordinate. The models stay as they are.
    """
    chosen = find_parameter(models, parameter)
    positions = chosen.scan_values if values is None else np.atleast_1d(np.asarray(values, dtype=float))
    given = normalize_inputs(inputs)
    others = [one for one in free_parameters(given, models) if one is not chosen] if reoptimize else []
    statistic = Statistic(given, models, [chosen, *others])
    points = positions[:, np.newaxis]
    stats = fitted_again(statistic, points) if others else [statistic(point) for point in points]
    return _scan(statistic, np.array(stats), {chosen.name: positions})


def _scan(statistic: Statistic, stats: FloatArray, positions: Mapping[str, FloatArray]) -> xr.DataArray:
    name = "-2 ln(likelihood), with priors" if statistic.priors else "-2 ln(likelihood)"
    attrs = {"units": "", "long_name": name}
    return xr.DataArray(stats, dims=list(positions), coords=positions, name="stat_scan", attrs=attrs)


def fitted_again(statistic: Statistic, points: FloatArray, start: FloatArray | None = None) -> list[float]:
    """Return the statistic at values of its first parameters, the others fitted, each from where the last one ended.

    ``points`` has the shape (point, parameter); ``start`` are values of all parameters, by default the present ones.
    """
    problem = Problem(statistic, FitSettings())
    held = points.shape[1]
    for place in range(held):
        # A profile may go beyond the limits of its parameter.
        problem.limits[place] = None, None
    best, stats = problem.start if start is None else start / problem.scales, []
    for values in points / problem.scales[:held]:
        search = Search(problem, np.array([*values, *best[held:]]))
        for place, value in enumerate(values):
            search.fix(place, value)
        search.minimise()
        if not search.is_valid:
            log.warning("A point of the profile did not converge.%s", search.reason)
        best = search.values
        stats.append(problem(best))
    return stats


def stat_surface(
    inputs: Inputs,
    models: Models,
    x: Parameter | str,
    y: Parameter | str,
    x_values: Sequence[float] | FloatArray | None = None,
    y_values: Sequence[float] | FloatArray | None = None,
    reoptimize: bool = False,
) -> xr.DataArray:
    """Return the statistic at values of two parameters, others kept or, with ``reoptimize``, fitted again each time.

    Parameters
    ----------
    inputs, models
        What is fitted.
    x, y
        Two parameters, or their names.
    x_values, y_values
        Their values; by default their ``scan_values``.
    reoptimize
        Whether the other free parameters are fitted at each point.

    Returns
    -------
    ``stat_scan`` with two dims, the names of the parameters (with those of their models where they are the same), and
    the values as coordinates. The models stay as they are.

    Raises
    ------
    ConfigError
        For one parameter twice.
    """
    chosen = [find_parameter(models, one) for one in (x, y)]
    if chosen[0] is chosen[1]:
        raise ConfigError(f"stat_surface: expected two parameters, got {chosen[0].name!r} twice.")
    given = normalize_inputs(inputs)
    axes = [
        parameter.scan_values if values is None else np.atleast_1d(np.asarray(values, dtype=float))
        for parameter, values in zip(chosen, (x_values, y_values), strict=True)
    ]
    free = free_parameters(given, models) if reoptimize else []
    others = [one for one in free if all(one is not each for each in chosen)]
    statistic = Statistic(given, models, [*chosen, *others])
    surface = _surface(statistic, axes, bool(others))
    are_same = chosen[0].name == chosen[1].name
    names = [unique_name(models, one) if are_same else one.name for one in chosen]
    return _scan(statistic, surface, dict(zip(names, axes, strict=True)))


def _surface(statistic: Statistic, axes: Sequence[FloatArray], is_fitted: bool) -> FloatArray:
    """Return the statistic at all values of its first two parameters, the others fitted or kept, shape (x, y)."""
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    # Back and forth, so that each point is beside the one before.
    points[1::2] = points[1::2, ::-1].copy()
    flat = points.reshape(-1, 2)
    stats = np.array(fitted_again(statistic, flat) if is_fitted else [statistic(point) for point in flat])
    surface = stats.reshape(points.shape[:2])
    surface[1::2] = surface[1::2, ::-1].copy()
    return surface


def stat_contour(
    inputs: Inputs,
    models: Models,
    x: Parameter | str,
    y: Parameter | str,
    numpoints: int = 10,
    sigma: float = 1.0,
) -> dict[str, Any]:
    """Return points of the contour where the statistic, other parameters fitted, has risen by ``sigma**2``.

    The keys are ``x``, ``y`` (each closed, shape (numpoints + 1,)) and ``success``.
    """
    problem = Problem(Statistic(inputs, models), BY_MIGRAD)
    places = [problem.parameters.index(find_parameter(models, one)) for one in (x, y)]
    search = Search(problem)
    search.minimise()
    # Minuit's level is that of both parameters together: of chi2 with two degrees of freedom.
    points = np.asarray(search.minuit.mncontour(*places, cl=-math.expm1(-0.5 * sigma**2), size=numpoints))
    points = points * problem.scales[places]
    return {"x": points[:, 0], "y": points[:, 1], "success": len(points) > 0}

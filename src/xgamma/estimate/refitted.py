"""Norms with other parameters fitted beside them: flux points whose other models, or backgrounds, are free.

A norm alone is an exact root, see ``NormProfile``. With other free parameters each group is a fit of its own, and
errors, limits and scans are those of the profile likelihood: at each norm the others are fitted again.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from xgamma.axes import FloatArray
from xgamma.errors import FitError
from xgamma.estimate.flux_points_parameters import IS_UL_BELOW, FluxPointsParameters
from xgamma.estimate.reference import Reference
from xgamma.fit.ending import ending
from xgamma.fit.inputs import FitInput
from xgamma.fit.minimise import BY_MIGRAD, crossings, fitted_again
from xgamma.fit.problem import Problem
from xgamma.fit.search import Search
from xgamma.fit.settings import FitSettings
from xgamma.fit.statistic import Statistic
from xgamma.models.models import Models, SkyModel
from xgamma.models.parameters import Parameter
from xgamma.models.spectral.model import ScaleSpectralModel

log = logging.getLogger("xgamma.estimate")

PREDICTED = ("counts", "npred", "npred_excess")
"""What is said of each row."""


def nuisance(models: Models, source: SkyModel) -> list[Parameter]:
    """Return the free parameters of other models than the source, each once; none that the source has too."""
    own = {id(parameter) for parameter in source.parameters}
    others = [one for model in models if model is not source for one in model.parameters.free_parameters]
    return [one for one in {id(one): one for one in others}.values() if id(one) not in own]


def refitted(
    groups: Sequence[Sequence[FitInput]],
    models: Models,
    reference: Reference,
    settings: FluxPointsParameters,
    interp: str,
) -> tuple[dict[str, npt.NDArray[Any]], list[dict[str, FloatArray]]]:
    """Fit the norm of a source in each group, together with the free parameters of the other models.

    Models keep their values; each fit starts at them.

    Parameters
    ----------
    groups
        The rows of each group, with its bins.
    models
        All models.
    reference
        What a norm of 1 stands for.
    settings
        How norms are estimated.
    interp
        How the norm of the source is scanned.

    Returns
    -------
    tuple
        What is estimated, by the names of ``estimates``, arrays of shape (group,), and ``PREDICTED`` of each group,
        arrays of shape (row,).
    """
    norms = settings.norms(interp)
    found = [_estimated(rows, models, reference, settings, norms) for rows in groups]
    every = {name: np.array([values[name] for values, _ in found]) for name in found[0][0]} if found else {}
    scan = {"norm_scan": norms} if "scan" in settings.selection_optional else {}
    return every | scan, [predicted for _, predicted in found]


def _estimated(
    rows: Sequence[FitInput],
    models: Models,
    reference: Reference,
    settings: FluxPointsParameters,
    norms: FloatArray,
) -> tuple[dict[str, Any], dict[str, FloatArray]]:
    source = reference.source.name
    norm, scaled = _with_norm(models, reference, settings)
    free = [norm, *nuisance(models, reference.source)]
    statistic = Statistic(rows, scaled, free)
    told = _told(statistic)
    if not told[0]:
        return _nothing(settings, norms), _predicted(statistic, source, None)
    statistic = Statistic(rows, scaled, [one for one, is_told in zip(free, told, strict=True) if is_told])
    problem = Problem(statistic, FitSettings())
    try:
        search = Search(problem)
    except FitError as problem_of_start:
        log.warning("Flux points: a group is not fitted. %s", problem_of_start)
        return _nothing(settings, norms), _predicted(statistic, source, None)
    search.minimise()
    matrix = ending(problem, search).matrix
    values, error = search.values * problem.scales, float(np.sqrt(matrix[0, 0])) * problem.scales[0]
    if not search.is_valid or not np.isfinite(error):
        log.warning("Flux points: a group has no minimum with the other models.%s", search.reason)
        return _nothing(settings, norms), _predicted(statistic, source, None)
    [stat_null] = fitted_again(statistic, np.zeros((1, 1)), values)
    stat = min(problem(search.values), stat_null)
    sqrt_ts = np.copysign(np.sqrt(stat_null - stat), values[0])
    found: dict[str, Any] = {"norm": values[0], "norm_err": error * settings.n_sigma}
    found |= _ranges(statistic, values, settings)
    found |= {"ts": stat_null - stat, "sqrt_ts": sqrt_ts, "stat": stat, "stat_null": stat_null}
    found |= {"success": True, "is_ul": bool(sqrt_ts < IS_UL_BELOW)}
    if "scan" in settings.selection_optional:
        found["stat_scan"] = np.array(fitted_again(statistic, norms[:, np.newaxis], values))
    return found, _predicted(statistic, source, values)


def _with_norm(models: Models, reference: Reference, settings: FluxPointsParameters) -> tuple[Parameter, list[Any]]:
    """Return the norm, and the models with the reference times it in the place of the source."""
    source, shape = reference.source, reference.shape
    spectrum = ScaleSpectralModel(
        shape if reference.factor == 1.0 else ScaleSpectralModel(shape, norm=reference.factor)
    )
    low, high = settings.norm_limits
    if np.isfinite(low):
        spectrum.norm.min = low
    if np.isfinite(high):
        spectrum.norm.max = high
    scaled = SkyModel(
        spectrum, source.spatial_model, source.temporal_model, source.name, source.apply_irf, source.datasets_names
    )
    return spectrum.norm, [scaled if model is source else model for model in models]


def _told(statistic: Statistic) -> list[bool]:
    """Return of which parameters any bin of the group depends."""
    gradient, information = statistic.derivatives(statistic.start)
    return list((gradient != 0) | (np.diag(information) != 0))


def _ranges(statistic: Statistic, values: FloatArray, settings: FluxPointsParameters) -> dict[str, float]:
    """Return errors to both sides and the upper limit, by MINOS from the minimum."""
    if not {"errn-errp", "ul"} & set(settings.selection_optional):
        return {}
    problem = Problem(statistic, BY_MIGRAD)
    search = Search(problem, values / problem.scales)
    search.minimise()
    found = {}
    if "errn-errp" in settings.selection_optional:
        sides = crossings(problem, search, 0, settings.n_sigma)
        found = {"norm_errn": sides["errn"], "norm_errp": sides["errp"]}
    if "ul" in settings.selection_optional:
        found["norm_ul"] = values[0] + crossings(problem, search, 0, settings.n_sigma_ul)["errp"]
    return found


def _nothing(settings: FluxPointsParameters, norms: FloatArray) -> dict[str, Any]:
    """Return the numbers of a group that says nothing of the norm."""
    optional = {"errn-errp": ("norm_errn", "norm_errp"), "ul": ("norm_ul",)}
    wanted = [name for option in settings.selection_optional for name in optional.get(option, ())]
    found: dict[str, Any] = dict.fromkeys(
        ["norm", "norm_err", *wanted, "ts", "sqrt_ts", "stat", "stat_null"], np.nan
    ) | {"success": False, "is_ul": False}
    return found | ({"stat_scan": np.full(norms.shape, np.nan)} if "scan" in settings.selection_optional else {})


def _predicted(statistic: Statistic, source: str, values: FloatArray | None) -> dict[str, FloatArray]:
    """Return counts of each row, and what is predicted there; NaN without values."""
    size = len(statistic.names)
    sums = {name: np.zeros(size) for name in PREDICTED}
    plain = [] if values is None else values.tolist()
    for term in statistic.counts_terms:
        columns = [term.data.counts]
        if values is not None:
            signal = term.prediction(plain)
            own = [one(plain) for one in term.signals if one.model.name == source]
            total = np.maximum(signal + term.data.predicted_background(signal), 0.0)
            columns += [total, sum(own, np.zeros(total.shape))]
        for name, column in zip(PREDICTED, columns, strict=False):
            sums[name] += np.bincount(term.dataset, column, size)
    unknown = dict.fromkeys(PREDICTED[1:], np.full(size, np.nan)) if values is None else {}
    return sums | unknown

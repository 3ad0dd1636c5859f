"""Where a fit ended: at limits of parameters, and whether the errors there are to be believed.

An error is believed when the statistic rises by about 1 at that distance. At a kink, or in a direction in which the
statistic does not change, the second derivatives say something else.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from xgamma.axes import FloatArray
from xgamma.fit.problem import Problem
from xgamma.fit.search import Search
from xgamma.models.parameters import Parameter

BELIEVED = (0.3, 3.0)
"""The rise of the statistic at one error, 1 for a parabola, between which the error is believed."""
NEAR = 3.0
"""Errors within which of its limit a parameter may be at it."""
INWARDS = 1e-3
FLAT = 1e-9
LEAST, FARTHEST = 1e-18, 1e8
"""Between these distances from the minimum, in factors, an error is looked for."""
FAR = 30.0
"""The same with other free parameters: what is farther from them a minimiser does not find reliably."""
KINK = 0.3
"""An error of second derivatives below this part of what the parameter alone allows is that of a kink."""
STAYING = 0.01
"""The sum of squared correlations of parameters that are left where they are, as they hardly follow another one."""
FALLEN = -0.1
"""The statistic that is lower by more elsewhere was not at its minimum."""
PRECISION = 2e-3
CALLS = 300


@dataclass(frozen=True)
class Limit:
    """A limit that a parameter ended at.

    Parameters
    ----------
    side
        ``min`` or ``max``.
    value
        In factors.
    is_least
        Whether the statistic rises beyond it too, so that the fit would have ended there without the limit.
    """

    side: str
    value: float
    is_least: bool = False


@dataclass(frozen=True)
class Ending:
    """The covariance in factors, shape (parameter, parameter), and a sentence for each error that it does not tell.

    A parameter at a limit has the variance NaN, unless the statistic is least there; the others have that of the fit in
    which it is fixed there.
    """

    matrix: FloatArray
    limits: dict[int, Limit]
    sentences: tuple[str, ...]


def ending(problem: Problem, search: Search) -> Ending:
    """Return what is known at a minimum; parameters at a limit are fixed there and the others fitted again."""
    return told_errors(problem, search, _pinned(problem, search))


def told_errors(problem: Problem, search: Search, limits: dict[int, Limit] | None = None) -> Ending:
    """Return the errors at the present values as far as the statistic tells them; ``limits`` are parameters at one."""
    limits = limits or {}
    matrix = free_covariance(problem, search, limits)
    doubtful = _doubtful(problem, search, matrix, limits)
    if doubtful:
        matrix, doubtful = _by_hesse(problem, search, matrix, limits)
    sentences = []
    for place in (*limits, *doubtful):
        limit = limits.get(place)
        error = math.nan if limit and not limit.is_least else risen_error(problem, search, place)
        matrix[place, :] = matrix[:, place] = 0.0
        matrix[place, place] = error**2
        sentences.append(
            _no_parabola(problem, place, error) if limit is None else _at_limit(problem, place, limit, error)
        )
    return Ending(matrix, limits, tuple(sentences))


# --- limits


def _pinned(problem: Problem, search: Search) -> dict[int, Limit]:
    found: dict[int, Limit] = {}
    while problem.is_bounded and len(found) < len(problem.parameters):
        more = _at_limits(problem, search, set(found))
        if not more:
            break
        found |= more
        for place, limit in more.items():
            search.fix(place, limit.value)
        if len(found) < len(problem.parameters):
            search.minimise()
    return found


def _at_limits(problem: Problem, search: Search, without: set[int]) -> dict[int, Limit]:
    """Return the parameters for which the limit itself is as good as where they ended, and not what lies inwards."""
    best = search.values
    bounded = [
        (place, Limit(side, value))
        for place, pair in enumerate(zip(*problem.bounds, strict=True))
        for side, value in zip(("min", "max"), pair, strict=True)
        if place not in without and math.isfinite(value) and _is_near(search, place, value)
    ]
    found: dict[int, Limit] = {}
    for place, limit in bounded:
        inward = INWARDS * max(abs(limit.value), 1.0) * (1 if limit.side == "min" else -1)
        at_limit, inside = (problem(_moved(best, place, limit.value + step)) for step in (0.0, inward))
        if at_limit <= problem(best) + problem.goal and inside - at_limit > FLAT:
            beyond = problem(_moved(best, place, limit.value - inward))
            found[place] = Limit(limit.side, limit.value, math.isfinite(beyond) and beyond - at_limit > FLAT)
    return found


def _is_near(search: Search, place: int, limit: float) -> bool:
    distance, error = abs(search.values[place] - limit), search.errors[place]
    return bool(distance <= NEAR * error or distance <= INWARDS * max(abs(limit), 1.0))


def _moved(values: FloatArray, place: int, value: float) -> FloatArray:
    moved = values.copy()
    moved[place] = value
    return moved


# --- errors


def free_covariance(problem: Problem, search: Search, limits: dict[int, Limit]) -> FloatArray:
    """Return the covariance in factors: NaN where there is none, and on the diagonal of parameters at a limit."""
    size = len(problem.parameters)
    matrix = search.covariance
    if matrix is None or len(limits) == size:
        return np.full((size, size), np.nan) if not limits else np.diag(np.full(size, np.nan))
    for place in limits:
        matrix[place, :] = matrix[:, place] = 0.0
        matrix[place, place] = np.nan
    return matrix


def _doubtful(problem: Problem, search: Search, matrix: FloatArray, limits: dict[int, Limit]) -> list[int]:
    best, total = search.values, search.total
    free = [place for place in range(len(best)) if place not in limits]
    return [place for place in free if not _is_believed(problem, best, total, _direction(matrix, place))]


def _direction(matrix: FloatArray, place: int) -> FloatArray:
    """Return the step of all parameters, of one by its error, at which a parabola has risen by 1.

    Those that hardly follow stay: for one norm of a hundred backgrounds the other rows need not be looked at.
    """
    error = math.sqrt(matrix[place, place]) if matrix[place, place] > 0 else math.nan
    step = np.nan_to_num(matrix[:, place], nan=0.0) / error
    correlation = np.square(step) / np.maximum(np.diag(np.nan_to_num(matrix)), np.finfo(float).tiny)
    order = np.argsort(correlation)
    step[order[np.cumsum(correlation[order]) < STAYING]] = 0.0
    return step


def _is_believed(problem: Problem, best: FloatArray, total: float, step: FloatArray) -> bool:
    if not np.isfinite(step).all():
        return False
    above = problem(best + step) - total
    if BELIEVED[0] < above < BELIEVED[1]:
        return True
    below = problem(best - step) - total
    # One side may be steep: a prediction that ends at zero is. Beside a minimum the mean of both is free of the slope.
    least, mean = min(above, below), 0.5 * (above + below)
    return bool(BELIEVED[0] < (mean if least < 0 else least) < BELIEVED[1])


def _by_hesse(
    problem: Problem, search: Search, matrix: FloatArray, limits: dict[int, Limit]
) -> tuple[FloatArray, list[int]]:
    """Return the covariance by second derivatives at the minimum, and whose errors it does not tell either."""
    try:
        search.hesse()
    except RuntimeError:
        return matrix, _doubtful(problem, search, matrix, limits)
    again = free_covariance(problem, search, limits)
    return again, _doubtful(problem, search, again, limits)


def risen_error(problem: Problem, search: Search, place: int) -> float:
    """Return how far from a minimum the statistic, with the others fitted, has risen by 1, in factors.

    Half of both sides together, or one of them where the other ends at a limit before. NaN where it does not rise so
    far, where the others follow so that it need not, and where there is no minimum.
    """
    # At a kink of one parameter MIGRAD may doubt a minimum that is one.
    if not search.is_valid and len(problem.parameters) > 1:
        return math.nan
    alone = _half_width(problem, place, risen_sides(problem, search, place, others_follow=False))
    if len(problem.parameters) == 1:
        return alone
    # Second derivatives give less than the parameter alone at a kink, and more where others can stand for it.
    if not search.errors[place] < KINK * alone:
        return math.nan
    return _half_width(problem, place, risen_sides(problem, search, place))


def risen_sides(
    problem: Problem, search: Search, place: int, level: float = 1.0, others_follow: bool = True
) -> tuple[float, float]:
    """Return how far below and above the present value the statistic has risen by ``level``, in factors.

    With ``others_follow`` the other free parameters are fitted. NaN where a limit, or the end of the search, is before.
    """
    best = search.values
    total = problem(best)
    others_follow = others_follow and len(best) > 1
    stat = _profile if others_follow else _alone
    error = search.errors[place]
    start = min(max(error, LEAST), 1.0) if math.isfinite(error) else INWARDS
    low, high = (bounds[place] for bounds in problem.bounds)
    farthest = FAR if others_follow else FARTHEST

    def rise(side: float, distance: float) -> float:
        return (stat(problem, best, place, side * distance) - total) / level

    down = _risen(partial(rise, -1.0), start, min(best[place] - low, farthest))
    up = _risen(partial(rise, 1.0), start, min(high - best[place], farthest))
    return down, up


def _half_width(problem: Problem, place: int, sides: tuple[float, float]) -> float:
    """Return half of both sides; one alone where the other ends at a limit, NaN where it ends nowhere."""
    known = [one for one in sides if math.isfinite(one)]
    limits = [bounds[place] for bounds in problem.bounds]
    endless = [math.isnan(one) and math.isinf(limit) for one, limit in zip(sides, limits, strict=True)]
    return math.nan if any(endless) or not known else sum(known) / len(known)


def _alone(problem: Problem, best: FloatArray, place: int, step: float) -> float:
    return problem(_moved(best, place, best[place] + step))


def _profile(problem: Problem, best: FloatArray, place: int, step: float) -> float:
    start = _moved(best, place, best[place] + step)
    total = problem(start)
    if not math.isfinite(total):
        return total
    minuit = problem.minuit(start)
    minuit.fixed[place] = True
    minuit.migrad(ncall=CALLS)
    return problem(np.array(minuit.values))


def _risen(rise: Callable[[float], float], start: float, reach: float) -> float:
    """Return the distance at which a function that rises from 0 is 1, not beyond ``reach``; NaN where there is none."""
    low, high = 0.0, min(start, reach)
    value = rise(high) if reach > 0 else math.nan
    while FALLEN < value < 1.0 and high < reach:
        low, high = high, min(high * (10.0 if value < 0.01 else 2.0), reach)
        value = rise(high)
    if not 1.0 <= value < math.inf:
        return math.nan
    while high - low > PRECISION * high:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if rise(middle) < 1.0 else (low, middle)
    return high


# --- sentences


def _quantity(problem: Problem, place: int, factor: float) -> str:
    parameter: Parameter = problem.parameters[place]
    unit: Any = f" {parameter.unit}" if str(parameter.unit) else ""
    return f"{factor * problem.scales[place]:g}{unit}"


def _at_limit(problem: Problem, place: int, limit: Limit, error: float) -> str:
    own = (
        f"its error {_quantity(problem, place, error)} is where the statistic has risen by 1"
        if math.isfinite(error)
        else "it has no error"
    )
    at = f"{problem.names[place]} is at its limit {limit.side} = {_quantity(problem, place, limit.value)}"
    return f"{at}: {own}, and the errors of the others hold for it fixed there."


def _no_parabola(problem: Problem, place: int, error: float) -> str:
    if math.isfinite(error):
        return (
            f"The statistic is no parabola in {problem.names[place]}: its error "
            f"{_quantity(problem, place, error)} is where the statistic has risen by 1."
        )
    return f"The statistic does not tell {problem.names[place]}: it has no error. Freeze it, or what it depends on."

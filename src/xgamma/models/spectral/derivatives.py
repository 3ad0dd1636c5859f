"""Derivatives of spectra in their parameters: by differences, and through integrals; errors from a covariance."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from xgamma.axes import FloatArray
from xgamma.models.parameters import Parameter, Parameters

ERROR_STEP = 1e-4
"""Step of the forward differences, in standard errors."""
STEP = 6e-6
"""Step of the central differences, as a share of the value: the root of order 3 of the precision of numbers."""


def differences(
    function: Callable[[list[float]], FloatArray],
    values: Sequence[float],
    scales: Sequence[float],
    wanted: Sequence[int],
) -> FloatArray:
    """Return the derivatives of a function in some of its values by central differences.

    Parameters
    ----------
    function
        Of all values.
    values, scales
        Where, and the size of each value that a step is a share of.
    wanted
        Which derivatives.

    Returns
    -------
    Shape (wanted, ...). Beside a value at which the function is no number the difference is that of the other side.
    """

    def moved(place: int, step: float) -> FloatArray:
        at = list(values)
        at[place] += step
        return np.asarray(function(at))

    rows = []
    for place in wanted:
        step = STEP * scales[place]
        up, down = moved(place, step), moved(place, -step)
        slope = (up - down) / (2.0 * step)
        if not np.isfinite(slope).all():
            here = np.asarray(function(list(values)))
            slope = np.where(np.isfinite(up), (up - here) / step, (here - down) / step)
        rows.append(slope)
    return np.array(rows)


def propagated(
    function: Callable[[FloatArray], FloatArray], parameters: Parameters, covariance: FloatArray
) -> FloatArray:
    """Return the value of ``function`` at the parameters' values, and its standard error ``sqrt(J C J^T)``.

    Parameters
    ----------
    function
        Of the values of all parameters, shape (parameter,), in their units.
    parameters
        A frozen parameter, or one without an error, does not contribute, nor does one at a limit, whose error is NaN.
        With another error that is not known the result has none either: it is NaN.
    covariance
        Shape (parameter, parameter).

    Returns
    -------
    Shape (2, ...).
    """
    start = parameters.value
    value = np.asarray(function(start))
    slopes = np.zeros((len(parameters), *value.shape))
    for place, parameter in enumerate(parameters):
        step = ERROR_STEP * parameter.error
        if parameter.frozen or not step > 0:
            continue
        moved = start + np.where([other is parameter for other in parameters], step, 0.0)
        slopes[place] = (np.asarray(function(moved)) - value) / step
    if any(_is_unknown(parameter) for parameter in parameters):
        return np.stack([value, np.full(value.shape, np.nan)])
    variance = np.einsum("i...,ij,j...->...", slopes, _once(parameters, covariance), slopes)
    return np.stack([value, np.sqrt(np.maximum(variance, 0.0))])


def _once(parameters: Parameters, covariance: FloatArray) -> FloatArray:
    # A linked parameter stands at several places and all of them move together: its derivative is counted once.
    places = [id(parameter) for parameter in parameters]
    once = np.array([places.index(place) == number for number, place in enumerate(places)], dtype=np.float64)
    return np.asarray(np.where(np.isfinite(covariance), covariance, 0.0) * np.outer(once, once))


def _is_unknown(parameter: Parameter) -> bool:
    is_at_limit = parameter.value in (parameter.min, parameter.max)
    return not parameter.frozen and math.isnan(parameter.error) and not is_at_limit

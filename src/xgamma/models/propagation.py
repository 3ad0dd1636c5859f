"""Errors of what is computed from parameters, to first order from their covariance."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from xgamma.models.parameter import Parameters

FloatArray = npt.NDArray[np.float64]

STEP = 1e-4
"""Step of the forward differences, in standard errors."""


def propagated(
    function: Callable[[FloatArray], FloatArray], parameters: Parameters, covariance: FloatArray
) -> FloatArray:
    """Return the value of ``function`` at the parameters' values, and its standard error ``sqrt(J C J^T)``.

    Parameters
    ----------
    function
        Of the values of all parameters, shape (parameter,), in their units.
    parameters
        A frozen parameter, or one without an error, does not contribute.
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
        step = STEP * parameter.error
        if parameter.frozen or not step > 0:
            continue
        moved = start + np.where([other is parameter for other in parameters], step, 0.0)
        slopes[place] = (np.asarray(function(moved)) - value) / step
    variance = np.einsum("i...,ij,j...->...", slopes, _once(parameters, covariance), slopes)
    return np.stack([value, np.sqrt(np.maximum(variance, 0.0))])


def _once(parameters: Parameters, covariance: FloatArray) -> FloatArray:
    # A linked parameter stands at several places and all of them move together: its derivative is counted once.
    places = [id(parameter) for parameter in parameters]
    once = np.array([places.index(place) == number for number, place in enumerate(places)], dtype=np.float64)
    return np.asarray(covariance * np.outer(once, once))

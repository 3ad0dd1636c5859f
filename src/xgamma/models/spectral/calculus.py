"""Integrals and derivatives of spectra. Plain arrays.

Power laws are integrated in closed form, everything else by a log-log trapezoid rule, through which derivatives in the
parameters go; errors are propagated from a covariance.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from astropy import units as u

from xgamma.axes import FloatArray
from xgamma.errors import ConfigError
from xgamma.models.parameters import Parameter, Parameters

POINTS_PER_DECADE = 100
LOGARITHMIC = 1e-8
_SMALLEST = float(np.finfo(np.float32).tiny)


def power_law_moment(low: FloatArray, high: FloatArray, exponent: float, reference: float) -> FloatArray:
    """Return the integral of ``(x / reference)**(exponent - 1)`` over [low, high], in units of ``reference``.

    Within 1e-8 of exponent 0 the logarithm takes over.
    """
    if abs(exponent) <= LOGARITHMIC:
        return np.asarray(np.log(high / low))
    return np.asarray(((high / reference) ** exponent - (low / reference) ** exponent) / exponent)


def segment_integrals(x: FloatArray, y: FloatArray) -> FloatArray:
    """Return the integrals between neighbouring points of curves that are power laws between points.

    ``x`` and ``y`` have the points along the last axis. A segment with y = 0 at an end contributes nothing.
    """
    x1, x2, y1, y2 = x[..., :-1], x[..., 1:], y[..., :-1], y[..., 1:]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        slope = -np.log(np.maximum(np.abs(y2 / y1), _SMALLEST)) / np.log(x2 / x1)
        rest = 1.0 - slope
        logarithmic = np.abs(rest) <= LOGARITHMIC
        safe = np.where(logarithmic, 1.0, rest)
        closed = np.where(logarithmic, np.log(x2 / x1), ((x2 / x1) ** safe - 1.0) / safe)
        result = y1 * x1 * closed
    return np.asarray(np.where(np.isfinite(result) & (y2 != 0), result, 0.0))


@lru_cache(maxsize=64)
def _points(low: bytes, high: bytes) -> FloatArray:
    start, stop = np.frombuffer(low), np.frombuffer(high)
    with np.errstate(divide="ignore", invalid="ignore"):
        decades = np.log10(stop / start)
    finite = decades[np.isfinite(decades)]
    number = int(max(POINTS_PER_DECADE * (finite.max() if finite.size else 0.0), 2))
    grid: FloatArray = np.geomspace(start, stop, number, axis=-1)
    grid.flags.writeable = False
    return grid


def integral(function: Callable[[FloatArray], FloatArray], low: FloatArray, high: FloatArray) -> FloatArray:
    """Return the integrals of ``function`` over [low, high], any one shape, by the log-log trapezoid rule.

    The number of points, 100 a decade of the widest interval and at least 2, is common to all intervals of the call,
    so that the result of one bin depends a little on its neighbours (as in Gammapy).
    """
    start, stop = np.broadcast_arrays(np.asarray(low, dtype=float), np.asarray(high, dtype=float))
    x = _points(start.tobytes(), stop.tobytes())
    return np.asarray(segment_integrals(x, function(x)).sum(axis=-1).reshape(start.shape))


def integral_gradient(
    function: Callable[[FloatArray], tuple[FloatArray, FloatArray]], low: FloatArray, high: FloatArray
) -> FloatArray | None:
    """Return the derivatives of ``integral`` in parameters of the function, shape (parameter, interval).

    ``function`` returns the values, which are not 0, and their derivatives, shape (parameter, ...). ``None`` where one
    is 0, as the integral is then no smooth function of the values.
    """
    x = _points(low.tobytes(), high.tobytes())
    y, slopes = function(x)
    if not np.all(y):
        return None
    # Between points the integral is that of a power law: with a = x y it is ln(x2/x1) (a2 - a1) / ln(a2/a1).
    width, area = np.log(x[..., 1:] / x[..., :-1]), np.log(np.abs(x * y))
    rise = area[..., 1:] - area[..., :-1]
    sign = np.where(y[..., 1:] * y[..., :-1] > 0, 1.0, -1.0)
    left, right = width * _mean_slope(rise), width * sign * _mean_slope(-rise)
    parts = left * (x * slopes)[..., :-1] + right * (x * slopes)[..., 1:]
    return np.asarray(parts.sum(axis=-1))


def _mean_slope(rise: FloatArray) -> FloatArray:
    """Return ``(exp(r) - 1 - r) / r^2``, the derivative of the logarithmic mean of 1 and exp(r) in its first."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        closed = (np.expm1(rise) - rise) / rise**2
    return np.where(np.abs(rise) < 1e-4, 0.5 + rise / 6.0 + rise**2 / 24.0, closed)


TEV = u.TeV


def normalize_energy(energy: Any, name: str = "energy") -> FloatArray:
    """Return energies in TeV from a ``Quantity`` or a string; raises ``ConfigError``."""
    try:
        quantity = u.Quantity(energy)
        return np.asarray(quantity.to_value(TEV), dtype=float)
    except (TypeError, ValueError, u.UnitConversionError):
        raise ConfigError(f"{name}: expected an energy such as 1 * u.TeV, got {energy!r}.") from None


def normalize_range(energy_min: Any, energy_max: Any) -> tuple[FloatArray, FloatArray]:
    """Return both ends in TeV."""
    return normalize_energy(energy_min, "energy_min"), normalize_energy(energy_max, "energy_max")


def normalize_bounds(bounds: Any, number: int) -> FloatArray:
    """Return ``number`` energies in TeV, evenly in their logarithm, between the ends of a pair or of an ``Axis``.

    Raises ``ConfigError`` for ends that do not ascend from above 0.
    """
    edges = getattr(bounds, "edges", None)
    if edges is not None:
        bounds = u.Quantity(edges, getattr(bounds, "unit", "TeV"))
    first, last = (float(normalize_energy(bounds[end], "energy_bounds")) for end in (0, -1))
    if not 0 < first < last:
        raise ConfigError(f"energy_bounds: expected 0 < first < last, got {first} TeV and {last} TeV.")
    return np.geomspace(first, last, number)


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

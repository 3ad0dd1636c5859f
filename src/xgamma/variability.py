"""How much a series of fluxes varies: excess variance, chi2, doubling time, structure and correlation functions.

Functions take arrays or quantities with any number of series side by side; ``axis`` is that of time. A point whose flux
or error is not finite, or whose error is below 0, is taken out of its series; where too few are left the result is NaN.
The names are those of Gammapy's ``stats``; decision 18 lists where the numbers differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import astropy
import numpy as np
import numpy.typing as npt
import scipy

from xgamma.axes import FloatArray
from xgamma.errors import ConfigError, DataError

LN2 = np.log(2.0)


def compute_fvar(flux: Any, flux_err: Any, axis: int = 0) -> tuple[FloatArray, FloatArray]:
    """Return the fractional excess variance and its error: ``sqrt(S^2 - <err^2>) / <flux>``.

    S^2 is the variance of the sample. Where errors explain more than the whole variance, the root of the missing
    variance is returned with a minus sign, so that a steady source gives values about 0.

    Source: Vaughan et al. 2003 (MNRAS 345, 1271), equations 10 and B2.

    Parameters
    ----------
    flux, flux_err
        Fluxes and Gaussian errors of one shape, such as (time, energy).
    axis
        The axis of time.

    Returns
    -------
    tuple
        Two arrays with the other dims.

    Raises
    ------
    DataError
        When the shapes differ.

    Examples
    --------
    >>> value, error = compute_fvar([1.0, 3.0, 1.0, 3.0], [0.1, 0.1, 0.1, 0.1])
    >>> round(float(value), 4), round(float(error), 4)
    (0.5752, 0.0251)
    """
    values, errors = _series(flux, flux_err, axis)
    count, mean = _count(values), _mean(values)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = np.nansum((values - mean) ** 2, axis=0) / (count - 1)
    return _fractional(variance, _mean(errors**2), mean, count)


def compute_fpp(flux: Any, flux_err: Any, axis: int = 0) -> tuple[FloatArray, FloatArray]:
    """Return the point-to-point excess variance and its error, as `compute_fvar` with the variance of neighbours.

    The variance is ``sum (x_i - x_(i-1))^2 / (2 (N - 1))``, so that both agree for white noise; red noise gives less.
    Neighbours are the points that are left.

    Source: Edelson et al. 2002 (ApJ 568, 610), equation 3; its error as that of `compute_fvar`.
    """
    values, errors = _series(flux, flux_err, axis)
    variance = np.full(values.shape[1:], np.nan)
    for place, series in _columns(values):
        if len(series) > 1:
            variance[place] = (np.diff(series) ** 2).sum() / (2 * (len(series) - 1))
    return _fractional(variance, _mean(errors**2), _mean(values), _count(values))


def compute_chisq(flux: Any, flux_err: Any = None, axis: int = 0) -> tuple[FloatArray, FloatArray]:
    """Return chi2 of a constant flux, the mean weighted with the errors, and its p-value with N - 1 degrees of freedom.

    Source: Bevington & Robinson 2003 (Data Reduction and Error Analysis), chapters 4 and 11.

    Raises
    ------
    DataError
        When the shapes differ, or an error is 0.
    ConfigError
        Without errors, without which chi2 has a unit and no probability.

    Examples
    --------
    >>> chi2, p_value = compute_chisq([1.0, 3.0], [1.0, 1.0])
    >>> float(chi2), round(float(p_value), 4)
    (2.0, 0.1573)
    """
    if flux_err is None:
        raise ConfigError("compute_chisq: chi2 needs the errors of the fluxes; give them as flux_err.")
    values, errors = _series(flux, flux_err, axis)
    if (errors == 0).any():
        raise DataError("compute_chisq: a flux has the error 0, which no chi2 allows. Leave it out.")
    weights, count = 1 / errors**2, _count(values)
    with np.errstate(divide="ignore", invalid="ignore"):
        constant = np.nansum(weights * values, axis=0) / np.nansum(weights, axis=0)
    chi2 = np.where(count > 1, np.nansum(weights * (values - constant) ** 2, axis=0), np.nan)
    return chi2, np.where(count > 1, scipy.special.chdtrc(np.maximum(count - 1, 1), np.nan_to_num(chi2)), np.nan)


def compute_flux_doubling(flux: Any, flux_err: Any, coords: Any, axis: int = 0) -> dict[str, Any]:
    """Return the shortest times in which the flux doubles and halves between neighbours, with errors.

    ``dt ln 2 / ln(f2 / f1)``; errors of the two fluxes are propagated. Fluxes that are not above 0 are taken out. A
    flux that never rises has no doubling time: NaN.

    Source: Brown 2013 (MNRAS 431, 824).

    Parameters
    ----------
    flux, flux_err
        Of one shape, such as (time, energy).
    coords
        The times, ascending, shape (time,).
    axis
        The axis of time.

    Returns
    -------
    dict
        ``doubling``, ``doubling_err``, ``doubling_coord`` (the earlier of the two times) and the same of ``halving``,
        in the unit of ``coords`` if it has one, with the other dims.
    """
    values, errors = _series(flux, flux_err, axis)
    times, unit = _times(coords, len(values))
    values = np.where(values > 0, values, np.nan)
    names = [f"{kind}{part}" for kind in ("doubling", "halving") for part in ("", "_err", "_coord")]
    found = {name: np.full(values.shape[1:], np.nan) for name in names}
    for place in np.ndindex(values.shape[1:]):
        used = np.isfinite(values[(slice(None), *place)])
        rows = (values[(used, *place)], errors[(used, *place)], times[used])
        for name, number in zip(names, _doubling(*rows), strict=True):
            found[name][place] = number
    return {name: numbers if unit is None else astropy.units.Quantity(numbers, unit) for name, numbers in found.items()}


def _doubling(values: FloatArray, errors: FloatArray, times: FloatArray) -> list[float]:
    """Return time, error and coordinate of the fastest doubling and halving."""
    step, growth = np.diff(times), np.diff(np.log(values))
    relative = errors / values
    found: list[float] = []
    for sign in (1.0, -1.0):
        rises = np.flatnonzero(sign * growth > 0)
        if not len(rises):
            found += [np.nan] * 3
            continue
        length = step[rises] * LN2 / np.abs(growth[rises])
        first = rises[np.argmin(length)]
        error = length.min() / abs(growth[first]) * np.hypot(relative[first], relative[first + 1])
        found += [float(length.min()), float(error), float(times[first])]
    return found


def structure_function(flux: Any, flux_err: Any, time: Any, tdelta_precision: int = 5) -> tuple[FloatArray, Any]:
    """Return the structure function of first order, the mean squared difference of fluxes, and the time differences.

    ``sum w (f_j - f_i)^2 / sum w`` over the pairs of one time difference, each weighted with the product of its two
    ratios of flux to error.

    Source: Emmanoulopoulos, McHardy & Uttley 2010 (MNRAS 404, 931), section 2.

    Parameters
    ----------
    flux, flux_err
        Shape (time, ...).
    time
        The times, shape (time,).
    tdelta_precision
        Time differences that agree in so many decimals are one.

    Returns
    -------
    tuple
        The structure function, shape (difference, ...), and the differences above 0 in the unit of ``time``.
    """
    values, errors = _series(flux, flux_err, 0)
    times, unit = _times(time, len(values))
    if (errors == 0).any():
        raise DataError("structure_function: a flux has the error 0, and weighs infinitely much. Leave it out.")
    first, second = np.triu_indices(len(times), 1)
    apart = np.abs(times[second] - times[first]).round(tdelta_precision)
    distances, place = np.unique(apart, return_inverse=True)
    ratio = values / errors
    weights = ratio[first] * ratio[second]
    squares = weights * (values[second] - values[first]) ** 2
    sums = [_sums_of(part, place.ravel(), len(distances)) for part in (squares, weights)]
    with np.errstate(divide="ignore", invalid="ignore"):
        result = np.where(sums[1] != 0, sums[0] / sums[1], np.nan)[distances > 0]
    distances = distances[distances > 0]
    return result, distances if unit is None else astropy.units.Quantity(distances, unit)


def discrete_correlation(
    flux1: Any, flux_err1: Any, flux2: Any, flux_err2: Any, time1: Any, time2: Any, tau: Any, axis: int = 0
) -> tuple[Any, FloatArray, FloatArray]:
    """Return the discrete correlation function of two series, its error, and the centres of its bins of lag.

    The mean over the pairs of a bin of ``(a - <a>) (b - <b>) / sqrt((var a - <err_a^2>) (var b - <err_b^2>))``. The lag
    is the time of the first series less that of the second. A bin without pairs is NaN, and all are where errors
    explain the whole variance of a series.

    Source: Edelson & Krolik 1988 (ApJ 333, 646), equations 3 to 5.

    Parameters
    ----------
    flux1, flux_err1, flux2, flux_err2
        The series; all dims but that of time are equal.
    time1, time2
        Their times.
    tau
        The width of the bins of lag, which begin at whole multiples of it.
    axis
        The axis of time.

    Raises
    ------
    DataError
        When the shapes do not fit together.
    """
    (values1, errors1), (values2, errors2) = _series(flux1, flux_err1, axis), _series(flux2, flux_err2, axis)
    if values1.shape[1:] != values2.shape[1:]:
        raise DataError(
            f"discrete_correlation: the series have the shapes {values1.shape} and {values2.shape}; expected the same "
            "but for the axis of time."
        )
    (times1, unit), (times2, other) = _times(time1, len(values1)), _times(time2, len(values2))
    width = float(tau if unit is None else astropy.units.Quantity(tau).to_value(unit))
    if unit is not None and other is not None:
        times2 = times2 * other.to(unit)
    if not width > 0:
        raise ConfigError(f"discrete_correlation: the width of the bins has to be above 0, got {tau}.")
    product = (_scaled(values1, errors1)[:, np.newaxis] * _scaled(values2, errors2)).reshape(-1, *values1.shape[1:])
    lag = np.floor((times1[:, np.newaxis] - times2) / width).astype(int).ravel()
    count = int(lag.max() - lag.min()) + 1
    bins = lag - lag.min()
    pairs = _sums_of(np.isfinite(product).astype(float), bins, count)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = _sums_of(product, bins, count) / pairs
        scatter = _sums_of((product - mean[bins]) ** 2, bins, count)
        error = np.where(pairs > 1, np.sqrt(scatter) / (pairs - 1), np.nan)
    centres = (np.arange(count) + lag.min() + 0.5) * width
    return centres if unit is None else astropy.units.Quantity(centres, unit), np.where(pairs > 0, mean, np.nan), error


# --- series


def _series(flux: Any, flux_err: Any, axis: int) -> tuple[FloatArray, FloatArray]:
    """Return fluxes and errors as plain numbers in one unit, time first, with NaN in both where one is not usable."""
    values = np.asarray(getattr(flux, "value", flux), dtype=float)
    unit = getattr(flux, "unit", None)
    has_unit = bool(unit) and isinstance(flux_err, astropy.units.Quantity)
    errors = np.asarray(flux_err.to_value(unit) if has_unit else flux_err, dtype=float)
    if values.shape != errors.shape or not values.ndim:
        raise DataError(f"Fluxes have the shape {values.shape} and their errors {errors.shape}; expected the same.")
    usable = np.isfinite(values) & np.isfinite(errors) & (errors >= 0)
    both = (np.moveaxis(np.where(usable, part, np.nan), axis, 0) for part in (values, errors))
    return next(both), next(both)


def _columns(values: FloatArray) -> Iterator[tuple[tuple[int, ...], FloatArray]]:
    """Yield the place and the usable points of each series."""
    for place in np.ndindex(values.shape[1:]):
        series = values[(slice(None), *place)]
        yield place, series[np.isfinite(series)]


def _count(values: FloatArray) -> npt.NDArray[np.int64]:
    return np.asarray(np.isfinite(values).sum(axis=0))


def _mean(values: FloatArray) -> FloatArray:
    count = _count(values)
    return np.where(count > 0, np.nansum(values, axis=0) / np.maximum(count, 1), np.nan)


def _fractional(
    variance: FloatArray, noise: FloatArray, mean: FloatArray, count: npt.NDArray[np.int64]
) -> tuple[FloatArray, FloatArray]:
    """Return the signed root of a variance above that of the errors, over the mean flux, and its error."""
    with np.errstate(divide="ignore", invalid="ignore"):
        excess = variance - noise
        value = np.sign(excess) * np.sqrt(np.abs(excess)) / mean
        of_noise = noise / mean**2 / (np.abs(value) * np.sqrt(2 * count))
        error = np.hypot(of_noise, np.sqrt(noise / count) / np.abs(mean))
    known = (count > 1) & np.isfinite(value)
    return np.where(known, value, np.nan), np.where(known & np.isfinite(error), error, np.nan)


def _scaled(values: FloatArray, errors: FloatArray) -> FloatArray:
    """Return the deviations from the mean over the root of the variance that errors do not explain."""
    deviation = values - _mean(values)
    intrinsic = _mean(deviation**2) - _mean(errors**2)
    return deviation / np.sqrt(np.where(intrinsic > 0, intrinsic, np.nan))


def _times(coords: Any, count: int) -> tuple[FloatArray, astropy.units.UnitBase | None]:
    """Return times as plain numbers, and their unit if they have one."""
    times = np.asarray(getattr(coords, "value", coords), dtype=float)
    if times.shape != (count,):
        raise DataError(f"The times have the shape {times.shape}; expected one for each of the {count} fluxes.")
    return times, getattr(coords, "unit", None)


def _sums_of(values: FloatArray, places: npt.NDArray[Any], count: int) -> FloatArray:
    """Return the sums of rows by their place, shape (count, ...); NaN adds nothing."""
    plain = np.nan_to_num(values).reshape(len(values), -1)
    sums = np.stack([np.bincount(places, column, count) for column in plain.T], axis=-1)
    return sums.astype(float).reshape(count, *values.shape[1:])

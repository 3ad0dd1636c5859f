"""What sums over a circle say in each pixel, as parameters ask: excess, significance, errors, limits, sensitivity.

Sources: Li & Ma 1983 (ApJ 272, 317), equation 17, for off counts; Cash 1979 (ApJ 228, 939) for a known background.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from xgamma import stats
from xgamma.axes import BoolArray, FloatArray
from xgamma.estimate.excess_parameters import ExcessMapParameters
from xgamma.estimate.masked_planes import MaskedPlanes
from xgamma.kernels import STRIP, Kernel, summed

Planes = dict[str, FloatArray]

STEPS = 50
TOLERANCE = 1e-12


def measured(
    planes: MaskedPlanes, data: Mapping[str, FloatArray], kernel: Kernel, settings: ExcessMapParameters
) -> Planes:
    """Return the counts within the circle and the background expected there, with what it follows from."""
    counts, background = summed(data["counts"], kernel), summed(data["background"], kernel)
    if "counts_off" not in data:
        return {"counts": counts, "background": background}
    off, on, total = data["counts_off"], data["acceptance"], data["acceptance_off"]
    values = {"counts": counts} | ({"acceptance": on} if settings.wants("acceptance_on") else {})
    if settings.wants("acceptance_off"):
        values["acceptance_off"] = quotient(on, _ratio(data["background"], off, on, total))
    if not settings.correlate_off:
        alpha = _ratio(data["background"], off, on, total) * quotient(summed(on, kernel), on)
        return values | {"counts_off": off, "alpha": alpha, "background": alpha * off}
    off = summed(off, kernel)
    if (planes.is_used & (off == 0)).any():
        alpha = _ratio(background, off, summed(on, kernel), summed(total, kernel))
        return values | {"counts_off": off, "alpha": alpha, "background": alpha * off}
    return values | {"counts_off": off, "alpha": quotient(background, off), "background": background}


def _ratio(background: FloatArray, off: FloatArray, acceptance: FloatArray, acceptance_off: FloatArray) -> FloatArray:
    """Return the background expected for one off count; NaN where it is not known.

    Without off counts it is the ratio of the acceptances: that nothing was seen is a measurement, too.
    """
    return np.where(off > 0, quotient(background, off), quotient(acceptance, acceptance_off))


def quotient(one: FloatArray, other: FloatArray) -> FloatArray:
    """Return the quotient, NaN where nothing is known of it."""
    result = np.full(np.shape(other), np.nan)
    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray(np.divide(one, other, out=result, where=other > 0))


def estimates(
    values: Planes, expected: FloatArray | None, is_unused: BoolArray, settings: ExcessMapParameters
) -> Planes:
    """Return what was measured with the excess, its significance, and its norm with errors and limits.

    Parameters
    ----------
    values
        What ``measured`` returns.
    expected
        The counts of a reference whose multiples norms are; ``None`` for norms that are counts.
    is_unused
        The pixels that have no numbers.
    settings
        Which optional results are wanted.
    """
    reference = {} if expected is None else {"npred_excess_ref": expected}
    given = values | reference
    found = _in_strips(partial(_estimated, settings.n_sigma), given)
    for array in (given | found).values():
        np.copyto(array, np.nan, where=is_unused)
    signal = _ranges(given, found["npred_excess"], settings)
    return given | found | {name: _norm(one, expected) for name, one in signal.items()}


def _in_strips(work: Callable[[Planes], Planes], values: Planes) -> Planes:
    """Return what work returns of images of one shape, done in strips of pixels that stay in the cache."""
    shape = values["counts"].shape
    flat = {name: array.reshape(-1) for name, array in values.items()}
    size, result = flat["counts"].size, Planes()
    for first in range(0, size, STRIP):
        strip = slice(first, first + STRIP)
        parts = work({name: array[strip] for name, array in flat.items()})
        result = result or {name: np.empty(size) for name in parts}
        for name, part in parts.items():
            result[name][strip] = part
    return {name: array.reshape(shape) for name, array in result.items()}


def _estimated(n_sigma: float, values: Planes) -> Planes:
    """Return the excess, its significance, and its norm with an error."""
    counts, background = values["counts"], values["background"]
    if "alpha" in values:
        sqrt_ts = stats.wstat_sqrt_ts(counts, values["counts_off"], values["alpha"])
        error = np.sqrt(counts + values["alpha"] * background)
    else:
        # Counts where none are expected are beyond any significance, and a sign that the background is not known.
        sqrt_ts = stats.cash_sqrt_ts(counts, background)
        sqrt_ts[~(background > 0)] = np.nan
        error = np.sqrt(counts)
    excess, reference = counts - background, values.get("npred_excess_ref")
    norms = {"norm": _norm(excess, reference), "norm_err": _norm(n_sigma * error, reference)}
    return {"npred_excess": excess, "ts": sqrt_ts**2, "sqrt_ts": sqrt_ts, **norms}


def _norm(signal: FloatArray, reference: FloatArray | None) -> FloatArray:
    return signal if reference is None else quotient(signal, reference)


def _ranges(values: Planes, excess: FloatArray, settings: ExcessMapParameters) -> Planes:
    """Return the errors of the excess to both sides, its upper limit and the sensitivity, as far as they are wanted."""
    if not any(settings.wants(option) for option in ("errn-errp", "ul", "sensitivity")):
        return {}
    # Where nothing is known there is no root to look for.
    is_known = np.isfinite(excess)
    names = ("counts", "counts_off", "alpha") if "alpha" in values else ("counts", "background")
    kind = stats.WstatCounts if "alpha" in values else stats.CashCounts
    every = is_known.all()
    data: stats.Counts = kind(*(values[name] if every else values[name][is_known] for name in names))
    found = _ranges_of_counts(data, settings) if isinstance(data, stats.CashCounts) else _ranges_of_off(data, settings)
    if settings.wants("sensitivity"):
        found["norm_sensitivity"] = _sensitivity(data, settings)
    return found if every else {name: _placed(numbers, is_known) for name, numbers in found.items()}


def _placed(numbers: FloatArray, where: BoolArray) -> FloatArray:
    image = np.full(where.shape, np.nan)
    image[where] = numbers
    return image


def _ranges_of_counts(data: stats.CashCounts, settings: ExcessMapParameters) -> Planes:
    """Return errors and limits over a known background, which follow from the counts alone."""
    distinct, number = stats.distinct_counts(data.counts)
    table, found = stats.known_counts(distinct, 0.0), Planes()
    if settings.wants("errn-errp"):
        found["norm_errn"] = stats.counts_errn(table, settings.n_sigma)[number]
        found["norm_errp"] = stats.counts_errp(table, settings.n_sigma)[number]
    if settings.wants("ul"):
        found["norm_ul"] = stats.counts_ul(table, settings.n_sigma_ul)[number] - data.background
    return found


def _ranges_of_off(data: stats.WstatCounts, settings: ExcessMapParameters) -> Planes:
    found = Planes()
    if settings.wants("errn-errp"):
        found["norm_errn"] = stats.counts_errn(data, settings.n_sigma)
        found["norm_errp"] = stats.counts_errp(data, settings.n_sigma)
    if settings.wants("ul"):
        found["norm_ul"] = stats.counts_ul(data, settings.n_sigma_ul)
    return found


def _sensitivity(data: stats.Counts, settings: ExcessMapParameters) -> FloatArray:
    """Return the least excess that would be seen, also above what a systematic error of the background may feign."""
    excess = least_excess(data, settings.n_sigma_sensitivity)
    if not settings.apply_threshold_sensitivity:
        return excess
    background = data.counts - data.best_signal
    least = np.maximum(settings.gamma_min_sensitivity, settings.bkg_syst_fraction_sensitivity * background)
    return np.asarray(np.maximum(excess, least))


def least_excess(data: stats.Counts, n_sigma: float) -> FloatArray:
    """Return the excess with a significance of ``n_sigma`` in each bin; NaN where no background is expected.

    The off counts, or the known background, stay as they are, and the counts are those of the excess above them.
    """
    if isinstance(data, stats.CashCounts):
        return _over_known(data.background, n_sigma)
    return _over_off(data, n_sigma)


def _over_known(background: FloatArray, n_sigma: float) -> FloatArray:
    """Return the root of ``2 b (x ln x - x + 1) = n_sigma^2`` for x = counts / b, less 1, times b."""
    is_known = background > 0
    level = 0.5 * n_sigma**2 / np.where(is_known, background, 1.0)
    # Above the root of a convex function, from where each step of Newton comes nearer and none goes beyond.
    ratio = 1.0 + np.sqrt(2.0 * level) + 0.5 * level
    for _ in range(STEPS):
        logarithm = np.log(ratio)
        step = (ratio * (logarithm - 1.0) + 1.0 - level) / logarithm
        ratio -= step
        if np.all(np.abs(step) <= TOLERANCE * ratio):
            break
    return np.asarray(np.where(is_known, background * (ratio - 1.0), np.nan))


def _over_off(data: stats.WstatCounts, n_sigma: float) -> FloatArray:
    background = data.alpha * data.counts_off

    def statistic(excess: FloatArray) -> tuple[FloatArray, FloatArray]:
        counts = background + excess
        expected = data.alpha * (counts + data.counts_off) / (1 + data.alpha)
        value = stats.wstat(counts, data.counts_off, data.alpha, 0.0)
        return value, 2 * np.log(np.maximum(counts, stats.FLOOR) / np.maximum(expected, stats.FLOOR))

    start, level = np.zeros(background.shape), np.full(background.shape, n_sigma**2)
    width = n_sigma * (np.sqrt(background) + n_sigma)
    return stats.crossing(statistic, start, level, width, +1, np.full(background.shape, np.inf))

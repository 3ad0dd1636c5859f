"""What sums over a circle say in each pixel: excess, significance, errors, limits and sensitivity.

Sources: Li & Ma 1983 (ApJ 272, 317), equation 17, for off counts; Cash 1979 (ApJ 228, 939) for a known background.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np

from xgamma import stats
from xgamma.axes import BoolArray, FloatArray
from xgamma.estimate.excess_map_parameters import ExcessMapParameters
from xgamma.estimate.masked_planes import MaskedPlanes
from xgamma.estimate.sensitivity import least_excess
from xgamma.kernels import Kernel, summed

Planes: TypeAlias = dict[str, FloatArray]


def measured(
    planes: MaskedPlanes, data: Mapping[str, FloatArray], kernel: Kernel, settings: ExcessMapParameters
) -> Planes:
    """Return the counts within the circle and the background expected there, with what it follows from."""
    counts, background = summed(data["counts"], kernel), summed(data["background"], kernel)
    if "counts_off" not in data:
        return {"counts": counts, "background": background}
    off, on, total = data["counts_off"], data["acceptance"], data["acceptance_off"]
    values = {"counts": counts} | {name: data[name] for name in ("acceptance",) if settings.wants("acceptance_on")}
    own = _ratio(data["background"], off, on, total)
    if settings.wants("acceptance_off"):
        values["acceptance_off"] = quotient(on, own)
    if settings.correlate_off:
        sums = summed(off, kernel)
        is_empty = bool((planes.is_used & ~(sums > 0)).any())
        alpha = _ratio(background, sums, *((summed(on, kernel), summed(total, kernel)) if is_empty else (on, total)))
        off = sums
    else:
        alpha = own * quotient(summed(on, kernel), on)
    return values | {"counts_off": off, "alpha": alpha, "background": alpha * off}


def _ratio(background: FloatArray, off: FloatArray, acceptance: FloatArray, acceptance_off: FloatArray) -> FloatArray:
    """Return the background expected for one off count; NaN where it is not known.

    Without off counts it is the ratio of the acceptances: that nothing was seen is a measurement, too.
    """
    return np.where(off > 0, quotient(background, off), quotient(acceptance, acceptance_off))


def quotient(one: FloatArray, other: FloatArray) -> FloatArray:
    """Return the quotient, NaN where nothing is known of it."""
    return np.asarray(np.divide(one, other, out=np.full(one.shape, np.nan), where=other > 0))


def estimates(values: Planes, expected: FloatArray | None, settings: ExcessMapParameters) -> Planes:
    """Return what was measured with the excess, its significance, and its norm with errors and limits.

    Parameters
    ----------
    values
        What ``measured`` returns.
    expected
        The counts of a reference whose multiples norms are; ``None`` for norms that are counts.
    settings
        Which optional results are wanted.
    """
    counts, background = values["counts"], values["background"]
    excess = counts - background
    if "alpha" in values:
        sqrt_ts = stats.wstat_sqrt_ts(counts, values["counts_off"], values["alpha"])
        error = np.sqrt(counts + values["alpha"] ** 2 * values["counts_off"])
    else:
        # Counts where none are expected are beyond any significance, and a sign that the background is not known.
        sqrt_ts = np.where(background > 0, stats.cash_sqrt_ts(counts, background), np.nan)
        error = np.sqrt(counts)
    signal = {"norm": excess, "norm_err": settings.n_sigma * error} | _ranges(values, excess, settings)
    if expected is not None:
        signal = {name: quotient(one, expected) for name, one in signal.items()} | {"npred_excess_ref": expected}
    return values | {"npred_excess": excess, "ts": sqrt_ts**2, "sqrt_ts": sqrt_ts} | signal


def _ranges(values: Planes, excess: FloatArray, settings: ExcessMapParameters) -> Planes:
    """Return the errors of the excess to both sides, its upper limit and the sensitivity, as far as they are wanted."""
    if not any(settings.wants(option) for option in ("errn-errp", "ul", "sensitivity")):
        return {}
    # Where nothing is known there is no root to look for.
    is_known = np.isfinite(excess)
    names = ("counts", "counts_off", "alpha") if "alpha" in values else ("counts", "background")
    kind = stats.WstatCounts if "alpha" in values else stats.CashCounts
    data: stats.Counts = kind(*(values[name][is_known] for name in names))
    found: Planes = {}
    if settings.wants("errn-errp"):
        found["norm_errn"], found["norm_errp"] = _errors(data, settings.n_sigma)
    if settings.wants("ul"):
        found["norm_ul"] = _upper_limit(data, settings.n_sigma_ul)
    if settings.wants("sensitivity"):
        found["norm_sensitivity"] = _sensitivity(data, settings)
    return {name: _placed(numbers, is_known) for name, numbers in found.items()}


def _placed(numbers: FloatArray, where: BoolArray) -> FloatArray:
    image = np.full(where.shape, np.nan)
    image[where] = numbers
    return image


def _errors(data: stats.Counts, n_sigma: float) -> tuple[FloatArray, FloatArray]:
    if isinstance(data, stats.CashCounts):
        return stats.cash_errors(data.counts, n_sigma)
    return stats.counts_errn(data, n_sigma), stats.counts_errp(data, n_sigma)


def _upper_limit(data: stats.Counts, n_sigma: float) -> FloatArray:
    if isinstance(data, stats.CashCounts):
        return np.asarray(data.best_signal + stats.cash_errors(data.counts, n_sigma)[1])
    return stats.counts_ul(data, n_sigma)


def _sensitivity(data: stats.Counts, settings: ExcessMapParameters) -> FloatArray:
    """Return the least excess that would be seen, also above what a systematic error of the background may feign."""
    excess = least_excess(data, settings.n_sigma_sensitivity)
    if not settings.apply_threshold_sensitivity:
        return excess
    background = data.counts - data.best_signal
    least = np.maximum(settings.gamma_min_sensitivity, settings.bkg_syst_fraction_sensitivity * background)
    return np.asarray(np.maximum(excess, least))

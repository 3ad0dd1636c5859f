"""The excess that would be seen with a wanted significance over the background that was measured."""

from __future__ import annotations

import numpy as np

from xgamma.axes import FloatArray
from xgamma.stats import FLOOR, CashCounts, Counts, WstatCounts, crossing, wstat

STEPS = 50
TOLERANCE = 1e-12


def least_excess(data: Counts, n_sigma: float) -> FloatArray:
    """Return the excess with a significance of ``n_sigma`` in each bin; NaN where no background is expected.

    The off counts, or the known background, stay as they are, and the counts are those of the excess above them.
    """
    if isinstance(data, CashCounts):
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


def _over_off(data: WstatCounts, n_sigma: float) -> FloatArray:
    background = data.alpha * data.counts_off

    def statistic(excess: FloatArray) -> tuple[FloatArray, FloatArray]:
        counts = background + excess
        expected = data.alpha * (counts + data.counts_off) / (1 + data.alpha)
        value = wstat(counts, data.counts_off, data.alpha, 0.0)
        return value, 2 * np.log(np.maximum(counts, FLOOR) / np.maximum(expected, FLOOR))

    start, level = np.zeros(background.shape), np.full(background.shape, n_sigma**2)
    width = n_sigma * (np.sqrt(background) + n_sigma)
    return crossing(statistic, start, level, width, +1, np.full(background.shape, np.inf))

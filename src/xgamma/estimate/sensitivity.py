"""The excess that would be seen with a wanted significance over the background that was measured."""

from __future__ import annotations

import numpy as np

from xgamma.axes import FloatArray
from xgamma.stats import FLOOR, Counts, WstatCounts, crossing, cstat, wstat


def least_excess(data: Counts, n_sigma: float) -> FloatArray:
    """Return the excess with a significance of ``n_sigma`` in each bin; NaN where no background is expected.

    The off counts, or the known background, stay as they are, and the counts are those of the excess above them.
    """
    background = data.counts - data.best_signal

    def statistic(excess: FloatArray) -> tuple[FloatArray, FloatArray]:
        counts = background + excess
        if isinstance(data, WstatCounts):
            expected = data.alpha * (counts + data.counts_off) / (1 + data.alpha)
            value = wstat(counts, data.counts_off, data.alpha, 0.0)
        else:
            expected, value = background, cstat(counts, background)
        return value, 2 * np.log(np.maximum(counts, FLOOR) / np.maximum(expected, FLOOR))

    start, level = np.zeros(background.shape), np.full(background.shape, n_sigma**2)
    width = n_sigma * (np.sqrt(background) + n_sigma)
    found = crossing(statistic, start, level, width, +1, np.full(background.shape, np.inf))
    return found if isinstance(data, WstatCounts) else np.where(background > 0, found, np.nan)

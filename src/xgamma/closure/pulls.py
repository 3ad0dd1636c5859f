"""Pulls and coverage as numbers with errors, and when they agree with what is expected.

Everything is compared at ``LEVEL`` standard errors: moments with their own, coverage with the exact binomial interval
of the same probability (Clopper & Pearson 1934, Biometrika 26, 404).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr
from scipy.stats import binomtest

from xgamma.axes import BoolArray, FloatArray

LEVEL = 3.0


def two_sided(n_sigma: float) -> float:
    """Return the probability within ``n_sigma`` standard deviations.

    >>> round(two_sided(1.0), 4)
    0.6827
    """
    return float(ndtr(n_sigma) - ndtr(-n_sigma))


def one_sided(n_sigma: float) -> float:
    """Return the probability below ``n_sigma`` standard deviations.

    >>> round(one_sided(2.0), 4)
    0.9772
    """
    return float(ndtr(n_sigma))


@dataclass(frozen=True)
class Moments:
    """``mean`` and ``width`` (standard deviation) of ``count`` pulls.

    ``mean_error`` and ``width_error`` are the standard errors that Gaussian pulls have.
    """

    count: int
    mean: float
    mean_error: float
    width: float
    width_error: float

    @property
    def holds(self) -> bool:
        """Whether the mean agrees with 0 and the width with 1."""
        is_centred = abs(self.mean) <= LEVEL * self.mean_error
        return bool(is_centred and abs(self.width - 1.0) <= LEVEL * self.width_error)


def moments(pulls: FloatArray) -> Moments:
    """Return mean and width of pulls, at least two; those that are not finite are left out.

    >>> moments(np.array([-1.0, 1.0, np.nan])).mean
    0.0
    """
    chosen = pulls[np.isfinite(pulls)]
    count, width = len(chosen), float(np.std(chosen, ddof=1))
    return Moments(
        count, float(np.mean(chosen)), width / float(np.sqrt(count)), width, width / float(np.sqrt(2.0 * (count - 1)))
    )


@dataclass(frozen=True)
class Coverage:
    """How often an interval held the truth: ``covered`` times of ``count``, where ``nominal`` is promised."""

    covered: int
    count: int
    nominal: float

    @property
    def fraction(self) -> float:
        """The fraction of intervals that hold the truth."""
        return self.covered / self.count

    @property
    def interval(self) -> tuple[float, float]:
        """The probabilities of coverage that the fraction leaves possible."""
        limits = binomtest(self.covered, self.count).proportion_ci(two_sided(LEVEL), method="exact")
        return float(limits.low), float(limits.high)

    @property
    def holds(self) -> bool:
        """Whether what is promised is possible."""
        low, high = self.interval
        return low <= self.nominal <= high


def coverage(low: FloatArray, high: FloatArray, truth: FloatArray, nominal: float) -> Coverage:
    """Return how many of the intervals [low, high] hold the truth, where the fraction ``nominal`` is promised.

    Intervals with a NaN are left out.
    """
    known = ~(np.isnan(low) | np.isnan(high) | np.isnan(truth))
    inside: BoolArray = (low <= truth) & (truth <= high) & known
    return Coverage(int(inside.sum()), int(known.sum()), nominal)

"""Poisson statistics on plain arrays: cash, cstat, wstat and chi2 with derivatives, significance, errors and limits.

Every statistic is -2 ln(likelihood) per bin, up to a constant of the data; all arguments broadcast. For wstat the
expected background of the off region, ``b``, is profiled: ``t = mu_sig + alpha b`` is the prediction of the on region
and the statistic is the sum of the Poisson deviances of (n_on, t) and (n_off, b).

Sources: Cash 1979 (ApJ 228, 939); Li & Ma 1983 (ApJ 272, 317), equation 17, for the significance; the XSPEC manual
(Arnaud, Dorman & Gordon), appendix B, for wstat; Rolke, Lopez & Conrad 2005 (NIM A 551, 493) for errors and limits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import scipy

from xgamma.axes import FloatArray
from xgamma.gammapy_names import later_names
from xgamma.variability import (  # noqa: F401, as Gammapy has them at this import path
    compute_chisq,
    compute_flux_doubling,
    compute_fpp,
    compute_fvar,
    discrete_correlation,
    structure_function,
)

Array: TypeAlias = npt.ArrayLike
Function: TypeAlias = Callable[[FloatArray], tuple[FloatArray, FloatArray]]

FLOOR = 1e-25
NEWTON_TOLERANCE = 1e-8
BISECTION_TOLERANCE = 1e-13
NEWTON_ITERATIONS = 20
ITERATIONS = 90
__getattr__ = later_names(__name__)


def cash(n: Array, mu: Array) -> FloatArray:
    """Return ``2 (mu - n ln mu)``; predictions below 1e-25 count as 1e-25."""
    mean = np.maximum(mu, FLOOR)
    return np.asarray(2.0 * (mean - scipy.special.xlogy(n, mean)))


def cash_gradient(n: Array, mu: Array) -> FloatArray:
    """Return d cash / d mu. Below the floor it is that of the floor, which points back to the predictions allowed."""
    counts, mean = np.asarray(n, dtype=float), np.maximum(mu, FLOOR)
    return np.asarray(np.where((counts > 0) | (np.asarray(mu) > FLOOR), 2.0 * (1.0 - counts / mean), 0.0))


def cash_curvature(n: Array, mu: Array) -> FloatArray:
    """Return the second derivative of cash (and of cstat) in mu; 0 below the floor."""
    mean = np.asarray(mu, dtype=float)
    return np.asarray(np.where(mean > FLOOR, 2.0 * np.asarray(n, dtype=float) / np.maximum(mean, FLOOR) ** 2, 0.0))


def cstat(n: Array, mu: Array) -> FloatArray:
    """Return ``2 (mu - n + n ln(n / mu))``: cash that is 0 where the prediction equals the counts.

    >>> cstat([0, 4], [3.0, 4.0]).tolist()
    [6.0, 0.0]
    """
    return np.asarray(2.0 * scipy.special.kl_div(np.maximum(n, FLOOR), np.maximum(mu, FLOOR)))


def cstat_gradient(n: Array, mu: Array) -> FloatArray:
    """Return d cstat / d mu, which is that of cash."""
    return cash_gradient(n, mu)


def _means(n: FloatArray, m: FloatArray, alpha: FloatArray, s: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the profiled predictions (t, b) of the on and the off region.

    Both are roots of a quadratic with the same discriminant; each sign is written so that nothing cancels.
    """
    step = (1.0 + alpha) * s
    total = alpha * (n + m)
    plus, minus = total + step, total - step
    # The two forms of the discriminant are equal; only the one that adds does not cancel.
    root = np.sqrt(np.where(s >= 0, minus**2 + 4 * alpha * step * m, plus**2 - 4 * alpha * step * n))
    with np.errstate(divide="ignore", invalid="ignore"):
        on = np.where(plus >= 0, (plus + root) / (2 * (1 + alpha)), -2 * n * alpha * s / (root - plus))
        off = np.where(minus >= 0, (minus + root) / (2 * alpha * (1 + alpha)), 2 * m * s / (root - minus))
    return on, off


def _floats(*values: Array) -> list[FloatArray]:
    return [np.asarray(value, dtype=float) for value in values]


def wstat(n_on: Array, n_off: Array, alpha: Array, mu_sig: Array) -> FloatArray:
    """Return the statistic of on and off counts with a free background in each bin; NaN where alpha is 0.

    Parameters
    ----------
    n_on, n_off
        Counts of the on and the off region.
    alpha
        Ratio of the acceptances, on to off.
    mu_sig
        Predicted signal counts; any sign.

    Examples
    --------
    >>> wstat([0, 5, 5], 0, 0.1, [3, 0, 100]).round(5).tolist()
    [6.0, 23.97895, 160.04268]
    """
    n, m, a, s = _floats(n_on, n_off, alpha, mu_sig)
    on, off = _means(n, m, a, s)
    return np.asarray(np.where(a > 0, 2.0 * (scipy.special.kl_div(n, on) + scipy.special.kl_div(m, off)), np.nan))


def wstat_background(n_on: Array, n_off: Array, alpha: Array, mu_sig: Array) -> FloatArray:
    """Return the profiled background ``b`` of the off region: ``alpha b`` is expected in the on region."""
    return _means(*_floats(n_on, n_off, alpha, mu_sig))[1]


def wstat_gradient(n_on: Array, n_off: Array, alpha: Array, mu_sig: Array) -> FloatArray:
    """Return d wstat / d mu_sig; at the kink of a bin without any counts the derivative from above."""
    n, m, a, s = _floats(n_on, n_off, alpha, mu_sig)
    on, off = _means(n, m, a, s)
    with np.errstate(divide="ignore", invalid="ignore"):
        at_edge = np.where(off > 0, 2.0 * (m / off - 1.0) / a, 2.0)
        inside = 2.0 * (1.0 - n / on)
    return np.asarray(np.where(on > 0, inside, at_edge))


def wstat_curvature(n_on: Array, n_off: Array, alpha: Array, mu_sig: Array) -> FloatArray:
    """Return the second derivative of wstat in mu_sig: the two Poisson variances in series."""
    n, m, a, s = _floats(n_on, n_off, alpha, mu_sig)
    on, off = _means(n, m, a, s)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = np.where(on > 0, on**2 / n, 0.0) + np.where(off > 0, (a * off) ** 2 / m, 0.0)
        return np.asarray(np.where(n + m > 0, 2.0 / variance, 0.0))


def wstat_information(n_on: Array, n_off: Array, alpha: Array, mu_sig: Array) -> FloatArray:
    """Return the second derivative of wstat in mu_sig that is expected for counts as the model predicts them."""
    a = np.asarray(alpha, dtype=float)
    on, off = _means(*_floats(n_on, n_off, alpha, mu_sig))
    return np.asarray(2.0 / np.maximum(on + a**2 * off, FLOOR))


def chi2(value: Array, model: Array, error: Array) -> FloatArray:
    """Return ``((value - model) / error)**2``."""
    values, models, errors = _floats(value, model, error)
    return np.asarray(((values - models) / errors) ** 2)


def wstat_sqrt_ts(n_on: Array, n_off: Array, alpha: Array) -> FloatArray:
    """Return the significance of an on-off measurement with the sign of its excess (Li & Ma 1983, equation 17).

    Off counts of 0 are a measurement as any other; NaN where alpha is 0.

    >>> wstat_sqrt_ts([10, 2, 1], [20, 40, 0], 0.1).round(4).tolist()
    [3.685, -1.0654, 2.1899]
    """
    n, m, a = _floats(n_on, n_off, alpha)
    with np.errstate(divide="ignore", invalid="ignore"):
        # Without a signal both predictions are shares of the sum, whose first-order terms cancel.
        off = (n + m) / (1.0 + a)
        ts = 2.0 * (_times_log(n, a * off) + _times_log(m, off))
        significance = np.copysign(np.sqrt(np.maximum(ts, 0.0)), n - a * m)
    return np.asarray(np.where(a > 0, significance, np.nan))


def cash_sqrt_ts(n_on: Array, mu_bkg: Array) -> FloatArray:
    """Return the significance of counts over a known background, with the sign of the excess."""
    n, background = _floats(n_on, mu_bkg)
    excess = n - background
    ts = 2.0 * (_times_log(n, np.maximum(background, FLOOR)) - excess)
    return np.asarray(np.copysign(np.sqrt(np.maximum(ts, 0.0)), excess))


def _times_log(n: FloatArray, mu: FloatArray) -> FloatArray:
    """Return ``n ln(n / mu)``, 0 without counts."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.asarray(n / mu)
        ratio[n == 0] = 1.0
        return np.asarray(n * np.log(ratio))


@dataclass(frozen=True)
class CashCounts:
    """Counts over a known background, arrays of one shape: the statistic as function of the signal alone."""

    counts: FloatArray
    background: FloatArray

    def stat(self, mu_sig: FloatArray) -> FloatArray:
        """Return cash of the signal over the background; a negative prediction counts as none."""
        return cash(self.counts, self.background + mu_sig)

    def gradient(self, mu_sig: FloatArray) -> FloatArray:
        """Return the derivative in the signal."""
        return cash_gradient(self.counts, self.background + mu_sig)

    def curvature(self, mu_sig: FloatArray) -> FloatArray:
        """Return the second derivative in the signal."""
        return cash_curvature(self.counts, self.background + mu_sig)

    def information(self, mu_sig: FloatArray) -> FloatArray:
        """Return the expectation of the second derivative for the predicted counts."""
        return 2.0 / np.maximum(self.background + mu_sig, FLOOR)

    def predicted_background(self, mu_sig: FloatArray) -> FloatArray:
        """Return the background counts."""
        return self.background + 0.0 * np.asarray(mu_sig, dtype=float)

    @property
    def best_signal(self) -> FloatArray:
        """The signal at the minimum of each bin."""
        return self.counts - self.background

    @property
    def least_signal(self) -> FloatArray:
        """The signal below which a prediction turns negative in a bin with counts; -inf in the others."""
        return np.where(self.counts > 0, -self.background, -np.inf)

    @property
    def counts_error(self) -> FloatArray:
        """The Gaussian error of the excess."""
        return np.sqrt(self.counts)


@dataclass(frozen=True)
class JoinedCounts(CashCounts):
    """Counts over a known background in bins some of which are joined; ``apart`` makes of cash that of all bins."""

    apart: FloatArray

    def stat(self, mu_sig: FloatArray) -> FloatArray:
        """Return cash, by the logarithm that is quicker where nothing is 0."""
        mean = np.maximum(self.background + mu_sig, FLOOR)
        return np.asarray(2.0 * (mean - self.counts * np.log(mean)) + self.apart)

    def information(self, mu_sig: FloatArray) -> FloatArray:
        """Return the second derivative, which is the same on average."""
        return self.curvature(mu_sig)


@dataclass(frozen=True)
class WstatCounts:
    """On and off counts, arrays of one shape: the statistic as function of the signal alone."""

    counts: FloatArray
    counts_off: FloatArray
    alpha: FloatArray

    def stat(self, mu_sig: FloatArray) -> FloatArray:
        """Return wstat, 0 where alpha is 0 or unknown."""
        return np.where(self.alpha > 0, wstat(self.counts, self.counts_off, self.alpha, mu_sig), 0.0)

    def gradient(self, mu_sig: FloatArray) -> FloatArray:
        """Return the derivative in the signal, 0 where alpha is 0 or unknown."""
        slope = wstat_gradient(self.counts, self.counts_off, self.alpha, mu_sig)
        return np.where(self.alpha > 0, slope, 0.0)

    def curvature(self, mu_sig: FloatArray) -> FloatArray:
        """Return the second derivative in the signal, 0 where alpha is 0 or unknown."""
        curvature = wstat_curvature(self.counts, self.counts_off, self.alpha, mu_sig)
        return np.where(self.alpha > 0, curvature, 0.0)

    def information(self, mu_sig: FloatArray) -> FloatArray:
        """Return the expectation of the second derivative for the predicted counts, 0 where alpha is 0 or unknown."""
        information = wstat_information(self.counts, self.counts_off, self.alpha, mu_sig)
        return np.where(self.alpha > 0, information, 0.0)

    def predicted_background(self, mu_sig: FloatArray) -> FloatArray:
        """Return the profiled background of the on region, 0 where alpha is 0 or unknown."""
        background = self.alpha * wstat_background(self.counts, self.counts_off, self.alpha, mu_sig)
        return np.where(self.alpha > 0, background, 0.0)

    @property
    def best_signal(self) -> FloatArray:
        """The signal at the minimum of each bin; NaN where alpha is 0 or unknown."""
        return np.where(self.alpha > 0, self.counts - self.alpha * self.counts_off, np.nan)

    @property
    def least_signal(self) -> FloatArray:
        """Minus infinity: the profiled background follows any negative signal."""
        return np.full(self.counts.shape, -np.inf)

    @property
    def counts_error(self) -> FloatArray:
        """The Gaussian error of the excess."""
        return np.sqrt(self.counts + self.alpha**2 * self.counts_off)


Counts: TypeAlias = CashCounts | WstatCounts


@dataclass(frozen=True)
class MeasuredValues:
    """Values with Gaussian errors, arrays of one shape: chi2 as function of the prediction."""

    values: FloatArray
    errors: FloatArray

    def stat(self, model: FloatArray) -> FloatArray:
        """Return chi2 of each value."""
        return chi2(self.values, model, self.errors)

    def gradient(self, model: FloatArray) -> FloatArray:
        """Return the derivative in the prediction."""
        return np.asarray(-2.0 * (self.values - model) / self.errors**2)

    def curvature(self, model: FloatArray) -> FloatArray:
        """Return the second derivative in the prediction."""
        return np.asarray(2.0 / self.errors**2 + 0.0 * np.asarray(model))

    def information(self, model: FloatArray) -> FloatArray:
        """Return the second derivative in the prediction."""
        return self.curvature(model)


def select_bins(data: Any, bins: npt.NDArray[Any] | slice) -> Any:
    """Return ``CashCounts`` or ``WstatCounts`` of the chosen bins; what holds more than its bins knows how itself."""
    if hasattr(data, "select"):
        return data.select(bins)
    return type(data)(*(getattr(data, field.name)[bins] for field in fields(data)))


def joined_bins(data: Sequence[Any]) -> Any:
    """Return the bins of several ``CashCounts``, or of several of another kind, as one."""
    if hasattr(data[0], "joined"):
        return data[0].joined(data)
    return type(data[0])(*(np.concatenate([getattr(one, field.name) for one in data]) for field in fields(data[0])))


def on_off_counts(n_on: Array, n_off: Array, alpha: Array) -> WstatCounts:
    """Return broadcast float arrays as ``WstatCounts``."""
    return WstatCounts(*np.broadcast_arrays(*_floats(n_on, n_off, alpha)))


def known_counts(n_on: Array, mu_bkg: Array) -> CashCounts:
    """Return broadcast float arrays as ``CashCounts``."""
    return CashCounts(*np.broadcast_arrays(*_floats(n_on, mu_bkg)))


def counts_errn(data: Counts, n_sigma: float = 1.0) -> FloatArray:
    """Return how far the excess of each bin reaches down until the statistic has risen by ``n_sigma**2``.

    >>> counts_errn(known_counts([0, 16], 0.0)).round(4).tolist()
    [0.0, 3.6738]
    """
    return data.best_signal - _counts_crossing(data, n_sigma, -1)


def counts_errp(data: Counts, n_sigma: float = 1.0) -> FloatArray:
    """Return how far the excess of each bin reaches up until the statistic has risen by ``n_sigma**2``."""
    return _counts_crossing(data, n_sigma, +1) - data.best_signal


def counts_ul(data: Counts, n_sigma: float = 2.0) -> FloatArray:
    """Return the upper limit on the signal of each bin: where the statistic has risen by ``n_sigma**2``.

    >>> counts_ul(on_off_counts([0, 5], [0, 40], 0.1)).round(4).tolist()
    [2.0, 6.9978]
    """
    return _counts_crossing(data, n_sigma, +1)


def distinct_counts(counts: FloatArray) -> tuple[FloatArray, npt.NDArray[np.intp]]:
    """Return numbers of which each of some counts is one, and which; an image has many pixels and few of them.

    What follows from the counts alone, as the errors of an excess over a known background, is found once for each.
    """
    most = counts.max(initial=0.0)
    if most < counts.size and counts.min(initial=0.0) >= 0:
        number = counts.astype(np.intp)
        if np.array_equal(number, counts):
            return np.arange(most + 1.0), number
    distinct, inverse = np.unique(counts, return_inverse=True)
    return distinct, inverse.reshape(counts.shape)


def _counts_crossing(data: Counts, n_sigma: float, side: int) -> FloatArray:
    best = data.best_signal
    # A bin with a known background and no counts has nothing below its minimum.
    least = np.where(data.curvature(best) > 0, data.least_signal, best) if isinstance(data, CashCounts) else -np.inf

    def statistic(signal: FloatArray) -> tuple[FloatArray, FloatArray]:
        return data.stat(signal), data.gradient(signal)

    limit = np.broadcast_to(least, best.shape) if side < 0 else np.full(best.shape, np.inf)
    return crossing(statistic, best, data.stat(best) + n_sigma**2, n_sigma * (data.counts_error + 1.0), side, limit)


def crossing(
    statistic: Function, minimum: FloatArray, level: FloatArray, width: FloatArray, side: int, limit: FloatArray
) -> FloatArray:
    """Return where convex functions reach ``level`` on one side of their minima; many at once.

    Parameters
    ----------
    statistic
        Positions to (values, slopes), arrays of the shape of ``minimum``.
    minimum, level
        The minima of the functions, and the values to reach, above those at the minima.
    width
        A first guess of the distance, above 0.
    side
        +1 above, -1 below the minimum.
    limit
        The last position allowed (infinite for none): returned where the level is not reached before it.
    """

    def rise(distance: FloatArray) -> tuple[FloatArray, FloatArray]:
        value, slope = statistic(minimum + side * distance)
        return value - level, side * slope

    reach = side * (limit - minimum)
    with np.errstate(divide="ignore", invalid="ignore"):
        near = np.minimum(width, 0.5 * reach)
        value, slope = rise(near)
        # A Newton step from inside a convex function ends outside: a bracket without a search.
        far = np.minimum(np.where(value >= 0, near, np.where(slope > 0, near - value / slope, np.inf)), reach)
        is_limited = (far >= reach) & ~(rise(np.where(np.isfinite(far), far, 0.0))[0] > 0)
        distance = bracketed_root(rise, np.zeros_like(far), far, np.where(far < reach, far, near))
    return np.where(is_limited, limit, minimum + side * distance)


def bracketed_root(function: Function, low: FloatArray, high: FloatArray, start: FloatArray) -> FloatArray:
    """Return the roots of increasing functions, many at once: Newton steps kept inside a shrinking bracket.

    Where a function jumps over zero the position of the jump is returned; NaN where a bracket is not finite.
    """
    low, high = np.array(low, dtype=float), np.array(high, dtype=float)
    span, position = high - low, np.clip(start, low, high)
    settled = ~np.isfinite(span)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for iteration in range(ITERATIONS):
            value, slope = function(position)
            low, high = np.where(value <= 0, position, low), np.where(value >= 0, position, high)
            newton = position - value / slope
            is_inside = (newton >= low) & (newton <= high)
            scale = span + np.abs(position)
            converged = is_inside & (np.abs(newton - position) <= NEWTON_TOLERANCE * scale)
            use_newton = is_inside & (converged | (iteration < NEWTON_ITERATIONS))
            following = np.where(use_newton, newton, 0.5 * (low + high))
            position = np.where(settled, position, following)
            settled = settled | converged | (high - low <= BISECTION_TOLERANCE * scale)
            if settled.all():
                break
    return np.where(np.isfinite(span), position, np.nan)

"""On and off counts whose ratio of acceptances is known to a share: one factor for all bins of a set, profiled.

Alpha of a set is ``alpha exp(share theta)``, with theta from a Gaussian of width 1, so that ``theta**2`` is added to
wstat. Its best value is the root of ``theta = share sum(b - n_off)`` over the bins of the set, where ``b`` is the
profiled expectation of the off region. Sources: Dickinson & Conrad 2013 (Astropart. Phys. 41, 17), one scale of alpha
for a data set; Spengler 2015 (Astropart. Phys. 67, 70), systematic errors of alpha.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from xgamma.axes import BoolArray, FloatArray, IntArray
from xgamma.stats import (
    WstatCounts,
    bracketed_root,
    wstat,
    wstat_background,
    wstat_curvature,
    wstat_gradient,
    wstat_information,
)

# Alpha changes by no more than so many powers of e.
LARGEST = 30.0
# The best signal of a bin is looked for within so many errors of alpha.
REACH = 10.0


@dataclass(frozen=True)
class Bent:
    """Second derivatives of a statistic in the signals: a diagonal, less one outer product for each set.

    Parameters
    ----------
    diagonal, mixed
        Shape (bin,).
    width
        What the outer product of ``mixed`` in a set is divided by, shape (set,).
    number
        The set of each bin.
    """

    diagonal: FloatArray
    mixed: FloatArray
    width: FloatArray
    number: IntArray

    def between(self, rows: FloatArray) -> FloatArray:
        """Return the second derivatives along directions of signals, shape (row, bin), as a matrix (row, row)."""
        sums = np.stack([np.bincount(self.number, row * self.mixed, len(self.width)) for row in rows])
        return np.asarray((rows * self.diagonal) @ rows.T - (sums / self.width) @ sums.T)

    def along(self, direction: FloatArray) -> FloatArray:
        """Return what each bin adds to the second derivative along one direction, shape (bin,)."""
        shift = direction * self.mixed
        sums = np.bincount(self.number, shift, len(self.width))
        return np.asarray(self.diagonal * direction**2 - shift * (sums / self.width)[self.number])


@dataclass(frozen=True)
class ScaledCounts:
    """On and off counts as function of the signal alone, with the factors of alpha profiled; arrays of one shape.

    Parameters
    ----------
    counts, counts_off, alpha
        As ``WstatCounts``.
    share
        The relative error of alpha, above 0 and the same for all bins of a set.
    sets
        Numbers: bins of one number share their factor.
    """

    counts: FloatArray
    counts_off: FloatArray
    alpha: FloatArray
    share: FloatArray
    sets: IntArray
    _last: list[tuple[bytes, FloatArray]] = field(default_factory=list, init=False, repr=False, compare=False)
    _number: IntArray = field(init=False, repr=False, compare=False)
    _first: IntArray = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _, first, number = np.unique(self.sets, return_index=True, return_inverse=True)
        object.__setattr__(self, "_number", number.ravel())
        object.__setattr__(self, "_first", first)

    # --- as a container of bins

    def select(self, bins: BoolArray) -> ScaledCounts:
        """Return some bins."""
        values = self.counts[bins], self.counts_off[bins], self.alpha[bins], self.share[bins]
        return ScaledCounts(*values, self.sets[bins])

    def divided(self, group: IntArray) -> ScaledCounts:
        """Return the same bins, of which those of different groups share no factor."""
        return replace(self, sets=self._number * (int(group.max(initial=0)) + 1) + group)

    @classmethod
    def joined(cls, parts: Sequence[ScaledCounts]) -> ScaledCounts:
        """Return the bins of several, whose sets stay apart."""
        counts, off, alpha, share = (
            np.concatenate([getattr(one, name) for one in parts]) for name in ("counts", "counts_off", "alpha", "share")
        )
        starts = np.cumsum([0, *(len(one._first) for one in parts)])
        sets = np.concatenate([one._number + start for one, start in zip(parts, starts, strict=False)])
        return cls(counts, off, alpha, share, sets)

    # --- the factors

    @property
    def plain(self) -> WstatCounts:
        """The counts with alpha as it is given."""
        return WstatCounts(self.counts, self.counts_off, self.alpha)

    def theta(self, mu_sig: FloatArray) -> FloatArray:
        """Return by how many errors the logarithm of alpha of each set moves, shape (set,)."""
        signal = np.broadcast_to(np.asarray(mu_sig, dtype=float), self.counts.shape)
        point = signal.tobytes()
        if not self._last or self._last[-1][0] != point:
            start = self._last[-1][1] if self._last else np.zeros(len(self._first))
            self._last[:] = [(point, self._profiled(signal, start))]
        return self._last[-1][1]

    def _profiled(self, signal: FloatArray, start: FloatArray) -> FloatArray:
        share, known = self.share[self._first], self.alpha > 0
        end = LARGEST / np.maximum(share, 1e-12)
        with np.errstate(divide="ignore", invalid="ignore"):
            most = 2 * (self.counts + self.counts_off) + 2 * np.abs(np.minimum(signal, 0.0)) / self.alpha
        low = np.maximum(-share * self._sum(np.where(known, self.counts_off, 0.0)) - 1.0, -end)
        high = np.minimum(share * self._sum(np.where(known, most, 0.0)) + 1.0, end)

        def slope(theta: FloatArray) -> tuple[FloatArray, FloatArray]:
            alpha = self._alpha(theta)
            off = wstat_background(self.counts, self.counts_off, alpha, signal)
            value = theta + share * self._sum(np.where(known, self.counts_off - off, 0.0))
            bend = self._second(signal, alpha, off)[2]
            return value, 1.0 + 0.5 * self._sum(bend)

        return bracketed_root(slope, low, high, np.clip(start, low, high))

    def _sum(self, values: FloatArray) -> FloatArray:
        return np.asarray(np.bincount(self._number, values, len(self._first)), dtype=float)

    def _alpha(self, theta: FloatArray) -> FloatArray:
        return np.asarray(self.alpha * np.exp(self.share * theta[self._number]))

    def _second(
        self, signal: FloatArray, alpha: FloatArray, off: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the second derivatives of each bin in (signal, signal), (signal, theta) and (theta, theta)."""
        n, m, share = self.counts, self.counts_off, self.share
        on, known = signal + alpha * off, (alpha > 0) & (off > 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where((n > 0) & (on > 0), n / on, 0.0)
            weight = np.where(on > 0, ratio / on, 0.0)
            moved = share * alpha * off
            mixed_off = share * alpha * (1 - ratio) + alpha * moved * weight
            own = np.where(m > 0, m / off**2, 0.0) + alpha**2 * weight
            mixed = 2 * (moved * weight - alpha * weight * mixed_off / own)
            alone = 2 * (share * moved * (1 - ratio) + moved**2 * weight - mixed_off**2 / own)
        # Without counts and with a signal below 0 the background is what makes the prediction 0.
        at_end = known & (n == 0) & (signal + alpha * m / (1 + alpha) <= 0)
        with np.errstate(divide="ignore"):
            mixed = np.where(at_end, 2 * share / alpha, mixed)
        alone = np.where(at_end, 2 * share**2 * off, alone)
        usable = at_end | (known & (own > 0))
        diagonal = np.where(self.alpha > 0, wstat_curvature(n, m, np.where(alpha > 0, alpha, 1.0), signal), 0.0)
        return diagonal, np.where(usable, mixed, 0.0), np.where(usable, alone, 0.0)

    # --- the statistic

    def data_stat(self, mu_sig: FloatArray) -> FloatArray:
        """Return wstat of each bin with the profiled alpha, without the penalty."""
        alpha = self._alpha(self.theta(mu_sig))
        return np.where(self.alpha > 0, wstat(self.counts, self.counts_off, alpha, mu_sig), 0.0)

    def penalty(self, mu_sig: FloatArray) -> FloatArray:
        """Return the penalty of each set, shape (set,)."""
        return np.asarray(self.theta(mu_sig) ** 2)

    def stat(self, mu_sig: FloatArray) -> FloatArray:
        """Return the statistic of each bin with an equal part of the penalty of its set."""
        spread = self.penalty(mu_sig) / np.bincount(self._number, minlength=len(self._first))
        return self.data_stat(mu_sig) + spread[self._number]

    def gradient(self, mu_sig: FloatArray) -> FloatArray:
        """Return the derivatives of the sum in the signals, which are those at fixed factors."""
        slope = wstat_gradient(self.counts, self.counts_off, self._alpha(self.theta(mu_sig)), mu_sig)
        return np.where(self.alpha > 0, slope, 0.0)

    def bent(self, mu_sig: FloatArray) -> Bent:
        """Return the second derivatives of the sum in the signals."""
        alpha = self._alpha(self.theta(mu_sig))
        off = wstat_background(self.counts, self.counts_off, alpha, mu_sig)
        diagonal, mixed, alone = self._second(np.asarray(mu_sig, dtype=float), alpha, off)
        return Bent(diagonal, mixed, 2.0 + self._sum(alone), self._number)

    def expected(self, mu_sig: FloatArray) -> Bent:
        """Return the second derivatives of the sum that are expected for counts as the model predicts them."""
        alpha = self._alpha(self.theta(mu_sig))
        off = wstat_background(self.counts, self.counts_off, alpha, mu_sig)
        information = wstat_information(self.counts, self.counts_off, alpha, mu_sig)
        diagonal = np.where(self.alpha > 0, information, 0.0)
        moved = np.where(self.alpha > 0, self.share * alpha * off, 0.0)
        return Bent(diagonal, moved * diagonal, 2.0 + self._sum(moved**2 * diagonal), self._number)

    # --- as the other counts

    def predicted_background(self, mu_sig: FloatArray) -> FloatArray:
        """Return the profiled background of the on region, 0 where alpha is 0 or unknown."""
        alpha = self._alpha(self.theta(mu_sig))
        background = alpha * wstat_background(self.counts, self.counts_off, alpha, mu_sig)
        return np.where(self.alpha > 0, background, 0.0)

    @property
    def best_signals(self) -> tuple[FloatArray, FloatArray]:
        """The signals at the minimum of each bin with the largest and with the smallest alpha that is thought of."""
        reach = np.minimum(REACH * self.share, LARGEST)
        sides = (self.counts - self.alpha * np.exp(side * reach) * self.counts_off for side in (1, -1))
        low, high = (np.where(self.alpha > 0, side, np.nan) for side in sides)
        return low, high

    @property
    def least_signal(self) -> FloatArray:
        """Minus infinity: the profiled background follows any negative signal."""
        return np.full(self.counts.shape, -np.inf)

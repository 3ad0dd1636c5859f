"""The likelihood of a norm: ``npred = norm * reference + other`` in groups of bins, all groups at once.

Flux points need no model evaluation: minima, errors, limits and scans are calls of one convex function of one number
for each group, whose derivatives are known. Minima and crossings are exact roots.
Source of errors and limits: Rolke, Lopez & Conrad 2005 (NIM A 551, 493), the profile likelihood.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from xgamma.axes import BoolArray, FloatArray, IntArray
from xgamma.nuisance import ScaledCounts
from xgamma.stats import Counts, bracketed_root, crossing, joined_bins, select_bins

BINS = 8192
"""How many bins are evaluated at a time: longer temporary arrays get new memory each time, which takes longer."""
WIDE, WIDER = 1e4, 8.0
"""How many errors wide a bracket is narrowed, and by which factor it grows while it is looked for."""
SMOOTH = 0.1
"""The slope, in units of one Gaussian error, above which a minimum is a kink or a limit."""


@dataclass(frozen=True)
class NormTerm:
    """Bins of one statistic.

    Parameters
    ----------
    data
        Counts of the bins.
    group
        The group of each bin, shape (bin,).
    reference, other
        Predicted signal of the source for norm 1, and of everything else, shape (bin,).
    dataset
        The number of the dataset of each bin, shape (bin,).
    """

    data: Counts | ScaledCounts
    group: IntArray
    reference: FloatArray
    other: FloatArray
    dataset: IntArray

    def signal(self, norm: FloatArray) -> FloatArray:
        """Return the predicted signal of each bin for the norm of its group."""
        return norm[self.group] * self.reference + self.other

    @property
    def bests(self) -> tuple[FloatArray, ...]:
        """Signals between which the best one of each bin lies, NaN of one that says nothing."""
        return self.data.best_signals if isinstance(self.data, ScaledCounts) else (self.data.best_signal,)

    def curvature(self, signal: FloatArray) -> FloatArray:
        """Return what each bin adds to the second derivative in the norm."""
        if isinstance(self.data, ScaledCounts):
            return self.data.bent(signal).along(self.reference)
        return self.data.curvature(signal) * self.reference**2

    @classmethod
    def joined(cls, terms: Sequence[NormTerm]) -> NormTerm:
        """Return the bins of terms of one statistic."""
        if len(terms) == 1:
            return terms[0]
        columns = (
            np.concatenate([getattr(one, name) for one in terms]) for name in ("group", "reference", "other", "dataset")
        )
        return cls(joined_bins([one.data for one in terms]), *columns)

    def pieces(self) -> list[NormTerm]:
        """Return the same bins as terms of ``BINS`` at the most; those that share factors of alpha stay together."""
        if isinstance(self.data, ScaledCounts):
            return [self]
        return [self.select(slice(first, first + BINS)) for first in range(0, len(self.group), BINS)]

    def select(self, bins: BoolArray | slice) -> NormTerm:
        """Return some of the bins."""
        return NormTerm(
            select_bins(self.data, bins),
            self.group[bins],
            self.reference[bins],
            self.other[bins],
            self.dataset[bins],
        )


class _Terms:
    """Terms in pieces that are evaluated one after the other, and the sums of their bins in groups."""

    def __init__(self, terms: Sequence[NormTerm], size: int) -> None:
        self._pieces = [piece for term in terms for piece in term.pieces()]
        self._group = np.concatenate([np.zeros(0, dtype=np.int64), *(piece.group for piece in self._pieces)])
        self._size = size

    def __iter__(self) -> Iterator[NormTerm]:
        return iter(self._pieces)

    def sum(self, values: Sequence[FloatArray]) -> FloatArray:
        """Return the sum in each group, shape (group,), of values of the bins of each piece."""
        return np.asarray(np.bincount(self._group, np.concatenate([np.zeros(0), *values]), self._size), dtype=float)


@dataclass(frozen=True)
class NormProfile:
    """Statistic, minimum, errors, limits and scans of the norm of every group; arrays have shape (group,).

    Parameters
    ----------
    terms
        Every bin once; a group may have bins in several terms.
    size
        The number of groups.
    low, high
        Limits of the norm, infinite for none.
    """

    terms: Sequence[NormTerm]
    size: int
    low: float = -np.inf
    high: float = np.inf
    _every: _Terms = field(init=False, repr=False)
    _active: _Terms = field(init=False, repr=False)
    _seeing: _Terms = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "terms", [_apart(term) for term in self.terms])
        # A bin that does not see the source, or whose statistic does not know its background, says nothing on the norm,
        # but for one whose factor of alpha is that of others.
        seeing = [term.select((term.reference != 0) & np.isfinite(term.bests[0])) for term in self.terms]
        active = [
            whole if isinstance(whole.data, ScaledCounts) else own
            for whole, own in zip(self.terms, seeing, strict=True)
        ]
        for name, terms in (("_every", self.terms), ("_active", active), ("_seeing", seeing)):
            object.__setattr__(self, name, _Terms(terms, self.size))

    def stat(self, norm: FloatArray) -> FloatArray:
        """Return the statistic of each group."""
        return self._every.sum([term.data.stat(term.signal(norm)) for term in self._every])

    def _stat_and_slope(self, norm: FloatArray) -> tuple[FloatArray, FloatArray]:
        signals = [term.signal(norm) for term in self._active]
        pairs = list(zip(self._active, signals, strict=True))
        stats = [term.data.stat(signal) for term, signal in pairs]
        slopes = [term.data.gradient(signal) * term.reference for term, signal in pairs]
        return self._active.sum(stats), self._active.sum(slopes)

    def _slope_and_curvature(self, norm: FloatArray) -> tuple[FloatArray, FloatArray]:
        signals = [term.signal(norm) for term in self._active]
        pairs = list(zip(self._active, signals, strict=True))
        slopes = [term.data.gradient(signal) * term.reference for term, signal in pairs]
        curvatures = [term.curvature(signal) for term, signal in pairs]
        return self._active.sum(slopes), self._active.sum(curvatures)

    @property
    def is_constrained(self) -> BoolArray:
        """Whether a group has a bin that sees the source."""
        return self._seeing.sum([np.ones(term.group.shape) for term in self._seeing]) > 0

    def _extreme(self, values: Sequence[Sequence[FloatArray]], largest: bool) -> FloatArray:
        result = np.full(self.size, -np.inf if largest else np.inf)
        for term, sides in zip(self._seeing, values, strict=True):
            for value in sides:
                (np.maximum if largest else np.minimum).at(result, term.group, value)
        return result

    def minimum(self) -> FloatArray:
        """Return the best norm of each group, inside the limits; NaN where nothing constrains it."""
        # Each bin alone is convex with a known minimum, so that the minimum of the sum lies between them.
        alone = [[(best - term.other) / term.reference for best in term.bests] for term in self._seeing]
        least, largest = self._extreme(alone, largest=False), self._extreme(alone, largest=True)
        low, high = np.clip(least, self.low, self.high), np.clip(largest, self.low, self.high)
        start = np.where(np.isfinite(low), np.clip(1.0, low, high), 0.0)
        low, high = self._narrowed(low, high, start)
        norm = bracketed_root(self._slope_and_curvature, low, high, start)
        return np.where(self.is_constrained, norm, np.nan)

    def _narrowed(self, low: FloatArray, high: FloatArray, start: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return brackets about the same minima that are not much wider than errors.

        Far from a source in a map bins see so little of it that a count in them alone would stand for any norm.
        """
        slope, curvature = self._slope_and_curvature(start)
        with np.errstate(divide="ignore", invalid="ignore"):
            step = np.sqrt(2.0 / curvature)
        step = np.where(np.isfinite(step) & (step > 0), step, np.maximum(np.abs(start), 1.0))
        is_wide = np.isfinite(high - low) & (high - low > WIDE * step)
        side = np.where(slope > 0, -1.0, 1.0)
        reach = np.where(side > 0, high - start, start - low)
        near, far, is_open = np.zeros_like(start), np.minimum(step, reach), is_wide
        while is_open.any():
            slope, _ = self._slope_and_curvature(start + side * np.where(is_open, far, 0.0))
            is_open = is_open & (slope * side < 0) & (far < reach)
            near, far = np.where(is_open, far, near), np.where(is_open, np.minimum(WIDER * far, reach), far)
        ends = start + side * near, start + side * far
        return np.where(is_wide, np.minimum(*ends), low), np.where(is_wide, np.maximum(*ends), high)

    def error(self, norm: FloatArray) -> FloatArray:
        """Return the Gaussian error from the curvature at the minimum.

        Where the statistic is no parabola there (no counts, a limit) it is the distance at which it has risen by 1, on
        the side where that is farther.
        """
        slope, curvature = self._slope_and_curvature(norm)
        with np.errstate(divide="ignore", invalid="ignore"):
            gauss = np.sqrt(2.0 / curvature)
            is_parabola = np.isfinite(gauss) & (np.abs(slope) * gauss < SMOOTH)
        if not (is_parabola | ~self.is_constrained).all():
            up, down = self.crossing(norm, 1.0, +1) - norm, norm - self.crossing(norm, 1.0, -1)
            gauss = np.where(is_parabola, gauss, np.maximum(up, down))
        return np.where(self.is_constrained, gauss, np.nan)

    def crossing(self, norm: FloatArray, n_sigma: float, side: int) -> FloatArray:
        """Return the norm above (+1) or below (-1) ``norm`` where the statistic is larger by ``n_sigma**2``.

        ``norm`` is the minimum, or beyond it on that side. Where a limit, or predictions of less than no counts,
        come before the crossing, the last norm allowed is returned.
        """
        total = self._stat_and_slope(norm)[0]
        curvature = self._slope_and_curvature(norm)[1]
        with np.errstate(divide="ignore", invalid="ignore"):
            gauss = np.sqrt(2.0 / curvature)
            one_count = 1.0 / self._active.sum([np.abs(term.reference) for term in self._active])
        width = n_sigma * np.where(np.isfinite(gauss) & (curvature > 0), gauss, one_count)
        limit = self._last_allowed(norm, side)
        found = crossing(self._stat_and_slope, norm, total + n_sigma**2, width, side, limit)
        return np.where(self.is_constrained, found, np.nan)

    def _last_allowed(self, norm: FloatArray, side: int) -> FloatArray:
        bounds = []
        for term in self._seeing:
            with np.errstate(invalid="ignore"):
                bound = (term.data.least_signal - term.other) / term.reference
            bounds.append([np.where(np.sign(term.reference) == -side, bound, side * np.inf)])
        limit = self._extreme(bounds, largest=side < 0)
        limit = np.maximum(limit, self.low) if side < 0 else np.minimum(limit, self.high)
        return np.where(self._falls_away(norm, side), norm, limit)

    def _falls_away(self, norm: FloatArray, side: int) -> BoolArray:
        """Whether nothing is predicted any more on this side, so that the statistic never rises again."""
        slope = self._slope_and_curvature(norm + side * (np.abs(norm) + 1.0) * 1e-6)[0]
        return np.asarray(slope * side == 0.0)

    def upper_limit(self, norm: FloatArray, n_sigma: float) -> FloatArray:
        """Return the norm above the minimum where the statistic is larger by ``n_sigma**2``.

        A strong deficit would put it below zero, which limits nothing: it is then counted from norm 0, the best norm
        of a source that only emits.
        """
        limit = self.crossing(norm, n_sigma, +1)
        is_negative = (limit <= 0) & (self.high > 0)
        if not is_negative.any():
            return limit
        return np.where(is_negative, self.crossing(np.maximum(norm, 0.0), n_sigma, +1), limit)

    def scan(self, norms: FloatArray) -> FloatArray:
        """Return the statistic of each group at every norm, shape (group, norm)."""
        return np.stack([self.stat(np.full(self.size, norm)) for norm in norms.tolist()], axis=1)


def _apart(term: NormTerm) -> NormTerm:
    """Return a term whose groups have factors of alpha of their own, as each is estimated by itself."""
    if not isinstance(term.data, ScaledCounts):
        return term
    return replace(term, data=term.data.divided(term.group))

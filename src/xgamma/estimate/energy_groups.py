"""Groups of reconstructed-energy bins for requested edges, and an honest account of what they hold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xgamma.axes import Axis, BoolArray, FloatArray, IntArray
from xgamma.errors import ConfigError, listed

MOVED_TOLERANCE = 1e-6
SHOWN = 8
"""How many bins of one kind a warning names."""


@dataclass(frozen=True)
class EnergyGroups:
    """Groups of bins of one axis.

    Parameters
    ----------
    axis
        The axis of the datasets.
    asked
        The bounds asked for of each group, TeV, shape (group, 2).
    first, last
        The bins of each group, ``last`` excluded, shape (group,); equal where the group lies outside the axis.
    narrow
        The bounds asked for that hold no bin of the axis, though they touch it, shape (any, 2): they are no groups.
    """

    axis: Axis
    asked: FloatArray
    first: IntArray
    last: IntArray
    narrow: FloatArray

    @classmethod
    def nearest(cls, axis: Axis, requested: FloatArray, where: str = "flux_points") -> EnergyGroups:
        """Return the groups between the edges of the axis that are nearest to the edges asked for.

        Raises
        ------
        ConfigError
            When no bin asked for is as wide as a bin of the axis.
        """
        index = axis.nearest_edges(requested)
        asked = np.stack([requested[:-1], requested[1:]], axis=1)
        first, last = axis.edges[0] * (1 + MOVED_TOLERANCE), axis.edges[-1] * (1 - MOVED_TOLERANCE)
        is_outside = (asked[:, 1] <= first) | (asked[:, 0] >= last)
        kept = (index[1:] > index[:-1]) | is_outside
        if not kept.any():
            raise ConfigError(
                f"{where}: every bin asked for between {requested[0]:.4g} and {requested[-1]:.4g} TeV is narrower "
                f"than the datasets' bins; ask for fewer bins."
            )
        return cls(axis, asked[kept], index[:-1][kept], index[1:][kept], asked[~kept])

    @property
    def size(self) -> int:
        """The number of groups."""
        return len(self.first)

    @property
    def is_empty(self) -> BoolArray:
        """Whether a group lies outside the axis."""
        return np.asarray(self.last <= self.first)

    @property
    def bounds(self) -> FloatArray:
        """Lower and upper edge of each group, TeV, shape (group, 2); the edges asked for outside the axis."""
        own = np.stack([self.axis.edges[self.first], self.axis.edges[self.last]], axis=1)
        # An edge asked for that rounding puts inside the axis would let two rows overlap.
        below = np.minimum(self.asked, np.array([np.inf, self.axis.edges[0]]))
        above = np.maximum(self.asked, np.array([self.axis.edges[-1], -np.inf]))
        outside = np.where((self.first == 0)[:, np.newaxis], below, above)
        return np.where(self.is_empty[:, np.newaxis], outside, own)

    def spans(self) -> list[tuple[int, int]]:
        """Return the first bin and the one after the last of each group; an empty group spans none."""
        return [(int(first), max(int(first), int(last))) for first, last in zip(self.first, self.last, strict=True)]

    def span_of(self, used: BoolArray) -> tuple[FloatArray, FloatArray]:
        """Return the lowest and the highest edge of the bins used in each group, TeV; NaN where there is none."""
        pairs = np.full((self.size, 2), np.nan)
        for group, (first, last) in enumerate(self.spans()):
            bins = first + np.flatnonzero(used[first:last])
            if bins.size:
                pairs[group] = self.axis.edges[bins[0]], self.axis.edges[bins[-1] + 1]
        return pairs[:, 0], pairs[:, 1]

    def of_bin(self, energy: IntArray) -> IntArray:
        """Return the group of each bin of the axis, -1 for none."""
        table = np.full(self.axis.nbin, -1, dtype=np.int64)
        for group, (first, last) in enumerate(self.spans()):
            table[first:last] = group
        return table[energy]


def binning_report(groups: EnergyGroups, used: FloatArray, left_out: float) -> list[str]:
    """Return a sentence for each way in which the requested binning could not be honoured.

    ``used`` are the edges of the bins that entered, shape (group, 2); ``left_out`` the safe counts that did not.
    """
    asked, narrow = groups.asked, groups.narrow
    moved = ~groups.is_empty & ~np.isclose(groups.bounds, asked, rtol=MOVED_TOLERANCE, atol=0).all(axis=1)
    cut = ~groups.is_empty & ~np.isclose(used, groups.bounds, rtol=MOVED_TOLERANCE, atol=0).all(axis=1)
    return [
        sentence
        for sentence, holds in {
            f"narrower than the datasets' bins, left out: {_ranges(narrow)}": len(narrow) > 0,
            f"moved to the edges of the datasets: {_arrows(asked, groups.bounds, moved)}": moved.any(),
            f"outside the datasets' axis, left empty: {_ranges(asked[groups.is_empty])}": groups.is_empty.any(),
            f"cut by the fit range and the safe masks ({left_out:.0f} safe counts left out): "
            f"{_arrows(groups.bounds, used, cut)}": cut.any(),
        }.items()
        if holds
    ]  # fmt: skip


def _range(bounds: FloatArray) -> str:
    return f"{bounds[0]:.4g}-{bounds[1]:.4g}" if np.isfinite(bounds).all() else "nothing"


def _ranges(bounds: FloatArray) -> str:
    return listed([_range(pair) for pair in bounds], SHOWN)


def _arrows(before: FloatArray, after: FloatArray, chosen: BoolArray) -> str:
    pairs = zip(before[chosen], after[chosen], strict=True)
    return listed([f"{_range(old)} -> {_range(new)}" for old, new in pairs], SHOWN)

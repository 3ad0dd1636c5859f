"""The norm of a source at every pixel of an image, each by itself: minima, errors and limits of a Poisson likelihood.

With a kernel the source adds ``norm * kernel(bin - pixel) * reference(bin)`` to what is expected in a bin. Bins without
counts add to the statistic what is expected there, which is a convolution for all pixels at once; bins with counts are
few, and are looked at one by one. Source of the method: Stewart 2009 (A&A 495, 989), appendix A.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields

import numpy as np
import scipy

from xgamma.axes import BoolArray, FloatArray, IntArray

AT_ONCE = 200_000
"""How many pairs of a bin with counts and a pixel are looked at at once, so that they stay in the cache."""
CROWDED = 0.12
"""The share of bins with counts above which all bins of a plane are looked at, which is quicker for each."""
STRIP = 8192
"""How many pixels of a crowded plane are looked at at once, so that they stay in the cache."""
MOST = 0.5
"""The share of pixels above which it is not worth it to leave bins out."""
STEPS = 60
NEAR = 3e-3
"""The last step of a norm, in errors: what is left is of the order of its square."""
EDGE, FAR = 1e-9, 1e-3
"""How near to where a prediction turns negative a norm is looked for, as a share; the second in single precision."""
NEXT_TO_NOTHING = 0.98
"""Of that norm, from which on single precision is not enough."""
NOISE = 1e-12
"""Of a transform, as a share of its largest number."""


@dataclass(frozen=True)
class _Counts:
    """The bins with counts in the reach of some rows of pixels, sorted by row; arrays have the shape (bin,).

    Parameters
    ----------
    row, column
        Where a bin is in an image that is padded by the half of the kernel.
    energy
        Its plane.
    counts
        What was counted.
    ratio
        The reference over the background.
    """

    row: IntArray
    column: IntArray
    energy: IntArray
    counts: FloatArray
    ratio: FloatArray


@dataclass(frozen=True)
class Sums:
    """Sums over the bins with counts that a pixel sees, each at its norm, shape (y, x).

    Parameters
    ----------
    slope
        Of ``counts w / (1 + norm w)``, with ``w`` the source over the background.
    curvature
        Of ``counts (w / (1 + norm w))^2``.
    logarithm
        Of ``counts ln(1 + norm w)``.
    """

    slope: FloatArray
    curvature: FloatArray
    logarithm: FloatArray


@dataclass(frozen=True)
class PixelNorms:
    """The likelihood of the norm at every pixel of an image.

    Parameters
    ----------
    counts, background
        Of the bins, shape (energy, y, x).
    reference
        The counts of a source of norm 1 in every bin that its kernel is multiplied with, shape (energy, y, x).
    kernel
        The share of the source in the bins about a pixel, shape (energy, 2 half + 1, 2 half + 1).
    used
        The bins that count, shape (energy, y, x): those with a background above 0.
    """

    counts: FloatArray
    background: FloatArray
    reference: FloatArray
    kernel: FloatArray
    used: BoolArray
    _counted: _Counts = field(init=False, repr=False)
    _crowded: list[tuple[FloatArray, FloatArray, FloatArray]] = field(init=False, repr=False)
    expected: FloatArray = field(init=False, repr=False)
    low: FloatArray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        ratio = np.zeros(self.counts.shape)
        np.divide(self.reference, self.background, out=ratio, where=self.used)
        counting = (self.counts > 0) & self.used & (ratio > 0)
        crowded = np.flatnonzero(counting.mean(axis=(1, 2)) > CROWDED).tolist()
        counted_in = np.where(counting, self.counts, 0.0)
        planes = [
            (np.pad(counted_in[one], self.half), np.pad(ratio[one], self.half), self.kernel[one]) for one in crowded
        ]
        object.__setattr__(self, "_crowded", planes)
        counting[crowded] = False
        row, energy, column = np.nonzero(counting.transpose(1, 0, 2))
        counted = _Counts(
            row + self.half, column + self.half, energy, self.counts[energy, row, column], ratio[energy, row, column]
        )
        object.__setattr__(self, "_counted", counted)
        # What a source of norm 1 adds to all bins that it reaches.
        object.__setattr__(self, "expected", self._correlated(np.where(self.used, self.reference, 0.0), self.kernel))
        object.__setattr__(self, "low", self._lowest(ratio))

    @property
    def half(self) -> int:
        """How many pixels the kernel reaches to each side."""
        return int(self.kernel.shape[-1]) // 2

    @property
    def shape(self) -> tuple[int, int]:
        """The shape of the image."""
        return self.counts.shape[1], self.counts.shape[2]

    def _correlated(self, planes: FloatArray, kernel: FloatArray) -> FloatArray:
        """Return the sums over energies and bins of planes times the kernel about each pixel, shape (y, x)."""
        size = [scipy.fft.next_fast_len(length + self.half, real=True) for length in self.shape]
        product = np.zeros((size[0], size[1] // 2 + 1), dtype=complex)
        for plane, own in zip(planes, kernel, strict=True):
            # Reversed, as a pixel sums over bins about it.
            product += scipy.fft.rfft2(plane, size) * scipy.fft.rfft2(_about_zero(own[::-1, ::-1], size), size)
        sums = scipy.fft.irfft2(product, size)[: self.shape[0], : self.shape[1]]
        sums[sums < NOISE * sums.max(initial=0.0)] = 0.0
        return np.asarray(sums)

    def _lowest(self, ratio: FloatArray) -> FloatArray:
        """Return the norm at which a prediction turns negative at first, shape (y, x); -inf for none."""
        most = np.zeros(self.shape)
        ny, nx = self.shape
        for plane, own in zip(ratio, self.kernel, strict=True):
            padded = np.pad(plane, self.half)
            for v, u in np.argwhere(own > 0).tolist():
                np.maximum(most, own[v, u] * padded[v : v + ny, u : u + nx], out=most)
        with np.errstate(divide="ignore"):
            return -1.0 / most

    def in_square(self, values: FloatArray) -> FloatArray:
        """Return the sums of values over the used bins in the square of the kernel about each pixel, shape (y, x)."""
        total = np.where(self.used, values, 0.0).sum(axis=0)
        side = self.kernel.shape[-1]
        padded = np.pad(total, ((self.half + 1, self.half), (self.half + 1, self.half))).cumsum(axis=0).cumsum(axis=1)
        whole = padded[side:, side:] - padded[:-side, side:] - padded[side:, :-side] + padded[:-side, :-side]
        return np.asarray(np.maximum(whole, 0.0))

    # --- sums over bins with counts

    def sums_without_source(self) -> Sums:
        """Return the sums at norm 0, by transforms; the logarithms are 0."""
        near = np.zeros(self.counts.shape)
        np.divide(self.reference, self.background, out=near, where=self.used)
        slope = self._correlated(self.counts * near, self.kernel)
        curvature = self._correlated(self.counts * near**2, self.kernel**2)
        return Sums(slope, np.where(slope > 0, curvature, 0.0), np.zeros(self.shape))

    def _pairs(self, counted: _Counts) -> Iterator[tuple[slice, int, FloatArray]]:
        """Yield bins, a row of the kernel and its values for these bins, shape (bin, column of the kernel)."""
        side = self.kernel.shape[-1]
        by_row = np.ascontiguousarray(self.kernel.transpose(1, 0, 2))
        step = max(AT_ONCE // side, 1)
        for first in range(0, len(counted.row), step):
            some = slice(first, first + step)
            energies = counted.energy[some]
            for v in range(side):
                yield some, v, by_row[v][energies]

    def _seen_from(self, pixels: BoolArray) -> _Counts:
        """Return the bins with counts that some of the pixels see."""
        if pixels.mean() > MOST:
            return self._counted
        side, every = self.kernel.shape[-1], self._counted
        near = scipy.ndimage.grey_dilation(pixels, (side, side), mode="constant")
        chosen = near[every.row - self.half, every.column - self.half]
        return _Counts(*(getattr(every, one.name)[chosen] for one in fields(every)))

    def sums(self, norm: FloatArray, wanted: BoolArray, is_exact: bool = True, with_logarithm: bool = False) -> Sums:
        """Return the sums at a norm for each wanted pixel, shape (y, x); those of others may miss bins."""
        (ny, nx), side, counted = self.shape, self.kernel.shape[-1], self._seen_from(wanted)
        # Columns beyond the image are room for pixels that are none, and so are rows.
        width, room = nx + side - 1, side
        flat = np.zeros((ny + 2 * room, width))
        flat[room : room + ny, :nx] = norm
        norms = flat.ravel()
        found = [np.zeros(norms.size) for _ in range(3)]
        columns = np.arange(side)
        for some, v, shares in self._pairs(counted):
            row, ratio, counts = counted.row[some], counted.ratio[some], counted.counts[some]
            low = (int(row[0]) - v + room) * width if len(row) else 0
            place = ((row - v + room) * width + counted.column[some])[:, None] - columns
            near = shares * ratio[:, None]
            scaled = norms[place]
            scaled *= near
            scaled += 1.0
            if with_logarithm:
                added = np.log(scaled)
                added *= counts[:, None]
                _add(found[2], place, added, low - width)
            near /= scaled
            added = near * counts[:, None]
            _add(found[0], place, added, low - width)
            added *= near
            _add(found[1], place, added, low - width)
        inside = [one.reshape(-1, width)[room : room + ny, :nx] for one in found]
        for plane in self._crowded:
            _add_crowded(inside, plane, norm, wanted, float if is_exact else np.float32, with_logarithm)
        return Sums(*inside)


@dataclass(frozen=True)
class Minima:
    """The best norm of every pixel, shape (y, x) each; NaN where no used bin sees the source.

    Parameters
    ----------
    norm
        Not below where a prediction would turn negative.
    error
        From the curvature; without counts the norm at which the statistic has risen by 1.
    ts
        The statistic of norm 0 less that of this one.
    steps
        How many steps it took.
    """

    norm: FloatArray
    error: FloatArray
    ts: FloatArray
    steps: IntArray


def minima(pixels: PixelNorms) -> Minima:
    """Return the best norms: the roots of the slope by Newton's method on its inverse, which is almost a line.

    From below each step comes nearer and none goes beyond.
    """
    expected = pixels.expected
    is_seen = expected > 0
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        low = np.where(is_seen & np.isfinite(pixels.low), pixels.low, 0.0)
        lowest = low * (1.0 - EDGE)
        norm, steps = np.zeros(expected.shape), np.zeros(expected.shape, dtype=np.int64)
        sums = pixels.sums_without_source()
        # Half of the digits are enough but where a prediction is next to nothing.
        for is_open, is_exact, least in ((is_seen, False, low * (1.0 - FAR)), (None, True, lowest)):
            left = is_seen & (norm <= NEXT_TO_NOTHING * low) if is_open is None else is_open
            for _ in range(STEPS):
                if not left.any():
                    break
                sums = pixels.sums(norm, left, is_exact) if steps.any() else sums
                step = _step(sums, expected)
                following = np.maximum(np.where(sums.curvature > 0, norm + step, least), least)
                moved = np.abs(following - norm) * np.sqrt(sums.curvature)
                norm, steps = np.where(left, following, norm), steps + left
                left = left & (moved > NEAR)
        sums = pixels.sums(norm, is_seen, with_logarithm=True)
        ts = 2.0 * (sums.logarithm - norm * expected)
        # What these sums say of a last step, of which the statistic, being least here, knows nothing.
        norm = np.where(sums.curvature > 0, np.maximum(norm + _step(sums, expected), lowest), norm)
        error = np.where(sums.curvature > 0, 1.0 / np.sqrt(sums.curvature), 0.5 / expected)
    nothing = np.where(is_seen, 1.0, np.nan)
    return Minima(norm * nothing, error * nothing, ts * nothing, steps)


def _step(sums: Sums, expected: FloatArray) -> FloatArray:
    """Return the step of Newton's method to the root of the slope, by its inverse."""
    return sums.slope / sums.curvature * (sums.slope / expected - 1.0)


def crossings(pixels: PixelNorms, best: Minima, n_sigma: float, side: int) -> FloatArray:
    """Return the norms above (+1) or below (-1) the best ones at which the statistic has risen by ``n_sigma**2``.

    Below, it is the last norm without negative predictions where that comes before.
    """
    is_seen = np.isfinite(best.norm)
    norm, ts = np.nan_to_num(best.norm), np.nan_to_num(best.ts)
    lowest = np.where(is_seen & np.isfinite(pixels.low), pixels.low * (1.0 - EDGE), 0.0)
    error = np.nan_to_num(best.error)
    place, is_open = np.maximum(norm + side * n_sigma * error, lowest), is_seen
    with np.errstate(divide="ignore", invalid="ignore"):
        for _ in range(STEPS):
            sums = pixels.sums(place, is_open, with_logarithm=True)
            rise = np.maximum(ts - 2.0 * (sums.logarithm - place * pixels.expected), 0.0)
            slope = 2.0 * (pixels.expected - sums.slope) * side
            # The root of the rise is almost a line.
            step = np.where(slope > 0, 2.0 * (n_sigma * np.sqrt(rise) - rise) / slope, error)
            following = np.maximum(place + side * step, lowest)
            following = np.where(side * (following - norm) > 0, following, 0.5 * (norm + place))
            moved = np.abs(following - place)
            place = np.where(is_open, following, place)
            is_open = is_open & (moved > 0) & (np.abs(rise - n_sigma**2) > NEAR * n_sigma**2)
            if not is_open.any():
                break
    return np.where(is_seen, place, np.nan)


def _add_crowded(
    sums: Sequence[FloatArray],
    plane: tuple[FloatArray, FloatArray, FloatArray],
    norm: FloatArray,
    wanted: BoolArray,
    kind: type[float] | type[np.float32],
    with_logarithm: bool,
) -> None:
    """Add the sums over all bins of one energy, bin by bin of the kernel, in strips of rows with a wanted pixel.

    ``plane`` holds counts and ratios, padded by the half of the kernel, and the kernel.
    """
    (counts, ratio, kernel), (ny, nx) = plane, norm.shape
    step, seen = max(STRIP // nx, 1), np.argwhere(kernel > 0).tolist()
    for first in range(0, ny, step):
        rows = slice(first, min(first + step, ny))
        if not wanted[rows].any():
            continue
        own, shares = norm[rows].astype(kind), kernel.astype(kind)
        around = slice(rows.start, rows.stop + len(kernel) - 1)
        seen_counts, seen_ratio = counts[around].astype(kind), ratio[around].astype(kind)
        slope, curvature, logarithm, near, scaled = np.zeros((5, *own.shape), dtype=kind)
        for v, u in seen:
            here = np.s_[v : v + len(own), u : u + nx]
            np.multiply(seen_ratio[here], shares[v, u], out=near)
            np.multiply(near, own, out=scaled)
            scaled += 1.0
            if with_logarithm:
                logarithm += np.log(scaled) * seen_counts[here]
            near /= scaled
            np.multiply(near, seen_counts[here], out=scaled)
            slope += scaled
            scaled *= near
            curvature += scaled
        for total, one in zip(sums, (slope, curvature, logarithm), strict=True):
            total[rows] += one


def _add(sums: FloatArray, place: IntArray, values: FloatArray, low: int) -> None:
    """Add values to the places of a flat array, all of them behind ``low``."""
    low = max(low, 0)
    own = np.bincount((place - low).ravel(), values.ravel())
    sums[low : low + len(own)] += own


def _about_zero(kernel: FloatArray, size: Sequence[int]) -> FloatArray:
    """Return a kernel about the first pixel of a circle."""
    side = kernel.shape[0]
    result = np.zeros(size)
    for v in range(side):
        for_row = (v - side // 2) % size[0]
        places = (np.arange(side) - side // 2) % size[1]
        np.add.at(result[for_row], places, kernel[v])
    return result

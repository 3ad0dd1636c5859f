"""How the significances of an image are distributed, and the normal distribution that those of empty sky follow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from xgamma.axes import FloatArray
from xgamma.errors import DataError

BIN_WIDTH = 0.2


@dataclass(frozen=True)
class SignificanceDistribution:
    """A histogram of significances, and a normal distribution fitted to those of pixels that no source is known in.

    Parameters
    ----------
    edges
        Of the bins, shape (bin + 1,).
    counts, counts_outside
        How many pixels lie in each bin: of all, and of those outside of what is excluded, shape (bin,).
    pixels, pixels_outside
        How many pixels have a significance.
    mean, std
        Of the fitted normal distribution.
    mean_error, std_error
        As of so many independent circles as the pixels outside have room for.
    """

    edges: FloatArray
    counts: FloatArray
    counts_outside: FloatArray
    pixels: int
    pixels_outside: int
    mean: float
    std: float
    mean_error: float
    std_error: float

    def expected(self, mean: float, std: float) -> FloatArray:
        """Return how many pixels outside a normal distribution has per bin at the centres of the bins, shape (bin,)."""
        center = 0.5 * (self.edges[1:] + self.edges[:-1])
        density = np.exp(-0.5 * ((center - mean) / std) ** 2) / (std * np.sqrt(2 * np.pi))
        return np.asarray(self.pixels_outside * density * np.diff(self.edges))


def significance_distribution(
    sqrt_ts: FloatArray, usable: npt.ArrayLike = True, kernel_pixels: int = 1, width: float = BIN_WIDTH
) -> SignificanceDistribution:
    """Return how significances are distributed, with the normal distribution of greatest likelihood.

    The fit is to the values, not to the histogram: its mean and its width are theirs. Neighbouring pixels share most of
    their counts, which leaves both as they are and makes their errors larger, by the root of the pixels in a circle.

    Parameters
    ----------
    sqrt_ts
        Significances of any shape; those that are not finite are not counted.
    usable
        Where nothing is excluded, broadcast to the same shape.
    kernel_pixels
        How many pixels a circle holds.
    width
        Of the bins of the histogram, whose edges are multiples of it.

    Raises
    ------
    DataError
        Where fewer than two pixels are left.
    """
    known = np.isfinite(sqrt_ts)
    every, outside = sqrt_ts[known], sqrt_ts[known & np.broadcast_to(usable, sqrt_ts.shape)]
    if len(outside) < 2:
        raise DataError(
            f"Expected at least two pixels with a significance outside of what is excluded, got {len(outside)} of "
            f"{len(every)}; exclude less, or take a larger map."
        )
    first, last = np.floor(every.min() / width), np.floor(every.max() / width) + 1
    edges = width * np.arange(first, last + 1)
    mean, std = float(outside.mean()), float(outside.std())
    independent = max(len(outside) / kernel_pixels, 1.0)
    return SignificanceDistribution(
        edges,
        np.histogram(every, edges)[0].astype(float),
        np.histogram(outside, edges)[0].astype(float),
        len(every),
        len(outside),
        mean,
        std,
        std / np.sqrt(independent),
        std / np.sqrt(2 * independent),
    )

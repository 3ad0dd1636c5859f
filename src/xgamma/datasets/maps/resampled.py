"""Values of maps at other places: interpolated, smoothed, convolved, summed in blocks. Arrays in, arrays out.

What is not finite takes no part in any of them and does not spread.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy

from xgamma.axes import BoolArray, FloatArray, IntArray
from xgamma.datasets.maps.cuts import upsampled
from xgamma.errors import ConfigError, did_you_mean
from xgamma.kernels import Kernel, summed
from xgamma.sky import SkySpace

Values = npt.NDArray[Any]
_LAST_DIGITS = 1e-9
SMOOTHINGS = ("gauss", "disk", "box")


def interpolated(values: Values, places: Sequence[FloatArray]) -> FloatArray:
    """Return values between the centres of bins, linear along each dim; NaN outside of the outermost edges.

    Within half a bin of an edge the outermost value is held. A bin that is NaN makes NaN of what it takes part in.

    Parameters
    ----------
    values
        Shape (n, m, ...).
    places
        Fractional numbers of bins along each dim, which broadcast.
    """
    at = np.broadcast_arrays(*places)
    with np.errstate(invalid="ignore"):
        inside = np.all(
            [(one >= -0.5) & (one <= size - 0.5) for one, size in zip(at, values.shape, strict=True)], axis=0
        )
    held = [
        np.clip(_snapped(np.where(inside, one, 0.0)), 0, size - 1) for one, size in zip(at, values.shape, strict=True)
    ]
    lower = [np.minimum(one.astype(np.int64), max(size - 2, 0)) for one, size in zip(held, values.shape, strict=True)]
    result = np.zeros(inside.shape)
    for corner in itertools.product((0, 1), repeat=len(held)):
        weight, index = np.ones(inside.shape), []
        for step, one, low, size in zip(corner, held, lower, values.shape, strict=True):
            weight = weight * (one - low if step else 1 - (one - low))
            index.append(np.minimum(low + step, size - 1))
        result += np.where(weight > 0, weight, 0.0) * np.where(weight > 0, values[tuple(index)], 0.0)
    return np.where(inside, result, np.nan)


def _snapped(place: FloatArray) -> FloatArray:
    """Return places; those at the centre of a bin but for the last digits are moved there, so that no other counts."""
    whole = np.rint(place)
    return np.where(np.abs(place - whole) < _LAST_DIGITS, whole, place)


def block_sums(values: Values, factor: int, dims: Sequence[int]) -> Values:
    """Return the sums of groups of ``factor`` neighbours along some dims."""
    for dim in dims:
        at = dim % values.ndim
        shape = (*values.shape[:at], values.shape[at] // factor, factor, *values.shape[at + 1 :])
        values = values.reshape(shape).sum(axis=at + 1)
    return values


@dataclass(frozen=True)
class Pieces:
    """Pieces of the pixels of an image that lie in the pixels of another one.

    Parameters
    ----------
    source, target
        The pixel of each piece in both images, shape (piece,).
    share
        The part of its pixel that each piece is.
    shape
        The number of pixels of the other image.
    """

    source: IntArray
    target: IntArray
    share: float
    shape: int

    @classmethod
    def of(cls, space: SkySpace, other: SkySpace, factor: int) -> Pieces:
        """Return ``factor`` by ``factor`` pieces of each pixel, without those that lie beyond the other image."""
        fine = upsampled(space, factor)
        piece, target = other.cells(*fine.positions())
        row, column = np.divmod(piece, fine.npix[0])
        return cls(row // factor * space.npix[0] + column // factor, target, factor**-2, other.npix[0] * other.npix[1])

    def sums(self, planes: Values) -> FloatArray:
        """Return planes of shape (plane, pixel) shared out; what is not finite counts as 0."""
        return np.stack([self._added(np.where(np.isfinite(plane), plane, 0.0)) for plane in planes])

    def means(self, planes: Values) -> FloatArray:
        """Return the means of what is finite, NaN where there is nothing."""
        weights = np.stack([self._added(np.isfinite(plane).astype(float)) for plane in planes])
        means = np.divide(self.sums(planes), weights, out=np.full(weights.shape, np.nan), where=weights > 0)
        return np.asarray(means)

    def _added(self, plane: Values) -> FloatArray:
        return np.bincount(self.target, plane[self.source] * self.share, minlength=self.shape).astype(float)


def smoothed(values: Values, kernel: str, width: Sequence[float]) -> FloatArray:
    """Return images smoothed: each pixel the mean of those about it, mirrored at the edges so that the sum is kept.

    A pixel that is not finite stays so, and takes no part in others.

    Parameters
    ----------
    values
        Shape (..., y, x).
    kernel
        ``gauss``, ``disk`` or ``box``.
    width
        In pixels (y, x): the standard deviation, the radius, or the whole width.
    """
    if kernel not in SMOOTHINGS:
        raise ConfigError(f"smooth: there is no kernel {kernel!r}.{did_you_mean(kernel, SMOOTHINGS)}")
    given = np.asarray(values, dtype=float)
    known = np.isfinite(given)
    if known.all():
        return _smoothed(given, kernel, width)
    above = _smoothed(np.where(known, given, 0.0), kernel, width)
    below = _smoothed(known.astype(float), kernel, width)
    return np.where(known, np.divide(above, below, out=np.zeros_like(above), where=below > 0), given)


def _smoothed(values: FloatArray, kernel: str, width: Sequence[float]) -> FloatArray:
    flat = (0.0,) * (values.ndim - 2)
    if kernel == "gauss":
        return np.asarray(scipy.ndimage.gaussian_filter(values, (*flat, *width), mode="reflect"))
    if kernel == "box":
        rows = scipy.ndimage.correlate1d(values, _box(width[0]), axis=-2, mode="reflect")
        return np.asarray(scipy.ndimage.correlate1d(rows, _box(width[1]), axis=-1, mode="reflect"))
    disk = Kernel(float(np.mean(width)))
    room = [(0, 0)] * len(flat) + [(disk.reach, disk.reach)] * 2
    around = np.pad(values, room, mode="symmetric")
    inner = (..., slice(disk.reach, disk.reach + values.shape[-2]), slice(disk.reach, disk.reach + values.shape[-1]))
    # Sums are of numbers of at least 0.
    sums = summed(np.clip(around, 0, None), disk)
    if values.min(initial=0.0) < 0:
        sums = sums - summed(np.clip(-around, 0, None), disk)
    return np.asarray(sums[inner] / disk.size)


def _box(width: float) -> FloatArray:
    """Return the weights of pixels in a box about the middle of one; those at its ends count in part."""
    reach = int(np.ceil(0.5 * (max(width, 1.0) - 1) - _LAST_DIGITS))
    away = np.abs(np.arange(-reach, reach + 1))
    weight = np.clip(0.5 * max(width, 1.0) + 0.5 - away, 0, 1)
    return np.asarray(weight / weight.sum())


def convolved(values: Values, kernel: Values) -> FloatArray:
    """Return images convolved with one kernel, or each with its own; beyond the edges there is nothing.

    Parameters
    ----------
    values
        Shape (..., y, x); what is not finite counts as 0.
    kernel
        Shape (y, x), or with the leading dims of ``values``; both sides odd, so that it has a middle.

    Raises
    ------
    ConfigError
        For a kernel of another shape, or without a middle.
    """
    kernel = np.asarray(kernel, dtype=float)
    if kernel.ndim < 2 or kernel.shape[-1] % 2 == 0 or kernel.shape[-2] % 2 == 0:
        raise ConfigError(f"convolve: expected a kernel of odd height and width, got the shape {kernel.shape}.")
    if kernel.ndim > values.ndim:
        raise ConfigError(f"convolve: expected a kernel for {values.shape}, got one of the shape {kernel.shape}.")
    given = np.where(np.isfinite(values), values, 0.0).astype(float)
    try:
        np.broadcast_to(kernel, (*given.shape[:-2], *kernel.shape[-2:]))
    except ValueError:
        raise ConfigError(
            f"convolve: expected a kernel, or one for each plane of {given.shape[:-2]}, got the shape {kernel.shape}."
        ) from None
    # Not scipy.signal, which loads scipy.stats: 20 MB and 0.1 s of each process.
    sizes = zip(given.shape[-2:], kernel.shape[-2:], strict=True)
    shape = tuple(scipy.fft.next_fast_len(size + own - 1, real=True) for size, own in sizes)
    result = np.asarray(scipy.fft.irfft2(scipy.fft.rfft2(given, shape) * scipy.fft.rfft2(kernel, shape), shape))
    dy, dx = kernel.shape[-2] // 2, kernel.shape[-1] // 2
    result = result[..., dy : dy + given.shape[-2], dx : dx + given.shape[-1]]
    # The transform leaves noise below zero, where there is nothing.
    return np.clip(result, 0, None) if given.min(initial=0) >= 0 and kernel.min(initial=0) >= 0 else result


def eroded(mask: BoolArray, radius: float) -> BoolArray:
    """Return the pixels of a mask without a pixel outside of it, or an edge, within a radius in pixels."""
    kernel = Kernel(radius)
    return summed(mask, kernel) > kernel.size - 0.5


def dilated(mask: BoolArray, radius: float) -> BoolArray:
    """Return the pixels that have one of a mask within a radius in pixels."""
    return summed(mask, Kernel(radius)) > 0.5

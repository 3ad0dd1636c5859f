"""Sums of images over the pixels about each pixel, within a circle or a ring.

Small circles are added row by row, which is exact; larger ones and rings by a Fourier transform, whose noise is taken
off again: sums of whole numbers are whole, those of nothing are zero, and none is negative.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy

from xgamma.axes import BoolArray, FloatArray
from xgamma.errors import ConfigError

# So that a radius of a whole number of pixels reaches its last pixel, whatever the last digits of a quotient say.
BORDER = 1e-9
# Up to this radius in pixels additions are quicker than transforms.
ADDED_REACH = 7
# So many numbers of a strip stay in the cache, and so many bytes of one of the images that a circle needs at once.
STRIP, STRIP_BYTES = 16_000, 180_000
# So many numbers are looked at before all are.
FEW = 100
# Of a count, for the sums of a transform that are rounded to whole numbers.
FAR_LESS = 0.1
# Of the largest sum; the noise of a transform is a thousand times less.
NOISE = 1e-12


@dataclass(frozen=True)
class Kernel:
    """Pixels whose centres lie from ``inner`` to ``outer`` pixels from a centre, both borders included.

    >>> [Kernel(radius).size for radius in (0.999, 1.0, 1.5, 2.0)]
    [1, 5, 9, 13]
    """

    outer: float
    inner: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.inner <= self.outer < np.inf:
            raise ConfigError(f"Expected radii of 0 <= inner <= outer pixels, got {self.inner:g} and {self.outer:g}.")
        if not self.size:
            raise ConfigError(f"There is no pixel between {self.inner:g} and {self.outer:g} pixels from another one.")

    @property
    def reach(self) -> int:
        """How many pixels it reaches to each side."""
        return int(np.floor(self.outer * (1 + BORDER)))

    @cached_property
    def footprint(self) -> BoolArray:
        """The pixels, shape (2 reach + 1, 2 reach + 1)."""
        along = np.arange(-self.reach, self.reach + 1.0)
        square = along[:, np.newaxis] ** 2 + along**2
        inner, outer = (self.inner * (1 - BORDER)) ** 2, (self.outer * (1 + BORDER)) ** 2
        return np.asarray((square >= inner) & (square <= outer))

    @property
    def size(self) -> int:
        """The number of pixels."""
        return int(self.footprint.sum())

    @property
    def half_widths(self) -> list[int]:
        """Of a circle how many pixels its rows reach to each side, from the middle row to the last."""
        widths: list[int] = ((self.footprint[self.reach :].sum(axis=1) - 1) // 2).tolist()
        return widths


def summed(images: npt.ArrayLike, kernel: Kernel) -> FloatArray:
    """Return for each pixel the sum of the pixels of a kernel about it; beyond the border there is nothing.

    Parameters
    ----------
    images
        Numbers of at least 0, shape (..., y, x); what is not finite counts as 0.
    kernel
        Which pixels are summed.
    """
    is_added = kernel.inner == 0 and kernel.reach <= ADDED_REACH
    given = np.asarray(images)
    whole = _whole(given, kernel) if is_added else None
    planes = (_finite(given) if whole is None else whole).reshape(-1, *given.shape[-2:])
    result = np.empty(planes.shape)
    (_added if is_added else _transformed)(planes, kernel, result)
    return result.reshape(given.shape)


def _whole(given: npt.NDArray[Any], kernel: Kernel) -> npt.NDArray[Any] | None:
    """Return a mask or counts as the smallest whole numbers that hold their sums, which are added much more quickly.

    ``None`` for other numbers.
    """
    # A look at few numbers spares one at all of most images that are not whole.
    if not given.size or not _is_whole(given.ravel()[:: 1 + given.size // FEW]) or not given.min() >= 0:
        return None
    most = float(given.max()) * kernel.size
    kind = next((kind for kind in (np.int16, np.int32) if most <= np.iinfo(kind).max), None)
    if kind is None:
        return None
    whole = given.astype(kind)
    return whole if given.dtype == np.bool_ or np.array_equal(whole, given) else None


def _is_whole(numbers: npt.NDArray[Any]) -> bool:
    return bool(numbers.dtype.kind in "bui" or np.array_equal(numbers, np.rint(numbers)))


def _finite(given: npt.NDArray[Any]) -> FloatArray:
    numbers = given.astype(float, copy=False)
    with np.errstate(invalid="ignore", over="ignore"):
        is_finite = bool(np.isfinite(numbers.sum()))
    return numbers if is_finite else np.where(np.isfinite(numbers), numbers, 0.0)


def _added(planes: npt.NDArray[Any], kernel: Kernel, result: FloatArray) -> None:
    """Add rows of pixels that grow by one to each side, each where a row of the circle is as wide.

    An image goes in strips of one height that stay in the cache of a processor.
    """
    reach, (height, width), widths = kernel.reach, planes.shape[1:], kernel.half_widths
    # In one line with room about it, so that a step to another pixel is a slice.
    line = width + 2 * reach
    strip = math.ceil(height / math.ceil(height * line * planes.itemsize / STRIP_BYTES))
    room = np.zeros((strip + 2 * reach, line), dtype=planes.dtype)
    rows, sums = np.empty(room.size, dtype=room.dtype), np.empty(strip * line, dtype=room.dtype)
    for plane, out in zip(planes, result, strict=True):
        for top in range(0, height, strip):
            first, last = max(0, top - reach), min(height, top + strip + reach)
            begin, end = first - top + reach, last - top + reach
            room[:begin], room[end:] = 0, 0
            room[begin:end, reach : reach + width] = plane[first:last]
            _add_rows(room.ravel(), widths, line, rows, sums)
            height_left = min(strip, height - top)
            out[top : top + height_left] = sums.reshape(strip, line)[:height_left, reach : reach + width]


def _add_rows(
    flat: npt.NDArray[Any], widths: Sequence[int], line: int, rows: npt.NDArray[Any], sums: npt.NDArray[Any]
) -> None:
    """Fill ``sums`` with those of a strip, given with ``len(widths) - 1`` further lines above and below it."""
    middle, length = (len(widths) - 1) * line, len(sums)
    rows[:], sums[:] = flat, 0
    for half in range(widths[0] + 1):
        if half:
            rows[half:-half] += flat[2 * half :]
            rows[half:-half] += flat[: -2 * half]
        for away in (number for number, own in enumerate(widths) if own == half):
            sums += rows[middle + away * line :][:length]
            if away:
                sums += rows[middle - away * line :][:length]


def _transformed(planes: npt.NDArray[Any], kernel: Kernel, result: FloatArray) -> None:
    """Multiply transforms; what a circle of the transform brings around lies in the margin that is cut off."""
    height, width = planes.shape[1:]
    for plane, out in zip(planes, result, strict=True):
        is_whole = _is_whole(plane)
        # By far less than one half of a count the sums are wrong that come out of single precision then.
        error = 16 * np.finfo(np.float32).eps * math.sqrt(kernel.size * np.vdot(plane, plane))
        shape, response = _response(kernel, height, width, is_whole and error < FAR_LESS)
        single = plane.astype(np.float32) if response.dtype == np.complex64 else plane
        sums = scipy.fft.irfft2(scipy.fft.rfft2(single, shape) * response, shape)[:height, :width]
        if is_whole:
            np.rint(sums, out=out)
        else:
            out[...] = sums
        out[out < NOISE * out.max(initial=0.0)] = 0.0


@lru_cache(maxsize=8)
def _response(
    kernel: Kernel, height: int, width: int, is_single: bool
) -> tuple[tuple[int, int], npt.NDArray[np.complexfloating]]:
    """Return the shape of the transforms of images, and the transform of a kernel about the first pixel."""
    reach = kernel.reach
    shape = tuple(scipy.fft.next_fast_len(size + min(reach, size - 1), real=True) for size in (height, width))
    centred = np.zeros(shape, dtype=np.float32 if is_single else float)
    rows, columns = (numbers - reach for numbers in np.nonzero(kernel.footprint))
    # No pixel has others farther away than the image is long.
    near = (abs(rows) < height) & (abs(columns) < width)
    centred[rows[near], columns[near]] = 1.0
    return shape, scipy.fft.rfft2(centred)

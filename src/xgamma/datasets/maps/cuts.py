"""Images cut out of images, padded, and with larger or finer pixels: the geometry of it, in whole pixels."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from xgamma.axes import FloatArray, IntArray
from xgamma.errors import ConfigError, DataError
from xgamma.geometry import separation
from xgamma.sky import SkySpace


class Cut(NamedTuple):
    """The rows and columns of an image that a smaller one consists of."""

    rows: slice
    columns: slice


def cut_about(space: SkySpace, lon: float, lat: float, npix: tuple[int, int]) -> Cut:
    """Return the part of an image about an ICRS position, as wide (x, y) as asked for or as the image has it.

    The first pixel of n about place p is ceil(p - n / 2), as in Gammapy.
    Raises ``DataError`` for a position about which the image has nothing.
    """
    x, y = (float(value) for value in space.pixels_of(np.asarray(lon), np.asarray(lat)))
    found = []
    for place, size, full in ((y, npix[1], space.npix[1]), (x, npix[0], space.npix[0])):
        if not np.isfinite(place):
            break
        # Half-way between two pixels, the last digits of a position do not decide.
        first = int(np.ceil(round(place - 0.5 * size, 6)))
        last = first + size
        found.append(slice(max(first, 0), min(last, full)))
    if len(found) < 2 or any(part.start >= part.stop for part in found):
        raise DataError(
            f"cutout: there is nothing of the map about {lon:.4f}, {lat:.4f} deg (ICRS); its centre is "
            f"{_centre(space)}."
        )
    return Cut(*found)


def _centre(space: SkySpace) -> str:
    nx, ny = space.npix
    lon, lat = space.sky_of(np.asarray(0.5 * (nx - 1)), np.asarray(0.5 * (ny - 1)))
    return f"{float(lon):.4f}, {float(lat):.4f} deg"


def counted(width: tuple[float, float], space: SkySpace, odd: bool = False) -> tuple[int, int]:
    """Return how many pixels (x, y) a width in degrees is, at least one; with ``odd`` the next odd number."""
    pixels = abs(space.aspect) * space.binsize, space.binsize
    if not all(np.isfinite(side) and side > 0 for side in width):
        raise ConfigError(f"cutout: expected a width above 0 deg, got {width[0]:g} by {width[1]:g} deg.")
    nx, ny = (round(max(side / pixel, 1)) for side, pixel in zip(width, pixels, strict=True))
    return (nx + 1 - nx % 2, ny + 1 - ny % 2) if odd else (nx, ny)


def part_of(space: SkySpace, cut: Cut) -> SkySpace:
    """Return the image of some rows and columns."""
    (x0, y0), first, rows = space.reference_pixel, cut.columns.start, cut.rows
    npix = cut.columns.stop - first, rows.stop - rows.start
    return replace(space, npix=npix, reference=(x0 - first, y0 - rows.start))


def padded(space: SkySpace, width: tuple[int, int]) -> SkySpace:
    """Return the image with so many more pixels (x, y) on each side; raises ``ConfigError`` where none is left."""
    (nx, ny), (x0, y0), (dx, dy) = space.npix, space.reference_pixel, width
    if min(nx + 2 * dx, ny + 2 * dy) < 1:
        raise ConfigError(f"crop: nothing is left of {nx} by {ny} pixels without {-dx} by {-dy} on each side.")
    return replace(space, npix=(nx + 2 * dx, ny + 2 * dy), reference=(x0 + dx, y0 + dy))


def downsampled(space: SkySpace, factor: int) -> SkySpace:
    """Return the image with so many pixels in one; raises ``ConfigError`` unless these are whole groups."""
    nx, ny = space.npix
    if factor < 1 or nx % factor or ny % factor:
        raise ConfigError(f"downsample: expected a factor of {nx} and {ny} pixels, got {factor}; crop or pad before.")
    return rescaled(space, 1 / factor, (nx // factor, ny // factor))


def upsampled(space: SkySpace, factor: int) -> SkySpace:
    """Return the image with each pixel cut into ``factor`` by ``factor``."""
    if factor < 1:
        raise ConfigError(f"upsample: expected a factor of at least 1, got {factor}.")
    return rescaled(space, factor, (space.npix[0] * factor, space.npix[1] * factor))


def rescaled(space: SkySpace, factor: float, npix: tuple[int, int]) -> SkySpace:
    """Return an image with the same corner and centre of projection, of pixels that are ``factor`` times smaller."""
    if space.reference is None and all(abs(n - full * factor) < 1e-9 for n, full in zip(npix, space.npix, strict=True)):
        return replace(space, binsize=space.binsize / factor, npix=npix)
    x0, y0 = ((place + 0.5) * factor - 0.5 for place in space.reference_pixel)
    return replace(space, binsize=space.binsize / factor, npix=npix, reference=(x0, y0))


def pixel_pair(value: Any, what: str) -> tuple[int, int]:
    """Return whole numbers (x, y) of one number or two."""
    try:
        first, second = (value, value) if np.ndim(value) == 0 else value
        if int(first) != first or int(second) != second:
            raise TypeError
        return int(first), int(second)
    except (TypeError, ValueError):
        raise ConfigError(f"{what}: expected a whole number of pixels, or two of them, got {value!r}.") from None


def are_close(one: SkySpace, other: SkySpace) -> bool:
    """Whether two images have the same pixels to a millionth of one."""
    if (one.npix, one.frame, one.projection) != (other.npix, other.frame, other.projection):
        return False
    mine, theirs = (np.array([each.binsize, each.aspect * each.binsize]) for each in (one, other))
    apart = separation(one.lon, one.lat, other.lon, other.lat) / one.binsize
    places = np.subtract(one.reference_pixel, other.reference_pixel)
    return bool(np.allclose(mine, theirs, rtol=1e-9, atol=0) and apart < 1e-6 and np.abs(places).max() < 1e-6)


def nearest_pixel(place: FloatArray, size: int, clip: bool) -> IntArray:
    """Return the pixel of a place, -1 outside, or with ``clip`` the nearest one."""
    with np.errstate(invalid="ignore"):
        number = np.rint(place)
        inside = (number >= 0) & (number < size)
    outside = np.clip(np.nan_to_num(number, nan=-1.0), 0, size - 1) if clip else -1
    return np.asarray(np.where(inside, number, outside), dtype=np.int64)

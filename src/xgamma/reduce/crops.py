"""Windows of the sky cut, moved to another image with the same pixels, and summed to larger pixels.

Everything here moves whole pixels: nothing is interpolated.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from xgamma import schema
from xgamma.axes import FloatArray, IntArray
from xgamma.grid import IMAGE, ORIGIN, SkySpace
from xgamma.reduce.grids import image_of_row, space_of_windows
from xgamma.schema.arrays import SomeArrays

POSITIONS = ("lon", "lat")
# Variables of cells that are means over the pixels of a larger one, not sums.
MEANS = ("exposure",)
# What cells that nothing was seen in hold where it is not 0.
_NEUTRAL = {"acceptance": 1.0}


def with_positions(stacks: xr.Dataset) -> xr.Dataset:
    """Return stacks with the ICRS positions of their pixels, as CF coordinates; those of regions stay as they are."""
    if schema.space_dims(stacks) != schema.WINDOWS:
        return stacks
    return stacks.assign_coords(space_of_windows(stacks).image.sky_coords(("v", "u")))


def without_positions(ds: SomeArrays) -> SomeArrays:
    """Return rows without the positions of pixels, which follow from their image: it may be cut or joined."""
    return ds.drop_vars([name for name in POSITIONS if name in ds.coords]) if POSITIONS[0] in ds.coords else ds


def _with_image(ds: xr.Dataset, space: SkySpace, origin: IntArray) -> xr.Dataset:
    coords = {name: value for name, value in space.coords(origin).items() if name in (*ORIGIN, IMAGE)}
    return ds.drop_vars([*ORIGIN, IMAGE]).assign_coords(coords)


def in_image(ds: xr.Dataset, image: SkySpace) -> xr.Dataset:
    """Return one row in all pixels of another image that has the same pixels; where it has no data nothing was seen.

    Raises ``DataError`` unless it has the same pixels.
    """
    own = image_of_row(ds)
    shift = image.shift_to(own)
    zero = np.zeros((1, 2), np.int64)
    if shift == (0, 0) and own.shape == image.shape:
        return _with_image(ds, image, zero)
    # The first and the last pixel that both have, in the numbers of the image.
    first = np.maximum(shift, 0)
    last = np.minimum(np.add(shift, own.shape), image.shape)
    if np.any(last <= first):
        first, last = np.zeros(2, int), np.zeros(2, int)
        shift = (0, 0)
    place = tuple(slice(int(a), int(b)) for a, b in zip(first, last, strict=True))
    source = tuple(slice(int(a - s), int(b - s)) for a, b, s in zip(first, last, shift, strict=True))
    moved = {
        str(name): _placed(variable, str(name), image.shape, place, source)
        for name, variable in ds.variables.items()
        if set(schema.WINDOWS.cells) <= set(variable.dims)
    }
    rest = ds.drop_dims(schema.WINDOWS.cells)
    return _with_image(rest.assign(moved), image, zero)


def _placed(
    variable: xr.Variable, name: str, shape: tuple[int, ...], place: tuple[slice, ...], source: tuple[slice, ...]
) -> xr.Variable:
    *other, _, _ = variable.shape
    values = np.full((*other, *shape), _NEUTRAL.get(name, 0), variable.dtype)
    (v, u), (own_v, own_u) = place, source
    values[..., v, u] = variable.values[..., own_v, own_u]
    return xr.Variable(variable.dims, values, variable.attrs)


def coarser(ds: xr.Dataset, factor: int, image: SkySpace) -> xr.Dataset:
    """Return one row in pixels whose sides are larger by a factor: sums over safe bins, and means of the exposure.

    A larger bin is safe where any of its bins is.

    Parameters
    ----------
    ds
        DL4, one window.
    factor
        How many pixels along each side become one; it divides the numbers of pixels.
    image
        The larger pixels.
    """
    safe = ds["mask_safe"].variable.values
    merged = {
        str(name): _merged(variable, str(name), safe, factor)
        for name, variable in ds.variables.items()
        if set(schema.WINDOWS.cells) <= set(variable.dims)
    }
    if "counts_off" in merged:
        merged["acceptance_off"] = _acceptance_off(ds, merged, factor)
    rest = ds.drop_dims(schema.WINDOWS.cells).assign(merged)
    return _with_image(rest, image, np.zeros((1, 2), np.int64))


def blocks(values: npt.NDArray[Any], factor: int) -> FloatArray:
    """Return sums over blocks of ``factor`` by ``factor`` pixels along the last two axes."""
    *other, nv, nu = values.shape
    shaped = values.reshape(*other, nv // factor, factor, nu // factor, factor)
    return np.asarray(shaped.sum(axis=(-3, -1), dtype=float))


def _merged(variable: xr.Variable, name: str, safe: npt.NDArray[np.bool_], factor: int) -> xr.Variable:
    values = variable.values
    if variable.dtype == bool:
        merged: npt.NDArray[Any] = blocks(values, factor) > 0
    elif name in MEANS:
        merged = blocks(values, factor) / factor**2
    else:
        merged = blocks(np.where(safe, values, 0), factor)
    return xr.Variable(variable.dims, merged, variable.attrs)


def _acceptance_off(ds: xr.Dataset, sums: dict[str, xr.Variable], factor: int) -> xr.Variable:
    """Return the off acceptance with which the summed off counts predict the sum of the expected background."""
    on, off = ds["acceptance"].values, ds["acceptance_off"].values
    expected = np.divide(on * ds["counts_off"].values, off, out=np.zeros(on.shape), where=off > 0)
    background = blocks(np.where(ds["mask_safe"].values, expected, 0), factor)
    own, plain = sums["acceptance"].values * sums["counts_off"].values, sums["acceptance_off"]
    values = np.divide(own, background, out=plain.values.copy(), where=background > 0)
    return xr.Variable(plain.dims, values, plain.attrs)

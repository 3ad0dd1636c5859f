"""Integrals of morphologies over the pixels of an image: means of finer pixels times the solid angle of each.

As Gammapy does: pixels are divided where they are larger than the length on which a model changes, within the distance
that it reaches. A point is shared among the four pixels about it, so that its centre stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from xgamma.axes import FloatArray
from xgamma.geometry import to_frame
from xgamma.models.spatial.function import SpatialFunction
from xgamma.sky import SkySpace

# Into so many by so many parts a pixel is divided at most.
FINEST = 200
# So many finer pixels are made at a time, and at all.
_AT_ONCE, _MOST = 250_000, 16_000_000


def positions_of(space: SkySpace, frame: str) -> tuple[FloatArray, FloatArray]:
    """Return longitude and latitude of the pixels of an image in a frame, shape (y, x)."""
    lon, lat = to_frame(*space.positions(), "icrs", frame)
    return lon.reshape(space.shape), lat.reshape(space.shape)


def pixel_densities(
    model: SpatialFunction, space: SkySpace, values: Sequence[float] | None = None, energy: FloatArray | None = None
) -> FloatArray:
    """Return the density at the centres of pixels, shape (y, x), or (energy, y, x); 0 beside the sky."""
    lon, lat = positions_of(space, model.frame)
    at = None if energy is None else energy[:, None, None]
    known = np.isfinite(lon)
    return np.where(known, model.density(np.where(known, lon, 0.0), np.where(known, lat, 0.0), values, at), 0.0)


def pixel_integrals(
    model: SpatialFunction,
    space: SkySpace,
    values: Sequence[float] | None = None,
    energy: FloatArray | None = None,
    factor: int | None = None,
) -> FloatArray:
    """Return the integrals of a density over the pixels of an image.

    Parameters
    ----------
    model, values
        The model, and the values of its parameters in canonical units.
    space
        The image.
    energy
        Of a model that depends on it, in TeV, shape (energy,).
    factor
        Into how many by how many parts pixels are divided; ``None`` is as many as the model needs.

    Returns
    -------
    Shape (y, x), or (energy, y, x); for densities in sr-1 they add up to 1 where all of the source lies in the image.
    """
    center, area = model.center(values), space.solid_angles().reshape(space.shape)
    if center is None:
        return pixel_densities(model, space, values, energy) * area
    lon, lat = (np.atleast_1d(value) for value in to_frame(*center, model.frame, "icrs"))
    if model.is_point:
        return _shared(space, lon, lat)
    widths = np.array([1.0, abs(space.aspect)]) * space.binsize
    pixel = float(widths.max())
    reach = max(model.reach(values), pixel)
    rows, columns = space.bounds_about(lon, lat, reach * space.binsize / float(widths.min()))[0]
    fine = model.resolution(values)
    parts = factor or (FINEST if fine <= 0 else min(int(np.ceil(pixel / fine - 1e-6)), FINEST))
    if parts <= 1 or rows[0] == rows[1] or columns[0] == columns[1]:
        return pixel_densities(model, space, values, energy) * area
    size = (int(columns[1] - columns[0]), int(rows[1] - rows[0]))
    parts = max(1, min(parts, int(np.sqrt(_MOST / (size[0] * size[1])))))
    found = np.zeros((*(() if energy is None else energy.shape), *space.shape))
    step = max(1, int(_AT_ONCE / (size[0] * parts**2 * (1 if energy is None else len(energy)))))
    for row in range(int(rows[0]), int(rows[1]), step):
        some = min(step, int(rows[1]) - row)
        cut = replace(space, window=(size[0], some)).cut((row, int(columns[0])))
        dense = pixel_densities(model, divided(cut, parts), values, energy)
        means = dense.reshape(*dense.shape[:-2], some, parts, size[0], parts).mean(axis=(-3, -1))
        found[..., row : row + some, columns[0] : columns[1]] = means
    return np.asarray(found * area)


def along_axes(found: FloatArray, geom: Any, has_energies: bool) -> FloatArray:
    """Return values of an image, or of planes of energy, with a dim for each axis of a geometry."""
    if not has_energies:
        return found.reshape(*(1 for _ in geom.axes), *found.shape)
    names = [axis.name for axis in geom.axes][::-1]
    place = names.index("energy_true" if "energy_true" in names else "energy")
    return found.reshape(*(len(found) if at == place else 1 for at in range(len(names))), *found.shape[1:])


def divided(space: SkySpace, parts: int) -> SkySpace:
    """Return an image whose pixels are those of another one divided into ``parts`` by ``parts``."""
    x, y = ((place + 0.5) * parts - 0.5 for place in space.reference_pixel)
    npix = (space.npix[0] * parts, space.npix[1] * parts)
    return replace(space, binsize=space.binsize / parts, npix=npix, reference=(x, y))


def _shared(space: SkySpace, lon: FloatArray, lat: FloatArray) -> FloatArray:
    """Return the shares of a point in the pixels about it, 0 where it lies beside the image."""
    (x, y), (nx, ny) = (values[0] for values in np.broadcast_arrays(*space.pixels_of(lon, lat))), space.npix
    if not np.isfinite([x, y]).all():
        return np.zeros(space.shape)
    across, up = (np.clip(1.0 - np.abs(np.arange(n) - place), 0.0, None) for n, place in ((nx, x), (ny, y)))
    return np.asarray(up[:, None] * across)

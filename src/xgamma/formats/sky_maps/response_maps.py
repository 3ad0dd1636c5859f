"""Point spread functions and energy dispersions in files of maps, as written by any program, on one coarse image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from xgamma.axes import Axis, FloatArray
from xgamma.errors import InputError
from xgamma.formats.sky_maps.map_row import ResponseGrid
from xgamma.formats.sky_maps.sky_map import SkyMap
from xgamma.sky import SkySpace
from xgamma.sky_sampling import Corners, corners, nearest
from xgamma.units import unit_factor

EDISP, PSF, EXPOSURE = "EDISP", "PSF", "_EXPOSURE"
_RAD = ("rad", "theta")


@dataclass(frozen=True, eq=False)
class _Response:
    """A response as it is in a file: its values (first axis, second axis, y, x), these axes, its image."""

    values: FloatArray
    first: Axis
    second: Axis
    space: SkySpace

    def sampled(self, space: SkySpace, how: str) -> _Response:
        """Return it on another image, between pixels or at the nearest; itself on its own image."""
        if space == self.space:
            return self
        values = at_pixels(self.values, self.space, space, how)
        return replace(self, values=values, space=space)


def at_pixels(values: FloatArray, given: SkySpace, space: SkySpace, how: str) -> FloatArray:
    """Return values (..., y, x) of one image at the pixels of another: ``bilinear``, or of the ``nearest`` pixel."""
    if given == space:
        return values
    sample: Corners = (corners if how == "bilinear" else nearest)(given, *space.positions())
    found = sample.mean(values.reshape(*values.shape[:-2], -1))
    return np.asarray(found.reshape(*values.shape[:-2], *space.image.shape))


def responses_of_maps(
    maps: Mapping[str, SkyMap], energy: Axis, energy_true: Axis, path: Path, exposure: SkyMap | None
) -> ResponseGrid | None:
    """Return the responses of a dataset of maps, ``None`` where the file has none.

    Where both are on different images, they come to the finer one: the point spread function between the pixels, the
    energy dispersion of the nearest. Their weight is the exposure beside them, else that of the dataset.

    Parameters
    ----------
    maps
        All maps of the file.
    energy, energy_true
        The axes of the dataset.
    path
        The file.
    exposure
        Of the dataset.

    Raises
    ------
    InputError
        When axes are missing, or those of the energy dispersion are not the dataset's.
    """
    psf = _psf(maps[PSF], path) if PSF in maps else None
    edisp = _edisp(maps[EDISP], energy, path) if EDISP in maps else None
    if edisp is not None and not edisp.first.is_close(energy_true):
        raise InputError(
            f"{path}: its energy dispersion has {edisp.first.nbin} bins of true energy, its exposure others "
            f"({energy_true.nbin}). Write both on the same axis."
        )
    found = [each for each in (edisp, psf) if each is not None]
    if not found:
        return None
    space = max((each.space for each in found), key=lambda space: space.npix[0] * space.npix[1])
    grid = ResponseGrid(space, _weight(maps, space, energy_true, path, exposure))
    if edisp is not None:
        grid = replace(grid, edisp=edisp.sampled(space, "nearest").values)
    if psf is None:
        return grid
    density = psf.sampled(space, "bilinear").values
    if psf.first.name == "energy":
        return replace(grid, psf_reco=_on_axis(density, psf.first, energy), rad=psf.second)
    return replace(grid, psf=_on_axis(density, psf.first, energy_true), rad=psf.second)


def _psf(each: SkyMap, path: Path) -> _Response:
    """Return a point spread function in sr-1, of true energy or, as HAWC writes it, of reconstructed energy."""
    names = [axis.name for axis in each.axes]
    energy = next((name for name in ("energy_true", "energy") if name in names), None)
    rad = next((name for name in _RAD if name in names), None)
    if energy is None or rad is None or len(names) != 2:
        raise InputError(
            f"{path}: its PSF has the axes {', '.join(names) or 'none'}; expected an energy and RAD or THETA."
        )
    values = np.asarray(_ordered(each, (energy, rad)) * unit_factor(each.unit, "sr-1", f"{path}: PSF"))
    return _Response(values, each.axis(energy), _from_zero(each.axis(rad)), each.space)


def _from_zero(axis: Axis) -> Axis:
    """Return an axis of distances that begins at 0: edges about a node at 0 begin below."""
    edges = np.maximum(axis.edges, 0.0)
    return Axis("rad", edges, axis.unit, "lin", axis.center if edges[0] != axis.edges[0] else axis.nodes)


def _edisp(each: SkyMap, energy: Axis, path: Path) -> _Response:
    """Return an energy dispersion as kernels of the reconstructed energies of a dataset."""
    names = {axis.name for axis in each.axes}
    if names == {"energy_true", "energy"}:
        if not each.axis("energy").is_close(energy):
            raise InputError(f"{path}: its energy dispersion has other reconstructed energies than its counts.")
        return _Response(_ordered(each, ("energy_true", "energy")), each.axis("energy_true"), energy, each.space)
    if names != {"energy_true", "migra"}:
        raise InputError(
            f"{path}: its EDISP has the axes {', '.join(sorted(names)) or 'none'}; expected ENERGY_TRUE, and ENERGY or "
            "MIGRA."
        )
    density, true, migra = _ordered(each, ("energy_true", "migra")), each.axis("energy_true"), each.axis("migra")
    return _Response(kernels_of_migra(density, true, migra, energy), true, energy, each.space)


def kernels_of_migra(density: FloatArray, energy_true: Axis, migra: Axis, energy: Axis) -> FloatArray:
    """Return the share of each bin of reconstructed energy in densities of its ratio to the true energy.

    Parameters
    ----------
    density
        In each bin of ``migra``, shape (energy_true, migra, ...).
    energy_true, migra, energy
        The axes.

    Returns
    -------
    numpy.ndarray
        Shape (energy_true, energy, ...).
    """
    steps = migra.width.reshape(-1, *[1] * (density.ndim - 2))
    summed = np.cumsum(density * steps, axis=1)
    cumulative = np.concatenate([np.zeros_like(summed[:, :1]), summed], axis=1)
    found = []
    for true, below in zip(energy_true.center, cumulative, strict=True):
        place = np.interp(energy.edges / true, migra.edges, np.arange(migra.nbin + 1.0))
        lower = np.minimum(place.astype(int), migra.nbin - 1)
        share = (place - lower).reshape(-1, *[1] * (density.ndim - 2))
        found.append(np.diff((1 - share) * below[lower] + share * below[lower + 1], axis=0))
    return np.stack(found)


def _ordered(each: SkyMap, names: tuple[str, ...]) -> FloatArray:
    """Return values (*names, y, x), 0 where they are no numbers."""
    order = [[axis.name for axis in each.axes].index(name) for name in names]
    values = np.asarray(each.values, dtype=float).transpose(*order, -2, -1)
    return np.where(np.isfinite(values), values, 0.0)


def _on_axis(values: FloatArray, axis: Axis, target: Axis) -> FloatArray:
    """Return values along the first axis at the energies of another, linear in the logarithm, constant beyond it."""
    if axis.nbin == target.nbin and np.allclose(axis.center, target.center, rtol=1e-6, atol=0):
        return values
    place = np.interp(np.log(target.center), np.log(axis.center), np.arange(axis.nbin, dtype=float))
    lower = np.clip(place.astype(int), 0, max(axis.nbin - 2, 0))
    share = (place - lower).reshape(-1, *[1] * (values.ndim - 1))
    return np.asarray((1 - share) * values[lower] + share * values[np.minimum(lower + 1, axis.nbin - 1)])


def _weight(
    maps: Mapping[str, SkyMap], space: SkySpace, energy_true: Axis, path: Path, exposure: SkyMap | None
) -> FloatArray:
    """Return the exposure of an image of responses in m2 s, shape (energy_true, y, x); 1 where no file says it."""
    for name in (f"{PSF}{EXPOSURE}", f"{EDISP}{EXPOSURE}"):
        each = maps.get(name)
        if each is not None and "energy_true" in [axis.name for axis in each.axes]:
            break
    else:
        each = exposure
    if each is None:
        return np.ones((energy_true.nbin, *space.shape))
    values = exposure_values(each, path)
    return _on_axis(at_pixels(values, each.space, space, "bilinear"), each.axis("energy_true"), energy_true)


def exposure_values(each: SkyMap, path: Path) -> FloatArray:
    """Return an exposure in m2 s, shape (energy_true, y, x), without axes of one bin; cm2 s where it says no unit.

    gtexpcube2 writes no unit, and means cm2 s.
    """
    number = next(place for place, axis in enumerate(each.axes) if axis.name == "energy_true")
    others = tuple(place for place, axis in enumerate(each.axes) if place != number)
    if any(each.axes[place].nbin != 1 for place in others):
        raise InputError(f"{path}: {each.name} has axes beside ENERGY_TRUE; expected none of more than one bin.")
    values = np.asarray(each.values, dtype=float).squeeze(others)
    return np.where(np.isfinite(values), values, 0.0) * float(
        unit_factor(each.unit or "cm2 s", "m2 s", f"{path}: {each.name}")
    )

"""Makers of maps and of their backgrounds: by the functions that reduce all runs at once."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from xgamma.axes import Axis, BoolArray
from xgamma.datasets.map_dataset import MapDataset, MapDatasetOnOff
from xgamma.datasets.maps.coords import degrees
from xgamma.datasets.observations import Observation
from xgamma.datasets.reduced import normalize_exclusion, reduced
from xgamma.errors import ConfigError, ConfigTypeError, DataError
from xgamma.grid import Grid
from xgamma.masks import Exclusion
from xgamma.reduce import Method, Recipe, method
from xgamma.reduce.background.fov import NORMS, FovBackgroundParameters, fov_norms
from xgamma.reduce.background.protocol import background_of
from xgamma.reduce.background.sky import usable_pixels
from xgamma.reduce.background.sky_ring import AdaptiveSkyRing, SkyRing
from xgamma.reduce.nodes import safe_offsets
from xgamma.reduce.recipe import MAPS
from xgamma.reduce.response import responses
from xgamma.reduce.safe_bins import safe_bins
from xgamma.reduce.safe_mask import NEED_NO_DISPERSION
from xgamma.schema import DL4_IN, WINDOWS, bin_dims

log = logging.getLogger(__name__)

# Farther from the pointing than any map reaches.
EVERYWHERE = 90.0


class MapDatasetMaker:
    """Reduces one run to the axes and the pixels of a dataset.

    Parameters
    ----------
    selection
        What is made, some of ``MAPS``; ``None`` is all of it.
    background_oversampling
        The steps in each bin of energy in which the expected rate is integrated, ``None`` for one.

    Raises
    ------
    ConfigError
        For another word in ``selection``, or a number of steps below 1.
    """

    tag = "MapDatasetMaker"
    available_selection = MAPS

    def __init__(self, selection: Sequence[str] | None = None, background_oversampling: int | None = None) -> None:
        given = MAPS if selection is None else tuple(selection)
        wrong = [name for name in given if name not in MAPS]
        if wrong:
            raise ConfigError(f"selection: expected some of {', '.join(MAPS)}, got {wrong[0]!r}.")
        self.selection = given
        self.background = method("background", "irf", oversampling=background_oversampling or 1)

    def run(self, dataset: MapDataset, observation: Observation) -> MapDataset:
        """Return the maps of a run, under the name of the dataset that gives axes and pixels.

        A run that cannot be used is masked, with a warning.
        """
        background = self.background if "background" in self.selection else None
        recipe = Recipe(grid_of_maps(dataset), False, background, offset_max=EVERYWHERE, maps=self.selection)
        found = reduced(recipe, dataset.name, observation)
        if "counts" not in self.selection:
            found = found.assign(counts=xr.zeros_like(found["counts"]))
        return MapDataset(found, mask_fit=dataset.fit_bins)


def with_safe_pixels(
    dataset: MapDataset, observation: Observation, methods: tuple[Method, ...], position: tuple[float, float] | None
) -> MapDataset:
    """Return the maps of a run with the bins alone that some safe masks leave.

    Those of effective area and energy dispersion look at an ICRS position, by default the middle of the map, or at an
    offset that they are given.
    """
    data, part, rows = dataset.data, observation.part, observation.rows
    recipe = Recipe(grid_of_maps(dataset), False, safe_masks=methods, safe_position=position)
    pointing = np.array([observation.ra]), np.array([observation.dec])
    offset = dataset.image.offsets(*pointing, np.zeros((1, 2), dtype=np.int64))
    # The pixel in the middle, as in a reduction.
    v, u = (int(np.rint(0.5 * (size - 1))) for size in dataset.image.shape)
    middle = offset[:, v * dataset.image.shape[1] + u]
    needed = any(each.name not in NEED_NO_DISPERSION for each in methods)
    at_middle = responses(part, rows, recipe.grid, middle[:, np.newaxis], False, needed)
    expected = data["background" if "background" in data else "counts"].values
    flat = expected.reshape(*expected.shape[:2], -1).swapaxes(1, 2)
    mask = safe_bins(part, rows, recipe, offset, at_middle, flat)
    safe = data["mask_safe"].values & mask.swapaxes(1, 2).reshape(expected.shape)
    made = data.assign(mask_safe=data["mask_safe"].copy(data=safe))
    if "safe_offset" in data:
        planes = safe.reshape(*safe.shape[:2], -1).swapaxes(1, 2)
        made["safe_offset"] = data["safe_offset"].copy(data=safe_offsets(planes, offset))
    return type(dataset)(made, mask_fit=dataset.fit_bins)


def grid_of_maps(dataset: MapDataset) -> Grid:
    """Return axes and pixels of a dataset, whose window is an image of its own."""
    energy, energy_true = (Axis.from_coords(dataset.data.variables, name) for name in ("energy", "energy_true"))
    return Grid(energy, energy_true, dataset.image)


class FoVBackgroundMaker:
    """Normalises the expected background of maps to their counts outside of sources.

    Parameters
    ----------
    method
        ``scale``, which divides sums, or ``fit``, which minimises the Cash statistic.
    exclusion_mask
        Where sources are: a ``Map`` that is true where the sky may be used, a region or several, DS9 text, or the name
        of a file with a mask. What it says nothing about may be used.
    spectral_model
        The tag of the norm, ``pl-norm``.
    min_counts, min_npred_background
        Maps with no more than these are masked.

    Raises
    ------
    ConfigError
        For another method or spectral model.
    """

    tag = "FoVBackgroundMaker"
    available_methods = ("fit", "scale")

    def __init__(
        self, method: str = "scale", exclusion_mask: Any = None, spectral_model: str | None = "pl-norm",
        min_counts: float = 0, min_npred_background: float = 0,
    ) -> None:  # fmt: skip
        self.parameters = FovBackgroundParameters(method, spectral_model, min_counts, min_npred_background)
        self.exclusion = normalize_exclusion(exclusion_mask)

    def run(self, dataset: MapDataset, observation: Observation | None = None) -> MapDataset:
        """Return the maps with their background times its norm; those without a norm are masked, with a warning."""
        data = _validated(dataset, "background", self.tag)
        usable = data["mask_safe"].values & _usable(dataset, self.exclusion)
        counts, expected = (data[name].values for name in ("counts", "background"))
        planes = [_flat(values) for values in (counts, expected, usable)]
        energy = dataset.energy_axis.center
        norms = fov_norms(planes[0], planes[1], planes[2], energy, self.parameters)
        for reason in norms.reasons.values():
            log.warning("%s is masked: %s.", dataset.name, reason)
        scaled = expected * norms.factor(energy)[:, :, np.newaxis, np.newaxis].astype(expected.dtype)
        made = data.assign(background=data["background"].copy(data=scaled))
        specs = DL4_IN[WINDOWS]
        made = made.assign({n: (("dataset",), v, specs[n].attrs()) for n, v in zip(NORMS, norms[:4], strict=True)})
        return type(dataset)(_without_safe_bins(made) if norms.reasons else made, mask_fit=dataset.fit_bins)


class RingBackgroundMaker:
    """Counts in a ring about each pixel of maps of one energy bin.

    Parameters
    ----------
    r_in, width
        The inner radius and the width of the ring.
    exclusion_mask
        Where sources are; see ``FoVBackgroundMaker``.

    Raises
    ------
    ConfigError
        For angles that are not above 0.
    """

    tag = "RingBackgroundMaker"
    _method = "ring"

    def __init__(self, r_in: Any, width: Any, exclusion_mask: Any = None) -> None:
        self._set({"r_in": r_in, "width": width}, exclusion_mask)

    def _set(self, angles: Mapping[str, Any], exclusion_mask: Any, **others: Any) -> None:
        plain = {name: degrees(value, name) for name, value in angles.items()}
        self.method = method("background", self._method, **plain, **others)
        self.exclusion = normalize_exclusion(exclusion_mask)

    def run(self, dataset: MapDataset, observation: Observation | None = None) -> MapDatasetOnOff:
        """Return the maps with off counts and acceptances; pixels without a ring are masked.

        Raises
        ------
        ConfigError
            For maps of several energy bins, and a ring that begins outside of the map.
        DataError
            For maps without a background.
        """
        data = _validated(dataset, "background", self.tag)
        if dataset.energy_axis.nbin != 1:
            raise ConfigError(
                f"{dataset.name}: a ring background is made in one energy bin, got {dataset.energy_axis.nbin}; give "
                "dataset.to_image()."
            )
        background = background_of(self.method)
        assert isinstance(background, SkyRing | AdaptiveSkyRing)
        background.validate(grid_of_maps(dataset), self.exclusion)
        counts, expected, safe = (data.variables[name].values for name in ("counts", "background", "mask_safe"))
        usable = _usable(dataset, self.exclusion)[:, 0]
        values, known = background.measured(counts[:, 0], expected[:, 0], usable, dataset.image.binsize)
        usable_bins = safe & known[:, np.newaxis]
        if safe.any() and not usable_bins.any():
            log.warning(
                "%s is masked: no safe pixel has a ring with a part in the map that is not excluded.", dataset.name
            )
        specs, dims = DL4_IN[WINDOWS], bin_dims(data)
        images: dict[str, Any] = {
            name: (dims, image[:, np.newaxis], specs[name].attrs()) for name, image in values.items()
        }
        images["mask_safe"] = data.variables["mask_safe"].copy(data=usable_bins)
        kept = {name: own for name, own in data.data_vars.variables.items() if name not in ("background", *NORMS)}
        made = xr.Dataset(kept | images, data.coords, data.attrs)
        return MapDatasetOnOff(made, mask_fit=dataset.fit_bins)


class AdaptiveRingBackgroundMaker(RingBackgroundMaker):
    """Counts in rings about each pixel that grow until they hold enough, of maps of one energy bin.

    Parameters
    ----------
    r_in, r_out_max, width
        The inner radius and the width of the first ring, and the radius that no ring reaches.
    stepsize
        By which rings grow.
    threshold_alpha
        The largest ratio of the acceptances on and off.
    theta
        The radius of the acceptance on; 0 deg, that of the pixel alone, is what Gammapy 2.1 takes whatever it is given.
    method
        ``fixed_width``, with which rings move outwards, or ``fixed_r_in``, with which they grow wider.
    exclusion_mask
        Where sources are; see ``FoVBackgroundMaker``.

    Raises
    ------
    ConfigError
        For angles that are not above 0, and for another method.
    """

    tag = "AdaptiveRingBackgroundMaker"
    _method = "adaptive_ring"

    def __init__(
        self, r_in: Any, r_out_max: Any, width: Any, stepsize: Any = "0.02 deg", threshold_alpha: float = 0.1,
        theta: Any = "0 deg", method: str = "fixed_width", exclusion_mask: Any = None,
    ) -> None:  # fmt: skip
        angles = {"r_in": r_in, "r_out_max": r_out_max, "width": width, "stepsize": stepsize, "theta": theta}
        self._set(angles, exclusion_mask, threshold_alpha=threshold_alpha, method=method)


def _validated(dataset: Any, variable: str, tag: str) -> xr.Dataset:
    if not isinstance(dataset, MapDataset):
        raise ConfigTypeError(f"{tag}: expected a MapDataset, got a {type(dataset).__name__}.")
    if variable not in dataset.data:
        raise DataError(f"{dataset.name}: expected a map with {variable} for {tag}, got one without; select it.")
    return dataset.data


def _usable(dataset: MapDataset, exclusion: Exclusion | None) -> BoolArray:
    """Return which pixels may serve as background, shape (1, 1, v, u)."""
    image = dataset.image
    found = usable_pixels(exclusion, image, np.zeros((1, 2), dtype=np.int64))
    return found.reshape(1, 1, *image.shape)


def _flat(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return values.reshape(*values.shape[:2], -1)


def _without_safe_bins(data: xr.Dataset) -> xr.Dataset:
    return data.assign(mask_safe=xr.zeros_like(data["mask_safe"]))

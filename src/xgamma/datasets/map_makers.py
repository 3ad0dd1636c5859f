"""Makers of maps: one run reduced step by step to a window, by the functions that reduce all runs at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from xgamma.axes import Axis
from xgamma.datasets.map_dataset import MapDataset
from xgamma.datasets.observations import Observation
from xgamma.datasets.reduced import reduced
from xgamma.errors import ConfigError
from xgamma.grid import Grid
from xgamma.reduce import Method, Recipe, method
from xgamma.reduce.nodes import safe_offsets
from xgamma.reduce.recipe import MAPS
from xgamma.reduce.response import responses
from xgamma.reduce.safe_bins import safe_bins
from xgamma.reduce.safe_mask import NEED_NO_DISPERSION

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
    energy, energy_true = (Axis.from_coords(dataset.data.coords, name) for name in ("energy", "energy_true"))
    return Grid(energy, energy_true, dataset.image)

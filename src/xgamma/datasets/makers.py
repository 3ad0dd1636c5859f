"""Makers: one run reduced step by step, by the functions that reduce all runs at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import xarray as xr

from xgamma.axes import Axis
from xgamma.datasets.collection import Datasets
from xgamma.datasets.map_dataset import MapDataset, MapDatasetOnOff
from xgamma.datasets.map_makers import with_safe_pixels
from xgamma.datasets.maps.coords import normalize_position
from xgamma.datasets.observations import Observation
from xgamma.datasets.reduced import normalize_exclusion, reduced
from xgamma.datasets.spectrum import SpectrumDataset, SpectrumDatasetOnOff
from xgamma.errors import ConfigError, did_you_mean
from xgamma.formats.region_files import shapes_of_text
from xgamma.grid import REGION_SHAPE, Grid, RegionSpace
from xgamma.outcome import Outcome
from xgamma.reduce import Method, Recipe, method, safe_masks_of
from xgamma.reduce.background.names import OFF_CIRCLES, OFF_COUNTS
from xgamma.reduce.response import Responses
from xgamma.reduce.safe_bins import safe_bins
from xgamma.reduce.safe_mask import SafeMaskParameters
from xgamma.shapes import Circle, Shape

SELECTION = ("counts", "exposure", "edisp")
_OF_BACKGROUND = (*OFF_COUNTS, *OFF_CIRCLES)


class SpectrumDatasetMaker:
    """Reduces one run to the axes and the region of a dataset.

    Parameters
    ----------
    selection
        What is made: ``counts``, ``exposure``, ``edisp``, and where it is asked for the ``background`` that the release
        expects.
    containment_correction
        Whether the exposure is corrected for the part of the point spread function outside the region.

    Raises
    ------
    ConfigError
        For another word in ``selection``.
    """

    tag = "SpectrumDatasetMaker"

    def __init__(self, selection: Sequence[str] = SELECTION, containment_correction: bool = False) -> None:
        wrong = set(selection) - {*SELECTION, "background"}
        if wrong:
            raise ConfigError(f"selection: expected some of {', '.join(SELECTION)}, background, got {min(wrong)!r}.")
        self.selection, self.containment_correction = selection, containment_correction

    def run(self, dataset: SpectrumDataset, observation: Observation) -> SpectrumDataset:
        """Return the spectrum of a run, under the name of the dataset that gives axes and region.

        Raises what ``reduce.validate_enclosure`` raises; a run that cannot be used is masked, with a warning.
        """
        background = method("background", "irf") if "background" in self.selection else None
        recipe = Recipe(_grid_of(dataset), self.containment_correction, background)
        found = reduced(recipe, dataset.name, observation)
        if "counts" not in self.selection:
            found = found.assign(counts=xr.zeros_like(found["counts"]))
        return SpectrumDataset(found, dataset.models, mask_fit=dataset.fit_bins)


class ReflectedRegionsFinder:
    """How off regions are placed: the parameters of the background ``reflected``."""

    name = "reflected"

    def __init__(self, **parameters: Any) -> None:
        self.parameters = parameters

    @property
    def method(self) -> Method:
        """The background; raises ``ConfigError`` for parameters that it does not have."""
        return method("background", self.name, **self.parameters)


class WobbleRegionsFinder(ReflectedRegionsFinder):
    """Off regions at equal distances about the pointing: the parameters of the background ``wobble``."""

    name = "wobble"


class ReflectedRegionsBackgroundMaker:
    """Counts events of one run in off regions.

    Parameters
    ----------
    region_finder
        How they are placed.
    exclusion_mask
        What they leave out: a region or several, DS9 text, or the name of a file with a mask.
    """

    tag = "ReflectedRegionsBackgroundMaker"

    def __init__(self, region_finder: ReflectedRegionsFinder | None = None, exclusion_mask: Any = None) -> None:
        self.method = (region_finder or ReflectedRegionsFinder()).method
        self.exclusion = normalize_exclusion(exclusion_mask)

    def run(self, dataset: SpectrumDataset, observation: Observation) -> SpectrumDatasetOnOff:
        """Return the dataset with off counts; where no off region is found all of it is masked, with a warning."""
        recipe = Recipe(_grid_of(dataset), False, self.method, self.exclusion)
        found = reduced(recipe, dataset.name, observation)
        held = [name for name in (*_OF_BACKGROUND, "ledger", "outcome") if name in found]
        made = dataset.data.drop_vars(["background", *_OF_BACKGROUND], errors="ignore").assign(
            {n: found[n] for n in held}
        )
        if found["outcome"].values[0] != Outcome.USED:
            made = made.assign(mask_safe=xr.zeros_like(made["mask_safe"]))
        made.attrs["outcome_details"] = found.attrs["outcome_details"]
        return SpectrumDatasetOnOff(made, dataset.models, mask_fit=dataset.fit_bins)


class SafeMaskMaker:
    """Takes out the bins of one run in which its responses are not trusted.

    Parameters
    ----------
    methods
        The names of safe masks.
    position
        Where effective area and energy dispersion are looked at, a ``SkyCoord``; ``None`` is the region, of maps their
        middle.
    parameters
        Theirs, such as ``aeff_percent``.

    Raises
    ------
    UnknownNameError, ConfigError
        For a name or a parameter that is not known, and for a position and a ``fixed_offset`` together.
    """

    tag = "SafeMaskMaker"

    def __init__(self, methods: Sequence[str] = ("aeff-default",), position: Any = None, **parameters: Any) -> None:
        known = [field.name for field in fields(SafeMaskParameters) if field.name != "position"]
        for name in parameters:
            if name not in known:
                raise ConfigError(f"SafeMaskMaker: there is no parameter {name!r}.{did_you_mean(name, known)}")
        if position is not None and parameters.get("fixed_offset") is not None:
            raise ConfigError("SafeMaskMaker: expected a position or a fixed_offset, got both; leave one out.")
        self.methods = safe_masks_of(methods, parameters, "SafeMaskMaker")
        self.position: tuple[float, float] | None = None
        if position is not None:
            lon, lat = normalize_position(position, "icrs")
            self.position = float(lon), float(lat)

    def run(self, dataset: Any, observation: Observation) -> Any:
        """Return the dataset, a spectrum or maps, with fewer safe bins."""
        if isinstance(dataset, MapDataset):
            return with_safe_pixels(dataset, observation, self.methods, self.position)
        data, part, rows = dataset.data, observation.part, observation.rows
        seconds = data["livetime"].values[:, np.newaxis, np.newaxis]
        area, whole = (
            np.divide(each, seconds, out=np.zeros_like(each), where=seconds > 0)
            for each in (data[name].values for name in ("exposure", "exposure_edisp"))
        )
        share = np.divide(area, whole, out=np.ones_like(area), where=whole > 0)
        counted = [data[name].values for name in ("counts", "counts_off") if name in data]
        expected = data["background"].values if "background" in data else np.sum(counted, axis=0)
        containment = not np.array_equal(area, whole)
        recipe = Recipe(_grid_of(dataset), containment, safe_masks=self.methods, safe_position=self.position)
        found = Responses(whole, share, data["edisp"].values)
        mask = safe_bins(part, rows, recipe, data["offset"].values, found, expected)
        made = data.assign(mask_safe=data["mask_safe"].copy(data=data["mask_safe"].values & mask))
        return type(dataset)(made, dataset.models, mask_fit=dataset.fit_bins)


class DatasetsMaker:
    """Runs several makers on each of several runs.

    Parameters
    ----------
    makers
        In their order, a ``SpectrumDatasetMaker`` or a ``MapDatasetMaker`` first.
    stack_datasets
        Whether what is made is stacked, run by run.
    cutout_width, cutout_mode
        Of maps, the width of the part about the pointing of a run that it is reduced to, and what becomes of a part
        that reaches beyond the map; see ``MapDataset.cutout``.
    """

    tag = "DatasetsMaker"

    def __init__(
        self,
        makers: Sequence[Any],
        stack_datasets: bool = True,
        cutout_mode: str = "trim",
        cutout_width: Any = None,
    ) -> None:
        self.makers = list(makers)
        self.stack_datasets, self.cutout_mode, self.cutout_width = stack_datasets, cutout_mode, cutout_width

    def run(self, dataset: Any, observations: Iterable[Observation]) -> Datasets:
        """Return a dataset for each run, with its name, or the stack of them with the name of ``dataset``.

        Maps with off counts are stacked as maps with the background that these lead to expect.
        """
        made = (self._made(dataset, observation) for observation in observations)
        if not self.stack_datasets:
            return Datasets(list(made))
        total = None
        for each in made:
            one = each.to_map_dataset() if isinstance(each, MapDatasetOnOff) else each
            if total is None:
                total = _empty_like(dataset, one)
            total.stack(one)
        return Datasets([] if total is None else [total])

    def _made(self, dataset: Any, observation: Observation) -> Any:
        if isinstance(dataset, MapDataset) and self.cutout_width is not None:
            pointing = observation.pointing.fixed_icrs
            one = dataset.cutout(pointing, self.cutout_width, self.cutout_mode, observation.name)
        else:
            one = dataset.copy(name=observation.name)
        for maker in self.makers:
            one = maker.run(one, observation)
        return one


def _empty_like(dataset: Any, made: Any) -> Any:
    """Return a row without data, in the cells of ``dataset`` and of the kind of what is made of it."""
    if type(dataset) is type(made):
        return dataset.copy()
    return type(made).create(_grid_of(dataset), name=dataset.name)


def _grid_of(dataset: SpectrumDataset) -> Grid:
    coords = dataset.data.coords
    if "region_lon" not in coords:
        raise ConfigError(f"{dataset.name}: expected a dataset that has a region; create it with one.")
    lon, lat, radius = (float(coords[f"region_{part}"].values[0]) for part in ("lon", "lat", "radius"))
    if np.isfinite(radius):
        shape: Shape = Circle(lon, lat, radius)
    else:
        [(shape, _)] = shapes_of_text(str(coords[REGION_SHAPE].values[0]))
    energy, energy_true = (Axis.from_coords(coords, name) for name in ("energy", "energy_true"))
    return Grid(energy, energy_true, RegionSpace((shape,)))

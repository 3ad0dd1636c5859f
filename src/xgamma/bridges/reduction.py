"""Runs reduced by Gammapy as a recipe of ours asks, for comparison."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gammapy
import numpy as np
import xarray as xr
from astropy import units as u
from astropy.time import Time
from gammapy.data import DataStore, Observation
from gammapy.datasets import SpectrumDataset
from gammapy.makers import (
    ReflectedRegionsBackgroundMaker,
    ReflectedRegionsFinder,
    SafeMaskMaker,
    SpectrumDatasetMaker,
    WobbleRegionsFinder,
)
from gammapy.maps import Map, MapAxis, RegionGeom

from xgamma.bridges.spectra import from_gammapy
from xgamma.formats import region_objects
from xgamma.shapes import Shape, shape_from

VERSION: str = gammapy.__version__
ENDINGS = (".fits.gz", ".fits")


@dataclass(frozen=True)
class RunPiece:
    """A run, or the part of it between two times; ``None`` for a whole run."""

    name: str
    obs_id: int
    interval: Time | None


def open_data_store(place: Path, hdu_index: str | None = None, obs_index: str | None = None) -> DataStore:
    """Open a release as the reader of ours does: a folder with an index, an index file, or a folder of run files."""
    if place.is_file():
        return DataStore.from_file(place)
    index = {
        stem: next((f"{stem}{ending}" for ending in ENDINGS if (place / f"{stem}{ending}").exists()), None)
        for stem in ("hdu-index", "obs-index")
    }
    if hdu_index is None and index["hdu-index"] is None:
        return DataStore.from_events_files(sorted(path for ending in ENDINGS for path in place.glob(f"*{ending}")))
    return DataStore.from_dir(place, hdu_index or index["hdu-index"], obs_index or index["obs-index"])


def read_exclusion(path: Path) -> Map:
    """Read an exclusion mask; a pixel that is not a number excludes."""
    mask = Map.read(path)
    mask.data = np.nan_to_num(mask.data) != 0
    return mask


def reduced_by_gammapy(
    release: DataStore, piece: RunPiece, recipe: Mapping[str, Any], exclusion: Map | None
) -> xr.Dataset:
    """Reduce one piece of a run to a DL4 row for each region.

    Parameters
    ----------
    release
        From ``open_data_store``.
    piece
        The run.
    recipe
        The document of a recipe.
    exclusion
        The usable sky.

    Raises
    ------
    XgammaError
        Where Gammapy makes no spectrum, for want of off regions for example; it may also raise errors of its own.
    """
    needed = ["aeff", "edisp", *(["psf"] if recipe["containment"] else [])]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        observation = release.obs(piece.obs_id, required_irf=needed)
        if piece.interval is not None:
            observation = observation.select_time(piece.interval)
        datasets = [
            _dataset(piece.name, observation, shape_from(region), recipe, exclusion)
            for region in recipe["space"]["regions"]
        ]
        return xr.concat([from_gammapy([dataset])[0] for dataset in datasets], "region", data_vars="different")


def _dataset(
    name: str, observation: Observation, shape: Shape, recipe: Mapping[str, Any], exclusion: Map | None
) -> SpectrumDataset:
    energy, energy_true = (
        MapAxis.from_energy_edges(np.array(recipe[axis]), unit="TeV", name=axis) for axis in ("energy", "energy_true")
    )
    geom = RegionGeom.create(region_objects.sky_regions([shape])[0], axes=[energy])
    empty = SpectrumDataset.create(geom=geom, energy_axis_true=energy_true, name=name)
    maker = SpectrumDatasetMaker(
        selection=["counts", "exposure", "edisp"], containment_correction=bool(recipe["containment"])
    )
    dataset = maker.run(empty, observation)
    if recipe["background"] is not None:
        off = ReflectedRegionsBackgroundMaker(region_finder=_finder(recipe["background"]), exclusion_mask=exclusion)
        dataset = off.run(dataset, observation)
    safe = _safe_mask(recipe["safe_masks"])
    return dataset if safe is None or getattr(dataset, "counts_off", 0) is None else safe.run(dataset, observation)


def _finder(background: Mapping[str, Any]) -> ReflectedRegionsFinder | WobbleRegionsFinder:
    """Return what places the off regions of ``reflected`` or ``wobble``."""
    if "wobble" in background:
        _, parameters = background["wobble"]
        return WobbleRegionsFinder(**_angles(parameters))
    return ReflectedRegionsFinder(**_angles(background["reflected"]))


def _angles(parameters: Mapping[str, Any]) -> dict[str, Any]:
    units = {"angle_increment": "rad", "min_distance": "rad", "min_distance_input": "rad", "binsz": "deg"}
    return {name: u.Quantity(value, units[name]) if name in units else value for name, value in parameters.items()}


def _safe_mask(methods: Mapping[str, Any]) -> SafeMaskMaker | None:
    if not methods:
        return None
    used = {name: value for _, parameters in methods.values() for name, value in parameters.items()}
    angles = {name: u.Quantity(used[name], "deg") for name in ("offset_max", "fixed_offset") if used.get(name)}
    plain = {name: used[name] for name in ("aeff_percent", "bias_percent") if name in used}
    return SafeMaskMaker(methods=list(methods), **plain, **angles)

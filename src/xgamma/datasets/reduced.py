"""What all makers share: one run reduced by a recipe, and what is excluded of the sky."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from xgamma.datasets.maps import Map
from xgamma.datasets.observations import Observation
from xgamma.errors import ConfigTypeError
from xgamma.formats.fits.regions import read_mask
from xgamma.formats.region_files import is_ds9, shapes_of_text
from xgamma.masks import ExcludedShapes, Exclusion, SkyMask
from xgamma.outcome import Outcome
from xgamma.reduce import Recipe, reduce_block, validate_enclosure, with_names

log = logging.getLogger(__name__)


def reduced(recipe: Recipe, name: str, observation: Observation) -> xr.Dataset:
    """Return the row of one run under a name; one that cannot be used is masked, with a warning.

    Raises ``ConfigTypeError`` for what is no run, and what ``reduce.validate_enclosure`` raises.
    """
    if not isinstance(observation, Observation):
        raise ConfigTypeError(f"Expected a run, got a {type(observation).__name__}; take one of Observations.")
    validate_enclosure([(observation.part, observation.rows)], recipe.grid, recipe.containment)
    found = reduce_block(observation.part, observation.rows, recipe)
    if found["outcome"].values[0] != Outcome.USED:
        log.warning("Run %s is masked: %s.", observation.name, found.attrs["outcome_details"][0])
    return with_names(found, [name])


def normalize_exclusion(given: Any) -> Exclusion | None:
    """Return what is excluded of the sky, of one or several regions, DS9 text, a mask or the name of a file with one.

    In a ``Map`` a pixel may be used where it is true, or not 0, at all energies.
    """
    if given is None or (hasattr(given, "is_usable") and hasattr(given, "caps_near")):
        return given  # type: ignore[no-any-return]
    if isinstance(given, Map):
        usable = np.asarray(given.data, dtype=bool)
        planes = usable.reshape(-1, *usable.shape[-2:])
        return SkyMask(np.asarray(planes.all(axis=0)), given.geom.wcs, given.geom.frame)
    if isinstance(given, str | Path) and not is_ds9(str(given)):
        return read_mask(Path(given))
    named = shapes_of_text(given, "exclusion_mask") if isinstance(given, str) else []
    many = [shape for shape, _ in named] or (given if isinstance(given, Sequence) else [given])
    return ExcludedShapes(tuple(many))

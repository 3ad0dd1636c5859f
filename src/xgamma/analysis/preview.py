"""A look ahead that reads no events: which runs a configuration selects and where its region lies in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from xgamma.analysis.config import AnalysisConfig
from xgamma.analysis.request import models_of, outdir_of, recipe_of, selection_of, steps_of, validate_models
from xgamma.analysis.unused import REDUCE, UnusedRun, lacking_responses, no_run_left, nothing_selected
from xgamma.errors import DataError
from xgamma.geometry import separation
from xgamma.ingest import open_release
from xgamma.outcome import Outcome
from xgamma.select import sieved


@dataclass(frozen=True)
class Preview:
    """What a configuration would work on: runs, those that cannot be used and why, and facts as text."""

    obs_ids: Sequence[int]
    unusable: Mapping[int, str]
    facts: Mapping[str, str]


def preview(config: AnalysisConfig) -> Preview:
    """Check a configuration, its files and its geometry.

    Raises
    ------
    ConfigError, InputError, DataError
        For everything that is wrong, also when no run is left.
    """
    config.check(complete=True, files=True)
    recipe, selection, models = recipe_of(config), selection_of(config), models_of(config)
    steps = steps_of(config)
    validate_models(models, config.flux_points.source, steps)
    outdir = outdir_of(config)
    release = open_release(config.observations.datastore.expanded())
    facts = release.facts()
    chosen = sieved(facts, selection)
    obs_ids = chosen.obs_ids
    lacking = lacking_responses(chosen)
    if not obs_ids:
        raise nothing_selected(lacking)
    lon, lat = recipe.grid.space.positions()
    pointing = np.array([(facts[obs_id].ra, facts[obs_id].dec) for obs_id in obs_ids])
    offset = separation(lon[0], lat[0], pointing[:, 0], pointing[:, 1])
    limit = f"{recipe.offset_max:g} deg (datasets.geom.selection.offset_max)"
    far = {
        obs_id: f"the region is {degrees:.1f} deg from its pointing, more than {limit}"
        for obs_id, degrees in zip(obs_ids, offset, strict=True)
        if degrees > recipe.offset_max
    }
    if len(far) == len(obs_ids):
        outside = Outcome.OUTSIDE_FIELD_OF_VIEW
        raise DataError(no_run_left([UnusedRun.of(str(obs_id), REDUCE, outside, far[obs_id]) for obs_id in far]))
    energy = recipe.grid.energy
    return Preview(
        obs_ids,
        {failure.obs_id: failure.message for failure in lacking} | far,
        {
            "datastore": f"{release.name}: {len(facts)} runs",
            "selected runs": f"{len(obs_ids)}",
            "offset of the region": f"{offset.min():.2f} to {offset.max():.2f} deg",
            "energies": f"{energy.nbin} bins, {energy.edges[0]:g} to {energy.edges[-1]:g} TeV",
            "background": "none" if recipe.background is None else "reflected regions",
            "models": "none" if models is None else ", ".join(models.names),
            "steps": ", ".join(steps),
            "results": str(outdir),
        },
    )

"""A look ahead that reads no events: which runs a configuration selects and where its region lies in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from xgamma.analysis.config import AnalysisConfig
from xgamma.analysis.request import models_of, outdir_of, recipe_of, release_of, selection_of, steps_of, validate_models
from xgamma.analysis.unused import REDUCE, UnusedRun, lacking_responses, no_run_left, nothing_selected
from xgamma.axes import FloatArray
from xgamma.errors import DataError
from xgamma.events import RunFacts
from xgamma.geometry import separation
from xgamma.ingest import FitsRelease, StoredRelease
from xgamma.outcome import Outcome
from xgamma.reduce import Recipe
from xgamma.select import Selection, Sieved, contradicting, is_known_early, rows_of, sieved
from xgamma.store import Store, is_store

Dropped = Mapping[str, Mapping[int, str]]


@dataclass(frozen=True)
class Preview:
    """What a configuration would work on.

    Parameters
    ----------
    obs_ids
        The selected runs.
    unusable
        Those that cannot be used, and those that lack a response, with the reason.
    dropped
        Why other runs are not selected, by criterion and observation id; ``obs_ids`` and ``obs_file`` drop no run,
        they name what is wanted.
    undecided
        The criteria that can drop more runs once these are ingested.
    facts
        The rest, as text.
    """

    obs_ids: Sequence[int]
    unusable: Mapping[int, str]
    dropped: Dropped
    undecided: Sequence[str]
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
    release = release_of(config)
    facts = release.facts()
    chosen = sieved(facts, selection)
    late, undecided = _dropped_later(config, release, chosen, selection)
    obs_ids = [obs_id for obs_id in chosen.obs_ids if not any(obs_id in of for of in late.values())]
    lacking = lacking_responses(chosen)
    if not obs_ids:
        raise nothing_selected(lacking, chosen.dropped)
    offset = _offsets(recipe, [facts[obs_id] for obs_id in obs_ids])
    energy = recipe.grid.energy
    return Preview(
        obs_ids,
        {failure.obs_id: failure.message for failure in lacking} | _far(obs_ids, offset, recipe.offset_max),
        {name: {**chosen.dropped.get(name, {}), **late.get(name, {})} for name in (*chosen.dropped, "obs_time")},
        undecided,
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


def _dropped_later(
    config: AnalysisConfig, release: FitsRelease | StoredRelease, chosen: Sieved, selection: Selection
) -> tuple[Dropped, Sequence[str]]:
    """Return which of the chosen runs drop by what only ingested runs tell; where some are not, the criteria alone."""
    looked_at = [*chosen.obs_ids, *chosen.dropped["expression"], *chosen.dropped["required_irf"]]
    facts = release.facts()
    is_early = is_known_early([facts[obs_id] for obs_id in looked_at], selection)
    criteria = [*([] if is_early else ["expression"]), *(["obs_time"] if selection.intervals else [])]
    location = config.general.store_location()
    store = Store(location) if is_store(location) else Store("memory://")
    if not criteria or release.pending(chosen.obs_ids, store):
        return {}, criteria
    held = release.load(chosen.obs_ids, store)
    unlike = contradicting(held.parts, held.places, chosen.obs_ids, selection)
    left = [obs_id for obs_id in chosen.obs_ids if obs_id not in unlike]
    rows = rows_of(held.parts, held.places, left, selection)
    inside = {int(obs_id) for key, own in rows for obs_id in held.parts[key].column("obs_id", own.obs)}
    outside = {obs_id: "it was taken outside of the intervals" for obs_id in left if obs_id not in inside}
    return {"expression": unlike, "obs_time": outside}, []


def _offsets(recipe: Recipe, runs: Sequence[RunFacts]) -> FloatArray:
    """Return how far the first region is from the pointing of each run, in deg."""
    lon, lat = recipe.grid.space.positions()
    return separation(lon[0], lat[0], np.array([run.ra for run in runs]), np.array([run.dec for run in runs]))


def _far(obs_ids: Sequence[int], offset: FloatArray, offset_max: float) -> dict[int, str]:
    """Return the runs that point too far away; raises ``DataError`` where all do."""
    limit = f"{offset_max:g} deg (datasets.geom.selection.offset_max)"
    far = {
        obs_id: f"the region is {degrees:.1f} deg from its pointing, more than {limit}"
        for obs_id, degrees in zip(obs_ids, offset, strict=True)
        if degrees > offset_max
    }
    if len(far) == len(obs_ids):
        outside = Outcome.OUTSIDE_FIELD_OF_VIEW
        raise DataError(no_run_left([UnusedRun.of(str(obs_id), REDUCE, outside, far[obs_id]) for obs_id in far]))
    return far

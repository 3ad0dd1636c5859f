"""What is wrong with a request, found before any work: the same for ``check``, ``plan`` and ``run``."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xgamma.analysis.unused import REDUCE, UnusedRun, lacking_responses, no_run_left, nothing_selected
from xgamma.axes import FloatArray
from xgamma.config.config import AnalysisConfig
from xgamma.config.requests import (
    models_of,
    points_of,
    recipe_of,
    release_of,
    selection_of,
    steps_of,
    validate_fit_range,
    validate_models,
    validate_points_edges,
    validate_workers,
)
from xgamma.config.unused_keys import Asked, unused_keys
from xgamma.errors import DataError
from xgamma.events import RunFacts
from xgamma.execute import Workers
from xgamma.formats.local_files import is_there
from xgamma.geometry import separation
from xgamma.ingest import Failure, FitsRelease, StoredRelease
from xgamma.models.models import Models
from xgamma.outcome import Outcome
from xgamma.reduce import Recipe
from xgamma.select import Selection, Sieved, sieved
from xgamma.store import Store


@dataclass(frozen=True)
class Request:
    """What a configuration asks for, with everything that it alone can be wrong about checked.

    Parameters
    ----------
    config
        The configuration.
    steps
        The steps to run.
    recipe, selection, models
        Of the reduction, of the runs, and the models, if there are any.
    remarks
        Sentences about what is given and will not be honoured.
    """

    config: AnalysisConfig
    steps: Sequence[str]
    recipe: Recipe
    selection: Selection
    models: Models | None
    remarks: Sequence[str]


@dataclass(frozen=True)
class Chosen:
    """The runs of a request as the index of its release tells them.

    Parameters
    ----------
    release
        Where they are.
    facts
        All of its runs.
    sieved
        Those that are selected, and why others are not.
    lacking
        Those that would be, were it not for a response that they lack.
    offset
        How far the first region is from the pointing of each selected run, deg, shape (run,).
    far
        The selected runs that point too far away, with the reason.
    """

    release: FitsRelease | StoredRelease
    facts: Mapping[int, RunFacts]
    sieved: Sieved
    lacking: Sequence[Failure]
    offset: FloatArray
    far: Mapping[int, str]

    @property
    def obs_ids(self) -> list[int]:
        """The ids of the selected runs."""
        return self.sieved.obs_ids


def validated_request(config: AnalysisConfig, until: str | None = None) -> Request:
    """Return what a configuration asks for, up to the step ``until``.

    Raises
    ------
    ConfigError, LaterError, InputError, StoreError
        For everything that is wrong with it, or with the files that it names.
    """
    config.check(complete=True, files=True)
    steps, recipe = steps_of(config, until), recipe_of(config)
    selection, models = selection_of(config), models_of(config)
    validate_models(models, config.flux_points, steps)
    remarks = unused_keys(Asked(config, config.planned_steps(), recipe))
    if "fit" in steps:
        validate_fit_range(recipe.grid.energy, *config.fit.fit_range.bounds())
    if "flux_points" in steps:
        outside = validate_points_edges(recipe.grid.energy, points_of(config)[0])
        remarks += [outside] if outside else []
    _validate_store(config)
    return Request(config, steps, recipe, selection, models, remarks)


def _validate_store(config: AnalysisConfig) -> None:
    """Raise ``StoreError`` where no folder for the store can be made."""
    location = config.general.store_location()
    validate_workers(Workers(config.general.n_jobs, config.general.scheduler), location)
    if "://" in location:
        return
    nearest = next(
        folder for folder in (Path(location).absolute(), *Path(location).absolute().parents) if is_there(folder)
    )
    if not nearest.is_dir() or (nearest != Path(location).absolute() and not os.access(nearest, os.W_OK)):
        # Makes nothing, as it cannot, and says why.
        Store(location)


def chosen_runs(request: Request, release: FitsRelease | StoredRelease | None = None) -> Chosen:
    """Return the runs of a request.

    Parameters
    ----------
    request
        The request.
    release
        The release, where it is open already.

    Raises
    ------
    ConfigError, InputError, DataError
        When the release cannot be read, no run is selected, or the region is too far from all of them.
    """
    opened = release or release_of(request.config)
    facts = opened.facts()
    found = sieved(facts, request.selection)
    lacking = lacking_responses(found)
    if not found.obs_ids:
        raise nothing_selected(lacking, found.dropped)
    offset = _offsets(request.recipe, [facts[obs_id] for obs_id in found.obs_ids])
    far = _far(found.obs_ids, offset, request.recipe.offset_max)
    if len(far) == len(offset) and "datasets" in request.steps:
        outside = Outcome.OUTSIDE_FIELD_OF_VIEW
        raise DataError(no_run_left([UnusedRun.of(str(obs_id), REDUCE, outside, far[obs_id]) for obs_id in far]))
    return Chosen(opened, facts, found, lacking, offset, far)


def _offsets(recipe: Recipe, runs: Sequence[RunFacts]) -> FloatArray:
    """Return how far the first region is from the pointing of each run, in deg."""
    lon, lat = recipe.grid.space.positions()
    return separation(lon[0], lat[0], np.array([run.ra for run in runs]), np.array([run.dec for run in runs]))


def _far(obs_ids: Sequence[int], offset: FloatArray, offset_max: float) -> dict[int, str]:
    """Return the runs that point too far away."""
    limit = f"{offset_max:g} deg (datasets.geom.selection.offset_max)"
    return {
        obs_id: f"the region is {degrees:.1f} deg from its pointing, more than {limit}"
        for obs_id, degrees in zip(obs_ids, offset, strict=True)
        if degrees > offset_max
    }

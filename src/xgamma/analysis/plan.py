"""The plan of an analysis: each product, whether it is found or computed, and why. Planning writes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from xgamma.analysis import products
from xgamma.analysis.config import AnalysisConfig
from xgamma.analysis.request import models_of, recipe_of, selection_of, steps_of, validate_models
from xgamma.analysis.rows import Reduced, Shelf, reduced_at, row_keys, stored_rows
from xgamma.analysis.session import Analysis
from xgamma.analysis.stacks import Groups, group_labels, stored_stacks
from xgamma.analysis.unused import lacking_responses, nothing_selected
from xgamma.ingest import FitsRelease, Holdings, StoredRelease, open_release
from xgamma.reduce import MAX_EVENTS, MAX_ROWS, Recipe
from xgamma.select import contradicting, rows_of, selection_order, sieved
from xgamma.store import Store, digest, is_store

FOUND, COMPUTE = "found", "compute"
# An event is read as three float64 columns with flags, and is looked at in a few copies.
_BYTES_PER_EVENT = 160


@dataclass(frozen=True)
class PlannedStep:
    """One product of a plan.

    Parameters
    ----------
    step
        The step that makes it.
    state
        ``found`` or ``compute``.
    runs
        How many runs it concerns.
    reason
        Why it is computed, or where it was found.
    key
        Its key where it is known; after an ingest or a fit that is still to come it is not.
    nbytes
        Bytes to be read from files.
    peak
        Projected peak memory in bytes, beside the imports.
    """

    step: str
    state: str
    runs: int
    reason: str
    key: str | None = None
    nbytes: int = 0
    peak: int = 0


def plan(config: AnalysisConfig) -> list[PlannedStep]:
    """Return what running ``config`` would find and compute.

    Raises
    ------
    ConfigError, MissingInputError
        For everything that is wrong with the configuration or the files that it names.
    """
    config.check(complete=True, files=True)
    validate_models(models_of(config), config.flux_points.source, steps_of(config))
    location = config.general.store_location()
    store = Store(location) if is_store(location) else Store("memory://")
    release = open_release(config.observations.datastore.expanded())
    selection = selection_of(config)
    chosen = sieved(release.facts(), selection)
    obs_ids = chosen.obs_ids
    if not obs_ids:
        raise nothing_selected(lacking_responses(chosen))
    recipe = recipe_of(config)
    pending = release.pending(obs_ids, store)
    steps = [_ingest_step(release, obs_ids, pending)]
    if pending:
        return [*steps, *_after_ingest(config, len(obs_ids), recipe)]
    holdings = release.load(obs_ids, store)
    late = contradicting(holdings.parts, holdings.places, obs_ids, selection)
    rows = rows_of(holdings.parts, holdings.places, [i for i in obs_ids if i not in late], selection)
    return [*steps, *_reduction_steps(config, store, holdings, rows, recipe)]


def _ingest_step(release: FitsRelease | StoredRelease, obs_ids: list[int], pending: list[int]) -> PlannedStep:
    if not pending:
        return PlannedStep("ingest", FOUND, len(obs_ids), "the store holds all runs as their files are now")
    reason = f"{len(pending)} of {len(obs_ids)} runs are new or have changed"
    nbytes = release.nbytes(pending) if isinstance(release, FitsRelease) else 0
    return PlannedStep("ingest", COMPUTE, len(pending), reason, nbytes=nbytes, peak=8 * nbytes)


def _after_ingest(config: AnalysisConfig, runs: int, recipe: Recipe) -> Iterator[PlannedStep]:
    reason = "its key is known after the ingest"
    yield PlannedStep("reduce", COMPUTE, runs, reason, peak=_peak(recipe, runs))
    if config.datasets.stack:
        yield PlannedStep("stack", COMPUTE, runs, reason)
    yield from _inference_steps(config, runs, reason)


def _inference_steps(config: AnalysisConfig, runs: int, reason: str) -> Iterator[PlannedStep]:
    for step in config.planned_steps():
        if step in ("fit", "flux_points"):
            yield PlannedStep(step.replace("_", " "), COMPUTE, runs, reason)


def _peak(recipe: Recipe, runs: int) -> int:
    grid = recipe.grid
    kernel = 8 * len(grid.regions) * grid.energy_true.nbin * grid.energy.nbin
    return _BYTES_PER_EVENT * MAX_EVENTS + min(runs, MAX_ROWS) * 60 * kernel + runs * 2 * kernel


def _reduction_steps(
    config: AnalysisConfig, store: Store, holdings: Holdings, rows: list[Any], recipe: Recipe
) -> Iterator[PlannedStep]:
    recipe_key = digest(recipe.document())
    named = [
        (key, name)
        for part, piece in rows
        for key, name in zip(row_keys(recipe_key, holdings, part, piece), piece.names, strict=True)
    ]
    keys = [named[row][0] for row in selection_order(rows)]
    known = stored_rows(store, recipe_key)
    missing = [key for key in keys if key not in known]
    step = PlannedStep("reduce", FOUND, len(keys), "all rows are in the store", recipe_key)
    if missing:
        reason = f"{len(missing)} of {len(keys)} rows are not in the store for this recipe"
        step = replace(step, state=COMPUTE, runs=len(missing), reason=reason, peak=_peak(recipe, len(keys)))
    yield step
    is_reduced = not missing
    if config.datasets.stack:
        if missing:
            yield PlannedStep("stack", COMPUTE, len(keys), "its key is known after the reduction")
        else:
            labels = group_labels(holdings, rows, recipe.grid, config.datasets.stack_by)
            places = [(*named[row], known[named[row][0]]) for row in selection_order(rows)]
            step = _stack_step(store, reduced_at(Shelf(store), places, len(places)), labels)
            yield step
            is_reduced = step.state == FOUND
    yield from _inference(config, len(keys), is_reduced)


def _stack_step(store: Store, rows: Reduced, labels: Sequence[str] | None) -> PlannedStep:
    keys = list(Groups(rows, labels).keys.values())
    found = stored_stacks(store, keys)
    if len(keys) == 1:
        reason = "the stack of these rows is in the store" if found else "there is no stack of these rows"
    else:
        missing = len(keys) - len(found)
        reason = f"{missing} of {len(keys)} stacks are not in the store" if missing else "all stacks are in the store"
    key = keys[0] if found and len(keys) == 1 else None
    return PlannedStep("stack", FOUND if len(found) == len(keys) else COMPUTE, len(rows), reason, key)


def _inference(config: AnalysisConfig, runs: int, is_reduced: bool) -> Iterator[PlannedStep]:
    """Look for fit and flux points; where all before them is found this reads products and computes nothing."""
    steps = [step for step in config.planned_steps() if step in ("fit", "flux_points")]
    models = models_of(config)
    if not steps or not is_reduced or models is None:
        yield from _inference_steps(config, runs, "its key is known after the reduction")
        return
    analysis = Analysis(config)
    analysis.get_observations()
    analysis.get_datasets()
    analysis.set_models(models)
    is_fitted = True
    if "fit" in steps:
        key = analysis.fit_key()
        is_fitted = analysis.store.has(products.FIT, key)
        yield _looked_up("fit", runs, key, is_fitted)
    if "flux_points" in steps and not is_fitted:
        yield PlannedStep("flux points", COMPUTE, runs, "its key is known after the fit")
    elif "flux_points" in steps:
        if "fit" in steps:
            analysis.run_fit()
        key = analysis.flux_points_request().key
        yield _looked_up("flux points", runs, key, analysis.store.has(products.POINTS, key))


def _looked_up(step: str, runs: int, key: str, found: bool) -> PlannedStep:
    reason = "the same request is in the store" if found else "there is no such product in the store"
    return PlannedStep(step, FOUND if found else COMPUTE, runs, reason, key)

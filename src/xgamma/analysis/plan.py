"""The plan of an analysis: each product, whether it is found or computed, and why. Planning writes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from xgamma.analysis import products
from xgamma.analysis.costs import (
    Cost,
    ingest_cost,
    joint_cost,
    reduction_cost,
    stack_cost,
    unknown_reduction_cost,
    validate_memory,
)
from xgamma.analysis.observations import Observations
from xgamma.analysis.preflight import chosen_runs, validated_request
from xgamma.analysis.rows import Reduced, RowAddress, reduced_at, row_keys, rows_at, stored_rows
from xgamma.analysis.session import Analysis
from xgamma.analysis.stacks import Groups, group_labels, stored_stacks
from xgamma.analysis.unused import nothing_selected
from xgamma.config.config import AnalysisConfig
from xgamma.config.requests import models_of
from xgamma.events import Part, Rows
from xgamma.execute import Workers
from xgamma.ingest import FitsRelease, Holdings, StoredRelease
from xgamma.reduce import Recipe
from xgamma.select import contradicting, rows_of, selection_order
from xgamma.store import Store, digest, is_store

FOUND, COMPUTE = "found", "compute"


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
    cost
        Tasks, bytes in and out, and projected peak memory; nothing where it is found.
    """

    step: str
    state: str
    runs: int
    reason: str
    key: str | None = None
    cost: Cost = field(default_factory=Cost)


def validated_plan(config: AnalysisConfig) -> list[PlannedStep]:
    """Return the plan of ``config``; raises ``ConfigError`` where it needs more than ``general.memory_limit``."""
    steps = plan(config)
    validate_steps(config, steps)
    return steps


def validate_steps(config: AnalysisConfig, steps: Sequence[PlannedStep]) -> None:
    """Raise ``ConfigError``, which says what to change, where a step needs more than ``general.memory_limit``."""
    general, axes = config.general, config.datasets.geom.axes
    advice = [f"coarser energy axes than {axes.energy_true.nbins} x {axes.energy.nbins} bins"]
    advice += [f"fewer n_jobs than {general.n_jobs}"] if general.n_jobs > 1 else []
    advice += [] if config.datasets.stack else ["datasets.stack: true"]
    peaks = [(step.step, step.cost.peak) for step in steps if step.state == COMPUTE]
    validate_memory(general.memory_limit, peaks, f"Take {', '.join(advice)}, fewer runs, or a larger limit.")


def plan(config: AnalysisConfig) -> list[PlannedStep]:
    """Return what running ``config`` would find and compute.

    Raises
    ------
    ConfigError, MissingInputError
        For everything that is wrong with the configuration or the files that it names.
    """
    request = validated_request(config)
    location = config.general.store_location()
    store = Store(location, read_only=True) if is_store(location) else Store("memory://")
    chosen = chosen_runs(request)
    release, obs_ids, recipe, selection = chosen.release, chosen.obs_ids, request.recipe, request.selection
    pending = release.pending(obs_ids, store)
    workers = Workers(config.general.n_jobs, config.general.scheduler)
    steps = [_ingest_step(release, obs_ids, pending, workers)]
    if "datasets" not in config.planned_steps():
        return steps
    if pending:
        return [*steps, *_after_ingest(config, len(obs_ids), recipe)]
    holdings = release.load(obs_ids, store)
    late = contradicting(holdings.parts, holdings.places, obs_ids, selection)
    rows = rows_of(holdings.parts, holdings.places, [i for i in obs_ids if i not in late], selection)
    if not rows:
        raise nothing_selected(chosen.lacking, {"expression": late})
    return [*steps, *_reduction_steps(config, store, holdings, rows, recipe)]


def _ingest_step(
    release: FitsRelease | StoredRelease, obs_ids: list[int], pending: list[int], workers: Workers
) -> PlannedStep:
    if not pending:
        return PlannedStep("ingest", FOUND, len(obs_ids), "the store holds all runs as their files are now")
    reason = f"{len(pending)} of {len(obs_ids)} runs are new or have changed"
    nbytes = release.nbytes(pending) if isinstance(release, FitsRelease) else 0
    return PlannedStep("ingest", COMPUTE, len(pending), reason, cost=ingest_cost(nbytes, len(pending), workers))


def _after_ingest(config: AnalysisConfig, runs: int, recipe: Recipe) -> Iterator[PlannedStep]:
    reason = "its key is known after the ingest"
    workers = Workers(config.general.n_jobs, config.general.scheduler)
    yield PlannedStep("reduce", COMPUTE, runs, reason, cost=unknown_reduction_cost(recipe, runs, workers))
    if config.datasets.stack:
        # How many groups there will be is not known yet; as many as runs is the most.
        groups = 1 if config.datasets.stack_by is None else runs
        yield PlannedStep("stack", COMPUTE, runs, reason, cost=stack_cost(recipe, runs, groups, workers))
    yield from _inference_steps(config, runs, reason, recipe)


def _inference_steps(config: AnalysisConfig, runs: int, reason: str, recipe: Recipe) -> Iterator[PlannedStep]:
    for step in config.planned_steps():
        if step in ("fit", "flux_points"):
            cost = _inference_cost(config, recipe, runs)
            yield PlannedStep(step.replace("_", " "), COMPUTE, runs, reason, cost=cost)


def _inference_cost(config: AnalysisConfig, recipe: Recipe, runs: int) -> Cost:
    is_one = config.datasets.stack and config.datasets.stack_by is None
    return joint_cost(recipe, 1 if is_one else runs)


def _reduction_steps(
    config: AnalysisConfig, store: Store, holdings: Holdings, rows: list[tuple[str, Rows]], recipe: Recipe
) -> Iterator[PlannedStep]:
    workers = Workers(config.general.n_jobs, config.general.scheduler)
    recipe_key = digest(recipe.document())
    named = [
        (key, name)
        for part, piece in rows
        for key, name in zip(row_keys(recipe_key, holdings, part, piece), piece.names, strict=True)
    ]
    keys = [named[row][0] for row in selection_order(rows)]
    shelf, known = stored_rows(store, recipe_key)
    missing = [key for key in keys if key not in known]
    step = PlannedStep("reduce", FOUND, len(keys), "all rows are in the store", recipe_key)
    if missing:
        reason = f"{len(missing)} of {len(keys)} rows are not in the store for this recipe"
        cost = reduction_cost(recipe, _missing_rows(rows, recipe_key, holdings, known), workers)
        step = replace(step, state=COMPUTE, runs=len(missing), reason=reason, cost=cost)
    yield step
    is_reduced = not missing
    if config.datasets.stack:
        if missing:
            labels = group_labels(Observations(holdings, rows), recipe.grid, config.datasets.stack_by)
            cost = stack_cost(recipe, len(keys), 1 if labels is None else len(set(labels.values())), workers)
            yield PlannedStep("stack", COMPUTE, len(keys), "its key is known after the reduction", cost=cost)
        else:
            labels = group_labels(Observations(holdings, rows), recipe.grid, config.datasets.stack_by)
            places = [(*named[row], known[named[row][0]]) for row in selection_order(rows)]
            step = _stack_step(store, reduced_at(shelf, places, len(places)), labels, recipe, workers)
            yield step
            is_reduced = step.state == FOUND
    yield from _inference(config, store, len(keys), is_reduced, recipe)


def _missing_rows(
    rows: list[tuple[str, Rows]], recipe_key: str, holdings: Holdings, known: Mapping[str, RowAddress]
) -> Iterator[tuple[Part, Rows]]:
    for part_key, own in rows:
        keys = row_keys(recipe_key, holdings, part_key, own)
        missing = [number for number, key in enumerate(keys) if key not in known]
        if missing:
            yield holdings.parts[part_key], rows_at(own, missing)


def _stack_step(
    store: Store, rows: Reduced, labels: Mapping[str, str] | None, recipe: Recipe, workers: Workers
) -> PlannedStep:
    keys = list(Groups(rows, labels).keys.values())
    found = stored_stacks(store, keys)
    if len(keys) == 1:
        reason = "the stack of these rows is in the store" if found else "there is no stack of these rows"
    else:
        missing = len(keys) - len(found)
        reason = f"{missing} of {len(keys)} stacks are not in the store" if missing else "all stacks are in the store"
    key = keys[0] if found and len(keys) == 1 else None
    if len(found) == len(keys):
        return PlannedStep("stack", FOUND, len(rows), reason, key)
    cost = stack_cost(recipe, len(rows), len(keys) - len(found), workers)
    return PlannedStep("stack", COMPUTE, len(rows), reason, key, cost)


def _inference(
    config: AnalysisConfig, store: Store, runs: int, is_reduced: bool, recipe: Recipe
) -> Iterator[PlannedStep]:
    """Look for fit and flux points; where all before them is found this reads products and computes nothing."""
    steps = [step for step in config.planned_steps() if step in ("fit", "flux_points")]
    models = models_of(config)
    if not steps or not is_reduced or models is None:
        yield from _inference_steps(config, runs, "its key is known after the reduction", recipe)
        return
    analysis = Analysis(config, store)
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

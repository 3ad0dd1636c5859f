"""All sets of a trial, batch by batch; a store keeps each batch, so that an interrupted closure goes on."""

from __future__ import annotations

from collections.abc import Iterator

import xarray as xr

from xgamma.closure.estimates import estimated_sets
from xgamma.closure.sets import Simulator, reduced_sets, simulator_of
from xgamma.closure.trial import Trial
from xgamma.execute import progress_bar
from xgamma.reduce import MAX_ROWS
from xgamma.store import Store

KIND = "closure"


def run_closure(trial: Trial, sets: int, store: Store | None = None) -> xr.Dataset:
    """Draw, reduce and estimate sets.

    Parameters
    ----------
    trial
        What is tried; the first set has the seed of its plan, the next ones the numbers that follow.
    sets
        How many.
    store
        Where batches are kept and looked for.

    Returns
    -------
    xarray.Dataset
        As ``estimated_sets`` returns it, for all sets.
    """
    batches = list(batches_of(trial, sets))
    pieces: list[xr.Dataset] = []
    simulator: Simulator | None = None
    with progress_bar("Closure", len(batches)) as advance:
        for seeds in batches:
            key = trial.key(seeds)
            if store is not None and store.has(KIND, key):
                pieces.append(store.get(KIND, key))
            else:
                simulator = simulator or simulator_of(trial.plan)
                pieces.append(estimated_sets(trial, reduced_sets(simulator, seeds, trial.recipe)))
                if store is not None:
                    store.put(KIND, key, {"": pieces[-1]}, {"trial": trial.document(seeds)})
            advance()
    return xr.concat(pieces, "set", data_vars="minimal", coords="minimal", compat="equals", join="exact")


def batches_of(trial: Trial, sets: int) -> Iterator[list[int]]:
    """Yield the seeds of sets whose runs make one block of the reduction."""
    size = max(1, MAX_ROWS // trial.plan.runs)
    first, end = trial.plan.seed, trial.plan.seed + sets
    for start in range(first, end, size):
        yield list(range(start, min(start + size, end)))

"""Sets: all runs of a plan under a seed, drawn in memory and reduced to one row each.

Set ``s`` holds the events of the release that ``xgamma simulate --seed s`` writes. Headers, good time and responses
are read from files of the plan, once; the events of each set take the place of those in the files. A store holds each
batch of sets, so that an interrupted closure goes on.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from xgamma.closure.estimates import Trial
from xgamma.closure.fields import FieldTrial
from xgamma.events import Rows
from xgamma.execute import progress_bar
from xgamma.formats.gadf.index import read_index
from xgamma.formats.gadf.run import Run, read_run
from xgamma.ingest.part import part_of
from xgamma.reduce import MAX_BYTES, MAX_ROWS, Recipe, reduce_spectra, rows_within, stack
from xgamma.simulate import Plan, simulate
from xgamma.simulate.events import Emission, event_columns
from xgamma.simulate.release import emissions_of
from xgamma.store import Store


@dataclass(frozen=True)
class Simulator:
    """What sets are drawn from.

    Parameters
    ----------
    plan
        The runs.
    emissions
        What they draw from, by efficiency.
    published
        The runs as a reader sees them, with the events of one seed.
    """

    plan: Plan
    emissions: Mapping[float, Emission]
    published: Sequence[Run]


def simulator_of(plan: Plan) -> Simulator:
    """Return the simulator of a plan, whose release is written to a temporary folder and read."""
    return Simulator(plan, emissions_of(plan), published_runs(plan))


def published_runs(plan: Plan) -> list[Run]:
    """Return the runs of a plan as they are read from the files of its release."""
    with tempfile.TemporaryDirectory() as folder:
        release = simulate(dataclasses.replace(plan, compress=False), Path(folder) / "release")
        return [read_run(entry) for entry in read_index(release.path).runs.values()]


def runs_of_set(simulator: Simulator, seed: int) -> list[Run]:
    """Return the runs of the set of ``simulator`` with a ``seed``.

    They hold the events that its release would hold, in the number types of a file.
    """
    plan = dataclasses.replace(simulator.plan, seed=seed)
    runs = []
    for number, published in enumerate(simulator.published):
        drawn = plan.run(number)
        columns = event_columns(simulator.emissions[drawn.efficiency], drawn, plan.generator(number))
        events = {name: columns[name.upper()].astype(held.dtype, copy=False) for name, held in published.events.items()}
        runs.append(dataclasses.replace(published, events=events))
    return runs


def reduced_sets(simulator: Simulator, seeds: Sequence[int], recipe: Recipe) -> xr.Dataset:
    """Return the stacks of some sets.

    Parameters
    ----------
    simulator
        What is drawn from.
    seeds
        The seed of each set.
    recipe
        How runs are reduced.

    Returns
    -------
    xarray.Dataset
        DL4, one row for each set; the runs of all sets go through one reduction.
    """
    runs = [run for seed in seeds for run in runs_of_set(simulator, seed)]
    sets = [str(seed) for seed in seeds for _ in simulator.published]
    unlimited = np.full(len(runs), np.inf)
    names = tuple(f"{name}-{run.entry.obs_id}" for name, run in zip(sets, runs, strict=True))
    rows = Rows(np.arange(len(runs)), -unlimited, unlimited, names)
    return stack(reduce_spectra(part_of(runs, simulator.plan.name), rows, recipe), sets)


KIND = "closure"


def run_closure(trial: Trial | FieldTrial, sets: int, store: Store | None = None) -> xr.Dataset:
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
        As ``trial.estimated`` returns it, for all sets.
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
                pieces.append(trial.estimated(reduced_sets(simulator, seeds, trial.recipe)))
                if store is not None:
                    store.put(KIND, key, {"": pieces[-1]}, {"trial": trial.document(seeds)})
            advance()
    return xr.concat(pieces, "set", data_vars="minimal", coords="minimal", compat="equals", join="exact")


def batches_of(trial: Trial | FieldTrial, sets: int) -> Iterator[list[int]]:
    """Yield the seeds of sets whose runs make one block of the reduction."""
    size = max(1, min(MAX_ROWS, rows_within(MAX_BYTES, trial.recipe)) // trial.plan.runs)
    first, end = trial.plan.seed, trial.plan.seed + sets
    for start in range(first, end, size):
        yield list(range(start, min(start + size, end)))

"""Sets: all runs of a plan under a seed, drawn in memory and reduced to one row each.

Set ``s`` holds the events of the release that ``xgamma simulate --seed s`` writes. Headers, good time and responses
are read from files of the plan, once; the events of each set take the place of those in the files.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from xgamma.events import Rows
from xgamma.formats.gadf.index import read_index
from xgamma.formats.gadf.run import Run, read_run
from xgamma.ingest.part import part_of
from xgamma.reduce import Recipe, reduce_spectra, stack
from xgamma.simulate import Plan, simulate
from xgamma.simulate.events import Emission, event_columns
from xgamma.simulate.release import emissions_of


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
    """Return the runs of one set: the events that its release would hold, in the number types of a file."""
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

"""One stage of ``scale.py`` in its own process: ``python scale_stage.py STAGE STORE RUNS``. Prints one line of JSON.

The process does nothing else, so that its peak memory is that of the stage. What a stage would import is imported
before its clock starts, as in a session that has begun.
"""

from __future__ import annotations

import importlib
import json
import logging
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask.array  # noqa: F401
import distributed
import numpy as np
from crab import CONFIG, MODELS
from report import peak_memory

import xgamma.execute.threads  # noqa: F401
from xgamma.analysis import Analysis, AnalysisConfig
from xgamma.estimate import flux_points
from xgamma.fit import fit
from xgamma.modeling.models import Models

REPEATS = 5
NIGHT = 50
EDGES = np.geomspace(1.0, 20.0, 9)
SETTINGS = {"selection_optional": "all"}


def session(store: str, runs: int, folder: Path, *, stack: bool) -> Analysis:
    """Return an analysis of the first runs of a store; its own products go to ``folder``."""
    config = AnalysisConfig.from_yaml(CONFIG)
    config.observations.datastore = store
    config.observations.obs_ids = list(range(1, runs + 1))
    config.observations.obs_cone.lon = config.observations.obs_cone.lat = config.observations.obs_cone.radius = None
    config.datasets.stack = stack
    config.general.outdir = str(folder)
    config.general.log.level = "warning"
    return Analysis(config)


def timed(step: Callable[[], Any]) -> float:
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def reduction(store: str, runs: int, folder: Path) -> dict[str, float]:
    """Select, reduce and stack; the rows and the stack are written to a store, as always."""
    analysis = session(store, runs, folder, stack=True)
    seconds = timed(analysis.get_observations) + timed(analysis.get_datasets)
    assert analysis.datasets is not None
    return {"seconds": seconds, "counts": float(analysis.datasets[0].data["counts"].sum())}


def observation_table(store: str, runs: int, folder: Path) -> dict[str, float]:
    """Open the store and print the table of its observations."""
    analysis = session(store, runs, folder, stack=True)
    config = analysis.config
    config.observations.obs_ids = []

    def table() -> None:
        analysis.get_observations()
        assert analysis.observations is not None
        print(analysis.observations.table)

    return {"seconds": timed(table)}


def joint_fit(store: str, runs: int, folder: Path) -> dict[str, float]:
    """Fit all runs in one likelihood, then estimate flux points; each as often as it takes to know the best time."""
    analysis = session(store, runs, folder, stack=False)
    analysis.get_observations()
    analysis.get_datasets()
    assert analysis.datasets is not None
    times: dict[str, list[float]] = {name: [] for name in ("fit", "points", "seconds", "session_points")}
    for number in range(REPEATS):
        # Another start for each, or it would be found in the store.
        models = Models.from_yaml(MODELS)
        models.parameters["index"].value = 2.5 + 0.01 * number
        analysis.datasets.models = models
        times["seconds"].append(timed(analysis.run_fit))
        times["session_points"].append(timed(analysis.get_flux_points))
        inputs = analysis.datasets.fit_inputs()
        models.parameters["index"].value = 2.5 + 0.01 * number
        times["fit"].append(timed(lambda: fit(inputs, models)))  # noqa: B023
        times["points"].append(timed(lambda: flux_points(inputs, models, "crab", EDGES, SETTINGS)))  # noqa: B023
    return {name: min(seconds) for name, seconds in times.items()}


def on_workers(store: str, runs: int, folder: Path) -> dict[str, float]:
    """Reduce the same runs on a cluster of one process and on one of two; starting it is not counted."""
    seconds: dict[int, float] = {}
    for turn, count in enumerate((1, 2, 1, 2)):
        options = {"n_workers": count, "threads_per_worker": 1, "dashboard_address": ":0"}
        with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:
            client.run(ready)
            analysis = session(store, runs, folder / str(turn), stack=True)
            analysis.config.general.scheduler = cluster.scheduler_address
            analysis.get_observations()
            took = timed(analysis.get_datasets)
        seconds[count] = min(took, seconds.get(count, took))
    return {"seconds": seconds[2], "one": seconds[1]}


def ready() -> None:
    """Import what a reduction needs, in a worker."""
    importlib.import_module("xgamma.analysis.steps.stack")
    importlib.import_module("dask.array")


def new_night(store: str, runs: int, folder: Path) -> dict[str, float]:
    """Stack all runs by night; then ask for the same with one more night, which is reduced and stacked alone."""
    analysis = session(store, runs, folder, stack=True)
    config = analysis.config
    config.datasets.stack_by = "night"
    config.observations.obs_ids = list(range(1, runs - NIGHT + 1))
    first = timed(analysis.get_observations) + timed(analysis.get_datasets)
    config.observations.obs_ids = list(range(1, runs + 1))
    again = Analysis(config)
    seconds = timed(again.get_observations) + timed(again.get_datasets)
    alone = session(store, runs, folder / "alone", stack=True)
    alone.config.observations.obs_ids = list(range(runs - NIGHT + 1, runs + 1))
    alone.config.datasets.stack_by = "night"
    night = timed(alone.get_observations) + timed(alone.get_datasets)
    assert again.datasets is not None
    assert analysis.datasets is not None
    return {"seconds": seconds, "first": first, "night": night, "stacks": len(again.datasets)}


STAGES = {
    "reduction": reduction,
    "table": observation_table,
    "joint": joint_fit,
    "workers": on_workers,
    "night": new_night,
}


def main() -> None:
    stage, store, runs = sys.argv[1], sys.argv[2], int(sys.argv[3])
    logging.captureWarnings(True)
    imports = peak_memory()
    with tempfile.TemporaryDirectory() as folder:
        result = STAGES[stage](store, runs, Path(folder))
    print(json.dumps({**result, "peak": peak_memory(), "imports": imports}))


if __name__ == "__main__":
    main()

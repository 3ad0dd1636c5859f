"""The same release with one of two packages, many runs: ``python scale_peer.py PACKAGE STAGE RELEASE NUMBER STORE``.

``reduce`` takes NUMBER runs from gzipped files to a stack; ``read`` reads what a reduction needs of each run once, on
NUMBER workers.
Prints one line of JSON: wall-clock and processor seconds, peak memory of a fourth of the runs and of all.
"""

from __future__ import annotations

import importlib
import json
import logging
import sys
import time
from pathlib import Path
from typing import Any

from crab import CONFIG

ROLES = ("events", "gti", "aeff", "edisp", "psf", "bkg")


def memory() -> float:
    """Return the peak of the resident memory in MB."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(float(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def reduce(package: str, release: str, runs: int, store: str) -> dict[str, Any]:
    analysis_module = importlib.import_module(f"{package}.analysis")
    config = analysis_module.AnalysisConfig.from_yaml(CONFIG)
    config.observations.datastore = release
    config.observations.obs_cone.lon = config.observations.obs_cone.lat = config.observations.obs_cone.radius = None
    config.general.log.level = "error"
    if package == "xgamma":
        config.general.outdir = store
    peaks = {}
    counts = 0.0
    for number in (runs // 4, runs):
        config.observations.obs_ids = list(range(1, number + 1))
        start, cpu = time.perf_counter(), time.process_time()
        analysis = analysis_module.Analysis(config)
        analysis.get_observations()
        analysis.get_datasets()
        seconds, used = time.perf_counter() - start, time.process_time() - cpu
        counts = float(analysis.datasets[0].counts.data.sum())
        peaks[number] = memory()
        if package == "xgamma":
            config.general.outdir = f"{store}-all"
    return {"seconds": seconds, "cpu": used, "peaks": list(peaks.values()), "counts": counts}


def read(package: str, release: str, workers: int, store: str) -> dict[str, Any]:
    """Read each run once: events, good time, responses. Imports are not counted."""
    names = ["gammapy.data", "gammapy.irf"] if package == "gammapy" else ["xgamma.ingest", "dask.array"]
    modules = [importlib.import_module(name) for name in names]
    start, cpu = time.perf_counter(), time.process_time()
    if package == "gammapy":
        data = modules[0].DataStore.from_dir(release)
        obs_ids = [int(obs_id) for obs_id in data.obs_table["OBS_ID"]]
        for obs_id in obs_ids:
            observation = data.obs(obs_id)
            for role in ROLES:
                getattr(observation, role)
            _ = observation.events.table
        number = len(obs_ids)
    else:
        opened = modules[0].open_release(release)
        place = importlib.import_module("xgamma.store").Store(store)
        where = importlib.import_module("xgamma.execute").Workers(workers)
        number = len(opened.load(list(opened.facts()), place, where).ingested)
    seconds, used = time.perf_counter() - start, time.process_time() - cpu
    return {"seconds": seconds, "cpu": used, "runs": number, "peaks": [memory()]}


def main() -> None:
    package, stage, release, runs, store = sys.argv[1:6]
    logging.captureWarnings(True)
    result = {"reduce": reduce, "read": read}[stage](package, release, int(runs), store)
    print(json.dumps(result))


if __name__ == "__main__":
    main()

"""Maps of many runs: ``python map_scale.py [--runs 100 1000] [--pixels 500]`` prints a table.

Simulated runs with few events, each of whose windows is the whole image of 20 energies: nothing of a map is saved by
short runs. One worker has one processor. Each stage is a process of its own, so that its peak memory is that of the
stage; ``python map_scale.py STAGE FOLDER RUNS PIXELS JOBS`` runs one of them and prints JSON.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import report

CONFIG = """
observations: {{datastore: {release}}}
general: {{store: {store}, outdir: {folder}, n_jobs: {jobs}, log: {{level: warning}}}}
datasets:
    type: 3d
    stack: true
    geom:
        wcs:
            skydir: {{frame: icrs, lon: 83.633 deg, lat: 22.014 deg}}
            binsize: {binsize} deg
            width: {{width: 5 deg, height: 5 deg}}
        selection: {{offset_max: 2.5 deg}}
        axes:
            energy: {{min: 0.1 TeV, max: 100 TeV, nbins: 20}}
            energy_true: {{min: 0.1 TeV, max: 100 TeV, nbins: 20}}
    safe_mask: {{methods: [offset-max], parameters: {{offset_max: 2.5 deg}}}}
"""
STAGES = ("ingest", "reduce and stack", "stack")


def session(folder: Path, pixels: int, jobs: int) -> Any:
    """Return an analysis of the runs in a folder."""
    analysis = importlib.import_module("xgamma.analysis")
    places = {"release": folder / "release", "store": folder / "store", "folder": folder}
    text = CONFIG.format(**places, binsize=5 / pixels, jobs=jobs)
    return analysis.Analysis(analysis.AnalysisConfig.from_yaml(text))


def stage(name: str, folder: Path, runs: int, pixels: int, jobs: int) -> dict[str, float]:
    """Return the seconds, the peak of memory in MB, and what of that was there before."""
    if name == "ingest":
        simulate = importlib.import_module("xgamma.simulate")
        simulate.simulate(simulate.Plan(runs=runs, duration=30.0, share_irfs=True), folder / "release")
    shutil.rmtree(folder / "store" / "stack", ignore_errors=True)
    if jobs == 1:
        # Threads of one process would take all processors.
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    analysis = session(folder, pixels, jobs)
    importlib.import_module("dask.array")
    importlib.import_module("xgamma.execute.threads" if jobs == 1 else "distributed")
    imports, start, before = report.peak_memory(), time.perf_counter(), time.process_time()
    analysis.get_observations()
    if name != "ingest":
        analysis.get_datasets()
    seconds, processor = time.perf_counter() - start, time.process_time() - before
    return {"seconds": seconds, "processor": processor, "peak": report.peak_memory(), "imports": imports}


def measured(runs: int, pixels: int, folder: Path) -> dict[tuple[str, int], dict[str, float]]:
    """Return the results of all stages by name and number of workers."""
    found = {}
    for jobs in (1, 2):
        for name in STAGES:
            if name == "reduce and stack":
                shutil.rmtree(folder / "store" / "rows", ignore_errors=True)
            if (name, jobs) != ("ingest", 2):
                arguments = (name, folder, runs, pixels, jobs)
                found[name, jobs] = report.run(report.OURS, sys.executable, "map_scale.py", *arguments)[1]
    return found


def main() -> None:
    """Print how long each stage takes, and how much memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--pixels", type=int, default=500)
    options = parser.parse_args()
    rows = []
    for runs in options.runs:
        with tempfile.TemporaryDirectory() as folder:
            for (name, jobs), each in measured(runs, options.pixels, Path(folder)).items():
                seconds = each["seconds"]
                texts = [f"{seconds:.2f} s", f"{seconds / runs * 1e3:.1f} ms", f"{each['peak']:.0f} MB"]
                rows.append([name, str(runs), str(jobs), *texts, f"{each['imports']:.0f} MB"])
    print(report.table(["stage", "runs", "workers", "time", "a run", "peak memory", "of that before"], rows))
    print(report.machine())


if __name__ == "__main__":
    if len(sys.argv) == 6 and sys.argv[1] in STAGES:
        print(json.dumps(stage(sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:]))))
    else:
        main()

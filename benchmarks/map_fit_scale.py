"""Large fits of maps: ``python map_fit_scale.py [--runs 100] [--pixels 200]`` prints a table.

One Gaussian in 100 simulated runs that are not stacked, the background of each with a norm of its own; and ten sources
in one stacked field of 10 by 10 deg, of which all positions, sizes and fluxes are free. Runs are reduced into a store
first; a fit is a process of its own on one processor, which reads them from there, so that its peak memory is that of
reading and fitting. ``python map_fit_scale.py STAGE FOLDER RUNS PIXELS`` runs one of them and prints JSON.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import report

LON, LAT = 83.633, 22.014
CONFIG = """
observations: {{datastore: {release}}}
general: {{store: {store}, outdir: {folder}, n_jobs: 1, log: {{level: warning}}}}
datasets:
    type: 3d
    stack: {stack}
    geom:
        wcs:
            skydir: {{frame: icrs, lon: 83.633 deg, lat: 22.014 deg}}
            binsize: {binsize} deg
            width: {{width: {width} deg, height: {width} deg}}
        selection: {{offset_max: 2.5 deg}}
        axes:
            energy: {{min: 0.5 TeV, max: 50 TeV, nbins: 10}}
            energy_true: {{min: 0.3 TeV, max: 80 TeV, nbins: 20}}
    map_selection: [counts, exposure, background, psf, edisp]
    safe_mask: {{methods: [offset-max], parameters: {{offset_max: 2.5 deg}}}}
"""
JOINT, FIELD = "joint", "field"
WIDTH = {JOINT: 4.0, FIELD: 10.0}
SHAPES = ("PointSpatialModel", "GaussianSpatialModel", "DiskSpatialModel")


def sources(stage: str) -> Any:
    """Return the models that are simulated."""
    models = importlib.import_module("xgamma.models")
    if stage == JOINT:
        spatial = models.GaussianSpatialModel(
            lon_0=f"{LON + 0.1} deg", lat_0=f"{LAT} deg", sigma="0.1 deg", frame="icrs"
        )
        return models.Models([models.SkyModel(spectral(2.3, 1e-11), spatial, name="source")])
    found = []
    for number in range(10):
        kind, (lon, lat) = SHAPES[number % 3], place(number)
        sizes = {}, {"sigma": f"{0.08 + 0.02 * number} deg"}, {"r_0": f"{0.15 + 0.02 * number} deg"}
        spatial = getattr(models, kind)(lon_0=f"{lon} deg", lat_0=f"{lat} deg", frame="icrs", **sizes[number % 3])
        amplitude = 6e-12 * (1 if number % 3 == 0 else 2)
        found.append(models.SkyModel(spectral(2.0 + 0.07 * number, amplitude), spatial, name=f"source-{number}"))
    return models.Models(found)


def spectral(index: float, amplitude: float) -> Any:
    """Return a power law, its amplitude at 1 TeV in cm-2 s-1 TeV-1."""
    models = importlib.import_module("xgamma.models")
    return models.PowerLawSpectralModel(index=index, amplitude=f"{amplitude} cm-2 s-1 TeV-1", reference="1 TeV")


def place(number: int) -> tuple[float, float]:
    """Return where one of ten sources is: on a spiral about the middle of the field, ICRS in degrees."""
    angle, distance = 2.4 * number, 0.8 + 0.32 * number
    lat = LAT + distance * math.sin(angle)
    return LON + distance * math.cos(angle) / math.cos(math.radians(lat)), lat


def session(stage: str, folder: Path, pixels: int) -> Any:
    """Return an analysis of the runs in a folder."""
    analysis = importlib.import_module("xgamma.analysis")
    places = {"release": folder / "release", "store": folder / "store", "folder": folder}
    stack, width = str(stage == FIELD).lower(), WIDTH[stage]
    text = CONFIG.format(**places, stack=stack, width=width, binsize=width / pixels)
    return analysis.Analysis(analysis.AnalysisConfig.from_yaml(text))


def prepare(stage: str, folder: Path, runs: int, pixels: int) -> dict[str, float]:
    """Simulate the runs and put their maps into the store."""
    simulated = importlib.import_module("xgamma.simulate")
    # Each of the joint runs has a pointing of its own, and so has the source responses of its own in each.
    angles = tuple((137.5 * n) % 360.0 for n in range(runs)) if stage == JOINT else tuple(45.0 * n for n in range(8))
    target = simulated.Source(lon=LON, lat=LAT)
    plan = simulated.Plan(
        runs=runs, wobble=0.5 if stage == JOINT else 2.8, wobble_angles=angles, source=target, models=sources(stage),
        share_irfs=True,
    )  # fmt: skip
    if not (folder / "release").exists():
        simulated.simulate(plan, folder / "release")
    analysis = session(stage, folder, pixels)
    analysis.get_observations()
    analysis.get_datasets()
    return {"peak": report.peak_memory()}


def started(stage: str, names: list[str]) -> Any:
    """Return the models to fit: away from the truth, and the background of each dataset."""
    models = importlib.import_module("xgamma.models")
    given = sources(stage)
    for model in given:
        model.spectral_model.parameters["amplitude"].value *= 0.8
        model.spectral_model.parameters["index"].value += 0.1
        for parameter in model.spatial_model.parameters:
            if parameter.name in ("lon_0", "lat_0"):
                parameter.value += 0.02
            elif parameter.name in ("sigma", "r_0"):
                parameter.value *= 1.2
    return models.Models([*given, *(models.FoVBackgroundModel(dataset_name=name) for name in names)])


def fit(stage: str, folder: Path, pixels: int) -> dict[str, Any]:
    """Read the maps and fit them."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    modeling = importlib.import_module("xgamma.modeling")
    analysis, imports = session(stage, folder, pixels), report.peak_memory()
    analysis.get_observations()
    start = time.perf_counter()
    analysis.get_datasets()
    read, before = time.perf_counter() - start, report.peak_memory()
    models = started(stage, list(analysis.datasets.names))
    analysis.datasets.models = models
    start, processor = time.perf_counter(), time.process_time()
    result = modeling.Fit().run(analysis.datasets)
    seconds, processor = time.perf_counter() - start, time.process_time() - processor
    truth = {id(own): true for own, true in zip(models.parameters, sources(stage).parameters, strict=False)}
    pulls = [
        (one.value - truth[id(one)].value) / one.error
        for one in models.parameters
        if id(one) in truth and not one.frozen
    ]
    return {
        "read": read, "seconds": seconds, "processor": processor, "imports": imports, "before": before,
        "peak": report.peak_memory(), "success": bool(result.success), "stat": float(result.total_stat),
        "free": len(models.parameters.free_parameters), "pulls": [round(pull, 2) for pull in pulls],
        "method": result.optimize_result.method, "calls": result.nfev,
        "fitted": {one.name: (one.value, one.error) for one in models[0].parameters},
    }  # fmt: skip


def main() -> None:
    """Print how long each fit takes, and how much memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--pixels", type=int, default=200, help="pixels along the side of the image of each run")
    options = parser.parse_args()
    rows, notes = [], []
    for stage, runs, pixels in ((JOINT, options.runs, options.pixels), (FIELD, 16, 500)):
        with tempfile.TemporaryDirectory() as folder:
            report.run(report.OURS, sys.executable, "map_fit_scale.py", f"prepare-{stage}", folder, runs, pixels)
            found = report.run(report.OURS, sys.executable, "map_fit_scale.py", stage, folder, runs, pixels)[1]
        what = f"{runs} runs of {pixels} x {pixels} x 10, joint" if stage == JOINT else "ten sources, 500 x 500 x 10"
        times = [report.shown(found[name]) for name in ("read", "seconds", "processor")]
        memory = [f"{found[name]:.0f} MB" for name in ("peak", "before", "imports")]
        rows.append([what, str(found["free"]), *times, *memory])
        notes.append(f"{what}: success {found['success']}, {found['method']}, pulls {found['pulls']}")
    head = ["fit", "free parameters", "reading", "fit, wall-clock", "fit, processor", "peak memory", "read", "imports"]
    print(report.table(head, rows))
    print("\n".join(notes))
    print(report.machine())


if __name__ == "__main__":
    if len(sys.argv) == 5:
        name, place_of = sys.argv[1], Path(sys.argv[2])
        if name.startswith("prepare-"):
            print(json.dumps(prepare(name.removeprefix("prepare-"), place_of, int(sys.argv[3]), int(sys.argv[4]))))
        else:
            print(json.dumps(fit(name, place_of, int(sys.argv[4]))))
    else:
        main()

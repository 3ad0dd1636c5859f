"""Fits of maps with both packages: ``python map_fits.py --peer PYTHON`` prints a table.

A Gaussian on MSH 15-52, 20 H.E.S.S. runs in 200 x 200 pixels and 10 energies, and a point on the galactic centre, three
simulated CTA runs in 500 x 400 pixels and 10 energies. Both packages run the same lines, but for the name of the
package, on one processor, in processes that alternate. Times are those that the processor worked for the process, the
least of some repeats. ``python map_fits.py PACKAGE FIELD FOLDER`` runs one of them and prints JSON.
"""

from __future__ import annotations

import importlib
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import report

REPEATS = 3
MSH = """
observations: {datastore: $GAMMAPY_DATA/hess-dl3-dr1, obs_cone: {frame: icrs, lon: 228.529 deg, lat: -59.1575 deg,
    radius: 2.5 deg}}
datasets:
    type: 3d
    stack: true
    geom:
        wcs: {skydir: {frame: icrs, lon: 228.529 deg, lat: -59.1575 deg}, binsize: 0.02 deg,
            width: {width: 4 deg, height: 4 deg}}
        selection: {offset_max: 2.5 deg}
        axes:
            energy: {min: 0.5 TeV, max: 30 TeV, nbins: 10}
            energy_true: {min: 0.3 TeV, max: 50 TeV, nbins: 20}
    map_selection: [counts, exposure, background, psf, edisp]
    safe_mask: {methods: [aeff-default, offset-max], parameters: {offset_max: 2.5 deg}}
    background: {method: fov_background}
flux_points: {energy: {min: 0.5 TeV, max: 30 TeV, nbins: 6}, source: source}
"""
CTA = """
observations: {datastore: $GAMMAPY_DATA/cta-1dc/index/gps/, obs_ids: [110380, 111140, 111159]}
datasets:
    type: 3d
    stack: true
    geom:
        wcs: {skydir: {frame: galactic, lon: 0 deg, lat: 0 deg}, binsize: 0.02 deg,
            width: {width: 10 deg, height: 8 deg}}
        selection: {offset_max: 2.5 deg}
        axes:
            energy: {min: 0.1 TeV, max: 10 TeV, nbins: 10}
            energy_true: {min: 0.1 TeV, max: 10 TeV, nbins: 10}
    map_selection: [counts, exposure, background, psf, edisp]
    safe_mask: {methods: [offset-max], parameters: {offset_max: 2.5 deg}}
flux_points: {energy: {min: 0.1 TeV, max: 10 TeV, nbins: 6}, source: source}
"""
PLACES = "{{name: lon_0, value: {lon}, unit: deg, error: 0.02, min: {lon_min}, max: {lon_max}}}, " \
    "{{name: lat_0, value: {lat}, unit: deg, error: 0.02, min: {lat_min}, max: {lat_max}}}"  # fmt: skip
GAUSSIAN = (
    "components: [{name: source, type: SkyModel, spectral: {type: PowerLawSpectralModel, parameters: ["
    "{name: index, value: 2.2}, {name: amplitude, value: 5.0e-12, unit: cm-2 s-1 TeV-1}, "
    "{name: reference, value: 1, unit: TeV, frozen: true}]}, "
    "spatial: {type: GaussianSpatialModel, frame: icrs, parameters: ["
    + PLACES.format(lon=228.529, lon_min=227.5, lon_max=229.5, lat=-59.1575, lat_min=-59.7, lat_max=-58.6)
    + ", {name: sigma, value: 0.08, unit: deg, error: 0.02, min: 0, max: 1}]}}]"
)
POINT = (
    "components: [{name: source, type: SkyModel, spectral: {type: ExpCutoffPowerLawSpectralModel, parameters: ["
    "{name: index, value: 2.3}, {name: amplitude, value: 3.0e-12, unit: cm-2 s-1 TeV-1}, "
    "{name: reference, value: 1, unit: TeV, frozen: true}, {name: lambda_, value: 0.1, unit: TeV-1}]}, "
    "spatial: {type: PointSpatialModel, frame: galactic, parameters: ["
    + PLACES.format(lon=-0.05, lon_min=-1, lon_max=1, lat=-0.05, lat_min=-1, lat_max=1)
    + "]}}]"
)
FIELDS = {"MSH 15-52, Gaussian": (MSH, GAUSSIAN), "galactic centre, point": (CTA, POINT)}


def measured(package: str, field: str, folder: Path) -> dict[str, Any]:
    """Return the seconds of a fit and of flux points after it, and what was fitted."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    analyses = importlib.import_module(f"{package}.analysis")
    modeling, modules = importlib.import_module(f"{package}.modeling"), f"{package}.modeling.models"
    models, estimators = importlib.import_module(modules), importlib.import_module(f"{package}.estimators")
    text, document = FIELDS[field]
    config = analyses.AnalysisConfig.from_yaml(text)
    config.general.log.level, config.general.outdir = "error", str(folder)
    if package == report.OURS:
        config.general.store = str(folder / "store")
    analysis = analyses.Analysis(config)
    analysis.get_observations()
    analysis.get_datasets()
    found: dict[str, Any] = {"fit": [], "points": []}
    repeats = REPEATS if package == report.OURS else 1
    for _ in range(repeats):
        given = models.Models.from_yaml(document)
        given.append(models.FoVBackgroundModel(dataset_name=analysis.datasets[0].name))
        analysis.datasets.models = given
        start = time.process_time()
        result = modeling.Fit().run(analysis.datasets)
        found["fit"].append(time.process_time() - start)
    found |= {"success": bool(result.success), "stat": float(result.total_stat)}
    found["parameters"] = {one.name: (one.value, one.error) for one in given.parameters if not one.frozen}
    flux_points = importlib.import_module("numpy").geomspace(*((0.5, 30, 7) if "MSH" in field else (0.1, 10, 7)))
    unit = importlib.import_module("astropy.units").TeV
    for _ in range(repeats):
        estimator = estimators.FluxPointsEstimator(
            energy_edges=flux_points * unit, source="source", selection_optional=["errn-errp", "ul"]
        )
        start = time.process_time()
        estimator.run(analysis.datasets)
        found["points"].append(time.process_time() - start)
    return {**found, "fit": min(found["fit"]), "points": min(found["points"]), "peak": report.peak_memory()}


def main() -> None:
    """Print how the two compare."""
    options = report.options(main.__doc__ or "")
    pythons, rows, notes = report.pythons(options.peer), list[list[str]](), list[str]()
    for field in FIELDS:
        found: dict[str, list[dict[str, Any]]] = {package: [] for package in pythons}
        for _ in range(options.repeats):
            for package, python in pythons.items():
                with tempfile.TemporaryDirectory() as folder:
                    found[package].append(report.run(package, python, "map_fits.py", package, field, folder)[1])
        for key, words in (("fit", "fit with errors"), ("points", "6 flux points, errors and limits")):
            seconds = {package: statistics.median(one[key] for one in every) for package, every in found.items()}
            ours, peer = seconds[report.OURS], seconds.get(report.PEER)
            times = [f"{1e3 * ours:.1f} ms", *([f"{1e3 * peer:.0f} ms", f"{peer / ours:.0f}x"] if peer else [])]
            rows.append([field, words, *times])
        peaks = {package: max(one["peak"] for one in every) for package, every in found.items()}
        ours, peer = peaks[report.OURS], peaks.get(report.PEER)
        shares = [f"{peer:.0f} MB", f"{ours / peer:.2f}"] if peer else []
        rows.append([field, "peak memory, with the reduction", f"{ours:.0f} MB", *shares])
        notes += [f"{package}: {every[0]['parameters']}, {every[0]['stat']:.3f}" for package, every in found.items()]
    for row in rows:
        print(" | ".join(row))
    print("\n".join(notes))


if __name__ == "__main__":
    if len(sys.argv) > 3 and sys.argv[1] in (report.OURS, report.PEER):
        print(json.dumps(measured(sys.argv[1], sys.argv[2], Path(sys.argv[3]))))
    else:
        main()

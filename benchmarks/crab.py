"""The Crab spectrum with one of two packages, timed from inside: ``python crab.py PACKAGE FOLDER [--stages REPEATS]``.

Without ``--stages`` it is the whole tutorial, with pictures and files. Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import importlib
import json
import logging
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

EXCLUSION = "$GAMMAPY_DATA/joint-crab/exclusion/exclusion_mask_crab.fits.gz"
CONFIG = """
observations:
    datastore: $GAMMAPY_DATA/hess-dl3-dr1
    obs_cone: {frame: icrs, lon: 83.633 deg, lat: 22.014 deg, radius: 5 deg}
datasets:
    type: 1d
    stack: true
    geom:
        axes:
            energy: {min: 0.5 TeV, max: 30 TeV, nbins: 20}
            energy_true: {min: 0.1 TeV, max: 50 TeV, nbins: 40}
    on_region: {frame: icrs, lon: 83.633 deg, lat: 22.014 deg, radius: 0.11 deg}
    containment_correction: true
    safe_mask:
        methods: [aeff-default, aeff-max]
        parameters: {aeff_percent: 0.1}
    background: {method: reflected}
fit:
    fit_range: {min: 1 TeV, max: 20 TeV}
flux_points:
    energy: {min: 1 TeV, max: 20 TeV, nbins: 8}
    source: crab
    parameters: {selection_optional: all}
"""
MODELS = """
components:
- name: crab
  type: SkyModel
  spectral:
    type: PowerLawSpectralModel
    parameters:
    - {name: index, value: 2.6, frozen: false}
    - {name: amplitude, value: 5.0e-11, unit: cm-2 s-1 TeV-1, frozen: false}
    - {name: reference, value: 1.0, unit: TeV, frozen: true}
"""


class Watch:
    """Seconds of named steps."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}

    def __call__(self, name: str, step: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        result = step()
        self.seconds.setdefault(name, []).append(time.perf_counter() - start)
        return result


def session(package: str, outdir: Path) -> tuple[Any, Any]:
    """Return an analysis and the class of its models."""
    analysis = importlib.import_module(f"{package}.analysis")
    models = importlib.import_module(f"{package}.modeling.models").Models
    config = analysis.AnalysisConfig.from_yaml(CONFIG)
    config.datasets.background.exclusion = EXCLUSION
    config.general.outdir = str(outdir)
    config.general.log.level = "warning"
    return analysis.Analysis(config), models


def numbers(analysis: Any) -> dict[str, float]:
    """Return what both packages have to agree on."""
    parameters = analysis.models.parameters
    return {
        "index": float(parameters["index"].value),
        "amplitude": float(parameters["amplitude"].value),
        "stat": float(analysis.fit_result.total_stat),
    }


def reduce_and_fit(package: str, outdir: Path, watch: Watch) -> Any:
    """Run the four steps; the observations are part of the reduction, as reading is spread over both."""
    analysis, models = session(package, outdir)

    def reduction() -> None:
        analysis.get_observations()
        analysis.get_datasets()

    watch("get_datasets", reduction)
    analysis.set_models(models.from_yaml(MODELS))
    watch("fit", analysis.run_fit)
    watch("flux points", analysis.get_flux_points)
    return analysis


def stages(package: str, folder: Path, repeats: int) -> dict[str, Any]:
    """Return the first and the median of the following times of each step; every repeat has a store of its own."""
    watch = Watch()
    for number in range(repeats + 1):
        analysis = reduce_and_fit(package, folder / f"repeat-{number}", watch)
    times = {name: [all_of[0], statistics.median(all_of[1:] or all_of)] for name, all_of in watch.seconds.items()}
    return {"seconds": times, "numbers": numbers(analysis)}


def whole(package: str, folder: Path) -> dict[str, Any]:
    """Run everything that a reader of the tutorial runs."""
    plt = importlib.import_module("matplotlib.pyplot")
    watch = Watch()
    folder.mkdir(parents=True, exist_ok=True)
    analysis = reduce_and_fit(package, folder, watch)
    stacked = analysis.datasets["stacked"]
    table = analysis.datasets.info_table()
    texts = [str(part) for part in (analysis.config, stacked, table, analysis.fit_result, analysis.models)]
    texts.append(str(analysis.models.to_parameters_table()))
    # Gammapy writes datasets as YAML with OGIP files; the ending that both understand.
    analysis.datasets.write(folder / "datasets.yaml", overwrite=True)
    analysis.models.write(folder / "models.yaml", overwrite=True)
    analysis.flux_points.write(folder / "flux-points.fits", overwrite=True)
    stacked.plot_fit()
    plt.savefig(folder / "fit.png")
    points = analysis.flux_points.data
    texts.append(str(points.to_table(sed_type="dnde", formatted=True)))
    _, axes = plt.subplots()
    points.plot(ax=axes, sed_type="e2dnde", color="darkorange")
    points.plot_ts_profiles(ax=axes, sed_type="e2dnde")
    plt.savefig(folder / "flux-points.png")
    plt.figure()
    analysis.flux_points.plot_fit()
    plt.savefig(folder / "spectrum.png")
    return {"seconds": watch.seconds, "numbers": numbers(analysis), "characters": sum(map(len, texts))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("package")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--stages", type=int, metavar="REPEATS")
    options = parser.parse_args()
    os.environ.setdefault("MPLBACKEND", "Agg")
    logging.captureWarnings(True)
    if options.stages:
        result = stages(options.package, options.folder, options.stages)
    else:
        result = whole(options.package, options.folder)
    print(json.dumps(result))


if __name__ == "__main__":
    main()

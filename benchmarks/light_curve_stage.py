"""Light curves of real runs with one of two packages: ``python light_curve_stage.py PACKAGE speed|parity|KEY FOLDER``.

Prints one line of JSON: seconds of each light curve, and their numbers.
"""

from __future__ import annotations

import importlib
import json
import logging
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.time import Time

CONFIG = """
observations:
    datastore: $GAMMAPY_DATA/hess-dl3-dr1
    obs_ids: [{runs}]
datasets:
    type: 1d
    stack: false
    geom:
        axes:
            energy: {{min: 0.3 TeV, max: 30 TeV, nbins: 24}}
            energy_true: {{min: 0.1 TeV, max: 80 TeV, nbins: 60}}
    on_region: {{frame: icrs, lon: {lon} deg, lat: {lat} deg, radius: 0.11 deg}}
    containment_correction: true
    safe_mask:
        methods: [aeff-default, aeff-max]
        parameters: {{aeff_percent: 10}}
    background: {{method: reflected}}
"""
MODEL = """
components:
- name: source
  type: SkyModel
  spectral:
    type: PowerLawSpectralModel
    parameters:
    - {{name: index, value: {index}}}
    - {{name: amplitude, value: {amplitude}, unit: cm-2 s-1 TeV-1}}
    - {{name: reference, value: 1.0, unit: TeV, frozen: true}}
"""
CRAB = {"lon": 83.633, "lat": 22.014, "index": 2.6, "amplitude": 4.5e-11, "runs": "23523, 23526, 23559, 23592"}
PKS = {
    "lon": 329.7169, "lat": -30.2256, "index": 3.4, "amplitude": "2.0e-12",
    "runs": "47802, 47803, 47804, 47827, 47828, 47829",
}  # fmt: skip
MSH = {
    "lon": 228.5292, "lat": -59.1575, "index": 2.3, "amplitude": "3.0e-12",
    "runs": "20136, 20137, 20282, 20283, 20301, 20302, 20303, 20322, 20323, 20324, 20325, 20343, 20344, 20345, 20346",
}  # fmt: skip
ENERGIES = {"1": np.array([0.5, 20.0]), "3": np.array([0.5, 1.2, 3.0, 20.0])}
NIGHTS = {
    "crab": [[53343.5, 53344.5], [53345.5, 53346.5], [53347.5, 53348.5]],
    "pks": [[54705.5, 54706.5], [54706.5, 54707.5]],
}
INTERVALS = {
    "crab": [[53340.0, 53344.5], [53344.5, 53350.0]],
    "pks": [[54700.0, 54707.5]],
}
COLUMNS = ("norm", "norm_err", "norm_errn", "norm_errp", "norm_ul", "stat", "ts", "sqrt_ts", "success")


def datasets_of(package: str, about: dict[str, Any], folder: Path) -> Any:
    """Return the reduced datasets of some runs with their model."""
    analysis = importlib.import_module(f"{package}.analysis")
    models = importlib.import_module(f"{package}.modeling.models").Models
    config = analysis.AnalysisConfig.from_yaml(CONFIG.format(**about))
    config.general.outdir = str(folder)
    config.general.log.level = "error"
    session = analysis.Analysis(config)
    session.get_observations()
    session.get_datasets()
    session.set_models(models.from_yaml(MODEL.format(**about)))
    return session.datasets


def intervals_of(pairs: list[list[float]] | None) -> list[Time] | None:
    """Return intervals of MJD (TT) as both packages take them."""
    return None if pairs is None else [Time(pair, format="mjd", scale="tt") for pair in pairs]


def curve_of(package: str, datasets: Any, energies: np.ndarray, pairs: list[list[float]] | None) -> tuple[Any, float]:
    """Return a light curve with all options, and the seconds that it took."""
    estimator = importlib.import_module(f"{package}.estimators").LightCurveEstimator(
        energy_edges=energies * u.TeV,
        time_intervals=intervals_of(pairs),
        source="source",
        selection_optional="all",
        reoptimize=False,
    )
    start = time.perf_counter()
    curve = estimator.run(datasets)
    return curve, time.perf_counter() - start


def numbers_of(curve: Any) -> dict[str, Any]:
    """Return the columns of a light curve as lists (time, energy)."""
    table = curve.to_table(sed_type="likelihood", format="lightcurve")
    found = {name: np.asarray(table[name], dtype=float).tolist() for name in COLUMNS if name in table.colnames}
    found["times"] = np.stack([table["time_min"], table["time_max"]], axis=1).astype(float).tolist()
    found["stat_scan"] = np.asarray(table["stat_scan"], dtype=float).tolist()
    return found


def one_curve(package: str, key: str, folder: Path) -> dict[str, Any]:
    """Return the numbers of one light curve, such as ``crab, night, 1``."""
    name, binning, count = key.split(", ")
    datasets = datasets_of(package, {"crab": CRAB, "pks": PKS}[name], folder)
    pairs = {"observation": None, "night": NIGHTS[name], "intervals": INTERVALS[name]}[binning]
    return numbers_of(curve_of(package, datasets, ENERGIES[count], pairs)[0])


def main() -> None:
    package, what, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    logging.disable(logging.WARNING)
    result: dict[str, Any] = {"seconds": {}, "curves": {}}
    if what == "speed":
        datasets = datasets_of(package, MSH, folder)
        repeats = 1 if package == "gammapy" else 5
        result["seconds"]["15 runs"] = min(curve_of(package, datasets, ENERGIES["1"], None)[1] for _ in range(repeats))
    elif what == "parity":
        for name, about in (("crab", CRAB), ("pks", PKS)):
            datasets = datasets_of(package, about, folder)
            for binning, pairs in (("observation", None), ("night", NIGHTS[name]), ("intervals", INTERVALS[name])):
                for count, energies in ENERGIES.items():
                    curve, seconds = curve_of(package, datasets, energies, pairs)
                    key = f"{name}, {binning}, {count}"
                    result["curves"][key], result["seconds"][key] = numbers_of(curve), seconds
    else:
        result["curves"][what] = one_curve(package, what, folder)
    print(json.dumps(result))


if __name__ == "__main__":
    main()

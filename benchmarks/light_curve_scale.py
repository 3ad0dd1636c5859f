"""Light curves of simulated runs, one bin each, after their reduction: seconds, and the peak memory of the process.

``python light_curve_scale.py [RUNS ...]``, by default 1,000 and 10,000. Rows of 20 bins of energy and 40 of true energy
are made in memory, then their light curve in 3 bins of energy with errors, limits and scans is estimated. Each number
of runs has a process of its own, so that the peak is its own; it holds the rows as well.
"""

from __future__ import annotations

import json
import logging
import sys
import time

import numpy as np
import report
import xarray as xr
from report import peak_memory

from xgamma import schema
from xgamma.axes import Axis
from xgamma.estimate import light_curve
from xgamma.modeling.models import Models

MODEL = """
components:
- name: source
  type: SkyModel
  spectral:
    type: PowerLawSpectralModel
    parameters:
    - {name: index, value: 2.5}
    - {name: amplitude, value: 4.0e-11, unit: cm-2 s-1 TeV-1}
    - {name: reference, value: 1.0, unit: TeV, frozen: true}
"""
EDGES = np.array([0.5, 1.5, 5.0, 30.0])
WANTED = {1_000: "0.5 s, 300 MB", 10_000: "10 s, 1 GB"}
REPEATS = 3


def rows_of(count: int) -> xr.Dataset:
    """Return reduced runs of half an hour: a source whose flux is steady, with nine off regions."""
    energy, true = Axis.from_bounds("energy", 0.5, 30.0, 20), Axis.from_bounds("energy_true", 0.2, 80.0, 40)
    edge = (np.log(energy.edges)[np.newaxis] - np.log(true.center)[:, np.newaxis]) / 0.15
    edisp = np.diff(0.5 * (1 + np.tanh(0.8 * edge)), axis=1)
    exposure = 1e5 * np.sqrt(true.center) * 1700.0
    flux = 4e-11 * true.center**-2.5 * np.diff(true.edges)
    signal = (exposure * 1e4 * flux) @ edisp
    random, shape, cells = np.random.default_rng(1), (count, 1, energy.nbin), (count, 1, true.nbin)
    background = 2.0 * energy.center**-1.5
    start = 1.0e8 + 2000.0 * np.arange(count)
    values = {
        "counts": random.poisson(signal + background, shape),
        "counts_off": random.poisson(9 * background, shape),
        "acceptance": np.ones(shape),
        "acceptance_off": np.full(shape, 9.0),
        "exposure": np.broadcast_to(exposure, cells).copy(),
        "exposure_edisp": np.broadcast_to(exposure, cells).copy(),
        "edisp": np.broadcast_to(edisp, (*cells, energy.nbin)).copy(),
        "mask_safe": np.ones(shape, dtype=bool),
        "livetime": np.full(count, 1600.0),
        "ontime": np.full(count, 1700.0),
        "gti": np.stack([start, start + 1700.0], axis=1)[:, np.newaxis],
        "outcome": np.zeros(count),
    }
    coords = {"dataset": np.arange(count).astype(str), **energy.coords(), **true.coords()}
    attrs = {"mjdref": 51910.0, "telescope": "SIM", "outcome_details": ["used"] * count}
    return schema.dataset(values, coords, attrs, ("region",), (1,))


def stage(count: int) -> None:
    """Print the seconds and the peak memory in MB of one number of runs."""
    logging.disable(logging.WARNING)
    rows, models = rows_of(count), Models.from_yaml(MODEL)
    before = peak_memory()
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        curve = light_curve([rows], models, "source", EDGES, None, {"selection_optional": "all"})
        seconds.append(time.perf_counter() - start)
    assert curve.sizes["time"] == count
    pulls = ((curve["norm"] - 1) / curve["norm_err"]).values[:, 0]
    found = {"seconds": min(seconds), "peak": peak_memory(), "before": before, "pull": float(pulls.std())}
    print(json.dumps(found))


def main() -> None:
    counts = [int(word) for word in sys.argv[1:]] or list(WANTED)
    rows = []
    for count in counts:
        found = report.run(report.OURS, sys.executable, "light_curve_scale.py", "--stage", count)[1]
        memory = f"{found['peak']:.0f} MB ({found['before']:.0f} MB with the rows)"
        rows.append(
            [f"{count:,} bins of {count:,} runs", WANTED.get(count, "-"), report.shown(found["seconds"]), memory]
        )
    print(report.table(["light curve in 3 energies, all options", "wanted", "seconds", "peak memory"], rows))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--stage"]:
        stage(int(sys.argv[2]))
    else:
        main()

"""Maps of MSH 15-52 with both packages: ``python maps.py --peer PYTHON`` prints a table.

Twenty H.E.S.S. runs in a grid of 4 deg and 10 energies (20 true), and in one of 5 deg and 20 (40). Both packages run on
one processor, in processes that alternate. Times are those that the processor worked for the process, which other work
on the machine changes least; of each stage the fastest of its repeats counts. ``python maps.py PACKAGE STAGE GRID
FOLDER`` runs one of them and prints JSON.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import report

DATASTORE = Path(os.environ.get("GAMMAPY_DATA", "")) / "hess-dl3-dr1"
TARGET = (228.53, -59.16)
ENERGY, ENERGY_TRUE = (0.5, 50.0), (0.2, 100.0)
# Width in deg with pixels of 0.02 deg, bins of energy, bins of true energy.
GRIDS = {"200 x 200 x 10/20": (4.0, 10, 20), "250 x 250 x 20/40": (5.0, 20, 40)}
BINSIZE, OFFSET_MAX, RUNS, REPEATS = 0.02, 2.5, 20, 5
NAMES = ("counts", "exposure", "background")
PACKAGES = (report.OURS, report.PEER)
WORDS = {
    "maps": "counts, exposure and background of a run",
    "store": "reduce and stack 20 runs, from the store",
    "files": "reduce and stack 20 runs, from gzipped files",
}
ANALYSIS = """
observations: {{datastore: $GAMMAPY_DATA/hess-dl3-dr1, obs_ids: {runs}}}
datasets:
    type: 3d
    stack: true
    geom:
        wcs:
            skydir: {{frame: icrs, lon: 228.53 deg, lat: -59.16 deg}}
            binsize: 0.02 deg
            width: {{width: {width} deg, height: {width} deg}}
        selection: {{offset_max: 2.5 deg}}
        axes:
            energy: {{min: 0.5 TeV, max: 50 TeV, nbins: {bins}}}
            energy_true: {{min: 0.2 TeV, max: 100 TeV, nbins: {true_bins}}}
    map_selection: [counts, exposure, background, psf, edisp]
    safe_mask: {{methods: [offset-max], parameters: {{offset_max: 2.5 deg}}}}
    background: {{method: fov_background, parameters: {{method: scale}}}}
"""


def obs_ids() -> list[int]:
    """Return the first runs on the target."""
    table = importlib.import_module("astropy.table").Table.read(DATASTORE / "obs-index.fits.gz")
    return sorted(int(row["OBS_ID"]) for row in table if "MSH" in str(row["OBJECT"]))[:RUNS]


def best(step: Callable[[], object], repeats: int = REPEATS) -> float:
    """Return the seconds of the fastest of some repeats, after one that is not counted."""
    step()
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        step()
        seconds.append(time.process_time() - start)
    return min(seconds)


def session(package: str, grid: str, folder: Path) -> Any:
    """Return an analysis, whose products, if any, go to a folder."""
    analysis = importlib.import_module(f"{package}.analysis")
    width, bins, true_bins = GRIDS[grid]
    config = analysis.AnalysisConfig.from_yaml(
        ANALYSIS.format(runs=obs_ids(), width=width, bins=bins, true_bins=true_bins)
    )
    config.general.log.level, config.general.outdir = "error", str(folder)
    if package == report.OURS:
        config.general.store = str(folder / "store")
    return analysis.Analysis(config)


def maps_of_xgamma(grid: str) -> dict[str, float]:
    """Return the seconds of all maps for each run, which is in memory, and the sums of the maps."""
    np, axes = importlib.import_module("numpy"), importlib.import_module("xgamma.axes")
    grids, reduce = importlib.import_module("xgamma.grid"), importlib.import_module("xgamma.reduce")
    nodes, parts = importlib.import_module("xgamma.reduce.nodes"), importlib.import_module("xgamma.ingest.part")
    index = importlib.import_module("xgamma.formats.gadf.index").read_index(DATASTORE).runs
    runs, _ = parts.read_runs([index[obs_id] for obs_id in obs_ids()], lambda: None)
    part, (width, bins, true_bins) = parts.part_of(runs, "hess-dl3-dr1"), GRIDS[grid]
    bounds = (("energy", ENERGY, bins), ("energy_true", ENERGY_TRUE, true_bins))
    energies = [axes.Axis.from_bounds(name, *limits, count) for name, limits, count in bounds]
    recipe = reduce.Recipe(
        grids.Grid(*energies, grids.SkySpace.of_width(*TARGET, "icrs", BINSIZE, (width, width))),
        background=reduce.method("background", "irf"),
        offset_max=OFFSET_MAX,
        maps=NAMES,
    )
    every = np.full(len(runs), np.inf)
    rows = importlib.import_module("xgamma.events").Rows(
        np.arange(len(runs)), -every, every, tuple(map(str, range(len(runs))))
    )
    blocks = list(reduce.blocks_of(part, rows, recipe))

    def maps() -> Iterator[tuple[Any, Any, Any]]:
        for block in blocks:
            found = reduce.reduce_block(part, block, recipe)
            exposures = nodes.WindowExposures.of(found)
            for row in range(len(block)):
                # One after the other, as they are when they are stacked.
                exposure = exposures.of_row(row, out=exposures.room)
                yield found["counts"].values[row], exposure, found["background"].values[row]

    sums = dict.fromkeys(NAMES, 0.0)
    for found in maps():
        for name, values in zip(NAMES, found, strict=True):
            sums[name] += float(values.sum(dtype=float))
    return {"maps": best(lambda: [None for _ in maps()]) / len(runs), **sums}


def maps_of_gammapy(grid: str) -> dict[str, float]:
    """Return the same, made run by run."""
    axis = importlib.import_module("gammapy.maps").MapAxis.from_energy_bounds
    datasets, makers = importlib.import_module("gammapy.datasets"), importlib.import_module("gammapy.makers")
    center = importlib.import_module("astropy.coordinates").SkyCoord(*TARGET, unit="deg")
    observations = importlib.import_module("gammapy.data").DataStore.from_dir(DATASTORE).get_observations(obs_ids())
    width, bins, true_bins = GRIDS[grid]
    geom = importlib.import_module("gammapy.maps").WcsGeom.create(
        skydir=center, binsz=BINSIZE, width=width, frame="icrs", axes=[axis(*ENERGY, bins, unit="TeV", name="energy")]
    )
    true = axis(*ENERGY_TRUE, true_bins, unit="TeV", name="energy_true")
    empty, maker = datasets.MapDataset.create(geom, energy_axis_true=true), makers.MapDatasetMaker(selection=NAMES)

    def maps() -> Iterator[Any]:
        for observation in observations:
            yield maker.run(empty, observation)

    sums = dict.fromkeys(NAMES, 0.0)
    for found in maps():
        for name in NAMES:
            sums[name] += float(getattr(found, name).data.sum(dtype=float))
    return {"maps": best(lambda: [None for _ in maps()], 1) / len(observations), **sums}


def whole_of(package: str, grid: str, folder: Path) -> dict[str, float]:
    """Return the seconds from observations to the stack: from files, and from a store that has read them."""
    importlib.import_module("dask.array" if package == report.OURS else "gammapy.analysis")
    importlib.import_module("xgamma.execute.threads" if package == report.OURS else "gammapy.analysis")
    imports, peak, seconds = report.peak_memory(), 0.0, list[float]()
    for number in range(REPEATS if package == report.OURS else 1):
        analysis = session(package, grid, folder / str(number))
        start = time.process_time()
        analysis.get_observations()
        analysis.get_datasets()
        seconds.append(time.process_time() - start)
        # Of the first alone: what the next ones find is not given back to the system yet.
        peak = peak or report.peak_memory()
        counts = float(analysis.datasets["stacked"].counts.data.sum())
        del analysis
        gc.collect()
    found = {"files": min(seconds), "counts": counts, "peak": peak, "imports": imports}
    if package == report.PEER:
        return {**found, "store": min(seconds)}
    seconds = []
    for number in range(REPEATS):
        for kind in ("rows", "stack"):
            # Not deleted: a file system may look longer for room where files were deleted a moment ago.
            (folder / str(number) / "store" / kind).rename(folder / f"{kind}-{number}")
        analysis = session(package, grid, folder / str(number))
        start = time.process_time()
        analysis.get_observations()
        analysis.get_datasets()
        seconds.append(time.process_time() - start)
        del analysis
        gc.collect()
    return {**found, "store": min(seconds)}


def measured(package: str, stage: str, grid: str, folder: Path) -> dict[str, float]:
    """Run one stage with one package on one processor."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    if stage == "whole":
        return whole_of(package, grid, folder)
    return {report.OURS: maps_of_xgamma, report.PEER: maps_of_gammapy}[package](grid)


def main() -> None:
    """Print how the two compare."""
    options = report.options(main.__doc__ or "")
    pythons, rows, notes = report.pythons(options.peer), list[list[str]](), list[str]()
    for grid in GRIDS:
        for stage, keys in (("maps", ("maps",)), ("whole", ("store", "files"))):
            found: dict[str, list[dict[str, Any]]] = {package: [] for package in pythons}
            for _ in range(options.repeats):
                for package, python in pythons.items():
                    with tempfile.TemporaryDirectory() as folder:
                        found[package].append(report.run(package, python, "maps.py", package, stage, grid, folder)[1])
            for key in keys:
                times = [
                    min(each[key] for each in found[package]) if package in found else None for package in PACKAGES
                ]
                rows.append(report.compared(f"{WORDS[key]}, {grid}", *times))
            notes += [f"{package}, {stage}, {grid}: {numbers(each[0])}" for package, each in found.items()]
    print(report.table(["what", *PACKAGES, "ratio"], rows))
    print("\n".join([*notes, report.machine()]))


def numbers(found: dict[str, float]) -> str:
    """Return in words what both packages have to agree on, and the memory."""
    return ", ".join(f"{key} {found[key]:.7g}" for key in (*NAMES, "peak", "imports") if key in found)


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in PACKAGES:
        warnings.simplefilter("ignore")
        print(json.dumps(measured(*sys.argv[1:4], Path(sys.argv[4]))))
    else:
        main()

"""Backgrounds of public runs by xgamma and by Gammapy: ``python backgrounds.py FOLDER`` compares them.

``PEER_PYTHON`` names the Python that has Gammapy, ``GAMMAPY_DATA`` the data. Each package reduces and fits in a process
of its own, which prints JSON; the table says by how much they differ.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

DATA = Path(os.environ["GAMMAPY_DATA"])
CRAB = (23523, 23526, 23559, 23592)
GPS = (110380, 111140, 111159, 111630)
REGIONS = {
    "crab": (83.633, 22.014, "icrs", 0.11),
    "wide": (83.633, 22.014, "icrs", 0.3),
    "gc": (0.7, 0.5, "galactic", 0.2),
}
AXES = {"hess": ((0.5, 30.0, 20), (0.1, 50.0, 40)), "cta": ((0.05, 100.0, 20), (0.03, 150.0, 40))}
MASK = DATA / "joint-crab/exclusion/exclusion_mask_crab.fits.gz"
OPTIONS: dict[str, dict[str, Any]] = {
    "as they are": {},
    "angle_increment": {"angle_increment": 0.02},
    "min_distance": {"min_distance": 0.3},
    "min_distance_input": {"min_distance_input": 0.8},
    "max_region_number": {"max_region_number": 3},
    "binsz": {"binsz": 0.03},
    "all": {
        "angle_increment": 0.05,
        "min_distance": 0.1,
        "min_distance_input": 0.4,
        "max_region_number": 5,
        "binsz": 0.02,
    },
}
PHASES = {"on_phase": [0.9, 0.1], "off_phase": [[0.3, 0.5], [0.6, 0.7]]}
Result = dict[str, Any]


def with_phases(folder: Path) -> Path:
    """Return a release of the Crab runs whose events have a made-up phase."""
    release = folder / "phases"
    if release.exists():
        return release
    (release / "data").mkdir(parents=True)
    for name in ("hdu-index.fits.gz", "obs-index.fits.gz"):
        (release / name).write_bytes((DATA / "hess-dl3-dr1" / name).read_bytes())
    for number in CRAB:
        name = f"data/hess_dl3_dr1_obs_id_{number:06d}.fits.gz"
        with fits.open(DATA / "hess-dl3-dr1" / name) as hdus:
            events = hdus["EVENTS"]
            phases = np.random.default_rng(number).random(len(events.data))
            column = fits.ColDefs([fits.Column("PHASE", "D", array=phases)])
            hdus["EVENTS"] = fits.BinTableHDU.from_columns(events.columns + column, header=events.header)
            hdus.writeto(release / name)
    return release


def turning(folder: Path) -> Path:
    """Return a release of one Crab run whose background is said to turn with the camera."""
    release = folder / "altaz"
    if release.exists():
        return release
    (release / "data").mkdir(parents=True)
    for name in ("hdu-index.fits.gz", "obs-index.fits.gz"):
        (release / name).write_bytes((DATA / "hess-dl3-dr1" / name).read_bytes())
    name = f"data/hess_dl3_dr1_obs_id_{CRAB[0]:06d}.fits.gz"
    with fits.open(DATA / "hess-dl3-dr1" / name) as hdus:
        # By both Gammapy knows files that say RADEC and mean the longitude reversed.
        hdus["EVENTS"].header["HDUVERS"] = "0.3"
        hdus["BKG"].header["FOVALIGN"] = "ALTAZ"
        hdus.writeto(release / name)
    return release


def of_xgamma(folder: Path) -> Result:
    """Return counts, backgrounds and fits of xgamma, and the time of the reductions."""
    reduce = importlib.import_module("xgamma.reduce")
    index = importlib.import_module("xgamma.formats.gadf.index")
    ingest = importlib.import_module("xgamma.ingest.part")
    grid = importlib.import_module("xgamma.grid")
    axes = importlib.import_module("xgamma.axes")
    rows = importlib.import_module("xgamma.events").Rows
    mask = importlib.import_module("xgamma.formats.fits.regions").read_mask(MASK)

    def part_of(release: Path, runs: tuple[int, ...]) -> Any:
        found, failures = ingest.read_runs([index.read_index(release).runs[run] for run in runs], lambda: None)
        assert failures == []
        return ingest.part_of(found, "release")

    def reduced(part: Any, region: str, data: str, background: Any, exclusion: Any = None) -> Any:
        everything = np.full(part.obs.sizes["obs"], np.inf)
        lon, lat, frame, radius = REGIONS[region]
        names = ("energy", "energy_true")
        own = [axes.Axis.from_bounds(name, *bounds) for name, bounds in zip(names, AXES[data], strict=True)]
        space = grid.RegionSpace((grid.Circle(lon, lat, radius, frame),))
        recipe = reduce.Recipe(grid.Grid(*own, space), True, background, exclusion)
        numbers = np.arange(len(everything))
        return reduce.reduce_spectra(part, rows(numbers, -everything, everything, tuple(map(str, numbers))), recipe)

    parts = {"hess": part_of(DATA / "hess-dl3-dr1", CRAB), "cta": part_of(DATA / "cta-1dc/index/gps", GPS)}
    found: Result = {}
    start = time.perf_counter()
    for data, region in (("hess", "crab"), ("hess", "wide"), ("cta", "gc")):
        ds = reduced(parts[data], region, data, reduce.method("background", "irf"))
        found[f"irf {data} {region}"] = [ds[name].values[:, 0].tolist() for name in ("counts", "background")]
        if region == "crab":
            found["fit irf"] = fit_of_xgamma(ds)
    found["time irf"] = time.perf_counter() - start
    ds = reduced(part_of(turning(folder), CRAB[:1]), "crab", "hess", reduce.method("background", "irf"))
    found["irf that turns"] = [ds["background"].values[:, 0].tolist()]
    names = ("energy", "energy_true")
    own = [axes.Axis.from_bounds(name, *bounds) for name, bounds in zip(names, AXES["hess"], strict=True)]
    window = grid.Grid(*own, grid.SkySpace(83.633, 22.014, "icrs", 0.05, (80, 60)))
    recipe, one = reduce.Recipe(window, False, reduce.method("background", "irf")), np.full(1, np.inf)
    ds = reduce.reduce_spectra(parts["hess"], rows(np.zeros(1, int), -one, one, ("0",)), recipe)
    found["irf window"] = [ds[name].values[0].astype(float).tolist() for name in ("counts", "background")]
    start = time.perf_counter()
    for name, options in OPTIONS.items():
        for region in ("crab", "wide"):
            for excluded in (None, mask):
                given = reduce.method("background", "reflected", **options)
                ds = reduced(parts["hess"], region, "hess", given, excluded)
                key = f"reflected {name}, {region}, {'mask' if excluded else 'no mask'}"
                found[key] = [ds["counts_off"].values[:, 0].tolist(), ds["acceptance_off"].values[:, 0].tolist()]
    found["time reflected"] = time.perf_counter() - start
    part = part_of(with_phases(folder), CRAB)
    start = time.perf_counter()
    ds = reduced(part, "crab", "hess", reduce.method("background", "phase", **PHASES))
    found["time phase"] = time.perf_counter() - start
    found["phase"] = [
        ds[name].values[:, 0].tolist() for name in ("counts", "counts_off", "acceptance", "acceptance_off")
    ]
    return found


def fit_of_xgamma(ds: Any) -> list[list[float]]:
    """Return values and errors of a power law, and the statistic."""
    models = importlib.import_module("xgamma.models")
    law = models.PowerLawSpectralModel(index=2.3, amplitude="3e-11 cm-2 s-1 TeV-1")
    model = models.SkyModel(law, name="crab")
    result = importlib.import_module("xgamma.fit").fit([ds], models.Models([model]))
    return [[law.index.value, law.amplitude.value], [law.index.error, law.amplitude.error], [result.total_stat]]


def of_gammapy(folder: Path) -> Result:
    """Return the same of Gammapy."""
    units = importlib.import_module("astropy.units")
    coordinates = importlib.import_module("astropy.coordinates")
    regions = importlib.import_module("regions")
    maps, makers = importlib.import_module("gammapy.maps"), importlib.import_module("gammapy.makers")
    datasets, stores = importlib.import_module("gammapy.datasets"), importlib.import_module("gammapy.data")
    mask = maps.Map.read(MASK)
    mask.data = mask.data.astype(bool)
    os.environ.setdefault("CALDB", str(DATA / "cta-1dc/caldb"))

    def observations(release: Path, runs: tuple[int, ...]) -> Any:
        return stores.DataStore.from_dir(release).get_observations(list(runs), required_irf="all-optional")

    def reduced(observed: Any, region: str, data: str, background: Any = None) -> list[Any]:
        lon, lat, frame, radius = REGIONS[region]
        center = coordinates.SkyCoord(lon, lat, unit="deg", frame=frame)
        low_high = [maps.MapAxis.from_energy_bounds(low, high, n, unit="TeV", name=name)
                    for name, (low, high, n) in zip(("energy", "energy_true"), AXES[data], strict=True)]  # fmt: skip
        geom = maps.RegionGeom(regions.CircleSkyRegion(center, radius * units.deg), axes=[low_high[0]])
        selection = ["counts", "exposure", "edisp", *(["background"] if background is None else [])]
        maker = makers.SpectrumDatasetMaker(selection=selection, containment_correction=True)
        results = []
        for observation in observed:
            made = maker.run(datasets.SpectrumDataset.create(geom, energy_axis_true=low_high[1]), observation)
            results.append(made if background is None else background.run(made, observation))
        return results

    def columns(made: list[Any], *names: str) -> list[Any]:
        return [[getattr(one, name).data[:, 0, 0].astype(float).tolist() for one in made] for name in names]

    observed = {"hess": observations(DATA / "hess-dl3-dr1", CRAB), "cta": observations(DATA / "cta-1dc/index/gps", GPS)}
    found: Result = {}
    start = time.perf_counter()
    for data, region in (("hess", "crab"), ("hess", "wide"), ("cta", "gc")):
        made = reduced(observed[data], region, data)
        found[f"irf {data} {region}"] = columns(made, "counts", "background")
        if region == "crab":
            found["fit irf"] = fit_of_gammapy(made)
    found["time irf"] = time.perf_counter() - start
    importlib.import_module("astropy.utils.iers").conf.auto_download = False
    found["irf that turns"] = columns(reduced(observations(turning(folder), CRAB[:1]), "crab", "hess"), "background")
    energy = maps.MapAxis.from_energy_bounds(*AXES["hess"][0][:2], AXES["hess"][0][2], unit="TeV", name="energy")
    center = coordinates.SkyCoord(83.633, 22.014, unit="deg")
    window = maps.WcsGeom.create(skydir=center, binsz=0.05, npix=(80, 60), frame="icrs", proj="CAR", axes=[energy])
    maker = makers.MapDatasetMaker(selection=["counts", "background"])
    made = [make(window, observed["hess"][0]) for make in (maker.make_counts, maker.make_background)]
    found["irf window"] = [one.data.astype(float).tolist() for one in made]
    start = time.perf_counter()
    for name, options in OPTIONS.items():
        unit = {"binsz": "deg", "max_region_number": None}
        given = {
            key: value if unit.get(key, "rad") is None else f"{value} {unit.get(key, 'rad')}"
            for key, value in options.items()
        }
        for region in ("crab", "wide"):
            for excluded in (None, mask):
                background = makers.ReflectedRegionsBackgroundMaker(exclusion_mask=excluded, **given)
                made = reduced(observed["hess"], region, "hess", background)
                key = f"reflected {name}, {region}, {'mask' if excluded else 'no mask'}"
                off = [[0.0] * 20 if one.counts_off is None else one.counts_off.data[:, 0, 0].tolist() for one in made]
                found[key] = [off, columns(made, "acceptance_off")[0]]
    found["time reflected"] = time.perf_counter() - start
    phases = [tuple(PHASES["on_phase"])], [tuple(pair) for pair in PHASES["off_phase"]]
    runs = observations(with_phases(folder), CRAB)
    start = time.perf_counter()
    made = reduced(runs, "crab", "hess", makers.PhaseBackgroundMaker(*phases))
    found["time phase"] = time.perf_counter() - start
    found["phase"] = columns(made, "counts", "counts_off", "acceptance", "acceptance_off")
    return found


def fit_of_gammapy(made: list[Any]) -> list[list[float]]:
    """Return values and errors of a power law, and the statistic."""
    models = importlib.import_module("gammapy.modeling.models")
    law = models.PowerLawSpectralModel(index=2.3, amplitude="3e-11 cm-2 s-1 TeV-1")
    together = importlib.import_module("gammapy.datasets").Datasets(made)
    together.models = [models.SkyModel(law, name="crab")]
    result = importlib.import_module("gammapy.modeling").Fit().run(together)
    return [[law.index.value, law.amplitude.value], [law.index.error, law.amplitude.error], [result.total_stat]]


PACKAGES: dict[str, Callable[[Path], Result]] = {"xgamma": of_xgamma, "gammapy": of_gammapy}


def compared(own: Result, peer: Result) -> None:
    """Print by how much each number differs, as a share of the largest of its kind."""
    for name, values in own.items():
        if name.startswith("time"):
            print(f"{name[5:]:45s} {values:8.2f} s, Gammapy {peer[name]:8.2f} s: {peer[name] / values:.0f} times")
            continue
        pairs = [(np.array(one), np.array(other)) for one, other in zip(values, peer[name], strict=True)]
        if name.startswith("fit"):
            errors = pairs[1][1]
            shifts = np.abs(pairs[0][0] - pairs[0][1]) / errors
            print(f"{name:45s} {shifts.max():.1e} errors, errors {np.abs(pairs[1][0] / errors - 1).max():.1e}, "
                  f"statistic {abs(pairs[2][0] - pairs[2][1]).max():.1e}")  # fmt: skip
            continue
        if name == "phase":
            # Without off counts in a bin Gammapy 2.1 has an off acceptance of 0 there.
            seen = pairs[1][1] > 0
            pairs = [(one[seen], other[seen]) for one, other in pairs]
        differences = [np.abs(one - other).max() / max(np.abs(other).max(), 1e-300) for one, other in pairs]
        print(f"{name:45s} {' '.join(f'{value:.1e}' for value in differences)}")


def main() -> None:
    folder = Path(sys.argv[1])
    warnings.simplefilter("ignore")
    if len(sys.argv) > 2:
        print(json.dumps(PACKAGES[sys.argv[2]](folder)))
        return
    with_phases(folder)
    turning(folder)
    pythons = {"xgamma": sys.executable, "gammapy": os.environ["PEER_PYTHON"]}
    found = {}
    for name, python in pythons.items():
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH" or name == "xgamma"}
        done = subprocess.run([python, __file__, str(folder), name], capture_output=True, text=True, env=environment)
        if done.returncode:
            sys.exit(done.stderr)
        found[name] = json.loads(done.stdout.splitlines()[-1])
    compared(found["xgamma"], found["gammapy"])


if __name__ == "__main__":
    main()

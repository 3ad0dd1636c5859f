"""Single stages for each run with one of two packages: ``python one_run.py PACKAGE ROUNDS``. Prints JSON."""

from __future__ import annotations

import importlib
import json
import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path

OBS_IDS = (23523, 23526, 23559, 23592)
DATA = Path(os.environ["GAMMAPY_DATA"])
DATASTORE = DATA / "hess-dl3-dr1"
EXCLUSION = DATA / "joint-crab/exclusion/exclusion_mask_crab.fits.gz"
LON, LAT, RADIUS = 83.633, 22.014, 0.11

Steps = dict[str, Callable[[], object]]


def steps_of_xgamma() -> Steps:
    """Return the stages, each for all runs at once."""
    index_file = importlib.import_module("xgamma.formats.gadf.index")
    read_run = importlib.import_module("xgamma.formats.gadf.run").read_run
    ring = importlib.import_module("xgamma.reduce.background.ring")
    reflected = importlib.import_module("xgamma.reduce.background.reflected")
    np = importlib.import_module("numpy")
    circle = importlib.import_module("xgamma.grid").Circle(LON, LAT, RADIUS)
    index = index_file.read_index(DATASTORE)
    entries = [index.runs[obs_id] for obs_id in OBS_IDS]
    lon, lat = (np.array([getattr(entry, name) for entry in entries]) for name in ("ra", "dec"))
    mask = importlib.import_module("xgamma.formats.fits.regions").read_mask(EXCLUSION)
    usable, parameters = np.ones(len(entries), dtype=bool), reflected.ReflectedParameters()
    return {
        "read one run, gz": lambda: [read_run(entry) for entry in entries],
        "reflected regions, one run": lambda: ring.off_block(
            lon, lat, circle, mask, parameters, usable, reflected.reflected_regions
        ),
    }


def steps_of_gammapy() -> Steps:
    """Return the stages, each run after run."""
    store = importlib.import_module("gammapy.data").DataStore.from_dir(DATASTORE)
    makers = importlib.import_module("gammapy.makers")
    maps = importlib.import_module("gammapy.maps")
    regions = importlib.import_module("regions")
    units = importlib.import_module("astropy.units")
    center = importlib.import_module("astropy.coordinates").SkyCoord(LON, LAT, unit="deg")
    region = regions.CircleSkyRegion(center, RADIUS * units.deg)
    mask = maps.Map.read(EXCLUSION)
    mask.data = mask.data.astype(bool)
    pointings = [store.obs(obs_id).get_pointing_icrs(store.obs(obs_id).tmid) for obs_id in OBS_IDS]

    def read() -> Iterable[object]:
        observations = [store.obs(obs_id) for obs_id in OBS_IDS]
        # Everything of a run is read when it is first used.
        return [(o.events.table, o.gti.table, o.aeff.data, o.edisp.data, o.psf.data, o.bkg.data) for o in observations]

    def reflect() -> Iterable[object]:
        finder = makers.ReflectedRegionsFinder()
        return [finder.run(region=region, center=pointing, exclusion_mask=mask) for pointing in pointings]

    return {"read one run, gz": read, "reflected regions, one run": reflect}


def main() -> None:
    warnings.simplefilter("ignore")
    steps = {"xgamma": steps_of_xgamma, "gammapy": steps_of_gammapy}[sys.argv[1]]()
    times = {}
    for name, step in steps.items():
        step()
        rounds = []
        for _ in range(int(sys.argv[2])):
            start = time.perf_counter()
            step()
            rounds.append((time.perf_counter() - start) / len(OBS_IDS))
        times[name] = statistics.median(rounds)
    print(json.dumps(times))


if __name__ == "__main__":
    main()

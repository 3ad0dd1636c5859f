"""Excess maps with one of two packages: ``python excess_map_stage.py PACKAGE SECONDS``.

An image of 200 by 200 pixels of 0.02 deg and ten energies, about what 20 runs of H.E.S.S. are stacked to. Each case is
repeated for some seconds, but once at the least. Prints one line of JSON: the least seconds of each case, and a number
of its result.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
import warnings
from typing import Any

import numpy as np
from astropy import units as u

PIXELS, BINSIZE, CENTER = 200, 0.02, (228.529, -59.1575)
ENERGY, ENERGY_TRUE = np.geomspace(0.5, 30, 11), np.geomspace(0.3, 50, 21)
RADIUS, INNER, WIDTH = "0.1 deg", "0.7 deg", "0.3 deg"


def arrays() -> dict[str, Any]:
    """Return counts, what is expected of them, exposure, off counts and a mask."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:PIXELS, :PIXELS] - 0.5 * (PIXELS - 1)
    offset = BINSIZE * np.hypot(x, y)
    spectrum = np.geomspace(1.0, 3e-3, len(ENERGY) - 1)[:, None, None]
    background = 1.2 * spectrum * np.exp(-0.5 * (offset / 1.3) ** 2)
    source = 3.0 * spectrum * np.exp(-0.5 * (offset / 0.1) ** 2)
    area = np.geomspace(1e12, 1e14, len(ENERGY_TRUE) - 1)[:, None, None]
    mask = np.ones(background.shape, dtype=bool)
    mask[:, offset > 2.7] = False
    return {
        "counts": random.poisson(background + source).astype(float),
        "background": background,
        "counts_off": random.poisson(30 * background).astype(float),
        "acceptance": np.ones(background.shape),
        "acceptance_off": np.full(background.shape, 30.0),
        "exposure": area * np.exp(-0.5 * (offset / 1.5) ** 2),
        "mask_safe": mask,
    }


def datasets_of_gammapy() -> dict[str, Any]:
    """Return a dataset with a known background, one with off counts, and the first as an image."""
    datasets, maps = importlib.import_module("gammapy.datasets"), importlib.import_module("gammapy.maps")
    irf, models = importlib.import_module("gammapy.irf"), importlib.import_module("gammapy.modeling.models")
    given = arrays()
    energy = maps.MapAxis.from_energy_edges(ENERGY * u.TeV)
    true = maps.MapAxis.from_energy_edges(ENERGY_TRUE * u.TeV, name="energy_true")
    geom = maps.WcsGeom.create(npix=PIXELS, binsz=BINSIZE, skydir=CENTER, axes=[energy])
    shared = {
        "mask_safe": maps.Map.from_geom(geom, data=given["mask_safe"]),
        "exposure": maps.Map.from_geom(geom.to_image().to_cube([true]), data=given["exposure"], unit="m2 s"),
        "edisp": irf.EDispKernelMap.from_diagonal_response(energy, true),
    }

    def held(*names: str) -> dict[str, Any]:
        return {name: maps.Map.from_geom(geom, data=given[name]) for name in names}

    cash = datasets.MapDataset(**held("counts", "background"), **shared, name="cash")
    image = cash.to_image(name="image")
    for one in (cash, image):
        one.models = [models.FoVBackgroundModel(dataset_name=one.name)]
    off = datasets.MapDatasetOnOff(**held("counts", "counts_off", "acceptance", "acceptance_off"), **shared, name="off")
    return {"cash": cash, "off": off, "image": image}


def datasets_of_xgamma() -> dict[str, Any]:
    """Return the same."""
    xr, axes, sky = (importlib.import_module(name) for name in ("xarray", "xgamma.axes", "xgamma.sky"))
    datasets = importlib.import_module("xgamma.datasets")
    given, space = arrays(), sky.SkySpace(*CENTER, "icrs", BINSIZE, (PIXELS, PIXELS))
    energy, true = axes.Axis("energy", ENERGY), axes.Axis("energy_true", ENERGY_TRUE)
    coords = {
        **energy.coords(),
        **true.coords(),
        **space.coords(),
        "dataset": (("dataset",), np.array(["stacked"])),
    }

    def row(*names: str) -> Any:
        bins = {name: (("dataset", "energy", "v", "u"), given[name][None], {"units": ""}) for name in names}
        variables = {
            **bins,
            "exposure": (("dataset", "energy_true", "v", "u"), given["exposure"][None], {"units": "m2 s"}),
            "livetime": (("dataset",), [1800.0], {"units": "s"}),
            "ontime": (("dataset",), [1800.0], {"units": "s"}),
            "gti": (("dataset", "gti", "bound"), [[[0.0, 1800.0]]], {"units": "s"}),
        }
        return xr.Dataset(variables, coords, {"mjdref": 51910.0, "time_scale": "tt", "telescope": "ONE"})

    cash = datasets.MapDataset(row("counts", "background", "mask_safe"))
    off = datasets.MapDatasetOnOff(row("counts", "counts_off", "acceptance", "acceptance_off", "mask_safe"))
    return {"cash": cash, "off": off, "image": cash.to_image()}


def seconds_of(work: Any, least: float) -> tuple[float, Any]:
    """Return the least time that a piece of work took, and its result."""
    result, best, start = work(), np.inf, time.perf_counter()
    while best == np.inf or time.perf_counter() - start < least:
        before = time.process_time()
        result = work()
        best = min(best, time.process_time() - before)
        if best > least:
            break
    return best, result


def main(package: str, least: float) -> None:
    """Print the seconds of each case."""
    estimators = importlib.import_module(f"{package}.estimators")
    makers = importlib.import_module(f"{package}.makers")
    given = datasets_of_gammapy() if package == "gammapy" else datasets_of_xgamma()
    ring = makers.RingBackgroundMaker(r_in=INNER, width=WIDTH)

    def made(name: str, **options: Any) -> Any:
        return estimators.ExcessMapEstimator(RADIUS, **options).run(given[name])

    cases = {
        "excess map": lambda: made("cash"),
        "with errors and limits": lambda: made("cash", selection_optional=["errn-errp", "ul"]),
        "all optional maps": lambda: made("cash", selection_optional="all"),
        "five planes": lambda: made("cash", energy_edges=ENERGY[::2] * u.TeV),
        "off counts, Li & Ma": lambda: made("off"),
        "ring, then Li & Ma": lambda: estimators.ExcessMapEstimator(RADIUS).run(ring.run(given["image"])),
    }
    found = {name: seconds_of(work, least) for name, work in cases.items()}
    results = {name: float(np.nanmax(maps["sqrt_ts"].data)) for name, (_, maps) in found.items()}
    print(json.dumps({"seconds": {name: each for name, (each, _) in found.items()}, "sqrt_ts": results}))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(sys.argv[1], float(sys.argv[2]))

"""Backgrounds of maps by xgamma and by Gammapy: ``python map_backgrounds.py FOLDER`` compares them.

``PEER_PYTHON`` names the Python that has Gammapy, ``GAMMAPY_DATA`` the data. Each package measures in a process of its
own, which writes arrays; the table says by how much they differ, as a share of the largest number of a plane, and how
long a run took. The runs are five of MSH 15-52, three of CTA-1DC, and three simulated ones whose field turns.
"""

from __future__ import annotations

import importlib
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
RUNS = {"msh": (20136, 20137, 20151, 20282, 20366), "cta": (110380, 111140, 111159), "turning": (1, 2, 3)}
# Centre and frame, pixel size, pixels (x, y), energies.
MAPS = {
    "msh": (228.529, -59.1575, "icrs", 0.02, (200, 200), (0.5, 30.0, 10)),
    # Where tables end counts of Gammapy's rings have no acceptance: all of this map lies inside.
    "ring": (228.529, -59.1575, "icrs", 0.02, (180, 180), (0.5, 30.0, 1)),
    "cta": (0.0, 0.0, "galactic", 0.04, (250, 200), (0.1, 10.0, 10)),
    "turning": (83.633, 22.014, "icrs", 0.04, (80, 80), (0.5, 30.0, 6)),
}
SOURCE = (228.529, -59.1575, 0.35)
NORMS = {"scale": {}, "fit": {"method": "fit"}, "fit with tilt": {"method": "fit", "fit_tilt": True}}
RINGS: dict[str, dict[str, Any]] = {
    "ring": {"r_in": 0.5, "width": 0.3},
    "adaptive_ring": {"r_in": 0.3, "r_out_max": 1.2, "width": 0.2, "stepsize": 0.1, "threshold_alpha": 6e-4},
}
OFFSET_MAX = 2.5
Result = dict[str, Any]


def release_of(name: str, folder: Path) -> Path:
    """Return the folder of the runs."""
    return {"cta": DATA / "cta-1dc/index/gps", "turning": folder / "turning"}.get(name, DATA / "hess-dl3-dr1")


def simulated(path: Path) -> None:
    """Simulate runs whose background is uneven and turns with the camera."""
    if path.exists():
        return
    simulate = importlib.import_module("xgamma.simulate")
    simulate.simulate(simulate.Plan(name="turning", runs=3, duration=1680.0), path)
    for name in path.glob("data/*.fits.gz"):
        with fits.open(name) as hdus:
            table = hdus["BKG"]
            x, y = (0.5 * (table.data[f"{axis}_LO"][0] + table.data[f"{axis}_HI"][0]) for axis in ("DETX", "DETY"))
            table.data["BKG"][0] *= np.exp(0.25 * x + 0.1 * y[:, None] + 0.05 * y[:, None] * x)
            table.header["FOVALIGN"] = "ALTAZ"
            hdus.writeto(name, overwrite=True)


def of_xgamma(folder: Path) -> Result:
    """Return the arrays of xgamma, and the time of a run in ms."""
    reduce, index = importlib.import_module("xgamma.reduce"), importlib.import_module("xgamma.formats.gadf.index")
    ingest, grid = importlib.import_module("xgamma.ingest.part"), importlib.import_module("xgamma.grid")
    axes, masks = importlib.import_module("xgamma.axes"), importlib.import_module("xgamma.masks")
    rows = importlib.import_module("xgamma.events").Rows
    found: Result = {}

    def reduced(what: str, background: Any, safe: bool = True) -> Any:
        runs, _ = ingest.read_runs(
            [index.read_index(release_of(what, folder)).runs[run] for run in RUNS.get(what, RUNS["msh"])], lambda: None
        )
        lon, lat, frame, binsize, npix, energies = MAPS[what]
        own = axes.Axis.from_bounds("energy", *energies), axes.Axis.from_bounds("energy_true", 0.3, 50.0, 5)
        every, many = np.full(len(runs), np.inf), np.arange(len(runs))
        chosen = [reduce.method("safe mask", "offset-max", offset_max=OFFSET_MAX)] if safe else []
        excluded = masks.ExcludedShapes((grid.Circle(*SOURCE),)) if background.name != "irf" else None
        space = grid.SkySpace(lon, lat, frame, binsize, npix)
        recipe = reduce.Recipe(grid.Grid(*own, space), False, background, excluded, tuple(chosen), offset_max=20.0)
        part, all_runs = ingest.part_of(runs, what), rows(many, -every, every, tuple(map(str, many)))
        reduce.reduce_block(part, all_runs, recipe)
        start = time.perf_counter()
        ds = reduce.reduce_block(part, all_runs, recipe)
        found[f"time {what} {background.name}"] = 1e3 * (time.perf_counter() - start) / len(runs)
        return ds

    for what in RUNS:
        found[f"expected {what}"] = reduced(what, reduce.method("background", "irf"), False)["background"].values
    for name, parameters in NORMS.items():
        ds = reduced("msh", reduce.method("background", "fov_background", **parameters))
        found[f"norms {name}"] = [ds[f"background_{part}"].values for part in ("norm", "norm_error")]
        if "tilt" in name:
            found["tilts"] = [ds[f"background_{part}"].values for part in ("tilt", "tilt_error")]
    for name, parameters in RINGS.items():
        ds = reduced("ring", reduce.method("background", name, **parameters))
        safe = ds["mask_safe"].values
        for variable in ("counts_off", "acceptance_off"):
            found[f"{variable} {name}"] = np.where(safe, ds[variable].values, 0.0)
    return found


def of_gammapy(folder: Path) -> Result:
    """Return the same of Gammapy."""
    units, coordinates = (importlib.import_module(f"astropy.{name}") for name in ("units", "coordinates"))
    importlib.import_module("astropy.utils.iers").conf.auto_download = False
    maps, makers = importlib.import_module("gammapy.maps"), importlib.import_module("gammapy.makers")
    datasets, stores = importlib.import_module("gammapy.datasets"), importlib.import_module("gammapy.data")
    models = importlib.import_module("gammapy.modeling.models")
    os.environ.setdefault("CALDB", str(DATA / "cta-1dc/caldb"))
    deg, found = units.deg, dict[str, Any]()

    def empty(what: str) -> Any:
        lon, lat, frame, binsize, (nx, ny), (low, high, bins) = MAPS[what]
        axes = [
            maps.MapAxis.from_energy_bounds(*bounds, unit="TeV", name=name)
            for name, bounds in (("energy", (low, high, bins)), ("energy_true", (0.3, 50.0, 5)))
        ]
        center = coordinates.SkyCoord(lon, lat, unit="deg", frame=frame)
        geom = maps.WcsGeom.create(skydir=center, binsz=binsize, npix=(nx, ny), frame=frame, axes=axes[:1])
        return datasets.MapDataset.create(geom, energy_axis_true=axes[1], binsz_irf=1.0)

    def observed(what: str) -> Any:
        store = stores.DataStore.from_dir(release_of(what, folder))
        return store.get_observations(list(RUNS.get(what, RUNS["msh"])), required_irf="all-optional")

    def made(what: str, selection: list[str]) -> list[Any]:
        maker, start = makers.MapDatasetMaker(selection=selection), time.perf_counter()
        reduced = [maker.run(empty(what).copy(name=f"{what}{run.obs_id}"), run) for run in observed(what)]
        found[f"time {what} irf"] = 1e3 * (time.perf_counter() - start) / len(reduced)
        return reduced

    for what in RUNS:
        found[f"expected {what}"] = np.stack([one.background.data for one in made(what, ["background"])])
    masker = makers.SafeMaskMaker(methods=["offset-max"], offset_max=OFFSET_MAX * deg)
    center = coordinates.SkyCoord(*SOURCE[:2], unit="deg")

    def masked(what: str) -> tuple[list[Any], Any]:
        some = made(what, ["counts", "background", "exposure"])
        some = [masker.run(one, run) for one, run in zip(some, observed("msh"), strict=True)]
        image = some[0].counts.geom.to_image()
        return some, maps.Map.from_geom(image, data=image.separation(center) >= SOURCE[2] * deg)

    several, usable = masked("msh")
    for name, parameters in NORMS.items():
        values = []
        start = time.perf_counter()
        for number, one in enumerate(several):
            model = models.PowerLawNormSpectralModel()
            model.tilt.frozen = not parameters.get("fit_tilt", False)
            maker = makers.FoVBackgroundMaker(
                method=parameters.get("method", "scale"), exclusion_mask=usable, spectral_model=model
            )
            own = maker.run(one.copy(name=f"{name}{number}")).background_model.spectral_model
            values.append([own.norm.value, own.norm.error, own.tilt.value, own.tilt.error])
        found[f"time {name}"] = 1e3 * (time.perf_counter() - start) / len(several)
        found[f"norms {name}"] = np.array(values).T[:2]
        if "tilt" in name:
            found["tilts"] = np.array(values).T[2:]
    several, usable = masked("ring")
    classes = {"ring": makers.RingBackgroundMaker, "adaptive_ring": makers.AdaptiveRingBackgroundMaker}
    for name, parameters in RINGS.items():
        angles = {key: value if key == "threshold_alpha" else value * deg for key, value in parameters.items()}
        maker, start = classes[name](exclusion_mask=usable, **angles), time.perf_counter()
        on_off = [maker.run(one.copy(name=f"{name}{number}")) for number, one in enumerate(several)]
        found[f"time {name}"] = 1e3 * (time.perf_counter() - start) / len(several)
        for variable in ("counts_off", "acceptance_off"):
            arrays = [np.where(one.mask_safe.data, getattr(one, variable).data, 0.0) for one in on_off]
            # Where no ring is large enough it has NaN.
            found[f"{variable} {name}"] = np.nan_to_num(np.stack(arrays))
    return found


PACKAGES: dict[str, Callable[[Path], Result]] = {"xgamma": of_xgamma, "gammapy": of_gammapy}


def compared(own: Result, peer: Result) -> None:
    """Print the largest differences, and the times of both."""
    for name in sorted(own):
        if name.startswith("time"):
            continue
        one, other = np.asarray(own[name], dtype=float), np.asarray(peer[name], dtype=float)
        if name == "tilts":
            apart = np.abs(one - other) / other[1]
        elif name.startswith("norms"):
            apart = np.abs(one / other - 1)
        else:
            apart = np.abs(one - other) / np.maximum(other.max(axis=(-2, -1), keepdims=True), 1e-300)
        print(f"{name:40s} {apart.max():.1e}, all but 1 in 1,000 {np.quantile(apart, 0.999):.1e}")
    for package, found in (("xgamma", own), ("Gammapy", peer)):
        for name in sorted(found):
            if name.startswith("time"):
                print(f"{package:8s} {name[5:]:31s} {float(found[name]):8.1f} ms a run")


def main() -> None:
    folder = Path(sys.argv[1])
    warnings.simplefilter("ignore")
    if len(sys.argv) > 2:
        np.savez(folder / f"{sys.argv[2]}.npz", **{k: np.asarray(v) for k, v in PACKAGES[sys.argv[2]](folder).items()})
        return
    folder.mkdir(parents=True, exist_ok=True)
    simulated(folder / "turning")
    for name, python in {"xgamma": sys.executable, "gammapy": os.environ["PEER_PYTHON"]}.items():
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH" or name == "xgamma"}
        done = subprocess.run([python, __file__, str(folder), name], capture_output=True, text=True, env=environment)
        if done.returncode:
            sys.exit(done.stderr)
    compared(*(dict(np.load(folder / f"{name}.npz")) for name in PACKAGES))


if __name__ == "__main__":
    main()

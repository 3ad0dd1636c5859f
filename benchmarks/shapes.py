"""An annulus, an ellipse and two circles about MSH 15-52, at once here and one by one with Gammapy: the same counts.

``python shapes.py --peer PYTHON`` prints a table, where that Python has Gammapy 2.1; ``python shapes.py PACKAGE`` runs
one of them and prints JSON. Responses are averaged over the regions. RUNS says how many runs, by default all.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import report

DATASTORE = Path(os.environ.get("GAMMAPY_DATA", "")) / "hess-dl3-dr1"
TARGET = (228.53, -59.16)
REGIONS = {
    "pulsar": "icrs; circle(228.48,-59.13,0.06)",
    "nebula": "icrs; ellipse(228.56,-59.22,0.14,0.08,55)",
    "ring": "icrs; annulus(228.53,-59.16,0.3,0.4)",
    "empty": "icrs; circle(229.4,-59.3,0.1)",
}
ENERGY, ENERGY_TRUE = (0.5, 30.0, 12), (0.2, 60.0, 40)
PIXEL = 0.01


def obs_ids() -> list[int]:
    """Return the runs on the target, or the first of them."""
    table = importlib.import_module("astropy.table").Table.read(DATASTORE / "obs-index.fits.gz")
    found = [int(row["OBS_ID"]) for row in table if "MSH" in str(row["OBJECT"])]
    return sorted(found)[: int(os.environ.get("RUNS", len(found)))]


def others_of(name: str) -> list[str]:
    """Return the regions but one."""
    return [text for other, text in REGIONS.items() if other != name]


def of_xgamma() -> dict[str, Any]:
    """Return counts, off counts, numbers of off regions and exposures by region and run, all from one reduction."""
    config_of = importlib.import_module("xgamma.analysis").AnalysisConfig
    config = config_of()
    config.general.store = "memory://regions"
    config.observations.datastore, config.observations.obs_ids = str(DATASTORE), obs_ids()
    config.observations.required_irf = ["aeff", "edisp"]
    axes = config.datasets.geom.axes
    for axis, (low, high, nbins) in ((axes.energy, ENERGY), (axes.energy_true, ENERGY_TRUE)):
        axis.min, axis.max, axis.nbins = f"{low} TeV", f"{high} TeV", nbins
    config.datasets.on_region = [{"name": name, "ds9": text} for name, text in REGIONS.items()]
    config.datasets.background.method = "reflected"
    config.datasets.stack, config.datasets.containment_correction = False, False
    config.datasets.use_region_center = False
    config.datasets.safe_mask.methods = []
    analysis = importlib.import_module("xgamma.analysis").Analysis(config)
    analysis.get_observations()
    start = time.perf_counter()
    analysis.get_datasets()
    seconds = time.perf_counter() - start
    found: dict[str, Any] = {name: {} for name in REGIONS}
    for view in [*analysis.datasets, *analysis.datasets.unused]:
        run, name = view.name.split("-", 1)
        found[name][run] = {
            "counts": view.data["counts"].values.ravel().tolist(),
            "off": view.data["counts_off"].values.ravel().tolist(),
            "number": int(view.data["off_number"].values.ravel()[0]),
            "exposure": view.data["exposure"].values.ravel().tolist(),
        }
    return {"seconds": seconds, "found": found}


def of_gammapy() -> dict[str, Any]:
    """Return the same, run by run and region by region; the other regions are excluded by a mask of fine pixels."""
    maps, makers = importlib.import_module("gammapy.maps"), importlib.import_module("gammapy.makers")
    spectrum = importlib.import_module("gammapy.datasets").SpectrumDataset
    regions = importlib.import_module("regions").Regions
    store = importlib.import_module("gammapy.data").DataStore.from_dir(DATASTORE)
    observations = store.get_observations(obs_ids(), required_irf=["aeff", "edisp"])
    energy, energy_true = (
        maps.MapAxis.from_energy_bounds(low, high, nbins, unit="TeV", name=name)
        for name, (low, high, nbins) in (("energy", ENERGY), ("energy_true", ENERGY_TRUE))
    )
    image = maps.WcsGeom.create(skydir=TARGET, width=6, binsz=PIXEL / 5, proj="TAN", frame="icrs")
    start, found = time.perf_counter(), dict[str, Any]()
    for name, text in REGIONS.items():
        [region] = regions.parse(text, format="ds9")
        others = [one for other in others_of(name) for one in regions.parse(other, format="ds9")]
        mask = image.region_mask(others, inside=False)
        geom = maps.RegionGeom.create(region, axes=[energy])
        maker = makers.SpectrumDatasetMaker(
            selection=["counts", "exposure", "edisp"], containment_correction=False, use_region_center=False
        )
        off = makers.ReflectedRegionsBackgroundMaker(exclusion_mask=mask)
        found[name] = {}
        for observation in observations:
            empty = spectrum.create(geom=geom, energy_axis_true=energy_true, name=str(observation.obs_id))
            dataset = off.run(maker.run(empty, observation), observation)
            none = dataset.counts_off is None
            found[name][str(observation.obs_id)] = {
                "counts": dataset.counts.data.ravel().tolist(),
                "off": [0.0] * energy.nbin if none else dataset.counts_off.data.ravel().tolist(),
                "number": 0 if none else int(dataset.acceptance_off.data.ravel()[0]),
                "exposure": dataset.exposure.quantity.to_value("m2 s").ravel().tolist(),
            }
    return {"seconds": time.perf_counter() - start, "found": found}


def main() -> None:
    """Print how the two compare."""
    peer = report.options(main.__doc__ or "").peer
    (_, ours), (_, theirs) = (
        report.run(package, python, "shapes.py", package) for package, python in report.pythons(peer).items()
    )
    rows = []
    for name in REGIONS:
        pairs = [(ours["found"][name][run], theirs["found"][name][run]) for run in theirs["found"][name]]
        sums = {key: sum(sum(mine[key]) for mine, _ in pairs) for key in ("counts", "off")}
        differ = {key: sum(mine[key] != other[key] for mine, other in pairs) for key in ("counts", "off", "number")}
        # A region without an off region is masked here.
        areas = [zip(mine["exposure"], other["exposure"], strict=True) for mine, other in pairs if mine["number"] > 0]
        largest = max(abs(mine / other - 1) for each in areas for mine, other in each if other)
        number = sum(mine["number"] for mine, _ in pairs)
        plain = [len(pairs), sums["counts"], differ["counts"], sums["off"], differ["off"], number, differ["number"]]
        rows.append([name, *(f"{value:.0f}" for value in plain), f"{largest:.1e}"])
    head = ["region", "runs", "counts", "differ", "off counts", "differ", "off regions", "differ", "exposure"]
    print(report.table(head, rows))
    print(f"{ours['seconds']:.2f} s for all at once, Gammapy {theirs['seconds']:.1f} s")


if __name__ == "__main__":
    if sys.argv[1:] and not sys.argv[1].startswith("-"):
        warnings.simplefilter("ignore")
        print(json.dumps({"xgamma": of_xgamma, "gammapy": of_gammapy}[sys.argv[1]]()))
    else:
        main()

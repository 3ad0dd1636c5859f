"""Two analyses of maps, whole, with both packages: ``python tutorial_maps.py --peer PYTHON`` prints a table.

What the tutorials ``analysis_1`` (the Crab, four H.E.S.S. runs) and ``analysis_3d`` (the galactic centre, three
simulated CTA runs, stacked and joint) do: maps, excess, fit, flux points, residuals, pictures and files. Both packages
run the same lines, but for the name of the package, in fresh processes that alternate; the time is that of the process
from its start to its end. ``python tutorial_maps.py PACKAGE NAME FOLDER`` runs one of them and prints JSON.
"""

from __future__ import annotations

import importlib
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import map_fits
import report

CRAB = """
observations: {datastore: $GAMMAPY_DATA/hess-dl3-dr1, obs_cone: {frame: icrs, lon: 83.633 deg, lat: 22.014 deg,
    radius: 5 deg}}
datasets:
    type: 3d
    stack: true
    geom:
        wcs: {skydir: {frame: icrs, lon: 83.633 deg, lat: 22.014 deg}, binsize: 0.02 deg,
            width: {width: 2 deg, height: 2 deg}}
        axes:
            energy: {min: 1 TeV, max: 10 TeV, nbins: 10}
            energy_true: {min: 0.5 TeV, max: 20 TeV, nbins: 20}
    background: {method: fov_background, parameters: {method: scale},
        exclusion: $GAMMAPY_DATA/joint-crab/exclusion/exclusion_mask_crab.fits.gz}
fit: {fit_range: {min: 1 TeV, max: 10 TeV}}
flux_points: {energy: {min: 1 TeV, max: 10 TeV, nbins: 5}, source: crab, parameters: {selection_optional: all}}
excess_map: {correlation_radius: 0.1 deg}
"""
CRAB_MODEL = """
components:
- name: crab
  type: SkyModel
  spatial:
    type: PointSpatialModel
    frame: icrs
    parameters: [{name: lon_0, value: 83.63, unit: deg}, {name: lat_0, value: 22.014, unit: deg}]
  spectral:
    type: PowerLawSpectralModel
    parameters:
    - {name: index, value: 2.0}
    - {name: amplitude, value: 1.0e-12, unit: cm-2 s-1 TeV-1}
    - {name: reference, value: 1.0, unit: TeV, frozen: true}
"""
CENTRE = map_fits.CTA.replace("methods: [offset-max]", "methods: [aeff-default, offset-max]")
NAMES = {"analysis_1": "first steps: the Crab", "analysis_3d": "galactic centre, stacked and joint"}


class Pictures:
    """Writes the open figures of a run."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.number = folder, 0
        self.pyplot = importlib.import_module("matplotlib.pyplot")

    def keep(self) -> None:
        """Write every open figure and close it."""
        for figure in map(self.pyplot.figure, self.pyplot.get_fignums()):
            self.number += 1
            figure.savefig(self.folder / f"picture-{self.number}.png")
        self.pyplot.close("all")


def reduced(package: str, text: str, folder: Path, stack: bool = True) -> Any:
    """Return an analysis with its datasets."""
    module = importlib.import_module(f"{package}.analysis")
    config = module.AnalysisConfig.from_yaml(text)
    config.general.log.level, config.general.outdir, config.datasets.stack = "error", str(folder), stack
    if package == report.OURS:
        config.general.store = str(folder / "store")
    analysis = module.Analysis(config)
    analysis.get_observations()
    analysis.get_datasets()
    return analysis


def first_steps(package: str, folder: Path) -> dict[str, float]:
    """Run the analysis of the Crab."""
    pictures, models = Pictures(folder), importlib.import_module(f"{package}.modeling.models")
    analysis = reduced(package, CRAB, folder)
    stacked = analysis.datasets["stacked"]
    print(stacked)
    stacked.counts.sum_over_axes().smooth("0.05 deg").plot(add_cbar=True)
    pictures.keep()
    analysis.get_excess_map()
    analysis.excess_map["sqrt_ts"].plot(add_cbar=True)
    pictures.keep()
    analysis.datasets.write(folder / "datasets.yaml", overwrite=True)
    analysis.set_models(models.Models.from_yaml(CRAB_MODEL))
    analysis.run_fit()
    analysis.models.write(folder / "models.yaml", overwrite=True)
    stacked.plot_residuals_spatial(method="diff/sqrt(model)", vmin=-4, vmax=4)
    pictures.keep()
    analysis.get_flux_points()
    analysis.flux_points.plot_fit()
    pictures.keep()
    return _numbers(analysis.fit_result, analysis.models)


def centre(package: str, folder: Path) -> dict[str, float]:
    """Run the analysis of the galactic centre, stacked, then joint."""
    units, pictures = importlib.import_module("astropy.units"), Pictures(folder)
    modeling, models = (importlib.import_module(f"{package}.{name}") for name in ("modeling", "modeling.models"))
    stacked = reduced(package, CENTRE, folder).datasets["stacked"]
    stacked.counts.sum_over_axes().smooth("0.05 deg").plot(add_cbar=True, stretch="sqrt")
    stacked.background.sum_over_axes().plot(add_cbar=True)
    pictures.keep()
    stacked.mask_fit = stacked.counts.geom.energy_mask(energy_min=0.3 * units.TeV, energy_max=None)
    given = models.Models.from_yaml(map_fits.POINT)
    given.append(models.FoVBackgroundModel(dataset_name="stacked"))
    stacked.models = given
    found = _numbers(modeling.Fit().run(datasets=[stacked]), given)
    given.write(folder / "stacked.yaml", overwrite=True)
    stacked.plot_residuals_spatial(method="diff/sqrt(model)", vmin=-1, vmax=1)
    regions, coordinates = importlib.import_module("regions"), importlib.import_module("astropy.coordinates")
    region = regions.CircleSkyRegion(coordinates.SkyCoord("0d", "0d", frame="galactic"), radius=0.15 * units.deg)
    stacked.plot_residuals(
        kwargs_spatial={"method": "diff/sqrt(model)", "vmin": -1, "vmax": 1}, kwargs_spectral={"region": region}
    )
    given.covariance.plot_correlation()
    pictures.keep()
    estimator = importlib.import_module(f"{package}.estimators").ExcessMapEstimator(
        "0.1 deg", selection_optional=[], energy_edges=[0.1, 1, 10] * units.TeV
    )
    left = estimator.run(stacked)["sqrt_ts"]
    left.plot_grid(figsize=(12, 4), cmap="coolwarm", add_cbar=True, vmin=-5, vmax=5, ncols=2)
    importlib.import_module(f"{package}.visualization").plot_distribution(left, func="norm")
    pictures.keep()
    datasets = reduced(package, CENTRE, folder, stack=False).datasets
    joint = models.Models.from_yaml(map_fits.POINT)
    joint.extend([models.FoVBackgroundModel(dataset_name=dataset.name) for dataset in datasets])
    datasets.models = joint
    result = modeling.Fit().run(datasets=datasets)
    again = datasets.stack_reduce()
    again.models = [joint[0]]
    again.plot_residuals_spatial(vmin=-1, vmax=1)
    importlib.import_module("matplotlib.pyplot").figure()
    joint[0].spectral_model.plot(energy_bounds=[0.3, 10] * units.TeV, energy_power=2)
    joint[0].spectral_model.plot_error(energy_bounds=[0.3, 10] * units.TeV, energy_power=2)
    pictures.keep()
    return found | {f"joint {name}": value for name, value in _numbers(result, joint).items()}


def _numbers(result: Any, models: Any) -> dict[str, float]:
    names = ("index", "amplitude")
    return {"stat": float(result.total_stat)} | {name: float(models.parameters[name].value) for name in names}


def main() -> None:
    """Print how the two compare."""
    options = report.options(main.__doc__ or "")
    rows, notes = [], []
    for name, words in NAMES.items():
        walls: dict[str, list[float]] = {}
        processors: dict[str, list[float]] = {}
        for _ in range(options.repeats):
            for package, python in report.pythons(options.peer).items():
                with tempfile.TemporaryDirectory() as folder:
                    seconds, found = report.run(package, python, "tutorial_maps.py", package, name, folder)
                walls.setdefault(package, []).append(seconds)
                processors.setdefault(package, []).append(found["processor"])
                notes.append(f"{name}, {package}: {found['numbers']}, {found['peak']:.0f} MB")
        for what, times in (("wall-clock", walls), ("processor", processors)):
            medians = {package: report.median(every) for package, every in times.items()}
            rows.append(report.compared(f"{words}, {what}", medians[report.OURS], medians.get(report.PEER)))
    print(report.table(["whole, fresh process", report.OURS, report.PEER, "ratio"], rows))
    print("\n".join(sorted(set(notes))))
    print(report.machine())


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[2] in NAMES:
        place = Path(sys.argv[3])
        made = (first_steps if sys.argv[2] == "analysis_1" else centre)(sys.argv[1], place)
        facts = {"numbers": made, "processor": time.process_time(), "peak": report.peak_memory()}
        print(json.dumps(facts))
    else:
        main()

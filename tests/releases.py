"""Small simulated releases, made once in a session, and the configurations that analyse them."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xgamma.analysis import Analysis, AnalysisConfig
from xgamma.axes import Axis
from xgamma.config.requests import models_of
from xgamma.events import Part, Rows
from xgamma.formats.gadf.index import read_index
from xgamma.grid import Circle, Grid, RegionSpace
from xgamma.ingest.part import part_of, read_runs
from xgamma.reduce import Recipe, SafeMaskParameters, method, safe_masks_of
from xgamma.simulate import AnalyticResponse, Plan, Source, power_law, simulate

# Bright, so that two minutes are enough for a fit.
BRIGHT = Source(spectral=power_law(amplitude=5e-10))
# A dozen response nodes in energy: quick to write and to read.
COARSE = AnalyticResponse(energy_bins=16)
TINY = Plan(name="tiny", runs=3, duration=120.0, compress=False, source=BRIGHT, response=COARSE)
NIGHTS = dataclasses.replace(TINY, name="nights", runs=7, intervals=2, efficiencies=(1.0, 0.8), runs_per_night=4)

MODEL = {
    "components": [
        {
            "name": "crab",
            "type": "SkyModel",
            "spectral": {
                "type": "PowerLawSpectralModel",
                "parameters": [
                    {"name": "index", "value": 2.4},
                    {"name": "amplitude", "value": 4e-10, "unit": "cm-2 s-1 TeV-1"},
                    {"name": "reference", "value": 1.0, "unit": "TeV", "frozen": True},
                ],
            },
        }
    ]
}


def release_of(plan: Plan, folder: Path) -> Path:
    """Simulate a plan into a folder of its name; that name is the name of the release."""
    return simulate(plan, folder / plan.name).path


@pytest.fixture(scope="session")
def tiny_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs of two minutes."""
    return release_of(TINY, tmp_path_factory.mktemp("releases"))


@pytest.fixture(scope="session")
def nights_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven runs in two nights, each in two good times, two efficiencies in turn."""
    return release_of(NIGHTS, tmp_path_factory.mktemp("releases"))


@pytest.fixture(scope="session")
def nights_part(nights_release: Path) -> Part:
    """The runs of ``nights_release`` in memory."""
    return part_in_memory(nights_release)


@pytest.fixture
def own_release(tiny_release: Path, tmp_path: Path) -> Path:
    """A copy of ``tiny_release`` that a test may change."""
    return Path(shutil.copytree(tiny_release, tmp_path / "tiny"))


def part_in_memory(release: Path) -> Part:
    """Return all runs of a release as one part."""
    runs, failures = read_runs(read_index(release).runs.values(), lambda: None)
    assert failures == []
    return part_of(runs, release.name)


def rows_in(part: Part, obs: Any = None, start: Any = -np.inf, stop: Any = np.inf) -> Rows:
    """Return rows of a part: all whole runs, or those given."""
    numbers = np.arange(part.obs.sizes["obs"]) if obs is None else np.array(obs)
    starts, stops = (np.broadcast_to(np.array(side, float), numbers.shape).copy() for side in (start, stop))
    return Rows(numbers, starts, stops, tuple(f"row-{row}" for row in range(len(numbers))))


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the warnings, but for that of the coarse true energy axis of ``config_of``."""
    said = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    return [text for text in said if not text.startswith("datasets.geom.axes.energy_true: 14 bins ")]


def recipe(**changes: Any) -> Recipe:
    """Return the recipe of a Crab spectrum in eight bins; ``safe_masks`` may be names, with ``safe_mask`` for all."""
    grid = Grid(
        Axis.from_bounds("energy", 0.5, 30.0, 8),
        Axis.from_bounds("energy_true", 0.2, 60.0, 14),
        RegionSpace((Circle(83.633, 22.014, 0.11),)),
    )
    names = changes.pop("safe_masks", ("aeff-default", "aeff-max"))
    given = dataclasses.asdict(changes.pop("safe_mask", SafeMaskParameters()))
    named = [name for name in names if isinstance(name, str)]
    masks = (*safe_masks_of(named, given, "parameters"), *(one for one in names if not isinstance(one, str)))
    return Recipe(**{"grid": grid, "background": method("background", "reflected"), "safe_masks": masks, **changes})


def config_of(release: str | Path, store: str | Path, *texts: str) -> AnalysisConfig:
    """Return a configuration with models, fit and flux points; YAML ``texts`` change it."""
    document = {
        "general": {"store": str(store), "outdir": str(Path(store).parent) if "://" not in str(store) else "."},
        "observations": {"datastore": str(release)},
        "datasets": {
            "type": "1d",
            "geom": {
                "axes": {
                    "energy": {"min": "0.5 TeV", "max": "30 TeV", "nbins": 8},
                    "energy_true": {"min": "0.2 TeV", "max": "60 TeV", "nbins": 14},
                }
            },
            "on_region": {"frame": "icrs", "lon": "83.633 deg", "lat": "22.014 deg", "radius": "0.11 deg"},
            "safe_mask": {"methods": ["aeff-default", "aeff-max"], "parameters": {"aeff_percent": 1}},
            "background": {"method": "reflected"},
        },
        "models": MODEL,
        "fit": {"fit_range": {"min": "0.5 TeV", "max": "20 TeV"}},
        "flux_points": {"energy": {"min": "0.5 TeV", "max": "30 TeV", "nbins": 4}, "source": "crab"},
    }
    config = AnalysisConfig(**document)
    for text in texts:
        config = config.update(text)
    return config


def map_config_of(release: str | Path, store: str | Path, *texts: str) -> AnalysisConfig:
    """Return a configuration of maps of the Crab, 20 by 16 pixels of which a run fills 14; YAML ``texts`` change it."""
    document = {
        "general": {"store": str(store), "outdir": str(Path(store).parent) if "://" not in str(store) else "."},
        "observations": {"datastore": str(release)},
        "datasets": {
            "type": "3d",
            "geom": {
                "wcs": {
                    "skydir": {"frame": "icrs", "lon": "83.633 deg", "lat": "22.014 deg"},
                    "binsize": "0.2 deg",
                    "width": {"width": "4 deg", "height": "3.2 deg"},
                },
                "selection": {"offset_max": "1.4 deg"},
                "axes": {
                    "energy": {"min": "0.5 TeV", "max": "30 TeV", "nbins": 3},
                    "energy_true": {"min": "0.2 TeV", "max": "60 TeV", "nbins": 6},
                },
            },
            "safe_mask": {"methods": ["offset-max"], "parameters": {"offset_max": "1.4 deg"}},
        },
    }
    config = AnalysisConfig(**document)
    for text in texts:
        config = config.update(text)
    return config


def until_datasets(config: AnalysisConfig) -> Analysis:
    """Run an analysis up to its datasets."""
    analysis = Analysis(config)
    analysis.get_observations()
    analysis.get_datasets()
    return analysis


def whole(config: AnalysisConfig) -> Analysis:
    """Run an analysis to its flux points."""
    analysis = until_datasets(config)
    analysis.set_models(models_of(config))
    analysis.run_fit()
    analysis.get_flux_points()
    return analysis

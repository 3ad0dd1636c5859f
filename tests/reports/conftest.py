"""Reports that several tests look at: of an analysis whose names are markup, and of maps."""

from __future__ import annotations

import copy

import pytest
from report_pages import CREATED, HOSTILE

from releases import MODEL, config_of, map_config_of, whole
from xgamma.analysis import Analysis
from xgamma.analysis.reported import report_of
from xgamma.config.requests import models_of


@pytest.fixture(scope="session")
def hostile(tiny_release, tmp_path_factory) -> Analysis:
    """An analysis whose source is called like a program of a page."""
    folder = tmp_path_factory.mktemp("hostile")
    config = config_of(tiny_release, folder / "store")
    model = copy.deepcopy(MODEL)
    model["components"][0]["name"] = HOSTILE
    config.models = model
    config.flux_points.source = HOSTILE
    config.light_curve.source = HOSTILE
    config.light_curve.energy_edges = {"min": "0.5 TeV", "max": "30 TeV", "nbins": 1}
    config.datasets.stack = False
    config.fit.each = "night"
    analysis = whole(config)
    analysis.get_light_curve()
    return analysis


@pytest.fixture(scope="session")
def page(hostile) -> str:
    """Its report."""
    return report_of(hostile.config, hostile.results, ["<b>said</b> before."], CREATED)


MAP_MODEL = """
models:
    components:
    -   name: crab
        type: SkyModel
        spatial:
            type: PointSpatialModel
            frame: icrs
            parameters:
            - {name: lon_0, value: 83.633, unit: deg, frozen: true}
            - {name: lat_0, value: 22.014, unit: deg, frozen: true}
        spectral:
            type: PowerLawSpectralModel
            parameters:
            - {name: index, value: 2.4}
            - {name: amplitude, value: 4.0e-10, unit: cm-2 s-1 TeV-1}
            - {name: reference, value: 1.0, unit: TeV, frozen: true}
"""


@pytest.fixture(scope="session")
def map_page(tiny_release, tmp_path_factory) -> str:
    """The report of a fit of a map, with its excess map."""
    folder = tmp_path_factory.mktemp("maps")
    background = "datasets: {background: {method: fov_background, parameters: {method: scale}}}"
    excess = "excess_map: {correlation_radius: 0.3 deg}"
    config = map_config_of(tiny_release, folder / "store", background, excess, MAP_MODEL)
    analysis = Analysis(config)
    analysis.get_observations()
    analysis.get_datasets()
    analysis.get_excess_map()
    analysis.set_models(models_of(config))
    analysis.run_fit()
    return report_of(analysis.config, analysis.results, (), CREATED)

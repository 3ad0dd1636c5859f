"""Fits of maps from a configuration: the norms of backgrounds, the plan, what is found again, files and pictures."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from releases import map_config_of, until_datasets
from xgamma.analysis.plan import plan
from xgamma.analysis.preview import preview
from xgamma.analysis.run import run
from xgamma.datasets import MapDataset
from xgamma.errors import ConfigError
from xgamma.fit import Fit
from xgamma.models import FoVBackgroundModel, Models, PointSpatialModel, PowerLawSpectralModel, SkyModel

pytestmark = pytest.mark.draws

STEPS = "steps: [observations, datasets, excess_map, fit]"
CRAB = """
models:
  components:
  - name: crab
    type: SkyModel
    spatial:
      type: PointSpatialModel
      frame: icrs
      parameters: [{name: lon_0, value: 83.6, unit: deg}, {name: lat_0, value: 22.0, unit: deg}]
    spectral:
      type: PowerLawSpectralModel
      parameters: [{name: index, value: 2.5}, {name: amplitude, value: 3.0e-11, unit: cm-2 s-1 TeV-1}]
"""


def source(name="crab", lon=83.633):
    spectrum = PowerLawSpectralModel(index=2.6, amplitude="3.8e-11 cm-2 s-1 TeV-1")
    return SkyModel(spectrum, PointSpatialModel(lon_0=f"{lon} deg", lat_0="22.014 deg"), name=name)


@pytest.fixture(scope="module")
def done(nights_release, tmp_path_factory):
    """Return a run that fitted seven runs on the Crab nebula, and its configuration."""
    config = map_config_of(nights_release, tmp_path_factory.mktemp("fits") / "store", STEPS, CRAB)
    return run(config), config


def test_a_map_gets_the_norm_of_its_background(done):
    report, _ = done
    models = report.analysis.models
    assert models.names == ["crab", "stacked-bkg"]
    background = models["stacked-bkg"]
    assert isinstance(background, FoVBackgroundModel)
    assert background.parameters.free_parameters.names == ["norm"]
    assert report.is_converged
    crab = models["crab"].parameters
    assert crab["lon_0"].value == pytest.approx(83.633, abs=4 * crab["lon_0"].error)
    assert crab["lat_0"].value == pytest.approx(22.014, abs=4 * crab["lat_0"].error)
    assert 0 < crab["lon_0"].error < 0.02
    norm = background.parameters["norm"]
    assert norm.value == pytest.approx(1.0, abs=4 * norm.error)


def test_the_same_fit_is_found_again(done):
    report, config = done
    assert [step.state for step in plan(config)] == ["found"] * 5
    again = run(config)
    assert again.analysis.computed == set()
    np.testing.assert_array_equal(again.analysis.models.parameters.value, report.analysis.models.parameters.value)
    assert again.analysis.fit_result.total_stat == report.analysis.fit_result.total_stat


def test_check_says_of_models_what_a_run_does(done):
    _, config = done
    said = preview(config)
    assert not any("model" in remark for remark in said.remarks)
    assert said.facts["models"] == "crab, and a norm of the background of each map"
    far = CRAB.replace("83.6,", "90.0,")
    for name in ("unit: deg", "unit: cm-2 s-1 TeV-1", "value: 2.5"):
        far = far.replace(name, f"{name}, frozen: true")
    beside = "The model 'crab' is outside of the map and contributes nothing: it lies at 90, 22 deg (icrs)."
    assert beside in preview(config.update(far)).remarks


def test_models_are_extended_and_backgrounds_added_once(nights_release, tmp_path):
    config = map_config_of(nights_release, tmp_path / "store", "datasets: {stack: false}")
    analysis = until_datasets(config)
    analysis.set_models([source()])
    names = [f"{name}-bkg" for name in analysis.datasets.names]
    assert analysis.models.names == ["crab", *names]
    assert analysis.datasets[0].background_model is analysis.models[1]
    analysis.set_models([source("second", 83.9)])
    assert analysis.models.names == ["second", "crab", *names]
    analysis.models = Models([source()])
    assert analysis.models.names == ["crab", *names]


@pytest.mark.long
def test_nights_are_fitted_together_and_each_with_points_and_a_light_curve(nights_release, tmp_path, caplog):
    energies = "{min: 0.5 TeV, max: 30 TeV, nbins: 1}"
    points = f"{{flux_points: {{source: crab, energy: {energies}}}, light_curve: {{energy_edges: {energies}}}}}"
    asked = "{fit: {each: night}, datasets: {stack_by: night}, light_curve: {source: crab}}"
    steps = "steps: [observations, datasets, fit, flux_points, light_curve]"
    config = map_config_of(nights_release, tmp_path / "store", asked, CRAB, points, steps)
    report = run(config)
    nights = report.analysis.datasets.names
    assert report.analysis.models.names == ["crab", *(f"{night}-bkg" for night in nights)]
    assert report.analysis.fit_each.groups == nights
    assert report.analysis.fit_each.data["success"].values.all()
    assert report.analysis.light_curve.data["sqrt_ts"].values.min() > 20
    assert report.analysis.flux_points.data.sqrt_ts[0] > 50
    # Each night has a background of its own, which those of others do not miss.
    assert "datasets_names" not in caplog.text
    assert {step.state for step in plan(config)} == {"found"}


def test_a_background_of_a_run_that_is_not_there_is_told_by_check_as_by_run(tiny_release, tmp_path):
    other = "{type: FoVBackgroundModel, name: a, datasets_names: ['77'], spectral: {type: PowerLawNormSpectralModel}}"
    document = CRAB.rstrip().replace("  components:", f"  components:\n  - {other}")
    asked = "{datasets: {stack: false}, steps: [observations, datasets, fit]}"
    config = map_config_of(tiny_release, tmp_path / "store", document, asked)
    for command in (preview, run):
        with pytest.raises(ConfigError, match=r"'a' is of the background of the dataset '77', .* are 1, 2, 3"):
            command(config)


def test_a_source_beside_the_map_is_told_when_it_is_fitted(done, caplog):
    report, _ = done
    dataset = report.analysis.datasets[0].copy()
    far = source("far", 99.0)
    far.parameters.freeze_all()
    dataset.models = [source(), far]
    assert isinstance(dataset, MapDataset)
    with caplog.at_level(logging.WARNING):
        Fit().run([dataset])
    assert "The model 'far' is outside of the map and contributes nothing" in caplog.text

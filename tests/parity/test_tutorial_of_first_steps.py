"""What Gammapy's tutorial of its interface calls, `analysis_1`, on the four runs of the Crab nebula."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from xgamma.analysis import Analysis, AnalysisConfig
from xgamma.datasets import Datasets
from xgamma.modeling.models import Models

CRAB = """
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
    - {name: amplitude, value: 1.0e-12, unit: cm-2 s-1 TeV-1}
    - {name: index, value: 2.0}
    - {name: reference, value: 1.0, unit: TeV, frozen: true}
"""
# What Gammapy 2.1 gets from the same calls, with errors.
FITTED = {
    "crab.spectral.index": (2.558392, 0.103255),
    "crab.spectral.amplitude": (4.549214e-11, 3.731739e-12),
    "stacked-bkg.spectral.norm": (0.986855, 0.023473),
}
POSITION = SkyCoord(83.619754, 22.024720, unit="deg")
POINTS = [2.353583e-11, 8.843778e-12, 2.481785e-12, 6.137479e-13, 2.430983e-13]
ERRORS = [3.825996e-12, 1.625344e-12, 6.083645e-13, 2.203991e-13, 1.353644e-13]
COUNTS, BACKGROUND, EXPOSURE = 2485, 1997.4921875, 4.0974196e14


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("first-steps")


@pytest.fixture(scope="module")
def analysis(gammapy_data, place):
    config = AnalysisConfig()
    config.general.store = place / "store"
    config.general.datasets_file = place / "datasets.yaml"
    config.general.models_file = place / "models.yaml"
    config.observations.datastore = gammapy_data / "hess-dl3-dr1"
    cone = config.observations.obs_cone
    cone.frame, cone.lon, cone.lat, cone.radius = "icrs", "83.633 deg", "22.014 deg", "5 deg"
    config.datasets.type, config.datasets.stack = "3d", True
    geom = config.datasets.geom
    geom.wcs.skydir = {"lon": "83.633 deg", "lat": "22.014 deg", "frame": "icrs"}
    geom.wcs.width, geom.wcs.binsize = {"width": "2 deg", "height": "2 deg"}, "0.02 deg"
    geom.axes.energy.min, geom.axes.energy.max, geom.axes.energy.nbins = "1 TeV", "10 TeV", 10
    geom.axes.energy_true.min, geom.axes.energy_true.max, geom.axes.energy_true.nbins = "0.5 TeV", "20 TeV", 20
    config.datasets.background.method = "fov_background"
    config.datasets.background.parameters = {"method": "scale"}
    config.datasets.background.exclusion = gammapy_data / "joint-crab/exclusion/exclusion_mask_crab.fits.gz"
    config.fit.fit_range.min, config.fit.fit_range.max = "1 TeV", "10 TeV"
    config.flux_points.energy = {"min": "1 TeV", "max": "10 TeV", "nbins": 5}
    config.flux_points.source = "crab"
    config.excess_map.correlation_radius = "0.1 deg"
    made = Analysis(config)
    made.get_observations()
    made.get_datasets()
    made.get_excess_map()
    made.seen = made.excess_map["sqrt_ts"]
    made.set_models(CRAB)
    made.run_fit()
    return made


def test_the_maps_are_those_of_gammapy(analysis):
    stacked = analysis.datasets["stacked"]
    found = stacked.info_dict()
    assert found["counts"] == COUNTS
    assert found["background"] == pytest.approx(BACKGROUND, rel=1e-4)
    assert float(stacked.exposure.data.sum()) == pytest.approx(EXPOSURE, rel=1e-4)
    assert np.nanmax(analysis.seen.data) > 30


def test_the_fit_is_that_of_gammapy(analysis):
    assert analysis.fit_result.success
    assert analysis.fit_result.total_stat == pytest.approx(19991.66, abs=2)
    found = dict(zip(analysis.models.parameters_unique_names, analysis.models.parameters, strict=True))
    for name, (value, error) in FITTED.items():
        assert found[name].value == pytest.approx(value, abs=0.1 * error)
        assert found[name].error == pytest.approx(error, rel=0.05)
    assert analysis.models["crab"].spatial_model.position.separation(POSITION).arcsec < 3
    # The excess is beside the background as it was fitted.
    assert analysis.datasets[0].info_dict()["excess"] == pytest.approx(513.8, abs=6)


def test_flux_points_are_those_of_gammapy(analysis):
    analysis.config.flux_points.parameters = {"selection_optional": "all", "n_sigma": 2, "n_sigma_ul": 3}
    analysis.get_flux_points()
    points = analysis.flux_points.data
    np.testing.assert_allclose(points.dnde.value.ravel(), POINTS, atol=0.1 * np.min(ERRORS), rtol=0.02)
    np.testing.assert_allclose(points.dnde_err.value.ravel(), ERRORS, rtol=0.02)
    ax, residuals = analysis.flux_points.plot_fit()
    assert ax.get_yscale() == "log" and residuals.lines


def test_beside_its_model_the_source_is_gone(analysis):
    analysis.get_excess_map()
    left = analysis.excess_map["sqrt_ts"]
    assert np.nanmax(left.data) < 6 < np.nanmax(analysis.seen.data)
    left.plot(add_cbar=True, cmap="RdBu", vmin=-5, vmax=5)
    analysis.datasets[0].plot_prediction()
    plt.close("all")


def test_datasets_and_models_are_written_and_read(analysis, place):
    analysis.write_datasets()
    again = Analysis(analysis.config)
    again.read_datasets()
    assert again.models.names == ["crab", "stacked-bkg"]
    assert again.models["stacked-bkg"].datasets_names == ["stacked"]
    np.testing.assert_allclose(again.models.covariance.data, analysis.models.covariance.data, rtol=1e-5, atol=1e-30)
    assert again.datasets[0].stat_sum() == pytest.approx(analysis.datasets[0].stat_sum(), rel=1e-4)
    assert Models.read(place / "models.yaml").parameters["index"].error > 0
    assert isinstance(again.datasets, Datasets)

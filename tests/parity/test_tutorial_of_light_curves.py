"""What Gammapy's tutorial of light curves calls, its half of spectra, on the four runs of the Crab nebula."""

from __future__ import annotations

import astropy.units as u
import matplotlib.pyplot as plt
import numpy as np
import pytest
from astropy.time import Time

from xgamma.analysis import Analysis, AnalysisConfig
from xgamma.datasets import LightCurve
from xgamma.errors import ConfigError, DataError
from xgamma.estimators import LightCurveEstimator
from xgamma.modeling.models import Models, PointSpatialModel, PowerLawSpectralModel, SkyModel

EDGES = [1, 10] * u.TeV
NIGHTS = [Time([53343.5 + day, 53344.5 + day], format="mjd", scale="utc") for day in (0, 2, 4)]


@pytest.fixture(scope="module")
def datasets(gammapy_data, tmp_path_factory):
    config = AnalysisConfig()
    config.observations.datastore = gammapy_data / "hess-dl3-dr1"
    config.observations.obs_ids = [23523, 23526, 23559, 23592]
    config.datasets.type = "1d"
    config.datasets.stack = False
    config.datasets.on_region = {
        "frame": "icrs", "lon": 83.63308 * u.deg, "lat": 22.01450 * u.deg, "radius": 0.1 * u.deg,
    }  # fmt: skip
    config.datasets.containment_correction = True
    config.datasets.geom.axes.energy = {"min": 0.7 * u.TeV, "max": 10 * u.TeV, "nbins": 5}
    config.datasets.geom.axes.energy_true = {"min": 0.3 * u.TeV, "max": 20 * u.TeV, "nbins": 20}
    config.general.outdir = tmp_path_factory.mktemp("crab")
    config.general.log.level = "error"
    analysis = Analysis(config)
    analysis.get_observations()
    analysis.get_datasets()
    spectrum = PowerLawSpectralModel(index=2.702, amplitude=4.712e-11 * u.Unit("1 / (cm2 s TeV)"), reference=1 * u.TeV)
    analysis.set_models(Models([SkyModel(spectral_model=spectrum, name="crab")]))
    return analysis.datasets


@pytest.fixture(scope="module")
def nightwise(datasets):
    maker = LightCurveEstimator(
        energy_edges=EDGES, time_intervals=NIGHTS, source="crab", reoptimize=False, selection_optional="all"
    )
    return maker.run(datasets)


def test_a_light_curve_of_runs(datasets):
    maker = LightCurveEstimator(energy_edges=EDGES, source="crab", reoptimize=False)
    maker.n_sigma_ul = 3
    maker.selection_optional = "all"
    curve = maker.run(datasets)
    assert curve.geom.axes.names == ["energy", "time"]
    assert curve.geom.axes["time"].nbin == 4
    table = curve.to_table(format="lightcurve", sed_type="flux")
    assert len(table["time_min", "time_max", "e_min", "e_max", "flux", "flux_err"]) == 4
    np.testing.assert_allclose(table["flux"][:, 0], 2e-11, rtol=0.3)
    curve.sqrt_ts_threshold_ul = 5
    assert not curve.is_ul.any()
    curve.sqrt_ts_threshold_ul = 1e3
    assert curve.is_ul.all()
    axes = curve.plot(axis_name="time", marker="o", label="1D")
    assert "TeV$^{-1}$" in axes.get_ylabel()


def test_a_light_curve_of_nights(nightwise):
    assert nightwise.data["bin_of_dataset"].values.tolist() == [0, 0, 1, 2]
    bounds = np.stack([nightwise.time_min.utc.mjd, nightwise.time_max.utc.mjd], axis=1)
    np.testing.assert_allclose(bounds, [night.mjd for night in NIGHTS], rtol=0, atol=1e-10)
    _, ax = plt.subplots()
    nightwise.plot(ax=ax, color="tab:orange")
    nightwise.plot_ts_profiles(ax=ax)
    ax.set_ylim(1e-12, 3e-12)
    assert len(ax.collections) >= 3


def test_profiles_of_a_light_curve_alone_have_dates_and_days(nightwise):
    for time_format in ("iso", "mjd"):
        _, ax = plt.subplots()
        drawn = nightwise.plot_ts_profiles(ax=ax, sed_type="dnde", time_format=time_format, add_cbar=False)
        assert drawn.get_xlabel()
        assert "TeV$^{-1}$" in drawn.get_ylabel()


def test_profiles_need_a_scan_and_one_energy(datasets):
    plain = LightCurveEstimator(energy_edges=EDGES, source="crab").run(datasets)
    with pytest.raises(DataError, match="This light curve has no profiles; estimate it with selection_optional"):
        plain.plot_ts_profiles()
    both = LightCurveEstimator(energy_edges=[1, 3, 10] * u.TeV, source="crab", selection_optional="all").run(datasets)
    with pytest.raises(ConfigError, match="expected one bin of energy, got several; select one"):
        both.plot_ts_profiles()
    assert "TeV$^{-1}$" in LightCurve(both.data.isel(energy=[0])).plot_ts_profiles().get_ylabel()


def test_a_light_curve_of_maps(gammapy_data, tmp_path):
    config = AnalysisConfig()
    config.general.store = tmp_path / "store"
    config.observations.datastore = gammapy_data / "hess-dl3-dr1"
    config.observations.obs_ids = [23523, 23526, 23559, 23592]
    config.datasets.type, config.datasets.stack = "3d", False
    config.datasets.geom.wcs.skydir = {"frame": "icrs", "lon": 83.63308 * u.deg, "lat": 22.01450 * u.deg}
    config.datasets.geom.wcs.width = {"width": 1 * u.deg, "height": 1 * u.deg}
    config.datasets.geom.axes.energy = {"min": 0.7 * u.TeV, "max": 10 * u.TeV, "nbins": 5}
    config.datasets.geom.axes.energy_true = {"min": 0.3 * u.TeV, "max": 20 * u.TeV, "nbins": 20}
    analysis = Analysis(config)
    analysis.get_observations()
    analysis.get_datasets()
    spectrum = PowerLawSpectralModel(index=2.702, amplitude=4.712e-11 * u.Unit("cm-2 s-1 TeV-1"))
    place = PointSpatialModel(lon_0=83.63308 * u.deg, lat_0=22.01450 * u.deg, frame="icrs")
    analysis.set_models(Models([SkyModel(spatial_model=place, spectral_model=spectrum, name="crab")]))
    maker = LightCurveEstimator(energy_edges=EDGES, source="crab", reoptimize=False)
    maker.n_sigma_ul, maker.selection_optional = 3, "all"
    curve = maker.run(analysis.datasets)
    expected = np.array([2.032637e-11, 2.057990e-11, 2.178100e-11, 2.505630e-11])
    errors = np.array([2.116229e-12, 2.137641e-12, 2.787169e-12, 2.911552e-12])
    assert np.abs((curve.flux.value.ravel() - expected) / errors).max() < 0.12
    np.testing.assert_allclose(curve.flux_err.value.ravel(), errors, rtol=0.02)
    curve.plot(axis_name="time")
    plt.close("all")

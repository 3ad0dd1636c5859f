"""What the 1D tutorials of the field call, in their order, on real data; only the name of the package is another."""

from __future__ import annotations

import io
from contextlib import redirect_stdout

import matplotlib.pyplot as plt
import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import Angle, SkyCoord
from astropy.table import Table
from regions import CircleSkyRegion
from test_reference_runs import CRAB

from xgamma.analysis import Analysis, AnalysisConfig
from xgamma.data import DataStore
from xgamma.datasets import Datasets, FluxPointsDataset, SpectrumDataset, SpectrumDatasetOnOff
from xgamma.estimators import FluxPointsEstimator
from xgamma.makers import DatasetsMaker, ReflectedRegionsBackgroundMaker, SafeMaskMaker, SpectrumDatasetMaker
from xgamma.maps import MapAxis, RegionGeom
from xgamma.modeling import Fit
from xgamma.modeling.models import ExpCutoffPowerLawSpectralModel, Models, SkyModel, create_crab_spectral_model
from xgamma.utils.check import check_tutorials_setup

EXCLUSION = "$GAMMAPY_DATA/joint-crab/exclusion/exclusion_mask_crab.fits.gz"
# The documents of the tutorial leave defaults out and write "scale".
POWER_LAW = """
components:
- name: crab
  type: SkyModel
  spectral:
    type: PowerLawSpectralModel
    parameters:
    - {name: index, frozen: false, scale: 1.0, unit: '', value: 2.6}
    - {name: amplitude, frozen: false, scale: 1.0, unit: cm-2 s-1 TeV-1, value: 5.0e-11}
    - {name: reference, frozen: true, scale: 1.0, unit: TeV, value: 1.0}
"""

# What Gammapy 2.1 gets from the same calls.
CUMULATIVE = {
    "counts": [149, 303, 439, 550],
    "background": [9.75, 22.250001907, 30.225610733, 37.864498138],
    "sqrt_ts": [20.449683570, 28.446255766, 36.175888556, 40.900863008],
    "livetime": [1581.736764695, 3154.423513781, 4732.546993610, 6313.811659422],
}
FITTED = {"index": 2.2726578, "amplitude": 4.7913463e-11, "lambda_": 0.12096534}
TOTAL_STAT = 86.1185666

EXCLUDED = CircleSkyRegion(SkyCoord(183.604, -8.708, unit="deg", frame="galactic"), 0.5 * u.deg)


@pytest.fixture
def here(gammapy_data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_spectral_analysis_with_the_high_level_interface(here):
    with redirect_stdout(io.StringIO()) as said:
        check_tutorials_setup()
    assert "xgamma package" in said.getvalue()

    config = AnalysisConfig.from_yaml(CRAB)
    config.datasets.stack = True
    config.datasets.background.exclusion = EXCLUSION
    config.write("config.yaml", overwrite=True)
    assert str(AnalysisConfig.read("config.yaml")) == str(config)

    analysis = Analysis(AnalysisConfig.read("config.yaml"))
    analysis.get_observations()
    assert analysis.observations.ids == ["23523", "23526", "23559", "23592"]
    analysis.get_datasets()
    assert "wstat" in str(analysis.datasets[0])
    table = analysis.datasets.info_table()
    livetime, excess, significance = table["livetime"].to("h")[0], table["excess"].value[0], table["sqrt_ts"][0]
    assert f"{livetime:.1f} {excess:.1f} {significance:.2f}" == "1.8 h 401.1 37.04"
    analysis.datasets.write(here / "stacked.fits.gz", overwrite=True)
    assert Datasets.read(here / "stacked.fits.gz")[0].data.identical(analysis.datasets[0].data)

    models = Models.from_yaml(POWER_LAW)
    assert "crab" in str(models)
    analysis.set_models(models)
    analysis.run_fit()
    assert analysis.fit_result.success
    parameters = models.to_parameters_table()
    assert parameters["value"][:2] == pytest.approx([2.677, 4.68e-11], rel=1e-3)
    ax, _ = analysis.datasets[0].plot_fit()
    ax.set_ylim(0.1, 200)
    ax.set_xlim(0.2, 60)
    assert analysis.datasets[0].plot_masks(ax=ax) is ax
    # Masks that are drawn once more change neither limits nor legend.
    assert (ax.get_xlim(), ax.get_ylim(), ax.get_xlabel()) == ((0.2, 60), (0.1, 200), "")
    assert len(ax.get_legend().get_texts()) == 4
    analysis.models.write(here / "best.yaml", overwrite=True)
    assert Models.read(here / "best.yaml").parameters.value == pytest.approx(models.parameters.value)

    analysis.get_flux_points()
    points = analysis.flux_points.data
    assert len(points.to_table(sed_type="dnde", formatted=True)) == 8
    plt.figure(figsize=(10, 8))
    ax = points.plot(sed_type="e2dnde", color="darkorange")
    ax.set_xlim(0.5, 40)
    points.plot_ts_profiles(ax=ax, sed_type="e2dnde")
    assert ax.get_xlim() == (0.5, 40)
    analysis.flux_points.write(here / "points.fits", overwrite=True)
    written = Table.read(here / "points.fits", hdu=1)
    np.testing.assert_allclose(written["norm"], points.norm.squeeze())
    ax, residuals = analysis.flux_points.plot_fit()
    assert "erg cm$^{-2}$ s$^{-1}$" in ax.get_ylabel()
    assert "model" in residuals.get_ylabel()
    ax.figure.canvas.draw()


def spectra_step_by_step(observations):
    """Return the spectra of runs, made one by one."""
    energy = MapAxis.from_energy_bounds(0.1, 40, nbin=10, per_decade=True, unit="TeV", name="energy")
    energy_true = MapAxis.from_energy_bounds(0.05, 100, nbin=20, per_decade=True, unit="TeV", name="energy_true")
    on = CircleSkyRegion(SkyCoord(83.63, 22.01, unit="deg", frame="icrs"), Angle("0.11 deg"))
    empty = SpectrumDataset.create(RegionGeom.create(on, axes=[energy]), energy_axis_true=energy_true)
    makers = (
        SpectrumDatasetMaker(containment_correction=True, selection=["counts", "exposure", "edisp"]),
        ReflectedRegionsBackgroundMaker(exclusion_mask=[EXCLUDED]),
        SafeMaskMaker(methods=["aeff-max"], aeff_percent=10),
    )
    datasets = Datasets()
    for obs_id, run in zip(observations.ids, observations, strict=True):
        dataset = empty.copy(name=str(obs_id))
        for maker in makers:
            dataset = maker.run(dataset, run)
        datasets.append(dataset)
    assert DatasetsMaker(makers, stack_datasets=False).run(empty, observations)[1].data.identical(datasets[1].data)
    return datasets, energy


def test_spectral_analysis_step_by_step(here):
    store = DataStore.from_dir("$GAMMAPY_DATA/hess-dl3-dr1/")
    observations = store.get_observations([23523, 23526, 23559, 23592])
    datasets, energy = spectra_step_by_step(observations)
    table = datasets.info_table(cumulative=True)
    assert table["counts"].tolist() == CUMULATIVE["counts"]
    for name in ("background", "sqrt_ts", "livetime"):
        np.testing.assert_allclose(np.asarray(table[name]), CUMULATIVE[name], rtol=1e-6)

    for dataset in datasets:
        dataset.write(filename=here / f"obs_{dataset.name}.fits.gz", overwrite=True)
    read = Datasets()
    for obs_id in observations.ids:
        read.append(SpectrumDatasetOnOff.read(here / f"obs_{obs_id}.fits.gz"))
    for before, after in zip(datasets, read, strict=True):
        assert after.data.identical(before.data)

    spectrum = ExpCutoffPowerLawSpectralModel(
        amplitude=1e-12 * u.Unit("cm-2 s-1 TeV-1"), index=2, lambda_=0.1 * u.Unit("TeV-1"), reference=1 * u.TeV
    )
    model = SkyModel(spectral_model=spectrum, name="crab")
    read.models = [model]
    result = Fit().run(datasets=read)
    joint = model.copy()
    assert {name: result.parameters[name].value for name in FITTED} == pytest.approx(FITTED, rel=1e-3)
    assert result.total_stat == pytest.approx(TOTAL_STAT, abs=1e-3)
    ax, _ = read[0].plot_fit()
    read[0].plot_masks(ax=ax)

    points = FluxPointsEstimator(energy_edges=energy.edges, source="crab", selection_optional="all").run(datasets=read)
    points.plot(ax=plt.figure().gca(), sed_type="e2dnde", color="darkorange")
    FluxPointsDataset(data=points, models=joint).plot_fit()
    stacked = Datasets(read).stack_reduce()
    stacked.models = model
    again = Fit().run([stacked])
    assert again.parameters.value[:2] == pytest.approx(joint.parameters.value[:2], rel=0.05)
    bounds = [0.1, 30] * u.TeV
    options = {"energy_bounds": bounds, "sed_type": "e2dnde", "yunits": u.Unit("erg cm-2 s-1")}
    figure_ax = plt.figure().gca()
    model.spectral_model.plot(ax=figure_ax, label="Stacked", **options)
    model.spectral_model.plot_error(ax=figure_ax, facecolor="blue", alpha=0.3, **options)
    create_crab_spectral_model("hess_ecpl").plot(ax=figure_ax, label="Reference", **options)

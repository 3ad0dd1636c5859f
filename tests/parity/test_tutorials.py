"""What the 1D tutorials of the field call, in their order, on real data; only the name of the package is another."""

from __future__ import annotations

import io
from contextlib import redirect_stdout

import matplotlib.pyplot as plt
import numpy as np
import pytest
from astropy.table import Table
from test_reference_runs import CRAB

from xgamma.analysis import Analysis, AnalysisConfig
from xgamma.datasets import Datasets
from xgamma.modeling.models import Models
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
    assert "e2dnde" in ax.get_ylabel()
    assert "model" in residuals.get_ylabel()
    ax.figure.canvas.draw()

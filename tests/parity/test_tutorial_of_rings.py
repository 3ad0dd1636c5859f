"""What the tutorial of the field about ring backgrounds calls, in its order, on real data; only the name is another."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from regions import CircleSkyRegion

from xgamma.analysis import Analysis, AnalysisConfig
from xgamma.datasets import MapDatasetOnOff
from xgamma.estimators import ExcessMapEstimator
from xgamma.makers import RingBackgroundMaker
from xgamma.visualization import plot_distribution

MSH = SkyCoord(228.32, -59.08, unit="deg")

# What Gammapy 2.1 gets from the same calls; its sums of single precision are good to 1e-6.
COUNTS, BACKGROUND, COUNTS_OFF = 41803, 40671.8984, 87621192
ACCEPTANCE = 44754.7617
LIVETIME = 29971.37968
LARGEST_SIGNIFICANCE, SUM_OF_EXCESS = 10.0488885, 14561.8729
MEAN, WIDTH = -0.01248774, 1.00854203


@pytest.fixture(scope="module")
def analysis(gammapy_data, tmp_path_factory):
    """Return the maps of 20 runs, reduced by the configuration of the tutorial."""
    config = AnalysisConfig()
    config.general.store = tmp_path_factory.mktemp("rings") / "store"
    config.observations.datastore = "$GAMMAPY_DATA/hess-dl3-dr1/"
    config.observations.obs_cone = {"frame": "icrs", "lon": MSH.ra, "lat": MSH.dec, "radius": 2.5 * u.deg}
    config.datasets.type = "3d"
    config.datasets.geom.wcs.skydir = {"lon": MSH.ra, "lat": MSH.dec, "frame": "icrs"}
    config.datasets.geom.wcs.width = {"width": "3 deg", "height": "3 deg"}
    config.datasets.geom.wcs.binsize = "0.02 deg"
    config.datasets.geom.selection.offset_max = 2.5 * u.deg
    config.datasets.geom.axes.energy.min = "0.5 TeV"
    config.datasets.geom.axes.energy.max = "10 TeV"
    config.datasets.geom.axes.energy.nbins = 10
    config.datasets.stack = False
    made = Analysis(config)
    made.config.datasets.geom.axes.energy_true = made.config.datasets.geom.axes.energy
    made.get_observations()
    made.get_datasets()
    return made


@pytest.fixture(scope="module")
def exclusion(analysis):
    geom = analysis.datasets[0].counts.geom
    image = geom.to_image().to_cube([geom.axes["energy"].squash()])
    return ~image.region_mask([CircleSkyRegion(center=MSH, radius=0.4 * u.deg)])


@pytest.fixture
def stacked(analysis, exclusion):
    maker = RingBackgroundMaker(r_in="0.5 deg", width="0.3 deg", exclusion_mask=exclusion)
    true = analysis.datasets[0].exposure.geom.axes["energy_true"]
    total = MapDatasetOnOff.create(geom=exclusion.geom, energy_axis_true=true, name="stacked")
    for dataset in analysis.datasets:
        total.stack(maker.run(dataset.to_image()))
    return total


def test_each_run_has_a_map(analysis, exclusion):
    assert len(analysis.datasets) == 20
    assert exclusion.geom.data_shape == (1, 150, 150)
    outside = float((~exclusion.data).sum()) * 0.02**2
    assert outside == pytest.approx(np.pi * 0.4**2, rel=0.01)
    ax = exclusion.sum_over_axes().plot()
    assert ax.wcs.wcs.ctype[0].startswith("RA")


def test_rings_of_all_runs_add_up(stacked):
    found = stacked.info_dict()
    assert (found["counts"], found["n_bins"]) == (COUNTS, 150 * 150)
    assert found["background"] == pytest.approx(BACKGROUND, rel=1e-4)
    assert found["counts_off"] == pytest.approx(COUNTS_OFF, rel=1e-4)
    assert found["acceptance"] == pytest.approx(ACCEPTANCE, rel=1e-5)
    assert found["livetime"].to_value("s") == pytest.approx(LIVETIME, rel=1e-9)
    assert "wstat" in str(stacked)


def test_significances_outside_of_the_source_are_normal(stacked, exclusion):
    estimator = ExcessMapEstimator(0.04 * u.deg, selection_optional=[], correlate_off=False)
    maps = estimator.run(stacked)
    significance, excess = maps["sqrt_ts"], maps["npred_excess"]
    assert np.nanmax(significance.data) == pytest.approx(LARGEST_SIGNIFICANCE, rel=1e-4)
    assert np.nansum(excess.data) == pytest.approx(SUM_OF_EXCESS, rel=1e-3)
    _, (left, right) = plt.subplots(figsize=(11, 4), subplot_kw={"projection": maps.geom.wcs}, ncols=2)
    significance.plot(ax=left, add_cbar=True)
    excess.plot(ax=right, add_cbar=True)

    stacked.mask_fit = exclusion
    off = estimator.run(stacked)["sqrt_ts"]
    assert np.isnan(off.data[0, 75, 75])
    options = {"density": True, "bins": 51, "alpha": 0.5}
    axes = {"xlabel": "Significance", "yscale": "log", "ylim": (1e-3, 1)}
    ax, _ = plot_distribution(significance, kwargs_hist={**options, "color": "red"}, kwargs_axes=axes)
    ax, fits = plot_distribution(off, ax=ax, func="norm", kwargs_hist={**options, "color": "blue"}, kwargs_axes=axes)
    assert fits[0]["param"] == pytest.approx([MEAN, WIDTH], abs=2e-3)

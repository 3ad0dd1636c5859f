"""Light curves to Gammapy and back, as objects and as files; skipped without Gammapy, ``make test-peer`` runs them."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.time import Time

from builders import light_curve_product
from xgamma.datasets import FluxPoints, FluxPointsDataset, LightCurve
from xgamma.errors import ConfigError, LaterError
from xgamma.estimators import utils
from xgamma.models import PowerLawSpectralModel, SkyModel

peer = pytest.importorskip("gammapy.estimators", reason="gammapy is not installed")
peer_utils = pytest.importorskip("gammapy.estimators.utils", reason="gammapy is not installed")
peer_datasets = pytest.importorskip("gammapy.datasets", reason="gammapy is not installed")

KINDS = {"dnde": "cm-2 s-1 TeV-1", "flux": "cm-2 s-1", "eflux": "TeV cm-2 s-1", "e2dnde": "TeV cm-2 s-1"}
ERRORS = ("", "_err", "_errn", "_errp", "_ul")


@pytest.fixture
def curve():
    return LightCurve(light_curve_product())


@pytest.fixture
def crab():
    """The model whose multiples the norms of the builders are."""
    return SkyModel(PowerLawSpectralModel(index=2.5, amplitude="4e-11 cm-2 s-1 TeV-1"), name="crab")


def assert_equal(theirs, curve, tolerance=1e-12):
    times = theirs.geom.axes["time"]
    np.testing.assert_allclose((times.time_min - curve.time_min).to_value("s"), 0, atol=2e-6)
    np.testing.assert_allclose((times.time_max - curve.time_max).to_value("s"), 0, atol=2e-6)
    for kind, unit in KINDS.items():
        for error in ERRORS:
            expected = getattr(curve, f"{kind}{error}").to_value(unit)
            found = getattr(theirs, f"{kind}{error}").quantity.to_value(unit)[..., 0, 0]
            np.testing.assert_allclose(found, expected, rtol=tolerance, err_msg=f"{kind}{error}")
    for name in ("ts", "sqrt_ts", "stat", "is_ul", "success"):
        np.testing.assert_allclose(getattr(theirs, name).data[..., 0, 0], getattr(curve, name), rtol=1e-12)
    np.testing.assert_array_equal(theirs.counts.data.sum(axis=2)[..., 0, 0], curve.counts)


@pytest.mark.parametrize("ending", ["fits", "ecsv", "fits.gz"])
@pytest.mark.parametrize("sed_type", ["likelihood", "flux"])
def test_gammapy_reads_our_files(curve, crab, tmp_path, ending, sed_type):
    path = tmp_path / f"curve.{ending}"
    curve.write(path, sed_type)
    theirs = peer.FluxPoints.read(path, format="lightcurve", reference_model=crab.to_gammapy())
    assert_equal(theirs, curve, 1e-8)
    assert theirs.n_sigma_ul == 2


def test_objects_travel_both_ways(curve, crab):
    theirs = curve.to_gammapy(crab)
    assert_equal(theirs, curve, 1e-8)
    assert (theirs.n_sigma, theirs.n_sigma_ul) == (1.0, 2.0)
    back = FluxPoints.from_gammapy(theirs)
    assert isinstance(back, LightCurve)
    assert_equal(theirs, back, 1e-8)
    np.testing.assert_allclose(back.stat_scan, curve.stat_scan, rtol=1e-12)
    np.testing.assert_allclose(back.norm_scan, curve.norm_scan, rtol=1e-12)


def test_one_bin_of_energy_travels(crab, tmp_path):
    curve = LightCurve(light_curve_product(n_energy=1))
    assert_equal(curve.to_gammapy(crab), curve, 1e-8)
    curve.write(tmp_path / "curve.fits")
    theirs = peer.FluxPoints.read(tmp_path / "curve.fits", format="lightcurve")
    np.testing.assert_allclose(theirs.dnde.data[..., 0, 0], curve.dnde.value, rtol=1e-12)


def test_our_reader_takes_what_gammapy_writes(curve, crab, tmp_path):
    for name, sed_type in (("likelihood.fits", "likelihood"), ("flux.fits", "flux"), ("flux.ecsv", "flux")):
        path = tmp_path / name
        curve.to_gammapy(crab).write(path, sed_type=sed_type, format="lightcurve")
        again = LightCurve.read(path)
        np.testing.assert_allclose(again.flux_ul.value, curve.flux_ul.value, rtol=1e-8)
        np.testing.assert_allclose((again.time_min - curve.time_min).to_value("s"), 0, atol=2e-6)
        np.testing.assert_array_equal(again.counts, curve.counts)


@pytest.mark.filterwarnings("ignore:.*dubious year")
def test_gammapy_reads_utc_early_and_we_to_a_millisecond(curve):
    held = curve.to_table("flux")
    start = Time(held["time_min"], format="mjd", scale="tt")
    held["time_min"] = start.utc.mjd
    held["time_max"] = curve.time_max.utc.mjd
    held.meta["TIMESYS"] = "utc"
    theirs = peer.FluxPoints.from_table(held, format="lightcurve").geom.axes["time"].time_min
    ours = LightCurve.from_table(held).time_min
    np.testing.assert_allclose((ours - curve.time_min).to_value("s"), 0, atol=1e-3)
    np.testing.assert_allclose((theirs - curve.time_min).to_value("s"), -32, atol=1e-3)


@pytest.mark.filterwarnings("ignore:invalid value", "ignore:Mean of empty slice")
def test_measures_of_variability_are_those_of_gammapy_but_for_the_factor_of_fpp():
    curve = LightCurve(light_curve_product(n_time=20, n_energy=1))
    curve.data["norm"][:, 0] = 2 + np.sin(np.arange(20.0) ** 2)
    theirs = peer.FluxPoints.from_table(curve.to_table("flux"), format="lightcurve")
    for name, columns in {
        "fvar": ["fvar", "fvar_err"],
        "doublingtime": ["doublingtime", "doubling_err", "halvingtime", "halving_err"],
    }.items():
        ours = getattr(utils, f"compute_lightcurve_{name}")(curve, with_limits=True)
        other = getattr(peer_utils, f"compute_lightcurve_{name}")(theirs)
        for column in columns:
            np.testing.assert_allclose(np.ravel(other[column]), ours[column], rtol=1e-9, err_msg=column)
    found = utils.compute_lightcurve_discrete_correlation(curve, tau=2 * u.d, with_limits=True)
    other = peer_utils.compute_lightcurve_discrete_correlation(theirs, tau=2 * u.d)
    np.testing.assert_allclose(found["bins"].to_value("d"), other["bins"].to_value("d"), atol=1e-9)
    ours_err, mean_err = np.sqrt((curve.flux_err.value**2).mean()), curve.flux_err.value.mean()
    scale = (curve.flux.value.var() - mean_err**2) / (curve.flux.value.var() - ours_err**2)
    np.testing.assert_allclose(found["discrete_correlation"], other["discrete_correlation"][:, :1] * scale, rtol=1e-9)
    halved = 2 * (utils.compute_lightcurve_fpp(curve, with_limits=True)["fpp"] * curve.flux.value.mean()) ** 2
    whole = (peer_utils.compute_lightcurve_fpp(theirs)["fpp"].ravel() * curve.flux.value.mean()) ** 2
    np.testing.assert_allclose(halved + ours_err**2, whole, rtol=1e-9)


def test_another_reference_is_refused(curve, crab):
    crab.spectral_model.index.value = 2.0
    with pytest.raises(ConfigError, match="is not the one that these points are multiples of"):
        curve.to_gammapy(crab)


def test_a_light_curve_is_no_spectrum_to_compare_with(curve, crab):
    theirs = peer.FluxPoints.from_table(curve.to_table("flux"), format="lightcurve")
    with pytest.raises(LaterError, match="this is a light curve"):
        FluxPointsDataset.from_gammapy(peer_datasets.FluxPointsDataset(data=theirs))

"""The view of an excess map: each map by its name, words, files, and the estimator that makes it as Gammapy does."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import xarray as xr
from astropy import units as u
from matplotlib.figure import Figure

from builders import dl4_dataset
from sky_rows import ENERGY, image, response, sky_row
from xgamma.datasets import ExcessMap, MapDataset, SpectrumDatasetOnOff
from xgamma.datasets.maps import Map
from xgamma.errors import ConfigError, DataError, OutputExistsError, UnknownNameError
from xgamma.estimate import excess_map
from xgamma.estimators import ExcessMapEstimator, FluxMaps
from xgamma.grid import Circle
from xgamma.masks import ExcludedShapes
from xgamma.models import PowerLawSpectralModel
from xgamma.visualization import plot_distribution

BINS = (ENERGY.nbin, *image().shape)
ALL = {"selection_optional": "all"}


def counted():
    """Return a row with drawn counts, a source in the middle, an exposure."""
    counts = np.random.default_rng(1).poisson(2.0, BINS).astype(float)
    counts[:, 9:12, 11:14] += 10
    return sky_row(counts=counts, background=2.0, exposure=1e12)


@pytest.fixture(scope="module")
def view():
    """Return a view with two planes and all optional maps."""
    return ExcessMap(excess_map(counted(), 0.2, ENERGY.edges[::2], ALL, response=response()))


def test_each_map_is_an_attribute_and_an_entry(view):
    for name in view.available_quantities:
        assert isinstance(view[name], Map)
        assert getattr(view, name).geom.data_shape == (2, 20, 24)
        assert name in view
    assert view.sqrt_ts.geom.axes["energy"].nbin == 2
    np.testing.assert_array_equal(view["sqrt_ts"].data, view.data["sqrt_ts"].values)


def test_fluxes_are_norms_times_the_reference(view):
    reference = PowerLawSpectralModel().integral(view.energy_min, view.energy_max).to("cm-2 s-1")
    flux = view.flux
    assert flux.unit == u.Unit("cm-2 s-1")
    np.testing.assert_allclose(flux.data, view.norm.data * reference.value[:, None, None], rtol=1e-12)
    for suffix in ("_err", "_errn", "_errp", "_ul", "_sensitivity"):
        norm = view[f"norm{suffix}"].data
        np.testing.assert_allclose(view[f"flux{suffix}"].data, norm * reference.value[:, None, None], rtol=1e-12)
        expected = norm * view.data["npred_excess_ref"].values
        np.testing.assert_allclose(view[f"npred_excess{suffix}"].data, expected, rtol=1e-12)
    assert view.e2dnde.unit == u.Unit("TeV cm-2 s-1")
    assert view.reference_spectral_model.index.value == 2.0


def test_predictions_are_counts_as_gammapy_has_them(view):
    np.testing.assert_allclose(view.npred.data, view.counts.data, rtol=1e-12)
    np.testing.assert_allclose(view.npred_excess_err.data, np.sqrt(view.counts.data), rtol=1e-12)
    np.testing.assert_array_equal(view.npred_background.data, view.background.data)
    np.testing.assert_array_equal(view.excess.data, view.npred_excess.data)


def test_without_an_exposure_there_are_counts_and_no_flux():
    found = ExcessMap(excess_map(counted().drop_vars("exposure"), 0.2, parameters=ALL))
    assert "flux" not in found
    np.testing.assert_array_equal(found.npred_excess_ul.data, found.norm_ul.data)
    assert found.reference_spectral_model is None


def test_a_map_that_is_not_there_is_named(view):
    with pytest.raises(AttributeError, match=r"ExcessMap has no 'sqrt_st' here. Did you mean 'sqrt_ts'"):
        _ = view.sqrt_st
    with pytest.raises(UnknownNameError, match="There is no map 'counts_off' here"):
        _ = view["counts_off"]


def test_what_is_no_excess_map_is_refused(view):
    with pytest.raises(DataError, match="this Dataset has no sqrt_ts"):
        ExcessMap(view.data.drop_vars("sqrt_ts"))


def test_a_view_can_be_sent_to_another_process(view):
    xr.testing.assert_identical(pickle.loads(pickle.dumps(view)).data, view.data)


def test_words_say_what_it_is(view):
    shown = str(view)
    assert "24 x 20" in shown
    assert "2, 1 - 100 TeV" in shown
    assert "0.2 deg" in shown
    assert repr(view) == "<ExcessMap 'stacked', 2 x 20 x 24>"
    assert "<table" in view._repr_html_()


def test_the_hottest_pixels_are_apart_and_sorted(view):
    table = view.hottest(4)
    assert len(table) == 4
    assert list(np.argsort(-table["sqrt_ts"])) == [0, 1, 2, 3]
    assert table["sqrt_ts"][0] == np.nanmax(view.data["sqrt_ts"])
    lon, lat = view.geom.space.sky_of(np.array([12.0]), np.array([10.0]))
    assert np.hypot(table["lon"][0] - lon[0], table["lat"][0] - lat[0]) < 0.3
    assert table["flux"].unit == u.Unit("cm-2 s-1")


# --- the distribution


def test_what_is_excluded_is_left_out_of_the_fit(view):
    lon, lat = view.geom.space.lon, view.geom.space.lat
    as_shape = ExcludedShapes((Circle(lon, lat, 0.5, "icrs"),))
    mask = ~view.geom.to_image().region_mask(Circle(lon, lat, 0.5, "icrs")).data
    as_map = Map(view.geom.to_image(), mask)
    found = [view.significance_distribution(one) for one in (as_shape, as_map, mask)]
    everything = view.significance_distribution()
    assert everything.pixels_outside == everything.pixels == 480
    assert found[1] is not found[2]
    assert found[1].mean == found[2].mean
    for one in found:
        assert one.pixels == 480
        assert 380 < one.pixels_outside < 420
        assert one.std < everything.std
    with pytest.raises(ConfigError, match="expected a mask as Map"):
        view.significance_distribution("mask.fits")


def test_pictures_are_drawn(view):
    assert view.plot(fig=Figure()).images
    assert view.plot_distribution(ax=Figure().subplots()).get_xlabel() == "Significance"
    assert len(view.plot_grid()) == 2
    for ax in view.plot_grid(beam=view.correlation_radius, scale_bar=True, regions="icrs; circle(83.633, 22.014, 0.3)"):
        assert len(ax.artists) + len(ax.patches) >= 2


def test_histograms_of_planes_are_fitted_as_in_gammapy(view):
    mask = view.geom.to_image().region_mask(Circle(83.63, 22.01, 0.6, "icrs"), inside=False)
    options = {"bins": 20, "range": (-5, 5), "density": True}
    axes, results = plot_distribution(view.sqrt_ts, mask, func="norm", kwargs_hist=options)
    assert (axes.shape, len(results)) == ((2,), 2)
    inside = view.data["sqrt_ts"].values[0][mask.data]
    assert results[0]["param"] == pytest.approx([inside.mean(), inside.std()], abs=0.15)
    assert results[1]["axis_edges"][1].to_value("TeV") == pytest.approx(100.0)
    _, nothing = plot_distribution(view.sqrt_ts, ax=axes)
    assert nothing == []
    with pytest.raises(ConfigError, match="expected 2 Axes, one for each plane, got 1"):
        plot_distribution(view.sqrt_ts, ax=axes[:1])
    with pytest.raises(ConfigError, match="expected 'norm' or a function"):
        plot_distribution(view.sqrt_ts, func="gauss")


# --- files


@pytest.mark.parametrize("name", ["maps.fits", "maps.fits.gz", "maps.zarr"])
def test_files_are_read_back_identical(view, tmp_path, name):
    view.write(tmp_path / name)
    xr.testing.assert_identical(ExcessMap.read(tmp_path / name).data, view.data)
    with pytest.raises(OutputExistsError):
        view.write(tmp_path / name)
    view.write(tmp_path / name, overwrite=True)


def test_a_zarr_file_holds_norms(view, tmp_path):
    with pytest.raises(ConfigError, match="Zarr holds norms beside their reference"):
        view.write(tmp_path / "maps.zarr", sed_type="flux")


# --- the estimator


def test_the_estimator_is_called_as_in_gammapy():
    dataset = MapDataset(counted())
    estimator = ExcessMapEstimator(
        correlation_radius="0.2 deg", energy_edges=[1, 10, 100] * u.TeV, selection_optional="all"
    )
    found = estimator.run(dataset)
    assert isinstance(found, FluxMaps)
    expected = excess_map(counted(), 0.2, [1.0, 10.0, 100.0], ALL)
    np.testing.assert_allclose(found["sqrt_ts"].data, expected["sqrt_ts"], rtol=1e-12)
    np.testing.assert_allclose(found["norm_ul"].data, expected["norm_ul"], rtol=1e-9)
    estimator.correlation_radius = 0.3 * u.deg
    assert estimator.run(dataset).data.attrs["correlation_radius"] == 0.3


def test_the_estimator_keeps_to_the_mask_of_the_fit():
    dataset = MapDataset(counted())
    mask = np.ones(BINS, dtype=bool)
    mask[:2] = False
    mask[:, :5] = False
    dataset.mask_fit = mask
    found = ExcessMapEstimator("0.2 deg").run(dataset)
    expected = excess_map(counted(), 0.2, used=mask)
    xr.testing.assert_identical(found.data, expected)
    assert np.isnan(found.sqrt_ts.data[0, :5]).all()


def test_another_spectrum_is_the_reference():
    spectrum = PowerLawSpectralModel(index=3.0)
    found = ExcessMapEstimator("0.2 deg", spectral_model=spectrum).run(MapDataset(counted()))
    assert found.reference_spectral_model.index.value == 3.0


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"correlation_radius": "1 m"}, "ExcessMapEstimator: correlation_radius"),
        ({"energy_edges": [3, 1]}, "ExcessMapEstimator: expected at least two ascending edges"),
        ({"n_sigma": -1}, "ExcessMapEstimator: n_sigma: expected a number above 0"),
        ({"correlate_off": 1}, "ExcessMapEstimator: correlate_off: expected True or False"),
        ({"selection_optional": "limits"}, "'limits' is not an optional result"),
        ({"spectral_model": 2.0}, "ExcessMapEstimator: spectral_model: expected a SpectralModel"),
    ],
)
def test_what_no_estimator_takes_is_said_at_once(given, text):
    with pytest.raises(ConfigError, match=text):
        ExcessMapEstimator(**given)


def test_spectra_have_no_excess_map():
    with pytest.raises(DataError, match=r"an excess map needs counts in pixels \(datasets.type: 3d\)"):
        ExcessMapEstimator().run(SpectrumDatasetOnOff(dl4_dataset()))
    with pytest.raises(ConfigError, match="expected a MapDataset, got a list"):
        ExcessMapEstimator().run([])

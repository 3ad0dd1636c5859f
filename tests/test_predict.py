"""Laws of predicted counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulated_spectra import cash_dataset, models, on_off_dataset, power_law, response_dataset
from xgamma.errors import ConfigError, DataError
from xgamma.fit import Statistic
from xgamma.geometry import to_frame
from xgamma.models import ConstantTemporalModel, GaussianSpatialModel, PointSpatialModel
from xgamma.models.models import FoVBackgroundModel, Models
from xgamma.models.spectral.powerlaws import PowerLawNormSpectralModel
from xgamma.predict import Folding, npred, npred_background, npred_signal
from xgamma.predict.folding import extended_remark
from xgamma.stats import wstat_background


def explicit_signal(ds, model):
    flux = model.spectral_model.flux(
        np.append(ds["energy_true_bounds"].values[:, 0], ds["energy_true_bounds"].values[-1, 1])
    )
    return np.einsum("drte,drt,t->dre", ds["edisp"].values, ds["exposure"].values * 1e4, flux)


def every_bin(ds):
    return np.ones(ds["counts"].shape, dtype=bool)


def test_the_signal_is_flux_times_exposure_folded_with_the_dispersion():
    ds = response_dataset(n_datasets=3)
    ds["exposure"] = ds["exposure"] * np.array([1.0, 2.0, 0.5])[:, None, None]
    model = power_law()
    predicted = npred_signal(ds, models(model))
    assert predicted.dims == ("dataset", "region", "energy")
    assert predicted["dataset"].values.tolist() == ["run-0", "run-1", "run-2"]
    np.testing.assert_allclose(predicted.values, explicit_signal(ds, model), rtol=1e-13)


@settings(max_examples=30, deadline=None)
@given(st.floats(1e-14, 1e-9), st.floats(1e-6, 1e3))
def test_the_signal_is_linear_in_the_amplitude(amplitude, factor):
    ds = response_dataset()
    one = npred_signal(ds, models(power_law(amplitude=amplitude))).values
    many = npred_signal(ds, models(power_law(amplitude=factor * amplitude))).values
    np.testing.assert_allclose(many, factor * one, rtol=1e-12)


@settings(max_examples=20, deadline=None)
@given(st.floats(1.0, 4.0), st.floats(1.0, 4.0))
def test_signals_of_several_models_add_up(first, second):
    ds = response_dataset(n_datasets=2)
    parts = [power_law("a", first), power_law("b", second)]
    expected = sum(npred_signal(ds, models(part)).values for part in parts)
    np.testing.assert_allclose(npred_signal(ds, models(*parts)).values, expected, rtol=1e-13)


def test_a_model_contributes_only_to_the_datasets_it_names():
    ds = response_dataset(n_datasets=3)
    everywhere, here = power_law("a"), power_law("b", datasets_names=["run-1"])
    predicted = npred_signal(ds, models(everywhere, here)).values
    alone = explicit_signal(ds, everywhere)
    np.testing.assert_allclose(predicted[[0, 2]], alone[[0, 2]], rtol=1e-13)
    np.testing.assert_allclose(predicted[1], (alone + explicit_signal(ds, here))[1], rtol=1e-13)
    nowhere = power_law("c", datasets_names=["another"])
    assert npred_signal(ds, models(nowhere)).values.sum() == 0.0


def test_no_models_predict_no_signal():
    ds = response_dataset(n_datasets=2)
    assert npred_signal(ds, Models()).values.shape == (2, 1, 10)
    assert not npred_signal(ds, Models()).values.any()


def test_exposure_and_dispersion_can_be_left_out():
    ds = response_dataset(nbin=10)
    flux = explicit_signal(ds.assign(exposure=ds["exposure"] * 0 + 1e-4), power_law())
    predicted = npred_signal(ds, models(power_law(apply_irf={"exposure": False})))
    np.testing.assert_allclose(predicted.values, flux, rtol=1e-13)
    same = ds.isel(energy_true=slice(0, 10)).assign_coords(
        energy_true=ds["energy"].values, energy_true_bounds=(("energy_true", "bound"), ds["energy_bounds"].values)
    )
    same["energy_true"].attrs = ds["energy_true"].attrs
    predicted = npred_signal(same, models(power_law(apply_irf={"edisp": False})))
    edges = np.append(ds["energy_bounds"].values[:, 0], 50.0)
    expected = power_law().spectral_model.flux(edges) * same["exposure"].values[0, 0] * 1e4
    np.testing.assert_allclose(predicted.values[0, 0], expected, rtol=1e-12)


def test_leaving_out_the_dispersion_needs_equal_axes():
    with pytest.raises(ConfigError, match="expects the same bins in true and reconstructed energy, got 20 and 10"):
        npred_signal(response_dataset(), models(power_law(apply_irf={"edisp": False})))


def test_the_background_is_profiled_for_the_signal():
    ds = on_off_dataset(30.0, background=3.0, n_datasets=2, seed=3)
    ds["acceptance_off"][1, 0, 4] = 0.0
    source = models()
    signal, total = npred_signal(ds, source).values, npred(ds, source).values
    off = wstat_background(ds["counts"].values, ds["counts_off"].values, 0.1, signal)
    expected = signal + 0.1 * off
    expected[1, 0, 4] = signal[1, 0, 4]
    np.testing.assert_allclose(total, expected, rtol=1e-12)
    np.testing.assert_allclose(npred_background(ds, source).values, expected - signal, rtol=1e-9, atol=1e-12)


def test_a_known_background_is_added_and_totals_are_not_negative():
    ds = cash_dataset(3.0, background=0.5)
    signal = npred_signal(ds, models()).values
    np.testing.assert_allclose(npred(ds, models()).values, signal + 0.5)
    assert npred(ds, models(power_law(amplitude=-1e-6))).values.max() == 0.0
    without = ds.drop_vars("background")
    np.testing.assert_allclose(npred(without, models()).values, signal)


def test_an_extended_source_is_predicted_as_a_point_and_said_to_be():
    place = GaussianSpatialModel(sigma="0.2 deg")
    place.freeze()
    source, alone = power_law(spatial_model=place), npred_signal(response_dataset(), models()).values
    np.testing.assert_array_equal(npred_signal(response_dataset(), models(source)).values, alone)
    assert "'source' has a GaussianSpatialModel: the region is taken to hold the flux of a point" in extended_remark(
        source
    )
    assert extended_remark(power_law(spatial_model=a_point())) == extended_remark(power_law()) == ""


def a_point(lon=83.63, lat=22.01, frame="icrs"):
    point = PointSpatialModel(frame=frame, lon_0=f"{lon} deg", lat_0=f"{lat} deg")
    point.freeze()
    return point


def test_a_point_outside_of_a_region_of_another_shape_says_so():
    ring = "icrs; annulus(83.63,22.01,0.2,0.4)"
    ds = response_dataset().assign_coords(
        region_lon=("region", [83.63]),
        region_lat=("region", [22.01]),
        region_radius=("region", [np.nan]),
        region_shape=("region", [ring]),
    )
    alone = npred_signal(ds, models()).values
    inside = power_law(spatial_model=a_point(83.63, 22.31))
    np.testing.assert_array_equal(npred_signal(ds, models(inside)).values, alone)
    with pytest.raises(ConfigError, match=r"0 deg from the centre of the on-region, which is icrs; annulus"):
        npred_signal(ds, models(power_law(spatial_model=a_point())))


def test_a_point_in_the_region_and_a_constant_in_time_change_nothing():
    ds = response_dataset().assign_coords(
        region_lon=("region", [83.63]), region_lat=("region", [22.01]), region_radius=("region", [0.11])
    )
    alone = npred_signal(ds, models()).values
    galactic = to_frame(83.6, 22.0, "icrs", "galactic")
    for point in (a_point(), a_point(83.7), a_point(*(float(one) for one in galactic), "galactic")):
        source = power_law(spatial_model=point, temporal_model=ConstantTemporalModel())
        np.testing.assert_array_equal(npred_signal(ds, models(source)).values, alone)
        np.testing.assert_array_equal(npred_signal(response_dataset(), models(source)).values, alone)
    with pytest.raises(
        ConfigError, match=r"'source' is a point 0\.99 deg from the centre of the on-region, whose radius"
    ):
        npred_signal(ds, models(power_law(spatial_model=a_point(83.63, 23.0))))
    elsewhere = power_law("b", spatial_model=a_point(0.0, 0.0), datasets_names=["run-7"])
    np.testing.assert_array_equal(npred_signal(ds, models(power_law(), elsewhere)).values, alone)


def test_a_free_position_raises_as_a_spectrum_does_not_constrain_it():
    with pytest.raises(ConfigError, match=r"free position or size \(lon_0, lat_0\).*freeze it"):
        Statistic([response_dataset()], models(power_law(spatial_model=PointSpatialModel())))


def test_a_model_of_maps_on_a_spectrum_raises():
    background = FoVBackgroundModel(spectral_model=PowerLawNormSpectralModel(), dataset_name="run-0")
    with pytest.raises(ConfigError, match="background of a map, and 'run-0' is the spectrum of a region"):
        npred_signal(response_dataset(), Models([background]))


def test_all_models_of_a_response_need_its_true_energy_axis():
    first, second = response_dataset(), response_dataset(nbin=5)
    response = Folding(((first, every_bin(first)), (second, every_bin(second))))
    with pytest.raises(DataError, match="same axis of true energy"):
        _ = response.edges


def test_a_response_has_the_names_and_energies_of_its_rows():
    first, second = response_dataset(n_datasets=2), response_dataset()
    used = every_bin(first)
    used[0, 0, 1:] = False
    response = Folding(((first, used), (second, every_bin(second))))
    assert response.dataset.tolist() == [0] + [1] * 10 + [2] * 10
    assert response.energy.tolist() == [0, *range(10), *range(10)]
    assert response.matrix().shape == (21, 20)


def test_a_folded_model_is_a_function_of_the_values_of_its_spectrum():
    ds, model = response_dataset(), power_law()
    folded = Folding(((ds, every_bin(ds)),)).fold(model)
    first = folded()
    model.spectral_model.index.value = 3.0
    np.testing.assert_array_equal(folded([2.3, 3e-11, 1.0]), first)
    np.testing.assert_array_equal(folded(), folded([3.0, 3e-11, 1.0]))
    assert folded()[-1] < first[-1]

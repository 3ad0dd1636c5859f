"""Sources that depend on time: predictions, fits and flux points of rows at their times, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table

from builders import flux_points_product
from simulated_spectra import models, on_off_dataset, power_law, response_dataset
from xgamma import models as m
from xgamma.datasets.light_curve import LightCurve
from xgamma.errors import ConfigError, MissingInputError
from xgamma.estimate import flux_points, light_curve
from xgamma.fit import FitSettings, Statistic, fit
from xgamma.predict import npred_signal

DAY = 86400.0


def at_times(ds, starts=(0.0, 1.0, 2.0), length=0.5, mjdref=55000.0):
    """Return rows with good time: one interval each, the last in two parts."""
    gti = np.array([[[start, start + length], [np.nan] * 2] for start in starts])
    gti[-1] = [[starts[-1], starts[-1] + 0.3 * length], [starts[-1] + length, starts[-1] + 1.7 * length]]
    exposed = ("dataset", np.nansum(np.diff(gti, axis=-1), axis=(1, 2)) * DAY, {"units": "s"})
    times = {"gti": (("dataset", "gti", "bound"), gti * DAY, {"units": "s"}), "ontime": exposed, "livetime": exposed}
    return ds.assign(times).assign_attrs(mjdref=mjdref)


def decaying(**changes):
    part = m.ExpDecayTemporalModel(**{"t0": "1.5 d", "t_ref": "55000 d", "scale": "tt"} | changes)
    return power_law(temporal_model=part)


def test_the_signal_of_a_row_is_scaled_by_the_mean_over_its_good_time():
    ds = at_times(response_dataset(3))
    source, other = decaying(), power_law("other", temporal_model=m.SineTemporalModel(), datasets_names=["run-1"])
    steady = npred_signal(ds, models(power_law())).values
    factors = source.temporal_model.mean(ds["gti"].values, 55000.0)
    np.testing.assert_allclose(npred_signal(ds, models(source)).values, factors[:, None, None] * steady, rtol=1e-13)
    both = npred_signal(ds, models(source, other)).values - npred_signal(ds, models(source)).values
    assert both[[0, 2]].max() == 0.0
    wave = other.temporal_model.mean(ds["gti"].values, 55000.0)[1]
    np.testing.assert_allclose(both[1], wave * steady[1], rtol=1e-10)


@pytest.mark.parametrize("method", ["migrad", "scoring"])
def test_a_fit_finds_the_decay(method):
    truth = decaying()
    ds = at_times(
        on_off_dataset(npred_signal(at_times(response_dataset(3)), models(truth)).values, seed=3, n_datasets=3)
    )
    found = decaying(t0="1 d")
    result = fit([ds], models(found), FitSettings(method=method))
    t0 = found.temporal_model.t0
    assert result.success
    assert abs(t0.value - 1.5) < 3 * t0.error < 0.8
    # The statistic rises by 1 at the error, the others fitted; the mean of both sides, as it is no parabola.
    rises = []
    for sign in (-1, 1):
        held = decaying(t0=f"{t0.value + sign * t0.error} d")
        held.temporal_model.t0.frozen = True
        rises.append(fit([ds], models(held)).total_stat - result.total_stat)
    assert np.mean(rises) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("method", ["migrad", "scoring"])
def test_a_fit_finds_the_time_of_a_flare(method):
    def flaring(t_ref, sigma):
        return power_law(temporal_model=m.GaussianTemporalModel(t_ref=f"{t_ref} d", sigma=f"{sigma} d", scale="tt"))

    nights = {"starts": tuple(np.arange(30) * 0.6), "length": 0.02}
    signal = npred_signal(at_times(response_dataset(30), **nights), models(flaring(55008.0, 1.5))).values
    ds = at_times(on_off_dataset(signal, seed=3, n_datasets=30), **nights)
    found = flaring(55006.5, 1.0)
    assert fit([ds], models(found), FitSettings(method=method)).success
    for name, truth in (("t_ref", 55008.0), ("sigma", 1.5)):
        parameter = found.parameters[name]
        assert abs(parameter.value - truth) < 3 * parameter.error < 0.2


def test_a_light_curve_without_absorption_has_the_fluxes_of_its_source():
    nodes = [0.1, 1, 100] * u.TeV
    table = m.EBLAbsorptionNormSpectralModel(nodes, [0.1, 0.2], [[0.9, 0.8, 0.1], [0.8, 0.7, 0.1]])
    source = m.SkyModel(power_law().spectral_model * table, name="source")
    ds = at_times(on_off_dataset(npred_signal(at_times(response_dataset(3)), models(source)).values, n_datasets=3))
    curve = LightCurve(light_curve([ds], models(source), "source", [0.5, 5, 50]))
    plain = curve.intrinsic(source.spectral_model)
    expected = power_law().spectral_model.integral(curve.energy_min, curve.energy_max).to_value("cm-2 s-1")
    np.testing.assert_allclose(plain.data["ref_flux"].values, expected, rtol=1e-12)
    np.testing.assert_array_equal(plain.data["norm"].values, curve.data["norm"].values)


def test_derivatives_are_those_of_differences():
    ds = at_times(on_off_dataset(30.0, n_datasets=3, seed=1))
    first, second = decaying(), decaying()
    second.name = "second"
    second.spectral_model.index = first.spectral_model.index
    second.temporal_model.t0 = first.temporal_model.t0
    first.temporal_model.t_ref.frozen = False
    statistic = Statistic([ds], models(first, second))
    values, sizes = statistic.start, np.array([1e-4, 1e-15, 1e-4, 1e-4, 1e-15])
    assert statistic.parameters.names == ["index", "amplitude", "t0", "t_ref", "amplitude"]
    gradient, _ = statistic.derivatives(values)
    hessian = statistic.hessian(values, sizes)
    for place, size in enumerate(sizes):
        step = np.where(np.arange(5) == place, size, 0.0)
        up, down = statistic(values + step), statistic(values - step)
        assert gradient[place] == pytest.approx((up - down) / (2 * size), rel=1e-4)
        slopes = (statistic.derivatives(values + step)[0] - statistic.derivatives(values - step)[0]) / (2 * size)
        np.testing.assert_allclose(hessian[place] / sizes[::-1], slopes / sizes[::-1], rtol=2e-3)


def test_flux_points_are_multiples_of_the_spectrum_at_the_times_of_the_rows():
    source = decaying()
    source.temporal_model.freeze()
    ds = at_times(on_off_dataset(npred_signal(at_times(response_dataset(3)), models(source)).values, n_datasets=3))
    points = flux_points([ds], models(source), "source", [0.5, 5, 50])
    np.testing.assert_allclose(points["norm"].values, 1.0, atol=0.06)


def test_a_light_curve_has_the_fluxes_of_its_bins():
    source = decaying()
    ds = at_times(on_off_dataset(npred_signal(at_times(response_dataset(3)), models(source)).values, n_datasets=3))
    curve = light_curve([ds], models(source), "source", [0.5, 50])
    factors = source.temporal_model.mean(ds["gti"].values, 55000.0)
    np.testing.assert_allclose(curve["norm"].values[:, 0], factors, rtol=0.02)
    assert source.temporal_model is not None


def test_what_has_no_value_is_refused_in_one_sentence(tmp_path):
    ds = at_times(response_dataset(3))
    late = power_law(temporal_model=m.PowerLawTemporalModel(alpha=-1.5, t_ref="55000.5 d", scale="tt"))
    with pytest.raises(
        ConfigError, match=r"'source': its PowerLawTemporalModel counts from t_ref on, and good time begins"
    ):
        npred_signal(ds, models(late))
    with pytest.raises(ConfigError, match="depends on time, and the dataset 'run-0' has no good time"):
        npred_signal(response_dataset(3), models(decaying()))
    with pytest.raises(ConfigError, match="ExpDecayTemporalModel has no finite mean over the good time"):
        npred_signal(ds, models(decaying(t0="0 d")))
    table = {"type": "template-phase", "filename": str(tmp_path / "none.fits")}
    missing = power_law(temporal_model=m.TemplatePhaseCurveTemporalModel.from_dict(table))
    with pytest.raises(MissingInputError, match=r"There is no phase curve at .*none\.fits"):
        npred_signal(ds, models(missing))
    with pytest.raises(ConfigError, match="'source' depends on time, and flux points have none"):
        Statistic([flux_points_product()], models(decaying()))
    Statistic([flux_points_product()], models(power_law(temporal_model=m.ConstantTemporalModel())))


def test_a_fit_says_what_lies_beside_a_template_and_what_is_extended(caplog):
    light = m.LightCurveTemplateTemporalModel.from_table(
        Table({"TIME": [0.0, 1.0], "NORM": [1.0, 1.0]}, meta={"MJDREFI": 55000, "TIMESYS": "tt", "TIMEUNIT": "d"})
    )
    place = m.DiskSpatialModel()
    place.freeze()
    source = power_law(temporal_model=light, spatial_model=place)
    ds = at_times(on_off_dataset(npred_signal(at_times(response_dataset(3)), models(source)).values, n_datasets=3))
    assert fit([ds], models(source)).success
    assert "good time lies beside its table for 1 d, where its first or last norm holds." in caplog.text
    assert "'source' has a DiskSpatialModel" in caplog.text

import copy
import pickle

import matplotlib.pyplot as plt
import numpy as np
import pytest
from astropy import units as u
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.dates import num2date

from builders import flux_points_product, light_curve_product
from xgamma.datasets import FluxPoints, LightCurve
from xgamma.errors import ConfigError, DataError, UnknownNameError
from xgamma.models.spectral.powerlaws import PowerLawSpectralModel
from xgamma.plot.time_axis import Stretches
from xgamma.schema.dl5 import LIGHT_CURVE
from xgamma.schema.tables import product_violations

UNITS = {"dnde": "cm-2 s-1 TeV-1", "flux": "cm-2 s-1", "eflux": "TeV cm-2 s-1", "e2dnde": "TeV cm-2 s-1"}
# As Gammapy 2.1 has them.
TIMES, ENERGIES = ["time_min", "time_max"], ["e_ref", "e_min", "e_max"]
STATISTICS = ["ts", "sqrt_ts", "npred", "npred_excess", "stat", "stat_null", "stat_scan", "is_ul", "counts", "success"]
OURS = ["e_min_fit", "e_max_fit", "counts_left_out", "is_extrapolated", "ontime", "livetime", "exposed_min"]


@pytest.fixture
def curve():
    return LightCurve(light_curve_product())


@pytest.fixture
def ax():
    figure, axes = plt.subplots()
    yield axes
    plt.close(figure)


def test_the_light_curve_of_the_tests_is_one_of_the_format(curve):
    assert product_violations({"": curve.data}, LIGHT_CURVE) == []


@pytest.mark.parametrize("kind", UNITS)
@pytest.mark.parametrize("error", ["", "_err", "_errn", "_errp", "_ul"])
def test_every_flux_is_the_norm_times_its_reference(curve, kind, error):
    value = getattr(curve, f"{kind}{error}")
    assert value.unit == u.Unit(UNITS[kind])
    expected = curve.data[f"norm{error}"].values * curve.data[f"ref_{kind}"].values
    np.testing.assert_allclose(value.value, expected, rtol=1e-15)
    assert value.shape == (4, 2)


def test_times_are_tt_with_their_scale(curve):
    assert [curve.time_min.scale, curve.time_max.scale, curve.time_ref.scale] == ["tt", "tt", "tt"]
    np.testing.assert_allclose((curve.time_min[1] - curve.time_min[0]).to_value("s"), 86400, atol=1e-6)
    assert curve.time_min[0].isot == "2003-12-27T06:16:40.000"
    np.testing.assert_allclose((curve.time_max - curve.time_min).to_value("s"), 1800, atol=1e-6)


def test_statistics_and_times_of_exposure_are_attributes(curve):
    assert curve.ts.shape == curve.counts.shape == (4, 2)
    assert curve.norm_scan.shape == curve.stat_scan.shape == (4, 2, 11)
    assert curve.livetime.unit == "s"
    assert curve.is_extrapolated.dtype == bool
    assert {"flux_ul", "livetime", "is_extrapolated"} <= set(dir(curve))
    with pytest.raises(AttributeError, match=r"LightCurve has no 'fluxx' here. Did you mean 'flux'"):
        _ = curve.fluxx


@pytest.mark.parametrize("kind", UNITS)
def test_the_columns_of_a_flux_table_are_in_order(curve, kind):
    table = curve.to_table(kind)
    errors = [f"{kind}{error}" for error in ("", "_err", "_errp", "_errn", "_ul")]
    expected = [*TIMES, *ENERGIES, *errors, *STATISTICS, "norm_scan", *OURS, "exposed_max"]
    assert table.colnames == expected
    assert table.meta["TIMESYS"] == "tt"
    assert (table.meta["MJDREFI"], table.meta["MJDREFF"], table.meta["TIMEUNIT"]) == (0, 0.0, "d")


def test_a_row_of_the_table_is_the_spectrum_of_a_time(curve):
    table = curve.to_table(format="lightcurve", sed_type="flux")
    np.testing.assert_array_equal(table["flux"], curve.flux.value)
    np.testing.assert_allclose(table["time_min"], curve.time_min.mjd, rtol=1e-15)
    np.testing.assert_array_equal(table["e_ref"][3], curve.energy_ref.value)
    assert table["counts"].shape == (4, 2, 1)
    assert table["stat_scan"].shape == table["norm_scan"].shape == (4, 2, 11)
    assert table["livetime"].shape == (4,)


def test_a_formatted_table_prints_three_digits(curve):
    table = curve.to_table("flux", formatted=True)
    assert table["flux"].format == ".3e"
    assert table["sqrt_ts"].format == ".3f"


def test_other_formats_and_kinds_of_a_table_raise(curve):
    with pytest.raises(UnknownNameError, match="Known: lightcurve"):
        curve.to_table(format="gadf-sed")
    with pytest.raises(ConfigError, match="Did you mean 'flux'"):
        curve.to_table("fluxx")


def test_a_dataset_of_fluxes_has_dates(curve):
    fluxes = curve.to_xarray("eflux")
    np.testing.assert_array_equal(fluxes["eflux"], curve.eflux.value)
    assert fluxes["eflux_ul"].attrs["units"] == "TeV s-1 cm-2"
    assert fluxes["time"].values[0] == np.datetime64("2003-12-27T06:31:40")
    assert fluxes["time"].attrs["time_scale"] == fluxes.attrs["time_scale"] == "tt"
    assert fluxes.sel(time="2003-12-28")["eflux"].shape == (1, 2)
    with pytest.raises(ConfigError, match="to draw"):
        curve.to_xarray("likelihood")


def test_a_data_frame_has_a_row_for_each_bin(curve):
    frame = curve.to_dataframe()
    assert len(frame) == 8
    np.testing.assert_array_equal(frame["flux_ul"], curve.flux_ul.value.ravel())
    np.testing.assert_array_equal(frame["livetime"], np.repeat(curve.livetime.value, 2))
    np.testing.assert_array_equal(frame["ref_flux"], np.tile(curve.ref_flux.value, 4))
    assert frame["is_ul"].dtype == bool
    assert frame.attrs["units"]["time_min"] == "d"


def test_light_curves_are_copied_and_pickled(curve):
    assert copy.deepcopy(curve).data.identical(curve.data)
    assert pickle.loads(pickle.dumps(curve)).data.identical(curve.data)


def test_light_curves_print_what_they_are(curve):
    assert repr(curve) == "<LightCurve: 4 times, 2 energies>"
    assert "  Times (TT)                      : 2003-12-27 06:16:40 - 2003-12-30 06:46:40\n" in str(curve)
    assert "<table" in curve._repr_html_()


def test_what_is_no_light_curve_raises(curve):
    with pytest.raises(DataError, match="the dim 'time'"):
        LightCurve(flux_points_product())
    with pytest.raises(DataError, match="a spectrum of one time"):
        FluxPoints(curve.data)
    with pytest.raises(DataError, match="mjdref"):
        LightCurve(curve.data.drop_attrs(deep=False))
    with pytest.raises(DataError, match="no bins of time"):
        LightCurve(curve.data.isel(time=slice(0, 0)))
    with pytest.raises(DataError, match="need the variable 'norm'"):
        LightCurve(curve.data.drop_vars("norm"))


def test_a_picture_has_a_curve_for_each_energy_and_arrows_for_limits(curve, ax):
    curve.data["is_ul"][1, 0] = True
    curve.plot(ax, "flux", axis_name="time")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "1.00 - 4.47 TeV",
        "4.47 - 20.0 TeV",
        "Upper limits",
    ]
    points = ax.containers[0].lines[0]
    np.testing.assert_allclose(points.get_ydata()[1], curve.flux_ul[1, 0].value)
    assert num2date(points.get_xdata()[0]).strftime("%Y-%m-%d %H:%M") == "2003-12-27 06:31"
    assert "TT" in ax.get_xlabel()


def test_a_picture_in_days_has_mjd(curve, ax):
    LightCurve(curve.data.isel(energy=[0])).plot(ax, "norm", time_format="mjd", color="k", label="crab")
    np.testing.assert_allclose(ax.containers[0].lines[0].get_xdata(), curve.time_ref.mjd, rtol=1e-12)
    assert ax.get_xlabel() == "MJD - 53000 (TT)"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["crab"]
    assert ax.get_ylim()[0] == 0


def test_closed_gaps_are_narrow_and_times_stay_where_they_are(curve, ax):
    curve.plot(ax, close_gaps=True)
    width = np.diff(ax.transData.transform([(day, 1e-11) for day in curve.mjd_bounds[:, 0] - 40587])[:, 0])
    night = np.ptp(ax.transData.transform([(day, 1e-11) for day in curve.mjd_bounds[0] - 40587])[:, 0])
    np.testing.assert_allclose(width, night * (1 + 4 * 0.08), rtol=1e-3)
    labels = [text.get_text() for text in ax.get_xticklabels()]
    assert labels[0] == "06:30\n2003-12-27"
    assert "2003-12-30" in labels[-1]
    np.testing.assert_allclose(ax.containers[0].lines[0].get_xdata() + 40587, curve.time_ref.mjd, rtol=1e-12)


@pytest.mark.some_long(3)
@pytest.mark.parametrize("n_time", [1, 3, 12, 60])
@pytest.mark.parametrize("time_format", ["iso", "mjd"])
def test_closed_gaps_have_labels_that_fit(ax, n_time, time_format):
    LightCurve(light_curve_product(n_time, 1)).plot(ax, time_format=time_format, close_gaps=True)
    ax.figure.canvas.draw()
    labels = [text.get_text() for text in ax.get_xticklabels() if text.get_text()]
    assert 1 <= len(labels) <= 20
    assert len(set(labels)) == len(labels)


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0.01, 2)), min_size=1, max_size=8))
def test_the_axis_with_closed_gaps_ascends_and_has_an_inverse(rows):
    bounds = np.array([(start, start + length) for start, length in rows])
    stretches = Stretches.of(bounds)
    forward, inverse = stretches.scale()
    assert (np.diff(stretches.edges.ravel()) > 0).all()
    days = np.linspace(-5, 110, 400)
    assert (np.diff(forward(days)) > 0).all()
    np.testing.assert_allclose(inverse(forward(days)), days, atol=1e-6)
    middle = bounds.mean(axis=1)
    assert all(((stretches.edges[:, 0] <= day) & (day <= stretches.edges[:, 1])).any() for day in middle)


def test_a_picture_over_energy_has_a_spectrum_for_each_time(curve, ax):
    curve.plot(ax, "dnde", axis_name="energy")
    assert len(ax.get_legend().get_texts()) == 4 + 1
    assert ax.get_legend().get_texts()[-1].get_text() == "Upper limits"
    many = LightCurve(light_curve_product(n_time=13))
    with pytest.raises(ConfigError, match="13 spectra are more than a picture can tell apart"):
        many.plot(ax, axis_name="energy")


def test_a_picture_of_something_else_raises(curve, ax):
    with pytest.raises(ConfigError, match="Did you mean 'time'"):
        curve.plot(ax, axis_name="times")
    with pytest.raises(ConfigError, match="time_format"):
        curve.plot(ax, time_format="jd")
    with pytest.raises(ConfigError, match="to draw"):
        curve.plot(ax, sed_type="likelihood")


def test_a_table_of_fluxes_is_read_as_multiples_of_a_model(tmp_path, curve):
    path, model = tmp_path / "curve.ecsv", PowerLawSpectralModel(index=2.5, amplitude="4e-11 cm-2 s-1 TeV-1")
    curve.write(path, sed_type="flux")
    for found in (FluxPoints.read(path, reference_model=model), LightCurve.read(path, reference_model=model)):
        np.testing.assert_allclose(found.data["norm"], curve.data["norm"], rtol=1e-6)
        np.testing.assert_allclose(found.data["ref_eflux"], curve.data["ref_eflux"], rtol=1e-6)

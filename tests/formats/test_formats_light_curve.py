"""Light curves as files: ours, Gammapy's and those of others; UTC, TT and TAI; one error for each kind of damage."""

import logging

import numpy as np
import pytest
import xarray as xr
from astropy import units as u
from astropy.io import fits
from astropy.table import Table
from astropy.time import Time

from builders import flux_points_product, light_curve_product
from xgamma.datasets import FluxPoints, LightCurve
from xgamma.errors import ConfigError, InputError, UnknownNameError
from xgamma.formats.sed.kinds import SED_TYPES

FLUX = "cm-2 s-1"
START = Time(["2006-07-29T20:30:00", "2006-07-29T21:00:00", "2006-07-30T21:00:00"], scale="utc")


def table(scale="utc", meta=None, **columns):
    """A published light curve: three half hours, two bins of energy."""
    start = getattr(START, scale)
    held = {
        "time_min": start.mjd,
        "time_max": (start + 28 * u.min).mjd,
        "e_min": [[0.2, 1.0]] * 3 * u.TeV,
        "e_max": [[1.0, 10.0]] * 3 * u.TeV,
        "flux": [[3e-10, 2e-11], [5e-10, 4e-11], [1e-10, np.nan]] * u.Unit(FLUX),
        "flux_err": [[1e-11, 1e-12], [2e-11, 2e-12], [1e-11, np.nan]] * u.Unit(FLUX),
        "flux_ul": [[4e-10, 3e-11], [6e-10, 5e-11], [2e-10, 9e-12]] * u.Unit(FLUX),
    }
    cards = {"TIMESYS": scale, "SED_TYPE": "flux", "MJDREFI": 0, "MJDREFF": 0.0, "TIMEUNIT": "d"}
    held |= columns
    return Table({k: v for k, v in held.items() if v is not None}, meta=cards | (meta or {}))


def written(path, held):
    if path.suffix == ".ecsv":
        held.write(path)
    else:
        hdu = fits.table_to_hdu(held)
        hdu.name = "FLUXPOINTS"
        fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
    return path


@pytest.fixture
def curve():
    return LightCurve(light_curve_product())


# --- ours


@pytest.mark.some_long(3)
@pytest.mark.parametrize("name", ["curve.fits", "curve.fits.gz"])
@pytest.mark.parametrize("sed_type", ["likelihood", "flux"])
def test_a_fits_file_gives_the_identical_light_curve(curve, tmp_path, name, sed_type):
    curve.write(tmp_path / name, sed_type)
    xr.testing.assert_identical(LightCurve.read(tmp_path / name).data, curve.data)
    assert isinstance(FluxPoints.read(tmp_path / name), LightCurve)
    assert isinstance(FluxPoints.read(tmp_path / name, format="lightcurve"), LightCurve)


@pytest.mark.some_long(3)
@pytest.mark.parametrize("sed_type", SED_TYPES)
def test_the_table_of_every_kind_gives_the_numbers_back(curve, tmp_path, sed_type):
    curve.write(tmp_path / "curve.ecsv", sed_type)
    kind = "norm" if sed_type == "likelihood" else sed_type
    for again in (LightCurve.read(tmp_path / "curve.ecsv"), FluxPoints.from_table(curve.to_table(sed_type))):
        for name in (f"{kind}{error}" for error in ("", "_err", "_errn", "_errp", "_ul")):
            expected = getattr(curve, name)
            np.testing.assert_allclose(getattr(again, name).to_value(expected.unit), expected.value, rtol=1e-12)
        for name in ("ts", "counts", "npred", "stat_scan", "norm_scan", "is_ul", "success", "is_extrapolated"):
            np.testing.assert_allclose(getattr(again, name), getattr(curve, name), rtol=1e-12)
        np.testing.assert_allclose((again.time_min - curve.time_min).to_value("s"), 0, atol=2e-6)
        np.testing.assert_allclose(again.livetime.value, curve.livetime.value)
        exposed = again.data["time_exposed"].values + again.data.attrs["mjdref"] * 86400
        expected = curve.data["time_exposed"].values + curve.data.attrs["mjdref"] * 86400
        np.testing.assert_allclose(exposed, expected, atol=2e-6, rtol=0)
        np.testing.assert_allclose(again.energy_max.value, curve.energy_max.value)


def test_the_header_says_epoch_and_scale(curve, tmp_path):
    curve.write(tmp_path / "curve.fits", "flux")
    header = fits.getheader(tmp_path / "curve.fits", "FLUXPOINTS")
    held = {name: header[name] for name in ("TIMESYS", "MJDREFI", "MJDREFF", "TIMEUNIT", "SED_TYPE")}
    assert held == {"TIMESYS": "tt", "MJDREFI": 0, "MJDREFF": 0.0, "TIMEUNIT": "d", "SED_TYPE": "flux"}


def test_one_bin_of_energy_goes_both_ways(tmp_path):
    curve = LightCurve(light_curve_product(n_energy=1))
    for ending in (".ecsv", ".fits"):
        curve.write(tmp_path / f"curve{ending}", "flux")
        again = LightCurve.read(tmp_path / f"curve{ending}")
        np.testing.assert_allclose(again.flux.value, curve.flux.value, rtol=1e-12)
        np.testing.assert_array_equal(again.livetime.value, curve.livetime.value)


# --- the times of others


@pytest.mark.parametrize("ending", [".ecsv", ".fits"])
@pytest.mark.parametrize("scale", ["utc", "tt", "tai", "tdb"])
def test_day_numbers_are_dates_to_a_millisecond(tmp_path, scale, ending):
    again = LightCurve.read(written(tmp_path / f"curve{ending}", table(scale)))
    assert again.time_min.scale == "tt"
    np.testing.assert_allclose((again.time_min - START).to_value("s"), 0, atol=1e-3)
    np.testing.assert_allclose((again.time_max - again.time_min).to_value("s"), 1680, atol=1e-3)


def test_a_round_trip_of_utc_keeps_a_millisecond(tmp_path):
    first = LightCurve.read(written(tmp_path / "utc.fits", table("utc")))
    first.write(tmp_path / "ours.ecsv", "flux")
    again = LightCurve.read(tmp_path / "ours.ecsv")
    np.testing.assert_allclose((again.time_min - START).to_value("s"), 0, atol=1e-3)


def test_a_file_in_utc_warns_of_what_gammapy_makes_of_it(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        LightCurve.read(written(tmp_path / "utc.fits", table("utc")))
        assert "Gammapy reads such a file 33 s early" in caplog.text
        caplog.clear()
        LightCurve.from_table(table("tt"))
        assert not caplog.text
        without = table("utc")
        del without.meta["TIMESYS"]
        assert (LightCurve.from_table(without).time_min - START).to_value("s") == pytest.approx([0, 0, 0], abs=1e-3)
        assert "does not say its time scale and is taken as UTC" in caplog.text


@pytest.mark.parametrize("scale", ["utc", "tt"])
def test_seconds_and_days_since_an_epoch_are_read(scale):
    epoch = Time(53000, 0.25, format="mjd", scale=scale)
    start, stop = START, START + 28 * u.min
    cards = {"MJDREFI": 53000, "MJDREFF": 0.25}
    seconds = table(
        scale,
        cards | {"TIMEUNIT": "s"},
        time_min=(start - epoch).to_value("s"),
        time_max=(stop - epoch).to_value("s"),
    )
    days = table(
        scale, cards, time_min=getattr(start, scale).mjd - 53000.25, time_max=getattr(stop, scale).mjd - 53000.25
    )
    for held in (seconds, days):
        np.testing.assert_allclose((LightCurve.from_table(held).time_min - START).to_value("s"), 0, atol=1e-3)


def test_columns_of_times_of_astropy_are_read(tmp_path):
    held = table(time_min=START, time_max=START + 28 * u.min)
    np.testing.assert_allclose((LightCurve.from_table(held).time_min - START).to_value("s"), 0, atol=1e-6)
    held.write(tmp_path / "times.ecsv")
    np.testing.assert_allclose((LightCurve.read(tmp_path / "times.ecsv").time_min - START).to_value("s"), 0, atol=1e-3)


# --- the numbers of others


def test_rows_are_sorted_by_time_and_energies_ascend():
    held = table()[[2, 0, 1]]
    for name in ("e_min", "e_max", "flux", "flux_err", "flux_ul"):
        held[name] = held[name][:, ::-1]
    again, expected = LightCurve.from_table(held), LightCurve.from_table(table())
    np.testing.assert_array_equal(again.flux.value, expected.flux.value)
    np.testing.assert_array_equal(again.time_min.mjd, expected.time_min.mjd)
    np.testing.assert_allclose(again.energy_min.value, [0.2, 1.0])


def test_a_missing_flux_is_a_limit_without_success():
    again = LightCurve.from_table(table())
    np.testing.assert_allclose(again.flux_ul.value, table()["flux_ul"].value, rtol=1e-12)
    assert again.is_ul.tolist() == [[False, False], [False, False], [False, True]]
    assert again.success.tolist() == [[True, True], [True, True], [True, False]]


@pytest.mark.parametrize("ending", [".ecsv", ".fits"])
def test_a_light_curve_of_plain_columns_is_one_of_one_energy(tmp_path, ending):
    plain = {name: table()[name][:, 0] for name in ("e_min", "e_max", "flux", "flux_err", "flux_ul")}
    again = LightCurve.read(written(tmp_path / f"curve{ending}", table(**plain)))
    np.testing.assert_allclose(again.flux[:, 0].value, [3e-10, 5e-10, 1e-10], rtol=1e-12)
    assert again.flux.shape == (3, 1)


def hess_like():
    """The table of the public light curve of H.E.S.S. as Gammapy 2.1 wrote it: norms, counts of all datasets."""
    nan = np.nan
    counts = [[[40.0, nan, nan]], [[nan, 60.0, nan]], [[nan, nan, 20.0]]]
    column = np.array([[1.0], [2.0], [0.5]])
    return table(
        "tt",
        {"SED_TYPE": "likelihood"},
        **dict.fromkeys(("flux", "flux_err", "flux_ul")),
        **{"e_ref": [[1.0]] * 3 * u.TeV, "e_min": [[0.5]] * 3 * u.TeV, "e_max": [[2.0]] * 3 * u.TeV},
        ref_dnde=[[1e-11]] * 3 * u.Unit("TeV-1 s-1 cm-2"),
        ref_flux=[[3e-11]] * 3 * u.Unit("s-1 cm-2"),
        ref_eflux=[[2e-11]] * 3 * u.Unit("TeV s-1 cm-2"),
        **{"norm": column, "norm_err": 0.1 * column, "norm_ul": 1.2 * column, "ts": 100 * column},
        **{"is_ul": column < 0.7, "success": column > 0, "counts": counts, "npred": counts},
        **{"stat_scan": np.ones((3, 1, 11)), "norm_scan": np.ones((3, 1, 11)) * np.geomspace(0.2, 5, 11)},
    )


@pytest.mark.parametrize("ending", [".ecsv", ".fits"])
def test_the_layout_of_the_public_light_curve_is_read(tmp_path, ending):
    again = LightCurve.read(written(tmp_path / f"hess{ending}", hess_like()))
    np.testing.assert_allclose(again.flux[:, 0].value, [3e-11, 6e-11, 1.5e-11], rtol=1e-12)
    assert again.counts.tolist() == [[40.0], [60.0], [20.0]]
    assert again.is_ul.tolist() == [[False], [False], [True]]
    assert again.data["norm_scan"].dims == ("norm_scan",)
    assert again.stat_scan.shape == again.norm_scan.shape == (3, 1, 11)
    np.testing.assert_allclose((again.time_min - START).to_value("s"), 0, atol=1e-3)


# --- what is refused

REFUSED = {
    "no start": (table(time_min=None), "has no column 'time_min'"),
    "no energies": (table(e_min=None, e_max=None), "has times but no energies. Add the columns e_min and e_max"),
    "no rows": (table()[:0], "a light curve without rows"),
    "stop before start": (table(time_max=table()["time_min"]), "time_max has to be after time_min"),
    "a time that is no number": (table(time_min=[53000.0, np.nan, 53002.0]), "'time_min' holds times that are no MJD"),
    "seconds as days": (table(time_min=START.mjd * 86400), "no MJD from 36934 to 88069"),
    "a scale nobody knows": (table(meta={"TIMESYS": "local"}), "TIMESYS = 'local'"),
    "other energies each time": (
        table(e_max=[[1.0, 10.0], [1.0, 10.0], [1.0, 20.0]] * u.TeV),
        "'e_max' changes from row to row",
    ),
    "fluxes of other energies": (table(flux=np.ones((3, 3)) * u.Unit(FLUX)), r"'flux' has the shape \(3, 3\)"),
    "one flux a row": (table(flux=np.ones(3) * u.Unit(FLUX)), r"'flux' has the shape \(3,\)"),
    "no unit": (table(flux=np.ones((3, 2)), flux_err=None, flux_ul=None), "'flux' has no unit"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_raises_for_invalid_tables_and_names_the_column(kind):
    held, sentence = REFUSED[kind]
    with pytest.raises(InputError, match=sentence):
        LightCurve.from_table(held)


def test_references_of_several_spectra_raise():
    held = hess_like()
    held["ref_flux"][1] *= 2
    with pytest.raises(InputError, match="'ref_flux' changes from row to row"):
        LightCurve.from_table(held)


def test_flux_points_are_no_light_curve(curve, tmp_path):
    FluxPoints(flux_points_product()).write(tmp_path / "points.fits")
    curve.write(tmp_path / "curve.fits")
    with pytest.raises(InputError, match=r"no light curve. FluxPoints\.read reads it"):
        LightCurve.read(tmp_path / "points.fits")
    with pytest.raises(InputError, match=r"LightCurve\.read reads it"):
        FluxPoints.read(tmp_path / "curve.fits", format="gadf-sed")
    with pytest.raises(UnknownNameError, match="Known: gadf-sed, lightcurve"):
        FluxPoints.read(tmp_path / "curve.fits", format="profile")
    with pytest.raises(ConfigError, match="Light curves"):
        curve.write(tmp_path / "curve.txt")

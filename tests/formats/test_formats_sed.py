import numpy as np
import pytest
import xarray as xr
from astropy.io import fits
from astropy.table import Table
from format_samples import points, real_data
from hypothesis import given, settings
from hypothesis import strategies as st

from xgamma.axes import Axis
from xgamma.datasets import FluxPoints
from xgamma.errors import ConfigError, InputError, MissingInputError, OutputError, OutputExistsError
from xgamma.formats.sed.files import read_flux_points, write_flux_points
from xgamma.formats.sed.kinds import QUANTITIES, SED_TYPES

LIKELIHOOD_ORDER = ["e_ref", "e_min", "e_max", "ref_dnde", "ref_flux", "ref_eflux", "norm", "norm_err"]


def without_our_table(path):
    """Make a file one of another program."""
    with fits.open(path) as hdus:
        del hdus["XGAMMA"], hdus[0].header["XGAMMA"]
        hdus.writeto(path, overwrite=True)
    return path


def values_of(ds, quantity):
    return (ds["norm"] * ds[f"ref_{quantity}"]).values


@pytest.mark.parametrize("sed_type", SED_TYPES)
@pytest.mark.parametrize("ending", [".fits", ".fits.gz"])
def test_points_come_back_identical_whatever_the_table_shows(tmp_path, sed_type, ending):
    ds = points()
    path = write_flux_points(ds, tmp_path / f"points{ending}", sed_type)
    xr.testing.assert_identical(read_flux_points(path), ds)


@settings(max_examples=15, deadline=None)
@given(n_energy=st.integers(1, 5), n_dataset=st.integers(1, 3), seed=st.integers(0, 99), value=st.floats())
def test_any_points_come_back_identical(tmp_path_factory, n_energy, n_dataset, seed, value):
    ds = points(n_energy, n_dataset, seed)
    ds["norm"][0] = value
    path = write_flux_points(ds, tmp_path_factory.mktemp("any") / "points.fits")
    xr.testing.assert_identical(read_flux_points(path), ds)


@pytest.mark.parametrize("ending", [".fits", ".ecsv"])
def test_the_table_of_likelihood_holds_everything_but_the_names(tmp_path, ending):
    ds = points()
    path = write_flux_points(ds, tmp_path / f"points{ending}")
    back = read_flux_points(path if ending == ".ecsv" else without_our_table(path))
    assert back["dataset"].values.tolist() == ["dataset-0", "dataset-1"]
    labelled = back.assign_coords(dataset=ds["dataset"])
    xr.testing.assert_equal(labelled, ds)
    assert {name: back[name].attrs["units"] for name in back} == {name: ds[name].attrs["units"] for name in ds}
    assert (back.attrs["UL_CONF"], back.attrs["n_sigma_ul"]) == (0.9544997, 2.0)


@pytest.mark.parametrize("sed_type", QUANTITIES)
@pytest.mark.parametrize("ending", [".fits", ".ecsv"])
def test_a_table_of_fluxes_keeps_the_fluxes(tmp_path, sed_type, ending):
    ds = points()
    path = write_flux_points(ds, tmp_path / f"points{ending}", sed_type)
    back = read_flux_points(path if ending == ".ecsv" else without_our_table(path))
    np.testing.assert_allclose(values_of(back, sed_type), values_of(ds, sed_type), rtol=1e-14)
    np.testing.assert_allclose(back["norm_err"] / back["norm"], ds["norm_err"] / ds["norm"], rtol=1e-14)
    np.testing.assert_array_equal(back["counts"], ds["counts"])


def test_columns_stand_in_the_order_of_the_format(tmp_path):
    path = write_flux_points(points(), tmp_path / "points.fits")
    with fits.open(path) as hdus:
        table = hdus["FLUXPOINTS"]
        assert table.columns.names[: len(LIKELIHOOD_ORDER)] == LIKELIHOOD_ORDER
        assert {"e_min_fit", "e_max_fit", "counts_left_out", "norm_scan", "stat_scan"} <= set(table.columns.names)
        assert (table.header["SED_TYPE"], table.header["UL_CONF"]) == ("likelihood", 0.9544997)
        assert table.data["counts"].shape == (4, 2)
        assert table.columns["ref_eflux"].unit == "TeV cm-2 s-1"


@pytest.mark.parametrize("sed_type", SED_TYPES)
def test_the_table_that_is_shown_is_the_table_that_is_written(tmp_path, sed_type):
    ds = points()
    ds["from_a_file"] = ("energy", np.arange(4.0), {"units": "s"})
    shown = FluxPoints(ds).to_table(sed_type)
    assert shown.colnames[-1] == "from_a_file"
    for ending in (".fits", ".ecsv"):
        path = write_flux_points(ds, tmp_path / f"points{ending}", sed_type)
        written = Table.read(path) if ending == ".ecsv" else Table.read(path, hdu="FLUXPOINTS")
        assert written.colnames == shown.colnames
        assert written.meta["SED_TYPE"] == shown.meta["SED_TYPE"] == sed_type
        assert written.meta["UL_CONF"] == shown.meta["UL_CONF"]
        for name in shown.colnames:
            assert written[name].unit == shown[name].unit
            np.testing.assert_array_equal(written[name], shown[name])


def test_points_without_a_scan_are_written(tmp_path):
    ds = points().drop_vars(["stat_scan", "norm_scan"])
    path = write_flux_points(ds, tmp_path / "points.fits")
    assert "norm_scan" not in read_flux_points(without_our_table(path)).dims


def write_table(path, **columns):
    """Write a table of (values, unit) as another program would."""
    table = Table({name: values for name, (values, _) in columns.items()})
    for name, (_, unit) in columns.items():
        table[name].unit = unit
    table.write(path)
    return path


def test_points_with_energies_only_get_edges_half_way_and_a_reference(tmp_path):
    energies = np.array([10.0, 1.0, 100.0])
    path = write_table(
        tmp_path / "points.fits",
        e_ref=(energies * 1e3, "GeV"),
        dnde=(np.array([2e-14, 1e-12, np.nan]) * 1e4, "m-2 s-1 TeV-1"),
        dnde_ul=(np.array([np.nan, np.nan, 1e-15]) * 1e4, "m-2 s-1 TeV-1"),
    )
    ds = read_flux_points(path)
    np.testing.assert_allclose(ds["energy"], [1, 10, 100], rtol=1e-14)
    np.testing.assert_allclose(ds["energy_bounds"], Axis.from_nodes("energy", [1, 10, 100], "TeV", "log").bounds)
    np.testing.assert_allclose(ds["ref_dnde"], [1e-12, 1e-14, 1e-16], rtol=1e-14)
    np.testing.assert_allclose(ds["norm"], [1, 2, np.nan], rtol=1e-14)
    assert float(ds["norm_ul"][2]) == pytest.approx(10)
    assert ds["is_ul"].values.tolist() == [False, False, True]
    assert ds["success"].values.tolist() == [True, True, False]


def test_the_reference_of_points_without_one_is_a_power_law(tmp_path):
    path = write_table(
        tmp_path / "points.fits",
        e_min=([1.0, 4.0], "TeV"),
        e_max=([4.0, 9.0], "TeV"),
        eflux=([3.0, 2.0], "erg cm-2 s-1"),
    )
    ds = read_flux_points(path)
    np.testing.assert_allclose(ds["energy"], [2, 6])
    np.testing.assert_allclose(ds["ref_flux"], [1e-12 * 0.75, 1e-12 * (1 / 4 - 1 / 9)], rtol=1e-14)
    np.testing.assert_allclose(ds["ref_eflux"], 1e-12 * np.log([4, 9 / 4]), rtol=1e-14)
    np.testing.assert_allclose(values_of(ds, "eflux"), np.array([3, 2]) / 1.602176634, rtol=1e-14)


def test_a_scan_of_other_norms_in_each_point_is_kept(tmp_path):
    path = write_table(
        tmp_path / "points.fits",
        e_ref=([1.0, 2.0], "TeV"),
        norm=([1.0, 1.0], None),
        ref_dnde=([1e-12, 1e-13], "cm-2 s-1 TeV-1"),
        norm_scan=(np.array([[1.0, 2.0], [3.0, 4.0]]), None),
        stat_scan=(np.array([[5.0, 6.0], [7.0, 8.0]]), None),
    )
    ds = read_flux_points(path)
    assert ds["norm_scan"].dims == ("energy", "norm_scan")
    np.testing.assert_array_equal(ds["norm_scan"], [[1, 2], [3, 4]])


def test_the_published_points_of_the_crab_are_read():
    ds = read_flux_points(real_data("estimators/crab_hess_fp/crab_hess_fp.fits"))
    assert dict(ds.sizes) == {"energy": 5, "dataset": 1, "norm_scan": 11, "bound": 2}
    assert ds["counts"][:, 0].values.tolist() == [0, 241, 95, 39, 12]
    assert ds["success"].values.tolist() == [False, True, True, True, True]
    assert float(ds["norm"][3]) == pytest.approx(0.98694641, rel=1e-8)
    assert ds.attrs["n_sigma_ul"] == 3.0
    np.testing.assert_allclose(ds["norm_scan"], np.geomspace(0.2, 5, 11), rtol=1e-12)


@pytest.mark.parametrize("ending", [".txt", ".zarr", ""])
def test_raises_for_another_ending(tmp_path, ending):
    with pytest.raises(ConfigError, match=r"ends in \.fits or \.fits\.gz or \.ecsv"):
        write_flux_points(points(), tmp_path / f"points{ending}")


@pytest.mark.parametrize("call", [write_flux_points, lambda ds, path, kind: read_flux_points(path, kind)])
def test_raises_for_an_unknown_sed_type(tmp_path, call):
    with pytest.raises(ConfigError, match=r"no 'likelyhood'\. Did you mean 'likelihood'"):
        call(points(), tmp_path / "points.fits", "likelyhood")


@pytest.mark.parametrize("ending", [".fits", ".ecsv"])
def test_raises_for_an_existing_file(tmp_path, ending):
    path = write_flux_points(points(), tmp_path / f"points{ending}")
    with pytest.raises(OutputExistsError):
        write_flux_points(points(), path)
    write_flux_points(points(), path, overwrite=True)


def test_raises_for_a_missing_folder(tmp_path):
    with pytest.raises(OutputError, match="there is no folder"):
        write_flux_points(points(), tmp_path / "nowhere" / "points.fits")


@pytest.mark.parametrize("ending", [".fits", ".ecsv"])
def test_raises_for_a_missing_file_and_names_it(tmp_path, ending):
    with pytest.raises(MissingInputError, match="There is no file"):
        read_flux_points(tmp_path / f"points{ending}")


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "# %ECSV 1.0\n# ---\n# datatype: 3\na\n1\n"])
def test_raises_for_text_that_is_not_ecsv(tmp_path, text):
    (tmp_path / "points.ecsv").write_text(text)
    with pytest.raises(InputError, match="is not an ECSV table"):
        read_flux_points(tmp_path / "points.ecsv")


def test_raises_for_another_table_and_lists_what_it_holds(tmp_path):
    path = write_table(tmp_path / "odd.fits", a=([1.0], None))
    with pytest.raises(InputError, match=r"no table of flux points.*it has PRIMARY, HDU1"):
        read_flux_points(path)


def test_raises_for_points_without_a_quantity(tmp_path):
    path = write_table(tmp_path / "odd.fits", e_ref=([1.0], "TeV"))
    with pytest.raises(InputError, match="holds none of norm, dnde, flux, eflux, e2dnde; it has E_REF"):
        read_flux_points(path)


def test_raises_for_a_unit_of_another_dimension(tmp_path):
    path = write_table(tmp_path / "odd.fits", e_ref=([1.0, 2.0], "m"), dnde=([1.0, 2.0], None))
    with pytest.raises(InputError, match="column 'e_ref' has the unit 'm'; expected one that converts to 'TeV'"):
        read_flux_points(path)

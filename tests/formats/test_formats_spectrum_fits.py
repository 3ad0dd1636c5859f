import gzip
import io

import dask.array
import numpy as np
import pytest
import xarray as xr
from astropy.io import fits
from format_samples import spectra
from hypothesis import given, settings
from hypothesis import strategies as st

from xgamma.axes import Axis
from xgamma.errors import ConfigError, DataError, InputError, MissingInputError, OutputExistsError
from xgamma.formats.spectrum_fits import read_spectrum_fits, write_spectrum_fits
from xgamma.geometry import separation, to_frame
from xgamma.grid import Circle, RegionSpace

PEER_HDUS = ["COUNTS", "EXPOSURE", "EDISP", "EDISP_EXPOSURE", "MASK_SAFE", "COUNTS_OFF", "ACCEPTANCE", "ACCEPTANCE_OFF"]


@pytest.mark.some_long(3)
@pytest.mark.parametrize("ending", [".fits", ".fits.gz"])
@pytest.mark.parametrize("options", [{}, {"n_rows": 1}, {"on_off": False}, {"n_region": 2}, {"frame": "galactic"}])
def test_spectra_come_back_identical(tmp_path, ending, options):
    ds = spectra(**options)
    path = write_spectrum_fits(ds, tmp_path / f"crab{ending}")
    back = read_spectrum_fits(path)
    xr.testing.assert_identical(back, ds)
    assert {name: back[name].dtype for name in back.variables} == {name: ds[name].dtype for name in ds.variables}


@settings(max_examples=15, deadline=None)
@given(
    shape=st.fixed_dictionaries({name: st.integers(1, 4) for name in ("n_rows", "n_energy", "n_true", "n_off")}),
    seed=st.integers(0, 99),
    value=st.floats(),
)
def test_any_shape_and_value_comes_back_identical(tmp_path_factory, shape, seed, value):
    ds = spectra(seed=seed, **shape)
    ds["exposure"][..., 0] = value
    path = write_spectrum_fits(ds, tmp_path_factory.mktemp("any") / "crab.fits")
    xr.testing.assert_identical(read_spectrum_fits(path), ds)


def test_a_mask_of_the_fit_is_kept(tmp_path):
    ds = spectra()
    ds["mask_fit"] = ds["mask_safe"].copy()
    path = write_spectrum_fits(ds, tmp_path / "crab.fits")
    xr.testing.assert_identical(read_spectrum_fits(path), ds)
    with fits.open(path) as hdus:
        assert "MASK_FIT" in hdus


def test_lazy_spectra_are_computed_once_and_written(tmp_path):
    calls = []

    def block(values):
        calls.append(values.shape)
        return values

    ds = spectra()
    lazy = ds.assign(
        counts=(ds["counts"].dims, dask.array.from_array(ds["counts"].values).map_blocks(block, dtype=float))
    )
    calls.clear()
    path = write_spectrum_fits(lazy, tmp_path / "crab.fits")
    assert len(calls) == 1
    np.testing.assert_array_equal(read_spectrum_fits(path)["counts"], ds["counts"])


def test_the_layout_of_gammapy_is_in_double_precision(tmp_path):
    ds = spectra(n_rows=1)
    path = write_spectrum_fits(ds, tmp_path / "crab.fits")
    with fits.open(path) as hdus:
        names = [hdu.name for hdu in hdus]
        assert all(f"{name}{part}" in names for name in PEER_HDUS for part in ("", "_BANDS", "_REGION"))
        assert {"GTI", "META_TABLE", "XGAMMA"} <= set(names)
        assert all(hdus[name].columns["DATA"].format[-1] in "DL" for name in PEER_HDUS)
        np.testing.assert_array_equal(hdus["EDISP"].data["DATA"][:, :, 0, 0], ds["edisp"][0, 0])
        assert hdus["EDISP"].header["AXCOLS2"] == "ENERGY_TRUE_MIN,ENERGY_TRUE_MAX"
        np.testing.assert_array_equal(hdus["EDISP_BANDS"].data["E_MIN"], np.tile(ds["energy_bounds"][:, 0], 7))
        assert hdus["COUNTS_REGION"].header["CRVAL1"] == 83.633
        assert hdus["EXPOSURE"].header["LIVETIME"] == pytest.approx(float(ds["livetime"][0]), rel=1e-15)
        assert len(hdus["GTI"].data) == 2
        assert len(hdus["COUNTS_OFF_REGION"].data) == 3


def without_our_table(path, target):
    with fits.open(path) as hdus:
        del hdus["XGAMMA"], hdus[0].header["XGAMMA"]
        hdus.writeto(target)
    return target


@pytest.mark.parametrize("frame", ["icrs", "galactic"])
def test_a_file_without_our_table_is_read_as_the_first_row(tmp_path, frame):
    ds = spectra(frame=frame)
    path = write_spectrum_fits(ds, tmp_path / "crab.fits")
    back = read_spectrum_fits(without_our_table(path, tmp_path / "peer.fits"))
    first = ds.isel(dataset=[0]).drop_vars(["offset", "ledger", "interval"])
    first.attrs["release"], first.attrs["outcome_details"] = "", '[""]'
    projected = {"region_radius": 1e-14, "off_lon": 1e-14, "off_lat": 1e-14, "off_radius": 1e-9}
    for name, tolerance in projected.items():
        np.testing.assert_allclose(back[name], first[name], rtol=tolerance)
    xr.testing.assert_identical(back.drop_vars([*projected, "interval"]), first.drop_vars(projected))
    assert back["region_lon"].attrs["frame"] == frame


def test_a_region_in_galactic_coordinates_is_written_at_its_position(tmp_path):
    crab = Circle(184.5575, -5.7844, 0.11, "galactic")
    ds = spectra(n_rows=1).assign_coords(RegionSpace((crab,)).coords())
    back = read_spectrum_fits(
        without_our_table(write_spectrum_fits(ds, tmp_path / "crab.fits"), tmp_path / "peer.fits")
    )
    assert back["region_lon"].attrs["frame"] == "icrs"
    assert separation(back["region_lon"], back["region_lat"], *to_frame(184.5575, -5.7844, "galactic", "icrs")) < 1e-9


def test_a_file_with_a_known_background_of_another_program_has_no_off_counts(tmp_path):
    ds = spectra(n_rows=1, on_off=False)
    path = write_spectrum_fits(ds, tmp_path / "crab.fits")
    back = read_spectrum_fits(without_our_table(path, tmp_path / "peer.fits"))
    np.testing.assert_array_equal(back["background"], ds["background"])
    assert "counts_off" not in back
    np.testing.assert_array_equal(back["acceptance"], 1.0)


def test_a_stack_has_no_off_regions_when_read_back(tmp_path):
    ds = spectra(n_rows=1).drop_vars(["off_lon", "off_lat", "off_radius", "off_number"])
    path = write_spectrum_fits(ds, tmp_path / "stack.fits")
    assert "off_lon" not in read_spectrum_fits(without_our_table(path, tmp_path / "peer.fits"))


def test_axes_read_from_the_bands_are_those_of_axis(tmp_path):
    ds = spectra(n_rows=1)
    path = write_spectrum_fits(ds, tmp_path / "crab.fits")
    back = read_spectrum_fits(without_our_table(path, tmp_path / "peer.fits"))
    for name in ("energy", "energy_true"):
        assert Axis.from_coords(back.coords, name) == Axis.from_coords(ds.coords, name)


def test_the_same_spectra_give_the_same_bytes(tmp_path):
    one, two = (write_spectrum_fits(spectra(), tmp_path / name) for name in ("a.fits.gz", "b.fits.gz"))
    assert one.read_bytes() == two.read_bytes()


def test_raises_for_an_ending_other_than_fits(tmp_path):
    with pytest.raises(ConfigError, match=r"ends in \.fits or \.fits\.gz, got 'crab\.zarr'"):
        write_spectrum_fits(spectra(), tmp_path / "crab.zarr")


def test_raises_for_an_existing_file(tmp_path):
    path = write_spectrum_fits(spectra(), tmp_path / "crab.fits")
    with pytest.raises(OutputExistsError):
        write_spectrum_fits(spectra(), path)
    write_spectrum_fits(spectra(n_rows=1), path, overwrite=True)
    assert read_spectrum_fits(path).sizes["dataset"] == 1


def test_raises_for_missing_variables_and_writes_nothing(tmp_path):
    with pytest.raises(DataError, match="exposure_edisp is missing"):
        write_spectrum_fits(spectra().drop_vars("exposure_edisp"), tmp_path / "crab.fits")
    assert list(tmp_path.iterdir()) == []


def test_raises_for_a_dataset_without_rows(tmp_path):
    with pytest.raises(DataError, match="no spectrum to write"):
        write_spectrum_fits(spectra().isel(dataset=slice(0)), tmp_path / "crab.fits")


def test_raises_for_a_missing_file_and_names_it(tmp_path):
    with pytest.raises(MissingInputError, match=r"There is no file .*gone.fits"):
        read_spectrum_fits(tmp_path / "gone.fits")


def test_raises_for_a_folder_in_place_of_a_fits_file(tmp_path):
    with pytest.raises(InputError, match="is a folder"):
        read_spectrum_fits(tmp_path)


@pytest.mark.parametrize("content", [b"", b"hello", gzip.compress(b"hello")])
def test_raises_for_a_file_that_is_not_fits(tmp_path, content):
    (tmp_path / "odd.fits").write_bytes(content)
    with pytest.raises(InputError, match="is not a FITS file"):
        read_spectrum_fits(tmp_path / "odd.fits")


@pytest.mark.parametrize("ending", [".fits", ".fits.gz"])
@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.9, 0.98])
def test_raises_for_a_truncated_file(tmp_path, ending, fraction):
    path = write_spectrum_fits(spectra(), tmp_path / f"crab{ending}")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * fraction)])
    with pytest.raises(InputError, match="truncated"):
        read_spectrum_fits(path)


def test_raises_for_a_file_cut_between_two_tables(tmp_path):
    path = write_spectrum_fits(spectra(), tmp_path / "crab.fits")
    with fits.open(path) as hdus:
        del hdus["XGAMMA"]
        hdus.writeto(path, overwrite=True)
    with pytest.raises(InputError, match="has lost its table XGAMMA"):
        read_spectrum_fits(path)


@pytest.mark.parametrize("name", ["COUNTS", "EXPOSURE", "EDISP", "COUNTS_BANDS"])
def test_raises_for_a_missing_hdu_and_names_it(tmp_path, name):
    path = write_spectrum_fits(spectra(), tmp_path / "crab.fits")
    with fits.open(path) as hdus:
        del hdus["XGAMMA"], hdus[0].header["XGAMMA"], hdus[name]
        hdus.writeto(path, overwrite=True)
    with pytest.raises(InputError, match=f"has no HDU {name}; it has PRIMARY"):
        read_spectrum_fits(path)


def test_raises_for_another_fits_file_and_lists_its_hdus(tmp_path):
    buffer = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.zeros((2, 2)), name="SKY")]).writeto(buffer)
    (tmp_path / "map.fits").write_bytes(buffer.getvalue())
    with pytest.raises(InputError, match="has no HDU COUNTS"):
        read_spectrum_fits(tmp_path / "map.fits")


@pytest.mark.some_long(3)
@pytest.mark.parametrize("name", ["Krebs-ä", "Crab|1", "tab\t", "a/b", "", "蟹", "a" * 300])
def test_any_name_and_telescope_come_back(tmp_path, name):
    ds = spectra(n_rows=1).assign_coords(dataset=[name]).assign_attrs(telescope="Čerenkov")
    path = write_spectrum_fits(ds, tmp_path / "one.fits")
    xr.testing.assert_identical(read_spectrum_fits(path), ds)
    assert fits.getheader(path)["NAME"].isascii()

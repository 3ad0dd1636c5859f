from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xgamma.errors import DataError, InputError
from xgamma.formats.fits.dataset_table import NAME, dataset_from_table, dataset_hdu
from xgamma.formats.fits.hdus import fits_content, read_hdu_tables
from xgamma.formats.local_files import write_files


def through_file(ds, folder):
    path = folder / "any.fits"
    write_files({path: fits_content([dataset_hdu(ds)])}, overwrite=True)
    return dataset_from_table(read_hdu_tables(path)[NAME])


DTYPES = st.sampled_from(["f8", "f4", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?", "U3"])
SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=5)
VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT
ATTRS = st.dictionaries(
    st.text("abc", min_size=1, max_size=3), VALUES | st.lists(VALUES, max_size=3) | st.tuples(VALUES)
)


@st.composite
def datasets(draw):
    variables = {}
    for number in range(draw(st.integers(0, 3))):
        values = draw(hnp.arrays(draw(DTYPES), draw(SHAPES)))
        dims = [f"dim_{number}_{axis}" for axis in range(values.ndim)]
        variables[f"variable_{number}"] = (dims, values, draw(ATTRS))
    return xr.Dataset(variables, attrs=draw(ATTRS))


@settings(deadline=None)
@given(ds=datasets())
def test_any_dataset_comes_back_identical(ds, tmp_path_factory):
    back = through_file(ds, tmp_path_factory.mktemp("any"))
    xr.testing.assert_identical(back, ds)
    assert {name: back[name].dtype for name in back} == {name: ds[name].dtype for name in ds}


def test_arrays_and_scalars_of_numpy_in_attrs_come_back_as_they_were(tmp_path):
    attrs = {"flags": np.array([0, 1], np.int8), "number": np.float32(0.1), "nested": {"a": [1, (2.5, None)]}}
    back = through_file(xr.Dataset(attrs=attrs), tmp_path)
    assert back.attrs["flags"].dtype == np.int8
    assert isinstance(back.attrs["number"], np.float32)
    assert back.attrs["nested"] == {"a": [1, (2.5, None)]}


def test_coordinates_stay_coordinates(tmp_path):
    ds = xr.Dataset({"a": ("x", [1.0, 2.0])}, {"x": ["one", "three"], "label": ("x", [1, 2])})
    back = through_file(ds, tmp_path)
    xr.testing.assert_identical(back, ds)
    assert back.sel(x="three").a == 2.0


def test_columns_have_shapes_and_units_that_any_reader_sees(tmp_path):
    ds = xr.Dataset({"exposure": (("dataset", "energy_true"), np.ones((2, 3)), {"units": "m2 s"})})
    write_files({tmp_path / "a.fits": fits_content([dataset_hdu(ds)])})
    with fits.open(tmp_path / "a.fits") as hdus:
        assert hdus[NAME].columns["exposure"].unit == "m2 s"
        assert hdus[NAME].data["exposure"].shape == (1, 2, 3)


@pytest.mark.parametrize("values", [np.array([1j]), np.array(["2020-01-01"], "M8[s]"), np.array([1, "a"], object)])
def test_raises_for_other_types(values):
    with pytest.raises(DataError, match=r"Variable 'a'.*numbers, logicals and text"):
        dataset_hdu(xr.Dataset({"a": ("x", values)}))


def test_raises_for_an_attribute_that_is_an_object():
    with pytest.raises(DataError, match="attribute of the attributes is a object"):
        dataset_hdu(xr.Dataset(attrs={"a": object()}))


def test_raises_for_the_table_of_a_newer_version(tmp_path):
    hdu = dataset_hdu(xr.Dataset())
    newer = replace(hdu, header={**hdu.header, "LAYOUT": 99})
    write_files({tmp_path / "new.fits": fits_content([newer])})
    with pytest.raises(InputError, match=r"written by a newer xgamma.*Update"):
        dataset_from_table(read_hdu_tables(tmp_path / "new.fits")[NAME])


@pytest.mark.parametrize("names", [("a", "A"), ("document",), ("µ",)])
def test_raises_for_names_that_fits_cannot_hold(names):
    with pytest.raises(DataError, match="cannot be a column of FITS"):
        dataset_hdu(xr.Dataset(dict.fromkeys(names, 1.0)))


def test_a_unit_beyond_ascii_is_kept_in_the_document(tmp_path):
    ds = xr.Dataset({"a": ("x", [1.0], {"units": "µs"})})
    xr.testing.assert_identical(through_file(ds, tmp_path), ds)

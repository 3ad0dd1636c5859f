"""GADF files as other readers see them."""

import gzip

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from xgamma.axes import Axis
from xgamma.errors import DataError, OutputError
from xgamma.formats.fits.encoding import PRIMARY, Column, Hdu, hdu_bytes, header_bytes
from xgamma.formats.gadf.layouts import LAYOUTS
from xgamma.formats.gadf.write import (
    IndexedHdu,
    events_hdu,
    gti_hdu,
    hdu_index_hdu,
    irf_hdu,
    obs_index_hdu,
    write_fits,
    write_index,
)

AXES = {
    "energy": Axis.from_bounds("energy", 0.1, 10.0, 3),
    "energy_true": Axis.from_bounds("energy_true", 0.1, 10.0, 4),
    "migra": Axis.from_bounds("migra", 0.2, 3.0, 5, "", "lin"),
    "offset": Axis.from_nodes("offset", [0.0, 1.0], "deg", "lin"),
    "rad": Axis.from_bounds("rad", 0.0, 0.6, 6, "deg", "lin"),
    "fov_lon": Axis.from_bounds("fov_lon", -2.0, 2.0, 7, "deg", "lin"),
    "fov_lat": Axis.from_bounds("fov_lat", -2.0, 2.0, 8, "deg", "lin"),
}


def opened(tmp_path, *hdus, name="file.fits"):
    write_fits(tmp_path / name, [hdu_bytes(hdu) for hdu in hdus])
    with fits.open(tmp_path / name, memmap=False) as content:
        content.verify("exception")
        # Read before the file is closed.
        assert all(hdu.data is not None for hdu in content[1:])
        return content


def response(kind, **header):
    axes = [AXES[name] for name in LAYOUTS[kind].orders[0]]
    shape = tuple(axis.nbin for axis in axes)
    values = {
        name: np.arange(np.prod(shape), dtype=float).reshape(shape) + 100 * number
        for number, name in enumerate(LAYOUTS[kind].columns)
    }
    return axes, values, irf_hdu(kind, axes, values, header)


@pytest.mark.parametrize("kind", LAYOUTS)
def test_every_response_has_its_classes_axes_and_values(tmp_path, kind):
    axes, values, hdu = response(kind, LO_THRES=0.5)
    layout = LAYOUTS[kind]
    table = opened(tmp_path, hdu)[layout.role.upper()]
    header = table.header
    assert (header["HDUCLASS"], header["HDUCLAS1"], header["HDUCLAS2"]) == ("GADF", "RESPONSE", layout.hduclas2)
    assert (header["HDUCLAS3"], header["HDUCLAS4"], header["LO_THRES"]) == ("FULL-ENCLOSURE", kind.upper(), 0.5)
    for axis, (low, high) in zip(
        axes, zip(table.columns.names[::2], table.columns.names[1::2], strict=False), strict=False
    ):
        edges = axis.edges if axis.nodes is None else np.append(axis.center, axis.center[-1])
        np.testing.assert_array_equal(table.data[low][0], edges[:-1].astype("f4"))
        if axis.nodes is not None:
            np.testing.assert_array_equal(table.data[high][0], table.data[low][0])
    for variable, unit in layout.file_units.items():
        column = layout.columns[variable].names[0]
        assert table.columns[column].unit == (unit or None)
        np.testing.assert_array_equal(table.data[column][0], values[variable].T.astype("f4"))


def test_a_response_of_another_shape_raises():
    axes, values, _ = response("aeff_2d")
    with pytest.raises(DataError, match=r"aeff_2d: expected 'aeff' of shape \(4, 2\), got shape \(2, 4\)"):
        irf_hdu("aeff_2d", axes, {"aeff": values["aeff"].T})
    with pytest.raises(DataError, match=r"expected 'aeff' of shape \(4, 2\), got nothing"):
        irf_hdu("aeff_2d", axes, {})
    with pytest.raises(DataError, match="aeff_2d has the axes energy_true, offset; got offset, energy_true"):
        irf_hdu("aeff_2d", axes[::-1], values)


def test_events_and_good_time_keep_their_values(tmp_path):
    events = {
        "EVENT_ID": np.arange(3),
        "TIME": np.array([1.5, 2.5, 1e9 + 1e-6]),
        "ENERGY": np.array([1, 2, 3], dtype="f4"),
        "MULTIP": np.array([2, 3, 4], dtype="i2"),
    }
    gti = np.array([[1.0, 2.0], [3.0, 2e9]])
    content = opened(tmp_path, events_hdu(events, {"OBS_ID": 7, "DEADC": 0.95}), gti_hdu(gti, {"MJDREFI": 51910}))
    for name, values in events.items():
        np.testing.assert_array_equal(content["EVENTS"].data[name], values)
    assert content["EVENTS"].columns["ENERGY"].unit == "TeV"
    assert content["EVENTS"].header["OBS_ID"] == 7
    np.testing.assert_array_equal(np.stack([content["GTI"].data["START"], content["GTI"].data["STOP"]], 1), gti)


def test_an_empty_event_list_is_a_table_without_rows(tmp_path):
    assert len(opened(tmp_path, events_hdu({"TIME": np.zeros(0)}, {}))["EVENTS"].data) == 0


def test_index_files_are_tables(tmp_path):
    rows = [
        IndexedHdu(1, "events", "events", "data", "a.fits", "EVENTS", 10),
        IndexedHdu(1, "psf", "psf_3gauss", "data", "longer.fits", "PSF", 20),
    ]
    write_index(tmp_path, obs_index_hdu([Column("OBS_ID", np.array([1]))], {"MJDREFI": 51910}), hdu_index_hdu(rows))
    index = Table.read(tmp_path / "hdu-index.fits.gz")
    assert [str(name).strip() for name in index["FILE_NAME"]] == ["a.fits", "longer.fits"]
    assert [str(name).strip() for name in index["HDU_CLASS"]] == ["events", "psf_3gauss"]
    assert Table.read(tmp_path / "obs-index.fits.gz")["OBS_ID"].tolist() == [1]


def test_text_that_is_not_ascii_raises():
    with pytest.raises(DataError, match="FITS holds ASCII text only"):
        hdu_index_hdu([IndexedHdu(1, "events", "events", "dätä", "a.fits", "EVENTS", 1)])


def test_the_ending_of_the_name_says_whether_it_is_compressed(tmp_path):
    hdu = hdu_bytes(Hdu("X", [Column("A", np.arange(1000))]))
    plain, packed = (write_fits(tmp_path / name, [hdu]) for name in ("x.fits", "x.fits.gz"))
    assert plain == (tmp_path / "x.fits").stat().st_size == len(header_bytes(PRIMARY)) + len(hdu)
    assert packed == (tmp_path / "x.fits.gz").stat().st_size < plain
    assert gzip.decompress((tmp_path / "x.fits.gz").read_bytes()) == (tmp_path / "x.fits").read_bytes()


def test_an_unwritable_path_raises(tmp_path):
    with pytest.raises(OutputError, match="cannot be written"):
        write_fits(tmp_path / "absent" / "x.fits", [])

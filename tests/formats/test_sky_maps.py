"""Maps of the sky in FITS: written and read back, and read as the Fermi tools, HAWC and SWGO write them."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from xgamma.axes import Axis
from xgamma.formats.sky_maps.files import read_map, read_maps, write_map, write_maps
from xgamma.formats.sky_maps.sky_map import SkyMap
from xgamma.geometry import separation, to_frame
from xgamma.grid import SkySpace

SPACE = SkySpace(320.3, -1.2, "galactic", 0.1, (8, 6))
ENERGY = Axis.from_bounds("energy", 0.5, 20, 3)
TRUE = Axis.from_bounds("energy_true", 0.3, 30, 4)
RAD = Axis.from_bounds("rad", 0, 0.66, 66, "deg", "lin")


def values(*axes, dtype=np.float64):
    shape = (*(axis.nbin for axis in axes), *SPACE.shape)
    return np.arange(np.prod(shape), dtype=dtype).reshape(shape)


def a_map(*axes, unit="", name="", meta=None):
    return SkyMap.of_space(values(*axes), axes, SPACE, unit, name, meta)


# --- ours


@pytest.mark.parametrize("name", ["maps.fits", "maps.fits.gz"])
def test_maps_read_back_as_they_were_written(tmp_path, name):
    maps = [
        a_map(ENERGY, unit="m2 s", meta={"livetime": "3 s"}),
        a_map(TRUE, ENERGY, name="EDISP"),
        a_map(TRUE, RAD, unit="sr-1", name="PSF"),
        a_map(Axis("energy", np.array([1.0, 2.0, 20.0])), name="UNEVEN"),
        a_map(Axis.from_nodes("energy_true", [1.0, 2.0, 20.0], "TeV", "log"), unit="cm-2 s-1 TeV-1 sr-1", name="NODES"),
        a_map(name="PLANE"),
    ]
    found = read_maps(write_maps(maps, tmp_path / name))
    assert list(found) == ["PRIMARY", "EDISP", "PSF", "UNEVEN", "NODES", "PLANE"]
    for one, other in zip(maps, found.values(), strict=True):
        np.testing.assert_array_equal(one.values, other.values)
        assert (one.axes, one.space) == (other.axes, other.space)
        assert (one.unit, one.name, one.meta) == (other.unit, other.name, other.meta)


@pytest.mark.parametrize("frame", ["icrs", "galactic"])
def test_the_image_of_a_space_comes_back_from_its_wcs(tmp_path, frame):
    space = SkySpace(83.633, 22.014, frame, 0.02, (7, 4))
    path = write_map(SkyMap.of_space(np.zeros(space.shape), (), space), tmp_path / "map.fits")
    assert read_map(path).space == space


@pytest.mark.parametrize("frame", ["icrs", "galactic"])
def test_pixels_of_the_wcs_are_those_of_the_space(frame):
    space = SkySpace(83.633, -72.014, frame, 0.5, (30, 20))
    lon, lat = space.positions()
    cells = space.cells(lon, lat)
    np.testing.assert_array_equal(cells.cell, np.arange(600))
    wcs = SkyMap.of_space(np.zeros(space.shape), (), space).wcs
    y, x = np.mgrid[:20, :30]
    native = wcs.wcs_pix2world(x.ravel(), y.ravel(), 0)
    assert separation(*to_frame(*native, frame, "icrs"), lon, lat).max() < 1e-9


@pytest.mark.parametrize("name", ["MASK_SAFE", "a_mask", "IS_UL", "success_2"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.int64, np.uint16])
def test_whole_numbers_are_truths_where_their_name_says_so(tmp_path, name, dtype):
    path = tmp_path / "mask.fits"
    write_map(a_map(name="X"), path)
    numbers = np.tile(np.array([0, 1, 2, 0], dtype), (2, 1))
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(numbers, fits.getheader(path, "X"), name=name)]).writeto(
        path, overwrite=True
    )
    found = read_map(path).values
    assert found.dtype == bool
    np.testing.assert_array_equal(found, numbers != 0)


def test_whole_numbers_of_0_and_1_stay_numbers_under_another_name(tmp_path):
    mask = SkyMap.of_space(values() % 2 == 0, (), SPACE, name="COUNTS")
    found = read_map(write_map(mask, tmp_path / "counts.fits")).values
    assert found.dtype == np.uint8
    assert (
        read_map(
            write_map(SkyMap.of_space(values() % 2 == 0, (), SPACE, name="MASK"), tmp_path / "m.fits")
        ).values.dtype
        == bool
    )


def test_blank_and_not_a_number_are_nan(tmp_path):
    path = tmp_path / "blank.fits"
    header = fits.getheader(write_map(a_map(), tmp_path / "map.fits"))
    header["BLANK"] = -99
    fits.writeto(path, np.array([[1, -99], [3, 4]], np.int16), header)
    np.testing.assert_array_equal(read_map(path).values, [[1, np.nan], [3, 4]])
    numbers = np.where(values() > 5, np.nan, np.inf)
    each = SkyMap.of_space(numbers, (), SPACE)
    np.testing.assert_array_equal(read_map(write_map(each, path, overwrite=True)).values, numbers)


def test_the_third_axis_is_described_for_viewers(tmp_path):
    path = write_maps([a_map(ENERGY), a_map(TRUE, RAD, name="PSF")], tmp_path / "map.fits")
    wcs = WCS(fits.getheader(path))
    assert list(wcs.wcs.ctype) == ["GLON-CAR", "GLAT-CAR", "ENER-LOG"]
    energies = wcs.wcs_pix2world([[0, 0, number] for number in range(3)], 0)[:, 2]
    # The library of the standard has energies in J, by an elementary charge of its time.
    np.testing.assert_allclose(energies / energies[0], ENERGY.center / ENERGY.center[0], rtol=1e-12)
    np.testing.assert_allclose(energies / 1.602176634e-7, ENERGY.center, rtol=1e-6)
    np.testing.assert_allclose(WCS(fits.getheader(path, "PSF")).wcs_pix2world([[0, 0, 7, 0]], 0)[:, 2], RAD.center[7])

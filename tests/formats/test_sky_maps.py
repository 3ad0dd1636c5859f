"""Maps of the sky in FITS: written and read back, and read as the Fermi tools, HAWC and SWGO write them."""

from __future__ import annotations

import re

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st
from test_fits_security import said, with_cards, with_changes

from xgamma.axes import Axis
from xgamma.dialects import fits_unit
from xgamma.errors import InputError, LaterError, MissingHduError, MissingInputError, OutputExistsError
from xgamma.formats.sky_maps.files import maps_content, read_map, read_maps, write_map, write_maps
from xgamma.formats.sky_maps.sky_map import SkyMap
from xgamma.geometry import separation, to_frame
from xgamma.sky import SkySpace
from xgamma.units import unit_factor

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


@pytest.mark.some_long(3)
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


# --- as others write them


def image_header(**cards):
    header = fits.Header()
    usual = {"CTYPE1": "GLON-CAR", "CRPIX1": 2.5, "CRVAL1": 0.0, "CDELT1": -0.5, "CUNIT1": "deg"}
    usual |= {"CTYPE2": "GLAT-CAR", "CRPIX2": 2.0, "CRVAL2": 0.0, "CDELT2": 0.5, "CUNIT2": "deg"}
    header.update(usual | cards)
    return header


FERMI = {
    "CTYPE3": "photon energy", "CRPIX3": 1.0, "CRVAL3": 100.0, "CDELT3": 10.0, "CUNIT3": "MeV", "TELESCOP": "GLAST"
}  # fmt: skip


def band_table(name, columns, **cards):
    table = fits.BinTableHDU.from_columns(
        [
            fits.Column(each, f"{np.size(array[0])}D", unit=unit, array=np.array(array, float))
            for each, unit, array in columns
        ],
        name=name,
    )
    table.header.update(cards)
    return table


def written(path, *hdus):
    first = [] if isinstance(hdus[0], fits.PrimaryHDU) else [fits.PrimaryHDU()]
    fits.HDUList([*first, *hdus]).writeto(path)
    return path


def primary(shape=(2, 3, 4), **cards):
    return fits.PrimaryHDU(np.arange(np.prod(shape), dtype=np.float32).reshape(shape), image_header(**cards))


@pytest.mark.parametrize("unit", ["keV", None])
def test_a_counts_cube_of_the_fermi_tools_has_the_energies_of_its_table(tmp_path, unit):
    bounds = band_table(
        "EBOUNDS", [("CHANNEL", None, [1, 2]), ("E_MIN", unit, [1e8, 1e9]), ("E_MAX", unit, [1e9, 1e10])]
    )
    found = read_map(written(tmp_path / "ccube.fits", primary(**FERMI), bounds))
    assert [(axis.name, axis.scale, axis.unit) for axis in found.axes] == [("energy", "log", "TeV")]
    np.testing.assert_allclose(found.axes[0].edges, [0.1, 1.0, 10.0], rtol=1e-14)
    assert (found.unit, found.frame) == ("", "galactic")


@pytest.mark.parametrize("unit", ["MeV", None])
def test_an_exposure_cube_of_the_fermi_tools_is_at_energies_in_mev(tmp_path, unit):
    energies = band_table("ENERGIES", [("Energy", unit, [1e4, 1e5])])
    found = read_map(written(tmp_path / "expcube.fits", primary(**FERMI), energies))
    [axis] = found.axes
    assert (axis.name, axis.scale, found.unit) == ("energy_true", "log", "")
    np.testing.assert_allclose(axis.center, [0.01, 0.1], rtol=1e-14)
    np.testing.assert_allclose(axis.edges, [10**-2.5, 10**-1.5, 10**-0.5], rtol=1e-14)


def test_a_diffuse_model_with_another_table_has_the_same_axis(tmp_path):
    columns = [("CHANNEL", None, [0, 1]), ("ENERGY", "MeV", [1e4, 1e5])]
    bands = band_table("PRIMARY_BANDS", columns, AXCOLS1="ENERGY")
    found = read_map(written(tmp_path / "bands.fits", primary(**FERMI, BANDSHDU="PRIMARY_BANDS"), bands)).axes[0]
    energies = band_table("ENERGIES", [("Energy", None, [1e4, 1e5])])
    same = read_map(written(tmp_path / "energies.fits", primary(**FERMI), energies)).axes[0]
    assert (found.name, found.scale) == ("energy", "log")
    np.testing.assert_array_equal(found.edges, same.edges)


def test_longitude_may_grow_to_the_right(tmp_path):
    found = read_map(written(tmp_path / "east.fits", primary((3, 4), CDELT1=0.5)))
    space = found.space
    assert space.aspect == -1
    lon, _ = to_frame(*space.sky_of(np.array([1.0, 2.0]), np.array([1.0, 1.0])), "icrs", "galactic")
    assert (lon[1] - lon[0]) % 360 == pytest.approx(0.5, abs=1e-9)


@pytest.mark.parametrize(
    ("columns", "unit", "name"),
    [
        ([("RAD_MIN", "deg", [0, 1]), ("RAD_MAX", "deg", [1, 2])], "sr-1", "rad"),
        ([("RAD_MIN", "rad", np.deg2rad([0, 1])), ("RAD_MAX", "rad", np.deg2rad([1, 2]))], "deg-2", "rad"),
        ([("THETA", "rad", np.deg2rad([0.5, 1.5]))], "sr-1", "theta"),
        ([("THETA", "deg", [0.5, 1.5])], "1/sr", "theta"),
    ],
)
@pytest.mark.parametrize(
    ("energy", "edges"), [("ENERGY_TRUE_MIN,ENERGY_TRUE_MAX", "energy_true"), ("E_MIN,E_MAX", "energy")]
)
@pytest.mark.parametrize(("energy_unit", "factor"), [("GeV", 1000.0), ("TeV", 1.0)])
def test_point_spread_functions_are_read_in_any_unit(tmp_path, columns, unit, name, energy, edges, energy_unit, factor):
    low, high = energy.split(",")
    repeated = [(each, own, np.tile(array, 3)) for each, own, array in columns]
    table = band_table(
        "PSF_BANDS",
        [
            *repeated,
            (low, energy_unit, np.repeat([1, 2, 4], 2) * factor),
            (high, energy_unit, np.repeat([2, 4, 8], 2) * factor),
        ],
        AXCOLS1=",".join(each for each, _, _ in columns),
        AXCOLS2=energy,
    )
    # Two pixels for the whole sky, as HAWC and SWGO have them, each 360 deg wide.
    header = image_header(CDELT1=-360.0, CDELT2=180.0, CRPIX1=1.5, CRPIX2=1.0, BUNIT=unit, BANDSHDU="PSF_BANDS")
    values = np.arange(12.0).reshape(3, 2, 1, 2)
    found = read_map(written(tmp_path / "psf.fits", fits.ImageHDU(values, header, name="PSF"), table), "psf")
    assert [axis.name for axis in found.axes] == [edges, name]
    np.testing.assert_allclose(found.axes[0].edges, [1, 2, 4, 8], rtol=1e-14)
    np.testing.assert_allclose(found.axes[1].center, [0.5, 1.5], rtol=1e-14)
    np.testing.assert_array_equal(found.values, values)
    assert (found.unit, found.npix) == (unit, (2, 1))


def test_a_background_of_one_transit_keeps_its_unit(tmp_path):
    bounds = band_table("B_BANDS", [("E_MIN", "TeV", [1, 2]), ("E_MAX", "TeV", [2, 4])], AXCOLS1="E_MIN,E_MAX")
    header = image_header(BUNIT="TeV-1 sr-1 transit-1", BANDSHDU="B_BANDS")
    path = written(tmp_path / "bkg.fits", fits.ImageHDU(np.ones((2, 3, 4)), header, name="B"), bounds)
    assert read_map(path).unit == "TeV-1 sr-1 transit-1"
    # Times the number of transits it is a background.
    assert fits_unit("TeV-1 sr-1 transit-1") * fits_unit("transits") == fits_unit("TeV-1 sr-1")
    with pytest.raises(InputError, match="expected one that converts"):
        unit_factor("TeV-1 sr-1 transit-1", "TeV-1 sr-1", "B")


# --- damage


def test_raises_for_what_is_no_map(tmp_path):
    with pytest.raises(MissingInputError, match="There is no file"):
        read_map(tmp_path / "none.fits")
    path = written(tmp_path / "map.fits", primary((3, 4)))
    with pytest.raises(MissingHduError, match=r"has no image 'psf'; it has PRIMARY\."):
        read_map(path, "psf")
    with pytest.raises(OutputExistsError, match="exists already"):
        write_map(a_map(), path)
    (tmp_path / "cut.fits").write_bytes(path.read_bytes()[:2900])
    with pytest.raises(InputError, match="truncated"):
        read_map(tmp_path / "cut.fits")
    with pytest.raises(MissingHduError, match="has no image; it has the tables PRIMARY, EBOUNDS"):
        read_map(written(tmp_path / "table.fits", band_table("EBOUNDS", [("E_MIN", "keV", [1])])))


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (None, "is (2,) planes, and no table says what their axes are; expected PRIMARY_BANDS, EBOUNDS or ENERGIES"),
        (("EBOUNDS", [("E_MIN", "keV", [1]), ("E_MAX", "keV", [2])]), "has 1 rows; expected 2, one for each plane"),
        (("EBOUNDS", [("E_MIN", "keV", [1, 5]), ("E_MAX", "keV", [2, 9])]), "the bins of its axis 'energy' leave gaps"),
        (("EBOUNDS", [("E_MIN", "keV", [5, 1]), ("E_MAX", "keV", [9, 5])]), "the bins of its axis 'energy' leave gaps"),
        (("EBOUNDS", [("E_MIN", "m", [1, 2]), ("E_MAX", "m", [2, 3])]), "expected one that converts to 'TeV'"),
        (("ENERGIES", [("Energy", None, [[1, 2], [3, 4]])]), "ENERGY has (2,) numbers in a row; expected one"),
        (("PRIMARY_BANDS", [("X", None, [1, 2])]), "does not say which columns are axis 1 (AXCOLS)"),
        (("ENERGIES", [("Energy", None, [2, 1])]), "expected at least two ascending edges"),
        (("ENERGIES", [("Energy", None, [np.nan, 1])]), "expected at least two ascending edges"),
    ],
)
def test_raises_for_axes_that_do_not_fit(tmp_path, table, words):
    tables = [] if table is None else [band_table(*table)]
    with pytest.raises(InputError, match=re.escape(words)):
        read_map(written(tmp_path / "map.fits", primary(), *tables))


def test_healpix_and_sparse_maps_come_later(tmp_path):
    sky = band_table("HPXEXPOSURES", [("ENERGY1", None, np.zeros(12))], PIXTYPE="HEALPIX", ORDERING="RING", NSIDE=1)
    with pytest.raises(LaterError, match=r"HEALPix, which is not read yet\. Reproject it"):
        read_map(written(tmp_path / "hpx.fits", sky))
    with pytest.raises(LaterError, match="HEALPix"):
        read_map(tmp_path / "hpx.fits", "hpxexposures")
    sparse = band_table("SKYMAP", [("PIX", None, [1]), ("CHANNEL", None, [0]), ("VALUE", None, [3])])
    with pytest.raises(LaterError, match="in sparse form"):
        read_map(written(tmp_path / "sparse.fits", sparse))


def test_a_real_exposure_in_healpix_is_refused_in_a_sentence(gammapy_data):
    path = gammapy_data / "joint-crab-paper/fermi/exposure_cube.fits.gz"
    if not path.exists():
        pytest.skip("no published exposure in HEALPix at hand")
    with pytest.raises(LaterError, match="'HPXEXPOSURES' is in HEALPix"):
        read_map(path)


def test_a_real_exclusion_mask_is_read(gammapy_data):
    found = read_map(gammapy_data / "joint-crab/exclusion/exclusion_mask_crab.fits.gz")
    assert (found.values.shape, found.axes, found.space.projection) == ((250, 250), (), "TAN")


@pytest.mark.parametrize(
    "cards",
    [{"CTYPE1": "LINEAR", "CTYPE2": "LINEAR"}, {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "RADESYS": "FK4"}],
)
def test_raises_for_images_that_are_not_on_the_sky(tmp_path, cards):
    with pytest.raises(InputError, match="expected"):
        read_map(written(tmp_path / "map.fits", primary((3, 4), **cards)))


# --- any bytes


CONTENT = maps_content([a_map(ENERGY, unit="m2 s"), a_map(TRUE, RAD, name="PSF")])


@pytest.mark.filterwarnings("ignore")
@settings(deadline=None)
@given(st.one_of(with_changes(CONTENT), with_cards(CONTENT)))
def test_any_bytes_are_read_as_maps_or_raise_an_error_of_ours(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "map.fits"
    path.write_bytes(content)
    said(lambda: read_maps(path))

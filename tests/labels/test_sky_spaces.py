"""Images of the sky: pixels and positions as the FITS standard has them, exact areas, headers there and back."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from xgamma.errors import ConfigError, InputError
from xgamma.geometry import cap_area, separation, to_frame
from xgamma.grid import SkySpace
from xgamma.projections import PROJECTIONS, projection
from xgamma.sky_wcs import image_wcs, space_of_header, space_of_wcs

images = st.builds(
    SkySpace,
    lon=st.floats(0, 359.999),
    lat=st.one_of(st.floats(-90, 89.999), st.sampled_from([-90.0, 0.0, 90.0, 90.0 - 1e-14])),
    frame=st.sampled_from(["icrs", "galactic"]),
    binsize=st.floats(0.01, 1.0),
    npix=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    window=st.none(),
    projection=st.sampled_from(sorted(PROJECTIONS)),
    reference=st.one_of(st.none(), st.tuples(st.floats(-30, 30), st.floats(-30, 30))),
    aspect=st.sampled_from([1.0, -1.0, 2.0, -0.5]),
)


def whole_sky(letters, binsize=1.0, **changes):
    return SkySpace(
        0.0, 0.0, "galactic", binsize, (round(360 / binsize), round(180 / binsize)), None, letters, **changes
    )


@given(space=images)
def test_pixels_are_where_the_fits_standard_has_them(space):
    nx, ny = space.npix
    y, x = (grid.ravel() for grid in np.mgrid[:ny, :nx])
    lon, lat = to_frame(*image_wcs(space).wcs_pix2world(x, y, 0), space.frame, "icrs")
    found = space.positions()
    assert np.all(separation(*found, lon, lat) < 1e-9)
    for back, pixel in zip(space.pixels_of(*found), (x, y), strict=True):
        np.testing.assert_allclose(back, pixel, rtol=0, atol=1e-8)


@given(space=images)
def test_an_image_comes_back_from_its_header(space):
    header = image_wcs(space).to_header(relax=False)
    header["NAXIS"], header["NAXIS1"], header["NAXIS2"] = 2, *space.npix
    back = space_of_header(header)
    assert (back.frame, back.npix, back.projection) == (space.frame, space.npix, space.projection)
    # Headers hold twelve digits.
    np.testing.assert_allclose(
        [back.lon, back.lat, back.binsize, back.aspect, *back.reference_pixel],
        [space.lon, space.lat, space.binsize, space.aspect, *space.reference_pixel],
        rtol=1e-11,
        atol=1e-10,
    )
    exact = space_of_wcs(image_wcs(space))
    assert dataclasses.replace(exact, lon=space.lon, lat=space.lat, reference=space.reference) == space
    assert separation(exact.lon, exact.lat, space.lon, space.lat) < 1e-12
    np.testing.assert_allclose(exact.reference_pixel, space.reference_pixel, rtol=0, atol=1e-12)


@pytest.mark.parametrize("letters", sorted(PROJECTIONS))
def test_areas_are_those_of_much_finer_pixels(letters):
    """The sum over fine pixels of the Jacobian, by differences of positions, is the area."""
    space = SkySpace(40.0, 50.0, "icrs", 2.0, (20, 16), projection=letters)
    fine = dataclasses.replace(space, binsize=0.1, npix=(400, 320))
    nx, ny = fine.npix
    step, x, y = 1e-3, np.arange(nx), np.arange(ny)[:, None]
    east, west = (np.stack(fine.sky_of(x + side, y)) for side in (-step, step))
    down, up = (np.stack(fine.sky_of(x, y + side)) for side in (-step, step))
    across, along = (cartesian(b) - cartesian(a) for a, b in ((east, west), (down, up)))
    areas = np.linalg.norm(np.cross(across, along), axis=-1) / (2 * step) ** 2
    np.testing.assert_allclose(fine.solid_angles()[0], areas.ravel(), rtol=1e-5)
    summed = areas.reshape(16, 20, 20, 20).sum(axis=(1, 3))
    np.testing.assert_allclose(space.solid_angles()[0], summed.ravel(), rtol=1e-5)


def cartesian(lonlat):
    lon, lat = np.deg2rad(lonlat)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)


@pytest.mark.parametrize("space", [whole_sky("AIT"), whole_sky("CAR"), whole_sky("AIT", 0.7), whole_sky("CAR", 2.0)])
def test_the_areas_of_a_whole_sky_are_that_of_the_sphere(space):
    areas = space.solid_angles()
    assert areas.shape == (1, space.npix[0] * space.npix[1])
    assert areas.min() >= 0
    np.testing.assert_allclose(areas.sum(), 4 * np.pi, rtol=1e-12)


def test_pixels_beyond_an_elliptic_sky_have_no_position_and_no_events():
    space = whole_sky("AIT")
    lon, lat = space.positions()
    known = np.isfinite(lon)
    np.testing.assert_array_equal(known, np.isfinite(lat))
    x, y = (np.mgrid[:180, :360][n].ravel() - middle for n, middle in ((1, 179.5), (0, 89.5)))
    half_width, half_height = np.rad2deg(2 * np.sqrt(2)), np.rad2deg(np.sqrt(2))
    np.testing.assert_array_equal(known, (x / half_width) ** 2 + (y / half_height) ** 2 <= 1)
    areas = space.solid_angles()[0]
    # What lies on the sky of pixels whose centre does not.
    assert 0 < areas[~known].sum() < 0.01 * 4 * np.pi
    cells = space.cells(np.array([266.4, np.nan, 86.4]), np.array([-28.9, 0.0, np.nan]))
    assert cells.event.tolist() == [0]


def test_pixels_of_a_plate_carree_image_larger_than_the_sky_are_not_seen_twice():
    space = SkySpace(0.0, 0.0, "icrs", 1.0, (400, 200))
    lon, _ = space.positions()
    assert np.isfinite(lon).sum() == 360 * 180
    np.testing.assert_allclose(space.solid_angles().sum(), 4 * np.pi, rtol=1e-12)


def test_the_back_of_the_sky_is_not_on_a_tangent_plane():
    space = SkySpace(83.6, 22.0, "icrs", 0.1, (20, 20), projection="TAN")
    assert space.cells(np.array([83.6, 263.6]), np.array([22.0, -22.0])).event.tolist() == [0]


def test_a_circle_of_pixels_has_the_area_of_a_cap_in_every_projection():
    for letters in PROJECTIONS:
        space = SkySpace(300.0, -60.0, "icrs", 0.05, (200, 200), projection=letters)
        inside = separation(*space.positions(), 300.0, -60.0) < 4.0
        np.testing.assert_allclose(space.solid_angles()[0, inside].sum(), cap_area(4.0), rtol=2e-3, err_msg=letters)


@pytest.mark.parametrize("letters", sorted(PROJECTIONS))
def test_windows_hold_the_pixels_of_their_image(letters):
    space = SkySpace(10.0, 60.0, "galactic", 0.5, (30, 24), (7, 5), letters)
    origin = np.array([[3, 20], [0, 0]])
    for of_window, of_image in (
        (space.positions(origin)[0], space.image.positions()[0]),
        (space.positions(origin)[1], space.image.positions()[1]),
        (space.solid_angles(origin), space.image.solid_angles()),
    ):
        image = of_image.reshape(24, 30)
        np.testing.assert_array_equal(of_window[0], image[3:8, 20:27].ravel())
        np.testing.assert_array_equal(of_window[1], image[:5, :7].ravel())
    np.testing.assert_array_equal(space.positions(origin[0])[0], space.positions(origin)[0][0])


def test_an_image_too_large_to_be_kept_has_the_same_positions():
    space = SkySpace(10.0, 20.0, "icrs", 0.01, (1200, 1000), (3, 2))
    few = space.positions(np.array([500, 600]))
    lon, lat = space.sky_of(np.array([600, 601, 602]), np.array([[500], [501]]))
    np.testing.assert_array_equal(few, [lon.ravel(), lat.ravel()])
    wcs = image_wcs(space, (500, 600))
    np.testing.assert_allclose(wcs.wcs_pix2world([[0, 0], [2, 1]], 0).T, [lon.ravel()[[0, 5]], lat.ravel()[[0, 5]]])


def test_coordinates_give_the_space_back():
    for space in (
        whole_sky("AIT", aspect=-1.0),
        SkySpace(1.0, 2.0, "icrs", 0.1, (9, 8), (3, 4), "TAN", (0.5, -3.0), 2.0),
        SkySpace(1.0, 2.0, "icrs", 0.1, (9, 8), (3, 4)),
    ):
        coords = {name: type("Variable", (), {"attrs": attrs}) for name, (_, _, attrs) in space.coords().items()}
        assert SkySpace.from_coords(coords, space.shape) == space


def test_an_image_has_the_pixels_that_its_width_asks_for():
    space = SkySpace.of_width(83.63, 22.01, "icrs", 0.02, (4.0, 3.0), window=1.01)
    assert (space.npix, space.window) == ((200, 150), (50, 50))
    assert SkySpace.of_width(83.63, 22.01, "icrs", 0.02, (4.0, 3.0), window=3.5).window == (175, 150)
    assert SkySpace.of_width(83.63, 22.01, "icrs", 0.02, (4.0, 3.0), window=5.0).window is None
    assert SkySpace.of_width(83.63, 22.01, "icrs", 0.5, (4.0, 3.0), window=0.1).window == (1, 1)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"binsize": 5.0}, "pixels of 5 deg and an image of 4 by 3 deg; give a smaller binsize"),
        ({"binsize": 0.0}, "Expected pixels above 0 deg, got a binsize of"),
        ({"binsize": np.nan}, "Expected pixels above 0 deg, got a binsize of"),
        ({"width": (0.0, 3.0)}, "Expected an image with a width above 0 deg, got 0.0 by 3.0 deg"),
        ({"window": 0.0}, "Expected windows with a width above 0 deg, got 0 deg"),
        ({"frame": "fk4"}, "There is no frame 'fk4'"),
        ({"projection": "TANN"}, "There is no projection 'TANN' here. Did you mean 'TAN'"),
        ({"lat": 91.0}, "a latitude of -90 to 90 deg, got 83.63 and 91.0 deg"),
    ],
)
def test_an_image_that_is_none_is_refused(changes, said):
    given = {"lon": 83.63, "lat": 22.01, "frame": "icrs", "binsize": 0.02, "width": (4.0, 3.0)}
    with pytest.raises(ConfigError, match=said):
        SkySpace.of_width(**given | changes)


def test_a_window_without_pixels_is_refused():
    with pytest.raises(ConfigError, match="does not lie in an image"):
        SkySpace(0.0, 0.0, "icrs", 0.1, (10, 10), (0, 3))
    with pytest.raises(ConfigError, match="at least one pixel, got 0 by 10"):
        SkySpace(0.0, 0.0, "icrs", 0.1, (0, 10))


# --- headers of others


def header_of(**cards):
    header = fits.Header()
    usual = {
        "NAXIS": 2, "NAXIS1": 20, "NAXIS2": 10, "CTYPE1": "GLON-CAR", "CTYPE2": "GLAT-CAR", "CRVAL1": 0.0,
        "CRVAL2": 0.0, "CDELT1": -0.5, "CDELT2": 0.5, "CRPIX1": 10.5, "CRPIX2": 5.5,
    }  # fmt: skip
    for name, value in {**usual, **{name.replace("_", "-"): value for name, value in cards.items()}}.items():
        header[name] = value
    return header


def test_longitudes_may_grow_to_the_right():
    space = space_of_header(header_of(CDELT1=0.5))
    assert space.aspect == -1
    x, _ = space.pixels_of(*to_frame(1.0, 0.0, "galactic", "icrs"))
    assert x == pytest.approx(9.5 + 2.0)


def test_an_image_whose_centre_lies_far_from_its_reference_is_read():
    """Galactic longitudes of 165 to 195 deg, with the reference at 0."""
    space = space_of_header(header_of(CDELT1=-1.5, CRPIX1=130.5))
    lon, lat = to_frame(*space.positions(), "icrs", "galactic")
    y, x = (grid.ravel() for grid in np.mgrid[:10, :20])
    assert np.all(separation(lon, lat, 194.25 - 1.5 * x, 0.5 * (y - 4.5)) < 1e-9)
    cells = space.cells(*space.positions())
    np.testing.assert_array_equal(cells.cell, np.arange(200))
    np.testing.assert_allclose(space.solid_angles().sum(), np.deg2rad(30.0) * 2 * np.sin(np.deg2rad(2.5)), rtol=1e-12)


def test_two_pixels_may_be_the_whole_sky():
    """As files of point spread functions have them: pixels of 360 by 180 degrees."""
    space = space_of_header(header_of(NAXIS1=2, NAXIS2=1, CDELT1=-360.0, CDELT2=180.0, CRPIX1=1.5, CRPIX2=1.0))
    assert (space.aspect, space.binsize, space.npix) == (2.0, 180.0, (2, 1))
    np.testing.assert_allclose(space.solid_angles().sum(), 4 * np.pi, rtol=1e-12)


@pytest.mark.parametrize(
    "cards",
    [
        {"CD1_1": -0.5, "CD2_2": 0.5, "CD1_2": 0.0, "CD2_1": 0.0},
        {"CUNIT1": "arcmin", "CUNIT2": "arcmin", "CDELT1": -30.0, "CDELT2": 30.0},
        {"CROTA2": 0.0},
        {"LONPOLE": 0.0, "LATPOLE": 90.0},
        {"LONPOLE": 180.0},
        {"DATE-OBS": "2004-03-26T30:00:00"},
    ],
)
def test_one_image_is_written_in_many_ways(cards):
    given = header_of()
    if "CD1_1" in cards:
        del given["CDELT1"], given["CDELT2"]
    given.update(cards)
    assert space_of_header(given) == space_of_header(header_of())


def test_equatorial_coordinates_of_today_are_the_icrs():
    axes = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN"}
    for cards in (
        {},
        {"RADESYS": "ICRS"},
        {"RADESYS": "FK5"},
        {"EQUINOX": 2000.0},
        {"RADESYS": "ICRS", "EQUINOX": 1950.0},
    ):
        assert space_of_header(header_of(**axes, **cards)).frame == "icrs"


def test_axes_beyond_the_sky_are_left_out():
    space = space_of_header(header_of(NAXIS=3, NAXIS3=4, CTYPE3="ENERGY", CRVAL3=1.0, CDELT3=1.0, CRPIX3=1.0))
    assert space == space_of_header(header_of())


@pytest.mark.parametrize(
    ("cards", "said"),
    [
        ({"CTYPE1": "GLON-SIN", "CTYPE2": "GLAT-SIN"}, "has the projection SIN; expected CAR, TAN, AIT"),
        ({"CTYPE1": "ELON-CAR", "CTYPE2": "ELAT-CAR"}, "has the axis 'ELON' and 'ELAT'; expected RA/DEC"),
        (
            {"CTYPE1": "RA---CAR", "CTYPE2": "DEC--CAR", "RADESYS": "FK4"},
            "is in FK4 1950; expected ICRS or FK5",
        ),
        (
            {"CTYPE1": "RA---CAR", "CTYPE2": "DEC--CAR", "EQUINOX": 1975.0, "RADESYS": "FK5"},
            "is in FK5 1975; expected ICRS",
        ),
        ({"CTYPE1": "GLAT-CAR", "CTYPE2": "GLON-CAR"}, "has the axis 'GLAT' and 'GLON'"),
        ({"CROTA2": 5.0}, "turned against north"),
        ({"CTYPE1": "", "CTYPE2": ""}, "has no axes on the sky"),
        ({"PC1_2": 0.1, "PC2_1": -0.1}, "turned against north"),
        ({"CDELT2": -0.5}, "latitude that grows downwards"),
        ({"CTYPE1": "GLON-TAN", "CTYPE2": "GLAT-TAN", "LONPOLE": 90.0}, "north is not up in the middle"),
        ({"CRVAL2": 40.0, "LONPOLE": 90.0}, "does not hold the coordinates of an image"),
    ],
)
def test_a_header_of_another_image_is_refused(cards, said):
    given = header_of()
    for name, value in cards.items():
        given[name] = value
    with pytest.raises(InputError, match=said):
        space_of_header(given)


def test_a_header_without_a_size_is_refused():
    wcs = image_wcs(whole_sky("CAR"))
    wcs.array_shape = None
    with pytest.raises(InputError, match="does not say how many pixels"):
        space_of_wcs(wcs)
    assert space_of_wcs(wcs, (5, 4)).npix == (5, 4)


def test_projections_are_known_by_their_letters():
    assert [projection(name).name for name in ("CAR", "TAN", "AIT")] == ["CAR", "TAN", "AIT"]

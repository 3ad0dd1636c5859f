"""Shapes on the sky hold what the package regions says, and come back from text, objects and files."""

from __future__ import annotations

import numpy as np
import pytest
import regions
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS

from xgamma.errors import ConfigError, ConfigTypeError, InputError, MissingInputError
from xgamma.formats.fits.hdus import fits_content
from xgamma.formats.fits.regions import are_close, region_hdu, shapes_of_fits
from xgamma.formats.region_files import is_ds9, read_regions, shapes_of_text
from xgamma.formats.region_objects import sky_regions
from xgamma.geometry import Plane, from_tangent_plane, separation, to_frame
from xgamma.grid import RegionSpace
from xgamma.masks import ExcludedShapes
from xgamma.shapes import Annulus, Circle, Ellipse, Polygon, Rectangle
from xgamma.shapes.objects import normalize_shape

KINDS = ("circle", "ellipse", "rectangle", "annulus", "elliptical annulus", "rectangular annulus", "polygon")


def random_shape(random, kind):
    """Return a shape anywhere on the sky, poles and the edge of longitudes included, up to a degree in size."""
    frame = str(random.choice(["icrs", "galactic"]))
    lon, lat = float(random.uniform(0, 360)), float(np.rad2deg(np.arcsin(random.uniform(-0.9999, 0.9999))))
    size, other, inner = (float(value) for value in random.uniform([0.05, 0.05, 0.2], [1.0, 1.0, 0.9]))
    angle = float(random.uniform(-180, 360))
    match kind:
        case "circle":
            return Circle(lon, lat, size, frame)
        case "ellipse":
            return Ellipse(lon, lat, size, other, angle, frame)
        case "rectangle":
            return Rectangle(lon, lat, size, other, angle, frame)
        case "annulus":
            return Annulus(Circle(lon, lat, size, frame), Circle(lon, lat, inner * size, frame))
        case "polygon":
            phase = np.sort(random.uniform(0, 2 * np.pi, 7))
            radius = random.uniform(0.2, 1.0, 7)
            lons, lats = from_tangent_plane(Plane(radius * np.cos(phase), radius * np.sin(phase)), lon, lat)
            return Polygon(tuple(lons.tolist()), tuple(lats.tolist()), frame)
    part = Ellipse if kind == "elliptical annulus" else Rectangle
    outer = part(lon, lat, size, other, angle, frame)
    return Annulus(outer, part(lon, lat, inner * size, inner * other, angle, frame))


RANDOM = np.random.default_rng(20151)
SHAPES = [random_shape(RANDOM, KINDS[number % len(KINDS)]) for number in range(200)]


def plane_about(shape):
    """Return a plane tangent at the centre of a shape in its frame, whose pixels are so small that all is straight."""
    wcs = WCS(naxis=2)
    names = ("RA---TAN", "DEC--TAN") if shape.frame == "icrs" else ("GLON-TAN", "GLAT-TAN")
    wcs.wcs.ctype, wcs.wcs.crval = names, [shape.lon, shape.lat]
    wcs.wcs.cdelt, wcs.wcs.crpix, wcs.wcs.radesys = [-0.01, 0.01], [500.5, 500.5], "ICRS" * (shape.frame == "icrs")
    return wcs


def positions_about(random, shape, count=500):
    """Return ICRS positions in a square about a shape, half as large again as it."""
    x, y = random.uniform(-1.5 * shape.reach, 1.5 * shape.reach, (2, count))
    return to_frame(*from_tangent_plane(Plane(x, y), shape.lon, shape.lat), shape.frame, "icrs")


@pytest.mark.some_long(4)
@pytest.mark.parametrize("first", range(4))
def test_random_shapes_hold_the_positions_that_regions_says(first):
    random = np.random.default_rng(1 + first)
    inside = 0
    for shape in SHAPES[first::4]:
        lon, lat = positions_about(random, shape)
        [region] = sky_regions([shape])
        theirs = region.contains(SkyCoord(lon, lat, unit="deg"), plane_about(shape))
        np.testing.assert_array_equal(shape.holds(lon, lat), theirs, err_msg=str(shape))
        inside += int(theirs.sum())
    assert 2_500 < inside < 22_500


def test_shapes_come_back_from_their_words_and_from_objects():
    for shape in SHAPES:
        [(read, name)] = shapes_of_text(str(shape))
        assert (read, name) == (shape, "")
        assert normalize_shape(sky_regions([shape])[0]) == shape


def test_shapes_come_back_from_a_table_of_another_plane(tmp_path):
    for number, shape in enumerate(SHAPES[:40]):
        if shape.kind == "annulus" and isinstance(shape.outer, Rectangle):
            continue
        lon, lat = from_tangent_plane(Plane(np.array(0.7), np.array(0.4)), shape.lon, shape.lat)
        path = tmp_path / f"{number}.fits"
        about = Circle(float(lon), float(lat), 0.0, shape.frame)
        path.write_bytes(fits_content([region_hdu("REGION", (shape, shape), about)]))
        assert are_close(shapes_of_fits(path), (shape, shape)), str(shape)


def test_a_rectangular_annulus_becomes_a_polygon_that_holds_the_same(tmp_path):
    shape = next(one for one in SHAPES if one.kind == "annulus" and isinstance(one.outer, Rectangle))
    (tmp_path / "a.fits").write_bytes(fits_content([region_hdu("REGION", (shape,), shape)]))
    [polygon] = shapes_of_fits(tmp_path / "a.fits")
    lon, lat = positions_about(np.random.default_rng(2), shape, 5000)
    assert polygon.kind == "polygon"
    np.testing.assert_array_equal(polygon.holds(lon, lat), shape.holds(lon, lat))


def test_an_ellipse_in_icrs_keeps_its_angle_where_north_is_another():
    # At the Galactic centre the two norths are 58.6 deg apart; regions 0.12 turns the ellipse by that on Galactic maps.
    ellipse = Ellipse(266.41683, -29.00781, 0.1, 1.0, 0.0)
    north, east = (np.array([266.41683, 266.41683 + 0.4 / np.cos(np.deg2rad(29))]), np.array([-28.60781, -29.00781]))
    assert ellipse.holds(north, east).tolist() == [True, False]
    tall = RegionSpace((ellipse,)).cells(north, east)
    assert tall.event.tolist() == [0]


def test_the_angle_turns_from_west_to_north():
    long = Ellipse(83.0, 22.0, 1.0, 0.1, 30.0)
    west_of_north = from_tangent_plane(Plane(0.4 * np.cos(np.pi / 6), 0.4 * np.sin(np.pi / 6)), 83.0, 22.0)
    east_of_north = from_tangent_plane(Plane(-0.4 * np.cos(np.pi / 6), 0.4 * np.sin(np.pi / 6)), 83.0, 22.0)
    assert west_of_north[0] < 83.0 < east_of_north[0]
    assert [bool(long.holds(*np.atleast_1d(*place))[0]) for place in (west_of_north, east_of_north)] == [True, False]


@pytest.mark.parametrize("lat", [0.0, 22.0, 60.0, -85.0])
def test_a_circle_far_from_the_equator_is_one_on_the_sphere(lat):
    # On a plate-carree map regions takes a radius in pixels, which leaves out a point at 0.109 deg of a circle of 0.11.
    circle, random = Circle(30.0, lat, 5.0), np.random.default_rng(3)
    lon, other = from_tangent_plane(Plane(*random.uniform(-8, 8, (2, 2000))), 30.0, lat)
    away = separation(lon, other, 30.0, lat)
    # On the tangent plane 5 deg is 0.013 deg short of 5 deg on the sphere, as for Gammapy.
    clear = np.abs(away - 5.0) > 0.02
    np.testing.assert_array_equal(circle.holds(lon, other)[clear], (away < 5.0)[clear])
    small = Circle(30.0, lat, 0.11)
    east = from_tangent_plane(Plane(np.array([-0.109, -0.111]), np.zeros(2)), 30.0, lat)
    assert small.holds(*east).tolist() == [True, False]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("circle(83.6, 22.0, 0.1)", "has no frame on the sky; write icrs, fk5 or galactic before it"),
        ("icrs; circle(1, 2, 0.3)\nwcs; circle(1, 2, 3)", "expected circle, ellipse"),
        ("image; circle(1, 2, 3)", "circle has no frame on the sky"),
        ("icrs; panda(1, 2, 0, 90, 2, 0.1, 0.2, 1)", "got 'panda'"),
        ("icrs; -circle(1, 2, 0.3)", "it is marked as excluded"),
        ("icrs; circle(1, 2", "it cannot be read"),
        ("icrs; circle(1, 2, -0.3)", "it cannot be read"),
        ("fk4; circle(1, 2, 0.3)", "got one in fk4"),
        ("icrs; circle(nan, 2, 0.3)", "expected a finite longitude"),
        ("# nothing\n", "it holds no region"),
    ],
)
def test_text_that_is_no_region_says_so(text, problem):
    with pytest.raises(ConfigError) as error:
        shapes_of_text(text, "the text")
    assert str(error.value).startswith("the text") and problem in str(error.value) and "\n" not in str(error.value)


def test_ds9_text_is_told_from_paths():
    assert is_ds9("icrs; circle(83.633, 22.014, 0.11)") and is_ds9("galactic\nbox(1,2,3,4,5)")
    assert not any(is_ds9(path) for path in ("crab.reg", "$DATA/regions (1)/crab.reg", "a;b.fits", "#"))


def test_region_files_of_ds9_and_casa_are_read(tmp_path):
    ds9, crtf = tmp_path / "a.reg", tmp_path / "a.crtf"
    ds9.write_text(
        '# Region file\nglobal color=green\nfk5\ncircle(83.633,22.014,360") # text={nebula}\ngalactic\npoint(1,2)\n'
    )
    crtf.write_text("#CRTF0\nglobal coord=GALACTIC\nellipse[[10deg, 2deg], [0.1deg, 0.2deg], 30deg], label='shell'\n")
    (nebula, name), (point, nothing) = read_regions(ds9)
    assert (nebula.radius, name, nothing, point) == (
        pytest.approx(0.1),
        "nebula",
        "",
        Circle(1.0, 2.0, 0.0, "galactic"),
    )
    assert [(one.shape.frame, one.shape.kind, one.name) for one in read_regions(crtf)] == [
        ("galactic", "ellipse", "shell")
    ]


def test_region_files_that_cannot_be_used_say_so(tmp_path):
    frameless, pixels, other, empty = (tmp_path / name for name in ("a.reg", "a.crtf", "a.txt", "b.fits"))
    frameless.write_text("ellipse(184.5,-5.8,0.2,0.1,30)\n")
    pixels.write_text("#CRTF0\ncircle[[42.1pix, 43.2pix], 12.3pix]\n")
    other.write_text("")
    empty.write_bytes(b"SIMPLE")
    for path, problem in (
        (frameless, "no frame"),
        (pixels, "no frame"),
        (other, "unknown ending"),
        (empty, "header"),
    ):
        with pytest.raises(InputError, match=problem):
            read_regions(path)
    with pytest.raises(MissingInputError, match="There is no region file"):
        read_regions(tmp_path / "none.reg")


def test_objects_of_regions_go_wherever_a_region_goes():
    center = SkyCoord(83.633, 22.014, unit="deg", frame="icrs")
    circle, fk5 = regions.CircleSkyRegion(center, 0.11 * u.deg), regions.CircleSkyRegion(center.fk5, 0.11 * u.deg)
    assert RegionSpace((circle,)) == RegionSpace((Circle(83.633, 22.014, 0.11),))
    assert ExcludedShapes((circle,)).digest == ExcludedShapes((Circle(83.633, 22.014, 0.11),)).digest
    assert normalize_shape(fk5).frame == "icrs" and normalize_shape(fk5).lon == pytest.approx(83.633, abs=1e-9)


def test_objects_that_are_no_region_on_the_sky_say_so():
    center = SkyCoord(83.633, 22.014, unit="deg")
    circle = regions.CircleSkyRegion(center, 0.11 * u.deg)
    with pytest.raises(ConfigError, match="has no frame; use its to_sky"):
        RegionSpace((regions.CirclePixelRegion(regions.PixCoord(1, 2), 3),))
    with pytest.raises(ConfigError, match="got a CompoundSkyRegion; give its parts"):
        RegionSpace((circle | circle,))
    with pytest.raises(ConfigTypeError, match="Expected a region"):
        RegionSpace(("circle",))


def test_names_of_regions_are_one_for_each():
    crab = Circle(83.633, 22.014, 0.11)
    for names in (("a",), ("a", "a")):
        with pytest.raises(ConfigError, match="a name of its own for each of 2 on-regions"):
            RegionSpace((crab, crab), names)

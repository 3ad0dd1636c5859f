"""Images, regions on them and maps beside those of Gammapy, in numbers."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord

from xgamma.geometry import separation
from xgamma.maps import Map, MapAxis, WcsGeom
from xgamma.shapes import Circle, Ellipse, Rectangle

PEER = os.environ.get("PEER_PYTHON", "")
PLACES = {"icrs": (83.63, 22.01), "galactic": (320.3, -1.2), "far": (200.0, 60.0)}
CASES = [(place, proj) for place in PLACES for proj in ("CAR", "TAN", "AIT")]
ENERGY = MapAxis.from_energy_bounds(1, 100, nbin=4, unit="TeV", name="energy")

pytestmark = pytest.mark.skipif(not PEER, reason="PEER_PYTHON names no python that has Gammapy")


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("peer")
    for name, given in files().items():
        given.write(folder / f"{name}.fits")
    command = [PEER, str(Path(__file__).with_name("peer_geometries.py")), str(folder), str(folder / "result.npz")]
    subprocess.run(command, check=True)
    answer = folder / "result.npz"
    with np.load(answer) as found:
        return dict(found)


def files():
    """Return maps of every kind of image, by the name of their file."""
    found = {}
    for place, proj in CASES:
        lon, lat = PLACES[place]
        frame = "galactic" if place == "galactic" else "icrs"
        whole = WcsGeom.create(skydir=(lon, lat), frame=frame, proj=proj, binsz=0.2, width=(6, 5), axes=[ENERGY])
        geoms = {"whole": whole, "cut": whole.crop((3, 1)), "flat": whole.downsample(5).to_binsz((1.0, 0.5))}
        for kind, geom in geoms.items():
            values = np.random.default_rng(1).uniform(size=geom.data_shape)
            found[f"file-{place}-{proj}-{kind}"] = Map.from_geom(geom, values, "m2 s")
    return found


def case_of(place, proj, theirs):
    lon, lat = PLACES[place]
    frame = "galactic" if place == "galactic" else "icrs"
    center = SkyCoord(lon, lat, unit="deg", frame=frame)
    geom = WcsGeom.create(skydir=center, frame=frame, proj=proj, binsz=0.1, width=(6, 5), axes=[ENERGY])
    prefix = f"{place}-{proj}-"
    return geom, center, {name.removeprefix(prefix): value for name, value in theirs.items() if name.startswith(prefix)}


@pytest.mark.parametrize(("place", "proj"), CASES)
def test_pixels_are_those_of_gammapy(place, proj, theirs):
    geom, center, wanted = case_of(place, proj, theirs)
    image = geom.to_image()
    sky = image.get_coord(frame="icrs")
    assert separation(sky.lon.value, sky.lat.value, wanted["lon"], wanted["lat"]).max() < 1e-12
    # Gammapy makes a pixel of two flat triangles.
    np.testing.assert_allclose(image.solid_angle().value, wanted["area"], rtol=1e-5)
    around = center.directional_offset_by(40 * u.deg, 1 * u.deg)
    np.testing.assert_allclose(image.separation(around).deg, wanted["separation"], rtol=0, atol=1e-12)
    cuts = [
        image.cutout(center.directional_offset_by(angle * u.deg, 2.2 * u.deg), width * u.deg)
        for angle in (10, 77, 133, 200, 301)
        for width in (0.92, 1.0, 1.07, 1.94)
    ]
    np.testing.assert_allclose([[*cut.data_shape, *cut.wcs.wcs.crpix] for cut in cuts], wanted["cutouts"], atol=1e-9)


@pytest.mark.parametrize(("place", "proj"), CASES)
def test_regions_hold_the_same_pixels(place, proj, theirs):
    geom, center, wanted = case_of(place, proj, theirs)
    lon, lat, frame = center.spherical.lon.deg, center.spherical.lat.deg, center.frame.name
    around = center.directional_offset_by(40 * u.deg, 1 * u.deg).spherical
    shapes = {
        "circle": Circle(around.lon.deg, around.lat.deg, 0.7, frame),
        "ellipse": Ellipse(lon, lat, 2.0, 1.0, 30.0, frame),
        "rectangle": Rectangle(lon, lat, 2.0, 1.0, -20.0, frame),
    }
    for name, shape in shapes.items():
        mask = geom.to_image().region_mask(shape).data
        assert mask.sum() > 100
        np.testing.assert_array_equal(mask, wanted[name], err_msg=name)


@pytest.mark.parametrize(("place", "proj"), CASES)
def test_values_are_those_of_gammapy(place, proj, theirs):
    geom, center, wanted = case_of(place, proj, theirs)
    given = Map.from_geom(geom, np.random.default_rng(1).poisson(2.0, geom.data_shape))
    circle = Circle(center.spherical.lon.deg, center.spherical.lat.deg, 0.5, center.frame.name)
    coords = {
        "skycoord": center.directional_offset_by(np.arange(7, 360, 30) * u.deg, np.linspace(0.1, 2, 12) * u.deg),
        "energy": np.geomspace(2, 50, 12) * u.TeV,
    }
    found = {
        "sum": given.sum_over_axes().data,
        "gauss": given.smooth(0.2 * u.deg).data,
        "disk": given.smooth(0.2 * u.deg, "disk").data,
        "downsampled": given.downsample(5).data,
        "mean": given.downsample(5, preserve_counts=False).data,
        "padded": given.pad(3).data,
        "cropped": given.crop(3).data,
        "spectrum": given.get_spectrum(circle).data,
        "looked_up": given.get_by_coord(coords),
        "interpolated": given.interp_by_coord(coords),
        "eroded": (given > 0).binary_erode(0.1 * u.deg).data,
        "energies": geom.energy_mask("3 TeV", "40 TeV").data,
    }
    for name, value in found.items():
        assert value.shape == wanted[name].shape, name
        np.testing.assert_allclose(value, wanted[name], rtol=1e-6, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("name", files())
def test_gammapy_reads_the_pixels_and_bins_of_files(name, theirs):
    given = files()[name]
    np.testing.assert_array_equal(theirs[f"{name}-data"], given.data)
    sky = given.geom.to_image().get_coord(frame="icrs")
    # Headers hold twelve digits.
    assert separation(sky.lon.value, sky.lat.value, theirs[f"{name}-lon"], theirs[f"{name}-lat"]).max() < 1e-10
    np.testing.assert_allclose(theirs[f"{name}-edges"], ENERGY.plain.edges, rtol=1e-12)
    assert str(theirs[f"{name}-unit"]) == "m2 s"

"""Geometry on plain arrays agrees with astropy and with itself."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS
from hypothesis import given
from hypothesis import strategies as st

from xgamma.errors import ConfigError
from xgamma.geometry import Plane, from_tangent_plane, in_boxes, northward_scale, separation, tangent_plane, to_frame

longitudes, latitudes = st.floats(0, 359.9), st.floats(-89, 89)


def _sky(seed=1, size=200):
    random = np.random.default_rng(seed)
    return random.uniform(0, 360, size), np.rad2deg(np.arcsin(random.uniform(-1, 1, size)))


def test_galactic_coordinates_are_those_of_astropy():
    lon, lat = _sky()
    expected = SkyCoord(lon, lat, unit="deg").galactic
    found = to_frame(lon, lat, "icrs", "galactic")
    np.testing.assert_allclose(found[0], expected.l.deg, atol=1e-10)
    np.testing.assert_allclose(found[1], expected.b.deg, atol=1e-10)


@given(longitudes, latitudes)
def test_a_frame_and_back_is_the_identity(lon, lat):
    there = to_frame(lon, lat, "icrs", "galactic")
    back = to_frame(*there, "galactic", "icrs")
    assert separation(lon, lat, *back) < 1e-10


def test_an_unknown_frame_raises():
    with pytest.raises(ConfigError, match="icrs or galactic"):
        to_frame(0.0, 0.0, "fk4", "icrs")


def test_separations_are_those_of_astropy():
    (lon1, lat1), (lon2, lat2) = _sky(1), _sky(2)
    expected = SkyCoord(lon1, lat1, unit="deg").separation(SkyCoord(lon2, lat2, unit="deg"))
    np.testing.assert_allclose(separation(lon1, lat1, lon2, lat2), expected.deg, rtol=1e-13)


@given(longitudes, latitudes, longitudes, latitudes)
def test_separation_is_symmetric(lon1, lat1, lon2, lat2):
    assert separation(lon1, lat1, lon2, lat2) == pytest.approx(separation(lon2, lat2, lon1, lat1), abs=1e-12)


def test_the_tangent_plane_is_the_gnomonic_projection_of_the_wcs_standard():
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.cdelt, wcs.wcs.crpix = ["RA---TAN", "DEC--TAN"], [83.6, 22.0], [-1, 1], [1, 1]
    lon, lat = 83.6 + np.linspace(-4, 4, 9), 22.0 + np.linspace(-3, 5, 9)
    x, y = wcs.wcs_world2pix(lon, lat, 0)
    plane = tangent_plane(lon, lat, 83.6, 22.0)
    np.testing.assert_allclose(plane.x, x, atol=1e-12)
    np.testing.assert_allclose(plane.y, y, atol=1e-12)


@given(longitudes, st.floats(-80, 80), st.floats(-5, 5), st.floats(-5, 5))
def test_the_plane_and_back_is_the_identity(lon0, lat0, x, y):
    lon, lat = from_tangent_plane(Plane(np.array(x), np.array(y)), lon0, lat0)
    plane = tangent_plane(lon, lat, lon0, lat0)
    assert (float(plane.x), float(plane.y)) == pytest.approx((x, y), abs=1e-9)


def test_points_behind_the_plane_are_nan():
    assert np.isnan(tangent_plane(180.0, 0.0, 0.0, 0.0).x)


@given(longitudes, st.floats(-89, 89), st.floats(0.1, 20), st.floats(0, 360), st.floats(0, 1))
def test_all_of_a_circle_lies_in_its_box(lon0, lat0, radius, angle, share):
    bearing, distance = np.deg2rad(angle), np.deg2rad(radius * share)
    sin0, cos0 = np.sin(np.deg2rad(lat0)), np.cos(np.deg2rad(lat0))
    sin_lat = sin0 * np.cos(distance) + cos0 * np.sin(distance) * np.cos(bearing)
    lat = np.rad2deg(np.arcsin(np.clip(sin_lat, -1, 1)))
    x = np.cos(distance) - sin0 * sin_lat
    lon = (lon0 + np.rad2deg(np.arctan2(np.sin(bearing) * np.sin(distance) * cos0, x))) % 360
    row = np.zeros(1, np.int64)
    circle = np.array([lon0]), np.array([lat0]), np.array([radius * (1 + 1e-9)])
    assert in_boxes(np.array([lon]), np.array([lat]), row, *circle).all()


def test_the_northward_scale_is_one_at_the_tangent_point_and_smaller_elsewhere():
    assert northward_scale(10.0, 20.0, 10.0, 20.0) == pytest.approx(1.0, abs=1e-9)
    offset = np.deg2rad(1.0)
    assert northward_scale(10.0, 21.0, 10.0, 20.0) == pytest.approx(np.cos(offset) ** 2, rel=1e-5)

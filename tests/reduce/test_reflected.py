"""Reflected regions: on the ring, apart from each other, off the exclusions."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st

from xgamma.geometry import separation
from xgamma.grid import Circle
from xgamma.masks import SkyMask
from xgamma.outcome import Outcome
from xgamma.reduce.background.reflected import ReflectedParameters, reflected_regions
from xgamma.reduce.background.ring import off_block, off_events

POINTING = (83.63, 21.51)
SETTINGS = ReflectedParameters()


def sky_mask(circles, frame="icrs", binsz=0.02, npix=300, center=POINTING):
    """Return a mask of a field in which circles (lon, lat, radius) are excluded."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"] if frame == "icrs" else ["GLON-TAN", "GLAT-TAN"]
    wcs.wcs.crval, wcs.wcs.cdelt, wcs.wcs.crpix = center, [-binsz, binsz], [(npix + 1) / 2] * 2
    y, x = np.mgrid[:npix, :npix]
    lon, lat = wcs.wcs_pix2world(x, y, 0)
    usable = np.ones((npix, npix), bool)
    for circle_lon, circle_lat, radius in circles:
        usable &= separation(lon, lat, circle_lon, circle_lat) > radius
    return SkyMask(usable, wcs, frame)


regions = st.builds(
    lambda offset, angle, radius: Circle(
        POINTING[0] + offset * np.sin(angle) / np.cos(np.deg2rad(POINTING[1])),
        POINTING[1] + offset * np.cos(angle),
        radius,
    ),
    st.floats(0.4, 2.0),
    st.floats(0, 2 * np.pi),
    st.floats(0.05, 0.2),
)


@given(regions)
def test_off_regions_lie_at_the_offset_of_the_on_region(region):
    off = reflected_regions(*POINTING, region, None, SETTINGS)
    offset = separation(region.lon, region.lat, *POINTING)
    assert off.outcome == Outcome.USED
    np.testing.assert_allclose(separation(off.lon, off.lat, *POINTING), offset, rtol=1e-9)
    # A circle of constant size on the plane has nearly the size of the on-region on the sky.
    np.testing.assert_allclose(off.sky_radius, region.radius, rtol=1e-3)


@given(regions)
def test_the_on_region_is_left_out_and_off_regions_hardly_overlap(region):
    off = reflected_regions(*POINTING, region, None, SETTINGS)
    assert (separation(off.lon, off.lat, region.lon, region.lat) > 2 * region.radius).all()
    if len(off.lon) > 1:
        steps = separation(off.lon[1:], off.lat[1:], off.lon[:-1], off.lat[:-1])
        # The angular size is that of pixel centres, so neighbours may share a pixel of 0.01 deg on either side.
        assert (steps > 2 * region.radius - 0.03).all()


@settings(max_examples=25)
@given(regions, st.floats(0, 2 * np.pi), st.floats(0.05, 0.4))
def test_no_off_region_holds_an_excluded_pixel(region, angle, radius):
    offset = separation(region.lon, region.lat, *POINTING)
    lon = POINTING[0] + offset * np.sin(angle) / np.cos(np.deg2rad(POINTING[1]))
    mask = sky_mask([(lon, POINTING[1] + offset * np.cos(angle), radius)])
    off = reflected_regions(*POINTING, region, mask, SETTINGS)
    y, x = np.nonzero(~mask.usable)
    excluded = mask.wcs.wcs_pix2world(x, y, 0)
    # Pixels of the ring are looked up in the nearest pixel of the mask, whose centre may be half a diagonal away.
    for circle in zip(off.lon, off.lat, off.sky_radius, strict=True):
        assert separation(*excluded, circle[0], circle[1]).min() > circle[2] - 0.02


def test_the_off_regions_are_those_of_a_scan_of_every_pixel():
    region = Circle(84.16, 21.6, 0.11)
    mask = sky_mask([(83.3, 21.9, 0.2), (83.63, 21.0, 0.12)])
    off = reflected_regions(*POINTING, region, mask, SETTINGS)
    near, far = Circle(84.16, 21.6, 0.11), SkyMask(mask.usable, mask.wcs, mask.frame)
    whole_sky = type(mask.caps)(np.array([POINTING[0]]), np.array([POINTING[1]]), np.array([10.0]))
    far.__dict__["caps"] = whole_sky
    every = reflected_regions(*POINTING, near, far, SETTINGS)
    np.testing.assert_array_equal(off.x, every.x)
    assert 0 < len(off.x) < len(reflected_regions(*POINTING, region, None, SETTINGS).x)


def test_a_pointing_inside_the_region_allows_no_off_region():
    off = reflected_regions(*POINTING, Circle(POINTING[0], POINTING[1] + 0.05, 0.11), None, SETTINGS)
    assert (off.outcome, len(off.x)) == (Outcome.NO_OFF_REGION, 0)


def test_an_excluded_ring_gives_a_reason():
    off = reflected_regions(*POINTING, Circle(83.63, 22.01, 0.11), sky_mask([(*POINTING, 1.5)]), SETTINGS)
    assert (off.outcome, len(off.x)) == (Outcome.ON_REGION_EXCLUDED, 0)


def test_beyond_the_mask_everything_is_usable():
    region = Circle(83.63, 22.01, 0.11)
    small = sky_mask([(83.63, 22.01, 0.05)], npix=20, center=(83.63, 22.01))
    free = reflected_regions(*POINTING, region, None, SETTINGS)
    np.testing.assert_array_equal(reflected_regions(*POINTING, region, small, SETTINGS).x, free.x)


@pytest.mark.parametrize("number", [1, 3])
def test_the_maximum_number_of_regions_is_respected(number):
    off = reflected_regions(*POINTING, Circle(83.63, 22.01, 0.11), None, ReflectedParameters(max_region_number=number))
    assert len(off.x) == number


def test_an_event_in_two_overlapping_off_regions_counts_once():
    region = Circle(83.63, 22.01, 0.11)
    usable = np.array([True])
    pointing = np.array([POINTING[0]]), np.array([POINTING[1]])
    off = off_block(*pointing, region, None, SETTINGS, usable, reflected_regions)
    twice = off._replace(x=np.repeat(off.x, 2, axis=1), y=np.repeat(off.y, 2, axis=1))
    lon, lat = off.lon[0], off.lat[0]
    row = np.zeros(len(lon), np.int64)
    for block in (off, twice):
        assert off_events(lon, lat, row, *pointing, region, block, SETTINGS.binsz).tolist() == list(range(len(lon)))


def test_rows_that_cannot_be_used_get_no_off_regions():
    pointing = np.array([83.63, 83.63]), np.array([21.51, 21.51])
    off = off_block(*pointing, Circle(83.63, 22.01, 0.11), None, SETTINGS, np.array([True, False]), reflected_regions)
    assert off.number[0] > 0
    assert off.number[1] == 0
    assert np.isnan(off.x[1]).all()

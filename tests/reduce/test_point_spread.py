"""Point spread functions in rings: shares, radii and kernels agree with each other and with a Gaussian."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import erf

from xgamma.reduce.nodes import RAD
from xgamma.reduce.point_spread import kernel_radius, pixel_kernel, radius_of_share, share_within

FUNCTIONS = arrays(float, RAD.nbin, elements=st.floats(0, 1e6)).filter(lambda psf: psf.sum() > 1)


def gauss(*sigmas):
    return np.exp(-0.5 * (RAD.center / np.array(sigmas)[:, None]) ** 2)


@given(psf=FUNCTIONS, share=st.floats(0.01, 0.99))
def test_the_radius_of_a_share_holds_the_share(psf, share):
    radius = float(radius_of_share(psf, RAD, share))
    assert share_within(psf, RAD, radius) == pytest.approx(share, abs=1e-9)


@given(psf=FUNCTIONS, radii=st.tuples(st.floats(0, 0.7), st.floats(0, 0.7)))
def test_a_larger_radius_holds_no_less(psf, radii):
    small, large = sorted(radii)
    assert 0 <= share_within(psf, RAD, small) <= share_within(psf, RAD, large) + 1e-12
    assert share_within(psf, RAD, 0.7) == 1


def test_shares_of_a_gaussian_are_those_of_its_formula():
    sigma = 0.08
    for radius in (0.05, 0.1, 0.2):
        expected = 1 - np.exp(-0.5 * (radius / sigma) ** 2)
        assert share_within(gauss(sigma), RAD, radius)[0] == pytest.approx(expected, abs=2e-3)


def test_a_function_that_is_zero_has_no_radius():
    assert np.isnan(radius_of_share(np.zeros((2, RAD.nbin)), RAD, 0.68)).all()
    assert kernel_radius(np.zeros((2, RAD.nbin)), RAD) == RAD.edges[-1]
    assert not pixel_kernel(np.zeros((2, RAD.nbin)), RAD, (0.1, 0.1), 0.3).any()


@pytest.mark.parametrize("pixel", [(0.02, 0.02), (-0.05, 0.05), (0.1, 0.06)])
def test_a_kernel_is_the_integral_over_each_pixel(pixel):
    sigmas = (0.06, 0.1)
    kernel = pixel_kernel(gauss(*sigmas), RAD, pixel, 0.6)
    np.testing.assert_allclose(kernel.sum(axis=(1, 2)), 1, rtol=1e-12)
    for plane, sigma in zip(kernel, sigmas, strict=True):
        sides = []
        for size, count in zip(pixel, plane.shape[::-1], strict=True):
            edges = abs(size) * (np.arange(count + 1) - 0.5 * count)
            sides.append(np.diff(0.5 * erf(edges / (np.sqrt(2) * sigma))))
        exact = np.outer(sides[1], sides[0])
        # A line between two rings leaves a Gaussian by an eighth of this at the most, and the norm by as much again.
        assert np.abs(plane - exact).max() < 0.25 * (0.01 / sigma) ** 2 * exact.max()


def test_a_kernel_narrower_than_its_pixel_is_one_pixel():
    kernel = pixel_kernel(gauss(0.001), RAD, (0.5, 0.5), 0.01)
    assert kernel.shape == (1, 1, 1)
    assert kernel.item() == 1

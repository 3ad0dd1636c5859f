"""Sums over the pixels about each pixel: by hand, against a plain loop, and where nothing may spread."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgamma.errors import ConfigError
from xgamma.kernels import ADDED_REACH, Kernel, summed


def plain_sums(image, kernel):
    """Return the same sums, one pixel of the kernel after the other."""
    reach, (height, width) = kernel.reach, image.shape
    padded = np.pad(image, reach)
    result = np.zeros(image.shape)
    for row, column in np.argwhere(kernel.footprint):
        result += padded[row : row + height, column : column + width]
    return result


@pytest.mark.parametrize(("radius", "size"), [(0.0999, 1), (0.1, 5), (0.15, 9), (0.2, 13), (0.3, 29)])
def test_a_circle_holds_the_pixels_on_its_border(radius, size):
    assert Kernel(radius / 0.1).size == size


def test_a_ring_holds_both_of_its_borders():
    ring = Kernel(2.0, 1.0)
    assert ring.size == 12
    assert not ring.footprint[2, 2]
    assert Kernel(2.0).size == ring.size + Kernel(0.5).size


@pytest.mark.parametrize("kernel", [(1.0, 2.0), (np.inf, 0.0), (0.9, 0.1)])
def test_a_kernel_without_pixels_is_refused(kernel):
    with pytest.raises(ConfigError, match="pixel"):
        Kernel(*kernel)


@settings(deadline=None)
@given(
    outer=st.floats(0.0, 14.0),
    share=st.floats(0.0, 1.0),
    shape=st.tuples(st.integers(1, 24), st.integers(1, 24)),
    seed=st.integers(0, 99),
)
def test_sums_are_those_of_a_plain_loop(outer, share, shape, seed):
    inner = np.floor(share * outer)
    try:
        kernel = Kernel(outer, inner)
    except ConfigError:
        return
    image = np.random.default_rng(seed).random(shape)
    expected = plain_sums(image, kernel)
    np.testing.assert_allclose(summed(image, kernel), expected, rtol=1e-12, atol=1e-12 * expected.max())


@pytest.mark.parametrize("radius", [2.0, ADDED_REACH + 4.0])
def test_sums_of_whole_numbers_are_whole_and_those_of_nothing_are_zero(radius):
    image = np.zeros((60, 50))
    image[30, 20:30] = 1e6 + np.arange(10)
    sums = summed(image, Kernel(radius))
    np.testing.assert_array_equal(sums, plain_sums(image, Kernel(radius)))
    fine = summed(image / 3.0, Kernel(radius))
    np.testing.assert_array_equal(fine == 0, sums == 0)
    assert (fine >= 0).all()


@pytest.mark.parametrize("radius", [2.0, ADDED_REACH + 4.0])
def test_a_pixel_that_is_not_finite_counts_as_nothing_and_spoils_no_other(radius):
    image = np.ones((40, 40))
    image[20, 20] = 0.0
    expected = summed(image, Kernel(radius))
    for value in (np.nan, np.inf):
        image[20, 20] = value
        np.testing.assert_array_equal(summed(image, Kernel(radius)), expected)


@pytest.mark.parametrize("radius", [3.0, ADDED_REACH + 2.0])
def test_planes_are_summed_one_by_one_and_turn_with_the_image(radius):
    kernel, image = Kernel(radius), np.random.default_rng(1).poisson(2.0, (2, 3, 30, 40))
    sums = summed(image, kernel)
    np.testing.assert_array_equal(sums[1, 2], summed(image[1, 2], kernel))
    turned = summed(np.rot90(image, axes=(-2, -1)), kernel)
    np.testing.assert_array_equal(np.rot90(sums, axes=(-2, -1)), turned)


def test_a_kernel_larger_than_the_image_sums_all_of_it():
    image = np.arange(12.0).reshape(3, 4)
    np.testing.assert_allclose(summed(image, Kernel(30.0)), np.full((3, 4), image.sum()), rtol=1e-12)


@pytest.mark.parametrize("most", [1, 300, 40_000, 3_000_000_000])
@pytest.mark.parametrize("radius", [3.0, ADDED_REACH + 4.0])
def test_sums_of_counts_are_exact_however_large_they_are(most, radius):
    counts = np.random.default_rng(most).integers(0, most + 1, (40, 30)).astype(float)
    kernel = Kernel(radius)
    assert np.array_equal(summed(counts, kernel), plain_sums(counts, kernel))

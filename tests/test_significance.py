"""Distributions of significances: counted whole, fitted outside of what is excluded."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy.stats import norm

from xgamma.errors import DataError
from xgamma.estimate import significance_distribution
from xgamma.plot.significance import plot_distribution


def drawn(mean=0.0, std=1.0):
    """Return significances of an empty sky with a source in the middle."""
    values = np.random.default_rng(4).normal(mean, std, (60, 60))
    values[25:35, 25:35] += 8
    usable = np.ones((60, 60), dtype=bool)
    usable[20:40, 20:40] = False
    return values, usable


@pytest.mark.parametrize(("mean", "std"), [(0.0, 1.0), (0.3, 1.4)])
def test_the_fit_is_the_normal_distribution_of_greatest_likelihood(mean, std):
    values, usable = drawn(mean, std)
    found = significance_distribution(values, usable)
    assert (found.mean, found.std) == pytest.approx(norm.fit(values[usable]), rel=1e-12)
    assert abs(found.mean - mean) < 4 * found.mean_error
    assert abs(found.std - std) < 4 * found.std_error


def test_every_pixel_is_counted_once():
    values, usable = drawn()
    values[0] = np.nan
    values[1, :3] = np.inf
    found = significance_distribution(values, usable)
    assert found.counts.sum() == found.pixels == 59 * 60 - 3
    assert found.counts_outside.sum() == found.pixels_outside == 59 * 60 - 3 - 400
    assert (found.counts >= found.counts_outside).all()
    np.testing.assert_allclose(np.diff(found.edges), 0.2)


def test_a_value_on_an_edge_is_counted():
    found = significance_distribution(np.array([-1.0, 0.0, 0.2, 1.0]))
    assert found.counts.sum() == 4


def test_what_is_expected_sums_to_the_pixels_outside():
    values, usable = drawn()
    found = significance_distribution(values, usable)
    assert found.expected(0.0, 0.5).sum() == pytest.approx(found.pixels_outside, rel=1e-6)


def test_errors_grow_with_the_circle_and_the_fit_stays():
    values, usable = drawn()
    one, many = (significance_distribution(values, usable, pixels) for pixels in (1, 25))
    assert (many.mean, many.std) == (one.mean, one.std)
    assert many.mean_error == pytest.approx(5 * one.mean_error, rel=1e-12)
    assert many.std_error == pytest.approx(5 * one.std_error, rel=1e-12)


def test_a_map_that_is_wholly_excluded_is_refused():
    with pytest.raises(DataError, match="at least two pixels with a significance outside of what is excluded, got 0"):
        significance_distribution(np.ones((4, 4)), np.zeros((4, 4), bool))


def test_the_picture_shows_both_histograms_and_the_fit():
    values, usable = drawn()
    found = significance_distribution(values, usable)
    ax = Figure().subplots()
    errors = (found.mean_error, found.std_error)
    plot_distribution(found.edges, found.counts, found.counts_outside, (found.mean, found.std), errors, ax)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels[:2] == ["All pixels", "Outside of the exclusion"]
    assert labels[2].startswith(f"Fit: mean {found.mean:.2f} ± ")
    assert ax.get_yscale() == "log"


def test_the_picture_of_a_map_without_exclusion_has_one_histogram():
    found = significance_distribution(drawn()[0])
    ax = Figure().subplots()
    plot_distribution(found.edges, found.counts, found.counts_outside, (found.mean, found.std), ax=ax)
    first, *others = ax.get_legend().get_texts()
    assert first.get_text() == "All pixels"
    assert len(others) == 2

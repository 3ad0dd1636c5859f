"""Pulls and coverage as numbers with errors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtri

from xgamma.closure import Coverage, coverage, moments
from xgamma.closure.findings import one_sided, two_sided

# A thousand pulls that are as Gaussian as a thousand numbers can be.
GAUSSIAN = ndtri((np.arange(1000) + 0.5) / 1000)


def test_moments_of_two_pulls_are_exact():
    found = moments(np.array([-1.0, 3.0, np.nan, np.inf]))
    assert found.count == 2
    assert (found.mean, found.width) == (1.0, pytest.approx(np.sqrt(8.0), rel=1e-15))
    assert (found.mean_error, found.width_error) == (pytest.approx(2.0), pytest.approx(2.0))


@pytest.mark.parametrize(
    ("pulls", "holds"),
    [
        (GAUSSIAN, True),
        (GAUSSIAN + 0.09, True),
        (GAUSSIAN + 0.10, False),
        (GAUSSIAN - 0.10, False),
        (GAUSSIAN * 1.06, True),
        (GAUSSIAN * 1.08, False),
        (GAUSSIAN * 0.93, False),
    ],
)
def test_mean_and_width_hold_within_three_standard_errors(pulls, holds):
    assert moments(pulls).holds is holds


def test_the_nominal_probabilities_are_those_of_a_gaussian():
    assert [two_sided(n) for n in (1.0, 2.0, 3.0)] == pytest.approx([0.6826894921, 0.9544997361, 0.9973002039])
    assert [one_sided(n) for n in (0.0, 2.0)] == pytest.approx([0.5, 0.9772498681])


def test_coverage_counts_the_intervals_that_hold_the_truth_ends_included():
    low, high = np.array([0.0, 1.0, 2.0, np.nan, -np.inf]), np.array([1.0, 2.0, 3.0, 9.0, 1.0])
    assert coverage(low, high, np.full(5, 1.0), 0.5) == Coverage(3, 4, 0.5)


def test_an_interval_with_an_unknown_end_does_not_count():
    unknown = np.array([np.nan, 0.0])
    assert coverage(unknown, np.ones(2), np.zeros(2), 0.5) == Coverage(1, 1, 0.5)
    assert coverage(np.zeros(2), np.ones(2), unknown, 0.5) == Coverage(1, 1, 0.5)


def test_the_binomial_interval_is_that_of_clopper_and_pearson():
    half = (1 - two_sided(3.0)) / 2
    assert Coverage(10, 10, 0.9).interval == (pytest.approx(half**0.1, rel=1e-9), 1.0)
    assert Coverage(0, 10, 0.9).interval == (0.0, pytest.approx(1 - half**0.1, rel=1e-9))


@pytest.mark.parametrize(("covered", "holds"), [(683, True), (726, True), (727, False), (638, True), (637, False)])
def test_coverage_holds_within_the_binomial_error(covered, holds):
    assert Coverage(covered, 1000, two_sided(1.0)).holds is holds


@given(count=st.integers(1, 500), share=st.floats(0, 1))
def test_the_fraction_lies_in_its_interval_and_failures_mirror_successes(count, share):
    covered = round(share * count)
    found, mirrored = Coverage(covered, count, 0.5), Coverage(count - covered, count, 0.5)
    low, high = found.interval
    assert low <= found.fraction <= high
    assert (1 - high, 1 - low) == pytest.approx(mirrored.interval, abs=1e-9)

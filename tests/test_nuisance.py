"""A systematic error of alpha: one factor for the bins of a set, profiled; against a plain minimisation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from xgamma.nuisance import ScaledCounts
from xgamma.stats import wstat

COUNTS = st.integers(0, 60)


@st.composite
def measurements(draw):
    bins = draw(st.integers(1, 6))
    values = [np.array(draw(st.lists(COUNTS, min_size=bins, max_size=bins)), float) for _ in range(2)]
    alpha = draw(st.floats(0.05, 2.0))
    share = draw(st.floats(0.01, 0.3))
    signal = np.array(draw(st.lists(st.floats(-5, 40), min_size=bins, max_size=bins)))
    sets = np.array(draw(st.lists(st.integers(0, 1), min_size=bins, max_size=bins)))
    return ScaledCounts(*values, np.full(bins, alpha), np.full(bins, share), sets), signal


def total(data, signal, theta):
    """Return the statistic of one set with a factor that is given."""
    return wstat(data.counts, data.counts_off, data.alpha * np.exp(data.share * theta), signal).sum() + theta**2


def least(data, signal):
    grid = np.linspace(-12, 12, 241)
    best = grid[np.argmin([total(data, signal, theta) for theta in grid])]
    return minimize_scalar(lambda t: total(data, signal, t), bounds=(best - 0.2, best + 0.2), method="bounded").fun


@given(measurements())
def test_the_factors_make_the_statistic_least(case):
    data, signal = case
    found = 0.0
    for number in np.unique(data.sets):
        own = data.sets == number
        some = data.select(own)
        found += least(some, signal[own])
    assert data.stat(signal).sum() <= found + 1e-6 * (1 + abs(found))
    np.testing.assert_allclose(
        data.data_stat(signal).sum() + data.penalty(signal).sum(), data.stat(signal).sum(), rtol=1e-12
    )


@given(measurements())
def test_derivatives_are_those_of_the_statistic(case):
    data, signal = case
    signal = signal + 0.3
    rows = np.stack([np.ones(len(signal)), np.linspace(0.2, 1.0, len(signal))])
    step = 1e-4

    def at(x):
        return data.stat(signal + x @ rows).sum()

    def slopes(x):
        return rows @ data.gradient(signal + x @ rows)

    # Where the profiled background is at its end the statistic has a kink.
    near = np.array([data.predicted_background(signal + d) for d in (-0.01, 0.0, 0.01)])
    if (near < 1e-3).any():
        return
    zero = np.zeros(2)
    gradient = [(at(step * e) - at(-step * e)) / (2 * step) for e in np.eye(2)]
    np.testing.assert_allclose(slopes(zero), gradient, rtol=1e-4, atol=1e-4)
    second = np.stack([(slopes(step * e) - slopes(-step * e)) / (2 * step) for e in np.eye(2)])
    bent = data.bent(signal)
    np.testing.assert_allclose(bent.between(rows), second, rtol=1e-3, atol=1e-4 * (1 + np.abs(second).max()))
    for number in range(2):
        np.testing.assert_allclose(
            bent.along(rows[number]).sum(), bent.between(rows)[number, number], rtol=1e-9, atol=1e-9
        )


@given(measurements())
def test_a_share_of_nothing_is_wstat(case):
    data, signal = case
    tiny = ScaledCounts(data.counts, data.counts_off, data.alpha, np.full(len(signal), 1e-9), data.sets)
    np.testing.assert_allclose(tiny.stat(signal), data.plain.stat(signal), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(tiny.gradient(signal), data.plain.gradient(signal), rtol=1e-6, atol=1e-6)


def test_what_is_expected_for_counts_as_predicted_is_their_curvature():
    """Where counts are what is predicted, the second derivatives are those expected."""
    off, alpha, signal = np.array([40.0, 90.0, 15.0]), np.full(3, 0.25), np.array([12.0, 3.0, 1.0])
    data = ScaledCounts(signal + alpha * off, off, alpha, np.full(3, 0.1), np.zeros(3, int))
    rows = np.array([[1.0, 2.0, 0.5], [0.0, 1.0, 3.0]])
    np.testing.assert_allclose(data.theta(signal), [0.0], atol=1e-12)
    np.testing.assert_allclose(data.expected(signal).between(rows), data.bent(signal).between(rows), rtol=1e-9)
    np.testing.assert_allclose(data.stat(signal), 0.0, atol=1e-12)


def test_large_counts_have_the_error_of_alpha_and_of_counts_in_quadrature():
    """For large counts the excess has the variance n + alpha^2 m + (share alpha m)^2."""
    n, m, a, s = 5000.0, 20000.0, 0.2, 0.05
    data = ScaledCounts(*(np.array([value]) for value in (n, m, a, s)), np.zeros(1, int))
    best = n - a * m
    curvature = data.bent(np.array([best])).between(np.ones((1, 1)))[0, 0]
    np.testing.assert_allclose(2 / curvature, n + a**2 * m + (s * a * m) ** 2, rtol=1e-9)


def test_bins_of_a_set_share_their_factor_and_others_do_not():
    values = [np.array(one, float) for one in ([30, 10], [100, 100], [0.2, 0.2], [0.1, 0.1])]
    together, apart = (ScaledCounts(*values, np.array(sets)) for sets in ([0, 0], [0, 1]))
    nothing = np.zeros(2)
    assert together.theta(nothing).shape == (1,)
    assert apart.theta(nothing).shape == (2,)
    assert together.stat(nothing).sum() > apart.stat(nothing).sum()
    np.testing.assert_allclose(together.divided(np.array([0, 1])).stat(nothing), apart.stat(nothing), rtol=1e-12)
    joined = ScaledCounts.joined([together, apart])
    np.testing.assert_allclose(
        joined.stat(np.zeros(4)), np.concatenate([together.stat(nothing), apart.stat(nothing)]), rtol=1e-12
    )


@pytest.mark.parametrize("counts", [(0, 0), (5, 0), (0, 5)])
def test_bins_without_counts_end_in_numbers(counts):
    for signal in (-2.0, 0.0, 3.0):
        data = ScaledCounts(*(np.array([float(v)]) for v in (*counts, 0.3, 0.1)), np.zeros(1, int))
        at = np.array([signal])
        assert np.isfinite(data.stat(at)).all()
        assert np.isfinite(data.gradient(at)).all()
        assert np.isfinite(data.bent(at).along(np.ones(1))).all()


def test_a_bin_without_alpha_says_nothing():
    data = ScaledCounts(
        np.array([5.0, 4.0]), np.array([0.0, 9.0]), np.array([0.0, 0.5]), np.full(2, 0.1), np.zeros(2, int)
    )
    at = np.array([2.0, 1.0])
    alone = data.select(np.array([False, True]))
    np.testing.assert_allclose(data.stat(at).sum(), alone.stat(at[1:]).sum(), rtol=1e-12)
    assert data.gradient(at)[0] == 0

"""Laws and numbers of the statistics."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize_scalar

from xgamma import stats

COUNTS = st.integers(0, 200).map(float)
ALPHA = st.floats(1e-3, 2.0)
SIGNAL = st.floats(1e-3, 300.0)


def finite_difference(function, at, step=1e-5):
    width = step * max(1.0, abs(at))
    return (function(at + width) - function(at - width)) / (2 * width)


@pytest.mark.parametrize(
    ("n_on", "n_off", "alpha", "signal", "expected"),
    [(0, 0, 0.1, 3.0, 6.0), (5, 0, 0.1, 0.0, 23.97895273), (5, 0, 0.1, 100.0, 160.04267726), (5, 50, 0.1, 0.0, 0.0)],
)
def test_wstat_at_the_edges_of_its_domain(n_on, n_off, alpha, signal, expected):
    assert stats.wstat(n_on, n_off, alpha, signal) == pytest.approx(expected, abs=1e-8)


def test_wstat_background_at_the_edges_of_its_domain():
    assert stats.wstat_background(5, 0, 0.1, 0) == pytest.approx(5 / 1.1)
    assert stats.wstat_background(5, 0, 0.1, 100) == 0.0


def test_wstat_without_off_acceptance_is_nan_and_adds_nothing_to_a_sum():
    assert np.isnan(stats.wstat(5, 3, 0.0, 2.0))
    data = stats.on_off_counts([5, 5], [3, 0], [0.0, 0.1])
    assert data.stat(np.array([2.0, 0.0])) == pytest.approx([0.0, 23.97895273])
    assert data.predicted_background(np.array([2.0, 0.0])) == pytest.approx([0.0, 0.5 / 1.1])


def test_cash_replaces_predictions_below_the_floor():
    assert stats.cash([3, 0], 0.0) == pytest.approx([-6 * np.log(1e-25), 2e-25])
    assert stats.cash(3, -1.0) == stats.cash(3, 0.0)
    assert stats.cash(4, 2.5) == pytest.approx(2 * (2.5 - 4 * np.log(2.5)))


def test_cstat_is_cash_without_its_constant():
    assert stats.cstat([0, 4, 4], [3.0, 4.0, 2.5]) == pytest.approx([6.0, 0.0, 2 * (2.5 - 4 + 4 * np.log(1.6))])


def test_chi2_of_one_and_a_half_errors():
    assert stats.chi2([1.0, 2.0], [2.5, 2.0], [1.0, 0.1]).tolist() == [2.25, 0.0]


@given(COUNTS, COUNTS, ALPHA, SIGNAL)
def test_wstat_is_the_minimum_over_the_background(n_on, n_off, alpha, signal):
    def full(off):
        return float(stats.cstat(n_on, signal + alpha * off) + stats.cstat(n_off, off))

    best = minimize_scalar(
        full, bounds=(0.0, (n_on + n_off + 1) / min(alpha, 1.0)), method="bounded", options={"xatol": 1e-9}
    )
    lowest = min(best.fun, full(0.0))
    assert stats.wstat(n_on, n_off, alpha, signal) == pytest.approx(lowest, rel=1e-6, abs=1e-6)


@given(COUNTS, COUNTS, ALPHA, st.floats(-100.0, 300.0))
def test_wstat_gradient_equals_finite_differences(n_on, n_off, alpha, signal):
    # At s = 0 a bin without off counts may have a kink, and t or b leave zero elsewhere with a jump in the curvature.
    assume(abs(signal) > 1e-2)
    expected = finite_difference(lambda s: float(stats.wstat(n_on, n_off, alpha, s)), signal)
    assert stats.wstat_gradient(n_on, n_off, alpha, signal) == pytest.approx(expected, rel=2e-3, abs=2e-3)


@given(st.integers(1, 200).map(float), st.integers(1, 200).map(float), ALPHA, SIGNAL)
def test_wstat_curvature_equals_finite_differences(n_on, n_off, alpha, signal):
    expected = finite_difference(lambda s: float(stats.wstat_gradient(n_on, n_off, alpha, s)), signal)
    assert stats.wstat_curvature(n_on, n_off, alpha, signal) == pytest.approx(expected, rel=1e-3, abs=1e-6)


@given(COUNTS, SIGNAL)
def test_cash_derivatives_equal_finite_differences(counts, mean):
    expected = finite_difference(lambda mu: float(stats.cash(counts, mu)), mean, 1e-7)
    assert stats.cash_gradient(counts, mean) == pytest.approx(expected, rel=1e-3, abs=1e-4)
    assert stats.cstat_gradient(counts, mean) == stats.cash_gradient(counts, mean)
    assert stats.cash_curvature(counts, mean) == pytest.approx(2 * counts / mean**2)


@given(COUNTS, COUNTS, ALPHA, st.floats(-100.0, 300.0), st.floats(-100.0, 300.0))
def test_wstat_is_convex_in_the_signal(n_on, n_off, alpha, first, second):
    ends = stats.wstat(n_on, n_off, alpha, [first, second])
    middle = stats.wstat(n_on, n_off, alpha, 0.5 * (first + second))
    assert middle <= 0.5 * ends.sum() * (1 + 1e-9) + 1e-9


@given(COUNTS, st.floats(0.1, 50.0), SIGNAL)
def test_wstat_tends_to_cash_with_known_background_as_alpha_vanishes(n_on, background, signal):
    alpha = 1e-9
    n_off = np.rint(background / alpha)
    expected = stats.cstat(n_on, signal + alpha * n_off)
    assert stats.wstat(n_on, n_off, alpha, signal) == pytest.approx(expected, rel=1e-4, abs=1e-4)


@given(COUNTS, COUNTS, st.floats(0.01, 1.0))
def test_wstat_significance_is_li_and_ma(n_on, n_off, alpha):
    assume(n_on > 0 and n_off > 0)
    total = n_on + n_off
    on_term = n_on * np.log((1 + alpha) / alpha * n_on / total)
    off_term = n_off * np.log((1 + alpha) * n_off / total)
    expected = np.sign(n_on - alpha * n_off) * np.sqrt(max(2 * (on_term + off_term), 0.0))
    assert stats.wstat_sqrt_ts(n_on, n_off, alpha) == pytest.approx(expected, abs=1e-6)


def test_cash_significance_has_the_sign_of_the_excess():
    assert stats.cash_sqrt_ts([9, 4, 1], 4.0) == pytest.approx(
        [np.sqrt(2 * (4 - 9 + 9 * np.log(9 / 4))), 0.0, -np.sqrt(2 * (4 - 1 + np.log(1 / 4)))]
    )


@given(st.integers(1, 100).map(float), st.integers(1, 100).map(float), st.floats(0.01, 1.0), st.floats(0.5, 3.0))
def test_errors_and_limits_of_counts_are_crossings(n_on, n_off, alpha, n_sigma):
    data = stats.on_off_counts(n_on, n_off, alpha)
    low, high = data.best_signal - stats.counts_errn(data, n_sigma), data.best_signal + stats.counts_errp(data, n_sigma)
    assert data.stat(low) == pytest.approx(n_sigma**2, rel=1e-9)
    assert data.stat(high) == pytest.approx(n_sigma**2, rel=1e-9)
    assert low < data.best_signal < high
    assert stats.counts_ul(data, n_sigma) == pytest.approx(float(high))


def test_errors_of_counts_over_a_known_background():
    data = stats.known_counts([16.0, 3.0], [4.0, 0.0])
    expected = [brentq(lambda mu, n=n: float(stats.cstat(n, mu)) - 1, n, 3 * n + 9) - n for n in (16.0, 3.0)]
    assert stats.counts_errp(data) == pytest.approx(expected)


def test_no_counts_have_finite_errors_and_limits():
    known = stats.known_counts([0.0, 0.0], [0.0, 0.7])
    assert stats.counts_errn(known).tolist() == [0.0, 0.0]
    assert stats.counts_errp(known) == pytest.approx([0.5, 0.5])
    assert stats.counts_ul(known) == pytest.approx([2.0, 1.3])
    on_off = stats.on_off_counts([0.0, 0.0], [0.0, 4.0], 0.25)
    assert stats.counts_errn(on_off)[0] == pytest.approx(0.125)
    assert stats.counts_ul(on_off) == pytest.approx([2.0, 2.0 - 4 * np.log(1.25)])


def test_bracketed_root_finds_the_position_of_a_jump():
    def jump(position):
        return np.where(position < 0.3, -1.0, 2.0), np.zeros_like(position)

    root = stats.bracketed_root(jump, np.array([0.0]), np.array([1.0]), np.array([0.9]))
    assert root == pytest.approx([0.3], abs=1e-12)

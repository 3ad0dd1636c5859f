"""Values and errors are shown in the digits that mean something."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xgamma.digits import digits, number_text, value_and_error, value_with_error

numbers = st.floats(-1e30, 1e30, allow_nan=False).filter(lambda number: number == 0 or abs(number) > 1e-30)
errors = st.floats(1e-30, 1e30)


@pytest.mark.parametrize(
    ("value", "error", "text", "short"),
    [
        (2.27774, 0.0589, "2.278 ± 0.059", "2.278(59)"),
        (6.6421e-12, 1.54e-13, "(6.64 ± 0.15)e-12", "6.64(15)e-12"),
        (-0.0415, 0.0312, "-0.042 ± 0.031", "-0.042(31)"),
        (3.14, 12.7, "3 ± 13", "3(13)"),
        (0.99, 0.0999, "0.99 ± 0.10", "0.99(10)"),
        (-0.001, 3.0, "0.0 ± 3.0", "0.0(3.0)"),
        (1234567.0, 2345.0, "(1.2346 ± 0.0023)e+06", "1.2346(23)e+06"),
        (0.0, 1e-13, "(0.0 ± 1.0)e-13", "0.0(1.0)e-13"),
        (2.5, math.nan, "2.500", "2.500"),
        (2.5, 0.0, "2.500", "2.500"),
        (2.5, math.inf, "2.500", "2.500"),
        (math.nan, 0.1, "-", "-"),
    ],
)
def test_a_value_has_the_digits_of_two_digits_of_its_error(value, error, text, short):
    assert value_and_error(value, error) == text
    assert value_with_error(value, error) == short


@given(numbers, errors)
def test_what_is_shown_is_the_value_within_a_twentieth_of_its_error(value, error):
    number, spread, power = digits(value, error)
    rounding = 1e-9 * max(abs(value), error)
    assert abs(float(number) * 10.0**power - value) <= 0.051 * error + rounding
    assert float(spread) * 10.0**power == pytest.approx(error, rel=0.051)


@given(numbers, errors)
def test_zero_never_has_a_sign(value, error):
    number, _, _ = digits(value, error)
    assert not (number.startswith("-") and float(number) == 0)


def test_an_error_that_is_none_has_no_digits():
    with pytest.raises(ValueError, match="above zero"):
        digits(1.0, 0.0)


@pytest.mark.parametrize(
    ("value", "text"),
    [(-0.0, "0.000"), (1234.5678, "1235"), (1e-13, "1.000e-13"), (math.inf, "-"), (7, "7"), ("x", "x")],
)
def test_a_lone_number_has_four_digits(value, text):
    assert number_text(value) == text

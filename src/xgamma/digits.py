"""Values and errors in the digits that mean something."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Any

NOTHING = "-"
"""Stands where there is no number to show."""
DIGITS = 2
"""Of an error; more say nothing, as errors are known to some percent."""
PLAIN = (1e-3, 1e5)
"""Values outside are written with a power of ten."""
PRECISION = 1e-15
"""Of values, relative."""
_NUMBER = re.compile(r"(< )?\(?-?\d[\d.,]*(e[-+]\d+)?([ )±%].*)?$|-$")


def number_text(value: Any, digits: int = 4) -> str:
    """Return a number, or a quantity without its unit, for people; what is not finite is ``-``, zero has no sign.

    >>> number_text(2e-13, 3), number_text(float("nan")), number_text(12), number_text("crab"), number_text(-0.0)
    ('2.00e-13', '-', '12', 'crab', '0.000')
    """
    number = getattr(value, "value", value)
    if not isinstance(number, float):
        return str(number)
    return f"{number + 0.0:#.{digits}g}".rstrip(".") if math.isfinite(number) else NOTHING


def digits(value: float, error: float) -> tuple[str, str, int]:
    """Return a value and its error, both with two digits of the error, and the power of ten that multiplies both.

    Raises ``ValueError`` unless both are finite and the error is above zero.

    >>> digits(2.27774, 0.0589)
    ('2.278', '0.059', 0)
    >>> digits(6.6421e-12, 1.54e-13)
    ('6.64', '0.15', -12)
    """
    if not (math.isfinite(value) and math.isfinite(error) and error > 0):
        raise ValueError(f"expected finite numbers and an error above zero, got {value} and {error}")
    largest = max(abs(value), error)
    is_plain = PLAIN[0] <= largest < PLAIN[1]
    power = 0 if is_plain else _decade(value if abs(value) > error else error)
    places = max(0, DIGITS - 1 - _decade(error) + power)
    return _fixed(value, power, places), _fixed(error, power, places), power


def value_and_error(value: float, error: float) -> str:
    """Return a value and its error as texts show them; a value without an error stands alone.

    >>> value_and_error(2.27774, 0.0589), value_and_error(6.6421e-12, 1.54e-13), value_and_error(1234567.0, 2345.0)
    ('2.278 ± 0.059', '(6.64 ± 0.15)e-12', '(1.2346 ± 0.0023)e+06')
    >>> value_and_error(2.5, float("nan")), value_and_error(float("nan"), 0.1), value_and_error(-0.001, 3.0)
    ('2.500', '-', '0.0 ± 3.0')
    >>> value_and_error(1.0, 2e-311), value_and_error(3e-311, 2e-311)
    ('1.000', '(3.0 ± 2.0)e-311')
    """
    if not math.isfinite(value):
        return NOTHING
    # Beyond the digits of a floating-point number an error says nothing.
    if not (math.isfinite(error) and error > PRECISION * abs(value)):
        return number_text(float(value))
    number, spread, power = digits(value, error)
    return f"{number} ± {spread}" if power == 0 else f"({number} ± {spread})e{power:+03d}"


def value_with_error(value: float, error: float) -> str:
    """Return a value with its error in units of the last digit.

    >>> value_with_error(-0.0415, 0.0312), value_with_error(3.14, 12.7), value_with_error(6.6421e-12, 1.54e-13)
    ('-0.042(31)', '3(13)', '6.64(15)e-12')
    """
    if not (math.isfinite(value) and math.isfinite(error) and error > PRECISION * abs(value)):
        return value_and_error(value, error)
    number, spread, power = digits(value, error)
    last = spread if float(spread) >= 1 else spread.replace(".", "").lstrip("0")
    return f"{number}({last})" + ("" if power == 0 else f"e{power:+03d}")


def decimals(value: float, places: int = 2) -> str:
    """Return a number with so many decimals; what is not finite is ``-``, zero has no sign.

    >>> decimals(-0.001), decimals(float("nan")), decimals(12.345, 1)
    ('0.00', '-', '12.3')
    """
    return _signed(f"{value:.{places}f}") if math.isfinite(value) else NOTHING


def some(count: int, what: str) -> str:
    """Return a number of things.

    >>> some(1, "run"), some(2, "run"), some(10_000, "run")
    ('1 run', '2 runs', '10,000 runs')
    """
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def stands_right(text: str) -> bool:
    """Whether a text stands right in a column: that of a number with whatever follows, such as an error or a unit.

    >>> stands_right("(-6.6 ± 0.2)e-12"), stands_right("< 4.1e-14"), stands_right("-"), stands_right("Crab")
    (True, True, True, False)
    """
    return _NUMBER.match(text) is not None


def _decade(number: float) -> int:
    """Return the power of ten of the first digit, after rounding to the digits of an error.

    >>> _decade(0.0994), _decade(0.0996)
    (-2, -1)
    """
    return int(f"{abs(number):.{DIGITS - 1}e}".partition("e")[2])


def _fixed(number: float, power: int, places: int) -> str:
    # Powers of ten of the smallest numbers are no floating-point numbers.
    text = f"{Decimal(number).scaleb(-power):.{places}f}" if abs(power) > 300 else f"{number * 10.0**-power:.{places}f}"
    return _signed(text)


def _signed(text: str) -> str:
    # A small negative number rounds to nothing, and nothing has no sign.
    return text[1:] if text[0] == "-" and float(text) == 0 else text

"""Cards of a FITS header as numbers, whatever way they were written."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from xgamma.errors import InputError


def as_number(value: Any) -> float:
    """Return a number, or a text that is one, as a float; NaN for everything else.

    >>> [as_number(value) for value in (0.94, "0.94", " 9.4D-1", True, "high", None)]
    [0.94, 0.94, 0.94, nan, nan, nan]
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return math.nan
    try:
        return float(value.upper().replace("D", "E") if isinstance(value, str) else value)
    except (ValueError, OverflowError):
        return math.nan


def card_number(header: Mapping[str, Any], keyword: str) -> float | None:
    """Return the number of a card, ``None`` where the header does not have it or leaves it blank.

    Raises
    ------
    InputError
        When it is not a finite number.
    """
    value = header.get(keyword)
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    number = as_number(value)
    if not math.isfinite(number):
        raise InputError(
            f"The header has {keyword} = {value!r}; expected a finite number. Correct or leave out the file."
        )
    return number

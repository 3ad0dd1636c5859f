"""The dead time of a run: DEADC beside LIVETIME and ONTIME, of which one may be wrong or missing.

Source: GADF 0.3, events: DEADC is LIVETIME / ONTIME, and ONTIME the sum of the good time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from xgamma.cards import as_number
from xgamma.errors import InputError
from xgamma.outcome import Note

TOPIC = "DEADC"
# Relative; what real writers round stays below it.
TOLERANCE = 1e-3


def dead_time_correction(header: Mapping[str, Any]) -> tuple[float, tuple[Note, ...]]:
    """Return the live share of the good time, above 0 and up to 1, and notes on what contradicts it.

    DEADC counts where LIVETIME / ONTIME is the same to ``TOLERANCE``. Where they differ, or DEADC is no such share,
    LIVETIME / ONTIME counts: writers have put dead shares and per cents into DEADC, two times leave no such choice.

    Parameters
    ----------
    header
        Of the events.

    Raises
    ------
    InputError
        When neither is a share.
    """
    said, ratio = as_number(header.get("DEADC")), _ratio(header)
    is_said, is_ratio = 0 < said <= 1, 0 < ratio <= 1 + TOLERANCE
    times = f"{_card(header, 'LIVETIME')} and {_card(header, 'ONTIME')}"
    if not is_said and not is_ratio:
        raise InputError(
            f"The header has {_card(header, 'DEADC')}, {times}; expected a DEADC above 0 and up to 1, or LIVETIME and "
            "ONTIME to take it from. Correct them, or leave out the file."
        )
    if is_said and is_ratio and abs(said - ratio) <= TOLERANCE:
        return said, ()
    if not is_ratio:
        doubt = Note(TOPIC, f"The header has {times}, which cannot both be right; DEADC = {said:.6g} is used.")
        return said, (doubt,) if {"LIVETIME", "ONTIME"} <= set(header) else ()
    share = min(ratio, 1.0)
    return share, (Note(TOPIC, f"The header has {_card(header, 'DEADC')}; LIVETIME / ONTIME = {share:.6g} is used."),)


def doubts_about_ontime(header: Mapping[str, Any], ontime: float) -> tuple[Note, ...]:
    """Return a note where ONTIME is not the sum of the good time, which counts."""
    said = as_number(header.get("ONTIME"))
    if not said > 0 or abs(said - ontime) <= TOLERANCE * said:
        return ()
    return (Note("ONTIME", f"ONTIME = {said:.6g} s, and the good time adds up to {ontime:.6g} s, which is used."),)


def _ratio(header: Mapping[str, Any]) -> float:
    livetime, ontime = as_number(header.get("LIVETIME")), as_number(header.get("ONTIME"))
    return livetime / ontime if ontime > 0 else math.nan


def _card(header: Mapping[str, Any], keyword: str) -> str:
    value = header.get(keyword)
    return f"no {keyword}" if value is None else f"{keyword} = {value!r}"

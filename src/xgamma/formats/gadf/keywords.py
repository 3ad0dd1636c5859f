"""Keywords of responses that decide numbers: what a response is enclosed by, and the energies that it recommends.

Source: Data formats for gamma-ray astronomy 0.3, "IRFs" (HDUCLAS3, RAD_MAX) and "AEFF_2D" (LO_THRES, HI_THRES).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from xgamma.errors import InputError
from xgamma.formats.fits.header import Header
from xgamma.formats.gadf.responses import Response
from xgamma.outcome import Note
from xgamma.units import unit_factor

# Two files that give one radius in single and in double precision agree.
SAME_RADIUS = 1e-3
_NUMBER = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][-+]?\d+)?)\s*([A-Za-z].*)?")
_NONE = ("", "NONE", "N/A", "NAN", "-")


def keyword_number(header: Header, key: str, unit: str, where: str) -> float:
    """Return the number of a keyword in ``unit``, NaN where there is none; a text may hold a number with its unit.

    Raises
    ------
    InputError
        For a text without a number, a truth value, or a unit of another dimension.

    Examples
    --------
    >>> keyword_number({"RAD_MAX": "12 arcmin"}, "RAD_MAX", "deg", "HDU 'AEFF'")
    0.2
    """
    value = header.get(key)
    if value is None or (isinstance(value, str) and value.strip().upper() in _NONE):
        return np.nan
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    match = _NUMBER.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise InputError(f"{where} has {key} = {value!r}; expected a number in {unit}. Correct the header.")
    return float(match[1].upper().replace("D", "E")) * unit_factor(match[2] or "", unit, f"{where}: the keyword {key}")


def with_keywords(responses: Mapping[str, Response]) -> tuple[dict[str, Response], tuple[Note, ...]]:
    """Return the responses of a run with numbers in the header of the effective area, and what is doubtful.

    RAD_MAX is the radius of a point-like response wherever the run gives it, LO_THRES and HI_THRES are numbers in TeV.
    What is not given is not in the header.

    Raises
    ------
    InputError
        When the responses contradict each other, or RAD_MAX of a point-like one is no positive number.
    """
    if "aeff" not in responses:
        return dict(responses), ()
    aeff = responses["aeff"]
    thresholds, notes = _thresholds(aeff)
    numbers = {"RAD_MAX": _rad_max(responses) if is_point_like(aeff) else np.nan, **thresholds}
    header = {key: value for key, value in aeff.header.items() if key not in numbers}
    header |= {key: value for key, value in numbers.items() if np.isfinite(value)}
    return {**responses, "aeff": replace(aeff, header=header)}, (*notes, *_mixed(responses))


def is_point_like(response: Response) -> bool:
    """Whether a response holds for a fixed on-region."""
    return re.sub(r"[-_ ]", "", _enclosure(response)) == "POINTLIKE"


def _enclosure(response: Response) -> str:
    return str(response.header.get("HDUCLAS3") or "").strip().upper()


def _rad_max(responses: Mapping[str, Response]) -> float:
    """Return the one radius that the responses of a run give, NaN where none does."""
    radii = {
        role.upper(): keyword_number(responses[role].header, "RAD_MAX", "deg", f"HDU {role.upper()!r}")
        for role in ("aeff", "edisp")
        if role in responses and responses[role].header.get("RAD_MAX") is not None
    }
    given = {place: radius for place, radius in radii.items() if not np.isnan(radius)}
    for place, radius in given.items():
        if not (np.isfinite(radius) and radius > 0):
            raise InputError(f"HDU {place!r} has RAD_MAX = {radius}; expected a positive number of degrees.")
    if given and max(given.values()) - min(given.values()) > SAME_RADIUS * max(given.values()):
        said = " and ".join(f"{radius:.7g} deg in {place}" for place, radius in given.items())
        raise InputError(f"The responses contradict each other: RAD_MAX is {said}. Correct the wrong header.")
    return next(iter(given.values()), np.nan)


def _mixed(responses: Mapping[str, Response]) -> tuple[Note, ...]:
    if not _enclosure(responses["aeff"]) and responses["aeff"].header.get("RAD_MAX") is not None:
        return (Note("HDUCLAS3", "AEFF has RAD_MAX and no HDUCLAS3; it is taken to be of full enclosure."),)
    aeff, edisp = is_point_like(responses["aeff"]), "edisp" in responses and is_point_like(responses["edisp"])
    if "edisp" not in responses or aeff == edisp:
        return ()
    kinds = "AEFF is point-like and EDISP is not" if aeff else "EDISP is point-like and AEFF is not"
    return (Note("HDUCLAS3", f"{kinds}; what the effective area says counts."),)


def _thresholds(aeff: Response) -> tuple[dict[str, float], tuple[Note, ...]]:
    """Return the recommended energies, NaN for none, and what is doubtful about them."""
    found: dict[str, float] = {}
    notes: list[Note] = []
    for key in ("LO_THRES", "HI_THRES"):
        try:
            found[key] = keyword_number(aeff.header, key, "TeV", "HDU 'AEFF'")
        except InputError as error:
            found[key] = np.nan
            notes.append(Note(key, f"{error} No energy is recommended."))
        if np.isinf(found[key]) or found[key] < 0:
            notes.append(Note(key, f"{key} is {found[key]}, which is no energy; none is recommended."))
            found[key] = np.nan
    low, high = found["LO_THRES"], found["HI_THRES"]
    last = next(axis.edges[-1] for axis in aeff.axes if axis.name == "energy_true")
    if low > high > 0:
        notes.append(Note("LO_THRES", f"LO_THRES = {low:g} TeV is above HI_THRES = {high:g} TeV: no energy is safe."))
    elif low >= last:
        text = f"LO_THRES = {low:g} TeV is above the effective area, which ends at {last:g} TeV: no energy is safe."
        notes.append(Note("LO_THRES", text))
    return found, tuple(notes)

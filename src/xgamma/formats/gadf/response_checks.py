"""Keywords of responses that decide numbers, and what is doubtful about responses although they can be read.

The bounds were chosen so that none of the public releases is doubted: they hold dispersions that are not normalised
(0.01 to 2700), effective areas of up to 1e4 to 1e7 m2, and splines that dip below zero by a hundredth of their peak.

Source: Data formats for gamma-ray astronomy 0.3, "IRFs" (HDUCLAS3, RAD_MAX) and "AEFF_2D" (LO_THRES, HI_THRES).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from xgamma.axes import Axis, BoolArray, FloatArray
from xgamma.errors import InputError
from xgamma.formats.fits.tables import Header
from xgamma.formats.gadf.irf_axes import FloatingArray
from xgamma.formats.gadf.responses import Response, between, holes, span_of_holes
from xgamma.outcome import Note
from xgamma.units import unit_factor

# Two files that give one radius in single and in double precision agree.
SAME_RADIUS = 1e-3
_NUMBER = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][-+]?\d+)?)\s*([A-Za-z].*)?")
_NONE = ("", "NONE", "N/A", "NAN", "-")
NEGATIVE = 0.05
"""Values below zero of more than this share of the largest are doubted."""
AREAS = (1e3, 1e9)
"""What the largest effective area may be, m2; one in cm2 that is said to be in m2, or the reverse, is outside."""
AXES = {"TeV": (1e-6, 1e6), "deg": (-30.0, 30.0)}
"""Within which an axis lies, by its unit; energies in keV and angles in arcmin without their unit are outside."""
NORMALISED, OFF, MATTERS = 0.05, 0.3, 1e-3
"""A dispersion is normalised where half of the events have a sum within 0.05 of 1; a sum off by 0.3 is doubted then."""
EDGE, COSTLY = 0.1, 0.01
"""Offsets with less than a tenth of the events of the best are at the edge; elsewhere a loss of 1 % is doubted."""


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
    return (*_two_kinds(responses), *_two_radii(responses))


def _two_radii(responses: Mapping[str, Response]) -> tuple[Note, ...]:
    if not is_point_like(responses["aeff"]) or "rad_max" not in responses or np.isnan(_rad_max(responses)):
        return ()
    return (Note("RAD_MAX", "RAD_MAX is a keyword and a table too; the table counts."),)


def _two_kinds(responses: Mapping[str, Response]) -> tuple[Note, ...]:
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


def notes_on_responses(responses: Mapping[str, Response]) -> tuple[Note, ...]:
    """Return what is doubtful about the responses of a run, each with the role in capitals as its topic."""
    # No step reads the background yet.
    read = {role: response for role, response in responses.items() if role != "bkg"}
    found = [Note(role.upper(), text) for role, response in read.items() for text in _own(response)]
    if {"aeff", "edisp"} <= set(responses):
        found += [Note("EDISP", text) for text in _sums(responses["aeff"], responses["edisp"])]
    return tuple(found)


def _own(response: Response) -> list[str]:
    texts = [*response.remarks]
    for axis in response.axes:
        low, high = AXES.get(axis.unit, (-np.inf, np.inf))
        if not (low <= axis.edges[0] and axis.edges[-1] <= high):
            span = f"{axis.edges[0]:.3g} to {axis.edges[-1]:.3g} {axis.unit}"
            texts.append(f"Its axis {axis.name} spans {span}; is its unit right?")
    for name, values in response.values.items():
        low, high = _range(values)
        if low < -NEGATIVE * max(high, 0.0):
            texts.append(f"Its {name} is negative, down to {low:.3g} of at most {high:.3g}; 0 is taken.")
        if name == "aeff" and high > 0 and not AREAS[0] <= high <= AREAS[1]:
            texts.append(f"Its effective area reaches {high:.3g} m2; is its unit right?")
    more = {"psf_table": _psf_total, "aeff_2d": _area_of_holes}
    return texts + (more[response.kind](response) if response.kind in more else [])


def _area_of_holes(response: Response) -> list[str]:
    """Doubt energies without an area where it costs events; at the edge of the field of view many tables have such."""
    where = holes(response.kind, response.values)
    if where is None:
        return []
    energy = response.axes[1]
    area = np.maximum(_known(response.values["aeff"]).astype(float), 0.0)
    number = np.arange(energy.nbin)
    filled = np.stack([np.interp(number, number[~hole], row[~hole]) for row, hole in zip(area, where, strict=True)])
    events, lost = (np.sum(values / energy.center, axis=1) for values in (filled, filled - area))
    share = np.divide(lost, events, out=np.zeros_like(lost), where=events > EDGE * events.max())
    if share.max() < COSTLY:
        return []
    span, percent = span_of_holes(energy, where), 100 * share.max()
    return [f"Its area is 0 at {span}, between energies where it is not, which costs {percent:.2g} % of the events."]


def _range(values: FloatingArray) -> tuple[float, float]:
    """Return the smallest and the largest value; empty and unknown ones matter where they are used, and not here."""
    low, high = float(values.min()), float(values.max())
    if np.isfinite(low) and np.isfinite(high):
        return low, high
    known = values[np.isfinite(values)]
    return (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)


def _known(values: FloatingArray) -> FloatingArray:
    is_finite = np.isfinite(values)
    return values if is_finite.all() else np.where(is_finite, values, values.dtype.type(0))


def _psf_total(response: Response) -> list[str]:
    rad = response.axes[1]
    ring = 2 * np.pi * np.deg2rad(rad.center) * np.deg2rad(rad.width)
    total = np.einsum("ore,r->oe", _known(response.values["psf"]), ring.astype(np.float32))
    middle = float(np.median(total[total > 0])) if (total > 0).any() else 1.0
    return [] if 0.5 < middle < 1.1 else [f"It holds {middle:.3g} of the events of a source, not 1; is its unit right?"]


def _sums(aeff: Response, edisp: Response) -> list[str]:
    """Doubt rows of a dispersion that are empty, or do not add up to 1, where events are expected."""
    offset, migra, energy = edisp.axes
    density = _known(edisp.values["edisp"])
    sums = np.einsum("ome,m->oe", density, migra.width.astype(density.dtype)).astype(float)
    weight = _expected(aeff, offset.center, energy.center)
    known = (sums > 0) & (weight > 0)
    total = float(weight[known].sum())
    if total == 0:
        return []
    # What is not finite is not known, which is said where it is used.
    is_empty = (sums == 0) & np.isfinite(edisp.values["edisp"]).all(axis=1)
    return _rows_without(is_empty, weight / total, energy) or _rows_off(sums, weight, known, total)


def _rows_without(is_empty: BoolArray, share: FloatArray, energy: Axis) -> list[str]:
    where = between(is_empty)
    lost = float(share[where].sum())
    if lost < MATTERS:
        return []
    span = span_of_holes(energy, where)
    return [f"Its rows are empty at {span}, for {100 * lost:.2g} % of the events; the rows beside them are taken."]


def _rows_off(sums: FloatArray, weight: FloatArray, known: BoolArray, total: float) -> list[str]:
    near = float(weight[known & (np.abs(sums - 1) < NORMALISED)].sum()) / total
    wrong = known & (np.abs(sums - 1) > OFF)
    share = float(weight[wrong].sum()) / total
    if near < 0.5 or share < MATTERS:
        return []
    low, high = (float(side) for side in np.quantile(sums[wrong], [0, 1]))
    return [f"Its rows add up to {low:.3g} to {high:.3g}, not 1, for {100 * share:.2g} % of the events; 1 is taken."]


def _expected(aeff: Response, offset: FloatArray, energy: FloatArray) -> FloatArray:
    """Return the relative number of events for index 2, by the nearest offset, shape (offset, energy)."""
    own_offset, own_energy = (axis.center for axis in aeff.axes)
    area = np.maximum(_known(aeff.values["aeff"]).astype(float), 0.0)
    rows = area[np.abs(own_offset - offset[:, None]).argmin(axis=1)]
    return np.stack([np.interp(np.log(energy), np.log(own_energy), row, 0.0, 0.0) for row in rows]) / energy

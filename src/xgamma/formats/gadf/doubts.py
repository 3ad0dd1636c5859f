"""What is doubtful about the responses of a run: said in its notes, although they can be read.

The bounds were chosen so that none of the public releases is doubted: they hold dispersions that are not normalised
(0.01 to 2700), effective areas of up to 1e4 to 1e7 m2, and splines that dip below zero by a hundredth of their peak.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from xgamma.axes import Axis, BoolArray, FloatArray
from xgamma.formats.gadf.holes import between, holes, span_of_holes
from xgamma.formats.gadf.irf_axes import FloatingArray
from xgamma.formats.gadf.responses import Response
from xgamma.outcome import Note

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


def doubts_about_responses(responses: Mapping[str, Response]) -> tuple[Note, ...]:
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

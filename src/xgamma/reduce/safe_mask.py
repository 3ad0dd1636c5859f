"""Safe masks: which bins of reconstructed energy of a run are used. Methods are joined by a logical and.

A method is a function of a ``SafeMaskInput`` and of its parameters that returns bools, shape (row, region, energy).
Sources: GADF 0.3 for the thresholds in headers (LO_THRES, HI_THRES); Aharonian et al. 2006 (A&A 457, 899) for a
threshold from the energy bias.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from xgamma.axes import Axis, BoolArray, FloatArray
from xgamma.grid import Grid
from xgamma.registry import Entry, Method, NoParameters, lookup, normalize_parameters, register

log = logging.getLogger(__name__)

KIND = "safe mask"
NEED_NO_DISPERSION = frozenset({"aeff-default", "aeff-max", "offset-max", "bkg-peak"})
"""The methods that do not look at the energy dispersion."""
NEED_NO_BACKGROUND = frozenset({"aeff-default", "aeff-max", "offset-max", "edisp-bias"})
"""The methods that do not look at the background."""
TRIALS = 101
SMALLEST = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True)
class AreaParameters:
    """Per cent of the largest area; at ``fixed_offset`` (deg) responses are looked at, not at the region."""

    aeff_percent: float = field(default=10.0, metadata={"minimum": 0, "maximum": 100})
    fixed_offset: float | None = field(default=None, metadata={"unit": "deg", "minimum": 0})


@dataclass(frozen=True)
class BiasParameters:
    """Per cent of the energy; ``fixed_offset`` as for areas."""

    bias_percent: float = field(default=10.0, metadata={"minimum": 0})
    fixed_offset: float | None = field(default=None, metadata={"unit": "deg", "minimum": 0})


@dataclass(frozen=True)
class OffsetParameters:
    """The largest offset in degrees."""

    offset_max: float = field(default=3.0, metadata={"unit": "deg", "above": 0})


@dataclass(frozen=True)
class SafeMaskParameters(OffsetParameters, BiasParameters, AreaParameters):
    """The parameters of all methods together, as a configuration gives them."""

    position: Any = None


def safe_masks_of(names: Iterable[str], given: Mapping[str, Any], where: str) -> tuple[Method, ...]:
    """Return methods by their names, each with those of the given parameters that it takes.

    Raises
    ------
    UnknownNameError
        For a name under which no safe mask is registered.
    ConfigError
        For a parameter of a wrong type, unit or range, with ``where`` in front, or one that is lacking.
    """
    return tuple(_method(lookup(KIND, name), given, where) for name in names)


def _method(entry: Entry, given: Mapping[str, Any], where: str) -> Method:
    known = {field.name for field in fields(entry.parameters)}
    return Method(entry, normalize_parameters(entry, {key: given[key] for key in given if key in known}, where))


@dataclass(frozen=True)
class SafeMaskInput:
    """What the methods look at, for a block.

    Parameters
    ----------
    grid
        The target. In a window of the sky ``region`` is each pixel in ``offset``, and one place for all in the others.
    offset
        Degrees from the pointing, shape (row, region).
    area
        Effective area times containment in m2, at the region or the fixed offset, shape (row, region, energy_true).
    edisp
        Shape (row, region, energy_true, energy); ``None`` where no method looks at it.
    thresholds
        Recommended energies of the effective area in TeV, NaN where missing, shape (row, 2).
    background
        Expected background counts, up to a factor that all energies share, shape (row, region, energy).
    """

    grid: Grid
    offset: FloatArray
    area: FloatArray
    edisp: FloatArray | None
    thresholds: FloatArray
    background: FloatArray


def _bins_inside(axis: Axis, low: FloatArray, high: FloatArray | float) -> BoolArray:
    """Return the bins wholly inside [low, high], where those have shape (row, region); NaN is the end of the axis."""
    low = np.where(np.isnan(low), -np.inf, low)[..., None]
    high = np.where(np.isnan(high), np.inf, high)[..., None]
    return np.asarray((axis.edges[:-1] >= low) & (axis.edges[1:] <= high))


@register(KIND, "aeff-default")
def inside_thresholds(given: SafeMaskInput, parameters: NoParameters) -> BoolArray:
    """Keep the energies that the effective area recommends in its header."""
    low, high = np.where(given.thresholds == 0, np.nan, given.thresholds).T
    if np.isnan(low).any():
        log.warning("%d runs recommend no energies; aeff-default leaves them unbounded.", np.isnan(low).sum())
    shape = given.area.shape[:2]
    return _bins_inside(
        given.grid.energy,
        np.broadcast_to(low[:, None], shape),
        np.broadcast_to(high[:, None], shape),
    )


@register(KIND, "aeff-max", parameters=AreaParameters)
def above_area(given: SafeMaskInput, parameters: AreaParameters) -> BoolArray:
    """Keep the energies above the first at which the area reaches a percentage of its largest value."""
    energy = given.grid.energy_true.center
    largest = given.area.max(axis=-1)
    start = energy[np.argmax(given.area > 0, axis=-1)]
    level = parameters.aeff_percent / 100 * largest
    root = first_crossing(energy, given.area, level, start)
    mask = _bins_inside(given.grid.energy, np.where(np.isnan(root), start, root), np.inf)
    return np.asarray(mask & (largest > 0)[..., None])


@register(KIND, "edisp-bias", parameters=BiasParameters)
def small_bias(given: SafeMaskInput, parameters: BiasParameters) -> BoolArray:
    """Keep the energies above the last at which the energy bias falls below a percentage."""
    assert given.edisp is not None
    energy = given.grid.energy_true.center
    total = given.edisp.sum(axis=-1)
    mean = np.divide(given.edisp @ given.grid.energy.center, total, out=np.zeros_like(total), where=total > 0)
    bias = (mean - energy) / energy
    start = energy[np.argmax(bias, axis=-1)]
    level = np.full(start.shape, parameters.bias_percent / 100)
    root = first_crossing(energy, bias, level, start)
    edge = np.where(np.isnan(root), start, root) * (1 + parameters.bias_percent / 100)
    return _bins_inside(given.grid.energy, edge, np.inf)


@register(KIND, "offset-max", parameters=OffsetParameters)
def near_pointing(given: SafeMaskInput, parameters: OffsetParameters) -> BoolArray:
    """Keep the regions nearer to the pointing than a largest offset."""
    near = given.offset < parameters.offset_max
    return np.broadcast_to(near[..., None], (*near.shape, given.grid.energy.nbin))


@register(KIND, "bkg-peak")
def above_background_peak(given: SafeMaskInput, parameters: NoParameters) -> BoolArray:
    """Keep the energies from the bin with the largest expected background on."""
    peak = np.argmax(np.nan_to_num(given.background), axis=-1)
    return np.asarray(np.arange(given.grid.energy.nbin) >= peak[..., None])


def first_crossing(energy: FloatArray, curve: FloatArray, level: FloatArray, start: FloatArray) -> FloatArray:
    """Return the first energy above ``start`` at which curves cross a level, NaN where they do not.

    The curves are linear between their nodes in log-log. As in Gammapy a crossing is a change of sign between two of
    101 log-spaced trial energies; inside such an interval the root of the broken line is exact.

    Parameters
    ----------
    energy
        Nodes, shape (node,).
    curve
        Shape (..., node).
    level, start
        Shape (...).
    """
    flat = np.maximum(curve.reshape(-1, len(energy)), SMALLEST)
    roots = [
        _root(np.log(energy), np.log(values), np.log(max(goal, SMALLEST)), np.log(first))
        for values, goal, first in zip(flat, level.ravel(), start.ravel(), strict=True)
    ]
    return np.asarray(np.exp(np.array(roots)).reshape(level.shape))


def _root(nodes: FloatArray, values: FloatArray, goal: float, start: float) -> float:
    if not start < nodes[-1]:
        return np.nan
    trials = np.linspace(start, nodes[-1], TRIALS)
    above = np.interp(trials, nodes, values) >= goal
    changes = np.flatnonzero(above[1:] != above[:-1])
    if len(changes) == 0:
        return np.nan
    low, high = trials[changes[0]], trials[changes[0] + 1]
    points = np.concatenate([[low], nodes[(nodes > low) & (nodes < high)], [high]])
    heights = np.interp(points, nodes, values) - goal
    side = np.flatnonzero((heights[1:] >= 0) != (heights[:-1] >= 0))[0]
    rise = heights[side + 1] - heights[side]
    return float(points[side] - heights[side] * (points[side + 1] - points[side]) / rise)

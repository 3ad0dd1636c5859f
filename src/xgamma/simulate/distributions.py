"""Distributions that events are drawn from, as tables of their cumulative."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from xgamma.axes import Axis, FloatArray
from xgamma.simulate.plan import Response
from xgamma.simulate.responses import field_profile

FIELD_STEPS = 1000


class Cumulative(NamedTuple):
    """A distribution as a table of its cumulative, which is drawn from by its inverse."""

    values: FloatArray
    cumulative: FloatArray

    @property
    def total(self) -> float:
        """The integral."""
        return float(self.cumulative[-1])

    def draw(self, count: int, generator: np.random.Generator) -> FloatArray:
        """Return ``count`` independent values."""
        # Looking up sorted numbers and shuffling is several times faster than looking up in random order.
        sorted_values = np.interp(np.sort(generator.random(count)) * self.total, self.cumulative, self.values)
        return generator.permutation(sorted_values)


def cumulative(values: FloatArray, density: FloatArray) -> Cumulative:
    """Integrate a density given at ``values`` by the trapezoidal rule."""
    steps = 0.5 * (density[1:] + density[:-1]) * np.diff(values)
    return Cumulative(values, np.concatenate([[0.0], np.cumsum(steps)]))


def fine_log_energy(axis: Axis) -> FloatArray:
    """Return ln E from the first to the last edge, in steps of about 0.2 %."""
    low, high = np.log(axis.edges[[0, -1]])
    return np.linspace(low, high, int((high - low) / 0.002) + 2)


def log_spectrum(axis: Axis, spectrum: FloatArray) -> Cumulative:
    """Return the distribution in ln E of a tabulated spectrum, taken as a power law between the nodes as readers do."""
    fine, nodes, values = fine_log_energy(axis), np.log(axis.center), np.log(spectrum)
    inner = np.interp(fine, nodes, values)
    first, last = np.diff(values)[[0, -1]] / np.diff(nodes)[[0, -1]]
    inner += first * np.minimum(fine - nodes[0], 0.0) + last * np.maximum(fine - nodes[-1], 0.0)
    return cumulative(fine, np.exp(inner + fine))


def field_distributions(response: Response) -> Mapping[str, Cumulative]:
    """Return the distributions of background in the field of view, in deg: of ``offset``, or of ``lon`` and ``lat``."""
    edge = response.offset_max
    if response.background == "bkg_2d":
        offset = np.linspace(0.0, edge, FIELD_STEPS + 1)
        return {"offset": cumulative(offset, np.sin(np.deg2rad(offset)) * field_profile(response, offset))}
    side = np.linspace(-edge, edge, FIELD_STEPS + 1)
    profile = field_profile(response, side)
    return {"lon": cumulative(side, profile), "lat": cumulative(side, profile * np.cos(np.deg2rad(side)))}


def solid_angle(response: Response) -> float:
    """Return the solid angle of the field of view weighted with the background profile, in sr."""
    shapes, radian = field_distributions(response), np.deg2rad(1.0)
    if response.background == "bkg_2d":
        return float(2 * np.pi * radian * shapes["offset"].total)
    return float(radian**2 * shapes["lon"].total * shapes["lat"].total)

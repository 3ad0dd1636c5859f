"""How much of a morphology lies within a distance of its centre: sums over rings, each the mean of many directions."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import scipy

from xgamma.axes import FloatArray
from xgamma.errors import ConfigError
from xgamma.geometry import destination
from xgamma.models.spatial.function import SpatialFunction

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(200)
_DIRECTIONS = 360
# Beyond so many times its reach nothing is looked for.
_FAR = 3.0


def enclosed(model: SpatialFunction, radius: float) -> float:
    """Return the integral of a density over the circle of a radius in degrees about the centre of the model.

    Raises ``ConfigError`` for a model without a centre, or one that depends on the energy.
    """
    center, values = model.center(), model.canonical_values()
    if center is None or model.is_energy_dependent:
        raise ConfigError(f"{model.tag[0]}: expected a source with a centre, of one form at all energies.")
    if model.is_point:
        return float(radius >= 0)
    end = min(radius, _FAR * model.reach(), 180.0)
    if not end > 0:
        return 0.0
    edges = sorted({0.0, end, *(edge for edge in model.edges(values) if 0 < edge < end)})
    return float(sum(_between(model, center, low, high) for low, high in pairwise(edges)))


def _between(model: SpatialFunction, center: tuple[float, float], low: float, high: float) -> float:
    # Steps that are fine at both ends, where shells have roots.
    distance = low + (high - low) * (0.5 - 0.5 * np.cos(0.5 * np.pi * (_NODES + 1)))
    stretch = np.deg2rad((high - low) * 0.25 * np.pi * np.sin(0.5 * np.pi * (_NODES + 1)))
    return float((_ring_means(model, center, distance) * 2 * np.pi * np.sin(np.deg2rad(distance)) * stretch) @ _WEIGHTS)


def _ring_means(model: SpatialFunction, center: tuple[float, float], distance: FloatArray) -> FloatArray:
    if model.is_round():
        return model.profile(distance)
    angle = (np.arange(_DIRECTIONS) + 0.5) * 360.0 / _DIRECTIONS
    return np.asarray(model.density(*destination(*center, angle[:, None], distance)).mean(axis=0))


def enclosing(model: SpatialFunction, fraction: float) -> float:
    """Return the radius in degrees of the circle about the centre that holds a fraction of the source.

    Raises ``ConfigError`` for a fraction that is not between 0 and 1, or that no circle holds.
    """
    if not 0 < fraction < 1:
        raise ConfigError(f"containment_radius: expected a fraction between 0 and 1, got {fraction:g}.")
    if model.is_point:
        return 0.0
    largest = min(_FAR * model.reach(), 180.0)
    if enclosed(model, largest) < fraction:
        raise ConfigError(f"{model.tag[0]}: no circle about its centre holds {fraction:g} of it; give a smaller one.")
    return float(
        scipy.optimize.brentq(lambda radius: enclosed(model, radius) - fraction, 0.0, largest, xtol=1e-8 * largest)
    )

"""Interpolation of tables in logarithmic scales, with linear extrapolation. Plain arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from scipy.interpolate import RegularGridInterpolator

from xgamma.axes import FloatArray

# The smallest normal float32: below it a logarithm stands for zero (as in Gammapy).
FLOOR = float(np.finfo(np.float32).tiny)


def log_values(values: FloatArray) -> FloatArray:
    """Return the logarithm, with a floor that stands for zero."""
    return np.asarray(np.log(np.maximum(values, FLOOR)))


def from_log_values(logs: FloatArray) -> FloatArray:
    """Undo ``log_values``: what is within a factor of two of the floor is zero again."""
    with np.errstate(over="ignore"):
        values = np.exp(logs)
    return np.where(values <= 2 * FLOOR, 0.0, values)


def linear_extrapolating(x: FloatArray, nodes: FloatArray, values: FloatArray) -> FloatArray:
    """Return the piecewise linear curve through (nodes, values) at ``x``; the end pieces continue outside."""
    if nodes.size == 1:
        return np.full(np.shape(x), values[0])
    piece = np.clip(np.searchsorted(nodes, x, side="right") - 1, 0, nodes.size - 2)
    slope = np.diff(values) / np.diff(nodes)
    return np.asarray(values[piece] + slope[piece] * (x - nodes[piece]))


def grid_interpolator(
    nodes: Sequence[FloatArray], scales: Sequence[str], values: FloatArray, logarithmic: bool
) -> Callable[..., FloatArray]:
    """Return a function of one coordinate array per axis: multilinear in the scales, extrapolating linearly.

    Parameters
    ----------
    nodes, scales
        The nodes of each axis and its scale, ``"lin"`` or ``"log"``. An axis of one node is constant.
    values
        The table, one dim an axis.
    logarithmic
        Whether the logarithm of the values is interpolated.
    """
    longer = [axis for axis, node in enumerate(nodes) if node.size > 1]
    scaled = [np.log(nodes[axis]) if scales[axis] == "log" else nodes[axis] for axis in longer]
    table = np.squeeze(values, axis=tuple(axis for axis in range(len(nodes)) if axis not in longer))
    linear = RegularGridInterpolator(
        scaled, log_values(table) if logarithmic else table, bounds_error=False, fill_value=None
    )

    def interpolate(*coordinates: npt.ArrayLike) -> FloatArray:
        arrays = np.broadcast_arrays(*coordinates)
        points = [np.log(arrays[axis]) if scales[axis] == "log" else arrays[axis] for axis in longer]
        result = np.asarray(linear(np.stack(points, axis=-1)), dtype=float).reshape(arrays[0].shape)
        return from_log_values(result) if logarithmic else result

    return interpolate

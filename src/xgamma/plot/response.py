"""Exposure and energy dispersion of one spectrum."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from xgamma.axes import FloatArray
from xgamma.plot.labels import ENERGY_TRUE, axis_label, label_energy, normalize_axes


def plot_exposure(edges_true: FloatArray, exposure: FloatArray, ax: Axes | None = None, **style: Any) -> Axes:
    """Draw an exposure (nbin_true,) in m2 s over true energy in TeV."""
    ax = normalize_axes(ax)
    positive = np.where(exposure > 0, exposure, np.nan)
    ax.stairs(positive, edges_true, baseline=None, **{"lw": 1.4, **style})
    ax.set_yscale("log")
    label_energy(ax, edges_true, ENERGY_TRUE)
    ax.set_ylabel(axis_label("Exposure", "m2 s"))
    return ax


def plot_edisp(
    edges_true: FloatArray, edges: FloatArray, edisp: FloatArray, ax: Axes | None = None, **style: Any
) -> Axes:
    """Draw a migration matrix (nbin_true, nbin): the probability of each bin of energy, with a colour bar."""
    ax = normalize_axes(ax)
    mesh = ax.pcolormesh(edges_true, edges, edisp.T, **{"vmin": 0.0, "cmap": "viridis", "rasterized": True, **style})
    label_energy(ax, edges_true, ENERGY_TRUE)
    ax.set_yscale("log")
    ax.set_ylim(edges[0], edges[-1])
    ax.set_ylabel(axis_label("Energy", "TeV"))
    ax.figure.colorbar(mesh, ax=ax, label="Probability")
    return ax

"""Numbers beside what they should be: pulls, coverage, and the deviance of data beside that of drawn data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xgamma.axes import FloatArray
from xgamma.plot.figures import normalize_axes
from xgamma.plot.legends import show_legend
from xgamma.plot.style import cycle_color, styled

PULL_EDGES = np.linspace(-4.0, 4.0, 33)


class Covered(NamedTuple):
    """Coverage of one kind of interval: expected counts and fraction (point,), its interval (point, 2), the promise."""

    what: str
    counts: FloatArray
    fraction: FloatArray
    interval: FloatArray
    nominal: float


@styled
def plot_pulls(pulls: FloatArray, name: str, ax: Axes, what: str = "sets") -> Axes:
    """Draw a histogram of the pulls of sets, or of what else has pulls, and what a Gaussian of width 1 puts there."""
    known = pulls[np.isfinite(pulls)]
    ax.hist(known, PULL_EDGES.tolist(), color="tab:blue", alpha=0.6, label=f"{len(known)} {what}")
    x = np.linspace(PULL_EDGES[0], PULL_EDGES[-1], 201)
    density = np.exp(-0.5 * x**2) / np.sqrt(2 * np.pi)
    ax.plot(x, len(known) * (PULL_EDGES[1] - PULL_EDGES[0]) * density, color="black", lw=1.2, label="Gaussian, width 1")
    ax.set_xlabel(f"Pull of {name} [standard deviations]")
    ax.set_ylabel(f"{what.capitalize()} per bin")
    ax.set_ylim(0, 1.3 * ax.get_ylim()[1])
    ax.legend(loc="upper right")
    return ax


@styled
def plot_coverage(covered: Covered, fewest: float, ax: Axes) -> Axes:
    """Draw coverage over the counts expected, those below ``fewest`` in grey."""
    few = covered.counts < fewest
    for chosen, color in ((few, "0.6"), (~few, "tab:red")):
        low, high = covered.interval[chosen].T
        middle = covered.fraction[chosen]
        errors = np.maximum(np.stack([middle - low, high - middle]), 0.0)
        ax.errorbar(covered.counts[chosen], middle, yerr=errors, fmt="o", ms=3.5, lw=1.0, color=color)
    ax.axhline(covered.nominal, color="black", lw=1.0)
    ax.axvline(fewest, color="0.5", lw=0.8, ls=":")
    ax.set_xscale("log")
    ax.set_xlabel("Expected counts in the on region [counts]")
    ax.set_ylabel("Coverage [fraction]")
    ax.set_title(covered.what)
    return ax


COLUMNS = 4
PANEL = (3.2, 2.9)


@styled
def draw_closure(pulls: Mapping[str, FloatArray], covered: Sequence[Covered], fewest: float) -> Figure:
    """Return a figure: above a panel for the pulls of each parameter, below one for each kind of interval, if any."""
    if not covered:
        return _draw_pulls(pulls)
    figure = Figure(figsize=(10.0, 7.0), layout="constrained")
    halves = np.ravel(np.array(figure.subfigures(2, 1)))
    above, below = (half.subplots(1, max(1, len(kinds))) for half, kinds in zip(halves, (pulls, covered), strict=True))
    for (name, values), ax in zip(pulls.items(), np.ravel(above), strict=False):
        plot_pulls(values, name, ax)
    for kind, ax in zip(covered, np.ravel(below), strict=False):
        plot_coverage(kind, fewest, ax)
    return figure


def _draw_pulls(pulls: Mapping[str, FloatArray]) -> Figure:
    rows, columns = -(-len(pulls) // COLUMNS), min(len(pulls), COLUMNS)
    figure = Figure(figsize=(PANEL[0] * columns, PANEL[1] * rows), layout="constrained")
    panels = np.ravel(np.array(figure.subplots(rows, columns)))
    for (name, values), ax in zip(pulls.items(), panels, strict=False):
        model, *_, parameter = name.split(".")
        plot_pulls(values, name, ax)
        ax.set_xlabel("Pull [standard deviations]")
        ax.set_title(f"{model} {parameter}")
        ax.legend(fontsize="x-small", loc="upper right")
    for ax in panels[len(pulls) :]:
        ax.set_axis_off()
    return figure


@styled
def plot_deviance(drawn: FloatArray, actual: float, ax: Axes | None = None) -> Axes:
    """Draw a histogram of deviances that were drawn, shape (draw,), and a line at that of the data."""
    ax = normalize_axes(ax)
    low, high = min(float(drawn.min()), actual), max(float(drawn.max()), actual)
    room = 0.03 * (high - low or 1.0)
    edges = np.linspace(low - room, high + room, 36).tolist()
    ax.hist(drawn, edges, color=cycle_color(0), alpha=0.5, label="Drawn from the fit")
    ax.axvline(actual, color=cycle_color(1), lw=1.8, label="Data")
    ax.set_xlabel("Deviance from the saturated model")
    ax.set_ylabel("Draws")
    ax.set_ylim(0, 1.3 * ax.get_ylim()[1])
    show_legend(ax)
    return ax

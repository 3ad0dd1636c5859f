"""Counts and fits of several spectra: a panel for each of the first, and the sum of the others, all of them named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xgamma.axes import BoolArray, FloatArray
from xgamma.plot import counts as draw
from xgamma.plot.figures import new_figure, show_title
from xgamma.plot.labels import energy_scale
from xgamma.plot.style import styled

MOST_PANELS = 9
"""More spectra than this are drawn as a panel less, and one for the sum of all others."""

PANEL = (3.6, 2.9)
"""Inches of a panel of counts; one of a fit is higher."""
FIT_HEIGHT = 3.7
NAMES_SHOWN = 3
RESIDUALS = "diff/sqrt(model)"
"""How residuals are drawn where nobody has said: in numbers of standard deviations."""


@dataclass(frozen=True)
class CountsSpectrum:
    """What pictures show of the counts of a region.

    Parameters
    ----------
    name
        Its name.
    facts
        What is known of it: telescope, live time and so on.
    edges
        Energy edges in TeV, shape (nbin + 1,).
    counts, background, errors
        Shape (nbin,); the standard errors are those of the excess.
    safe, used
        The safe bins, and those of them that a fit sees, shape (nbin,).
    signal, npred
        Predicted counts of the sources, and of sources and background, shape (nbin,); ``None`` without models.
    """

    name: str
    facts: tuple[str, ...]
    edges: FloatArray
    counts: FloatArray
    background: FloatArray
    errors: FloatArray
    safe: BoolArray
    used: BoolArray
    signal: FloatArray | None = None
    npred: FloatArray | None = None

    @property
    def span(self) -> FloatArray:
        """The edges of the lowest and the highest bin in which something is, or would be safe, and of one beside it."""
        signal = np.zeros(len(self.counts)) if self.signal is None else self.signal
        filled = self.safe & ((self.counts > 0) | (self.background > 0.05) | (signal > 0.05))
        places = np.flatnonzero(filled if filled.any() else np.ones(len(self.counts), bool))
        first, last = max(places[0] - 1, 0), min(places[-1] + 2, len(self.counts))
        return self.edges[[first, last]]

    @classmethod
    def sum_of(cls, spectra: Sequence[CountsSpectrum]) -> CountsSpectrum:
        """Return the sum of the safe bins of spectra of the same energies."""
        safe = np.array([one.safe for one in spectra])

        def total(values: list[FloatArray]) -> FloatArray:
            return np.asarray(np.where(safe, values, 0.0).sum(axis=0))

        signal, npred = ([getattr(one, name) for one in spectra] for name in ("signal", "npred"))
        has_models = all(one.npred is not None for one in spectra)
        return cls(
            f"Sum of {len(spectra)}",
            (_names([one.name for one in spectra]),),
            spectra[0].edges,
            total([one.counts for one in spectra]),
            total([one.background for one in spectra]),
            np.sqrt(total([one.errors**2 for one in spectra])),
            np.logical_or.reduce(safe),
            np.logical_or.reduce([one.used for one in spectra]),
            total(signal) if has_models else None,
            total(npred) if has_models else None,
        )


def _names(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= NAMES_SHOWN else f"{names[0]}, {names[1]}, ... {names[-1]}"


def shown_spectra(spectra: Sequence[CountsSpectrum]) -> list[CountsSpectrum]:
    """Return what has a panel: each, or of many the first, and for each axis of energy the sum of all others."""
    if len(spectra) <= MOST_PANELS:
        return list(spectra)
    axes = {one.edges.tobytes() for one in spectra}
    kept = max(MOST_PANELS - len(axes), 0)
    groups: dict[bytes, list[CountsSpectrum]] = {}
    for one in spectra[kept:]:
        groups.setdefault(one.edges.tobytes(), []).append(one)
    return [*spectra[:kept], *(own[0] if len(own) == 1 else CountsSpectrum.sum_of(own) for own in groups.values())]


@styled
def draw_counts(one: CountsSpectrum, ax: Axes) -> Axes:
    """Draw counts and background, and shade what is not safe."""
    draw.plot_masks(one.edges, one.safe, None, ax)
    draw.plot_counts(one.edges, one.counts, np.stack([np.sqrt(one.counts)] * 2), one.background, ax)
    return _within(one, ax)


@styled
def draw_fit(one: CountsSpectrum, above: Axes, below: Axes) -> tuple[Axes, Axes]:
    """Draw the excess with what is predicted, and the residuals below it."""
    errors = np.stack([one.errors] * 2)
    for ax, label in ((above, {}), (below, {"label": None})):
        draw.plot_masks(one.edges, one.safe, one.used, ax, label, label)
    excess = np.where(one.safe, one.counts - one.background, np.nan)
    draw.plot_excess(one.edges, excess, errors, one.signal, above)
    npred = one.background if one.npred is None else one.npred
    scale = np.where(npred > 0, np.sqrt(np.maximum(npred, 0.0)), np.nan)
    residuals = np.where(one.used, (one.counts - npred) / scale, np.nan)
    bounds = np.stack([one.edges[:-1], one.edges[1:]], axis=1)
    draw.plot_residuals(bounds, residuals, errors / scale, RESIDUALS, below)
    above.label_outer()
    return _within(one, above), _within(one, below)


def _within(one: CountsSpectrum, ax: Axes) -> Axes:
    ax.set_xlim(*(one.span * energy_scale(ax)))
    return ax


def _titles(one: CountsSpectrum, is_alone: bool) -> tuple[str, ...]:
    return one.facts if is_alone else (one.name, *one.facts[-2:])


@styled
def plot_counts_of(spectra: Sequence[CountsSpectrum], figure: Figure | None = None, title: str = "") -> Figure:
    """Draw counts and background of spectra, a panel each; of many, one for the sum of the others."""
    shown = shown_spectra(spectra)
    made = _sized(figure, len(shown), PANEL[1])
    for place, (one, cell) in enumerate(zip(shown, _cells(made, len(shown)), strict=True)):
        ax = draw_counts(one, made.add_subplot(cell))
        show_title(ax, *_titles(one, len(shown) == 1))
        _tidy(ax, place, len(shown), is_lowest=True)
    show_title(made, title if len(shown) > 1 else "")
    return made


@styled
def plot_fits_of(spectra: Sequence[CountsSpectrum], figure: Figure | None = None, title: str = "") -> Figure:
    """Draw excess, prediction and residuals of spectra, a panel each; of many, one for the sum of the others."""
    shown = shown_spectra(spectra)
    made = _sized(figure, len(shown), FIT_HEIGHT)
    for place, (one, cell) in enumerate(zip(shown, _cells(made, len(shown)), strict=True)):
        inner = cell.subgridspec(2, 1, height_ratios=[2.8, 1], hspace=0.0)
        above = made.add_subplot(inner[0])
        draw_fit(one, above, made.add_subplot(inner[1], sharex=above))
        show_title(above, *_titles(one, len(shown) == 1))
        for ax, is_lowest in zip(made.axes[-2:], (False, True), strict=True):
            _tidy(ax, place, len(shown), is_lowest)
    show_title(made, title if len(shown) > 1 else "")
    return made


def _columns(count: int) -> int:
    return count if count <= 3 else int(np.ceil(np.sqrt(count)))


def _sized(figure: Figure | None, count: int, height: float) -> Figure:
    columns = _columns(count)
    made = new_figure() if figure is None else figure
    if count > 1:
        made.set_size_inches(PANEL[0] * columns + 0.6, height * -(-count // columns) + 0.4)
    return made


def _cells(figure: Figure, count: int) -> Iterator[Any]:
    columns = _columns(count)
    grid = figure.add_gridspec(-(-count // columns), columns)
    return (grid[place // columns, place % columns] for place in range(count))


def _tidy(ax: Axes, place: int, count: int, is_lowest: bool) -> None:
    """Leave out labels that a neighbour has, and legends but the first."""
    columns = _columns(count)
    if place % columns:
        ax.set_ylabel("")
    if is_lowest and place + columns < count:
        ax.set_xlabel("")
    legend = ax.get_legend()
    if place and legend is not None:
        legend.remove()

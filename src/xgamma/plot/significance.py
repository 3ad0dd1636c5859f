"""The distribution of the significances of a map, as it is published."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from scipy import optimize

from xgamma.axes import FloatArray
from xgamma.errors import ConfigError
from xgamma.plot.figures import normalize_axes
from xgamma.plot.style import cycle_color, styled

FINE = 400
"""How many points a curve has."""
WHOLE = 5.0
FEWEST = 0.5
"""The lowest number of pixels that the logarithmic axis shows."""


@styled
def plot_distribution(
    edges: FloatArray,
    counts: FloatArray,
    counts_outside: FloatArray,
    fit: tuple[float, float],
    errors: tuple[float, float] | None = None,
    ax: Axes | None = None,
    **style: Any,
) -> Axes:
    """Draw how many pixels have which significance, with the normal distribution of those without known sources.

    Parameters
    ----------
    edges
        Of the bins, evenly spaced, shape (bin + 1,).
    counts, counts_outside
        Pixels of each bin: all, and those outside of what is excluded, shape (bin,). Where they are the same, one is
        drawn.
    fit, errors
        Mean and width of the fitted distribution, and their errors.
    ax
        Where to draw; ``None`` is the current Axes.
    **style
        For the histogram of the pixels outside.
    """
    ax = normalize_axes(ax)
    is_excluding = not np.array_equal(counts, counts_outside)
    if is_excluding:
        ax.stairs(counts, edges, color="0.35", lw=1.4, label="All pixels")
    label = "Outside of the exclusion" if is_excluding else "All pixels"
    ax.stairs(counts_outside, edges, **{"fill": True, "color": cycle_color(0), "alpha": 0.35, **style, "label": label})
    _draw_normals(ax, edges, float(counts_outside.sum()), fit, errors)
    ax.set_yscale("log")
    ax.set_ylim(FEWEST, 3.0 * max(float(counts.max()), 1.0))
    ax.set_xlim(*_shown(edges))
    ax.set_xlabel("Significance")
    ax.set_ylabel("Pixels")
    ax.legend(loc="upper right")
    return ax


def normal(x: FloatArray, mean: float, width: float) -> FloatArray:
    """Return the density of a normal distribution."""
    return np.asarray(np.exp(-0.5 * ((x - mean) / width) ** 2) / (np.sqrt(2 * np.pi) * width))


def _shown(edges: FloatArray) -> tuple[float, float]:
    """Return the significances that are shown: all, and so many that the distribution of nothing is whole."""
    return min(float(edges[0]), -WHOLE), max(float(edges[-1]), WHOLE)


def _draw_normals(
    ax: Axes, edges: FloatArray, pixels: float, fit: tuple[float, float], errors: tuple[float, float] | None
) -> None:
    """Draw the fitted distribution, and the one that is expected where there is nothing."""
    x = np.linspace(*_shown(edges), FINE)
    scale = pixels * (edges[1] - edges[0])
    mean, std = fit
    spread = ("", "") if errors is None else tuple(f" ± {error:.2f}" for error in errors)
    fitted = f"Fit: mean {mean:.2f}{spread[0]}, width {std:.2f}{spread[1]}"
    curves: tuple[tuple[tuple[float, float], dict[str, Any], str], ...] = (
        ((mean, std), {"color": cycle_color(3), "lw": 1.8}, fitted),
        ((0.0, 1.0), {"color": "0.2", "lw": 1.2, "ls": "--"}, "Mean 0, width 1"),
    )
    for (center, width), own, label in curves:
        if width > 0:
            ax.plot(x, scale * normal(x, center, width), label=label, **own)


@styled
def plot_histograms(
    planes: Sequence[FloatArray],
    titles: Sequence[str],
    ax: Axes | Sequence[Axes] | None = None,
    ncols: int = 3,
    func: Callable[..., Any] | str | None = None,
    kwargs_hist: Mapping[str, Any] | None = None,
    kwargs_axes: Mapping[str, Any] | None = None,
    kwargs_fit: Mapping[str, Any] | None = None,
) -> tuple[list[Axes], list[dict[str, Any]]]:
    """Draw a histogram of the values of each plane, and a function that is fitted to its bins.

    Parameters
    ----------
    planes, titles
        Values of any shape, of which those that are not finite are left out, and what is written above each.
    ax, ncols
        One for each plane; ``None`` makes a figure with so many columns.
    func
        ``norm`` for a normal density, or a function of the centres of bins and its parameters; ``None`` fits nothing.
    kwargs_hist, kwargs_axes, kwargs_fit
        For ``Axes.hist``, ``Axes.set`` and ``scipy.optimize.curve_fit``.

    Returns
    -------
    tuple
        The Axes; for each fit a dict of its ``param`` and their ``covar``.

    Raises
    ------
    ConfigError
        For another number of Axes, and a word that is no function.
    """
    fitted: Any = normal if func == "norm" else func
    if isinstance(fitted, str):
        raise ConfigError(f"func: expected 'norm' or a function, got {func!r}.")
    drawn = _axes_of(ax, len(planes), ncols)
    results = []
    for own, values, title in zip(drawn, planes, titles, strict=True):
        known = np.ravel(values)[np.isfinite(np.ravel(values))]
        heights, edges, _ = own.hist(
            known, **{"bins": 50, "color": cycle_color(0), "alpha": 0.6, **(kwargs_hist or {})}
        )
        if fitted is not None:
            results.append(_fitted(own, fitted, heights, edges, kwargs_fit or {}))
        own.set(**{"xlabel": "Value", "ylabel": "Pixels", "title": title, **(kwargs_axes or {})})
    return drawn, results


def _fitted(
    ax: Axes, function: Callable[..., Any], heights: Any, edges: Any, options: Mapping[str, Any]
) -> dict[str, Any]:
    """Fit a function to the bins of a histogram, draw it, and return its ``param`` and their ``covar``."""
    is_normal = function is normal
    start = {"p0": (0.0, 1.0)} if is_normal else {}
    param, covar = optimize.curve_fit(function, 0.5 * (edges[1:] + edges[:-1]), heights, **{**start, **options})
    x = np.linspace(edges[0], edges[-1], FINE)
    words = f"Fit: mean {param[0]:.2f}, width {param[1]:.2f}" if is_normal else "Fit"
    ax.plot(x, function(x, *param), color=cycle_color(3), lw=1.8, label=words)
    ax.legend(loc="upper right")
    return {"param": param, "covar": covar}


def _axes_of(ax: Axes | Sequence[Axes] | None, count: int, ncols: int) -> list[Axes]:
    if ax is not None:
        given = [ax] if isinstance(ax, Axes) else list(np.ravel(np.asarray(ax, dtype=object)))
        if len(given) != count:
            raise ConfigError(f"ax: expected {count} Axes, one for each plane, got {len(given)}.")
        return given
    columns = min(max(ncols, 1), count)
    rows = -(-count // columns)
    figure = plt.figure(figsize=(5.0 * columns + 1.0, 4.2 * rows), layout="constrained")
    return [figure.add_subplot(rows, columns, number + 1) for number in range(count)]

"""Figures and Axes to draw on, and the titles above them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from xgamma.plot.style import styled

PICTURE_SIZE = (8.0, 6.0)
RESOLUTION = 120
TITLE_LENGTH = 70
"""Longer titles are two lines."""


@styled
def normalize_axes(ax: Axes | None) -> Axes:
    """Return ``ax``, or the current Axes of pyplot for ``None``."""
    return plt.gca() if ax is None else ax


@styled
def new_figure(figsize: tuple[float, float] | None = None) -> Figure:
    """Return a new figure of pyplot, laid out so that nothing is cut off."""
    return plt.figure(figsize=figsize, layout="constrained")


@styled
def empty_figure(figsize: tuple[float, float] | None = None) -> Figure:
    """Return the current figure of pyplot if nothing is drawn in it, else a new one."""
    if plt.get_fignums() and not plt.gcf().axes:
        return plt.gcf()
    return new_figure(figsize)


@styled
def panels(
    count: int,
    figsize: tuple[float, float] | None = None,
    columns: int = 3,
    figure: Any = None,
    **options: Any,
) -> tuple[Figure, Sequence[Axes]]:
    """Return a figure, by default a new one, and so many Axes row by row; ``options`` are those of ``subplots``."""
    columns = max(1, min(columns, count))
    made = new_figure(figsize) if figure is None else figure
    axes = made.subplots(-(-count // columns), columns, squeeze=False, **options)
    for ax in axes.flat[count:]:
        ax.set_visible(False)
    return made, list(axes.flat[:count])


@styled
def add_axes(figure: Figure, place: tuple[int, int, int] = (1, 1, 1), **options: Any) -> Axes:
    """Return new Axes at a place of a figure; ``options`` are those of ``add_subplot``, such as a projection."""
    axes: Axes = figure.add_subplot(*place, **options)
    return axes


def show_title(target: Axes | Figure, *parts: str) -> None:
    """Write what is known above Axes, or above all of a figure: parts that are not empty, parted by commas."""
    known = [part for part in parts if part]
    text = ", ".join(known)
    if len(text) > TITLE_LENGTH and len(known) > 1:
        half = (len(known) + 1) // 2
        text = ", ".join(known[:half]) + ",\n" + ", ".join(known[half:])
    if isinstance(target, Axes):
        target.set_title(text)
    elif text:
        target.suptitle(text)


@styled
def picture_figure() -> Figure:
    """Return an empty figure of the size that all pictures in files have."""
    return Figure(figsize=PICTURE_SIZE, layout="constrained")


LARGEST_DRAWING = 300_000
"""Bytes of a picture of lines; a larger one is stored as pixels."""
# Without them the bytes of a drawing depend on the process and on the time.
_DRAWING: Any = {"svg.hashsalt": "xgamma", "svg.fonttype": "path"}


@styled
def drawing(figure: Figure) -> tuple[bytes, str]:
    """Return a figure as SVG, or as PNG where it has many lines, and the media type; pyplot no longer holds it."""
    content = io.StringIO()
    figure.set_facecolor("white")
    # savefig goes through all artists twice, once for the layout, which they do again as they draw.
    with mpl.rc_context(_DRAWING):
        FigureCanvasSVG(figure).print_svg(content, metadata={"Date": None, "Creator": None})
    plt.close(figure)
    if len(content.getvalue()) <= LARGEST_DRAWING:
        return content.getvalue().encode(), "image/svg+xml"
    pixels = io.BytesIO()
    _draw_pixels(figure, pixels, {"Software": None})
    return pixels.getvalue(), "image/png"


def _draw_pixels(figure: Figure, content: io.BytesIO, metadata: dict[str, Any] | None = None) -> None:
    """Write a figure as PNG as savefig does, in one pass."""
    figure.set_dpi(RESOLUTION)
    FigureCanvasAgg(figure).print_png(content, metadata=metadata)


@styled
def png(figure: Figure) -> bytes:
    """Return a figure as a file of PNG; pyplot no longer holds it."""
    return picture_bytes(figure, "png")


@styled
def picture_bytes(figure: Figure, format: str) -> bytes:
    """Return a figure as a file of PNG, PDF or SVG; pyplot no longer holds it."""
    content = io.BytesIO()
    if format == "png":
        _draw_pixels(figure, content)
    else:
        figure.savefig(content, dpi=RESOLUTION, format=format)
    # One that pyplot holds would stay in memory.
    plt.close(figure)
    return content.getvalue()

"""Images of the sky on axes with a projection: colour bars with units, stretches, contours, scale bar and beam."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
from astropy import units as u
from astropy.visualization import AsinhStretch, ImageNormalize, LinearStretch, LogStretch, SqrtStretch
from astropy.visualization.wcsaxes import WCSAxes
from astropy.visualization.wcsaxes.frame import EllipticalFrame, RectangularFrame
from matplotlib import colormaps
from matplotlib import patheffects as effects
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.offsetbox import AnchoredOffsetbox, AuxTransformBox, TextArea, VPacker
from matplotlib.patches import Ellipse
from matplotlib.transforms import Bbox

from xgamma.axes import BoolArray, FloatArray
from xgamma.errors import ConfigError, did_you_mean
from xgamma.geometry import to_frame
from xgamma.plot.labels import axis_label
from xgamma.plot.style import cycle_color, styled
from xgamma.shapes import Shape
from xgamma.sky import SkySpace
from xgamma.sky_wcs import image_wcs

STRETCHES: Mapping[str, type] = {
    "linear": LinearStretch,
    "sqrt": SqrtStretch,
    "log": LogStretch,
    "asinh": AsinhStretch,
}
COLORS = "inferno"
# What is not known is neither dark nor bright.
UNKNOWN = "0.82"
# Parts of the width of an image that a scale bar is about as long as, in round numbers of degrees and of minutes.
BAR = 0.25
_LENGTHS = (60.0, 30.0, 20.0, 10.0, 5.0, 2.0, 1.0, 0.5, 0.2, 0.1, 3 / 60, 2 / 60, 1 / 60, 30 / 3600, 10 / 3600)
# Of the ellipse that the whole sky is, in degrees on the plane.
_OVAL = float(np.rad2deg(4 * np.sqrt(2))), float(np.rad2deg(2 * np.sqrt(2)))
# In inches.
_BAR_GAP, _BAR_WIDTH = 0.1, 0.16
_FEW = 100
_HALO = [effects.withStroke(linewidth=2.5, foreground="black")]
_NAMES = {"icrs": ("Right ascension", "Declination"), "galactic": ("Galactic longitude", "Galactic latitude")}


@styled
def sky_axes(space: SkySpace, figure: Figure | None = None, place: Any = None) -> WCSAxes:
    """Return new axes with the projection of an image, north up.

    Parameters
    ----------
    space
        The image.
    figure
        Where they are made; ``None`` is the current figure if nothing is drawn in it, else a new one.
    place
        Where in the figure, as ``add_subplot`` takes it; ``None`` is all of it.
    """
    made = _empty_figure() if figure is None else figure
    oval = _is_oval(space)
    where = () if place is None else place if isinstance(place, tuple) else (place,)
    axes: WCSAxes = made.add_subplot(
        *where, projection=image_wcs(space.image), frame_class=EllipticalFrame if oval else RectangularFrame
    )
    for coordinate, name in zip(axes.coords, _NAMES[space.frame], strict=True):
        coordinate.set_axislabel(name)
        coordinate.display_minor_ticks(True)
        if space.frame == "galactic":
            coordinate.set_major_formatter("d.ddd" if space.binsize * max(space.npix) < 1 else "d.d")
    nx, ny = space.npix
    axes.set_xlim(-0.5, nx - 0.5)
    axes.set_ylim(-0.5, ny - 0.5)
    axes.set_aspect(1 / abs(space.aspect))
    if oval:
        _draw_whole_sky(axes, space)
    return axes


def _is_oval(space: SkySpace) -> bool:
    """Whether an image is the whole sky as an ellipse."""
    return space.projection == "AIT" and space.npix[0] * abs(space.aspect) * space.binsize > _OVAL[0]


def _draw_whole_sky(axes: WCSAxes, space: SkySpace) -> None:
    """End with the sky, and say longitudes along its middle."""
    (x0, y0), (width, height) = space.reference_pixel, _OVAL
    half = 0.5 * width / (abs(space.aspect) * space.binsize), 0.5 * height / space.binsize
    axes.set_xlim(x0 - half[0], x0 + half[0])
    axes.set_ylim(y0 - half[1], y0 + half[1])
    axes.coords.grid(color="white", alpha=0.4, lw=0.5)
    for coordinate in axes.coords:
        coordinate.display_minor_ticks(False)
        coordinate.set_major_formatter("d")
        coordinate.set_axislabel("")
        coordinate.set_ticks_visible(False)
    axes.coords[0].set_ticks(spacing=60 * u.deg)
    axes.coords[1].set_ticks(spacing=30 * u.deg)
    axes.coords[0].set_ticklabel(color="white", path_effects=_HALO, exclude_overlapping=True)


@styled
def plot_positions(
    lon: FloatArray, lat: FloatArray, frame: str, space: SkySpace, figure: Figure | None = None, **style: Any
) -> WCSAxes:
    """Draw positions in degrees, shapes (source,), as dots on the grid of an image that shows nothing else."""
    axes = sky_axes(space, figure)
    axes.coords.grid(color="0.85", lw=0.6)
    if _is_oval(space):
        axes.coords[0].set_ticklabel(color="0.3", path_effects=[])
        for coordinate, name in zip(axes.coords, _NAMES[space.frame], strict=True):
            coordinate.set_axislabel(name)
    usual: dict[str, Any] = {"s": 9.0 if len(lon) > _FEW else 25.0, "color": cycle_color(0), "lw": 0.0}
    # Of no positions at all older matplotlib cannot draw the dots.
    if len(lon):
        axes.scatter(lon, lat, transform=axes.get_transform(frame), **(usual | style))
    return axes


@styled
def _empty_figure() -> Figure:
    if plt.get_fignums() and not plt.gcf().axes:
        return plt.gcf()
    return plt.figure(layout="constrained")


def normalize_sky_axes(ax: Axes | None, space: SkySpace, figure: Figure | None = None) -> WCSAxes:
    """Return ``ax``, or new axes of an image for ``None``; raises ``ConfigError`` for axes without its projection."""
    axes, where = _axes_and_place(ax, space, figure)
    if where:
        raise ConfigError("plot: the axes have the projection of another map; give no axes, or those of this map.")
    for coordinate, name in zip(axes.coords, _NAMES[space.frame], strict=True):
        # Those that someone has named keep their names; others are called as in the standard of physical types.
        if coordinate.get_axislabel() in ("", *axes.wcs.world_axis_physical_types) and not _is_oval(space):
            coordinate.set_axislabel(name)
    return axes


def _axes_and_place(ax: Axes | None, space: SkySpace, figure: Figure | None = None) -> tuple[WCSAxes, dict[str, Any]]:
    """Return the axes, and on those of another image by which transform the pixels of this one are drawn on them."""
    if ax is None:
        return sky_axes(space, figure), {}
    if not isinstance(ax, WCSAxes):
        raise ConfigError(
            "plot: expected axes with the projection of the map, as plt.subplot(projection=map.geom.wcs) makes them."
        )
    wcs = image_wcs(space.image)
    is_own = ax.wcs.celestial.wcs.compare(wcs.wcs, cmp=0, tolerance=1e-6)
    return ax, {} if is_own else {"transform": ax.get_transform(wcs)}


def norm_of(
    values: npt.ArrayLike, stretch: str = "linear", vmin: float | None = None, vmax: float | None = None
) -> ImageNormalize:
    """Return how values become colours; the ends are those of what is finite, unless given.

    Raises ``ConfigError`` for a stretch that is none of ``linear``, ``sqrt``, ``log``, ``asinh``.
    """
    if stretch not in STRETCHES:
        raise ConfigError(f"stretch: there is no {stretch!r}.{did_you_mean(stretch, STRETCHES)}")
    array = np.asarray(values, dtype=float)
    known = array[np.isfinite(array)]
    low = float(known.min(initial=np.inf)) if vmin is None else float(vmin)
    high = float(known.max(initial=-np.inf)) if vmax is None else float(vmax)
    if not np.isfinite([low, high]).all():
        low, high = 0.0, 1.0
    # Of an image of one value nothing can be stretched.
    high = high if high > low else low + max(1.0, 0.1 * abs(low))
    return ImageNormalize(vmin=low, vmax=high, stretch=STRETCHES[stretch](), clip=False)


@styled
def plot_image(
    values: npt.ArrayLike,
    space: SkySpace,
    ax: Axes | None = None,
    *,
    unit: str = "",
    name: str = "",
    add_cbar: bool = False,
    stretch: str = "linear",
    vmin: float | None = None,
    vmax: float | None = None,
    cmap: Any = COLORS,
    figure: Figure | None = None,
    kwargs_colorbar: Mapping[str, Any] | None = None,
    **style: Any,
) -> WCSAxes:
    """Draw an image of the sky.

    Parameters
    ----------
    values, space
        Shape (y, x), of which what is not finite is grey, and the image that they are of.
    ax
        Axes of its projection; ``None`` makes them.
    unit, name
        For the colour bar.
    add_cbar, stretch
        Whether there is one, and ``linear``, ``sqrt``, ``log`` or ``asinh``.
    vmin, vmax
        The values of the first and the last colour.
    cmap
        The colours.
    figure
        Where axes are made.
    kwargs_colorbar
        More for the colour bar, such as its ``label``.
    style
        More for ``imshow``, such as ``norm`` or ``alpha``.
    """
    axes, array = normalize_sky_axes(ax, space, figure), np.asarray(values, dtype=float)
    colors = (colormaps[cmap] if isinstance(cmap, str) else cmap).with_extremes(bad=UNKNOWN)
    norm = style.pop("norm", None) or norm_of(array, stretch, vmin, vmax)
    usual = {"origin": "lower", "interpolation": "nearest", "aspect": 1 / abs(space.aspect)}
    picture = axes.imshow(np.ma.masked_invalid(array), norm=norm, cmap=colors, **{**usual, **style})
    if add_cbar:
        # A title says what is drawn: beside axes that stand close together there is no room to say it again.
        shown = "" if axes.get_title() else name
        add_color_bar(axes, picture, shown, unit, **(kwargs_colorbar or {}))
    return axes


@styled
def add_color_bar(ax: Axes, picture: Any, name: str = "", unit: str = "", **style: Any) -> Axes:
    """Draw a colour bar beside axes, as high as they are, with the unit of what is drawn; ``style`` is matplotlib's."""
    figure: Any = ax.get_figure()
    bar = figure.colorbar(picture, ax=ax, **{"label": axis_label(name, unit).strip(), **style})
    bar.minorticks_off()

    def beside(own: Any, _: Any) -> Bbox:
        # A layout reserves the room and asks for a shape; how high the image in it becomes follows from its pixels.
        own.set_box_aspect(None)
        place, wide = ax.get_position(), figure.get_figwidth()
        return Bbox.from_bounds(place.x1 + _BAR_GAP / wide, place.y0, _BAR_WIDTH / wide, place.height)

    drawn: Axes = bar.ax
    drawn.set_axes_locator(beside)
    return drawn


@styled
def plot_planes(
    planes: Sequence[npt.NDArray[Any]],
    space: SkySpace,
    titles: Sequence[str],
    *,
    ncols: int = 3,
    figsize: tuple[float, float] | None = None,
    add_cbar: bool = True,
    **style: Any,
) -> list[WCSAxes]:
    """Draw images beside and below each other in a new figure; axes that others say the same of have no labels.

    Parameters
    ----------
    planes
        The images, each of shape (y, x).
    space
        Their image.
    titles
        What is written above each.
    ncols
        How many are beside each other.
    figsize
        The size of the figure in inches; by default what they need.
    add_cbar
        Whether each has a colour bar.
    style
        As ``plot_image`` takes it.
    """
    if ncols < 1:
        raise ConfigError(f"plot_grid: expected at least one column, got {ncols}.")
    number = len(planes)
    columns = min(ncols, max(number, 1))
    rows = max(1, math.ceil(number / columns))
    nx, ny = space.npix
    high = min(max(3.4 * ny / (nx * abs(space.aspect)), 1.5), 6.0)
    made = plt.figure(figsize=figsize or (4.4 * columns, (high + 0.6) * rows), layout="constrained")
    drawn = []
    for at, (plane, title) in enumerate(zip(planes, titles, strict=True)):
        axes = plot_image(plane, space, sky_axes(space, made, (rows, columns, at + 1)), add_cbar=add_cbar, **style)
        axes.set_title(title)
        if at % columns:
            axes.coords[1].set_axislabel(" ")
            axes.coords[1].set_ticklabel_visible(False)
        if at + columns < number:
            axes.coords[0].set_axislabel(" ")
            axes.coords[0].set_ticklabel_visible(False)
        drawn.append(axes)
    return drawn


@styled
def plot_contours(
    values: npt.ArrayLike, space: SkySpace, levels: Sequence[float], ax: Axes | None = None, **style: Any
) -> WCSAxes:
    """Draw lines of equal value, also on the axes of another image; without ``colors`` they are white."""
    axes, where = _axes_and_place(ax, space)
    usual: dict[str, Any] = {} if "cmap" in style else {"colors": "white"}
    axes.contour(
        np.asarray(values, dtype=float), levels=sorted(levels), **{"linewidths": 1.0, **where, **usual, **style}
    )
    return axes


@styled
def plot_mask(mask: BoolArray, space: SkySpace, ax: Axes | None = None, **style: Any) -> WCSAxes:
    """Draw the edge of a mask, and hatch what it leaves out, also on the axes of another image."""
    axes, where = _axes_and_place(ax, space)
    color = style.pop("color", "white")
    out = (~np.asarray(mask, dtype=bool)).astype(float)
    filled = {"levels": [0.5, 1.5], "colors": "none", "hatches": ["///"], **where, **style}
    hatched = axes.contourf(out, **filled)
    hatched.set(edgecolor=color, linewidth=0.0)
    if out.any() and not out.all():
        axes.contour(out, levels=[0.5], colors=color, linewidths=1.0, **where)
    return axes


@styled
def draw_shapes(ax: Any, shapes: Iterable[Shape], **style: Any) -> None:
    """Draw the edges of shapes on axes with a projection; a shape without an area is a cross."""
    for shape in shapes:
        draw_shape(ax, shape, **{"color": "tab:cyan", "lw": 1.5, **style})


def icrs_of(ax: Any) -> Any:
    """Return the transform of ICRS degrees to axes with a projection; raises ``ConfigError`` for others."""
    if not isinstance(ax, WCSAxes):
        raise ConfigError(
            "plot: expected axes with a projection, as Map.plot returns them, got axes without one; give no axes to "
            "have them made."
        )
    return ax.get_transform("icrs")


@styled
def draw_shape(ax: Any, shape: Shape, **style: Any) -> None:
    """Draw the edges of one shape, of which one has the ``label``."""
    on_sky = icrs_of(ax)
    if shape.reach == 0:
        ax.plot(*shape.center, transform=on_sky, **{"marker": "+", "ls": "none", **style})
        return
    for lon, lat in shape.outlines():
        ax.plot(*to_frame(lon, lat, shape.frame, "icrs"), transform=on_sky, **style)
        style.pop("label", None)


@styled
def draw_scale_bar(ax: Axes, space: SkySpace, length: float | None = None, loc: str = "lower right") -> None:
    """Draw a bar of a length in degrees, by default a round one of about a quarter of the width, and say it.

    The whole sky has no scale, and gets none.
    """
    if _is_oval(space):
        return
    width = space.npix[0] * abs(space.aspect) * space.binsize
    degrees = next((one for one in _LENGTHS if one <= BAR * width), _LENGTHS[-1]) if length is None else length
    pixels = degrees / (abs(space.aspect) * space.binsize)
    line = AuxTransformBox(ax.transData)
    line.add_artist(Line2D([0, pixels], [0, 0], color="white", lw=2.0, path_effects=_HALO))
    text = TextArea(_length(degrees), textprops={"color": "white", "path_effects": _HALO})
    packed = VPacker(children=[text, line], align="center", pad=0, sep=4)
    ax.add_artist(AnchoredOffsetbox(loc, pad=0.4, borderpad=0.6, child=packed, frameon=False))


def _length(degrees: float) -> str:
    if degrees >= 0.0999:
        return f"{degrees:.3g}\u00b0"
    return f"{degrees * 60:.3g}\u2032" if degrees * 60 >= 0.999 else f"{degrees * 3600:.3g}\u2033"


@styled
def draw_beam(ax: Axes, space: SkySpace, radius: float, loc: str = "lower left") -> None:
    """Draw a circle of a radius in degrees in a corner: what a point looks like, or what values are summed in.

    Raises ``ConfigError`` for a radius that is not above 0.
    """
    if not 0 < radius < np.inf:
        raise ConfigError(f"beam: expected a radius above 0 deg, got {radius:g} deg.")
    height = 2 * radius / space.binsize
    box = AuxTransformBox(ax.transData)
    for color, lw, hatch in (("black", 2.5, None), ("white", 1.2, "////")):
        width = height / abs(space.aspect)
        box.add_artist(Ellipse((0, 0), width, height, fill=False, color=color, lw=lw, hatch=hatch))
    ax.add_artist(AnchoredOffsetbox(loc, pad=0.4, borderpad=0.6, child=box, frameon=False))


def bin_titles(edges: FloatArray, unit: str) -> list[str]:
    """Return what is written above the image of each bin of an axis.

    >>> bin_titles(np.array([1.0, 3.1622776, 10.0]), "TeV")
    ['1 - 3.16 TeV', '3.16 - 10 TeV']
    """
    return [f"{low:.3g} - {high:.3g} {unit}".rstrip() for low, high in itertools.pairwise(edges)]

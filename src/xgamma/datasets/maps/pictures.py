"""``MapPictures``: the pictures of a map."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from xgamma.datasets.maps.coords import degrees
from xgamma.datasets.maps.pixels import MapPixels
from xgamma.errors import ConfigError, DataError
from xgamma.formats.region_files import normalize_regions
from xgamma.plot import figures as plot_figures
from xgamma.plot import sky

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


LABELS = {
    "sqrt_ts": "Significance",
    "ts": "Test statistic",
    "npred": "Predicted counts",
    "npred_excess": "Excess counts",
    "npred_background": "Background counts",
}
"""What colour bars say of maps whose names are no words."""


class MapPictures(MapPixels):
    """A map that draws itself; see ``Map``."""

    def plot(
        self,
        ax: Axes | None = None,
        fig: Figure | None = None,
        add_cbar: bool = False,
        stretch: str = "linear",
        *,
        scale_bar: bool | Any = False,
        beam: Any = None,
        regions: Any = None,
        **style: Any,
    ) -> Axes:
        """Draw the image.

        Parameters
        ----------
        ax, fig
            Axes with the projection of the map, or a figure in which they are made.
        add_cbar
            Whether a colour bar says the unit.
        stretch
            ``linear``, ``sqrt``, ``log`` or ``asinh``.
        scale_bar
            Whether a bar says how long a round angle is; an angle is its length.
        beam
            The radius of a circle in the corner: that of a point source, or of the correlation.
        regions
            Regions whose edges are drawn.
        style
            ``vmin``, ``vmax``, ``cmap``, and more for ``imshow``.

        Raises
        ------
        DataError
            For a map of more than one image.
        """
        space, image = self._geom.space, self._image("plot")
        named = {"unit": self._unit, "name": self._label, "add_cbar": add_cbar, "stretch": stretch}
        drawn = sky.plot_image(image, space, ax, figure=fig, **{**named, **style})
        self._draw_marks(drawn, scale_bar, beam, regions)
        return drawn

    def _draw_marks(self, drawn: Axes, scale_bar: bool | Any, beam: Any, regions: Any) -> None:
        """Draw what lies upon an image."""
        space = self._geom.space
        if scale_bar is not False:
            sky.draw_scale_bar(drawn, space, None if scale_bar is True else degrees(scale_bar, "scale_bar"))
        if beam is not None:
            sky.draw_beam(drawn, space, degrees(beam, "beam"))
        if regions is not None:
            sky.draw_shapes(drawn, normalize_regions(regions))

    def plot_grid(
        self,
        figsize: tuple[float, float] | None = None,
        ncols: int = 3,
        add_cbar: bool = True,
        *,
        scale_bar: bool | Any = False,
        beam: Any = None,
        regions: Any = None,
        **style: Any,
    ) -> list[Axes]:
        """Draw the image of each bin of the axes in a new figure, with the bin above it; see ``plot``."""
        planes = self._data.reshape(-1, *self._geom.space.shape)
        named = {"unit": self._unit, "name": self._label}
        options = {"ncols": ncols, "figsize": figsize, "add_cbar": add_cbar}
        drawn: list[Axes] = list(
            sky.plot_planes(list(planes), self._geom.space, self.plane_titles(), **{**options, **named, **style})
        )
        for ax in drawn:
            self._draw_marks(ax, scale_bar, beam, regions)
        return drawn

    def peek(self, figsize: tuple[float, float] | None = None) -> Figure:
        """Draw the image, or the image of each bin of the axes, in a new figure, and return it."""
        if np.prod(self._geom.axes.shape) != 1:
            planes = cast("Figure", self.plot_grid(figsize)[0].figure)
            plot_figures.show_title(planes, self._label)
            return planes
        figure = plot_figures.new_figure(figsize)
        plot_figures.show_title(
            self.plot(fig=figure, add_cbar=True), *filter(None, [self._label, *self.plane_titles()])
        )
        return figure

    def plot_contours(self, levels: Sequence[float], ax: Axes | None = None, **style: Any) -> Axes:
        """Draw lines of equal value of the image; see ``xgamma.plot.sky.plot_contours``."""
        return sky.plot_contours(self._image("plot_contours"), self._geom.space, levels, ax, **style)

    def plot_mask(self, ax: Axes | None = None, **style: Any) -> Axes:
        """Draw the edge of the mask and hatch what it leaves out; raises ``DataError`` for a map that is no mask."""
        image = self._image("plot_mask")
        if not self.is_mask:
            raise DataError(f"plot_mask: expected a mask, which is boolean, got a map of {self._data.dtype}.")
        return sky.plot_mask(image, self._geom.space, ax, **style)

    def plot_interactive(self, **style: Any) -> Any:
        """Show a slider for each axis and the image of its bin in a notebook; see ``plot``.

        Raises ``ConfigError`` where the package `ipywidgets` is missing.
        """
        interact = _interact()
        axes = self._geom.axes
        options = {
            axis.name: list(zip(sky.bin_titles(axis.edges, axis.unit), range(axis.nbin), strict=True))
            for axis in axes.plain
        }

        def show(**bins: int) -> None:
            self.get_image_by_idx([bins[name] for name in axes.names]).plot(**{"add_cbar": True, **style})

        sliders = {name: _slider(name, choices) for name, choices in options.items()}
        return interact(show, **sliders)

    interactive = plot_interactive

    def plane_titles(self) -> list[str]:
        """Return what is written above the image of each bin of the axes, in their order in the array."""
        titles = [""]
        for axis in reversed(self._geom.axes.plain):
            own = sky.bin_titles(axis.edges, axis.unit)
            titles = [f"{before}, {one}".removeprefix(", ") for before in titles for one in own]
        return titles

    @property
    def _label(self) -> str:
        return LABELS.get(self.name, self.name.replace("_", " ").capitalize())

    def _image(self, what: str) -> Any:
        """Return the one image; raises ``DataError`` for several."""
        if np.prod(self._geom.axes.shape) != 1:
            bins = " x ".join(f"{axis.nbin} bins of {axis.name}" for axis in self._geom.axes)
            raise DataError(
                f"{what}: expected an image, got {bins}; use sum_over_axes(), get_image_by_idx() or plot_grid()."
            )
        return self._data.reshape(self._geom.space.shape)


def _interact() -> Callable[..., Any]:
    widgets = _widgets()
    interact: Callable[..., Any] = widgets.interact
    return interact


def _slider(name: str, choices: list[tuple[str, int]]) -> Any:
    return _widgets().SelectionSlider(options=choices, description=name, continuous_update=False)


def _widgets() -> Any:
    """Return the package `ipywidgets`, which only notebooks have."""
    if importlib.util.find_spec("ipywidgets") is None:
        raise ConfigError(
            "plot_interactive: it needs the package ipywidgets, which is not installed; install it, or use plot_grid()."
        )
    return importlib.import_module("ipywidgets")

"""``MapDatasetPictures``: the pictures of one window of the sky."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xgamma.axes import Axis, BoolArray, FloatArray
from xgamma.datasets import info, titles
from xgamma.datasets.map_row import MapRow
from xgamma.datasets.maps.membership import shares_of_region
from xgamma.plot import counts as plot_counts
from xgamma.plot import figures as plot_figures
from xgamma.plot import legends as plot_legends
from xgamma.plot import style as plot_style
from xgamma.shapes import Circle

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from xgamma.plot.counts import Style


SMOOTH = "0.05 deg"


class MapDatasetPictures(MapRow):
    """A window of the sky that draws itself; see ``MapDataset``."""

    @property
    def axes_options(self) -> dict[str, Any]:
        """The projection."""
        return {"projection": self.image_wcs}

    def plot_counts(self, ax: Axes | None = None, smooth_radius: Any = SMOOTH, **style: Any) -> Axes:
        """Draw the counts of the safe bins, summed over the energies and smoothed."""
        return self._draw(self._array("counts").where(self._array("mask_safe"), 0.0), ax, smooth_radius, **style)

    def _draw(self, values: xr.DataArray, ax: Axes | None, smooth_radius: Any = SMOOTH, **style: Any) -> Axes:
        image = self._shown(values).sum_over_axes(keepdims=False).smooth(smooth_radius)
        return image.plot(ax=ax, **{"add_cbar": True, **style})

    def plot_residuals_spatial(
        self, ax: Axes | None = None, method: str = "diff", smooth_kernel: str = "gauss",
        smooth_radius: Any = "0.1 deg", **style: Any,
    ) -> Axes:  # fmt: skip
        """Draw the residuals of the bins in use, summed over the energies and smoothed.

        ``method`` is ``diff``, ``diff/model`` or ``diff/sqrt(model)``, of the smoothed sums.
        """
        used = self.used_bins
        sums = [
            self._shown(values.where(used, 0.0))
            .sum_over_axes(keepdims=False)
            .smooth(smooth_radius, kernel=smooth_kernel)
            for values in (self._array("counts"), self._prediction.total.isel(dataset=0))
        ]
        counts, npred = (each.data for each in sums)
        shown = sums[0].copy(data=info.scaled_residuals(counts - npred, npred, method), unit="", name="residuals")
        options = {"add_cbar": True, "cmap": "coolwarm", "vmin": -5, "vmax": 5, **style}
        return shown.plot(ax=ax, **options)

    def _used_in(self, region: Any) -> BoolArray:
        """Return the bins in use, of the pixels of a region where one is given, shape (energy, y, x)."""
        used: BoolArray = self.used_bins.values
        if region is None:
            return used
        inside = np.zeros(used[0].size, dtype=bool)
        inside[shares_of_region(self.image, region).pixel] = True
        return used & inside.reshape(used.shape[1:])

    def plot_spectral_counts(self, ax: Axes | None = None, region: Any = None) -> Axes:
        """Draw counts, prediction and predicted background over energy, of the pixels of a region or of all.

        Sums are over the bins in use; energies without one at both ends are not drawn.
        """
        predicted, used = self._prediction, self._used_in(region)
        planes = (self._array("counts").values, predicted.total.values[0], predicted.background.values[0])
        drawn = np.flatnonzero(used.any(axis=(1, 2)))
        first, last = (drawn[0], drawn[-1] + 1) if drawn.size else (0, len(used))
        counts, npred, background = _sums(used[first:last], *(each[first:last] for each in planes))
        edges, errors = self.energy_axis.edges[first : last + 1], np.sqrt([counts, counts])
        ax = plot_counts.plot_counts(edges, counts, errors, background, ax)
        plot_counts.plot_steps(edges, npred, ax, color=plot_style.cycle_color(2), label="Prediction")
        plot_legends.show_legend(ax)
        return ax

    def plot_prediction(self, figure: Figure | None = None, region: Any = None) -> Figure:
        """Draw counts, prediction and residuals on the sky, and the counts over energy of a region or of all.

        They are those of the bins in use; ``figure`` is an empty one, by default a new one, which is returned.
        """
        figure = plot_figures.new_figure() if figure is None else figure
        figure.set_size_inches(11.0, 8.0)
        axes = [figure.add_subplot(2, 2, place, projection=self.image_wcs) for place in (1, 2, 3)]
        shown = {"Counts": self._array("counts"), "Prediction": self._prediction.total.isel(dataset=0).rename("npred")}
        limits: dict[str, float] = {"vmin": 0.0}
        for ax, (title, values) in zip(axes, shown.items(), strict=False):
            self._draw(values.where(self.used_bins, 0.0), ax, **limits).set_title(title)
            # Both have the colours of the counts.
            limits["vmax"] = float(ax.images[0].get_clim()[1])
        self.plot_residuals_spatial(axes[2], method="diff/sqrt(model)", vmin=-1, vmax=1)
        axes[2].set_title("(Counts - prediction) / sqrt(prediction)")
        below = self.plot_spectral_counts(figure.add_subplot(2, 2, 4), region)
        below.set_title(_where(region))
        plot_figures.show_title(figure, *titles.row_facts(self, with_significance=False))
        return figure

    def plot_residuals_spectral(
        self, ax: Axes | None = None, method: str = "diff", region: Any = None, **style: Any
    ) -> Axes:
        """Draw the residuals over energy of the bins in use, of the pixels of a region or of all."""
        used = self._used_in(region)
        variance = info.excess_errors(self.data)[0] ** 2
        counts, npred, variance = _sums(used, self._array("counts").values, self._prediction.total.values[0], variance)
        is_used = used.any(axis=(1, 2))
        residuals = np.where(is_used, info.scaled_residuals(counts - npred, npred, method), np.nan)
        errors = info.scaled_residuals(np.stack([np.sqrt(variance)] * 2), npred, method)
        return plot_counts.plot_residuals(self.energy_axis.bounds, residuals, errors, method, ax, **style)

    def plot_residuals(
        self,
        ax_spatial: Axes | None = None,
        ax_spectral: Axes | None = None,
        kwargs_spatial: Style | None = None,
        kwargs_spectral: Style | None = None,
    ) -> tuple[Axes, Axes]:
        """Draw the residuals on the sky, and over energy those of ``kwargs_spectral["region"]`` or of the whole map."""
        if ax_spatial is None or ax_spectral is None:
            figure = plot_figures.new_figure((12, 4))
            ax_spatial = figure.add_subplot(121, projection=self.image_wcs)
            ax_spectral = figure.add_subplot(122)
        self.plot_residuals_spatial(ax_spatial, **(kwargs_spatial or {}))
        self.plot_residuals_spectral(ax_spectral, **(kwargs_spectral or {}))
        return ax_spatial, ax_spectral

    def peek(self, figsize: tuple[float, float] = (12, 8)) -> Figure:
        """Draw counts, excess, exposure and background, summed over energy, in a new figure, and return it."""
        figure, axes = plot_figures.panels(4, figsize, columns=2, subplot_kw=self.axes_options)
        safe = self._array("mask_safe")
        excess = self._array("counts") - info.background(self.data).isel(dataset=0)
        sums = {
            "Counts": self._array("counts").where(safe, 0.0),
            "Excess": excess.where(safe, 0.0),
            "Background": info.background(self.data).isel(dataset=0).where(safe, 0.0),
        }
        for ax, (title, values) in zip(axes, sums.items(), strict=False):
            self._draw(values, ax).set_title(title)
        axis, exposure = Axis.from_coords(self._arrays.coords, "energy_true"), self.exposure
        exposure.slice_by_idx({"energy_true": axis.nbin // 2}).plot(ax=axes[3], add_cbar=True)
        axes[3].set_title(f"Exposure at {axis.center[axis.nbin // 2]:.3g} TeV")
        return figure


def _where(region: Any) -> str:
    if isinstance(region, Circle):
        return f"Within {region.radius:.3g} deg of {region.lon:.2f}, {region.lat:.2f} deg"
    return "All pixels" if region is None else "Pixels of the region"


def _sums(used: BoolArray, *planes: FloatArray) -> list[FloatArray]:
    """Return the sums of planes over the bins in use, each of shape (energy,)."""
    return [np.where(used, values, 0.0).sum(axis=(1, 2)) for values in planes]

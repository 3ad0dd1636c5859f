"""``SpectrumPictures``: the pictures of one row of a DL4 Dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import xarray as xr

from xgamma.axes import Axis, FloatArray
from xgamma.datasets import geom, info, titles
from xgamma.datasets.binned_row import BinnedRow
from xgamma.plot import counts as plot_counts
from xgamma.plot import figures as plot_figures
from xgamma.plot import spectra_panels as plot_panels
from xgamma.plot import spectrum as plot_spectrum
from xgamma.schema import REGIONS, SpaceDims

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from xgamma.plot.counts import Style
    from xgamma.plot.spectra_panels import CountsSpectrum


class SpectrumPictures(BinnedRow["xr.DataArray"]):
    """A region of a row that draws itself; see ``SpectrumDataset``."""

    space: ClassVar[SpaceDims] = REGIONS

    def _cut_out(self) -> xr.Dataset:
        row, region = self._row, self._region
        return self.group.isel(dataset=slice(row, row + 1), region=slice(region, region + 1))

    def _shown(self, array: xr.DataArray) -> xr.DataArray:
        return geom.with_edges(array, self.energy_axis) if "energy" in array.dims else array

    @property
    def exposure(self) -> xr.DataArray:
        """Exposure in m2 s, dims (region, energy_true)."""
        return self._array("exposure")

    @property
    def edisp(self) -> xr.DataArray:
        """The migration matrix, dims (region, energy_true, energy)."""
        return self._array("edisp")

    def _edges(self) -> FloatArray:
        return self.energy_axis.edges

    def counts_spectrum(self) -> CountsSpectrum:
        """Return what pictures show of this row."""
        has_signal = self._prediction.has_signal
        fit = None if self._mask_fit is None else self._mask_fit[0]
        safe = _vector(self.mask_safe)
        return plot_panels.CountsSpectrum(
            self.name, titles.row_facts(self), self._edges(), _vector(self.counts), _vector(self.background),
            info.excess_errors(self.data)[0, 0], safe, safe if fit is None else safe & fit,
            _vector(self.npred_signal()) if has_signal else None, _vector(self.npred()) if has_signal else None,
        )  # fmt: skip

    def plot_counts(
        self,
        ax: Axes | None = None,
        kwargs_counts: Style | None = None,
        kwargs_background: Style | None = None,
        **style: Any,
    ) -> Axes:
        """Draw counts and background over energy; ``style`` is that of both."""
        ax = self._shaded(ax)
        counts, background = _vector(self.counts), _vector(self.background)
        errors = _both_ways(info.counts_errors(self.data))
        styles = ({**style, **(own or {})} for own in (kwargs_counts, kwargs_background))
        return plot_counts.plot_counts(self._edges(), counts, errors, background, ax, *styles)

    def plot_excess(
        self,
        ax: Axes | None = None,
        kwargs_excess: Style | None = None,
        kwargs_npred_signal: Style | None = None,
        **style: Any,
    ) -> Axes:
        """Draw the excess, and the predicted signal if there are models; ``style`` is that of both."""
        ax = self._shaded(ax)
        signal = _vector(self.npred_signal()) if self._prediction.has_signal else None
        excess = _vector(self.excess.where(self.mask_safe))
        styles = ({**style, **(own or {})} for own in (kwargs_excess, kwargs_npred_signal))
        return plot_counts.plot_excess(self._edges(), excess, self._errors(), signal, ax, *styles)

    def _shaded(self, ax: Axes | None) -> Axes:
        """Return Axes on which the bins that are not safe are shaded, where nothing else is drawn yet."""
        ax = plot_figures.normalize_axes(ax)
        return ax if ax.has_data() else plot_counts.plot_masks(self._edges(), _vector(self.mask_safe), None, ax)

    def _errors(self) -> FloatArray:
        return _both_ways(info.excess_errors(self.data))

    def plot_masks(
        self, ax: Axes | None = None, kwargs_fit: Style | None = None, kwargs_safe: Style | None = None
    ) -> Axes:
        """Shade the bins that are not in use: outside the safe range, and outside the fit range."""
        fit = None if self._mask_fit is None else self._mask_fit[0]
        return plot_counts.plot_masks(self._edges(), _vector(self.mask_safe), fit, ax, kwargs_safe, kwargs_fit)

    def plot_residuals(self, ax: Axes | None = None, method: str = "diff", **style: Any) -> Axes:
        """Draw the residuals of the bins in use."""
        residuals = _vector(self.residuals(method))
        errors = info.scaled_residuals(self._errors(), _vector(self.npred()), method)
        return plot_counts.plot_residuals(self.energy_axis.bounds, residuals, errors, method, ax, **style)

    plot_residuals_spectral = plot_residuals

    def plot_fit(
        self,
        ax_spectrum: Axes | None = None,
        ax_residuals: Axes | None = None,
        kwargs_spectrum: Style | None = None,
        kwargs_residuals: Style | None = None,
    ) -> tuple[Axes, Axes]:
        """Draw the excess with the predicted signal, and the residuals below it, over the root of the model."""
        is_new = ax_spectrum is None
        ax_spectrum, ax_residuals = plot_counts.fit_axes(ax_spectrum, ax_residuals)
        self.plot_masks(ax_spectrum)
        self.plot_excess(ax_spectrum, **(kwargs_spectrum or {}))
        self.plot_masks(ax_residuals, kwargs_fit={"label": None}, kwargs_safe={"label": None})
        self.plot_residuals(ax_residuals, **{"method": plot_panels.RESIDUALS, **(kwargs_residuals or {})})
        ax_spectrum.label_outer()
        if is_new:
            plot_figures.show_title(ax_spectrum, *titles.row_facts(self))
        return ax_spectrum, ax_residuals

    def peek(self, figsize: tuple[float, float] = (16, 4)) -> Figure:
        """Draw counts, exposure and energy dispersion in a new figure, and return it."""
        figure, (ax_counts, ax_exposure, ax_edisp) = plot_figures.panels(3, figsize)
        edges_true = Axis.from_coords(self.data.coords, "energy_true").edges
        self.plot_counts(ax_counts)
        plot_spectrum.plot_exposure(edges_true, _vector(self.exposure), ax_exposure)
        plot_spectrum.plot_edisp(edges_true, self._edges(), self.edisp.values[0], ax_edisp)
        plot_figures.show_title(figure, *titles.row_facts(self))
        return figure


def _vector(array: xr.DataArray) -> Any:
    return array.values[0]


def _both_ways(errors: FloatArray) -> FloatArray:
    return np.stack([errors[0, 0], errors[0, 0]])

"""``FluxPointsDataset``: flux points beside the models that are to explain them."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from astropy import units as u

from xgamma import bridges, fit, stats
from xgamma.axes import BoolArray, FloatArray
from xgamma.datasets import info, sed_table, text
from xgamma.datasets.fitted import Fitted
from xgamma.datasets.flux_points import FluxPoints
from xgamma.datasets.inputs import normalize_mask
from xgamma.description import Description, Part, facts
from xgamma.digits import decimals
from xgamma.errors import DataError, LaterError
from xgamma.formats.sed import files as sed_files
from xgamma.models.models import Models, SkyModel
from xgamma.plot import counts as plot_counts
from xgamma.plot import figures as plot_figures
from xgamma.plot import legends as plot_legends
from xgamma.plot import spectrum as plot_spectrum
from xgamma.plot import style as plot_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from xgamma.fit import FitInput
    from xgamma.plot.counts import Style


RESIDUAL_METHOD = "diff/model"


class FluxPointsDataset(Fitted):
    """Flux points and models; its statistic is chi2 over the points that are no upper limits.

    Parameters
    ----------
    data
        The flux points.
    models
        ``Models``, a list of models or one model.
    name
        A name for ``datasets_names`` of models.
    mask_fit
        The points to use, shape (energy,); ``None`` takes all.
    """

    stat_type = "chi2"

    def __init__(
        self, data: FluxPoints, models: Any = None, name: str = "flux-points", mask_fit: npt.ArrayLike | None = None
    ) -> None:
        self.data = data
        self.name = name
        self.models = models
        self.mask_fit = None if mask_fit is None else normalize_mask(mask_fit, data.is_ul.shape)

    @property
    def mask_safe(self) -> BoolArray:
        """The points that are measured: finite, with an error, and no upper limits."""
        value, error = self.data.dnde.value, self._error()
        return np.asarray(np.isfinite(value) & np.isfinite(error) & (error > 0) & ~self.data.is_ul)

    @property
    def mask(self) -> BoolArray:
        """The points in use."""
        return self.mask_safe if self.mask_fit is None else self.mask_safe & self.mask_fit

    def fit_inputs(self) -> list[FitInput]:
        """Return the points under the name of this dataset, with those to fit, as ``Fit`` takes them."""
        error = ("energy", np.asarray(sed_table.symmetric_error(self.data.data, "norm").value), {"units": ""})
        points = self.data.data.assign(norm_err=error).assign_attrs(name=self.name)
        return [fit.FitInput(points, self.mask_fit)]

    def copy(self, name: str | None = None) -> Self:
        """Return an independent copy, under a new name if one is given; models are shared with the original."""
        points = FluxPoints(self.data.data.copy(deep=True))
        return type(self)(points, self._models, self.name if name is None else name, self.mask_fit)

    # --- what it predicts

    def flux_pred(self) -> u.Quantity:
        """Return dN/dE of the models at the reference energies, shape (energy,).

        Raises ``DataError`` without models.
        """
        models = self._own_models()
        if not len(models):
            raise DataError(f"{self.name}: there are no models to compare with; set dataset.models.")
        each = [model.spectral_model(self.data.energy_ref) for model in models]
        return u.Quantity(u.Quantity(each).sum(axis=0))

    def _compared(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        model, unit = self.flux_pred(), self.data.dnde.unit
        return self.data.dnde.value, model.to_value(unit), self._error()

    def _error(self) -> FloatArray:
        return np.asarray(sed_table.symmetric_error(self.data.data, "dnde").value)

    def stat_array(self) -> FloatArray:
        """Return chi2 of each point, 0 for points that are not in use."""
        value, model, error = self._compared()
        return np.where(self.mask, stats.chi2(value, model, np.where(self.mask, error, 1.0)), 0.0)

    def stat_sum(self) -> float:
        """Return chi2 of the points in use."""
        return float(self.stat_array().sum())

    def residuals(self, method: str = RESIDUAL_METHOD) -> FloatArray:
        """Return data minus model of the points in use, in the scale of ``method``; NaN for the others."""
        value, model, _ = self._compared()
        return np.where(self.mask, info.scaled_residuals(value - model, model, method), np.nan)

    # --- pictures

    def plot_spectrum(
        self, ax: Axes | None = None, kwargs_fp: Style | None = None, kwargs_model: plot_counts.Style | None = None
    ) -> Axes:
        """Draw the points, and each model with its error band."""
        style = {"sed_type": "e2dnde", "color": "black", "label": "Flux points", **(kwargs_fp or {})}
        ax = self.data.plot(ax, **style)
        low, high = ax.get_xlim()
        limits = ax.get_ylim()
        bounds = u.Quantity([self.data.energy_min.min(), self.data.energy_max.max()])
        for number, model in enumerate(self._own_models()):
            usual = {"sed_type": style["sed_type"], "color": plot_style.cycle_color(number), "label": model.name}
            look = plot_style.merged_style(usual, kwargs_model)
            model.spectral_model.plot(bounds, ax=ax, **look)
            model.spectral_model.plot_error(
                bounds,
                ax=ax,
                sed_type=style["sed_type"],
                facecolor=look["color"],
                label=plot_spectrum.band_label(model.name),
            )
        ax.set_xlim(low, high)
        if limits[0] > 0 or ax.get_yscale() == "linear":
            ax.set_ylim(limits)
        plot_legends.show_legend(ax)
        return ax

    def plot_residuals(self, ax: Axes | None = None, method: str = RESIDUAL_METHOD, **style: Any) -> Axes:
        """Draw the residuals of the points in use."""
        _, model, error = self._compared()
        scaled = info.scaled_residuals(np.stack([error, error]), model, method)
        bounds = self.data.data["energy_bounds"].values
        return plot_counts.plot_residuals(bounds, self.residuals(method), scaled, method, ax, **style)

    def plot_fit(
        self,
        ax_spectrum: Axes | None = None,
        ax_residuals: Axes | None = None,
        kwargs_spectrum: Style | None = None,
        kwargs_residuals: Style | None = None,
    ) -> tuple[Axes, Axes]:
        """Draw points, models and error bands, and the residuals below them."""
        ax_spectrum, ax_residuals = plot_counts.fit_axes(ax_spectrum, ax_residuals)
        self.plot_spectrum(ax_spectrum, **(kwargs_spectrum or {}))
        window = ax_spectrum.get_xlim()
        self.plot_residuals(ax_residuals, **(kwargs_residuals or {}))
        ax_residuals.set_xlim(window)
        ax_spectrum.set_xlim(window)
        ax_spectrum.label_outer()
        return ax_spectrum, ax_residuals

    def peek(self, figsize: tuple[float, float] = (8, 6)) -> Figure:
        """Draw the points, and models with residuals where there are any, in a new figure, and return it."""
        has_models = bool(len(self._own_models()))
        figure, axes = plot_figures.panels(2 if has_models else 1, figsize, columns=1, sharex=True)
        if has_models:
            self.plot_fit(axes[0], axes[1])
        else:
            self.plot_spectrum(axes[0])
        plot_figures.show_title(figure, self.name)
        return figure

    # --- Gammapy

    def to_gammapy(self) -> Any:
        """Return a ``FluxPointsDataset`` of Gammapy, with the models and the points in use.

        The model of the source is the reference where the points are multiples of it as it is now; see
        ``FluxPoints.to_gammapy``.
        """
        source = next((model for model in self._models if model.name == self.data.data.attrs.get("source")), None)
        points = self.data.to_gammapy(source if source is not None and self._is_reference(source) else None)
        models = self._models.to_gammapy() if len(self._models) else None
        return bridges.flux_points.flux_points_dataset(points, models, self.name, self.mask_fit)

    def _is_reference(self, model: SkyModel) -> bool:
        return np.allclose(model.spectral_model(self.data.energy_ref).value, self.data.ref_dnde.value, rtol=1e-6)

    @classmethod
    def from_gammapy(cls, dataset: Any) -> Self:
        """Return a ``FluxPointsDataset`` of Gammapy as ours; see ``FluxPoints.from_gammapy``.

        Raises ``LaterError`` for a light curve.
        """
        points, models, mask_fit = bridges.flux_points.parts_of(dataset)
        held = Models.from_gammapy(models) if models else None
        ours = FluxPoints.from_gammapy(points)
        if not isinstance(ours, FluxPoints):
            raise LaterError("FluxPointsDataset: models are compared with one spectrum, and this is a light curve.")
        return cls(ours, held, dataset.name, mask_fit)

    # --- files and words

    def write(self, filename: str | PathLike[str], overwrite: bool = False) -> None:
        """Write the points; see ``FluxPoints.write``. Models are written by ``models.write``."""
        self.data.write(filename, overwrite=overwrite)

    @classmethod
    def read(cls, filename: str | PathLike[str], models: Any = None, name: str = "flux-points") -> Self:
        """Read flux points; see ``FluxPoints.read``."""
        return cls(FluxPoints(sed_files.read_flux_points(filename)), models, name)

    def _paragraphs(self) -> list[text.Paragraph]:
        models = self._own_models()
        stat = self.stat_sum() if len(models) else np.nan
        return [
            [("Name", self.name)],
            [("Number of total flux points", f"{len(self.mask)}"), ("Number of fit bins", f"{int(self.mask.sum())}")],
            [("Fit statistic type", self.stat_type), ("Fit statistic value (-2 log(L))", decimals(stat))],
            text.describe_models(models),
        ]

    def _description(self) -> Description:
        points = text.points_sheet(self.data.data, "dnde")
        parts: list[Part] = [*facts(*self._paragraphs()), points, *text.folded_models(self._own_models())]
        return Description(type(self).__name__, parts)

    def __repr__(self) -> str:
        return f"<FluxPointsDataset {self.name!r}: {len(self.mask)} points>"

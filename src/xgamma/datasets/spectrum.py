"""``SpectrumDataset`` and ``SpectrumDatasetOnOff``: one (dataset, region) row of a DL4 Dataset, with models."""

from __future__ import annotations

import itertools
from functools import cached_property
from os import PathLike
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import xarray as xr
from astropy import units as u
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xgamma import predict
from xgamma.axes import Axis, BoolArray, FloatArray
from xgamma.datasets import files, info, text
from xgamma.datasets.geom import with_edges
from xgamma.datasets.inputs import ModelledRows, normalize_mask, normalize_models, normalize_spectrum
from xgamma.errors import DataError
from xgamma.fit import FitInput
from xgamma.models.models import Models
from xgamma.plot import counts as plot_counts
from xgamma.plot import spectrum as plot_spectrum
from xgamma.plot.counts import Style
from xgamma.units import canonical


class SpectrumDataset:
    """Counts of one region, the response, and the models that are to explain them.

    Parameters
    ----------
    data
        A DL4 Dataset with one row and one region.
    models
        ``Models``, a list of models or one model; those with ``datasets_names`` that do not name this row are ignored.
    name
        A new name of the row; by default the one in ``data``.
    mask_fit
        The bins of the fit, broadcast to (region, energy); ``None`` takes all.

    Raises
    ------
    DataError
        When ``data`` is not such a Dataset.
    """

    stat_type: ClassVar[str] = "cash"

    def __init__(self, data: xr.Dataset, models: Any = None, name: str | None = None, mask_fit: Any = None) -> None:
        data = normalize_spectrum(data)
        if (data.sizes["dataset"], data.sizes["region"]) != (1, 1):
            rows = f"{data.sizes['dataset']} rows and {data.sizes['region']} regions"
            raise DataError(f"Expected a Dataset with one row and one region, got {rows}; use Datasets.from_xarray.")
        if info.stat_type(data) != self.stat_type:
            raise DataError(
                f"{type(self).__name__} holds the statistic {self.stat_type!r} and the Dataset "
                f"{'has' if info.is_on_off(data) else 'has no'} counts_off; use Datasets.from_xarray."
            )
        renamed = data if name is None else data.assign_coords(dataset=np.array([name]))
        self._place(renamed, 0, 0, info.row_names(renamed)[0])
        self.models = models
        self.mask_fit = mask_fit

    def _place(self, group: xr.Dataset, row: int, region: int, name: str) -> None:
        # Ten thousand views of one Dataset are cheap as long as none of them cuts its row out before it is asked to.
        self._group, self._row, self._region, self._name = group, row, region, name
        self._models = Models([])
        self._mask_fit: BoolArray | None = None

    @classmethod
    def from_row(cls, group: xr.Dataset, row: int, region: int, name: str) -> Self:
        """Return the view of one row of a validated DL4 Dataset, under the name that it has there."""
        view = cls.__new__(cls)
        view._place(group, row, region, name)
        return view

    # --- what it holds

    @cached_property
    def data(self) -> xr.Dataset:
        """The row as a Dataset; the dims ``dataset`` and ``region`` are kept."""
        row, region = self._row, self._region
        return self._group.isel(dataset=slice(row, row + 1), region=slice(region, region + 1))

    @property
    def group(self) -> xr.Dataset:
        """The Dataset that the row is part of."""
        return self._group

    @property
    def position(self) -> tuple[int, int]:
        """Row and region in ``group``."""
        return self._row, self._region

    @property
    def outcome_detail(self) -> str:
        """What is known about a row that could not be used, beyond its outcome."""
        return str(self._group.attrs["outcome_details"][self._row])

    @property
    def name(self) -> str:
        """The unique name of the row."""
        return self._name

    @property
    def models(self) -> Models:
        """The models, shared with whoever set them; empty before they are set."""
        return self._models

    @models.setter
    def models(self, models: Any) -> None:
        self._models = normalize_models(models)

    @property
    def models_key(self) -> int:
        """The same for rows that share their models, and for all rows without any."""
        return id(self._models) if len(self._models) else 0

    def _own_models(self) -> Models:
        return Models(predict.selected_models(self._models, [str(self._group["dataset"].values[self._row])]))

    def _variable(self, name: str) -> xr.DataArray:
        return self.data[name].isel(dataset=0)

    @property
    def counts(self) -> xr.DataArray:
        """Counts in the on-region, dims (region, energy), with the edges of the bins: see ``counts.geom``."""
        return with_edges(self._variable("counts"), self.energy_axis)

    @property
    def background(self) -> xr.DataArray:
        """The background estimate, dims (region, energy)."""
        return info.background(self.data).isel(dataset=0)

    @property
    def excess(self) -> xr.DataArray:
        """Counts minus background, dims (region, energy)."""
        return (self._variable("counts") - self.background).assign_attrs(units="")

    @property
    def exposure(self) -> xr.DataArray:
        """Exposure in m2 s, dims (region, energy_true)."""
        return self._variable("exposure")

    @property
    def edisp(self) -> xr.DataArray:
        """The migration matrix, dims (region, energy_true, energy)."""
        return self._variable("edisp")

    @property
    def mask_safe(self) -> xr.DataArray:
        """The bins in which the response is trusted, dims (region, energy)."""
        return self._variable("mask_safe")

    @property
    def mask_fit(self) -> xr.DataArray | None:
        """The bins that a fit may use, dims (region, energy), or ``None`` for all. Never part of ``data``."""
        return None if self._mask_fit is None else self.mask_safe.copy(data=self._mask_fit)

    @mask_fit.setter
    def mask_fit(self, mask: npt.ArrayLike | xr.DataArray | None) -> None:
        shape = (1, self._group.sizes["energy"])
        self._mask_fit = None if mask is None else normalize_mask(mask, shape)

    @property
    def fit_bins(self) -> BoolArray | None:
        """``mask_fit`` as a plain array, shape (1, energy): no row is cut out for it."""
        return self._mask_fit

    @property
    def mask(self) -> xr.DataArray:
        """The bins in use: safe, and in the fit range if there is one."""
        return self.mask_safe if self._mask_fit is None else self.mask_safe & self._mask_fit

    @property
    def gti(self) -> xr.DataArray:
        """Good time intervals, dims (gti, bound), seconds since ``data.attrs["mjdref"]`` (TT)."""
        return self._variable("gti").dropna("gti")

    @property
    def livetime(self) -> u.Quantity:
        """Observation time without dead time."""
        return u.Quantity(float(self.data["livetime"].values[0]), "s")

    @property
    def energy_axis(self) -> Axis:
        """The axis of reconstructed energy."""
        return Axis.from_coords(self._group.coords, "energy")

    def energy_mask(self, energy_min: Any = None, energy_max: Any = None) -> xr.DataArray:
        """Return the bins that lie wholly between two energies (``"1 TeV"`` or a ``Quantity``), for ``mask_fit``."""
        limits = (("energy_min", energy_min), ("energy_max", energy_max))
        low, high = (None if value is None else canonical(value, "TeV", name) for name, value in limits)
        return self.mask_safe.copy(data=self.energy_axis.mask_inside(low, high)[np.newaxis])

    def copy(self, name: str | None = None) -> Self:
        """Return an independent copy, under a new name if one is given; models are shared with the original."""
        mask = None if self._mask_fit is None else self._mask_fit.copy()
        return type(self)(self.data.copy(deep=True), self._models, name, mask)

    # --- what it predicts

    @property
    def _prediction(self) -> info.Prediction:
        return info.Prediction(self.data, self._own_models())

    def npred(self) -> xr.DataArray:
        """Predicted counts of signal and background, dims (region, energy)."""
        return self._prediction.total.isel(dataset=0)

    def npred_signal(self) -> xr.DataArray:
        """Predicted signal counts, dims (region, energy); zero without models."""
        return self._prediction.signal.isel(dataset=0)

    def npred_background(self) -> xr.DataArray:
        """Predicted background counts, dims (region, energy)."""
        return self._prediction.background.isel(dataset=0)

    def stat_array(self) -> xr.DataArray:
        """The statistic of each bin, dims (region, energy); 0 in bins that are not in use."""
        return self._prediction.stat_array.isel(dataset=0).where(self.mask, 0.0)

    def stat_sum(self) -> float:
        """The statistic, -2 ln(likelihood), of the bins in use."""
        return float(self.stat_array().sum())

    def residuals(self, method: str = "diff") -> xr.DataArray:
        """Counts minus prediction, dims (region, energy); NaN in bins that are not in use.

        ``method`` is ``diff``, ``diff/model`` or ``diff/sqrt(model)``.
        """
        return info.residuals(self._variable("counts"), self.npred(), method).where(self.mask)

    def fit_inputs(self) -> list[FitInput]:
        """Return the Dataset with its bins to fit, as ``Fit`` takes it."""
        return [FitInput(self.data, None if self._mask_fit is None else self._mask_fit[np.newaxis])]

    def info_dict(self, in_safe_data_range: bool = True) -> dict[str, Any]:
        """Return the row of the info table: names to numbers, ``Quantity`` where there is a unit."""
        columns = self._summary(in_safe_data_range)
        return {name: _scalar(column) for name, column in columns.items()}

    def _summary(self, in_safe_data_range: bool = True) -> dict[str, info.Column]:
        mask = None if self._mask_fit is None else self._mask_fit[np.newaxis]
        columns = info.summary(self.data, self._own_models(), mask, in_safe_data_range)
        return columns | {"name": info.Column(np.array([self.name]))}

    def _paragraphs(self) -> list[text.Paragraph]:
        return text.describe_row(self.data, self._summary(), self._own_models())

    def __str__(self) -> str:
        return text.block(type(self).__name__, self._paragraphs()) + text.model_text(self._own_models())

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}: {self._group.sizes['energy']} bins, {self.stat_type}>"

    def _repr_html_(self) -> str:
        return text.html_block(type(self).__name__, self._paragraphs())

    # --- pictures

    def _edges(self) -> FloatArray:
        return self.energy_axis.edges

    def plot_counts(
        self, ax: Axes | None = None, kwargs_counts: Style | None = None, kwargs_background: Style | None = None
    ) -> Axes:
        """Draw counts and background over energy."""
        counts, background = _vector(self.counts), _vector(self.background)
        errors = _both_ways(info.counts_errors(self.data))
        return plot_counts.plot_counts(self._edges(), counts, errors, background, ax, kwargs_counts, kwargs_background)

    def plot_excess(
        self, ax: Axes | None = None, kwargs_excess: Style | None = None, kwargs_npred_signal: Style | None = None
    ) -> Axes:
        """Draw the excess, and the predicted signal if there are models."""
        signal = _vector(self.npred_signal()) if self._prediction.has_signal else None
        excess = _vector(self.excess.where(self.mask_safe))
        return plot_counts.plot_excess(
            self._edges(), excess, self._errors(), signal, ax, kwargs_excess, kwargs_npred_signal
        )

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

    def plot_fit(
        self,
        ax_spectrum: Axes | None = None,
        ax_residuals: Axes | None = None,
        kwargs_spectrum: Style | None = None,
        kwargs_residuals: Style | None = None,
    ) -> tuple[Axes, Axes]:
        """Draw the excess with the predicted signal, and the residuals below it."""
        ax_spectrum, ax_residuals = plot_counts.fit_axes(ax_spectrum, ax_residuals)
        self.plot_masks(ax_spectrum)
        self.plot_excess(ax_spectrum, **(kwargs_spectrum or {}))
        self.plot_masks(ax_residuals, kwargs_fit={"label": None}, kwargs_safe={"label": None})
        self.plot_residuals(ax_residuals, **(kwargs_residuals or {}))
        ax_spectrum.label_outer()
        return ax_spectrum, ax_residuals

    def peek(self, figsize: tuple[float, float] = (16, 4)) -> Figure:
        """Draw counts, exposure and energy dispersion in a new figure, and return it."""
        figure, (ax_counts, ax_exposure, ax_edisp) = plt.subplots(1, 3, figsize=figsize, layout="constrained")
        edges_true = Axis.from_coords(self.data.coords, "energy_true").edges
        self.plot_masks(ax_counts)
        self.plot_counts(ax_counts)
        plot_spectrum.plot_exposure(edges_true, _vector(self.exposure), ax_exposure)
        plot_spectrum.plot_edisp(edges_true, self._edges(), self.edisp.values[0], ax_edisp)
        return figure

    # --- files

    def write(self, filename: str | PathLike[str], overwrite: bool = False) -> None:
        """Write one row; the ending decides: ``.zarr``, ``.fits``, ``.fits.gz``, or ``.yaml`` with OGIP files."""
        [own] = self.fit_inputs()
        files.write_datasets([files.with_mask_fit(own.data, own.mask)], filename, overwrite)

    @classmethod
    def read(cls, filename: str | PathLike[str], name: str | None = None) -> Self:
        """Read a file of one row; raises ``DataError`` when it holds several."""
        groups = files.read_datasets(filename)
        if len(groups) != 1:
            raise DataError(f"{filename} holds {len(groups)} Datasets; read it with Datasets.read.")
        data, mask = files.without_mask_fit(groups[0])
        return cls(data, name=name, mask_fit=None if mask is None else mask[0])

    # --- Gammapy

    def to_gammapy(self) -> Any:
        """Return the row as a dataset of Gammapy, with its models and masks; see ``Datasets.to_gammapy``."""
        [own] = self.fit_inputs()
        return files.collection_of_gammapy([ModelledRows(own.data, self._models, own.mask)])[0]

    @classmethod
    def from_gammapy(cls, dataset: Any) -> Self:
        """Return one dataset of Gammapy as a row, with its models and masks; see ``Datasets.from_gammapy``."""
        taken = files.taken_from_gammapy(dataset)
        data, mask = files.without_mask_fit(taken.data[0])
        return cls(data, taken.models, mask_fit=None if mask is None else mask[0])


class SpectrumDatasetOnOff(SpectrumDataset):
    """A spectrum whose background was measured in off regions; its statistic is wstat. See ``SpectrumDataset``."""

    stat_type: ClassVar[str] = "wstat"

    @property
    def counts_off(self) -> xr.DataArray:
        """Counts in the off regions, dims (region, energy)."""
        return self._variable("counts_off")

    @property
    def acceptance(self) -> xr.DataArray:
        """Relative acceptance of the on-region, dims (region, energy)."""
        return self._variable("acceptance")

    @property
    def acceptance_off(self) -> xr.DataArray:
        """Relative acceptance of the off regions, dims (region, energy)."""
        return self._variable("acceptance_off")

    @property
    def alpha(self) -> xr.DataArray:
        """Ratio of the acceptances, dims (region, energy); 0 where there is no off acceptance."""
        return info.alpha(self.data).isel(dataset=0)


def spectrum_views(group: xr.Dataset) -> list[SpectrumDataset]:
    """Return the views of all rows of a validated DL4 Dataset, of the class that its statistic asks for."""
    view_class = SpectrumDatasetOnOff if info.is_on_off(group) else SpectrumDataset
    positions = itertools.product(range(group.sizes["dataset"]), range(group.sizes["region"]))
    names = info.row_names(group)
    return [view_class.from_row(group, *position, name) for position, name in zip(positions, names, strict=True)]


def _vector(array: xr.DataArray) -> Any:
    return array.values[0]


def _both_ways(errors: FloatArray) -> FloatArray:
    return np.stack([errors[0, 0], errors[0, 0]])


def _scalar(column: info.Column) -> Any:
    value = column.values[0].item()
    return u.Quantity(value, column.unit) if column.unit else value

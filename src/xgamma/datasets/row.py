"""``SpectrumRow``: what one (dataset, region) row of a DL4 Dataset holds, and what its models predict."""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import xarray as xr
from astropy import units as u
from astropy.table import Table

from xgamma import predict
from xgamma.axes import Axis, BoolArray
from xgamma.datasets import info, text
from xgamma.datasets.event_list import GTI
from xgamma.datasets.geom import with_edges
from xgamma.datasets.inputs import ModelledRows, normalize_mask, normalize_models, normalize_spectrum
from xgamma.errors import DataError
from xgamma.fit import FitInput
from xgamma.models.models import Models
from xgamma.reduce import with_names
from xgamma.units import canonical


class SpectrumRow:
    """One row, its models and its fit mask; see ``SpectrumDataset``.

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
        is_renamed = name is not None and [name] != data["dataset"].values.tolist()
        renamed = with_names(data, [str(name)]) if is_renamed else data
        self._place(renamed, 0, 0, info.row_names(renamed)[0])
        self.models = models
        self.mask_fit = mask_fit

    def _place(self, group: xr.Dataset, row: int, region: int, name: str) -> None:
        # Ten thousand views of one Dataset are cheap as long as none of them cuts its row out before it is asked to.
        self._group, self._row, self._region, self._name = group, row, region, name
        self._models = Models([])
        self._mask_fit: BoolArray | None = None

    def _hold(self, data: xr.Dataset) -> None:
        """Show another Dataset of one row; name, models and fit mask stay."""
        self.__dict__.pop("data", None)
        self._group, self._row, self._region = normalize_spectrum(data), 0, 0

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
    def gti(self) -> GTI:
        """Good time intervals."""
        return GTI(self._group["gti"].values[self._row], float(self._group.attrs.get("mjdref", 0.0)))

    @property
    def meta_table(self) -> Table:
        """One row: ``NAME``, ``TYPE``, ``TELESCOP``, of a run also ``OBS_ID``, ``RA_PNT``, ``DEC_PNT``."""
        table = info.meta_table([ModelledRows(self.data, self._models, None)])
        table["NAME"] = [self.name]
        return table

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

    def _energy_range(self, mask: BoolArray) -> tuple[xr.DataArray, xr.DataArray]:
        """Return the lowest and the highest edge of the bins of a mask (region, energy), dims (region,), TeV."""
        edges, has_any = self.energy_axis.edges, mask.any(axis=-1)
        low = np.where(has_any, edges[mask.argmax(axis=-1)], np.nan)
        high = np.where(has_any, edges[mask.shape[-1] - mask[:, ::-1].argmax(axis=-1)], np.nan)
        like = self.mask_safe.isel(energy=0, drop=True)
        return tuple(like.copy(data=edge).assign_attrs(units="TeV") for edge in (low, high))  # type: ignore[return-value]

    @property
    def energy_range(self) -> tuple[xr.DataArray, xr.DataArray]:
        """The lowest and the highest energy of the bins in use, TeV, each dims (region,); NaN where there is none."""
        return self._energy_range(self.mask.values)

    @property
    def energy_range_safe(self) -> tuple[xr.DataArray, xr.DataArray]:
        """The same of the safe bins."""
        return self._energy_range(self.mask_safe.values)

    @property
    def energy_range_fit(self) -> tuple[xr.DataArray, xr.DataArray]:
        """The same of the fit mask, without one of the whole axis."""
        mask = np.ones(self.mask_safe.shape, bool) if self._mask_fit is None else self._mask_fit
        return self._energy_range(mask)

    @property
    def energy_range_total(self) -> tuple[u.Quantity, u.Quantity]:
        """The lowest and the highest energy of the bins in use."""
        low, high = self.energy_range
        return u.Quantity(float(low[0]), "TeV"), u.Quantity(float(high[0]), "TeV")

    def copy(self, name: str | None = None) -> Self:
        """Return an independent copy, under a new name if one is given; models are shared with the original."""
        mask = None if self._mask_fit is None else self._mask_fit.copy()
        return type(self)(self.data.copy(deep=True), self._models, self.name if name is None else name, mask)

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


def _scalar(column: info.Column) -> Any:
    value = column.values[0].item()
    return u.Quantity(value, column.unit) if column.unit else value

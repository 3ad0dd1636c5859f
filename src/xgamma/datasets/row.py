"""``Row``: what one line of a DL4 Dataset holds, a region of a row or a window, and what its models predict."""

from __future__ import annotations

from abc import abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar

import numpy as np
import numpy.typing as npt
import xarray as xr
from astropy import units as u

from xgamma import fit, reduce, schema
from xgamma.axes import Axis, BoolArray
from xgamma.datasets import event_list, info, text
from xgamma.datasets.fitted import Fitted
from xgamma.datasets.inputs import ModelledRows, normalize_mask, normalize_rows
from xgamma.description import Description, Part, facts
from xgamma.errors import ConfigTypeError, DataError
from xgamma.models.models import Models
from xgamma.schema.arrays import Arrays, dataset_of
from xgamma.units import canonical

if TYPE_CHECKING:
    from astropy.table import Table

    from xgamma.datasets.event_list import GTI
    from xgamma.fit import FitInput


Shown = TypeVar("Shown")


class Row(Fitted, Generic[Shown]):
    """One row, its models and its fit mask; ``Shown`` is what its arrays are handed out as.

    Parameters
    ----------
    data
        A DL4 Dataset with one row, of regions with one of them.
    models
        ``Models``, a list of models or one model; those with ``datasets_names`` that do not name this row are ignored.
    name
        A new name of the row; by default the one in ``data``.
    mask_fit
        The bins of the fit, broadcast to the dims of the counts; ``None`` takes all.
    arrays
        None: single arrays, as Gammapy takes them, are refused in one sentence.

    Raises
    ------
    DataError
        When ``data`` is not such a Dataset.
    ConfigTypeError
        Without one, and for single arrays.
    """

    space: ClassVar[schema.SpaceDims]
    stat_type: ClassVar[str] = "cash"

    def __init__(
        self, data: xr.Dataset | None = None, models: Any = None, name: str | None = None, mask_fit: Any = None,
        **arrays: Any,
    ) -> None:  # fmt: skip
        if data is None or arrays:
            given = f"{', '.join(arrays)}=..." if arrays else "nothing"
            raise ConfigTypeError(
                f"{type(self).__name__}: expected one Dataset of counts, background and responses, got {given}; open "
                "the file of a dataset with read, make an empty one with create, or give an xarray.Dataset as data."
            )
        data = normalize_rows(data)
        self._validate_class(data)
        is_renamed = name is not None and [name] != data["dataset"].values.tolist()
        renamed = reduce.with_names(data, [str(name)]) if is_renamed else data
        self._place(renamed, 0, 0, info.row_names(renamed)[0])
        self.models = models
        self.mask_fit = mask_fit

    def _validate_class(self, data: xr.Dataset) -> None:
        space = schema.space_dims(data)
        if space != self.space:
            raise DataError(
                f"{type(self).__name__} holds cells with the dims {', '.join(self.space.cells)} and the Dataset has "
                f"{', '.join(space.cells)}; use Datasets.from_xarray."
            )
        if (data.sizes["dataset"], info.lines(data)) != (1, 1):
            regions = f" and {data.sizes['region']} regions" if space == schema.REGIONS else ""
            expected = "one row and one region" if regions else "one row"
            rows = f"{data.sizes['dataset']} rows{regions}"
            raise DataError(f"Expected a Dataset with {expected}, got {rows}; use Datasets.from_xarray.")
        if info.stat_type(data) != self.stat_type:
            raise DataError(
                f"{type(self).__name__} holds the statistic {self.stat_type!r} and the Dataset "
                f"{'has' if info.is_on_off(data) else 'has no'} counts_off; use Datasets.from_xarray."
            )

    def _place(self, arrays: Arrays, row: int, region: int, name: str) -> None:
        # Ten thousand views of one Dataset are cheap as long as none of them cuts its row out before it is asked to.
        self._arrays, self._row, self._region, self._name = arrays, row, region, name
        self._models = Models([])
        self._mask_fit: BoolArray | None = None

    def _hold(self, data: xr.Dataset) -> None:
        """Show another Dataset of one row; name, models and fit mask stay."""
        self.__dict__.pop("data", None)
        self._arrays, self._row, self._region = normalize_rows(data), 0, 0

    @classmethod
    def from_row(cls, arrays: Arrays, row: int, region: int, name: str) -> Self:
        """Return the view of one row of a validated DL4 Dataset, under the name that it has there."""
        view = cls.__new__(cls)
        view._place(arrays, row, region, name)
        return view

    # --- what it holds

    @cached_property
    def data(self) -> xr.Dataset:
        """The row as a Dataset; the dim ``dataset`` and those of its cells are kept."""
        return self._cut_out()

    @abstractmethod
    def _cut_out(self) -> xr.Dataset:
        """Return the row of the group as a Dataset."""

    @abstractmethod
    def _shown(self, array: xr.DataArray) -> Shown:
        """Return an array without the dim ``dataset`` as it is handed out."""

    @property
    def axes_options(self) -> dict[str, Any]:
        """What Axes are to be made with, as ``subplot_kw`` of matplotlib, that ``plot_counts`` draws into."""
        return {}

    @property
    def group(self) -> xr.Dataset:
        """The Dataset that the row is part of."""
        return dataset_of(self._arrays)

    @property
    def arrays(self) -> Arrays:
        """The same, as plain arrays where it was read as such; one object for all rows of it."""
        return self._arrays

    @property
    def position(self) -> tuple[int, int]:
        """Row and region in ``group``."""
        return self._row, self._region

    @property
    def outcome_detail(self) -> str:
        """What is known about a row that could not be used, beyond its outcome."""
        return str(self._arrays.attrs["outcome_details"][self._row])

    @property
    def name(self) -> str:
        """The unique name of the row."""
        return self._name

    @property
    def _model_name(self) -> str:
        """That of the row in its group, as its regions have models together."""
        return str(self._arrays["dataset"].values[self._row])

    def _array(self, name: str) -> xr.DataArray:
        return self.data[name].isel(dataset=0)

    @property
    def counts(self) -> Shown:
        """Counts, with the edges of the bins: see ``counts.geom``."""
        return self._shown(self._array("counts"))

    @property
    def background(self) -> Shown:
        """The background estimate, in the dims of the counts."""
        return self._shown(info.background(self.data).isel(dataset=0))

    @property
    def excess(self) -> Shown:
        """Counts minus background, in the dims of the counts."""
        return self._shown((self._array("counts") - info.background(self.data).isel(dataset=0)).assign_attrs(units=""))

    @property
    def mask_safe(self) -> Shown:
        """The bins in which the response is trusted, in the dims of the counts."""
        return self._shown(self._array("mask_safe"))

    @property
    def mask_fit(self) -> Shown | None:
        """The bins that a fit may use, in the dims of the counts, or ``None`` for all. Never part of ``data``."""
        return None if self._mask_fit is None else self._shown(self._array("mask_safe").copy(data=self._mask_fit))

    @mask_fit.setter
    def mask_fit(self, mask: npt.ArrayLike | xr.DataArray | None) -> None:
        self._mask_fit = None if mask is None else normalize_mask(self._here(mask), self.bins_shape)

    def _here(self, mask: Any) -> Any:
        """Return a mask that is for the cells of this row; raises for one that is not."""
        return mask

    @property
    def bins_shape(self) -> tuple[int, ...]:
        """The shape of the bins of one line, in the dims of the counts."""
        one = dict.fromkeys(self.space.ledgers, 1)
        return tuple(one.get(dim, self._arrays.sizes[dim]) for dim in schema.bin_dims(self._arrays)[1:])

    @property
    def fit_bins(self) -> BoolArray | None:
        """``mask_fit`` as a plain array, in the dims of the counts: no row is cut out for it."""
        return self._mask_fit

    @property
    def used_bins(self) -> xr.DataArray:
        """``mask`` as a plain labelled array."""
        safe = self._array("mask_safe")
        return safe if self._mask_fit is None else safe & self._mask_fit

    @property
    def mask(self) -> Shown:
        """The bins in use: safe, and in the fit range if there is one."""
        return self._shown(self.used_bins)

    @property
    def gti(self) -> GTI:
        """Good time intervals."""
        return event_list.GTI(self._arrays["gti"].values[self._row], float(self._arrays.attrs.get("mjdref", 0.0)))

    @property
    def meta_table(self) -> Table:
        """One row: ``NAME``, ``TYPE``, ``TELESCOP``, of a run also ``OBS_ID``, ``RA_PNT``, ``DEC_PNT``."""
        table = info.meta_table([ModelledRows(self.data, self._models, None)])
        table["NAME"] = [self.name]
        return table

    @property
    def livetime(self) -> u.Quantity:
        """Observation time without dead time."""
        return u.Quantity(float(self._arrays["livetime"].values[self._row]), "s")

    @property
    def energy_axis(self) -> Axis:
        """The axis of reconstructed energy, in TeV; ``geom.axes["energy"]`` is the same with its unit."""
        return Axis.from_coords(self._arrays.variables, "energy")

    def energy_mask(self, energy_min: Any = None, energy_max: Any = None) -> Shown:
        """Return the bins that lie wholly between two energies (``"1 TeV"`` or a ``Quantity``), for ``mask_fit``."""
        limits = (("energy_min", energy_min), ("energy_max", energy_max))
        low, high = (None if value is None else canonical(value, "TeV", name) for name, value in limits)
        safe = self._array("mask_safe")
        inside = xr.DataArray(self.energy_axis.mask_inside(low, high), dims="energy")
        whole = inside.broadcast_like(safe.drop_vars(list(safe.coords))).transpose(*safe.dims)
        return self._shown(safe.copy(data=whole.values))

    def _energy_range(self, mask: xr.DataArray) -> tuple[Shown, Shown]:
        """Return the lowest and the highest edge of the bins of a mask in each cell, TeV."""
        bins = mask.transpose(..., "energy").values
        edges, has_any = self.energy_axis.edges, bins.any(axis=-1)
        low = np.where(has_any, edges[bins.argmax(axis=-1)], np.nan)
        high = np.where(has_any, edges[bins.shape[-1] - bins[..., ::-1].argmax(axis=-1)], np.nan)
        like = mask.isel(energy=0, drop=True)
        shown = [self._shown(like.copy(data=edge).assign_attrs(units="TeV")) for edge in (low, high)]
        return shown[0], shown[1]

    @property
    def energy_range(self) -> tuple[Shown, Shown]:
        """The lowest and the highest energy of the bins in use in each cell, TeV; NaN where there is none."""
        return self._energy_range(self.used_bins)

    @property
    def energy_range_safe(self) -> tuple[Shown, Shown]:
        """The same of the safe bins."""
        return self._energy_range(self._array("mask_safe"))

    @property
    def energy_range_fit(self) -> tuple[Shown, Shown]:
        """The same of the fit mask, without one of the whole axis."""
        safe = self._array("mask_safe")
        mask = np.ones(safe.shape, bool) if self._mask_fit is None else self._mask_fit
        return self._energy_range(safe.copy(data=mask))

    @property
    def energy_range_total(self) -> tuple[u.Quantity, u.Quantity]:
        """The lowest and the highest energy of the bins in use; NaN where there is none."""
        used = self.used_bins.transpose("energy", ...).values
        planes = np.flatnonzero(used.reshape(len(used), -1).any(axis=1))
        edges = self.energy_axis.edges
        ends = (edges[planes[0]], edges[planes[-1] + 1]) if len(planes) else (np.nan, np.nan)
        return u.Quantity(float(ends[0]), "TeV"), u.Quantity(float(ends[1]), "TeV")

    def copy(self, name: str | None = None) -> Self:
        """Return an independent copy, under a new name if one is given; models are shared with the original."""
        mask = None if self._mask_fit is None else self._mask_fit.copy()
        return type(self)(self.data.copy(deep=True), self._models, self.name if name is None else name, mask)

    # --- what it predicts

    @property
    def _prediction(self) -> info.Prediction:
        return info.Prediction(self.data, self._own_models())

    def npred(self) -> Shown:
        """Predicted counts of signal and background, in the dims of the counts."""
        return self._shown(self._prediction.total.isel(dataset=0))

    def npred_signal(self, model_names: Any = None) -> Shown:
        """Predicted signal counts, in the dims of the counts; zero without models.

        ``model_names`` are the names of the models that count, or one of them; all by default. Raises
        ``UnknownNameError`` for one that is not on the dataset.
        """
        if model_names is None:
            return self._shown(self._prediction.signal.isel(dataset=0))
        own = self._own_models()
        wanted = [model_names] if isinstance(model_names, str) else list(model_names)
        chosen = Models([own[name] for name in wanted])
        return self._shown(info.Prediction(self.data, chosen).signal.isel(dataset=0))

    def npred_background(self) -> Shown:
        """Predicted background counts, in the dims of the counts."""
        return self._shown(self._prediction.background.isel(dataset=0))

    def _stat_array(self) -> xr.DataArray:
        return self._prediction.stat_array.isel(dataset=0).where(self.used_bins, 0.0)

    def stat_array(self) -> Shown:
        """The statistic of each bin, in the dims of the counts; 0 in bins that are not in use."""
        return self._shown(self._stat_array())

    def stat_sum(self) -> float:
        """The statistic, -2 ln(likelihood), of the bins in use."""
        return float(self._stat_array().sum())

    def _residuals(self, method: str) -> xr.DataArray:
        npred = self._prediction.total.isel(dataset=0)
        return info.residuals(self._array("counts"), npred, method).where(self.used_bins)

    def residuals(self, method: str = "diff") -> Shown:
        """Counts minus prediction, in the dims of the counts; NaN in bins that are not in use.

        ``method`` is ``diff``, ``diff/model`` or ``diff/sqrt(model)``.
        """
        return self._shown(self._residuals(method))

    def fit_inputs(self) -> list[FitInput]:
        """Return the Dataset with its bins to fit, as ``Fit`` takes it."""
        return [fit.FitInput(self.data, None if self._mask_fit is None else self._mask_fit[np.newaxis])]

    @property
    def significance(self) -> float:
        """The significance of the excess in the safe bins, as ``sqrt_ts`` of the info table."""
        is_alone = info.lines(self._arrays) == 1
        return float(info.significances(self._arrays if is_alone else self.data, self._own_models())[0])

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

    def _description(self) -> Description:
        parts: list[Part] = [*facts(*self._paragraphs()), *text.folded_models(self._own_models())]
        return Description(type(self).__name__, parts)

    def __repr__(self) -> str:
        bins = " x ".join(map(str, self.bins_shape[len(self.space.ledgers) :]))
        return f"<{type(self).__name__} {self.name!r}: {bins} bins, {self.stat_type}>"


def _scalar(column: info.Column) -> Any:
    value = column.values[0].item()
    return u.Quantity(value, column.unit) if column.unit else value

"""What a row of an analysis adds up to: predictions and summaries of DL4 Datasets, all rows at once.

Every function takes a Dataset with any number of rows; results per bin have the dims of its counts. A line of a summary
is a region of a row, or a row whose cells are the pixels of a window.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import astropy
import numpy as np
import xarray as xr
from astropy import units as u

from xgamma import predict, stats
from xgamma.axes import BoolArray, FloatArray
from xgamma.datasets.inputs import ModelledRows
from xgamma.errors import UnknownNameError, did_you_mean
from xgamma.reduce import nodes, stacks, window_sums
from xgamma.reduce import rows as reduced_rows
from xgamma.reduce import sums as row_sums
from xgamma.schema import WINDOWS, has_safe_bin, space_dims
from xgamma.schema.arrays import Arrays, NamedArrays, dataset_of
from xgamma.tables.counts import (
    alpha,
    alpha_of_sums,
    background,
    background_values,
    is_on_off,
    lines,
    row_names,
    sqrt_ts_of_lines,
    sums_of_lines,
)

__all__ = ["alpha", "background", "is_on_off", "lines", "row_names"]

if TYPE_CHECKING:
    from astropy import table
    from astropy.table import Table

    from xgamma.models.models import Models


class Column(NamedTuple):
    """Values of all lines, shape (line,), and their unit."""

    values: np.ndarray[Any, Any]
    unit: str = ""


def stat_type(ds: NamedArrays) -> str:
    """Return ``wstat`` or ``cash``."""
    return "wstat" if is_on_off(ds) else "cash"


def class_name(ds: NamedArrays) -> str:
    """Return the name of the class of the views of a Dataset."""
    kind = "MapDataset" if space_dims(ds) == WINDOWS else "SpectrumDataset"
    return f"{kind}OnOff" if is_on_off(ds) else kind


# Start values may be such that a prediction is no number; the fit says so.
_may_overflow = np.errstate(over="ignore", invalid="ignore", divide="ignore")


@dataclass(frozen=True)
class Prediction:
    """Predicted counts of the rows of ``arrays`` under ``models``; without models there is no signal."""

    arrays: Arrays
    models: Models

    @property
    def ds(self) -> xr.Dataset:
        """The rows as a Dataset."""
        return dataset_of(self.arrays)

    @property
    def has_signal(self) -> bool:
        """Whether there is any model to predict a signal."""
        return len(self.models) > 0

    @cached_property
    @_may_overflow
    def signal(self) -> xr.DataArray:
        """Signal counts per bin."""
        return predict.npred_signal(self.ds, self.models)

    @cached_property
    @_may_overflow
    def background(self) -> xr.DataArray:
        """Background counts per bin: with off regions the one that maximises the likelihood for this signal."""
        return self._per_bin(self._measured.predicted_background(self.signal.values.ravel()))

    @cached_property
    def total(self) -> xr.DataArray:
        """Signal and background."""
        return (self.signal + self.background).assign_attrs(units="")

    @cached_property
    @_may_overflow
    def stat_array(self) -> xr.DataArray:
        """The statistic of each bin, masks not applied; a bin without off acceptance counts as 0."""
        return self._per_bin(self._measured.stat(self.signal.values.ravel()))

    @cached_property
    def _measured(self) -> stats.Counts:
        return predict.measured(self.ds, np.ones(self.ds["counts"].shape, dtype=bool), self.models)

    def _per_bin(self, values: FloatArray) -> xr.DataArray:
        return self.signal.copy(data=values.reshape(self.signal.shape))


def measured(ds: xr.Dataset) -> stats.Counts:
    """Return the counts of every bin as the statistics take them, flat."""
    return predict.measured(ds, np.ones(ds["counts"].shape, dtype=bool))


def residuals(counts: xr.DataArray, npred: xr.DataArray, method: str = "diff") -> xr.DataArray:
    """Return ``counts - npred``, per ``npred`` or per its square root; NaN where that is 0.

    Raises ``UnknownNameError`` for a method other than ``diff``, ``diff/model``, ``diff/sqrt(model)``.
    """
    difference = (counts - npred).assign_attrs(units="")
    return difference.copy(data=scaled_residuals(difference.values, npred.values, method))


def scaled_residuals(difference: FloatArray, model: FloatArray, method: str) -> FloatArray:
    """Return differences (or their errors) in the scale of ``method``, NaN where the scale is 0.

    Raises ``UnknownNameError`` for another ``method``.
    """
    scales = {"diff": np.ones_like(model), "diff/model": model, "diff/sqrt(model)": np.sqrt(np.maximum(model, 0.0))}
    if method not in scales:
        raise UnknownNameError(f"There is no residual method {method!r}.{did_you_mean(method, scales)}")
    scale = np.broadcast_to(scales[method], difference.shape)
    return np.asarray(np.divide(difference, scale, out=np.full(difference.shape, np.nan), where=scale != 0))


def counts_errors(ds: xr.Dataset) -> FloatArray:
    """Return the square root of the counts, in the dims of the counts."""
    return np.asarray(np.sqrt(ds["counts"].values))


def excess_errors(ds: xr.Dataset) -> FloatArray:
    """Return the standard error of the excess, in the dims of the counts."""
    return np.asarray(measured(ds).counts_error.reshape(ds["counts"].shape))


def total_excess_errors(ds: xr.Dataset) -> FloatArray:
    """Return the standard error of the excess in the safe bins of each line, shape (line,)."""
    return np.sqrt(sums_of_lines(ds, excess_errors(ds) ** 2, ds["mask_safe"].values))


def summary(
    ds: xr.Dataset, models: Models, mask_fit: BoolArray | None = None, in_safe_data_range: bool = True
) -> dict[str, Column]:
    """Sum up every row.

    Parameters
    ----------
    ds
        A DL4 Dataset.
    models
        Models for the predicted counts and the statistic.
    mask_fit
        Bins of the fit, in the dims of the counts: they count in ``n_fit_bins`` and ``stat_sum`` only.
    in_safe_data_range
        Whether only bins of the safe range are added up.

    Returns
    -------
    dict of Column
        In the order of the table; with off regions also ``counts_off``, ``acceptance``, ``acceptance_off``, ``alpha``.
    """
    prediction = Prediction(ds, models)
    safe = ds["mask_safe"].values
    used = safe if in_safe_data_range else np.ones_like(safe)
    fitted = safe if mask_fit is None else safe & mask_fit
    counts, known, expected = _counted(prediction, used)
    columns = {"name": Column(np.array(row_names(ds))), "counts": Column(counts.astype(np.int64))}
    columns |= {"excess": Column(counts - expected), "sqrt_ts": Column(sqrt_ts_of_lines(ds, counts, expected, used))}
    columns |= {"background": Column(known)}
    columns |= _predicted(prediction, used)
    columns |= _exposures(ds, counts, known, counts - expected)
    has_stat = is_on_off(ds) or prediction.has_signal
    stat = sums_of_lines(ds, prediction.stat_array.values, fitted)
    rows = len(counts)
    columns |= {
        "n_bins": Column(np.full(rows, used.size // max(1, rows))),
        "n_fit_bins": Column(sums_of_lines(ds, np.ones(fitted.shape), fitted).astype(np.int64)),
        "stat_type": Column(np.full(rows, stat_type(ds))),
        "stat_sum": Column(stat if has_stat else np.full(rows, np.nan)),
    }
    return columns | (_off_columns(ds, known, used) if is_on_off(ds) else {})


def significances(ds: Arrays, models: Models) -> FloatArray:
    """Return the significance of the excess in the safe bins of each line, shape (line,), and nothing else of them."""
    used = ds["mask_safe"].values
    counts, _, expected = _counted(Prediction(ds, models), used)
    return sqrt_ts_of_lines(ds, counts, expected, used)


def _counted(prediction: Prediction, used: BoolArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the counts of each line, its background, and the background that its excess is over."""
    ds = prediction.arrays
    counts, known = (sums_of_lines(ds, values, used) for values in (ds["counts"].values, background_values(ds)))
    # What is known is as good as the norm that models give it; what was measured stands alone.
    expected = known if is_on_off(ds) else sums_of_lines(ds, prediction.background.values, used)
    return counts, known, expected


def _predicted(prediction: Prediction, used: BoolArray) -> dict[str, Column]:
    signal = sums_of_lines(prediction.ds, prediction.signal.values, used)
    return {
        "npred": Column(sums_of_lines(prediction.ds, prediction.total.values, used)),
        "npred_background": Column(sums_of_lines(prediction.ds, prediction.background.values, used)),
        "npred_signal": Column(signal if prediction.has_signal else np.full(len(signal), np.nan)),
    }


def _exposures(ds: xr.Dataset, counts: FloatArray, known: FloatArray, excess: FloatArray) -> dict[str, Column]:
    low, high = np.transpose([_ends_above_zero(exposure) for exposure in _exposure_of_lines(ds)]).reshape(2, -1)
    livetime, ontime = (
        np.repeat(ds[name].values, len(counts) // max(1, ds.sizes["dataset"])) for name in ("livetime", "ontime")
    )
    rates = {"counts": counts, "background": known, "excess": excess}
    columns = {
        "exposure_min": Column(low, "m2 s"),
        "exposure_max": Column(high, "m2 s"),
        "livetime": Column(livetime, "s"),
        "ontime": Column(ontime, "s"),
    }
    for name, value in rates.items():
        rate = np.divide(value, livetime, out=np.full(len(value), np.nan), where=livetime > 0)
        columns[f"{name}_rate"] = Column(rate, "s-1")
    return columns


def _exposure_of_lines(ds: xr.Dataset) -> Iterator[FloatArray]:
    """Yield the exposure of each line; that of windows of runs is made one by one, as nobody holds it."""
    if "exposure" in ds:
        yield from ds["exposure"].values.reshape(lines(ds), -1)
        return
    for row in range(ds.sizes["dataset"]):
        yield nodes.exposure_in_windows(ds, slice(row, row + 1))


def _ends_above_zero(values: FloatArray) -> tuple[float, float]:
    """Return the smallest and the largest of the values above 0, 0 where there is none."""
    positive = values[values > 0]
    return (float(positive.min()), float(positive.max())) if len(positive) else (0.0, 0.0)


def _off_columns(ds: xr.Dataset, expected: FloatArray, used: BoolArray) -> dict[str, Column]:
    off = sums_of_lines(ds, ds["counts_off"].values, used)
    share = alpha_of_sums(ds, off, expected, used)
    area = sums_of_lines(ds, ds["acceptance"].values, used)
    return {
        "counts_off": Column(off.astype(np.int64)),
        "acceptance": Column(area),
        "acceptance_off": Column(np.divide(area, share, out=np.zeros_like(area), where=share > 0)),
        "alpha": Column(share),
    }


def info_table(parts: Sequence[ModelledRows]) -> Table:
    """Return one row for each row of the parts; empty without any."""
    tables = []
    for part in parts:
        columns = summary(part.data, part.models, part.mask_fit)
        tables.append(astropy.table.Table([_column(name, column) for name, column in columns.items()]))
    return _joined(tables)


def _joined(tables: Sequence[Table]) -> Table:
    return (
        astropy.table.vstack(tables, metadata_conflicts="silent")
        if len(tables) > 1
        else tables[0]
        if tables
        else astropy.table.Table()
    )


def _column(name: str, column: Column) -> table.Column:
    return astropy.table.Column(column.values, name=name, unit=u.Unit(column.unit) if column.unit else None)


def meta_table(parts: Sequence[ModelledRows]) -> Table:
    """Return one row for each line of the parts: name, type, telescope, and of runs id and pointing, deg."""
    tables = []
    for part in parts:
        ds, names = part.data, row_names(part.data)
        each = len(names) // max(1, ds.sizes["dataset"])
        columns = {
            "NAME": Column(np.array(names)),
            "TYPE": Column(np.full(len(names), class_name(ds))),
            "TELESCOP": Column(np.full(len(names), ds.attrs.get("telescope", ""))),
        }
        of_runs = {"OBS_ID": ("obs_id", ""), "RA_PNT": ("pointing_lon", "deg"), "DEC_PNT": ("pointing_lat", "deg")}
        columns |= {
            label: Column(np.repeat(ds[name].values, each), unit)
            for label, (name, unit) in of_runs.items()
            if name in ds.variables
        }
        tables.append(astropy.table.Table([_column(name, column) for name, column in columns.items()]))
    return _joined(tables)


def cumulative_stacks(datasets: Sequence[xr.Dataset]) -> Iterator[xr.Dataset]:
    """Yield the stacks of the first row of some Datasets, of the first two rows, and so on, under the rows' names.

    Those of regions come as one Dataset. Of windows, which are large, one is in memory at a time.
    """
    if all(space_dims(ds) != WINDOWS for ds in datasets):
        ds = reduced_rows.joined_rows(datasets)
        rows, names = ds.sizes["dataset"], ds["dataset"].values.tolist()
        sums = {name: np.cumsum(term, axis=0) for name, term in row_sums.combine(ds, np.arange(rows), rows).items()}
        yield stacks.stacks(sums, np.arange(rows), stacks.row_facts(ds), names, ds)
        return
    apart = window_sums.rows_apart(datasets)
    image, total = window_sums.image_of_all(apart), apart[0]
    for row, own in enumerate(apart):
        both = [each for each in ([own] if row == 0 else [total, own]) if has_safe_bin(each).any()]
        total = window_sums.window_sum(both, image, str(own["dataset"].values[0])) if both else own
        yield total


def cumulative_table(datasets: Sequence[xr.Dataset], models: Models) -> Table:
    """Return one row for each of ``cumulative_stacks``."""
    return _joined([info_table([ModelledRows(each, models, None)]) for each in cumulative_stacks(datasets)])

"""Models that depend on time: their means over the good time of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import xarray as xr

from xgamma.axes import FloatArray, IntArray
from xgamma.errors import ConfigError
from xgamma.models.models import SkyModel
from xgamma.models.temporal.model import TemporalModel

GoodTime: TypeAlias = tuple[FloatArray, float]
"""Starts and stops, shape (row, interval, 2), NaN where a row has fewer; and the MJD (TT) since which they count."""


@dataclass(frozen=True)
class InTime:
    """The factors of one model in bins of rows: functions of the values of its temporal part.

    Parameters
    ----------
    model
        The temporal part.
    times
        The good time of the rows, in groups that have one epoch.
    row
        Which row each bin belongs to, counted over all groups, shape (bin,).
    applies
        The rows that the model contributes to; others have the factor 1, shape (row,).
    """

    model: TemporalModel
    times: tuple[GoodTime, ...]
    row: IntArray
    applies: FloatArray

    @classmethod
    def of(cls, model: SkyModel, datasets: Sequence[xr.Dataset], row: IntArray) -> InTime | None:
        """Return the factors of a model, ``None`` for one that does not depend on time.

        ``row`` is the row of each bin, counted over all Datasets. Raises ``ConfigError`` where the model has no value.
        """
        temporal = model.temporal_model
        if temporal is None or temporal.is_constant:
            return None
        names = [[str(name) for name in ds["dataset"].values] for ds in datasets]
        applies = np.array([model.applies_to(name) for group in names for name in group], dtype=float)
        times = [good_time(ds) for ds in datasets]
        for group, (gti, mjdref) in zip(names, times, strict=True):
            validate_times(model, gti, mjdref, group)
        return cls(temporal, tuple(times), row, applies)

    def __call__(self, values: Sequence[float] | None = None) -> FloatArray:
        """Return the factor of each bin; ``values`` stand in for those of the temporal part."""
        means = np.concatenate([self.model.mean(gti, mjdref, values) for gti, mjdref in self.times])
        return np.asarray(np.where(self.applies > 0, means, 1.0)[self.row])

    def gradient(self, values: Sequence[float], wanted: Sequence[int]) -> FloatArray:
        """Return the derivatives of the factors in some of the values, shape (wanted, bin)."""
        slopes = [self.model.mean_gradient(gti, mjdref, values, wanted) for gti, mjdref in self.times]
        return np.asarray(np.where(self.applies > 0, np.concatenate(slopes, axis=1), 0.0)[:, self.row])


def good_time(ds: xr.Dataset) -> GoodTime:
    """Return the good time of the rows of a Dataset; none where it holds none."""
    if "gti" in ds and "mjdref" in ds.attrs:
        return ds["gti"].transpose("dataset", "gti", "bound").values, float(ds.attrs["mjdref"])
    return np.full((ds.sizes["dataset"], 1, 2), np.nan), 0.0


def validate_times(model: SkyModel, gti: FloatArray, mjdref: float, names: Sequence[str]) -> None:
    """Raise ``ConfigError`` where a model that depends on time has no value in the good time of rows.

    ``gti`` has the shape (row, interval, 2); rows that the model does not contribute to do not matter.
    """
    temporal = model.temporal_model
    if temporal is None or temporal.is_constant:
        return
    rows = _rows_of(model, names)
    without = [names[row] for row in rows if not np.isfinite(gti[row]).all(axis=-1).any()]
    if without:
        raise ConfigError(
            f"The model {model.name!r} depends on time, and the dataset {without[0]!r} has no good time; give it, or "
            "remove the temporal part."
        )
    problem = temporal.problem(gti[rows], mjdref) if rows else ""
    if not problem and not np.isfinite(temporal.mean(gti[rows], mjdref)).all():
        problem = "has no finite mean over the good time; correct its parameters"
    if problem:
        raise ConfigError(f"The model {model.name!r}: its {type(temporal).__name__} {problem}.")


def time_remark(model: SkyModel, gti: FloatArray, mjdref: float, names: Sequence[str]) -> str:
    """Return what is to be known of a model in the good time of rows, one sentence; mostly empty."""
    rows, temporal = _rows_of(model, names), model.temporal_model
    remark = temporal.remark(gti[rows], mjdref) if temporal is not None and rows else ""
    return f"The model {model.name!r}: good time {remark}." if remark else ""


def _rows_of(model: SkyModel, names: Sequence[str]) -> list[int]:
    return [row for row, name in enumerate(names) if model.applies_to(name)]

"""What was measured in bins of rows, with the statistic that they declare, and the models that contribute to them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from xgamma.axes import BoolArray
from xgamma.models.models import Models, SkyModel
from xgamma.nuisance import ScaledCounts
from xgamma.predict.background import background_planes
from xgamma.schema import alpha
from xgamma.stats import CashCounts, Counts, WstatCounts


def measured(ds: xr.Dataset, used: BoolArray, models: Models | Sequence[SkyModel] = ()) -> Counts:
    """Return the counts of the chosen bins, flat, with the statistic that the Dataset declares by what it holds.

    Of models only those of backgrounds count.
    """
    counts = ds["counts"].values[used].astype(float)
    if "counts_off" in ds:
        return WstatCounts(counts, ds["counts_off"].values[used].astype(float), alpha(ds)[used])
    if "background" not in ds:
        return CashCounts(counts, np.zeros(counts.shape))
    return CashCounts(counts, background_planes(ds, models)[used])


def scaled(ds: xr.Dataset, used: BoolArray) -> ScaledCounts:
    """Return the counts of the chosen bins with the systematic error of alpha: one factor for each region of a row."""
    plain, shape = measured(ds, used), ds["counts"].shape
    assert isinstance(plain, WstatCounts)
    lines = np.prod(shape[:-1], dtype=int)
    number = np.broadcast_to(np.arange(lines).reshape(*shape[:-1], 1), shape)[used]
    share = ds["alpha_systematic"].values[np.nonzero(used)[0]].astype(float)
    return ScaledCounts(plain.counts, plain.counts_off, plain.alpha, share, number)

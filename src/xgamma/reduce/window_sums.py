"""Sums of windows of the sky that need not lie alike, one of which may be a sum already, with their off counts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from xgamma import schema
from xgamma.axes import FloatArray
from xgamma.grid import SkySpace
from xgamma.reduce.background.protocol import OFF_COUNTS
from xgamma.reduce.crops import in_image
from xgamma.reduce.nodes import exposure_in_windows
from xgamma.reduce.rows import joined_rows, with_same_variables
from xgamma.reduce.stack import stack


def window_sum(rows: Sequence[xr.Dataset], image: SkySpace, name: str) -> xr.Dataset:
    """Return the sum of windows over the safe bins of each, in all pixels of an image.

    Other than ``stack``, which gives them up for the background that they lead to expect, it keeps off counts. The
    acceptance is the sum of those of the rows over their safe bins. The off acceptance is the one with which all off
    counts of a pixel predict the sum of the backgrounds; in a pixel without off counts it is the sum of theirs, so that
    alpha is known there too.

    Parameters
    ----------
    rows
        DL4, each with one window whose pixels are those of the image. Variables that not all have are left out.
    image
        The image.
    name
        Of the sum.

    Raises
    ------
    DataError
        For other pixels or axes; when no row has a safe bin.
    """
    moved = with_same_variables(_with_exposure([in_image(ds, image) for ds in rows]))
    total = stack(joined_rows(moved), name=name)
    return _with_off_counts(total, moved) if "counts_off" in moved[0] else total


def _with_exposure(rows: Sequence[xr.Dataset]) -> list[xr.Dataset]:
    """Return rows all of which hold their exposure, or none of which does."""
    if not any("exposure" in ds for ds in rows):
        return list(rows)
    dims, spec = schema.WINDOWS.bins("energy_true"), schema.DL4_IN[schema.WINDOWS]["exposure"]
    return [
        ds if "exposure" in ds else ds.assign(exposure=(dims, exposure_in_windows(ds), spec.attrs())) for ds in rows
    ]


def _with_off_counts(total: xr.Dataset, rows: Sequence[xr.Dataset]) -> xr.Dataset:
    held: dict[str, FloatArray] = {name: np.zeros(total["counts"].shape) for name in OFF_COUNTS}
    for ds in rows:
        safe = ds["mask_safe"].values
        for name, values in held.items():
            values += np.where(safe, ds[name].values, 0)
    background = total["background"].values
    own, plain = held["acceptance"] * held["counts_off"], held["acceptance_off"]
    held["acceptance_off"] = np.divide(own, background, out=plain, where=background > 0)
    dims, specs = schema.bin_dims(total), schema.DL4_IN[schema.WINDOWS]
    variables = {name: xr.Variable(dims, array, specs[name].attrs()) for name, array in held.items()}
    return total.drop_vars("background").assign(variables)

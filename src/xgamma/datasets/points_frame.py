"""Flux points and light curves as DataFrames of pandas, which nothing but these tables of them needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from xgamma.datasets import sed_table


def points_frame(ds: xr.Dataset, names: Sequence[str]) -> pd.DataFrame:
    """Return one row a point; a variable with the dim ``dataset`` becomes a column for each if there are several."""
    columns = {"e_ref": ds["energy"].values, "e_min": ds["energy_bounds"].values[:, 0]}
    columns["e_max"] = ds["energy_bounds"].values[:, 1]
    units = dict.fromkeys(columns, "TeV")
    for name in names:
        if name in ds and "dataset" in ds[name].dims:
            columns |= _per_dataset(ds, name)
            continue
        value = sed_table.quantity(ds, name)
        columns[name], units[name] = (ds[name].values if name in ds else value.value), value.unit.to_string("fits")
    return with_units(columns, {name: units.get(name, "") for name in columns})


def with_units(columns: Mapping[str, npt.NDArray[Any]], units: Mapping[str, str]) -> pd.DataFrame:
    """Return columns as a DataFrame, with their units in ``attrs["units"]``."""
    frame = pd.DataFrame(columns)
    frame.attrs["units"] = dict(units)
    return frame


def _per_dataset(ds: xr.Dataset, name: str) -> dict[str, np.ndarray]:
    labels = [name] if ds.sizes["dataset"] == 1 else [f"{name}_{label}" for label in ds["dataset"].values]
    return dict(zip(labels, ds[name].transpose("dataset", "energy").values, strict=True))

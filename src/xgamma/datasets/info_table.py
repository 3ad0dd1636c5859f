"""The table of rows that ``Datasets.info_table`` shows, and stacks of more and more rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from astropy import units as u
from astropy.table import Column, Table, vstack

from xgamma.datasets import info
from xgamma.datasets.part import Part
from xgamma.reduce.stack import combine, finalise


def info_table(parts: Sequence[Part]) -> Table:
    """Return one row for each row of the parts; empty without any."""
    tables = []
    for part in parts:
        columns = info.summary(part.data, part.models, part.mask_fit)
        tables.append(Table([_column(name, column) for name, column in columns.items()]))
    return vstack(tables, metadata_conflicts="silent") if len(tables) > 1 else tables[0] if tables else Table()


def _column(name: str, column: info.Column) -> Column:
    return Column(column.values, name=name, unit=u.Unit(column.unit) if column.unit else None)


def cumulative_stacks(ds: xr.Dataset) -> xr.Dataset:
    """Return the stack of the first row, of the first two rows, and so on: as many rows as in ``ds``, its names."""
    rows = ds.sizes["dataset"]
    sums = {name: np.cumsum(term, axis=0) for name, term in combine(ds, np.arange(rows), rows).items()}
    return ds.assign({name: ds[name].copy(data=value) for name, value in finalise(sums).items()})

"""Index tables of a release changed as writers of real ones have them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table

HDU, OBS = "hdu-index", "obs-index"


def index_table(release: Path, stem: str) -> Table:
    """Return an index table, texts wide enough for any other."""
    table = Table.read(release / f"{stem}.fits.gz")
    for name in table.colnames:
        if table[name].dtype.kind in "SU":
            table[name] = np.char.strip(table[name].astype(str)).astype("U200")
    table.meta.clear()
    return table


def table_hdu(table: Table, name: str | None) -> fits.BinTableHDU:
    """Return a table as an HDU of some name, or without one."""
    hdu = fits.BinTableHDU(table)
    hdu.header.remove("EXTNAME", ignore_missing=True)
    if name is not None:
        hdu.header["EXTNAME"] = name
    return hdu


def rewrite_index(
    release: Path,
    stem: str,
    change: Callable[[Table], Table | None] = lambda table: None,
    name: str | None = None,
    file: str | None = None,
) -> None:
    """Write an index table anew, changed, under a name of its HDU and of its file."""
    table = index_table(release, stem)
    changed = change(table)
    hdu = table_hdu(table if changed is None else changed, name)
    if file is not None:
        (release / f"{stem}.fits.gz").unlink()
    hdu.writeto(release / (file or f"{stem}.fits.gz"), overwrite=True)


def without(*names: str) -> Callable[[Table], None]:
    """Return a change that removes columns."""
    return lambda table: table.remove_columns(list(names))


def with_column(name: str, values: object) -> Callable[[Table], None]:
    """Return a change that sets a column to other values, one for all rows or one for each."""

    def change(table: Table) -> None:
        table[name] = np.broadcast_to(np.array(values), len(table)).copy()

    return change

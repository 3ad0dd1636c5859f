"""Good time as the FITS table GTI (START, STOP in seconds since MJDREFI + MJDREFF)."""

from __future__ import annotations

import numpy as np
from astropy.io import fits

from xgamma.axes import FloatArray
from xgamma.formats.fits.hdus import HduTable, table_hdu
from xgamma.times import mjdref_from_header

DEFAULT_MJDREF = 51544.0


def gti_hdu(gti: FloatArray, mjdref: float) -> fits.BinTableHDU:
    """Return the GTI table of good time of shape (n, 2), in TT seconds since ``mjdref``."""
    day = np.floor(mjdref)
    header = {"MJDREFI": int(day), "MJDREFF": float(mjdref - day), "TIMESYS": "tt"}
    columns = [fits.Column(name, format="D", unit="s", array=gti[:, n]) for n, name in enumerate(("START", "STOP"))]
    return table_hdu("GTI", columns, header)


def gti_of_table(table: HduTable | None) -> tuple[FloatArray, float]:
    """Return good time, shape (n, 2), and its reference epoch (MJD, TT); no rows where there is no table."""
    if table is None:
        return np.empty((0, 2)), DEFAULT_MJDREF
    return np.stack([table.numbers(name, "s") for name in ("START", "STOP")], axis=1), mjdref_from_header(table.header)

"""What the scripts share: reading the plain release that xgamma simulated, and an index for writers that have none.

It runs in the environment of the writer, with numpy and astropy alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.table import Table
from astropy.time import Time

Hdus = dict[str, fits.BinTableHDU]
Row = tuple[int, str, str, Path, str]

# Every run of the plain release points this far from the source: responses in one offset bin hold there.
OFFSET = 0.5
ONE_BIN = np.array([0.0, 1.0]) * u.deg
# Of EVENTS, GTI, POINTING and the responses of a release.
KINDS = {"EFFECTIVE AREA": "aeff_2d", "ENERGY DISPERSION": "edisp_2d", "EDISP": "edisp_2d", "PSF": "psf_table"}


def runs(release: Path) -> Iterator[tuple[int, Hdus]]:
    """Yield the HDUs of each run by name."""
    for path in sorted((release / "data").glob("run_*.fits")):
        with fits.open(path, memmap=False) as opened:
            hdus = {hdu.name: hdu.copy() for hdu in opened[1:]}
        yield int(hdus["EVENTS"].header["OBS_ID"]), hdus


def times(hdus: Hdus, name: str = "EVENTS", column: str = "TIME") -> Time:
    """Return the times of a column."""
    header = hdus[name].header
    days = np.asarray(hdus[name].data[column], dtype=float) / 86400.0
    return Time(header["MJDREFI"] + header["MJDREFF"], days, format="mjd", scale="tt")


def edges(hdu: fits.BinTableHDU, axis: str, unit: u.Unit) -> u.Quantity:
    """Return the bin edges of an axis."""
    low, high = (np.asarray(hdu.data[f"{axis}_{end}"][0], dtype=float) for end in ("LO", "HI"))
    return np.append(low, high[-1]) * unit


def at_offset(hdu: fits.BinTableHDU, column: str) -> np.ndarray:
    """Return the values at ``OFFSET``, with the axes of a writer in Python: energy first, offset (one) last."""
    node = int(np.flatnonzero(np.isclose(hdu.data["THETA_LO"][0], OFFSET))[0])
    values = np.asarray(hdu.data[column][0], dtype=float)
    along = values.ndim - 1 if column == "RPSF" else 0
    chosen = values[:, node : node + 1] if along else values[node : node + 1]
    return chosen.T


def write_file(path: Path, obs_id: int, tables: list[fits.BinTableHDU], roles: list[tuple[str, str]]) -> list[Row]:
    """Write the tables of a run, each with its HDU_TYPE and HDU_CLASS; return their rows of an index."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fits.HDUList([fits.PrimaryHDU(), *tables]).writeto(path)
    return [(obs_id, *role, path, table.name) for table, role in zip(tables, roles, strict=True)]


def write_index(folder: Path, rows: list[Row], events: dict[int, fits.Header]) -> None:
    """Write the two index tables, as a user of a writer that has none would."""
    obs_ids, kinds, classes, paths, names = zip(*rows, strict=True)
    hdu_index = {
        "OBS_ID": np.array(obs_ids, dtype=np.int64),
        "HDU_TYPE": kinds,
        "HDU_CLASS": classes,
        "FILE_DIR": [os.path.relpath(path.parent, folder) for path in paths],
        "FILE_NAME": [path.name for path in paths],
        "HDU_NAME": names,
    }
    columns = ("OBS_ID", "RA_PNT", "DEC_PNT", "TSTART", "TSTOP")
    obs_index = {name: [header[name] for header in events.values()] for name in columns}
    for stem, table in (("hdu-index", hdu_index), ("obs-index", obs_index)):
        hdu = fits.table_to_hdu(Table(table))
        hdu.name = stem.upper().replace("-", "_")
        fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(folder / f"{stem}.fits.gz")

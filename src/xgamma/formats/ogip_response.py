"""OGIP responses: the effective area (ARF) and the redistribution matrix (RMF).

Source: OGIP memos CAL/GEN/92-002 and 92-002a (George, Arnaud, Pence, Ruamsuwan, Corcoran).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from astropy.io import fits

from xgamma.axes import Axis, FloatArray
from xgamma.errors import DataError, InputError
from xgamma.formats.hdus import Table, axis_of_table, table_hdu, table_named

AREA_NAMES = ("SPECRESP",)
MATRIX_NAMES = ("MATRIX", "SPECRESP MATRIX")
_GRID_TOLERANCE = 1e-5


def bounds_hdu(energy: Axis, header: Mapping[str, Any]) -> fits.BinTableHDU:
    """Return the EBOUNDS table of the reconstructed energies."""
    columns = [
        fits.Column("CHANNEL", format="J", array=np.arange(energy.nbin)),
        fits.Column("E_MIN", format="D", unit=energy.unit, array=energy.edges[:-1]),
        fits.Column("E_MAX", format="D", unit=energy.unit, array=energy.edges[1:]),
    ]
    cards = {
        **header,
        "CHANTYPE": "PHA",
        "DETCHANS": energy.nbin,
        "HDUCLASS": "OGIP",
        "HDUCLAS1": "RESPONSE",
        "HDUCLAS2": "EBOUNDS",
        "HDUVERS": "1.2.0",
    }
    return table_hdu("EBOUNDS", columns, cards)


def axis_of_bounds(table: Table) -> Axis:
    """Return the axis of an EBOUNDS table in TeV; raises ``InputError`` when its channels leave gaps."""
    return axis_of_table(table, "energy", "E_MIN", "E_MAX")


def area_hdu(energy_true: Axis, area: FloatArray, header: Mapping[str, Any]) -> fits.BinTableHDU:
    """Return the SPECRESP table of an effective area in m2, shape (energy_true,)."""
    columns = [*_true_columns(energy_true), fits.Column("SPECRESP", format="D", unit="m2", array=area)]
    cards = {**header, "HDUCLASS": "OGIP", "HDUCLAS1": "RESPONSE", "HDUCLAS2": "SPECRESP", "HDUVERS": "1.1.0"}
    return table_hdu("SPECRESP", columns, cards)


def area_of_tables(tables: Mapping[str, Table], path: Path) -> tuple[Axis, FloatArray]:
    """Return the true-energy axis (TeV) and the effective area (m2) of an ARF."""
    table = table_named(tables, AREA_NAMES, path)
    return axis_of_table(table, "energy_true", "ENERG_LO", "ENERG_HI"), table.numbers("SPECRESP", "m2")


def matrix_hdu(energy_true: Axis, edisp: FloatArray, header: Mapping[str, Any]) -> fits.BinTableHDU:
    """Return the MATRIX table of a kernel of shape (energy_true, energy), its zeros left out."""
    groups = [_groups(row) for row in edisp]
    first, number = [group[0] for group in groups], [group[1] for group in groups]
    held = [row[row != 0] for row in edisp]
    columns = [
        *_true_columns(energy_true),
        fits.Column("N_GRP", format="I", array=np.array([len(starts) for starts in first])),
        fits.Column("F_CHAN", format="PJ()", array=_ragged(first)),
        fits.Column("N_CHAN", format="PJ()", array=_ragged(number)),
        fits.Column("MATRIX", format="PD()", array=_ragged(held)),
    ]
    cards = {
        **header,
        "CHANTYPE": "PHA",
        "HDUCLASS": "OGIP",
        "HDUCLAS1": "RESPONSE",
        "HDUCLAS2": "RSP_MATRIX",
        "HDUVERS": "1.3.0",
        "DETCHANS": edisp.shape[1],
        "NUMGRP": sum(len(starts) for starts in first),
        "NUMELT": sum(len(values) for values in held),
        "TLMIN4": 0,
    }
    return table_hdu("MATRIX", columns, cards)


def _groups(row: FloatArray) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return first channel and length of each run of non-zeros; a row of zeros is one run of length 0."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], row != 0, [False]]).astype(np.int8)))
    if not len(edges):
        return np.zeros(1, np.int64), np.zeros(1, np.int64)
    return edges[::2], edges[1::2] - edges[::2]


def _ragged(rows: list[Any]) -> npt.NDArray[Any]:
    array = np.empty(len(rows), dtype=object)
    for number, row in enumerate(rows):
        array[number] = np.asarray(row)
    return array


def kernel_of_tables(tables: Mapping[str, Table], path: Path, energy_true: Axis, channels: int) -> FloatArray:
    """Return the kernel of an RMF, shape (energy_true, energy).

    Parameters
    ----------
    tables
        The tables of the RMF file.
    path
        Its name, for the sentences.
    energy_true
        The true-energy axis of the effective area, which the matrix must share (to 1e-5: matrices are float32).
    channels
        The number of reconstructed-energy bins.

    Raises
    ------
    InputError
        When the matrix is not there or points outside the channels.
    DataError
        When its true energies are not those of the effective area.
    """
    table = table_named(tables, MATRIX_NAMES, path)
    axis = axis_of_table(table, "energy_true", "ENERG_LO", "ENERG_HI")
    if axis.nbin != energy_true.nbin or not np.allclose(axis.edges, energy_true.edges, rtol=_GRID_TOLERANCE, atol=0):
        raise DataError(
            f"{path}: the matrix has {axis.nbin} true energies from {axis.edges[0]:g} to {axis.edges[-1]:g} TeV, the "
            f"effective area {energy_true.nbin} from {energy_true.edges[0]:g} to {energy_true.edges[-1]:g} TeV. "
            "Give both on the same bins."
        )
    first_channel = _first_channel(table)
    kernel = np.zeros((axis.nbin, channels))
    for row in range(axis.nbin):
        starts, lengths, values = (np.atleast_1d(table.column(name)[row]) for name in ("F_CHAN", "N_CHAN", "MATRIX"))
        count, used = int(table.column("N_GRP")[row]), 0
        for start, length in zip(starts[:count].astype(int) - first_channel, lengths[:count].astype(int), strict=True):
            if start < 0 or start + length > channels or used + length > len(values):
                raise InputError(
                    f"{path}: row {row} of its matrix points beyond the {channels} channels or its values."
                )
            kernel[row, start : start + length] = values[used : used + length]
            used += length
    return kernel


def _first_channel(table: Table) -> int:
    """Return the number of the first channel: TLMIN of F_CHAN, 1 where the file does not say."""
    number = list(table.columns).index("F_CHAN") + 1
    return int(table.header.get(f"TLMIN{number}", 1))


def _true_columns(axis: Axis) -> list[fits.Column]:
    return [
        fits.Column("ENERG_LO", format="D", unit=axis.unit, array=axis.edges[:-1]),
        fits.Column("ENERG_HI", format="D", unit=axis.unit, array=axis.edges[1:]),
    ]

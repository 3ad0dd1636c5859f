"""OGIP responses, the effective area (ARF) and the redistribution matrix (RMF), and what all OGIP files have in common.

Source: OGIP memos OGIP/92-007, OGIP/93-003, CAL/GEN/92-002 and 92-002a (George, Arnaud, Pence, Ruamsuwan, Corcoran).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from xgamma.axes import Axis, FloatArray
from xgamma.dialects import fits_unit
from xgamma.errors import DataError, InputError
from xgamma.formats.fits.encoding import Cards, Column, Hdu
from xgamma.formats.fits.hdus import HduTable, axis_of_table, read_hdu_tables, table_named
from xgamma.units import unit_factor

ENERGY_UNIT = "keV"
"""What energies without TUNIT are in: the unit of OGIP files since before they had to say it."""

_NO_FILE = ("", "NONE")
AREA_UNIT = "cm2"
"""What areas without TUNIT are in."""

_GRID_TOLERANCE = 1e-5
# Rows of probabilities add up to 1, a little more with rounding and interpolation; areas are many cm2.
_PROBABILITY = 1.5


class Extension(NamedTuple):
    """How an extension is known: by the class in HDUCLAS1 or HDUCLAS2, or by its EXTNAME."""

    keyword: str
    label: str
    names: tuple[str, ...]

    def describes(self, table: HduTable) -> bool:
        """Whether ``table`` is such an extension."""
        return self.label == text_of(table, self.keyword) or table.name in self.names


SPECTRUM = Extension("HDUCLAS1", "SPECTRUM", ("SPECTRUM",))
BOUNDS = Extension("HDUCLAS2", "EBOUNDS", ("EBOUNDS",))
AREA = Extension("HDUCLAS2", "SPECRESP", ("SPECRESP",))
MATRIX = Extension("HDUCLAS2", "RSP_MATRIX", ("MATRIX", "SPECRESP MATRIX"))


def holds(tables: Mapping[str, HduTable], extension: Extension) -> bool:
    """Whether a file has such an extension."""
    return any(extension.describes(table) for table in tables.values())


def extension_of(tables: Mapping[str, HduTable], extension: Extension, path: Path) -> HduTable:
    """Return the one extension of a kind; raises ``InputError`` when there is none or several."""
    found = [table for table in tables.values() if extension.describes(table)]
    if len(found) > 1:
        raise InputError(
            f"{path} has {len(found)} extensions of the class {extension.label}; expected one. Write each into a file "
            "of its own."
        )
    return found[0] if found else table_named(tables, extension.names, path)


def text_of(table: HduTable, keyword: str) -> str:
    """Return a keyword of a few words in upper case, empty where there is none."""
    return str(table.header.get(keyword, "")).strip().upper()


def axis_of(table: HduTable, name: str, low: str, high: str) -> Axis:
    """Return the energy axis (TeV) of an OGIP table; energies without a unit are keV."""
    return axis_of_table(table, name, low, high, ENERGY_UNIT)


def number_of(table: HduTable, keyword: str, default: float) -> float:
    """Return a keyword as a number; raises ``InputError`` when it is none."""
    value: Any = table.header.get(keyword, default)
    try:
        return float(value)
    except (TypeError, ValueError):
        raise InputError(f"{table.path} has {keyword} = {value!r}; expected a number.") from None


def per_channel(table: HduTable, name: str, default: float, channels: int) -> FloatArray:
    """Return a quantity that OGIP allows as a column or as one keyword, shape (channels,)."""
    values = table.numbers(name) if name in table else np.full(channels, number_of(table, name, default))
    if values.shape != (channels,):
        raise InputError(f"{table.path}: column {name!r} has the shape {values.shape}; expected ({channels},).")
    return values


def companion(table: HduTable, keyword: str) -> Path | None:
    """Return the file that a keyword names beside the file of ``table``; ``None`` for no name and for ``none``.

    As in FITS readers, a name also stands for the file with ``.gz`` after it.
    """
    name = str(table.header.get(keyword, "")).strip()
    if name.upper() in _NO_FILE:
        return None
    path = table.path.parent / name
    packed = path.with_name(f"{path.name}.gz")
    return packed if packed.exists() and not path.exists() else path


def bounds_hdu(energy: Axis, header: Cards) -> Hdu:
    """Return the EBOUNDS table of the reconstructed energies."""
    columns = [
        Column("CHANNEL", np.arange(energy.nbin, dtype=np.int32)),
        Column("E_MIN", energy.edges[:-1], energy.unit),
        Column("E_MAX", energy.edges[1:], energy.unit),
    ]
    cards: Cards = {
        **header,
        "CHANTYPE": "PHA",
        "DETCHANS": energy.nbin,
        "HDUCLASS": "OGIP",
        "HDUCLAS1": "RESPONSE",
        "HDUCLAS2": "EBOUNDS",
        "HDUVERS": "1.2.0",
    }
    return Hdu("EBOUNDS", columns, cards)


def area_hdu(energy_true: Axis, area: FloatArray, header: Cards) -> Hdu:
    """Return the SPECRESP table of an effective area in m2, shape (energy_true,)."""
    columns = [*_true_columns(energy_true), Column("SPECRESP", area, "m2")]
    cards: Cards = {**header, "HDUCLASS": "OGIP", "HDUCLAS1": "RESPONSE", "HDUCLAS2": "SPECRESP", "HDUVERS": "1.1.0"}
    return Hdu("SPECRESP", columns, cards)


def matrix_hdu(energy_true: Axis, edisp: FloatArray, header: Cards) -> Hdu:
    """Return the MATRIX table of a kernel of shape (energy_true, energy), its zeros left out."""
    groups = [_groups(row) for row in edisp]
    first, number = [group[0] for group in groups], [group[1] for group in groups]
    held = [row[row != 0] for row in edisp]
    columns = [
        *_true_columns(energy_true),
        Column("N_GRP", np.array([len(starts) for starts in first], np.int16)),
        Column("F_CHAN", _ragged(first, np.int32)),
        Column("N_CHAN", _ragged(number, np.int32)),
        Column("MATRIX", _ragged(held, np.float64)),
    ]
    cards: Cards = {
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
    return Hdu("MATRIX", columns, cards)


def _groups(row: FloatArray) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return first channel and length of each run of non-zeros; a row of zeros is one run of length 0."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], row != 0, [False]]).astype(np.int8)))
    if not len(edges):
        return np.zeros(1, np.int64), np.zeros(1, np.int64)
    return edges[::2], edges[1::2] - edges[::2]


def _ragged(rows: list[Any], kind: type) -> npt.NDArray[Any]:
    array = np.empty(len(rows), dtype=object)
    for number, row in enumerate(rows):
        array[number] = np.asarray(row, kind)
    return array


@dataclass(frozen=True)
class OgipResponse:
    """What a spectrum was seen through: energies (TeV), effective area (m2) and redistribution.

    ``area`` has the shape (energy_true,), ``edisp`` (energy_true, energy).
    """

    energy: Axis
    energy_true: Axis
    area: FloatArray
    edisp: FloatArray


def read_response(spectrum: HduTable, tables: Mapping[str, HduTable]) -> OgipResponse:
    """Return the response that a spectrum names: ANCRFILE and RESPFILE, or RESPFILE with the area in its matrix.

    Parameters
    ----------
    spectrum
        The SPECTRUM extension.
    tables
        All tables of its file: EBOUNDS is taken from here, or else from the response.

    Raises
    ------
    InputError
        When no response is named, an extension or the area is missing, the area is there twice, or the matrix points
        outside the channels.
    DataError
        When the true energies of area and matrix differ by more than 1e-5 (matrices are in single precision).
    """
    ancillary, response = (companion(spectrum, keyword) for keyword in ("ANCRFILE", "RESPFILE"))
    if response is None:
        raise InputError(f"{spectrum.path} names no RESPFILE; a fit needs a response.")
    found = read_hdu_tables(response)
    is_here = holds(tables, BOUNDS)
    bounds = extension_of(tables if is_here else found, BOUNDS, spectrum.path if is_here else response)
    energy = axis_of(bounds, "energy", "E_MIN", "E_MAX")
    area = None if ancillary is None else _area(ancillary)
    table = extension_of(found, MATRIX, response)
    energy_true = axis_of(table, "energy_true", "ENERG_LO", "ENERG_HI")
    kernel = _kernel(table, energy_true.nbin, energy.nbin)
    if area is None:
        return OgipResponse(energy, energy_true, *_parted(spectrum, table, kernel))
    _validate_same_energies(table.path, energy_true, area[0])
    if _has_area(table, kernel):
        raise InputError(
            f"{spectrum.path} names the area of {ancillary}, and the matrix of {response} has an area in it too. Set "
            "ANCRFILE to 'none', or give a matrix without."
        )
    return OgipResponse(energy, *area, kernel)


def _area(path: Path) -> tuple[Axis, FloatArray]:
    table = extension_of(read_hdu_tables(path), AREA, path)
    area = table.numbers("SPECRESP", "m2", AREA_UNIT)
    wrong = ~(np.isfinite(area) & (area >= 0))
    if wrong.any():
        raise InputError(f"{path}: SPECRESP is {area[wrong][0]:g} in row {int(wrong.argmax())}; expected areas from 0.")
    return axis_of(table, "energy_true", "ENERG_LO", "ENERG_HI"), area


def _validate_same_energies(path: Path, of_matrix: Axis, of_area: Axis) -> None:
    if of_matrix.nbin == of_area.nbin and np.allclose(of_matrix.edges, of_area.edges, rtol=_GRID_TOLERANCE, atol=0):
        return
    raise DataError(
        f"{path}: the matrix has {of_matrix.nbin} true energies from {of_matrix.edges[0]:g} to {of_matrix.edges[-1]:g} "
        f"TeV, the effective area {of_area.nbin} from {of_area.edges[0]:g} to {of_area.edges[-1]:g} TeV. "
        "Give both on the same bins."
    )


def _has_area(table: HduTable, kernel: FloatArray) -> bool:
    """Whether a matrix is not of probabilities alone: by HDUCLAS3, its unit, or rows that add up to more than 1."""
    said = text_of(table, "HDUCLAS3") == "FULL"
    return said or _is_area(table.units["MATRIX"]) or float(kernel.sum(axis=1).max(initial=0.0)) > _PROBABILITY


def _is_area(unit: str) -> bool:
    try:
        return bool(unit.strip()) and fits_unit(unit).is_equivalent(fits_unit(AREA_UNIT))
    except InputError:
        return False


def _parted(spectrum: HduTable, table: HduTable, kernel: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return area (m2) and probabilities of a matrix that is the product of both."""
    is_named_so = table.name == MATRIX.names[1] and text_of(table, "HDUCLAS3") not in ("REDIST", "DETECTOR")
    if not (is_named_so or _has_area(table, kernel)):
        raise InputError(
            f"{spectrum.path} names no ANCRFILE, and the matrix of {table.path} has no area in it; a fit needs one."
        )
    full = kernel * unit_factor(
        table.units["MATRIX"].strip() or AREA_UNIT, "m2", f"{table.path}: column 'MATRIX' of a response with its area"
    )
    area = full.sum(axis=1)
    return area, np.divide(full, area[:, np.newaxis], out=np.zeros_like(full), where=area[:, np.newaxis] > 0)


def _kernel(table: HduTable, rows: int, channels: int) -> FloatArray:
    """Return the matrix without its compression, shape (energy_true, energy)."""
    first_channel = _first_channel(table)
    kernel = np.zeros((rows, channels))
    for row in range(rows):
        starts, lengths, values = (np.atleast_1d(table.column(name)[row]) for name in ("F_CHAN", "N_CHAN", "MATRIX"))
        count, used = int(table.column("N_GRP")[row]), 0
        if not 0 <= count <= min(len(starts), len(lengths)):
            raise InputError(f"{table.path}: row {row} of its matrix has N_GRP = {count} and {len(starts)} groups.")
        for start, length in zip(starts[:count].astype(int) - first_channel, lengths[:count].astype(int), strict=True):
            is_outside = start < 0 or start + length > channels or used + length > len(values)
            if length < 0 or (length and is_outside):
                raise InputError(
                    f"{table.path}: row {row} of its matrix points beyond the {channels} channels or its values."
                )
            kernel[row, start : start + length] = values[used : used + length]
            used += length
    if not np.all(np.isfinite(kernel) & (kernel >= 0)):
        raise InputError(f"{table.path}: its matrix holds values that are not finite or below 0. Write it again.")
    return kernel


def _first_channel(table: HduTable) -> int:
    """Return the number of the first channel: TLMIN of F_CHAN; without, 1, or 0 where a group says so."""
    number = list(table.columns).index("F_CHAN") + 1 if "F_CHAN" in table else 0
    if f"TLMIN{number}" in table.header:
        return int(number_of(table, f"TLMIN{number}", 1))
    rows = zip(*(table.column(name) for name in ("F_CHAN", "N_CHAN", "N_GRP")), strict=True)
    return int(not any(_begins_at_0(*row) for row in rows))


def _begins_at_0(starts: Any, lengths: Any, groups: Any) -> bool:
    used = slice(int(groups))
    return bool(np.any((np.atleast_1d(starts)[used] == 0) & (np.atleast_1d(lengths)[used] > 0)))


def _true_columns(axis: Axis) -> list[Column]:
    return [
        Column("ENERG_LO", axis.edges[:-1], axis.unit),
        Column("ENERG_HI", axis.edges[1:], axis.unit),
    ]

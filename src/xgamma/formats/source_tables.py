"""The tables of catalogues of sources: FITS, ECSV, or YAML with a mapping for each source, told by their content."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import astropy
import numpy as np
import numpy.typing as npt
from astropy import units as u
from astropy.io import fits

from xgamma.dialects import fits_unit
from xgamma.errors import ConfigError, InputError
from xgamma.formats.fits.hdus import ECSV, cards_of, ecsv_rows, name_of, native, read_hdus, without_null
from xgamma.formats.fits.tables import read_raw
from xgamma.formats.local_files import local_path
from xgamma.formats.yaml_documents import parsed_yaml

if TYPE_CHECKING:
    from astropy.table import Table


_FITS, _GZIP = b"SIMPLE", b"\x1f\x8b"


def read_source_tables(path: str | os.PathLike[str]) -> dict[str, Table]:
    """Return the tables of a catalogue by name, in their order; texts are stripped.

    Parameters
    ----------
    path
        FITS, gzipped or not, whose tables are called by their EXTNAME in upper case; ECSV or YAML, of one table called
        ``ECSV`` or ``YAML``. The ending does not matter.

    Returns
    -------
    dict of astropy.table.Table
        The unit of a column that no dialect knows is kept as it is spelt; it is refused where the column is used.

    Raises
    ------
    MissingInputError, InputError
        When there is no such file, or it holds no table.
    """
    file = local_path(path)
    raw = read_raw(file)
    if raw.startswith(_FITS) or raw.startswith(_GZIP):
        found = read_hdus(file, lambda hdu, number, _: _fits_table(hdu, number))
        return {str(table.meta["EXTNAME"]): table for table in found}
    if raw.startswith(ECSV):
        return {"ECSV": ecsv_rows(raw, file)}
    return {"YAML": _yaml_table(raw, file)}


def _fits_table(hdu: Any, number: int) -> Table | None:
    if not isinstance(hdu, fits.BinTableHDU):
        return None
    table = astropy.table.Table(meta={**cards_of(hdu), "EXTNAME": name_of(hdu, number)})
    for column in hdu.columns:
        values = without_null(native(hdu.data[column.name]), column.null)
        table[column.name] = astropy.table.Column(stripped(values), unit=_unit(str(column.unit or "")))
    return table


def stripped(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return texts without blanks around them; other values as they are."""
    return np.char.strip(values.astype(str)) if values.dtype.kind in "SU" else values


def _unit(text: str) -> u.UnitBase | None:
    if not text.strip():
        return None
    try:
        return fits_unit(text)
    except InputError:
        unknown: u.UnitBase = u.Unit(text, parse_strict="silent")  # type: ignore[call-arg]
        return unknown


def _yaml_table(raw: bytes, path: Path) -> Table:
    """Return the rows of a list of mappings; one that lacks a key has NaN or an empty text there."""
    try:
        document = parsed_yaml(raw.decode())
    except (UnicodeDecodeError, ConfigError) as error:
        raise InputError(f"{path} is neither FITS nor ECSV, and not YAML: {error}") from None
    # An ordered mapping (!!omap) is read as a list of pairs.
    rows = [_mapping(each) for each in document] if isinstance(document, list) else []
    if not rows or not all(rows):
        raise InputError(f"{path} holds no catalogue: expected FITS, ECSV, or YAML with a list of sources.")
    names = dict.fromkeys(name for row in rows if row for name in row)
    return astropy.table.Table({name: _values([row.get(name) if row else None for row in rows]) for name in names})


def _mapping(item: Any) -> Mapping[str, Any] | None:
    if isinstance(item, Mapping):
        return item
    is_pairs = isinstance(item, list) and all(isinstance(pair, tuple) and len(pair) == 2 for pair in item)
    return {str(name): value for name, value in item} if is_pairs else None


def _values(values: Sequence[Any]) -> npt.NDArray[Any]:
    if all(value is None or (isinstance(value, int | float) and not isinstance(value, bool)) for value in values):
        return np.array([np.nan if value is None else float(value) for value in values])
    return np.array(["" if value is None else str(value).strip() for value in values])

"""Any labelled Dataset as one FITS table: one row, one column a variable, and a JSON document of its labels.

The table is how our files read back to the identical Dataset beside the HDUs that other software knows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from xgamma.errors import DataError, InputError
from xgamma.formats.fits.encoding import Cards, Column, Hdu, text_values
from xgamma.formats.fits.hdus import HduTable
from xgamma.schema.arrays import NamedArrays

NAME = "XGAMMA"
LAYOUT = 1
PROMISE: Cards = {NAME: (True, "the table XGAMMA holds the whole Dataset")}
"""For the primary header: a file that was cut before its last table is then not taken for one of another program."""

_DOCUMENT = "DOCUMENT"


def dataset_hdu(ds: NamedArrays) -> Hdu:
    """Return the ``XGAMMA`` table of a Dataset, all variables, coordinates and attributes.

    Numbers become double, 64-bit integer or logical columns of the variable's shape (their dtype is in the document);
    text and empty arrays are kept in the document.

    Raises
    ------
    DataError
        For a variable or an attribute that is neither numbers, logicals nor text, and for names that FITS cannot
        tell apart.
    """
    _validate_names(ds)
    columns, variables = [], []
    # In one order, however the Dataset was made: the same product is the same file.
    for name in sorted(ds.variables, key=lambda each: (each in ds.coords, str(each))):
        variable = ds.variables[name]
        values = np.asarray(variable.values)
        entry: dict[str, Any] = {
            "name": str(name),
            "dims": [str(dim) for dim in variable.dims],
            "shape": list(values.shape),
            "dtype": _dtype_name(values.dtype, str(name)),
            "coordinate": name in ds.coords,
            "attrs": _encoded(dict(variable.attrs), f"variable {name!r}"),
        }
        if values.dtype.kind in "OU":
            entry["values"] = _texts(values, str(name))
        elif values.size:
            columns.append(_column(str(name), values, str(variable.attrs.get("units", ""))))
        variables.append(entry)
    document = {"layout": LAYOUT, "attrs": _encoded(dict(ds.attrs), "the attributes"), "variables": variables}
    columns.append(Column(_DOCUMENT, text_values([json.dumps(document)])))
    header: Cards = {
        "HDUDOC": ("xgamma", "every variable, coordinate and attribute"),
        "LAYOUT": (LAYOUT, "of this table"),
    }
    return Hdu(NAME, columns, header)


def dataset_of_tables(tables: Mapping[str, HduTable], path: Path) -> xr.Dataset | None:
    """Return the Dataset of a file of ours, ``None`` for one of another program.

    Raises
    ------
    InputError
        When the file is ours and has lost the table, or it is that of a newer xgamma.
    """
    if NAME in tables:
        return dataset_from_table(tables[NAME])
    if "PRIMARY" in tables and NAME in tables["PRIMARY"].header:
        raise InputError(
            f"{path} has lost its table {NAME} (truncated?). Write it again, or delete {NAME} from its primary header "
            "to read what Gammapy sees."
        )
    return None


def dataset_from_table(table: HduTable) -> xr.Dataset:
    """Return the Dataset that `dataset_hdu` wrote; raises ``InputError`` for the table of a newer xgamma."""
    layout = table.header.get("LAYOUT", 0)
    if layout > LAYOUT:
        raise InputError(
            f"{table.path} was written by a newer xgamma (table layout {layout}; this version reads up to {LAYOUT}). "
            "Update xgamma."
        )
    document = json.loads(str(table.column(_DOCUMENT)[0]))
    coords: dict[Any, xr.Variable] = {}
    variables: dict[Any, xr.Variable] = {}
    for entry in document["variables"]:
        variable = xr.Variable(entry["dims"], _values(entry, table), _decoded(entry["attrs"]))
        (coords if entry["coordinate"] else variables)[entry["name"]] = variable
    return xr.Dataset(variables, coords, _decoded(document["attrs"]))


def _validate_names(ds: NamedArrays) -> None:
    names = [_DOCUMENT, *(str(name) for name in ds.variables)]
    columns = [name.upper() for name in names]
    for name in names:
        if columns.count(name.upper()) > 1 or not name.isascii():
            raise DataError(f"Variable {name!r} cannot be a column of FITS, where names are ASCII and case is ignored.")


def _dtype_name(dtype: np.dtype[Any], name: str) -> str:
    if dtype.kind not in "biufUO" or (dtype.itemsize > 8 and dtype.kind in "iuf"):
        raise DataError(f"Variable {name!r} is of type {dtype}; a file holds numbers, logicals and text.")
    return dtype.str if dtype.kind in "UO" else dtype.name


def _texts(values: npt.NDArray[Any], name: str) -> list[str]:
    texts = values.ravel().tolist()
    if not all(isinstance(text, str) for text in texts):
        raise DataError(f"Variable {name!r} holds objects that are not text; a file holds numbers, logicals and text.")
    return texts


def _column(name: str, values: npt.NDArray[Any], units: str) -> Column:
    stored: type = {"f": np.float64, "b": np.bool_}.get(values.dtype.kind, np.int64)
    return Column(name, values.astype(stored)[np.newaxis], units if units.isascii() else "")


def _values(entry: dict[str, Any], table: HduTable) -> npt.NDArray[Any]:
    dtype, shape = np.dtype(entry["dtype"]), entry["shape"]
    if "values" in entry:
        return np.array(entry["values"], dtype=dtype).reshape(shape)
    if 0 in shape:
        return np.empty(shape, dtype)
    return np.asarray(table.column(entry["name"])[0]).reshape(shape).astype(dtype)


def _encoded(value: Any, where: str) -> Any:
    """Return JSON for an attribute; arrays, numpy scalars and tuples come back as what they were."""
    if value is None or (isinstance(value, str | bool | int | float) and not isinstance(value, np.generic)):
        return value
    if isinstance(value, list):
        return [_encoded(item, where) for item in value]
    if isinstance(value, dict):
        return {"dict": {str(key): _encoded(item, where) for key, item in value.items()}}
    if isinstance(value, tuple):
        return {"tuple": [_encoded(item, where) for item in value]}
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biufU":
        return {"array": value.tolist(), "dtype": value.dtype.str, "shape": list(value.shape)}
    raise DataError(
        f"An attribute of {where} is a {type(value).__name__}; a file holds numbers, text, lists and dicts."
    )


def _decoded(value: Any) -> Any:
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "dict" in value:
        return {key: _decoded(item) for key, item in value["dict"].items()}
    if "tuple" in value:
        return tuple(_decoded(item) for item in value["tuple"])
    array = np.array(value["array"], dtype=value["dtype"]).reshape(value["shape"])
    return array if array.ndim else array[()]

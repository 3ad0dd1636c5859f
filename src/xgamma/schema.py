"""What a reduced product (DL4) holds: dims, units and types of each variable, and the check of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from xgamma.errors import DataError
from xgamma.outcome import Fate, Outcome, flag_attrs

SCHEMA = "xgamma DL4 spectrum"
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Variable:
    """One variable of a product."""

    dims: tuple[str, ...]
    units: str
    dtype: str
    long_name: str
    required: bool = True

    def attrs(self) -> dict[str, Any]:
        """Return its xarray attributes."""
        return {"units": self.units, "long_name": self.long_name}


_BINS = ("dataset", "region", "energy")
_TRUE_BINS = ("dataset", "region", "energy_true")
DL4: Mapping[str, Variable] = {
    "counts": Variable(_BINS, "", "f8", "Counts in the on-region"),
    "counts_off": Variable(_BINS, "", "f8", "Counts in the off regions", False),
    "acceptance": Variable(_BINS, "", "f8", "Acceptance of the on-region", False),
    "acceptance_off": Variable(_BINS, "", "f8", "Acceptance of the off regions", False),
    "background": Variable(_BINS, "", "f8", "Expected background counts", False),
    "exposure": Variable(_TRUE_BINS, "m2 s", "f8", "Exposure"),
    "exposure_edisp": Variable(_TRUE_BINS, "m2 s", "f8", "Exposure without containment, the weight of edisp"),
    "edisp": Variable((*_TRUE_BINS, "energy"), "", "f8", "Energy dispersion kernel"),
    "mask_safe": Variable(_BINS, "", "b1", "Whether the bin can be trusted"),
    "livetime": Variable(("dataset",), "s", "f8", "Good time corrected for dead time"),
    "ontime": Variable(("dataset",), "s", "f8", "Good time"),
    "gti": Variable(("dataset", "gti", "bound"), "s", "f8", "Good time since mjdref, padded with NaN"),
    "pointing_lon": Variable(("dataset",), "deg", "f8", "Pointing right ascension", False),
    "pointing_lat": Variable(("dataset",), "deg", "f8", "Pointing declination", False),
    "offset": Variable(("dataset", "region"), "deg", "f8", "Offset of the region from the pointing", False),
    "off_lon": Variable(("dataset", "region", "off"), "deg", "f8", "Right ascension of the off regions", False),
    "off_lat": Variable(("dataset", "region", "off"), "deg", "f8", "Declination of the off regions", False),
    "off_radius": Variable(("dataset", "region", "off"), "deg", "f8", "Radius of the off regions", False),
    "off_number": Variable(("dataset", "region"), "", "i8", "Number of off regions", False),
    "ledger": Variable(("dataset", "region", "fate"), "", "i8", "Events by fate"),
    "outcome": Variable(("dataset",), "", "i1", "Why the row is used or masked"),
}


def dataset(
    values: Mapping[str, npt.ArrayLike],
    coords: Mapping[Any, Any],
    attrs: Mapping[str, Any],
    cell_dims: tuple[str, ...],
    cell_shape: tuple[int, ...],
) -> xr.Dataset:
    """Return a DL4 Dataset from plain arrays, in the dims, units and types of the schema.

    Parameters
    ----------
    values
        Arrays by variable name, each in the order of the schema's dims.
    coords
        ``dataset``, the axes, and what else labels rows and regions.
    attrs
        ``mjdref``, ``telescope``, ``release``, ``outcome_details``.
    cell_dims, cell_shape
        The dims and the shape of a space that stand for the schema's ``region``.
    """
    variables = {name: _variable(DL4[name], value, cell_dims, cell_shape) for name, value in values.items()}
    fate = (("fate",), np.arange(len(Fate), dtype=np.int8), {"long_name": "Fate of an event", **flag_attrs(Fate)})
    head = {"schema": SCHEMA, "schema_version": SCHEMA_VERSION, "Conventions": "CF-1.12"}
    result = xr.Dataset(variables, {**coords, "fate": fate}, head | dict(attrs))
    result["outcome"].attrs |= flag_attrs(Outcome)
    return result


def _variable(
    spec: Variable, value: npt.ArrayLike, cell_dims: tuple[str, ...], cell_shape: tuple[int, ...]
) -> tuple[tuple[str, ...], npt.NDArray[Any], dict[str, Any]]:
    array = np.asarray(value, dtype=spec.dtype)
    if "region" not in spec.dims or array.shape[1] != int(np.prod(cell_shape)):
        return spec.dims, array, spec.attrs()
    dims = (spec.dims[0], *cell_dims, *spec.dims[2:])
    return dims, array.reshape(array.shape[0], *cell_shape, *array.shape[2:]), spec.attrs()


def validate(ds: xr.Dataset) -> None:
    """Raise ``DataError`` unless ``ds`` is a DL4 Dataset: dims, units, types, unique names, bounds, non-negative counts."""
    for name, spec in DL4.items():
        if name in ds:
            _validate_variable(ds[name], name, spec)
        elif spec.required:
            raise DataError(f"A reduced Dataset needs the variable {name!r} with dims {spec.dims}; it is not there.")
    for axis in ("energy", "energy_true"):
        if f"{axis}_bounds" not in ds.coords:
            raise DataError(f"A reduced Dataset needs the coordinate {axis}_bounds with dims ({axis}, bound).")
    names = ds["dataset"].values.tolist()
    if len(set(names)) != len(names):
        raise DataError(f"The names of a reduced Dataset's rows are unique; got {names}.")
    if bool((ds["counts"] < 0).any()):
        raise DataError("Counts are not negative; the variable 'counts' has values below 0.")


def _validate_variable(values: xr.DataArray, name: str, spec: Variable) -> None:
    if values.dims != spec.dims:
        raise DataError(f"The variable {name!r} has the dims {values.dims}; expected {spec.dims}.")
    if values.attrs.get("units") != spec.units:
        raise DataError(f"The variable {name!r} has the unit {values.attrs.get('units')!r}; expected {spec.units!r}.")
    if values.dtype.kind != np.dtype(spec.dtype).kind:
        raise DataError(f"The variable {name!r} has the type {values.dtype}; expected {np.dtype(spec.dtype)}.")

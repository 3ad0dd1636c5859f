"""What a reduced product (DL4) holds: dims, units and types of each variable, and the check of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from xgamma.errors import DataError, did_you_mean
from xgamma.outcome import Fate, Outcome, flag_attrs

SCHEMA = "xgamma DL4 spectrum"
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Variable:
    """One variable of a product; files of other programs hold no ledger and no outcome, which are not required."""

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
    "ledger": Variable(("dataset", "region", "fate"), "", "i8", "Events by fate", False),
    "outcome": Variable(("dataset",), "", "i1", "Why the row is used or masked", False),
}
# Needed where there are off counts.
ON_OFF = ("acceptance", "acceptance_off")


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
    """Raise ``DataError`` unless ``ds`` holds spectra: variables, dims, units, unique names, finite counts."""
    for name, spec in DL4.items():
        if name in ds:
            _validate_variable(ds[name], name, spec)
        elif spec.required or (name in ON_OFF and "counts_off" in ds):
            raise DataError(f"The Dataset has no variable {name!r} {spec.dims}.{did_you_mean(name, map(str, ds))}")
    for name in ("energy_bounds", "energy_true_bounds"):
        if name not in ds.coords:
            raise DataError(f"The Dataset has no coordinate {name!r}; make axes with Axis.coords().")
    names = [str(name) for name in ds["dataset"].values]
    if "dataset" not in ds.coords or len(set(names)) < len(names):
        raise DataError(f"Expected a unique name for each row in the coordinate 'dataset', got {names}.")
    for name in ("counts", "counts_off"):
        if name in ds and not (np.isfinite(ds[name].values).all() and (ds[name].values >= 0).all()):
            raise DataError(f"{name}: expected finite numbers of at least 0; set unusable bins to 0 and mask them.")


def _validate_variable(array: xr.DataArray, name: str, spec: Variable) -> None:
    if array.dims != spec.dims:
        raise DataError(f"{name}: expected the dims {spec.dims}, got {array.dims}; use transpose or expand_dims.")
    if array.attrs.get("units") != spec.units:
        raise DataError(f"{name}: expected attrs['units'] = {spec.units!r}, got {array.attrs.get('units')!r}.")
    if array.dtype.kind != np.dtype(spec.dtype).kind:
        raise DataError(f"{name}: expected the type {np.dtype(spec.dtype)}, got {array.dtype}; use astype.")

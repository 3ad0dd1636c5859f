"""DL4: rows of a reduction, their stacks, and files of them; one table for what is written and what is checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from xgamma.errors import DataError, did_you_mean
from xgamma.outcome import Fate, Outcome, flag_attrs
from xgamma.schema.check import variable_violations
from xgamma.schema.laws import axis_law, flags_law, unique_names
from xgamma.schema.tables import (
    NAMES,
    Attribute,
    Group,
    Product,
    Variable,
    Violation,
    axis,
    head,
    head_attrs,
    requiring,
)

SCHEMA = "xgamma DL4 spectrum"
SCHEMA_VERSION = 1

_BINS = ("dataset", "region", "energy")
_TRUE_BINS = ("dataset", "region", "energy_true")
DL4: Mapping[str, Variable] = {
    "counts": Variable(_BINS, "", "f8", "Counts in the on-region"),
    "counts_off": Variable(_BINS, "", "f8", "Counts in the off regions", False),
    "acceptance": Variable(_BINS, "", "f8", "Acceptance of the on-region", False, "counts_off"),
    "acceptance_off": Variable(_BINS, "", "f8", "Acceptance of the off regions", False, "counts_off"),
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
DL4_COORDS: Mapping[str, Variable] = {
    "dataset": Variable(("dataset",), None, NAMES, "Name of the row"),
    "obs_id": Variable(("dataset",), "", "i8", "Observation id", False),
    "interval": Variable(("dataset", "bound"), "s", "f8", "Selected interval since mjdref, infinite where open", False),
    **axis("energy", "TeV", "Reconstructed energy"),
    **axis("energy_true", "TeV", "True energy"),
    "region_lon": Variable(("region",), "deg", "f8", "Right ascension of the on-region", False),
    "region_lat": Variable(("region",), "deg", "f8", "Declination of the on-region", False, "region_lon"),
    "region_radius": Variable(("region",), "deg", "f8", "Radius of the on-region", False, "region_lon"),
    "fate": Variable(("fate",), "", "i1", "Fate of an event", False, "ledger"),
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
    result = xr.Dataset(variables, {**coords, "fate": fates()}, head(SCHEMA, SCHEMA_VERSION) | dict(attrs))
    result["outcome"].attrs |= flag_attrs(Outcome)
    return result


def fates() -> xr.Variable:
    """Return the coordinate of the ledger."""
    attrs = {"long_name": "Fate of an event", **flag_attrs(Fate)}
    return xr.Variable(("fate",), np.arange(len(Fate), dtype=np.int8), attrs)


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
    version = ds.attrs.get("schema_version", SCHEMA_VERSION)
    if version != SCHEMA_VERSION:
        raise DataError(
            f"Expected spectra of schema_version {SCHEMA_VERSION}, got {version!r}; install a newer xgamma."
        )
    for name, spec in DL4.items():
        if name not in ds and (spec.required or spec.needed_with in ds):
            raise DataError(f"The Dataset has no variable {name!r} {spec.dims}.{did_you_mean(name, map(str, ds))}")
    for violation in variable_violations(ds, DL4):
        raise DataError(str(violation))
    for name in ("energy_bounds", "energy_true_bounds"):
        if name not in ds.coords:
            raise DataError(f"The Dataset has no coordinate {name!r}; make axes with Axis.coords().")
    if "dataset" not in ds.coords:
        raise DataError("The Dataset has no coordinate 'dataset'; give each row a unique name with assign_coords.")
    for law in (unique_names, counts_are_counts):
        for violation in law(ds):
            raise DataError(str(violation))


# --- laws


def counts_are_counts(ds: xr.Dataset) -> Iterator[Violation]:
    """Counts are finite and at least 0; a bin that cannot be used holds 0 and is masked."""
    for name in ("counts", "counts_off"):
        if name in ds and not (np.isfinite(ds[name].values).all() and (ds[name].values >= 0).all()):
            remedy = "set unusable bins to 0 and mask them"
            yield Violation(name, "finite numbers of at least 0", "others", remedy)


def ledger_counts(ds: xr.Dataset) -> Iterator[Violation]:
    """No fate has fewer than 0 events."""
    if "ledger" in ds and (ds["ledger"].values < 0).any():
        yield Violation("ledger", "numbers of at least 0", str(int(ds["ledger"].values.min())))


def masked_rows_are_masked(ds: xr.Dataset) -> Iterator[Violation]:
    """A row whose outcome is not `used` has no safe bin."""
    if "outcome" not in ds:
        return
    wrong = (ds["outcome"].values != Outcome.USED) & ds["mask_safe"].values.any(axis=(1, 2))
    if wrong.any():
        names = ds["dataset"].values[wrong].tolist()
        yield Violation("mask_safe", "no safe bin in rows that are not used", f"some in {names[:5]}")


def padding_is_last(ds: xr.Dataset) -> Iterator[Violation]:
    """Good times are sorted, each start before its stop; unused places of `gti` and of off regions are NaN, last."""
    gti = ds["gti"].values
    if ds.sizes["bound"] != 2:
        yield Violation("gti", "a start and a stop", f"{ds.sizes['bound']} numbers")
        return
    start, stop = gti[..., 0], gti[..., 1]
    used = np.isfinite(start)
    if (used != np.isfinite(stop)).any() or (used[:, 1:] & ~used[:, :-1]).any():
        yield Violation("gti", "intervals, then NaN in both bounds", "NaN elsewhere")
    elif (start >= stop).any() or (start[:, 1:] < start[:, :-1]).any():
        yield Violation("gti", "sorted intervals that start before they stop", "others")
    if "off_lon" in ds and "off_number" in ds:
        regions = np.isfinite(ds["off_lon"].values)
        if (regions.sum(axis=-1) != ds["off_number"].values).any() or (regions[..., 1:] & ~regions[..., :-1]).any():
            yield Violation("off_lon", "as many numbers as off_number says, then NaN", "others")


def details_of_each_row(ds: xr.Dataset) -> Iterator[Violation]:
    """`outcome_details`, and `rows` of stacks, have one entry for each row."""
    for name in ("outcome_details", "rows"):
        entries = ds.attrs.get(name)
        if isinstance(entries, list) and len(entries) != ds.sizes["dataset"]:
            yield Violation(f"attrs {name}", f"{ds.sizes['dataset']} entries", f"{len(entries)}")


# --- groups and products

_LAWS = (
    axis_law("energy"),
    axis_law("energy_true"),
    unique_names,
    counts_are_counts,
    ledger_counts,
    masked_rows_are_masked,
    padding_is_last,
    details_of_each_row,
    flags_law("outcome"),
    flags_law("fate"),
)
_ATTRS = {
    **head_attrs(SCHEMA, SCHEMA_VERSION),
    "mjdref": Attribute("number", "The epoch of all times, MJD in `time_scale`"),
    "time_scale": Attribute("text", "The scale of all times", value="tt"),
    "telescope": Attribute("text", "The telescopes of the rows, with ', ' between them"),
    "release": Attribute("text", "The name of the release that the runs belong to"),
    "outcome_details": Attribute("list of text", "A sentence for each row: used, or why not"),
}
_IN_STORE = requiring({**DL4, **DL4_COORDS}, "ledger", "outcome", "region_lon")
_OF_RUNS = requiring(_IN_STORE, "obs_id", "interval", "pointing_lon", "pointing_lat", "offset")
_ROW_NAMES = Attribute("list of list of text", "For each stack the names of its rows")
_MASK_FIT = Variable(_BINS, "", "b1", "Whether a fit uses the bin", False)
_OPTIONAL = ("mjdref", "time_scale", "telescope", "release", "outcome_details")

ROWS = Product(
    "rows",
    "Rows of a reduction: one row is one run, or the part of a run inside an interval",
    {"": Group("Rows", _OF_RUNS, _ATTRS, _LAWS)},
    {
        "recipe": Attribute("text", "The digest of the recipe"),
        "rows": Attribute("list of text", "The key of each row", along="dataset"),
    },
    {"recipe": Attribute("mapping", "The recipe, whose digest is in `texts`")},
)
STACK = Product(
    "stack",
    "Sums of rows, one for each group of them",
    {"": Group("Stacks", _IN_STORE, _ATTRS | {"rows": _ROW_NAMES}, _LAWS)},
    {"stacks": Attribute("list of text", "The key of each stack", along="dataset")},
)
FILE = Product(
    "file",
    "Spectra in a Zarr group outside of a store",
    {
        "": Group(
            "Spectra",
            {**DL4, **DL4_COORDS, "mask_fit": _MASK_FIT},
            {n: a if n not in _OPTIONAL else Attribute(a.type, a.meaning, False, a.value) for n, a in _ATTRS.items()},
            _LAWS,
        )
    },
)

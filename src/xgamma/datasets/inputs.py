"""What enters a view: DL4 Datasets, masks and models, checked once, and rows that are computed together."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from xgamma.axes import BoolArray
from xgamma.errors import ConfigError, ConfigTypeError, DataError
from xgamma.models.models import Models
from xgamma.outcome import Fate, Outcome, flag_attrs
from xgamma.reduce import crops
from xgamma.schema import DL4, DL4_IN, SCHEMA, SCHEMA_VERSION, bin_dims, space_dims, validate
from xgamma.schema.arrays import Arrays, PlainArrays, SomeArrays, dataset_of
from xgamma.schema.dl4 import fates
from xgamma.schema.excess_map import EXCESS_MAP_SCHEMA
from xgamma.schema.response_grids import BINSIZE_IRF
from xgamma.schema.tables import head
from xgamma.units import canonical

MASK_FIT = "mask_fit"


@dataclass(frozen=True)
class ModelledRows:
    """Neighbouring rows of one Dataset that have the same models, and their bins to fit or ``None``."""

    arrays: Arrays
    models: Models
    mask_fit: BoolArray | None

    @property
    def data(self) -> xr.Dataset:
        """The rows as a Dataset."""
        return dataset_of(self.arrays)


def normalize_rows(ds: SomeArrays) -> SomeArrays:
    """Return a validated DL4 Dataset; where a file or a hand left them out, rows get an outcome and an empty ledger.

    It also says what it is, so that a file of it can be checked against the format.

    Raises
    ------
    DataError
        As ``schema.validate``; ``ConfigTypeError`` for what is no Dataset.
    """
    _validate_type(ds)
    if ds.attrs.get("schema") == EXCESS_MAP_SCHEMA:
        raise DataError("Expected the counts of datasets, got an excess map. Read it with FluxMaps.read.")
    validate(ds)
    ds = crops.without_positions(ds)
    rows = ds.sizes["dataset"]
    details = ds.attrs.get("outcome_details") or [""] * rows
    if isinstance(details, str):
        details = json.loads(details)
    missing: dict[str, Any] = {}
    if "outcome" not in ds:
        missing["outcome"] = (("dataset",), np.zeros(rows, np.int8), DL4["outcome"].attrs() | flag_attrs(Outcome))
    if "ledger" not in ds:
        sizes = {**ds.sizes, "fate": len(Fate)}
        spec = DL4_IN[space_dims(ds)]["ledger"]
        missing["ledger"] = (spec.dims, np.zeros([sizes[dim] for dim in spec.dims], np.int64), spec.attrs())
        known = fates()
        missing["fate"] = (known.dims, known.values, known.attrs)
    attrs: dict[Any, Any] = {**head(SCHEMA, SCHEMA_VERSION), **ds.attrs, "outcome_details": details}
    return ds if not missing and attrs == ds.attrs else ds.assign(missing).assign_attrs(attrs)


def _validate_type(given: Any) -> None:
    # Of plain arrays xarray is not asked, which would be loaded for it.
    if not isinstance(given, PlainArrays) and not isinstance(given, xr.Dataset):
        raise ConfigTypeError(f"Expected an xarray.Dataset, got a {type(given).__name__}.")


def irf_pixel(size: Any) -> float:
    """Return a pixel size of responses in degrees, by default ``BINSIZE_IRF``; raises ``ConfigError`` for none."""
    if size is None:
        return BINSIZE_IRF
    found = canonical(size, "deg", "binsize_irf")
    if not found > 0:
        raise ConfigError(f"binsize_irf: expected a size above 0 deg, got {size!r}.")
    return found


def normalize_mask(mask: npt.ArrayLike | xr.DataArray, shape: tuple[int, ...]) -> BoolArray:
    """Return a mask as a bool array of ``shape``; raises ``ConfigError`` when it does not broadcast to it."""
    array = np.asarray(mask)
    if array.dtype != np.bool_:
        raise ConfigTypeError(f"mask_fit: expected an array of bool, got {array.dtype}.")
    try:
        return np.broadcast_to(array, shape).copy()
    except ValueError:
        raise ConfigError(f"mask_fit: expected the shape {shape}, got {array.shape}.") from None


def normalize_models(models: Any) -> Models:
    """Return ``Models``: none for ``None``, a single model or a list is wrapped, ``Models`` are kept and shared."""
    if isinstance(models, Models):
        return models
    return Models([] if models is None else models)


def with_mask_fit(ds: SomeArrays, mask: BoolArray | None) -> SomeArrays:
    """Return ``ds`` with the fit mask as the variable ``mask_fit``, which exists in files only."""
    return ds if mask is None else ds.assign({MASK_FIT: (bin_dims(ds), mask, {"units": ""})})


def without_mask_fit(ds: SomeArrays) -> tuple[SomeArrays, BoolArray | None]:
    """Return a Dataset from a file without ``mask_fit``, and that mask if there is one."""
    if MASK_FIT not in ds:
        return ds, None
    return ds.drop_vars([MASK_FIT]), ds[MASK_FIT].values.astype(bool)

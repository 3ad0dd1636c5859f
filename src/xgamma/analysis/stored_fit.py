"""A fit of a store together with the datasets that it was fitted to, as they lie in the same store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from xgamma.axes import FloatArray
from xgamma.datasets import Datasets
from xgamma.errors import FitError, StoreError
from xgamma.fit import Statistic, mask_fit, stat_contour
from xgamma.models.models import Models
from xgamma.schema import Kind
from xgamma.store import Record, Store
from xgamma.store.lineage import FITTED, MADE_FROM

AGAIN = "Run its configuration again with a new store"
SAME = 1e-6
"""By how much the statistic of datasets that are read again may differ from the one that is stored."""


class Contour(NamedTuple):
    """Where the statistic, all other parameters fitted, has risen by ``sigma**2``; closed."""

    sigma: float
    x: FloatArray
    y: FloatArray


def stored_models(store: Store, record: Record) -> Models:
    """Return the models of a stored fit with its values, errors and covariance."""
    data = store.get_valid(Kind.FIT, record.key)
    models = Models.from_yaml(record.texts["models"])
    for parameter, value in zip(models.parameters, data["value"].values.tolist(), strict=True):
        parameter.value = value
    models.covariance = data["covariance"].values
    return models


def fitted_datasets(store: Store, record: Record, *, is_exact: bool = True) -> Datasets:
    """Return the datasets of a stored fit, with its models and the bins that it used.

    Without ``is_exact`` they may be others than those of the fit, of which older versions wrote down less.

    Raises
    ------
    StoreError
        Where the store does not hold them, or what it holds does not give the statistic of the fit.
    """
    models = stored_models(store, record)
    views: list[Any] = []
    for data, limits in _pieces(store, record):
        if data is None:
            raise StoreError(f"The store does not hold the datasets of fit/{record.key[:12]} any more. {AGAIN}.")
        own = Datasets.from_xarray(data)
        for view in own:
            inside = mask_fit(view.group, *limits)
            row, region = view.position
            view.mask_fit = inside[row, region : region + 1] if "region" in view.group.dims else inside[row]
        views += own
    if not views:
        raise StoreError(f"The record of fit/{record.key[:12]} does not say which datasets it is of. {AGAIN}.")
    datasets = Datasets(views)
    datasets.models = models
    if is_exact:
        _validate_statistic(datasets, store, record)
    return datasets


def _validate_statistic(datasets: Datasets, store: Store, record: Record) -> None:
    """Raise ``StoreError`` where datasets and models have another statistic than the fit."""
    stored = float(store.get_valid(Kind.FIT, record.key).attrs["total_stat"])
    statistic = Statistic(datasets.fit_inputs(), datasets.models)
    found = float(statistic.per_dataset(statistic.start).sum())
    if not np.isclose(found, stored, rtol=SAME, atol=SAME):
        raise StoreError(
            f"The datasets in the store have the statistic {found:.4f} at the optimum of fit/{record.key[:12]}, which "
            f"has {stored:.4f}: they are not all that it was fitted to, or an older version did not write down its "
            f"range. {AGAIN}."
        )


def _pieces(store: Store, record: Record) -> Iterator[tuple[xr.Dataset | None, tuple[float | None, float | None]]]:
    """Yield what was fitted with its range of energy; nothing in the place of what the store does not hold."""
    for each in record.provenance.get(FITTED) or _older(record):
        kind, _, key = str(each["product"]).partition("/")
        data = store.get_valid(kind, key) if store.has(kind, key) else None
        if data is not None and "rows" in each:
            data = data.isel(dataset=[int(row) for row in each["rows"]])
        low, high = each.get("fit_range", (None, None))
        yield data, (low, high)


def _older(record: Record) -> Iterator[Mapping[str, Any]]:
    """Yield the products that an older version wrote down, without rows and ranges."""
    for each in record.provenance.get(MADE_FROM, ()):
        if str(each).partition("/")[0] in (Kind.STACK, Kind.ROWS):
            yield {"product": each}


def contours(
    store: Store, record: Record, names: tuple[str, str], points: int, sigmas: tuple[float, ...]
) -> list[Contour]:
    """Return contours of two free parameters of a stored fit, by their full names.

    Raises
    ------
    StoreError
        As ``fitted_datasets``.
    FitError
        Where the statistic does not rise that far, as at a limit of a parameter.
    """
    datasets = fitted_datasets(store, record)
    found = []
    for sigma in sigmas:
        each = stat_contour(datasets.fit_inputs(), datasets.models, *names, numpoints=points, sigma=sigma)
        if not each["success"]:
            raise FitError(
                f"There is no contour of {names[0]} and {names[1]} at {sigma:g} sigma: the statistic does not rise "
                "that far within the limits of the parameters. Ask for a smaller --sigma, or other parameters."
            )
        found.append(Contour(sigma, each["x"], each["y"]))
    return found

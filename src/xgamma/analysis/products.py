"""The products of an analysis, each found in the store under its key or computed and put there."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from xgamma.estimate import FluxPointsParameters, flux_points, log_binning
from xgamma.events import Rows
from xgamma.fit import FitResult, FitSettings, fit
from xgamma.fit.result import CovarianceResult, OptimizeResult
from xgamma.ingest import Failure, Holdings
from xgamma.models.model import Models
from xgamma.models.parameter import Parameters
from xgamma.reduce import Recipe, joined_rows, masked_rows, reduce_spectra, select_rows, stack, with_names
from xgamma.reduce.stack import STEP_VERSION as STACK_VERSION
from xgamma.schema.dl5 import FIT_SCHEMA, SCHEMA_VERSION
from xgamma.schema.tables import head
from xgamma.select import selection_order
from xgamma.store import Store, canonical_json, digest
from xgamma.units import unit_string

log = logging.getLogger(__name__)

ROWS, STACK, FIT, POINTS = "rows", "stack", "fit", "flux-points"
FIT_VERSION = 2
CURVE_ENERGIES = np.geomspace(1e-3, 1e3, 61)  # TeV
POINTS_VERSION = 2

Masks = Sequence[np.ndarray | None] | None


@dataclass(frozen=True)
class Product:
    """A Dataset, the key it has in the store, and whether it was found there."""

    data: xr.Dataset
    key: str
    found: bool


@dataclass(frozen=True)
class Reduced:
    """The rows of a reduction in the order of the selection, their keys, and how many were found in the store."""

    data: xr.Dataset
    keys: tuple[str, ...]
    found: int


@dataclass(frozen=True)
class Workers:
    """Where blocks run: threads of this process, a local cluster, or the scheduler of a cluster."""

    n_jobs: int = 1
    scheduler: str | None = None


def row_keys(recipe_key: str, holdings: Holdings, key: str, rows: Rows) -> list[str]:
    """Return the key of each row: of the recipe, the bytes of its run and its interval."""
    obs_ids = holdings.parts[key].column("obs_id", rows.obs).tolist()
    pieces = zip(obs_ids, rows.start.tolist(), rows.stop.tolist(), strict=True)
    return [digest([recipe_key, holdings.run_keys[obs_id], repr(start), repr(stop)]) for obs_id, start, stop in pieces]


def stored_rows(store: Store, recipe_key: str) -> dict[str, tuple[str, int]]:
    """Return where the rows of a recipe lie in a store: product key and number, by row key."""
    return {
        key: (record.key, number)
        for record in store.ls(ROWS)
        if record.texts["recipe"] == recipe_key
        for number, key in enumerate(record.texts["rows"])
    }


def reduced(
    store: Store, holdings: Holdings, selected: Sequence[tuple[str, Rows]], recipe: Recipe, workers: Workers
) -> Reduced:
    """Return the rows of a selection; those that the store does not hold are reduced and put there together."""
    document = recipe.document()
    recipe_key = digest(document)
    known = stored_rows(store, recipe_key)
    pieces: list[xr.Dataset] = []
    keys: list[str] = []
    found = 0
    for part_key, rows in selected:
        wanted = row_keys(recipe_key, holdings, part_key, rows)
        missing = [number for number, key in enumerate(wanted) if key not in known]
        found += len(wanted) - len(missing)
        fresh = None
        if missing:
            chosen = _rows_at(rows, missing)
            fresh = reduce_spectra(holdings.parts[part_key], chosen, recipe, workers.n_jobs, workers.scheduler)
            new_keys = [wanted[number] for number in missing]
            texts = {"recipe": recipe_key, "rows": new_keys}
            store.put(ROWS, digest(new_keys), {"": fresh}, {"recipe": document}, inputs=[part_key], texts=texts)
        pieces.append(with_names(_assembled(store, wanted, known, missing, fresh), rows.names))
        keys += wanted
    order = selection_order(selected)
    return Reduced(select_rows(joined_rows(pieces), order.tolist()), tuple(keys[row] for row in order), found)


def _rows_at(rows: Rows, numbers: Sequence[int]) -> Rows:
    at = np.array(numbers)
    return Rows(rows.obs[at], rows.start[at], rows.stop[at], tuple(rows.names[number] for number in numbers))


def _assembled(
    store: Store,
    wanted: Sequence[str],
    known: Mapping[str, tuple[str, int]],
    missing: Sequence[int],
    fresh: xr.Dataset | None,
) -> xr.Dataset:
    """Put rows that were found and rows that are fresh into the order of ``wanted``."""
    if fresh is not None and len(missing) == len(wanted):
        return fresh
    products = list(dict.fromkeys(known[key][0] for key in wanted if key in known))
    numbers = {key: [known[k][1] for k in wanted if k in known and known[k][0] == key] for key in products}
    loaded = [select_rows(store.get(ROWS, key), numbers[key]) for key in products]
    order = [position for key in products for position, k in enumerate(wanted) if k in known and known[k][0] == key]
    if fresh is not None:
        loaded.append(fresh)
        order += missing
    joined = joined_rows(
        [with_names(ds, [f"{n}-{row}" for row in range(ds.sizes["dataset"])]) for n, ds in enumerate(loaded)]
    )
    return select_rows(joined, np.argsort(order).tolist())


def with_failures(rows: xr.Dataset, recipe: Recipe, failures: Sequence[Failure]) -> xr.Dataset:
    """Return the rows with a masked row for each run that could not be read."""
    if not failures:
        return rows
    obs_ids = np.array([failure.obs_id for failure in failures])
    outcomes, details = [f.outcome for f in failures], [f.message for f in failures]
    return joined_rows([rows, masked_rows(recipe.grid, rows, obs_ids, outcomes, details)])


def stacked(store: Store, rows: Reduced) -> Product:
    """Return the stack of all rows, summed in canonical order: time, then key."""
    first = rows.data["gti"].values[:, 0, 0]
    order = sorted(range(len(rows.keys)), key=lambda row: (np.nan_to_num(first[row], nan=np.inf), rows.keys[row]))
    keys = [rows.keys[row] for row in order]
    key = digest({"step": STACK, "version": STACK_VERSION, "rows": keys, "groups": None})
    if store.has(STACK, key):
        return Product(store.get(STACK, key), key, True)
    result = stack(select_rows(rows.data, order))
    store.put(STACK, key, {"": result}, {}, inputs=keys)
    return Product(result, key, False)


def datasets_key(datasets: Sequence[xr.Dataset], masks: Masks, keys: Sequence[str]) -> str:
    """Return the key of what a likelihood sees: its Datasets and the bins it uses of them."""
    bins = [None if mask is None else np.packbits(mask).tobytes().hex() for mask in masks or [None] * len(datasets)]
    return digest(
        {"datasets": list(keys), "names": [ds["dataset"].values.tolist() for ds in datasets], "mask_fit": bins}
    )


def model_key(models: Models) -> str:
    """Return the digest of models: of their document, and of what each spectrum is at some energies.

    A document names tables and functions; the curves tell when a table or a user's own function has become another.
    """
    spectra = [model.spectral_model for model in models if getattr(model, "spectral_model", None) is not None]
    with np.errstate(all="ignore"):
        curves = [[f"{value:.9e}" for value in np.atleast_1d(spectrum.dnde(CURVE_ENERGIES))] for spectrum in spectra]
    return digest({"document": models.to_yaml(full_output=True), "curves": curves})


def fit_key(seen: str, models: Models, settings: FitSettings) -> str:
    """Return the key of a fit: what it sees, the models with their start values, how it runs."""
    request = {"step": FIT, "version": FIT_VERSION, "datasets": seen, "models": model_key(models)}
    return digest(request | {"settings": dataclasses.asdict(settings)})


def fitted(
    store: Store, seen: str, datasets: Sequence[xr.Dataset], masks: Masks, models: Models, settings: FitSettings
) -> tuple[FitResult, str, bool]:
    """Fit the models, or set them to the fit of the same request that the store holds.

    Returns
    -------
    tuple
        The result, its key, and whether it was found.
    """
    key, start = fit_key(seen, models, settings), models.to_yaml(full_output=True)
    if store.has(FIT, key):
        return _restored(store.get(FIT, key), models), key, True
    result = fit(datasets, models, masks, settings)
    texts = {"models": models.to_yaml()}
    store.put(FIT, key, {"": _fit_dataset(result, models)}, {"models": start}, inputs=[seen], texts=texts)
    return result, key, False


def _fit_dataset(result: FitResult, models: Models) -> xr.Dataset:
    parameters = models.parameters
    units = {"parameter_units": [unit_string(parameter.unit) for parameter in parameters]}
    values, errors = (np.array([getattr(p, name) for p in parameters], dtype=float) for name in ("value", "error"))
    free = np.atleast_2d(result.covariance_result.matrix)
    variables = {
        "value": (("parameter",), values, {"long_name": "Best fit", **units}),
        "error": (("parameter",), errors, {"long_name": "Error", **units}),
        "covariance": (("parameter", "parameter_2"), np.array(models.covariance.data), {"long_name": "Covariance"}),
        "free_covariance": (("free", "free_2"), free, {"long_name": "Covariance of the free parameters"}),
    }
    optimum, covariance = result.optimize_result, result.covariance_result
    attrs = head(FIT_SCHEMA, SCHEMA_VERSION) | {
        "total_stat": repr(float(optimum.total_stat)),
        "nfev": optimum.nfev,
        "success": optimum.success,
        "message": optimum.message,
        "covariance_success": covariance.success,
        "covariance_message": covariance.message,
    }
    return xr.Dataset(variables, {"parameter": (("parameter",), np.array(models.parameters_unique_names))}, attrs)


def _restored(stored: xr.Dataset, models: Models) -> FitResult:
    for parameter, value in zip(models.parameters, stored["value"].values.tolist(), strict=True):
        parameter.value = value
    models.covariance = stored["covariance"].values
    for parameter, error in zip(models.parameters, stored["error"].values.tolist(), strict=True):
        parameter.error = error
    attrs = stored.attrs
    copies = Parameters([parameter.copy() for parameter in models.parameters])
    total = float(attrs["total_stat"])
    result = FitResult(
        OptimizeResult(copies, attrs["success"], attrs["message"], attrs["nfev"], total, models),
        CovarianceResult(stored["free_covariance"].values, attrs["covariance_success"], attrs["covariance_message"]),
    )
    if not result.success:
        log.warning("The fit did not converge: %s %s", result.message, attrs["covariance_message"])
    return result


@dataclass(frozen=True)
class PointsRequest:
    """Which flux points are wanted: ``models_key`` is that of the fit that set the models, or of their document."""

    seen: str
    models_key: str
    source: str
    edges: tuple[float, ...]
    parameters: FluxPointsParameters

    @property
    def key(self) -> str:
        """The key of the flux points."""
        settings = canonical_json(dataclasses.asdict(self.parameters))
        request = {"step": POINTS, "version": POINTS_VERSION, "datasets": self.seen, "models": self.models_key}
        return digest(request | {"source": self.source, "edges": list(self.edges), "parameters": settings})


def flux_points_of(
    store: Store, request: PointsRequest, datasets: Sequence[xr.Dataset], masks: Masks, models: Models
) -> Product:
    """Return the flux points of a request, found or estimated."""
    if store.has(POINTS, request.key):
        points = store.get(POINTS, request.key)
        log_binning(points)
        return Product(points, request.key, True)
    points = flux_points(datasets, models, request.source, np.array(request.edges), masks, request.parameters)
    store.put(POINTS, request.key, {"": points}, {}, inputs=[request.seen, request.models_key])
    return Product(points, request.key, False)


def outcomes(rows: xr.Dataset) -> Iterator[tuple[str, str]]:
    """Yield the name and the reason of each row that could not be used."""
    for row in np.flatnonzero(rows["outcome"].values):
        yield str(rows["dataset"].values[row]), str(rows.attrs["outcome_details"][row])

"""``fit``: the models fitted to the datasets."""

from __future__ import annotations

import dataclasses
import itertools
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xgamma import fit
from xgamma.analysis import costs
from xgamma.analysis.memory import Cost
from xgamma.analysis.steps import fit_pictures
from xgamma.analysis.steps.keys import made_from, model_key, seen_by, stacks_key
from xgamma.analysis.steps.pictures import write_pictures
from xgamma.analysis.steps.step import Finding, Product, Results, SeenSpectrum, Step
from xgamma.axes import Axis
from xgamma.config.requests import names_of
from xgamma.datasets.binned_row import is_map
from xgamma.errors import ConfigError, OrderError
from xgamma.fit.settings import FitSettings, validate_fittable, validate_models, validate_priors
from xgamma.models.npred_models import FoVBackgroundModel
from xgamma.models.parameters import Parameters
from xgamma.schema import Kind, bin_dims
from xgamma.schema.dl5 import FIT_SCHEMA, SCHEMA_VERSION
from xgamma.schema.tables import head
from xgamma.store import digest
from xgamma.store.lineage import FITTED, MADE_FROM
from xgamma.tables import fits as fit_tables
from xgamma.units import unit_string

if TYPE_CHECKING:
    from xgamma.config.config import AnalysisConfig
    from xgamma.datasets import Datasets
    from xgamma.fit import FitInput, FitResult
    from xgamma.models.models import Models
    from xgamma.schema.arrays import NamedArrays
    from xgamma.store import Store
    from xgamma.tables.table import Table

log = logging.getLogger(__name__)

FIT_VERSION = 4
DRAWN_BINS = 1000
"""Of how many bins data are drawn for the goodness of a fit, in about half a second; of more, reports draw them."""
EnergyRange = tuple[float | None, float | None]


def fit_key(seen: str, models: Models, settings: FitSettings) -> str:
    """Return the key of a fit: what it sees, the models with their start values, how it runs."""
    request = {"step": Kind.FIT, "version": FIT_VERSION, "datasets": seen, "models": model_key(models)}
    return digest(request | {"settings": settings.document(len(models.parameters.free_parameters))})


def _key_and_method(wanted: FitWanted, store: Store, seen: str, models: Models) -> tuple[str, str]:
    """Return the key of a fit of what is seen, and how the minimum is found.

    Where the method is for xgamma to choose, a fit by MIGRAD that the store holds is taken: it is of the same minimum.
    """
    settings = wanted.settings
    chosen = settings.method_for(len(models.parameters.free_parameters))
    methods = dict.fromkeys([chosen, *(["migrad"] if settings.method == "auto" else [])])
    keys = {method: fit_key(seen, models, dataclasses.replace(settings, method=method)) for method in methods}
    held = ((key, method) for method, key in keys.items() if store.has(Kind.FIT, key))
    return next(held, (keys[chosen], chosen))


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
    if optimum.prior_stat is not None:
        attrs["prior_stat"] = repr(float(optimum.prior_stat))
    return xr.Dataset(variables, {"parameter": (("parameter",), np.array(models.parameters_unique_names))}, attrs)


def _restored(stored: NamedArrays, models: Models, method: str) -> FitResult:
    for parameter, value in zip(models.parameters, stored["value"].values.tolist(), strict=True):
        parameter.value = value
    models.covariance = stored["covariance"].values
    for parameter, error in zip(models.parameters, stored["error"].values.tolist(), strict=True):
        parameter.error = error
    attrs = stored.attrs
    copies = Parameters([parameter.copy() for parameter in models.parameters])
    total, prior = float(attrs["total_stat"]), float(attrs["prior_stat"]) if "prior_stat" in attrs else None
    optimum = (copies, attrs["success"], attrs["message"], attrs["nfev"], total, models)
    result = fit.FitResult(
        fit.OptimizeResult(*optimum, method=method, prior_stat=prior),
        fit.CovarianceResult(
            stored["free_covariance"].values, attrs["covariance_success"], attrs["covariance_message"]
        ),
    )
    fit.warn_of(result)
    return result


def _goodness(inputs: Sequence[FitInput], result: FitResult, models: Models) -> dict[str, Any]:
    """Return how many bins a fit used, how many parameters were free, the deviance, and how often draws exceed it.

    Data are drawn for few bins only: they must not take longer than the fit. Without draws the deviance is known of
    on and off counts, of which it is the statistic.
    """
    bins = sum(int(np.count_nonzero(one.used)) for one in inputs)
    facts: dict[str, Any] = {"bins": bins, "free": len(result.parameters.free_parameters)}
    if any("alpha_systematic" in one.arrays for one in inputs) or not np.isfinite(result.total_stat):
        return facts
    if bins > DRAWN_BINS:
        facts["draws"] = 0
    elif result.optimize_result.success:
        found = fit.goodness_of_fit(inputs, models)
        return facts | {"deviance": found.total.value, "p_value": found.total.p_value, "draws": len(found.drawn)}
    return facts | ({"deviance": float(result.total_stat)} if all("counts_off" in one.arrays for one in inputs) else {})


def _stored_goodness(results: Results, key: str) -> Mapping[str, Any]:
    """Return what the record of a fit says of its goodness; nothing of one of an older version, or without draws."""
    found = (
        results.store.record(Kind.FIT, key).texts.get(fit_tables.GOODNESS, {})
        if results.store.has(Kind.FIT, key)
        else {}
    )
    return found if "p_value" in found else {}


def with_models(results: Results, what: str) -> tuple[Datasets, Models]:
    """Return the datasets and their models; raises ``OrderError`` before there are any to ``what``."""
    datasets = results.datasets
    if datasets is None:
        raise OrderError(f"There are no datasets to {what}; call get_datasets() or read_datasets() first.")
    models = datasets.models
    if len(models) == 0:
        raise OrderError(f"There are no models to {what}; call set_models() first.")
    return datasets, models


def add_backgrounds(models: Models, datasets: Datasets) -> None:
    """Add the norm of its expected background for each map that has one, unless one of the models is about it.

    It is called ``{dataset}-bkg``; its norm is free, its tilt is not.
    """
    known = {name for model in models if isinstance(model, FoVBackgroundModel) for name in model.datasets_names or ()}
    held = (view for view in datasets if is_map(view) and "background" in view.arrays)
    models.extend([FoVBackgroundModel(dataset_name=view.name) for view in held if view.name not in known])


def found_later(results: Results) -> Finding:
    """Return the finding of a product of datasets or models that are still to be made, which holds the datasets."""
    if results.datasets is not None:
        return Finding.unknown(results.runs, results, Cost())
    rows = ((each.recipe, each.count) for each in results.reductions.values() if each.recipe is not None)
    return Finding.unknown(results.runs, results, costs.joint_cost(rows))


@dataclass(frozen=True)
class FitWanted:
    """How the models are fitted.

    Parameters
    ----------
    fit_range
        Lowest and highest reconstructed energy in TeV, ``None`` for no limit.
    settings
        How the minimum is found.
    own
        The ranges of entries of ``datasets`` that have their own, by name.
    """

    fit_range: EnergyRange
    settings: FitSettings = dataclasses.field(default_factory=FitSettings)
    own: Mapping[str, EnergyRange] = dataclasses.field(default_factory=dict)

    def range_of(self, name: str) -> EnergyRange:
        """Return the range of an entry of ``datasets``."""
        return self.own.get(name, self.fit_range)


class FitStep(Step[FitWanted]):
    """Fits models to the datasets; a fit of the same request that the store holds is found."""

    name, section, needs, needs_models, finds_unread = "fit", "fit", ("datasets",), True, True

    def validate_order(self, results: Results) -> None:
        """Raise ``OrderError`` before there are datasets with models."""
        with_models(results, "fit")

    def wanted(self, config: AnalysisConfig) -> tuple[FitWanted, ...]:
        """Return the ranges of the fit of a configuration."""
        entries = zip(names_of(config), config.entries.values(), strict=True)
        own = {name: entry.fit_range.bounds() for name, entry in entries if entry.fit_range is not None}
        return (FitWanted(config.fit.fit_range.bounds(), own=own),)

    def remarks(self, wanted: FitWanted, axes: Mapping[str, Axis], models: Models) -> list[str]:
        """Raise ``ConfigError`` or ``FitError`` where the range or the models do not allow a fit."""
        validate_fittable(len(models.parameters.free_parameters), 1)
        validate_models(models, [axis.edges for axis in axes.values()])
        validate_priors(models)
        _validate_fit_ranges(wanted, axes)
        return []

    def validate_bins(self, wanted: FitWanted, spectra: Sequence[SeenSpectrum]) -> None:
        """Raise ``FitError`` where no bin is left to fit."""
        bins = [each.safe & each.axis.mask_inside(*wanted.range_of(each.entry)) for each in spectra]
        validate_fittable(1, sum(int(used.sum()) for used in bins))

    def find(self, wanted: FitWanted, results: Results) -> Finding:
        """Return whether the store holds this fit."""
        if (found := _found_unread(wanted, results)) is not None:
            return found
        whole = results.whole()
        if whole.datasets is None:
            return found_later(whole)
        datasets, models = _ready(wanted, whole)
        key, method = _key_and_method(wanted, whole.store, seen_by(whole, datasets), models)
        if not whole.store.has(Kind.FIT, key):
            ahead = replace(whole, awaited="fit")
            return Finding(whole.runs, "there is no such product in the store", ahead, key)
        return _found(whole, key, lambda: _with_fit(whole, _stored(whole, key, models, method), models))

    def compute(self, wanted: FitWanted, results: Results) -> Results:
        """Fit the models to the datasets, or set them to the fit that the store holds.

        Raises
        ------
        OrderError
            Before there are datasets with models.
        """
        datasets, models = _ready(wanted, results)
        log.info("Fitting datasets.")
        log.info("%s", _fit_range_report(datasets))
        product = _fitted(wanted, results, datasets, models)
        state = "converged" if product.data.success else "did not converge"
        where = "found in the store" if product.found else "computed"
        log.info("The fit was %s.", where)
        log.info("It %s, statistic %.2f.", state, product.data.total_stat)
        return _with_fit(results, product, models)

    def write(self, results: Results, outdir: Path) -> dict[str, Path]:
        """Write the models, and pictures of the fit: of the first spectrum, and of the first map."""
        if results.fit is None or results.datasets is None:
            return {}
        path = outdir / "models.yaml"
        results.datasets.models.write(path, overwrite=True)
        datasets = results.datasets
        return {"models": path, **write_pictures(results, outdir, "fit", lambda: fit_pictures.fit_pictures(datasets))}

    def tables(self, results: Results) -> list[Table]:
        """Return the parameters."""
        if results.fit is None or results.datasets is None:
            return []
        result = results.fit.data
        lines = [
            fit_tables.ParameterLine(model.name, p.name, p.value, p.error, unit_string(p.unit), not p.frozen)
            for model in results.datasets.models
            for p in model.parameters
        ]
        stat = result.optimize_result
        goodness = _stored_goodness(results, results.fit.key) or _goodness(
            results.datasets.fit_inputs(), result, results.datasets.models
        )
        facts = fit_tables.FitFacts(result.success, result.message, stat.total_stat, stat.prior_stat, goodness)
        return [fit_tables.fit_table(lines, facts)]

    def document(self, results: Results) -> dict[str, Any]:
        """Return whether the fit converged, its statistic, and the parameters by model and name."""
        if results.fit is None or results.datasets is None:
            return {"converged": None, "total_stat": None, "models": {}}
        models = {
            model.name: {
                p.name: {"value": p.value, "error": p.error, "unit": unit_string(p.unit), "frozen": p.frozen}
                for p in model.parameters
            }
            for model in results.datasets.models
        }
        result = results.fit.data
        prior = {} if result.optimize_result.prior_stat is None else {"prior_stat": result.prior_stat}
        return {"converged": result.success, "total_stat": result.total_stat, **prior, "models": models}


def _found_unread(wanted: FitWanted, results: Results) -> Finding | None:
    """Return the finding of a fit of stacks that nobody has read; ``None`` where that does not find it."""
    models = None if results.unread is None else results.unread.models
    if results.unread is None or models is None or not results.unread_stacks:
        return None
    stacks = {
        number: replace(each, mask=each.energy.mask_inside(*wanted.range_of(each.entry)))
        for number, each in results.unread.stacks.items()
    }
    ahead = replace(results, unread=replace(results.unread, stacks=stacks))
    key, method = _key_and_method(wanted, results.store, stacks_key(ahead.unread_stacks), models)
    if not results.store.has(Kind.FIT, key):
        return None

    def read() -> Results:
        whole = results.whole()
        _, models = _ready(wanted, whole)
        return _with_fit(whole, _stored(whole, key, models, method), models)

    return _found(replace(ahead, unread=replace(results.unread, stacks=stacks, fit=key)), key, read)


def _found(ahead: Results, key: str, read: Callable[[], Results]) -> Finding:
    return Finding(ahead.runs, "the same request is in the store", ahead, key, read=read)


def _validate_fit_ranges(wanted: FitWanted, axes: Mapping[str, Axis]) -> None:
    """Raise ``ConfigError`` where a range lies outside of the axis of its entry, or that for all outside of their one.

    Where the axes differ, one of them may lie outside of the range for all.
    """
    for name in wanted.own.keys() & axes.keys():
        _validate_fit_range(f"the fit_range of {name or 'datasets'}", axes[name], *wanted.own[name])
    others = {axis for name, axis in axes.items() if name not in wanted.own}
    for axis in others if len(others) == 1 else ():
        _validate_fit_range("fit.fit_range", axis, *wanted.fit_range)


def _validate_fit_range(what: str, axis: Axis, minimum: float | None, maximum: float | None) -> None:
    """Raise ``ConfigError`` where a range of reconstructed energy in TeV lies outside of an axis."""
    low, high = axis.edges[0] if minimum is None else minimum, axis.edges[-1] if maximum is None else maximum
    if high <= axis.edges[0] or low >= axis.edges[-1]:
        raise ConfigError(
            f"{what}: it lies outside of the energies of the datasets, {axis.edges[0]:g} to {axis.edges[-1]:g} "
            f"TeV; expected a range that overlaps with them, got {low:g} to {high:g} TeV."
        )


def _ready(wanted: FitWanted, results: Results) -> tuple[Datasets, Models]:
    """Return the datasets, whose views have the mask of the fit, and their models."""
    datasets, models = with_models(results, "fit")
    reductions = results.reductions.values()
    entries = {id(each.product.data): each.name for each in reductions if each.product is not None}
    grouped = [(group, list(views)) for group, views in itertools.groupby(datasets, key=lambda view: id(view.arrays))]
    axes = {
        entries.get(group, str(group)): Axis.from_coords(views[0].arrays.coords, "energy") for group, views in grouped
    }
    _validate_fit_ranges(wanted, axes)
    for group, views in grouped:
        inside = fit.mask_fit(views[0].arrays, *wanted.range_of(entries.get(group, "")))
        has_regions = "region" in views[0].arrays.sizes
        for view in views:
            row, region = view.position
            view.mask_fit = inside[row, region : region + 1] if has_regions else inside[row]
    return datasets, models


def _with_fit(results: Results, product: Product[FitResult], models: Models) -> Results:
    computed = results.computed if product.found else results.computed | {FitStep.section}
    return replace(results, fit=product, fitted=model_key(models), computed=computed)


def _stored(results: Results, key: str, models: Models, method: str) -> Product[FitResult]:
    """Return a fit of the store, and set the models to it."""
    return Product(_restored(results.store.get_arrays(Kind.FIT, key), models, method), key, True)


def _fitted(wanted: FitWanted, results: Results, datasets: Datasets, models: Models) -> Product[FitResult]:
    """Fit the models, or set them to the fit of the same request that the store holds."""
    store, seen = results.store, seen_by(results, datasets)
    key, method = _key_and_method(wanted, store, seen, models)
    start = models.to_yaml(full_output=True)
    if store.has(Kind.FIT, key):
        return _stored(results, key, models, method)
    result = fit.fit(datasets.fit_inputs(), models, wanted.settings)
    tables = models.origins()
    texts: dict[str, Any] = {"models": models.to_yaml()} | ({"tables": tables} if tables else {})
    texts[fit_tables.GOODNESS] = _goodness(datasets.fit_inputs(), result, models)
    given = {"models": start, MADE_FROM: made_from(results), FITTED: list(_fitted_from(wanted, results))}
    store.put(Kind.FIT, key, {"": _fit_dataset(result, models)}, given, inputs=[seen], texts=texts)
    return Product(result, key, False)


def _fitted_from(wanted: FitWanted, results: Results) -> Iterator[dict[str, Any]]:
    """Yield what is fitted, so that it can be read again: products, which rows of them, and their range of energy."""
    for each in results.reductions.values():
        limits = {"fit_range": list(wanted.range_of(each.name))}
        if each.product is not None and results.store.has(Kind.STACK, each.product.key):
            yield {"product": f"{Kind.STACK}/{each.product.key}", **limits}
        elif each.rows is not None:
            for key, own in itertools.groupby(each.rows.places, key=lambda place: place[0]):
                yield {"product": f"{Kind.ROWS}/{key}", "rows": [row for _, row in own], **limits}


def _fit_range_report(datasets: Datasets) -> str:
    """Return which energies a fit uses, and how many safe counts it leaves out."""
    used: list[float] = []
    left_out = 0.0
    for one in datasets.fit_inputs():
        ds, bins = one.arrays, one.used
        others = tuple(axis for axis, dim in enumerate(bin_dims(ds)) if dim != "energy")
        used += ds["energy_bounds"].values[bins.any(axis=others)].ravel().tolist()
        left_out += float(ds["counts"].values[ds["mask_safe"].values & ~bins].sum())
    energies = f"{min(used):.4g} to {max(used):.4g} TeV" if used else "no bin"
    return f"The fit uses {energies}; {left_out:.0f} safe counts are left out."

"""``fit each`` and ``flux points each``: the models fitted to each group of datasets by itself, and its flux points."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xgamma import datasets as views
from xgamma import estimate
from xgamma.analysis.steps.fit import FitStep, found_later, with_models
from xgamma.analysis.steps.flux_points import FluxPointsStep, FluxPointsWanted, models_key
from xgamma.analysis.steps.keys import made_from, seen_by
from xgamma.analysis.steps.pictures import write_pictures
from xgamma.analysis.steps.reduce import row_name
from xgamma.analysis.steps.stack import group_labels
from xgamma.analysis.steps.step import Finding, Product, Reduction, Results, Step
from xgamma.config.section_fields import each_document
from xgamma.datasets import group_fits
from xgamma.errors import ConfigError
from xgamma.fit.settings import FitSettings
from xgamma.grid import region_row_name
from xgamma.groups import Grouping
from xgamma.plot import figures
from xgamma.reduce.recipe import MEMBERS, Recipe
from xgamma.schema import Kind
from xgamma.store import canonical_json, digest
from xgamma.store.lineage import MADE_FROM
from xgamma.tables import fits as fit_tables
from xgamma.tables import points as point_tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from xgamma.config.config import AnalysisConfig
    from xgamma.datasets import GroupFits, GroupPoints
    from xgamma.tables.table import Table

log = logging.getLogger(__name__)

FIT_EACH_VERSION, POINTS_EACH_VERSION = 2, 1


def labels_of(results: Results, by: Grouping | str, where: str) -> list[str]:
    """Return the name of the group of each row of the datasets, in their order.

    Raises
    ------
    ConfigError
        Where the runs of a row are not known, as of spectra that were read from files.
    """
    rows = [name for one in _inputs(results) for name in one.names]
    if not isinstance(by, Grouping):
        return rows
    known: dict[str, str] = {}
    for reduction in results.reductions.values():
        known |= _labels_of_entry(results, reduction, by)
    unknown = [name for name in rows if name not in known]
    if unknown:
        raise ConfigError(
            f"{where}.each: {each_document(by)}, and of the dataset {unknown[0]!r} it is not known which that is; "
            "write dataset for each of them by itself."
        )
    return [known[name] for name in rows]


def _labels_of_entry(results: Results, reduction: Reduction, by: Grouping) -> dict[str, str]:
    """Return the name of the group of each row of one entry of ``datasets`` by the name of the row."""
    if reduction.product is None or reduction.recipe is None:
        return {}
    if MEMBERS in reduction.product.data.attrs:
        # The configuration allows stacks of the same groups only.
        names = [str(name) for name in reduction.product.data["dataset"].values]
        stacks = {name: name.removeprefix(f"{reduction.name}-") if reduction.name else name for name in names}
        return _of_regions(stacks, reduction.recipe)
    observed = results.observed.get(reduction.name) or results.observed.get("")
    if observed is None or observed.observations is None:
        return {}
    labels = group_labels(observed.observations, reduction.recipe.grid, by) or {}
    return _of_regions({row_name(reduction.name, row): label for row, label in labels.items()}, reduction.recipe)


def _of_regions(labels: Mapping[str, str], recipe: Recipe) -> dict[str, str]:
    """Return the groups of the spectra of rows: of several on-regions a group has one for each."""
    return {
        region_row_name(row, region): region_row_name(label, region)
        for region in recipe.grid.given_names or ("",)
        for row, label in labels.items()
    }


def _inputs(results: Results) -> Sequence[Any]:
    return [] if results.datasets is None else results.datasets.fit_inputs()


@dataclass(frozen=True)
class FitEachWanted:
    """Which groups are fitted by themselves, and how.

    Parameters
    ----------
    by
        How datasets are grouped; a text for each of them.
    settings
        How the minimum is found.
    """

    by: Grouping | str
    settings: FitSettings = field(default_factory=FitSettings)


class FitEachStep(Step[FitEachWanted]):
    """Fits the models to each group of datasets by itself, from the fit of all; fits that the store holds are found."""

    name, section, needs, needs_models = "fit each", "fit", ("datasets",), True

    def validate_order(self, results: Results) -> None:
        """Raise ``OrderError`` before there are datasets with models."""
        with_models(results, "fit")

    def wanted(self, config: AnalysisConfig) -> tuple[FitEachWanted, ...]:
        """Return which groups are fitted by themselves; nothing where a configuration does not ask for it."""
        return () if config.fit.each is None else (FitEachWanted(config.fit.each),)

    def find(self, wanted: FitEachWanted, results: Results) -> Finding:
        """Return whether the store holds these fits."""
        if results.awaited:
            return found_later(results)
        key = _fit_key(wanted, results)[0]

        def read() -> Results:
            return _with_fits(results, Product(results.store.get_valid(Kind.FIT_EACH, key), key, True))

        return Finding.of_key(results, Kind.FIT_EACH, key, read)

    def compute(self, wanted: FitEachWanted, results: Results) -> Results:
        """Fit each group, or read the fits of the same request that the store holds.

        Raises
        ------
        OrderError
            Before there are datasets with models.
        ConfigError
            Where it is not known which group a dataset is of.
        """
        datasets, models = with_models(results, "fit")
        key, labels, seen = _fit_key(wanted, results)
        if results.store.has(Kind.FIT_EACH, key):
            product = Product(results.store.get_valid(Kind.FIT_EACH, key), key, True)
        else:
            inputs, by = datasets.fit_inputs(), _text(wanted.by)
            data = estimate.fit_groups(inputs, labels, models, wanted.settings, results.workers, by)
            results.store.put(
                Kind.FIT_EACH,
                key,
                {"": data},
                {MADE_FROM: made_from(results)},
                inputs=[seen, models_key(results, models)],
            )
            product = Product(data, key, False)
        log.info("The fits of each were %s.", "found in the store" if product.found else "computed")
        return _with_fits(results, product)

    def write(self, results: Results, outdir: Path) -> dict[str, Path]:
        """Write a table of the parameters of each group, and a picture of them against time."""
        if results.fit_each is None:
            return {}
        path = outdir / "fit-each.ecsv"
        results.fit_each.write(path, overwrite=True)
        fits = results.fit_each
        return {
            "fits of each": path,
            **write_pictures(results, outdir, "fits of each", lambda: _picture_of_fits(results, fits), [fits.data]),
        }

    def tables(self, results: Results) -> list[Table]:
        """Return a row for each group: its free parameters with their errors."""
        return [] if results.fit_each is None else [fit_tables.group_fits_table(results.fit_each.data)]

    def document(self, results: Results) -> dict[str, Any]:
        """Return of each group whether its fit converged, its statistic, and its free parameters by name."""
        if results.fit_each is None:
            return {}
        fits = results.fit_each
        return {"fit_each": {group: _document(fits, number) for number, group in enumerate(fits.groups)}}


def _document(fits: GroupFits, number: int) -> dict[str, Any]:
    own = fits.data.isel(group=number)
    parameters = {
        name: {
            "value": _number(own["value"].sel(parameter=name)),
            "error": _number(own["error"].sel(parameter=name)),
            "unit": fits.unit(name),
        }
        for name in fits.free_parameters
    }
    start, stop = fits.mjd_exposed[number]
    return {
        "converged": bool(own["success"]),
        "total_stat": _number(own["total_stat"]),
        "mjd": [_number(start), _number(stop)],
        "parameters": parameters,
    }


def _number(value: Any) -> float | None:
    number = float(value)
    return number if np.isfinite(number) else None


def _text(by: Grouping | str) -> str:
    document = each_document(by)
    return document if isinstance(document, str) else canonical_json(document)


def _fit_key(wanted: FitEachWanted, results: Results) -> tuple[str, list[str], str]:
    """Return the key of the fits, the groups of the rows, and the key of what the fits see."""
    datasets, models = with_models(results, "fit")
    labels, seen = labels_of(results, wanted.by, "fit"), seen_by(results, datasets)
    settings = wanted.settings.document(len(models.parameters.free_parameters))
    request = {"step": Kind.FIT_EACH, "version": FIT_EACH_VERSION, "datasets": seen, "labels": labels}
    return digest(request | {"models": models_key(results, models), "settings": settings}), labels, seen


def _with_fits(results: Results, product: Product[xr.Dataset]) -> Results:
    computed = results.computed if product.found else results.computed | {FitStep.section}
    return replace(results, fit_each=views.GroupFits(product.data), computed=computed)


# --- flux points


@dataclass(frozen=True)
class PointsEachWanted:
    """Which groups have flux points of their own, and how these are estimated."""

    by: Grouping | str
    points: FluxPointsWanted


class FluxPointsEachStep(Step[PointsEachWanted]):
    """Estimates the flux points of each group of datasets; those that the store holds are found."""

    name, section, needs, needs_models = "flux points each", "flux_points", ("datasets",), True

    def validate_order(self, results: Results) -> None:
        """Raise ``OrderError`` before there are datasets with models."""
        with_models(results, "compute flux points of")

    def wanted(self, config: AnalysisConfig) -> tuple[PointsEachWanted, ...]:
        """Return which groups have points of their own; nothing where a configuration does not ask for it."""
        if config.flux_points.each is None:
            return ()
        points = replace(FluxPointsStep().wanted(config)[0], name=None)
        return (PointsEachWanted(config.flux_points.each, points),)

    def find(self, wanted: PointsEachWanted, results: Results) -> Finding:
        """Return whether the store holds these flux points."""
        if results.awaited:
            return found_later(results)
        key = _points_key(wanted, results)[0]

        def read() -> Results:
            return _with_points(results, Product(results.store.get_valid(Kind.POINTS_EACH, key), key, True))

        return Finding.of_key(results, Kind.POINTS_EACH, key, read)

    def compute(self, wanted: PointsEachWanted, results: Results) -> Results:
        """Estimate the flux points of each group, or read those of the same request that the store holds.

        Raises
        ------
        OrderError
            Before there are datasets with models.
        ConfigError
            When the source is not one of the models, or where it is not known which group a dataset is of.
        """
        datasets, models = with_models(results, "compute flux points of")
        key, labels, seen = _points_key(wanted, results)
        if results.store.has(Kind.POINTS_EACH, key):
            product = Product(results.store.get_valid(Kind.POINTS_EACH, key), key, True)
        else:
            asked = (wanted.points.source, np.array(wanted.points.edges), wanted.points.parameters)
            inputs, by = datasets.fit_inputs(), _text(wanted.by)
            data = estimate.flux_points_groups(inputs, labels, models, *asked, results.workers, by)
            results.store.put(
                Kind.POINTS_EACH,
                key,
                {"": data},
                {MADE_FROM: made_from(results)},
                inputs=[seen, models_key(results, models)],
            )
            product = Product(data, key, False)
        log.info("The flux points of each were %s.", "found in the store" if product.found else "computed")
        return _with_points(results, product)

    def write(self, results: Results, outdir: Path) -> dict[str, Path]:
        """Write a table of the points of each group, and a picture where it can tell them apart."""
        if results.flux_points_each is None:
            return {}
        path = outdir / "flux-points-each.ecsv"
        results.flux_points_each.write(path, overwrite=True)
        if len(results.flux_points_each.groups) > group_fits.SPECTRA_MAX:
            log.info("%d spectra are too many for a picture.", len(results.flux_points_each.groups))
            return {"flux points of each": path}
        points = results.flux_points_each
        return {
            "flux points of each": path,
            **write_pictures(
                results, outdir, "flux points of each", lambda: _picture_of_points(results, points), [points.data]
            ),
        }

    def tables(self, results: Results) -> list[Table]:
        """Return a row for each point of each group."""
        return (
            [] if results.flux_points_each is None else [point_tables.group_points_table(results.flux_points_each.data)]
        )


def _points_key(wanted: PointsEachWanted, results: Results) -> tuple[str, list[str], str]:
    """Return the key of the points, the groups of the rows, and the key of what they see."""
    datasets, models = with_models(results, "compute flux points of")
    labels, seen = labels_of(results, wanted.by, "flux_points"), seen_by(results, datasets)
    request = {"step": Kind.POINTS_EACH, "version": POINTS_EACH_VERSION, "labels": labels}
    return digest(request | {"points": wanted.points.key(seen, models_key(results, models))}), labels, seen


def _with_points(results: Results, product: Product[xr.Dataset]) -> Results:
    computed = results.computed if product.found else results.computed | {FluxPointsStep.section}
    return replace(results, flux_points_each=views.GroupPoints(product.data), computed=computed)


def _facts(results: Results) -> tuple[str, ...]:
    return () if results.datasets is None else results.datasets.facts()


def _picture_of_fits(results: Results, fits: GroupFits) -> dict[str, Figure]:
    figure = figures.picture_figure()
    axes = fits.plot(figure, close_gaps=True)
    figures.show_title(axes[0], *_facts(results))
    return {"fit each": figure}


def _picture_of_points(results: Results, points: GroupPoints) -> dict[str, Figure]:
    figure = figures.picture_figure()
    figures.show_title(points.plot(figures.add_axes(figure)), *_facts(results))
    return {"flux points each": figure}

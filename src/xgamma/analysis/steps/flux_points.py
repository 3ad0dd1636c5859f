"""``flux points``: the flux of a source in bins of energy."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from xgamma.analysis.costs import Cost
from xgamma.analysis.steps.fit import cost_of_datasets, model_key, seen_by, with_models
from xgamma.analysis.steps.step import Finding, Product, Results, Step, Table, new_figure, write_figure
from xgamma.axes import Axis, unify_axis
from xgamma.config.config import AnalysisConfig
from xgamma.config.requests import points_of
from xgamma.datasets import Datasets, FluxPoints, FluxPointsDataset
from xgamma.errors import ConfigError
from xgamma.estimate import FluxPointsParameters, flux_points, log_binning, source_model, validate_reoptimize
from xgamma.models.models import Models
from xgamma.schema import Kind
from xgamma.store import canonical_json, digest
from xgamma.units import number_text

log = logging.getLogger(__name__)

POINTS_VERSION = 3
LOGGED = ("e_ref", "dnde", "dnde_ul", "dnde_err", "sqrt_ts")
EDGES, EDGES_FIT = ("e_min", "e_max"), ("e_min_fit", "e_max_fit")


@dataclass(frozen=True)
class FluxPointsWanted:
    """Which flux points are wanted.

    Parameters
    ----------
    source
        The name of the model whose flux it is.
    edges
        The edges of the bins in TeV.
    parameters
        How they are estimated.
    is_fit_range_set
        Whether the configuration limits the energies of the fit, which only the fit applies.
    """

    source: str
    edges: tuple[float, ...]
    parameters: FluxPointsParameters
    is_fit_range_set: bool

    def key(self, seen: str, models: str) -> str:
        """Return the key: of what the likelihood sees, and of the fit that set the models or of their document."""
        settings = canonical_json(dataclasses.asdict(self.parameters))
        request = {"step": Kind.POINTS, "version": POINTS_VERSION, "datasets": seen, "models": models}
        return digest(request | {"source": self.source, "edges": list(self.edges), "parameters": settings})


class FluxPointsStep(Step[FluxPointsWanted]):
    """Estimates flux points; those of the same request that the store holds are found."""

    name, section, needs, needs_models = "flux points", "flux_points", ("datasets",), True

    def validate_order(self, results: Results) -> None:
        """Raise ``OrderError`` before there are datasets with models."""
        with_models(results, "compute flux points of")

    def wanted(self, config: AnalysisConfig) -> tuple[FluxPointsWanted, ...]:
        """Return the bins and the parameters of a configuration; raises ``ConfigError`` where it gives no energies."""
        edges, parameters = points_of(config)
        ranges = [config.fit.fit_range, *(entry.fit_range for entry in config.entries.values() if entry.fit_range)]
        is_set = any(energy is not None for each in ranges for energy in each.bounds())
        return (FluxPointsWanted(config.flux_points.source, edges, parameters, is_set),)

    def remarks(self, wanted: FluxPointsWanted, axes: Mapping[str, Axis], models: Models) -> list[str]:
        """Return a sentence about points that will be empty; raises ``DataError`` where the axes are not aligned."""
        validate_reoptimize(models, source_model(models, wanted.source), wanted.parameters)
        outside = _validate_edges(unify_axis(list(dict.fromkeys(axes.values()))), wanted.edges)
        return [outside] if outside else []

    def find(self, wanted: FluxPointsWanted, results: Results) -> Finding:
        """Return whether the store holds these flux points."""
        if results.awaited:
            cost = cost_of_datasets(results) if results.datasets is None else Cost()
            return Finding.unknown(results.runs, results, cost)
        datasets, seen, models = _asked(wanted, results)
        key = wanted.key(seen, models)
        if not results.store.has(Kind.POINTS, key):
            return Finding(results.runs, "there is no such product in the store", results, key)

        def read() -> Results:
            return _with_points(wanted, results, datasets, _stored(results, key))

        return Finding(results.runs, "the same request is in the store", results, key, read=read)

    def compute(self, wanted: FluxPointsWanted, results: Results) -> Results:
        """Estimate the flux points, or read those of the same request that the store holds.

        Raises
        ------
        OrderError
            Before there are datasets with models.
        ConfigError
            When the source is not one of the models.
        """
        datasets, seen, models = _asked(wanted, results)
        key = wanted.key(seen, models)
        if wanted.is_fit_range_set and any(view.fit_bins is None for view in datasets):
            log.warning("fit.fit_range is not applied to the flux points, because run_fit() was not called.")
        log.info("Calculating flux points.")
        product = _stored(results, key) if results.store.has(Kind.POINTS, key) else None
        if product is None:
            inputs, edges = datasets.fit_inputs(), np.array(wanted.edges)
            data = flux_points(inputs, datasets.models, wanted.source, edges, wanted.parameters)
            results.store.put(Kind.POINTS, key, {"": data}, {}, inputs=[seen, models])
            product = Product(data, key, False)
        log.info("The flux points were %s.", "found in the store" if product.found else "computed")
        after = _with_points(wanted, results, datasets, product)
        if after.flux_points is not None:
            table = after.flux_points.data.to_table(sed_type="dnde", formatted=True)
            log.info("\n%s", table[[name for name in LOGGED if name in table.colnames]])
        return after

    def write(self, results: Results, outdir: Path) -> dict[str, Path]:
        """Write the flux points, and a picture of them."""
        if results.flux_points is None:
            return {}
        path = outdir / "flux-points.fits"
        results.flux_points.write(path, overwrite=True)
        figure = new_figure()
        results.flux_points.plot_fit(*figure.subplots(2, 1, sharex=True, height_ratios=[3, 1]))
        return {"flux points": path, "flux points (picture)": write_figure(figure, outdir / "flux-points.png")}

    def tables(self, results: Results) -> list[Table]:
        """Return a row a point; energies used and counts left out only where a request could not be honoured."""
        if results.flux_points is None:
            return []
        table = results.flux_points.data.to_table(sed_type="dnde")
        names = [name for name in ("dnde", "dnde_err", "dnde_ul", "sqrt_ts") if name in table.colnames]
        rows = [_row(table[number], names) for number in range(len(table))]
        digits = dict.fromkeys(names, 3)
        return [Table("Flux points: energies in TeV, dnde in cm-2 s-1 TeV-1", rows, digits)]


def _row(row: Any, names: Sequence[str]) -> dict[str, Any]:
    edges, used = ([number_text(row[name]) for name in pair] for pair in (EDGES, EDGES_FIT))
    left_out = float(row["counts_left_out"].sum())
    return {
        **{name: row[name] for name in EDGES},
        "used": "-" if edges == used else "nothing" if "-" in used else "-".join(used),
        "left out": f"{left_out:.0f}" if left_out else "-",
        **{name: row[name] for name in names},
    }


def _validate_edges(axis: Axis, edges: Sequence[float]) -> str:
    """Return a sentence about flux points that lie outside of an axis, empty where none does.

    Raises
    ------
    ConfigError
        Where all of them do.
    """
    requested = np.asarray(edges)
    outside = (requested[1:] <= axis.edges[0]) | (requested[:-1] >= axis.edges[-1])
    span = f"{axis.edges[0]:g} to {axis.edges[-1]:g} TeV"
    if outside.all():
        raise ConfigError(
            f"flux_points.energy: all points lie outside of the energies of the datasets, {span}; expected a range "
            f"that overlaps with them, got {requested[0]:g} to {requested[-1]:g} TeV."
        )
    if not outside.any():
        return ""
    return (
        f"flux_points.energy: {outside.sum()} of {outside.size} points lie outside of the energies of the datasets, "
        f"{span}, and will be empty."
    )


def _asked(wanted: FluxPointsWanted, results: Results) -> tuple[Datasets, str, str]:
    """Return the datasets, the key of what the likelihood sees of them, and that of the fit or of the models."""
    datasets, models = with_models(results, "compute flux points of")
    _validate_edges(Axis.from_coords(datasets.fit_inputs()[0].data.coords, "energy"), wanted.edges)
    return datasets, seen_by(results, datasets), _models_key(results, models)


def _models_key(results: Results, models: Models) -> str:
    """Return the key of the fit that set the models, or of their document where they were changed since."""
    key = model_key(models)
    return results.fit.key if results.fit is not None and results.fitted == key else key


def _stored(results: Results, key: str) -> Product[xr.Dataset]:
    points = results.store.get_valid(Kind.POINTS, key)
    log_binning(points)
    return Product(points, key, True)


def _with_points(
    wanted: FluxPointsWanted, results: Results, datasets: Datasets, product: Product[xr.Dataset]
) -> Results:
    source = datasets.models[wanted.source]
    # The points are no dataset that the model was made for.
    model = source if source.datasets_names is None else source.copy(datasets_names=None)
    points = FluxPointsDataset(data=FluxPoints(product.data), models=model)
    computed = results.computed if product.found else results.computed | {FluxPointsStep.section}
    return replace(results, flux_points=points, computed=computed)

"""``flux points``: the flux of a source in bins of energy."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u

from xgamma import datasets as views
from xgamma import estimate
from xgamma.analysis.steps.fit import found_later, with_models
from xgamma.analysis.steps.keys import made_from, model_key, seen_by, stacks_key
from xgamma.analysis.steps.pictures import write_pictures
from xgamma.analysis.steps.step import (
    Finding,
    Product,
    Results,
    SeenSpectrum,
    Step,
    file_name,
)
from xgamma.axes import Axis, unify_axis
from xgamma.config.requests import names_of, points_of
from xgamma.datasets.binned_row import BinnedRow
from xgamma.errors import ConfigError
from xgamma.estimate.flux_points_parameters import FluxPointsParameters, source_model, validate_telescopes
from xgamma.models.models import Models
from xgamma.plot import figures, legends
from xgamma.plot import spectrum as plot_spectrum
from xgamma.plot import style as plot_style
from xgamma.schema import Kind
from xgamma.store import canonical_json, digest
from xgamma.store.lineage import MADE_FROM
from xgamma.tables import points as point_tables

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from xgamma.config.config import AnalysisConfig
    from xgamma.datasets import Datasets, FluxPointsDataset
    from xgamma.schema.arrays import Arrays
    from xgamma.tables.table import Table


log = logging.getLogger(__name__)

POINTS_VERSION = 3
ENERGY = "flux_points.energy"


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
    name
        Of the entry of ``datasets`` whose flux it is; ``None`` for that of all together.
    """

    source: str
    edges: tuple[float, ...]
    parameters: FluxPointsParameters
    is_fit_range_set: bool
    name: str | None = None

    def key(self, seen: str, models: str) -> str:
        """Return the key: of what the likelihood sees, and of the fit that set the models or of their document."""
        settings = canonical_json(self.parameters.document())
        request = {"step": Kind.POINTS, "version": POINTS_VERSION, "datasets": seen, "models": models}
        return digest(request | {"source": self.source, "edges": list(self.edges), "parameters": settings})


class FluxPointsStep(Step[FluxPointsWanted]):
    """Estimates flux points; those of the same request that the store holds are found."""

    name, section, needs, needs_models, finds_unread = "flux points", "flux_points", ("datasets",), True, True

    def validate_order(self, results: Results) -> None:
        """Raise ``OrderError`` before there are datasets with models."""
        with_models(results, "compute flux points of")

    def wanted(self, config: AnalysisConfig) -> tuple[FluxPointsWanted, ...]:
        """Return the bins and the parameters of a configuration; raises ``ConfigError`` where it gives no energies."""
        edges, parameters = points_of(config)
        is_set = is_fit_range_set(config)
        names = names_of(config) if config.flux_points.joint is False and len(config.entries) > 1 else [None]
        return tuple(FluxPointsWanted(config.flux_points.source, edges, parameters, is_set, name) for name in names)

    def remarks(self, wanted: FluxPointsWanted, axes: Mapping[str, Axis], models: Models) -> list[str]:
        """Return a sentence about points that will be empty; raises ``DataError`` where the axes are not aligned."""
        source_model(models, wanted.source)
        if wanted.name is None:
            outside = validate_edges(unify_axis(list(dict.fromkeys(axes.values()))), wanted.edges, ENERGY)
        else:
            outside = validate_edges(axes[wanted.name], wanted.edges, ENERGY, wanted.name)
        return [outside] if outside else []

    def validate_bins(self, wanted: FluxPointsWanted, spectra: Sequence[SeenSpectrum]) -> None:
        """Raise ``DataError`` for several telescopes, where their common flux is not asked for."""
        seen = [each for each in spectra if wanted.name in (None, each.entry)]
        if not wanted.parameters.allow_multiple_telescopes:
            validate_telescopes(sorted({each.telescope for each in seen} - {""}))

    def find(self, wanted: FluxPointsWanted, results: Results) -> Finding:
        """Return whether the store holds these flux points."""
        if results.awaited:
            return found_later(results)
        if (found := _found_unread(wanted, results)) is not None:
            return found
        whole = results.whole()
        datasets, seen, models = _asked(wanted, whole)
        key = wanted.key(seen, models)
        return Finding.of_key(
            whole, Kind.POINTS, key, lambda: _with_points(wanted, whole, datasets, _stored(whole, key))
        )

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
            log.warning("fit.fit_range is not applied to the flux points, because the models were not fitted.")
        log.info("Calculating flux points.")
        product = _stored(results, key) if results.store.has(Kind.POINTS, key) else None
        if product is None:
            inputs, edges = datasets.fit_inputs(), np.array(wanted.edges)
            data = estimate.flux_points(inputs, _models_of(wanted, datasets), wanted.source, edges, wanted.parameters)
            results.store.put(Kind.POINTS, key, {"": data}, {MADE_FROM: made_from(results)}, inputs=[seen, models])
            product = Product(data, key, False)
        log.info("The flux points were %s.", "found in the store" if product.found else "computed")
        return _with_points(wanted, results, datasets, product)

    def write(self, results: Results, outdir: Path) -> dict[str, Path]:
        """Write the flux points, and a picture of them."""
        files = {}
        for name, points in _all_points(results).items():
            what = f"flux points of {name}" if name else "flux points"
            files[what] = outdir / f"{file_name(what)}.fits"
            points.write(files[what], overwrite=True)
        if files:
            shown = [points.data.arrays for points in _all_points(results).values()]
            files |= write_pictures(results, outdir, "flux points", lambda: _picture(results), shown)
        return files

    def tables(self, results: Results) -> list[Table]:
        """Return a row a point; energies used and counts left out only where a request could not be honoured."""
        return [
            point_tables.points_table(points.data.arrays, "dnde", name) for name, points in _all_points(results).items()
        ]


def _picture(results: Results) -> dict[str, Figure]:
    figure = figures.picture_figure()
    if results.flux_points is not None:
        _, (above, below) = figures.panels(2, columns=1, figure=figure, sharex=True, height_ratios=[3, 1])
        results.flux_points.plot_fit(above, below)
    else:
        plot_flux_points_of(results.flux_points_of, figures.add_axes(figure))
    figures.show_title(figure.axes[0], *(results.datasets.facts() if results.datasets is not None else ()))
    return {"flux points": figure}


def _all_points(results: Results) -> dict[str, FluxPointsDataset]:
    """Return the flux points by the name of their entry, empty for those of all together."""
    joint = {} if results.flux_points is None else {"": results.flux_points}
    return {**joint, **results.flux_points_of}


def plot_flux_points_of(points: Mapping[str, FluxPointsDataset], ax: Axes, **style: Any) -> Axes:
    """Draw the flux points of several entries of ``datasets``, each in its colour, and the spectrum with its error.

    Parameters
    ----------
    points
        By the name of the entry; the models are the same for all.
    ax, **style
        Where to draw, and what ``FluxPoints.plot`` takes.
    """
    style = {"sed_type": "e2dnde", "ms": 4, **style}
    heights, energies = [], []
    for number, (name, each) in enumerate(points.items()):
        each.data.plot(ax, **plot_style.merged_style(plot_style.point_style(number), {"label": name}, style))
        heights.append(ax.get_ylim())
        energies += [each.data.energy_min.min(), each.data.energy_max.max()]
    bounds = u.Quantity([min(energies), max(energies)])
    for model in next(iter(points.values())).models:
        model.spectral_model.plot(bounds, ax=ax, sed_type=style["sed_type"], color="black", lw=1.2, label=model.name)
        model.spectral_model.plot_error(
            bounds,
            ax=ax,
            sed_type=style["sed_type"],
            facecolor="black",
            alpha=0.2,
            label=plot_spectrum.band_label(model.name),
        )
    ax.set_xlim(0.8 * bounds[0].to_value("TeV"), 1.25 * bounds[1].to_value("TeV"))
    ax.set_ylim(min(low for low, _ in heights), max(high for _, high in heights))
    legends.show_legend(ax)
    return ax


def is_fit_range_set(config: AnalysisConfig) -> bool:
    """Whether a configuration limits the energies of the fit, of all datasets or of some."""
    ranges = [config.fit.fit_range, *(entry.fit_range for entry in config.entries.values() if entry.fit_range)]
    return any(energy is not None for each in ranges for energy in each.bounds())


def validate_edges(axis: Axis, edges: Sequence[float], where: str, name: str = "") -> str:
    """Return a sentence about bins of a key that lie outside of an axis, empty where none does.

    Raises
    ------
    ConfigError
        Where all of them do.
    """
    requested = np.asarray(edges)
    outside = (requested[1:] <= axis.edges[0]) | (requested[:-1] >= axis.edges[-1])
    span = f"{name or 'the datasets'}, {axis.edges[0]:g} to {axis.edges[-1]:g} TeV"
    if outside.all():
        raise ConfigError(
            f"{where}: all points lie outside of the energies of {span}; expected a range "
            f"that overlaps with them, got {requested[0]:g} to {requested[-1]:g} TeV."
        )
    if not outside.any():
        return ""
    return (
        f"{where}: {outside.sum()} of {outside.size} points lie outside of the energies of {span}, and will be empty."
    )


def _asked(wanted: FluxPointsWanted, results: Results) -> tuple[Datasets, str, str]:
    """Return the datasets, the key of what the likelihood sees of them, and that of the fit or of the models."""
    datasets, models = with_models(results, "compute flux points of")
    if wanted.name is not None:
        datasets = _datasets_of(wanted.name, results, datasets)
    axis = Axis.from_coords(datasets.fit_inputs()[0].arrays.coords, "energy")
    validate_edges(axis, wanted.edges, ENERGY, wanted.name or "")
    return datasets, seen_by(results, datasets), models_key(results, models)


def _found_unread(wanted: FluxPointsWanted, results: Results) -> Finding | None:
    """Return the finding of flux points of stacks that nobody has read; ``None`` where that does not find them."""
    stacks = [each for each in results.unread_stacks if wanted.name in (None, each.entry)]
    if results.unread is None or results.unread.models is None or not stacks:
        return None
    key = wanted.key(stacks_key(stacks), results.unread.fit or model_key(results.unread.models))
    if not results.store.has(Kind.POINTS, key):
        return None

    def read() -> Results:
        whole = results.whole()
        datasets, _, _ = _asked(wanted, whole)
        return _with_points(wanted, whole, datasets, _stored(whole, key))

    return Finding.of_key(results, Kind.POINTS, key, read)


def _datasets_of(name: str, results: Results, datasets: Datasets) -> Datasets:
    """Return the datasets of an entry; raises ``ConfigError`` where they are not those of the configuration."""
    products = [each.product for each in results.reductions.values() if each.name == name and each.product is not None]
    groups = {id(product.data) for product in products}
    own = [view for view in datasets if isinstance(view, BinnedRow) and id(view.arrays) in groups]
    if not own:
        raise ConfigError(
            f"flux_points.joint: false asks for the flux points of {name!r}, which is none of the datasets; make them "
            "with get_datasets()."
        )
    return views.Datasets(own)


def _models_of(wanted: FluxPointsWanted, datasets: Datasets) -> Models:
    """Return the models; of the datasets of one entry those that contribute to them, and the source."""
    models = datasets.models
    if wanted.name is None:
        return models
    return Models([m for m in models if m.name == wanted.source or any(m.applies_to(name) for name in datasets.names)])


def models_key(results: Results, models: Models) -> str:
    """Return the key of the fit that set the models, or of their document where they were changed since."""
    key = model_key(models)
    return results.fit.key if results.fit is not None and results.fitted == key else key


def _stored(results: Results, key: str) -> Product[Arrays]:
    points = results.store.get_arrays(Kind.POINTS, key)
    estimate.log_binning(points)
    return Product(points, key, True)


def _with_points(wanted: FluxPointsWanted, results: Results, datasets: Datasets, product: Product[Arrays]) -> Results:
    source = datasets.models[wanted.source]
    # The points are no dataset that the model was made for.
    model = source if source.datasets_names is None else source.copy(datasets_names=None)
    points = views.FluxPointsDataset(data=views.FluxPoints(product.data), models=model)
    computed = results.computed if product.found else results.computed | {FluxPointsStep.section}
    if wanted.name is None:
        return replace(results, flux_points=points, flux_points_of={}, computed=computed)
    known = {each.name for each in results.reductions.values()}
    every = {name: each for name, each in results.flux_points_of.items() if name in known} | {wanted.name: points}
    return replace(results, flux_points=None, flux_points_of=every, computed=computed)

"""``excess map``: the excess about each pixel of the maps, one product for each stack."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import xarray as xr

from xgamma import datasets as views
from xgamma import estimate, predict
from xgamma.analysis import costs
from xgamma.analysis.steps.keys import dataset_key, made_from, model_key
from xgamma.analysis.steps.pictures import write_pictures
from xgamma.analysis.steps.step import Finding, Results, Step, file_name
from xgamma.axes import Axis, BoolArray
from xgamma.config.requests import excess_map_of
from xgamma.datasets import titles
from xgamma.errors import DataError, OrderError
from xgamma.estimate.excess_parameters import ExcessMapParameters, validate_planes
from xgamma.masks import Exclusion, together
from xgamma.models.models import Models
from xgamma.plot import figures
from xgamma.reduce.rows import select_rows
from xgamma.schema import WINDOWS, Kind, space_dims
from xgamma.schema.excess_map import plane_chunks
from xgamma.store import canonical_json, digest
from xgamma.store.lineage import MADE_FROM
from xgamma.tables import maps as map_tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from xgamma.config.config import AnalysisConfig
    from xgamma.datasets import ExcessMap
    from xgamma.estimate import SignificanceDistribution
    from xgamma.fit import FitInput
    from xgamma.tables.table import Table


log = logging.getLogger(__name__)

# Version 2 has norms where no run sees the middle of the map.
EXCESS_MAP_VERSION = 2
WHERE = "excess_map"
PICTURES_MAX = 12
"""How many maps are drawn; files are written of all."""


@dataclass(frozen=True)
class ExcessMapWanted:
    """Which excess maps are wanted.

    Parameters
    ----------
    radius
        Of the circle, deg.
    edges
        Of the planes in TeV; ``None`` is one plane of all energies.
    parameters
        What is estimated.
    """

    radius: float
    edges: tuple[float, ...] | None
    parameters: ExcessMapParameters

    def key(self, seen: str, row: str, models: str = "") -> str:
        """Return the key of the map of a row of Datasets whose key is given, and that of models where there are any."""
        request = {"step": Kind.EXCESS_MAP, "version": EXCESS_MAP_VERSION, "datasets": seen, "row": row}
        edges = None if self.edges is None else list(self.edges)
        settings = canonical_json(asdict(self.parameters))
        beside = {"models": models} if models else {}
        return digest(request | {"radius": self.radius, "edges": edges, "parameters": settings} | beside)


class _Row(NamedTuple):
    """One row of the datasets: its name, the Dataset of it alone, its bins, the key of its map, and its models."""

    name: str
    data: xr.Dataset
    used: BoolArray
    key: str
    seen: str
    models: Sequence[Any]


class ExcessMapStep(Step[ExcessMapWanted]):
    """Makes an excess map of each stack; one of the same request that the store holds is found."""

    name, section, needs = "excess map", WHERE, ("datasets",)

    def validate_order(self, results: Results) -> None:
        """Raise ``OrderError`` before there are datasets."""
        if not _inputs(results):
            what = "There are no datasets to make an excess map of"
            raise OrderError(f"{what}; call get_datasets() or read_datasets() first.")

    def wanted(self, config: AnalysisConfig) -> tuple[ExcessMapWanted, ...]:
        """Return what is wanted of all maps; raises ``ConfigError`` for what fits no pixels, and without a stack."""
        return (ExcessMapWanted(*excess_map_of(config)),)

    def find(self, wanted: ExcessMapWanted, results: Results) -> Finding:
        """Return how many of the maps the store holds."""
        if results.awaited:
            rows = ((each.recipe, each.count) for each in results.reductions.values() if each.recipe is not None)
            return Finding.unknown(results.runs, results, costs.maps_cost(rows))
        keys = [row.key for row in _rows(wanted, results)]
        missing = [key for key in keys if not results.store.has(Kind.EXCESS_MAP, key)]
        key = keys[0] if len(keys) == 1 else None
        if missing:
            reason = (
                f"{len(missing)} of {len(keys)} maps are not in the store"
                if len(keys) > 1
                else "there is no such product in the store"
            )
            return Finding(results.runs, reason, results, key)

        def read() -> Results:
            return self.compute(wanted, results)

        return Finding(results.runs, "the same request is in the store", results, key, read=read)

    def compute(self, wanted: ExcessMapWanted, results: Results) -> Results:
        """Make the maps, or read those of the same request that the store holds.

        Where the datasets have models, the excess is what these do not predict.

        Raises
        ------
        OrderError
            Before there are datasets.
        DataError
            For spectra, which have no pixels, and for maps without a background.
        """
        self.validate_order(results)
        found: dict[str, ExcessMap] = {}
        is_new = False
        for row in _rows(wanted, results):
            if results.store.has(Kind.EXCESS_MAP, row.key):
                data = results.store.get_valid(Kind.EXCESS_MAP, row.key)
            else:
                is_new = True
                options: dict[str, Any] = {"used": row.used, "models": row.models}
                data = estimate.excess_map(row.data, wanted.radius, wanted.edges, wanted.parameters, **options)
                cut = plane_chunks(data)
                results.store.put(
                    Kind.EXCESS_MAP,
                    row.key,
                    {"": data},
                    {MADE_FROM: made_from(results)},
                    inputs=[row.seen],
                    encoding=cut,
                )
            estimate.log_planes(data)
            found[row.name] = views.ExcessMap(data, _known(results, row.name))
        log.info("The excess map was %s.", "computed" if is_new else "found in the store")
        computed = results.computed | {self.section} if is_new else results.computed
        return replace(results, excess_maps=found, computed=computed)

    def write(self, results: Results, outdir: Path) -> dict[str, Path]:
        """Write the maps, and pictures of their significance and how it is distributed."""
        files: dict[str, Path] = {}
        exclusion = _exclusion(results)
        for number, (stack, view) in enumerate(results.excess_maps.items()):
            of = f" of {stack}" if len(results.excess_maps) > 1 else ""
            stem = file_name(f"excess map{of}")
            path = outdir / f"{stem}.fits.gz"
            view.write(path, overwrite=True)
            files[f"excess map{of}"] = path
            if number >= PICTURES_MAX:
                continue
            masked = None if exclusion is None else exclusion.digest
            draw, details = partial(_pictures, view, exclusion, of), [masked, *view.facts()]
            files |= write_pictures(results, outdir, stem, draw, [view.data], details)
        return files

    def tables(self, results: Results) -> list[Table]:
        """Return the most significant pixels of each map."""
        return [map_tables.excess_map_table(view.data, name) for name, view in results.excess_maps.items()]

    def document(self, results: Results) -> dict[str, Any]:
        """Return the largest significance of each map, and the distribution of all outside of the exclusion."""
        exclusion = _exclusion(results)
        found = [_summary(view, exclusion) for view in results.excess_maps.values()]
        return {"excess_maps": found} if found else {}


def _known(results: Results, name: str) -> tuple[str, ...]:
    """Return what titles say of the dataset of a map."""
    if results.datasets is None:
        return ()
    view = results.datasets[name]
    own, *others = titles.row_facts(view, with_significance=False)
    return (own if titles.source_names(view.models) else _targets(results) or own, *others)


def _targets(results: Results) -> str:
    """Return what the runs were pointed at, as they say; empty where that is too much for a title."""
    tables = [each.observations.table for each in results.observed.values() if each.observations is not None]
    names = list(dict.fromkeys(name for table in tables for name in table["target"] if name))
    return " + ".join(names) if len(names) <= titles.NAMES_MOST else ""


def _pictures(view: ExcessMap, exclusion: Exclusion | None, of: str) -> dict[str, Figure]:
    """Return the significance of a map, and how it is distributed."""
    pictures = {f"significance{of}": _drawn(view)}
    if _distribution(view, exclusion) is not None:
        pictures[f"distribution of significance{of}"] = _drawn_distribution(view, exclusion)
    return pictures


def _drawn(view: ExcessMap) -> Figure:
    """Return a picture of the significance, in all planes of energy."""
    if len(view.energy_ref) > 1:
        figure = cast("Figure", view.plot_grid(beam=view.correlation_radius)[0].figure)
        figures.show_title(figure, *view.facts())
        return figure
    figure = figures.picture_figure()
    figures.show_title(view.plot(fig=figure, scale_bar=True), *view.facts())
    return figure


def _distribution(view: ExcessMap, exclusion: Exclusion | None) -> SignificanceDistribution | None:
    """Return how significances are distributed; ``None``, with a warning, of a map with next to no pixels outside."""
    try:
        return view.significance_distribution(exclusion)
    except DataError as error:
        log.warning("Excess map of %s: %s", view.name, error)
        return None


def _drawn_distribution(view: ExcessMap, exclusion: Exclusion | None) -> Figure:
    figure = figures.picture_figure()
    ax = view.plot_distribution(exclusion, figures.add_axes(figure))
    figures.show_title(ax, *view.facts())
    return figure


def _summary(view: ExcessMap, exclusion: Exclusion | None) -> dict[str, Any]:
    found, significance = _distribution(view, exclusion), view.data["sqrt_ts"].values
    known = significance[np.isfinite(significance)]
    return {
        "dataset": view.name,
        "planes": view.data.sizes["energy"],
        "binning_report": view.data.attrs["binning_report"],
        "largest_sqrt_ts": float(known.max()) if known.size else None,
        "mean_sqrt_ts": None if found is None else found.mean,
        "std_sqrt_ts": None if found is None else found.std,
    }


def _inputs(results: Results) -> list[FitInput]:
    """Return the datasets and their bins."""
    found = [] if results.datasets is None else results.datasets.fit_inputs()
    return [one for one in found if not one.is_flux_points]


def _rows(wanted: ExcessMapWanted, results: Results) -> Iterator[_Row]:
    """Yield each row of the datasets that is a window of the sky; raises ``DataError`` where there is none."""
    windows = [one for one in _inputs(results) if space_dims(one.data) == WINDOWS]
    if not windows:
        raise DataError(
            "Cannot make an excess map of 1D datasets, which have no pixels; reduce with datasets.type: 3d."
        )
    for one in windows:
        if wanted.edges is not None:
            validate_planes(Axis.from_coords(one.data.coords, "energy"), np.array(wanted.edges))
        seen, used = dataset_key(results, one), one.used
        for number, name in enumerate(one.names):
            models = [] if results.datasets is None else predict.selected_models(results.datasets.models, [name])
            beside = model_key(Models(models)) if models else ""
            key = wanted.key(seen, name, beside)
            yield _Row(name, select_rows(one.data, [number]), used[number], key, seen, models)


def _exclusion(results: Results) -> Exclusion | None:
    """Return what any reduction excludes."""
    recipes = [each.recipe for each in results.reductions.values() if each.recipe is not None]
    return together([recipe.exclusion for recipe in recipes if recipe.exclusion is not None])

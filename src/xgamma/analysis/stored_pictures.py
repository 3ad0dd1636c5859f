"""The pictures that can be drawn of a product of a store, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import xarray as xr

from xgamma.analysis.steps.fit_pictures import fit_pictures
from xgamma.analysis.stored_fit import fitted_datasets, stored_models
from xgamma.datasets import Datasets, ExcessMap, FluxPoints, GroupFits, GroupPoints, LightCurve, MapDataset
from xgamma.errors import StoreError, UnknownNameError, did_you_mean
from xgamma.plot import figures
from xgamma.schema.tables import Kind
from xgamma.store import Record, Store
from xgamma.store.lineage import MADE_FROM

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Draw = Callable[[], "Figure"]
FLUXES = ("e2dnde", "dnde", "flux", "eflux")
"""Kinds of flux that can be drawn."""


def pictures_of(store: Store, record: Record, row: str | None = None) -> Mapping[str, Draw]:
    """Return what can be drawn of a product by name, the usual picture first; nothing of runs and pictures.

    Parameters
    ----------
    store, record
        Where it is.
    row
        Of rows and stacks the one that is drawn; the first where none is named.

    Raises
    ------
    UnknownNameError
        For a row that there is not.
    """
    if record.kind in (Kind.DL3, Kind.PICTURE):
        return {}
    data = store.get_valid(record.kind, record.key)
    return _PICTURES[Kind(record.kind)](store, record, data, row)


def _of_points(store: Store, record: Record, data: xr.Dataset, row: str | None) -> dict[str, Draw]:
    view = FluxPoints(data)
    found = {kind: _on_axes(view.plot, sed_type=kind) for kind in FLUXES}
    profiles = {"profiles": _on_axes(view.plot_ts_profiles, sed_type="e2dnde")} if view.has_stat_profiles else {}
    return found | profiles


def _of_light_curve(store: Store, record: Record, data: xr.Dataset, row: str | None) -> dict[str, Draw]:
    view = LightCurve(data)
    kinds = ("flux", *(kind for kind in FLUXES if kind != "flux"))
    return {kind: _on_axes(view.plot, sed_type=kind, close_gaps=True) for kind in kinds}


def _of_group_points(store: Store, record: Record, data: xr.Dataset, row: str | None) -> dict[str, Draw]:
    return {kind: _on_axes(GroupPoints(data).plot, sed_type=kind) for kind in FLUXES}


def _of_group_fits(store: Store, record: Record, data: xr.Dataset, row: str | None) -> dict[str, Draw]:
    def draw() -> Figure:
        figure = figures.picture_figure()
        GroupFits(data).plot(figure, close_gaps=True)
        return figure

    return {"parameters": draw}


def _of_excess_map(store: Store, record: Record, data: xr.Dataset, row: str | None) -> dict[str, Draw]:
    view = ExcessMap(data)

    def drawn(name: str) -> Draw:
        def draw() -> Figure:
            figure = figures.picture_figure()
            view.plot(name, fig=figure)
            return figure

        return draw

    names = ["sqrt_ts", *(name for name in view.available_quantities if name != "sqrt_ts")]
    return {name: drawn(name) for name in names} | {"distribution": _on_axes(view.plot_distribution, with_none=True)}


def _of_rows(store: Store, record: Record, data: xr.Dataset, row: str | None) -> dict[str, Draw]:
    datasets = Datasets.from_xarray(data)
    view = _row(datasets, row)
    if isinstance(view, MapDataset):
        return {"counts": _on_axes(view.plot_counts, has_pixels=view), "peek": view.peek}
    found: dict[str, Draw] = {
        "counts": _on_axes(view.plot_counts),
        "excess": _on_axes(view.plot_excess),
        "peek": view.peek,
    }
    return found | ({"cumulative": datasets.plot} if len(datasets) > 1 else {})


def _row(datasets: Datasets, row: str | None) -> Any:
    names = datasets.names
    if row is not None and row not in names:
        raise UnknownNameError(f"--row: there is no row {row!r}.{did_you_mean(row, names)}")
    return datasets[0 if row is None else names.index(row)]


def _of_fit(store: Store, record: Record, data: xr.Dataset, row: str | None) -> dict[str, Draw]:
    models = stored_models(store, record)
    found: dict[str, Draw] = {}
    sources = [str(each).split("/") for each in record.provenance.get(MADE_FROM, ())]
    if sources and all(store.has(each[0], each[1]) for each in sources):
        found["fit"] = lambda: _fitted(store, record, row)
    return found | {"correlations": _on_axes(models.covariance.plot_correlation)}


def _fitted(store: Store, record: Record, row: str | None) -> Figure:
    """Draw counts and what the models predict, in the bins of the fit."""
    datasets = fitted_datasets(store, record, is_exact=False)
    shown = Datasets([_row(datasets, row)])
    shown.models = datasets.models
    pictures = fit_pictures(shown)
    if "fit" not in pictures:
        raise StoreError("There is nothing to draw of these datasets.")
    return pictures["fit"]


def _on_axes(draw: Callable[..., Any], *, with_none: bool = False, has_pixels: Any = None, **options: Any) -> Draw:
    """Return what draws on the axes of a new figure."""

    def drawn() -> Figure:
        figure = figures.picture_figure()
        ax = figure.subplots(subplot_kw={} if has_pixels is None else has_pixels.axes_options)
        draw(*([None] if with_none else []), ax, **options)
        return figure

    return drawn


_PICTURES: Mapping[Kind, Callable[[Store, Record, xr.Dataset, str | None], dict[str, Draw]]] = {
    Kind.ROWS: _of_rows,
    Kind.STACK: _of_rows,
    Kind.FIT: _of_fit,
    Kind.POINTS: _of_points,
    Kind.LIGHT_CURVE: _of_light_curve,
    Kind.FIT_EACH: _of_group_fits,
    Kind.POINTS_EACH: _of_group_points,
    Kind.EXCESS_MAP: _of_excess_map,
}

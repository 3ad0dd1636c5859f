"""The pictures of a fit: spectra with what the models predict, and what is left of maps beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xgamma import datasets as views
from xgamma import estimate, models, shapes
from xgamma.datasets import titles
from xgamma.datasets.maps import membership
from xgamma.errors import DataError
from xgamma.plot import figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from xgamma.datasets import Datasets, MapDataset
    from xgamma.shapes import Circle


RADIUS = 0.1
"""Of the circle that residuals are summed over, and the smallest about a source, deg."""


MOST_MAPS = 4
"""Each has a picture of its own; of more the first do."""


def fit_pictures(datasets: Datasets) -> dict[str, Figure]:
    """Return the pictures of a fit by name: of all spectra, and of each of the first maps."""
    maps = [view for view in datasets if isinstance(view, views.MapDataset)]
    has_spectra = any(isinstance(view, views.SpectrumDataset) for view in datasets)
    found = {"fit": datasets.plot_fit(figures.picture_figure())} if has_spectra else {}
    for view in maps[:MOST_MAPS]:
        of = "" if len(maps) == 1 else f" of {view.name}"
        found |= {f"fit of maps{of}" if has_spectra and not of else f"fit{of}": _of_map(view)}
        found |= {f"{name}{of}": figure for name, figure in _of_residuals(view).items()}
    return found


def _of_map(view: MapDataset) -> Figure:
    figure = figures.picture_figure()
    view.plot_prediction(figure, _source_region(view))
    return figure


def _of_residuals(view: MapDataset) -> dict[str, Figure]:
    """Return the significance of what the models do not predict, and how it is distributed."""
    [one] = view.fit_inputs()
    radius = max(RADIUS, view.image.binsize)
    if "background" not in one.data or 2 * radius > max(view.image.shape) * view.image.binsize:
        return {}
    found = views.ExcessMap(estimate.excess_map(one.data, radius, used=one.used[0], models=list(view.models)))
    significance, distribution = figures.picture_figure(), figures.picture_figure()
    facts = ("Residuals", *titles.row_facts(view, with_significance=False))
    figures.show_title(found.plot(fig=significance, cmap="coolwarm", vmin=-5, vmax=5), *facts)
    try:
        figures.show_title(found.plot_distribution(None, figures.add_axes(distribution)), *facts)
    except DataError:
        # Of next to no pixels nobody asks how they are distributed.
        return {"significance of residuals": significance}
    return {"significance of residuals": significance, "distribution of residuals": distribution}


def _source_region(view: MapDataset) -> Circle | None:
    """Return a circle about the first source of the models that lies in the map, ``None`` for the whole map."""
    for model in view.models:
        place = model.spatial_model if isinstance(model, models.SkyModel) and model.applies_to(view.name) else None
        center = None if place is None else place.center()
        if place is not None and center is not None:
            circle = shapes.Circle(*center, max(RADIUS, 2 * view.image.binsize), place.frame)
            return circle if membership.shares_of_region(view.image, circle).is_whole else None
    return None

"""The norms of expected backgrounds that models of maps are fitted with."""

from __future__ import annotations

from xgamma.datasets import Datasets, MapDataset
from xgamma.models.models import FoVBackgroundModel, Models


def add_backgrounds(models: Models, datasets: Datasets) -> None:
    """Add the norm of its expected background for each map that has one, unless one of the models is about it.

    It is called ``{dataset}-bkg``; its norm is free, its tilt is not.
    """
    known = {name for model in models if isinstance(model, FoVBackgroundModel) for name in model.datasets_names or ()}
    held = (view for view in datasets if isinstance(view, MapDataset) and "background" in view.group)
    models.extend([FoVBackgroundModel(dataset_name=view.name) for view in held if view.name not in known])

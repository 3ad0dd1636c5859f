"""Datasets handed to Gammapy and taken over from it, with their models and fit masks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import xarray as xr

from xgamma import bridges
from xgamma.datasets.files import with_mask_fit
from xgamma.datasets.info import row_names
from xgamma.datasets.inputs import ModelledRows
from xgamma.errors import LaterError
from xgamma.models.models import Models


def collection_of_gammapy(parts: Sequence[ModelledRows]) -> Any:
    """Return all rows as ``Datasets`` of Gammapy; those that share models share them there too."""
    theirs = {id(part.models): part.models.to_gammapy() for part in parts if len(part.models)}
    collection = bridges.spectra.collected(
        dataset for part in parts for dataset in _with_models(part, theirs.get(id(part.models)))
    )
    if len(theirs) == 1 and all(len(part.models) for part in parts):
        # The covariance between models is kept by the collection only.
        [collection.models] = theirs.values()
    return collection


def _with_models(part: ModelledRows, models: Any) -> list[Any]:
    bound = [model.name for model in part.models if model.datasets_names is not None]
    if bound and part.data.sizes["region"] > 1:
        raise LaterError(
            f"Model {bound[0]!r} belongs to rows of several regions, and in Gammapy each of these is a dataset with a "
            "name of its own; set the models there."
        )
    rows = with_mask_fit(part.data, part.mask_fit)
    datasets: list[Any] = bridges.spectra.to_gammapy(rows, row_names(part.data))
    for dataset in datasets:
        dataset.models = models
    return datasets


class Taken(NamedTuple):
    """Datasets of Gammapy as ours: Datasets, the names in their order, all models, and those of each by name."""

    data: list[xr.Dataset]
    names: list[str]
    models: Models
    models_of: dict[str, list[str]]

    @property
    def models_are_shared(self) -> bool:
        """Whether each dataset has just those of all models that say they belong to it."""
        return all(
            sorted(found) == sorted(model.name for model in self.models if model.applies_to(name))
            for name, found in self.models_of.items()
        )


def taken_from_gammapy(datasets: Any) -> Taken:
    """Return one or several datasets of Gammapy as Datasets of rows, with their models."""
    given = bridges.spectra.collected(datasets if isinstance(datasets, Iterable) else [datasets])
    held = given.models
    return Taken(
        bridges.spectra.from_gammapy(given),
        [dataset.name for dataset in given],
        Models.from_gammapy(held) if held else Models(),
        {dataset.name: [model.name for model in dataset.models or ()] for dataset in given},
    )

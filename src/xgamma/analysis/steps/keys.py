"""The keys of what a likelihood sees and of models, of which fits, points and pictures are made."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from xgamma.models.npred_models import TemplateNPredModel
from xgamma.schema import WINDOWS, Kind, space_dims
from xgamma.store import dataset_digest, digest

if TYPE_CHECKING:
    from xgamma.analysis.steps.step import Results, SeenStack
    from xgamma.axes import BoolArray
    from xgamma.datasets import Datasets
    from xgamma.fit import FitInput
    from xgamma.models.models import Models

MAP_VERSION = 2
"""Of what maps are predicted to hold."""
CURVE_ENERGIES = np.geomspace(1e-3, 1e3, 61)  # TeV


def datasets_key(inputs: Sequence[FitInput], keys: Sequence[str]) -> str:
    """Return the key of what a likelihood sees: its Datasets and the bins it uses of them."""
    is_map = any(not one.is_flux_points and space_dims(one.arrays) == WINDOWS for one in inputs)
    names = [one.arrays["dataset"].values.tolist() for one in inputs]
    return _seen_key(keys, names, [one.mask for one in inputs], is_map)


def stacks_key(stacks: Sequence[SeenStack]) -> str:
    """Return the key of what a likelihood sees of stacks, each of one spectrum, that nobody has read."""
    return _seen_key(
        [each.key for each in stacks], [[each.name] for each in stacks], [each.mask for each in stacks], False
    )


def _seen_key(keys: Sequence[str], names: Sequence[Any], masks: Sequence[BoolArray | None], is_map: bool) -> str:
    bins = [None if mask is None else np.packbits(mask).tobytes().hex() for mask in masks]
    seen = {"datasets": list(keys), "names": list(names), "mask_fit": bins}
    return digest(seen | ({"maps": MAP_VERSION} if is_map else {}))


def model_key(models: Models) -> str:
    """Return the digest of models: of their document, of the tables they read, and of each spectrum at some energies.

    A document names tables and functions; the curves tell when a user's own function has become another.
    """
    spectra = [model.spectral_model for model in models if getattr(model, "spectral_model", None) is not None]
    with np.errstate(all="ignore"):
        curves = [[f"{value:.9e}" for value in np.atleast_1d(spectrum.dnde(CURVE_ENERGIES))] for spectrum in spectra]
    in_time = [
        part for model in models if (part := getattr(model, "temporal_model", None)) is not None and part.tables()
    ]
    shapes = [part for model in models if (part := getattr(model, "spatial_model", None)) is not None and part.tables()]
    templates = [model for model in models if isinstance(model, TemplateNPredModel) and model.tables()]
    read = (*spectra, *in_time, *shapes, *templates)
    tables = [[hashlib.sha256(table).hexdigest() for table in part.tables()] for part in read]
    return digest({"document": models.to_yaml(full_output=True), "curves": curves, "tables": tables})


def seen_by(results: Results, datasets: Datasets) -> str:
    """Return the key of what a likelihood sees; Datasets that no reduction made are keyed by their content."""
    return _key_of(results, datasets.fit_inputs())


def dataset_key(results: Results, one: FitInput) -> str:
    """Return the key of one Dataset and its bins, as ``seen_by``."""
    return _key_of(results, [one])


def _key_of(results: Results, inputs: Sequence[FitInput]) -> str:
    reductions = results.reductions.values()
    known = {id(each.product.data): each.product.key for each in reductions if each.product is not None}
    return datasets_key(inputs, [known.get(id(one.arrays)) or dataset_digest(one.arrays) for one in inputs])


def made_from(results: Results) -> list[str]:
    """Return the products that datasets and models were made from, ``kind/key``: stacks, else rows, and the fit."""
    found: list[str] = []
    for each in results.reductions.values():
        if each.product is not None and results.store.has(Kind.STACK, each.product.key):
            found.append(f"{Kind.STACK}/{each.product.key}")
        elif each.rows is not None:
            found += [f"{Kind.ROWS}/{key}" for key, _ in each.rows.places]
    models = None if results.datasets is None else results.datasets.models
    if results.fit is not None and models is not None and results.fitted == model_key(models):
        found.append(f"{Kind.FIT}/{results.fit.key}")
    return list(dict.fromkeys(found))

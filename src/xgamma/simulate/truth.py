"""The truth that travels with a simulated release: its plan, and the model of its source."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import xgamma.models  # noqa: F401 (registers the built-in spectra)
from xgamma.axes import FloatArray
from xgamma.formats.atomic import write_inside
from xgamma.formats.yaml_documents import block_yaml
from xgamma.models.component import component_class
from xgamma.simulate.plan import Plan, Source, plan_document

Spectrum = Callable[[FloatArray], FloatArray]


def spectrum_from_document(document: Mapping[str, Any]) -> Spectrum:
    """Return dN/dE in cm-2 s-1 TeV-1 at energies in TeV.

    Raises
    ------
    ConfigError
        When the document is not one of a spectral model, or names one that is not known.
    """
    model = component_class("spectral", document).from_dict(document)
    return cast("Spectrum", model.dnde)


TRUTH = "truth.yaml"
MODELS = "models.yaml"


def models_document(source: Source) -> dict[str, Any]:
    """Return the source as the document that models files hold."""
    position = [_angle("lon_0", source.lon), _angle("lat_0", source.lat)]
    spatial: dict[str, Any] = {"type": "PointSpatialModel", "frame": "icrs", "parameters": position}
    if source.sigma > 0:
        parameters = [*position, _angle("sigma", source.sigma)]
        spatial = {"type": "GaussianSpatialModel", "frame": "icrs", "parameters": parameters}
    spectral = copy.deepcopy(dict(source.spectral))
    return {"components": [{"name": source.name, "type": "SkyModel", "spectral": spectral, "spatial": spatial}]}


def _angle(name: str, value: float) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": "deg"}


def write_truth(folder: Path, plan: Plan) -> None:
    """Write the plan with its seed, and the model that a perfect analysis would find, into a ``new_folder``."""
    documents = {TRUTH: {"simulation": plan_document(plan)}, MODELS: models_document(plan.source)}
    for name, document in documents.items():
        write_inside(folder / name, block_yaml(document, indent=2).encode())

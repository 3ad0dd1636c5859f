"""The models that a simulation draws from: spectra as functions, and the document of several sources, checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from xgamma.axes import FloatArray
from xgamma.errors import ConfigError
from xgamma.models import Models, SkyModel
from xgamma.models.component import component_class
from xgamma.models.skymodel import IRF_FLAGS

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


def validated_models(models: Any, where: str) -> dict[str, Any]:
    """Return the document of sources that can be simulated.

    Parameters
    ----------
    models
        ``Models``, a list of ``SkyModel``, a document, or the path of a file.
    where
        What errors begin with.

    Raises
    ------
    ConfigError, MissingInputError
        When they are none, or one of them has no place, changes with time, or is no source.
    """
    if isinstance(models, str | Path):
        given = Models.read(models)
    else:
        given = Models.from_dict(models) if isinstance(models, Mapping) else Models(models)
    if not len(given):
        raise ConfigError(f"{where}: expected at least one source, got none.")
    for model in given:
        _validate_source(model, f"{where}: {model.name}")
    return given.to_dict()


def _validate_source(model: Any, place: str) -> None:
    if not isinstance(model, SkyModel):
        raise ConfigError(
            f"{place}: expected a SkyModel, got a {type(model).__name__}. The background is drawn from the response: "
            "leave it out."
        )
    if model.spatial_model is None:
        raise ConfigError(f"{place}: expected a spatial model, which says where its events come from; write one.")
    if model.temporal_model is not None:
        raise ConfigError(f"{place}: expected a source that is constant in time; leave its temporal model out.")
    if model.apply_irf != IRF_FLAGS:
        raise ConfigError(f"{place}: expected a source that is seen with all responses; leave apply_irf out.")

"""Model documents as models of Gammapy, and back."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from astropy import units as u
from gammapy.modeling.models import DatasetModels, ModelBase, Models

from xgamma.axes import FloatArray
from xgamma.bridges.names import ModelValues, places_of, plain_name
from xgamma.errors import ConfigError, ConfigTypeError, DataError

log = logging.getLogger(__name__)

# What a document of Gammapy does not bring into each of its models.
_STATE = ("value", "error", "min", "max", "frozen")


def to_gammapy(values: ModelValues, parameters: Sequence[Mapping[str, Any]]) -> Models:
    """Return models of Gammapy.

    Parameters
    ----------
    values
        The models of xgamma.
    parameters
        ``value``, ``error``, ``min``, ``max`` and ``frozen`` of each of ``values.names``.

    Raises
    ------
    ConfigError
        When Gammapy does not know a model.
    DataError
        When it knows a model with other parameters.
    """
    try:
        with np.errstate(all="ignore"):
            models = Models.from_dict({"components": values.document["components"]})
    except (KeyError, ValueError, TypeError, OSError) as error:
        raise ConfigError(
            f"Gammapy cannot make these models of their document ({error}); replace the model that it cannot make."
        ) from error
    for model, component in zip(models, values.document["components"], strict=True):
        if (component.get("temporal") or {}).get("scale"):
            # Documents of tables do not bring it into Gammapy.
            model.temporal_model.scale = component["temporal"]["scale"]
    names = _names(models)
    _validate_names(names, values.names, {name for name, one in zip(values.names, parameters, strict=True)
                                             if not one["frozen"]})  # fmt: skip
    places = places_of(names, values.names)
    models.covariance = values.covariance[np.ix_(places, places)]
    for parameter, place in zip(models.parameters, places, strict=True):
        for field in _STATE:
            setattr(parameter, field, parameters[place][field])
    return models


def from_gammapy(models: Any) -> ModelValues:
    """Return models of Gammapy as plain values; penalties of several parameters stay behind, with a warning.

    Raises
    ------
    ConfigTypeError
        For what is no model of Gammapy.
    ConfigError
        When two have one name.
    """
    held = normalize_models(models)
    if getattr(held, "_penalties", None):
        log.warning("xgamma has no penalties: those of these models stay behind, and a fit is free of them.")
    document = held.to_dict(full_output=True)
    covariance = np.array(held.covariance.data, dtype=float)
    return ModelValues({"components": document["components"]}, _names(held), covariance)


def normalize_models(models: Any) -> DatasetModels:
    """Return ``Models`` of Gammapy: those given, or of a list or a model."""
    given = models if isinstance(models, DatasetModels | list | tuple) else [models]
    for model in given:
        if not isinstance(model, ModelBase) or model.type is not None or not hasattr(model, "name"):
            raise ConfigTypeError(
                f"Expected Models or SkyModel of Gammapy, got a {type(model).__name__}; put a spectrum into a SkyModel."
            )
    try:
        held = given if isinstance(given, DatasetModels) else Models(list(given))
    except ValueError as error:
        raise ConfigError(f"The models of Gammapy do not go together: {error}. Give each a name of its own.") from None
    return held


def _validate_names(theirs: Sequence[str], ours: Sequence[str], free: Collection[str]) -> None:
    """Raise ``DataError`` for a parameter that only one side has, unless it is ours and frozen: that cannot move."""
    only_theirs = Counter(theirs) - Counter(ours)
    only_ours = [name for name in Counter(ours) - Counter(theirs) if name in free]
    if only_theirs or only_ours:
        side = "Gammapy" if only_ours else "xgamma"
        raise DataError(f"{side} has no parameter {[*only_ours, *only_theirs][0]!r}; freeze it or replace the model.")


def values_of(model: Any, energy: u.Quantity, unit: u.UnitBase) -> FloatArray | None:
    """Return the spectrum of one model of Gammapy at some energies, shape (energy,); ``None`` where it has none."""
    spectrum = getattr(model, "spectral_model", None)
    if spectrum is None:
        return None
    with np.errstate(all="ignore"):
        return np.asarray(spectrum(energy).to_value(unit), dtype=float)


def _names(models: DatasetModels) -> list[str]:
    return [plain_name(name) for name in models.parameters_unique_names]

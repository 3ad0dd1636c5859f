"""Models handed to Gammapy, and what was taken over from it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np
from astropy import units as u

from xgamma import bridges
from xgamma.bridges.names import ModelValues, plain_name
from xgamma.errors import ConfigError
from xgamma.models.covariance import Covariance
from xgamma.models.files import ordered_covariance
from xgamma.models.parameters import Parameters, link_labels

ENERGIES = np.geomspace(0.1, 10, 5) * u.TeV
# As far as two programs agree on special functions, and far below any error of a flux.
AGREEMENT = 1e-6


class Exchanged(Protocol):
    """What ``Models`` and a component have in common."""

    @property
    def parameters(self) -> Parameters:
        """The parameters, in order."""

    @property
    def parameters_unique_names(self) -> list[str]:
        """``model.type.parameter`` of each."""

    @property
    def covariance(self) -> Covariance:
        """Their covariance."""

    @covariance.setter
    def covariance(self, covariance: Any) -> None: ...


def models_of_gammapy(held: Exchanged, models: Sequence[Any]) -> Any:
    """Return ``Models`` of Gammapy for ``Models`` or a component, of which ``models`` are all components."""
    labels = link_labels(held.parameters)
    components = [model.to_dict(full_output=True, labels=labels) for model in models]
    names = [plain_name(name) for name in held.parameters_unique_names]
    described = ModelValues({"components": components}, names, held.covariance.data)
    theirs = bridges.models.to_gammapy(described, [parameter.to_dict() for parameter in held.parameters])
    validate_alike(models, theirs)
    return theirs


def validate_alike(ours: Iterable[Any], theirs: Iterable[Any]) -> None:
    """Raise ``ConfigError`` where a spectrum has other values in Gammapy: versions differ in what a parameter means."""
    for model, other in zip(ours, theirs, strict=True):
        if model.spectral_model is None:
            continue
        with np.errstate(all="ignore"):
            one = model.spectral_model(ENERGIES)
        there = bridges.models.values_of(other, ENERGIES, one.unit)
        # Beyond its table a template of Gammapy has no value.
        known = np.isfinite(one.value) & (np.isfinite(there) | ~np.isfinite(there).any())
        unlike = known & ~np.isclose(one.value, there, rtol=AGREEMENT, atol=0)
        if unlike.any():
            at = int(np.argmax(unlike))
            raise ConfigError(
                f"Model {model.name!r}: {type(model.spectral_model).__name__} is another spectrum in the installed "
                f"Gammapy: at {ENERGIES[at]:.3g} {there[at]:.3g}, here {one[at]:.3g}. Replace it first."
            )


def described_by_gammapy(models: Any) -> ModelValues:
    """Return models of Gammapy as plain values."""
    described: ModelValues = bridges.models.from_gammapy(models)
    return described


def complete_from_gammapy(held: Exchanged, models: Sequence[Any], theirs: Any, described: ModelValues) -> None:
    """Give ``Models`` or a component, made of a document, the covariance that belongs to it, and so the errors.

    Raises ``ConfigError`` where a spectrum is not what it is in Gammapy.
    """
    validate_alike(models, bridges.models.normalize_models(theirs))
    names = [plain_name(name) for name in held.parameters_unique_names]
    held.covariance = ordered_covariance(described.covariance, described.names, names)

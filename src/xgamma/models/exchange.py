"""Models handed to Gammapy, and what was taken over from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from xgamma import bridges
from xgamma.bridges.described import Described
from xgamma.models.covariance import Covariance
from xgamma.models.files import ordered_covariance
from xgamma.models.parameter import Parameters


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


def models_of_gammapy(held: Exchanged, components: Sequence[dict[str, Any]]) -> Any:
    """Return ``Models`` of Gammapy from full documents of the components of ``held``."""
    described = Described({"components": list(components)}, held.parameters_unique_names, held.covariance.data)
    return bridges.models.to_gammapy(described, [parameter.to_dict() for parameter in held.parameters])


def described_by_gammapy(models: Any) -> Described:
    """Return models of Gammapy as plain values."""
    described: Described = bridges.models.from_gammapy(models)
    return described


def with_covariance(held: Exchanged, described: Described) -> None:
    """Give models that were made of a document the covariance that belongs to it, and so the errors."""
    held.covariance = ordered_covariance(described.covariance, described.names, held.parameters_unique_names)

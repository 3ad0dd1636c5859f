"""Models of predicted counts: what is in a dataset, or in a file, times a norm spectrum."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Self, cast

from xgamma.errors import ConfigError
from xgamma.models.component import component_class
from xgamma.models.parameters import Parameter
from xgamma.models.skymodel import ModelComponent, new_name, normalize_names, validate_keys
from xgamma.models.spatial.model import SpatialModel
from xgamma.models.spectral.model import SpectralModel, read_spectral
from xgamma.models.spectral.powerlaws import PowerLawNormSpectralModel


class FoVBackgroundModel(ModelComponent):
    """The background of the field of view of one dataset, times a norm spectrum."""

    tag = ("FoVBackgroundModel", "fov-bkg")

    def __init__(
        self,
        spectral_model: SpectralModel | None = None,
        dataset_name: str | None = None,
        datasets_names: Any = None,
        spatial_model: SpatialModel | None = None,
        name: str | None = None,
    ) -> None:
        names = normalize_names(datasets_names if dataset_name is None else dataset_name)
        if not names or len(names) != 1:
            raise ConfigError(f"FoVBackgroundModel: expected the name of exactly one dataset, got {names!r}.")
        spectral_model = PowerLawNormSpectralModel() if spectral_model is None else spectral_model
        self._default_name = f"{names[0]}-bkg"
        super().__init__({"spectral": spectral_model, "spatial": spatial_model}, name or self._default_name, names)

    @property
    def spectral_model(self) -> SpectralModel:
        """The spectrum, a norm."""
        return cast("SpectralModel", self._parts["spectral"])

    def document(self, full_output: bool, labels: Mapping[int, str]) -> dict[str, Any]:
        """Return type, dataset and spectrum; the name only if it is not the default."""
        name = {} if self.name == self._default_name else {"name": self.name}
        parts = {kind: part.document(full_output, labels) for kind, part in self._parts.items()}
        return {**name, "type": self.tag[0], **self._datasets_document(), **parts}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], shared: dict[str, Parameter] | None = None) -> Self:
        """Build the model from its document."""
        validate_keys(data, cls.tag[0], ["name", "type", "datasets_names", "spectral", "spatial"])
        shared = {} if shared is None else shared
        spectral = read_spectral(data["spectral"], shared) if data.get("spectral") is not None else None
        spatial = data.get("spatial")
        if spatial is not None:
            spatial = component_class("spatial", spatial).from_document(spatial, shared)
        return cls(spectral, datasets_names=data.get("datasets_names"), spatial_model=spatial, name=data.get("name"))

    def _header(self) -> list[tuple[str, str]]:
        return [*super()._header(), ("Spectral model type", type(self._parts["spectral"]).__name__)]


class TemplateNPredModel(ModelComponent):
    """Predicted counts in a file, times a norm spectrum; kept as a document."""

    tag = ("TemplateNPredModel", "template-npred")

    def __init__(
        self,
        spectral_model: SpectralModel | None = None,
        name: str | None = None,
        datasets_names: Any = None,
        rest: Mapping[str, Any] | None = None,
    ) -> None:
        spectral_model = PowerLawNormSpectralModel() if spectral_model is None else spectral_model
        super().__init__({"spectral": spectral_model}, new_name() if name is None else str(name), datasets_names)
        self.rest = dict(rest or {})

    def document(self, full_output: bool, labels: Mapping[int, str]) -> dict[str, Any]:
        """Return name, type, spectrum and what else was read."""
        spectral = self._parts["spectral"].document(full_output, labels)
        rest = copy.deepcopy(self.rest)
        return {"name": self.name, "type": self.tag[0], "spectral": spectral, **rest, **self._datasets_document()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], shared: dict[str, Parameter] | None = None) -> Self:
        """Build the model from its document."""
        shared = {} if shared is None else shared
        spectral = read_spectral(data["spectral"], shared) if data.get("spectral") is not None else None
        known = ("name", "type", "spectral", "datasets_names")
        rest = {key: copy.deepcopy(value) for key, value in data.items() if key not in known}
        return cls(spectral, data.get("name"), data.get("datasets_names"), rest)

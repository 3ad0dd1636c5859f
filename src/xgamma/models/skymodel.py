"""``SkyModel`` and its neighbours: one named component of a model document."""

from __future__ import annotations

import copy
import itertools
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

from xgamma.description import Described, Description, Facts
from xgamma.errors import ConfigError, ConfigTypeError, did_you_mean
from xgamma.models import pictures
from xgamma.models.component import Component, component_class
from xgamma.models.files import complete_from_gammapy, described_by_gammapy, models_of_gammapy
from xgamma.models.parameter import unit_text, value_text
from xgamma.models.parameters import Covariance, Parameter, Parameters, link_labels, parameter_sheet
from xgamma.models.placed import Placed
from xgamma.models.spatial import model as shapes
from xgamma.models.spectral import model as spectra
from xgamma.models.temporal import model as courses
from xgamma.units import unit_label

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from xgamma.models.spatial.model import SpatialModel
    from xgamma.models.spectral.model import SpectralModel
    from xgamma.models.temporal.model import TemporalModel


IRF_FLAGS = {"exposure": True, "psf": True, "edisp": True}
_PARTS = ("spectral", "spatial", "temporal")
_numbers = itertools.count(1)


def new_name() -> str:
    """Return the name of a component that was given none."""
    return f"model-{next(_numbers)}"


def normalize_names(names: Any) -> list[str] | None:
    """Return dataset names as a list; ``None`` (all datasets) stays."""
    if names is None:
        return None
    return [names] if isinstance(names, str) else [str(name) for name in names]


def _matches(pattern: str, name: str) -> bool:
    """Whether a name matches a pattern, in which ``*`` stands for any text; without one it is no pattern.

    >>> _matches("hess-*", "hess-23523"), _matches("hess", "hess-23523")
    (True, False)
    """
    return "*" in pattern and re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name, re.DOTALL) is not None


class ModelComponent(Described):
    """What every component of a document has: a name, the datasets it belongs to, parts with parameters."""

    tag: ClassVar[tuple[str, ...]] = ()

    def __init__(self, parts: Mapping[str, Component | None], name: str, datasets_names: Any) -> None:
        self.name = name
        self.datasets_names = normalize_names(datasets_names)
        self._parts: dict[str, Component] = {kind: part for kind, part in parts.items() if part is not None}
        self._covariance: Covariance | None = None

    @property
    def parts(self) -> dict[str, Component]:
        """The parts by kind: spectral, spatial, temporal, as far as there are any."""
        return dict(self._parts)

    @property
    def spectral_model(self) -> SpectralModel | None:
        """The spectrum."""
        return cast("SpectralModel | None", self._parts.get("spectral"))

    @property
    def spatial_model(self) -> SpatialModel | None:
        """The morphology; ``None`` for a model of spectra only."""
        return cast("SpatialModel | None", self._parts.get("spatial"))

    @property
    def temporal_model(self) -> TemporalModel | None:
        """The factor of the flux that depends on time; ``None`` for a constant source."""
        return cast("TemporalModel | None", self._parts.get("temporal"))

    @property
    def parameters(self) -> Parameters:
        """Spectral, spatial, temporal, in this order."""
        return Parameters(parameter for part in self._parts.values() for parameter in part.parameters)

    @property
    def parameters_unique_names(self) -> list[str]:
        """``model.type.parameter`` of each parameter; in a compound ``model.type.model1.parameter``."""
        return [f"{self.name}.{kind}.{name}" for kind, part in self._parts.items() for name in part.qualified_names]

    @property
    def parameter_places(self) -> list[tuple[str, str, str]]:
        """Model, part and name of each parameter, for people."""
        return [(self.name, kind, name) for kind, part in self._parts.items() for name in part.shown_names]

    def peek(self, figsize: tuple[float, float] | None = None, energy_bounds: Any = None) -> Figure:
        """Draw spectrum, place and course in time, those that it has, in a new figure, and return it."""
        return pictures.peek_parts(list(self._parts.values()), self.name, figsize, energy_bounds)

    @property
    def covariance(self) -> Covariance:
        """The covariance of the parameters; its diagonal follows their errors. May be set from a matrix."""
        blocks = [self._covariance, *(part.covariance for part in self._parts.values())]
        return Covariance.assemble(self.parameters, blocks, self.parameters_unique_names)

    @covariance.setter
    def covariance(self, covariance: Any) -> None:
        self._covariance = Covariance.normalize(self.parameters, covariance)
        for part in self._parts.values():
            part.covariance = self._covariance.restrict(part.parameters)

    @property
    def frozen(self) -> bool:
        """Whether every parameter is frozen."""
        return all(parameter.frozen for parameter in self.parameters)

    def freeze(self, model_type: str | None = None) -> None:
        """Freeze all parameters, or those of one part (``"spectral"``, ``"spatial"``, ``"temporal"``)."""
        for part in self._select_parts(model_type):
            part.freeze()

    def unfreeze(self, model_type: str | None = None) -> None:
        """Put the frozen flags of all parts, or of one, back to the defaults."""
        for part in self._select_parts(model_type):
            part.unfreeze()

    def _select_parts(self, model_type: str | None) -> list[Component]:
        if model_type not in (None, *_PARTS):
            known = did_you_mean(str(model_type), _PARTS)
            raise ConfigError(f"There is no part {model_type!r} of a model.{known}")
        return [part for kind, part in self._parts.items() if model_type in (None, kind)]

    def copy(self, name: str | None = None, **changes: Any) -> Self:
        """Return an independent copy, under a new name if given; ``changes`` are attributes to set.

        Raises ``ConfigError`` for another attribute than ``datasets_names``.
        """
        new = copy.deepcopy(self)
        new.name = new.name if name is None else name
        for attribute, value in changes.items():
            if attribute != "datasets_names":
                raise ConfigError(f"copy: expected name or datasets_names, got {attribute!r}.")
            new.datasets_names = normalize_names(value)
        return new

    def origins(self) -> list[str]:
        """Return where the tables of its parts are from, a line for each."""
        return [f"{self.name}: {line}" for part in self._parts.values() for line in part.origins()]

    def applies_to(self, dataset_name: str) -> bool:
        """Whether the model contributes to a dataset of this name: it is one of its names, or matches a pattern."""
        if self.datasets_names is None or dataset_name in self.datasets_names:
            return True
        return any(_matches(pattern, dataset_name) for pattern in self.datasets_names)

    def to_dict(self, full_output: bool = False, labels: Mapping[int, str] | None = None) -> dict[str, Any]:
        """Return the document; only deviations from the defaults unless ``full_output``."""
        return self.document(full_output, link_labels(self.parameters) if labels is None else labels)

    def document(self, full_output: bool, labels: Mapping[int, str]) -> dict[str, Any]:
        """Return the document with the given labels of linked parameters."""
        raise NotImplementedError

    def _datasets_document(self) -> dict[str, Any]:
        return {} if self.datasets_names is None else {"datasets_names": list(self.datasets_names)}

    def _header(self) -> list[tuple[str, str]]:
        return [("Name", self.name), ("Datasets names", str(self.datasets_names))]

    def __str__(self) -> str:
        return self.text(link_labels(self.parameters))

    def text(self, labels: Mapping[int, str]) -> str:
        """Return what is printed, with the given labels of linked parameters."""
        lines = [f"  {label:<26}: {text}" for label, text in self._header()]
        rows = [
            _parameter_line(labels.get(id(parameter), name), parameter)
            for (*_, name), parameter in zip(self.parameter_places, self.parameters, strict=True)
        ]
        return "\n".join([self.tag[0], "", *lines, "  Parameters:", *rows, ""])

    def _description(self) -> Description:
        facts = [(label, text) for label, text in self._header() if text]
        places = [(kind, name) for _, kind, name in self.parameter_places]
        return Description(self.tag[0], [Facts(facts), parameter_sheet(self.parameters, places, ("part",))])

    def __repr__(self) -> str:
        parts = ", ".join(type(part).__name__ for part in self._parts.values())
        return f"{self.tag[0]}({self.name!r}: {parts})"


def _parameter_line(label: str, parameter: Parameter) -> str:
    state = "(frozen)" if parameter.frozen else ""
    return f"    {label:<22}{state:8}: {value_text(parameter)} {unit_text(parameter.unit)}".rstrip()


class SkyModel(ModelComponent, Placed):
    """A source.

    Parameters
    ----------
    spectral_model
        A ``SpectralModel`` in cm-2 s-1 TeV-1; also given by its name or tag, for its defaults.
    spatial_model
        Its morphology.
    temporal_model
        A factor of the flux that depends on time.
    name
        Unique among ``Models``; numbered when not given.
    apply_irf
        ``{"exposure": True, "psf": True, "edisp": True}`` or a part of it.
    datasets_names
        The datasets that the source is in; all by default.

    Raises
    ------
    ConfigError
        When the spectrum is not a flux density.

    Examples
    --------
    >>> from xgamma.models import PowerLawSpectralModel, SkyModel
    >>> crab = SkyModel(PowerLawSpectralModel(index=2.6, amplitude="4e-11 cm-2 s-1 TeV-1"), name="crab")
    >>> crab.spectral_model.index.value
    2.6
    """

    tag = ("SkyModel", "sky-model")

    def __init__(
        self,
        spectral_model: SpectralModel | str,
        spatial_model: SpatialModel | None = None,
        temporal_model: TemporalModel | None = None,
        name: str | None = None,
        apply_irf: Mapping[str, bool] | None = None,
        datasets_names: Any = None,
    ) -> None:
        if isinstance(spectral_model, str):
            spectral_model = cast("SpectralModel", component_class("spectral", {"type": spectral_model})())
        if not isinstance(spectral_model, spectra.SpectralModel):
            raise ConfigTypeError(f"SkyModel: expected a spectral model, got {spectral_model!r}.")
        parts = {"spectral": spectral_model, "spatial": spatial_model, "temporal": temporal_model}
        for kind in ("spatial", "temporal"):
            _validate_part(parts[kind], kind)
        super().__init__(parts, new_name() if name is None else str(name), datasets_names)
        self.apply_irf = normalize_irf_flags(apply_irf, self.name)
        if spatial_model is None:
            validate_density(spectral_model, self.name)

    @property
    def spectral_model(self) -> SpectralModel:
        """The spectrum."""
        return cast("SpectralModel", self._parts["spectral"])

    @spectral_model.setter
    def spectral_model(self, model: SpectralModel) -> None:
        validate_density(model, self.name)
        self._parts["spectral"] = model

    @property
    def temporal_model(self) -> TemporalModel | None:
        """The factor of the flux that depends on time; ``None`` for a constant source."""
        return super().temporal_model

    @temporal_model.setter
    def temporal_model(self, model: TemporalModel | None) -> None:
        self._set_part("temporal", model)

    @property
    def spatial_model(self) -> SpatialModel | None:
        """The morphology; ``None`` for a model of spectra only."""
        return super().spatial_model

    @spatial_model.setter
    def spatial_model(self, model: SpatialModel | None) -> None:
        self._set_part("spatial", model)

    def _set_part(self, kind: str, model: Component | None) -> None:
        _validate_part(model, kind)
        parts = {**self._parts, kind: model}
        self._parts = {name: part for name in _PARTS if (part := parts.get(name)) is not None}

    @property
    def norm_parameter(self) -> Parameter | None:
        """The one amplitude or norm that the source is proportional to; ``None`` if there is none or several."""
        return self.spectral_model.norm_parameter

    def validate_norm(self) -> Parameter:
        """Return ``norm_parameter``, or raise ``ConfigError`` that says why there is not exactly one."""
        norms = [p.name for p in self.spectral_model.parameters.unique_parameters if p.is_norm]
        if len(norms) != 1:
            found = f"{len(norms)} ({', '.join(norms)})" if norms else "none"
            raise ConfigError(
                f"Model {self.name!r}: expected exactly one amplitude or norm parameter, found {found} in "
                f"{type(self.spectral_model).__name__}; scale it with ScaleSpectralModel."
            )
        return cast("Parameter", self.norm_parameter)

    def document(self, full_output: bool, labels: Mapping[int, str]) -> dict[str, Any]:
        """Return name, type, what deviates, and the parts."""
        result: dict[str, Any] = {"name": self.name, "type": self.tag[0]}
        if self.apply_irf != IRF_FLAGS:
            result["apply_irf"] = dict(self.apply_irf)
        result |= self._datasets_document()
        for kind, part in self._parts.items():
            result[kind] = part.document(full_output, labels)
        return result

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], shared: dict[str, Parameter] | None = None) -> Self:
        """Build the model from its document; ``shared`` gathers the linked parameters of the whole file.

        Raises ``ConfigError`` for a document without a spectrum, and for other keys.
        """
        validate_keys(data, cls.tag[0], ["name", "type", "apply_irf", "datasets_names", *_PARTS])
        name = data.get("name")
        if "spectral" not in data:
            raise ConfigError(f"Model {name!r}: expected a 'spectral' part; write what the spectrum is.")
        shared = {} if shared is None else shared
        parts = {
            kind: component_class(kind, data[kind]).from_document(data[kind], shared)
            for kind in _PARTS
            if data.get(kind) is not None
        }
        return cls(
            parts["spectral"], parts.get("spatial"), parts.get("temporal"),
            name=name, apply_irf=data.get("apply_irf"), datasets_names=data.get("datasets_names"),
        )  # fmt: skip

    def to_gammapy(self) -> Any:
        """Return a ``SkyModel`` of Gammapy; see ``Models.to_gammapy``."""
        return models_of_gammapy(self, [self])[0]

    @classmethod
    def from_gammapy(cls, model: Any) -> Self:
        """Return a ``SkyModel`` of Gammapy as ours; see ``Models.from_gammapy``."""
        described = described_by_gammapy(model)
        result = cls.from_dict(described.document["components"][0])
        complete_from_gammapy(result, [result], model, described)
        return result

    @classmethod
    def create(cls, spectral_model: str, spatial_model: str | None = None, temporal_model: str | None = None,
               **kwargs: Any) -> Self:  # fmt: skip
        """Return a model of default parts, each given by its name or tag."""
        kinds = {"spatial": spatial_model, "temporal": temporal_model}
        parts = {f"{kind}_model": component_class(kind, {"type": tag})() for kind, tag in kinds.items() if tag}
        return cls(spectral_model, **parts, **kwargs)

    def _header(self) -> list[tuple[str, str]]:
        kinds = {"Spectral model type": "spectral", "Spatial  model type": "spatial", "Temporal model type": "temporal"}
        types = [
            (label, type(self._parts[kind]).__name__ if kind in self._parts else "") for label, kind in kinds.items()
        ]
        return super()._header() + types


def normalize_irf_flags(flags: Mapping[str, bool] | None, name: str) -> dict[str, bool]:
    """Return all flags in the order given; raises ``ConfigError`` for one that is not known."""
    for key in flags or {}:
        if key not in IRF_FLAGS:
            raise ConfigError(f"Model {name!r}: apply_irf has no {key!r}.{did_you_mean(str(key), IRF_FLAGS)}")
    given = {key: bool(value) for key, value in (flags or {}).items()}
    return given | {key: value for key, value in IRF_FLAGS.items() if key not in given}


def _validate_part(model: Component | None, kind: str) -> None:
    if model is None:
        return
    base: type[Component] = shapes.SpatialModel if kind == "spatial" else courses.TemporalModel
    if not isinstance(model, base):
        raise ConfigTypeError(f"SkyModel: expected a {kind} model or none, got {model!r}.")


def validate_density(model: SpectralModel, name: str) -> None:
    """Raise ``ConfigError`` for a spectrum that is no flux density."""
    if not model.canonical_unit.is_equivalent(spectra.DENSITY):
        got = unit_label(str(model.unit)) or "no unit"
        raise ConfigError(
            f"Model {name!r}: expected a spectrum in cm-2 s-1 TeV-1, got {type(model).__name__} in {got}; "
            "multiply it with a spectrum that has an amplitude."
        )


def validate_keys(data: Mapping[str, Any], owner: str, known: Iterable[str]) -> None:
    """Raise ``ConfigError`` for a key of a component's document that nothing reads."""
    for key in data:
        if key not in known:
            raise ConfigError(f"{owner} {data.get('name', '')!r}: unknown key {key!r}.{did_you_mean(str(key), known)}")

"""``Models``: the components of one document, by name; the parameters of a fit and their covariance."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, overload

from xgamma.description import SHOWN, Described, Description, Facts, Sheet, ends
from xgamma.errors import ConfigError, ConfigTypeError, InputError, LaterError, UnknownNameError, did_you_mean
from xgamma.formats.local_files import local_path, write_files
from xgamma.formats.yaml_documents import block_yaml, parsed_yaml
from xgamma.models import files
from xgamma.models.files import complete_from_gammapy, described_by_gammapy, models_of_gammapy
from xgamma.models.npred_models import FoVBackgroundModel, TemplateNPredModel
from xgamma.models.on_sky import OnSky
from xgamma.models.parameters import Covariance, Parameter, Parameters, link_labels, parameter_sheet, parameters_table
from xgamma.models.skymodel import ModelComponent, SkyModel

if TYPE_CHECKING:
    from astropy.table import Table


__all__ = ["FoVBackgroundModel", "ModelComponent", "Models", "SkyModel", "TemplateNPredModel"]

_CLASSES: dict[str, type[SkyModel] | type[FoVBackgroundModel] | type[TemplateNPredModel]] = {
    tag: kind for kind in (SkyModel, FoVBackgroundModel, TemplateNPredModel) for tag in kind.tag
}


class Models(Described, OnSky):
    """Components with unique names, in order.

    Parameters
    ----------
    models
        Components, one component, other ``Models``, or nothing. They are shared, not copied.

    Raises
    ------
    ConfigError
        When two have one name.

    Examples
    --------
    >>> from xgamma.models import Models, PowerLawSpectralModel, SkyModel
    >>> models = Models([SkyModel(PowerLawSpectralModel(), name="crab")])
    >>> models.names, models["crab"].parameters.names
    (['crab'], ['index', 'amplitude', 'reference'])
    """

    def __init__(self, models: Any = None) -> None:
        self._models = normalize_models(models)
        self._covariance: Covariance | None = getattr(models, "_covariance", None)
        self.metadata: dict[str, Any] = copy.deepcopy(getattr(models, "metadata", {}))

    # --- a list with names

    @overload
    def __getitem__(self, key: slice) -> Models: ...
    @overload
    def __getitem__(self, key: Any) -> Any: ...

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            return self._like(self._models[key])
        return self._models[self.index(key)]

    def __setitem__(self, key: Any, model: ModelComponent) -> None:
        changed = list(self._models)
        changed[self.index(key)] = model
        self._models = normalize_models(changed)

    def __delitem__(self, key: Any) -> None:
        del self._models[self.index(key)]

    def __len__(self) -> int:
        return len(self._models)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._models)

    def __contains__(self, item: object) -> bool:
        return any(model is item or model.name == item for model in self._models)

    def __add__(self, other: Any) -> Models:
        return self._like([*self._models, *normalize_models(other)])

    def _like(self, models: Iterable[ModelComponent]) -> Models:
        new = Models(models)
        new._covariance, new.metadata = self._covariance, copy.deepcopy(self.metadata)
        return new

    def index(self, key: Any) -> int:
        """Return the position of a name, a component or a position; raises ``UnknownNameError``, ``IndexError``."""
        if isinstance(key, int):
            return range(len(self._models))[key]
        for position, model in enumerate(self._models):
            if model is key or model.name == key:
                return position
        name = getattr(key, "name", str(key))
        raise UnknownNameError(f"There is no model called {name!r}.{did_you_mean(name, self.names)}")

    def append(self, model: ModelComponent) -> None:
        """Add one component at the end."""
        self.insert(len(self._models), model)

    def insert(self, position: int, model: ModelComponent) -> None:
        """Add one component before a position."""
        changed = list(self._models)
        changed.insert(position, model)
        self._models = normalize_models(changed)

    def extend(self, models: Any) -> None:
        """Add components at the end."""
        self._models = normalize_models([*self._models, *normalize_models(models)])

    def remove(self, model: Any) -> None:
        """Take out one component, given itself or by its name."""
        del self[model]

    def pop(self, key: Any = -1) -> ModelComponent:
        """Take out and return one component, the last by default."""
        return self._models.pop(self.index(key))

    def clear(self) -> None:
        """Take out all."""
        self._models = []

    @property
    def names(self) -> list[str]:
        """The names, in order."""
        return [model.name for model in self._models]

    def select(self, name_substring: str | None = None, datasets_names: Any = None, tag: Any = None,
               model_type: str | None = None, frozen: bool | None = None) -> Models:  # fmt: skip
        """Return the components that match all that is given.

        Parameters
        ----------
        name_substring
            A part of the name.
        datasets_names
            Names of datasets: components that belong to at least one of them.
        tag
            The class of the component or of one of its parts, by name or tag.
        model_type
            The part whose tag that is, such as ``spectral``; by default any.
        frozen
            Whether all parameters are frozen.
        """
        wanted = [datasets_names] if isinstance(datasets_names, str) else datasets_names
        return self._like(
            model
            for model in self._models
            if (name_substring is None or name_substring in model.name)
            and (wanted is None or any(model.applies_to(name) for name in wanted))
            and (tag is None or tag in _tags(model, model_type))
            and frozen in (None, model.frozen)
        )

    def copy(self) -> Models:
        """Return an independent copy in which linked parameters stay linked."""
        return copy.deepcopy(self)

    def freeze(self, model_type: str | None = None) -> None:
        """Freeze the parameters of all components, or of one of their parts."""
        for model in self._models:
            model.freeze(model_type)

    def unfreeze(self, model_type: str | None = None) -> None:
        """Put the frozen flags of all components back to the defaults."""
        for model in self._models:
            model.unfreeze(model_type)

    @property
    def frozen(self) -> bool:
        """Whether every parameter is frozen."""
        return all(model.frozen for model in self._models)

    # --- parameters

    @property
    def parameters(self) -> Parameters:
        """Those of all components in order; a linked parameter stands at each of its places."""
        return Parameters(parameter for model in self._models for parameter in model.parameters)

    @property
    def parameters_unique_names(self) -> list[str]:
        """``model.type.parameter`` of each parameter; in a compound ``model.type.model1.parameter``."""
        return [name for model in self._models for name in model.parameters_unique_names]

    @property
    def covariance(self) -> Covariance:
        """The covariance of ``parameters``; its diagonal follows their errors. May be set from a matrix."""
        blocks = [self._covariance, *(model.covariance for model in self._models)]
        return Covariance.assemble(self.parameters, blocks, self.parameters_unique_names)

    @covariance.setter
    def covariance(self, covariance: Any) -> None:
        self._covariance = Covariance.normalize(self.parameters, covariance)
        for model in self._models:
            model.covariance = self._covariance.restrict(model.parameters)

    def restrict_covariance(self, parameters: Iterable[Parameter]) -> Covariance:
        """Return the covariance of some of the parameters, in their order."""
        return self.covariance.restrict(parameters)

    def to_parameters_table(self) -> Table:
        """Return the table model, type, name, value, unit, error, min, max, frozen, is_norm, link."""
        places = [place for model in self._models for place in model.parameter_places]
        return parameters_table(self.parameters, places)

    def origins(self) -> list[str]:
        """Return where the tables of the models are from, a line for each; opens their files."""
        return [line for model in self._models for line in model.origins()]

    # --- documents

    def to_dict(self, full_output: bool = False) -> dict[str, Any]:
        """Return ``{"components": [...]}`` and the metadata that were read; only deviations unless ``full_output``."""
        labels = link_labels(self.parameters)
        components = [model.document(full_output, labels) for model in self._models]
        metadata = {"metadata": copy.deepcopy(self.metadata)} if self.metadata else {}
        return {"components": components, **metadata}

    def to_yaml(self, full_output: bool = False) -> str:
        """Return the YAML that ``write`` writes."""
        return block_yaml(self.to_dict(full_output))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], path: str | Path = "") -> Self:
        """Build the models from a document.

        A covariance file that the document names is looked for in ``path``; if it is not there the errors of the
        document stand for it, with a warning.

        Raises
        ------
        ConfigError, UnknownNameError
            For a document that breaks the rules; the sentence names the place.
        """
        files.validate_document(data)
        shared: dict[str, Parameter] = {}
        models = cls([_read_component(entry, shared, number) for number, entry in enumerate(data["components"] or [])])
        models.metadata = copy.deepcopy(dict(data.get("metadata") or {}))
        if data.get("covariance"):
            matrix = files.find_covariance(data["covariance"], path, models.parameters_unique_names)
            if matrix is not None:
                models.covariance = matrix
        return models

    @classmethod
    def from_yaml(cls, text: str, path: str | Path = "") -> Self:
        """Build the models from YAML text, as written by Gammapy 1.0 and 2.1 or by ``to_yaml``.

        Raises ``ConfigError`` when it is not a mapping with ``components``; see ``from_dict``.
        """
        return cls.from_dict(parsed_yaml(text, "model document"), path)

    @classmethod
    def read(cls, filename: str | Path) -> Self:
        """Read a YAML file and the covariance file that it names.

        Raises ``MissingInputError`` when one of them is not there.
        """
        try:
            return cls.from_dict(*files.read_document(filename))
        except (ConfigError, InputError, LaterError) as error:
            raise error.in_file(filename) from None

    def write(self, path: str | Path, overwrite: bool = False, full_output: bool = False,
              write_covariance: bool = True) -> None:  # fmt: skip
        """Write the YAML file and, beside it, ``<stem>_covariance.dat``.

        Both are written, or none. Raises ``OutputExistsError`` for a file that exists, unless ``overwrite``, and
        ``OutputError`` when they cannot be written.
        """
        document = self.to_dict(full_output)
        has_covariance = write_covariance and len(self.parameters) > 0
        table = files.covariance_text(self.parameters_unique_names, self.covariance.data) if has_covariance else None
        files.write_document(path, document, table, overwrite)

    def read_covariance(self, path: str | Path, filename: str = "") -> None:
        """Take covariance and errors from a file; see ``files.read_covariance``."""
        self.covariance = files.read_covariance(Path(path) / filename, self.parameters_unique_names)

    def write_covariance(self, filename: str | Path, overwrite: bool = False) -> None:
        """Write the covariance file alone; raises ``OutputExistsError``, ``OutputError``."""
        text = files.covariance_text(self.parameters_unique_names, self.covariance.data)
        write_files({local_path(filename): text.encode()}, overwrite=overwrite)

    # --- Gammapy

    def to_gammapy(self) -> Any:
        """Return ``Models`` of Gammapy with these values, errors, limits, links and covariance.

        Raises ``ConfigError`` when Gammapy is not installed or does not know a model.
        """
        return models_of_gammapy(self, self._models)

    @classmethod
    def from_gammapy(cls, models: Any) -> Self:
        """Return the models of Gammapy: its ``Models``, a list of models or one model.

        Raises ``ConfigError`` when Gammapy is not installed, or for a model that xgamma does not know.
        """
        described = described_by_gammapy(models)
        result = cls.from_dict(described.document)
        complete_from_gammapy(result, result._models, models, described)
        return result

    def __str__(self) -> str:
        labels = link_labels(self.parameters)
        numbers, more = ends(len(self._models), PRINTED)
        blocks = [f"Component {number}: {self._models[number].text(labels)}\n" for number in numbers]
        if more:
            blocks.insert(PRINTED // 2, f"... and {more:,} more ...\n")
        return "\n".join(["Models\n", *blocks])

    def _description(self) -> Description:
        parameters = self.parameters
        numbers, more = ends(len(self._models))
        models = [_words(self._models[number]) for number in numbers]
        places = [place for model in self._models for place in model.parameter_places]
        counts = [
            ("Models", f"{len(self._models):,}"),
            ("Parameters", f"{len(parameters):,}, {len(parameters.free_parameters):,} free"),
        ]
        parts = [
            Sheet(("model", "type", "spectral", "spatial", "temporal", "datasets"), models, more),
            parameter_sheet(parameters, places, ("model", "part")),
        ]
        return Description("Models", [Facts(counts), *(parts if models else [])])

    def __repr__(self) -> str:
        return f"Models({', '.join(self.names)})"


PRINTED = 100
"""How many components ``print`` shows."""


def _words(model: ModelComponent) -> tuple[str, ...]:
    parts = [model.parts.get(kind) for kind in ("spectral", "spatial", "temporal")]
    names = model.datasets_names
    held = "all" if names is None else ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
    return model.name, model.tag[0], *("" if part is None else part.tag[0] for part in parts), held


def normalize_models(models: Any) -> list[ModelComponent]:
    """Return a list of components with unique names; raises ``ConfigError``, ``ConfigTypeError``."""
    if models is None:
        return []
    if isinstance(models, ModelComponent):
        return [models]
    if isinstance(models, str | Mapping) or not isinstance(models, Iterable):
        raise ConfigTypeError(f"Models: expected SkyModel objects, got {models!r}; read YAML with Models.from_yaml.")
    result = list(models)
    for model in result:
        if not isinstance(model, ModelComponent):
            raise ConfigTypeError(f"Models: expected SkyModel objects, got {model!r}.")
    names = [model.name for model in result]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"Models: the name {twice[0]!r} is used more than once; give every model a name of its own.")
    return result


def _read_component(entry: Any, shared: dict[str, Parameter], number: int) -> ModelComponent:
    if not isinstance(entry, Mapping) or "type" not in entry:
        raise ConfigError(f"components: expected mappings with 'name', 'type' and 'spectral', got {entry!r}.")
    kind = str(entry["type"])
    try:
        if kind not in _CLASSES:
            names = [name for name in _CLASSES if name[0].isupper()]
            raise UnknownNameError(f"There is no model of type {kind!r}.{did_you_mean(kind, names)}")
        return _CLASSES[kind].from_dict(entry, shared)
    except ConfigError as error:
        raise error.of(f"components[{number}]") from None


def _tags(model: ModelComponent, model_type: str | None) -> set[str]:
    if model_type is not None:
        return set(model.parts[model_type].tag) if model_type in model.parts else set()
    return {*model.tag, *(tag for part in model.parts.values() for tag in part.tag)}

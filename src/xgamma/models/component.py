"""``Component``: the spectral, spatial or temporal part of a model: a tag, parameters in order, a document."""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from astropy import units as u

from xgamma.description import Described, Description, Sheet, facts
from xgamma.errors import ConfigError, ConfigTypeError, UnknownNameError, did_you_mean
from xgamma.models.parameter import Parameter, normalize_number, normalize_unit, unit_text
from xgamma.models.parameters import Covariance, Parameters, parameter_sheet
from xgamma.registry import lookup, names, register

log = logging.getLogger(__name__)

_OWN_KEYS = frozenset(
    {"name", "value", "unit", "error", "min", "max", "frozen", "interp", "scale_method", "is_norm", "prior"}
)
# Fields that other versions write and that have no effect on a result.
_OTHER_KEYS = frozenset({"scale", "factor", "link", "scan_min", "scan_max", "scan_n_values", "scan_n_sigma",
                         "scan_values", "scale_transform", "conf_min", "conf_max"})  # fmt: skip


class Component(Described):
    """Base of every spectral, spatial and temporal model.

    A subclass declares its parameters as class attributes, in order; each instance has its own copies. Its ``tag``
    holds the names by which documents call it. Subclassing registers: users' own models are read from YAML too.

    Examples
    --------
    >>> from xgamma.models.spectral.model import SpectralModel
    >>> class Line(SpectralModel):
    ...     tag = ("Line", "line")
    ...     slope = Parameter("slope", 1.0, "cm-2 s-1 TeV-2", is_norm=True)
    ...     @staticmethod
    ...     def evaluate(energy, slope):
    ...         return slope * energy
    """

    type: ClassVar[str] = ""
    tag: ClassVar[tuple[str, ...]] = ()
    default_parameters: ClassVar[Parameters] = Parameters()

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        declared = [value for value in vars(cls).values() if isinstance(value, Parameter)]
        own = {parameter.name for parameter in declared}
        inherited = [parameter for parameter in cls.default_parameters if parameter.name not in own]
        cls.default_parameters = Parameters([*inherited, *declared])
        if "tag" in vars(cls):
            # One name, or a list as in Gammapy.
            cls.tag = (cls.tag,) if isinstance(cls.tag, str) else tuple(cls.tag)
            for name in cls.tag:
                register(f"{cls.type} model", name)(cls)

    def __init__(self, **values: Any) -> None:
        self._covariance: Covariance | None = None
        self._order: tuple[str, ...] = ()
        self._ordered: tuple[Parameter, ...] = ()
        for default in self.default_parameters:
            self._add_parameter(default.copy())
        for name, value in values.items():
            self._set_at_the_door(name, value)

    def _add_parameter(self, parameter: Parameter) -> None:
        parameter.own(self.type, self._canonical_units(parameter.name))
        self._order += (parameter.name,)
        self.__dict__[parameter.name] = parameter
        self._refresh()

    # A norm may also be per solid angle, in a diffuse model, or a bare factor.
    def _canonical_units(self, name: str) -> list[u.UnitBase]:
        default = self._default(name)
        if default is None:
            return []
        return [default.unit, default.unit / u.sr, u.dimensionless_unscaled] if default.is_norm else [default.unit]

    def _set_at_the_door(self, name: str, value: Any) -> None:
        if name not in self._order:
            known = did_you_mean(name, self._order)
            raise ConfigError(f"{self.tag[0]} has no parameter {name!r}.{known}")
        parameter = getattr(self, name)
        if isinstance(value, Parameter):
            setattr(self, name, value)
        elif isinstance(value, str | u.Quantity):
            parameter.quantity = value
        elif parameter.unit != u.dimensionless_unscaled:
            unit = unit_text(parameter.unit)
            where = f"{self.tag[0]}.{name}"
            raise ConfigError(f"{where}: expected a value in {unit}, got {value!r}; write '{value} {unit}'.")
        else:
            parameter.value = value

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.__dict__.get("_order", ()):
            if not isinstance(value, Parameter):
                raise ConfigTypeError(
                    f"{self.tag[0]}.{name} is a parameter; write model.{name}.value = {value!r} or "
                    f"model.{name}.quantity = '{value} unit', or assign a Parameter to link it."
                )
            value.own(self.type, self._canonical_units(name))
            self.__dict__[name] = value
            self._refresh()
            return
        super().__setattr__(name, value)

    def _refresh(self) -> None:
        self.__dict__["_ordered"] = tuple(self.__dict__[name] for name in self._order)

    @property
    def parameters(self) -> Parameters:
        """The parameters, in the order of the document."""
        return Parameters(self._ordered)

    @property
    def parameter_names(self) -> list[str]:
        """The names of the places; a parameter linked from elsewhere may itself be called otherwise."""
        return list(self._order)

    @property
    def qualified_names(self) -> list[str]:
        """The names of the places, each once: those of a compound begin with ``model1.`` or ``model2.``."""
        return self.parameter_names

    @property
    def shown_names(self) -> list[str]:
        """The names of the places for people: qualified where two places have one name."""
        plain = self.parameter_names
        pairs = zip(plain, self.qualified_names, strict=True)
        return [name if plain.count(name) == 1 else qualified for name, qualified in pairs]

    def canonical_values(self, values: Iterable[float] | None = None) -> list[float]:
        """Return the values as the model computes with them: canonical units, in the order of ``parameters``.

        ``values`` (in the parameters' own units) stand in for the current ones.
        """
        if values is None:
            return [parameter.value * parameter.canonical_factor for parameter in self._ordered]
        return [
            float(value) * parameter.canonical_factor for value, parameter in zip(values, self._ordered, strict=True)
        ]

    @property
    def covariance(self) -> Covariance:
        """The covariance of the parameters; its diagonal follows their errors. May be set from a matrix."""
        return Covariance.assemble(self.parameters, [self._covariance, *(one.covariance for one in self._inner)])

    @covariance.setter
    def covariance(self, covariance: Any) -> None:
        self._covariance = Covariance.normalize(self.parameters, covariance)
        self._covariance.set_errors()
        for one in self._inner:
            one.covariance = self._covariance.restrict(one.parameters)

    @property
    def _inner(self) -> tuple[Component, ...]:
        return ()

    @property
    def frozen(self) -> bool:
        """Whether every parameter is frozen."""
        return all(parameter.frozen for parameter in self.parameters)

    def freeze(self) -> None:
        """Freeze every parameter."""
        self.parameters.freeze_all()

    def unfreeze(self) -> None:
        """Put the frozen flags back to the defaults."""
        for name, parameter in zip(self._order, self._ordered, strict=True):
            default = self._default(name)
            parameter.frozen = False if default is None else default.frozen

    def reassign(self, name: str, value: Any) -> Self:
        """Return a copy with another value of one parameter."""
        new = self.copy()
        new._set_at_the_door(name, value)
        return new

    def copy(self, **values: Any) -> Self:
        """Return an independent copy, with new parameter values where given."""
        new = copy.deepcopy(self)
        for name, value in values.items():
            new._set_at_the_door(name, value)
        return new

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        new = self.__class__.__new__(self.__class__)
        memo[id(self)] = new
        new.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return new

    @classmethod
    def from_parameters(cls, parameters: Parameters, **kwargs: Any) -> Self:
        """Return a model that holds the given ``Parameter`` objects (shared, not copied)."""
        model = cls(**kwargs)
        for parameter in parameters:
            setattr(model, parameter.name, parameter)
        return model

    def _default(self, name: str) -> Parameter | None:
        return next((parameter for parameter in self.default_parameters if parameter.name == name), None)

    def origins(self) -> list[str]:
        """Return where what was read from files is from, a line for each."""
        return [line for part in self._inner for line in part.origins()]

    # --- documents

    def to_dict(self, full_output: bool = False, labels: Mapping[int, str] | None = None) -> dict[str, Any]:
        """Return ``{type: document}``; only deviations from the defaults, or everything if ``full_output``."""
        return {self.type: self.document(full_output, labels or {})}

    def document(self, full_output: bool, labels: Mapping[int, str]) -> dict[str, Any]:
        """Return the part of a model document: type, parameters, and what a subclass adds."""
        entries = [
            parameter_document(name, parameter, self._default(name), full_output, labels)
            for name, parameter in zip(self._order, self._ordered, strict=True)
        ]
        return {"type": self.tag[0], "parameters": entries}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], shared: dict[str, Parameter] | None = None) -> Self:
        """Build the model from its document, or from ``{type: document}``.

        ``shared`` gathers the linked parameters of the whole file by their label. Raises ``ConfigError``.
        """
        document = data[cls.type] if isinstance(data.get(cls.type), Mapping) else data
        return cls.from_document(document, {} if shared is None else shared)

    @classmethod
    def from_document(cls, document: Mapping[str, Any], shared: dict[str, Parameter]) -> Self:
        """Build the model from its part of a document; subclasses with more than parameters extend it."""
        model = cls()
        model.read_parameters(document, shared)
        return model

    def read_parameters(self, document: Mapping[str, Any], shared: dict[str, Parameter], quiet: bool = False) -> None:
        """Take values, units, errors, limits and links from the ``parameters`` of a document.

        A parameter that is not there keeps its default, with a warning unless ``quiet``.

        Raises ``ConfigError`` for a parameter that the model does not have.
        """
        entries = parameter_entries(document, self.tag[0])
        for name in entries:
            if name not in self._order:
                raise ConfigError(f"{self.tag[0]} has no parameter {name!r}.{did_you_mean(name, self._order)}")
        for name, parameter in zip(self._order, self._ordered, strict=True):
            entry = entries.get(name)
            if entry is not None:
                self._read_parameter(parameter, entry, shared)
            elif not quiet:
                log.warning(
                    "%s: parameter %r is not in the document; using its default %r%s.",
                    self.tag[0], parameter.name, parameter.value, f" {unit_text(parameter.unit)}".rstrip(),
                )  # fmt: skip

    def _read_parameter(self, parameter: Parameter, entry: Mapping[str, Any], shared: dict[str, Parameter]) -> None:
        label = str(entry.get("link") or "")
        if label in shared:
            first = shared[label]
            setattr(self, parameter.name, first)
            _validate_linked(first, entry, f"{self.tag[0]}.{parameter.name}")
            return
        update_parameter(parameter, entry, self.tag[0])
        parameter.link = label
        if label:
            shared[label] = parameter

    def __repr__(self) -> str:
        values = ", ".join(f"{parameter.name}={parameter.value:g}" for parameter in self.parameters)
        return f"{type(self).__name__}({values})"

    def _description(self) -> Description:
        return Description(type(self).__name__, [self._sheet(), *facts(self._remarks())])

    def _sheet(self) -> Sheet:
        return parameter_sheet(self.parameters, [(name,) for name in self.shown_names])

    def _remarks(self) -> Sequence[tuple[str, str]]:
        """Return what there is to say beside the parameters."""
        return []


def _validate_linked(first: Parameter, entry: Mapping[str, Any], where: str) -> None:
    """Take a prior that only a later place of a linked parameter has; raise where it says something else of it."""
    unit = normalize_unit(entry.get("unit", first.unit), where)
    for key in ("value", "min", "max"):
        if entry.get(key) is None:
            continue
        given = normalize_number(u.Quantity(normalize_number(entry[key], unit, where), unit), first.unit, where)
        _validate_same(key, given, getattr(first, key), first.link, where)
    if entry.get("frozen") is not None:
        _validate_same("frozen", _flag(entry["frozen"], where), first.frozen, first.link, where)
    if entry.get("prior") is not None and first.prior is None:
        first.prior = _read_prior(entry["prior"], f"{where}.prior")


def _validate_same(key: str, given: float, there: float, link: str, where: str) -> None:
    if math.isclose(given, there, rel_tol=1e-9) or (math.isnan(given) and math.isnan(there)):
        return
    one, other = (f"{number:g}" if key != "frozen" else str(number).lower() for number in (given, there))
    raise ConfigError(
        f"{where}: it is linked as {link!r} and has the {key} {one} here, {other} at its first place; say the same, or "
        "leave it out here."
    )


class KeptComponent(Component):
    """Parameters and whatever else stands in the document (frame, file name, ...), in the order it was read.

    ``rest`` holds what is not a parameter.
    """

    takes_any_parameter: ClassVar[bool] = False
    """Whether the parameters are those of the document, as for templates with axes of their own."""

    def __init__(self, **values: Any) -> None:
        self.rest: dict[str, Any] = {}
        self._keys: list[str] = ["parameters"]
        super().__init__(**values)

    @classmethod
    def from_document(cls, document: Mapping[str, Any], shared: dict[str, Parameter]) -> Self:
        """Keep parameters and everything else."""
        model = cls()
        if cls.takes_any_parameter:
            for name in parameter_entries(document, cls.tag[0]):
                if name not in model._order:
                    model._add_parameter(Parameter(name, 0.0))
        model.read_parameters(document, shared, quiet=cls.takes_any_parameter)
        model.rest = {key: copy.deepcopy(value) for key, value in document.items() if key not in ("type", "parameters")}
        model._keys = [key for key in document if key != "type"]
        return model

    def document(self, full_output: bool, labels: Mapping[int, str]) -> dict[str, Any]:
        """Return the document as it was read, with the parameters of now."""
        own = super().document(full_output, labels)
        everything = own | copy.deepcopy(self.rest)
        keys = [*self._keys, *(key for key in everything if key not in self._keys)]
        return {"type": own["type"]} | {key: everything[key] for key in keys if key != "type"}


def parameter_document(
    name: str, parameter: Parameter, default: Parameter | None, full_output: bool, labels: Mapping[int, str]
) -> dict[str, Any]:
    """Return the entry of one place: the value always, the rest where it is not the default."""
    everything = parameter.to_dict() | {"name": name}
    reference = (default or Parameter(parameter.name, 0.0, parameter.unit)).to_dict()
    entry = {
        key: value
        for key, value in everything.items()
        if full_output or key in ("name", "value") or _differs(value, reference.get(key))
    }
    # A unit is written even if it is the default one, so that the document can be read without knowing the model.
    if everything["unit"] or (default is not None and reference["unit"]):
        entry = {"name": entry.pop("name"), "value": entry.pop("value"), "unit": everything["unit"]} | entry
    prior = {"prior": entry.pop("prior")} if "prior" in entry else {}
    if id(parameter) in labels:
        entry["link"] = labels[id(parameter)]
    return entry | prior


def _differs(value: Any, default: Any) -> bool:
    if isinstance(value, float) and isinstance(default, float) and np.isnan(value) and np.isnan(default):
        return False
    return bool(value != default)


def parameter_entries(document: Mapping[str, Any], owner: str) -> dict[str, Mapping[str, Any]]:
    """Return the entries of ``document["parameters"]`` by name; raises ``ConfigError`` when they are not entries."""
    entries = document.get("parameters") or []
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) and "name" in entry for entry in entries):
        raise ConfigError(f"{owner}: expected 'parameters' to be a list of entries with a name, got {entries!r}.")
    by_name = {str(entry["name"]): entry for entry in entries}
    if len(by_name) != len(entries):
        names = [str(entry["name"]) for entry in entries]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ConfigError(f"{owner}: the parameter {twice[0]!r} stands twice in the document; keep one of them.")
    return by_name


def update_parameter(parameter: Parameter, entry: Mapping[str, Any], owner: str) -> None:
    """Set ``parameter`` from its entry in a document; raises ``ConfigError`` that names ``owner``."""
    where = f"{owner}.{parameter.name}"
    for key in entry:
        if key not in _OWN_KEYS | _OTHER_KEYS:
            raise ConfigError(f"{where}: unknown key {key!r}.{did_you_mean(str(key), _OWN_KEYS)}")
    if "unit" in entry:
        parameter.unit = entry["unit"]
    for key in ("value", "error", "min", "max"):
        if entry.get(key) is not None:
            setattr(parameter, key, normalize_number(entry[key], parameter.unit, f"{where}.{key}"))
    for key in ("frozen", "is_norm"):
        if entry.get(key) is not None:
            setattr(parameter, key, _flag(entry[key], f"{where}.{key}"))
    parameter.interp = entry.get("interp", parameter.interp)
    parameter.scale_method = entry.get("scale_method", parameter.scale_method)
    if entry.get("prior") is not None:
        parameter.prior = _read_prior(entry["prior"], f"{where}.prior")


def _read_prior(document: Any, where: str) -> Any:
    try:
        return component_class("prior", document).from_document(document, {})
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None


def _flag(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise ConfigError(f"{where}: expected true or false, got {value!r}.")
    return value


def component_class(kind: str, document: Any) -> type[Any]:
    """Return the class that the ``type`` of a document names; raises ``ConfigError``, ``UnknownNameError``."""
    if not isinstance(document, Mapping) or "type" not in document:
        raise ConfigError(f"{kind}: expected a mapping with a 'type' and 'parameters', got {document!r}.")
    entry, name = f"{kind} model", str(document["type"])
    whole = f"{name}{kind.capitalize()}Model"
    try:
        found: type[Any] = lookup(entry, name).function  # type: ignore[assignment]
    except UnknownNameError:
        if whole not in names(entry):
            raise
        raise UnknownNameError(f"There is no {entry} called {name!r}. Did you mean {whole!r}?") from None
    return found

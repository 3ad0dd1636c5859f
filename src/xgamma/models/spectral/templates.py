"""Spectra made of tables: templates, and norms at given energies."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn, Self

import numpy as np
from astropy import units as u

from xgamma.axes import FloatArray
from xgamma.errors import ConfigError, LaterError
from xgamma.models.component import parameter_entries
from xgamma.models.parameters import Parameter
from xgamma.models.spectral.calculus import normalize_energy
from xgamma.models.spectral.model import DENSITY, SpectralModel
from xgamma.models.spectral.tables import (
    TemplateTable,
    from_log_values,
    grid_interpolator,
    linear_extrapolating,
    log_values,
    read_absorption,
    read_template,
    read_two_columns,
)
from xgamma.models.tabulated import table_bytes
from xgamma.units import unit_label

_CANONICAL = (DENSITY, DENSITY / u.sr, u.dimensionless_unscaled)


def quantity_document(quantity: u.Quantity) -> dict[str, Any]:
    """Return ``{data, unit}`` as documents hold arrays."""
    return {"data": quantity.value.tolist(), "unit": _unit_document(quantity.unit)}


def _unit_document(unit: u.UnitBase) -> str:
    return unit_label(str(unit)) if unit.scale == 1 else str(unit)


def read_quantity(document: Mapping[str, Any], key: str, owner: str) -> u.Quantity:
    """Return the array of ``{data, unit}``; raises ``ConfigError``."""
    entry = document.get(key)
    if not isinstance(entry, Mapping) or "data" not in entry:
        raise ConfigError(f"{owner}: expected {key!r} with 'data' and 'unit', got {entry!r}.")
    try:
        return u.Quantity(np.asarray(entry["data"], dtype=float), entry.get("unit") or "")
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{owner}.{key}: expected numbers and a unit; {error}.") from None


def energy_nodes(energy: u.Quantity, owner: str) -> FloatArray:
    """Return ascending energies in TeV; raises ``ConfigError`` for others."""
    nodes = np.atleast_1d(normalize_energy(energy, f"{owner}.energy"))
    if nodes.ndim != 1 or not np.all(nodes > 0) or not np.all(np.diff(nodes) > 0):
        raise ConfigError(f"{owner}.energy: expected ascending energies above 0, got {energy}.")
    return nodes


def _density_unit(unit: u.UnitBase) -> u.UnitBase:
    return next((known for known in _CANONICAL if known.is_equivalent(unit)), unit)


class TemplateSpectralModel(SpectralModel):
    """``norm`` times a table, interpolated and extrapolated as power laws, or as lines over the logarithm of energy.

    Parameters
    ----------
    energy, values
        Nodes as quantities, shape (n,).
    interp
        ``"log"`` for power laws, ``"lin"`` for lines, which end at 0. By default power laws, and lines where a value is
        0: beside it a power law would be next to nothing.
    **parameters
        The value of ``norm``.
    """

    tag = ("TemplateSpectralModel", "template")
    norm = Parameter("norm", 1.0, is_norm=True, interp="log", frozen=True)

    def __init__(self, energy: u.Quantity, values: u.Quantity, interp: str | None = None, **parameters: Any) -> None:
        self.energy, self.values = u.Quantity(energy), u.Quantity(values)
        self._log_nodes = np.log(energy_nodes(self.energy, self.tag[0]))
        if self.values.shape != self._log_nodes.shape:
            raise ConfigError(f"{self.tag[0]}: expected one value an energy, got {self.values.shape}.")
        plain = np.asarray(self.values.to_value(_density_unit(self.values.unit)), dtype=float)
        self.interp = _template_interp(plain, interp, self.tag[0])
        self._node_values = log_values(plain) if self.interp == "log" else plain
        super().__init__(**parameters)

    @classmethod
    def read(cls, filename: str | Path, **parameters: Any) -> Self:
        """Read a table in FITS or ECSV whose first two columns are energies and values, with units.

        Raises ``MissingInputError``, ``InputError``, ``ConfigError``.
        """
        return cls(*read_two_columns(filename), **parameters)

    @classmethod
    def read_xspec_model(cls, filename: str | Path, param: float, **parameters: Any) -> Self:
        """Read an XSPEC table model of one parameter at the node next to ``param``, in lines as in Gammapy.

        Raises ``MissingInputError``, ``InputError``, and ``ConfigError`` for a parameter beside the table.
        """
        table = read_absorption(filename)
        nodes, energy = table.nodes
        if not nodes.min() <= param <= nodes.max():
            raise ConfigError(
                f"{cls.tag[0]}: expected a parameter from {nodes.min():g} to {nodes.max():g}, as {filename} has them, "
                f"got {param:g}."
            )
        values = table.values[int(np.argmin(np.abs(nodes - param)))]
        return cls(u.Quantity(energy, table.energy_unit), u.Quantity(values, ""), "lin", **parameters)

    @property
    def unit(self) -> u.UnitBase:
        """The unit of the values."""
        return u.Unit(self.values.unit)

    @property
    def canonical_unit(self) -> u.UnitBase:
        """cm-2 s-1 TeV-1 for flux densities."""
        return _density_unit(self.values.unit)

    def _dnde(self, energy: FloatArray, values: list[float]) -> FloatArray:
        curve = linear_extrapolating(np.log(energy), self._log_nodes, self._node_values)
        return np.asarray(values[0] * (from_log_values(curve) if self.interp == "log" else np.maximum(curve, 0.0)))

    def document(self, full_output: bool, labels: Mapping[int, str]) -> dict[str, Any]:
        """Return type, parameters and the table."""
        table: dict[str, Any] = {"energy": quantity_document(self.energy), "values": quantity_document(self.values)}
        interp = {} if self.interp == "log" else {"interp": self.interp}
        return super().document(full_output, labels) | table | interp

    @classmethod
    def from_document(cls, document: Mapping[str, Any], shared: dict[str, Parameter]) -> Self:
        """Build the template from its table; the norm is 1 where the document has none."""
        energy, values = (read_quantity(document, key, cls.tag[0]) for key in ("energy", "values"))
        model = cls(energy, values, document.get("interp"))
        model.read_parameters(document, shared, quiet=True)
        return model


def _template_interp(values: FloatArray, interp: str | None, owner: str) -> str:
    """Return how a table is interpolated; raises ``ConfigError`` for values that are no template."""
    lacking, negative = int((~np.isfinite(values)).sum()), int((values < 0).sum())
    if lacking:
        raise ConfigError(f"{owner}.values: {lacking} of its {values.size} values are no numbers; leave them out.")
    if negative:
        raise ConfigError(f"{owner}.values: {negative} of its {values.size} values are below 0; set them to 0.")
    if interp not in (None, "log", "lin"):
        raise ConfigError(f"{owner}.interp: expected 'log' or 'lin', got {interp!r}.")
    if interp == "log" and not (values > 0).all():
        raise ConfigError(
            f"{owner}.interp: expected values above 0 for 'log', got some of 0; leave them out, or say 'lin'."
        )
    return interp or ("log" if (values > 0).all() else "lin")


class PiecewiseNormSpectralModel(SpectralModel):
    """Norms ``norm_0``, ``norm_1``, ... at given energies, power laws or lines between them and flat outside.

    Parameters
    ----------
    energy
        Nodes as a quantity, shape (n,).
    norms
        Start values, 1 by default.
    interp
        The scale of norms and energies between the nodes: ``"log"`` or ``"lin"``.
    **parameters
        Values of single norms by name.
    """

    tag = ("PiecewiseNormSpectralModel", "piecewise-norm")

    def __init__(self, energy: u.Quantity, norms: Any = None, interp: str = "log", **parameters: Any) -> None:
        if interp not in ("log", "lin"):
            raise ConfigError(f"{self.tag[0]}.interp: expected 'log' or 'lin', got {interp!r}.")
        self.energy, self.interp = u.Quantity(energy), interp
        self._linear_nodes = energy_nodes(self.energy, self.tag[0])
        self._log_nodes = np.log(self._linear_nodes)
        super().__init__()
        start = np.ones(self._log_nodes.size) if norms is None else np.atleast_1d(u.Quantity(norms, "").value)
        if start.shape != self._log_nodes.shape:
            raise ConfigError(f"{self.tag[0]}: expected {self._log_nodes.size} norms, got {start.size}.")
        for number, value in enumerate(start):
            self._add_parameter(Parameter(f"norm_{number}", float(value), interp=interp))
        for name, value in parameters.items():
            self._set_at_the_door(name, value)

    def _default(self, name: str) -> Parameter | None:
        return Parameter(name, 1.0, interp=self.interp)

    def _dnde(self, energy: FloatArray, values: list[float]) -> FloatArray:
        if self.interp == "lin":
            return np.asarray(np.interp(energy, self._linear_nodes, values))
        return from_log_values(np.interp(np.log(energy), self._log_nodes, log_values(np.asarray(values))))

    def _dnde_gradient(
        self, energy: FloatArray, values: list[float], wanted: Sequence[int]
    ) -> tuple[FloatArray, FloatArray]:
        dnde, is_linear = self._dnde(energy, values), self.interp == "lin"
        at, nodes = (energy, self._linear_nodes) if is_linear else (np.log(energy), self._log_nodes)
        shares = [np.interp(at, nodes, np.arange(nodes.size) == place) for place in wanted]
        rows = np.reshape(shares, (len(wanted), *np.shape(energy)))
        if is_linear:
            return dnde, rows
        norms = np.array([values[place] for place in wanted]).reshape(-1, *(1,) * np.ndim(energy))
        return dnde, np.where(norms > 0, dnde * rows / norms, 0.0)

    def document(self, full_output: bool, labels: Mapping[int, str]) -> dict[str, Any]:
        """Return type, parameters and energies."""
        rest: dict[str, Any] = {"energy": quantity_document(self.energy)}
        if self.interp != "log":
            rest["interp"] = self.interp
        return super().document(full_output, labels) | rest

    @classmethod
    def from_document(cls, document: Mapping[str, Any], shared: dict[str, Parameter]) -> Self:
        """Build the norms at the energies of the document."""
        model = cls(read_quantity(document, "energy", cls.tag[0]), interp=document.get("interp", "log"))
        model.read_parameters(document, shared)
        return model


class TemplateNDSpectralModel(SpectralModel):
    """A table of dN/dE over energy and further axes, which are the parameters.

    Parameters
    ----------
    filename
        A region map in FITS, opened when the spectrum is first evaluated.
    **parameters
        Values of its parameters by name.
    """

    tag = ("TemplateNDSpectralModel", "templateND")

    def __init__(self, filename: str | Path, **parameters: Any) -> None:
        self._start(filename)
        table = self._table
        for name, nodes in zip(table.names[:-1], table.nodes[:-1], strict=True):
            first, last = float(nodes[0]), float(nodes[-1])
            self._add_parameter(Parameter(name, 0.5 * (first + last), min=first, max=last))
        for name, value in parameters.items():
            self._set_at_the_door(name, value)

    def _start(self, filename: str | Path, unit: str = "") -> None:
        self.filename, self._unit_text = str(filename), unit
        super().__init__()

    @cached_property
    def _table(self) -> TemplateTable:
        return read_template(self.filename)

    @cached_property
    def _interpolate(self) -> Callable[..., FloatArray]:
        return grid_interpolator(self._table.nodes, self._table.scales, self._table.values, logarithmic=True)

    @property
    def unit(self) -> u.UnitBase:
        """The unit of the table."""
        return u.Unit(self._unit_text or self._table.unit)

    @property
    def canonical_unit(self) -> u.UnitBase:
        """cm-2 s-1 TeV-1 for flux densities."""
        return _density_unit(self.unit)

    def tables(self) -> list[bytes]:
        """Return nodes and values of the file, which is opened for it."""
        return table_bytes(*self._table.nodes, self._table.values)

    def _dnde(self, energy: FloatArray, values: list[float]) -> FloatArray:
        return self._interpolate(*values, energy) * float(self.unit.to(self.canonical_unit))

    def _default(self, name: str) -> Parameter | None:
        return None

    def document(self, full_output: bool, labels: Mapping[int, str]) -> dict[str, Any]:
        """Return type, parameters, file name and unit."""
        rest = {"filename": self.filename, "unit": _unit_document(self.unit)}
        return super().document(full_output, labels) | rest

    @classmethod
    def from_document(cls, document: Mapping[str, Any], shared: dict[str, Parameter]) -> Self:
        """Build the parameters from the document; the file is opened later."""
        if "filename" not in document:
            raise ConfigError(f"{cls.tag[0]}: expected a 'filename' in the document.")
        model = cls.__new__(cls)
        model._start(document["filename"], str(document.get("unit") or ""))
        for name in parameter_entries(document, cls.tag[0]):
            model._add_parameter(Parameter(name, 0.0))
        model.read_parameters(document, shared)
        return model


class NaimaSpectralModel(SpectralModel):
    """Radiative models of naima; not computed."""

    tag = ("NaimaSpectralModel", "naima")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _refuse_naima()

    @classmethod
    def from_document(cls, document: Mapping[str, Any], shared: dict[str, Parameter]) -> Self:
        """Raise ``LaterError``: such a model cannot be read from a document."""
        _refuse_naima()


def _refuse_naima() -> NoReturn:
    raise LaterError(
        "NaimaSpectralModel needs the package naima and cannot be read from a document; tabulate the spectrum and use "
        "TemplateSpectralModel(energy, values)."
    )

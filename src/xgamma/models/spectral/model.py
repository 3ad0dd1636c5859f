"""``SpectralModel``: what every spectrum can do; sums, products and scaled spectra."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
import scipy
from astropy import units as u

from xgamma.axes import FloatArray
from xgamma.errors import ConfigError, did_you_mean
from xgamma.models import pictures
from xgamma.models.component import Component, component_class
from xgamma.models.parameters import Parameter, Parameters
from xgamma.models.spectral.calculus import (
    TEV,
    normalize_bounds,
    normalize_energy,
    normalize_range,
    propagated,
)
from xgamma.models.spectral.function import SpectralFunction
from xgamma.plot import spectrum as spectrum_plot
from xgamma.units import conversion

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


DENSITY = u.Unit("cm-2 s-1 TeV-1")
AMPLITUDE = "cm-2 s-1 TeV-1"
FLUX = "cm-2 s-1"


class SpectralModel(SpectralFunction):
    """A spectrum dN/dE with named parameters.

    Subclasses declare parameters and ``evaluate(energy, **parameters)``, a pure function of plain numbers: energies
    in TeV, parameters in the unit of their default. They may have ``log_gradient``, which makes fits faster.
    """

    def __call__(self, energy: u.Quantity) -> u.Quantity:
        """Return dN/dE at ``energy``, in the unit that the parameters have."""
        values = self.dnde(normalize_energy(energy))
        return u.Quantity(values * conversion(self.canonical_unit, self.unit), self.unit)

    def integral(self, energy_min: u.Quantity, energy_max: u.Quantity) -> u.Quantity:
        """Return the integral of dN/dE between energies of any one shape, for example in cm-2 s-1.

        In closed form for power laws, Gaussians and their scaled versions; otherwise by the log-log trapezoid rule.
        """
        low, high = normalize_range(energy_min, energy_max)
        return u.Quantity(self._integral(low, high, self.canonical_values()), self._integral_unit(1))

    def energy_flux(self, energy_min: u.Quantity, energy_max: u.Quantity) -> u.Quantity:
        """Return the integral of E dN/dE between energies of any one shape, for example in TeV cm-2 s-1."""
        low, high = normalize_range(energy_min, energy_max)
        return u.Quantity(self._energy_flux(low, high, self.canonical_values()), self._integral_unit(2))

    def _integral_unit(self, power: int) -> u.UnitBase:
        return u.Unit(self.canonical_unit * TEV**power)

    def evaluate_error(self, energy: u.Quantity) -> u.Quantity:
        """Return dN/dE and its standard error from the covariance, shape (2, ...)."""
        at = normalize_energy(energy)
        factor = conversion(self.canonical_unit, self.unit)
        pair = self._propagate(lambda values: self._dnde(at, values) * factor)
        return u.Quantity(pair, self.unit)

    def integral_error(self, energy_min: u.Quantity, energy_max: u.Quantity) -> u.Quantity:
        """Return ``integral`` and its standard error from the covariance, shape (2, ...)."""
        low, high = normalize_range(energy_min, energy_max)
        return u.Quantity(self._propagate(lambda values: self._integral(low, high, values)), self._integral_unit(1))

    def energy_flux_error(self, energy_min: u.Quantity, energy_max: u.Quantity) -> u.Quantity:
        """Return ``energy_flux`` and its standard error from the covariance, shape (2, ...)."""
        low, high = normalize_range(energy_min, energy_max)
        return u.Quantity(self._propagate(lambda values: self._energy_flux(low, high, values)), self._integral_unit(2))

    def _propagate(self, function: Callable[[list[float]], FloatArray]) -> FloatArray:
        def by_values(values: FloatArray) -> FloatArray:
            return function(self.canonical_values(values))

        return propagated(by_values, self.parameters, self.covariance.data)

    def spectral_index(self, energy: u.Quantity, epsilon: float = 1e-5) -> FloatArray:
        """Return the local photon index ``-d ln(dN/dE) / d ln E``, by a finite difference of ``epsilon``."""
        at = normalize_energy(energy)
        ratio = self.dnde(at * (1 + epsilon)) / self.dnde(at)
        return np.asarray(-np.log(ratio) / np.log1p(epsilon))

    @property
    def pivot_energy(self) -> u.Quantity:
        """The energy at which the relative error of dN/dE is smallest, between 1 MeV and 1 PeV; NaN without one."""

        def relative_error(log_energy: float) -> float:
            value, error = self._propagate(lambda values: self._dnde(np.exp([log_energy]), values))
            return float(error[0] / value[0]) if value[0] > 0 else float("inf")

        grid = np.linspace(np.log(1e-6), np.log(1e3), 181)
        errors = np.array([relative_error(at) for at in grid])
        best = int(np.argmin(np.where(np.isfinite(errors), errors, np.inf)))
        if best in (0, len(grid) - 1) or not np.nanmax(errors) > (1 + 1e-6) * errors[best]:
            return u.Quantity(np.nan, TEV)
        bounds = (grid[best - 1], grid[best + 1])
        result = scipy.optimize.minimize_scalar(
            relative_error, bounds=bounds, method="bounded", options={"xatol": 1e-8}
        )
        return u.Quantity(np.exp(result.x), TEV)

    def inverse(self, value: u.Quantity, energy_min: Any = "0.1 TeV", energy_max: Any = "100 TeV") -> u.Quantity:
        """Return the lowest energy in a range at which dN/dE is ``value``; NaN where it never is."""
        low, high = normalize_range(energy_min, energy_max)
        wanted = np.atleast_1d(u.Quantity(value).to_value(self.canonical_unit))
        grid = np.geomspace(low, high, 201)
        curve = self.dnde(grid)
        found = [self._root(grid, curve, level) for level in wanted.ravel()]
        return u.Quantity(np.reshape(found, np.shape(u.Quantity(value))), TEV)

    def _root(self, grid: FloatArray, curve: FloatArray, level: float) -> float:
        above = np.sign(curve - level)
        crossings = np.flatnonzero(above[:-1] * above[1:] <= 0)
        if not crossings.size:
            return float("nan")
        low, high = np.log(grid[crossings[0] : crossings[0] + 2])

        def difference(log_energy: float) -> float:
            return float(self.dnde(np.exp([log_energy]))[0] / level - 1.0)

        return float(np.exp(scipy.optimize.brentq(difference, low, high, xtol=1e-14, rtol=1e-14)))

    # --- algebra

    def __add__(self, other: Any) -> CompoundSpectralModel:
        return CompoundSpectralModel(self, _normalize_operand(other, self.unit), "add")

    def __sub__(self, other: Any) -> CompoundSpectralModel:
        return CompoundSpectralModel(self, _normalize_operand(other, self.unit), "sub")

    def __mul__(self, other: Any) -> CompoundSpectralModel:
        return CompoundSpectralModel(self, _normalize_operand(other, u.dimensionless_unscaled), "mul")

    def __radd__(self, other: Any) -> SpectralModel:
        return self.__add__(other)

    def __rmul__(self, other: Any) -> SpectralModel:
        return self.__mul__(other)

    # --- pictures

    def plot(
        self, energy_bounds: Any, ax: Axes | None = None, sed_type: str = "dnde", energy_power: int = 0,
        n_points: int = 100, energy_unit: Any = None, **style: Any,
    ) -> Axes:  # fmt: skip
        """Draw the spectrum on logarithmic axes that carry their units.

        Parameters
        ----------
        energy_bounds
            Two energies, or an ``Axis`` whose edges bound them.
        ax
            The Axes to draw on; the current ones by default.
        sed_type
            ``dnde``, ``e2dnde``, ``flux``, ``eflux`` or ``norm``.
        energy_power
            The quantity is multiplied with this power of the energy in TeV.
        n_points
            How many energies; ``flux`` and ``eflux`` are integrals between neighbours of them.
        energy_unit
            Another unit of energy than TeV, on Axes that have none.
        **style
            Passed to ``Axes.plot``.
        """
        edges = normalize_bounds(energy_bounds, n_points)
        quantity, unit = self._sed_function(edges, sed_type)
        values = quantity(self.canonical_values())
        return spectrum_plot.plot_spectrum(
            _at(edges, sed_type), values, unit, sed_type,
            ax=ax, energy_power=energy_power, energy_unit=energy_unit, **style,
        )  # fmt: skip

    def plot_error(
        self, energy_bounds: Any, ax: Axes | None = None, sed_type: str = "dnde", energy_power: int = 0,
        n_points: int = 100, energy_unit: Any = None, **style: Any,
    ) -> Axes:  # fmt: skip
        """Draw the band of one standard error, from the covariance; arguments as in ``plot``."""
        edges = normalize_bounds(energy_bounds, n_points)
        quantity, unit = self._sed_function(edges, sed_type)
        value, error = self._propagate(quantity)
        return spectrum_plot.plot_spectrum_band(
            _at(edges, sed_type), value - error, value + error, unit, sed_type,
            ax=ax, energy_power=energy_power, energy_unit=energy_unit, **style,
        )  # fmt: skip

    def peek(self, figsize: tuple[float, float] | None = None, energy_bounds: Any = None) -> Figure:
        """Draw E2 dN/dE, by default from 0.1 to 100 TeV, with its error band in a new figure, and return it."""
        return pictures.peek_parts([self], self.tag[0] if self.tag else type(self).__name__, figsize, energy_bounds)

    def _sed_function(self, edges: FloatArray, sed_type: str) -> tuple[Callable[[list[float]], FloatArray], str]:
        at = _at(edges, sed_type)
        erg = conversion(TEV, u.erg)
        kinds: dict[str, tuple[Callable[[list[float]], FloatArray], u.UnitBase]] = {
            "dnde": (lambda values: self._dnde(at, values), self.canonical_unit),
            "norm": (lambda values: self._dnde(at, values), self.canonical_unit),
            "e2dnde": (lambda values: erg * at**2 * self._dnde(at, values), self.canonical_unit * TEV * u.erg),
            "flux": (lambda values: self._flux(edges, values), self._integral_unit(1)),
            "eflux": (
                lambda values: erg * self._energy_flux(edges[:-1], edges[1:], values),
                self.canonical_unit * TEV * u.erg,
            ),
        }
        if sed_type not in kinds:
            raise ConfigError(f"There is no sed_type {sed_type!r}.{did_you_mean(sed_type, kinds)}")
        function, unit = kinds[sed_type]
        return function, str(unit.to_string())


def _at(edges: FloatArray, sed_type: str) -> FloatArray:
    return np.asarray(np.sqrt(edges[:-1] * edges[1:])) if sed_type in ("flux", "eflux") else edges


def _normalize_operand(operand: Any, unit: u.UnitBase) -> SpectralModel:
    if isinstance(operand, SpectralModel):
        return operand
    quantity = u.Quantity(operand, unit) if not isinstance(operand, u.Quantity | str) else u.Quantity(operand)
    constant = ConstantSpectralModel(const=quantity)
    constant.const.frozen = True
    return constant


class ConstantSpectralModel(SpectralModel):
    """A constant dN/dE, or a constant factor."""

    tag = ("ConstantSpectralModel", "const")
    const = Parameter("const", 1e-12, AMPLITUDE, is_norm=True)

    @staticmethod
    def evaluate(energy: FloatArray, const: float) -> FloatArray:  # type: ignore[override]
        """Return ``const`` at every energy."""
        return np.full(np.shape(energy), const)


OPERATORS: dict[str, Callable[[Any, Any], Any]] = {"add": operator.add, "sub": operator.sub, "mul": operator.mul}


class CompoundSpectralModel(SpectralModel):
    """The sum, difference or product of two spectra; made by ``+``, ``-`` and ``*``.

    Parameters
    ----------
    model1, model2
        The spectra; shared, not copied. Parameters of both stand one after the other.
    operator
        ``"add"``, ``"sub"`` or ``"mul"``, or the function of the same name of the ``operator`` module.
    """

    tag = ("CompoundSpectralModel", "compound")

    def __init__(self, model1: SpectralModel, model2: SpectralModel, operator: str | Callable[..., Any]) -> None:
        name = operator if isinstance(operator, str) else operator.__name__
        if name not in OPERATORS:
            raise ConfigError(f"There is no operator {name!r} of spectra.{did_you_mean(name, OPERATORS)}")
        super().__init__()
        self.model1, self.model2, self.operator = model1, model2, name
        if name != "mul" and not model1.canonical_unit.is_equivalent(model2.canonical_unit):
            raise ConfigError(
                f"Cannot {name} a spectrum in {str(model1.unit) or 'no unit'!r} and one in "
                f"{str(model2.unit) or 'no unit'!r}; multiply a factor with '*'."
            )

    @property
    def parameters(self) -> Parameters:
        """Those of the first, then those of the second spectrum."""
        return self.model1.parameters + self.model2.parameters

    @property
    def _inner(self) -> tuple[Component, ...]:
        return self.model1, self.model2

    @property
    def parameter_names(self) -> list[str]:
        """Those of the first, then those of the second spectrum."""
        return self.model1.parameter_names + self.model2.parameter_names

    @property
    def qualified_names(self) -> list[str]:
        """The names with the part that they stand in, as Gammapy writes them: ``model1.index``."""
        parts = {"model1": self.model1, "model2": self.model2}
        return [f"{part}.{name}" for part, model in parts.items() for name in model.qualified_names]

    def canonical_values(self, values: Iterable[float] | None = None) -> list[float]:
        """Return those of the first, then those of the second spectrum."""
        if values is None:
            return self.model1.canonical_values() + self.model2.canonical_values()
        given, first = list(values), len(self.model1.parameters)
        return self.model1.canonical_values(given[:first]) + self.model2.canonical_values(given[first:])

    @property
    def unit(self) -> u.UnitBase:
        """The unit of the first spectrum, of a product the product of the units."""
        return self.model1.unit * self.model2.unit if self.operator == "mul" else self.model1.unit

    @property
    def canonical_unit(self) -> u.UnitBase:
        """The unit of the first spectrum, of a product the product of the units."""
        first, second = self.model1.canonical_unit, self.model2.canonical_unit
        return first * second if self.operator == "mul" else first

    def _dnde(self, energy: FloatArray, values: list[float]) -> FloatArray:
        first = len(self.model1.parameters)
        one, two = self.model1._dnde(energy, values[:first]), self.model2._dnde(energy, values[first:])
        return cast("FloatArray", OPERATORS[self.operator](one, two))

    def _dnde_gradient(
        self, energy: FloatArray, values: list[float], wanted: Sequence[int]
    ) -> tuple[FloatArray, FloatArray]:
        first = len(self.model1.parameters)
        places = np.array(wanted, dtype=int)
        is_first = places < first
        one, slopes = self.model1._dnde_gradient(energy, values[:first], places[is_first].tolist())
        two, others = self.model2._dnde_gradient(energy, values[first:], (places[~is_first] - first).tolist())
        if self.operator == "mul":
            slopes, others = slopes * two, one * others
        elif self.operator == "sub":
            others = -others
        rows = np.empty((len(wanted), *np.shape(energy)))
        rows[is_first], rows[~is_first] = slopes, others
        return cast("FloatArray", OPERATORS[self.operator](one, two)), rows

    def _scales(self, values: list[float]) -> list[float]:
        first = len(self.model1.parameters)
        return self.model1._scales(values[:first]) + self.model2._scales(values[first:])

    def unfreeze(self) -> None:
        """Put the frozen flags of both spectra back to their defaults."""
        self.model1.unfreeze()
        self.model2.unfreeze()

    def document(self, full_output: bool, labels: Mapping[int, str]) -> dict[str, Any]:
        """Return type, both spectra and the operator."""
        return {
            "type": self.tag[0],
            "model1": self.model1.document(full_output, labels),
            "model2": self.model2.document(full_output, labels),
            "operator": self.operator,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any], shared: dict[str, Parameter]) -> Self:
        """Build both spectra and combine them."""
        inner = [read_spectral(_inner(document, key, cls.tag[0]), shared) for key in ("model1", "model2")]
        return cls(inner[0], inner[1], str(_inner(document, "operator", cls.tag[0])))

    def _remarks(self) -> list[tuple[str, str]]:
        return [("Operator", self.operator), ("model1, model2", f"{self.model1.tag[0]}, {self.model2.tag[0]}")]


class ScaleSpectralModel(SpectralModel):
    """Another spectrum times ``norm``; the inner spectrum is not fitted."""

    tag = ("ScaleSpectralModel", "scale")
    norm = Parameter("norm", 1.0, is_norm=True, interp="log")

    def __init__(self, model: SpectralModel, norm: Any = 1.0) -> None:
        self.model = model
        super().__init__(norm=norm)

    def tables(self) -> list[bytes]:
        """Return those of the inner spectrum."""
        return self.model.tables()

    @property
    def unit(self) -> u.UnitBase:
        """The unit of the inner spectrum."""
        return self.model.unit

    @property
    def canonical_unit(self) -> u.UnitBase:
        """The unit of the inner spectrum."""
        return self.model.canonical_unit

    def _dnde(self, energy: FloatArray, values: list[float]) -> FloatArray:
        return values[0] * self.model.dnde(energy)

    def _integral(self, low: FloatArray, high: FloatArray, values: list[float]) -> FloatArray:
        return values[0] * self.model._integral(low, high, self.model.canonical_values())

    def _energy_flux(self, low: FloatArray, high: FloatArray, values: list[float]) -> FloatArray:
        return values[0] * self.model._energy_flux(low, high, self.model.canonical_values())

    _flux_gradient = SpectralModel._flux_differences

    def document(self, full_output: bool, labels: Mapping[int, str]) -> dict[str, Any]:
        """Return type and norm, and the inner spectrum, which Gammapy leaves out."""
        return super().document(full_output, labels) | {"model": self.model.document(full_output, labels)}

    @classmethod
    def from_document(cls, document: Mapping[str, Any], shared: dict[str, Parameter]) -> Self:
        """Build the inner spectrum and scale it."""
        model = cls(read_spectral(_inner(document, "model", cls.tag[0]), shared))
        model.read_parameters(document, shared)
        return model


def _inner(document: Mapping[str, Any], key: str, owner: str) -> Any:
    if key not in document:
        raise ConfigError(f"{owner}: the document has no {key!r}; write what the spectrum is made of.")
    return document[key]


def read_spectral(document: Any, shared: dict[str, Parameter]) -> SpectralModel:
    """Build the spectrum that the ``type`` of a document names; ``shared`` gathers the linked parameters."""
    return cast("SpectralModel", component_class("spectral", document).from_document(document, shared))

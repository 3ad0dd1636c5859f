"""``SpectralFunction``: a spectrum on plain numbers: values, integrals, derivatives in the parameters, units."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, ClassVar, cast

import numpy as np
from astropy import units as u

from xgamma.axes import FloatArray
from xgamma.errors import ConfigError
from xgamma.models.component import Component
from xgamma.models.parameters import Parameter
from xgamma.models.spectral.calculus import differences, integral, integral_gradient


class SpectralFunction(Component):
    """dN/dE as a function of energies in TeV and of the values of its parameters: what a fit needs of a spectrum."""

    type: ClassVar[str] = "spectral"
    takes_quantities: ClassVar[bool | None] = None
    """Whether ``evaluate`` wants quantities; found by asking it where a class does not say."""
    density_factor: ClassVar[u.UnitBase] = u.dimensionless_unscaled
    """What the norm parameter's unit is multiplied with to give the unit of dN/dE."""

    @staticmethod
    def evaluate(energy: FloatArray, **parameters: Any) -> FloatArray:
        """Return dN/dE at ``energy`` in TeV from plain parameter values in canonical units."""
        raise ConfigError(
            "A spectral model has no formula: expected a static method evaluate(energy, **parameters) of plain numbers "
            "in its class; write one."
        )

    @staticmethod
    def log_gradient(energy: FloatArray, **parameters: Any) -> dict[str, FloatArray]:
        """Return d ln(dN/dE) / d parameter, by name, of any parameters but norms; other derivatives are differences."""
        return {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "evaluate" in vars(cls) and "log_gradient" not in vars(cls):
            # Another function than that of the base: its derivatives are others.
            cls.log_gradient = staticmethod(SpectralFunction.log_gradient)  # type: ignore[method-assign]

    def dnde(self, energy: FloatArray, values: Iterable[float] | None = None) -> FloatArray:
        """Return dN/dE at ``energy`` in TeV, in ``canonical_unit`` (cm-2 s-1 TeV-1), shape of ``energy``.

        ``values``, in the order and units of ``parameters``, stand in for the current ones.
        """
        return self._dnde(energy, self.canonical_values(values))

    def flux(self, edges: FloatArray, values: Iterable[float] | None = None) -> FloatArray:
        """Return the integral of dN/dE over each bin of ``edges`` in TeV, in cm-2 s-1, shape (edge - 1,).

        ``values``, in the order and units of ``parameters``, stand in for the current ones.
        """
        return self._flux(edges, self.canonical_values(values))

    def _dnde(self, energy: FloatArray, values: list[float]) -> FloatArray:
        named = dict(zip(self._order, values, strict=True))
        kind: Any = type(self)
        if not _takes_quantities(kind):
            return self.evaluate(energy, **named)
        found = self.evaluate(u.Quantity(energy, u.TeV), **_with_units(kind, named))
        return np.asarray(u.Quantity(found).to_value(self.canonical_unit), dtype=float)

    def _flux(self, edges: FloatArray, values: list[float]) -> FloatArray:
        return self._integral(edges[:-1], edges[1:], values)

    def _integral(self, low: FloatArray, high: FloatArray, values: list[float]) -> FloatArray:
        return integral(lambda energy: self._dnde(energy, values), low, high)

    def _energy_flux(self, low: FloatArray, high: FloatArray, values: list[float]) -> FloatArray:
        return integral(lambda energy: energy * self._dnde(energy, values), low, high)

    # --- derivatives

    def dnde_gradient(
        self, energy: FloatArray, values: Iterable[float] | None = None, wanted: Sequence[int] | None = None
    ) -> FloatArray:
        """Return the derivatives of ``dnde`` in the parameters, each in its unit: shape (parameter, *energy).

        ``wanted`` are the places of some parameters, in their order; all by default.
        """
        chosen = range(len(self.parameters)) if wanted is None else wanted
        return self._per_unit(self._dnde_gradient(energy, self.canonical_values(values), chosen)[1], chosen)

    def flux_gradient(
        self, edges: FloatArray, values: Iterable[float] | None = None, wanted: Sequence[int] | None = None
    ) -> FloatArray:
        """Return the derivatives of ``flux``, shape (parameter, edge - 1); see ``dnde_gradient``."""
        chosen = range(len(self.parameters)) if wanted is None else wanted
        return self._per_unit(self._flux_gradient(edges, self.canonical_values(values), chosen), chosen)

    def _per_unit(self, slopes: FloatArray, wanted: Sequence[int]) -> FloatArray:
        parameters = self.parameters
        factors = [parameters[place].canonical_factor for place in wanted]
        return np.asarray(slopes * np.reshape(factors, (-1,) + (1,) * (slopes.ndim - 1)))

    def _dnde_gradient(
        self, energy: FloatArray, values: list[float], wanted: Sequence[int]
    ) -> tuple[FloatArray, FloatArray]:
        """Return ``_dnde`` and its derivatives in canonical units."""
        dnde, norm = self._dnde(energy, values), self.norm_parameter
        known = self.log_gradient(energy, **dict(zip(self._order, values, strict=True)))
        rows = np.empty((len(wanted), *np.shape(energy)))
        for row, place in enumerate(wanted):
            if self._ordered[place] is norm and values[place]:
                rows[row] = dnde / values[place]
            elif self._order[place] in known:
                rows[row] = dnde * known[self._order[place]]
            else:
                rows[row] = differences(lambda at: self._dnde(energy, at), values, self._scales(values), [place])[0]
        return dnde, rows

    def _flux_gradient(self, edges: FloatArray, values: list[float], wanted: Sequence[int]) -> FloatArray:
        found = integral_gradient(lambda energy: self._dnde_gradient(energy, values, wanted), edges[:-1], edges[1:])
        return self._flux_differences(edges, values, wanted) if found is None else found

    def _flux_differences(self, edges: FloatArray, values: list[float], wanted: Sequence[int]) -> FloatArray:
        return differences(lambda at: self._flux(edges, at), values, self._scales(values), wanted)

    def _scales(self, values: list[float]) -> list[float]:
        defaults = [self._default(name) for name in self._order]
        usual = [0.0 if default is None else abs(default.value) for default in defaults]
        return [
            (abs(value) if parameter.is_norm and value else max(abs(value), size)) or 1.0
            for value, size, parameter in zip(values, usual, self._ordered, strict=True)
        ]

    def tables(self) -> list[bytes]:
        """Return what was read from files and enters the values, each as bytes in one order on every machine."""
        return [table for part in self._inner if isinstance(part, SpectralFunction) for table in part.tables()]

    def remark(self) -> str:
        """Return what is to be known of the values, as a part of a sentence; mostly empty."""
        remarks = [part.remark() for part in self._inner if isinstance(part, SpectralFunction)]
        return "; ".join(remark for remark in remarks if remark)

    # --- units

    @property
    def norm_parameter(self) -> Parameter | None:
        """The one amplitude or norm that the spectrum is proportional to; ``None`` if there is none or several."""
        found = [parameter for parameter in self.parameters.unique_parameters if parameter.is_norm]
        return found[0] if len(found) == 1 else None

    @property
    def unit(self) -> u.UnitBase:
        """The unit of dN/dE as the parameters give it."""
        norm, kind = self.norm_parameter, cast("Any", type(self))
        return _unit_of_values(kind) if norm is None else norm.unit * self.density_factor

    @property
    def canonical_unit(self) -> u.UnitBase:
        """The unit of ``dnde``: cm-2 s-1 TeV-1 for a source, dimensionless for a norm spectrum."""
        norm, kind = self.norm_parameter, cast("Any", type(self))
        return _unit_of_values(kind) if norm is None else norm.canonical_unit * self.density_factor

    @property
    def is_norm_spectral_model(self) -> bool:
        """Whether the spectrum is a factor without unit, to multiply another one with."""
        return bool(self.canonical_unit.is_equivalent(u.dimensionless_unscaled))


def _with_units(kind: type[SpectralFunction], values: Mapping[str, float] | None = None) -> dict[str, u.Quantity]:
    """Return the parameters of a class as quantities: some values in the units of the defaults, or the defaults."""
    given = {} if values is None else values
    defaults = kind.default_parameters
    return {one.name: u.Quantity(given.get(one.name, one.value), one.unit) for one in defaults}


@lru_cache(maxsize=256)
def _takes_quantities(kind: Any) -> bool:
    """Return whether the formula of a class is one of quantities: plain numbers raise, or give a quantity."""
    if kind.takes_quantities is not None:
        return bool(kind.takes_quantities)
    if kind.__module__.partition(".")[0] == __name__.partition(".")[0] or kind.evaluate is SpectralFunction.evaluate:
        return False
    plain = {one.name: one.value for one in kind.default_parameters}
    try:
        with np.errstate(all="ignore"):
            return isinstance(kind.evaluate(np.array([1.0, 2.0]), **plain), u.Quantity)
    except (AttributeError, TypeError, u.UnitsError):
        # What is wrong in any case is to be seen as it is for plain numbers.
        return _of_quantities(kind) is not None


@lru_cache(maxsize=256)
def _unit_of_values(kind: Any) -> u.UnitBase:
    """Return the unit of a formula that has no norm: of an amplitude, or what it gives for quantities."""
    if kind.evaluate is SpectralFunction.evaluate:
        return u.dimensionless_unscaled
    density = u.Unit("cm-2 s-1 TeV-1")
    if any(one.unit.is_equivalent(density) for one in kind.default_parameters):
        return density
    found = _of_quantities(kind)
    unit = u.dimensionless_unscaled if found is None else found.unit
    return density if unit.is_equivalent(density) else unit


def _of_quantities(kind: Any) -> u.Quantity | None:
    """Return what a formula gives for quantities, ``None`` where it takes none."""
    try:
        with np.errstate(all="ignore"):
            return u.Quantity(kind.evaluate(u.Quantity([1.0, 2.0], u.TeV), **_with_units(kind)))
    except (AttributeError, TypeError, ValueError, u.UnitsError):
        return None

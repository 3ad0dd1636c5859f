"""``Parameter``: one number of a model, with unit, error, limits and what a fit may do with it."""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from astropy import units as u

from xgamma.axes import FloatArray
from xgamma.description import Described, Description, Facts
from xgamma.digits import NOTHING, value_and_error
from xgamma.errors import ConfigError, ConfigTypeError
from xgamma.units import unit_string

log = logging.getLogger(__name__)

NAN = float("nan")


def normalize_number(value: Any, unit: u.UnitBase, name: str) -> float:
    """Return the plain number of ``value`` in ``unit``: a number is taken as it is, a string or ``Quantity`` converted.

    A bare number may be a string, since YAML 1.1 reads ``1e-12`` as one. Raises ``ConfigError``.
    """
    if isinstance(value, bool):
        raise ConfigError(f"{name}: expected a number, got {value!r}.")
    try:
        if isinstance(value, u.Quantity):
            return float(value.to_value(unit))
        return float(value)
    except (TypeError, ValueError, u.UnitConversionError):
        return _quantity_in(value, unit, name)


def _quantity_in(value: Any, unit: u.UnitBase, name: str) -> float:
    try:
        return float(u.Quantity(value).to_value(unit))
    except (TypeError, ValueError, u.UnitConversionError):
        wanted = unit_string(unit)
        hint = f"a number or a quantity such as '1 {wanted}'" if wanted else "a number without unit"
        raise ConfigError(f"{name}: expected {hint}, got {value!r}.") from None


def normalize_unit(unit: Any, name: str) -> u.UnitBase:
    """Return the astropy unit, or raise ``ConfigError`` with the name of the parameter."""
    try:
        return u.Unit(unit if unit is not None else "")
    except (TypeError, ValueError):
        raise ConfigError(f"{name}: {unit!r} is not a unit; write for example 'cm-2 s-1 TeV-1'.") from None


class Density(Protocol):
    """What a parameter asks of its prior; see ``xgamma.models.priors``."""

    type: str

    @property
    def support(self) -> tuple[float, float]:
        """The limits that it sets."""

    def in_unit(self, unit: u.UnitBase, name: str) -> Density:
        """Return the prior with plain numbers in a unit."""

    def document(self, full_output: bool, labels: Any) -> dict[str, Any]:
        """Return its document."""

    def __call__(self, value: float) -> float:
        """Return -2 ln of the density."""


class Parameter(Described):
    """One number of a model.

    Parameters
    ----------
    name
        The name in documents, for example ``index``.
    value
        A number in ``unit``, or a quantity (``"1 TeV"``, ``1 * u.TeV``) that brings its own unit.
    unit
        Anything that ``astropy.units.Unit`` reads; dimensionless by default.
    error, min, max
        Standard error (0 = none) and limits (NaN = none) in ``unit``.
    frozen
        Whether a fit leaves the value alone.
    interp
        How the parameter is scanned and interpolated: ``"lin"`` or ``"log"``.
    scale_method
        How a fit scales it (``"scale10"``, ``"factor1"`` or ``None``); kept with the document.
    is_norm
        Whether the model is proportional to it.
    link
        The label of what it is linked with in a document; parameters of one label are one.
    prior
        What is known of the value before the data, such as ``GaussianPrior(mu=2.1, sigma=0.1)``; ``None`` for nothing.
    scan_min, scan_max, scan_n_values, scan_n_sigma, scan_values
        Where a profile is evaluated: see ``scan_values``. Not part of a document.

    Examples
    --------
    >>> reference = Parameter("reference", "500 GeV", frozen=True)
    >>> reference.value, str(reference.unit), reference.quantity.to_value("TeV").item()
    (500.0, 'GeV', 0.5)
    """

    __slots__ = (
        "_canonical",
        "_error",
        "_factor",
        "_max",
        "_min",
        "_prior",
        "_scan_values",
        "_unit",
        "_value",
        "frozen",
        "interp",
        "is_norm",
        "link",
        "name",
        "scale_method",
        "scan_max",
        "scan_min",
        "scan_n_sigma",
        "scan_n_values",
        "type",
    )

    def __init__(
        self,
        name: str,
        value: Any,
        unit: Any = "",
        *,
        error: Any = 0.0,
        min: Any = NAN,
        max: Any = NAN,
        frozen: bool = False,
        interp: str = "lin",
        scale_method: str | None = "scale10",
        is_norm: bool = False,
        link: str = "",
        prior: Any = None,
        scan_min: float | None = None,
        scan_max: float | None = None,
        scan_n_values: int = 11,
        scan_n_sigma: float = 2,
        scan_values: Any = None,
    ) -> None:
        self.name = name
        self.type = ""
        self._canonical: tuple[u.UnitBase, ...] = ()
        self._factor = 1.0
        self._prior: Density | None = None
        if isinstance(value, str | u.Quantity):
            self.quantity = value if unit in ("", None) else u.Quantity(value).to(unit)
        else:
            self.unit = unit
            self.value = value
        self.error, self.min, self.max = error, min, max
        self.frozen, self.interp, self.scale_method = frozen, interp, scale_method
        self.is_norm, self.link, self.prior = is_norm, link, prior
        self.scan_min, self.scan_max = scan_min, scan_max
        self.scan_n_values, self.scan_n_sigma, self.scan_values = scan_n_values, scan_n_sigma, scan_values

    @property
    def value(self) -> float:
        """The number, in ``unit``."""
        return self._value

    @value.setter
    def value(self, value: Any) -> None:
        self._value = value if type(value) is float else normalize_number(value, self._unit, self.name)

    @property
    def unit(self) -> u.UnitBase:
        """The unit of value, error and limits; setting it relabels and converts nothing."""
        return self._unit

    @unit.setter
    def unit(self, unit: Any) -> None:
        parsed = normalize_unit(unit, self.name)
        self._factor = self._canonical_factor(parsed, self._canonical)
        self._unit = parsed

    @property
    def quantity(self) -> u.Quantity:
        """Value and unit; set it from a ``Quantity`` or a string such as ``"0.5 TeV"``."""
        return u.Quantity(self._value, self._unit)

    @quantity.setter
    def quantity(self, quantity: Any) -> None:
        try:
            parsed = u.Quantity(quantity)
        except (TypeError, ValueError):
            raise ConfigError(f"{self.name}: expected a quantity such as '1 TeV', got {quantity!r}.") from None
        if parsed.ndim:
            raise ConfigError(f"{self.name}: expected one number, got an array of shape {parsed.shape}.")
        self.unit = parsed.unit
        self._value = float(parsed.value)

    @property
    def error(self) -> float:
        """The standard error in ``unit``; 0 when there is none."""
        return self._error

    @error.setter
    def error(self, error: Any) -> None:
        self._error = normalize_number(error, self._unit, f"{self.name}.error")

    @property
    def min(self) -> float:
        """The lower limit in ``unit``; NaN when there is none."""
        return self._min

    @min.setter
    def min(self, limit: Any) -> None:
        self._min = NAN if limit is None else normalize_number(limit, self._unit, f"{self.name}.min")

    @property
    def max(self) -> float:
        """The upper limit in ``unit``; NaN when there is none."""
        return self._max

    @max.setter
    def max(self, limit: Any) -> None:
        self._max = NAN if limit is None else normalize_number(limit, self._unit, f"{self.name}.max")

    @property
    def prior(self) -> Any:
        """What is known of the value before the data, ``None`` for nothing; see ``xgamma.models.priors``.

        One that is 0 outside of a range limits the parameter to it; narrower limits stay. Raises ``ConfigError``.
        """
        return self._prior

    @prior.setter
    def prior(self, prior: Any) -> None:
        if prior is not None and getattr(prior, "type", None) != "prior":
            raise ConfigTypeError(
                f"{self.name}.prior: expected a prior such as GaussianPrior(mu=2.1, sigma=0.1), got {prior!r}."
            )
        new: Density | None = None if prior is None else prior.in_unit(self._unit, self.name)
        none = (NAN, NAN)
        before, after = (none if one is None else one.support for one in (self._prior, new))
        own = [NAN if limit == old else limit for limit, old in zip((self._min, self._max), before, strict=True)]
        self._min, self._max = float(np.fmax(own[0], after[0])), float(np.fmin(own[1], after[1]))
        self._prior = new

    def prior_stat_sum(self) -> float:
        """Return -2 ln of the density of the prior at the value, 0 without one; the norm of the density included."""
        return 0.0 if self._prior is None else self._prior(self._value)

    @property
    def scan_values(self) -> FloatArray:
        """Where a profile is evaluated: the values set, or ``scan_n_values`` from ``scan_min`` to ``scan_max``.

        Without these, within ``scan_n_sigma`` errors; spaced as ``interp`` says. Raises ``ConfigError`` without errors.
        """
        if self._scan_values is not None:
            return self._scan_values
        width = self.scan_n_sigma * self._error
        if not width > 0 and (self.scan_min is None or self.scan_max is None):
            raise ConfigError(
                f"{self.name}: there is no error to choose values of a scan from; fit first, give them, or set "
                "scan_min and scan_max."
            )
        low = self._value - width if self.scan_min is None else self.scan_min
        high = self._value + width if self.scan_max is None else self.scan_max
        if self.interp == "log" and low > 0:
            return np.geomspace(low, high, self.scan_n_values)
        return np.linspace(low, high, self.scan_n_values)

    @scan_values.setter
    def scan_values(self, values: Any) -> None:
        self._scan_values = None if values is None else np.atleast_1d(np.asarray(values, dtype=float))

    @property
    def scan_is_spaced(self) -> bool:
        """Whether the values of a scan are spaced evenly, and not set one by one."""
        return self._scan_values is None

    @property
    def canonical_unit(self) -> u.UnitBase:
        """The unit in which the model computes; the parameter's own where no model owns it."""
        return next((unit for unit in self._canonical if unit.is_equivalent(self._unit)), self._unit)

    @property
    def canonical_factor(self) -> float:
        """``value * canonical_factor`` is the value in ``canonical_unit``."""
        return self._factor

    def own(self, owner_type: str, canonical: Sequence[u.UnitBase]) -> None:
        """Make the parameter part of a model: its part of the document, and the units that the model computes in."""
        units = tuple(canonical) or self._canonical
        self._factor = self._canonical_factor(self._unit, units)
        self.type, self._canonical = owner_type, units

    def _canonical_factor(self, unit: u.UnitBase, units: tuple[u.UnitBase, ...]) -> float:
        if not units:
            return 1.0
        for canonical in units:
            if canonical.is_equivalent(unit):
                return float(unit.to(canonical))
        wanted, got = (unit_string(one) or "no unit" for one in (units[0], unit))
        raise ConfigError(f"Parameter {self.name!r}: expected a value in {wanted}, got one in {got}.")

    def check_limits(self) -> None:
        """Log a warning when a free value lies outside [min, max]."""
        if not self.frozen and (self._value < self._min or self._value > self._max):
            log.warning(
                "Parameter %r: the value %g lies outside its limits [%g, %g].",
                self.name, self._value, self._min, self._max,
            )  # fmt: skip

    def copy(self) -> Parameter:
        """Return an independent copy."""
        new = copy.copy(self)
        new._prior = copy.deepcopy(self._prior)
        return new

    def to_dict(self) -> dict[str, Any]:
        """Return every field, units as strings; ``prior`` where there is one."""
        prior = {} if self._prior is None else {"prior": self._prior.document(True, {})}
        return {
            "name": self.name, "value": self._value, "unit": unit_text(self._unit), "error": self._error,
            "min": self._min, "max": self._max, "frozen": self.frozen, "interp": self.interp,
            "scale_method": self.scale_method, "is_norm": self.is_norm,
        } | prior  # fmt: skip

    def __repr__(self) -> str:
        number = f"{value_text(self)} {unit_text(self._unit)}".rstrip()
        return f"Parameter({', '.join(filter(None, [f'{self.name} = {number}', limits_text(self), state_text(self)]))})"

    def _description(self) -> Description:
        rows = {
            "Value": f"{value_text(self)} {unit_text(self._unit)}".rstrip(),
            "Limits": limits_text(self),
            "In a fit": state_text(self) or "free",
            "Part of the model": self.type,
        }
        return Description(f"Parameter {self.name}", [Facts([row for row in rows.items() if row[1]])])


def value_text(parameter: Parameter) -> str:
    """Return the value with its error, in the digits that mean something; without an error six digits of it."""
    value, error = parameter.value, parameter.error
    if error > 0 and math.isfinite(error):
        return value_and_error(value, error)
    return f"{value + 0.0:.6g}" if math.isfinite(value) else NOTHING


def limits_text(parameter: Parameter) -> str:
    """Return the limits, nothing without any.

    >>> limits_text(Parameter("index", 2.0, min=1.0)), limits_text(Parameter("index", 2.0, min=1.0, max=5.0))
    ('from 1', '1 to 5')
    """
    low, high = (f"{end + 0.0:.6g}" if math.isfinite(end) else "" for end in (parameter.min, parameter.max))
    if low and high:
        return f"{low} to {high}"
    return f"from {low}" if low else f"to {high}" if high else ""


def state_text(parameter: Parameter, label: str = "") -> str:
    """Return what is not the rule: that it is frozen, linked under a label, or has a prior."""
    words = ["frozen"] if parameter.frozen else []
    words += [f"linked: {label}"] if label else []
    words += [type(parameter.prior).__name__] if parameter.prior is not None else []
    return ", ".join(words)


def unit_text(unit: u.UnitBase) -> str:
    """Write a unit for documents and tables: ``cm-2 s-1 TeV-1``; one with a scale as astropy does."""
    return unit_string(unit) if unit.scale == 1 else str(unit.to_string())

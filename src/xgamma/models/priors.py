"""Priors of parameters: what is known of a value before the data, as -2 ln of a density.

A prior is ``penalty + constant``: the penalty is 0 at the most probable value and enters a fit, the constant belongs to
the norm of the density, tells nothing of the value and stays apart.
Source: Particle Data Group, Review of Particle Physics 2024, section 40 (Statistics).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from astropy import units as u

from xgamma.errors import ConfigError
from xgamma.models.component import Component
from xgamma.models.parameter import NAN, normalize_number
from xgamma.models.parameters import Parameter

_SQRT2, _SQRT_2PI = math.sqrt(2.0), math.sqrt(2.0 * math.pi)
# Beside its centre a generalised Gaussian may bend without bound.
_NARROW, _FLAT = 1e-6, 1e-3


class Prior(Component):
    """A probability density of one parameter, set as ``parameter.prior``.

    Its numbers are in the unit of the parameter, as limits are; quantities are converted when the prior is set.

    Parameters
    ----------
    weight
        What -2 ln of the density is multiplied with.
    **values
        Its numbers by name.

    Raises
    ------
    ConfigError
        For numbers that make no density.
    """

    type: ClassVar[str] = "prior"
    in_unit_of_parameter: ClassVar[tuple[str, ...]] = ()
    """The numbers that have the unit of the parameter; others have none."""

    def __init__(self, weight: float = 1.0, **values: Any) -> None:
        self.weight = float(weight)
        super().__init__(**values)
        self.validate()

    def _canonical_units(self, name: str) -> list[u.UnitBase]:
        return []

    def validate(self) -> None:
        """Raise ``ConfigError`` for numbers that make no density."""
        raise NotImplementedError

    def _require(self, is_right: bool, what: str) -> None:
        if not is_right:
            values = ", ".join(f"{one.name} = {one.value:g}" for one in self.parameters)
            raise ConfigError(f"{self.tag[0]}: expected {what}, got {values}.")

    def in_unit(self, unit: u.UnitBase, name: str) -> Prior:
        """Return the prior with plain numbers in the unit of the parameter ``name``; raises ``ConfigError``."""
        new = self.copy()
        for one in new.parameters:
            if one.unit == u.dimensionless_unscaled:
                continue
            wanted = unit if one.name in self.in_unit_of_parameter else u.dimensionless_unscaled
            value = normalize_number(one.quantity, wanted, f"{name}.prior.{one.name}")
            one.unit, one.value = "", value
        new.validate()
        return new

    @property
    def support(self) -> tuple[float, float]:
        """The limits that it sets to the parameter, NaN for none."""
        return NAN, NAN

    @property
    def constant(self) -> float:
        """-2 ln of the largest density."""
        raise NotImplementedError

    def penalty(self, value: float) -> float:
        """Return -2 ln of the density as a share of the largest one; infinite where the density is 0."""
        raise NotImplementedError

    def slope(self, value: float) -> float:
        """Return the derivative of ``penalty``."""
        raise NotImplementedError

    def curvature(self, value: float) -> float:
        """Return the second derivative of ``penalty``."""
        raise NotImplementedError

    def information(self, value: float) -> float:
        """Return a second derivative for Newton steps: that of ``penalty``, and 0 where it bends down."""
        return max(self.curvature(value), 0.0)

    def __call__(self, value: float) -> float:
        """Return -2 ln of the density at a value in the unit of the parameter, times the weight."""
        return self.weight * (self.penalty(value) + self.constant)

    def to_dict(self, full_output: bool = False, labels: Any = None) -> dict[str, Any]:
        """Return ``{"prior": document}``."""
        return {"prior": self.document(full_output, labels or {})}

    def document(self, full_output: bool, labels: Any) -> dict[str, Any]:
        """Return type, every number, and the weight."""
        entries = [{"name": one.name, "value": one.value, "unit": str(one.unit)} for one in self.parameters]
        weight = int(self.weight) if self.weight == int(self.weight) else self.weight
        return {"type": self.tag[0], "parameters": entries, "weight": weight}

    @classmethod
    def from_document(cls, document: Mapping[str, Any], shared: dict[str, Parameter]) -> Self:
        """Build the prior from its document.

        Raises ``ConfigError`` for another key, and as ``validate`` of the prior.
        """
        for key in document:
            if key not in ("type", "parameters", "weight"):
                raise ConfigError(f"{cls.tag[0]}: unknown key {key!r}; expected type, parameters and weight.")
        prior = cls(normalize_number(document.get("weight", 1.0), u.dimensionless_unscaled, f"{cls.tag[0]}.weight"))
        prior.read_parameters(document, {})
        prior.validate()
        return prior

    def __repr__(self) -> str:
        weight = "" if self.weight == 1 else f", weight={self.weight:g}"
        return super().__repr__().removesuffix(")") + f"{weight})"


class GaussianPrior(Prior):
    """A normal distribution: ``((x - mu) / sigma)^2``."""

    tag = ("GaussianPrior",)
    in_unit_of_parameter = ("mu", "sigma")
    mu = Parameter("mu", 0.0)
    sigma = Parameter("sigma", 1.0)

    def validate(self) -> None:
        """Raise ``ConfigError`` unless sigma is above 0."""
        self._require(math.isfinite(self.mu.value) and 0 < self.sigma.value < math.inf, "a finite mu and sigma > 0")

    @property
    def constant(self) -> float:
        """-2 ln of the density at mu."""
        return 2.0 * math.log(self.sigma.value * _SQRT_2PI)

    def penalty(self, value: float) -> float:
        """Return the square of the distance from mu in sigma."""
        return ((value - self.mu.value) / self.sigma.value) ** 2

    def slope(self, value: float) -> float:
        """Return the derivative of ``penalty``."""
        return 2.0 * (value - self.mu.value) / self.sigma.value**2

    def curvature(self, value: float) -> float:
        """Return the second derivative of ``penalty``."""
        return 2.0 / self.sigma.value**2


class GeneralizedGaussianPrior(Prior):
    """A generalised normal distribution: ``2 (|x - mu| / (sqrt(2) sigma))^(1 / eta)``, normal for eta 0.5.

    Source: Nadarajah 2005 (Journal of Applied Statistics 32, 685).
    """

    tag = ("GeneralizedGaussianPrior",)
    in_unit_of_parameter = ("mu", "sigma")
    mu = Parameter("mu", 0.0)
    sigma = Parameter("sigma", 1.0)
    eta = Parameter("eta", 0.5)

    def validate(self) -> None:
        """Raise ``ConfigError`` unless sigma and eta are above 0, and eta is not above 1."""
        good = math.isfinite(self.mu.value) and 0 < self.sigma.value < math.inf and 0 < self.eta.value <= 1
        self._require(good, "a finite mu, sigma > 0 and 0 < eta <= 1")

    @property
    def constant(self) -> float:
        """-2 ln of the density at mu."""
        eta = self.eta.value
        return 2.0 * (math.log(2.0 * _SQRT2 * self.sigma.value * eta) + math.lgamma(eta))

    def _distance(self, value: float) -> float:
        return (value - self.mu.value) / (_SQRT2 * self.sigma.value)

    def penalty(self, value: float) -> float:
        """Return twice the power ``1 / eta`` of the distance from mu."""
        return 2.0 * float(abs(self._distance(value)) ** (1.0 / self.eta.value))

    def slope(self, value: float) -> float:
        """Return the derivative of ``penalty``; at mu it is 0."""
        power, distance = 1.0 / self.eta.value, self._distance(value)
        if distance == 0:
            return 0.0
        return math.copysign(2.0 * power * abs(distance) ** (power - 1.0), distance) / (_SQRT2 * self.sigma.value)

    def curvature(self, value: float) -> float:
        """Return the second derivative of ``penalty``, that beside mu where it has none there."""
        power, distance = 1.0 / self.eta.value, max(abs(self._distance(value)), _NARROW)
        return power * (power - 1.0) * float(distance ** (power - 2.0)) / self.sigma.value**2

    def information(self, value: float) -> float:
        """Return the bend of the parabola about mu that has the slope of ``penalty``."""
        power, distance = 1.0 / self.eta.value, max(abs(self._distance(value)), _FLAT)
        return power * float(distance ** (power - 2.0)) / self.sigma.value**2


class UniformPrior(Prior):
    """Any value between ``min`` and ``max`` alike, none outside: it limits the parameter."""

    tag = ("UniformPrior",)
    in_unit_of_parameter = ("min", "max")
    min = Parameter("min", 0.0)
    max = Parameter("max", 1.0)

    def validate(self) -> None:
        """Raise ``ConfigError`` unless min is below max."""
        self._require(-math.inf < self.min.value < self.max.value < math.inf, "min < max, both finite")

    @property
    def support(self) -> tuple[float, float]:
        """Both ends."""
        return self.min.value, self.max.value

    @property
    def constant(self) -> float:
        """-2 ln of the density."""
        return 2.0 * math.log(self.max.value - self.min.value)

    def penalty(self, value: float) -> float:
        """Return 0 between the ends, infinity outside."""
        return 0.0 if self.min.value <= value <= self.max.value else math.inf

    def slope(self, value: float) -> float:
        """Return 0."""
        return 0.0

    def curvature(self, value: float) -> float:
        """Return 0."""
        return 0.0


class LogUniformPrior(Prior):
    """Any logarithm of a value between ``min`` and ``max`` alike: ``2 ln(x / min)``, none outside."""

    tag = ("LogUniformPrior",)
    in_unit_of_parameter = ("min", "max")
    min = Parameter("min", 1e-14)
    max = Parameter("max", 1e-10)

    def validate(self) -> None:
        """Raise ``ConfigError`` unless 0 < min < max."""
        self._require(0 < self.min.value < self.max.value < math.inf, "0 < min < max")

    @property
    def support(self) -> tuple[float, float]:
        """Both ends."""
        return self.min.value, self.max.value

    @property
    def constant(self) -> float:
        """-2 ln of the density at min."""
        return 2.0 * math.log(self.min.value * math.log(self.max.value / self.min.value))

    def penalty(self, value: float) -> float:
        """Return twice the logarithm of the value over min, infinity outside."""
        return 2.0 * math.log(value / self.min.value) if self.min.value <= value <= self.max.value else math.inf

    def slope(self, value: float) -> float:
        """Return the derivative of ``penalty``."""
        return 2.0 / value

    def curvature(self, value: float) -> float:
        """Return the second derivative of ``penalty``."""
        return -2.0 / value**2


class LogNormalPrior(Prior):
    """A normal distribution of ``ln x`` about ``ln median`` with width ``sigma``; none at or below 0.

    ``((ln(x / median) + sigma^2) / sigma)^2``, as the most probable value is ``median exp(-sigma^2)``.
    """

    tag = ("LogNormalPrior",)
    in_unit_of_parameter = ("median",)
    median = Parameter("median", 1.0)
    sigma = Parameter("sigma", 1.0)

    def validate(self) -> None:
        """Raise ``ConfigError`` unless median and sigma are above 0."""
        self._require(0 < self.median.value < math.inf and 0 < self.sigma.value < math.inf, "median > 0 and sigma > 0")

    @property
    def support(self) -> tuple[float, float]:
        """Above 0."""
        return 0.0, NAN

    @property
    def constant(self) -> float:
        """-2 ln of the largest density."""
        sigma = self.sigma.value
        return 2.0 * math.log(self.median.value * sigma * _SQRT_2PI) - sigma**2

    def penalty(self, value: float) -> float:
        """Return the square of the distance from the most probable value, infinity at or below 0."""
        sigma = self.sigma.value
        return ((math.log(value / self.median.value) + sigma**2) / sigma) ** 2 if value > 0 else math.inf

    def slope(self, value: float) -> float:
        """Return the derivative of ``penalty``."""
        sigma = self.sigma.value
        return 2.0 * (math.log(value / self.median.value) / sigma**2 + 1.0) / value if value > 0 else 0.0

    def curvature(self, value: float) -> float:
        """Return the second derivative of ``penalty``."""
        return (2.0 / self.sigma.value**2 - self.slope(value) * value) / value**2 if value > 0 else 0.0

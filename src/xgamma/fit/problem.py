"""What MIGRAD minimises: the statistic as a function of the free parameters, each in units of a power of ten.

Each free parameter is minimised in units of the power of ten of its value; the start step is its error, or 1 in these
units.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from iminuit import Minuit

from xgamma.axes import FloatArray
from xgamma.errors import ConfigError, FitError, did_you_mean
from xgamma.fit.statistic import Statistic
from xgamma.models.models import Models, SkyModel
from xgamma.models.parameters import Parameter, Parameters
from xgamma.stats import JoinedCounts

METHODS = ("auto", "migrad", "scoring")
FIRST_MOVE, FIRST_CHANGE = 0.03, 0.1
"""The first step of a position on the sky in degrees, and of a size there as a part of it."""
FEW = 3
"""The number of free parameters up to which ``auto`` is ``migrad``: see decision 16."""


@dataclass(frozen=True)
class FitSettings:
    """How a fit runs.

    Parameters
    ----------
    tol
        Tolerance of the estimated distance to the minimum; 0.1 is 2e-4 in the statistic.
    strategy, print_level
        Those of MIGRAD.
    method
        ``migrad``; ``scoring``, Fisher scoring by derivatives, with MIGRAD where that ends in no minimum; or ``auto``,
        the second for more than three free parameters.

    Raises
    ------
    ConfigError
        For another method.
    """

    tol: float = 0.1
    strategy: int = 1
    print_level: int = 0
    method: str = "auto"

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ConfigError(f"Fit: there is no method {self.method!r}.{did_you_mean(str(self.method), METHODS)}")

    def method_for(self, free: int) -> str:
        """Return the method for a number of free parameters: ``migrad`` or ``scoring``."""
        if self.method == "auto":
            return "scoring" if free > FEW else "migrad"
        return self.method

    def document(self, free: int) -> dict[str, Any]:
        """Return what of the settings decides the numbers of a fit with some free parameters."""
        settings = {"tol": self.tol, "strategy": self.strategy, "print_level": self.print_level}
        return settings if self.method_for(free) == "migrad" else settings | {"method": "scoring"}


def validate_fittable(free: int, bins: int) -> None:
    """Raise ``ConfigError`` without a free parameter, ``FitError`` without a bin."""
    if free == 0:
        raise ConfigError(
            "No free parameters for fitting: every parameter of the models on these datasets is frozen. "
            "Set frozen: false for at least one."
        )
    if bins == 0:
        raise FitError(
            "No bin is left to fit: the fit range and the safe masks exclude them all. Widen the fit range, or "
            "look at mask_safe of the datasets."
        )


class Problem:
    """The statistic as MIGRAD sees it: of factors of a power of ten for each parameter.

    Parameters
    ----------
    statistic
        The statistic of the values.
    settings
        How MIGRAD runs.

    Raises
    ------
    ConfigError, FitError
        Without a free parameter or without a bin.
    """

    def __init__(self, statistic: Statistic, settings: FitSettings) -> None:
        self.statistic, self.settings = statistic, settings
        self.parameters = statistic.parameters
        validate_fittable(len(self.parameters), statistic.n_bins)
        self.scales = np.array([scale(parameter) for parameter in self.parameters])
        self.start: FloatArray = statistic.start / self.scales
        self.limits = [limits(one, size) for one, size in zip(self.parameters, self.scales, strict=True)]
        self._last = b"", math.inf
        # MIGRAD's goal for the estimated distance to the minimum.
        self.goal = 0.002 * self.settings.tol

    @property
    def names(self) -> list[str]:
        """``MODEL.TYPE.NAME`` of each parameter."""
        return [name_of(self.statistic.models, parameter) for parameter in self.parameters]

    def __call__(self, factors: FloatArray) -> float:
        """Return the statistic at the factors; infinite where the models predict no numbers."""
        # MIGRAD and what follows it ask for the same point twice.
        point = factors.tobytes()
        if point == self._last[0]:
            return self._last[1]
        # On its way MIGRAD tries values at which a model overflows.
        with np.errstate(all="ignore"):
            total = self.statistic(factors * self.scales) if np.isfinite(factors).all() else math.inf
        total = total if math.isfinite(total) else math.inf
        self._last = point, total
        return total

    def derivatives(self, factors: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the derivatives in the factors, shape (parameter,), and Fisher's information."""
        gradient, information = self.statistic.derivatives(factors * self.scales)
        return gradient * self.scales, information * np.outer(self.scales, self.scales)

    def hessian(self, factors: FloatArray, steps: FloatArray) -> FloatArray:
        """Return the second derivatives in the factors; see ``Statistic.hessian``."""
        hessian = self.statistic.hessian(factors * self.scales, steps * self.scales)
        return hessian * np.outer(self.scales, self.scales)

    @property
    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """The limits in factors, infinite where there is none, shape (parameter,) each."""
        low = [-math.inf if one is None else one for one, _ in self.limits]
        return np.array(low), np.array([math.inf if one is None else one for _, one in self.limits])

    @property
    def is_observed(self) -> bool:
        """Whether the information is that of the counts in some bins, and no expectation."""
        return any(isinstance(term.data, JoinedCounts) for term in self.statistic.terms)

    @property
    def norms(self) -> list[int]:
        """The places of norms of models that have other free parameters of their own, which mean nothing at norm 0."""
        held = [{id(parameter) for parameter in model.parameters} for model in self.statistic.models]
        places: list[int] = []
        for own in held:
            inside = [place for place, one in enumerate(self.parameters) if id(one) in own]
            alone = [place for place in inside if sum(id(self.parameters[place]) in other for other in held) == 1]
            if any(not self.parameters[place].is_norm for place in alone):
                places += [place for place in inside if self.parameters[place].is_norm]
        return places

    @property
    def is_bounded(self) -> bool:
        """Whether a parameter has a limit."""
        return bool(np.isfinite(self.bounds).any())

    def minuit(self, start: FloatArray | None = None) -> Minuit:
        """Return MIGRAD's state at some factors, by default those of the present values.

        Raises ``FitError`` when the statistic is no number there.
        """
        start = self.start if start is None else start
        # MIGRAD would take methods of an object for its derivatives.
        function: Any = self.__call__
        minuit = Minuit(function, start, name=[f"p{number}" for number in range(len(start))])
        minuit.errordef, minuit.tol = 1.0, self.settings.tol
        minuit.strategy, minuit.print_level = self.settings.strategy, self.settings.print_level
        minuit.errors = [step(parameter, size) for parameter, size in zip(self.parameters, self.scales, strict=True)]
        minuit.limits = self.limits
        if not math.isfinite(self(start)):
            validate_start(Parameters(p for model in self.statistic.models for p in model.parameters))
            raise _no_start(self.parameters)
        return minuit


def validate_start(parameters: Parameters) -> None:
    """Raise ``FitError`` where the value of a parameter, free or not, is not a number."""
    named = [parameter for parameter in parameters.unique_parameters if not math.isfinite(parameter.value)]
    if named:
        raise _no_start(named)


def validate_models(models: Models, energies: Sequence[FloatArray]) -> None:
    """Raise where no fit can begin: limits leave no room, or a spectrum is not a number at some energies in TeV."""
    validate_start(models.parameters)
    for parameter in models.parameters.free_parameters:
        limits(parameter, 1.0)
    for model in models:
        spectrum = model.spectral_model
        if spectrum is None or not energies:
            continue
        with np.errstate(all="ignore"):
            is_number = [bool(np.isfinite(spectrum.dnde(each)).all()) for each in energies]
        # A model may be one of some datasets only.
        if not any(is_number):
            raise _no_start(spectrum.parameters, f"The spectrum of {model.name!r}")


def _no_start(named: Iterable[Parameter], what: str = "The statistic") -> FitError:
    values = ", ".join(f"{parameter.name} = {parameter.value:g}" for parameter in named)
    return FitError(f"{what} is not a number at the start values ({values}); start elsewhere.")


def scale(parameter: Parameter) -> float:
    """Return the power of ten below the value (1 for 0 and times), or the value itself for ``factor1``, 1 for none."""
    if parameter.value == 0 or not math.isfinite(parameter.value) or not parameter.scale_method:
        return 1.0
    if is_place(parameter):
        return 1.0
    if parameter.scale_method == "factor1":
        return abs(parameter.value)
    return float(10.0 ** math.floor(math.log10(abs(parameter.value))))


def is_place(parameter: Parameter) -> bool:
    """Whether a parameter is a position or a date, whose number says nothing of how far it may move."""
    return (parameter.type, parameter.name) in (("temporal", "t_ref"), ("spatial", "lon_0"), ("spatial", "lat_0"))


def step(parameter: Parameter, size: float) -> float:
    """Return the first step in factors: the error when there is one, else 1.

    Without an error it is ``FIRST_MOVE`` of a position on the sky, and a part of it of sizes there: with larger ones
    MIGRAD leaves the source.
    """
    if math.isfinite(parameter.error) and parameter.error > 0:
        return parameter.error / size
    if parameter.type != "spatial":
        return 1.0
    return FIRST_MOVE if is_place(parameter) else FIRST_CHANGE * (abs(parameter.value) / size or 1.0)


def limits(parameter: Parameter, size: float) -> tuple[float | None, float | None]:
    """Return the limits in factors; raises ``ConfigError`` when they leave no room."""
    if parameter.min >= parameter.max:
        raise ConfigError(
            f"{parameter.name}: expected min < max, got {parameter.min:g} and {parameter.max:g}; freeze it to keep it."
        )
    low, high = (None if math.isnan(limit) else limit / size for limit in (parameter.min, parameter.max))
    return low, high


def name_of(models: Iterable[SkyModel], parameter: Parameter) -> str:
    """Return ``MODEL.TYPE.NAME`` of a parameter, at its first place."""
    return next(
        name
        for model in models
        for name, own in zip(model.parameters_unique_names, model.parameters, strict=True)
        if own is parameter
    )

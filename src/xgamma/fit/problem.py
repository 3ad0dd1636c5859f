"""What MIGRAD minimises: the statistic as a function of the free parameters, each in units of a power of ten.

Each free parameter is minimised in units of the power of ten of its value; the start step is its error, or 1 in these
units.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from iminuit import Minuit

from xgamma.axes import FloatArray
from xgamma.errors import ConfigError, FitError
from xgamma.fit.statistic import Statistic
from xgamma.models.models import SkyModel
from xgamma.models.parameters import Parameter, Parameters


@dataclass(frozen=True)
class FitSettings:
    """Tolerance (of the estimated distance to the minimum, 0.1 = 2e-4 in the statistic), strategy and printing."""

    tol: float = 0.1
    strategy: int = 1
    print_level: int = 0


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
            total = self.statistic(factors * self.scales)
        total = total if math.isfinite(total) else math.inf
        self._last = point, total
        return total

    @property
    def is_bounded(self) -> bool:
        """Whether a parameter has a limit."""
        return any(math.isfinite(limit) for one in self.parameters for limit in (one.min, one.max))

    def least(self, minuit: Minuit) -> float:
        """Return the statistic where MIGRAD ended, which knows it; beside limits it computes with rounded values."""
        known = minuit.fval
        return self(np.array(minuit.values)) if known is None or self.is_bounded else known

    def minuit(self, start: FloatArray | None = None) -> Minuit:
        """Return MIGRAD's state at some factors, by default those of the present values.

        Raises ``FitError`` when the statistic is no number there.
        """
        start = self.start if start is None else start
        function: Any = self
        minuit = Minuit(function, start, name=[f"p{number}" for number in range(len(start))])
        minuit.errordef, minuit.tol = 1.0, self.settings.tol
        minuit.strategy, minuit.print_level = self.settings.strategy, self.settings.print_level
        minuit.errors = [step(parameter, size) for parameter, size in zip(self.parameters, self.scales, strict=True)]
        minuit.limits = [limits(parameter, size) for parameter, size in zip(self.parameters, self.scales, strict=True)]
        if not math.isfinite(self(start)):
            validate_start(Parameters(p for model in self.statistic.models for p in model.parameters))
            raise _no_start(self.parameters)
        return minuit


def validate_start(parameters: Parameters) -> None:
    """Raise ``FitError`` where the value of a parameter, free or not, is not a number."""
    named = [parameter for parameter in parameters.unique_parameters if not math.isfinite(parameter.value)]
    if named:
        raise _no_start(named)


def _no_start(named: Iterable[Parameter]) -> FitError:
    values = ", ".join(f"{parameter.name} = {parameter.value:g}" for parameter in named)
    return FitError(f"The statistic is not a number at the start values ({values}); start elsewhere.")


def scale(parameter: Parameter) -> float:
    """Return the power of ten below the value (1 for 0), or the value itself for ``factor1``, 1 for no scaling."""
    if parameter.value == 0 or not math.isfinite(parameter.value) or not parameter.scale_method:
        return 1.0
    if parameter.scale_method == "factor1":
        return abs(parameter.value)
    return float(10.0 ** math.floor(math.log10(abs(parameter.value))))


def step(parameter: Parameter, size: float) -> float:
    """Return the first step in factors: the error when there is one, else 1."""
    return parameter.error / size if math.isfinite(parameter.error) and parameter.error > 0 else 1.0


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

"""What MIGRAD minimises: the statistic as a function of the free parameters, each in units of a power of ten.

Each free parameter is minimised in units of the power of ten of its value; the start step is its error, or 1 in these
units.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from iminuit import Minuit

from xgamma.axes import FloatArray
from xgamma.fit.beginning import error_at_start
from xgamma.fit.settings import FitSettings, limits, validate_fittable
from xgamma.fit.statistic import Statistic
from xgamma.models.models import SkyModel
from xgamma.models.parameters import Parameter
from xgamma.stats import JoinedCounts

FIRST_MOVE, FIRST_CHANGE = 0.03, 0.1
"""The first step of a position on the sky in degrees, and of a size there as a part of it."""


class Problem:
    """The statistic as MIGRAD sees it: of factors of a power of ten for each parameter.

    Parameters
    ----------
    statistic
        The statistic of the values.
    settings
        How MIGRAD runs.
    start
        Where it begins, by default at the present values; shape (parameter,).

    Raises
    ------
    ConfigError, FitError
        Without a free parameter or without a bin.
    """

    def __init__(self, statistic: Statistic, settings: FitSettings, start: FloatArray | None = None) -> None:
        self.statistic, self.settings = statistic, settings
        self.parameters = statistic.parameters
        validate_fittable(len(self.parameters), statistic.n_bins)
        start = statistic.start if start is None else start
        self.scales = np.array([scale(*each) for each in zip(self.parameters, start.tolist(), strict=True)])
        self.start: FloatArray = start / self.scales
        self.limits = [limits(*each) for each in zip(self.parameters, self.scales, self.names, strict=True)]
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
            raise error_at_start(self.statistic)
        return minuit


def scale(parameter: Parameter, value: float) -> float:
    """Return the power of ten below a value (1 for 0 and times), or the value itself for ``factor1``, 1 for none."""
    if value == 0 or not math.isfinite(value) or not parameter.scale_method:
        return 1.0
    if is_place(parameter):
        return 1.0
    if parameter.scale_method == "factor1":
        return abs(value)
    return float(10.0 ** math.floor(math.log10(abs(value))))


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


def name_of(models: Iterable[SkyModel], parameter: Parameter) -> str:
    """Return ``MODEL.TYPE.NAME`` of a parameter, at its first place."""
    return next(
        name
        for model in models
        for name, own in zip(model.parameters_unique_names, model.parameters, strict=True)
        if own is parameter
    )

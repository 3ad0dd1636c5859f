"""Priors as a term of a statistic: the penalties of parameters, beside the bins of the data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from xgamma.axes import FloatArray, IntArray
from xgamma.fit.settings import validate_priors
from xgamma.models.models import SkyModel
from xgamma.models.parameters import Parameter, Parameters
from xgamma.models.priors import Prior


@dataclass(frozen=True)
class PriorTerm:
    """The penalties of priors: -2 ln of each density as a share of its largest.

    Parameters
    ----------
    priors
        Of free parameters.
    values
        What the parameters have now.
    numbers
        The place of each among the arguments of the statistic; -1 for one that is no argument and keeps its value.
    """

    priors: tuple[Prior, ...]
    values: tuple[float, ...]
    numbers: tuple[int, ...]

    @property
    def dataset(self) -> IntArray:
        """A prior belongs to no dataset, shape (0,)."""
        return np.zeros(0, dtype=np.int64)

    def _places(self, values: Sequence[float]) -> list[tuple[Prior, float, int]]:
        own = [
            values[number] if number >= 0 else value for value, number in zip(self.values, self.numbers, strict=True)
        ]
        return list(zip(self.priors, own, self.numbers, strict=True))

    def stat(self, values: Sequence[float]) -> FloatArray:
        """Return the penalty of each prior, shape (prior,)."""
        return np.array([prior.weight * prior.penalty(value) for prior, value, _ in self._places(values)])

    def derivatives(self, values: Sequence[float]) -> tuple[FloatArray, FloatArray]:
        """Return the derivatives of the sum in the values, and second ones that are not below 0."""
        gradient, information = np.zeros(len(values)), np.zeros((len(values), len(values)))
        for prior, value, number in self._places(values):
            if number >= 0:
                gradient[number] += prior.weight * prior.slope(value)
                information[number, number] += prior.weight * prior.information(value)
        return gradient, information

    def hessian(self, values: Sequence[float], steps: Sequence[float]) -> FloatArray:
        """Return the second derivatives of the sum."""
        result = np.zeros((len(values), len(values)))
        for prior, value, number in self._places(values):
            if number >= 0:
                result[number, number] += prior.weight * prior.curvature(value)
        return result


def prior_terms(models: Sequence[SkyModel], arguments: Iterable[Parameter]) -> list[PriorTerm]:
    """Return the term of the priors of free parameters, none where there is no prior.

    The prior of a frozen parameter is a constant and has no part. Raises ``ConfigError``; see ``validate_priors``.
    """
    validate_priors(models)
    numbers = {id(parameter): number for number, parameter in enumerate(arguments)}
    every = Parameters(parameter for model in models for parameter in model.parameters).unique_parameters
    held = [one for one in every if one.prior is not None and (not one.frozen or id(one) in numbers)]
    if not held:
        return []
    places = tuple(numbers.get(id(parameter), -1) for parameter in held)
    return [PriorTerm(tuple(one.prior for one in held), tuple(one.value for one in held), places)]

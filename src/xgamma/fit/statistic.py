"""The objective of a fit: -2 ln(likelihood) of models on any number of rows, a pure function of parameter values.

Every evaluation is one product of the response matrix with the fluxes and one pass of the statistic over all bins.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from xgamma.axes import FloatArray
from xgamma.fit.inputs import FitInput, Inputs, normalize_inputs
from xgamma.fit.terms import CountsTerm, Term, Values, terms_of
from xgamma.models.models import Models, SkyModel
from xgamma.models.parameters import Parameter, Parameters
from xgamma.predict import selected_models


class Statistic:
    """-2 ln(likelihood) of models on Datasets, summed over all bins: a function of the values of some parameters.

    What it was made of is read once: later changes of the models do not reach it, and it changes no model.

    Parameters
    ----------
    inputs
        DL4 Datasets (wstat with off counts, else cash) and flux points (chi2), each alone or with the bins to use.
    models
        The models; each contributes where its ``datasets_names`` say so.
    arguments
        The parameters that the values belong to; by default the free ones of the models that contribute, each linked
        one once. The others keep the values that they have now.

    Raises
    ------
    LaterError
        For a model that a 1D dataset cannot hold yet.
    DataError
        For a mask of another shape than its Dataset.

    Examples
    --------
    >>> statistic = Statistic([stacked], models)  # doctest: +SKIP
    >>> statistic(statistic.start), statistic([2.3, 4e-11])  # doctest: +SKIP
    """

    def __init__(
        self, inputs: Inputs, models: Models | Sequence[SkyModel], arguments: Iterable[Parameter] | None = None
    ) -> None:
        given = normalize_inputs(inputs)
        self.names = [name for one in given for name in one.names]
        self.models = selected_models(models, self.names)
        self.parameters = free_parameters(given, models) if arguments is None else Parameters(arguments)
        self.start: FloatArray = self.parameters.value
        self.terms: list[Term] = terms_of(given, self.models, self.parameters)

    def __call__(self, values: npt.ArrayLike) -> float:
        """Return the total; ``values`` have the order and units of ``parameters``."""
        plain = self._normalize(values)
        return float(sum(term.stat(plain).sum() for term in self.terms))

    def derivatives(self, values: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Return the derivatives of the total, shape (value,), and Fisher's information: the second ones expected."""
        plain = self._normalize(values)
        gradient, information = np.zeros(len(plain)), np.zeros((len(plain), len(plain)))
        for term in self.terms:
            slopes, expected = term.derivatives(plain)
            gradient, information = gradient + slopes, information + expected
        return gradient, information

    def hessian(self, values: npt.ArrayLike, steps: npt.ArrayLike) -> FloatArray:
        """Return the second derivatives of the total, shape (value, value).

        ``steps`` are short beside the errors of the values: the derivatives of spectra change in them.
        """
        plain, short = self._normalize(values), self._normalize(steps)
        size = len(plain)
        return sum((term.hessian(plain, short) for term in self.terms), np.zeros((size, size)))

    def _normalize(self, values: npt.ArrayLike) -> Values:
        plain: list[float] = np.asarray(values, dtype=float).tolist()
        if len(plain) != len(self.parameters):
            raise ValueError(f"Expected {len(self.parameters)} values, one for each parameter, got {len(plain)}.")
        return plain

    @property
    def counts_terms(self) -> list[CountsTerm]:
        """The terms of counts."""
        return [term for term in self.terms if isinstance(term, CountsTerm)]

    @property
    def n_bins(self) -> int:
        """The number of bins and points used."""
        return sum(len(term.dataset) for term in self.terms)

    def per_dataset(self, values: npt.ArrayLike) -> FloatArray:
        """Return the sum of each dataset, in the order of ``names``."""
        size, plain = len(self.names), self._normalize(values)
        sums = (np.bincount(term.dataset, term.stat(plain), size) for term in self.terms)
        return np.asarray(sum(sums, np.zeros(size)))


def free_parameters(inputs: Sequence[FitInput], models: Models | Sequence[SkyModel]) -> Parameters:
    """Return the free parameters of the models that contribute to some inputs, each linked one once."""
    chosen = selected_models(models, [name for one in inputs for name in one.names])
    return Parameters(parameter for model in chosen for parameter in model.parameters).free_parameters

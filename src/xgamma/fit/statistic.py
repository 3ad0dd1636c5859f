"""The objective of a fit: -2 ln(likelihood) of models on any number of rows, a pure function of parameter values.

Every evaluation is one product of the response matrix with the fluxes and one pass of the statistic over all bins.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from xgamma import schema
from xgamma.axes import Axis, FloatArray, IntArray
from xgamma.errors import ConfigError
from xgamma.fit.inputs import FitInput, Inputs, normalize_inputs, with_errors
from xgamma.fit.prior import prior_terms
from xgamma.fit.signal import Signal, Values
from xgamma.fit.sky_terms import sky_term
from xgamma.fit.terms import BinsTerm, CountsTerm, Term
from xgamma.models.models import Models, SkyModel
from xgamma.models.parameters import Parameter, Parameters
from xgamma.nuisance import ScaledCounts
from xgamma.predict import Folding, measured, scaled, selected_models
from xgamma.predict.folding import Folded, validate_placed, validate_spectral
from xgamma.stats import MeasuredValues, joined_bins

Numbered: TypeAlias = tuple[FitInput, int]
"""An input and the number of its first row among all rows."""


@dataclass(frozen=True)
class ScaledTerm(CountsTerm):
    """On and off counts with a systematic error of alpha, whose factors are profiled; ``stat`` is without penalties."""

    data: ScaledCounts  # type: ignore[assignment]

    def stat(self, values: Values) -> FloatArray:
        """Return the statistic of each bin."""
        return self.data.data_stat(self.prediction(values))

    def derivatives(self, values: Values) -> tuple[FloatArray, FloatArray]:
        """Return the derivatives of the sum, penalties included, and Fisher's information."""
        prediction, rows = self.prediction(values), self.gradient(values)
        return rows @ self.data.gradient(prediction), self.data.expected(prediction).between(rows)

    def hessian(self, values: Values, steps: Values) -> FloatArray:
        """Return the second derivatives of the sum, penalties included."""
        prediction, rows = self.prediction(values), self.gradient(values)
        slopes = self.data.gradient(prediction)
        bent = sum((signal.bent(values, slopes, steps) for signal in self.signals), np.zeros((len(rows), len(rows))))
        return np.asarray(self.data.bent(prediction).between(rows) + bent)


@dataclass(frozen=True)
class PenaltyTerm:
    """The penalties of the factors of alpha of a term, whose derivatives that term has."""

    term: ScaledTerm

    @property
    def dataset(self) -> IntArray:
        """A penalty belongs to no dataset, shape (0,)."""
        return np.zeros(0, dtype=np.int64)

    def stat(self, values: Values) -> FloatArray:
        """Return the penalty of each factor."""
        return self.term.data.penalty(self.term.prediction(values))

    def derivatives(self, values: Values) -> tuple[FloatArray, FloatArray]:
        """Return zeros."""
        return np.zeros(len(values)), np.zeros((len(values), len(values)))

    def hessian(self, values: Values, steps: Values) -> FloatArray:
        """Return zeros."""
        return np.zeros((len(values), len(values)))


def terms_of(inputs: Sequence[FitInput], models: Sequence[SkyModel], arguments: Sequence[Parameter]) -> list[BinsTerm]:
    """Return the terms of Datasets: one for each set of flux points, and for each kind of counts and true energies."""
    seen = [name for one in inputs if is_map(one) for name in one.names]
    for model in models:
        if not any(model.applies_to(name) for name in seen):
            validate_placed(model)
    starts = np.cumsum([0, *(len(one.names) for one in inputs)]).tolist()
    terms: list[BinsTerm] = []
    groups: dict[tuple[str, ...], list[Numbered]] = {}
    for one, start in zip(inputs, starts, strict=False):
        if one.is_flux_points:
            terms.append(_points_term(one, start, models, arguments))
            continue
        if is_map(one):
            terms.append(sky_term(one, start, models, arguments))
            continue
        held = (name for name in ("counts_off", "alpha_systematic") if name in one.data)
        key = (Axis.from_coords(one.data.coords, "energy_true").digest, *held)
        groups.setdefault(key, []).append((one, start))
    return [*terms, *(_counts_term(group, models, arguments) for group in groups.values())]


def is_map(one: FitInput) -> bool:
    """Whether an input is a map: its cells are pixels."""
    return not one.is_flux_points and schema.space_dims(one.data) == schema.WINDOWS


def _counts_term(group: Sequence[Numbered], models: Sequence[SkyModel], arguments: Sequence[Parameter]) -> CountsTerm:
    parts = [(one.data, one.used) for one, _ in group]
    folding = Folding(tuple(parts))
    is_scaled = "alpha_systematic" in parts[0][0]
    data = joined_bins([scaled(ds, used) if is_scaled else measured(ds, used) for ds, used in parts])
    numbers = np.concatenate([start + np.arange(one.data.sizes["dataset"]) for one, start in group])
    folded = [folding.fold(model) for model in selected_models(models, folding.names)]
    signals = tuple(
        Signal(
            one.model,
            partial(_constant_counts, one),
            partial(one.model.spectral_model.flux_gradient, one.edges),
            one.matrix,
            arguments,
            one.time,
        )
        for one in folded
    )
    return (ScaledTerm if is_scaled else CountsTerm)(data, signals, numbers[folding.dataset], folding)


def _constant_counts(folded: Folded, values: Values) -> FloatArray:
    return folded.constant(folded.model.spectral_model.flux(folded.edges, values))


def _points_term(given: FitInput, number: int, models: Sequence[SkyModel], arguments: Sequence[Parameter]) -> BinsTerm:
    ds = with_errors(given.data)
    used = FitInput(ds, given.mask).used
    chosen = selected_models(models, given.names)
    for model in chosen:
        validate_spectral(model)
        if model.temporal_model is not None and not model.temporal_model.is_constant:
            raise ConfigError(
                f"The model {model.name!r} depends on time, and flux points have none; remove its temporal part."
            )
    if not chosen:
        raise ConfigError("Fitting flux points expects a model that contributes to them; set one.")
    reference, energy = ds["ref_dnde"].values[used], ds["energy"].values[used]
    data = MeasuredValues(ds["norm"].values[used] * reference, ds["norm_err"].values[used] * np.abs(reference))
    spectra = [(model, model.spectral_model) for model in chosen]
    signals = tuple(
        Signal(model, partial(one.dnde, energy), partial(one.dnde_gradient, energy), None, arguments)
        for model, one in spectra
    )
    return BinsTerm(data, signals, np.full(energy.shape, number))


class Statistic:
    """-2 ln(likelihood) of models on Datasets, summed over all bins: a function of the values of some parameters.

    The penalties of priors, and of the factors of alpha where Datasets have an ``alpha_systematic``, are added;
    ``prior_stat`` is their part.

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
    ConfigError
        For a prior of a linked parameter.
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
        self.terms: list[BinsTerm] = terms_of(given, self.models, self.parameters)
        penalties = (PenaltyTerm(term) for term in self.terms if isinstance(term, ScaledTerm))
        self.priors: Sequence[Term] = [*prior_terms(self.models, self.parameters), *penalties]

    def __call__(self, values: npt.ArrayLike) -> float:
        """Return the total; ``values`` have the order and units of ``parameters``."""
        plain = self._normalize(values)
        return float(sum(term.stat(plain).sum() for term in (*self.terms, *self.priors)))

    def prior_stat(self, values: npt.ArrayLike) -> float:
        """Return what priors and factors of alpha add to the total, each 0 at its most probable value."""
        plain = self._normalize(values)
        return float(sum(term.stat(plain).sum() for term in self.priors))

    def derivatives(self, values: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Return the derivatives of the total, shape (value,), and Fisher's information: the second ones expected."""
        plain = self._normalize(values)
        gradient, information = np.zeros(len(plain)), np.zeros((len(plain), len(plain)))
        for term in (*self.terms, *self.priors):
            slopes, expected = term.derivatives(plain)
            gradient, information = gradient + slopes, information + expected
        return gradient, information

    def hessian(self, values: npt.ArrayLike, steps: npt.ArrayLike) -> FloatArray:
        """Return the second derivatives of the total, shape (value, value).

        ``steps`` are short beside the errors of the values: the derivatives of spectra change in them.
        """
        plain, short = self._normalize(values), self._normalize(steps)
        size = len(plain)
        return sum((term.hessian(plain, short) for term in (*self.terms, *self.priors)), np.zeros((size, size)))

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
        return sum(term.n_bins for term in self.terms)

    def per_dataset(self, values: npt.ArrayLike) -> FloatArray:
        """Return the sum of each dataset, in the order of ``names``."""
        size, plain = len(self.names), self._normalize(values)
        sums = (np.bincount(term.dataset, term.stat(plain), size) for term in self.terms)
        return np.asarray(sum(sums, np.zeros(size)))


def free_parameters(inputs: Sequence[FitInput], models: Models | Sequence[SkyModel]) -> Parameters:
    """Return the free parameters of the models that contribute to some inputs, each linked one once."""
    chosen = selected_models(models, [name for one in inputs for name in one.names])
    return Parameters(parameter for model in chosen for parameter in model.parameters).free_parameters

"""Summands of a statistic: what they sum up, and its derivatives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from xgamma.axes import FloatArray, IntArray
from xgamma.fit.signal import Signal, Values
from xgamma.predict import Folding
from xgamma.predict.sky import SkyFolding
from xgamma.stats import CashCounts, MeasuredValues, WstatCounts


class Term(Protocol):
    """A summand of a statistic: bins of data, priors, the constraint of a nuisance parameter."""

    @property
    def dataset(self) -> IntArray:
        """The number of the dataset of each element of ``stat``, among all of the statistic."""

    def stat(self, values: Values) -> FloatArray:
        """Return the elements of the sum."""

    def derivatives(self, values: Values) -> tuple[FloatArray, FloatArray]:
        """Return the derivatives of the sum in the values, and the second ones that are expected for the model."""

    def hessian(self, values: Values, steps: Values) -> FloatArray:
        """Return the second derivatives of the sum; ``steps`` are short beside the errors of the values."""


@dataclass(frozen=True)
class BinsTerm:
    """Bins, or flux points, and the models that predict them."""

    data: CashCounts | WstatCounts | MeasuredValues
    signals: tuple[Signal, ...]
    dataset: IntArray

    @property
    def n_bins(self) -> int:
        """The number of bins or points used."""
        return len(self.dataset)

    def prediction(self, values: Values) -> FloatArray:
        """Return the sum of the models in each bin."""
        parts = [signal(values) for signal in self.signals]
        return parts[0] if len(parts) == 1 else np.sum(parts, axis=0) if parts else np.zeros(self.dataset.shape)

    def stat(self, values: Values) -> FloatArray:
        """Return the statistic of each bin."""
        return self.data.stat(self.prediction(values))

    def gradient(self, values: Values) -> FloatArray:
        """Return the derivatives of the prediction in the values, shape (value, bin)."""
        parts = [signal.gradient(values) for signal in self.signals]
        return np.asarray(sum(parts[1:], parts[0]) if parts else np.zeros((len(values), *self.dataset.shape)))

    def derivatives(self, values: Values) -> tuple[FloatArray, FloatArray]:
        """Return the derivatives of the sum in the values, and Fisher's information: the expected second ones."""
        prediction, rows = self.prediction(values), self.gradient(values)
        return rows @ self.data.gradient(prediction), (rows * self.data.information(prediction)) @ rows.T

    def hessian(self, values: Values, steps: Values) -> FloatArray:
        """Return the second derivatives of the sum: by the curvature of the data, and by that of the spectra."""
        prediction, rows = self.prediction(values), self.gradient(values)
        slopes = self.data.gradient(prediction)
        bent = sum((signal.bent(values, slopes, steps) for signal in self.signals), np.zeros((len(rows), len(rows))))
        return np.asarray((rows * self.data.curvature(prediction)) @ rows.T + bent)


@dataclass(frozen=True)
class CountsTerm(BinsTerm):
    """The bins of Datasets that share true energies and statistic."""

    data: CashCounts | WstatCounts
    folding: Folding | SkyFolding

    @property
    def n_bins(self) -> int:
        """The number of bins used; of those without counts a map evaluates sums alone."""
        return self.folding.n_bins

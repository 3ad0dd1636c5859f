"""How well models fit: the deviance from the saturated model, and how often data drawn from the models exceed it.

The saturated model predicts each bin as it was measured. Where bins hold few counts its deviance is not distributed as
chi2, and so data are drawn: Poisson counts on and off as the fit predicts them, Gaussian values of flux points. A fit
follows its own data; each draw is therefore refitted to second order, by Fisher scoring from the best fit, which lowers
its deviance by the number of free parameters on average. Maps, with many more bins than parameters, are not refitted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy

from xgamma.axes import FloatArray, IntArray
from xgamma.errors import DataError
from xgamma.fit.inputs import FitInput, Inputs, normalize_inputs
from xgamma.fit.sky_terms import MapTerm
from xgamma.fit.statistic import Statistic, is_map
from xgamma.models.models import Models, SkyModel
from xgamma.predict import measured, npred_signal
from xgamma.stats import CashCounts, MeasuredValues, WstatCounts, cstat, wstat_background

DRAWS, FEWEST_DRAWS = 1000, 50
"""How often data are drawn: at the most, and where there are many bins."""
BINS_DRAWN = 10_000_000
"""The number of bins of all draws together that is not exceeded beyond ``FEWEST_DRAWS``."""
BINS_AT_ONCE = 500_000
SEED = 12

Data = CashCounts | WstatCounts | MeasuredValues


@dataclass(frozen=True)
class Deviance:
    """The deviance of some bins, how many they are, and how often draws reach it."""

    value: float
    n_bins: int
    p_value: float


@dataclass(frozen=True)
class GoodnessOfFit:
    """How well models fit.

    Parameters
    ----------
    total
        The deviance of all bins.
    datasets
        That of each dataset by name.
    n_free
        The number of free parameters.
    drawn
        The deviance of each draw, shape (draw,).
    is_refitted
        Whether each draw was refitted to second order.
    """

    total: Deviance
    datasets: Mapping[str, Deviance]
    n_free: int
    drawn: FloatArray
    is_refitted: bool

    @property
    def dof(self) -> int:
        """Bins less free parameters."""
        return self.total.n_bins - self.n_free


@dataclass(frozen=True)
class _Seen:
    """Bins of one kind: what was measured, the signal of the best fit, the dataset of each, its slopes or ``None``."""

    data: Data
    signal: FloatArray
    dataset: IntArray
    slopes: FloatArray | None

    def deviance(self, data: Data) -> FloatArray:
        """Return the deviance of data of the shape (draw, bin)."""
        if isinstance(data, CashCounts):
            return cstat(data.counts, np.maximum(data.background + self.signal, 0.0))
        return data.stat(self.signal)

    def drawn(self, random: np.random.Generator, draws: int) -> Data:
        """Return data as the best fit predicts them, shape (draw, bin)."""
        shape, data = (draws, len(self.signal)), self.data
        if isinstance(data, MeasuredValues):
            return MeasuredValues(random.normal(self.signal, data.errors, shape), data.errors)
        if isinstance(data, CashCounts):
            mean = np.maximum(data.background + self.signal, 0.0)
            return CashCounts(random.poisson(mean, shape).astype(float), data.background)
        has_off = data.alpha > 0
        off = wstat_background(data.counts, data.counts_off, np.where(has_off, data.alpha, 1.0), self.signal)
        off = np.where(has_off, off, 0.0)
        on = np.maximum(np.where(has_off, self.signal + data.alpha * off, 0.0), 0.0)
        counts, counts_off = (random.poisson(mean, shape).astype(float) for mean in (on, off))
        return WstatCounts(counts, counts_off, np.broadcast_to(data.alpha, shape))


def goodness_of_fit(
    inputs: Inputs, models: Models | Sequence[SkyModel], draws: int = DRAWS, seed: int = SEED
) -> GoodnessOfFit:
    """Return how well models, with the values that they have now, fit Datasets.

    Parameters
    ----------
    inputs, models
        As ``Statistic`` takes them; the values are those of a fit.
    draws
        How often data are drawn; fewer where there are many bins.
    seed
        The same seed gives the same numbers.

    Raises
    ------
    DataError
        For Datasets with ``alpha_systematic``, whose statistic has no bins that stand alone.
    """
    given = normalize_inputs(inputs)
    statistic = Statistic(given, models)
    if any("alpha_systematic" in one.data for one in given if not one.is_flux_points):
        raise DataError("Goodness of fit is not known with alpha_systematic: its factors couple the bins of a dataset.")
    seen, size = list(_seen(statistic, given, models)), len(statistic.names)
    sizes = np.sum([np.bincount(one.dataset, minlength=size) for one in seen], axis=0)
    sums = [_sums(one.dataset, size) for one in seen]
    actual = _deviances(seen, [one.data for one in seen], sums)
    is_refitted = all(one.slopes is not None for one in seen) and len(statistic.parameters) > 0
    refit = _Refit(statistic, seen) if is_refitted else None
    random, drawn, lowered = np.random.default_rng(seed), [], []
    for count in _blocks(draws, int(sizes.sum())):
        data = [one.drawn(random, count) for one in seen]
        drawn.append(_deviances(seen, data, sums))
        lowered.append(np.zeros(count) if refit is None else refit.lowers(data))
    each = np.concatenate(drawn)
    total = each.sum(axis=1) - np.concatenate(lowered)
    datasets = {
        name: Deviance(float(actual[row]), int(sizes[row]), _p_value(each[:, row], actual[row]))
        for row, name in enumerate(statistic.names)
        if sizes[row]
    }
    whole = Deviance(float(actual.sum()), int(sizes.sum()), _p_value(total, actual.sum()))
    return GoodnessOfFit(whole, datasets, len(statistic.parameters), total, is_refitted)


def pulls(inputs: Inputs, models: Models | Sequence[SkyModel]) -> FloatArray:
    """Return the root of the deviance of each bin of spectra and each flux point, with the sign of data - model.

    Bins without counts on and off are left out, and so are maps, most of whose bins hold none.
    """
    given = [one for one in normalize_inputs(inputs) if not is_map(one)]
    found = [np.zeros(0)]
    for one in _seen(Statistic(given, models), given, models) if given else ():
        data = one.data
        above = data.values - one.signal if isinstance(data, MeasuredValues) else data.best_signal - one.signal
        filled = np.isfinite(above)
        if isinstance(data, WstatCounts):
            filled &= data.counts + data.counts_off > 0
        found.append((np.sign(above) * np.sqrt(np.maximum(one.deviance(data), 0.0)))[filled])
    return np.concatenate(found)


def _p_value(drawn: FloatArray, actual: float) -> float:
    """Return the share of draws that are not below; the measurement counts as one, so that it is never 0."""
    # The same sum in another order.
    return float((1 + np.sum(drawn >= actual * (1 - 1e-12))) / (1 + len(drawn)))


def _seen(statistic: Statistic, given: Sequence[FitInput], models: Models | Sequence[SkyModel]) -> Iterator[_Seen]:
    """Yield the bins of a statistic; those of maps one by one, also where it joins them."""
    values = statistic.start.tolist()
    for term in statistic.terms:
        if not isinstance(term, MapTerm):
            yield _Seen(term.data, term.prediction(values), term.dataset, term.gradient(values))
    starts = np.cumsum([0, *(len(one.names) for one in given)])
    for one, start in zip(given, starts, strict=False):
        if is_map(one):
            used = one.used
            signal = npred_signal(one.data, models).values[used]
            yield _Seen(measured(one.data, used, models), signal, start + np.nonzero(used)[0], None)


def _sums(dataset: IntArray, size: int) -> Any:
    """Return the matrix (bin, dataset) that sums up the bins of each dataset."""
    bins = len(dataset)
    return scipy.sparse.csr_matrix((np.ones(bins), (np.arange(bins), dataset)), (bins, size))


def _deviances(seen: Sequence[_Seen], data: Sequence[Data], sums: Sequence[Any]) -> FloatArray:
    """Return the deviance of each dataset, shape (dataset,), or (draw, dataset) of draws."""
    parts = [one.deviance(own) @ each for one, own, each in zip(seen, data, sums, strict=True)]
    return np.asarray(np.sum(parts, axis=0))


def _blocks(draws: int, bins: int) -> Iterator[int]:
    """Yield how many draws are made at once: fewer of many bins, and fewer in all."""
    number = max(min(draws, BINS_DRAWN // max(bins, 1)), min(draws, FEWEST_DRAWS))
    most = max(1, BINS_AT_ONCE // max(bins, 1))
    for first in range(0, number, most):
        yield min(most, number - first)


class _Refit:
    """How much lower the deviance of draws is after a step of Fisher scoring from the best fit."""

    def __init__(self, statistic: Statistic, seen: Sequence[_Seen]) -> None:
        values = statistic.start.tolist()
        size = len(values)
        self.seen = [(one, one.slopes) for one in seen if one.slopes is not None]
        parts = [(slopes * one.data.information(one.signal)) @ slopes.T for one, slopes in self.seen]
        self.information = np.sum(parts, axis=0)
        priors = [term.derivatives(values) for term in statistic.priors]
        self.pull = np.sum([np.zeros(size), *(slope for slope, _ in priors)], axis=0)
        held = np.sum([self.information, *(bent for _, bent in priors)], axis=0)
        # Parameters have very different sizes; one that moves nothing stays.
        root = np.sqrt(np.diagonal(held))
        scales = np.divide(1.0, root, out=np.zeros(size), where=root > 0)
        both = np.outer(scales, scales)
        self.step = -np.linalg.pinv(held * both, hermitian=True) * both

    def lowers(self, data: Sequence[Data]) -> FloatArray:
        """Return by how much the deviance falls, shape (draw,)."""
        pairs = zip(self.seen, data, strict=True)
        gradient = np.sum([own.gradient(one.signal) @ slopes.T for (one, slopes), own in pairs], axis=0)
        move = (gradient + self.pull) @ self.step
        bent = np.einsum("dp,pq,dq->d", move, self.information, move)
        return np.asarray(-np.einsum("dp,dp->d", move, gradient) - 0.5 * bent)

"""The bins of maps as summands of a statistic: many rows, most of whose backgrounds have parameters of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np

from xgamma.axes import FloatArray
from xgamma.fit.inputs import FitInput
from xgamma.fit.signal import PartSignal, Signal, SkySignal, Values, norm_signal
from xgamma.fit.terms import CountsTerm
from xgamma.models.models import SkyModel
from xgamma.models.parameters import Parameter
from xgamma.predict import selected_models
from xgamma.predict.sky import FarAwayError, SkyFolding, is_uneven
from xgamma.stats import select_bins


@dataclass(frozen=True)
class MapTerm(CountsTerm):
    """The bins of maps, row by row; models of one row, as of its background, are looked at in its bins alone."""

    signals: tuple[PartSignal, ...]  # type: ignore[assignment]
    _last: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    @cached_property
    def _apart(self) -> list[PartSignal]:
        return [signal for signal in self.signals if not signal.is_whole]

    def prediction(self, values: Values) -> FloatArray:
        """Return the sum of the models in each bin."""
        return self._sum([signal.seen(values) for signal in self.signals], slice(0, len(self.dataset)))

    def _sum(self, seen: Sequence[FloatArray], part: slice) -> FloatArray:
        """Return the sum in a part of the bins: all of them, or those of one row."""
        is_all, result = part == slice(0, len(self.dataset)), np.zeros(part.stop - part.start)
        for signal, counts in zip(self.signals, seen, strict=True):
            if signal.is_whole:
                result += counts[part]
            elif is_all:
                result[signal.part] += counts
            elif signal.part == part:
                result += counts
        return result

    def stat(self, values: Values) -> FloatArray:
        """Return the statistic of each bin; where only models of some rows changed, the others stay as they were."""
        seen = [signal.seen(values) for signal in self.signals]
        last: list[FloatArray] | None = self._last.get("seen")
        changed = (
            None
            if last is None
            else [signal for signal, now, old in zip(self.signals, seen, last, strict=True) if now is not old]
        )
        if changed is None or any(signal.is_whole for signal in changed) or 2 * len(changed) > len(self._apart):
            result = self.data.stat(self._sum(seen, slice(0, len(self.dataset))))
        else:
            result = self._last["stat"].copy()
            for signal in changed:
                result[signal.part] = select_bins(self.data, signal.part).stat(self._sum(seen, signal.part))
        self._last.update(seen=seen, stat=result)
        return result

    def derivatives(self, values: Values) -> tuple[FloatArray, FloatArray]:
        """Return the derivatives of the sum in the values, and Fisher's information."""
        prediction = self.prediction(values)
        return self._products(values, self.data.gradient(prediction), self.data.information(prediction))

    def hessian(self, values: Values, steps: Values) -> FloatArray:
        """Return the second derivatives of the sum: by the curvature of the data, and by that of the models."""
        prediction = self.prediction(values)
        slopes = self.data.gradient(prediction)
        result = self._products(values, slopes, self.data.curvature(prediction))[1]
        for signal in self.signals:
            result[np.ix_(signal.numbers, signal.numbers)] += signal.bent(values, slopes, steps)
        return result

    def _products(self, values: Values, slopes: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the derivatives of predictions summed with slopes of the data, and their products with weights.

        The rows of parameters of one row of the maps would be zeros in the others: with a background for each of a
        hundred rows that would be nearly all of them.
        """
        whole = [signal for signal in self.signals if signal.is_whole]
        numbers = sorted({number for signal in whole for number in signal.numbers})
        rows = np.zeros((len(numbers), len(slopes)))
        for signal in whole:
            if signal.numbers:
                rows[np.searchsorted(numbers, signal.numbers)] += signal.inner.gradient(signal.among(values))
        gradient, products = np.zeros(len(values)), np.zeros((len(values), len(values)))
        gradient[numbers] += rows @ slopes
        products[np.ix_(numbers, numbers)] += (rows * weights) @ rows.T
        for signal in self._apart:
            if signal.numbers:
                own, part = signal.inner.gradient(signal.among(values)), signal.part
                weighted = own * weights[part]
                cross = rows[:, part] @ weighted.T
                gradient[signal.numbers] += own @ slopes[part]
                products[np.ix_(signal.numbers, signal.numbers)] += weighted @ own.T
                products[np.ix_(numbers, signal.numbers)] += cross
                products[np.ix_(signal.numbers, numbers)] += cross.T
        return gradient, products


@dataclass(frozen=True)
class SkyTerm(MapTerm):
    """The bins of a map, of which those far from all sources are joined: until a source comes there.

    Parameters
    ----------
    wider
        Makes the same term with no bins joined but those without counts.
    """

    wider: Callable[[], MapTerm]

    @cached_property
    def wide(self) -> MapTerm:
        """The same term with no bins joined but those without counts."""
        return self.wider()

    def stat(self, values: Values) -> FloatArray:
        """Return the statistic of each bin; of a source far away the sums of datasets, each at its first bin."""
        try:
            return super().stat(values)
        except FarAwayError:
            result, first = np.zeros(len(self.dataset)), int(self.dataset.min(initial=0))
            sums = np.bincount(self.wide.dataset - first, self.wide.stat(values))
            names, places = np.unique(self.dataset, return_index=True)
            result[places] = sums[names - first]
            return result

    def derivatives(self, values: Values) -> tuple[FloatArray, FloatArray]:
        """Return the derivatives of the sum in the values, and Fisher's information."""
        try:
            return super().derivatives(values)
        except FarAwayError:
            return self.wide.derivatives(values)

    def hessian(self, values: Values, steps: Values) -> FloatArray:
        """Return the second derivatives of the sum."""
        try:
            return super().hessian(values, steps)
        except FarAwayError:
            return self.wide.hessian(values, steps)


def sky_term(given: FitInput, start: int, models: Sequence[Any], arguments: Sequence[Parameter]) -> MapTerm:
    """Return the term of maps; ``start`` is the number of their first row among all rows."""
    chosen = selected_models(models, given.names)
    sources = [model for model in chosen if isinstance(model, SkyModel)]
    is_poisson = "background" in given.data and "counts_off" not in given.data

    def made(near: Sequence[SkyModel] | None) -> tuple[Any, ...]:
        folding, signals = SkyFolding(given.data, given.used, near), list[PartSignal]()
        size = len(folding.dataset)
        for model in chosen:
            if isinstance(model, SkyModel):
                of: Callable[[Sequence[Parameter]], Signal] = partial(SkySignal, folding.fold(model))
                signals.append(PartSignal.of(of, model.parameters, arguments, slice(0, size), size))
                continue
            if is_uneven(model):
                of = partial(norm_signal, folding.norm(model))
                signals.append(PartSignal.of(of, model.parameters, arguments, slice(0, size), size))
                continue
            for part, own in folding.background(model):
                of_part = partial(Signal, model, own.counts, own.slopes, own.matrix)
                signals.append(PartSignal.of(of_part, model.parameters, arguments, part, size))
        return folding.measured(chosen), tuple(signals), start + folding.dataset, folding

    # Bins that see the background alone are one where all of it has one factor.
    one_factor = not any(is_uneven(model) for model in chosen if not isinstance(model, SkyModel))
    if not is_poisson or not one_factor:
        return MapTerm(*made(None))
    data, signals, dataset, folding = made(sources)
    return SkyTerm(data, signals, dataset, folding, lambda: MapTerm(*made(None)))

"""What a model predicts for the bins of a term, as a function of the arguments of a statistic, with derivatives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from xgamma.axes import FloatArray
from xgamma.models.models import SkyModel
from xgamma.models.npred_models import NormModel
from xgamma.models.parameters import Parameter
from xgamma.predict.folding import InTime
from xgamma.predict.sky import NormFolded, SkyFolded

if TYPE_CHECKING:
    from scipy import sparse


Values: TypeAlias = Sequence[float]
"""The arguments of a statistic, each in the unit of its parameter."""


@dataclass(frozen=True)
class Places:
    """Where the arguments of a statistic stand among the parameters of a part of a model.

    Parameters
    ----------
    values
        What the parameters have now.
    wanted
        The places of those that are arguments.
    numbers
        The number of each among the arguments.
    """

    values: tuple[float, ...]
    wanted: list[int]
    numbers: list[int]

    @classmethod
    def of(cls, own: Iterable[Parameter], arguments: Sequence[Parameter]) -> Places:
        """Return the places of arguments among some parameters."""
        parameters, known = list(own), {id(parameter): number for number, parameter in enumerate(arguments)}
        wanted = [place for place, one in enumerate(parameters) if id(one) in known]
        values = tuple(parameter.value for parameter in parameters)
        return cls(values, wanted, [known[id(parameters[place])] for place in wanted])

    def own_values(self, values: Values) -> tuple[float, ...]:
        """Return the values of the parameters for those of the arguments."""
        own = list(self.values)
        for place, number in zip(self.wanted, self.numbers, strict=True):
            own[place] = values[number]
        return tuple(own)

    def spread(self, slopes: FloatArray, size: int) -> FloatArray:
        """Return derivatives at the places, shape (wanted, ...), as those in all arguments, shape (size, ...)."""
        rows = np.zeros((size, *slopes.shape[1:]))
        for row, number in zip(slopes, self.numbers, strict=True):
            # A linked parameter stands at several places.
            rows[number] += row
        return rows


class Signal:
    """What one model predicts for the bins of a term, as a function of the arguments of a statistic.

    Parameters
    ----------
    model
        The model.
    predict
        Values of the model's spectrum to the prediction of each bin.
    slopes
        The same, and places of parameters, to derivatives of the spectrum in nodes, shape (parameter, node).
    matrix
        Shape (bin, node): what the nodes add to each bin. ``None`` where each bin is a node.
    arguments
        The parameters that the arguments belong to; other parameters of the model keep the values they have now.
    time
        The factor of each bin of a model that depends on time; ``None`` for others.
    """

    def __init__(
        self,
        model: SkyModel | NormModel,
        predict: Callable[[Values], FloatArray],
        slopes: Callable[[Values, Sequence[int]], FloatArray],
        matrix: FloatArray | sparse.csr_matrix | None,
        arguments: Sequence[Parameter],
        time: InTime | None = None,
    ) -> None:
        self.model, self._predict, self._slopes, self._matrix = model, predict, slopes, matrix
        self._spectral = Places.of(model.spectral_model.parameters, arguments)
        self._time, self._temporal = time, Places.of([] if time is None else time.model.parameters, arguments)
        self._last: tuple[tuple[float, ...], FloatArray] | None = None
        self._last_factor: tuple[tuple[float, ...], FloatArray] | None = None

    def own_values(self, values: Values) -> tuple[float, ...]:
        """Return the values of the model's spectrum."""
        return self._spectral.own_values(values)

    def __call__(self, values: Values) -> FloatArray:
        """Return the prediction of each bin; the last one is remembered, as other models change more often."""
        return self._constant(values) if self._time is None else self._constant(values) * self._factor(values)

    def _constant(self, values: Values) -> FloatArray:
        """Return the prediction at a factor of 1."""
        own, last = self.own_values(values), self._last
        if last is None or last[0] != own:
            last = self._last = (own, self._predict(own))
        return last[1]

    def _factor(self, values: Values) -> FloatArray:
        own, last = self._temporal.own_values(values), self._last_factor
        if last is None or last[0] != own:
            assert self._time is not None
            last = self._last_factor = (own, self._time(own))
        return last[1]

    @property
    def _is_folded_first(self) -> bool:
        """Whether the response changes with the arguments, so that slopes of nodes are no slopes of bins."""
        return bool(self._temporal.wanted)

    def _moving(self) -> set[int]:
        """Return the numbers of the arguments in which the prediction is not linear, or may not be."""
        return {*self._spectral.numbers, *self._temporal.numbers}

    def _constant_gradient(self, values: Values) -> FloatArray:
        """Return the derivatives of the prediction at a factor of 1, shape (argument, bin)."""
        rows = self._spectrum_gradient(values)
        return rows if self._matrix is None else rows @ self._matrix.T

    def _spectrum_gradient(self, values: Values) -> FloatArray:
        """Return the derivatives of the spectrum in the arguments at its nodes, shape (argument, node)."""
        return self._spectral.spread(self._slopes(self.own_values(values), self._spectral.wanted), len(values))

    def gradient(self, values: Values) -> FloatArray:
        """Return the derivatives of the prediction in the arguments, shape (argument, bin)."""
        rows = self._constant_gradient(values)
        if self._time is None:
            return rows
        rows = rows * self._factor(values)
        if self._temporal.wanted:
            slopes = self._time.gradient(self._temporal.own_values(values), self._temporal.wanted)
            rows += self._temporal.spread(slopes, len(values)) * self._constant(values)
        return rows

    def _gathered(self, values: Values, factors: FloatArray) -> FloatArray:
        """Return the sums of factors of bins times what each node adds to them, shape (node,)."""
        return factors if self._matrix is None else np.asarray(factors @ self._matrix)

    def bent(self, values: Values, weights: FloatArray, steps: Values) -> FloatArray:
        """Return the second derivatives of the weighted sum of the bins, shape (argument, argument)."""
        moves = self._is_folded_first
        factors = weights if self._time is None or moves else weights * self._factor(values)
        nodes = factors if moves else self._gathered(values, factors)
        result = np.zeros((len(values), len(values)))
        slope = self.gradient if moves else self._spectrum_gradient
        for number in self._moving():
            # Both sides, as spectra bend within the error of a parameter that is hardly known.
            up, down = list(values), list(values)
            up[number] += steps[number]
            down[number] -= steps[number]
            change = (slope(up) - slope(down)) @ nodes
            result[number] = change / (up[number] - down[number])
        return 0.5 * (result + result.T)


class SkySignal(Signal):
    """What one model on the sky predicts: its response follows its place.

    Parameters
    ----------
    folded
        The model and the response.
    arguments
        The parameters that the arguments belong to.
    """

    def __init__(self, folded: SkyFolded, arguments: Sequence[Parameter]) -> None:
        self._folded = folded
        self._flux = partial(folded.model.spectral_model.flux, folded.edges)
        slopes = partial(folded.model.spectral_model.flux_gradient, folded.edges)
        super().__init__(folded.model, self._here, slopes, None, arguments, folded.time)
        self._spatial = Places.of(folded.place.parameters, arguments)
        self._last_seen: tuple[tuple[float, ...], tuple[float, ...], FloatArray] | None = None

    def _here(self, own: Values) -> FloatArray:
        """Return the prediction for values of the spectrum at the present place."""
        return self._folded.at().counts(self._flux(own))

    def _constant(self, values: Values) -> FloatArray:
        own, place, last = self.own_values(values), self._spatial.own_values(values), self._last_seen
        if last is None or last[:2] != (own, place):
            last = self._last_seen = (own, place, self._folded.at(place).counts(self._flux(own)))
        return last[2]

    def _gathered(self, values: Values, factors: FloatArray) -> FloatArray:
        return self._folded.at(self._spatial.own_values(values)).gather(factors)

    @property
    def _is_folded_first(self) -> bool:
        return bool(self._temporal.wanted or self._spatial.wanted)

    def _moving(self) -> set[int]:
        return super()._moving() | set(self._spatial.numbers)

    def _constant_gradient(self, values: Values) -> FloatArray:
        own, place = self.own_values(values), self._spatial.own_values(values)
        slopes = self._slopes(own, self._spectral.wanted)
        rows = self._spectral.spread(self._folded.at(place).spread(slopes), len(values))
        if self._spatial.wanted:
            found = self._folded.gradient(place, self._flux(own), self._spatial.wanted)
            rows += self._spatial.spread(found, len(values))
        return rows

    def bent(self, values: Values, weights: FloatArray, steps: Values) -> FloatArray:
        """Return the second derivatives of the weighted sum of the bins, shape (argument, argument).

        Those in the spectrum need what the weighted bins see of each flux alone, and how that changes with the place.
        """
        if self._temporal.wanted or not self._spatial.wanted:
            return super().bent(values, weights, steps)
        factors = weights if self._time is None else weights * self._factor(values)
        place, size, wanted = self._spatial.own_values(values), len(values), self._spatial.wanted
        seen = self._folded.at(place).gather(factors)
        pulls = self._folded.gathered(place, wanted, factors)
        cross = self._spatial.spread(pulls @ self._spectrum_gradient(values).T, size)
        result = cross + cross.T
        for number in {*self._spectral.numbers, *self._spatial.numbers}:
            up, down = list(values), list(values)
            up[number] += steps[number]
            down[number] -= steps[number]
            change = np.zeros(size)
            if number in self._spectral.numbers:
                rows = (self._spectrum_gradient(up) - self._spectrum_gradient(down)) @ seen
                change += rows / (up[number] - down[number])
            if number in self._spatial.numbers:
                end = self._folded.gathered(self._spatial.own_values(up), wanted, factors)
                rows = self._spatial.spread((end - pulls) @ self._flux(self.own_values(values)), size)
                change += rows / (up[number] - values[number])
            result[number] += 0.5 * change
            result[:, number] += 0.5 * change
        return result


class PartSignal:
    """A signal in some of the bins, such as those of one row, that depends on few of the arguments.

    Parameters
    ----------
    inner
        The signal in these bins, whose arguments are those that change it.
    numbers
        Which ones of all arguments these are.
    part
        The bins.
    size
        The number of all bins.
    """

    def __init__(self, inner: Signal, numbers: Sequence[int], part: slice, size: int) -> None:
        self.inner, self.numbers, self.part, self._size = inner, list(numbers), part, size
        self.model = inner.model
        self.is_whole = part == slice(0, size)

    @classmethod
    def of(
        cls,
        made: Callable[[Sequence[Parameter]], Signal],
        own: Iterable[Parameter],
        arguments: Sequence[Parameter],
        part: slice,
        size: int,
    ) -> PartSignal:
        """Return a signal that is ``made`` with those of some arguments that are among its own parameters."""
        known = {id(parameter) for parameter in own}
        numbers = [number for number, one in enumerate(arguments) if id(one) in known]
        return cls(made([arguments[number] for number in numbers]), numbers, part, size)

    def among(self, values: Values) -> Values:
        """Return those of the values of all arguments that are its own."""
        return [values[number] for number in self.numbers]

    def seen(self, values: Values) -> FloatArray:
        """Return the prediction of its bins: the same array as long as it does not change."""
        return self.inner(self.among(values))

    def __call__(self, values: Values) -> FloatArray:
        """Return the prediction of every bin."""
        if self.is_whole:
            return self.seen(values)
        result = np.zeros(self._size)
        result[self.part] = self.seen(values)
        return result

    def gradient(self, values: Values) -> FloatArray:
        """Return the derivatives of the prediction in all arguments, shape (argument, bin)."""
        rows = np.zeros((len(values), self._size))
        rows[self.numbers, self.part] = self.inner.gradient(self.among(values))
        return rows

    def bent(self, values: Values, weights: FloatArray, steps: Values) -> FloatArray:
        """Return the second derivatives of the sum of its bins in its own arguments; ``weights`` are of all bins."""
        return self.inner.bent(self.among(values), weights[self.part], self.among(steps))


class NormSignal(Signal):
    """What a model of predicted counts predicts whose spatial part is fitted too.

    Parameters
    ----------
    folded
        The model and the bins.
    arguments
        The parameters that the arguments belong to.
    """

    def __init__(self, folded: NormFolded, arguments: Sequence[Parameter]) -> None:
        super().__init__(folded.model, folded.counts, folded.slopes, None, arguments)
        assert folded.model.spatial_model is not None
        self._folded, self._spatial = folded, Places.of(folded.model.spatial_model.parameters, arguments)

    def _constant(self, values: Values) -> FloatArray:
        return self._folded.at(self._spatial.own_values(values)) * self._folded.spectrum(self.own_values(values))

    @property
    def _is_folded_first(self) -> bool:
        return True

    def _moving(self) -> set[int]:
        return super()._moving() | set(self._spatial.numbers)

    def _constant_gradient(self, values: Values) -> FloatArray:
        own, place = self.own_values(values), self._spatial.own_values(values)
        rows = self._folded.in_bins(self._spectrum_gradient(values)) * self._folded.at(place)
        slopes = self._folded.place_slopes(place, self._spatial.wanted) * self._folded.spectrum(own)
        return rows + self._spatial.spread(slopes, len(values))


def norm_signal(folded: NormFolded, arguments: Sequence[Parameter]) -> Signal:
    """Return what a model of predicted counts predicts for the bins of a term."""
    place = folded.model.spatial_model
    if place is not None and Places.of(place.parameters, arguments).wanted:
        return NormSignal(folded, arguments)
    return Signal(folded.model, folded.counts, folded.slopes, folded.matrix, arguments)

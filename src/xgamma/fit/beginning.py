"""Where a fit begins: refused where there is no way back, and with other norms where models are far from the counts.

From a hundred times too many counts, or a millionth of them, a minimiser ends anywhere. The norm of one model alone is
found from any distance, as its prediction is proportional to it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from xgamma.axes import FloatArray
from xgamma.errors import FitError
from xgamma.fit.settings import far_start, no_start
from xgamma.fit.signal import Values
from xgamma.fit.statistic import Statistic
from xgamma.models.parameter import Parameter, unit_text
from xgamma.models.parameters import Parameters
from xgamma.models.skymodel import ModelComponent

MOST_COUNTS = 2.0**53
"""What no instrument counts, and beyond which numbers of double precision no longer tell one count from the next."""
BRIGHT, MANY = 0.02, 100.0
"""Of what a model predicts, the part that is counted, below which it is far too bright; and from how many counts on."""
FEW = 0.01
"""Counts that nobody sees: a model that predicts fewer is far too faint, if it is seen at all, and begins with one."""
MOVES = 10


@dataclass
class Share:
    """What one model predicts, and how the statistic changes with the logarithm of its norm.

    Parameters
    ----------
    model
        The model.
    counts
        What it predicts in all bins that are used.
    slope
        The derivative of the statistic in a factor of its prediction.
    """

    model: ModelComponent
    counts: float = 0.0
    slope: float = 0.0

    @property
    def factor(self) -> float:
        """The factor to the norm from which a fit finds its way: 1 where it does so anyway."""
        if 0.0 < self.counts < FEW:
            return 1.0 / self.counts
        # Counts over prediction, weighted by the model: the step of Richardson 1972 and Lucy 1974.
        seen = 1.0 - 0.5 * self.slope / self.counts if self.counts > MANY else 1.0
        return seen if 0.0 < seen < BRIGHT else 1.0


def shares(statistic: Statistic, values: Values) -> list[Share]:
    """Return what each model that is seen in counts predicts."""
    found: dict[str, Share] = {}
    with np.errstate(all="ignore"):
        for term in statistic.counts_terms:
            parts = [(signal, signal(values)) for signal in term.signals]
            slopes = term.data.gradient(sum((counts for _, counts in parts), np.zeros(term.dataset.shape)))
            for signal, counts in parts:
                share = found.setdefault(signal.model.name, Share(signal.model))
                share.counts += float(np.abs(counts).sum())
                share.slope += float(counts @ slopes)
    return list(found.values())


def validate_beginning(statistic: Statistic) -> None:
    """Raise ``FitError`` where no fit can begin at the present values: see ``validate_counts``; or no statistic is."""
    validate_counts(shares(statistic, statistic.start.tolist()))
    with np.errstate(all="ignore"):
        is_number = math.isfinite(statistic(statistic.start))
    if not is_number:
        raise error_at_start(statistic)


def validate_counts(predicted: list[Share]) -> None:
    """Raise ``FitError`` where a model predicts more than ``MOST_COUNTS``, or no number; MIGRAD is lost there."""
    for share in predicted:
        if not share.counts <= MOST_COUNTS and all(math.isfinite(one.value) for one in share.model.parameters):
            is_number = math.isfinite(share.counts)
            said = f"more than {MOST_COUNTS:.0e} counts" if is_number else "counts that are no numbers"
            raise far_start(share.model, f"predicts {said}")


def start_near_counts(statistic: Statistic) -> tuple[FloatArray, list[str]]:
    """Return the values at which a fit begins, and a sentence for each model that starts too far away.

    Raises ``FitError`` as ``validate_counts``.
    """
    values, moved = statistic.start.copy(), dict[str, int]()
    first = predicted = shares(statistic, values.tolist())
    validate_counts(first)
    for _ in range(MOVES):
        far = [(share, place) for share in predicted for place in _norms(statistic, share)]
        if not far:
            break
        # One that is too bright hides the others.
        share, place = max(far, key=lambda each: each[0].counts)
        values[place] = _within_limits(statistic.parameters[place], values[place] * share.factor)
        moved[share.model.name] = place
        predicted = shares(statistic, values.tolist())
    far_still = [share.model.name for share in predicted if share.factor != 1.0]
    sentences = []
    for share in first:
        if share.model.name in moved:
            place = moved[share.model.name]
            sentences.append(f"{_said(share)} the fit begins at {_value(statistic.parameters[place], values[place])}.")
        elif share.model.name in far_still:
            sentences.append(f"{_said(share)} a fit may not find back from there; start nearer.")
    return values, sentences


def _norms(statistic: Statistic, share: Share) -> list[int]:
    """Return the place of the norm of a model that is to be moved: its only one, free, and of no other model."""
    if share.factor == 1.0:
        return []
    norms = [one for one in share.model.parameters.free_parameters if one.is_norm]
    others = {id(one) for model in statistic.models if model is not share.model for one in model.parameters}
    own = [place for place, one in enumerate(statistic.parameters) if any(one is norm for norm in norms)]
    return own if len(own) == 1 and id(statistic.parameters[own[0]]) not in others else []


def _within_limits(norm: Parameter, value: float) -> float:
    return float(np.fmin(np.fmax(value, norm.min), norm.max))


def _said(share: Share) -> str:
    predicted = f"The model {share.model.name!r} predicts {share.counts:.3g} counts at the start values"
    return f"{predicted}, {'fewer than can be' if share.counts < FEW else 'far more than are'} seen:"


def _value(norm: Parameter, value: float) -> str:
    return f"{norm.name} = {value:.2g} {unit_text(norm.unit)}".rstrip()


def error_at_start(statistic: Statistic) -> FitError:
    """Return what is to be said of a statistic that is no number: which values are none, else those that are free."""
    every = Parameters(parameter for model in statistic.models for parameter in model.parameters)
    return no_start([one for one in every.unique_parameters if not math.isfinite(one.value)] or statistic.parameters)

"""Where the statistic is least: by MIGRAD, or by Fisher scoring and MIGRAD where that finds no minimum.

A step of Fisher scoring solves ``information x step = -gradient``, which is exact for predictions that are linear in
the parameters. Where the statistic does not fall, the diagonal of the information is enlarged (Levenberg 1944;
Marquardt 1963). Close to the minimum, and for the covariance, the second derivatives take the place of their
expectation.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np

from xgamma.axes import BoolArray, FloatArray
from xgamma.fit.problem import Problem

log = logging.getLogger("xgamma.fit")

STEPS = 15
DAMPING, MOST_DAMPED = 1e-3, 1e4
NEAR = 0.5
"""The estimated distance to the minimum, in the statistic, at which second derivatives may be used."""
FINER = 1e-2
"""The search ends when the estimated distance to the minimum is this part of MIGRAD's goal."""
SLOW = 0.05
"""The part of the distance that is left after a step, from which on they are worth it."""
DRIFT = 3e-5
"""They are those of the minimum when they were taken at no larger distance, in the statistic."""
BEND = 1e-3
"""The length of a difference of derivatives, in errors."""
SHORT = 0.02
"""The length of a difference, in errors of the parameter alone."""
AGREEMENT = 0.02
"""How far a derivative may be from its difference: as a share, and in the statistic within such an error."""
SEEN = 3.0
"""The errors from 0 at which a norm says that there is something."""
FAR = 10.0
"""By how much the statistic falls in one step far from its minimum."""
SINGULAR = 1e-10
"""The smallest eigenvalue, of 1 on the diagonal, of a matrix in which no parameter stands for others."""


@dataclass(frozen=True)
class Minimum:
    """Where the statistic is least, in factors.

    Parameters
    ----------
    values
        Shape (parameter,).
    gradient, hessian
        The derivatives there, shape (parameter,) and (parameter, parameter).
    free
        Whether a parameter is neither fixed nor at a limit beyond which the statistic would be lower.
    """

    values: FloatArray
    gradient: FloatArray
    hessian: FloatArray
    free: BoolArray

    @property
    def covariance(self) -> FloatArray:
        """The covariance, with zeros for what is not free."""
        return _inverse(self.hessian, self.free)


class Scoring:
    """A search from given factors.

    Parameters
    ----------
    problem
        What is minimised.
    start
        Shape (parameter,).
    fixed
        Whether a parameter stays, shape (parameter,).
    """

    def __init__(self, problem: Problem, start: FloatArray, fixed: BoolArray) -> None:
        self.problem, self.fixed = problem, fixed
        self.low, self.high = problem.bounds
        self.start = self.values = np.clip(start, self.low, self.high)
        self.goal, self.norms, self.calls = FINER * problem.goal, problem.norms, 0
        self.total = self._stat(self.values)

    def minimum(self) -> Minimum | None:
        """Return the minimum; ``None`` without one that MIGRAD would accept, and where derivatives are wrong."""
        with np.errstate(all="ignore"):
            found = self._lowest() if self._has_derivatives() else None
            return found if found is not None and self._is_accepted(found) else None

    def _lowest(self) -> Minimum | None:
        """Step until the estimated distance to the minimum is small."""
        hessian, drift, damping, last = np.zeros((0, 0)), np.inf, 0.0, np.inf
        for _ in range(STEPS):
            gradient, curvature = self._derivatives()
            free = self._free(gradient)
            distance = _distance(gradient, curvature, free)
            if distance == np.inf or not self._is_seen(curvature, free, distance):
                return None
            is_slow, last = SLOW * last < distance < NEAR, distance
            if distance < DRIFT or is_slow or drift < np.inf:
                if drift > DRIFT:
                    hessian, drift = self._hessian(curvature), 0.0
                exact = _distance(gradient, hessian, free)
                if exact < self.goal:
                    return Minimum(self.values, gradient, hessian, free)
                curvature, distance = (curvature, distance) if exact == np.inf else (hessian, exact)
            damping = self._go(gradient, curvature, free, damping)
            if damping > MOST_DAMPED:
                return None
            drift += distance
        return None

    def _is_seen(self, curvature: FloatArray, free: BoolArray, distance: float) -> bool:
        """Whether no model is so faint that there are minima on both sides of norm 0, of which MIGRAD is to choose."""
        norms = [place for place in self.norms if free[place]]
        if any(self.values[place] * self.start[place] < 0 for place in norms):
            return False
        if distance > NEAR or not norms:
            return True
        errors = np.sqrt(np.diag(_inverse(curvature, free)))
        return bool((np.abs(self.values) > SEEN * errors)[norms].all())

    def _go(self, gradient: FloatArray, curvature: FloatArray, free: BoolArray, damping: float) -> float:
        """Step to where the statistic is lower, and return the damping of the next step."""
        while damping <= MOST_DAMPED:
            step = _step(gradient, curvature, free, damping)
            values = np.clip(self.values + step, self.low, self.high)
            total = self._stat(values)
            if total < self.total:
                is_far = self.problem.is_observed and self.total - total > FAR
                self.values, self.total = values, total
                if is_far:
                    self._go_on(step)
                return damping / 10.0 if damping > DAMPING else 0.0
            damping = max(10.0 * damping, DAMPING)
        return damping

    def _go_on(self, step: FloatArray) -> None:
        """Step on in the same direction, each time twice as far, as long as the statistic falls.

        Second derivatives that are observed are those of the counts, which a faint model that starts a hundred times
        too low finds far too large: its norm would double in each step.
        """
        while True:
            step = 2.0 * step
            values = np.clip(self.values + step, self.low, self.high)
            total = self._stat(values)
            if not total < self.total:
                return
            self.values, self.total = values, total

    def _free(self, gradient: FloatArray) -> BoolArray:
        """Return which parameters are neither fixed nor pushed against a limit."""
        at_low, at_high = (self.values <= self.low) & (gradient > 0), (self.values >= self.high) & (gradient < 0)
        return np.asarray(~(self.fixed | at_low | at_high))

    # --- evaluations

    def _stat(self, values: FloatArray) -> float:
        self.calls += 1
        return self.problem(values)

    def _derivatives(self) -> tuple[FloatArray, FloatArray]:
        self.calls += 1
        return self.problem.derivatives(self.values)

    def _hessian(self, information: FloatArray) -> FloatArray:
        self.calls += 1
        return self.problem.hessian(self.values, BEND * _alone(information, self.values))

    def _differences(self, curvature: FloatArray, which: BoolArray) -> FloatArray:
        """Return the derivatives by differences of the statistic, 0 where they are not asked for."""
        steps, slopes = SHORT * _alone(curvature, self.values), np.zeros(len(self.values))
        for place in np.flatnonzero(which):
            step = np.where(np.arange(len(steps)) == place, steps, 0.0)
            slopes[place] = (self._stat(self.values + step) - self._stat(self.values - step)) / (2.0 * steps[place])
        return slopes

    # --- doubts

    def _has_derivatives(self) -> bool:
        """Whether the derivatives at the start are those of the statistic, in a direction that mixes all parameters."""
        gradient, information = self._derivatives()
        free = self._free(gradient)
        errors = _alone(information, self.values)
        step = np.where(free, SHORT * errors * np.cos(1.0 + np.arange(len(free))), 0.0)
        rise = 0.5 * (self._stat(self.values + step) - self._stat(self.values - step))
        if abs(rise - gradient @ step) <= AGREEMENT * (np.abs(gradient * step).sum() + SHORT):
            return True
        return self._are_right(gradient, self._differences(information, free), errors, free)

    def _is_accepted(self, found: Minimum) -> bool:
        """Whether MIGRAD, which knows differences of the statistic, would end here too."""
        slopes = self._differences(found.hessian, found.free)
        if not self._are_right(found.gradient, slopes, _alone(found.hessian, self.values), found.free):
            return False
        return _distance(slopes, found.hessian, found.free) < self.problem.goal

    def _are_right(self, gradient: FloatArray, slopes: FloatArray, errors: FloatArray, free: BoolArray) -> bool:
        wrong = free & (np.abs(slopes - gradient) > AGREEMENT * (np.abs(gradient) + 1.0 / errors))
        if wrong.any():
            names = ", ".join(name for name, is_wrong in zip(self.problem.names, wrong, strict=True) if is_wrong)
            log.warning("The derivatives in %s are not those of the statistic: MIGRAD does without any.", names)
        return not wrong.any()


def _alone(curvature: FloatArray, values: FloatArray) -> FloatArray:
    """Return the error of each parameter with the others fixed; its own size where the curvature says nothing."""
    diagonal = np.diag(curvature)
    with np.errstate(all="ignore"):
        return np.where(diagonal > 0, np.sqrt(2.0 / diagonal), np.maximum(np.abs(values), 1.0))


def _inverse(curvature: FloatArray, free: BoolArray) -> FloatArray:
    """Return the covariance that second derivatives stand for, zeros for parameters that are not free."""
    matrix, size = _scaled(curvature, free)
    covariance = np.zeros_like(curvature)
    covariance[np.ix_(free, free)] = 2.0 * np.linalg.inv(matrix) / np.outer(size, size)
    return covariance


def _scaled(curvature: FloatArray, free: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Return the matrix of the free parameters with 1 on its diagonal, and the roots of what stood there."""
    inner = curvature[np.ix_(free, free)]
    # Parameters differ by powers of ten in what they do.
    size = np.sqrt(np.diag(inner))
    return inner / np.outer(size, size), size


def _distance(gradient: FloatArray, curvature: FloatArray, free: BoolArray) -> float:
    """Return how much lower the minimum of the parabola is; infinite where it has none."""
    matrix, size = _scaled(curvature, free)
    if not np.isfinite(matrix).all():
        return np.inf
    if not free.any():
        return 0.0
    values, vectors = np.linalg.eigh(matrix)
    if values[0] < SINGULAR:
        return np.inf
    return float(0.5 * np.sum((vectors.T @ (gradient[free] / size)) ** 2 / values))


def _step(gradient: FloatArray, curvature: FloatArray, free: BoolArray, damping: float) -> FloatArray:
    """Return the step to the minimum of the parabola, shorter with damping; 0 for parameters that are not free."""
    matrix, size = _scaled(curvature, free)
    step = np.zeros(len(gradient))
    step[free] = np.linalg.solve(matrix + damping * np.eye(len(size)), -gradient[free] / size) / size
    return step


class Search:
    """A search for the minimum, which may go on with some parameters fixed.

    Parameters
    ----------
    problem
        What is minimised.
    start
        Where, in factors; by default at the present values.

    Raises
    ------
    FitError
        When the statistic is no number at the start.
    """

    def __init__(self, problem: Problem, start: FloatArray | None = None) -> None:
        self.problem, self.minuit = problem, problem.minuit(start)
        self._scored: Minimum | None = None
        self._scoring_calls = 0

    def fix(self, place: int, value: float) -> None:
        """Fix one parameter at a factor, for the next search."""
        self.minuit.values[place], self.minuit.fixed[place] = value, True

    def minimise(self) -> None:
        """Search from where the last search ended, or from the start."""
        self._scored = None
        if self.problem.settings.method_for(len(self.problem.parameters)) == "scoring":
            scoring = Scoring(self.problem, np.array(self.minuit.values), np.array(self.minuit.fixed))
            self._scored = scoring.minimum()
            self._scoring_calls += scoring.calls
        if self._scored is None:
            self.minuit.migrad()
        else:
            self.minuit.values = self._scored.values.tolist()

    def hesse(self) -> None:
        """Find the covariance by second derivatives; raises ``RuntimeError``."""
        if self._scored is None:
            self.minuit.hesse()

    # --- where it ended

    @property
    def method(self) -> str:
        """How the last minimum was found: ``migrad`` or ``scoring``."""
        return "migrad" if self._scored is None else "scoring"

    @property
    def calls(self) -> int:
        """How often the statistic or its derivatives were evaluated."""
        return self._scoring_calls + int(self.minuit.nfcn)

    @property
    def is_valid(self) -> bool:
        """Whether it ended in a minimum."""
        return self._scored is not None or bool(self.minuit.valid)

    @property
    def values(self) -> FloatArray:
        """The factors, shape (parameter,)."""
        return np.array(self.minuit.values) if self._scored is None else self._scored.values

    @property
    def covariance(self) -> FloatArray | None:
        """The covariance in factors, with zeros for parameters that are fixed or at a limit; ``None`` without one."""
        if self._scored is not None:
            return self._scored.covariance
        return None if self.minuit.covariance is None else np.array(self.minuit.covariance, dtype=float)

    @property
    def errors(self) -> FloatArray:
        """The errors in factors; of MIGRAD also a guess where there is no covariance."""
        return np.array(self.minuit.errors) if self._scored is None else np.sqrt(np.diag(self._scored.covariance))

    @property
    def total(self) -> float:
        """The statistic, which MIGRAD knows; beside limits it computes with rounded values."""
        known = None if self._scored is not None or self.problem.is_bounded else self.minuit.fval
        return self.problem(self.values) if known is None else float(known)

    @property
    def reason(self) -> str:
        """Why MIGRAD did not converge."""
        state = self.minuit.fmin
        if self._scored is not None or state is None:
            return ""
        reasons = {
            " The limit of calls was reached.": state.has_reached_call_limit,
            " The estimated distance to the minimum is too large.": state.is_above_max_edm,
            " The covariance is not positive definite.": not state.has_posdef_covar,
            " A parameter is at its limit.": state.has_parameters_at_limit,
        }
        return "".join(text for text, holds in reasons.items() if holds)

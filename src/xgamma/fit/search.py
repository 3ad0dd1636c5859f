"""Where the statistic is least: by MIGRAD, or by Fisher scoring and MIGRAD where that finds nothing."""

from __future__ import annotations

import numpy as np

from xgamma.axes import FloatArray
from xgamma.fit.problem import Problem
from xgamma.fit.scoring import Minimum, Scoring


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

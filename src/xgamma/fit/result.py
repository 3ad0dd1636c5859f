"""What a fit returns: the optimum and the covariance, printed as one report."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from xgamma.axes import FloatArray
from xgamma.description import Correlations, Described, Description, Facts, Folded, Sheet, facts
from xgamma.digits import decimals, some
from xgamma.models.models import Models
from xgamma.models.parameters import Parameters, link_labels, parameter_sheet
from xgamma.plot import matrix as plot_matrix

if TYPE_CHECKING:
    from matplotlib.figure import Figure

log = logging.getLogger("xgamma.fit")


@dataclass(frozen=True)
class OptimizeResult(Described):
    """Where the minimiser ended.

    ``total_stat`` is that of the data; ``prior_stat`` is what the priors add to it, without the constants that do not
    depend on the values, ``None`` without priors. The fit minimises the sum.
    """

    parameters: Parameters
    success: bool
    message: str
    nfev: int
    total_stat: float
    models: Models | None = field(default=None, repr=False)
    backend: str = "minuit"
    method: str = "migrad"
    prior_stat: float | None = None

    def __str__(self) -> str:
        prior = "" if self.prior_stat is None else f"\tprior stat : {self.prior_stat:.2f}\n"
        return (
            f"OptimizeResult\n\n\tbackend    : {self.backend}\n\tmethod     : {self.method}\n"
            f"\tsuccess    : {self.success}\n\tmessage    : {self.message}\n"
            f"\tnfev       : {self.nfev}\n\ttotal stat : {self.total_stat:.2f}\n{prior}\n"
        )

    def paragraph(self) -> list[tuple[str, str]]:
        """Return what there is to say, for people."""
        prior = [] if self.prior_stat is None else [("Of priors", decimals(self.prior_stat))]
        return [
            ("Converged", "yes" if self.success else "no"),
            ("Message", self.message),
            ("Statistic (-2 ln L)", decimals(self.total_stat)),
            *prior,
            ("Minimiser", f"{self.backend}, {self.method}: {some(self.nfev, 'evaluation')}"),
        ]

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.message}>"

    def _description(self) -> Description:
        return Description(type(self).__name__, facts(self.paragraph()))


@dataclass(frozen=True)
class CovarianceResult(Described):
    """The covariance of the free parameters, in their units; NaN where it could not be had."""

    matrix: FloatArray
    success: bool
    message: str
    backend: str = "minuit"
    method: str = "hesse"

    def __str__(self) -> str:
        return (
            f"CovarianceResult\n\n\tbackend    : {self.backend}\n\tmethod     : {self.method}\n"
            f"\tsuccess    : {self.success}\n\tmessage    : {self.message}\n"
        )

    def paragraph(self) -> list[tuple[str, str]]:
        """Return what there is to say, for people."""
        return [("Errors", f"{self.message} ({self.backend}, {self.method})")]

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.message}>"

    def _description(self) -> Description:
        return Description(type(self).__name__, facts(self.paragraph()))


@dataclass(frozen=True)
class FitResult(Described):
    """Both parts of a fit; prints as one report."""

    optimize_result: OptimizeResult
    covariance_result: CovarianceResult

    @property
    def parameters(self) -> Parameters:
        """Copies of the parameters of all models at the best fit."""
        return self.optimize_result.parameters

    @property
    def models(self) -> Models | None:
        """The models that were fitted."""
        return self.optimize_result.models

    @property
    def success(self) -> bool:
        """Whether the minimiser converged and the covariance is there."""
        return self.optimize_result.success and self.covariance_result.success

    @property
    def message(self) -> str:
        """What the minimiser says, and what of the covariance does not hold."""
        said = self.optimize_result.message
        return said if self.covariance_result.success else f"{said} {self.covariance_result.message}"

    @property
    def nfev(self) -> int:
        """How often the statistic was evaluated."""
        return self.optimize_result.nfev

    @property
    def total_stat(self) -> float:
        """The statistic of the data at the best fit."""
        return self.optimize_result.total_stat

    @property
    def prior_stat(self) -> float:
        """What the priors add to it: -2 ln of their densities as shares of the largest; 0 without priors."""
        return self.optimize_result.prior_stat or 0.0

    @property
    def backend(self) -> str:
        """The library that minimised."""
        return self.optimize_result.backend

    @property
    def method(self) -> str:
        """The algorithm that minimised."""
        return self.optimize_result.method

    def __str__(self) -> str:
        return "\n".join([f"{self.optimize_result}{self.covariance_result}", *self._sheet().lines()]) + "\n"

    __repr__ = __str__

    def _description(self) -> Description:
        facts, found = [*self.optimize_result.paragraph(), *self.covariance_result.paragraph()], self.correlations()
        more = [Folded("Correlations", [found], is_open=True)] if len(found.names) > 1 else []
        return Description(type(self).__name__, [Facts(facts), self._sheet(), *more])

    def correlations(self) -> Correlations:
        """Return those of the free parameters, for people."""
        names = [name for name, is_free in self._names() if is_free]
        matrix = np.atleast_2d(self.covariance_result.matrix)
        if len(names) != len(matrix):
            names = [str(number) for number in range(1, len(matrix) + 1)]
        sigma = np.sqrt(np.diag(matrix))
        with np.errstate(divide="ignore", invalid="ignore"):
            return Correlations(names, (matrix / np.outer(sigma, sigma)).tolist())

    def peek(self, figsize: tuple[float, float] | None = None) -> Figure:
        """Draw the correlations of the free parameters in a new figure, and return it."""
        found = self.correlations()
        state = "converged" if self.optimize_result.success else "not converged"
        matrix = np.array(found.values, dtype=float).reshape(len(found.names), -1)
        title = (f"Fit, {state}", f"-2 ln L = {decimals(self.total_stat)}")
        return plot_matrix.correlation_figure(matrix, found.names, figsize, *title)

    def _originals(self) -> Parameters:
        """Return the parameters of the models, of which those of the result are copies; links are theirs."""
        theirs = self.parameters if self.models is None else self.models.parameters
        return theirs if len(theirs) == len(self.parameters) else self.parameters

    def _names(self) -> list[tuple[str, bool]]:
        """Return the name of each parameter, and whether it is free and at its first place."""
        originals, seen, found = self._originals(), set[int](), list[tuple[str, bool]]()
        has_models = self.models is not None and originals is not self.parameters
        names = self.models.parameters_unique_names if self.models and has_models else self.parameters.names
        for name, own, original in zip(names, self.parameters, originals, strict=True):
            found.append((name, not own.frozen and id(original) not in seen))
            seen.add(id(original))
        return found

    def _sheet(self) -> Sheet:
        originals = self._originals()
        labels = link_labels(originals)
        pairs = zip(self.parameters, originals, strict=True)
        own = {id(copy): labels[id(one)] for copy, one in pairs if id(one) in labels}
        if self.models is None or originals is self.parameters:
            return parameter_sheet(self.parameters, [(one.type, one.name) for one in self.parameters], ("part",), own)
        places = [place for model in self.models for place in model.parameter_places]
        return parameter_sheet(self.parameters, places, ("model", "part"), own)


def warn_of(result: FitResult) -> None:
    """Log what of a fit does not hold."""
    if not result.optimize_result.success:
        log.warning("The fit did not converge: %s", result.message)
    elif not result.success:
        log.warning("The fit converged, its errors are not all there: %s", result.covariance_result.message)

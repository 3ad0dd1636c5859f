"""What a fit returns: the optimum and the covariance, printed as one report."""

from __future__ import annotations

from dataclasses import dataclass, field

from xgamma.axes import FloatArray
from xgamma.models.models import Models
from xgamma.models.parameters import Parameters


@dataclass(frozen=True)
class OptimizeResult:
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


@dataclass(frozen=True)
class CovarianceResult:
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


@dataclass(frozen=True)
class FitResult:
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
        return f"{self.optimize_result}{self.covariance_result}"

    __repr__ = __str__

"""What is asked of a fit: how it runs, and whether models and bins allow one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xgamma.errors import ConfigError, FitError, did_you_mean

if TYPE_CHECKING:
    from xgamma.axes import FloatArray
    from xgamma.models.models import Models, SkyModel
    from xgamma.models.parameters import Parameter, Parameters
    from xgamma.models.skymodel import ModelComponent
    from xgamma.models.spectral.model import SpectralModel

METHODS = ("auto", "migrad", "scoring")
FEW = 3
"""The number of free parameters up to which ``auto`` is ``migrad``: see decision 16."""


@dataclass(frozen=True)
class FitSettings:
    """How a fit runs.

    Parameters
    ----------
    tol
        Tolerance of the estimated distance to the minimum; 0.1 is 2e-4 in the statistic.
    strategy, print_level
        Those of MIGRAD.
    method
        ``migrad``; ``scoring``, Fisher scoring by derivatives, with MIGRAD where that ends in no minimum; or ``auto``,
        the second for more than three free parameters.

    Raises
    ------
    ConfigError
        For another method.
    """

    tol: float = 0.1
    strategy: int = 1
    print_level: int = 0
    method: str = "auto"

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ConfigError(f"Fit: there is no method {self.method!r}.{did_you_mean(str(self.method), METHODS)}")

    def method_for(self, free: int) -> str:
        """Return the method for a number of free parameters: ``migrad`` or ``scoring``."""
        if self.method == "auto":
            return "scoring" if free > FEW else "migrad"
        return self.method

    def document(self, free: int) -> dict[str, Any]:
        """Return what of the settings decides the numbers of a fit with some free parameters."""
        settings = {"tol": self.tol, "strategy": self.strategy, "print_level": self.print_level}
        return settings if self.method_for(free) == "migrad" else settings | {"method": "scoring"}


def validate_fittable(free: int, bins: int) -> None:
    """Raise ``ConfigError`` without a free parameter, ``FitError`` without a bin."""
    if free == 0:
        raise ConfigError(
            "No free parameters for fitting: every parameter of the models on these datasets is frozen. "
            "Set frozen: false for at least one."
        )
    if bins == 0:
        raise FitError(
            "No bin is left to fit: the fit range and the safe masks exclude them all. Widen the fit range, or "
            "look at mask_safe of the datasets."
        )


def validate_start(parameters: Parameters) -> None:
    """Raise ``FitError`` where the value of a parameter, free or not, is not a number."""
    named = [parameter for parameter in parameters.unique_parameters if not math.isfinite(parameter.value)]
    if named:
        raise no_start(named)


def validate_models(models: Models, energies: Sequence[FloatArray]) -> None:
    """Raise where no fit can begin.

    That is where limits leave no room, or a spectrum is not a number at some energies in TeV, or 0 at all of them
    however its free parameters change.
    """
    validate_start(models.parameters)
    for name, parameter in zip(models.parameters_unique_names, models.parameters, strict=True):
        if not parameter.frozen:
            limits(parameter, 1.0, name)
    for model in models:
        spectrum = model.spectral_model
        if spectrum is None or not energies:
            continue
        with np.errstate(all="ignore"):
            is_number = [bool(np.isfinite(spectrum.dnde(each)).all()) for each in energies]
        # A model may be one of some datasets only.
        if not any(is_number):
            raise no_start(spectrum.parameters, f"The spectrum of {model.name!r}")
        if all(_is_nothing(spectrum, each) for each in energies):
            raise far_start(model, "is 0 at all energies of the datasets")


def limits(parameter: Parameter, size: float, name: str) -> tuple[float | None, float | None]:
    """Return the limits in factors; raises ``ConfigError`` with a name when they leave no room."""
    if parameter.min >= parameter.max:
        raise ConfigError(
            f"{name}: expected min < max, got {parameter.min:g} and {parameter.max:g}; freeze it to keep it."
        )
    low, high = (None if math.isnan(limit) else limit / size for limit in (parameter.min, parameter.max))
    return low, high


def no_start(named: Iterable[Parameter], what: str = "The statistic") -> FitError:
    """Return the error about parameters at whose values something is not a number."""
    values = ", ".join(f"{parameter.name} = {parameter.value:g}" for parameter in named)
    return FitError(f"{what} is not a number at the start values ({values}); start elsewhere.")


def far_start(model: ModelComponent, what: str) -> FitError:
    """Return the error about a model that no fit finds back from, with the values of its spectrum."""
    assert model.spectral_model is not None
    values = ", ".join(f"{parameter.name} = {parameter.value:g}" for parameter in model.spectral_model.parameters)
    return FitError(f"The model {model.name!r} {what} at the start values ({values}); start elsewhere.")


def _is_nothing(spectrum: SpectralModel, energies: FloatArray) -> bool:
    """Whether a spectrum with free parameters is 0 at all energies, and has no derivatives in them."""
    free = [place for place, parameter in enumerate(spectrum.parameters) if not parameter.frozen]
    with np.errstate(all="ignore"):
        if not free or spectrum.dnde(energies).any():
            return False
        slopes = spectrum.dnde_gradient(energies, None, free)
    return not (np.isfinite(slopes) & (slopes != 0)).any()


def validate_priors(models: Iterable[SkyModel]) -> None:
    """Raise ``ConfigError`` where a fit cannot use a prior.

    That is a prior of a parameter that stands at several places, as it is not said whether it counts once or at each;
    and a free value at which the density is 0.
    """
    named = [
        (name, parameter)
        for model in models
        for name, parameter in zip(model.parameters_unique_names, model.parameters, strict=True)
        if parameter.prior is not None
    ]
    for name, parameter in named:
        places = [other for other, one in named if one is parameter]
        if len(places) > 1:
            raise ConfigError(
                f"The parameter {' = '.join(places)} is linked and has a prior, of which it is not said whether it "
                "counts once or at each place; unlink it, or remove the prior."
            )
        parameter.prior.validate()
        if not parameter.frozen and not math.isfinite(parameter.prior.penalty(parameter.value)):
            raise ConfigError(
                f"{name}: the prior {parameter.prior!r} excludes the value {parameter.value:g}; start at one that it "
                "allows."
            )

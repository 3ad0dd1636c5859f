"""Curved spectra: exponential cut-offs, in the conventions of the Fermi catalogues too, and log-parabolas.

Sources: Acero et al. 2015 (ApJS 218, 23; 3FGL); Abdollahi et al. 2020 (ApJS 247, 33; 4FGL) and 2022 (ApJS 260, 53;
4FGL-DR3); Massaro et al. 2004 (A&A 413, 489; log-parabolas).
"""

from __future__ import annotations

import astropy.units as u
import numpy as np
import scipy

from xgamma.axes import FloatArray
from xgamma.models.parameters import Parameter
from xgamma.models.spectral.model import AMPLITUDE, SpectralModel
from xgamma.models.spectral.powerlaws import power_law

MEV_PER_TEV = 1e6
_SERIES = 0.01
"""Below this |index_2 ln(E/E0)| the cut-off of 4FGL-DR3 is evaluated by its series (arXiv:2201.11184)."""


def cutoff_power_law(
    energy: FloatArray, index: float, amplitude: float, reference: float, lambda_: float, alpha: float
) -> FloatArray:
    """Return ``amplitude (E / reference)^-index exp(-(lambda_ E)^alpha)``."""
    return np.asarray(power_law(energy, index, amplitude, reference) * np.exp(-((lambda_ * energy) ** alpha)))


def cutoff_log_gradient(
    energy: FloatArray, index: float, amplitude: float, reference: float, lambda_: float, alpha: float
) -> dict[str, FloatArray]:
    """Return the derivatives of ``ln(cutoff_power_law)`` in ``index``, ``lambda_`` and ``alpha``."""
    scaled = lambda_ * energy
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "index": -np.log(energy / reference),
            "lambda_": -alpha * energy * scaled ** (alpha - 1.0),
            "alpha": -scipy.special.xlogy(scaled**alpha, scaled),
        }


def log_parabola(energy: FloatArray, amplitude: float, reference: float, alpha: float, beta: float) -> FloatArray:
    """Return ``amplitude (E / reference)^(-alpha - beta ln(E / reference))``."""
    x = energy / reference
    return np.asarray(amplitude * x ** (-alpha - beta * np.log(x)))


class ExpCutoffPowerLawSpectralModel(SpectralModel):
    """``amplitude (E / reference)^-index exp(-(lambda_ E)^alpha)``."""

    tag = ("ExpCutoffPowerLawSpectralModel", "ecpl")
    index = Parameter("index", 1.5)
    amplitude = Parameter("amplitude", 1e-12, AMPLITUDE, is_norm=True, interp="log")
    reference = Parameter("reference", 1.0, "TeV", frozen=True)
    lambda_ = Parameter("lambda_", 0.1, "TeV-1")
    alpha = Parameter("alpha", 1.0, frozen=True)

    evaluate = staticmethod(cutoff_power_law)  # type: ignore[assignment]
    log_gradient = staticmethod(cutoff_log_gradient)  # type: ignore[assignment]

    @property
    def e_peak(self) -> u.Quantity:
        """The energy at which E^2 dN/dE is largest; NaN for a spectrum without such a peak."""
        index, _, _, rate, alpha = self.canonical_values()
        turns = (2.0 - index) / alpha if alpha else np.nan
        return u.Quantity(turns ** (1.0 / alpha) / rate if turns > 0 and rate > 0 and alpha > 0 else np.nan, "TeV")


class ExpCutoffPowerLawNormSpectralModel(SpectralModel):
    """A power law with an exponential cut-off as a factor for another spectrum."""

    tag = ("ExpCutoffPowerLawNormSpectralModel", "ecpl-norm")
    index = Parameter("index", 0.0)
    norm = Parameter("norm", 1.0, is_norm=True, interp="log")
    reference = Parameter("reference", 1.0, "TeV", frozen=True)
    lambda_ = Parameter("lambda_", 0.1, "TeV-1")
    alpha = Parameter("alpha", 1.0, frozen=True)

    @staticmethod
    def evaluate(  # type: ignore[override]
        energy: FloatArray, index: float, norm: float, reference: float, lambda_: float, alpha: float
    ) -> FloatArray:
        """Return ``norm (E / reference)^-index exp(-(lambda_ E)^alpha)``."""
        return cutoff_power_law(energy, index, norm, reference, lambda_, alpha)

    @staticmethod
    def log_gradient(energy: FloatArray, norm: float, **shape: float) -> dict[str, FloatArray]:  # type: ignore[override]
        """Return the derivatives in ``index``, ``lambda_`` and ``alpha``."""
        return cutoff_log_gradient(energy, amplitude=norm, **shape)


class ExpCutoffPowerLaw3FGLSpectralModel(SpectralModel):
    """``amplitude (E / reference)^-index exp((reference - E) / ecut)``."""

    tag = ("ExpCutoffPowerLaw3FGLSpectralModel", "ecpl-3fgl")
    index = Parameter("index", 1.5)
    amplitude = Parameter("amplitude", 1e-12, AMPLITUDE, is_norm=True, interp="log")
    reference = Parameter("reference", 1.0, "TeV", frozen=True)
    ecut = Parameter("ecut", 10.0, "TeV")

    @staticmethod
    def evaluate(energy: FloatArray, index: float, amplitude: float, reference: float, ecut: float) -> FloatArray:  # type: ignore[override]
        """Return ``amplitude (E / reference)^-index exp((reference - E) / ecut)``."""
        return np.asarray(power_law(energy, index, amplitude, reference) * np.exp((reference - energy) / ecut))

    @staticmethod
    def log_gradient(  # type: ignore[override]
        energy: FloatArray, index: float, amplitude: float, reference: float, ecut: float
    ) -> dict[str, FloatArray]:
        """Return the derivatives in ``index`` and ``ecut``."""
        return {"index": -np.log(energy / reference), "ecut": (energy - reference) / ecut**2}


class SuperExpCutoffPowerLaw3FGLSpectralModel(SpectralModel):
    """``amplitude (E / reference)^-index_1 exp((reference / ecut)^index_2 - (E / ecut)^index_2)``."""

    tag = ("SuperExpCutoffPowerLaw3FGLSpectralModel", "secpl-3fgl")
    amplitude = Parameter("amplitude", 1e-12, AMPLITUDE, is_norm=True, interp="log")
    reference = Parameter("reference", 1.0, "TeV", frozen=True)
    ecut = Parameter("ecut", 10.0, "TeV")
    index_1 = Parameter("index_1", 1.5)
    index_2 = Parameter("index_2", 2.0)

    @staticmethod
    def evaluate(  # type: ignore[override]
        energy: FloatArray, amplitude: float, reference: float, ecut: float, index_1: float, index_2: float
    ) -> FloatArray:
        """Return ``amplitude (E/E0)^-index_1 exp((E0/ecut)^index_2 - (E/ecut)^index_2)``."""
        cutoff = np.exp((reference / ecut) ** index_2 - (energy / ecut) ** index_2)
        return np.asarray(power_law(energy, index_1, amplitude, reference) * cutoff)

    @staticmethod
    def log_gradient(  # type: ignore[override]
        energy: FloatArray, amplitude: float, reference: float, ecut: float, index_1: float, index_2: float
    ) -> dict[str, FloatArray]:
        """Return the derivatives in both indices and ``ecut``."""
        start, end = (reference / ecut) ** index_2, (energy / ecut) ** index_2
        return {
            "index_1": -np.log(energy / reference),
            "index_2": start * np.log(reference / ecut) - end * np.log(energy / ecut),
            "ecut": index_2 / ecut * (end - start),
        }


class SuperExpCutoffPowerLaw4FGLSpectralModel(SpectralModel):
    """``amplitude (E / E0)^-index_1 exp(expfactor (E0^index_2 - E^index_2))``, energies of the cut-off in MeV.

    ``expfactor`` is that of the Fermi catalogue, whatever the unit of ``reference``.
    """

    tag = ("SuperExpCutoffPowerLaw4FGLSpectralModel", "secpl-4fgl")
    amplitude = Parameter("amplitude", 1e-12, AMPLITUDE, is_norm=True, interp="log")
    reference = Parameter("reference", 1.0, "TeV", frozen=True)
    expfactor = Parameter("expfactor", 1e-14)
    index_1 = Parameter("index_1", 1.5)
    index_2 = Parameter("index_2", 2.0)

    @staticmethod
    def evaluate(  # type: ignore[override]
        energy: FloatArray, amplitude: float, reference: float, expfactor: float, index_1: float, index_2: float
    ) -> FloatArray:
        """Return ``amplitude (E/E0)^-index_1 exp(expfactor (E0^index_2 - E^index_2))``, the latter two in MeV."""
        cutoff = np.exp(expfactor * ((MEV_PER_TEV * reference) ** index_2 - (MEV_PER_TEV * energy) ** index_2))
        return np.asarray(power_law(energy, index_1, amplitude, reference) * cutoff)

    @staticmethod
    def log_gradient(  # type: ignore[override]
        energy: FloatArray, amplitude: float, reference: float, expfactor: float, index_1: float, index_2: float
    ) -> dict[str, FloatArray]:
        """Return the derivatives in both indices and ``expfactor``."""
        first, at = MEV_PER_TEV * reference, MEV_PER_TEV * energy
        start, end = first**index_2, at**index_2
        return {
            "index_1": -np.log(energy / reference),
            "index_2": expfactor * (start * np.log(first) - end * np.log(at)),
            "expfactor": start - end,
        }


class SuperExpCutoffPowerLaw4FGLDR3SpectralModel(SpectralModel):
    """The cut-off of 4FGL-DR3, in which ``index_1`` and ``expfactor`` are slope and curvature at ``reference``."""

    tag = ("SuperExpCutoffPowerLaw4FGLDR3SpectralModel", "secpl-4fgl-dr3")
    amplitude = Parameter("amplitude", 1e-12, AMPLITUDE, is_norm=True, interp="log")
    reference = Parameter("reference", 1.0, "TeV", frozen=True)
    expfactor = Parameter("expfactor", 0.01)
    index_1 = Parameter("index_1", 1.5)
    index_2 = Parameter("index_2", 2.0)

    @staticmethod
    def evaluate(  # type: ignore[override]
        energy: FloatArray, amplitude: float, reference: float, expfactor: float, index_1: float, index_2: float
    ) -> FloatArray:
        """Return ``amplitude (E/E0)^(a/i2 - i1) exp(a/i2^2 (1 - (E/E0)^i2))``, by its series near E0."""
        log_x = np.log(energy / reference)
        near = np.abs(index_2 * log_x) < _SERIES
        safe = index_2 if index_2 else 1.0
        far = (expfactor / safe - index_1) * log_x + expfactor / safe**2 * (1.0 - np.exp(safe * log_x))
        series = -index_1 + expfactor * (-log_x / 2 - index_2 * log_x**2 / 6 - index_2**2 * log_x**3 / 24)
        return np.asarray(amplitude * np.exp(np.where(near, series * log_x, far)))

    @staticmethod
    def log_gradient(  # type: ignore[override]
        energy: FloatArray, amplitude: float, reference: float, expfactor: float, index_1: float, index_2: float
    ) -> dict[str, FloatArray]:
        """Return the derivatives in ``index_1`` and ``expfactor``, in which the exponent is linear."""
        log_x, one = np.log(energy / reference), SuperExpCutoffPowerLaw4FGLDR3SpectralModel.evaluate
        return {"index_1": -log_x, "expfactor": np.log(one(energy, 1.0, reference, 1.0, 0.0, index_2))}


class LogParabolaSpectralModel(SpectralModel):
    """``amplitude (E / reference)^(-alpha - beta ln(E / reference))``."""

    tag = ("LogParabolaSpectralModel", "lp")
    amplitude = Parameter("amplitude", 1e-12, AMPLITUDE, is_norm=True, interp="log")
    reference = Parameter("reference", 10.0, "TeV", frozen=True)
    alpha = Parameter("alpha", 2.0)
    beta = Parameter("beta", 1.0)

    evaluate = staticmethod(log_parabola)  # type: ignore[assignment]

    @staticmethod
    def log_gradient(  # type: ignore[override]
        energy: FloatArray, amplitude: float, reference: float, alpha: float, beta: float
    ) -> dict[str, FloatArray]:
        """Return the derivatives in ``alpha`` and ``beta``."""
        log_x = np.log(energy / reference)
        return {"alpha": -log_x, "beta": -(log_x**2)}

    @property
    def e_peak(self) -> u.Quantity:
        """The energy at which E^2 dN/dE is largest; NaN for a spectrum without such a peak."""
        _, reference, alpha, beta = self.canonical_values()
        return u.Quantity(reference * np.exp((2.0 - alpha) / (2.0 * beta)) if beta > 0 else np.nan, "TeV")


class LogParabola2SpectralModel(SpectralModel):
    """``amplitude (E / reference)^(-alpha - beta ln(E / escale))``."""

    tag = ("LogParabola2SpectralModel", "lp2")
    amplitude = Parameter("amplitude", 1e-12, AMPLITUDE, is_norm=True, interp="log")
    reference = Parameter("reference", 10.0, "TeV", frozen=True)
    alpha = Parameter("alpha", 2.0)
    beta = Parameter("beta", 1.0)
    escale = Parameter("escale", 1.0, "TeV", frozen=True)

    @staticmethod
    def evaluate(  # type: ignore[override]
        energy: FloatArray, amplitude: float, reference: float, alpha: float, beta: float, escale: float
    ) -> FloatArray:
        """Return ``amplitude (E / reference)^(-alpha - beta ln(E / escale))``."""
        return np.asarray(amplitude * (energy / reference) ** (-alpha - beta * np.log(energy / escale)))

    @staticmethod
    def log_gradient(  # type: ignore[override]
        energy: FloatArray, amplitude: float, reference: float, alpha: float, beta: float, escale: float
    ) -> dict[str, FloatArray]:
        """Return the derivatives in ``alpha`` and ``beta``."""
        log_x = np.log(energy / reference)
        return {"alpha": -log_x, "beta": -log_x * np.log(energy / escale)}


class LogParabolaNormSpectralModel(SpectralModel):
    """A log-parabola as a factor for another spectrum."""

    tag = ("LogParabolaNormSpectralModel", "lp-norm")
    norm = Parameter("norm", 1.0, is_norm=True, interp="log")
    reference = Parameter("reference", 10.0, "TeV", frozen=True)
    alpha = Parameter("alpha", 0.0)
    beta = Parameter("beta", 0.0)

    @staticmethod
    def evaluate(energy: FloatArray, norm: float, reference: float, alpha: float, beta: float) -> FloatArray:  # type: ignore[override]
        """Return ``norm (E / reference)^(-alpha - beta ln(E / reference))``."""
        return log_parabola(energy, norm, reference, alpha, beta)

    @staticmethod
    def log_gradient(energy: FloatArray, norm: float, **shape: float) -> dict[str, FloatArray]:  # type: ignore[override]
        """Return the derivatives in ``alpha`` and ``beta``."""
        return LogParabolaSpectralModel.log_gradient(energy, amplitude=norm, **shape)

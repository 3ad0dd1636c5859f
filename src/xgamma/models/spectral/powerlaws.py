"""Power laws, single and broken, and the line: spectra whose integrals are mostly known in closed form."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy
from astropy import units as u

from xgamma.axes import FloatArray
from xgamma.models.parameters import Parameter
from xgamma.models.spectral.calculus import LOGARITHMIC, TEV, power_law_moment
from xgamma.models.spectral.model import AMPLITUDE, FLUX, SpectralModel


def power_law(energy: FloatArray, index: float, amplitude: float, reference: float) -> FloatArray:
    """Return ``amplitude (energy / reference)^-index``."""
    return np.asarray(amplitude * (energy / reference) ** -index)


def power_law_flux_gradient(edges: FloatArray, index: float, amplitude: float, reference: float) -> FloatArray:
    """Return the derivatives of the integrals of a power law in index, amplitude and reference, shape (3, bin)."""
    exponent, logs = 1.0 - index, np.log(edges / reference)
    # Of the integral of x^(e - 1) in e; close to e = 0 by its series.
    is_close = abs(exponent) < 1e-5
    safe = 1.0 if is_close else exponent
    slope = logs**2 / 2 + exponent * logs**3 / 3 if is_close else np.exp(safe * logs) * (safe * logs - 1.0) / safe**2
    whole = reference * power_law_moment(edges[:-1], edges[1:], exponent, reference)
    return np.stack([-amplitude * reference * np.diff(slope), whole, amplitude * whole * index / reference])


class _PowerLawIntegrals:
    """The integrals, in closed form, of spectra whose parameters are an index, a norm and a reference energy."""

    def _flux_gradient(self, edges: FloatArray, values: list[float], wanted: Sequence[int]) -> FloatArray:
        return power_law_flux_gradient(edges, *values)[list(wanted)]

    def _integral(self, low: FloatArray, high: FloatArray, values: list[float]) -> FloatArray:
        index, amplitude, reference = values
        return amplitude * reference * power_law_moment(low, high, 1.0 - index, reference)

    def _energy_flux(self, low: FloatArray, high: FloatArray, values: list[float]) -> FloatArray:
        index, amplitude, reference = values
        return amplitude * reference**2 * power_law_moment(low, high, 2.0 - index, reference)


class PowerLawSpectralModel(_PowerLawIntegrals, SpectralModel):
    """``amplitude (E / reference)^-index``."""

    tag = ("PowerLawSpectralModel", "pl")
    index = Parameter("index", 2.0)
    amplitude = Parameter("amplitude", 1e-12, AMPLITUDE, is_norm=True, interp="log")
    reference = Parameter("reference", 1.0, "TeV", frozen=True)

    evaluate = staticmethod(power_law)  # type: ignore[assignment]

    @staticmethod
    def log_gradient(energy: FloatArray, index: float, amplitude: float, reference: float) -> dict[str, FloatArray]:  # type: ignore[override]
        """Return the derivative in ``index``."""
        return {"index": -np.log(energy / reference)}

    def _dnde(self, energy: FloatArray, values: list[float]) -> FloatArray:
        return power_law(energy, *values)

    def _flux(self, edges: FloatArray, values: list[float]) -> FloatArray:
        # The one spectrum that a fit asks for thousands of times: one power for all edges.
        index, amplitude, reference = values
        exponent = 1.0 - index
        if abs(exponent) <= LOGARITHMIC:
            return np.asarray(amplitude * reference * np.log(edges[1:] / edges[:-1]))
        power = (edges / reference) ** exponent
        return np.asarray((amplitude * reference / exponent) * (power[1:] - power[:-1]))

    @property
    def pivot_energy(self) -> u.Quantity:
        """The energy at which amplitude and index are not correlated; NaN without an error of the index."""
        covariance = self.covariance.data
        if not covariance[0, 0]:
            return u.Quantity(np.nan, TEV)
        shift = covariance[0, 1] / (self.amplitude.value * covariance[0, 0])
        return u.Quantity((self.reference.quantity * np.exp(shift)).to_value(TEV), TEV)


class PowerLawNormSpectralModel(_PowerLawIntegrals, SpectralModel):
    """``norm (E / reference)^-tilt``, a factor for another spectrum."""

    tag = ("PowerLawNormSpectralModel", "pl-norm")
    tilt = Parameter("tilt", 0.0, frozen=True)
    norm = Parameter("norm", 1.0, is_norm=True, interp="log")
    reference = Parameter("reference", 1.0, "TeV", frozen=True)

    @staticmethod
    def evaluate(energy: FloatArray, tilt: float, norm: float, reference: float) -> FloatArray:  # type: ignore[override]
        """Return ``norm (energy / reference)^-tilt``."""
        return power_law(energy, tilt, norm, reference)

    @staticmethod
    def log_gradient(energy: FloatArray, tilt: float, norm: float, reference: float) -> dict[str, FloatArray]:  # type: ignore[override]
        """Return the derivative in ``tilt``."""
        return {"tilt": -np.log(energy / reference)}


class PowerLaw2SpectralModel(SpectralModel):
    """A power law whose amplitude is the flux between ``emin`` and ``emax``."""

    tag = ("PowerLaw2SpectralModel", "pl-2")
    density_factor = u.Unit("TeV-1")
    amplitude = Parameter("amplitude", 1e-12, FLUX, is_norm=True, interp="log")
    index = Parameter("index", 2.0)
    emin = Parameter("emin", 0.1, "TeV", frozen=True)
    emax = Parameter("emax", 100.0, "TeV", frozen=True)

    @staticmethod
    def evaluate(energy: FloatArray, amplitude: float, index: float, emin: float, emax: float) -> FloatArray:  # type: ignore[override]
        """Return ``amplitude (1 - g) energy^-g / (emax^(1-g) - emin^(1-g))``, g the index."""
        return np.asarray(amplitude * energy**-index / power_law_moment(emin, emax, 1.0 - index, 1.0))  # type: ignore[arg-type]

    def _integral(self, low: FloatArray, high: FloatArray, values: list[float]) -> FloatArray:
        amplitude, index, emin, emax = values
        whole = power_law_moment(np.asarray(emin), np.asarray(emax), 1.0 - index, 1.0)
        return np.asarray(amplitude * power_law_moment(low, high, 1.0 - index, 1.0) / whole)

    _flux_gradient = SpectralModel._flux_differences


class BrokenPowerLawSpectralModel(SpectralModel):
    """A power law with one index below ``ebreak`` and another above."""

    tag = ("BrokenPowerLawSpectralModel", "bpl")
    index1 = Parameter("index1", 2.0)
    index2 = Parameter("index2", 2.0)
    amplitude = Parameter("amplitude", 1e-12, AMPLITUDE, is_norm=True, interp="log")
    ebreak = Parameter("ebreak", 1.0, "TeV")

    @staticmethod
    def evaluate(energy: FloatArray, index1: float, index2: float, amplitude: float, ebreak: float) -> FloatArray:  # type: ignore[override]
        """Return ``amplitude (energy / ebreak)^-index``, ``index1`` below the break and ``index2`` from it on."""
        return power_law(energy, np.where(energy < ebreak, index1, index2), amplitude, ebreak)  # type: ignore[arg-type]

    @staticmethod
    def log_gradient(  # type: ignore[override]
        energy: FloatArray, index1: float, index2: float, amplitude: float, ebreak: float
    ) -> dict[str, FloatArray]:
        """Return the derivatives in both indices and the break."""
        below, slope = energy < ebreak, -np.log(energy / ebreak)
        return {
            "index1": np.where(below, slope, 0.0),
            "index2": np.where(below, 0.0, slope),
            "ebreak": np.where(below, index1, index2) / ebreak,
        }


class SmoothBrokenPowerLawSpectralModel(SpectralModel):
    """A power law that turns smoothly at ``ebreak`` from one index to another; ``beta`` is the width of the turn."""

    tag = ("SmoothBrokenPowerLawSpectralModel", "sbpl")
    index1 = Parameter("index1", 2.0)
    index2 = Parameter("index2", 2.0)
    amplitude = Parameter("amplitude", 1e-12, AMPLITUDE, is_norm=True, interp="log")
    ebreak = Parameter("ebreak", 1.0, "TeV")
    reference = Parameter("reference", 1.0, "TeV", frozen=True)
    beta = Parameter("beta", 1.0, frozen=True)

    @staticmethod
    def evaluate(  # type: ignore[override]
        energy: FloatArray,
        index1: float,
        index2: float,
        amplitude: float,
        ebreak: float,
        reference: float,
        beta: float,
    ) -> FloatArray:
        """Return ``A (E/E0)^-i1 (1 + (E/Eb)^((i2-i1)/b))^-b`` with ``b = beta sign(i2 - i1)``."""
        turn = beta * np.sign(index2 - index1)
        if turn == 0:
            return power_law(energy, index1, amplitude, reference)
        curve = (1.0 + (energy / ebreak) ** ((index2 - index1) / turn)) ** -turn
        return np.asarray(power_law(energy, index1, amplitude, reference) * curve)


class GaussianSpectralModel(SpectralModel):
    """A line of total flux ``amplitude``."""

    tag = ("GaussianSpectralModel", "gauss")
    density_factor = u.Unit("TeV-1")
    amplitude = Parameter("amplitude", 1e-12, FLUX, is_norm=True, interp="log")
    mean = Parameter("mean", 1.0, "TeV")
    sigma = Parameter("sigma", 2.0, "TeV")

    @staticmethod
    def evaluate(energy: FloatArray, amplitude: float, mean: float, sigma: float) -> FloatArray:  # type: ignore[override]
        """Return a normal distribution of the energy times ``amplitude``."""
        density = np.exp(-((energy - mean) ** 2) / (2 * sigma**2)) / (sigma * np.sqrt(2 * np.pi))
        return np.asarray(amplitude * density)

    def _integral(self, low: FloatArray, high: FloatArray, values: list[float]) -> FloatArray:
        amplitude, mean, sigma = values
        width = np.sqrt(2.0) * sigma
        return np.asarray(
            0.5 * amplitude * (scipy.special.erf((high - mean) / width) - scipy.special.erf((low - mean) / width))
        )

    def _energy_flux(self, low: FloatArray, high: FloatArray, values: list[float]) -> FloatArray:
        _, mean, sigma = values
        edges = self._dnde(low, values) - self._dnde(high, values)
        return np.asarray(sigma**2 * edges + mean * self._integral(low, high, values))

    _flux_gradient = SpectralModel._flux_differences

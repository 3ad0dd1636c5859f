"""Temporal models with formulas, integrated in closed form."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.special import erf, erfc, gammainc, gammaincc, gammaln

from xgamma.axes import FloatArray
from xgamma.models.parameters import Parameter
from xgamma.models.temporal.model import TemporalModel


class ConstantTemporalModel(TemporalModel):
    """Always 1."""

    tag = ("ConstantTemporalModel", "const")

    @property
    def is_constant(self) -> bool:
        """True."""
        return True

    @staticmethod
    def evaluate(time: FloatArray) -> FloatArray:  # type: ignore[override]
        """Return 1."""
        return np.ones(np.shape(time))

    @staticmethod
    def integral_of(start: FloatArray, stop: FloatArray) -> FloatArray:
        """Return the days between."""
        return np.asarray(stop - start)


class LinearTemporalModel(TemporalModel):
    """`alpha + beta (t - t_ref)`."""

    tag = ("LinearTemporalModel", "linear")
    alpha = Parameter("alpha", 1.0)
    beta = Parameter("beta", 0.0, "d-1")
    t_ref = Parameter("t_ref", 51544.0, "d", frozen=True)

    @staticmethod
    def evaluate(time: FloatArray, alpha: float, beta: float) -> FloatArray:  # type: ignore[override]
        """Return the line."""
        return np.asarray(alpha + beta * time)

    @staticmethod
    def integral_of(start: FloatArray, stop: FloatArray, alpha: float, beta: float) -> FloatArray:
        """Return the integral in days."""
        return np.asarray((stop - start) * (alpha + 0.5 * beta * (start + stop)))


class ExpDecayTemporalModel(TemporalModel):
    """`exp(-(t - t_ref) / t0)`, also before `t_ref`."""

    tag = ("ExpDecayTemporalModel", "exp-decay")
    t0 = Parameter("t0", 1.0, "d")
    t_ref = Parameter("t_ref", 51544.0, "d", frozen=True)

    @staticmethod
    def evaluate(time: FloatArray, t0: float) -> FloatArray:  # type: ignore[override]
        """Return the decay."""
        return np.asarray(np.exp(-time / t0))

    @staticmethod
    def integral_of(start: FloatArray, stop: FloatArray, t0: float) -> FloatArray:
        """Return the integral in days."""
        return np.asarray(-t0 * np.exp(-start / t0) * np.expm1((start - stop) / t0))

    def _steps(self, values: Mapping[str, float], longest: float) -> dict[str, float]:
        return {"t0": abs(values["t0"]), "t_ref": abs(values["t0"])}


class GaussianTemporalModel(TemporalModel):
    """`exp(-(t - t_ref)^2 / (2 sigma^2))`."""

    tag = ("GaussianTemporalModel", "gauss")
    t_ref = Parameter("t_ref", 51544.0, "d")
    sigma = Parameter("sigma", 1.0, "d")

    @staticmethod
    def evaluate(time: FloatArray, sigma: float) -> FloatArray:  # type: ignore[override]
        """Return the flare."""
        return np.asarray(np.exp(-0.5 * (time / sigma) ** 2))

    @staticmethod
    def integral_of(start: FloatArray, stop: FloatArray, sigma: float) -> FloatArray:
        """Return the integral in days."""
        low, high = start / (np.sqrt(2.0) * sigma), stop / (np.sqrt(2.0) * sigma)
        # In the tails the difference of what is beyond keeps its digits.
        beyond = np.where(low > 0, erfc(low) - erfc(high), erfc(-high) - erfc(-low))
        is_tail = (low > 0) | (high < 0)
        return np.asarray(np.sqrt(0.5 * np.pi) * sigma * np.where(is_tail, beyond, erf(high) - erf(low)))

    def _steps(self, values: Mapping[str, float], longest: float) -> dict[str, float]:
        return dict.fromkeys(("sigma", "t_ref"), abs(values["sigma"]))


class GeneralizedGaussianTemporalModel(TemporalModel):
    """`exp(-(abs(t - t_ref) / t_x)^(1 / eta) / 2)`, with `t_rise` before `t_ref` and `t_decay` after it.

    The integral is an incomplete gamma function (Abramowitz & Stegun 1972, section 6.5).
    """

    tag = ("GeneralizedGaussianTemporalModel", "gengauss")
    t_ref = Parameter("t_ref", 51544.0, "d")
    t_rise = Parameter("t_rise", 1.0, "d")
    t_decay = Parameter("t_decay", 1.0, "d")
    eta = Parameter("eta", 0.5)

    @staticmethod
    def evaluate(time: FloatArray, t_rise: float, t_decay: float, eta: float) -> FloatArray:  # type: ignore[override]
        """Return the flare."""
        width = np.where(time < 0, t_rise, t_decay)
        return np.asarray(np.exp(-0.5 * (np.abs(time) / width) ** (1.0 / eta)))

    @staticmethod
    def integral_of(start: FloatArray, stop: FloatArray, t_rise: float, t_decay: float, eta: float) -> FloatArray:
        """Return the integral in days."""
        rise = _one_side(np.maximum(-stop, 0.0), np.maximum(-start, 0.0), t_rise, eta)
        decay = _one_side(np.maximum(start, 0.0), np.maximum(stop, 0.0), t_decay, eta)
        return np.asarray(rise + decay)

    def _steps(self, values: Mapping[str, float], longest: float) -> dict[str, float]:
        shortest = min(abs(values["t_rise"]), abs(values["t_decay"]))
        return {name: abs(values[name]) for name in ("t_rise", "t_decay", "eta")} | {"t_ref": shortest}


def _one_side(near: FloatArray, far: FloatArray, width: float, eta: float) -> FloatArray:
    """Return the integral of a generalised Gaussian between two distances from its centre."""
    low, high = (0.5 * (edge / width) ** (1.0 / eta) for edge in (near, far))
    share = np.where(low > eta, gammaincc(eta, low) - gammaincc(eta, high), gammainc(eta, high) - gammainc(eta, low))
    return np.asarray(width * eta * np.exp(gammaln(eta) + eta * np.log(2.0)) * share)


class PowerLawTemporalModel(TemporalModel):
    """`((t - t_ref) / t0)^alpha`, after `t_ref`."""

    tag = ("PowerLawTemporalModel", "powerlaw")
    alpha = Parameter("alpha", 1.0)
    t_ref = Parameter("t_ref", 51544.0, "d", frozen=True)
    t0 = Parameter("t0", 1.0, "d", frozen=True)

    @staticmethod
    def evaluate(time: FloatArray, alpha: float, t0: float) -> FloatArray:  # type: ignore[override]
        """Return the power law; NaN before ``t_ref``."""
        with np.errstate(all="ignore"):
            return np.asarray(np.where(time >= 0, np.abs(time / t0) ** alpha, np.nan))

    @staticmethod
    def integral_of(start: FloatArray, stop: FloatArray, alpha: float, t0: float) -> FloatArray:
        """Return the integral in days; infinite from ``t_ref`` on with ``alpha`` of -1 or less, NaN before it."""
        power, ratio = alpha + 1.0, np.log(stop / start)
        # Close to a power of 0 a difference of powers has no digits left.
        closed = np.where(np.abs(power * ratio) < 1e-9, ratio, np.expm1(power * ratio) / power if power else ratio)
        from_start = t0 * (start / t0) ** power * closed
        from_zero = t0 * (stop / t0) ** power / power if power > 0 else np.full(np.shape(stop), np.inf)
        return np.asarray(np.where(start > 0, from_start, np.where(start == 0, from_zero, np.nan)))

    def problem(self, gti: FloatArray, mjdref: float) -> str:
        """Return that good time begins before ``t_ref``, where it does."""
        named = self._named(None)
        days = self._days(gti, mjdref, named)
        first = float(np.nanmin(days))
        if first > 0 or (first == 0 and named["alpha"] > -1):
            return ""
        return f"counts from t_ref on, and good time begins {-first:.3g} d before it; set an earlier t_ref"

    def _steps(self, values: Mapping[str, float], longest: float) -> dict[str, float]:
        return {"t0": abs(values["t0"]), "t_ref": abs(values["t0"])}


class SineTemporalModel(TemporalModel):
    """`1 + amp sin(omega (t - t_ref))`."""

    tag = ("SineTemporalModel", "sinus")
    amp = Parameter("amp", 1.0)
    omega = Parameter("omega", 1.0, "rad d-1")
    t_ref = Parameter("t_ref", 51544.0, "d")

    @staticmethod
    def evaluate(time: FloatArray, amp: float, omega: float) -> FloatArray:  # type: ignore[override]
        """Return the wave."""
        return np.asarray(1.0 + amp * np.sin(omega * time))

    @staticmethod
    def integral_of(start: FloatArray, stop: FloatArray, amp: float, omega: float) -> FloatArray:
        """Return the integral in days."""
        width, middle = stop - start, 0.5 * (start + stop)
        return np.asarray(width * (1.0 + amp * np.sin(omega * middle) * np.sinc(0.5 * omega * width / np.pi)))

    def _steps(self, values: Mapping[str, float], longest: float) -> dict[str, float]:
        period = 1.0 / abs(values["omega"]) if values["omega"] else 1.0
        return {"omega": abs(values["omega"]) or 1.0, "t_ref": period}

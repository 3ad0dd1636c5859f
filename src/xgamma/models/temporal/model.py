"""``TemporalModel``: a factor of the flux that depends on time, and its mean over good time; those that are formulas.

Times are elapsed seconds of TT, so that no leap second moves a model; ``t_ref`` is an MJD in the scale of the model.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import scipy
from astropy import units as u
from astropy.time import Time

from xgamma.axes import FloatArray
from xgamma.errors import ConfigError, ConfigTypeError, did_you_mean
from xgamma.models import pictures
from xgamma.models.component import KeptComponent
from xgamma.models.parameters import Parameter
from xgamma.models.spectral.calculus import differences
from xgamma.plot import spectrum as plot_spectrum
from xgamma.times import FIRST_UTC, LAST_EPOCH, SECONDS_PER_DAY, seconds_since

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


# Legendre nodes in an interval of a model that has no closed form.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(64)


class TemporalModel(KeptComponent):
    """A factor of the flux of a source; 1 stands for the flux of its spectrum.

    Subclasses declare parameters and ``evaluate(time, **parameters)``, a function of plain numbers: days since
    ``t_ref``, and the other parameters in the units of their defaults. ``integral_of(start, stop, **parameters)``, in
    days, makes means exact; without it they are sums over 64 Legendre nodes an interval.

    Parameters
    ----------
    scale
        The time scale of ``t_ref``: ``"utc"``, ``"tt"``, ``"tai"`` or ``"tdb"``.
    **values
        The parameters.
    """

    type: ClassVar[str] = "temporal"
    scales: ClassVar[tuple[str, ...]] = ("utc", "tt", "tai", "tdb")

    def __init__(self, scale: str = "utc", **values: Any) -> None:
        super().__init__(**values)
        if scale != "utc":
            self.rest["scale"] = scale
        self._validate_scale()

    def _validate_scale(self) -> None:
        if self.scale not in self.scales:
            raise ConfigError(
                f"{self.tag[0]}: there is no scale {self.scale!r}.{did_you_mean(self.scale, self.scales)}"
            )

    @classmethod
    def from_document(cls, document: Mapping[str, Any], shared: dict[str, Parameter]) -> Self:
        """Build the model from its part of a document."""
        model = super().from_document(document, shared)
        model._validate_scale()
        return model

    @property
    def scale(self) -> str:
        """The time scale of ``t_ref``."""
        return str(self.rest.get("scale", "utc"))

    @property
    def is_constant(self) -> bool:
        """Whether the factor is always 1."""
        return False

    @property
    def reference_time(self) -> Time:
        """``t_ref`` as a time; may be set."""
        return Time(self.parameters["t_ref"].quantity.to_value(u.d), format="mjd", scale=self.scale)

    @reference_time.setter
    def reference_time(self, time: Time) -> None:
        if not isinstance(time, Time):
            raise ConfigTypeError(f"{self.tag[0]}.reference_time: expected a Time of astropy, got {time!r}.")
        self.parameters["t_ref"].quantity = u.Quantity(getattr(time, self.scale).mjd, u.d)

    # --- formulas of subclasses

    @staticmethod
    def evaluate(time: FloatArray, **parameters: Any) -> FloatArray:
        """Return the factor at days since ``t_ref``."""
        raise ConfigError(
            "A temporal model has no formula: expected a static method evaluate(time, **parameters) of plain numbers "
            "in its class; write one."
        )

    def _factor(self, time: FloatArray, values: Mapping[str, float]) -> FloatArray:
        return np.asarray(self.evaluate(time, **_but_reference(values)), dtype=float)

    def _integral(self, start: FloatArray, stop: FloatArray, values: Mapping[str, float]) -> FloatArray:
        exact = getattr(self, "integral_of", None)
        if exact is not None:
            return np.asarray(exact(start, stop, **_but_reference(values)), dtype=float)
        half = 0.5 * (stop - start)
        nodes = (0.5 * (start + stop))[..., np.newaxis] + half[..., np.newaxis] * _NODES
        return np.asarray((self._factor(nodes, values) * _WEIGHTS).sum(axis=-1) * half)

    def _steps(self, values: Mapping[str, float], longest: float) -> dict[str, float]:
        """Return by how much parameters change the factor, for differences; a parameter is 1 or its value by default.

        ``longest`` are the days from ``t_ref`` to the times most distant from it.
        """
        return {}

    def tables(self) -> list[bytes]:
        """Return what was read from files and enters the values, each as bytes in one order on every machine."""
        return []

    def problem(self, gti: FloatArray, mjdref: float) -> str:
        """Return why the model has no value in good time, as an end of a sentence; empty where it has."""
        return ""

    def remark(self, gti: FloatArray, mjdref: float) -> str:
        """Return what is to be known of the values in good time, as an end of a sentence; mostly empty."""
        return ""

    # --- values and means

    def _named(self, values: Sequence[float] | None) -> dict[str, float]:
        return dict(zip(self.parameter_names, self.canonical_values(values), strict=True))

    def _days(self, seconds: FloatArray, mjdref: float, values: Mapping[str, float]) -> FloatArray:
        """Return days since ``t_ref`` for seconds since ``mjdref`` (TT)."""
        if "t_ref" not in values:
            return np.asarray(seconds / SECONDS_PER_DAY)
        return np.asarray((seconds - _reference_seconds(values["t_ref"], self.scale, mjdref)) / SECONDS_PER_DAY)

    def factor(self, seconds: FloatArray, mjdref: float, values: Sequence[float] | None = None) -> FloatArray:
        """Return the factor at seconds since ``mjdref`` (MJD, TT), in the shape of ``seconds``.

        ``values``, in the order and units of ``parameters``, stand in for the current ones.
        """
        named = self._named(values)
        return self._factor(self._days(seconds, mjdref, named), named)

    def mean(self, gti: FloatArray, mjdref: float, values: Sequence[float] | None = None) -> FloatArray:
        """Return the mean over the good time of each row.

        Parameters
        ----------
        gti
            Starts and stops in seconds since ``mjdref`` (MJD, TT), shape (row, interval, 2); NaN where a row has fewer.
        mjdref
            The epoch of ``gti``.
        values
            In the order and units of ``parameters``; the current ones by default.

        Returns
        -------
        Shape (row,); NaN for a row without good time.
        """
        named = self._named(values)
        is_there = np.asarray(np.isfinite(gti).all(axis=-1))
        days = self._days(np.where(is_there[..., np.newaxis], gti, 0.0), mjdref, named)
        with np.errstate(all="ignore"):
            integrals = self._integral(days[..., 0], days[..., 1], named)
            duration = np.where(is_there, gti[..., 1] - gti[..., 0], 0.0).sum(axis=-1) / SECONDS_PER_DAY
            return np.asarray(np.where(is_there, integrals, 0.0).sum(axis=-1) / duration)

    def mean_gradient(
        self, gti: FloatArray, mjdref: float, values: Sequence[float], wanted: Sequence[int]
    ) -> FloatArray:
        """Return the derivatives of ``mean`` in some of the parameters, each in its unit: shape (wanted, row)."""
        named = self._named(values)
        sizes = self._steps(named, float(np.nanmax(np.abs(self._days(gti, mjdref, named)), initial=1.0)))
        parameters = self.parameters
        scales = [
            sizes.get(name, max(abs(value), 1.0)) / one.canonical_factor
            for (name, value), one in zip(named.items(), parameters, strict=True)
        ]
        return differences(lambda at: self.mean(gti, mjdref, at), list(values), scales, wanted)

    def __call__(self, time: Time) -> u.Quantity:
        """Return the factor at times."""
        if not isinstance(time, Time):
            raise ConfigTypeError(f"{self.tag[0]}: expected a Time of astropy, got {time!r}.")
        seconds, mjdref = elapsed(time)
        return u.Quantity(self.factor(seconds, mjdref), "")

    def integral(self, t_min: Time, t_max: Time) -> u.Quantity:
        """Return the integral over each interval as a share of the time of all: their sum is the mean."""
        (start, mjdref), named = elapsed(t_min), self._named(None)
        stop, _ = elapsed(t_max, mjdref)
        total = (stop - start).sum() / SECONDS_PER_DAY
        days = [self._days(one, mjdref, named) for one in (start, stop)]
        return u.Quantity(self._integral(days[0], days[1], named) / total, "")

    def plot(
        self, time_range: Sequence[Time] | Time, ax: Axes | None = None, n_points: int = 100, **style: Any
    ) -> Axes:
        """Draw the factor between two times; ``style`` is passed to ``Axes.plot``."""
        first, last = Time(time_range[0]), Time(time_range[1])
        (start, mjdref), (stop, _) = elapsed(first), elapsed(last, elapsed(first)[1])
        seconds = np.linspace(float(start), float(stop), n_points)
        mjd = mjdref + seconds / SECONDS_PER_DAY
        return plot_spectrum.plot_factor(mjd, self.factor(seconds, mjdref), "Time (MJD, TT)", ax, **style)

    def peek(self, figsize: tuple[float, float] | None = None) -> Figure:
        """Draw the factor about its reference time in a new figure, and return it."""
        return pictures.peek_parts([self], self.tag[0], figsize)


def _but_reference(values: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in values.items() if name != "t_ref"}


@lru_cache(maxsize=4096)
def _reference_seconds(t_ref: float, scale: str, mjdref: float) -> float:
    """Return seconds of TT from ``mjdref`` to an MJD; one beyond the years of UTC has the scale of the nearest."""
    known = min(max(t_ref, float(FIRST_UTC)), float(LAST_EPOCH))
    with warnings.catch_warnings():
        # The leap seconds of years to come are not known: none are added.
        warnings.simplefilter("ignore")
        return seconds_since(Time(known, format="mjd", scale=scale), mjdref) + (t_ref - known) * SECONDS_PER_DAY


def elapsed(time: Time, mjdref: float | None = None) -> tuple[FloatArray, float]:
    """Return seconds of TT since a whole day, and that day (MJD)."""
    tt = time.tt
    day = float(np.floor(np.min(tt.mjd))) if mjdref is None else mjdref
    seconds: npt.NDArray[np.float64] = ((tt.jd1 - 2400000.5 - day) + tt.jd2) * SECONDS_PER_DAY
    return np.asarray(seconds), day


# --- formulas, integrated in closed form


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
        beyond = np.where(
            low > 0,
            scipy.special.erfc(low) - scipy.special.erfc(high),
            scipy.special.erfc(-high) - scipy.special.erfc(-low),
        )
        is_tail = (low > 0) | (high < 0)
        return np.asarray(
            np.sqrt(0.5 * np.pi) * sigma * np.where(is_tail, beyond, scipy.special.erf(high) - scipy.special.erf(low))
        )

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
    share = np.where(
        low > eta,
        scipy.special.gammaincc(eta, low) - scipy.special.gammaincc(eta, high),
        scipy.special.gammainc(eta, high) - scipy.special.gammainc(eta, low),
    )
    return np.asarray(width * eta * np.exp(scipy.special.gammaln(eta) + eta * np.log(2.0)) * share)


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

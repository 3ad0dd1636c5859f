"""``TemporalModel``: a factor of the flux that depends on time, and its mean over good time.

Times are elapsed seconds of TT, so that no leap second moves a model; ``t_ref`` is an MJD in the scale of the model.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from astropy import units as u
from astropy.time import Time
from matplotlib.axes import Axes

from xgamma.axes import FloatArray
from xgamma.errors import ConfigError, ConfigTypeError, did_you_mean
from xgamma.models.component import KeptComponent
from xgamma.models.parameters import Parameter
from xgamma.models.spectral.calculus import differences
from xgamma.plot.spectrum import plot_factor
from xgamma.times import FIRST_UTC, LAST_EPOCH, SECONDS_PER_DAY, seconds_since

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
        return plot_factor(mjd, self.factor(seconds, mjdref), "Time (MJD, TT)", ax, **style)


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

"""The parameters of the estimators of flux points and light curves, typed."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from xgamma.axes import FloatArray
from xgamma.errors import ConfigError, DataError, LaterError, UnknownNameError, did_you_mean
from xgamma.models.parameters import Parameter
from xgamma.registry import Form, chosen_options, number

if TYPE_CHECKING:
    import xarray as xr

    from xgamma.models.models import Models, SkyModel
    from xgamma.schema.arrays import NamedArrays

log = logging.getLogger("xgamma.estimate")

OPTIONS = ("errn-errp", "ul", "scan")
SCAN = {
    "scan_min": "norm_min",
    "scan_max": "norm_max",
    "scan_n_values": "norm_n_values",
    "scan_values": "norm_values",
}
MOST_NORMS = 10_000
IS_UL_BELOW = 2.0
"""The significance below which a flux is given as its upper limit."""
NORM_KEYS = (*SCAN, "min", "max", "interp")
# A norm is 1 where the spectrum is the reference, it is free, and its scan does not begin at its error.
NORM_WORDS = ("name", "value", "unit", "frozen", "error", "scan_n_sigma", "scale_method", "is_norm")


@dataclass(frozen=True)
class FluxPointsParameters:
    """How flux points are estimated.

    Parameters
    ----------
    selection_optional
        Any of ``errn-errp``, ``ul``, ``scan`` as a list or one name, ``all``, or nothing.
    n_sigma, n_sigma_ul
        Confidence of errors and of upper limits, in standard deviations.
    norm_min, norm_max, norm_n_values
        The norms of the scan, evenly spaced in their logarithm (linearly for a linear norm parameter).
    norm_values
        The norms of the scan one by one.
    norm
        The same as Gammapy writes it: a mapping of ``scan_min``, ``scan_max``, ``scan_n_values``, ``scan_values``,
        and of ``min`` and ``max`` of the norm and how it is scanned, ``interp``; or a ``Parameter`` of this name.
    reoptimize
        Fit the other models again in each group.
    sum_over_energy_groups
        Sum the bins of a group before the fit.
    allow_multiple_telescopes
        Estimate one flux from datasets of several telescopes.
    """

    where: ClassVar[str] = "flux_points"

    selection_optional: Any = None
    n_sigma: float = field(default=1.0, metadata={"above": 0.0, "maximum": 100.0})
    n_sigma_ul: float = field(default=2.0, metadata={"above": 0.0, "maximum": 100.0})
    norm_min: float = field(default=0.2, metadata={"above": 0.0})
    norm_max: float = field(default=5.0, metadata={"above": 0.0})
    norm_n_values: int = field(default=11, metadata={"minimum": 2, "maximum": 10_000})
    norm_values: Any = None
    norm: Any = None
    reoptimize: bool = False
    sum_over_energy_groups: bool = False
    allow_multiple_telescopes: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(
            self,
            "selection_optional",
            chosen_options(self.selection_optional, OPTIONS, f"{self.where}.selection_optional"),
        )
        object.__setattr__(self, "norm_values", normalize_norms(self.norm_values, self.where))
        given = normalize_norm(self.norm, self.where)
        for key, name in SCAN.items():
            if key in given:
                self._take(name, key, given.pop(key))
        object.__setattr__(self, "norm", given or None)
        if not self.norm_min < self.norm_max:
            raise ConfigError(
                f"{self.where}: expected norm_min < norm_max, got {self.norm_min:g} and {self.norm_max:g}."
            )
        if isinstance(self.norm_n_values, bool) or not isinstance(self.norm_n_values, int):
            raise ConfigError(f"{self.where}.norm_n_values: expected a whole number, got {self.norm_n_values!r}.")
        if not 2 <= self.norm_n_values <= MOST_NORMS:
            raise ConfigError(f"{self.where}.norm_n_values: expected 2 to {MOST_NORMS}, got {self.norm_n_values}.")
        if not self.norm_min > 0 and self.norm_values is None and (self.norm or {}).get("interp") != "lin":
            raise ConfigError(
                f"{self.where}: expected norm_min above 0 for a scan of logarithms, got {self.norm_min:g}."
            )
        if self.sum_over_energy_groups:
            raise LaterError(f"{self.where}: sum_over_energy_groups comes with a later version; leave it out.")

    def _take(self, name: str, key: str, value: Any) -> None:
        default = type(self).__dataclass_fields__[name].default
        if getattr(self, name) not in (default, value):
            raise ConfigError(f"{self.where}: {name} and norm.{key} contradict each other; give one of them.")
        object.__setattr__(self, name, value)

    def document(self) -> dict[str, Any]:
        """Return the parameters as a mapping; what older versions did not know is there only where it is set."""
        given = asdict(self)
        return {name: value for name, value in given.items() if value or name != "allow_multiple_telescopes"}

    @property
    def norm_limits(self) -> tuple[float, float]:
        """The limits of the norm, infinite for none."""
        given = self.norm or {}
        return given.get("min", -np.inf), given.get("max", np.inf)

    def norms(self, interp: str) -> FloatArray:
        """Return the norms of the scan, shape (norm,); ``interp`` holds where the parameters do not say it."""
        interp = (self.norm or {}).get("interp", interp)
        if self.norm_values is not None:
            return np.asarray(self.norm_values, dtype=float)
        if interp == "lin":
            return np.linspace(self.norm_min, self.norm_max, self.norm_n_values)
        return np.geomspace(self.norm_min, self.norm_max, self.norm_n_values)


@dataclass(frozen=True)
class LightCurveParameters(FluxPointsParameters):
    """How the flux in each bin of time and energy is estimated: as flux points are.

    Parameters
    ----------
    atol
        By how much a dataset may reach out of an interval of time, in seconds.
    stack_in_bin
        Stack the datasets of a bin of time and estimate the flux of the stack, rather than that of all together.
    """

    where: ClassVar[str] = "light_curve"

    atol: float = field(default=1e-6, metadata={"unit": "s", "minimum": 0})
    stack_in_bin: bool = False


def normalize_norms(values: Any, where: str) -> tuple[float, ...] | None:
    """Return the norms of a scan as ascending numbers; raises ``ConfigError`` when they are not."""
    if values is None:
        return None
    try:
        norms = tuple(float(value) for value in values)
    except (TypeError, ValueError):
        raise ConfigError(f"{where}.norm_values: expected a list of numbers, got {values!r}.") from None
    if not norms or not all(np.isfinite(norms)) or np.any(np.diff(norms) <= 0):
        raise ConfigError(f"{where}.norm_values: expected ascending numbers, got {values!r}.")
    return norms


def normalize_norm(norm: Any, where: str) -> dict[str, Any]:
    """Return what is given of a norm, as numbers; raises ``ConfigError`` for keys and values that no norm has."""
    given = norm_document(norm, where)
    for key in given:
        if key not in (*NORM_KEYS, *NORM_WORDS):
            raise ConfigError(f"{where}.norm: there is no {key!r} of a norm.{did_you_mean(str(key), NORM_KEYS)}")
    if given.get("name", "norm") != "norm" or given.get("frozen", False) or given.get("unit", "") != "":
        raise ConfigError(f"{where}.norm: expected a free parameter called 'norm' without unit.")
    result = {key: value for key, value in given.items() if key in NORM_KEYS and value is not None}
    if result.get("interp", "log") not in ("lin", "log"):
        raise ConfigError(f"{where}.norm.interp: expected lin or log, got {result['interp']!r}.")
    for key in ("min", "max", "scan_min", "scan_max"):
        if key in result:
            result[key] = number(result[key], f"{where}.norm.{key}")
    if "scan_values" in result:
        result["scan_values"] = normalize_norms(result["scan_values"], where)
    limits = {key: result.pop(key) for key in ("min", "max") if key in result}
    limits = {key: limit for key, limit in limits.items() if np.isfinite(limit)}
    if limits.get("min", -np.inf) >= limits.get("max", np.inf):
        raise ConfigError(f"{where}.norm: expected min < max, got {limits['min']:g} and {limits['max']:g}.")
    return result | limits


def norm_document(norm: Any, where: str) -> dict[str, Any]:
    """Return a norm that is a mapping or a ``Parameter`` as a mapping; raises ``ConfigError`` for anything else."""
    if norm is None:
        return {}
    if isinstance(norm, Parameter):
        scan = {key: getattr(norm, key) for key in ("scan_min", "scan_max", "scan_n_values")}
        return norm.to_dict() | scan | ({} if norm.scan_is_spaced else {"scan_values": norm.scan_values})
    if not isinstance(norm, Mapping):
        raise ConfigError(f"{where}.norm: expected a mapping such as {{scan_n_values: 11}}, got {norm!r}.")
    return dict(norm)


FLUX_POINTS = Form("estimator", FluxPointsParameters.where, FluxPointsParameters)
LIGHT_CURVE = Form("estimator", LightCurveParameters.where, LightCurveParameters)


def source_model(models: Models, name: str, where: str = "flux_points") -> SkyModel:
    """Return the model of a source; raises ``UnknownNameError``."""
    for model in models:
        if model.name == name:
            return model  # type: ignore[no-any-return]
    known = [model.name for model in models]
    raise UnknownNameError(f"{where}.source: no model is called {name!r}.{did_you_mean(name, known)}")


def validate_telescopes(telescopes: Sequence[str], where: str = "flux_points") -> None:
    """Raise ``DataError`` for more than one telescope."""
    if len(telescopes) > 1:
        raise DataError(
            f"{where}: expected datasets of one telescope, got {', '.join(map(repr, telescopes))}; estimate the points "
            "of each, or write allow_multiple_telescopes: true for those of all together."
        )


def log_binning(points: NamedArrays) -> None:
    """Warn, once for all bins, of a requested binning that the flux points could not honour."""
    report = points.attrs["binning_report"]
    if report:
        log.warning("Flux points, TeV: %s.", "; ".join(report))


def log_light_curve(curve: xr.Dataset) -> None:
    """Warn, once for all bins, of a requested binning that the light curve could not honour."""
    for what, name in (("Light curve", "time_report"), ("Light curve, TeV", "binning_report")):
        if curve.attrs[name]:
            log.warning("%s: %s.", what, "; ".join(curve.attrs[name]))

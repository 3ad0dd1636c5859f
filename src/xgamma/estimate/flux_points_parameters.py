"""The parameters of the flux point estimator, typed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from xgamma.axes import FloatArray
from xgamma.errors import ConfigError, LaterError, did_you_mean

OPTIONS = ("errn-errp", "ul", "scan")


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
    reoptimize
        Fit the other models again in each group.
    sum_over_energy_groups
        Sum the bins of a group before the fit.
    """

    selection_optional: Any = None
    n_sigma: float = field(default=1.0, metadata={"above": 0.0, "maximum": 100.0})
    n_sigma_ul: float = field(default=2.0, metadata={"above": 0.0, "maximum": 100.0})
    norm_min: float = field(default=0.2, metadata={"above": 0.0})
    norm_max: float = field(default=5.0, metadata={"above": 0.0})
    norm_n_values: int = field(default=11, metadata={"minimum": 2, "maximum": 10_000})
    norm_values: Any = None
    reoptimize: bool = False
    sum_over_energy_groups: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "selection_optional", normalize_selection(self.selection_optional))
        object.__setattr__(self, "norm_values", normalize_norms(self.norm_values))
        if not self.norm_min < self.norm_max:
            raise ConfigError(
                f"flux_points: expected norm_min < norm_max, got {self.norm_min:g} and {self.norm_max:g}."
            )
        if self.sum_over_energy_groups:
            raise LaterError("flux_points: sum_over_energy_groups comes with a later version; leave it out.")

    def norms(self, interp: str) -> FloatArray:
        """Return the norms of the scan, shape (norm,)."""
        if self.norm_values is not None:
            return np.asarray(self.norm_values, dtype=float)
        if interp == "lin":
            return np.linspace(self.norm_min, self.norm_max, self.norm_n_values)
        return np.geomspace(self.norm_min, self.norm_max, self.norm_n_values)


def normalize_selection(selection: Any) -> tuple[str, ...]:
    """Return the optional results wanted, in their order; raises ``ConfigError`` for an unknown one."""
    if not isinstance(selection, str | list | tuple | None):
        raise ConfigError(
            f"flux_points.selection_optional: expected names such as [ul, scan] or all, got {selection!r}."
        )
    wanted = [selection] if isinstance(selection, str) else list(selection or [])
    for name in wanted:
        if name not in ("all", *OPTIONS):
            raise ConfigError(
                f"flux_points.selection_optional: {name!r} is not an optional result."
                f"{did_you_mean(str(name), ['all', *OPTIONS])}"
            )
    return tuple(name for name in OPTIONS if name in wanted or "all" in wanted)


def normalize_norms(values: Any) -> tuple[float, ...] | None:
    """Return the norms of a scan as ascending numbers; raises ``ConfigError`` when they are not."""
    if values is None:
        return None
    try:
        norms = tuple(float(value) for value in values)
    except (TypeError, ValueError):
        raise ConfigError(f"flux_points.norm_values: expected a list of numbers, got {values!r}.") from None
    if not norms or not all(np.isfinite(norms)) or np.any(np.diff(norms) <= 0):
        raise ConfigError(f"flux_points.norm_values: expected ascending numbers, got {values!r}.")
    return norms

"""What is asked of excess maps: their parameters, and which circles and energies a map has."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from xgamma.axes import Axis, FloatArray
from xgamma.errors import ConfigError
from xgamma.kernels import BORDER
from xgamma.registry import Form, chosen_options, normalize_parameters

if TYPE_CHECKING:
    import xarray as xr

log = logging.getLogger("xgamma.estimate")

WHERE = "excess_map"
OPTIONS = ("errn-errp", "ul", "sensitivity", "alpha", "acceptance_on", "acceptance_off")


@dataclass(frozen=True)
class ExcessMapParameters:
    """How an excess map is made.

    Parameters
    ----------
    n_sigma, n_sigma_ul
        Confidence of errors and of upper limits, in standard deviations.
    selection_optional
        Any of ``errn-errp``, ``ul``, ``sensitivity``, ``acceptance_on``, ``acceptance_off`` as a list or one name,
        ``all``, or nothing; ``alpha`` is always there with off counts.
    correlate_off
        Sum the off counts over the circle, too; otherwise those of its middle stand for all of it.
    n_sigma_sensitivity
        The significance of the excess that ``sensitivity`` asks for.
    apply_threshold_sensitivity
        Whether that excess is at least ``gamma_min_sensitivity`` counts, and at least the share
        ``bkg_syst_fraction_sensitivity`` of the background.
    """

    n_sigma: float = field(default=1.0, metadata={"above": 0.0, "maximum": 100.0})
    n_sigma_ul: float = field(default=2.0, metadata={"above": 0.0, "maximum": 100.0})
    selection_optional: Any = field(default=None, metadata={"description": "all, null or a list of selections"})
    correlate_off: bool = True
    n_sigma_sensitivity: float = field(default=5.0, metadata={"above": 0.0, "maximum": 100.0})
    gamma_min_sensitivity: float = field(default=10.0, metadata={"minimum": 0.0})
    bkg_syst_fraction_sensitivity: float = field(default=0.05, metadata={"minimum": 0.0})
    apply_threshold_sensitivity: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "selection_optional", chosen_options(self.selection_optional, OPTIONS, "selection_optional")
        )

    def wants(self, option: str) -> bool:
        """Whether an optional result is wanted."""
        return option in self.selection_optional


EXCESS_MAP = Form("estimator", WHERE, ExcessMapParameters)


def normalize_settings(parameters: ExcessMapParameters | Mapping[str, Any] | None) -> ExcessMapParameters:
    """Return parameters from themselves or a mapping; raises ``ConfigError`` for one that is not known."""
    if isinstance(parameters, ExcessMapParameters):
        return parameters
    if parameters is None:
        return ExcessMapParameters()
    settings: ExcessMapParameters = normalize_parameters(EXCESS_MAP, parameters, f"{WHERE}.parameters")
    return settings


def validate_radius(radius: float, binsize: float, widest: float) -> None:
    """Raise ``ConfigError`` for a circle that is smaller than a pixel, or wider than the map.

    Parameters
    ----------
    radius
        Of the circle, deg.
    binsize, widest
        The size of a pixel and the longer side of the map, deg.
    """
    where = f"{WHERE}.correlation_radius"
    if not (np.isfinite(radius) and radius > 0):
        raise ConfigError(f"{where}: expected an angle above 0 deg, got {radius!r}.")
    if 2 * radius < binsize * (1 - BORDER):
        raise ConfigError(
            f"{where}: a circle of {radius:g} deg is smaller than a pixel of {binsize:g} deg; give at least half of "
            "that, or smaller pixels (datasets.geom.wcs.binsize)."
        )
    if 2 * radius > widest:
        raise ConfigError(
            f"{where}: a circle of {radius:g} deg is wider than the map, which is {widest:g} deg wide; give a smaller "
            "radius."
        )


def validate_planes(axis: Axis, edges: FloatArray) -> None:
    """Raise ``ConfigError`` where planes reach beyond the energies of the datasets, and so would be empty."""
    outside = (edges[1:] <= axis.edges[0]) | (edges[:-1] >= axis.edges[-1])
    if outside.any():
        raise ConfigError(
            f"{WHERE}.energy_edges: {outside.sum()} of {outside.size} planes lie outside of the energies of the "
            f"datasets, {axis.edges[0]:g} to {axis.edges[-1]:g} TeV; got {edges[0]:g} to {edges[-1]:g} TeV."
        )


def log_planes(data: xr.Dataset) -> None:
    """Warn, once for all planes, of energies asked for that an excess map could not honour."""
    report = data.attrs["binning_report"]
    if report:
        log.warning("Excess map, TeV: %s.", "; ".join(report))

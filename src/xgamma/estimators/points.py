"""``FluxPointsEstimator`` and ``LightCurveEstimator``: of datasets that carry their models, called as in Gammapy."""

from __future__ import annotations

from typing import Any

import xarray as xr
from astropy import units as u

from xgamma.datasets import FluxPoints, LightCurve
from xgamma.errors import ConfigError, DataError
from xgamma.estimate import (
    FluxPointsParameters,
    LightCurveParameters,
    TimeBinning,
    flux_points,
    light_curve,
    normalize_time_binning,
)
from xgamma.estimate.points import normalize_edges
from xgamma.fit import Fit
from xgamma.fit.fitter import Fittable, normalize_fittable
from xgamma.gammapy_names import later_names
from xgamma.units import canonical

__getattr__ = later_names(__name__)


class FluxPointsEstimator:
    """Estimate flux points of one source.

    Parameters
    ----------
    energy_edges
        Edges of the points; those of the datasets that are nearest to them are used.
    source
        The name of a model, or its place among the models.
    n_sigma, n_sigma_ul, selection_optional, norm, reoptimize, sum_over_energy_groups, allow_multiple_telescopes
        As in ``FluxPointsParameters``.
    fit
        Taken and not needed: the norms are exact roots.
    n_jobs, parallel_backend
        Taken and not needed: all points are estimated at once.
    n_sigma_sensitivity
        Taken and not needed.

    Raises
    ------
    ConfigError
        For parameters and edges that are wrong.
    LaterError
        For what this version does not compute.

    Examples
    --------
    >>> estimator = FluxPointsEstimator(energy_edges=[1, 3, 10] * u.TeV, source="crab", selection_optional="all")
    >>> points = estimator.run(datasets)  # doctest: +SKIP
    """

    tag = "FluxPointsEstimator"

    def __init__(
        self,
        energy_edges: Any = u.Quantity([1, 10], "TeV"),  # noqa: B008
        sum_over_energy_groups: bool = False,
        n_jobs: int | None = None,
        parallel_backend: str | None = None,
        allow_multiple_telescopes: bool = False,
        source: str | int = 0,
        n_sigma: float = 1.0,
        n_sigma_ul: float = 2.0,
        n_sigma_sensitivity: float = 5.0,
        selection_optional: Any = None,
        fit: Fit | None = None,
        reoptimize: bool = False,
        norm: Any = None,
    ) -> None:
        self.energy_edges, self.source = energy_edges, source
        self.fit, self.n_jobs, self.parallel_backend = fit, n_jobs, parallel_backend
        self.n_sigma_sensitivity, self.allow_multiple_telescopes = n_sigma_sensitivity, allow_multiple_telescopes
        self._edges = normalize_edges(energy_edges)
        self.parameters = FluxPointsParameters(
            selection_optional=selection_optional,
            n_sigma=positive(n_sigma, "n_sigma", self.tag),
            n_sigma_ul=positive(n_sigma_ul, "n_sigma_ul", self.tag),
            norm=norm,
            reoptimize=reoptimize,
            sum_over_energy_groups=sum_over_energy_groups,
            allow_multiple_telescopes=bool(allow_multiple_telescopes),
        )

    def run(self, datasets: Any) -> FluxPoints:
        """Return the points of ``Datasets``, of a list of datasets or of one; masks and models are theirs.

        Raises
        ------
        ConfigError
            When the source is not among the models of the datasets.
        DataError
            For flux points, which are no counts, and for datasets with different axes.
        """
        given = normalize_fittable(datasets)
        inputs = given.fit_inputs()
        if any(one.is_flux_points for one in inputs):
            raise DataError("FluxPointsEstimator: expected spectra, got flux points; fit them with Fit instead.")
        data: xr.Dataset = flux_points(
            inputs, given.models, source_of(given, self.source, self.tag), self._edges, self.parameters
        )
        return FluxPoints(data)


class LightCurveEstimator:
    """Estimate the flux of one source in bins of time and energy.

    What is given here can be changed on the object before ``run``.

    Parameters
    ----------
    time_intervals
        A list of ``Time`` of two times each, or of pairs; or a word for bins that are made: ``night``, ``blocks``,
        ``{"width": "7 d"}``; without any, one for each dataset. Datasets count that lie wholly inside.
    atol
        By how much a dataset may reach out of an interval.
    stack_over_time_interval
        Whether datasets in one bin are stacked, rather than fitted together.
    energy_edges
        Edges of the bins of energy; those of the datasets that are nearest to them are used.
    source
        The name of a model, or its place among the models.
    longitude
        East longitude of the site, which decides when a night begins.
    n_sigma, n_sigma_ul, selection_optional, norm, reoptimize, sum_over_energy_groups, allow_multiple_telescopes
        As in ``FluxPointsParameters``.
    fit
        Taken and not needed: the norms are exact roots.
    n_jobs, parallel_backend
        Taken and not needed: all bins are estimated at once.
    n_sigma_sensitivity
        Taken and not needed.

    Raises
    ------
    ConfigError
        For parameters, edges and intervals that are wrong.
    LaterError
        For what this version does not compute.

    Examples
    --------
    >>> estimator = LightCurveEstimator(energy_edges=[1, 10] * u.TeV, source="crab", selection_optional="all")
    >>> light_curve = estimator.run(datasets)  # doctest: +SKIP
    """

    tag = "LightCurveEstimator"

    def __init__(
        self,
        time_intervals: Any = None,
        atol: Any = "1e-6 s",
        stack_over_time_interval: bool = False,
        energy_edges: Any = u.Quantity([1, 10], "TeV"),  # noqa: B008
        sum_over_energy_groups: bool = False,
        n_jobs: int | None = None,
        parallel_backend: str | None = None,
        allow_multiple_telescopes: bool = False,
        source: str | int = 0,
        n_sigma: float = 1.0,
        n_sigma_ul: float = 2.0,
        n_sigma_sensitivity: float = 5.0,
        selection_optional: Any = None,
        fit: Fit | None = None,
        reoptimize: bool = False,
        norm: Any = None,
        longitude: Any = None,
    ) -> None:
        self.time_intervals, self.atol, self.longitude = time_intervals, atol, longitude
        self.stack_over_time_interval, self.energy_edges, self.source = stack_over_time_interval, energy_edges, source
        self.sum_over_energy_groups, self.reoptimize, self.norm = sum_over_energy_groups, reoptimize, norm
        self.n_sigma, self.n_sigma_ul, self.selection_optional = n_sigma, n_sigma_ul, selection_optional
        self.fit, self.n_jobs, self.parallel_backend = fit, n_jobs, parallel_backend
        self.n_sigma_sensitivity, self.allow_multiple_telescopes = n_sigma_sensitivity, allow_multiple_telescopes
        # Wrong ones are said at once.
        normalize_edges(energy_edges, self.tag)
        self._binning()
        self._parameters()

    def run(self, datasets: Any) -> LightCurve:
        """Return the light curve of ``Datasets``, of a list of datasets or of one; masks and models are theirs.

        Raises
        ------
        ConfigError
            When the source is not among the models of the datasets or has no free norm, or no interval holds a dataset.
        DataError
            For flux points, which are no counts, and for datasets with different axes or without times.
        """
        given = normalize_fittable(datasets)
        inputs = given.fit_inputs()
        if any(one.is_flux_points for one in inputs):
            raise DataError("LightCurveEstimator: expected spectra, got flux points; their times are not known.")
        source, edges = source_of(given, self.source, self.tag), normalize_edges(self.energy_edges, self.tag)
        return LightCurve(light_curve(inputs, given.models, source, edges, self._binning(), self._parameters()))

    def _binning(self) -> TimeBinning:
        binning = normalize_time_binning(self.time_intervals, f"{self.tag}: time_intervals")
        if self.longitude is None:
            return binning
        return binning.at(canonical(self.longitude, "deg", f"{self.tag}: longitude"))

    def _parameters(self) -> LightCurveParameters:
        if not isinstance(self.stack_over_time_interval, bool):
            raise ConfigError(
                f"{self.tag}: stack_over_time_interval: expected True or False, got {self.stack_over_time_interval!r}."
            )
        return LightCurveParameters(
            selection_optional=self.selection_optional,
            n_sigma=positive(self.n_sigma, "n_sigma", self.tag),
            n_sigma_ul=positive(self.n_sigma_ul, "n_sigma_ul", self.tag),
            norm=self.norm,
            reoptimize=self.reoptimize,
            sum_over_energy_groups=self.sum_over_energy_groups,
            atol=canonical(self.atol, "s", f"{self.tag}: atol"),
            allow_multiple_telescopes=bool(self.allow_multiple_telescopes),
            stack_in_bin=self.stack_over_time_interval,
        )


def source_of(given: Fittable, source: str | int, where: str) -> str:
    """Return the name of a model from its name or its place; raises ``ConfigError`` for a place without one."""
    names = given.models.names
    if isinstance(source, str):
        return source
    if not -len(names) <= source < len(names):
        raise ConfigError(f"{where}: there is no model number {source} among {len(names)}.")
    return names[source]


def positive(value: Any, name: str, where: str) -> float:
    """Return a number above 0; raises ``ConfigError`` for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise ConfigError(f"{where}: {name}: expected a number above 0, got {value!r}.")
    return float(value)

"""``FluxPointsEstimator``: flux points of datasets that carry their models, called as in Gammapy."""

from __future__ import annotations

from typing import Any

import xarray as xr
from astropy import units as u

from xgamma.datasets import FluxPoints
from xgamma.errors import ConfigError, DataError
from xgamma.estimate import FluxPointsParameters, flux_points
from xgamma.estimate.flux_points import normalize_edges
from xgamma.fit import Fit
from xgamma.fit.fitter import Fittable, normalize_fittable


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

"""``TSMapEstimator``: the significance and the flux of a source at every pixel of a map, called as in Gammapy."""

from __future__ import annotations

from typing import Any

from xgamma.datasets import ExcessMap
from xgamma.errors import ConfigError, ConfigTypeError, DataError, LaterError
from xgamma.estimate import TSMapParameters, ts_map
from xgamma.estimate.points import normalize_edges
from xgamma.estimators.points import positive
from xgamma.models import SkyModel
from xgamma.units import canonical


class TSMapEstimator:
    """Move a source over a map and estimate its flux at every pixel.

    What is given here can be changed on the object before ``run``.

    Parameters
    ----------
    kernel_model
        A ``SkyModel`` with the shape and the spectrum of the source; by default a point with a power law of index 2.
    kernel_width
        The width of the square of pixels that is looked at about each position; by default one that holds 99 %.
    downsampling_factor
        Only ``None``.
    n_sigma, n_sigma_ul, selection_optional, sum_over_energy_groups
        As in ``TSMapParameters``.
    energy_edges
        Edges of the planes; by default one plane of all energies of the dataset, as Gammapy computes it.
    n_sigma_sensitivity, threshold, rtol, max_niter, norm
        Taken and not needed: every pixel is estimated to the end.
    n_jobs, parallel_backend
        Taken and not needed: all pixels are estimated at once.

    Raises
    ------
    ConfigError
        For parameters and edges that are wrong.
    LaterError
        For what this version does not compute.

    Examples
    --------
    >>> estimator = TSMapEstimator(kernel_width="0.5 deg", energy_edges=[1, 10] * u.TeV)  # doctest: +SKIP
    >>> maps = estimator.run(dataset)  # doctest: +SKIP
    >>> find_peaks(maps["sqrt_ts"], threshold=5, min_distance="0.2 deg")  # doctest: +SKIP
    """

    tag = "TSMapEstimator"

    def __init__(
        self,
        kernel_model: SkyModel | None = None,
        kernel_width: Any = None,
        downsampling_factor: int | None = None,
        n_sigma: float = 1,
        n_sigma_ul: float = 2,
        n_sigma_sensitivity: float = 5,
        threshold: float | None = None,
        rtol: float = 0.01,
        selection_optional: Any = None,
        energy_edges: Any = None,
        sum_over_energy_groups: bool = True,
        n_jobs: int | None = None,
        parallel_backend: str | None = None,
        norm: Any = None,
        max_niter: int = 100,
    ) -> None:
        if downsampling_factor not in (None, 1):
            raise LaterError(f"{self.tag}: downsampling_factor comes with a later version; use dataset.downsample().")
        self.kernel_model, self.kernel_width, self.energy_edges = kernel_model, kernel_width, energy_edges
        self.downsampling_factor, self.threshold, self.rtol, self.max_niter = None, threshold, rtol, max_niter
        self.n_sigma, self.n_sigma_ul, self.n_sigma_sensitivity = n_sigma, n_sigma_ul, n_sigma_sensitivity
        self.selection_optional, self.sum_over_energy_groups = selection_optional, sum_over_energy_groups
        self.n_jobs, self.parallel_backend, self.norm = n_jobs, parallel_backend, norm
        # Wrong ones are said at once.
        self._source()
        self._parameters()
        if energy_edges is not None:
            normalize_edges(energy_edges, self.tag)

    def run(self, datasets: Any) -> ExcessMap:
        """Return the maps of a ``MapDataset``, over the bins of its masks, beside the models that it has.

        Raises
        ------
        ConfigError
            For a kernel or edges that do not fit the dataset.
        DataError
            For a dataset without pixels or background, and for several.
        """
        if not hasattr(datasets, "fit_inputs"):
            raise ConfigTypeError(f"{self.tag}: expected a MapDataset, got a {type(datasets).__name__}.")
        inputs = datasets.fit_inputs()
        if len(inputs) != 1 or len(inputs[0].names) != 1 or inputs[0].is_flux_points:
            count = sum(len(one.names) for one in inputs)
            raise DataError(f"{self.tag}: expected one dataset of maps, got {count}; stack them: stack_reduce().")
        [one] = inputs
        bounds = one.data["energy_bounds"].values
        edges = [bounds[0, 0], bounds[-1, 1]] if self.energy_edges is None else self.energy_edges
        found = ts_map(one.data, datasets.models, self._source(), edges, self._parameters(), used=one.used[0])
        return ExcessMap(found)

    def _source(self) -> SkyModel | None:
        if not isinstance(self.kernel_model, SkyModel | None):
            raise ConfigError(f"{self.tag}: kernel_model: expected a SkyModel, got {self.kernel_model!r}.")
        return self.kernel_model

    def _parameters(self) -> TSMapParameters:
        width = self.kernel_width
        if not isinstance(self.sum_over_energy_groups, bool):
            raise ConfigError(
                f"{self.tag}: sum_over_energy_groups: expected True or False, got {self.sum_over_energy_groups!r}."
            )
        return TSMapParameters(
            selection_optional=self.selection_optional,
            n_sigma=positive(self.n_sigma, "n_sigma", self.tag),
            n_sigma_ul=positive(self.n_sigma_ul, "n_sigma_ul", self.tag),
            kernel_width=None if width is None else float(canonical(width, "deg", f"{self.tag}: kernel_width")),
            sum_over_energy_groups=self.sum_over_energy_groups,
        )

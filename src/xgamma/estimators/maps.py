"""``ExcessMapEstimator``: excess maps of datasets of maps, called as in Gammapy."""

from __future__ import annotations

from typing import Any

from xgamma.datasets import ExcessMap
from xgamma.errors import ConfigError, ConfigTypeError, DataError
from xgamma.estimate import ExcessMapParameters, excess_map, log_planes
from xgamma.estimate.points import normalize_edges
from xgamma.estimators.points import positive
from xgamma.models import SkyModel, SpectralModel
from xgamma.units import canonical


class ExcessMapEstimator:
    """Make the excess map of a dataset of maps.

    What is given here can be changed on the object before ``run``.

    Parameters
    ----------
    correlation_radius
        The radius of the circle that is summed over; a pixel belongs to it whose centre is not farther away.
    n_sigma, n_sigma_ul, selection_optional, correlate_off
        As in ``ExcessMapParameters``.
    energy_edges
        Edges of the planes; those of the dataset that are nearest to them are used. ``None`` is one plane.
    spectral_model
        What norms are multiples of; by default a power law of index 2.
    n_sigma_sensitivity, gamma_min_sensitivity, bkg_syst_fraction_sensitivity, apply_threshold_sensitivity
        As in ``ExcessMapParameters``.
    sum_over_energy_groups
        Taken and not needed: bins of a plane are always summed.

    Raises
    ------
    ConfigError
        For parameters and edges that are wrong.

    Examples
    --------
    >>> estimator = ExcessMapEstimator("0.1 deg", selection_optional=["errn-errp", "ul"])
    >>> lima_maps = estimator.run(dataset)  # doctest: +SKIP
    >>> lima_maps["sqrt_ts"].plot(add_cbar=True)  # doctest: +SKIP
    """

    tag = "ExcessMapEstimator"

    def __init__(
        self,
        correlation_radius: Any = "0.1 deg",
        n_sigma: float = 1,
        n_sigma_ul: float = 2,
        selection_optional: Any = None,
        energy_edges: Any = None,
        correlate_off: bool = True,
        spectral_model: Any = None,
        n_sigma_sensitivity: float = 5,
        gamma_min_sensitivity: float = 10,
        bkg_syst_fraction_sensitivity: float = 0.05,
        apply_threshold_sensitivity: bool = False,
        sum_over_energy_groups: bool = False,
    ) -> None:
        self.correlation_radius, self.energy_edges = correlation_radius, energy_edges
        self.n_sigma, self.n_sigma_ul, self.selection_optional = n_sigma, n_sigma_ul, selection_optional
        self.correlate_off, self.spectral_model = correlate_off, spectral_model
        self.n_sigma_sensitivity, self.gamma_min_sensitivity = n_sigma_sensitivity, gamma_min_sensitivity
        self.bkg_syst_fraction_sensitivity = bkg_syst_fraction_sensitivity
        self.apply_threshold_sensitivity = apply_threshold_sensitivity
        self.sum_over_energy_groups = sum_over_energy_groups
        # Wrong ones are said at once.
        self._radius()
        self._edges()
        self._parameters()
        self._spectrum()

    def run(self, dataset: Any) -> ExcessMap:
        """Return the maps of a ``MapDataset`` or ``MapDatasetOnOff``, over the bins of its masks.

        Beside models that it has the excess is what they do not predict.

        Raises
        ------
        ConfigError
            For a circle or edges that do not fit the dataset.
        DataError
            For a dataset without pixels or background, and for several.
        """
        if not hasattr(dataset, "fit_inputs"):
            raise ConfigTypeError(f"{self.tag}: expected a MapDataset, got a {type(dataset).__name__}.")
        inputs = dataset.fit_inputs()
        if len(inputs) != 1 or len(inputs[0].names) != 1 or inputs[0].is_flux_points:
            count = sum(len(one.names) for one in inputs)
            raise DataError(f"{self.tag}: expected one dataset of maps, got {count}; stack them: stack_reduce().")
        [one] = inputs
        options = {"used": one.used[0], "models": list(dataset.models)}
        data = excess_map(one.data, self._radius(), self._edges(), self._parameters(), self._spectrum(), **options)
        log_planes(data)
        return ExcessMap(data)

    def _radius(self) -> float:
        return canonical(self.correlation_radius, "deg", f"{self.tag}: correlation_radius")

    def _edges(self) -> Any:
        return None if self.energy_edges is None else normalize_edges(self.energy_edges, self.tag)

    def _spectrum(self) -> SpectralModel | None:
        given = self.spectral_model
        spectrum = given.spectral_model if isinstance(given, SkyModel) else given
        if not isinstance(spectrum, SpectralModel | None):
            raise ConfigError(f"{self.tag}: spectral_model: expected a SpectralModel, got a {type(given).__name__}.")
        return spectrum

    def _parameters(self) -> ExcessMapParameters:
        for name in ("correlate_off", "apply_threshold_sensitivity"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigError(f"{self.tag}: {name}: expected True or False, got {getattr(self, name)!r}.")
        return ExcessMapParameters(
            n_sigma=positive(self.n_sigma, "n_sigma", self.tag),
            n_sigma_ul=positive(self.n_sigma_ul, "n_sigma_ul", self.tag),
            selection_optional=self.selection_optional,
            correlate_off=self.correlate_off,
            n_sigma_sensitivity=positive(self.n_sigma_sensitivity, "n_sigma_sensitivity", self.tag),
            gamma_min_sensitivity=float(self.gamma_min_sensitivity),
            bkg_syst_fraction_sensitivity=float(self.bkg_syst_fraction_sensitivity),
            apply_threshold_sensitivity=self.apply_threshold_sensitivity,
        )

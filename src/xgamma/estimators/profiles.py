"""``FluxProfileEstimator``: fluxes in regions along a line or in rings, called as in Gammapy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from astropy import units as u

from xgamma import predict
from xgamma.datasets.flux_profile import FluxProfile
from xgamma.datasets.map_dataset import MapDataset
from xgamma.errors import ConfigError, ConfigTypeError
from xgamma.estimate import flux_points_groups
from xgamma.estimators.points import FluxPointsEstimator
from xgamma.formats.region_files import normalize_regions
from xgamma.geometry import separation
from xgamma.models import PowerLawSpectralModel, SkyModel, SpectralModel
from xgamma.models.models import Models
from xgamma.shapes import Annulus, Shape

SOURCE = "test-source"


class FluxProfileEstimator:
    """Estimate flux points in each of several regions of a map.

    The flux of a region is that of what shines in its pixels: nothing is corrected for what the point spread function
    carries beyond them. What the models of the dataset predict is background.

    Parameters
    ----------
    regions
        Regions on the sky, at least two: see ``xgamma.utils.regions``.
    spectral_model
        The shape of the spectrum; by default a power law of index 2.
    energy_edges, **options
        As in ``FluxPointsEstimator``.

    Raises
    ------
    ConfigError
        For fewer than two regions, ``reoptimize``, and what ``FluxPointsEstimator`` refuses.

    Examples
    --------
    >>> estimator = FluxProfileEstimator(regions, energy_edges=[1, 10] * u.TeV)  # doctest: +SKIP
    >>> profile = estimator.run(dataset)  # doctest: +SKIP
    >>> profile.plot(sed_type="flux")  # doctest: +SKIP
    """

    tag = "FluxProfileEstimator"

    def __init__(
        self,
        regions: Sequence[Any],
        spectral_model: SpectralModel | None = None,
        energy_edges: Any = u.Quantity([1, 10], "TeV"),  # noqa: B008
        **options: Any,
    ) -> None:
        self.shapes: list[Shape] = [shape for region in regions for shape in normalize_regions(region)]
        if len(self.shapes) < 2:
            raise ConfigError(f"{self.tag}: expected at least two regions, got {len(self.shapes)}.")
        if options.get("reoptimize"):
            raise ConfigError(f"{self.tag}: there is nothing else to fit in a region; leave reoptimize out.")
        self.spectral_model = PowerLawSpectralModel() if spectral_model is None else spectral_model
        self._points = FluxPointsEstimator(energy_edges=energy_edges, **options)

    @property
    def distance(self) -> u.Quantity:
        """The mean radius of rings; of other regions the distance of their centres from the first one."""
        places = np.array([shape.center for shape in self.shapes])
        away = separation(places[0, 0], places[0, 1], places[:, 0], places[:, 1])
        rings = [
            0.5 * (one.outer.reach + one.inner.reach) if isinstance(one, Annulus) else np.nan for one in self.shapes
        ]
        return u.Quantity(np.where(np.isfinite(rings), rings, away), "deg")

    def run(self, dataset: Any) -> FluxProfile:
        """Return the profile of a ``MapDataset``, or of several together.

        Raises
        ------
        ConfigTypeError
            For what holds no maps.
        DataError
            For a region that is not wholly inside of the map.
        """
        views = list(dataset) if isinstance(dataset, list | tuple) or not hasattr(dataset, "data") else [dataset]
        if not views or not all(isinstance(view, MapDataset) for view in views):
            raise ConfigTypeError(f"{self.tag}: expected a MapDataset, or several, got {type(dataset).__name__}.")
        names = [f"region-{number}" for number in range(len(self.shapes))]
        spectra = [one for view in views for one in _expecting(view).to_spectrum_datasets(self.shapes)]
        inputs = [one for view in spectra for one in view.fit_inputs()]
        models = Models([SkyModel(self.spectral_model, name=SOURCE)])
        edges, parameters = self._points.energy_edges, self._points.parameters
        found = flux_points_groups(inputs, names * len(views), models, SOURCE, edges, parameters, by="region")
        attrs = {"units": "deg", "long_name": "Distance of the region"}
        return FluxProfile(found.assign_coords(projected_distance=(("group",), self.distance.value, attrs)))


def _expecting(view: MapDataset) -> MapDataset:
    """Return maps whose background is all that their models predict."""
    data = view.data
    if "background" not in data:
        return view
    return type(view)(data.assign(background=data["background"].copy(data=predict.npred(data, view.models).values)))

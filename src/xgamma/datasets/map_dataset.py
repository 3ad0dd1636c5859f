"""``MapDataset`` and ``MapDatasetOnOff``: one window of the sky of a DL4 Dataset."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import xarray as xr

from xgamma.datasets import info
from xgamma.datasets.binned_row import OffCounts
from xgamma.datasets.geom import axes_of_energy
from xgamma.datasets.made import empty_row, known_background_row
from xgamma.datasets.map_pictures import MapDatasetPictures
from xgamma.datasets.maps import Map, MapAxis, WcsGeom
from xgamma.datasets.maps.membership import shares_of_region
from xgamma.datasets.spectrum import SpectrumDataset, SpectrumDatasetOnOff
from xgamma.errors import ConfigError
from xgamma.formats.region_files import normalize_regions
from xgamma.grid import Grid
from xgamma.reduce.background.names import OFF_COUNTS
from xgamma.reduce.map_regions import region_spectra
from xgamma.reduce.recipe import OF_MAPS

log = logging.getLogger(__name__)


class MapDataset(MapDatasetPictures):
    """Counts of a part of the sky in pixels and energies, the response, and what is expected.

    Parameters
    ----------
    data
        A DL4 Dataset with one row, a window of the sky.
    models
        What is predicted on it: sources with a place on the sky and the norm of its background; ``None`` for no models.
    name
        A new name of the row; by default the one in ``data``.
    mask_fit
        The bins of the fit: a ``Map`` or an array that broadcasts to (energy, y, x); ``None`` takes all.

    Raises
    ------
    DataError
        When ``data`` is not such a Dataset.
    """

    # --- empty rows

    @classmethod
    def create(
        cls, geom: WcsGeom | Grid, energy_axis_true: MapAxis | None = None, name: str = "empty", **options: Any
    ) -> Self:
        """Return a row without counts, time and response, to stack others on.

        Parameters
        ----------
        geom
            The pixels, with an axis of reconstructed energy.
        energy_axis_true
            The axis of true energy; that of reconstructed energy by default.
        name
            Of the row.
        options
            ``reference_time``, the epoch of its times. Axes and pixels of psf and edisp that Gammapy takes here are not
            looked at: responses are functions of the offset from the pointing.

        Raises
        ------
        ConfigError
            For a geometry without an axis of energy.
        """
        known = {name: options[name] for name in ("reference_time",) if name in options}
        wrong = set(options) - {"reference_time", *_OF_RESPONSES}
        if wrong:
            raise ConfigError(f"create: there is no option {min(wrong)!r}.")
        return cls(empty_row((_grid_of(geom, energy_axis_true), True), name, cls._held(), **known))

    @classmethod
    def from_geoms(
        cls, geom: WcsGeom, geom_exposure: WcsGeom | None = None, name: str = "empty", **options: Any
    ) -> Self:
        """Return a row without counts, time and response, whose true energies are those of a geometry of exposures."""
        true = None if geom_exposure is None else geom_exposure.axes["energy_true"]
        return cls.create(geom, true, name, **options)

    @classmethod
    def _held(cls) -> tuple[str, ...]:
        background = OFF_COUNTS if cls.stat_type == "wstat" else ("background",)
        return (*background, *(name for names in OF_MAPS.values() for name in names))

    # --- spectra

    def to_spectrum_dataset(
        self, on_region: Any, containment_correction: bool = False, name: str | None = None
    ) -> SpectrumDataset:
        """Return the spectrum of a region: sums over the safe bins of its pixels.

        These are the pixels whose centres lie inside; where they are fewer than ten, all that the region touches, with
        the share of their area in it.

        Parameters
        ----------
        on_region
            A region of the package `regions`, or a ``Shape``.
        containment_correction
            Whether the exposure is corrected for the part of the point spread function outside of a circle.
        name
            Of the spectrum, by default that of the map.

        Raises
        ------
        DataError
            For a region that is not wholly inside of the map, and a map without the responses that are needed.
        """
        data = self._spectra_of([on_region], containment_correction)
        return self._spectrum_class(data, name=self.name if name is None else name)

    def to_spectrum_datasets(
        self, regions: Sequence[Any], containment_correction: bool = False
    ) -> list[SpectrumDataset]:
        """Return the spectrum of each region, called by the map and the number of the region; see the other method."""
        data = self._spectra_of(regions, containment_correction)
        return [
            self._spectrum_class(data.isel(region=slice(number, number + 1)), name=f"{self.name}-{number}")
            for number in range(len(regions))
        ]

    def _spectra_of(self, regions: Sequence[Any], containment: bool) -> xr.Dataset:
        shapes = [shape for region in regions for shape in normalize_regions(region)]
        pixels = [shares_of_region(self.image, shape) for shape in shapes]
        for shape, own in zip(shapes, pixels, strict=True):
            if not own.is_whole:
                log.warning(
                    "%s: the region %s holds few pixels of %.3g deg; they count with the share of their area in it.",
                    self.name, shape, self.image.binsize,
                )  # fmt: skip
        return region_spectra(self.data, shapes, pixels, self._exposure.values, containment)

    @property
    def _spectrum_class(self) -> type[SpectrumDataset]:
        return SpectrumDataset


class MapDatasetOnOff(OffCounts[Map], MapDataset):
    """Maps whose background was measured in rings or elsewhere; the statistic is wstat. See ``MapDataset``."""

    @classmethod
    def from_map_dataset(
        cls, dataset: MapDataset, acceptance: Any = 1.0, acceptance_off: Any = 1.0, counts_off: Any = None,
        name: str | None = None,
    ) -> Self:  # fmt: skip
        """Return maps with a known background as maps with off counts.

        Without ``counts_off`` these are what the background and the acceptances lead to expect.
        """
        return cls._with_off_counts(dataset, acceptance, acceptance_off, counts_off, name)

    def to_map_dataset(self, name: str | None = None) -> MapDataset:
        """Return the maps with alpha times the off counts as their known background."""
        data = known_background_row(self.data)
        return MapDataset(data, None, self.name if name is None else name, self._mask_fit)

    def npred_off(self) -> Map:
        """Predicted off counts: the predicted background over alpha, 0 where there is no off acceptance."""
        data, expected = self.data, self._prediction.background
        alpha = info.alpha(data).values
        values = np.divide(expected.values, alpha, out=np.zeros(alpha.shape), where=alpha > 0)
        return self._shown(expected.copy(data=values).isel(dataset=0))

    @property
    def _spectrum_class(self) -> type[SpectrumDataset]:
        return SpectrumDatasetOnOff


_OF_RESPONSES = (
    *("migra_axis", "rad_axis", "binsz_irf", "energy_axis_irf"),
    *("geom_psf", "geom_edisp", "reco_psf"),
)


def _grid_of(geom: Any, energy_true: MapAxis | None) -> Grid:
    if isinstance(geom, Grid):
        return geom
    if not isinstance(geom, WcsGeom) or "energy" not in geom.axes.names:
        raise ConfigError("create: expected a WcsGeom with an axis called 'energy', or a Grid.")
    energy, true = axes_of_energy(geom.axes, energy_true)
    return Grid(energy, true, geom.space)

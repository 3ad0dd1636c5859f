"""``SpectrumDataset`` and ``SpectrumDatasetOnOff``: one (dataset, region) row of a DL4 Dataset, with models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import xarray as xr  # noqa: F401  # For the name in a text below, which loads nothing.

from xgamma.datasets import files, inputs, made
from xgamma.datasets import geom as geometries
from xgamma.datasets.binned_row import OffCounts
from xgamma.datasets.inputs import ModelledRows
from xgamma.datasets.pictures import SpectrumPictures
from xgamma.reduce.background.names import OFF_COUNTS

if TYPE_CHECKING:
    from xgamma.datasets.geom import RegionGeom
    from xgamma.datasets.maps import MapAxis
    from xgamma.grid import Grid


class SpectrumDataset(SpectrumPictures):
    """Counts of one region, the response, and the models that are to explain them.

    Parameters
    ----------
    data
        A DL4 Dataset with one row and one region.
    models
        ``Models``, a list of models or one model; those with ``datasets_names`` that do not name this row are ignored.
    name
        A new name of the row; by default the one in ``data``.
    mask_fit
        The bins of the fit, broadcast to (region, energy); ``None`` takes all.

    Raises
    ------
    DataError
        When ``data`` is not such a Dataset.
    """

    # --- empty rows

    @classmethod
    def create(
        cls, geom: RegionGeom | Grid, energy_axis_true: MapAxis | None = None, name: str = "empty", **options: Any
    ) -> Self:
        """Return a row without counts, time and response, to stack others on.

        Parameters
        ----------
        geom
            Region and axis of reconstructed energy.
        energy_axis_true
            The axis of true energy; that of reconstructed energy by default.
        name
            Of the row.
        options
            ``reference_time``, the epoch of its times.

        Raises
        ------
        ConfigError
            For a geometry without an axis of energy.
        """
        held = OFF_COUNTS if cls.stat_type == "wstat" else ("background",)
        return cls(made.empty_row(geometries.normalize_geom(geom, energy_axis_true), name, held, **options))

    # --- Gammapy

    def to_gammapy(self) -> Any:
        """Return the row as a dataset of Gammapy, with its models and masks; see ``Datasets.to_gammapy``."""
        [own] = self.fit_inputs()
        return files.collection_of_gammapy([ModelledRows(own.data, self._models, own.mask)])[0]

    @classmethod
    def from_gammapy(cls, dataset: Any) -> Self:
        """Return one dataset of Gammapy as a row, with its models and masks; see ``Datasets.from_gammapy``."""
        taken = files.taken_from_gammapy(dataset)
        data, mask = inputs.without_mask_fit(taken.data[0])
        return cls(data, taken.models, mask_fit=None if mask is None else mask[0])


class SpectrumDatasetOnOff(OffCounts["xr.DataArray"], SpectrumDataset):
    """A spectrum whose background was measured in off regions; its statistic is wstat. See ``SpectrumDataset``."""

    @classmethod
    def from_spectrum_dataset(
        cls, dataset: SpectrumDataset, acceptance: Any = 1.0, acceptance_off: Any = 1.0, counts_off: Any = None,
        name: str | None = None,
    ) -> Self:  # fmt: skip
        """Return a spectrum with a known background as one with off counts, under the same models.

        Without ``counts_off`` these are what the background and the acceptances lead to expect.
        """
        return cls._with_off_counts(dataset, acceptance, acceptance_off, counts_off, name)

    def to_spectrum_dataset(self, name: str | None = None) -> SpectrumDataset:
        """Return the spectrum with alpha times the off counts as its known background, under the same models."""
        data = made.known_background_row(self.data)
        return SpectrumDataset(data, self._models, self.name if name is None else name, self._mask_fit)

"""``SpectrumDataset`` and ``SpectrumDatasetOnOff``: one (dataset, region) row of a DL4 Dataset, with models."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Mapping
from os import PathLike
from typing import Any, ClassVar, Self

import numpy as np
import xarray as xr

from xgamma.axes import Axis
from xgamma.datasets import files, info
from xgamma.datasets.geom import RegionGeom, bins_between, edges_among, normalize_geom
from xgamma.datasets.inputs import ModelledRows
from xgamma.datasets.made import (
    any_mask,
    empty_row,
    known_background_row,
    normalize_background,
    normalize_random,
    on_off_row,
    with_counts,
    with_same_variables,
)
from xgamma.datasets.pictures import SpectrumPictures
from xgamma.errors import ConfigError, ConfigTypeError, DataError
from xgamma.grid import Grid
from xgamma.reduce import joined_rows, stack
from xgamma.reduce.background.protocol import OFF_COUNTS
from xgamma.reduce.energy_bins import grouped, merge_bins, select_energy
from xgamma.schema import has_safe_bin

log = logging.getLogger(__name__)


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

    # --- other rows made of it

    def _like(self, data: xr.Dataset, name: str | None, mask_fit: Any) -> Self:
        return type(self)(data, self._models, self.name if name is None else name, mask_fit)

    def slice_by_energy(self, energy_min: Any = None, energy_max: Any = None, name: str | None = None) -> Self:
        """Return the row in the bins between two energies, which are moved to the nearest edges; models are shared.

        Raises
        ------
        DataError
            When there is no bin between them.
        """
        bins = bins_between(self.energy_axis, energy_min, energy_max, self.name)
        return self.slice_by_idx({"energy": bins}, name)

    def slice_by_idx(self, slices: Mapping[str, slice], name: str | None = None) -> Self:
        """Return the row in some of its bins, ``{"energy": slice(first, last)}``; models are shared."""
        bins = slices.get("energy")
        if len(slices) != 1 or not isinstance(bins, slice) or bins.step not in (None, 1):
            raise ConfigError(f"slice_by_idx: expected {{'energy': slice(first, last)}}, got {dict(slices)!r}.")
        first, last, _ = bins.indices(self.energy_axis.nbin)
        if last <= first:
            raise DataError(f"{self.name}: expected a slice that holds bins, got {first} to {last}.")
        mask = None if self._mask_fit is None else self._mask_fit[:, first:last]
        return self._like(select_energy(self.data, first, last), name, mask)

    def resample_energy_axis(self, energy_axis: Any, name: str | None = None) -> Self:
        """Return the row with its safe bins summed into wider ones; models are shared.

        Parameters
        ----------
        energy_axis
            An axis, or edges (``Quantity``, or numbers in TeV); they are moved to the nearest edges of the row.
        name
            Of the new row, by default that of this one.

        Raises
        ------
        DataError
            When the edges hold no bin of the row.
        """
        edges = edges_among(self.energy_axis, energy_axis, self.name)
        mask = None if self._mask_fit is None else grouped(self._mask_fit, edges) > 0
        return self._like(merge_bins(self.data, edges), name, mask)

    def to_image(self, name: str | None = None) -> Self:
        """Return the row with all of its safe bins in one."""
        return self.resample_energy_axis(self.energy_axis.edges[[0, -1]], name)

    def to_masked(self, name: str | None = None) -> Self:
        """Return the row without what is in bins that are not safe."""
        return self._like(stack(self.data, name=self.name), name, self._mask_fit)

    def stack(self, other: SpectrumDataset) -> None:
        """Add another row to this one, in place, over the safe bins of both.

        Raises
        ------
        ConfigTypeError
            For a row with another statistic.
        DataError
            For other axes.
        """
        if type(other) is not type(self):
            raise ConfigTypeError(
                f"{self.name}: expected a {type(self).__name__} to stack, got {type(other).__name__}."
            )
        pair = [self.data, other.data]
        masks = [row.fit_bins for row, data in zip((self, other), pair, strict=True) if has_safe_bin(data).any()]
        if not masks:
            log.warning("%s and %s have no safe bin: nothing is stacked.", self.name, other.name)
            return
        self._hold(stack(joined_rows(with_same_variables(pair)), name=self.name))
        self._mask_fit = any_mask(masks)

    # --- simulated counts

    @classmethod
    def create(
        cls, geom: RegionGeom | Grid, energy_axis_true: Axis | None = None, name: str = "empty", **options: Any
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
        return cls(empty_row(normalize_geom(geom, energy_axis_true), name, held, **options))

    def fake(self, random_state: Any = "random-seed") -> None:
        """Draw Poisson counts of what is predicted, and show them in place of the counts.

        ``random_state`` is a seed, which gives the numbers of Gammapy, or a generator of numpy.
        """
        drawn = normalize_random(random_state).poisson(np.maximum(np.nan_to_num(self.npred().values), 0.0))
        self._hold(with_counts(self.data, counts=drawn))

    # --- files

    def write(self, filename: str | PathLike[str], overwrite: bool = False) -> None:
        """Write one row; the ending decides: ``.zarr``, ``.fits``, ``.fits.gz``, or ``.yaml`` with OGIP files."""
        [own] = self.fit_inputs()
        files.write_datasets([files.with_mask_fit(own.data, own.mask)], filename, overwrite)

    @classmethod
    def read(cls, filename: str | PathLike[str], name: str | None = None) -> Self:
        """Read a file of one row; raises ``DataError`` when it holds several."""
        groups = files.read_datasets(filename)
        if len(groups) != 1:
            raise DataError(f"{filename} holds {len(groups)} Datasets; read it with Datasets.read.")
        data, mask = files.without_mask_fit(groups[0])
        return cls(data, name=name, mask_fit=None if mask is None else mask[0])

    # --- Gammapy

    def to_gammapy(self) -> Any:
        """Return the row as a dataset of Gammapy, with its models and masks; see ``Datasets.to_gammapy``."""
        [own] = self.fit_inputs()
        return files.collection_of_gammapy([ModelledRows(own.data, self._models, own.mask)])[0]

    @classmethod
    def from_gammapy(cls, dataset: Any) -> Self:
        """Return one dataset of Gammapy as a row, with its models and masks; see ``Datasets.from_gammapy``."""
        taken = files.taken_from_gammapy(dataset)
        data, mask = files.without_mask_fit(taken.data[0])
        return cls(data, taken.models, mask_fit=None if mask is None else mask[0])


class SpectrumDatasetOnOff(SpectrumDataset):
    """A spectrum whose background was measured in off regions; its statistic is wstat. See ``SpectrumDataset``."""

    stat_type: ClassVar[str] = "wstat"

    @property
    def counts_off(self) -> xr.DataArray:
        """Counts in the off regions, dims (region, energy)."""
        return self._variable("counts_off")

    @property
    def acceptance(self) -> xr.DataArray:
        """Relative acceptance of the on-region, dims (region, energy)."""
        return self._variable("acceptance")

    @property
    def acceptance_off(self) -> xr.DataArray:
        """Relative acceptance of the off regions, dims (region, energy)."""
        return self._variable("acceptance_off")

    @property
    def alpha(self) -> xr.DataArray:
        """Ratio of the acceptances, dims (region, energy); 0 where there is no off acceptance."""
        return info.alpha(self.data).isel(dataset=0)

    def fake(self, npred_background: Any, random_state: Any = "random-seed") -> None:  # type: ignore[override]
        """Draw Poisson counts on and off, and show them in place of the counts.

        Parameters
        ----------
        npred_background
            The background that is expected in the on-region, dims (region, energy).
        random_state
            A seed, which gives the numbers of Gammapy, or a generator of numpy.

        Raises
        ------
        ConfigError
            For a background that does not fit the bins, or is negative or not finite.
        """
        expected = normalize_background(npred_background, self.counts.shape)
        random, alpha = normalize_random(random_state), self.alpha.values
        signal = random.poisson(np.maximum(np.nan_to_num(self.npred_signal().values), 0.0))
        background = random.poisson(expected)
        off = random.poisson(np.divide(expected, alpha, out=np.zeros_like(expected), where=alpha > 0))
        self._hold(with_counts(self.data, counts=signal + background, counts_off=off))

    @classmethod
    def from_spectrum_dataset(
        cls, dataset: SpectrumDataset, acceptance: Any = 1.0, acceptance_off: Any = 1.0, counts_off: Any = None,
        name: str | None = None,
    ) -> Self:  # fmt: skip
        """Return a spectrum with a known background as one with off counts, under the same models.

        Without ``counts_off`` these are what the background and the acceptances lead to expect.
        """
        data = on_off_row(dataset.data, acceptance, acceptance_off, counts_off)
        return cls(data, dataset.models, dataset.name if name is None else name, dataset.fit_bins)

    def to_spectrum_dataset(self, name: str | None = None) -> SpectrumDataset:
        """Return the spectrum with alpha times the off counts as its known background, under the same models."""
        data = known_background_row(self.data)
        return SpectrumDataset(data, self._models, self.name if name is None else name, self._mask_fit)


def spectrum_views(group: xr.Dataset) -> list[SpectrumDataset]:
    """Return the views of all rows of a validated DL4 Dataset, of the class that its statistic asks for."""
    view_class = SpectrumDatasetOnOff if info.is_on_off(group) else SpectrumDataset
    positions = itertools.product(range(group.sizes["dataset"]), range(group.sizes["region"]))
    names = info.row_names(group)
    return [view_class.from_row(group, *position, name) for position, name in zip(positions, names, strict=True)]

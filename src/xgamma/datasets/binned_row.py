"""``BinnedRow``: a row whose bins are chosen, merged, added to those of another, drawn anew, written and read."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from os import PathLike
from typing import Any, ClassVar, Self

import numpy as np
import xarray as xr

from xgamma import reduce
from xgamma.axes import BoolArray
from xgamma.datasets import files, geom, info, inputs, made
from xgamma.datasets.row import Row, Shown
from xgamma.errors import ConfigError, ConfigTypeError, DataError
from xgamma.gammapy_methods import SaysInstead
from xgamma.reduce import energy_bins
from xgamma.schema import WINDOWS, bin_dims, has_safe_bin

log = logging.getLogger(__name__)

MOVED = 1e-6
"""Energies differ from the edges that were asked for when they do by more than this, relatively."""


class BinnedRow(SaysInstead, Row[Shown]):
    """A row and the rows that are made of it; see ``Row``."""

    @property
    def data_shape(self) -> tuple[int, ...]:
        """The shape of the counts."""
        return self.bins_shape

    def _like(self, data: xr.Dataset, name: str | None, mask_fit: Any) -> Self:
        return type(self)(data, self._models, self.name if name is None else name, mask_fit)

    def slice_by_energy(self, energy_min: Any = None, energy_max: Any = None, name: str | None = None) -> Self:
        """Return the row in the bins between two energies, which are moved to the nearest edges; models are shared.

        Raises
        ------
        DataError
            When there is no bin between them.
        """
        bins = geom.bins_between(self.energy_axis, energy_min, energy_max, self.name)
        return self.slice_by_idx({"energy": bins}, name)

    def slice_by_idx(self, slices: Mapping[str, slice], name: str | None = None) -> Self:
        """Return the row in some of its bins, ``{"energy": slice(first, last)}``; models are shared.

        Raises ``ConfigError`` for anything but one slice of ``energy``; ``DataError`` for one that holds no bin.
        """
        bins = slices.get("energy")
        if len(slices) != 1 or not isinstance(bins, slice) or bins.step not in (None, 1):
            raise ConfigError(f"slice_by_idx: expected {{'energy': slice(first, last)}}, got {dict(slices)!r}.")
        first, last, _ = bins.indices(self.energy_axis.nbin)
        if last <= first:
            raise DataError(f"{self.name}: expected a slice that holds bins, got {first} to {last}.")
        mask = None if self._mask_fit is None else self._mask_fit.take(range(first, last), self._energy_place)
        return self._like(energy_bins.select_energy(self.data, first, last), name, mask)

    @property
    def _energy_place(self) -> int:
        """The place of the energies among the dims of the counts of one line."""
        return bin_dims(self._arrays).index("energy") - 1

    def resample_energy_axis(self, energy_axis: Any, name: str | None = None) -> Self:
        """Return the row with its safe bins summed into wider ones; models are shared.

        Parameters
        ----------
        energy_axis
            An axis, or edges (``Quantity``, or numbers in TeV); they are moved to the nearest edges of the row, with a
            warning.
        name
            Of the new row, by default that of this one.

        Raises
        ------
        DataError
            When the edges hold no bin of the row.
        """
        edges = geom.edges_among(self.energy_axis, energy_axis, self.name)
        given, taken = geom.normalize_edges(energy_axis), self.energy_axis.edges[edges]
        if len(given) != len(taken) or not np.allclose(given, taken, rtol=MOVED, atol=0):
            said = ", ".join(f"{edge:.4g}" for edge in taken)
            log.warning("%s: the energies asked for are no edges of its bins; taken: %s TeV.", self.name, said)
        mask = None if self._mask_fit is None else energy_bins.merged_mask(self._mask_fit, edges, self._energy_place)
        return self._like(energy_bins.merge_bins(self.data, edges), name, mask)

    def to_image(self, name: str | None = None) -> Self:
        """Return the row with all of its safe bins in one."""
        return self.resample_energy_axis(self.energy_axis.edges[[0, -1]], name)

    def to_masked(self, name: str | None = None) -> Self:
        """Return the row without what is in bins that are not safe."""
        return self._like(self._summed([self.data]), name, self._mask_fit)

    def _summed(self, rows: list[xr.Dataset]) -> xr.Dataset:
        """Return the sum of rows over the safe bins of each, under the name and in the cells of this one."""
        return reduce.stack(reduce.joined_rows(reduce.rows.with_same_variables(rows)), name=self.name)

    def mask_of(self, other: Self) -> BoolArray | None:
        """Return the fit mask of another row in the cells of this one."""
        return other.fit_bins

    def stack(self, other: Self) -> None:
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
        safe = [bool(has_safe_bin(row.data).any()) for row in (self, other)]
        if not any(safe):
            log.warning("%s and %s have no safe bin: nothing is stacked.", self.name, other.name)
            return
        masks = (self._mask_fit, self.mask_of(other))
        summed = self._summed([self.data, other.data])
        self._mask_fit = made.any_mask([mask for mask, is_safe in zip(masks, safe, strict=True) if is_safe])
        self._hold(summed)

    # --- simulated counts

    def fake(self, random_state: Any = "random-seed") -> None:
        """Draw Poisson counts of what is predicted, and show them in place of the counts.

        ``random_state`` is a seed, which gives the numbers of Gammapy, or a generator of numpy.
        """
        expected = self._prediction.total.isel(dataset=0).values
        drawn = made.normalize_random(random_state).poisson(np.maximum(np.nan_to_num(expected), 0.0))
        self._hold(made.with_counts(self.data, counts=drawn))

    # --- files

    def write(self, filename: str | PathLike[str], overwrite: bool = False) -> None:
        """Write one row; the ending decides: ``.zarr``, ``.fits``, ``.fits.gz``, or ``.yaml`` with files beside it."""
        [own] = self.fit_inputs()
        files.write_datasets([inputs.with_mask_fit(own.data, own.mask)], filename, overwrite)

    @classmethod
    def read(cls, filename: str | PathLike[str], name: str | None = None) -> Self:
        """Read a file of one row; raises ``DataError`` when it holds several."""
        groups = files.read_datasets(filename)
        if len(groups) != 1:
            raise DataError(f"{filename} holds {len(groups)} Datasets; read it with Datasets.read.")
        data, mask = inputs.without_mask_fit(groups[0])
        return cls(data, name=name, mask_fit=None if mask is None else mask[0])


def is_map(view: object) -> bool:
    """Whether a view is one of a window of the sky, and not of on-regions or flux points."""
    return isinstance(view, BinnedRow) and view.space == WINDOWS


class OffCounts(BinnedRow[Shown]):
    """A row whose background was measured in off regions; its statistic is wstat."""

    stat_type: ClassVar[str] = "wstat"

    @property
    def counts_off(self) -> Shown:
        """Counts in the off regions, in the dims of the counts."""
        return self._shown(self._array("counts_off"))

    @property
    def acceptance(self) -> Shown:
        """Relative acceptance of the cells, in the dims of the counts."""
        return self._shown(self._array("acceptance"))

    @property
    def acceptance_off(self) -> Shown:
        """Relative acceptance of the off regions, in the dims of the counts."""
        return self._shown(self._array("acceptance_off"))

    @property
    def alpha(self) -> Shown:
        """Ratio of the acceptances, in the dims of the counts; 0 where there is no off acceptance."""
        return self._shown(info.alpha(self.data).isel(dataset=0))

    def fake(self, npred_background: Any, random_state: Any = "random-seed") -> None:  # type: ignore[override]
        """Draw Poisson counts on and off, and show them in place of the counts.

        Parameters
        ----------
        npred_background
            The background that is expected in the on-region, in the dims of the counts.
        random_state
            A seed, which gives the numbers of Gammapy, or a generator of numpy.

        Raises
        ------
        ConfigError
            For a background that does not fit the bins, or is negative or not finite.
        """
        expected = made.normalize_background(npred_background, self.bins_shape)
        random, alpha = made.normalize_random(random_state), info.alpha(self.data).values[0]
        signal = random.poisson(np.maximum(np.nan_to_num(self._prediction.signal.values[0]), 0.0))
        background = random.poisson(expected)
        off = random.poisson(np.divide(expected, alpha, out=np.zeros_like(expected), where=alpha > 0))
        self._hold(made.with_counts(self.data, counts=signal + background, counts_off=off))

    @classmethod
    def _with_off_counts(
        cls, dataset: Row[Any], acceptance: Any, acceptance_off: Any, counts_off: Any, name: str | None
    ) -> Self:
        data = made.on_off_row(dataset.data, acceptance, acceptance_off, counts_off)
        return cls(data, dataset.models, dataset.name if name is None else name, dataset.fit_bins)

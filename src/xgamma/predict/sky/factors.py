"""Counts in windows of the sky that spectra multiply: backgrounds, and maps of predicted counts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import scipy
import xarray as xr
from astropy import units as u

from xgamma import schema
from xgamma.axes import Axis, FloatArray
from xgamma.errors import ConfigError, DataError
from xgamma.models.npred_models import FoVBackgroundModel, NormModel, TemplateNPredModel
from xgamma.models.skymodel import ModelComponent
from xgamma.models.spatial.norms import PiecewiseNormSpatialModel
from xgamma.predict.background import factor_planes
from xgamma.reduce.grids import image_of_row
from xgamma.sky import SkySpace

if TYPE_CHECKING:
    from scipy import sparse

    from xgamma.predict.sky.folding import SkyFolding

_STEP = 1e-3  # of a difference in a value of a spatial part


def template_planes(model: TemplateNPredModel, ds: xr.Dataset, row: int) -> FloatArray:
    """Return the counts of a map in the bins of a row, shape (energy, v, u); 0 beside the map.

    Where its pixels are others, its counts per solid angle are interpolated. A bin may hold several energies of it.

    Raises ``ConfigError`` for a map with other energies.
    """
    table, own = model.table, image_of_row(ds, row)
    planes = _in_bins(table.values, table.axes[0], Axis.from_coords(ds.coords, "energy"), model.name)
    try:
        first = table.space.shift_to(own)
    except DataError:
        return _resampled(planes, table.space, own, model)
    result = np.zeros((len(planes), *own.shape))
    sizes = zip(own.shape, first, table.space.shape, strict=True)
    here = [np.flatnonzero((place >= 0) & (place < most)) for place, most in
            ((np.arange(size) + start, most) for size, start, most in sizes)]  # fmt: skip
    there = [places + start for places, start in zip(here, first, strict=True)]
    result[:, here[0][:, None], here[1]] = planes[:, there[0][:, None], there[1]]
    return result


def _resampled(planes: FloatArray, known: SkySpace, own: SkySpace, model: TemplateNPredModel) -> FloatArray:
    area, area_of_map = (space.solid_angles().reshape(space.shape) for space in (own, known))
    density = np.divide(planes, area_of_map, out=np.zeros_like(planes), where=area_of_map > 0)
    lon, lat = (each.reshape(own.shape) for each in own.positions())
    on_sky = np.isfinite(lon)
    found = model.table.at(np.where(on_sky, lon, 0.0), np.where(on_sky, lat, 0.0), density, False)
    return np.where(on_sky, found * area, 0.0)


def _in_bins(values: FloatArray, axis: Axis, energy: Axis, name: str) -> FloatArray:
    """Return the sums of planes in the bins of another axis, whose edges are among those of the first."""
    edges = axis.edges * float(u.Unit(axis.unit).to("TeV"))
    places = np.abs(np.log(edges[:, None] / energy.edges)).argmin(axis=0)
    if not np.allclose(edges[places], energy.edges, rtol=1e-6, atol=0.0):
        listed = [", ".join(f"{edge:.4g}" for edge in some) for some in (energy.edges, edges)]
        raise ConfigError(
            f"The model {name!r}: expected a map with the edges of energy of the dataset, {listed[0]} TeV, got "
            f"{listed[1]} TeV; make it with these edges, others may lie between."
        )
    return np.add.reduceat(values[: places[-1]], places[:-1], axis=0)


class _Folded(ABC):
    """Counts of bins, each at its energy, times a spectrum."""

    model: NormModel
    energy: FloatArray

    @property
    @abstractmethod
    def matrix(self) -> sparse.csr_matrix:
        """The counts of each bin, at its energy, for a spectrum of 1, shape (bin, energy)."""

    def counts(self, values: Sequence[float] | None = None) -> FloatArray:
        """Return the counts of the bins; ``values`` stand in for those of the spectrum."""
        return np.asarray(self.matrix @ self.model.spectral_model.dnde(self.energy, values))

    def slopes(self, values: Sequence[float], wanted: Sequence[int]) -> FloatArray:
        """Return the derivatives of the spectrum at the energies, shape (wanted, energy)."""
        return self.model.spectral_model.dnde_gradient(self.energy, values, wanted)


class BackgroundFolded(_Folded):
    """The background of rows times a spectrum.

    Parameters
    ----------
    model
        The model.
    energy
        The reconstructed energies at which the spectrum counts, TeV, shape (energy,).
    matrix
        The background of each bin, at its energy, shape (bin, energy).
    """

    def __init__(self, model: FoVBackgroundModel, energy: FloatArray, matrix: sparse.csr_matrix) -> None:
        self.model, self.energy, self._matrix = model, energy, matrix

    @property
    def matrix(self) -> sparse.csr_matrix:
        """The background of each bin, at its energy."""
        return self._matrix


class NormFolded(_Folded):
    """Counts of rows times a spectrum, and maybe times a factor that depends on the position.

    Parameters
    ----------
    model
        The model.
    folding
        The bins.
    """

    def __init__(self, model: NormModel, folding: SkyFolding) -> None:
        model.validate_factors()
        validate_background(model, folding.ds)
        self.model, self._folding, self._ds = model, folding, folding.ds
        self.energy = Axis.from_coords(self._ds.coords, "energy").center
        self._last: tuple[tuple[float, ...], FloatArray] | None = None

    def _row(self, row: int) -> FloatArray:
        """Return the counts of a row at a factor of 1, shape (energy, v, u)."""
        if isinstance(self.model, TemplateNPredModel):
            return template_planes(self.model, self._ds, row)
        planes = self._ds["background"].variable.transpose(*schema.bin_dims(self._ds))
        return np.asarray(planes[row].values, dtype=float)

    def _bins(self, values: Sequence[float] | None) -> FloatArray:
        """Return the counts of the bins at a norm of 1, shape (bin,)."""
        parts = [np.zeros(0)]
        for row, (name, cells) in enumerate(zip(self._folding.names, self._folding.cells, strict=True)):
            if not self.model.applies_to(name):
                parts.append(np.zeros(cells.size))
                continue
            planes = self._row(row)
            if self.model.spatial_model is not None:
                planes = planes * factor_planes(self.model, self._ds, row, values)
            parts.append(cells.values(planes))
        return np.concatenate(parts)

    @cached_property
    def _basis(self) -> FloatArray | None:
        """The counts of the bins for each norm alone, shape (norm, bin), of a factor that is linear in its norms."""
        place = self.model.spatial_model
        if not isinstance(place, PiecewiseNormSpatialModel) or place.rest.get("interp", "lin") != "lin":
            return None
        return np.array([self._bins(unit) for unit in np.eye(len(place.parameters)).tolist()])

    def at(self, place: Sequence[float]) -> FloatArray:
        """Return the counts of the bins at a norm of 1 for values of the spatial part, shape (bin,)."""
        own = tuple(place)
        if self._last is None or self._last[0] != own:
            self._last = own, self._bins(own) if self._basis is None else np.asarray(own) @ self._basis
        return self._last[1]

    def place_slopes(self, place: Sequence[float], wanted: Sequence[int]) -> FloatArray:
        """Return the derivatives of ``at`` in some of the values, shape (wanted, bin)."""
        if self._basis is not None:
            return np.asarray(self._basis[list(wanted)])
        rows = []
        for number in wanted:
            ends = [
                self._bins([value + side * (at == number) for at, value in enumerate(place)])
                for side in (_STEP, -_STEP)
            ]
            rows.append((ends[0] - ends[1]) / (2.0 * _STEP))
        return np.array(rows)

    @cached_property
    def matrix(self) -> sparse.csr_matrix:
        """The counts of each bin, at its energy, for the present spatial part, shape (bin, energy)."""
        own = self._bins(None)
        shape = (len(own), len(self.energy))
        return scipy.sparse.csr_matrix((own, self._folding.energy, np.arange(len(own) + 1)), shape=shape)

    def spectrum(self, values: Sequence[float]) -> FloatArray:
        """Return the norm of each bin, shape (bin,)."""
        return np.asarray(self.model.spectral_model.dnde(self.energy, values)[self._folding.energy])

    def in_bins(self, rows: FloatArray) -> FloatArray:
        """Return rows of values at the energies (row, energy) at those of the bins, shape (row, bin)."""
        return np.asarray(rows[:, self._folding.energy])


def is_uneven(model: ModelComponent) -> bool:
    """Whether a model multiplies the background by a factor that pixels of one energy do not share, or is no factor."""
    return not isinstance(model, FoVBackgroundModel) or model.spatial_model is not None


def validate_background(model: NormModel, ds: xr.Dataset) -> None:
    """Raise ``ConfigError`` for the model of a background that a Dataset does not have."""
    if isinstance(model, FoVBackgroundModel) and "background" not in ds:
        raise ConfigError(
            f"The model {model.name!r} is one of a background, and the dataset {str(ds['dataset'].values[0])!r} has "
            "none; reduce with a background, or remove the model."
        )

"""The response of windows of the sky: models at any place, of any size, as bins of a likelihood see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr
from scipy import sparse

from xgamma import schema
from xgamma.axes import Axis, BoolArray, FloatArray, IntArray
from xgamma.errors import ConfigError
from xgamma.models.models import FoVBackgroundModel, SkyModel
from xgamma.models.spatial.model import SpatialModel
from xgamma.predict.background import alpha, background_model
from xgamma.predict.folding import InTime
from xgamma.predict.sky.sight import Box, Sight, areas, sight
from xgamma.predict.sky.window import Cells, Patch, Window
from xgamma.stats import Counts, JoinedCounts, WstatCounts

BEND = 0.002
"""The length of a difference in a spatial parameter: an angle in pixels, others as a share."""


class SkyFolding:
    """The response of chosen bins of DL4 windows.

    Parameters
    ----------
    ds
        DL4 in windows.
    used
        The bins to use, bool in the dims of the counts.
    """

    def __init__(self, ds: xr.Dataset, used: BoolArray) -> None:
        self.ds = ds
        rows = range(ds.sizes["dataset"])
        self.windows = [Window(ds, row) for row in rows]
        self.names = [window.name for window in self.windows]
        counts = None if "counts_off" in ds else ds["counts"].variable.transpose(*schema.bin_dims(ds)).values
        self.cells = [Cells.of(used[row], None if counts is None else counts[row]) for row in rows]
        self.n_bins = int(np.count_nonzero(used))

    @property
    def edges(self) -> FloatArray:
        """Edges of the true energies, TeV, shape (energy_true + 1,)."""
        return Axis.from_coords(self.ds.coords, "energy_true").edges

    @cached_property
    def starts(self) -> IntArray:
        """The first bin of each row, and the number of all, shape (row + 1,)."""
        return np.cumsum([0, *(cells.size for cells in self.cells)])

    @cached_property
    def dataset(self) -> IntArray:
        """Which of ``names`` each bin belongs to, shape (bin,)."""
        return np.repeat(np.arange(len(self.cells)), np.diff(self.starts))

    @cached_property
    def energy(self) -> IntArray:
        """The bin of reconstructed energy of each bin, shape (bin,)."""
        return np.concatenate([np.zeros(0, np.int64), *(cells.bin_energy for cells in self.cells)])

    def values(self, name: str) -> FloatArray:
        """Return the values of a variable of bins, summed up where bins are joined, shape (bin,)."""
        planes = self.ds[name].variable.transpose(*schema.bin_dims(self.ds))
        found = [cells.values(planes[row].values) for row, cells in enumerate(self.cells)]
        return np.concatenate([np.zeros(0), *found])

    def measured(self, models: Sequence[Any]) -> Counts:
        """Return the counts of the bins; a background that one of the models predicts is none of theirs."""
        if "counts_off" in self.ds:
            ratio = alpha(self.ds)
            found = [cells.values(ratio[row]) for row, cells in enumerate(self.cells)]
            return WstatCounts(self.values("counts"), self.values("counts_off"), np.concatenate(found))
        background = self.values("background") if "background" in self.ds else np.zeros(len(self.dataset))
        is_modelled = np.array([background_model(models, name) is not None for name in self.names], dtype=bool)
        return JoinedCounts(self.values("counts"), np.where(is_modelled[self.dataset], 0.0, background))

    def fold(self, model: SkyModel) -> SkyFolded:
        """Return the prediction of one model for the bins; see ``validate_on_sky``."""
        validate_on_sky(model)
        return SkyFolded(model, self)

    def background(self, model: FoVBackgroundModel) -> BackgroundFolded:
        """Return the prediction of a model of the background for the bins."""
        if "background" not in self.ds:
            raise ConfigError(
                f"The model {model.name!r} is one of a background, and the dataset {self.names[0]!r} has none; reduce "
                "with a background, or remove the model."
            )
        applies = np.array([model.applies_to(name) for name in self.names], dtype=float)
        own = self.values("background") * applies[self.dataset]
        shape = (len(own), self.ds.sizes["energy"])
        matrix = sparse.csr_matrix((own, self.energy, np.arange(len(own) + 1)), shape=shape)
        return BackgroundFolded(model, Axis.from_coords(self.ds.coords, "energy").center, matrix)


def validate_on_sky(model: Any) -> None:
    """Raise ``ConfigError`` for a model that has no place on the sky."""
    if model.spatial_model is None:
        raise ConfigError(
            f"The model {model.name!r} has no spatial model, which a map needs; give it one, such as a point."
        )
    if model.temporal_model is not None:
        model.temporal_model.tables()


@dataclass(frozen=True)
class BackgroundFolded:
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

    model: FoVBackgroundModel
    energy: FloatArray
    matrix: sparse.csr_matrix

    def counts(self, values: Sequence[float] | None = None) -> FloatArray:
        """Return the counts of the bins; ``values`` stand in for those of the spectrum."""
        return np.asarray(self.matrix @ self.model.spectral_model.dnde(self.energy, values))

    def slopes(self, values: Sequence[float], wanted: Sequence[int]) -> FloatArray:
        """Return the derivatives of the spectrum at the energies, shape (wanted, energy)."""
        return self.model.spectral_model.dnde_gradient(self.energy, values, wanted)


class SkyFolded:
    """One model folded with the response of windows: a function of the values of its spectrum and of its place.

    Parameters
    ----------
    model
        The model.
    folding
        The response.
    """

    def __init__(self, model: SkyModel, folding: SkyFolding) -> None:
        self.model, self.folding, self.edges = model, folding, folding.edges
        self.applies = [model.applies_to(name) for name in folding.names]
        self.time = InTime.of(model, [folding.ds], folding.dataset)
        assert model.spatial_model is not None
        self.place: SpatialModel = model.spatial_model
        self._exposures: dict[int, tuple[Box, FloatArray]] = {}
        self._last: tuple[tuple[float, ...], Seen] | None = None

    def at(self, values: Sequence[float] | None = None) -> Seen:
        """Return the model at a place; ``values`` are those of its spatial part, the last are remembered."""
        own = tuple(self.place.canonical_values(values))
        if self._last is None or self._last[0] != own:
            self._last = own, self._seen(own)
        return self._last[1]

    def _seen(self, values: tuple[float, ...]) -> Seen:
        """Return the model at a place, by its canonical values."""
        sights: list[tuple[Window, Sight]] = []
        patches: list[tuple[int, Patch]] = []
        for row, (window, applies) in enumerate(zip(self.folding.windows, self.applies, strict=True)):
            if not applies:
                continue
            rad = self._rad(window)
            found = next((seen for other, seen in sights if _alike(window, rad, other, self._rad(other))), None)
            if found is None:
                found = sight(
                    self.place,
                    values,
                    window.space,
                    rad,
                    Axis.from_coords(self.folding.ds.coords, "energy_true").center,
                )
                sights.append((window, found))
            patch = self._patch(row, window, found)
            if patch is not None:
                patches.append((row, patch))
        return Seen(self.folding, patches)

    def _rad(self, window: Window) -> FloatArray:
        if not self.model.apply_irf.get("psf", True):
            return np.array([window.space.binsize])
        if window.rad is None:
            raise ConfigError(
                f"The dataset {window.name!r} has no point spread function; reduce with one, or write 'psf: false' in "
                f"apply_irf of the model {self.model.name!r}."
            )
        return window.rad

    def _patch(self, row: int, window: Window, seen: Sight) -> Patch | None:
        box = seen.box.within(window.box)
        if not box.size:
            return None
        flags = self.model.apply_irf
        responses = window.responses(seen.lon, seen.lat)
        if flags.get("psf", True) and (responses.psf is None or not responses.psf.any()):
            return None
        edisp = responses.edisp if flags.get("edisp", True) else None
        density = seen.density(responses.psf if flags.get("psf", True) else None)
        if box != seen.box:
            v, u = box.seen_from(seen.box).slices
            density = density.reshape(*seen.box.shape, -1)[v, u].reshape(box.size, -1)
        return Patch(
            density * self._exposure(row, window, box),
            window.same_energies() if edisp is None else edisp,
            box.seen_from(window.box),
            self.folding.cells[row],
        )

    def _exposure(self, row: int, window: Window, box: Box) -> FloatArray:
        """Return area times exposure of the pixels of a box, cm2 s sr, which is kept as long as the box stays."""
        held = self._exposures.get(row)
        if held is None or held[0] != box:
            area = areas(window.space, box)[:, None]
            with_exposure = self.model.apply_irf.get("exposure", True)
            held = self._exposures[row] = box, area * window.exposure(box) if with_exposure else area
        return held[1]

    def __call__(self) -> FloatArray:
        """Return the counts of the bins at the present values."""
        return self.fold(self.model.spectral_model.flux(self.edges))

    def fold(self, flux: FloatArray) -> FloatArray:
        """Return the counts of the bins for fluxes in true energy, cm-2 s-1, at the present place and times."""
        counts = self.at().counts(flux)
        return counts if self.time is None else counts * self.time()

    def gradient(self, values: Sequence[float], flux: FloatArray, wanted: Sequence[int]) -> FloatArray:
        """Return the derivatives of the counts in some of the values of the place, shape (wanted, bin)."""
        rows = np.empty((len(wanted), len(self.folding.dataset)))
        for row, place in enumerate(wanted):
            step = self._step(values, place)
            up, down = list(values), list(values)
            up[place], down[place] = values[place] + step, values[place] - step
            ends = [self._seen(tuple(self.place.canonical_values(at))).counts(flux) for at in (up, down)]
            rows[row] = (ends[0] - ends[1]) / (up[place] - down[place])
        return rows

    def _step(self, values: Sequence[float], place: int) -> float:
        parameter = self.place.parameters[place]
        size = self.folding.windows[0].space.binsize if str(parameter.unit) == "deg" else max(abs(values[place]), 1.0)
        return BEND * size


def _alike(window: Window, rad: FloatArray, other: Window, other_rad: FloatArray) -> bool:
    return window.space == other.space and np.array_equal(rad, other_rad)


class Seen:
    """A model at a place, in the rows that see it.

    Parameters
    ----------
    folding
        The response.
    patches
        The number of each row that sees it, and what it sees.
    """

    def __init__(self, folding: SkyFolding, patches: Sequence[tuple[int, Patch]]) -> None:
        self.folding, self.patches = folding, patches
        self._is_known = False

    @cached_property
    def bins(self) -> IntArray:
        """The numbers of the bins that see the model, shape (seeing,)."""
        found = [self.folding.starts[row] + patch.bins for row, patch in self.patches]
        return np.concatenate([np.zeros(0, np.int64), *found])

    @cached_property
    def matrix(self) -> FloatArray:
        """What each flux of the spectrum adds to these bins, cm2 s, shape (seeing, energy_true)."""
        empty = np.zeros((0, len(self.folding.edges) - 1))
        return np.concatenate([empty, *(patch.matrix for _, patch in self.patches)])

    def counts(self, flux: FloatArray) -> FloatArray:
        """Return the counts of every bin, shape (bin,)."""
        result = np.zeros(len(self.folding.dataset))
        if self._is_known:
            result[self.bins] = self.matrix @ flux
        else:
            # The matrix is worth its making from the second spectrum on.
            result[self.bins] = np.concatenate([np.zeros(0), *(patch.counts(flux) for _, patch in self.patches)])
        self._is_known = True
        return result

    def spread(self, rows: FloatArray) -> FloatArray:
        """Return what rows of fluxes (flux, energy_true) add to every bin, shape (flux, bin)."""
        result = np.zeros((len(rows), len(self.folding.dataset)))
        result[:, self.bins] = rows @ self.matrix.T
        return result

    def gather(self, weights: FloatArray) -> FloatArray:
        """Return the sums of weights of bins times what each flux adds to them, shape (energy_true,)."""
        return np.asarray(weights[self.bins] @ self.matrix)

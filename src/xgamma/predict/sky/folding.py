"""The response of windows of the sky: models at any place, of any size, as bins of a likelihood see them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import scipy
import xarray as xr

from xgamma import schema
from xgamma.axes import Axis, BoolArray, FloatArray, IntArray
from xgamma.errors import ConfigError, DataError
from xgamma.models.models import FoVBackgroundModel, SkyModel
from xgamma.models.npred_models import NormModel
from xgamma.models.spatial.model import SpatialModel
from xgamma.predict.background import background_model
from xgamma.predict.folding import InTime
from xgamma.predict.sky.boxes import Pixels, areas, box_about, center_of
from xgamma.predict.sky.factors import BackgroundFolded, NormFolded, validate_background
from xgamma.predict.sky.sight import Sight, sight
from xgamma.predict.sky.window import Cells, CellsInPixels, Patch, Responses, Slope, Window
from xgamma.sky import SkySpace
from xgamma.stats import Counts, JoinedCounts, WstatCounts

NEARBY = 0.2
"""How far beyond its reach, in deg, a source that moves is looked for in a map."""
NUDGE = 1e-3
"""By how many degrees a place is moved for the derivatives of responses."""


class FarAwayError(Exception):
    """A source is seen in bins that were joined as those that see the background alone."""


class SkyFolding:
    """The response of chosen bins of DL4 windows.

    Parameters
    ----------
    ds
        DL4 in windows.
    used
        The bins to use, bool in the dims of the counts.
    sources
        Models whose sources are all that is looked for, close to where they are now: bins far from them see the
        background alone and are joined. ``None`` for bins that may see anything.
    """

    def __init__(self, ds: xr.Dataset, used: BoolArray, sources: Sequence[SkyModel] | None = None) -> None:
        self.ds = ds
        rows = range(ds.sizes["dataset"])
        self.windows = [Window(ds, row) for row in rows]
        self.names = [window.name for window in self.windows]
        counts = None if "counts_off" in ds else ds["counts"].variable.transpose(*schema.bin_dims(ds)).values
        self.inner = [None if sources is None else seen_of(window, sources) for window in self.windows]
        self.cells = [
            Cells.of(used[row], None if counts is None else counts[row], inner) for row, inner in enumerate(self.inner)
        ]
        self.n_bins = int(np.count_nonzero(used))

    @cached_property
    def edges(self) -> FloatArray:
        """Edges of the true energies, TeV, shape (energy_true + 1,)."""
        return Axis.from_coords(self.ds.coords, "energy_true").edges

    @cached_property
    def energy_true(self) -> FloatArray:
        """The true energies, TeV, shape (energy_true,)."""
        return Axis.from_coords(self.ds.coords, "energy_true").center

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
        result = np.concatenate([np.zeros(0), *found])
        unknown = ~np.isfinite(result)
        if unknown.any():
            raise DataError(
                f"The dataset {self.names[self.dataset[unknown][0]]!r} has {name} that is no number in bins that are "
                "fitted; take them out of its masks."
            )
        return result

    def measured(self, models: Sequence[Any]) -> Counts:
        """Return the counts of the bins; a background that one of the models predicts is none of theirs."""
        if "counts_off" in self.ds:
            ratio = schema.alpha(self.ds)
            found = [cells.values(ratio[row]) for row, cells in enumerate(self.cells)]
            return WstatCounts(self.values("counts"), self.values("counts_off"), np.concatenate(found))
        background = self._background if "background" in self.ds else np.zeros(len(self.dataset))
        is_modelled = np.array([background_model(models, name) is not None for name in self.names], dtype=bool)
        apart = np.zeros(len(self.dataset))
        if any(inner is not None for inner in self.inner):
            dims = schema.bin_dims(self.ds)
            planes = [self.ds[name].variable.transpose(*dims) for name in ("counts", "background")]
            found = [cells.apart(*(each[row].values for each in planes)) for row, cells in enumerate(self.cells)]
            apart = np.concatenate(found)
        return JoinedCounts(self.values("counts"), np.where(is_modelled[self.dataset], 0.0, background), apart)

    def fold(self, model: SkyModel) -> SkyFolded:
        """Return the prediction of one model for the bins; see ``validate_on_sky``."""
        validate_on_sky(model)
        return SkyFolded(model, self)

    def background(self, model: FoVBackgroundModel) -> list[tuple[slice, BackgroundFolded]]:
        """Return the prediction of a model of the background for the bins of all rows, or of each row that it is of."""
        validate_background(model, self.ds)
        applies, parts = [model.applies_to(name) for name in self.names], [slice(0, len(self.dataset))]
        if not all(applies):
            parts = [self.part(row) for row in np.flatnonzero(applies).tolist()]
        energy = Axis.from_coords(self.ds.coords, "energy").center
        found = []
        for part in parts:
            own = self._background[part]
            shape = len(own), len(energy)
            matrix = scipy.sparse.csr_matrix((own, self.energy[part], np.arange(len(own) + 1)), shape=shape)
            found.append((part, BackgroundFolded(model, energy, matrix)))
        return found

    def part(self, row: int) -> slice:
        """Return the bins of a row."""
        return slice(int(self.starts[row]), int(self.starts[row + 1]))

    @cached_property
    def _background(self) -> FloatArray:
        return self.values("background")

    def norm(self, model: NormModel) -> NormFolded:
        """Return the prediction of a model of counts in a map, or of a background with a factor, for the bins."""
        return NormFolded(model, self)


def seen_of(window: Window, sources: Sequence[SkyModel]) -> BoolArray | None:
    """Return the pixels of a window in which sources may be seen, shape (v, u); ``None`` for all.

    A source that may move, or grow, is looked for farther than it reaches now.
    """
    result = np.zeros(window.shape, dtype=bool)
    for model in sources:
        place = model.spatial_model
        reach = np.inf if place is None else place.reach()
        if place is None or not place.has_center or not np.isfinite(reach) or window.rad is None:
            return None
        free = place.parameters.free_parameters
        far = 1.25 * reach + NEARBY if len(free) else reach
        # As the radii of disks, in which round sources are seen, are in steps.
        box = box_about(window.space, *center_of(place, tuple(place.canonical_values())), far + window.rad[-1] + NEARBY)
        inside = box.within(window.box).seen_from(window.box)
        result[inside.slices] = True
    return None if result.all() else result


def validate_on_sky(model: Any) -> None:
    """Raise ``ConfigError`` for a model that has no place on the sky, or is no brightness; opens its tables."""
    if model.spatial_model is None:
        raise ConfigError(
            f"The model {model.name!r} has no spatial model, which a map needs; give it one, such as a point."
        )
    model.validate_brightness()
    if model.temporal_model is not None:
        model.temporal_model.tables()


@dataclass(frozen=True)
class Held:
    """What a row has in some pixels.

    Parameters
    ----------
    pixels
        The pixels of the image.
    chosen
        Those in the window of the row.
    cells
        Its bins there.
    exposure
        Their area and exposure, cm2 s sr, shape (pixel, energy_true or 1).
    changes
        The derivatives of point spread function and energy dispersion in what moves a source, by its place.
    """

    pixels: Pixels
    chosen: IntArray | slice
    cells: CellsInPixels
    exposure: FloatArray
    changes: dict[int, tuple[FloatArray | None, FloatArray | None]] = field(default_factory=dict)


@dataclass(frozen=True)
class View:
    """What a row sees of a model at a place.

    Parameters
    ----------
    row
        The number of the row.
    patch
        The counts of its bins for any spectrum.
    sight
        The model at the place.
    psf
        The point spread function of the row there, sr-1, shape (energy_true, rad); ``None`` for none.
    """

    row: int
    patch: Patch
    sight: Sight
    psf: FloatArray | None


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
        self._flags = {name: model.apply_irf.get(name, True) for name in ("exposure", "psf", "edisp")}
        self._kept: dict[int, Held] = {}
        self._last: tuple[tuple[float, ...], Seen] | None = None
        self._often: tuple[tuple[float, ...], Seen] | None = None

    def at(self, values: Sequence[float] | None = None) -> Seen:
        """Return the model at a place; ``values`` are those of its spatial part.

        The last place is remembered, and the last one that was asked for again: differences return to it.
        """
        own = tuple(self.place.canonical_values(values))
        if self._often is not None and self._often[0] == own:
            return self._often[1]
        if self._last is not None and self._last[0] == own:
            self._often = self._last
        else:
            # Of many rows one place takes much memory: the one before goes first.
            self._last = None
            self._last = own, Seen(self.folding, list(self._views(own)))
        return self._last[1]

    def _views(self, values: tuple[float, ...]) -> Iterator[View]:
        """Yield what each row that sees the model at a place sees of it; ``values`` are canonical."""
        if not np.isfinite(values).all():
            unknown = [name for name, value in zip(self.place.parameters.names, values, strict=True) if value != value]
            raise ConfigError(f"The model {self.model.name!r} has no number for {', '.join(unknown)}; set one.")
        sights: list[tuple[SkySpace, bytes, Sight]] = []
        for row, (window, applies) in enumerate(zip(self.folding.windows, self.applies, strict=True)):
            if not applies:
                continue
            rad = self._rad(window)
            seen = next((one for space, at, one in sights if space == window.space and at == rad.tobytes()), None)
            if seen is None:
                seen = sight(self.place, values, window.space, rad, self.folding.energy_true)
                sights.append((window.space, rad.tobytes(), seen))
            if not seen.pixels.within(window.box).any():
                continue
            responses = window.responses(seen.lon, seen.lat)
            if not self._flags["psf"]:
                yield View(row, self._patch(row, seen, seen.density(None), responses), seen, None)
            elif responses.psf is not None and responses.psf.any():
                yield View(row, self._patch(row, seen, seen.density(responses.psf), responses), seen, responses.psf)

    def _rad(self, window: Window) -> FloatArray:
        if not self._flags["psf"]:
            return np.array([window.space.binsize])
        if window.rad is None:
            raise ConfigError(
                f"The dataset {window.name!r} has no point spread function; reduce with one, or write 'psf: false' in "
                f"apply_irf of the model {self.model.name!r}."
            )
        return window.rad

    def _patch(self, row: int, seen: Sight, density: FloatArray, responses: Responses) -> Patch:
        held = self._held(row, seen.pixels)
        edisp = responses.edisp if self._flags["edisp"] else None
        return Patch(
            density[held.chosen],
            held.exposure,
            self.folding.windows[row].same_energies() if edisp is None else edisp,
            held.cells,
        )

    def _held(self, row: int, pixels: Pixels) -> Held:
        """Return what is kept of the pixels of a row as long as they stay."""
        held = self._kept.get(row)
        if held is None or held.pixels != pixels:
            window = self.folding.windows[row]
            inside = pixels.within(window.box)
            chosen = slice(None) if inside.all() else np.flatnonzero(inside)
            own = Pixels(pixels.v[chosen], pixels.u[chosen], ())
            v, u = own.v - window.box.v0, own.u - window.box.u0
            inner = self.folding.inner[row]
            if inner is not None and not inner[v, u].all():
                raise FarAwayError
            area = areas(window.space, own)[:, None]
            exposure = area * window.exposure(v, u) if self._flags["exposure"] else area
            cells = CellsInPixels(self.folding.cells[row], v, u, window.shape)
            held = self._kept[row] = Held(pixels, chosen, cells, exposure)
        return held

    def __call__(self) -> FloatArray:
        """Return the counts of the bins at the present values."""
        return self.fold(self.model.spectral_model.flux(self.edges))

    def fold(self, flux: FloatArray) -> FloatArray:
        """Return the counts of the bins for fluxes in true energy, cm-2 s-1, at the present place and times."""
        counts = self.at().counts(flux)
        return counts if self.time is None else counts * self.time()

    def gradient(self, values: Sequence[float], flux: FloatArray, wanted: Sequence[int]) -> FloatArray:
        """Return the derivatives of the counts in some of the values of the place, shape (wanted, bin)."""
        rows = np.zeros((len(wanted), len(self.folding.dataset)))
        for row, patch, slopes in self._slopes(values, wanted):
            bins = self.folding.starts[row] + patch.cells.bins
            for number, slope in enumerate(slopes):
                rows[number, bins] = slope.counts(patch, flux)
        return rows

    def gathered(self, values: Sequence[float], wanted: Sequence[int], weights: FloatArray) -> FloatArray:
        """Return the derivatives of the weighted sum of bins in each flux and value, shape (wanted, energy_true)."""
        result = np.zeros((len(wanted), len(self.edges) - 1))
        for row, patch, slopes in self._slopes(values, wanted):
            bins = self.folding.starts[row] + patch.cells.bins
            image = patch.cells.image(weights[bins], patch.edisp.shape[1])
            for number, slope in enumerate(slopes):
                result[number] += slope.gathered(patch, image)
        return result

    def _slopes(self, values: Sequence[float], wanted: Sequence[int]) -> Iterator[tuple[int, Patch, list[Slope]]]:
        """Yield each row that sees the model, what it sees, and how that changes with some of the values."""
        own = tuple(self.place.canonical_values(values))
        factors = [self.place.parameters[place].canonical_factor for place in wanted]
        moving = [place for place in wanted if self.place.has_center and place < 2]
        for view in self.at(values).views:
            held = self._held(view.row, view.sight.pixels)
            if not all(place in held.changes for place in moving):
                # They hardly change within a pixel.
                held.changes.update(self._changes(view.row, own, moving))
            changes = {place: held.changes[place] for place in moving}
            spread = {place: psf for place, (psf, _) in changes.items() if psf is not None}
            found = view.sight.slopes(wanted, view.psf, spread)
            slopes, rough = [], held.exposure.astype(np.float32)
            for place, factor, slope in zip(wanted, factors, found, strict=True):
                edisp = changes.get(place, (None, None))[1]
                exposure = held.exposure if slope.dtype == held.exposure.dtype else rough
                seen = slope[held.chosen] * (exposure if factor == 1 else factor * exposure)
                slopes.append(Slope(seen, None if edisp is None else factor * edisp))
            yield view.row, view.patch, slopes

    def _changes(
        self, row: int, values: tuple[float, ...], moving: Sequence[int]
    ) -> dict[int, tuple[FloatArray | None, FloatArray | None]]:
        """Return the derivatives of the responses of a row in what moves the model, by place."""
        if not moving:
            return {}
        ends = [
            center_of(self.place, tuple(value + side * (number == place) for number, value in enumerate(values)))
            for place in moving
            for side in (NUDGE, -NUDGE)
        ]
        found = self.folding.windows[row].responses_at([lon for lon, _ in ends], [lat for _, lat in ends])

        def slope(name: str, number: int) -> FloatArray | None:
            up, down = (getattr(found[2 * number + side], name) for side in (0, 1))
            if not self._flags[name] or up is None:
                return None
            return np.asarray((up - down) / (2.0 * NUDGE))

        return {place: (slope("psf", number), slope("edisp", number)) for number, place in enumerate(moving)}


class Seen:
    """A model at a place, in the rows that see it.

    Parameters
    ----------
    folding
        The response.
    views
        What each row that sees it sees.
    """

    def __init__(self, folding: SkyFolding, views: Sequence[View]) -> None:
        self.folding, self.views = folding, views
        self._is_known = False

    @cached_property
    def bins(self) -> IntArray:
        """The numbers of the bins that see the model, shape (seeing,)."""
        found = [self.folding.starts[view.row] + view.patch.cells.bins for view in self.views]
        return np.concatenate([np.zeros(0, np.int64), *found])

    @cached_property
    def matrix(self) -> FloatArray:
        """What each flux of the spectrum adds to these bins, cm2 s, shape (seeing, energy_true)."""
        empty = np.zeros((0, len(self.folding.edges) - 1))
        return np.concatenate([empty, *(view.patch.matrix for view in self.views)])

    def counts(self, flux: FloatArray) -> FloatArray:
        """Return the counts of every bin, shape (bin,)."""
        result = np.zeros(len(self.folding.dataset))
        if self._is_known:
            result[self.bins] = self.matrix @ flux
        else:
            # The matrix is worth its making from the second spectrum on.
            result[self.bins] = np.concatenate([np.zeros(0), *(view.patch.counts(flux) for view in self.views)])
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

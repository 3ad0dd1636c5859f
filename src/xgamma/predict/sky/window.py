"""Rows of windows as predictions need them: exposure in any box, responses at any position, the bins that are fitted.

Bins without counts add to a Poisson likelihood what they are predicted to hold, whatever each of them holds: all of a
row and an energy are one bin of no counts. What is left are the bins with counts, of which there are few.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import xarray as xr

from xgamma import schema
from xgamma.axes import BoolArray, FloatArray, IntArray
from xgamma.geometry import lonlat, separation
from xgamma.grid import ORIGIN, SkySpace
from xgamma.predict.folding import same_energies
from xgamma.predict.sky.boxes import Box, Pixels, positions
from xgamma.reduce.nodes import RowResponses, exposure_at
from xgamma.stats import cash
from xgamma.units import CM2_PER_M2


@dataclass(frozen=True)
class Responses:
    """The responses of a row at one position.

    Parameters
    ----------
    psf
        In sr-1, shape (energy_true, rad); ``None`` where the row has none.
    edisp
        Shape (energy_true, energy); ``None`` where the row has none.
    """

    psf: FloatArray | None
    edisp: FloatArray | None


class Window:
    """One row of DL4 windows.

    Parameters
    ----------
    ds
        DL4 in windows.
    row
        The number of the row.
    """

    def __init__(self, ds: xr.Dataset, row: int) -> None:
        self.ds, self.row = ds, row
        self._last: tuple[tuple[float, float], Responses] | None = None
        self.shape = tuple(ds.sizes[dim] for dim in schema.WINDOWS.cells)
        self.space = SkySpace.from_coords(ds.coords, self.shape).image
        v0, u0 = (int(ds.variables[name].values[row]) for name in ORIGIN)
        self.box = Box(v0, v0 + self.shape[0], u0, u0 + self.shape[1])
        self.name = str(ds["dataset"].values[row])

    @cached_property
    def rad(self) -> FloatArray | None:
        """The distances at which its point spread function is known, deg; ``None`` where it has none."""
        if "rad" not in self.ds.coords or not {"psf", "psf_grid"} & set(self.ds.variables):
            return None
        return np.asarray(self.ds["rad"].values, dtype=float)

    @cached_property
    def _responses(self) -> RowResponses:
        return RowResponses(self.ds, self.row)

    def exposure(self, v: IntArray, u: IntArray) -> FloatArray:
        """Return the exposure in pixels (pixel,) of the window, cm2 s, shape (pixel, energy_true)."""
        if "exposure" in self.ds:
            held = self.ds["exposure"].variable.transpose("dataset", "energy_true", ...)[self.row].values
            return np.ascontiguousarray(held[:, v, u].T, dtype=float) * CM2_PER_M2
        lon, lat = lonlat(positions(self.space, Pixels(v + self.box.v0, u + self.box.u0, ())).T)
        some = [int(np.flatnonzero(self.ds.variables[schema.MEMBER_ROW].values == self.row)[0])]
        values = {
            name: self.ds.variables[name].values[some]
            for name in ("member_lon", "member_lat", "exposure_edisp", "node_offset", "reach")
        }
        offset = separation(lon, lat, values["member_lon"][:, None], values["member_lat"][:, None])
        found = exposure_at(values["exposure_edisp"], values["node_offset"], values["reach"], offset)
        return np.ascontiguousarray(found[0].T) * CM2_PER_M2

    def same_energies(self) -> FloatArray:
        """Return the energy dispersion where there is none: energies are what they are reconstructed as.

        Raises ``ConfigError`` for other axes.
        """
        return same_energies(self.ds)

    def responses(self, lon: float, lat: float) -> Responses:
        """Return the responses at an ICRS position in degrees; the last ones are remembered."""
        if self._last is None or self._last[0] != (lon, lat):
            self._last = (lon, lat), self.responses_at([lon], [lat])[0]
        return self._last[1]

    def responses_at(self, lon: Sequence[float], lat: Sequence[float]) -> list[Responses]:
        """Return the responses at each of some positions."""
        found = self._responses.at(lon, lat)
        return [
            Responses(None if found.psf is None else found.psf[n], None if found.edisp is None else found.edisp[n])
            for n in range(len(lon))
        ]


@dataclass(frozen=True)
class Cells:
    """The bins of a row that enter a likelihood: some one by one, then those that are joined, by energy.

    Parameters
    ----------
    energy, v, u
        Of bins one by one: their place in the window, shape (cell,).
    joined
        The bins without counts, which are one by energy, shape (energy, v, u); ``None`` for none.
    outer
        The bins that see the background alone, which are one by energy too, shape (energy, v, u); ``None`` for none.
    """

    energy: IntArray
    v: IntArray
    u: IntArray
    joined: BoolArray | None = None
    outer: BoolArray | None = None

    @classmethod
    def of(cls, used: BoolArray, counts: FloatArray | None, inner: BoolArray | None = None) -> Cells:
        """Return the bins of a row.

        Parameters
        ----------
        used
            Shape (energy, v, u).
        counts
            Those of a Poisson likelihood, whose bins may be joined, shape (energy, v, u).
        inner
            The pixels that sources may be seen in, shape (v, u); all of them by default.
        """
        near = used if inner is None else used & inner
        energy, v, u = np.nonzero(near if counts is None else near & (counts > 0))
        if counts is None:
            return cls(energy, v, u)
        return cls(energy, v, u, near & ~(counts > 0), None if inner is None else used & ~inner)

    @cached_property
    def joined_energy(self) -> IntArray:
        """The energies of joined bins, shape (joined,)."""
        return _energies(self.joined)

    @cached_property
    def outer_energy(self) -> IntArray:
        """The energies of outer bins, shape (outer,)."""
        return _energies(self.outer)

    @property
    def bin_energy(self) -> IntArray:
        """The energy of every bin, shape (bin,)."""
        return np.concatenate([self.energy, self.joined_energy, self.outer_energy])

    @property
    def size(self) -> int:
        """The number of bins."""
        return len(self.energy) + len(self.joined_energy) + len(self.outer_energy)

    def values(self, planes: FloatArray) -> FloatArray:
        """Return the value of every bin of a sum over pixels, from planes (energy, v, u); shape (bin,)."""
        parts = [np.asarray(planes[self.energy, self.v, self.u], dtype=float)]
        for joined, energies in ((self.joined, self.joined_energy), (self.outer, self.outer_energy)):
            if joined is not None:
                parts.append(np.array([planes[one][joined[one]].sum(dtype=float) for one in energies.tolist()]))
        return np.concatenate(parts)

    def apart(self, counts: FloatArray, background: FloatArray) -> FloatArray:
        """Return by how much cash of the outer bins is larger pixel by pixel than joined, shape (bin,).

        Both have the shape (energy, v, u): by the same factor larger backgrounds change nothing of it.
        """
        result = np.zeros(self.size)
        if self.outer is None:
            return result
        first = self.size - len(self.outer_energy)
        for number, energy in enumerate(self.outer_energy.tolist()):
            n, b = (np.asarray(each[energy][self.outer[energy]], dtype=float) for each in (counts, background))
            alone, joined = cash(n, b).sum(), cash(n.sum(), b.sum())
            result[first + number] = alone - joined
        return result


def _energies(bins: BoolArray | None) -> IntArray:
    return np.zeros(0, dtype=np.int64) if bins is None else np.flatnonzero(bins.any(axis=(1, 2)))


class CellsInPixels:
    """The bins of a row in some pixels of its window.

    Parameters
    ----------
    cells
        The bins of the row.
    v, u
        The pixels, each once, shape (pixel,).
    shape
        The number of rows and columns of the window.
    """

    def __init__(self, cells: Cells, v: IntArray, u: IntArray, shape: tuple[int, ...]) -> None:
        self.v, self.u = v, u
        number = np.full(shape, -1)
        number[v, u] = np.arange(len(v))
        pixel = number[cells.v, cells.u]
        chosen = np.flatnonzero(pixel >= 0)
        self.energy, self.pixel, self.joined = cells.energy[chosen], pixel[chosen], cells.joined_energy
        self.used = np.zeros((len(self.joined), len(v)), dtype=np.float32)
        if cells.joined is not None:
            self.used[:] = cells.joined[self.joined[:, None], v, u]
        self.bins = np.concatenate([chosen, len(cells.energy) + np.arange(len(self.joined))])

    def values(self, planes: FloatArray) -> FloatArray:
        """Return the sums of planes (pixel, energy) in each bin, shape (seeing,)."""
        joined = np.einsum("ip,pi->i", self.used, planes[:, self.joined], dtype=float)
        return np.concatenate([planes[self.pixel, self.energy], joined])

    def image(self, weights: FloatArray, n_energy: int) -> FloatArray:
        """Return what ``values`` is to be multiplied with for the sum of weights (seeing,), shape (pixel, energy)."""
        result = np.zeros((len(self.v), n_energy))
        result[:, self.joined] = (self.used * weights[len(self.pixel) :, None]).T
        result[self.pixel, self.energy] = weights[: len(self.pixel)]
        return result


class Patch:
    """What a row shows of a model at one place: predicted counts for any spectrum.

    Parameters
    ----------
    density
        The mean brightness of some pixels, sr-1, shape (pixel, energy_true or 1).
    exposure
        Their area and exposure, cm2 s sr, shape (pixel, energy_true).
    edisp
        Shape (energy_true, energy).
    cells
        The bins of the row in the pixels.
    """

    def __init__(self, density: FloatArray, exposure: FloatArray, edisp: FloatArray, cells: CellsInPixels) -> None:
        self.seen, self.edisp, self.cells = density * exposure, edisp, cells

    def planes(self, flux: FloatArray) -> FloatArray:
        """Return the counts in the pixels for fluxes in cm-2 s-1, shape (energy, pixel)."""
        return np.asarray((self.seen @ (flux[:, None] * self.edisp)).T)

    @cached_property
    def matrix(self) -> FloatArray:
        """What each flux of the spectrum adds to the bins that see the model, cm2 s, shape (seeing, energy_true)."""
        cells = self.cells
        alone = self.seen[cells.pixel] * self.edisp.T[cells.energy]
        return np.concatenate([alone, (cells.used @ self.seen) * self.edisp.T[cells.joined]])

    def counts(self, flux: FloatArray) -> FloatArray:
        """Return what the matrix would for one spectrum, without making it; shape (seeing,)."""
        return self.cells.values(self.seen @ (flux[:, None] * self.edisp))


@dataclass(frozen=True)
class Slope:
    """How a patch changes with a parameter of the place.

    Parameters
    ----------
    seen
        The derivative of ``Patch.seen``.
    edisp
        That of its energy dispersion; ``None`` where it does not change.
    """

    seen: FloatArray
    edisp: FloatArray | None

    def counts(self, patch: Patch, flux: FloatArray) -> FloatArray:
        """Return the derivatives of the counts of the bins for one spectrum, shape (seeing,)."""
        planes = self.seen @ (flux[:, None] * patch.edisp).astype(self.seen.dtype)
        if self.edisp is not None:
            planes = planes + patch.seen @ (flux[:, None] * self.edisp)
        return patch.cells.values(planes)

    def gathered(self, patch: Patch, image: FloatArray) -> FloatArray:
        """Return the derivatives of the sum of weights times counts in each flux, shape (energy_true,).

        ``image`` are the weights as ``CellsInPixels.image``.
        """
        weights = image.astype(self.seen.dtype) @ patch.edisp.T.astype(self.seen.dtype)
        found = np.einsum("pj,pj->j", self.seen, weights, dtype=float)
        if self.edisp is not None:
            found += np.einsum("ij,ji->j", image.T @ patch.seen, self.edisp)
        return np.asarray(found)

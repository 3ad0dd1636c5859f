"""Sources of any shape in an image: convolved by transforms."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np
import scipy
from astropy import units as u

from xgamma.axes import FloatArray, IntArray
from xgamma.geometry import to_frame
from xgamma.models.spatial.model import SpatialModel
from xgamma.predict.sky.boxes import Box, Pixels, box_about, center_of, scales_at
from xgamma.predict.sky.radial import Nodes, in_core, mean_side, nodes_for, places_in, tables
from xgamma.sky import SkySpace

if TYPE_CHECKING:
    from scipy import sparse


MOST_PLACES = 200
"""The most places along the side of a pixel at which a source is evaluated."""
BEND = 0.02
"""The length of a difference in a parameter: an angle in pixels, others as a share."""
_TURN = 10.0  # deg
_STRETCH = 0.005  # A kernel stays what it is until its pixels have changed by so much.


class ImageSight:
    """A source of any shape in an image.

    Parameters
    ----------
    model, values
        The spatial model, and its canonical values.
    space
        The image.
    rad
        The distances at which point spread functions are known, deg, shape (rad,).
    energy
        The true energies, TeV, for a model that depends on them, shape (energy_true,).
    box
        The pixels in which it is looked for, by default those that it reaches.
    """

    def __init__(
        self,
        model: SpatialModel,
        values: tuple[float, ...],
        space: SkySpace,
        rad: FloatArray,
        energy: FloatArray | None = None,
        box: Box | None = None,
    ) -> None:
        self.model, self.values, self.space, self.rad, self.energy = model, values, space, rad, energy
        center, reach = model.center(values), model.reach(values)
        if center is None:
            lon, lat = (float(values[0]) for values in space.sky_of(*(np.array([at]) for at in space.reference_pixel)))
            reach = math.inf
        else:
            lon, lat = center_of(model, values)
        self.lon, self.lat, self.reach = lon, lat, reach
        self.box = box_about(space, lon, lat, reach + float(rad[-1])) if box is None else box
        self.pixels = Pixels.of_box(self.box)
        # The image goes on beyond the box by what the point spread function brings in.
        self.height, self.width = self._sides()
        self.margin = math.ceil(float(rad[-1]) / min(self.height, self.width))

    def _sides(self) -> tuple[float, float]:
        """Return the height and width (deg) of the pixels about the source, which projections stretch, in steps."""
        usual = self.space.binsize, abs(self.space.binsize * self.space.aspect)
        width, height = scales_at(self.space, self.lon, self.lat)
        found = [
            max(round(own / side / _STRETCH), 1) * _STRETCH * side
            for own, side in zip((height, width), usual, strict=True)
        ]
        return found[0], found[1]

    @cached_property
    def _image(self) -> FloatArray:
        """The means over pixels of the box with its margin, sr-1, shape (energy_true or 1, v, u)."""
        box, pad = self.box, self.margin
        node, weight = np.polynomial.legendre.leggauss(self._places)
        inner, share, fine = 0.5 * node, 0.5 * weight, len(node)
        v = np.arange(box.v0 - pad, box.v1 + pad)
        columns = np.arange(box.u0 - pad, box.u1 + pad)
        x = (columns[:, None] + inner).ravel()
        rows = max(1, 400_000 // len(x) // fine)
        parts = []
        for first in range(0, len(v), rows):
            some = v[first : first + rows]
            y = (some[:, None] + inner).ravel()
            lon, lat = self.space.sky_of(x, y[:, None])
            seen = self._evaluate(*to_frame(lon, lat, "icrs", self.model.frame))
            blocks = np.nan_to_num(seen).reshape(-1, len(some), fine, len(columns), fine)
            parts.append(np.einsum("jvaub,a,b->jvu", blocks, share, share))
        return np.concatenate(parts, axis=1)

    @property
    def _places(self) -> int:
        """The number of places along the side of a pixel at which the source is evaluated for a mean."""
        resolution = self.model.resolution(self.values)
        wanted = max(self.height, self.width) / resolution if resolution > 0 else MOST_PLACES
        return min(2 + math.ceil(wanted), MOST_PLACES)

    def _evaluate(self, lon: FloatArray, lat: FloatArray) -> FloatArray:
        if not self.model.is_energy_dependent:
            return self.model.density(lon, lat, self.values)[np.newaxis]
        assert self.energy is not None
        return np.stack([self.model.density_at(lon, lat, energy, self.values) for energy in self.energy.tolist()])

    def density(self, psf: FloatArray | None) -> FloatArray:
        """Return the mean brightness of the pixels, sr-1, shape (pixel, energy_true or 1)."""
        pad, (nv, nu) = self.margin, self.box.shape
        if psf is None:
            return np.ascontiguousarray(self._image[:, pad : pad + nv, pad : pad + nu].reshape(-1, nv * nu).T)
        # A circle is large enough when what goes around it lands in the margin.
        size = [scipy.fft.next_fast_len(n + 2 * pad, real=True) for n in (nv, nu)]
        seen = scipy.fft.rfft2(_sharpened(self._image), size)
        kernel = scipy.fft.rfft2(self._kernels(psf, size), size)
        found = scipy.fft.irfft2(seen * kernel, size)
        # What is below 0 is noise of a transform, or beside a source that is smaller than a pixel: the sum stays.
        held = np.maximum(found, 0.0)
        sums, wanted = (each.sum(axis=(1, 2), keepdims=True) for each in (held, found))
        held *= np.divide(np.maximum(wanted, 0.0), sums, out=np.ones_like(sums), where=sums > 0)
        return np.ascontiguousarray(held[:, pad : pad + nv, pad : pad + nu].reshape(-1, nv * nu).T)

    def slopes(
        self, wanted: Sequence[int], psf: FloatArray | None, changes: Mapping[int, FloatArray]
    ) -> list[FloatArray]:
        """Return the derivatives of ``density``; see ``Sight``."""
        return [self._slope(place, psf, changes.get(place)) for place in wanted]

    def _slope(self, place: int, psf: FloatArray | None, change: FloatArray | None) -> FloatArray:
        ends, step = [], BEND * self._scale(place)
        for side in (step, -step):
            values = tuple(value + side * (number == place) for number, value in enumerate(self.values))
            spread = psf if psf is None or change is None else np.maximum(psf + side * change, 0.0)
            ends.append(ImageSight(self.model, values, self.space, self.rad, self.energy, self.box).density(spread))
        return np.asarray((ends[0] - ends[1]) / (2.0 * step))

    def _scale(self, place: int) -> float:
        """Return a pixel for lengths, some degrees for angles, and 1 for numbers."""
        parameter = self.model.parameters[place]
        if parameter.unit != u.deg:
            return 1.0
        return _TURN if parameter.name == "phi" else self.space.binsize

    def _kernels(self, psf: FloatArray, size: list[int]) -> FloatArray:
        """Return the kernels about the pixel 0 of a circle, each with the sum 1, shape (energy_true, v, u)."""
        rad, side = tuple(self.rad.tolist()), 2 * self.margin + 1
        known = tables(rad, nodes_for(self.rad, 0.0), mean_side(self.space.binsize, self.space.aspect))
        splines = known.of_psf(known.profiles(psf))
        far, near, places = _kernel_weights(known.nodes, self.height, self.width, self.margin)
        found = np.asarray(far @ splines.means)
        found[places] += near @ splines.plain
        values = found.T.reshape(-1, side, side)
        values = values / np.maximum(values.sum(axis=(1, 2), keepdims=True), np.finfo(float).tiny)
        result = np.zeros((len(values), *size))
        result[:, :side, :side] = values
        return np.roll(result, (-self.margin, -self.margin), axis=(1, 2))


@lru_cache(maxsize=4)
def _kernel_weights(
    nodes: Nodes, height: float, width: float, half: int
) -> tuple[sparse.csr_matrix, sparse.csr_matrix, IntArray]:
    """Return the weights of splines of means in the pixels of a kernel, and of plain ones in near pixels, and these.

    Shapes (pixel, node), (near, node), (near,).
    """
    side = max(height, width)
    place, share = places_in(side, nodes)
    at = np.arange(-half, half + 1)
    row, column = (values.ravel() for values in np.meshgrid(at, at, indexing="ij"))
    distance = np.hypot(height * row, width * column)
    is_core = in_core(distance / side)
    near = np.flatnonzero(is_core)
    y, x = row[near, None, None] + place[:, None], column[near, None, None] + place
    within = np.hypot(*np.broadcast_arrays(height * y, width * x)).reshape(len(near), -1)
    weights = is_core[near, None] * np.outer(share, share).ravel()
    return nodes.weights(distance, 1.0 - is_core), nodes.weights(within, weights), near


def _sharpened(image: FloatArray) -> FloatArray:
    """Return the values in the middle of pixels of an image of means over them, to the fourth order of their side.

    The kernels are means over pixels already, and an image is to be spread over them once.
    """
    padded = np.pad(image, ((0, 0), (1, 1), (1, 1)), mode="edge")
    around = padded[:, 2:, 1:-1] + padded[:, :-2, 1:-1] + padded[:, 1:-1, 2:] + padded[:, 1:-1, :-2]
    return np.asarray(image * (1.0 + 4.0 / 24.0) - around / 24.0)

"""Where a source is seen in an image: the means of its brightness over pixels, behind the point spread function."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Protocol

import numpy as np
from scipy import fft, sparse

from xgamma.axes import FloatArray, IntArray
from xgamma.geometry import to_frame, unit_vector
from xgamma.models.spatial.model import SpatialModel
from xgamma.predict.sky.radial import PLACES, Disk, Nodes, nodes_for, psf_profiles, shape_places
from xgamma.sky import SkySpace

CORE = 3.0, 6.0
"""How near to a source, in pixels, means over pixels are taken over places inside of them; on the way less and less."""
MOST_PLACES = 200
"""The most places along the side of a pixel at which a source is evaluated."""

_SHARE = np.outer(PLACES[1], PLACES[1]).ravel()


@dataclass(frozen=True)
class Box:
    """Pixels of an image: the first row and column, and those behind the last."""

    v0: int
    v1: int
    u0: int
    u1: int

    @property
    def shape(self) -> tuple[int, int]:
        """The number of rows and columns."""
        return self.v1 - self.v0, self.u1 - self.u0

    @property
    def slices(self) -> tuple[slice, slice]:
        """The rows and columns."""
        return slice(self.v0, self.v1), slice(self.u0, self.u1)

    @property
    def size(self) -> int:
        """The number of pixels."""
        return max(self.shape[0], 0) * max(self.shape[1], 0)

    def within(self, other: Box) -> Box:
        """Return the pixels that are in another box too."""
        v0, u0 = max(self.v0, other.v0), max(self.u0, other.u0)
        return Box(v0, max(v0, min(self.v1, other.v1)), u0, max(u0, min(self.u1, other.u1)))

    def seen_from(self, other: Box) -> Box:
        """Return the same pixels counted from the first of another box."""
        return Box(self.v0 - other.v0, self.v1 - other.v0, self.u0 - other.u0, self.u1 - other.u0)


class Sight(Protocol):
    """A source at a place in an image, whatever the point spread function."""

    box: Box
    """The pixels of the image in which it is seen."""
    lon: float
    lat: float
    """Where its responses are those of, ICRS in degrees."""

    def density(self, psf: FloatArray | None) -> FloatArray:
        """Return the mean brightness of the pixels of the box, sr-1, shape (pixel, energy_true or 1).

        ``psf`` is the point spread function in sr-1, shape (energy_true, rad); ``None`` for none.
        """


def box_about(space: SkySpace, lon: float, lat: float, reach: float) -> Box:
    """Return the pixels of an image within a reach (deg) of an ICRS position; without one where there are none."""
    x, y = space.pixels_of(np.array([lon]), np.array([lat]))
    ny, nx = space.image.shape
    whole = Box(0, ny, 0, nx)
    if not math.isfinite(reach):
        return whole
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return Box(0, 0, 0, 0)
    half_y, half_x = reach / space.binsize, reach / abs(space.binsize * space.aspect)
    own = Box(
        math.floor(y[0] - half_y), math.ceil(y[0] + half_y) + 1, math.floor(x[0] - half_x), math.ceil(x[0] + half_x) + 1
    )
    return own.within(whole)


def positions(space: SkySpace, box: Box) -> FloatArray:
    """Return the unit vectors (ICRS) to the pixels of a box, shape (3, pixel)."""
    return _vectors(space.image)[:, box.slices[0], box.slices[1]].reshape(3, -1)


@lru_cache(maxsize=4)
def _vectors(space: SkySpace) -> FloatArray:
    lon, lat = space.positions()
    return np.ascontiguousarray(np.moveaxis(unit_vector(lon, lat), -1, 0)).reshape(3, *space.shape)


def distances(vectors: FloatArray, center: FloatArray) -> FloatArray:
    """Return the great-circle distances (deg) of unit vectors, shape (3, ...), to one, shape (3,)."""
    chord = (vectors[0] - center[0]) ** 2
    chord += (vectors[1] - center[1]) ** 2
    chord += (vectors[2] - center[2]) ** 2
    np.sqrt(chord, out=chord)
    return np.asarray(np.rad2deg(2.0 * np.arcsin(np.minimum(0.5 * chord, 1.0))))


class RoundSight:
    """A point, or a round source, at a place in an image.

    Parameters
    ----------
    model, values
        The spatial model, and its canonical values.
    space
        The image.
    rad
        The distances at which point spread functions are known, deg, shape (rad,).
    """

    def __init__(self, model: SpatialModel, values: tuple[float, ...], space: SkySpace, rad: FloatArray) -> None:
        lon, lat = _center(model, values)
        self.model, self.values, self.space, self.rad = model, values, space, rad
        self.reach = model.reach(values)
        self.nodes = nodes_for(rad, self.reach)
        self.lon, self.lat = lon, lat
        self.box = box_about(space, lon, lat, min(self.reach + float(rad[-1]), self.nodes.end))

    @cached_property
    def distance(self) -> FloatArray:
        """The distances of the pixels of the box, deg, shape (pixel,)."""
        return distances(positions(self.space, self.box), unit_vector(self.lon, self.lat))

    @cached_property
    def _weights(self) -> sparse.csr_matrix:
        return self.nodes.weights(self.distance)

    @cached_property
    def _near(self) -> tuple[IntArray, FloatArray, FloatArray, sparse.csr_matrix]:
        """The pixels in the core, how far they are of it, the weights of places in each, and of splines in places."""
        near = np.flatnonzero(self.distance < CORE[1] * self.space.binsize)
        v, u = np.divmod(near, self.box.shape[1])
        place = PLACES[0]
        x = (u + self.box.u0)[:, None, None] + place
        y = (v + self.box.v0)[:, None, None] + place[:, None]
        lon, lat = self.space.sky_of(*np.broadcast_arrays(x, y))
        vectors = np.moveaxis(unit_vector(lon.ravel(), lat.ravel()), -1, 0)
        within = distances(vectors, unit_vector(self.lon, self.lat))
        return near, _in_core(self.distance[near] / self.space.binsize), _SHARE, self.nodes.weights(within)

    def profiles(self, psf: FloatArray | None) -> FloatArray:
        """Return the profiles of the brightness in sr-1, shape (energy_true or 1, node)."""
        if self.reach == 0:
            assert psf is not None
            return psf_profiles(psf, self.rad, self.nodes)
        if psf is None:
            return np.asarray(self.model.profile(self.nodes.distance, self.values))[np.newaxis]
        disk = Disk(self.nodes)
        return disk.profiles(disk.transform(psf_profiles(psf, self.rad, self.nodes)) * self._shape(disk))

    def _shape(self, disk: Disk) -> FloatArray:
        distance, area = shape_places(self.reach)
        return disk.shape_transform(distance, self.model.profile(distance, self.values) * area)

    def density(self, psf: FloatArray | None) -> FloatArray:
        """Return the mean brightness of the pixels of the box, sr-1, shape (pixel, energy_true or 1)."""
        if self.reach == 0 and psf is None:
            return self._shared()
        splines = self.nodes.splines(self.profiles(psf))
        found = np.asarray(self._weights @ (self.nodes.pixel_means(self.space.binsize) @ splines))
        near, is_core, share, weights = self._near
        means = np.einsum("psj,s->pj", (weights @ splines).reshape(len(near), len(share), -1), share)
        found[near] += is_core[:, None] * (means - found[near])
        return found

    def _shared(self) -> FloatArray:
        """Return a point that nothing spreads: in the four pixels around it, in inverse proportion to the distance."""
        x, y = self.space.pixels_of(np.array([self.lon]), np.array([self.lat]))
        v, u = np.mgrid[self.box.slices]
        share = np.maximum(0.0, 1.0 - np.abs(v - y)) * np.maximum(0.0, 1.0 - np.abs(u - x))
        return np.asarray((share / areas(self.space, self.box).reshape(share.shape)).reshape(-1, 1))


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
    """

    def __init__(
        self,
        model: SpatialModel,
        values: tuple[float, ...],
        space: SkySpace,
        rad: FloatArray,
        energy: FloatArray | None = None,
    ) -> None:
        self.model, self.values, self.space, self.rad, self.energy = model, values, space, rad, energy
        center, reach = model.center(values), model.reach(values)
        if center is None:
            lon, lat = (float(values[0]) for values in space.sky_of(*(np.array([at]) for at in space.reference_pixel)))
            reach = math.inf
        else:
            lon, lat = _center(model, values)
        self.lon, self.lat, self.reach = lon, lat, reach
        self.box = box_about(space, lon, lat, reach + float(rad[-1]))
        # The image goes on beyond the box by what the point spread function brings in.
        self.margin = math.ceil(float(rad[-1]) / min(space.binsize, abs(space.binsize * space.aspect)))

    @cached_property
    def _image(self) -> FloatArray:
        """The means over pixels of the box with its margin, sr-1, shape (energy_true or 1, v, u)."""
        box, pad = self.box, self.margin
        node, weight = np.polynomial.legendre.leggauss(self._places)
        inner, share, fine = 0.5 * node, 0.5 * weight, len(node)
        v = np.arange(box.v0 - pad, box.v1 + pad)
        u = np.arange(box.u0 - pad, box.u1 + pad)
        x = (u[:, None] + inner).ravel()
        rows = max(1, 400_000 // len(x) // fine)
        parts = []
        for first in range(0, len(v), rows):
            some = v[first : first + rows]
            y = (some[:, None] + inner).ravel()
            lon, lat = self.space.sky_of(x, y[:, None])
            seen = self._evaluate(*to_frame(lon, lat, "icrs", self.model.frame))
            blocks = np.nan_to_num(seen).reshape(-1, len(some), fine, len(u), fine)
            parts.append(np.einsum("jvaub,a,b->jvu", blocks, share, share))
        return np.concatenate(parts, axis=1)

    @property
    def _places(self) -> int:
        """The number of places along the side of a pixel at which the source is evaluated for a mean."""
        resolution = self.model.resolution(self.values)
        wanted = self.space.binsize / resolution if resolution > 0 else MOST_PLACES
        return min(2 + math.ceil(wanted), MOST_PLACES)

    def _evaluate(self, lon: FloatArray, lat: FloatArray) -> FloatArray:
        if not self.model.is_energy_dependent:
            return self.model.density(lon, lat, self.values)[np.newaxis]
        assert self.energy is not None
        return np.stack([self.model.density_at(lon, lat, energy, self.values) for energy in self.energy.tolist()])

    def density(self, psf: FloatArray | None) -> FloatArray:
        """Return the mean brightness of the pixels of the box, sr-1, shape (pixel, energy_true or 1)."""
        pad, (nv, nu) = self.margin, self.box.shape
        if psf is None:
            return np.ascontiguousarray(self._image[:, pad : pad + nv, pad : pad + nu].reshape(-1, nv * nu).T)
        # A circle is large enough when what goes around it lands in the margin.
        size = [fft.next_fast_len(n + 2 * pad, real=True) for n in (nv, nu)]
        seen = fft.rfft2(_sharpened(self._image), size)
        kernel = fft.rfft2(self._kernels(psf, size), size)
        found = fft.irfft2(seen * kernel, size)[:, pad : pad + nv, pad : pad + nu]
        # What a transform leaves below 0 is its noise.
        return np.ascontiguousarray(np.maximum(found, 0.0).reshape(-1, nv * nu).T)

    def _kernels(self, psf: FloatArray, size: list[int]) -> FloatArray:
        """Return the kernels about the pixel 0 of a circle, each with the sum 1, shape (energy_true, v, u)."""
        nodes = nodes_for(self.rad, 0.0)
        weights = _kernel_weights(nodes, self.space.binsize, abs(self.space.aspect), self.margin)
        side = 2 * self.margin + 1
        values = (weights @ nodes.splines(psf_profiles(psf, self.rad, nodes))).T.reshape(-1, side, side)
        values = values / np.maximum(values.sum(axis=(1, 2), keepdims=True), np.finfo(float).tiny)
        result = np.zeros((len(values), *size))
        result[:, :side, :side] = values
        return np.roll(result, (-self.margin, -self.margin), axis=(1, 2))


@lru_cache(maxsize=4)
def _kernel_weights(nodes: Nodes, binsize: float, aspect: float, half: int) -> FloatArray:
    """Return the weights of the splines of a profile in its means over the pixels of a kernel, shape (pixel, node)."""
    place = PLACES[0]
    at = np.arange(-half, half + 1)
    distance = binsize * np.hypot(at[:, None], aspect * at)
    result = nodes.weights(distance) @ nodes.pixel_means(binsize)
    v, u = np.nonzero(distance < CORE[1] * binsize)
    y, x = (at[v][:, None, None] + place[:, None]), (at[u][:, None, None] + place)
    within = binsize * np.hypot(*np.broadcast_arrays(y, aspect * x))
    near = nodes.weights(within).toarray().reshape(len(v), len(_SHARE), nodes.size)
    result[v * len(at) + u] = np.einsum("psn,s->pn", near, _SHARE)
    return np.asarray(result)


def _sharpened(image: FloatArray) -> FloatArray:
    """Return the values in the middle of pixels of an image of means over them, to the fourth order of their side.

    The kernels are means over pixels already, and an image is to be spread over them once.
    """
    padded = np.pad(image, ((0, 0), (1, 1), (1, 1)), mode="edge")
    around = padded[:, 2:, 1:-1] + padded[:, :-2, 1:-1] + padded[:, 1:-1, 2:] + padded[:, 1:-1, :-2]
    return np.asarray(image * (1.0 + 4.0 / 24.0) - around / 24.0)


def _in_core(pixels: FloatArray) -> FloatArray:
    """Return how far places at distances in pixels are of the core: 1 inside, 0 outside, without a kink."""
    left = np.clip((CORE[1] - pixels) / (CORE[1] - CORE[0]), 0.0, 1.0)
    return np.asarray(left**2 * (3.0 - 2.0 * left))


def areas(space: SkySpace, box: Box) -> FloatArray:
    """Return the solid angles of the pixels of a box, sr, shape (pixel,)."""
    return _areas(space.image)[box.slices].ravel()


@lru_cache(maxsize=4)
def _areas(space: SkySpace) -> FloatArray:
    return space.solid_angles().reshape(space.shape)


def _center(model: SpatialModel, values: tuple[float, ...]) -> tuple[float, float]:
    """Return the ICRS position of a source in degrees."""
    center = model.center(values)
    assert center is not None
    lon, lat = to_frame(center[0], center[1], model.frame, "icrs")
    return float(lon), float(lat)


def sight(
    model: SpatialModel, values: tuple[float, ...], space: SkySpace, rad: FloatArray, energy: FloatArray
) -> Sight:
    """Return a source at a place in an image; see the classes."""
    if model.center(values) is not None and (model.reach(values) == 0 or model.is_round(values)):
        return RoundSight(model, values, space, rad)
    return ImageSight(model, values, space, rad, energy if model.is_energy_dependent else None)

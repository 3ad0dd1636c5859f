"""Round sources seen through round point spread functions: profiles in the distance from the source.

The convolution of two round functions is round. It is taken by a series of Fourier and Bessel in a disk around the
source: one product of matrices for all energies. Where a pixel lies near the source its mean is taken over places
inside of it, elsewhere by the mean of the profile over a pixel.
Source: Lemoine 1994 (J. Chem. Phys. 101, 3936) for the discrete transform of order 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import scipy

from xgamma.axes import FloatArray

if TYPE_CHECKING:
    from scipy import sparse


FINER = 4
"""Nodes of a profile in one step of the axis of the point spread function."""
MOST_NODES = 1024
"""Nodes of a profile are made twice as coarse until there are no more: tables grow with the square of their number."""
TAPER = 0.1
"""The last part of the axis of a point spread function, over which it falls to 0."""
CORE = 3.0, 6.0
"""How near to a source, in pixels, means over pixels are taken over places inside of them; on the way less and less."""
_FEWEST_PLACES, _MOST_PLACES = 4, 32
# So many nodes are a length on which a point spread function changes, and a source that nothing spreads.
_SMOOTH, _SHARP = 12.0, 0.7
_FINER_ALONE = 16
_FEWEST_IN_PIECE = 64
_IN_RING = 32
_DISK_STEP = 0.25  # deg; radii of disks are multiples, so that their tables are made once
_PER_BESSEL, _LAST_BESSEL = 64, 2048


@dataclass(frozen=True)
class Nodes:
    """Distances from a source, 0 and on in equal steps, at which profiles are held.

    Parameters
    ----------
    step
        Degrees.
    size
        The number of nodes; beyond the last a profile is 0.
    fine
        The length on which a profile may change, deg: pixels are divided as finely.
    """

    step: float
    size: int
    fine: float

    @property
    def distance(self) -> FloatArray:
        """The nodes in degrees, shape (node,)."""
        return np.asarray(self.step * np.arange(self.size))

    @property
    def end(self) -> float:
        """The last node in degrees."""
        return self.step * (self.size - 1)

    @property
    def areas(self) -> FloatArray:
        """The weights of the nodes in an integral over the plane, sr, shape (node,)."""
        areas = 2.0 * np.pi * np.deg2rad(self.step) ** 2 * np.arange(self.size)
        # Of Euler and Maclaurin, as what is summed up does not begin level.
        areas[0] = 2.0 * np.pi * np.deg2rad(self.step) ** 2 / 12.0
        return np.asarray(areas)

    def means(self, profile: Callable[[FloatArray], FloatArray]) -> FloatArray:
        """Return the means of a profile in rings about nodes, shape (node,); of one narrower than these 1 in node 0."""
        place, share = unit_places(_IN_RING)
        at = np.abs(self.distance[:, None] + self.step * place)
        weight = share * np.maximum(at, np.finfo(float).tiny)
        found = np.asarray((profile(at) * weight).sum(axis=1) / weight.sum(axis=1))
        if not found.any():
            found[0] = 1.0
        return found

    def weights(self, distance: FloatArray, share: FloatArray | None = None) -> sparse.csr_matrix:
        """Return the weights of the splines of the nodes at distances (deg), shape (place, node).

        The splines are cubic and those of a basis: they are to be multiplied with the coefficients of a profile. What
        they make has continuous second derivatives, is even at 0, and 0 beyond the last node.

        Parameters
        ----------
        distance
            Shape (place,), or (place, part): the sums over the parts.
        share
            Factors, of the same shape.
        """
        t, places = self._places(distance)
        s = 1.0 - t
        data = np.empty((*t.shape, 4))
        data[..., 0] = s * s * s
        data[..., 1] = 4.0 - 3.0 * t * t * (2.0 - t)
        data[..., 2] = 4.0 - 3.0 * s * s * (2.0 - s)
        data[..., 3] = t * t * t
        data *= (1.0 / 6.0) if share is None else share[..., None] / 6.0
        return self._matrix(data, places)

    def slopes(self, distance: FloatArray, share: FloatArray | None = None) -> sparse.csr_matrix:
        """Return the derivatives of ``weights`` in the distances, deg-1."""
        t, places = self._places(distance)
        s = 1.0 - t
        data = np.empty((*t.shape, 4))
        data[..., 0] = -0.5 * s * s
        data[..., 1] = t * (1.5 * t - 2.0)
        data[..., 2] = s * (2.0 - 1.5 * s)
        data[..., 3] = 0.5 * t * t
        data *= (1.0 / self.step) if share is None else share[..., None] / self.step
        return self._matrix(data, places)

    def _places(self, distance: FloatArray) -> tuple[FloatArray, npt.NDArray[np.int32]]:
        """Return how far distances are on their way from each node to the next, and the first of four splines."""
        scaled = np.minimum(distance * (1.0 / self.step), self.size + 1.0)
        first = scaled.astype(np.int32)
        return scaled - first, first

    def _matrix(self, data: FloatArray, first: npt.NDArray[np.int32]) -> sparse.csr_matrix:
        places = first[..., None] + np.arange(-1, 3, dtype=np.int32)
        np.abs(places, out=places)
        if places.max(initial=0) >= self.size:
            data[places >= self.size] = 0.0
            np.minimum(places, self.size - 1, out=places)
        size = len(first)
        ends = np.linspace(0, places.size, size + 1).astype(np.int32)
        matrix = scipy.sparse.csr_matrix((size, self.size))
        # The check of the indices takes longer than the product.
        matrix.data, matrix.indices, matrix.indptr = data.ravel(), places.ravel(), ends
        return matrix


@lru_cache(maxsize=8)
def _through_nodes(size: int) -> FloatArray:
    """Return the inverse of the values of splines at nodes, shape (node, node)."""
    values = np.diag(np.full(size, 4.0)) + np.diag(np.ones(size - 1), 1) + np.diag(np.ones(size - 1), -1)
    values[0, 1] = 2.0
    return np.asarray(np.linalg.inv(values / 6.0))


def places_in(side: float, nodes: Nodes) -> tuple[FloatArray, FloatArray]:
    """Return where in a pixel (side in deg) values are taken for its mean, in units of its side, and their weights."""
    number = math.ceil(side / nodes.fine)
    return unit_places(min(max(number, _FEWEST_PLACES), _MOST_PLACES))


@lru_cache(maxsize=16)
def unit_places(number: int) -> tuple[FloatArray, FloatArray]:
    """Return the places and weights of Gauss and Legendre for a mean from -0.5 to 0.5, shape (number,) each."""
    place, weight = np.polynomial.legendre.leggauss(number)
    return 0.5 * np.asarray(place), 0.5 * np.asarray(weight)


def mean_side(binsize: float, aspect: float) -> float:
    """Return the side (deg) of a square pixel over which a mean is close to that over one that is not square."""
    return binsize * math.hypot(1.0, aspect) / math.sqrt(2.0)


def _pixel_means(nodes: Nodes, binsize: float) -> FloatArray:
    """Return what makes of splines the means over square pixels (side in deg) about nodes, shape (node, node)."""
    place, weight = places_in(binsize, nodes)
    dx, dy = np.meshgrid(place * binsize, place * binsize)
    share = np.outer(weight, weight).ravel()
    # Pixels lie at any angle to the way to the source: the mean of two of them.
    half = math.sqrt(0.5)
    turned = [(dx, dy), (half * (dx - dy), half * (dx + dy))]
    result = np.zeros((nodes.size, nodes.size))
    for along, across in turned:
        distance = np.hypot(nodes.distance[:, None] + along.ravel(), across.ravel())
        result += nodes.weights(distance, np.broadcast_to(0.5 * share, distance.shape)).toarray()
    return result


def nodes_for(rad: FloatArray, reach: float) -> Nodes:
    """Return the nodes of profiles of sources of a reach (deg) behind a point spread function known at ``rad`` (deg).

    As the reach of a source changes in a fit their number changes in large steps only. Steps of ``rad`` may be unequal.
    """
    step = float(np.diff(rad).min()) / FINER if len(rad) > 1 else float(rad[0]) / _FINER_ALONE
    end = float(rad[-1]) + (math.ceil(reach / _DISK_STEP) * _DISK_STEP if reach > 0 else 0.0)
    while end / step >= MOST_NODES:
        step *= 2.0
    return Nodes(step, math.ceil(end / step) + 1, step * (_SMOOTH if len(rad) > 1 else _SHARP))


class Tables:
    """What makes splines of point spread functions, and of round sources behind them.

    Parameters
    ----------
    rad
        The distances at which point spread functions are known, deg, ascending.
    nodes
        Where profiles are held; the disk in which they are convolved ends at the last.
    binsize
        The side of a pixel in deg.
    """

    def __init__(self, rad: tuple[float, ...], nodes: Nodes, binsize: float) -> None:
        self.nodes, self.size = nodes, nodes.size
        through = _through_nodes(nodes.size)
        onto = _onto(rad, nodes)
        # As fine as the nodes of the axis of the point spread function are apart, or the nodes are.
        finest = float(np.diff(rad).min()) if len(rad) > 1 else nodes.step
        zeros = scipy.special.jn_zeros(
            0, max(8, int(nodes.size // max(1.0, min(FINER, finest / nodes.step) * (1 - 1e-9))))
        )
        self.frequency = zeros / nodes.end
        forward = nodes.areas[:, None] * scipy.special.j0(np.multiply.outer(nodes.distance, self.frequency))
        norm = 1.0 / (np.pi * np.deg2rad(nodes.end) ** 2 * scipy.special.j1(zeros) ** 2)
        backward = norm[:, None] * scipy.special.j0(np.multiply.outer(self.frequency, nodes.distance))
        means = through @ _pixel_means(nodes, binsize)
        # Of the nodes that point spread functions reach.
        own = slice(0, onto.shape[1])
        self._onto, self._total = onto, nodes.areas[own]
        self._to_modes = forward[own]
        self._of_nodes = through, means @ through
        self._of_psf = tuple(np.ascontiguousarray(matrix[:, own]) for matrix in self._of_nodes)
        self._of_modes = tuple(matrix @ backward.T for matrix in self._of_nodes)

    def profiles(self, psf: FloatArray) -> FloatArray:
        """Return point spread functions (energy_true, rad) at nodes, at least 0 and of the integral 1, or 0 for none.

        Shape (energy_true, node).
        """
        found = np.maximum(psf @ self._onto, 0.0)
        total = found @ self._total
        return np.asarray(found / np.where(total > 0, total, 1.0)[:, None])

    def changed_profiles(self, psf: FloatArray, change: FloatArray) -> FloatArray:
        """Return the derivative of ``profiles`` for that of the point spread functions."""
        found = psf @ self._onto
        moved, found = np.where(found > 0, change @ self._onto, 0.0), np.maximum(found, 0.0)
        total = found @ self._total
        total = np.where(total > 0, total, 1.0)[:, None]
        return np.asarray((moved - found * ((moved @ self._total)[:, None] / total)) / total)

    def of_psf(self, profiles: FloatArray) -> Splines:
        """Return the splines of ``profiles``."""
        return Splines(*(np.ascontiguousarray(matrix @ profiles.T) for matrix in self._of_psf))

    def of_shape(self, profiles: FloatArray, transform: FloatArray) -> Splines:
        """Return those of a source behind ``profiles``, by its ``transform`` (mode,)."""
        seen = (profiles @ self._to_modes) * transform
        return Splines(*(np.ascontiguousarray(matrix @ seen.T) for matrix in self._of_modes))

    def of_nodes(self, profile: FloatArray) -> Splines:
        """Return those of a profile in sr-1 at nodes that nothing spreads."""
        return Splines(*(np.ascontiguousarray((matrix @ profile)[:, None]) for matrix in self._of_nodes))

    def bessel(self, distance: FloatArray) -> FloatArray:
        """Return the Bessel functions at distances in deg, shape (mode, distance)."""
        return _bessel(np.multiply.outer(self.frequency, distance))


@dataclass(frozen=True)
class Splines:
    """The coefficients of profiles, and of their means over pixels, in sr-1, shape (node, energy_true) each."""

    plain: FloatArray
    means: FloatArray

    def rough(self) -> Splines:
        """Return the same in single precision."""
        return Splines(self.plain.astype(np.float32), self.means.astype(np.float32))

    def stacked(self, others: Sequence[Splines]) -> Splines:
        """Return these and others side by side."""
        every = (self, *others)
        return Splines(np.hstack([one.plain for one in every]), np.hstack([one.means for one in every]))


@lru_cache(maxsize=6)
def tables(rad: tuple[float, ...], nodes: Nodes, binsize: float) -> Tables:
    """Return the tables of an axis of point spread functions, which take some 50 ms to make."""
    return Tables(rad, nodes, binsize)


def _onto(rad: tuple[float, ...], nodes: Nodes) -> FloatArray:
    """Return the weights that interpolate from ``rad`` to the nodes up to its end, shape (rad, node).

    They are cubics between distances, with slopes from both sides, and even about the source. Lines would make the core
    of a point spread function as narrow as a few steps wider than it is.

    Over the last tenth of the way they fall to 0: a source that moves takes no pixel in or out with a jump.
    """
    known = np.array(rad)
    wanted = nodes.distance[: min(nodes.size, math.ceil(known[-1] / nodes.step) + 1)]
    beyond = np.flatnonzero(known > 0)[::-1]
    # The other side of the source.
    order, places = np.concatenate([beyond, np.arange(len(known))]), np.concatenate([-known[beyond], known])
    units = np.eye(len(known))[:, order]
    rows = scipy.interpolate.CubicHermiteSpline(places, units, np.gradient(units, places, axis=1), axis=1)(
        np.minimum(wanted, known[-1])
    )
    left = np.clip((known[-1] - wanted) / (TAPER * known[-1]), 0.0, 1.0)
    return np.asarray(rows * (left**2 * (3.0 - 2.0 * left)))


def _bessel(x: FloatArray) -> FloatArray:
    """Return the Bessel function of order 0 to 1e-9, by cubics between places a 64th apart."""
    if x.max(initial=0.0) >= _LAST_BESSEL:
        return np.asarray(scipy.special.j0(x))
    scaled = x * _PER_BESSEL
    place = scaled.astype(np.int32)
    t = scaled - place
    c0, c1, c2, c3 = _bessel_cubics()
    return np.asarray(c0[place] + t * (c1[place] + t * (c2[place] + t * c3[place])))


@lru_cache(maxsize=1)
def _bessel_cubics() -> tuple[FloatArray, ...]:
    at = np.arange(_LAST_BESSEL * _PER_BESSEL + 1) / _PER_BESSEL
    value, slope = scipy.special.j0(at), -scipy.special.j1(at) / _PER_BESSEL
    rise = np.diff(value)
    return value[:-1], slope[:-1], 3 * rise - 2 * slope[:-1] - slope[1:], slope[:-1] + slope[1:] - 2 * rise


def in_core(pixels: FloatArray) -> FloatArray:
    """Return how far places at distances in pixels are of the core: 1 inside, 0 outside, without a kink."""
    left = np.clip((CORE[1] - pixels) / (CORE[1] - CORE[0]), 0.0, 1.0)
    return np.asarray(left**2 * (3.0 - 2.0 * left))


def core_slope(pixels: FloatArray) -> FloatArray:
    """Return the derivative of ``in_core``."""
    left = np.clip((CORE[1] - pixels) / (CORE[1] - CORE[0]), 0.0, 1.0)
    return np.asarray(-6.0 * left * (1.0 - left) / (CORE[1] - CORE[0]))


def shape_places(reach: float, edges: Sequence[float], nodes: Nodes) -> tuple[FloatArray, FloatArray]:
    """Return places of an integral over a disk of a radius (deg), and the area (sr) that each stands for.

    It is cut where what is integrated is not smooth, at ``edges`` (deg). Places are closer near cuts, where it may rise
    as a root, and fine enough for the waves that the nodes hold.
    """
    cuts = [0.0, *sorted({edge for edge in edges if 0.0 < edge < reach}), reach]
    distance, weight = [], []
    for start, stop in pairwise(cuts):
        # In steps, as each number of places is made once.
        number = _FEWEST_IN_PIECE * (1 + int((stop - start) / (8 * _FEWEST_IN_PIECE * nodes.step)))
        way, share = _towards_ends(number)
        distance.append(start + (stop - start) * way)
        weight.append((stop - start) * share)
    at = np.concatenate(distance)
    return at, 2.0 * np.pi * np.deg2rad(1.0) * np.concatenate(weight) * np.sin(np.deg2rad(at))


@lru_cache(maxsize=16)
def _towards_ends(number: int) -> tuple[FloatArray, FloatArray]:
    """Return places from 0 to 1, closer towards both ends, and their weights in an integral."""
    place, weight = unit_places(number)
    angle = np.pi * (0.5 + place)
    return 0.5 - 0.5 * np.cos(angle), 0.5 * np.pi * np.sin(angle) * weight

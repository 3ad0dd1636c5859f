"""Round sources seen through round point spread functions: profiles in the distance from the source.

The convolution of two round functions is round. It is taken by a series of Fourier and Bessel in a disk around the
source: one product of matrices for all energies. Where a pixel lies near the source its mean is taken over places
inside of it, elsewhere by the mean of the profile over a pixel.
Source: Lemoine 1994 (J. Chem. Phys. 101, 3936) for the discrete transform of order 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import sparse
from scipy.special import j0, j1, jn_zeros

from xgamma.axes import FloatArray

FINER = 4
"""Nodes of a profile in one step of the axis of the point spread function."""
PLACES = np.polynomial.legendre.leggauss(4)[0] / 2, np.polynomial.legendre.leggauss(4)[1] / 2
"""Where in a pixel, in units of its side from its middle, values are taken for its mean, and their weights."""
TAPER = 0.1
"""The last part of the axis of a point spread function, over which it falls to 0."""
_SHAPE_NODES = 256
_DISK_STEP = 0.5  # deg; radii of disks are multiples, so that their tables are made once


@dataclass(frozen=True)
class Nodes:
    """Distances from a source, 0 and on in equal steps, at which profiles are held.

    Parameters
    ----------
    step
        Degrees.
    size
        The number of nodes; beyond the last a profile is 0.
    """

    step: float
    size: int

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

    def weights(self, distance: FloatArray) -> sparse.csr_matrix:
        """Return the weights of the splines of the nodes at distances (deg, any shape), shape (distance, node).

        The splines are cubic and those of a basis: they are to be multiplied with ``splines`` of a profile. What they
        make has continuous second derivatives, is even at 0, and 0 beyond the last node.
        """
        flat = np.ravel(distance) * (1.0 / self.step)
        np.minimum(flat, self.size + 1.0, out=flat)
        first = flat.astype(np.int32)
        t = flat - first
        s = 1.0 - t
        data = np.empty((len(flat), 4))
        data[:, 0] = s**3 / 6.0
        data[:, 1] = (4.0 - 3.0 * t**2 * (2.0 - t)) / 6.0
        data[:, 2] = (4.0 - 3.0 * s**2 * (2.0 - s)) / 6.0
        data[:, 3] = t**3 / 6.0
        places = first[:, None] + np.arange(-1, 3, dtype=np.int32)
        np.abs(places, out=places)
        data[places >= self.size] = 0.0
        np.minimum(places, self.size - 1, out=places)
        ends = np.arange(0, 4 * len(flat) + 1, 4, dtype=np.int32)
        return sparse.csr_matrix((data.ravel(), places.ravel(), ends), shape=(len(flat), self.size))

    def splines(self, profiles: FloatArray) -> FloatArray:
        """Return the coefficients of the splines through profiles (..., node), shape (node, ...)."""
        return np.ascontiguousarray(_through_nodes(self.size) @ profiles.T)

    def pixel_means(self, binsize: float) -> FloatArray:
        """Return what makes of splines those of the means over square pixels (side in deg), shape (node, node)."""
        return _pixel_means(self, binsize)


@lru_cache(maxsize=16)
def _through_nodes(size: int) -> FloatArray:
    """Return the inverse of the values of splines at nodes, shape (node, node)."""
    values = np.diag(np.full(size, 4.0)) + np.diag(np.ones(size - 1), 1) + np.diag(np.ones(size - 1), -1)
    values[0, 1] = 2.0
    return np.asarray(np.linalg.inv(values / 6.0))


@lru_cache(maxsize=16)
def _pixel_means(nodes: Nodes, binsize: float) -> FloatArray:
    place, weight = PLACES
    dx, dy = np.meshgrid(place * binsize, place * binsize)
    share = np.outer(weight, weight).ravel()
    # Pixels lie at any angle to the way to the source: the mean of two of them.
    half = math.sqrt(0.5)
    turned = [(dx, dy), (half * (dx - dy), half * (dx + dy))]
    result = np.zeros((nodes.size, nodes.size))
    for along, across in turned:
        distance = np.hypot(nodes.distance[:, None] + along.ravel(), across.ravel())
        every = nodes.weights(distance).toarray().reshape(nodes.size, len(share), nodes.size)
        result += 0.5 * np.einsum("nsm,s->nm", every, share)
    return np.asarray(_through_nodes(nodes.size) @ result)


def nodes_for(rad: FloatArray, reach: float) -> Nodes:
    """Return the nodes of profiles of sources of a reach (deg) behind a point spread function known at ``rad`` (deg).

    As the reach of a source changes in a fit their number changes in large steps only.
    """
    step = float(rad[1] - rad[0]) / FINER if len(rad) > 1 else float(rad[0]) / FINER
    end = rad[-1] + (math.ceil(reach / _DISK_STEP) * _DISK_STEP if reach > 0 else 0.0)
    return Nodes(step, math.ceil(end / step) + 1)


def psf_profiles(psf: FloatArray, rad: FloatArray, nodes: Nodes) -> FloatArray:
    """Return point spread functions at nodes, sr-1, shape (energy_true, node): linear between ``rad``, integral 1.

    Over the last tenth of the way they fall to 0: a source that moves takes no pixel in or out with a jump.

    Parameters
    ----------
    psf
        In sr-1, shape (energy_true, rad).
    rad
        Degrees, shape (rad,).
    nodes
        Where they are wanted; the functions are 0 beyond the last ``rad``.
    """
    found = psf @ _onto(tuple(rad.tolist()), nodes)
    total = found @ nodes.areas
    return found / np.where(total > 0, total, 1.0)[:, None]


@lru_cache(maxsize=16)
def _onto(rad: tuple[float, ...], nodes: Nodes) -> FloatArray:
    """Return the weights that interpolate linearly from ``rad`` to nodes, shape (rad, node)."""
    known, wanted = np.array(rad), nodes.distance
    rows = np.array([np.interp(wanted, known, unit, right=0.0) for unit in np.eye(len(known))])
    left = np.clip((known[-1] - wanted) / (TAPER * known[-1]), 0.0, 1.0)
    return np.asarray(rows * (left**2 * (3.0 - 2.0 * left)))


@dataclass(frozen=True)
class Disk:
    """The disk in which functions are summed up from Bessel functions that are 0 at its edge.

    Parameters
    ----------
    nodes
        Where profiles are held; the edge is the last of them.
    """

    nodes: Nodes

    @property
    def _zeros(self) -> FloatArray:
        # As fine as the nodes of the axis of the point spread function are apart.
        return _bessel_zeros(max(8, self.nodes.size // FINER))

    @property
    def frequency(self) -> FloatArray:
        """The frequencies of the Bessel functions in deg-1, shape (mode,)."""
        return self._zeros / self.nodes.end

    def transform(self, profiles: FloatArray) -> FloatArray:
        """Return the integrals of profiles (sr-1) at nodes times each Bessel function, shape (..., mode)."""
        return np.asarray(profiles @ _forward(self))

    def shape_transform(self, distance: FloatArray, values: FloatArray) -> FloatArray:
        """Return the same of one profile (sr-1), known at places of an integral with weights, shape (mode,)."""
        return np.asarray(j0(np.multiply.outer(self.frequency, distance)) @ values)

    def profiles(self, transforms: FloatArray) -> FloatArray:
        """Return the profiles (sr-1) at the nodes of transforms, shape (..., node)."""
        return np.asarray(transforms @ _backward(self))


@lru_cache(maxsize=8)
def _bessel_zeros(size: int) -> FloatArray:
    return np.asarray(jn_zeros(0, size))


@lru_cache(maxsize=8)
def _forward(disk: Disk) -> FloatArray:
    return np.asarray(disk.nodes.areas[:, None] * j0(np.multiply.outer(disk.nodes.distance, disk.frequency)))


@lru_cache(maxsize=8)
def _backward(disk: Disk) -> FloatArray:
    norm = 1.0 / (np.pi * np.deg2rad(disk.nodes.end) ** 2 * j1(disk._zeros) ** 2)
    return np.asarray(norm[:, None] * j0(np.multiply.outer(disk.frequency, disk.nodes.distance)))


def shape_places(reach: float) -> tuple[FloatArray, FloatArray]:
    """Return places of an integral over a disk of a radius (deg), and the area (sr) that each stands for."""
    node, weight = _gauss_legendre()
    distance = 0.5 * reach * (node + 1.0)
    return distance, np.pi * reach * weight * np.deg2rad(1.0) * np.sin(np.deg2rad(distance))


@lru_cache(maxsize=1)
def _gauss_legendre() -> tuple[FloatArray, FloatArray]:
    node, weight = np.polynomial.legendre.leggauss(_SHAPE_NODES)
    return np.asarray(node), np.asarray(weight)

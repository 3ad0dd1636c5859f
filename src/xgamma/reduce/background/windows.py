"""The expected background of all pixels of a window of the sky, in single precision.

Source: GADF 0.3, background (bkg_2d, bkg_3d). It is the formula of ``irf``: logarithms of the rate are interpolated,
and between the edges of a bin the rate is a power law. Here the logarithms at the edges are those of small tables,
times a sparse matrix of the shares of nodes in pixels, and planes are made one after the other, in pieces of an image.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy.sparse import csr_array

from xgamma.axes import Axis, BoolArray, FloatArray, IntArray
from xgamma.geometry import unit_vector
from xgamma.grid import SkySpace
from xgamma.irf import LOG_OF_NO_RATE, background_rate, field_weights, log_rates, stored_rates

Float32Array = npt.NDArray[np.float32]
# The pixels of a piece, so that its arrays stay in the caches of a core.
PIECE = 16384
# Nodes that single precision has shifted are even: the cell of a place is then found to the next one.
_UNEVEN = 1e-3
# Up to them sinh(z) / z is a polynomial of z^2, to 4e-8 and better; beyond the second one it is the formula itself.
_SMALL, _LARGE = 1.0, 2.0


def _polynomial(largest: float, degree: int) -> Float32Array:
    def ratio(square: FloatArray) -> FloatArray:
        return np.asarray(np.sinh(np.sqrt(square)) / np.sqrt(square))

    found = np.polynomial.Chebyshev.interpolate(ratio, degree, [0.0, largest**2])
    return np.asarray(found.convert(kind=np.polynomial.Polynomial).coef, dtype=np.float32)


_OF_SMALL, _OF_LARGE = _polynomial(_SMALL, 3), _polynomial(_LARGE, 5)


@dataclass(frozen=True)
class FieldOfView:
    """How the field of view of a run lies on the sky.

    Parameters
    ----------
    lon, lat
        The pointing, ICRS degrees.
    sign
        1 where the longitude of the field grows to the east, -1 where it grows to the west.
    angles
        By how many degrees its north is turned from that of the sky through east, in the middle of equal shares of the
        good time, shape (share,).
    """

    lon: float
    lat: float
    sign: float = 1.0
    angles: tuple[float, ...] = (0.0,)

    @cached_property
    def basis(self) -> FloatArray:
        """Unit vectors along the pointing, to its east and to its north, shape (3, 3)."""
        ahead, east = unit_vector(self.lon, self.lat), unit_vector(self.lon + 90.0, 0.0)
        return np.stack([ahead, east, np.cross(ahead, east)])

    def places(self, vectors: FloatArray, names: Sequence[str]) -> list[dict[str, FloatArray]]:
        """Return coordinates in the field in degrees of unit vectors, shape (3, place), for each share of the time."""
        ahead, east, north = self.basis @ vectors
        if "offset" in names:
            return [{"offset": np.rad2deg(np.arctan2(np.hypot(east, north), ahead))}]
        found = []
        for angle in np.deg2rad(self.angles):
            sine, cosine = np.sin(angle), np.cos(angle)
            right, up = (east * cosine - north * sine, north * cosine + east * sine) if angle else (east, north)
            lon, lat = np.arctan2(right, ahead), np.arcsin(np.clip(up, -1.0, 1.0))
            found.append({"fov_lon": (self.sign * 180.0 / np.pi) * lon, "fov_lat": (180.0 / np.pi) * lat})
        return found


def window_vectors(space: SkySpace, origin: IntArray) -> Iterator[FloatArray]:
    """Yield ICRS unit vectors of the pixels of windows, shape (3, v, u), with the origins (row, 2).

    Where windows overlap much those of the image are computed once.
    """
    different = np.unique(origin, axis=0)
    height, width = space.shape
    if len(different) > 1 and len(different) * np.prod(space.shape) > np.prod(space.image.shape):
        image = _vectors(space.image, different[0] * 0)
        for v, u in origin:
            yield image[:, v : v + height, u : u + width]
        return
    known: dict[tuple[int, ...], FloatArray] = {}
    for own in origin:
        key = tuple(own.tolist())
        if key not in known:
            known = {key: _vectors(space, own)}
        yield known[key]


def _vectors(space: SkySpace, origin: IntArray) -> FloatArray:
    return np.ascontiguousarray(unit_vector(*space.positions(origin)).T).reshape(3, *space.shape)


class _Hats(NamedTuple):
    """Where some pixels lie between the nodes of a table: the share of each node in each pixel, shape (pixel, node).

    ``beyond`` are the pixels whose logarithms are extrapolated and that lie beside nodes without a rate: they have the
    logarithms ``logs``, shape (edge, pixel).
    """

    shares: Any
    inside: BoolArray | None
    beyond: IntArray
    logs: FloatArray


@dataclass(frozen=True)
class RateTable:
    """The rate of one response at the nodes of its field of view, and its logarithms at energies.

    Parameters
    ----------
    stored, row
        The table and the ``irf`` number, as in ``irf.background_rate``.
    energy
        The axis of reconstructed energies.
    axes
        The axes of the field by name.
    values
        The rate, shape (node of the energy, node, ...).
    edges
        Reconstructed energies in TeV, shape (edge,).
    """

    stored: xr.Dataset
    row: int
    energy: Axis
    axes: Mapping[str, Axis]
    values: npt.NDArray[np.float32]
    edges: FloatArray

    @classmethod
    def read(cls, stored: xr.Dataset, rows: IntArray, edges: FloatArray) -> list[RateTable]:
        """Read the responses of some rows, by their ``irf`` numbers, shape (row,)."""
        names = [str(name) for name in stored["bkg"].dims if name not in ("irf", "energy")]
        axes = {name: Axis.from_coords(stored.coords, name) for name in ("energy", *names)}
        values, numbers = stored_rates(stored, rows, tuple(axes))
        energy = axes.pop("energy")
        return [
            cls(stored, row, energy, axes, values[number], edges)
            for row, number in zip(rows.tolist(), numbers.tolist(), strict=True)
        ]

    @cached_property
    def logs(self) -> FloatArray:
        """The logarithms at the nodes, shape (edge, node)."""
        return log_rates(self.energy, self.values, self.edges).reshape(len(self.edges), -1)

    @cached_property
    def top(self) -> FloatArray:
        """The largest of each edge, shape (edge,)."""
        return np.asarray(self.logs.max(axis=1))

    @cached_property
    def low(self) -> FloatArray:
        """The smallest of each edge, shape (edge,)."""
        return np.asarray(self.logs.min(axis=1))

    @cached_property
    def halves(self) -> Float32Array:
        """Half of what the logarithms lie below the largest, shape (node, edge): small where the rate is large."""
        return np.ascontiguousarray(0.5 * (self.logs - self.top[:, None]).T, dtype=np.float32)

    @cached_property
    def steps(self) -> list[int]:
        """By how many nodes the corners of a cell of the table lie behind the first."""
        sizes = [axis.nbin for axis in self.axes.values()]
        behind = [int(np.prod(sizes[number + 1 :])) if size > 1 else 0 for number, size in enumerate(sizes)]
        return [
            sum(up * step for up, step in zip(corner, behind, strict=True))
            for corner in product((0, 1), repeat=len(sizes))
        ]

    def hats(self, places: Mapping[str, FloatArray]) -> _Hats:
        """Return where places lie between the nodes, each array of shape (pixel,)."""
        node: IntArray | None = None
        inside: BoolArray | None = None
        uppers, extrapolated = [], np.zeros((), dtype=bool)
        for name, axis in self.axes.items():
            lower, upper, within = _between(axis, places[name])
            node = lower if node is None else node * axis.nbin + lower
            if not within.all():
                inside = within if inside is None else inside & within
                # Far outside, a logarithm that is extrapolated is no number.
                upper = np.where(within, upper, 0.0)
            if axis.name != "offset" and axis.nbin > 1:
                extrapolated = extrapolated | (places[name] < axis.center[0]) | (places[name] > axis.center[-1])
            uppers.append(upper.astype(np.float32))
        assert node is not None
        beyond = self._beyond(extrapolated, inside)
        exact = self._exact_logs({name: values[beyond] for name, values in places.items()})
        return _Hats(self._shares(node, uppers), inside, beyond, exact)

    def _shares(self, node: IntArray, uppers: Sequence[Float32Array]) -> Any:
        """Return the shares of the nodes as a sparse matrix: those of the corners of a cell in each pixel."""
        corners = list(product((0, 1), repeat=len(uppers)))
        shares = np.empty((len(node), len(corners)), dtype=np.float32)
        nodes = np.empty(shares.shape, dtype=np.int32)
        for number, (corner, step) in enumerate(zip(corners, self.steps, strict=True)):
            # The last corner may lie beyond the table, and then has no share.
            np.minimum(node + step, len(self.halves) - 1, out=nodes[:, number], casting="same_kind")
            shares[:, number] = math.prod(
                upper if up else np.float32(1) - upper for up, upper in zip(corner, uppers, strict=True)
            )
        first = np.arange(0, shares.size + 1, len(corners), dtype=np.int32)
        return csr_array((shares.ravel(), nodes.ravel(), first), shape=(len(node), len(self.halves)), copy=False)

    def _beyond(self, extrapolated: BoolArray, inside: BoolArray | None) -> IntArray:
        """Return which pixels are extrapolated where the table has nodes without a rate."""
        if not extrapolated.any() or self.low.min() > LOG_OF_NO_RATE:
            return np.empty(0, dtype=np.int64)
        return np.flatnonzero(extrapolated if inside is None else extrapolated & inside)

    def _exact_logs(self, places: Mapping[str, FloatArray]) -> FloatArray:
        if not len(next(iter(places.values()))):
            return np.empty((len(self.edges), 0))
        own = {name: values[None] for name, values in places.items()}
        rate = background_rate(self.stored, np.array([self.row]), own, self.edges)[0].T
        return np.asarray(np.log(np.where(rate > 0, rate, np.exp(LOG_OF_NO_RATE - 1.0))))

    def halves_at(self, hats: _Hats) -> Float32Array:
        """Return half of what the logarithms of pixels lie below the largest, shape (edge, pixel)."""
        found = np.ascontiguousarray((hats.shares @ self.halves).T)
        if len(hats.beyond):
            found[:, hats.beyond] = 0.5 * (hats.logs - self.top[:, None])
        return found


def _between(axis: Axis, values: FloatArray) -> tuple[IntArray, FloatArray, BoolArray]:
    """Return the same as ``irf.field_weights``, faster where the nodes are about evenly spaced."""
    nodes, steps = axis.center, np.diff(axis.center)
    if axis.name == "offset" or axis.scale == "log" or axis.nbin < 2 or np.ptp(steps) > _UNEVEN * steps[0]:
        return field_weights(axis, values)
    lower = ((values - nodes[0]) * ((axis.nbin - 1) / (nodes[-1] - nodes[0]))).astype(np.int64)
    np.clip(lower, 0, axis.nbin - 2, out=lower)
    return lower, (values - nodes[lower]) / steps[lower], (values >= axis.edges[0]) & (values <= axis.edges[-1])


def sinhc(z: Float32Array, largest: float, factor: float = 1.0) -> Float32Array:
    """Return factor * sinh(z) / z in single precision where z is at most 2; ``largest`` is that of all."""
    square = z * z
    if largest > _LARGE:
        np.minimum(square, np.float32(_LARGE**2), out=square)
    terms = (factor * (_OF_SMALL if largest <= _SMALL else _OF_LARGE)).astype(np.float32)
    found = square * terms[-1]
    for term in terms[-2:0:-1]:
        found += term
        found *= square
    found += terms[0]
    return np.asarray(found)


def _steep(before: Float32Array, after: Float32Array, step: float, factor: float) -> FloatArray:
    """Return what ``_integral`` does where parts of it alone are no numbers of single precision."""
    mean = before.astype(float) + after
    half = np.abs(after.astype(float) - before + step)
    return np.asarray(factor * 0.5 * (np.exp(mean + half) - np.exp(mean - half)) / half)


def expected_in_window(
    table: RateTable, view: FieldOfView, vectors: FloatArray, areas: FloatArray, oversampling: int, out: Float32Array
) -> None:
    """Put the expected counts of each pixel into ``out``, shape (energy, v, u); 0 where no rate is known.

    Parameters
    ----------
    table
        The rate at the edges of the bins, each of them in ``oversampling`` steps.
    view
        How its field of view lies on the sky.
    vectors
        ICRS unit vectors of the pixels, shape (3, v, u), NaN where a pixel is not on the sky.
    areas
        The solid angles of the pixels in sr times the seconds of good time, shape (v, u).
    oversampling
        The steps in each bin of energy.
    out
        Single precision. It is within 1e-6 of the largest of its plane.
    """
    height, width = out.shape[1:]
    length = max(1, PIECE // width)
    for first in range(0, height, length):
        piece = slice(first, first + length)
        pixels, own = vectors[:, piece].reshape(3, -1), areas[piece].astype(np.float32).ravel()
        if not np.isfinite(pixels.sum()):
            is_sky = np.isfinite(pixels).all(axis=0)
            pixels, own = np.where(is_sky, pixels, 0.0), own * is_sky
        looks = [table.hats(places) for places in view.places(pixels, list(table.axes))]
        _fill(table, looks, own, oversampling, out[:, piece])


def _fill(table: RateTable, looks: Sequence[_Hats], areas: Float32Array, steps: int, out: Float32Array) -> None:
    """Put the expected counts of the pixels of a piece into ``out``, shape (energy, v, u)."""
    halves = table.halves_at(looks[0]) if len(looks) == 1 else _of_mean_rate(table, looks)
    if len(looks) == 1 and looks[0].inside is not None:
        areas = areas * looks[0].inside
    is_cut = len(looks) > 1 or len(looks[0].beyond) > 0
    for energy, plane in enumerate(out):
        total: Float32Array | None = None
        for edge in range(energy * steps, (energy + 1) * steps):
            found = _integral(table, edge, halves[edge], halves[edge + 1], is_cut)
            total = found if total is None else _sum_of_known(total, found)
        assert total is not None
        np.multiply(total.reshape(plane.shape), areas.reshape(plane.shape), out=plane)


def _sum_of_known(one: Float32Array, other: Float32Array) -> Float32Array:
    return np.asarray(np.where((one > 0) & (other > 0), one + other, np.float32(0)))


def _of_mean_rate(table: RateTable, looks: Sequence[_Hats]) -> Float32Array:
    """Return half of what the logarithms of the mean rate of a field that turns lie below the largest."""
    no_rate = (0.5 * (LOG_OF_NO_RATE - table.top)).astype(np.float32)[:, None]
    total = np.zeros((len(table.edges), looks[0].shares.shape[0]), dtype=np.float32)
    for look in looks:
        found = table.halves_at(look)
        rate = np.exp(np.float32(2) * found)
        rate *= found > no_rate
        total += rate if look.inside is None else rate * look.inside
    total /= np.float32(len(looks))
    with np.errstate(divide="ignore"):
        return np.asarray(np.maximum(np.float32(0.5) * np.log(total), no_rate - np.float32(1.0)))


def _integral(table: RateTable, edge: int, before: Float32Array, after: Float32Array, is_cut: bool) -> Float32Array:
    """Return the integral of the power law from one edge to the next one; 0 beside a rate of 0.

    ``before`` and ``after`` are half of what the logarithms lie below the largest. ``is_cut`` says that there may be
    pixels without a rate between nodes that have one.
    """
    (low, high), top = table.edges[edge : edge + 2], table.top[edge : edge + 2]
    if top.min() <= LOG_OF_NO_RATE:
        return np.zeros_like(before)
    width = np.log(high / low)
    factor = float(np.exp(0.5 * top.sum()) * np.sqrt(low * high) * width)
    step = float(0.5 * (top[1] - top[0] + width))
    found, half = before + after, after - before
    half += np.float32(step)
    largest = max(float(half.max(initial=0.0)), -float(half.min(initial=0.0)))
    np.exp(found, out=found)
    found *= sinhc(half, largest, factor)
    if largest > _LARGE:
        far = np.flatnonzero(np.abs(half) > _LARGE)
        found[far] = _steep(before[far], after[far], step, factor)
    if is_cut or table.low[edge : edge + 2].min() <= LOG_OF_NO_RATE:
        for values, highest in zip((before, after), top, strict=True):
            found *= values > np.float32(0.5 * (LOG_OF_NO_RATE - highest))
    return np.asarray(found)

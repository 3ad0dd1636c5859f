"""The expected background of all pixels of a window of the sky, in single precision.

Source: GADF 0.3, background (bkg_2d, bkg_3d). It is the formula of ``irf``: logarithms of the rate are interpolated,
and between the edges of a bin the rate is a power law. Here they are interpolated between the nodes of small tables by
a sparse matrix of the shares of nodes in pixels, for all energies of a piece of the image at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import scipy
import xarray as xr

from xgamma.axes import Axis, BoolArray, FloatArray, IntArray
from xgamma.geometry import unit_vector
from xgamma.grid import SkySpace
from xgamma.irf import LOG_OF_NO_RATE, background_rate, field_weights, log_rates, stored_rates

Float32Array = npt.NDArray[np.float32]
# The pixels of a piece, so that its arrays stay in the caches of a core.
PIECE = 8192
# Nodes that single precision has shifted by such a part of a step are even, but beside those without a rate, towards
# which it falls by many orders of magnitude.
_NEARLY_EVEN, _EVEN = 3e-6, 1e-12
# Up to them sinh(z) / z is a polynomial of z^2, to 4e-8 and better; beyond the last one it is the formula itself.
_LIMITS, _DEGREES = (0.4, 1.0, 2.0), (2, 3, 5)


def _polynomial(largest: float, degree: int) -> Float32Array:
    def ratio(square: FloatArray) -> FloatArray:
        return np.asarray(np.sinh(np.sqrt(square)) / np.sqrt(square))

    found = np.polynomial.Chebyshev.interpolate(ratio, degree, [0.0, largest**2])
    return np.asarray(found.convert(kind=np.polynomial.Polynomial).coef, dtype=np.float32)


_POLYNOMIALS = tuple(_polynomial(limit, degree) for limit, degree in zip(_LIMITS, _DEGREES, strict=True))


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
        """ICRS unit vectors along the pointing, to its east and to its north, shape (3, 3)."""
        ahead, east = unit_vector(self.lon, self.lat), unit_vector(self.lon + 90.0, 0.0)
        return np.stack([ahead, east, np.cross(ahead, east)])

    def places(self, seen: FloatArray, names: Sequence[str]) -> Iterator[dict[str, FloatArray]]:
        """Yield coordinates in the field in degrees for each share of the time.

        ``seen`` are unit vectors along the pointing, to its east and to its north, shape (3, place).
        """
        ahead, east, north = seen
        if "offset" in names:
            yield {"offset": np.rad2deg(np.arctan2(np.sqrt(east * east + north * north), ahead))}
            return
        for angle in np.deg2rad(self.angles):
            sine, cosine = np.sin(angle), np.cos(angle)
            right, up = (east * cosine - north * sine, north * cosine + east * sine) if angle else (east, north)
            lon, lat = np.arctan2(right, ahead), np.arcsin(np.clip(up, -1.0, 1.0))
            lon *= self.sign * 180.0 / np.pi
            lat *= 180.0 / np.pi
            yield {"fov_lon": lon, "fov_lat": lat}


class _Hats(NamedTuple):
    """Where some pixels lie between the nodes of a table: the share of each node in each pixel, shape (pixel, node).

    ``inside`` are the pixels of which the table says a rate, ``None`` for all. ``beyond`` are those whose logarithms
    are extrapolated and that lie beside nodes without a rate: they have the logarithms ``logs``, shape (pixel, edge).
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
    def has_holes(self) -> bool:
        """Whether there is no rate at any node of any edge."""
        return bool(self.logs.min() <= LOG_OF_NO_RATE)

    @cached_property
    def no_rate(self) -> Float32Array:
        """Half of what the logarithm of no rate lies below the largest, shape (edge,)."""
        return np.asarray(0.5 * (LOG_OF_NO_RATE - self.top), dtype=np.float32)

    @cached_property
    def halves(self) -> Float32Array:
        """Half of what the logarithms lie below the largest, shape (node, edge): small where the rate is large."""
        return _by_node(0.5 * (self.logs - self.top[:, None]))

    @cached_property
    def means(self) -> Float32Array:
        """What the mean of the logarithms at the edges of a bin lies below that of the largest, shape (node, bin)."""
        found = self.logs[:-1] + self.logs[1:]
        found -= (self.top[:-1] + self.top[1:])[:, None]
        found *= 0.5
        return _by_node(found)

    @cached_property
    def rises(self) -> Float32Array:
        """Half of what the logarithm of energy times rate rises by from edge to edge, shape (node, bin)."""
        found = self.logs[1:] - self.logs[:-1]
        found += self.widths[:, None]
        found *= 0.5
        return _by_node(found)

    @cached_property
    def widths(self) -> FloatArray:
        """The widths of the bins in the logarithm of the energy, shape (bin,)."""
        return np.diff(np.log(self.edges))

    @cached_property
    def rise(self) -> FloatArray:
        """The part of ``rises`` that all nodes share and ``halves`` lack, shape (bin,)."""
        return np.asarray(0.5 * (np.diff(self.top) + self.widths))

    @cached_property
    def factors(self) -> FloatArray:
        """The integral over each bin of a rate that has the largest logarithms and does not rise, shape (bin,)."""
        low, high, is_known = self.top[:-1], self.top[1:], self.top > LOG_OF_NO_RATE
        found = np.exp(0.5 * (low + high)) * np.sqrt(self.edges[:-1] * self.edges[1:]) * self.widths
        return np.where(is_known[:-1] & is_known[1:], found, 0.0)

    @cached_property
    def steps(self) -> IntArray:
        """By how many nodes the corners of a cell of the table lie behind the first, shape (corner,)."""
        sizes = [axis.nbin for axis in self.axes.values()]
        behind = [int(np.prod(sizes[number + 1 :])) if size > 1 else 0 for number, size in enumerate(sizes)]
        return np.array([np.dot(corner, behind) for corner in product((0, 1), repeat=len(sizes))])

    def room(self, pixels: int) -> Any:
        """Return a sparse matrix for the shares of the nodes in so many pixels: those of the corners of a cell each."""
        corners, size = len(self.steps), self.logs.shape[1]
        first = np.arange(0, pixels * corners + 1, corners, dtype=np.int32)
        shares, nodes = (np.zeros(pixels * corners, dtype) for dtype in (np.float32, np.int32))
        return scipy.sparse.csr_array((shares, nodes, first), shape=(pixels, size), copy=False)

    def hats(self, places: Mapping[str, FloatArray], room: Any) -> _Hats:
        """Return where places lie between the nodes, each array of shape (pixel,); ``room`` takes the shares."""
        node: IntArray | None = None
        inside: BoolArray | None = None
        uppers, extrapolated = [], np.zeros((), dtype=bool)
        for name, axis in self.axes.items():
            lower, upper, within = _between(axis, places[name], _EVEN if self.has_holes else _NEARLY_EVEN)
            node = lower if node is None else node * axis.nbin + lower
            if within is not None:
                inside = within if inside is None else inside & within
                # Far outside, a logarithm that is extrapolated is no number.
                upper = np.where(within, upper, np.float32(0))
            if self.has_holes and axis.name != "offset" and axis.nbin > 1:
                extrapolated = extrapolated | (places[name] < axis.center[0]) | (places[name] > axis.center[-1])
            uppers.append(upper)
        assert node is not None
        beyond = np.flatnonzero(extrapolated if inside is None else extrapolated & inside)
        exact = self._exact_logs({name: values[beyond] for name, values in places.items()})
        self._put_shares(room, node, uppers)
        return _Hats(room, inside, beyond, exact)

    def _put_shares(self, room: Any, node: IntArray, uppers: Sequence[Float32Array]) -> None:
        """Put the shares of the corners of a cell, whose first is ``node``, into a sparse matrix."""
        shares, nodes = (values.reshape(len(node), -1) for values in (room.data, room.indices))
        both = [(np.float32(1) - upper, upper) for upper in uppers]
        for own, beside, step, corner in zip(shares.T, nodes.T, self.steps, product(*both), strict=True):
            np.add(node, np.int32(step), out=beside)
            np.multiply(corner[0], corner[1] if len(corner) > 1 else np.float32(1), out=own)

    def _exact_logs(self, places: Mapping[str, FloatArray]) -> FloatArray:
        if not len(next(iter(places.values()))):
            return np.empty((0, len(self.edges)))
        own = {name: values[None] for name, values in places.items()}
        rate = background_rate(self.stored, np.array([self.row]), own, self.edges)[0]
        return np.asarray(np.log(np.where(rate > 0, rate, np.exp(LOG_OF_NO_RATE - 1.0))))

    def halves_at(self, hats: _Hats) -> Float32Array:
        """Return half of what the logarithms of pixels lie below the largest, shape (pixel, edge)."""
        found = np.asarray(hats.shares @ self.halves)
        if len(hats.beyond):
            found[hats.beyond] = 0.5 * (hats.logs - self.top)
        return found


def _by_node(values: FloatArray) -> Float32Array:
    """Return values of shape (..., node) with the nodes first, in single precision."""
    return np.ascontiguousarray(values.T, dtype=np.float32)


def _between(axis: Axis, values: FloatArray, uneven: float) -> tuple[IntArray, Float32Array, BoolArray | None]:
    """Return the same as ``irf.field_weights``, where all are inside ``None``; faster where the nodes are even.

    They are where none is off by more than a part of a step, ``uneven``.
    """
    nodes, first, last = axis.center, axis.center[0], axis.center[-1]
    step = (last - first) / max(1, axis.nbin - 1)
    apart = np.abs(nodes - first - step * np.arange(axis.nbin)).max()
    if axis.name == "offset" or axis.scale == "log" or axis.nbin < 2 or apart > uneven * step:
        lower, upper, inside = field_weights(axis, values)
        return lower.astype(np.int32), upper.astype(np.float32), None if inside.all() else inside
    place = (values - first) / step
    lower = place.astype(np.int32)
    np.clip(lower, 0, axis.nbin - 2, out=lower)
    place -= lower
    is_near = values.min(initial=first) >= axis.edges[0] and values.max(initial=first) <= axis.edges[-1]
    return lower, place.astype(np.float32), None if is_near else (values >= axis.edges[0]) & (values <= axis.edges[-1])


def sinhc(z: Float32Array, largest: float) -> Float32Array:
    """Return sinh(z) / z in single precision where z is at most 2; ``largest`` is that of all."""
    square = z * z
    if largest > _LIMITS[-1]:
        np.minimum(square, np.float32(_LIMITS[-1] ** 2), out=square)
    number = next((number for number, limit in enumerate(_LIMITS) if largest <= limit), -1)
    terms = _POLYNOMIALS[number]
    found = square * terms[-1]
    for term in terms[-2:0:-1]:
        found += term
        found *= square
    found += terms[0]
    return np.asarray(found)


def expected_in_window(
    table: RateTable, view: FieldOfView, space: SkySpace, origin: IntArray, seconds: float, out: Float32Array
) -> None:
    """Put the expected counts of each pixel into ``out``, shape (energy, v, u); 0 where no rate is known.

    Parameters
    ----------
    table
        The rate at the edges of the bins, each of them in as many equal steps.
    view
        How its field of view lies on the sky.
    space, origin
        The window, by its first pixel (v, u).
    seconds
        Of good time.
    out
        Single precision. It is within 1e-6 of the largest of its plane.
    """
    vectors, basis = space.directions(origin), view.basis @ space.rotation.T
    areas = (space.solid_angles(origin) * seconds).astype(np.float32).reshape(space.shape)
    length = max(1, PIECE // space.shape[1])
    rooms: dict[int, Any] = {}
    for first in range(0, space.shape[0], length):
        piece = slice(first, first + length)
        seen, own = basis @ vectors[:, piece].reshape(3, -1), areas[piece].ravel()
        if not np.isfinite(seen.sum()):
            is_sky = np.isfinite(seen).all(axis=0)
            seen, own = np.where(is_sky, seen, 0.0), own * is_sky
        # One matrix serves all pieces of a size: to make one takes as long as to fill it.
        if len(own) not in rooms:
            rooms[len(own)] = table.room(len(own))
        looks = (table.hats(places, rooms[len(own)]) for places in view.places(seen, list(table.axes)))
        found = out[:, piece].reshape(len(out), -1)
        if len(view.angles) > 1 and "offset" not in table.axes:
            _fill_between_edges(table, _of_mean_rate(table, looks), own, found)
        else:
            [look] = looks
            _fill(table, look, own if look.inside is None else own * look.inside, found)


def _fill(table: RateTable, look: _Hats, areas: Float32Array, out: Float32Array) -> None:
    """Put the expected counts of the pixels of a piece into ``out``, shape (energy, pixel).

    Until they are put there the bins of a pixel lie side by side, as the shares of nodes in it are the same for all.
    """
    if table.has_holes or len(out) < len(table.factors):
        _fill_between_edges(table, table.halves_at(look), areas, out)
        return
    mean, rise = look.shares @ table.means, look.shares @ table.rises
    largest = _largest(rise)
    if largest > _LIMITS[-1]:
        _fill_between_edges(table, table.halves_at(look), areas, out)
        return
    found = sinhc(rise, largest)
    found *= np.exp(mean, out=mean)
    np.multiply(found.T, areas, out=out)
    out *= table.factors.astype(np.float32)[:, None]


def _fill_between_edges(table: RateTable, halves: Float32Array, areas: Float32Array, out: Float32Array) -> None:
    """Do the same where there may be no rate, a steep one, or several steps in a bin.

    ``halves`` are half of what the logarithms lie below the largest, shape (pixel, edge).
    """
    rise = np.diff(halves) + table.rise.astype(np.float32)
    largest = _largest(rise)
    found = sinhc(rise, largest)
    found *= np.exp(halves[:, :-1] + halves[:, 1:])
    found *= table.factors.astype(np.float32)
    if largest > _LIMITS[-1]:
        far = np.nonzero(np.abs(rise) > _LIMITS[-1])
        found[far] = _steep(table, halves, *far)
    is_known = halves > table.no_rate
    found *= is_known[:, :-1] & is_known[:, 1:]
    steps = found.reshape(len(found), len(out), -1)
    whole = found if steps.shape[2] == 1 else np.where((steps > 0).all(axis=2), steps.sum(axis=2), np.float32(0))
    np.multiply(whole.T, areas, out=out)


def _largest(values: Float32Array) -> float:
    return max(float(values.max(initial=0.0)), -float(values.min(initial=0.0)))


def _of_mean_rate(table: RateTable, looks: Iterator[_Hats]) -> Float32Array:
    """Return half of what the logarithms of the mean rate of a field that turns lie below the largest (pixel, edge)."""
    total, count = np.zeros((), dtype=np.float32), 0
    for look in looks:
        rate = _rate(table, look)
        total, count = (rate if count == 0 else np.add(total, rate, out=total)), count + 1
    total /= np.float32(count)
    with np.errstate(divide="ignore"):
        return np.asarray(np.maximum(np.float32(0.5) * np.log(total), table.no_rate - np.float32(1.0)))


def _rate(table: RateTable, look: _Hats) -> Float32Array:
    """Return the rate over the largest of each edge, 0 where there is none, shape (pixel, edge)."""
    halves = table.halves_at(look)
    rate = np.exp(np.float32(2) * halves)
    if table.has_holes:
        rate *= halves > table.no_rate
    if look.inside is not None:
        rate *= look.inside[:, None]
    return np.asarray(rate)


def _steep(table: RateTable, halves: Float32Array, pixel: IntArray, energy: IntArray) -> FloatArray:
    """Return the integral of some power laws of which parts alone are no numbers of single precision."""
    before, after = halves[pixel, energy].astype(float), halves[pixel, energy + 1].astype(float)
    mean, half = before + after, np.abs(after - before + table.rise[energy])
    return np.asarray(table.factors[energy] * 0.5 * (np.exp(mean + half) - np.exp(mean - half)) / half)

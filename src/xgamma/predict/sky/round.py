"""Points and round sources in an image: profiles behind the point spread function, read at the distances of pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

from xgamma.axes import FloatArray
from xgamma.geometry import to_frame, unit_vector
from xgamma.models.spatial.model import SpatialModel
from xgamma.predict.sky.boxes import areas, center_of, distances, pixels_about, positions
from xgamma.predict.sky.radial import (
    Nodes,
    Splines,
    core_slope,
    in_core,
    mean_side,
    nodes_for,
    places_in,
    shape_places,
    tables,
)
from xgamma.sky import SkySpace

if TYPE_CHECKING:
    from scipy import sparse


_NUDGE = 1e-3  # deg; of a difference of unit vectors
_CHANGE = 1e-3  # of a size; of a difference of a shape with edges


@dataclass(frozen=True)
class _Move:
    """By how much distances of pixels grow as a place moves, shape (pixel, 1), and what that does in near ones."""

    along: npt.NDArray[np.float32]
    near: tuple[sparse.csr_matrix, FloatArray] | None


class Spot:
    """A place in an image, from which distances are counted; rows of one image share it.

    Parameters
    ----------
    space
        The image.
    lon, lat
        ICRS in degrees.
    nodes
        Where profiles are held; the pixels are those that they reach.
    """

    def __init__(self, space: SkySpace, lon: float, lat: float, nodes: Nodes) -> None:
        self.space, self.nodes, self.center = space, nodes, unit_vector(lon, lat)
        self.pixels = pixels_about(space, lon, lat, nodes.end)
        self.vectors = positions(space, self.pixels)
        self.distance = distances(self.vectors, self.center)
        self.side = space.binsize * max(1.0, abs(space.aspect))
        self.is_core = in_core(self.distance / self.side)
        self.near = np.flatnonzero(self.is_core)
        self._place, share = places_in(self.side, nodes)
        self._share = np.outer(share, share).ravel()
        self._moves: dict[bytes, _Move] = {}

    @cached_property
    def _inside(self) -> tuple[FloatArray, FloatArray]:
        """The unit vectors to the places in near pixels, shape (3, pixel, place), and their distances."""
        x = self.pixels.u[self.near][:, None, None] + self._place
        y = self.pixels.v[self.near][:, None, None] + self._place[:, None]
        lon, lat = (
            each.reshape(len(self.near), len(self._share)) for each in self.space.sky_of(*np.broadcast_arrays(x, y))
        )
        vectors = np.moveaxis(unit_vector(lon, lat), -1, 0)
        return vectors, distances(vectors, self.center)

    @cached_property
    def _far_weights(self) -> sparse.csr_matrix:
        return self.nodes.weights(self.distance, 1.0 - self.is_core)

    @cached_property
    def _near_weights(self) -> sparse.csr_matrix:
        return self.nodes.weights(self._inside[1], self.is_core[self.near, None] * self._share)

    @cached_property
    def _rough_weights(self) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
        return self._far_weights.astype(np.float32), self._near_weights.astype(np.float32)

    def values(self, splines: Splines) -> FloatArray:
        """Return the means of profiles over the pixels, in the precision of the profiles, shape (pixel, profile)."""
        is_rough = splines.means.dtype == np.float32
        far, near = self._rough_weights if is_rough else (self._far_weights, self._near_weights)
        found = np.asarray(far @ splines.means)
        if len(self.near):
            found[self.near] += near @ splines.plain
        return found

    @cached_property
    def _far_slopes(self) -> sparse.csr_matrix:
        return cast("sparse.csr_matrix", self.nodes.slopes(self.distance, 1.0 - self.is_core).astype(np.float32))

    def moved(self, splines: Splines, ways: Sequence[FloatArray]) -> list[FloatArray]:
        """Return the derivatives of ``values`` as the place moves along each of some ways, vectors (3,) per degree.

        They are in single precision, which is enough for steps towards a minimum and half of the work.
        """
        moves = [self._move(way) for way in ways]
        far = np.asarray(self._far_slopes @ splines.means.astype(np.float32))
        found: list[FloatArray] = [far * move.along for move in moves]
        if len(self.near):
            plain, means = self._near_parts
            change = plain @ splines.plain - means @ splines.means
            for move, result in zip(moves, found, strict=True):
                assert move.near is not None
                slopes, fading = move.near
                result[self.near] += slopes @ splines.plain + fading * change
        return found

    @cached_property
    def _near_parts(self) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
        """The weights of near pixels by places in them, and by the means about their middle."""
        distance = self._inside[1]
        share = np.broadcast_to(self._share, distance.shape)
        return self.nodes.weights(distance, share), self.nodes.weights(self.distance[self.near])

    def _move(self, way: FloatArray) -> _Move:
        """Return what a move along a way does, which is remembered as all rows of an image ask for it."""
        known = self._moves.get(way.tobytes())
        if known is None:
            along = _approach(self.vectors, self.center, way, self.distance)
            near = None
            if len(self.near):
                vectors, distance = self._inside
                inner = _approach(vectors, self.center, way, distance)
                slopes = self.nodes.slopes(distance, inner * self.is_core[self.near, None] * self._share)
                fading = core_slope(self.distance[self.near] / self.side) / self.side
                near = slopes, (fading * along[self.near])[:, None]
            known = _Move(along.astype(np.float32)[:, None], near)
            self._moves[way.tobytes()] = known
        return known


def _approach(vectors: FloatArray, center: FloatArray, way: FloatArray, distance: FloatArray) -> FloatArray:
    """Return by how many degrees the distances of unit vectors grow for each degree along a way."""
    along = np.tensordot(way, vectors, axes=1) - (way @ center) * np.tensordot(center, vectors, axes=1)
    sine = np.sin(np.deg2rad(distance))
    # At the source itself a profile is level, and no direction is its own.
    slope = np.rad2deg(along) / np.where(sine > 0, sine, 1.0)
    return np.asarray(np.where(sine > 0, -slope, 0.0))


@lru_cache(maxsize=8)
def spot(space: SkySpace, lon: float, lat: float, nodes: Nodes) -> Spot:
    """Return a place in an image; the last ones are remembered, as sizes and spectra change more often."""
    return Spot(space, lon, lat, nodes)


class RoundSight:
    """A point, or a round source, at a place in an image; see ``Sight``.

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
        self.model, self.values, self.space = model, values, space
        self.lon, self.lat = center_of(model, values)
        # A minimiser looks beyond the limits of a size for derivatives there.
        self.reach = max(model.reach(values), 0.0)
        nodes = nodes_for(rad, self.reach)
        self._tables = tables(tuple(rad.tolist()), nodes, mean_side(space.binsize, space.aspect))
        self._spot = spot(space, self.lon, self.lat, nodes)
        self.pixels = self._spot.pixels

    def density(self, psf: FloatArray | None) -> FloatArray:
        """Return the mean brightness of the pixels, sr-1, shape (pixel, energy_true or 1)."""
        if self.reach == 0 and psf is None:
            return self._shared(self.lon, self.lat)
        return self._spot.values(self._splines(psf))

    def _splines(self, psf: FloatArray | None) -> Splines:
        if psf is None:
            return self._tables.of_nodes(self._form(self.values, None))
        spread = self._tables.profiles(psf)
        return self._tables.of_psf(spread) if self.reach == 0 else self._tables.of_shape(spread, self._transform)

    def _places(self, values: tuple[float, ...]) -> tuple[FloatArray, FloatArray]:
        """Return places of an integral over the source, and the area that each stands for."""
        return shape_places(max(self.model.reach(values), 0.0), self.model.edges(values), self._spot.nodes)

    @cached_property
    def _waves(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Places of an integral over the source, their areas, and the Bessel functions there."""
        distance, area = self._places(self.values)
        return distance, area, self._tables.bessel(distance)

    @cached_property
    def _transform(self) -> FloatArray:
        distance, area, waves = self._waves
        return np.asarray(waves @ (self.model.profile(distance, self.values) * area))

    def _form(self, values: tuple[float, ...], psf: FloatArray | None) -> FloatArray:
        """Return the transform of the source, or its profile at nodes where nothing spreads it."""
        distance, area = self._places(values)
        amounts = self.model.profile(distance, values) * area
        if psf is not None:
            return np.asarray(self._tables.bessel(distance) @ amounts)
        nodes = self._spot.nodes
        held = nodes.means(lambda at: self.model.profile(at, values) * (at <= self.model.reach(values)))
        return np.asarray(held * (amounts.sum() / (nodes.areas @ held)))

    def slopes(
        self, wanted: Sequence[int], psf: FloatArray | None, changes: Mapping[int, FloatArray]
    ) -> list[FloatArray]:
        """Return the derivatives of ``density``; see ``Sight``."""
        if self.reach == 0 and psf is None:
            return [self._shared_slope(place) if place < 2 else np.zeros((self.pixels.size, 1)) for place in wanted]
        moving, shaping = [place for place in wanted if place < 2], [place for place in wanted if place >= 2]
        found: dict[int, FloatArray] = {}
        splines = self._splines(psf)
        if moving:
            found |= zip(moving, self._spot.moved(splines, [self._way(place) for place in moving]), strict=True)
        more = {place: self._changed(psf, changes[place]) for place in moving if place in changes and psf is not None}
        more |= self._shaped(shaping, psf)
        if more:
            first, *others = more.values()
            every = self._spot.values(first.stacked(others).rough())
            for place, own in zip(more, np.hsplit(every, len(more)), strict=True):
                found[place] = found[place] + own if place in found else own
        return [found[place] for place in wanted]

    def _changed(self, psf: FloatArray, change: FloatArray) -> Splines:
        """Return the splines of a change of point spread functions."""
        own = self._tables.changed_profiles(psf, change)
        return self._tables.of_psf(own) if self.reach == 0 else self._tables.of_shape(own, self._transform)

    def _shaped(self, places: Sequence[int], psf: FloatArray | None) -> dict[int, Splines]:
        if not places:
            return {}
        if self.reach == 0 and psf is not None:
            # To the first order a source that begins to grow stays what it is.
            level = np.zeros(len(self._tables.frequency))
            return {place: self._tables.of_shape(self._tables.profiles(psf), level) for place in places}
        if psf is None:
            return {place: self._tables.of_nodes(self._changed_form(place, None)) for place in places}
        if self.model.edges(self.values):
            # What lies beside an edge moves with it, which a derivative at a place does not see.
            rows = np.array([self._changed_form(place, psf) for place in places])
        else:
            distance, area, waves = self._waves
            rows = (self.model.profile_gradient(distance, self.values, places) * area) @ waves.T
        spread = self._tables.profiles(psf)
        return {place: self._tables.of_shape(spread, row) for place, row in zip(places, rows, strict=True)}

    def _changed_form(self, place: int, psf: FloatArray | None) -> FloatArray:
        """Return the derivative of ``_form`` in a size: a difference within its limits."""
        parameter, value = self.model.parameters[place], self.values[place]
        limits = (limit * parameter.canonical_factor for limit in (parameter.min, parameter.max))
        low, high = (own if math.isfinite(own) else end for own, end in zip(limits, (-math.inf, math.inf), strict=True))
        step = _CHANGE * max(abs(value), self._spot.nodes.step)
        ends = max(value - step, min(low, value)), min(value + step, max(high, value))
        if ends[0] == ends[1]:
            ends = value - step, value + step
        down, up = (self._form((*self.values[:place], end, *self.values[place + 1 :]), psf) for end in ends)
        return np.asarray((up - down) / (ends[1] - ends[0]))

    def _way(self, place: int) -> FloatArray:
        """Return how the unit vector of the centre moves with its longitude or latitude, per degree, shape (3,)."""
        ends = []
        for side in (_NUDGE, -_NUDGE):
            at = [value + side * (number == place) for number, value in enumerate(self.values[:2])]
            ends.append(unit_vector(*to_frame(at[0], at[1], self.model.frame, "icrs")))
        return np.asarray((ends[0] - ends[1]) / (2.0 * _NUDGE))

    def _shared(self, lon: float, lat: float) -> FloatArray:
        """Return a point that nothing spreads: in the four pixels around it, in inverse proportion to the distance."""
        x, y = self.space.pixels_of(np.array([lon]), np.array([lat]))
        share = np.maximum(0.0, 1.0 - np.abs(self.pixels.v - y)) * np.maximum(0.0, 1.0 - np.abs(self.pixels.u - x))
        return np.asarray((share / areas(self.space, self.pixels))[:, None])

    def _shared_slope(self, place: int) -> FloatArray:
        ends, step = [], _NUDGE * self.space.binsize
        for side in (step, -step):
            values = tuple(value + side * (number == place) for number, value in enumerate(self.values))
            ends.append(self._shared(*center_of(self.model, values)))
        return np.asarray((ends[0] - ends[1]) / (2.0 * step))

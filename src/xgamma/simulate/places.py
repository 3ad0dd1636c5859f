"""Where the photons of a source come from: of round ones by the inverse of a cumulative, of others by fine cells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np

from xgamma.axes import FloatArray, IntArray
from xgamma.geometry import cap_area, destination
from xgamma.simulate.plan import PlannedRun

RADIAL_NODES, ANGLE_NODES = 16, 12
# Rings of a grid are so wide in deg, but not fewer or more than so many.
CELL, FEWEST, MOST = 0.01, 200, 800
# A source that reaches farther, in deg, is drawn in the field of view alone.
LARGEST = CELL * MOST
GRID_SPOTS = 1000
PROFILE_STEPS = 16_000


class Place(Protocol):
    """Where the photons of a source come from."""

    def share(self, run: PlannedRun) -> float:
        """Return the part of the source that is drawn for a run: all, or what lies in its field of view."""

    def draw(self, run: PlannedRun, count: int, generator: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Return ``count`` independent positions."""

    def spots(self, run: PlannedRun) -> tuple[FloatArray, FloatArray]:
        """Return positions whose mean stands for that of all."""


@dataclass(frozen=True)
class RoundPlace:
    """A source that is the same in all directions from its centre.

    Parameters
    ----------
    lon, lat
        The centre, ICRS in deg.
    radius
        The distance from it, in deg, inside which the source has a probability.
    total
        The integral of its density over the sphere.
    """

    lon: float
    lat: float
    radius: Callable[[FloatArray], FloatArray]
    total: float = 1.0

    def share(self, run: PlannedRun) -> float:
        """Return ``total``: all of the source is drawn."""
        return self.total

    def draw(self, run: PlannedRun, count: int, generator: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Return ``count`` independent positions."""
        distance = self.radius(generator.random(count))
        return destination(self.lon, self.lat, 360.0 * generator.random(count), distance)

    def spots(self, run: PlannedRun) -> tuple[FloatArray, FloatArray]:
        """Return positions at equal steps of probability and angle."""
        radius = self.radius((np.arange(RADIAL_NODES) + 0.5) / RADIAL_NODES)
        angle = np.arange(ANGLE_NODES) * (360.0 / ANGLE_NODES)
        lon, lat = destination(self.lon, self.lat, angle[:, None], radius)
        return lon.ravel(), lat.ravel()


@dataclass(frozen=True)
class GridPlace:
    """A source of any shape, by cells of distance and angle about a centre, each of one density.

    Parameters
    ----------
    density
        The density in sr-1 at ICRS positions in deg.
    reach
        How far from the centre there is a density, in deg.
    center
        ICRS in deg; ``None`` is the pointing of each run, for a source larger than its field of view.
    """

    density: Callable[[FloatArray, FloatArray], FloatArray]
    reach: float
    center: tuple[float, float] | None
    _grids: dict[tuple[float, float], _Cells] = field(default_factory=dict, compare=False)

    def share(self, run: PlannedRun) -> float:
        """Return the part of the source within ``reach`` of the centre."""
        return float(self._cells(run).cumulative[-1])

    def draw(self, run: PlannedRun, count: int, generator: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Return ``count`` independent positions."""
        cells = self._cells(run)
        ring, sector = cells.at(generator.random(count))
        versine = cells.versine[ring] + generator.random(count) * np.diff(cells.versine)[ring]
        angle = (sector + generator.random(count)) * (360.0 / cells.sectors)
        return destination(*self._center(run), angle, _distance(versine))

    def spots(self, run: PlannedRun) -> tuple[FloatArray, FloatArray]:
        """Return the middle of cells at equal steps of probability."""
        cells = self._cells(run)
        ring, sector = cells.at((np.arange(GRID_SPOTS) + 0.5) / GRID_SPOTS)
        lon, lat = cells.middles(*self._center(run))
        return lon[ring, sector], lat[ring, sector]

    def _center(self, run: PlannedRun) -> tuple[float, float]:
        return (run.lon, run.lat) if self.center is None else self.center

    def _cells(self, run: PlannedRun) -> _Cells:
        center = self._center(run)
        if center not in self._grids:
            self._grids[center] = _Cells.of(self.density, self.reach, center)
        return self._grids[center]


class _Cells(NamedTuple):
    """Cells about a centre, rings first: 1 - cos(distance) of the edges of rings, and the cumulative of the cells."""

    versine: FloatArray
    sectors: int
    cumulative: FloatArray

    @classmethod
    def of(
        cls, density: Callable[[FloatArray, FloatArray], FloatArray], reach: float, center: tuple[float, float]
    ) -> _Cells:
        """Return the cells of a density in sr-1 within ``reach`` of a centre."""
        rings = int(np.clip(np.ceil(reach / CELL), FEWEST, MOST))
        # Rings of equal width, the angle of a cell about as long as wide in the middle.
        distance = np.linspace(0.0, reach, rings + 1)
        cells = cls(cap_area(distance) / (2.0 * np.pi), 3 * rings, np.empty(0))
        values = np.clip(np.nan_to_num(density(*cells.middles(*center))), 0.0, None)
        areas = 2.0 * np.pi * np.diff(cells.versine) / cells.sectors
        return cells._replace(cumulative=np.cumsum(values * areas[:, None]))

    def middles(self, lon: float, lat: float) -> tuple[FloatArray, FloatArray]:
        """Return the middle of the cells about a centre (ICRS, deg), shape (ring, sector)."""
        distance = _distance(0.5 * (self.versine[1:] + self.versine[:-1]))
        angle = (np.arange(self.sectors) + 0.5) * (360.0 / self.sectors)
        return destination(lon, lat, angle, distance[:, None])

    def at(self, probability: FloatArray) -> tuple[IntArray, IntArray]:
        """Return ring and sector of the cells that cumulative probabilities fall into."""
        chosen = np.searchsorted(self.cumulative, probability * self.cumulative[-1], side="right")
        ring, sector = np.divmod(np.minimum(chosen, len(self.cumulative) - 1), self.sectors)
        return ring, sector


def _distance(versine: FloatArray) -> FloatArray:
    """Return a distance in deg from 1 minus its cosine."""
    return np.asarray(np.rad2deg(2.0 * np.arcsin(np.sqrt(np.clip(0.5 * versine, 0.0, 1.0)))))


def point_radius(probability: FloatArray) -> FloatArray:
    """Return the distances of the photons of a point."""
    return np.zeros_like(probability)


def gauss_radius(sigma: float) -> Callable[[FloatArray], FloatArray]:
    """Return the distances of a Gaussian on the sphere of width ``sigma``, both in deg, by their probability."""
    a = 1.0 - np.cos(np.deg2rad(sigma))

    def radius(probability: FloatArray) -> FloatArray:
        return _distance(-2.0 * a * np.log1p(probability * np.expm1(-1.0 / a)))

    return radius


def profile_radius(
    profile: Callable[[FloatArray], FloatArray], reach: float
) -> tuple[Callable[[FloatArray], FloatArray], float]:
    """Return the distances of a round source by their probability, and the integral of its density.

    ``profile`` is its density in sr-1 along a distance in deg, of which nothing lies beyond ``reach``.
    """
    distance = np.linspace(0.0, reach, PROFILE_STEPS + 1)
    between = 0.5 * (distance[1:] + distance[:-1])
    rings = np.clip(profile(between), 0.0, None) * np.diff(cap_area(distance))
    inside = np.concatenate([[0.0], np.cumsum(rings)])

    def radius(probability: FloatArray) -> FloatArray:
        return np.asarray(np.interp(probability * inside[-1], inside, distance))

    return radius, float(inside[-1])

"""Off regions on the ring about the pointing on which an on-region lies: found, and their events counted.

All is done on the plane tangent at the pointing, in the pixels of Gammapy. Only pixels that may be excluded are read.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol, TypeVar

import numpy as np

from xgamma.axes import BoolArray, FloatArray, IntArray
from xgamma.events import Events
from xgamma.geometry import Plane, from_tangent_plane, in_boxes, northward_scale, separation, tangent_plane, to_frame
from xgamma.grid import Cells
from xgamma.masks import Exclusion
from xgamma.outcome import Outcome
from xgamma.reduce.background.protocol import Background, BackgroundInput, OffRegions
from xgamma.shapes import Circle, Shape, rotated

TURN = 2 * np.pi
# Of what is no circle, so many times its reach are looked at: on the plane of the pointing it is stretched.
_MARGIN = 1.05


class RingRegions(NamedTuple):
    """The off regions of one run and region, on the plane tangent at the pointing, in pixels from it.

    ``x`` and ``y`` are centres, shape (off,), ``angles`` in rad by how far the on-region is turned; all of each lies
    within ``radius``. ``lon``, ``lat`` (region's frame) and ``sky_radius`` are the same in degrees on the sky; the
    latter is NaN of what is no circle.
    """

    x: FloatArray
    y: FloatArray
    angles: FloatArray
    radius: float
    lon: FloatArray
    lat: FloatArray
    sky_radius: FloatArray
    outcome: Outcome


@dataclass(frozen=True)
class OnPlane:
    """An on-region on the plane tangent at a pointing (deg, in its frame), in pixels of ``binsz`` degrees from it."""

    region: Shape
    pointing: tuple[float, float]
    binsz: float

    @cached_property
    def center(self) -> FloatArray:
        """The centre, shape (2,)."""
        at = tangent_plane(self.region.lon, self.region.lat, *self.pointing)
        return np.array([at.x, at.y]) / self.binsz

    @cached_property
    def radius(self) -> float:
        """The radius of a circle; of another shape one that it lies in."""
        scale = northward_scale(self.region.lon, self.region.lat, *self.pointing)
        margin = 1.0 if isinstance(self.region, Circle) else _MARGIN
        return margin * float(self.region.reach / scale / self.binsz)

    @cached_property
    def npix(self) -> int:
        """The width of the grid of pixels about the pointing."""
        offset = float(separation(self.region.lon, self.region.lat, *self.pointing))
        return int(np.rint((4 * offset + 0.3) / self.binsz))

    def holds(self, x: FloatArray, y: FloatArray) -> BoolArray:
        """Return which points lie inside."""
        if isinstance(self.region, Circle):
            center = self.center
            return np.asarray((x - center[0]) ** 2 + (y - center[1]) ** 2 < self.radius**2)
        return self.region.inside(*self.region.local(x * self.binsz, y * self.binsz, *self.pointing))

    def is_blocked(self, excluded: FloatArray) -> Callable[[float], bool]:
        """Return whether the region, turned by an angle, holds one of some pixels, shape (pixel, 2)."""
        if isinstance(self.region, Circle):
            return _within(_blocked_angles(self.center, self.radius, excluded))
        distance, rho = float(np.hypot(*self.center)), np.hypot(excluded[:, 0], excluded[:, 1])
        half = float(np.arcsin(self.radius / distance)) if self.radius < distance else np.pi
        angle = np.arctan2(excluded[:, 1], excluded[:, 0]) - np.arctan2(self.center[1], self.center[0])

        def holds_one(turn: float) -> bool:
            near = np.abs((angle - turn + np.pi) % TURN - np.pi) <= half
            phase = angle[near] + np.arctan2(self.center[1], self.center[0]) - turn
            return bool(self.holds(rho[near] * np.cos(phase), rho[near] * np.sin(phase)).any())

        return holds_one


def ring_regions(on: OnPlane, angles: FloatArray, outcome: Outcome) -> RingRegions:
    """Return the off regions at some angles from the on-region, rad, shape (off,)."""
    binsz, radius = on.binsz, on.radius
    x, y = rotated(Plane(*on.center), angles)
    lon, lat = from_tangent_plane(Plane(x * binsz, y * binsz), *on.pointing)
    sky_radius = radius * binsz * northward_scale(lon, lat, *on.pointing)
    if not isinstance(on.region, Circle):
        sky_radius = np.full_like(sky_radius, np.nan)
    return RingRegions(x, y, angles, radius, lon, lat, sky_radius, outcome)


def _pixel_offsets(npix: int, low: float, high: float) -> FloatArray:
    """Return the offsets from the pointing of the pixel centres in [low, high] of a grid of ``npix`` about it."""
    middle = 0.5 * (npix - 1)
    first, last = max(0, int(np.ceil(middle + low))), min(npix - 1, int(np.floor(middle + high)))
    return np.asarray(np.arange(first, last + 1) - middle, dtype=float)


def angular_size(on: OnPlane) -> float:
    """Return the angle in rad that the pixels of an on-region span as seen from the pointing."""
    (x0, y0), radius = on.center, on.radius
    dx, dy = np.meshgrid(
        _pixel_offsets(on.npix, x0 - radius, x0 + radius), _pixel_offsets(on.npix, y0 - radius, y0 + radius)
    )
    inside = on.holds(dx, dy)
    if not inside.any():
        distance = float(np.hypot(x0, y0))
        return TURN if radius >= distance else 2 * float(np.arcsin(radius / distance))
    angles = np.arctan2(-dx[inside], -dy[inside])
    size = float(np.ptp(angles))
    return float(np.ptp(np.where(angles >= 0, angles - TURN, angles))) if size > np.pi else size


def excluded_pixels(on: OnPlane, mask: Exclusion) -> FloatArray:
    """Return the excluded pixel centres that an off region may hold, shape (pixel, 2).

    Only pixels beside a cap of the mask are looked up; a pixel beside two of them stands there twice.
    """
    distance, radius, binsz, npix = float(np.hypot(*on.center)), on.radius, on.binsz, on.npix
    frame, pointing = on.region.frame, on.pointing
    reach = (distance + radius) * binsz
    icrs = to_frame(*pointing, frame, "icrs")
    caps = mask.caps_near(float(icrs[0]), float(icrs[1]), float(np.rad2deg(np.arctan(np.deg2rad(reach)))))
    middle = tangent_plane(*to_frame(caps.lon, caps.lat, "icrs", frame), *pointing)
    stretch = 1 + np.deg2rad(reach) ** 2  # of the sky on the plane, largest at the rim
    pixels = [np.empty((0, 2))]
    for x, y, size in zip(middle.x / binsz, middle.y / binsz, caps.radius * stretch / binsz + 1, strict=True):
        # A cap that reaches far beyond the plane has no centre on it: then the whole ring is looked up.
        around = (x, y, size) if np.isfinite(x) else (0.0, 0.0, float(npix))
        pixels.append(_ring_pixels(distance, radius, npix, *around))
    candidates = np.concatenate(pixels)
    sky = from_tangent_plane(Plane(candidates[:, 0] * binsz, candidates[:, 1] * binsz), *pointing)
    return candidates[~mask.is_usable(*to_frame(*sky, frame, "icrs"), outside=True)]


def _ring_pixels(distance: float, radius: float, npix: int, x: float, y: float, size: float) -> FloatArray:
    """Return the pixel centres of the ring inside a square about (x, y), shape (pixel, 2)."""
    rim = distance + radius
    columns = _pixel_offsets(npix, max(x - size, -rim), min(x + size, rim))
    rows = _pixel_offsets(npix, max(y - size, -rim), min(y + size, rim))
    square = rows[:, None] ** 2 + columns**2
    row, column = np.nonzero((square > max(distance - radius, 0.0) ** 2) & (square < rim**2))
    return np.stack([columns[column], rows[row]], axis=1)


def _blocked_angles(center: FloatArray, radius: float, excluded: FloatArray) -> FloatArray:
    """Return merged intervals of rotation in which a circle holds an excluded pixel, in [-2 pi, 4 pi], shape (n, 2)."""
    if len(excluded) == 0:
        return np.empty((0, 2))
    distance, rho = float(np.hypot(*center)), np.hypot(excluded[:, 0], excluded[:, 1])
    with np.errstate(divide="ignore", invalid="ignore"):
        cosine = (rho**2 + distance**2 - radius**2) / (2 * rho * distance)
    half = np.arccos(np.clip(np.nan_to_num(cosine, nan=-1.0), -1.0, 1.0))
    angle = (np.arctan2(excluded[:, 1], excluded[:, 0]) - np.arctan2(center[1], center[0])) % TURN
    low = np.concatenate([angle - half - TURN, angle - half, angle - half + TURN])
    high = np.concatenate([angle + half - TURN, angle + half, angle + half + TURN])
    order = np.argsort(low)
    low, reach = low[order], np.maximum.accumulate(high[order])
    first = np.concatenate([[True], low[1:] >= reach[:-1]])
    return np.stack([low[first], reach[np.append(np.flatnonzero(first)[1:] - 1, len(low) - 1)]], axis=1)


def _within(intervals: FloatArray) -> Callable[[float], bool]:
    """Return whether an angle lies in one of some merged intervals, shape (n, 2)."""
    starts, stops = intervals[:, 0].tolist(), intervals[:, 1].tolist()

    def is_within(angle: float) -> bool:
        place = bisect_left(starts, angle) - 1
        return bool(place >= 0 and angle < stops[place])

    return is_within


class HasPixels(Protocol):
    """Parameters of off regions on a ring."""

    @property
    def binsz(self) -> float:
        """The pixel size in degrees."""


P = TypeVar("P", bound=HasPixels)
Find = Callable[[float, float, Shape, Exclusion | None, P], RingRegions]
"""The off regions of a pointing (degrees, in the frame of the on-region), an on-region, a mask and parameters."""


class OffBlock(NamedTuple):
    """``RingRegions`` of a block of runs and one region, padded with NaN: ``x``, ... (row, off), ``radius`` (row,)."""

    x: FloatArray
    y: FloatArray
    angles: FloatArray
    radius: FloatArray
    lon: FloatArray
    lat: FloatArray
    sky_radius: FloatArray
    number: IntArray
    outcome: IntArray


def off_block(
    pointing_lon: FloatArray,
    pointing_lat: FloatArray,
    region: Shape,
    mask: Exclusion | None,
    parameters: P,
    usable: BoolArray,
    find: Find[P],
    radius: FloatArray | None = None,
) -> OffBlock:
    """Return the off regions of a block of runs; runs that share a pointing share the work.

    Parameters
    ----------
    pointing_lon, pointing_lat
        ICRS degrees, shape (row,).
    region, mask, parameters
        As in ``reflected_regions``.
    usable
        Rows that the geometry guard let through, shape (row,); the others get no off region.
    find
        What returns the off regions of one run.
    radius
        Of a point the radius in degrees that stands for it in each row, shape (row,).
    """
    lon, lat = to_frame(pointing_lon, pointing_lat, "icrs", region.frame)
    own = np.full(len(lon), region.reach) if radius is None else radius
    places, inverse = np.unique(np.stack([lon, lat, own], axis=1)[usable], axis=0, return_inverse=True)
    found = [
        find(x, y, region if radius is None else Circle(region.lon, region.lat, size, region.frame), mask, parameters)
        for x, y, size in places.tolist()
    ]
    on_pointing = OnPlane(Circle(0.0, 0.0, 0.0, region.frame), (0.0, 0.0), parameters.binsz)
    nothing = ring_regions(on_pointing, np.empty(0), Outcome.USED)
    rows = [nothing] * len(usable)
    for row, place in zip(np.flatnonzero(usable), inverse.ravel(), strict=True):
        rows[row] = found[place]
    width = max([len(regions.x) for regions in rows] + [1])
    return OffBlock(
        _padded([regions.x for regions in rows], width),
        _padded([regions.y for regions in rows], width),
        _padded([regions.angles for regions in rows], width),
        np.array([regions.radius for regions in rows]),
        *_sky_padded(rows, width, region.frame),
        np.array([len(regions.x) for regions in rows]),
        np.array([regions.outcome for regions in rows]),
    )


def _sky_padded(rows: Sequence[RingRegions], width: int, frame: str) -> tuple[FloatArray, FloatArray, FloatArray]:
    lon, lat = to_frame(
        _padded([regions.lon for regions in rows], width), _padded([r.lat for r in rows], width), frame, "icrs"
    )
    return lon, lat, _padded([regions.sky_radius for regions in rows], width)


def _padded(values: Sequence[FloatArray], width: int) -> FloatArray:
    result = np.full((len(values), width), np.nan)
    for row, value in enumerate(values):
        result[row, : len(value)] = value
    return result


def off_events(
    lon: FloatArray,
    lat: FloatArray,
    row: IntArray,
    pointing_lon: FloatArray,
    pointing_lat: FloatArray,
    region: Shape,
    off: OffBlock,
    binsz: float,
) -> IntArray:
    """Return the numbers of the events that lie in the union of the off regions of their run.

    Parameters
    ----------
    lon, lat
        ICRS degrees, shape (event,).
    row
        The row of each event, shape (event,).
    pointing_lon, pointing_lat
        ICRS degrees, shape (row,).
    region, off, binsz
        The on-region, its off regions and their pixel size in degrees.
    """
    reach = np.arctan(np.deg2rad((np.hypot(off.x, off.y) + off.radius[:, None]) * binsz))
    limit = 1.01 * np.rad2deg(np.nanmax(reach, axis=1, initial=0.0))
    near = np.flatnonzero(in_boxes(lon, lat, row, pointing_lon, pointing_lat, limit))
    near_row = row[near]
    event = to_frame(lon[near], lat[near], "icrs", region.frame)
    pointing = to_frame(pointing_lon, pointing_lat, "icrs", region.frame)
    plane = tangent_plane(*event, pointing[0][near_row], pointing[1][near_row])
    x, y = plane.x / binsz, plane.y / binsz
    distance, ring = np.hypot(x, y), np.hypot(off.x[:, 0], off.y[:, 0])
    with np.errstate(invalid="ignore"):
        on_ring = np.flatnonzero(np.abs(distance - ring[near_row]) < off.radius[near_row])
    rows = near_row[on_ring]
    with np.errstate(invalid="ignore"):
        if isinstance(region, Circle):
            square = (x[on_ring, None] - off.x[rows]) ** 2 + (y[on_ring, None] - off.y[rows]) ** 2
            inside = (square < off.radius[rows, None] ** 2).any(axis=1)
        else:
            # What lies in a turned region lies in the region when it is turned back.
            back = rotated(Plane(plane.x[on_ring, None], plane.y[on_ring, None]), -off.angles[rows])
            there = (pointing[0][near_row[on_ring], None], pointing[1][near_row[on_ring], None])
            inside = region.inside(*region.local(*back, *there)).any(axis=1)
    return np.asarray(near[on_ring[inside]], dtype=np.int64)


@dataclass(frozen=True)
class RingOffRegions(OffRegions):
    """The off regions of a block, and the same by region in pixels on the planes of the pointings."""

    blocks: tuple[OffBlock, ...] = ()


class RingBackground(Background, ABC):
    """A background of off regions that lie on the rings of the on-regions, each with the acceptance of those."""

    parameters: HasPixels

    @abstractmethod
    def block(self, given: BackgroundInput, number: int) -> OffBlock:
        """Return the off regions of one on-region."""

    def place(self, given: BackgroundInput) -> RingOffRegions:
        """Return the off regions of each run."""
        blocks = tuple(self.block(given, number) for number in range(len(given.grid.regions)))
        width = max(block.lon.shape[1] for block in blocks)
        lon, lat, radius = (
            np.stack([_padded(getattr(block, name), width) for block in blocks], axis=1)
            for name in ("lon", "lat", "sky_radius")
        )
        outcome = np.full(len(given.rows), Outcome.USED, dtype=np.int64)
        for block in blocks:
            outcome = np.where(outcome == Outcome.USED, block.outcome, outcome)
        # One on-region that has off regions is enough; the others are masked.
        outcome[np.isfinite(lon).any(axis=(1, 2))] = Outcome.USED
        return RingOffRegions(lon, lat, radius, np.where(np.isfinite(lon), 1.0, np.nan), outcome, blocks=blocks)

    def inside(self, given: BackgroundInput, number: int, block: OffBlock, events: Events) -> IntArray:
        """Return the numbers of the events in off regions of an on-region, on the planes of the pointings."""
        region = given.grid.regions[number]
        return off_events(events.lon, events.lat, events.row, *given.pointing, region, block, self.parameters.binsz)

    def split(self, given: BackgroundInput, off: OffRegions, events: Events, on: Cells) -> tuple[Cells, Cells]:
        """Return the events as they are on, and those inside the off regions."""
        assert isinstance(off, RingOffRegions)
        found = [self.inside(given, number, block, events) for number, block in enumerate(off.blocks)]
        return on, Cells(np.concatenate(found), np.repeat(np.arange(len(found)), [len(event) for event in found]))

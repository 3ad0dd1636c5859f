"""Reflected off regions: circles on the ring around the pointing on which the on-region lies.

Source: Berge, Funk & Hinton 2007 (A&A 466, 1219). The off regions are those of Gammapy to the pixel, because the
pixelised angular size of the on-region sets the spacing and so their number. Only pixels that may be excluded are read.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from xgamma.axes import BoolArray, FloatArray, IntArray
from xgamma.events import Events
from xgamma.geometry import Plane, from_tangent_plane, in_boxes, northward_scale, separation, tangent_plane, to_frame
from xgamma.grid import Cells, Circle
from xgamma.masks import SkyMask
from xgamma.outcome import Outcome
from xgamma.reduce.background.protocol import KIND, Background, BackgroundInput, OffRegions
from xgamma.registry import register

TURN = 2 * np.pi


@dataclass(frozen=True)
class ReflectedParameters:
    """How off regions are placed; angles in rad, the pixel size in deg."""

    angle_increment: float = field(default=0.1, metadata={"unit": "rad", "minimum": 1e-4, "maximum": TURN})
    min_distance: float = field(default=0.0, metadata={"unit": "rad", "minimum": 0, "maximum": TURN})
    min_distance_input: float = field(default=0.1, metadata={"unit": "rad", "minimum": 0, "maximum": TURN})
    max_region_number: int = field(default=10000, metadata={"minimum": 1})
    binsz: float = field(default=0.01, metadata={"unit": "deg", "minimum": 1e-3, "maximum": 1})


class RingRegions(NamedTuple):
    """The off regions of one run and region, on the plane tangent at the pointing, in pixels from it.

    ``x`` and ``y`` have shape (off,), ``radius`` is common to all; ``lon``, ``lat`` (region's frame) and
    ``sky_radius`` are the same circles in degrees on the sky.
    """

    x: FloatArray
    y: FloatArray
    radius: float
    lon: FloatArray
    lat: FloatArray
    sky_radius: FloatArray
    outcome: Outcome


def reflected_regions(
    pointing_lon: float, pointing_lat: float, region: Circle, mask: SkyMask | None, parameters: ReflectedParameters
) -> RingRegions:
    """Return the off regions of one run.

    Parameters
    ----------
    pointing_lon, pointing_lat
        In degrees, in the frame of ``region``.
    region
        The on-region.
    mask
        The usable sky; beyond its pixels everything is usable.
    parameters
        How the regions are placed.
    """
    at = tangent_plane(region.lon, region.lat, pointing_lon, pointing_lat)
    center = np.array([at.x, at.y]) / parameters.binsz
    scale = northward_scale(region.lon, region.lat, pointing_lon, pointing_lat)
    radius = float(region.radius / scale / parameters.binsz)
    offset = float(separation(region.lon, region.lat, pointing_lon, pointing_lat))
    npix = int(np.rint((4 * offset + 0.3) / parameters.binsz))
    step = angular_size(center, radius, npix) + parameters.min_distance
    candidates = (step + parameters.min_distance_input, TURN - step - parameters.min_distance_input)
    blocked = np.empty((0, 2))
    if mask is not None and candidates[0] < candidates[1]:
        pointing = pointing_lon, pointing_lat
        excluded = _excluded(center, radius, npix, mask, pointing, region.frame, parameters.binsz)
        blocked = _blocked_angles(center, radius, excluded)
    angles = _free_angles(candidates, step, blocked, parameters)
    outcome = Outcome.USED if len(angles) else Outcome.NO_OFF_REGION
    if len(angles) == 0 and candidates[0] < candidates[1]:
        outcome = Outcome.ON_REGION_EXCLUDED
    return _ring_regions(center, radius, angles, (pointing_lon, pointing_lat), parameters.binsz, outcome)


def _ring_regions(
    center: FloatArray, radius: float, angles: FloatArray, pointing: tuple[float, float], binsz: float, outcome: Outcome
) -> RingRegions:
    cosine, sine = np.cos(angles), np.sin(angles)
    x, y = center[0] * cosine - center[1] * sine, center[0] * sine + center[1] * cosine
    lon, lat = from_tangent_plane(Plane(x * binsz, y * binsz), *pointing)
    return RingRegions(x, y, radius, lon, lat, radius * binsz * northward_scale(lon, lat, *pointing), outcome)


def _pixel_offsets(npix: int, low: float, high: float) -> FloatArray:
    """Return the offsets from the pointing of the pixel centres in [low, high] of a grid of ``npix`` about it."""
    middle = 0.5 * (npix - 1)
    first, last = max(0, int(np.ceil(middle + low))), min(npix - 1, int(np.floor(middle + high)))
    return np.asarray(np.arange(first, last + 1) - middle, dtype=float)


def angular_size(center: FloatArray, radius: float, npix: int) -> float:
    """Return the angle in rad that the pixels of a circle span as seen from the pointing.

    Parameters
    ----------
    center
        Pixels from the pointing, shape (2,).
    radius
        In pixels.
    npix
        The width of the pixel grid about the pointing.
    """
    x = _pixel_offsets(npix, center[0] - radius, center[0] + radius)
    y = _pixel_offsets(npix, center[1] - radius, center[1] + radius)
    dx, dy = np.meshgrid(x, y)
    inside = (dx - center[0]) ** 2 + (dy - center[1]) ** 2 < radius**2
    if not inside.any():
        distance = float(np.hypot(*center))
        return TURN if radius >= distance else 2 * float(np.arcsin(radius / distance))
    angles = np.arctan2(-dx[inside], -dy[inside])
    size = float(np.ptp(angles))
    return float(np.ptp(np.where(angles >= 0, angles - TURN, angles))) if size > np.pi else size


def _excluded(
    center: FloatArray, radius: float, npix: int, mask: SkyMask, pointing: tuple[float, float], frame: str, binsz: float
) -> FloatArray:
    """Return the excluded pixel centres that a circle on the ring may hold, shape (pixel, 2).

    Only pixels beside a cap of the mask are looked up; a pixel beside two of them stands there twice.
    """
    distance = float(np.hypot(*center))
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


def _free_angles(
    candidates: tuple[float, float], step: float, blocked: FloatArray, parameters: ReflectedParameters
) -> FloatArray:
    """Walk around the ring: a free place is taken and left by ``step``, a blocked one by the increment."""
    phi, angles = candidates[0], list[float]()
    starts, stops = blocked[:, 0].tolist(), blocked[:, 1].tolist()
    while phi < candidates[1] and len(angles) < parameters.max_region_number:
        place = bisect_left(starts, phi) - 1
        if place >= 0 and phi < stops[place]:
            phi += parameters.angle_increment
        else:
            angles.append(phi)
            phi += step
    return np.array(angles)


class OffBlock(NamedTuple):
    """Off regions of a block of runs and one region, padded with NaN: ``x`` and ``y`` (row, off), ``radius`` (row,)."""

    x: FloatArray
    y: FloatArray
    radius: FloatArray
    lon: FloatArray
    lat: FloatArray
    sky_radius: FloatArray
    number: IntArray
    outcome: IntArray


def off_block(
    pointing_lon: FloatArray,
    pointing_lat: FloatArray,
    region: Circle,
    mask: SkyMask | None,
    parameters: ReflectedParameters,
    usable: BoolArray,
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
    """
    lon, lat = to_frame(pointing_lon, pointing_lat, "icrs", region.frame)
    places, inverse = np.unique(np.stack([lon[usable], lat[usable]], axis=1), axis=0, return_inverse=True)
    found = [reflected_regions(float(x), float(y), region, mask, parameters) for x, y in places]
    nothing = _ring_regions(np.zeros(2), 0.0, np.empty(0), (0.0, 0.0), parameters.binsz, Outcome.USED)
    rows = [nothing] * len(usable)
    for row, place in zip(np.flatnonzero(usable), inverse.ravel(), strict=True):
        rows[row] = found[place]
    width = max([len(regions.x) for regions in rows] + [1])
    return OffBlock(
        _padded([regions.x for regions in rows], width),
        _padded([regions.y for regions in rows], width),
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
    region: Circle,
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
        square = (x[on_ring, None] - off.x[rows]) ** 2 + (y[on_ring, None] - off.y[rows]) ** 2
        inside = (square < off.radius[rows, None] ** 2).any(axis=1)
    return np.asarray(near[on_ring[inside]], dtype=np.int64)


@dataclass(frozen=True)
class ReflectedRegions(OffRegions):
    """The off regions of a block, and the same by region in pixels on the planes of the pointings."""

    blocks: tuple[OffBlock, ...] = ()


@register(KIND, "reflected", parameters=ReflectedParameters)
class Reflected(Background):
    """The background of reflected off regions."""

    def __init__(self, parameters: ReflectedParameters) -> None:
        self.parameters = parameters

    def place(self, given: BackgroundInput) -> ReflectedRegions:
        """Return the off regions that fit on the ring of each run; each has the acceptance of the on-region."""
        blocks = tuple(
            off_block(*given.pointing, region, given.exclusion, self.parameters, given.usable)
            for region in given.grid.regions
        )
        width = max(block.lon.shape[1] for block in blocks)
        lon, lat, radius = (
            np.stack([_padded(getattr(block, name), width) for block in blocks], axis=1)
            for name in ("lon", "lat", "sky_radius")
        )
        outcome = np.full(len(given.rows), Outcome.USED, dtype=np.int64)
        for block in blocks:
            outcome = np.where(outcome == Outcome.USED, block.outcome, outcome)
        return ReflectedRegions(lon, lat, radius, np.where(np.isfinite(lon), 1.0, np.nan), outcome, blocks=blocks)

    def split(self, given: BackgroundInput, off: OffRegions, events: Events, on: Cells) -> tuple[Cells, Cells]:
        """Return the events as they are on, and those inside the circles on the planes of the pointings."""
        assert isinstance(off, ReflectedRegions)
        found = [
            off_events(events.lon, events.lat, events.row, *given.pointing, region, block, self.parameters.binsz)
            for region, block in zip(given.grid.regions, off.blocks, strict=True)
        ]
        return on, Cells(np.concatenate(found), np.repeat(np.arange(len(found)), [len(event) for event in found]))

    def bound(self, given: BackgroundInput) -> int:
        """Return the largest number that any pointing has without exclusions."""
        pointings = np.unique(np.stack(given.pointing, axis=1), axis=0)
        numbers = [1]
        for region in given.grid.regions:
            lon, lat = to_frame(pointings[:, 0], pointings[:, 1], "icrs", region.frame)
            numbers += [
                len(reflected_regions(float(x), float(y), region, None, self.parameters).x)
                for x, y in zip(lon, lat, strict=True)
            ]
        return max(numbers)

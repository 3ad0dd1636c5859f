"""Wobble off regions: a number of them, evenly spaced with the on-region on the ring about the pointing.

Observations of one source are taken at some distance from it, in turn on each side (wobble mode): Fomin et al. 1994
(Astropart. Phys. 2, 137); Aleksic et al. 2012 (Astropart. Phys. 35, 435). Of a point on-region the off regions are
points too, and events are counted within the radius that the responses have for their energy.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from xgamma.axes import BoolArray, FloatArray, IntArray
from xgamma.events import Events
from xgamma.geometry import separation
from xgamma.grid import Cells, Grid
from xgamma.masks import Exclusion
from xgamma.outcome import Outcome
from xgamma.reduce.background.names import KIND
from xgamma.reduce.background.protocol import BackgroundInput, OffRegions
from xgamma.reduce.background.ring import (
    TURN,
    OffBlock,
    OnPlane,
    RingBackground,
    RingOffRegions,
    RingRegions,
    angular_size,
    excluded_pixels,
    off_block,
    ring_regions,
)
from xgamma.registry import register
from xgamma.shapes import Shape


@dataclass(frozen=True)
class WobbleParameters:
    """How many off regions there are; the pixel size, in which exclusions are looked up, in deg."""

    n_off_regions: int = field(metadata={"minimum": 1, "maximum": 1000, "description": "number of off regions"})
    binsz: float = field(default=0.01, metadata={"unit": "deg", "minimum": 1e-3, "maximum": 1})


def wobble_regions(
    pointing_lon: float, pointing_lat: float, region: Shape, mask: Exclusion | None, parameters: WobbleParameters
) -> RingRegions:
    """Return the off regions of one run; arguments as of ``ring.Find``.

    There are none where any two of them and the on-region overlap.
    """
    on = OnPlane(region, (pointing_lon, pointing_lat), parameters.binsz)
    angles = TURN * np.arange(1, parameters.n_off_regions + 1) / (parameters.n_off_regions + 1)
    is_blocked = on.is_blocked(np.empty((0, 2)) if mask is None else excluded_pixels(on, mask))
    free = np.array([angle for angle in angles.tolist() if not is_blocked(angle)])
    if len(free) == 0:
        return ring_regions(on, free, Outcome.ON_REGION_EXCLUDED)
    apart = np.diff([0.0, *free, TURN]).min()
    if apart < angular_size(on):
        return ring_regions(on, free[:0], Outcome.NO_OFF_REGION)
    return ring_regions(on, free, Outcome.USED)


def most_regions(offset: FloatArray, radius: FloatArray) -> IntArray:
    """Return how many off regions fit beside an on-region on its ring, 0 for none; degrees, shape as given.

    >>> most_regions(np.array([0.5]), np.array([0.2])).tolist()
    [6]
    """
    half = np.arcsin(np.minimum(np.sin(np.deg2rad(radius)) / np.sin(np.deg2rad(offset)), 1.0))
    return np.asarray(np.floor(np.pi / half) - 1, dtype=np.int64)


@register(KIND, "wobble", parameters=WobbleParameters)
class Wobble(RingBackground):
    """The background of off regions on the ring of the on-region."""

    def __init__(self, parameters: WobbleParameters) -> None:
        self.parameters: WobbleParameters = parameters

    def block(self, given: BackgroundInput, number: int) -> OffBlock:
        """Return the off regions of one on-region; of a point those whose circles are apart at all energies."""
        target = (*given.pointing, given.grid.regions[number], given.exclusion_for(number), self.parameters)
        usable = given.usable_for(number)
        if given.apertures is None or not given.grid.points[number]:
            return off_block(*target, usable, wobble_regions)
        limit = given.apertures.limit
        found = off_block(*target, usable & (limit[:, number] > 0), wobble_regions, limit[:, number])
        return _with(found, _is_apart(given.grid, number, found, limit))

    def place(self, given: BackgroundInput) -> RingOffRegions:
        """Return the off regions of each run; each has the acceptance of the on-region."""
        reason = (
            f"its on-region and {self.parameters.n_off_regions} off regions overlap; write a smaller n_off_regions, or "
            "leave the run out"
        )
        return replace(super().place(given), reason=reason)

    def split(self, given: BackgroundInput, off: OffRegions, events: Events, on: Cells) -> tuple[Cells, Cells]:
        """Return the events as they are on, and those in off regions; what is on is not off at any energy."""
        _, away = super().split(given, off, events, on)
        count = len(given.grid.regions)
        is_off = ~np.isin(away.event * count + away.cell, on.event * count + on.cell)
        return on, Cells(away.event[is_off], away.cell[is_off])

    def inside(self, given: BackgroundInput, number: int, block: OffBlock, events: Events) -> IntArray:
        """Return the numbers of the events that lie in an off region of an on-region, each once."""
        if given.apertures is None or not given.grid.points[number]:
            return super().inside(given, number, block, events)
        places = zip(block.lon.T, block.lat.T, strict=True)
        return np.unique(np.concatenate([given.apertures.members(events, number, *place) for place in places]))

    def bound(self, given: BackgroundInput) -> int:
        """Return the number that is asked for."""
        return self.parameters.n_off_regions


def _is_apart(grid: Grid, number: int, found: OffBlock, limit: FloatArray) -> BoolArray:
    """Return which off regions of a point are used, shape (row, off): none of a run where two circles overlap.

    ``limit`` are the largest radii of all on-regions in degrees, shape (row, region). What reaches into the circle of
    another point is left out.
    """
    (on_lon, on_lat), rows = grid.regions[number].center, len(limit)
    lon, lat = (np.column_stack([np.full(rows, on), off]) for on, off in ((on_lon, found.lon), (on_lat, found.lat)))
    first, second = np.triu_indices(lon.shape[1], 1)
    with np.errstate(invalid="ignore"):
        away = separation(lon[:, first], lat[:, first], lon[:, second], lat[:, second])
        is_apart = ~(away < 2 * limit[:, number, None]).any(axis=1, keepdims=True) & np.isfinite(found.lon)
        for other in np.flatnonzero(grid.points).tolist():
            if other != number:
                reach = (limit[:, number] + limit[:, other])[:, None]
                is_apart &= separation(found.lon, found.lat, *grid.regions[other].center) >= reach
    return is_apart


def _with(found: OffBlock, used: BoolArray) -> OffBlock:
    """Return a block with those of its off regions that are used, first."""
    order = np.argsort(~used, axis=1, kind="stable")
    kept = np.take_along_axis(used, order, axis=1)
    values = {
        name: np.where(kept, np.take_along_axis(getattr(found, name), order, axis=1), np.nan)
        for name in ("x", "y", "angles", "lon", "lat", "sky_radius")
    }
    number = used.sum(axis=1)
    lost = (found.number > 0) & (number == 0)
    return found._replace(**values, number=number, outcome=np.where(lost, Outcome.NO_OFF_REGION, found.outcome))

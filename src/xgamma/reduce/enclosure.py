"""What responses enclose: the whole point spread function, a circle of one radius, or one whose radius follows energy.

Point-like responses hold for events within RAD_MAX of the source, and their effective area has the containment of that
circle. A radius that depends on energy is taken event by event: that of the nearest node of its table, in the logarithm
of reconstructed energy and in offset. Source: GADF 0.3, "IRFs" (HDUCLAS3, RAD_MAX) and "RAD_MAX_2D".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import xarray as xr

from xgamma.axes import Axis, BoolArray, FloatArray, IntArray
from xgamma.errors import ConfigError, XgammaError
from xgamma.events import Events, Part, Rows
from xgamma.geometry import in_boxes, separation
from xgamma.grid import Cells, Grid
from xgamma.reduce.response import offsets
from xgamma.shapes import Circle, Shape

RAD_MAX_TOLERANCE = 1e-3


# --- which responses fit which on-regions


@dataclass(frozen=True)
class Enclosure:
    """What the responses of a run enclose.

    Parameters
    ----------
    is_point_like
        Whether they hold for a circle about the source.
    radii
        The smallest and the largest radius of that circle in degrees; NaN where the run does not say.
    """

    is_point_like: bool = False
    radii: tuple[float, float] = (np.nan, np.nan)

    @property
    def is_known(self) -> bool:
        """Whether there is any radius above 0."""
        return bool(self.radii[1] > 0)

    @property
    def varies(self) -> bool:
        """Whether the radius depends on energy or offset."""
        low, high = self.radii
        return bool(high - low > RAD_MAX_TOLERANCE * high)


def enclosure_fault(region: Shape, containment: bool, enclosed: Enclosure) -> XgammaError | None:
    """Return why responses do not fit an on-region, ``None`` where they do.

    Parameters
    ----------
    region
        The on-region.
    containment
        Whether the exposure is to be corrected for the part of the point spread function outside of it.
    enclosed
        What the responses enclose.
    """
    radius = region.radius if isinstance(region, Circle) else np.nan
    if not enclosed.is_point_like:
        return None if radius != 0 else ConfigError(_POINT_OF_FULL_ENCLOSURE)
    if containment:
        return ConfigError(
            "datasets.containment_correction: the responses are point-like, their containment is in the effective "
            "area; set it to false."
        )
    if not enclosed.is_known:
        wanted = f"{radius:.7g} deg" if radius > 0 else "this region"
        return ConfigError(
            f"datasets.on_region.radius: the responses are point-like and do not say for which radius (no RAD_MAX), so "
            f"that no flux follows from {wanted}; write RAD_MAX in degrees into the headers of AEFF and EDISP, "
            "or use full-enclosure responses."
        )
    return None if radius == 0 else _radius_fault(region, radius, enclosed)


_POINT_OF_FULL_ENCLOSURE = (
    "datasets.on_region: a point is for point-like responses, which say its radius (RAD_MAX), and these are of full "
    "enclosure; write a radius such as 0.11 deg."
)


def _radius_fault(region: Shape, radius: float, enclosed: Enclosure) -> XgammaError | None:
    """Return why an on-region with an area is not the circle of point-like responses."""
    low, high = enclosed.radii
    if enclosed.varies:
        return ConfigError(
            f"datasets.on_region: the responses are point-like for a radius that depends on energy or offset (RAD_MAX "
            f"is {low:.3g} to {high:.3g} deg), got {_named(region)}; write a point, radius: 0 deg, and "
            "datasets.background.method: wobble."
        )
    if not isinstance(region, Circle):
        return ConfigError(
            f"datasets.on_region: the responses are point-like for a circle of {high:.7g} deg (RAD_MAX), got "
            f"{_named(region)}; write a circle of that radius, or use full-enclosure responses."
        )
    if abs(radius - high) > RAD_MAX_TOLERANCE * high:
        return ConfigError(
            f"datasets.on_region.radius: the responses are point-like for a radius of {high:.7g} deg (RAD_MAX), "
            f"got {radius:.7g} deg; write {high:.7g} deg."
        )
    return None


def _named(region: Shape) -> str:
    if isinstance(region, Circle):
        return f"a circle of {region.radius:.7g} deg"
    return f"{'an' if region.kind[0] in 'aeiou' else 'a'} {region.kind}"


def enclosures(part: Part, rows: Rows) -> list[Enclosure]:
    """Return what the responses of each row enclose."""
    columns = [
        part.column(name, rows.obs).tolist() for name in ("point_like", "rad_max", "rad_max_table", "rad_max_row")
    ]
    known: dict[tuple[bool, float, int, int], Enclosure] = {}
    found: list[Enclosure] = []
    for own in zip(*columns, strict=True):
        if own not in known:
            known[own] = _enclosure(part, *own)
        found.append(known[own])
    return found


def _enclosure(part: Part, is_point_like: bool, rad_max: float, table: int, place: int) -> Enclosure:
    if not is_point_like:
        return Enclosure()
    if table < 0:
        return Enclosure(True, (rad_max, rad_max))
    # A table says more than a keyword: it is what counts.
    values = part.table_of(table)["rad_max"].values[place].astype(float)
    values = values[np.isfinite(values)]
    return Enclosure(True, (float(values.min(initial=np.inf)), float(values.max(initial=0.0))))


def enclosure_faults(part: Part, rows: Rows, grid: Grid, containment: bool) -> list[XgammaError | None]:
    """Return for each row why its responses do not fit the on-regions, ``None`` where they do."""
    if not grid.points.any() and not (grid.is_region and part.column("point_like", rows.obs).any()):
        return [None] * len(rows)
    found = enclosures(part, rows)
    known = {
        own: next(filter(None, (enclosure_fault(region, containment, own) for region in grid.regions)), None)
        for own in set(found)
    }
    return [known[own] for own in found]


def validate_enclosure(pieces: Iterable[tuple[Part, Rows]], grid: Grid, containment: bool) -> None:
    """Raise where no row of a request has responses that fit the on-region; a single row that does not is left out.

    Raises
    ------
    ConfigError
        For another region than that of point-like responses, for an unknown radius, for a containment correction of
        them, and for a point where responses are of full enclosure.
    """
    fault = None
    for part, rows in pieces:
        for fault in enclosure_faults(part, rows, grid, containment):
            if fault is None:
                return
    if fault is not None:
        raise fault


# --- the radii of points


@dataclass(frozen=True)
class _Curves:
    """Radii of the rows whose tables have the same axes.

    Parameters
    ----------
    middles
        The energies (TeV) between the nodes of the table, shape (node - 1,).
    span
        The energies that the table holds for.
    radius
        Degrees, shape (row, region, node); 0 where the table says nothing.
    """

    middles: FloatArray
    span: tuple[float, float]
    radius: FloatArray

    def at(self, place: IntArray, region: int, energy: FloatArray) -> FloatArray:
        """Return radii of energies in rows of this table, all of shape (n,)."""
        radius = self.radius[place, region, np.searchsorted(self.middles, energy)]
        return np.where((energy >= self.span[0]) & (energy <= self.span[1]), radius, 0.0)


@dataclass(frozen=True)
class Apertures:
    """The circles within which events of points on the sky are counted, row by row and energy by energy.

    Parameters
    ----------
    curves
        The radii by table.
    table, place
        Which of the curves a row has, and which row of them it is, shape (row,); -1 for none.
    reach
        The largest radius of a point at any energy in degrees, shape (row, region).
    limit
        The largest at the energies of the axis, those of the nodes whose bins lie partly on it; 0 where none is known.
    centers
        The radius at the centre of each bin of the axis, 0 where it is not known, shape (row, region, energy). What is
        no point has its own radius, NaN where it is no circle.
    """

    curves: tuple[_Curves, ...]
    table: IntArray
    place: IntArray
    reach: FloatArray
    limit: FloatArray
    centers: FloatArray

    @property
    def varies(self) -> BoolArray:
        """Whether the radius of any point differs between bins of the axis, shape (row,)."""
        return np.asarray((np.ptp(self.centers, axis=2) > RAD_MAX_TOLERANCE * self.centers.max(axis=2)).any(axis=1))

    def unknown(self, offset: FloatArray) -> dict[int, str]:
        """Return by row why no event is counted, where that is so; ``offset`` in degrees, shape (row, region)."""
        rows = np.flatnonzero((self.limit == 0).all(axis=1)).tolist()
        where = "from the pointing at any energy of datasets.geom.axes.energy"
        return {row: f"RAD_MAX is not known {offset[row].min():.3g} deg {where}" for row in rows}

    def radii(self, row: IntArray, region: int, energy: FloatArray) -> FloatArray:
        """Return the radius of a point for some energies (TeV) of some rows in degrees, shape (n,)."""
        found = np.zeros(len(row))
        for number, curves in enumerate(self.curves):
            own = np.flatnonzero(self.table[row] == number)
            found[own] = curves.at(self.place[row[own]], region, energy[own])
        return found

    def members(self, events: Events, region: int, lon: FloatArray, lat: FloatArray) -> IntArray:
        """Return the numbers of the events within the radius of a point about the position of their row.

        Parameters
        ----------
        events
            Of the block.
        region
            The number of the point.
        lon, lat
            ICRS degrees, shape (row,); NaN for none.
        """
        reach = self.reach[:, region]
        near = np.flatnonzero(in_boxes(events.lon, events.lat, events.row, lon, lat, 1.01 * reach))
        row = events.row[near]
        away = separation(events.lon[near], events.lat[near], lon[row], lat[row])
        radius = self.radii(row, region, events.energy[near])
        return np.asarray(near[(away <= radius) & (radius > 0)], dtype=np.int64)

    def with_points(self, cells: Cells, events: Events, grid: Grid) -> Cells:
        """Return the cells of events, and with them the points that they lie in."""
        pairs = [(cells.event, cells.cell)]
        for region in np.flatnonzero(grid.points).tolist():
            lon, lat = (np.full(len(self.table), place) for place in grid.regions[region].center)
            found = self.members(events, region, lon, lat)
            pairs.append((found, np.full(len(found), region, dtype=np.int64)))
        event, cell = (np.concatenate(values) for values in zip(*pairs, strict=True))
        return Cells(event, cell)


def apertures(part: Part, rows: Rows, grid: Grid) -> Apertures | None:
    """Return the radii of the on-regions that are points; ``None`` where there are no such."""
    if not grid.points.any():
        return None
    offset, count = offsets(part, rows, grid), len(grid.regions)
    point_like = part.column("point_like", rows.obs)
    numbers, places = (part.column(f"rad_max_{what}", rows.obs) for what in ("table", "row"))
    curves: list[_Curves] = []
    table, place = np.full(len(rows), -1), np.full(len(rows), -1)
    reach, limit = (np.tile(grid.radii, (len(rows), 1)) for _ in range(2))
    centers = np.repeat(limit[:, :, None], grid.energy.nbin, axis=2)
    points = np.flatnonzero(grid.points)
    for number in np.unique(numbers[point_like]).tolist():
        own = np.flatnonzero(point_like & (numbers == number))
        if number < 0:
            found, bins = _fixed(np.nan_to_num(part.column("rad_max", rows.obs[own])), count)
        else:
            found, bins = _tabulated(part.table_of(number), places[own], offset[own])
        table[own], place[own] = len(curves), np.arange(len(own))
        on_axis = (bins[:, 1] >= grid.energy.edges[0]) & (bins[:, 0] <= grid.energy.edges[-1])
        reach[np.ix_(own, points)] = found.radius.max(axis=2)[:, points]
        limit[np.ix_(own, points)] = np.where(on_axis, found.radius, 0.0).max(axis=2)[:, points]
        for region in points.tolist():
            row, energy = np.divmod(np.arange(len(own) * grid.energy.nbin), grid.energy.nbin)
            at = found.at(row, region, grid.energy.center[energy])
            centers[own, region] = at.reshape(len(own), grid.energy.nbin)
        curves.append(found)
    return Apertures(tuple(curves), table, place, reach, limit, centers)


def _fixed(radius: FloatArray, regions: int) -> tuple[_Curves, FloatArray]:
    """Return curves of one radius for each row, shape (row,), and the bounds of their one bin."""
    span = (0.0, np.inf)
    return _Curves(np.empty(0), span, np.repeat(radius[:, None, None], regions, axis=1)), np.array([span])


def _tabulated(table: xr.Dataset, places: IntArray, offset: FloatArray) -> tuple[_Curves, FloatArray]:
    """Return the curves of some rows of a table at offsets of shape (row, region), and the bounds of their bins."""
    energy, away = (Axis.from_coords(table.coords, name) for name in ("energy", "offset"))
    values = table["rad_max"].transpose("irf", "offset", "energy").values.astype(float)
    radius = values[places[:, None], np.searchsorted(_middles(away), offset)]
    is_inside = (offset >= away.edges[0]) & (offset <= away.edges[-1])
    known = np.where(is_inside[:, :, None] & np.isfinite(radius), np.maximum(radius, 0.0), 0.0)
    return _Curves(_middles(energy), (float(energy.edges[0]), float(energy.edges[-1])), known), energy.bounds


def _middles(axis: Axis) -> FloatArray:
    """Return what lies half-way between neighbouring nodes in the scale of an axis."""
    nodes = axis.center
    return np.sqrt(nodes[1:] * nodes[:-1]) if axis.scale == "log" else 0.5 * (nodes[1:] + nodes[:-1])

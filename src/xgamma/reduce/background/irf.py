"""The background that is expected: the rate that a release gives, integrated over region, energy and good time.

Source: GADF 0.3, background (bkg_2d, bkg_3d). A rate is per second of good time, not of livetime. Between the energies
at which it is evaluated it is a power law.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from xgamma.axes import BoolArray, FloatArray, IntArray
from xgamma.events import Events
from xgamma.geometry import cap_area, position_angle, separation, to_field, zenith
from xgamma.grid import Cells, Grid, RegionSpace, SkySpace
from xgamma.irf import FOV_ALIGNMENTS, background_rate
from xgamma.masks import Exclusion
from xgamma.outcome import Outcome
from xgamma.reduce.background.names import KIND
from xgamma.reduce.background.protocol import (
    Background,
    BackgroundInput,
    OffRegions,
    refuse_exclusion,
)
from xgamma.reduce.background.windows import FieldOfView, RateTable, expected_in_window
from xgamma.registry import register
from xgamma.shapes import Shape
from xgamma.times import time_from_seconds

RADEC, ALTAZ, REVERSE = range(len(FOV_ALIGNMENTS))
# In such steps, in s, the field of view of a camera that does not turn with the sky is followed.
STEP = 60.0
_NOTHING = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class IrfParameters:
    """How a rate is integrated."""

    oversampling: int = field(
        default=1, metadata={"minimum": 1, "maximum": 100, "description": "steps in each bin of energy"}
    )


# Version 2 interpolates to no rate as Gammapy does, in the unit of files.
@register(KIND, "irf", version=2, parameters=IrfParameters)
class Irf(Background):
    """The background that the release expects."""

    variables = ("background",)
    roles = ("bkg",)

    def __init__(self, parameters: IrfParameters) -> None:
        self.parameters = parameters

    def validate(self, grid: Grid, exclusion: Exclusion | None) -> None:
        """Raise ``ConfigError`` for an exclusion, as no events of the sky are taken."""
        refuse_exclusion(exclusion, "irf is expected and not measured on the sky")

    def place(self, given: BackgroundInput) -> OffRegions:
        """Return no off regions; rows whose field of view lies nobody knows how have no background."""
        is_known = given.usable & np.isfinite(_alignment(given))
        outcome = np.where(given.usable & ~is_known, Outcome.UNKNOWN_RESPONSE, Outcome.USED)
        reason = (
            "how the field of view of the background lies on the sky is not known: FOVALIGN is none of "
            f"{', '.join(FOV_ALIGNMENTS)}, or is ALTAZ without GEOLON and GEOLAT of the site, or the run was ingested "
            "by an older version; ingest it into a new store"
        )
        return OffRegions.none(len(given.rows), len(given.grid.regions)).without(outcome, reason)

    def split(self, given: BackgroundInput, off: OffRegions, events: Events, on: Cells) -> tuple[Cells, Cells]:
        """Return the events on; none is off."""
        return on, Cells(_NOTHING, _NOTHING)

    def bound(self, given: BackgroundInput) -> int:
        """Return 1: there are no off regions."""
        return 1

    def estimate(self, given: BackgroundInput, off: OffRegions, counts_off: FloatArray) -> Mapping[str, FloatArray]:
        """Return the expected counts, 0 where they are not known, shape (row, cell, energy)."""
        edges = _finer(given.grid.energy.edges, self.parameters.oversampling)
        if isinstance(given.grid.space, SkySpace):
            used = given.usable & (off.outcome == Outcome.USED)
            return {"background": _in_windows(given, given.grid.space, used, edges)}
        lon, lat, weights = _positions(given, given.grid.space)
        expected, space = np.zeros(counts_off.shape), given.grid.space
        areas = np.broadcast_to(space.solid_angles(), expected.shape[:2])[..., None]
        if given.apertures is not None:
            areas = np.where(given.grid.points[:, None], cap_area(given.apertures.centers), areas)
        chosen = np.flatnonzero(given.usable & (off.outcome == Outcome.USED))
        tables, alignment = given.part.column("bkg_table", given.rows.obs), _alignment(given)
        for number, turn in sorted({(int(tables[row]), float(alignment[row])) for row in chosen}):
            own = chosen[(tables[chosen] == number) & (alignment[chosen] == turn)]
            rate = _rate(given, number, own, (lon, lat), edges)
            counts = _integral(edges, rate).reshape(len(own), rate.shape[1], -1, self.parameters.oversampling)
            whole = np.where((counts > 0).all(axis=-1), counts.sum(axis=-1), 0.0)
            cells = np.einsum("rpe,cp->rce", whole, weights) if weights is not None else whole
            expected[own] = cells * areas[own] * given.ontime[own, None, None]
        return {"background": expected}


def _in_windows(given: BackgroundInput, space: SkySpace, used: BoolArray, edges: FloatArray) -> FloatArray:
    """Return the expected counts of windows in single precision, shape (row, cell, energy), energy first in memory."""
    pointing, origin, alignment = given.pointing, space.origins(*given.pointing), _alignment(given)
    tables, numbers = (given.part.column(name, given.rows.obs) for name in ("bkg_table", "bkg_row"))
    found = np.zeros((len(given.rows), given.grid.energy.nbin, *space.shape), dtype=np.float32)
    ontime = given.ontime
    for number in np.unique(tables[used]).tolist():
        own = np.flatnonzero(used & (tables == number))
        rates = RateTable.read(given.part.table_of(number), numbers[own], edges)
        for row, rate in zip(own.tolist(), rates, strict=True):
            turns = alignment[row] == ALTAZ and "offset" not in rate.axes
            view = FieldOfView(
                float(pointing[0][row]),
                float(pointing[1][row]),
                -1.0 if alignment[row] == RADEC else 1.0,
                tuple(_turns(given, np.array([row]))[0].tolist()) if turns else (0.0,),
            )
            expected_in_window(rate, view, space, origin[row], float(ontime[row]), found[row])
    return found.reshape(*found.shape[:2], -1).swapaxes(1, 2)  # type: ignore[return-value]


def _alignment(given: BackgroundInput) -> FloatArray:
    """Return the number of the alignment of each row, NaN where it is needed and not known; by offset none is."""
    part, fields = given.part, given.part.runs.attrs.get("bkg_field")
    tables, longitude = part.column("bkg_table", given.rows.obs), _site_lon(given)
    by_offset = {number for number in set(tables.tolist()) if number >= 0 and "offset" in part.table_of(number).dims}
    found = np.full(len(given.rows), np.nan)
    for row, (obs, table) in enumerate(zip(given.rows.obs.tolist(), tables.tolist(), strict=True)):
        field = {} if fields is None else fields[obs]
        word = FOV_ALIGNMENTS[RADEC] if table in by_offset else field.get("alignment")
        has_site = "site_lat" in field and np.isfinite(longitude[row])
        if word is not None and (word != FOV_ALIGNMENTS[ALTAZ] or has_site):
            found[row] = FOV_ALIGNMENTS.index(word)
    return found


def _site_lon(given: BackgroundInput) -> FloatArray:
    """Return the east longitude of the site of each row in deg, NaN where it is not known."""
    is_known = "geo_lon" in given.part.obs
    return given.part.column("geo_lon", given.rows.obs) if is_known else np.full(len(given.rows), np.nan)


def _rate(
    given: BackgroundInput, table: int, own: IntArray, at: tuple[FloatArray, FloatArray], edges: FloatArray
) -> FloatArray:
    """Return the rate at ICRS positions, shape (1 or row, place), of rows that share table and alignment."""
    pointing = [coordinate[own, None] for coordinate in given.pointing]
    stored, numbers = given.part.table_of(table), given.part.column("bkg_row", given.rows.obs[own])
    if "offset" in stored.dims:
        return background_rate(stored, numbers, {"offset": separation(*at, *pointing)}, edges)
    alignment = _alignment(given)[own[0]]
    if alignment != ALTAZ:
        lon, lat = to_field(*at, *pointing)
        # The longitude grows to the west, as in Gammapy 2.1.
        place = {"fov_lon": lon if alignment == REVERSE else -lon, "fov_lat": lat}
        return background_rate(stored, numbers, place, edges)
    angles = _turns(given, own)
    total: FloatArray = np.zeros(())
    for angle in angles.T:
        lon, lat = to_field(at[0], at[1], pointing[0], pointing[1], angle[:, None])
        total = np.add(total, background_rate(stored, numbers, {"fov_lon": lon, "fov_lat": lat}, edges))
    return np.asarray(total / angles.shape[1])


def _turns(given: BackgroundInput, own: IntArray) -> FloatArray:
    """Return the position angles of the zenith in the middle of equal shares of the good time, shape (row, share)."""
    count = max(1, int(np.ceil(given.ontime[own].max() / STEP)))
    seconds = np.stack([_shares(given.good_time[row], count) for row in own])
    utc = time_from_seconds(seconds, float(given.part.runs.attrs["mjdref"])).utc.mjd
    fields = given.part.runs.attrs["bkg_field"]
    latitude = np.array([fields[obs]["site_lat"] for obs in given.rows.obs[own].tolist()])
    at = zenith(utc, _site_lon(given)[own, None], latitude[:, None])
    return position_angle(*at, *(coordinate[own, None] for coordinate in given.pointing))


def _shares(intervals: FloatArray, count: int) -> FloatArray:
    """Return the times in the middle of equal shares of good time.

    >>> _shares(np.array([[0.0, 2.0], [10.0, 12.0]]), 4).tolist()
    [0.5, 1.5, 10.5, 11.5]
    """
    passed = np.concatenate([[0.0], np.cumsum(np.diff(intervals, axis=1)[:, 0])])
    wanted = (np.arange(count) + 0.5) / count * passed[-1]
    piece = np.clip(np.searchsorted(passed, wanted, side="right") - 1, 0, len(intervals) - 1)
    return np.asarray(intervals[piece, 0] + wanted - passed[piece])


def _positions(given: BackgroundInput, space: RegionSpace) -> tuple[FloatArray, FloatArray, FloatArray | None]:
    """Return ICRS positions, shape (1, place), and the share of each in the regions, shape (region, place).

    The shares are ``None`` where each place is the centre of a region.
    """
    if given.use_region_center:
        lon, lat = space.positions()
        return np.atleast_2d(lon), np.atleast_2d(lat), None
    found = [_samples(region) for region in given.grid.regions]
    sizes = [len(weight) for _, _, weight in found]
    shares = np.zeros((len(sizes), sum(sizes)))
    for cell, (start, (_, _, weight)) in enumerate(zip(np.cumsum([0, *sizes]), found, strict=False)):
        shares[cell, start : start + len(weight)] = weight
    lon, lat = (np.concatenate([each[axis] for each in found])[None] for axis in (0, 1))
    return lon, lat, shares


def _samples(region: Shape) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return ICRS positions and shares of a region; of a point itself."""
    lon, lat, weight = region.samples()
    if len(weight):
        return lon, lat, weight
    center = region.center
    return np.array([center[0]]), np.array([center[1]]), np.ones(1)


def _finer(edges: FloatArray, steps: int) -> FloatArray:
    """Return edges with as many equal steps of log energy in each bin."""
    logs = np.log(edges)
    inner = logs[:-1, None] + np.diff(logs)[:, None] * (np.arange(steps) / steps)
    return np.append(np.exp(inner).ravel(), edges[-1]) if steps > 1 else edges


def _integral(edges: FloatArray, density: FloatArray) -> FloatArray:
    """Return the integral of power laws between edges, along the last axis; 0 beside a density of 0."""
    low, high = density[..., :-1], density[..., 1:]
    known: BoolArray = (low > 0) & (high > 0)
    step = np.diff(np.log(edges))
    slope = np.log(np.divide(high, low, out=np.ones_like(low), where=known)) / step + 1
    grown = slope * step
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.where(np.abs(grown) > 1e-8, np.expm1(grown) / slope, step)
    return np.asarray(np.where(known, low * edges[:-1] * factor, 0.0))

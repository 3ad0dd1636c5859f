"""A configuration for a release that nobody has looked at: its most observed target, and what its responses allow.

Some runs are read and reduced in memory with axes as wide as their responses. Where they can be used, and which
energies are safe and hold events, decides what is suggested.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import xarray as xr

from xgamma.analysis.look import sample_of
from xgamma.analysis.selected import no_run_left
from xgamma.analysis.steps.rows import unused_rows
from xgamma.axes import Axis, BoolArray
from xgamma.errors import DataError, InputError
from xgamma.events import Part, Rows, RunFacts
from xgamma.execute import THIS_PROCESS
from xgamma.formats.gadf.run import read_run
from xgamma.geometry import lonlat, separation, unit_vector
from xgamma.grid import Circle, Grid, RegionSpace
from xgamma.ingest import FitsRelease, StoredRelease
from xgamma.outcome import Outcome
from xgamma.reduce import Recipe, method, reduce_each, validate_enclosure
from xgamma.reduce.background.wobble import most_regions
from xgamma.reduce.enclosure import apertures, enclosures
from xgamma.reduce.losses import true_energy_remark, wide_axis
from xgamma.reduce.response import offsets
from xgamma.select import Selection, rows_of
from xgamma.store import Store

NEEDED = ("aeff", "edisp")
# Of a source that looks like a point, in an array of telescopes.
RADIUS = 0.11
# Wobble off regions of a point; fewer where their circles would overlap.
MOST_OFF = 3
# Within the field of view that a configuration has by default.
CONE = 2.4
# Beside a pointing there is room for off regions from here on.
BESIDE = 0.5
# Pointings of a survey lie about this far apart.
CROWD = 4.0
POINTINGS = 300
POINTS_PER_DECADE, BINS_PER_POINT = 4, 3
TRUE_BINS_PER_DECADE = 20


@dataclass(frozen=True)
class Suggestion:
    """What an analysis of a release can be; degrees in ICRS, TeV.

    Parameters
    ----------
    target
        The name of what is observed, empty where nobody says.
    region
        The on-region.
    cone
        How near the pointings are, deg.
    required
        The responses that are needed.
    containment
        Whether the exposure is to be corrected for the size of the region.
    energy, energy_true
        The axes.
    points
        The number of flux points, whose edges lie on ``energy``.
    safe_masks
        Methods that leave energies.
    off
        The number of wobble off regions; 0 for reflected ones.
    guesses
        Sentences about what the release does not tell and what that means.
    """

    target: str
    region: Circle
    cone: float
    required: tuple[str, ...]
    containment: bool
    energy: Axis
    energy_true: Axis
    points: int
    safe_masks: tuple[str, ...]
    off: int = 0
    guesses: tuple[str, ...] = ()


class _Position(NamedTuple):
    """Where a source may be, deg in ICRS, and why that is a guess where it is one."""

    lon: float
    lat: float
    why: str = ""


@dataclass(frozen=True)
class _Trial:
    """Runs around a position, reduced."""

    part: Part
    rows: Rows
    recipe: Recipe
    data: xr.Dataset
    position: _Position

    @property
    def used(self) -> BoolArray:
        return np.asarray(self.data["outcome"].values == Outcome.USED)


def suggestion(release: FitsRelease | StoredRelease) -> Suggestion:
    """Return what can be done with a release.

    Raises
    ------
    ConfigError, LaterError
        Where this version cannot reduce its responses.
    InputError, DataError
        When no run can be read or used.
    """
    facts = {obs_id: run for obs_id, run in release.facts().items() if run.roles.issuperset(NEEDED)}
    if not facts:
        raise InputError(f"{release.place} has no run with {' and '.join(NEEDED)}; a spectrum needs both.")
    target = Counter(run.target for run in facts.values()).most_common(1)[0][0]
    runs = [run for run in facts.values() if run.target == target]
    return _suggestion(_best(_trial(release, *around) for around in _fields(release, facts, runs)), target)


def _fields(
    release: FitsRelease | StoredRelease, facts: Mapping[int, RunFacts], runs: Sequence[RunFacts]
) -> Iterator[tuple[_Position, list[int]]]:
    """Yield positions and the runs around each, where there are any."""
    for position in _positions(release, runs):
        distances = {run.obs_id: separation(position.lon, position.lat, run.ra, run.dec) for run in facts.values()}
        near = [obs_id for obs_id, distance in distances.items() if float(distance) < CONE]
        if near:
            yield position, near


def _best(trials: Iterable[_Trial]) -> _Trial:
    """Return the first trial of which all runs can be used, else the one of which most can."""
    tried: list[_Trial] = []
    for trial in trials:
        tried.append(trial)
        if trial.used.all():
            break
    best = max(tried, key=lambda trial: int(trial.used.sum()))
    if not best.used.any():
        ends = zip(map(Outcome, best.data["outcome"].values.tolist()), best.data.attrs["outcome_details"], strict=True)
        numbered = ((number, *end) for number, end in enumerate(ends))
        raise DataError(no_run_left(unused_rows(best.part, best.rows, numbered)))
    return best


def _positions(release: FitsRelease | StoredRelease, runs: Sequence[RunFacts]) -> Iterator[_Position]:
    """Yield where a source may be: as the headers say, amid the pointings, beside a pointing."""
    why = "a store does not hold where its source is"
    if isinstance(release, FitsRelease):
        told = _position_of_headers(release, [run.obs_id for run in runs])
        why = "no header has it in RA_OBJ and DEC_OBJ, in deg"
        if told is not None:
            yield told
            why = f"not all runs can be used at that of the headers, {told.lon:.7g}, {told.lat:.7g} deg"
    some = runs[:: max(1, len(runs) // POINTINGS)]
    ra, dec = (np.array([getattr(run, name) for run in some]) for name in ("ra", "dec"))
    near = separation(ra[:, None], dec[:, None], ra, dec) < CROWD
    crowd = near[np.argmax(near.sum(axis=1))]
    lon, lat = lonlat(unit_vector(ra[crowd], dec[crowd]).mean(axis=0))
    yield _Position(float(lon), float(lat), why)
    first = int(np.flatnonzero(crowd)[0])
    yield _Position(float(ra[first]), float(dec[first] - math.copysign(BESIDE, dec[first])), why)


def _position_of_headers(release: FitsRelease, obs_ids: Sequence[int]) -> _Position | None:
    for obs_id in obs_ids[:3]:
        try:
            header = read_run(release.index.runs[obs_id]).header
        except (OSError, ValueError):
            # Such a run is not used; another one knows the position as well.
            continue
        lon, lat = header.get("RA_OBJ"), header.get("DEC_OBJ")
        if isinstance(lon, int | float) and isinstance(lat, int | float) and math.isfinite(lon + lat):
            return _Position(float(lon), float(lat))
    return None


def _trial(release: FitsRelease | StoredRelease, position: _Position, near: Sequence[int]) -> _Trial:
    held = release.load(sample_of(near, release), Store("memory://"), on_failure=lambda _: None)
    if not held.places:
        raise InputError(no_run_left(held.failures))
    key, rows = rows_of(held.parts, held.places, held.places, Selection())[0]
    part = held.parts[key]
    recipe = _recipe(part, rows, position)
    validate_enclosure([(part, rows)], recipe.grid, recipe.containment)
    fresh = reduce_each(part, rows, recipe, THIS_PROCESS)
    if fresh.data is None:
        raise next(iter(fresh.lost.values()))
    return _Trial(part, rows.at(fresh.done), recipe, fresh.data, position)


def _recipe(part: Part, rows: Rows, position: _Position) -> Recipe:
    enclosed = [each for each in enclosures(part, rows) if each.is_point_like]
    is_point_like, is_point = bool(enclosed), any(each.varies for each in enclosed)
    radii = Counter(each.radii[1] for each in enclosed if each.is_known)
    # That of most runs: of another radius none would be right.
    radius = 0.0 if is_point else radii.most_common(1)[0][0] if radii else RADIUS
    has_psf = bool((part.column("psf_table", rows.obs) >= 0).all())
    thresholds = np.stack([part.column(name, rows.obs) for name in ("energy_min", "energy_max")])
    known = bool((np.nan_to_num(thresholds) > 0).all())
    wide = wide_axis(part, rows)
    low, high, size = wide.edges[0], wide.edges[-1], math.ceil(10 * math.log10(wide.edges[-1] / wide.edges[0]))
    space = RegionSpace((Circle(round(position.lon, 4), round(position.lat, 4), radius),))
    return Recipe(
        Grid(Axis.from_bounds("energy", low, high, size), wide, space),
        containment=has_psf and not is_point_like,
        background=method("background", "wobble", n_off_regions=1) if is_point else method("background", "reflected"),
        safe_masks=tuple(
            method("safe mask", name) for name in (("aeff-default", "aeff-max") if known else ("aeff-max",))
        ),
    )


def _suggestion(trial: _Trial, target: str) -> Suggestion:
    recipe, grid = trial.recipe, trial.recipe.grid
    region = grid.regions[0]
    assert isinstance(region, Circle)
    low, high = _span(trial)
    points = max(2, round(POINTS_PER_DECADE * math.log10(high / low)))
    energy = Axis.from_bounds("energy", low, high, BINS_PER_POINT * points)
    rows = trial.rows.at(np.flatnonzero(trial.used).tolist())
    seen = Grid(energy, grid.energy_true, grid.space)
    has_table = bool((trial.part.column("rad_max_table", rows.obs) >= 0).all())
    return Suggestion(
        target,
        region,
        CONE,
        (*NEEDED, *(("psf",) if recipe.containment else ()), *(("rad_max",) if has_table else ())),
        recipe.containment,
        energy,
        _true_axis(trial.part, rows, seen, recipe.containment),
        points,
        tuple(mask.name for mask in recipe.safe_masks),
        _off(trial.part, rows, seen),
        tuple(_guesses(trial)),
    )


def _off(part: Part, rows: Rows, grid: Grid) -> int:
    """Return how many wobble off regions a point may have in all runs, ``MOST_OFF`` at the most; 0 for a circle."""
    points = apertures(part, rows, grid)
    return (
        0 if points is None else int(np.clip(most_regions(offsets(part, rows, grid), points.limit).min(), 1, MOST_OFF))
    )


def _guesses(trial: _Trial) -> Iterator[str]:
    """Yield what the release does not tell."""
    region, why = trial.recipe.grid.regions[0], trial.position.why
    if why:
        yield (
            f"datasets.on_region: the position {region.lon:.7g}, {region.lat:.7g} deg is a guess from the pointings, "
            f"as {why}; set it, and that of observations.obs_cone."
        )
    is_point_like = trial.part.column("point_like", trial.rows.obs)
    if trial.recipe.containment or is_point_like.all():
        return
    if is_point_like.any():
        lacking = "some of the runs are point-like; fluxes of the others lack what falls out of the region"
    else:
        lacking = "not all runs have a point spread function; fluxes lack what falls out of the region"
    yield f"datasets.containment_correction: false, as {lacking}."


def _span(trial: _Trial) -> tuple[float, float]:
    """Return the energies that are safe and hold events, as round numbers."""
    data, axis = trial.data.isel(dataset=np.flatnonzero(trial.used)), trial.recipe.grid.energy
    safe = data["mask_safe"].values.any(axis=(0, 1))
    events = (data["counts"] + data["counts_off"]).values.sum(axis=(0, 1)) > 0
    bins = np.flatnonzero(safe & events) if (safe & events).any() else np.flatnonzero(safe)
    low = _rounded(float(axis.edges[bins[0]]), math.ceil)
    high = _rounded(float(axis.edges[bins[-1] + 1]), math.floor)
    return (low, high) if high > 3 * low else (low, 10 * low)


def _rounded(value: float, rounding: Callable[[float], int]) -> float:
    """Return a number of two digits."""
    scale = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f"{rounding(round(value / scale, 6)) * scale:.2g}")


def _true_axis(part: Part, rows: Rows, grid: Grid, containment: bool) -> Axis:
    """Return an axis that costs no counts: as wide as the responses around the energies, and as fine as need be."""
    low = max(grid.energy_true.edges[0], grid.energy.edges[0] / 10)
    high = min(grid.energy_true.edges[-1], grid.energy.edges[-1] * 10)
    low, high = _rounded(float(low), math.floor), _rounded(float(high), math.ceil)
    every = np.ones(grid.energy.nbin, dtype=bool)
    axis = grid.energy_true
    for density in (TRUE_BINS_PER_DECADE, 2 * TRUE_BINS_PER_DECADE, 4 * TRUE_BINS_PER_DECADE):
        axis = Axis.from_bounds("energy_true", low, high, math.ceil(density * math.log10(high / low)))
        if not true_energy_remark(part, rows, Grid(grid.energy, axis, grid.space), containment, every):
            break
    return axis

"""One block of runs reduced: the function that reads like a recipe.

Arrays of cells are (row, cell, energy) for regions and for windows of the sky. Those of windows lie in memory plane by
plane, energy before cells, as views with the axes swapped: whatever numpy makes of them keeps that order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from xgamma import schema
from xgamma.axes import BoolArray, FloatArray, IntArray
from xgamma.errors import ConfigError
from xgamma.events import Part, Rows, good_time, has_sound_times, read_events
from xgamma.grid import Grid
from xgamma.outcome import Fate, Outcome, validate_ledger
from xgamma.reduce.background import Background, BackgroundInput, OffRegions, Settled, background_of
from xgamma.reduce.counts import Members, add_counts, fates, members, rows_in_view, usable
from xgamma.reduce.enclosure import Apertures, apertures, enclosure_faults
from xgamma.reduce.limits import MAX_EVENTS
from xgamma.reduce.losses import Loss, loss
from xgamma.reduce.nodes import safe_offsets
from xgamma.reduce.recipe import Recipe
from xgamma.reduce.response import averaged, offsets, origins, responses
from xgamma.reduce.rows import SINGLE, row_coords
from xgamma.reduce.safe_bins import safe_bins
from xgamma.reduce.windows import cut_out, window_responses
from xgamma.times import padded_gti

# Wider than any imaging telescope sees: events that all lie farther from the pointing do not belong to it.
FIELD_OF_VIEW = 10.0
OFF_THE_MAP = "the map lies outside the field of view"


# The coordinates of pointings, and what begins the names of their columns.
POINTING = (("lon", "ra"), ("lat", "dec"))


def reduce_block(part: Part, rows: Rows, recipe: Recipe) -> xr.Dataset:
    """Reduce the rows of one part to spectra.

    Parameters
    ----------
    part
        Runs in memory or in a store.
    rows
        Which of them, cut by which interval.
    recipe
        What is wanted.

    Returns
    -------
    xarray.Dataset
        DL4, one row for each of ``rows``; a row that cannot be used is masked and has its outcome.
    """
    grid = recipe.grid
    is_sound = has_sound_times(part, rows)
    gti = [rows if sound else rows[:0] for rows, sound in zip(good_time(part, rows), is_sound, strict=True)]
    ontime = np.array([float(np.diff(intervals, axis=1).sum()) for intervals in gti])
    livetime = ontime * np.where(is_sound, part.column("deadc", rows.obs), 0.0)
    offset = offsets(part, rows, grid)
    points = apertures(part, rows, grid)
    said = _enclosure_faults(part, rows, recipe, offset, points)
    outcome = _guard(part, rows, recipe, offset, ontime, is_sound)
    outcome[[row for row in said if outcome[row] in (Outcome.USED, Outcome.MISSING_IRF)]] = Outcome.OTHER_ENCLOSURE
    off = _placed(part, rows, recipe, outcome == Outcome.USED)
    outcome, said = (outcome, said) if off is None else off.regions.settled(outcome, said)
    tally = _tally(part, rows, recipe, off, points)
    outcome = np.where(outcome == Outcome.USED, tally.outcome, outcome)
    background = {} if off is None else off.estimate(tally.counts_off)
    measurable = _measurable(part, rows, recipe, offset, background, points)
    found, expected = _responses if grid.is_region else window_responses, _expected(tally, background)
    values, lost = found(part, rows, recipe, offset, livetime, outcome == Outcome.USED, expected, measurable)
    if points is not None:
        # Where a radius is not known no event is counted.
        values |= {"mask_safe": values["mask_safe"] & (points.centers != 0), "rad_max": points.centers}
    outcome, why = _settled(outcome, values, lost, offset)
    said |= _reasons_of_masked(measurable, outcome, grid, background) | why
    if off is not None:
        settled = off.settle(tally.counts, values["mask_safe"], background)
        background, values["mask_safe"] = settled.values, settled.mask_safe
        outcome, said = _without_background(outcome, settled.mask_safe, settled.reasons, said)
    values |= {"offset": offset} if grid.is_region else {"safe_offset": safe_offsets(values["mask_safe"], offset)}
    values |= {"counts": tally.counts, "ledger": tally.ledger, "livetime": livetime, "ontime": ontime, **background}
    values |= {"gti": padded_gti(gti), "outcome": outcome}
    values |= {f"pointing_{axis}": part.column(f"{name}_pnt", rows.obs) for axis, name in POINTING}
    attrs = attrs_of(part, rows, _details(part, rows, recipe, outcome, said))
    return schema.dataset(values, coords_of(part, rows, grid), attrs, grid.space.dims, grid.space.shape)


class _Off(NamedTuple):
    """The background of a block, what it was given, and its off regions."""

    background: Background
    given: BackgroundInput
    regions: OffRegions

    def estimate(self, counts_off: FloatArray) -> Mapping[str, FloatArray]:
        """Return the variables of the background, those that it declares."""
        found = self.background.estimate(self.given, self.regions, counts_off)
        if "background" not in found or np.isfinite(found["background"].sum()):
            return found
        return {**found, "background": np.nan_to_num(found["background"], nan=0.0, posinf=0.0, neginf=0.0)}

    def settle(self, counts: FloatArray, mask_safe: BoolArray, values: Mapping[str, FloatArray]) -> Settled:
        """Return what it is worth in the safe bins."""
        settled = self.background.settle(self.given, counts, mask_safe, values)
        if set(settled.values) != set(self.background.variables):
            raise ConfigError(
                f"datasets.background: {type(self.background).__name__} returns {', '.join(settled.values)}; expected "
                f"its variables, {', '.join(self.background.variables)}."
            )
        if self.given.grid.is_region:
            return settled
        single: dict[str, Any] = {
            n: v.astype(np.float32, copy=False) if n in SINGLE else v for n, v in settled.values.items()
        }
        return replace(settled, values=single)


def _enclosure_faults(
    part: Part, rows: Rows, recipe: Recipe, offset: FloatArray, points: Apertures | None
) -> dict[int, str]:
    """Return by row why its responses do not fit the on-regions."""
    faults = enumerate(enclosure_faults(part, rows, recipe.grid, recipe.containment))
    unknown = {} if points is None else points.unknown(offset)
    return {**unknown, **{row: str(fault) for row, fault in faults if fault is not None}}


def _placed(part: Part, rows: Rows, recipe: Recipe, usable: BoolArray) -> _Off | None:
    if recipe.background is None:
        return None
    background = background_of(recipe.background)
    given = BackgroundInput(
        part,
        rows,
        recipe.grid,
        recipe.exclusion,
        recipe.offset_max,
        usable,
        recipe.good_time,
        recipe.use_region_center,
    )
    return _Off(background, given, background.place(given))


def _measurable(
    part: Part,
    rows: Rows,
    recipe: Recipe,
    offset: FloatArray,
    background: Mapping[str, FloatArray],
    points: Apertures | None,
) -> BoolArray:
    """Return which cells of each row have a response and, where it is made of off regions, a background (row, cell)."""
    measurable = offset <= recipe.offset_max if recipe.grid.is_region else cut_out(part, rows, recipe)
    if points is not None:
        measurable &= points.limit != 0
    return measurable & (background["off_number"] > 0) if "off_number" in background else measurable


def _reasons_of_masked(
    measurable: BoolArray, outcome: IntArray, grid: Grid, background: Mapping[str, FloatArray]
) -> dict[int, str]:
    """Return by row which of its on-regions are masked, or why no pixel of its window is safe."""
    if not grid.is_region:
        unsafe = np.flatnonzero(outcome == Outcome.NO_SAFE_BIN).tolist() if "background" in background else []
        dark = [row for row in unsafe if not background["background"][row].any()]
        return dict.fromkeys(dark, "its release expects no background in any pixel of the map")
    used = outcome == Outcome.USED
    why = "lies outside of the field of view, or has no off region or no radius, and is masked"
    names = grid.region_names
    return {
        row: f"on-region {', '.join(names[region] for region in np.flatnonzero(~measurable[row]))} {why}"
        for row in np.flatnonzero(used & ~measurable.all(axis=1)).tolist()
    }


def _settled(
    outcome: IntArray, values: dict[str, Any], lost: Loss | None, offset: FloatArray
) -> tuple[IntArray, dict[int, str]]:
    """Return the outcomes after the responses, and why, by row; rows that are not used lose theirs, in place."""
    used, said = outcome == Outcome.USED, dict[int, str]()
    if lost is not None:
        said = lost.sentences(np.flatnonzero(used))
        outcome[np.flatnonzero(used)[lost.is_too_large]] = Outcome.UNKNOWN_RESPONSE
        used = outcome == Outcome.USED
        for name in {"exposure", "exposure_edisp", "edisp", "mask_safe"} & set(values):
            values[name][~used] = 0
    # Within offset_max, and yet beyond the edge of the responses.
    exposure = values["exposure"] if "exposure" in values else values["exposure_edisp"]
    no_area = used & ~exposure.reshape(len(used), -1).any(axis=1)
    for row in np.flatnonzero(no_area).tolist():
        said[row] = f"the effective area is 0 at {offset[row].min():.3g} deg from the pointing"
    outcome = np.where(no_area, Outcome.OUTSIDE_FIELD_OF_VIEW, outcome)
    values["mask_safe"][no_area] = False
    unsafe = used & ~no_area & ~values["mask_safe"].any(axis=(1, 2))
    return np.where(unsafe, Outcome.NO_SAFE_BIN, outcome), said


def _without_background(
    outcome: IntArray, mask_safe: BoolArray, reasons: Mapping[int, str], said: Mapping[int, str]
) -> tuple[IntArray, dict[int, str]]:
    """Return outcomes and sentences once the background is settled: rows may have none, or no safe bin any more."""
    used = outcome == Outcome.USED
    lacking = used & np.isin(np.arange(len(used)), list(reasons))
    unsafe = used & ~lacking & ~mask_safe.any(axis=(1, 2))
    outcome = np.select([lacking, unsafe], [Outcome.NO_BACKGROUND, Outcome.NO_SAFE_BIN], outcome)
    return outcome, {**said, **{row: why for row, why in reasons.items() if lacking[row]}}


def _details(part: Part, rows: Rows, recipe: Recipe, outcome: IntArray, said: Mapping[int, str]) -> list[str]:
    """Return the sentence of each outcome; of a response that was passed over or is not known also why."""
    details, needed = [Outcome(code).sentence for code in outcome], recipe.roles
    for place in [] if recipe.grid.is_region else np.flatnonzero(outcome == Outcome.OUTSIDE_FIELD_OF_VIEW).tolist():
        details[place] = OFF_THE_MAP
    for place in np.flatnonzero(outcome == Outcome.NO_OFF_REGION).tolist():
        details[place] = said.get(place) or details[place]
    for row in np.flatnonzero(outcome == Outcome.MISSING_IRF):
        details[row] = "; ".join([details[row], *_lacking(part, int(rows.obs[row]), needed)])
    about = (
        *(Outcome.USED, Outcome.UNKNOWN_RESPONSE, Outcome.OTHER_ENCLOSURE, Outcome.OUTSIDE_FIELD_OF_VIEW),
        *(Outcome.NO_BACKGROUND, Outcome.NO_SAFE_BIN),
    )
    return [
        f"{detail}: {said[row]}" if row in said and outcome[row] in about else detail
        for row, detail in enumerate(details)
    ]


def _lacking(part: Part, obs: int, needed: Sequence[str]) -> list[str]:
    """Return which of the responses a run lacks: why one was passed over, and those that its release has not."""
    why = [note for note in part.notes(obs) if note.topic in needed]
    known = [note.topic for note in why]
    absent = [role for role in needed if role not in known and part.column(f"{role}_table", np.array([obs]))[0] < 0]
    passed_over = [f"{note.topic}: {note.text.rstrip('.')}" for note in why]
    return [f"it has no {' and no '.join(absent)}", *passed_over] if absent else passed_over


def _guard(
    part: Part, rows: Rows, recipe: Recipe, offset: FloatArray, ontime: FloatArray, is_sound: BoolArray
) -> IntArray:
    """Return what geometry, time and index already decide, before any event is read; shape (row,)."""
    missing = np.any([part.column(f"{role}_table", rows.obs) < 0 for role in recipe.roles], axis=0)
    is_far = offset > recipe.offset_max if recipe.grid.is_region else ~cut_out(part, rows, recipe)
    conditions = [
        (missing, Outcome.MISSING_IRF),
        (part.column("drift", rows.obs), Outcome.DRIFTING_POINTING),
        (~is_sound, Outcome.INVALID_TIME),
        (ontime <= 0, Outcome.NO_GOOD_TIME),
        (is_far.all(axis=1), Outcome.OUTSIDE_FIELD_OF_VIEW),
        (part.column("event_size", rows.obs) == 0, Outcome.NO_EVENTS),
    ]
    return np.select([condition for condition, _ in conditions], [code for _, code in conditions], Outcome.USED)


@dataclass(frozen=True)
class _Tally:
    """Counts (row, region, energy), off counts, ledger (row, region, fate), and what the events say of each row."""

    counts: FloatArray
    counts_off: FloatArray
    ledger: IntArray
    outcome: IntArray


def _tally(part: Part, rows: Rows, recipe: Recipe, off: _Off | None, points: Apertures | None) -> _Tally:
    grid, n_row = recipe.grid, len(rows)
    n_cell, ledgers, origin = int(np.prod(grid.space.shape)), grid.space.ledgers, origins(part, rows, grid)
    shape = (n_row, grid.energy.nbin, n_cell)
    # Of windows whole numbers, of which single precision holds 16 million without a gap.
    counts: FloatArray = np.zeros(shape, dtype=float if grid.is_region else np.float32)
    # No event is off in a window.
    counts_off: FloatArray = np.zeros(shape) if grid.is_region else np.broadcast_to(np.float32(0), shape)
    ledger = np.zeros((n_row, ledgers, len(Fate)), dtype=np.int64)
    in_view = np.zeros(n_row, dtype=bool)
    pointing = part.column("ra_pnt", rows.obs), part.column("dec_pnt", rows.obs)
    columns = () if off is None else off.background.columns
    for events in read_events(part, rows, MAX_EVENTS, recipe.good_time, columns):
        used = usable(events)
        own_origin = None if origin is None else origin[used.row]
        on_cells, inside = grid.space.cells(used.lon, used.lat, own_origin), list[tuple[Fate, Members]]()
        if points is not None:
            on_cells = points.with_points(on_cells, used, grid)
        if off is not None:
            on_cells, off_cells = off.background.split(off.given, off.regions, used, on_cells)
            away = members(used, off_cells, grid.energy)
            if grid.is_region:
                add_counts(counts_off, away)
                inside.append((Fate.OFF, away))
        on = members(used, on_cells, grid.energy)
        add_counts(counts, on)
        inside.append((Fate.ON, on._replace(cell=grid.space.ledger_of(on.cell))))
        ledger += fates(events, n_row, inside, ledgers)
        in_view |= rows_in_view(used, *pointing, FIELD_OF_VIEW)
    size = part.column("event_size", rows.obs)
    validate_ledger(ledger, size)
    is_whole = ~(np.isfinite(rows.start) | np.isfinite(rows.stop))
    conditions = [
        (ledger[:, :, Fate.INVALID].any(axis=1), Outcome.INVALID_EVENTS),
        (is_whole & (ledger[:, 0, Fate.OUTSIDE_TIME] == size), Outcome.NO_EVENT_IN_TIME),
        (is_whole & ~in_view, Outcome.EVENTS_OUTSIDE),
    ]
    outcome = np.select([condition for condition, _ in conditions], [code for _, code in conditions], Outcome.USED)
    return _Tally(counts.swapaxes(1, 2), counts_off.swapaxes(1, 2), ledger, outcome)


def _expected(tally: _Tally, background: Mapping[str, FloatArray]) -> FloatArray:
    """Return the shape of the expected background, shape (row, cell, energy).

    At zero signal wstat profiles it to alpha / (1 + alpha) of all counts. The largest share is left out, so that counts
    of one acceptance stay whole.
    """
    if "background" in background:
        return background["background"]
    total = tally.counts + tally.counts_off
    if not {"acceptance", "acceptance_off"} <= set(background):
        return total
    on, off = background["acceptance"], background["acceptance_off"]
    share = np.divide(on, on + off, out=np.zeros(total.shape), where=off > 0)
    largest = share.max(axis=-1, keepdims=True)
    return np.asarray(total * np.divide(share, largest, out=np.ones(total.shape), where=largest > 0))


def _responses(
    part: Part,
    rows: Rows,
    recipe: Recipe,
    offset: FloatArray,
    livetime: FloatArray,
    used: BoolArray,
    expected: FloatArray,
    measurable: BoolArray,
) -> tuple[dict[str, Any], Loss | None]:
    """Return exposure, edisp and masks by variable name, and what the used rows lose; other cells keep zeros."""
    grid, chosen = recipe.grid, np.flatnonzero(used)
    some = rows.at(chosen)
    shape = (len(rows), *offset.shape[1:], grid.energy_true.nbin)
    values: dict[str, Any] = {"exposure": np.zeros(shape), "mask_safe": np.zeros(expected.shape, dtype=bool)}
    values |= {"exposure_edisp": np.zeros(shape), "edisp": np.zeros((*shape, grid.energy.nbin))}
    if len(chosen) == 0:
        return values, None
    found = responses(part, some, grid, offset[chosen], recipe.containment)
    if not recipe.use_region_center:
        found = averaged(part, some, grid, found)
    found = found.of(measurable[chosen])
    seconds = livetime[chosen, None, None]
    values["exposure"][chosen] = found.corrected_area * seconds
    values["exposure_edisp"][chosen] = found.effective_area * seconds
    values["edisp"][chosen] = found.edisp
    safe = safe_bins(part, some, recipe, offset[chosen], found, expected[chosen], measurable[chosen])
    values["mask_safe"][chosen] = safe
    lost = loss(grid, found.corrected_area, found.edisp, safe, found.unknown) if found.unknown else None
    return values, lost


def coords_of(part: Part, rows: Rows, grid: Grid) -> dict[Any, Any]:
    """Return the coordinates that reduced rows have."""
    interval = np.stack([rows.start, rows.stop], axis=1)
    return row_coords(grid, rows.names, part.column("obs_id", rows.obs), interval, origins(part, rows, grid))


def attrs_of(part: Part, rows: Rows, details: Sequence[str]) -> dict[str, Any]:
    """Return the attributes that reduced rows have."""
    telescopes = sorted({part.runs.attrs["telescope"][obs] for obs in rows.obs})
    return {
        "mjdref": part.runs.attrs["mjdref"],
        "time_scale": "tt",
        "telescope": ", ".join(telescopes),
        "release": part.runs.attrs["release"],
        "outcome_details": list(details),
    }

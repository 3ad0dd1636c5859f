"""Events: counts, excess and significance of what is fitted and of each run, over time and over the squared angle."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from xgamma.axes import Axis, FloatArray
from xgamma.datasets import Datasets, MapDataset
from xgamma.datasets.observations import Observation
from xgamma.digits import NOTHING, decimals, number_text, some
from xgamma.errors import ConfigError, DataError
from xgamma.estimate import theta2
from xgamma.events import Part
from xgamma.events import Rows as PartRows
from xgamma.geometry import separation
from xgamma.outcome import Fate
from xgamma.plot import excess as plot_excess
from xgamma.report.blocks import Block, Picture, Rows, Section, Text
from xgamma.report.entries import Entry, View, energy_bounds
from xgamma.stats import wstat_sqrt_ts

MOST_PICTURES = 3
"""How many regions get pictures of their own."""
MOST_RUNS = 200
"""How many runs the events of which are looked at."""
NEAREST = 0.2  # deg
WIDEST = 0.2  # deg2
SHARE, SMALLEST, USUAL = 0.68, 0.02, 0.1
"""Events of a map are counted within the radius that holds such a share of a point source.

The other two are the smallest such radius, and the one where it is not known, deg."""
MOST_OFF = 5
"""In how many places about a pointing the background of a map is counted at most."""
FINEST = 0.01  # deg2


def events(entries: Sequence[Entry]) -> Section:
    """Return the section of the counts of all entries."""
    shown = [entry for entry in entries if entry.views]
    blocks: list[Block] = [
        Rows([row for entry in shown for row in _fitted(entry)], "What is fitted, in the safe range")
    ]
    if len(shown) > 1:
        blocks.insert(0, Rows([_entry_row(entry) for entry in shown], "Entries, in the safe range"))
    parts = []
    for entry in shown:
        own = [*_of_runs(entry), *_over_time(entry), *_over_time_of_map(entry), *_over_angle(entry)]
        parts.append(Section(entry.title if len(shown) > 1 else "Run by run", own))
    return Section("Events", blocks, parts)


def _entry_row(entry: Entry) -> dict[str, Any]:
    excess, significance = significance_of(entry.views)
    return {
        "entry": entry.title,
        "datasets": len(entry.views),
        "live time (h)": decimals(sum(float(view.livetime.to_value("h")) for view in entry.views)),
        "excess": decimals(excess, 1),
        "significance": decimals(significance, 1),
    }


def _fitted(entry: Entry) -> list[dict[str, Any]]:
    return _info_rows(Datasets(entry.views).info_table(), "dataset")


def _info_rows(table: Any, what: str) -> list[dict[str, Any]]:
    """Return a row for each line of an info table."""
    return [_info_row(line, what, "counts_off" in table.colnames) for line in table]


def _info_row(line: Any, what: str, is_on_off: bool) -> dict[str, Any]:
    is_measured = is_on_off and not np.ma.is_masked(line["counts_off"])
    return {
        what: str(line["name"]),
        "live time (h)": decimals(float(line["livetime"]) / 3600),
        "on": str(int(line["counts"])),
        "off": str(int(line["counts_off"])) if is_measured else NOTHING,
        "alpha": number_text(float(line["alpha"]), 3) if is_measured else NOTHING,
        # With the norm that models give it, so that a line adds up.
        "background": decimals(float(line["counts"] - line["excess"]), 1),
        "excess": decimals(float(line["excess"]), 1),
        "significance": decimals(float(line["sqrt_ts"]), 1),
    }


def significance_of(views: Sequence[View]) -> tuple[float, float]:
    """Return excess and significance of views together; NaN where they cannot be added up."""
    try:
        last = Datasets(views).info_table(cumulative=True)[-1]
    except (ConfigError, DataError):
        return float("nan"), float("nan")
    return float(last["excess"]), float(last["sqrt_ts"])


def _run_views(entry: Entry) -> list[list[View]]:
    """Return the rows of runs that are used, in time, for each region."""
    if entry.rows is None:
        return []
    views = list(Datasets.from_xarray(entry.rows))
    starts = entry.rows["gti"].values[:, 0, 0]
    regions: dict[int, list[View]] = {}
    for view in sorted(views, key=lambda view: starts[view.position[0]]):
        regions.setdefault(_region_of(view), []).append(view)
    return list(regions.values())


def _region_of(view: View) -> Any:
    return (
        view.position[1] if "region_lon" not in view.group.coords else tuple(view.group["region_lon"].values.tolist())
    )


def _of_runs(entry: Entry) -> list[Block]:
    views = [view for region in _run_views(entry) for view in region]
    # Where the runs are what is fitted, they stand above.
    if not views or len(views) == len(entry.views):
        return []
    rows = _info_rows(Datasets(views).info_table(), "run")
    return [Rows(rows, f"Runs{f' of {entry.name}' if entry.name else ''}, in the safe range of each")]


def _over_time(entry: Entry) -> list[Block]:
    """Return pictures of the excess and its significance as they grew, one for each region."""
    found: list[Block] = []
    for views in _run_views(entry)[:MOST_PICTURES]:
        if len(views) < 2:
            continue
        table = Datasets(views).info_table(cumulative=True)
        hours = table["livetime"].quantity.to_value("h")
        excess, significance = np.asarray(table["excess"], float), np.asarray(table["sqrt_ts"], float)
        draw = partial(plot_excess.plot_over_livetime, hours, excess, significance)
        alt = _growth(hours, excess, significance)
        caption = "Excess and significance against live time, runs added in the order in which they were taken."
        found.append(Picture.of(draw, alt, caption))
    return found


def _growth(hours: FloatArray, excess: FloatArray, significance: FloatArray) -> str:
    """Return what a picture of both over live time shows, in words."""
    far = float(np.max(np.abs(significance - significance[-1] * np.sqrt(hours / hours[-1]))))
    return (
        f"Excess and significance of the first run, the first two, and so on, over live time: they reach "
        f"{decimals(excess[-1], 1)} counts and {decimals(significance[-1], 1)} sigma after {decimals(hours[-1])} "
        f"hours, and stay within {decimals(far, 1)} sigma of a growth with the root of time."
    )


def _over_time_of_map(entry: Entry) -> list[Block]:
    """Return a picture of the excess about the source of a map and its significance as they grew, run by run."""
    if not entry.is_map or entry.observations is None or entry.position is None:
        return []
    radius, why = _radius(entry)
    runs = _apart(entry)
    if len(runs) < 2:
        return []
    number = min(int(np.pi / np.arcsin(radius / min(away for _, away in runs)) * (1 + 1e-9)) - 1, MOST_OFF)
    axis, energies = Axis("theta2", np.array([0.0, radius**2]), "deg2", "lin"), _energies(entry.views)
    found = [
        theta2([(run.part, run.rows)], axis, entry.position, energy=energies, off_regions=number) for run, _ in runs
    ]
    on, off = (np.cumsum([float(each[name].values[0]) for each in found]) for name in ("counts", "counts_off"))
    hours = np.cumsum([run.observation_live_time_duration.to_value("h") for run, _ in runs])
    significance = wstat_sqrt_ts(on, off, np.full(len(runs), 1.0 / number))
    draw = partial(plot_excess.plot_over_livetime, hours, on - off / number, significance)
    places = "the position opposite to it" if number == 1 else f"{number} positions about each pointing"
    caption = (
        f"Excess and significance against live time within {radius:.3g} deg ({why}) of {entry.position[0]:.3f}, "
        f"{entry.position[1]:.3f} deg, {energies[0]:.3g} to {energies[1]:.3g} TeV; the background is counted at "
        f"{places}, none of which is left out for what else shines there. Runs are added in the order in which "
        "they were taken."
    )
    return [Picture.of(draw, _growth(hours, on - off / number, significance), caption)]


def _radius(entry: Entry) -> tuple[float, str]:
    """Return the radius about the source of a map in which events are counted, deg, and why it is that one."""
    low, high = _energies(entry.views)
    for view in entry.views:
        if isinstance(view, MapDataset) and view.psf is not None and np.isfinite(high):
            energy = float(np.clip(np.sqrt(low * high), low, high))
            found = float(view.psf.containment_radius(SHARE, energy).to_value("deg"))
            if SMALLEST <= found <= NEAREST:
                return found, f"{SHARE:.0%} of a point source at {energy:.2g} TeV"
    return USUAL, "where most of a point source is"


def _apart(entry: Entry) -> list[tuple[Observation, float]]:
    """Return the runs in time whose pointing is beside the source, and how far."""
    assert entry.observations is not None and entry.position is not None
    lost = {run.name for run in entry.unused}
    kept = [run for run in entry.observations[:MOST_RUNS] if run.name not in lost]
    aways = [float(separation(run.ra, run.dec, *entry.position)) for run in kept]
    chosen = [(run, away) for run, away in zip(kept, aways, strict=True) if away >= NEAREST]
    return sorted(chosen, key=lambda one: one[0].tstart.mjd)


def _over_angle(entry: Entry) -> list[Block]:
    """Return a picture of the events over the squared angle to the source, on and off."""
    if entry.observations is None or entry.position is None:
        return []
    pieces, limit = _pieces_apart(entry)
    count = sum(len(rows) for _, rows in pieces)
    if not count:
        return [Text(f"No run points {NEAREST} deg or more beside the source, where a mirrored position would be off.")]
    axis = Axis("theta2", np.linspace(0.0, limit, 1 + max(5, round(limit / FINEST))), "deg2", "lin")
    energies = _energies(entry.views)
    found = theta2(pieces, axis, entry.position, energy=energies)
    values = {name: found[name].values for name in ("counts", "counts_off", "alpha", "excess", "sqrt_ts")}
    errors = np.stack([found["excess_errn"].values, found["excess_errp"].values])
    off = values["alpha"] * values["counts_off"]
    draw = partial(
        plot_excess.plot_theta2, axis.edges, values["counts"], off, values["alpha"] * np.sqrt(values["counts_off"]),
        values["excess"], errors, values["sqrt_ts"],
    )  # fmt: skip
    peak = int(np.nanargmax(values["excess"]))
    alt = (
        f"Events over the squared angle to the source, and over that to its mirror image about the pointing: "
        f"{values['counts'].sum():.0f} and {off.sum():.0f} up to {limit:.2f} square degrees; the largest excess, "
        f"{values['excess'][peak]:.0f}, is in the bin from {axis.edges[peak]:.3f} square degrees."
    )
    all_runs = len(entry.observations)
    fewer = f" of {all_runs}" if count < all_runs else ""
    caption = (
        f"Theta squared of {some(count, 'run')}{fewer}, {energies[0]:.3g} to {energies[1]:.3g} TeV; the background is "
        "counted at the position opposite to the source."
    )
    return [Picture.of(draw, alt, caption)]


def _pieces_apart(entry: Entry) -> tuple[list[tuple[Part, PartRows]], float]:
    """Return the runs whose pointing is beside the source, and up to which squared angle circles do not overlap."""
    assert entry.observations is not None and entry.position is not None
    pieces, nearest, room = [], np.sqrt(WIDEST), MOST_RUNS
    lost = {run.name for run in entry.unused}
    for part, rows in entry.observations.pieces:
        away = separation(part.column("ra_pnt", rows.obs), part.column("dec_pnt", rows.obs), *entry.position)
        used = np.array([name not in lost for name in rows.names]) & (away >= NEAREST)
        chosen = np.flatnonzero(used)[:room]
        room -= len(chosen)
        if len(chosen):
            nearest = min(nearest, float(away[chosen].min()))
            pieces.append((part, rows.at(chosen)))
    return pieces, float(np.floor(nearest**2 / FINEST * (1 + 1e-9)) * FINEST)


def _energies(views: Sequence[View]) -> tuple[float, float]:
    """Return the energies between which any of the views has a safe bin."""
    bounds = np.concatenate([energy_bounds(view, view.data["mask_safe"].values) for view in views])
    return (float(bounds.min()), float(bounds.max())) if bounds.size else (0.0, float("inf"))


def safe_ranges(entries: Sequence[Entry]) -> Section:
    """Return the section with the energies that are used, and the ledger: how each event was counted."""
    views = [view for entry in entries for view in entry.views]
    blocks: list[Block] = [Rows([_range_row(view) for view in views], "Energies, TeV")] if views else []
    ledger = [row for view in views if (row := _ledger_row(view))["all"] > 0]
    if ledger:
        caption = (
            "Ledger: how each event was counted, in the safe range or not; events that are read for several datasets "
            "count in each"
        )
        blocks.append(Rows(ledger, caption))
    return Section("Safe ranges and ledger", blocks)


def _range_row(view: View) -> dict[str, Any]:
    axis, counts = Axis.from_coords(view.group.coords, "energy"), view.data["counts"].values
    safe, fitted = view.data["mask_safe"].values, view.used_bins.values.reshape(counts.shape)
    return {
        "dataset": view.name,
        "axis": _span(axis.bounds),
        "safe": _span(energy_bounds(view, safe)),
        "fitted": _span(energy_bounds(view, fitted)),
        "bins": safe.size,
        "safe bins": int(safe.sum()),
        "fitted bins": int(fitted.sum()),
        "safe counts not fitted": int(counts[safe & ~fitted].sum()),
    }


def _span(bounds: FloatArray) -> str:
    return f"{bounds[0, 0]:.4g} to {bounds[-1, 1]:.4g}" if len(bounds) else "none"


def _ledger_row(view: View) -> dict[str, Any]:
    counts = np.zeros((1, len(Fate)), np.int64)
    if "ledger" in view.data:
        counts = view.data["ledger"].values.reshape(-1, len(Fate))
    fates = {fate.name.lower().replace("_", " "): int(counts[:, fate].sum()) for fate in Fate}
    return {"dataset": view.name, **fates, "all": sum(fates.values())}

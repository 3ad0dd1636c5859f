"""The runs: a table with what became of each, and the regions on the sky."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from astropy.time import Time

from xgamma.digits import NOTHING, decimals, some
from xgamma.plot import figures, look, regions
from xgamma.report.blocks import Block, Picture, Rows, Section, Text
from xgamma.report.entries import Entry, offsets

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def observations(entries: Sequence[Entry]) -> Section:
    """Return the section of the runs of all entries."""
    parts = [Section(entry.title, _blocks(entry)) for entry in entries if entry.observations is not None]
    return Section("Observations", parts[0].blocks) if len(parts) == 1 else Section("Observations", (), parts)


def _blocks(entry: Entry) -> list[Block]:
    assert entry.observations is not None
    rows = list(_rows(entry))
    used = len(entry.observations) - sum(run.name in set(entry.observations.table.index) for run in entry.unused)
    sentence = f"{some(used, 'run')} used, {len(entry.unused)} not used."
    dropped = {name: len(runs) for name, runs in entry.observations.dropped.items() if runs}
    if dropped:
        by = ", ".join(f"{count} by {name}" for name, count in dropped.items())
        sentence += f" Not selected: {by}."
    return [Text(sentence), Rows(rows, "Runs; offset is the angle between pointing and source")]


def _rows(entry: Entry) -> Iterator[dict[str, Any]]:
    """Yield a row for each run that was read, and for each that could not be."""
    assert entry.observations is not None
    unused = {run.name: run for run in entry.unused}
    table = entry.observations.table
    away = offsets(entry) or [float("nan")] * len(table)
    starts = Time(table["tstart"].to_numpy(float), format="mjd", scale="tt").utc.isot if len(table) else []
    for (name, run), offset, start in zip(table.iterrows(), away, starts, strict=True):
        lost = unused.pop(str(name), None)
        notes = [entry.remarks.get(str(name), ""), str(run["notes"]), lost.message if lost else ""]
        yield {
            "run": str(name),
            "target": str(run["target"]) or NOTHING,
            "telescope": str(run["telescope"]) or NOTHING,
            "start (UTC)": str(start)[:16].replace("T", " "),
            "live time (min)": decimals(float(run["livetime"]) / 60, 1),
            "zenith (deg)": decimals(float(run["zenith"]), 1),
            "offset (deg)": decimals(offset),
            "events": str(int(run["events"])),
            "outcome": lost.kind.replace("_", " ") if lost else "used",
            "notes": " ".join(note for note in notes if note) or NOTHING,
        }
    unknown = dict.fromkeys(
        ("target", "telescope", "start (UTC)", "live time (min)", "zenith (deg)", "offset (deg)", "events"), NOTHING
    )
    for name, lost in unused.items():
        yield {"run": name, **unknown, "outcome": lost.kind.replace("_", " "), "notes": lost.message}


def on_the_sky(entries: Sequence[Entry]) -> Section:
    """Return the section with the regions of each entry, and the pointings."""
    blocks: list[Block] = []
    for entry in entries:
        if (
            entry.rows is None
            or "region_lon" not in entry.rows.coords
            or not np.isfinite(entry.rows["region_lon"]).all()
        ):
            continue
        rows = entry.rows
        lon, lat = (np.atleast_1d(rows[f"region_{name}"].values)[0] for name in ("lon", "lat"))
        off = int(rows["off_number"].values.sum()) if "off_number" in rows else 0
        runs = rows.sizes["dataset"]
        of = f" of {entry.name}" if entry.name else ""
        alt = (
            f"Map of the sky with {some(rows.sizes['region'], 'on region')}{of} at right ascension {lon:.3f}, "
            f"declination {lat:.3f} deg, {some(off, 'off region')} and the pointings of {some(runs, 'run')}."
        )
        first = f"; off regions of the first {look.MOST_ROWS} of {runs} runs" if runs > look.MOST_ROWS else ""
        blocks.append(
            Picture.of(partial(_drawn, rows), alt, f"On regions (thick), off regions (thin), pointings (+){of}{first}.")
        )
    return Section("On the sky", blocks)


def _drawn(rows: xr.Dataset) -> Figure:
    figure = figures.new_figure((6.5, 6.5))
    regions.plot_regions([rows], figure=figure)
    return figure

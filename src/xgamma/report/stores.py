"""The report of a store: the observations in it, the products, what failed, and where all of it comes from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from astropy.time import Time

from xgamma.axes import IntArray
from xgamma.digits import NOTHING, decimals, number_text, some
from xgamma.errors import StoreError
from xgamma.events import Part
from xgamma.ingest.stored import Holdings
from xgamma.outcome import UnusedRun
from xgamma.report.blocks import Block, Facts, Rows, Section, Text
from xgamma.report.origin import provenance
from xgamma.schema import Kind
from xgamma.store import Record

TARGETS_SHOWN = 8
WHAT = {
    Kind.DL3: "observations",
    Kind.ROWS: "rows, one for each run",
    Kind.STACK: "stacks of rows",
    Kind.FIT: "fits",
    Kind.POINTS: "flux points",
    Kind.LIGHT_CURVE: "light curves",
    Kind.FIT_EACH: "fits of groups",
    Kind.POINTS_EACH: "flux points of groups",
    Kind.EXCESS_MAP: "excess maps",
    Kind.PICTURE: "pictures",
}


def store_sections(
    name: str,
    records: Sequence[Record],
    damaged: Mapping[str, StoreError],
    held: Holdings,
    failed: Sequence[UnusedRun],
    tags: Sequence[str],
) -> list[Section]:
    """Return the sections of a store.

    Parameters
    ----------
    name
        What it is called.
    records, damaged
        Its products, and by name those whose records cannot be read.
    held, failed, tags
        Its runs, those that failed when they were tried last, and the names of its states.
    """
    order = [str(kind) for kind in Kind]
    ordered = sorted(records, key=lambda each: (order.index(each.kind), each.created, each.key))
    return [
        Section("Products", _kinds(records)),
        Section("Observations", _runs(held)),
        Section("Failures", _failures(damaged, failed)),
        Section("Tags", [Text(f"States that are remembered: {', '.join(tags)}.")] if tags else []),
        provenance(ordered, {}, name) if ordered else Section("Provenance"),
    ]


def headline(records: Sequence[Record], held: Holdings, failed: Sequence[UnusedRun]) -> dict[str, str]:
    """Return the numbers that one looks for first."""
    return {
        "runs": f"{len(held.places):,}",
        "products": f"{len(records):,}",
        "size of arrays": f"{sum(record.nbytes for record in records) / 1e6:,.1f} MB",
        "failed runs": f"{len(failed):,}",
    }


def _kinds(records: Sequence[Record]) -> list[Block]:
    counts, sizes = Counter(record.kind for record in records), Counter[str]()
    for record in records:
        sizes[record.kind] += record.nbytes
    rows = [
        {"kind": str(kind), "what": WHAT[kind], "products": counts[kind], "MB": decimals(sizes[kind] / 1e6)}
        for kind in Kind
        if counts[kind]
    ]
    return [Rows(rows, "Products by kind")] if rows else []


def _runs(held: Holdings) -> list[Block]:
    runs = [row for key, part in held.parts.items() for row in _part_rows(part, _newest(held, key))]
    if not runs:
        return []
    targets = Counter(row["target"] for row in runs)
    facts = {
        "live time": f"{decimals(sum(row['hours'] for row in runs))} h",
        "events": f"{sum(row['events'] for row in runs):,}",
        "targets": ", ".join(f"{name} ({some(count, 'run')})" for name, count in targets.most_common(TARGETS_SHOWN)),
    }
    in_time = sorted(runs, key=lambda row: row["order"])
    shown = [{name: text for name, text in row.items() if name not in ("hours", "order")} for row in in_time]
    return [Facts(facts), Rows(shown, "Runs")]


def _newest(held: Holdings, key: str) -> IntArray:
    """Return the numbers of the runs in a part that no later part holds anew."""
    return np.array([number for part, number in held.places.values() if part == key], dtype=np.int64)


def _part_rows(part: Part, numbers: IntArray) -> list[dict[str, Any]]:
    columns, obs_ids = part.run_columns(numbers), part.column("obs_id", numbers).tolist()
    starts = Time(columns["tstart"], format="mjd", scale="tt").utc.isot if len(numbers) else []
    return [
        {
            "run": str(obs_ids[row]),
            "target": str(columns["target"][row]) or NOTHING,
            "telescope": str(columns["telescope"][row]) or NOTHING,
            "start (UTC)": str(starts[row])[:16].replace("T", " "),
            "live time (min)": decimals(float(columns["livetime"][row]) / 60, 1),
            "zenith (deg)": decimals(float(columns["zenith"][row]), 1),
            "right ascension (deg)": number_text(float(columns["ra"][row]), 6),
            "declination (deg)": number_text(float(columns["dec"][row]), 6),
            "events": int(columns["events"][row]),
            "notes": " ".join(note.text for note in part.notes(number)) or NOTHING,
            "hours": float(columns["livetime"][row]) / 3600,
            "order": (float(columns["tstart"][row]), obs_ids[row]),
        }
        for row, number in enumerate(numbers.tolist())
    ]


def _failures(damaged: Mapping[str, StoreError], failed: Sequence[UnusedRun]) -> list[Block]:
    rows = [
        {"run": run.name, "stage": run.stage, "kind": run.kind.replace("_", " "), "why": run.message} for run in failed
    ]
    caption = "Runs that failed when they were tried last; xgamma retry tries them again"
    blocks: list[Block] = [Rows(rows, caption)] if rows else []
    blocks += [Text(str(error), True) for error in damaged.values()]
    return blocks or [Text("No run has failed, and no record is damaged.")]

"""Parts of one release merged: runs that were ingested night by night become columns of one part."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from xgamma.axes import IntArray
from xgamma.errors import DataError
from xgamma.events import IRF_ROLES, Part
from xgamma.ingest.stored import Origin, part_chunks
from xgamma.schema import Kind
from xgamma.store import Record, Store
from xgamma.times import SECONDS_PER_DAY

log = logging.getLogger(__name__)

_TIMES = ("tstart", "tstop")


def merged_part(parts: Sequence[Part]) -> Part:
    """Return one part with the runs of several, in their order; times are counted from the epoch of the first.

    Raises
    ------
    DataError
        When the parts are of several releases, or their events have different columns.
    """
    columns = {frozenset(map(str, part.events.data_vars)) for part in parts}
    if len(columns) > 1:
        raise DataError("Expected parts with the same event columns; merged, those that some lack would be lost.")
    releases = {part.obs.attrs["release"] for part in parts}
    if len(releases) > 1:
        raise DataError(f"Expected parts of one release, got {', '.join(sorted(releases))}.")
    mjdref = float(parts[0].obs.attrs["mjdref"])
    shifts = [(float(part.obs.attrs["mjdref"]) - mjdref) * SECONDS_PER_DAY for part in parts]
    names = list(dict.fromkeys(name for part in parts for name in part.obs.attrs["irf_tables"]))
    tables = {name: _joined([part.groups[name] for part in parts if name in part.groups], "irf") for name in names}
    events = _joined([_shifted(part.events, ("time",), s) for part, s in zip(parts, shifts, strict=True)], "event")
    gti = _joined([_shifted(part.gti, ("start", "stop"), s) for part, s in zip(parts, shifts, strict=True)], "gti")
    return Part({"": _merged_obs(parts, shifts, names), "events": events, "gti": gti, **tables})


def _shifted(table: xr.Dataset, names: Sequence[str], seconds: float) -> xr.Dataset:
    if seconds == 0:
        return table
    return table.assign({name: table[name].copy(data=table[name].values + seconds) for name in names})


def _joined(tables: Sequence[xr.Dataset], dim: str) -> xr.Dataset:
    """Return tables of the same axes one after the other; columns that not all of them have are left out."""
    common = {name for name in tables[0].data_vars if all(name in table for table in tables)}
    along = [table.drop_vars([name for name in table.data_vars if name not in common]) for table in tables]
    return xr.concat(
        along, dim, data_vars="minimal", coords="minimal", compat="override", join="exact", combine_attrs="override"
    )


def _merged_obs(parts: Sequence[Part], shifts: Sequence[float], names: Sequence[str]) -> xr.Dataset:
    rows: dict[str, int] = dict.fromkeys(names, 0)
    events, gti = 0, 0
    tables = []
    for part, shift in zip(parts, shifts, strict=True):
        moved = _with_all_columns(_shifted(part.obs, _TIMES, shift), parts)
        changed = {
            "event_start": part.obs["event_start"].values + events,
            "gti_start": part.obs["gti_start"].values + gti,
        }
        for role in IRF_ROLES:
            changed |= _moved_responses(part, role, names, rows)
        tables.append(moved.assign({name: moved[name].copy(data=values) for name, values in changed.items()}))
        events, gti = events + part.events.sizes["event"], gti + part.gti.sizes["gti"]
        for name in part.obs.attrs["irf_tables"]:
            rows[name] += part.groups[name].sizes["irf"]
    texts = {key: [text for part in parts for text in part.obs.attrs[key]] for key in ("telescope", "target")}
    notes = [[list(note) for note in part.notes(run)] for part in parts for run in range(part.obs.sizes["obs"])]
    # Parts of older versions do not say how the field of view of a background lies.
    fields = [one for part in parts for one in part.obs.attrs.get("bkg_field", [{}] * part.obs.sizes["obs"])]
    return _joined(tables, "obs").assign_attrs(irf_tables=list(names), notes=notes, bkg_field=fields, **texts)


def _with_all_columns(obs: xr.Dataset, parts: Sequence[Part]) -> xr.Dataset:
    """Return a table of runs with the numbers that only other parts know, such as the longitude of the site, as NaN."""
    others = {name: part.obs[name] for part in parts for name in part.obs.data_vars if name not in obs}
    unknown = np.full(obs.sizes["obs"], np.nan)
    return obs.assign({name: (("obs",), unknown, column.attrs) for name, column in others.items()})


def _moved_responses(part: Part, role: str, names: Sequence[str], rows: Mapping[str, int]) -> dict[str, IntArray]:
    """Return the table and row numbers of one role in the merged part; -1 stays -1."""
    old_tables, old_rows = part.obs[f"{role}_table"].values, part.obs[f"{role}_row"].values
    own = part.obs.attrs["irf_tables"]
    # The last entry answers for -1, a run without that response.
    number = np.array([*(list(names).index(name) for name in own), -1])
    start = np.array([*(rows[name] for name in own), 0])
    return {f"{role}_table": number[old_tables], f"{role}_row": old_rows + start[old_tables]}


def merge_parts(store: Store, release: str, records: Sequence[Record]) -> Record | None:
    """Merge the parts ``records`` of a release into one, and return its record; ``None`` if there is nothing to merge.

    Raises
    ------
    StoreError
        When the store cannot be written.
    """
    if len(records) < 2:
        return None
    columns = {frozenset(map(str, store.open(Kind.DL3, record.key, "events").data_vars)) for record in records}
    if len(columns) > 1:
        log.warning("The parts of %s have different event columns and are not merged.", release)
        return None
    texts: dict[str, Any] = {
        "release": release,
        "runs": [run for record in records for run in record.texts["runs"]],
        "files": {path: file for record in records for path, file in record.texts.get("files", {}).items()},
    }
    keys = [record.key for record in records]
    # Where the files lie is kept as long as it is one place.
    places = {Origin.of(record.provenance) for record in records if "datastore" in record.provenance}
    given = {"merged": keys, **(places.pop().document() if len(places) == 1 else {})}
    return store.compact(
        Kind.DL3,
        keys,
        lambda parts: merged_part([Part(groups) for groups in parts]).groups,
        given,
        texts=texts,
        encoding=lambda groups: part_chunks(Part(groups)),
    )

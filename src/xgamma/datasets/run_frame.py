"""Runs as a DataFrame of pandas, which nothing but this table of them needs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from xgamma.events import IRF_ROLES, Part, Rows
from xgamma.times import time_from_seconds

_ENDS = ("tstart", "tstop")
_COLUMNS = ("ra_pnt", "dec_pnt", "zenith", "ontime", "livetime", "deadc", "energy_min", "energy_max", "event_size")


def run_frame(pieces: Sequence[tuple[Part, Rows]]) -> pd.DataFrame:
    """Return a row for each run of some parts, by name; ``tstart`` and ``tstop`` as MJD in TT, deg, s."""
    frames = [_frame(part, rows) for part, rows in pieces]
    return pd.concat(frames) if frames else pd.DataFrame()


def _frame(part: Part, rows: Rows) -> pd.DataFrame:
    mjdref = float(part.runs.attrs["mjdref"])
    columns: dict[str, object] = {"obs_id": part.column("obs_id", rows.obs)}
    columns |= {name: [part.runs.attrs[name][obs] for obs in rows.obs] for name in ("target", "telescope")}
    columns |= {name: part.column(name, rows.obs) for name in _COLUMNS}
    columns |= {name: time_from_seconds(part.column(name, rows.obs), mjdref).mjd for name in _ENDS}
    columns["night"] = part.run_columns(rows.obs)["night"]
    has = {role: part.column(f"{role}_table", rows.obs) >= 0 for role in IRF_ROLES}
    columns["irfs"] = [" ".join(role for role in IRF_ROLES if has[role][row]) for row in range(len(rows))]
    columns["notes"] = [" ".join(note.text for note in part.notes(int(obs))) for obs in rows.obs]
    columns["interval_start"], columns["interval_stop"] = rows.start, rows.stop
    frame = pd.DataFrame(columns, index=pd.Index(rows.names, name="name"))
    return frame.rename(columns={"event_size": "events"}).drop(
        columns=[] if np.isfinite(rows.start).any() else ["interval_start", "interval_stop"]
    )

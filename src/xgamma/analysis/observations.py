"""``Observations``: the selected runs as a view, with their table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
from astropy.time import Time

from xgamma.events import IRF_ROLES, Part, Rows
from xgamma.ingest import Holdings
from xgamma.select import selection_order
from xgamma.times import time_from_seconds

_ENDS = ("tstart", "tstop")
_COLUMN_OF = {"ra": "ra_pnt", "dec": "dec_pnt"}
_COLUMNS = ("ra_pnt", "dec_pnt", "zenith", "ontime", "livetime", "deadc", "energy_min", "energy_max", "event_size")


@dataclass(frozen=True)
class Observation:
    """One selected run, or the piece of a run inside an interval."""

    name: str
    obs_id: int
    target: str
    telescope: str
    ra: float
    dec: float
    tstart: Time
    tstop: Time
    livetime: float


class Observations(Sequence[Observation]):
    """The selected runs.

    Parameters
    ----------
    holdings
        The parts that hold them.
    rows
        The rows of each part.
    dropped
        Why the other runs are not there, by criterion and observation id.
    """

    def __init__(
        self,
        holdings: Holdings,
        rows: Sequence[tuple[str, Rows]],
        dropped: Mapping[str, Mapping[int, str]] | None = None,
    ) -> None:
        self.holdings = holdings
        self.rows = tuple(rows)
        self.dropped = dict(dropped or {})

    @property
    def ids(self) -> list[str]:
        """The observation ids, as text."""
        ids = [str(obs_id) for part, rows in self._pieces() for obs_id in part.column("obs_id", rows.obs)]
        return [ids[row] for row in selection_order(self.rows)]

    def _pieces(self) -> Iterator[tuple[Part, Rows]]:
        return ((self.holdings.parts[key], rows) for key, rows in self.rows)

    def __len__(self) -> int:
        return sum(len(rows) for _, rows in self.rows)

    def __getitem__(self, number: int) -> Observation:  # type: ignore[override]
        return list(self)[number]

    def __iter__(self) -> Iterator[Observation]:
        spans = [span for part, rows in self._pieces() for span in zip(*_times(part, rows), strict=True)]
        for place, (name, row) in zip(selection_order(self.rows), self.table.to_dict("index").items(), strict=True):
            times = dict(zip(_ENDS, spans[place], strict=True))
            named = [field.name for field in fields(Observation)[1:] if field.name not in _ENDS]
            yield Observation(str(name), **times, **{key: row[_COLUMN_OF.get(key, key)] for key in named})

    def __repr__(self) -> str:
        return f"<Observations: {len(self)} of {', '.join(self.ids[:10])}{', ...' if len(self) > 10 else ''}>"

    @property
    def table(self) -> pd.DataFrame:
        """The observation table: one row for each selected run, ``tstart`` and ``tstop`` as MJD in TT, deg, s."""
        frames = [_frame(part, rows) for part, rows in self._pieces()]
        return pd.concat(frames).iloc[selection_order(self.rows)] if frames else pd.DataFrame()

    def _repr_html_(self) -> str:
        return str(self.table.to_html(max_rows=20))


def _times(part: Part, rows: Rows) -> list[Time]:
    return [time_from_seconds(part.column(name, rows.obs), float(part.obs.attrs["mjdref"])) for name in _ENDS]


def _frame(part: Part, rows: Rows) -> pd.DataFrame:
    columns: dict[str, object] = {"obs_id": part.column("obs_id", rows.obs)}
    columns |= {name: [part.obs.attrs[name][obs] for obs in rows.obs] for name in ("target", "telescope")}
    columns |= {name: part.column(name, rows.obs) for name in _COLUMNS}
    columns |= {name: time.mjd for name, time in zip(_ENDS, _times(part, rows), strict=True)}
    columns["night"] = part.run_columns(rows.obs)["night"]
    has = {role: part.column(f"{role}_table", rows.obs) >= 0 for role in IRF_ROLES}
    columns["irfs"] = [" ".join(role for role in IRF_ROLES if has[role][row]) for row in range(len(rows))]
    columns["notes"] = [" ".join(note.text for note in part.notes(int(obs))) for obs in rows.obs]
    columns["interval_start"], columns["interval_stop"] = rows.start, rows.stop
    frame = pd.DataFrame(columns, index=pd.Index(rows.names, name="name"))
    return frame.rename(columns={"event_size": "events"}).drop(
        columns=[] if np.isfinite(rows.start).any() else ["interval_start", "interval_stop"]
    )

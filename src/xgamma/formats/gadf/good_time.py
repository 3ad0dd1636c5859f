"""The good time of a run: sorted, each second once, in seconds since the epoch of the events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from xgamma.axes import FloatArray
from xgamma.cards import card_number
from xgamma.errors import InputError
from xgamma.outcome import Note
from xgamma.times import SECONDS_PER_DAY, disjoint_gti, inside_gti, mjdref_from_header, overlap, stop_slack, with_slack

TOPIC = "GTI"
# Rows that meet in one second overlap by what their floats leave over.
SMALLEST_OVERLAP = 1e-3
UNIX_EPOCH = 40587.0
_EPOCH = ("MJDREFI", "MJDREFF", "MJDREF")


@dataclass(frozen=True)
class GoodTime:
    """When a run took data.

    Parameters
    ----------
    rows
        Start and stop in seconds since the epoch of the events, sorted, each second once, shape (n, 2).
    slack
        How long the last stop holds beyond what is written, in s, see ``times.stop_slack``.
    notes
        What was mended.
    """

    rows: FloatArray
    slack: float
    notes: tuple[Note, ...]

    @property
    def ontime(self) -> float:
        """The sum of the good times in s."""
        return float((self.rows[:, 1] - self.rows[:, 0]).sum())

    def outside(self, times: FloatArray) -> int:
        """Return how many of some times lie in no good time, its slack counted as good; those that are NaN do."""
        return int((~inside_gti(times, with_slack(self.rows, self.slack))).sum())


def good_time(rows: FloatArray, header: Mapping[str, Any], events: Mapping[str, Any]) -> GoodTime:
    """Return the good time of a run.

    Parameters
    ----------
    rows
        START and STOP in seconds, shape (n, 2).
    header, events
        The headers of the GTI and of the events; an epoch or scale that the GTI leaves out is that of the events.

    Raises
    ------
    InputError
        When a row is not finite or stops before it starts, or a header has no epoch that can be read.
    """
    _validate(rows)
    shift = (_epoch_of_gti(header, events) - mjdref_from_header(events)) * SECONDS_PER_DAY
    repeated = overlap(rows)
    note = Note(TOPIC, f"Good times overlap: {repeated:.6g} s stand in more than one row of GTI, and count once.")
    notes = (note,) if repeated > SMALLEST_OVERLAP else ()
    return GoodTime(disjoint_gti(rows) + shift, stop_slack(rows), notes)


def _validate(rows: FloatArray) -> None:
    for wrong, what in (
        (~np.isfinite(rows).all(axis=1), "is not finite"),
        (rows[:, 1] < rows[:, 0], "stops before it starts"),
    ):
        if wrong.any():
            number = int(np.argmax(wrong))
            start, stop = rows[number].tolist()
            raise InputError(
                f"Row {number} of GTI {what}: START is {start!r} s, STOP is {stop!r} s. Correct or leave out the file."
            )


def _epoch_of_gti(header: Mapping[str, Any], events: Mapping[str, Any]) -> float:
    epoch = header if any(card_number(header, name) is not None for name in ("MJDREFI", "MJDREF")) else events
    scale = header if "TIMESYS" in header else events
    own = {name: epoch[name] for name in _EPOCH if name in epoch}
    return mjdref_from_header(own | {name: scale[name] for name in ("TIMESYS",) if name in scale})


def doubts_about_epoch(header: Mapping[str, Any]) -> tuple[Note, ...]:
    """Return a note where no time scale is written, or times look like Unix time, which leaves out leap seconds."""
    if "TIMESYS" not in header:
        return (Note("TIMESYS", "The header has no TIMESYS; its seconds are taken for those of TT."),)
    is_unix = UNIX_EPOCH in (card_number(header, "MJDREFI"), card_number(header, "MJDREF"))
    if not is_unix or str(header["TIMESYS"]).strip().upper() != "UTC":
        return ()
    text = (
        "Times are seconds since 1970 in UTC with leap seconds, as FITS asks. Where the writer meant Unix time, which "
        "leaves them out, all times of the run are early by their number since then, 29 s from 2017 on."
    )
    return (Note("TIMESYS", text),)

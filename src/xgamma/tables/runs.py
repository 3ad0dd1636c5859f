"""Runs as tables: what was pointed at, when and for how long, and what is known of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from xgamma.digits import NOTHING, decimals
from xgamma.events import RunFacts
from xgamma.tables.table import Lined, Table, date_texts, finite, hours_text

Columns = Mapping[str, npt.NDArray[Any]]
RESPONSES = ("aeff", "edisp", "psf", "bkg", "rad_max")


def runs_table(facts: Sequence[RunFacts], columns: Columns) -> Table:
    """Return a row for each run.

    Parameters
    ----------
    facts, columns
        What is known of the runs, as ``ingest.run_table`` returns it.
    """
    readable = [run.readable for run in facts]
    named = {roles: " ".join(role for role in RESPONSES if role in roles) or "none" for roles in set(readable)}

    def numbers(name: str, places: int = 2) -> list[str]:
        return [decimals(value, places) for value in np.asarray(columns[name], dtype=float).tolist()]

    def texts(name: str) -> list[str]:
        return [text or NOTHING for text in np.asarray(columns[name], dtype=str).tolist()]

    cells = {
        "obs_id": [str(run.obs_id) for run in facts],
        "target": texts("target"),
        "start (TT)": date_texts(columns["tstart"]),
        "live": list(map(hours_text, columns["livetime"].tolist())),
        "zenith": numbers("zenith", 0),
        "offset": numbers("offset"),
        "ra": numbers("ra"),
        "dec": numbers("dec"),
        "events": numbers("events", 0),
        "telescope": texts("telescope"),
        "responses": [named[roles] for roles in readable],
        "notes": [" ".join(f"{note.topic}: {note.text}" for note in run.notes) or NOTHING for run in facts],
    }
    return Table("", Lined(cells), spare=("telescope", "dec", "ra", "responses", "events"))


def runs_document(facts: Sequence[RunFacts], columns: Columns) -> list[dict[str, Any]]:
    """Return the same as JSON holds it; times are MJD in TT, lengths in s, angles in deg."""
    numbers = ("ra", "dec", "zenith", "offset", "tstart", "tstop", "ontime", "livetime")
    return [
        {
            "obs_id": run.obs_id,
            "target": str(columns["target"][row]),
            "telescope": str(columns["telescope"][row]),
            **{name: finite(columns[name][row]) for name in numbers},
            "night": str(columns["night"][row]),
            "events": None if (count := finite(columns["events"][row])) is None else int(count),
            "has": sorted(run.readable),
            "notes": [note._asdict() for note in run.notes],
        }
        for row, run in enumerate(facts)
    ]

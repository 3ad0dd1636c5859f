"""Runs as tables: what was pointed at, when and for how long, and what is known of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy.typing as npt

from xgamma.digits import NOTHING, decimals
from xgamma.events import RunFacts
from xgamma.tables.table import Table, date_text, finite, hours_text

Columns = Mapping[str, npt.NDArray[Any]]
RESPONSES = ("aeff", "edisp", "psf", "bkg", "rad_max")


def runs_table(facts: Sequence[RunFacts], columns: Columns) -> Table:
    """Return a row for each run.

    Parameters
    ----------
    facts, columns
        What is known of the runs, as ``ingest.run_table`` returns it.
    """
    rows = [
        {
            "obs_id": str(run.obs_id),
            "target": str(columns["target"][row]) or NOTHING,
            "start (TT)": date_text(columns["tstart"][row]),
            "live": hours_text(columns["livetime"][row]),
            "zenith": decimals(float(columns["zenith"][row]), 0),
            "offset": decimals(float(columns["offset"][row])),
            "ra": decimals(float(columns["ra"][row])),
            "dec": decimals(float(columns["dec"][row])),
            "events": decimals(float(columns["events"][row]), 0),
            "telescope": str(columns["telescope"][row]) or NOTHING,
            "responses": " ".join(role for role in RESPONSES if role in run.readable) or "none",
            "notes": " ".join(f"{note.topic}: {note.text}" for note in run.notes) or NOTHING,
        }
        for row, run in enumerate(facts)
    ]
    return Table("", rows, spare=("telescope", "dec", "ra", "responses", "events"))


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

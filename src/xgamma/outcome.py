"""What became of each run and of each event: outcomes, runs that are not used, and the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np

from xgamma.axes import IntArray
from xgamma.errors import DataError


class Outcome(IntEnum):
    """Why a run is used or masked, as far as it follows from data and request."""

    USED = 0
    NO_OFF_REGION = 1
    MISSING_IRF = 2
    OUTSIDE_FIELD_OF_VIEW = 3
    ON_REGION_EXCLUDED = 4
    NO_EVENTS = 5
    INVALID_EVENTS = 6
    EVENTS_OUTSIDE = 7
    UNREADABLE_FILE = 8
    MISSING_HDU = 9
    NO_GOOD_TIME = 10
    DRIFTING_POINTING = 11
    NO_SAFE_BIN = 12
    NOT_FINISHED = 13
    INVALID_TIME = 14
    NO_EVENT_IN_TIME = 15
    UNKNOWN_RESPONSE = 16
    OTHER_ENCLOSURE = 17
    NO_BACKGROUND = 18

    @property
    def sentence(self) -> str:
        """The reason in words, for log messages and tables."""
        return _SENTENCES[self]


_SENTENCES = {
    Outcome.USED: "used",
    Outcome.NO_OFF_REGION: "no off region fits on the ring, as the pointing lies in the on-region or too near to it",
    Outcome.MISSING_IRF: "a required instrument response is missing",
    Outcome.OUTSIDE_FIELD_OF_VIEW: "the on-region lies outside the field of view",
    Outcome.ON_REGION_EXCLUDED: "the exclusion around the on-region leaves no room on the ring for an off region",
    Outcome.NO_EVENTS: "the event list is empty",
    Outcome.INVALID_EVENTS: (
        "the event list holds energies or coordinates that are not finite and positive, or times that are not finite"
    ),
    Outcome.EVENTS_OUTSIDE: "no event lies in the field of view",
    Outcome.UNREADABLE_FILE: "the file cannot be read",
    Outcome.MISSING_HDU: "the file lacks a required HDU",
    Outcome.NO_GOOD_TIME: "no good time is left in the selected interval",
    Outcome.NO_SAFE_BIN: "the safe masks leave no energy",
    Outcome.NOT_FINISHED: "its reduction did not finish",
    Outcome.INVALID_TIME: "its good time runs backwards or is not finite, or DEADC is not above 0 and up to 1",
    Outcome.NO_EVENT_IN_TIME: "no event lies in its good time",
    Outcome.UNKNOWN_RESPONSE: "the responses hold values that are not finite, or none, where the analysis needs them",
    Outcome.OTHER_ENCLOSURE: "the responses are point-like for another or an unknown radius of the on-region",
    Outcome.NO_BACKGROUND: "its background cannot be measured",
    Outcome.DRIFTING_POINTING: "the pointing drifts over the sky, which this version does not reduce",
}


INGEST, REDUCE = "ingest", "reduce"


@dataclass(frozen=True)
class UnusedRun:
    """A run, or the piece of a run in an interval, that is not used.

    Parameters
    ----------
    obs_id
        The observation id, which may be negative.
    name
        The name of its row, which is the observation id unless there are several intervals.
    stage
        ``ingest`` or ``reduce``.
    outcome
        Why, as a code.
    message
        What is wrong, as a sentence.
    """

    obs_id: int
    name: str
    stage: str
    outcome: Outcome
    message: str

    @classmethod
    def unread(cls, obs_id: int, outcome: Outcome, message: str) -> UnusedRun:
        """Return a run that could not be ingested."""
        return cls(obs_id, str(obs_id), INGEST, outcome, message)

    @property
    def kind(self) -> str:
        """The word for its outcome, such as ``unreadable_file``."""
        return self.outcome.name.lower()

    def document(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return {name: getattr(self, name) for name in ("obs_id", "name", "stage", "kind", "message")}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> UnusedRun:
        """Return the run of a document; raises ``KeyError`` or ``ValueError`` where it is not one."""
        name, stage, kind, message = (str(document[key]) for key in ("name", "stage", "kind", "message"))
        # Without an id: written before documents had one, when a name began with it.
        obs_id = document["obs_id"] if "obs_id" in document else name[:1] + name[1:].partition("-")[0]
        return cls(int(obs_id), name, stage, Outcome[kind.upper()], message)

    def __str__(self) -> str:
        return f"Run {self.name} is not used: {self.message.rstrip('.')}."


class Note(NamedTuple):
    """A warning about a run that is used nevertheless.

    Parameters
    ----------
    topic
        The role of a response that was ignored, such as ``psf``; else the keyword in question, such as ``DEADC``.
    text
        The warning.
    """

    topic: str
    text: str


class Fate(IntEnum):
    """How an event was counted; the fates of one region add up to the events read."""

    ON = 0
    OFF = 1
    OUTSIDE_REGIONS = 2
    OUTSIDE_ENERGY = 3
    OUTSIDE_TIME = 4
    INVALID = 5


def flag_attrs(flags: type[IntEnum]) -> dict[str, Any]:
    """Return CF ``flag_values`` and ``flag_meanings`` of an enumeration."""
    return {
        "units": "",
        "flag_values": [int(flag) for flag in flags],
        "flag_meanings": " ".join(flag.name.lower() for flag in flags),
    }


def validate_ledger(ledger: IntArray, read: IntArray) -> None:
    """Raise ``DataError`` unless each region's fates add up to the events read and none is negative.

    Parameters
    ----------
    ledger
        Shape (dataset, region, fate).
    read
        Events read, shape (dataset,).
    """
    total = np.where((ledger < 0).any(axis=-1), -1, ledger.sum(axis=-1))
    wrong = np.flatnonzero((total != read[:, None]).any(axis=1))
    if len(wrong):
        row = int(wrong[0])
        raise DataError(
            f"The ledger of row {row} adds up to {total[row].tolist()} events and {int(read[row])} were read; "
            "the product is not written. This is a defect of xgamma, please report it."
        )

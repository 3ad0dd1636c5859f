"""The notes of runs, summarised: one line for each note, with the number of runs that have it."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence

from xgamma.events import IRF_ROLES
from xgamma.ingest.stored import Holdings
from xgamma.outcome import Note

log = logging.getLogger(__name__)

# Sentences may name a file of each run.
_SHOWN = 3
_RUNS_SHOWN = 5

Notes = Mapping[int, Sequence[Note]]


def notes_of(held: Holdings) -> dict[int, tuple[Note, ...]]:
    """Return the notes of runs, by observation id; runs without notes are left out."""
    noted = {key for key, part in held.parts.items() if any(part.runs.attrs.get("notes", ()))}
    places = ((obs_id, place) for obs_id, place in held.places.items() if place[0] in noted)
    every = {obs_id: held.parts[key].notes(number) for obs_id, (key, number) in places}
    return {obs_id: notes for obs_id, notes in every.items() if notes}


def log_notes(notes: Notes, needed: Collection[str] = ()) -> None:
    """Log the notes of runs: doubts and responses that are needed as warnings, others passed over as information.

    Parameters
    ----------
    notes
        By observation id.
    needed
        The roles of responses without which a run cannot be used.
    """
    for topic, sentences in runs_by_note(notes).items():
        level = logging.INFO if topic in set(IRF_ROLES) - set(needed) else logging.WARNING
        for sentence in summaries(topic, sentences):
            log.log(level, "%s", sentence)


def runs_by_note(notes: Notes) -> dict[str, dict[str, list[int]]]:
    """Return the runs of each sentence, by topic and sentence."""
    found: dict[str, dict[str, list[int]]] = {}
    for obs_id, own in notes.items():
        for note in own:
            found.setdefault(note.topic, {}).setdefault(note.text, []).append(obs_id)
    return found


def summaries(topic: str, sentences: Mapping[str, Sequence[int]]) -> Iterable[str]:
    """Yield a line for each of the first few sentences of a topic, and one for how many more there are.

    >>> list(summaries("DEADC", {"It is not there.": [1, 2]}))
    ['DEADC of 2 runs (1, 2): It is not there.']
    """
    for text, runs in list(sentences.items())[:_SHOWN]:
        yield f"{topic} of {_named(runs)}: {text}"
    others = [run for runs in list(sentences.values())[_SHOWN:] for run in runs]
    if others:
        yield f"{topic} of {_named(others)}: the like; xgamma ls --runs says what."


def _named(runs: Sequence[int]) -> str:
    first = ", ".join(map(str, runs[:_RUNS_SHOWN]))
    if len(runs) == 1:
        return f"run {first}"
    return f"{len(runs)} runs ({first}{', ...' if len(runs) > _RUNS_SHOWN else ''})"

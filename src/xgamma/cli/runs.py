"""The runs of a release or a store, listed for ``xgamma ls --runs`` and shown for ``xgamma show PLACE run/OBS_ID``."""

from __future__ import annotations

import click
import numpy as np

from xgamma.cli.console import print_facts, print_json, print_tables, some, typed
from xgamma.cli.places import store_location
from xgamma.errors import ConfigError, UnknownNameError, did_you_mean
from xgamma.events import Part
from xgamma.expressions import parsed
from xgamma.geometry import FRAMES
from xgamma.ingest import open_release
from xgamma.ingest.notes import Notes, runs_by_note, summaries
from xgamma.ingest.run_table import OFFSET, Position, run_table
from xgamma.ingest.stored import StoredGroups
from xgamma.store import Record, Store
from xgamma.tables.runs import runs_document, runs_table
from xgamma.units import canonical

NOTES_SHOWN = 5


def list_runs(
    place: str, where: str | None, sort: str | None, position: str | None, tag: str | None, as_json: bool
) -> None:
    """Print the runs of a release or a store for which a condition is true, in the order of a column."""
    found = run_table(open_release(store_location(place), tag), None if position is None else _position(position))
    total = len(found.facts)
    if where is not None:
        condition = parsed(where, "--where")
        try:
            found = found.where(condition)
        except ConfigError as error:
            raise error.of("--where") from None
    if sort is not None:
        found = found.sorted_by(sort.removeprefix("-"), falling=sort.startswith("-"))
    if as_json:
        print_json(runs_document(found.facts, found.columns))
        return
    print_tables([runs_table(found.facts, found.columns)])
    of, release = f" of {total}" if where is not None else "", typed(store_location(place))
    click.echo(f"{some(len(found.facts), 'run')}{of}; live in h, angles in deg. Next: xgamma init {release}", err=True)


def _position(text: str) -> Position:
    """Read a position: two angles, in deg or as 5h34m32s, and a frame."""
    words = text.replace(",", " ").split()
    frame = words.pop() if words and words[-1] in FRAMES else "icrs"
    if len(words) != 2:
        raise ConfigError(
            f"--position: expected a longitude, a latitude and a frame ({' or '.join(FRAMES)}) such as "
            f"'83.63 22.01 icrs', got {text!r}."
        )
    lon, lat = (canonical(_with_unit(word), "deg", "--position") for word in words)
    if not abs(lat) <= 90:
        raise ConfigError(f"--position: expected a latitude from -90 to 90 deg, got {words[1]}.")
    return Position(lon, lat, frame)


def _with_unit(word: str) -> str:
    """Return an angle with its unit; a plain number is in degrees."""
    try:
        float(word)
    except ValueError:
        return word
    return f"{word} deg"


def show_runs(place: str, start: str, as_json: bool) -> None:
    """Print one run, whose number is given, or all runs of a release or a store."""
    found = run_table(open_release(store_location(place)))
    if start:
        known = [str(run.obs_id) for run in found.facts]
        if start not in known:
            raise UnknownNameError(f"{place} has no run {start}.{did_you_mean(start, known[:1000])}")
        found = found.at([known.index(start)])
    documents = runs_document(found.facts, found.columns)
    if as_json:
        print_json(documents[0] if start else documents)
    elif start:
        facts = {key: value for key, value in documents[0].items() if value not in (None, "", [])}
        shown = {key: " ".join(value) if key == "has" else value for key, value in facts.items() if key != "notes"}
        print_facts(shown, f"Run {start}: times are MJD (TT) and s, angles deg")
        for note in documents[0]["notes"]:
            click.echo(f"  {note['topic']}: {note['text']}")
    else:
        print_tables([runs_table(found.facts, found.columns)])


def print_part(store: Store, record: Record) -> None:
    """Print the runs that were ingested together, and what is to be said of them."""
    part = Part(StoredGroups(store, record))
    facts = part.facts()
    numbers = np.arange(part.runs.sizes["obs"])
    # Offsets are those to a position, which nobody gave.
    columns = {**part.run_columns(numbers), OFFSET: np.full(len(numbers), np.nan)}
    print_tables([runs_table(facts, columns)])
    for line in _note_lines({run.obs_id: run.notes for run in facts}):
        click.echo(line)


def _note_lines(notes: Notes) -> list[str]:
    lines = [line for topic, sentences in runs_by_note(notes).items() for line in summaries(topic, sentences)]
    more = [f"{some(len(lines) - NOTES_SHOWN, 'more note')}; --json has all."] if len(lines) > NOTES_SHOWN else []
    return [*lines[:NOTES_SHOWN], *more]

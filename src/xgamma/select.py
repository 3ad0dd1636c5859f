"""Which runs, and which pieces of them: by id, by cone, by required responses, by time."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.time import Time

from xgamma.axes import IntArray
from xgamma.errors import InputError, MissingInputError, UnknownNameError
from xgamma.events import Part, Rows, RunFacts
from xgamma.geometry import separation, to_frame
from xgamma.times import interval_seconds

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cone:
    """Pointings strictly nearer than ``radius`` to a position; degrees."""

    lon: float
    lat: float
    radius: float
    frame: str = "icrs"


@dataclass(frozen=True)
class Selection:
    """Which runs are wanted. ``obs_ids`` of ``None`` are all; ``intervals`` of none are whole runs."""

    obs_ids: tuple[int, ...] | None = None
    cone: Cone | None = None
    required_irf: tuple[str, ...] = ("aeff", "edisp", "psf", "bkg")
    intervals: tuple[tuple[Time, Time], ...] = ()


def read_obs_file(path: Path) -> tuple[int, ...]:
    """Read observation ids from the first column of a text file; blank lines and ``#`` comments are passed over.

    Raises
    ------
    MissingInputError, InputError
        When the file is not there or no text, or an id is no whole number or stands there twice.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise MissingInputError(f"observations.obs_file: there is no file {path}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"observations.obs_file: {path} cannot be read as text: {error}.") from None
    words = [(number, line.split("#")[0].replace(",", " ").split()) for number, line in enumerate(lines, start=1)]
    ids = [_obs_id(word[0], number, path) for number, word in words if word]
    twice = sorted(obs_id for obs_id, count in Counter(ids).items() if count > 1)
    if twice:
        shown = ", ".join(map(str, twice))
        raise InputError(f"observations.obs_file: {path} has {shown} twice; leave one of them out.")
    return tuple(ids)


def _obs_id(word: str, line: int, path: Path) -> int:
    try:
        number = float(word)
    except ValueError:
        number = float("nan")
    if not number.is_integer():
        raise InputError(f"observations.obs_file: line {line} of {path} begins with {word!r}; expected an id.")
    return int(number)


def select_runs(runs: Mapping[int, RunFacts], selection: Selection) -> list[int]:
    """Return the ids of the selected runs, in the order of the ids asked for, else of the release.

    Raises
    ------
    UnknownNameError
        When an id is asked for that the release does not have.
    """
    wanted = list(runs) if selection.obs_ids is None else list(selection.obs_ids)
    unknown = [obs_id for obs_id in wanted if obs_id not in runs]
    if unknown:
        raise UnknownNameError(
            f"observations.obs_ids: the datastore has no run {', '.join(map(str, unknown))}; it has {len(runs)} runs"
            f"{_span(runs)}."
        )
    chosen = [runs[obs_id] for obs_id in wanted]
    if selection.cone is not None:
        chosen = _in_cone(chosen, selection.cone)
    return [run.obs_id for run in chosen if _has_required(run, selection.required_irf)]


def _span(runs: Mapping[int, RunFacts]) -> str:
    return f" from {min(runs)} to {max(runs)}" if runs else ""


def _in_cone(runs: Sequence[RunFacts], cone: Cone) -> list[RunFacts]:
    center = to_frame(cone.lon, cone.lat, cone.frame, "icrs")
    distance = separation(np.array([run.ra for run in runs]), np.array([run.dec for run in runs]), *center)
    return [run for run, degrees in zip(runs, np.atleast_1d(distance), strict=True) if degrees < cone.radius]


def _has_required(run: RunFacts, required: Collection[str]) -> bool:
    missing = ", ".join(sorted(set(required) - run.roles))
    if missing:
        log.warning("Run %d is left out: it has no %s, which observations.required_irf asks for.", run.obs_id, missing)
    return not missing


def rows_of(
    parts: Mapping[str, Part], places: Mapping[int, tuple[str, int]], obs_ids: Iterable[int], selection: Selection
) -> list[tuple[str, Rows]]:
    """Return the rows of a selection, part by part.

    Parameters
    ----------
    parts
        Parts by key.
    places
        The part and the number in it of each run.
    obs_ids
        The selected runs.
    selection
        Its intervals cut the runs; a run may give several rows, in the order of the intervals.

    Returns
    -------
    list
        For each part that is needed its key and its rows. A run in several intervals is named ``<id>-1``, ``<id>-2``.
    """
    pieces = [piece for obs_id in obs_ids for piece in _pieces(parts, places[obs_id], obs_id, selection)]
    pieces.sort(key=lambda piece: piece.interval)
    times = Counter(piece.obs_id for piece in pieces)
    result = []
    for key in dict.fromkeys(piece.part for piece in pieces):
        place = np.array([number for number, piece in enumerate(pieces) if piece.part == key])
        mine = [pieces[number] for number in place]
        names = tuple(f"{p.obs_id}-{p.interval + 1}" if times[p.obs_id] > 1 else str(p.obs_id) for p in mine)
        start, stop = (np.array([getattr(piece, side) for piece in mine]) for side in ("start", "stop"))
        result.append((key, Rows(np.array([piece.obs for piece in mine]), start, stop, names, place)))
    return result


def selection_order(selected: Sequence[tuple[str, Rows]]) -> IntArray:
    """Return the numbers of the rows, counted one part after the other, in the order of the selection."""
    places = [np.arange(len(rows)) if rows.place is None else rows.place for _, rows in selected]
    return np.argsort(np.concatenate([*places, np.empty(0, np.int64)]))


@dataclass(frozen=True)
class _Piece:
    part: str
    obs: int
    obs_id: int
    interval: int
    start: float
    stop: float


def _pieces(parts: Mapping[str, Part], place: tuple[str, int], obs_id: int, selection: Selection) -> Iterable[_Piece]:
    key, obs = place
    if not selection.intervals:
        yield _Piece(key, obs, obs_id, 0, -np.inf, np.inf)
        return
    table = parts[key].obs
    tstart, tstop = float(table["tstart"].values[obs]), float(table["tstop"].values[obs])
    for number, interval in enumerate(selection.intervals):
        start, stop = interval_seconds(*interval, float(table.attrs["mjdref"]))
        if tstart < stop and tstop > start:
            yield _Piece(key, obs, obs_id, number, start, stop)

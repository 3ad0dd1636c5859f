"""Selection of runs by id, cone, expression and required responses, and of intervals of their time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from astropy.time import Time

from xgamma.axes import IntArray
from xgamma.errors import ConfigError, InputError, MissingInputError, UnknownNameError
from xgamma.events import INDEX_COLUMNS, Part, Rows, RunFacts
from xgamma.expressions import Expression
from xgamma.formats.local_files import text_of
from xgamma.geometry import separation, to_frame
from xgamma.times import interval_seconds, overlap_problem


@dataclass(frozen=True)
class Cone:
    """Pointings strictly nearer than ``radius`` to a position; degrees."""

    lon: float
    lat: float
    radius: float
    frame: str = "icrs"


@dataclass(frozen=True)
class Selection:
    """Which runs are selected.

    Parameters
    ----------
    obs_ids
        The requested ids; ``None`` for all.
    cone
        The region of the pointings.
    required_irf
        The responses that a run must have.
    intervals
        Intervals of time; without any, whole runs.
    expression
        A condition on the columns of a run, ``events.RUN_COLUMNS``.

    Raises
    ------
    ConfigError
        When an id is given twice or two intervals overlap, as events would count twice.
    """

    obs_ids: tuple[int, ...] | None = None
    cone: Cone | None = None
    required_irf: tuple[str, ...] = ("aeff", "edisp", "psf", "bkg")
    intervals: tuple[tuple[Time, Time], ...] = ()
    expression: Expression | None = None

    def __post_init__(self) -> None:
        twice = [obs_id for obs_id, count in Counter(self.obs_ids or ()).items() if count > 1]
        if twice:
            raise ConfigError(f"Expected each observation once, got {', '.join(map(str, twice))} more than once.")
        overlap = overlap_problem(self.intervals)
        if overlap:
            raise ConfigError(f"Selected time: {overlap}")


@dataclass(frozen=True)
class Sieved:
    """The runs that a selection keeps, in its order, and why the others are dropped: by criterion, by id."""

    obs_ids: list[int]
    dropped: Mapping[str, Mapping[int, str]]


def read_obs_file(path: Path) -> tuple[int, ...]:
    """Read observation ids from the first column of a text file; blank lines and ``#`` comments are skipped.

    Raises
    ------
    MissingInputError, InputError
        When the file is missing or not text, or an id is not a whole number or occurs twice.
    """
    try:
        lines = text_of(path, "utf-8-sig").splitlines()
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
    """Return the ids of the selected runs, in the order of the requested ids, else of the release.

    Raises
    ------
    UnknownNameError
        When a requested id is not in the release.
    """
    return sieved(runs, selection).obs_ids


def sieved(runs: Mapping[int, RunFacts], selection: Selection) -> Sieved:
    """Return which runs pass the conditions that can be checked before they are ingested.

    Parameters
    ----------
    runs
        The runs of a release.
    selection
        Its ids, cone and required responses, and its expression where the index knows all columns of it.

    Raises
    ------
    UnknownNameError
        When a requested id is not in the release.
    """
    requested = list(runs) if selection.obs_ids is None else list(selection.obs_ids)
    unknown = [obs_id for obs_id in requested if obs_id not in runs]
    if unknown:
        raise UnknownNameError(
            f"observations.obs_ids: the datastore has no run {', '.join(map(str, unknown))}; it has {len(runs)} runs"
            f"{_span(runs)}."
        )
    chosen = [runs[obs_id] for obs_id in requested]
    dropped: dict[str, dict[int, str]] = {}
    for criterion, reasons in (
        ("obs_cone", _outside_cone),
        ("expression", _excluded_by_expression),
        ("required_irf", _lacking),
    ):
        dropped[criterion] = reasons(chosen, selection)
        chosen = [run for run in chosen if run.obs_id not in dropped[criterion]]
    return Sieved([run.obs_id for run in chosen], dropped)


def _span(runs: Mapping[int, RunFacts]) -> str:
    return f" from {min(runs)} to {max(runs)}" if runs else ""


def _outside_cone(runs: Sequence[RunFacts], selection: Selection) -> dict[int, str]:
    cone = selection.cone
    if cone is None or not runs:
        return {}
    center = to_frame(cone.lon, cone.lat, cone.frame, "icrs")
    distance = separation(np.array([run.ra for run in runs]), np.array([run.dec for run in runs]), *center)
    return {
        run.obs_id: f"its pointing is {degrees:.2f} deg from the centre of the cone"
        for run, degrees in zip(runs, distance.tolist(), strict=True)
        if not degrees < cone.radius
    }


def _lacking(runs: Sequence[RunFacts], selection: Selection) -> dict[int, str]:
    required = "which observations.required_irf asks for"
    missing = [(run, sorted(set(selection.required_irf) - run.roles)) for run in runs]
    return {run.obs_id: f"it has no {', '.join(roles)}, {required}{_noted(run)}" for run, roles in missing if roles}


def _noted(run: RunFacts) -> str:
    return "".join(f". {note.text.rstrip('.')}" for note in run.notes)


def _excluded_by_expression(runs: Sequence[RunFacts], selection: Selection) -> dict[int, str]:
    if not runs or not is_known_early(runs, selection):
        return {}
    columns = {name: np.array([getattr(run, name) for run in runs]) for name in INDEX_COLUMNS}
    return _contradicting(columns, selection)


def is_known_early(runs: Iterable[RunFacts], selection: Selection) -> bool:
    """Whether the index has all columns of the expression; others are in the files."""
    names = () if selection.expression is None else selection.expression.names
    given = list(runs)
    has_target = "target" not in names or all(run.target for run in given)
    has_zenith = "zenith" not in names or all(np.isfinite(run.zenith) for run in given)
    return set(names) <= set(INDEX_COLUMNS) and has_target and has_zenith


def _contradicting(columns: Mapping[str, npt.NDArray[Any]], selection: Selection) -> dict[int, str]:
    """Return the values of the columns in each run for which the expression is not true, by observation id."""
    expression = selection.expression
    if expression is None:
        return {}
    names = [name for name in expression.names if name != "obs_id"]
    return {
        int(columns["obs_id"][row]): ", ".join(f"{name} is {columns[name][row]}" for name in names) or "it is not true"
        for row in np.flatnonzero(~expression.holds(columns))
    }


def contradicting(
    parts: Mapping[str, Part], locations: Mapping[int, tuple[str, int]], obs_ids: Iterable[int], selection: Selection
) -> dict[int, str]:
    """Return the ingested runs for which the expression of a selection is not true, with the values of its columns.

    Parameters
    ----------
    parts, locations
        Parts by key, and the part and the number in it of each run.
    obs_ids
        The runs to check.
    selection
        The selection; without an expression the result is empty.
    """
    if selection.expression is None:
        return {}
    found: dict[int, str] = {}
    numbers: dict[str, list[int]] = {}
    for obs_id in obs_ids:
        numbers.setdefault(locations[obs_id][0], []).append(locations[obs_id][1])
    for key, rows in numbers.items():
        found |= _contradicting(parts[key].run_columns(np.array(rows)), selection)
    return found


def rows_of(
    parts: Mapping[str, Part], locations: Mapping[int, tuple[str, int]], obs_ids: Iterable[int], selection: Selection
) -> list[tuple[str, Rows]]:
    """Return the rows of a selection, part by part.

    Parameters
    ----------
    parts
        Parts by key.
    locations
        The part and the number in it of each run.
    obs_ids
        The selected runs.
    selection
        Its intervals cut the runs; a run may give several rows, in the order of the intervals.

    Returns
    -------
    list
        The key and the rows of each part needed. Rows of a run in several intervals are named ``<id>-1``, ``<id>-2``.
    """
    if not selection.intervals:
        return _whole_runs(locations, obs_ids)
    pieces = [piece for obs_id in obs_ids for piece in _pieces(parts, locations[obs_id], obs_id, selection)]
    pieces.sort(key=lambda piece: piece.interval)
    times = Counter(piece.obs_id for piece in pieces)
    result = []
    for key in dict.fromkeys(piece.part for piece in pieces):
        order = np.array([number for number, piece in enumerate(pieces) if piece.part == key])
        mine = [pieces[number] for number in order]
        names = tuple(f"{p.obs_id}-{p.interval + 1}" if times[p.obs_id] > 1 else str(p.obs_id) for p in mine)
        start, stop = (np.array([getattr(piece, side) for piece in mine]) for side in ("start", "stop"))
        result.append((key, Rows(np.array([piece.obs for piece in mine]), start, stop, names, order)))
    return result


def _whole_runs(locations: Mapping[int, tuple[str, int]], obs_ids: Iterable[int]) -> list[tuple[str, Rows]]:
    own: dict[str, list[tuple[int, int, str]]] = {}
    for position, obs_id in enumerate(obs_ids):
        key, number = locations[obs_id]
        own.setdefault(key, []).append((position, number, str(obs_id)))
    result = []
    for key, rows in own.items():
        positions, obs, names = zip(*rows, strict=True)
        ends = np.full(len(rows), np.inf)
        result.append((key, Rows(np.array(obs), -ends, ends, names, np.array(positions))))
    return result


def selection_order(selected: Sequence[tuple[str, Rows]]) -> IntArray:
    """Return the numbers of the rows, counted one part after the other, in the order of the selection."""
    orders = [np.arange(len(rows)) if rows.order is None else rows.order for _, rows in selected]
    return np.argsort(np.concatenate([*orders, np.empty(0, np.int64)]))


@dataclass(frozen=True)
class _Piece:
    part: str
    obs: int
    obs_id: int
    interval: int
    start: float
    stop: float


def _pieces(
    parts: Mapping[str, Part], location: tuple[str, int], obs_id: int, selection: Selection
) -> Iterable[_Piece]:
    key, obs = location
    table = parts[key].runs
    tstart, tstop = float(table["tstart"].values[obs]), float(table["tstop"].values[obs])
    for number, interval in enumerate(selection.intervals):
        start, stop = interval_seconds(*interval, float(table.attrs["mjdref"]))
        if tstart < stop and tstop > start:
            yield _Piece(key, obs, obs_id, number, start, stop)

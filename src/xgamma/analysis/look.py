"""A look into some runs ahead of the work: read and reduced as ``run`` would, in memory, and forgotten.

Of a few runs all are looked at; of many a sample, evenly spaced over the release with its first and last run, as
the responses of a release are made by one program. Of the others it is seen whether their files are there.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from xgamma.analysis.failures import on_failed_ingest, on_unused_run
from xgamma.analysis.preflight import Chosen, Request
from xgamma.analysis.rows import rows_at, sentence_of
from xgamma.analysis.stacks import NAME as STACKED
from xgamma.analysis.unused import REDUCE, UnusedRun, no_run_left, nothing_selected
from xgamma.axes import BoolArray
from xgamma.errors import DataError
from xgamma.events import Part, Rows
from xgamma.execute import THIS_PROCESS
from xgamma.fit import validate_fittable, validate_named
from xgamma.ingest import Failure, FitsRelease, Holdings, StoredRelease
from xgamma.ingest.notes import notes_of, runs_by_note, summaries
from xgamma.outcome import Outcome
from xgamma.reduce import Recipe, reduce_each, validate_enclosure
from xgamma.reduce.true_energy import true_energy_remark
from xgamma.select import contradicting, rows_of
from xgamma.store import Store

LOOKED_AT = 20
# Where none of these can be used, all are looked at of as many runs.
LOOKED_FOR = 500
# A file behind a url has to travel as a whole.
LOOKED_AT_REMOTE = 2
# Of files that are not there a few are named.
MOST_ABSENT = 100


@dataclass(frozen=True)
class Look:
    """What was seen.

    Parameters
    ----------
    obs_ids
        The runs that were looked at.
    is_complete
        Whether these are all runs.
    unused
        Those that cannot be used, and those whose files are not there.
    unlike, outside
        Those that the expression and the intervals drop, with the reason.
    remarks
        Sentences about numbers that will not be what they seem.
    """

    obs_ids: Sequence[int]
    is_complete: bool
    unused: Sequence[UnusedRun]
    unlike: Mapping[int, str] = field(default_factory=dict)
    outside: Mapping[int, str] = field(default_factory=dict)
    remarks: Sequence[str] = ()


@dataclass(frozen=True)
class Tried:
    """Rows of a part that were reduced: how many ended, those of them that are masked, the others, and safe bins."""

    done: int
    masked: Sequence[UnusedRun]
    lost: Sequence[UnusedRun]
    safe: BoolArray
    remark: str = ""


@dataclass(frozen=True)
class _Seen:
    """Runs that were read, what is dropped of them, and what became of the others when they were reduced."""

    obs_ids: Sequence[int]
    held: Holdings
    unlike: Mapping[int, str]
    outside: Mapping[int, str]
    ends: Sequence[Tried]
    pieces: Sequence[tuple[Part, Rows]]

    @property
    def masked(self) -> list[UnusedRun]:
        return [run for end in self.ends for run in end.masked]

    @property
    def lost(self) -> list[UnusedRun]:
        return [run for end in self.ends for run in end.lost]

    @property
    def unread(self) -> list[UnusedRun]:
        return [UnusedRun.of_failure(failure) for failure in self.held.failures]

    @property
    def has_used(self) -> bool:
        return any(end.done > len(end.masked) for end in self.ends)


def look_ahead(request: Request, chosen: Chosen) -> Look:
    """Look into runs of a request.

    Raises
    ------
    ConfigError
        When the responses do not fit the request, or what the runs hold leaves no run selected.
    InputError, DataError, FitError
        When none of the runs that were looked at can be used or fitted; with ``general.fail_fast`` when one cannot.
    """
    seen = _seen(request, chosen, _sample(chosen))
    is_small = len(chosen.obs_ids) <= LOOKED_FOR and not _is_remote(chosen.release) and "datasets" in request.steps
    if len(seen.obs_ids) < len(chosen.obs_ids) and is_small and not seen.has_used:
        # Whether any run is left is worth to look at all of them.
        seen = _seen(request, chosen, chosen.obs_ids)
    is_complete = len(seen.obs_ids) == len(chosen.obs_ids)
    if "datasets" in request.steps:
        _validate_seen(request, chosen, seen, is_complete)
    # What costs counts is said once, of the first part.
    remarks = [end.remark for end in seen.ends if end.remark][:1]
    notes = [line for noted in runs_by_note(notes_of(seen.held)).items() for line in summaries(*noted)]
    unused = [*seen.masked, *seen.lost, *seen.unread]
    return Look(seen.obs_ids, is_complete, unused, seen.unlike, seen.outside, [*notes, *remarks])


def _seen(request: Request, chosen: Chosen, sample: Sequence[int]) -> _Seen:
    """Read and reduce runs in memory; those that lack files are looked for among the others."""
    store, selection = Store("memory://"), request.selection
    on_failure = on_failed_ingest(True, store, chosen.release) if request.config.general.fail_fast else _nothing
    held = chosen.release.load([*sample, *_absent(chosen, set(sample))], store, on_failure=on_failure)
    readable = [obs_id for obs_id in sample if obs_id in held.places]
    unlike = contradicting(held.parts, held.places, readable, selection)
    left = [obs_id for obs_id in readable if obs_id not in unlike]
    pieces = [(held.parts[key], rows) for key, rows in rows_of(held.parts, held.places, left, selection)]
    within = {int(obs_id) for part, rows in pieces for obs_id in part.column("obs_id", rows.obs)}
    outside = {obs_id: "it was taken outside of the intervals" for obs_id in left if obs_id not in within}
    ends = [tried(part, rows, request.recipe) for part, rows in pieces] if "datasets" in request.steps else []
    return _Seen(sample, held, unlike, outside, ends, pieces)


def _validate_seen(request: Request, chosen: Chosen, seen: _Seen, is_complete: bool) -> None:
    """Raise what ``run`` would raise of these runs."""
    if not seen.ends and (is_complete or len(seen.unread) >= len(seen.obs_ids)):
        dropped = {**chosen.sieved.dropped, "expression": seen.unlike}
        raise nothing_selected([*chosen.lacking, *seen.held.failures], dropped)
    if seen.ends:
        validate_enclosure(seen.pieces, request.recipe.grid, request.recipe.containment)
    if seen.ends and len(seen.masked) == sum(end.done for end in seen.ends):
        lacking = [UnusedRun.of_failure(failure) for failure in chosen.lacking]
        raise DataError(no_run_left([*seen.masked, *seen.lost, *lacking, *seen.unread]))
    if request.config.general.fail_fast:
        for run in [*seen.lost, *seen.masked]:
            on_unused_run(True)(run)
    if is_complete and seen.ends and {"fit", "flux_points"}.intersection(request.steps):
        _validate_names(request, [name for _, rows in seen.pieces for name in rows.names])
    if is_complete and "fit" in request.steps:
        inside = request.recipe.grid.energy.mask_inside(*request.config.fit.fit_range.bounds())
        validate_fittable(1, sum(int((end.safe & inside).sum()) for end in seen.ends))


def _validate_names(request: Request, rows: Sequence[str]) -> None:
    """Raise ``ConfigError`` where models name no dataset; how groups of a stack are called is not known yet."""
    datasets = request.config.datasets
    source = request.config.flux_points.source if "flux_points" in request.steps else ""
    if request.models is not None and datasets.stack_by is None:
        validate_named(request.models, [STACKED] if datasets.stack else rows, source)


def _sample(chosen: Chosen) -> list[int]:
    sample = sample_of(chosen.obs_ids, chosen.release)
    if len(sample) == len(chosen.obs_ids):
        return sample
    near = [obs_id for obs_id in chosen.obs_ids if obs_id not in chosen.far]
    return sample_of(near or chosen.obs_ids, chosen.release)


def sample_of(obs_ids: Sequence[int], release: FitsRelease | StoredRelease) -> list[int]:
    """Return the runs that are looked at: all, or some that are evenly spaced."""
    most = LOOKED_AT_REMOTE if _is_remote(release) else LOOKED_AT
    if len(obs_ids) <= most:
        return list(obs_ids)
    places = np.unique(np.linspace(0, len(obs_ids) - 1, most).round().astype(int))
    return [obs_ids[place] for place in places]


def _is_remote(release: FitsRelease | StoredRelease) -> bool:
    return isinstance(release, FitsRelease) and "://" in release.place


def _absent(chosen: Chosen, seen: set[int]) -> list[int]:
    """Return the runs that were not looked at and that lack a file."""
    release = chosen.release
    if not isinstance(release, FitsRelease) or _is_remote(release):
        return []
    others = (obs_id for obs_id in chosen.obs_ids if obs_id not in seen)
    return list(itertools.islice((obs_id for obs_id in others if not release.has_files([obs_id])), MOST_ABSENT))


def _nothing(_: Failure) -> None:
    """Do nothing for a run that cannot be read: it is among the failures."""


def tried(part: Part, rows: Rows, recipe: Recipe) -> Tried:
    """Reduce rows of a part, and return what became of them."""
    fresh = reduce_each(part, rows, recipe, THIS_PROCESS)
    lost = [
        UnusedRun.of(rows.names[number], REDUCE, Outcome.NOT_FINISHED, sentence_of(error))
        for number, error in fresh.lost.items()
    ]
    if fresh.data is None:
        return Tried(0, [], lost, np.zeros(recipe.grid.energy.nbin, dtype=bool))
    outcomes, details = fresh.data["outcome"].values, fresh.data.attrs["outcome_details"]
    ended = list(zip(fresh.done, outcomes.tolist(), details, strict=True))
    masked = [
        UnusedRun.of(rows.names[number], REDUCE, Outcome(outcome), detail)
        for number, outcome, detail in ended
        if outcome != Outcome.USED
    ]
    used = [number for number, outcome, _ in ended if outcome == Outcome.USED]
    safe = np.asarray(fresh.data["mask_safe"].values.any(axis=(0, 1)))
    remark = true_energy_remark(part, rows_at(rows, used), recipe.grid, recipe.containment, safe) if used else ""
    return Tried(len(fresh.done), masked, lost, safe, remark)

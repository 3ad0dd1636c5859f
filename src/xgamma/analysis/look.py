"""A look into runs: some are read and reduced as ``run`` would, in memory, and forgotten.

Of a few runs all are looked at; of many a sample, evenly spaced over the release with its first and last run, as the
responses of a release are made by one program. Of the others it is seen whether their files are there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import xarray as xr

from xgamma.analysis.failures import on_failed_ingest, on_unused_run
from xgamma.analysis.plan import Request
from xgamma.analysis.selected import Selected, no_run_left, nothing_selected
from xgamma.analysis.steps.fit import FitWanted
from xgamma.analysis.steps.observations import errors_of
from xgamma.analysis.steps.reduce import ReduceStep, ReductionWanted, row_name
from xgamma.analysis.steps.rows import lost_rows, unused_rows
from xgamma.analysis.steps.stack import NAME as STACKED
from xgamma.analysis.steps.stack import StackWanted
from xgamma.analysis.steps.step import SeenSpectrum
from xgamma.axes import Axis, BoolArray
from xgamma.datasets.observations import Observations
from xgamma.errors import DataError, FitError
from xgamma.estimate.time_bins import TimeSpans, spans_of_rows
from xgamma.events import Part, Rows
from xgamma.execute import THIS_PROCESS
from xgamma.fit import FitInput, Statistic, mask_fit, start_near_counts, validate_beginning
from xgamma.ingest import FitsRelease, StoredRelease
from xgamma.ingest.notes import notes_of, runs_by_note, summaries
from xgamma.models.models import Models
from xgamma.models.npred_models import NormModel
from xgamma.models.skymodel import ModelComponent
from xgamma.outcome import Outcome, UnusedRun
from xgamma.predict.folding import GoodTime, good_time, spectral_remarks, time_remark, validate_times
from xgamma.reduce import Recipe, reduce_each, select_rows, validate_enclosure
from xgamma.reduce.losses import rows_remark
from xgamma.schema import safe_energies
from xgamma.store import Store

LOOKED_AT = 20
# Where none of these can be used, all are looked at of as many runs.
LOOKED_FOR = 500
# A file behind a url has to travel as a whole.
LOOKED_AT_REMOTE = 2
# Of files that are not there a few are named.
MOST_ABSENT = 100
CM2_PER_M2 = 1e4
FEW, MANY, LARGE = 0.01, 10.0, 1e12
"""Counts, multiples of all there are, and a norm of maps of counts, outside of which a start is looked at: it takes
as long as the first step of a fit."""


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
    dropped
        Why runs are not selected, by criterion and observation id, as far as it is known.
    rows
        The names of the rows that were reduced.
    spectra
        What was reduced for each entry of ``datasets``.
    remarks
        Sentences about numbers that will not be what they seem.
    spans
        When the rows that can be used were taken, each with the entry of ``datasets``.
    """

    obs_ids: Sequence[int]
    is_complete: bool
    unused: Sequence[UnusedRun]
    dropped: Mapping[str, Mapping[int, str]]
    rows: Sequence[str]
    spectra: Sequence[SeenSpectrum]
    remarks: Sequence[str] = ()
    spans: Sequence[tuple[str, TimeSpans]] = ()


@dataclass(frozen=True)
class Start:
    """How a fit of Datasets begins: why it cannot, and a sentence for each model that starts far from the counts."""

    fault: FitError | None = None
    remarks: Sequence[str] = ()


@dataclass(frozen=True)
class Tried:
    """Rows of a part that were reduced: how many ended, those of them that are masked, the others, and safe bins.

    ``telescope`` and ``times``, names and good time, are of those that ended, ``spans`` of those that can be used, and
    ``start`` is how a fit of these begins.
    """

    done: int
    masked: Sequence[UnusedRun]
    lost: Sequence[UnusedRun]
    safe: BoolArray
    remark: str = ""
    telescope: str = ""
    times: tuple[Sequence[str], GoodTime] | None = None
    spans: TimeSpans | None = None
    start: Start = Start()


@dataclass(frozen=True)
class _Seen:
    """Runs that were read and selected, and what became of them when they were reduced for each entry."""

    obs_ids: Sequence[int]
    observations: Observations
    unread: Sequence[UnusedRun]
    reduced: Sequence[Sequence[Tried]]

    @property
    def ends(self) -> list[Tried]:
        return [end for ends in self.reduced for end in ends]

    @property
    def pieces(self) -> list[tuple[Part, Rows]]:
        return [(self.observations.holdings.parts[key], rows) for key, rows in self.observations.rows]

    @property
    def unused(self) -> list[UnusedRun]:
        return [run for end in self.ends for runs in (end.masked, end.lost) for run in runs]

    @property
    def has_used(self) -> bool:
        return any(end.done > len(end.masked) for end in self.ends)


def look_ahead(request: Request, name: str, chosen: Selected) -> Look:
    """Look into runs of a request.

    Parameters
    ----------
    request
        What is asked for.
    name, chosen
        The selected runs, and the name of the entry of ``datasets`` whose own they are.

    Raises
    ------
    ConfigError
        When the responses do not fit the request, or what the runs hold leaves no run selected.
    InputError, DataError, FitError
        When none of the runs that were looked at can be used or fitted; with ``general.fail_fast`` when one cannot.
    """
    is_reduced = ReduceStep.section in request.sections
    reductions = request.reduced(name) if is_reduced else []
    seen = _seen(request, reductions, chosen, _sample(request.reduced(name), chosen))
    is_small = len(chosen.obs_ids) <= LOOKED_FOR and not _is_remote(chosen.release) and is_reduced
    if len(seen.obs_ids) < len(chosen.obs_ids) and is_small and not seen.has_used:
        # Whether any run is left is worth to look at all of them.
        seen = _seen(request, reductions, chosen, chosen.obs_ids)
    is_complete = len(seen.obs_ids) == len(chosen.obs_ids)
    if is_reduced:
        with errors_of(name):
            _validate_seen(request, reductions, chosen, seen, is_complete)
    # What costs counts is said once, of the first part.
    remarks = [remark for ends in seen.reduced for remark in [end.remark for end in ends if end.remark][:1]]
    remarks += [wanted.recipe.exclusion_remark for wanted in reductions if wanted.recipe.exclusion_remark]
    remarks += _model_remarks(request, reductions, seen)
    noted = runs_by_note(notes_of(seen.observations.holdings)).items()
    notes = [line for topic, sentences in noted for line in summaries(topic, sentences)]
    dropped = seen.observations.dropped
    rows = [row for _, own in seen.pieces for row in own.names]
    spectra = [
        SeenSpectrum(wanted.name, wanted.recipe.grid.energy, end.safe, end.telescope)
        for wanted, ends in zip(reductions, seen.reduced, strict=True)
        for end in ends
    ]
    unused = [*seen.unused, *seen.unread]
    spans = [
        (wanted.name, end.spans)
        for wanted, ends in zip(reductions, seen.reduced, strict=True)
        for end in ends
        if end.spans is not None
    ]
    return Look(seen.obs_ids, is_complete, unused, dropped, rows, spectra, [*notes, *remarks], spans)


def _seen(request: Request, reductions: Sequence[ReductionWanted], chosen: Selected, sample: Sequence[int]) -> _Seen:
    """Read and reduce runs in memory; those that lack files are looked for among the others."""
    store = Store("memory://")
    on_failure = on_failed_ingest(True, store, chosen.release) if request.config.general.fail_fast else _nothing
    held = chosen.release.load([*sample, *_absent(chosen, set(sample))], store, on_failure=on_failure)
    seen = _Seen(sample, chosen.observations(held), held.failures, [])
    reduced = [
        [tried(part, rows, wanted.recipe, partial(_start_of_rows, request, wanted)) for part, rows in seen.pieces]
        for wanted in reductions
    ]
    return replace(seen, reduced=reduced)


def _start_of_rows(request: Request, reduction: ReductionWanted, rows: xr.Dataset) -> Start:
    """Return how a fit of reduced rows begins, if one is asked for; of maps the first."""
    stack = _stacks(request).get(reduction.number)
    seen = rows if reduction.recipe.grid.is_region else rows.isel(dataset=slice(1))
    seen = seen.assign_coords(dataset=_names(reduction, stack, seen["dataset"].values.tolist()))
    # What groups are called is not known yet.
    return start_of(request, reduction.name, seen, are_named=stack is None or stack.by is None)


def start_of(request: Request, name: str, data: xr.Dataset, are_named: bool = True) -> Start:
    """Return how a fit of Datasets of an entry begins, if one is asked for.

    Unless Datasets ``are_named`` as the fit will see them, models of some of them alone are left out.
    """
    asked = next((wanted for _, wanted in request.steps if isinstance(wanted, FitWanted)), None)
    if asked is None or request.models is None or not any(_is_far(model, data) for model in request.models):
        return Start()
    models = Models(one for one in request.models if are_named or one.datasets_names is None)
    try:
        statistic = Statistic([FitInput(data, mask_fit(data, *asked.range_of(name)))], models)
        validate_beginning(statistic)
        return Start(remarks=start_near_counts(statistic)[1])
    except FitError as error:
        return Start(error)


def _is_far(model: ModelComponent, data: xr.Dataset) -> bool:
    """Whether fluxes in bins of true energy are no numbers, or may be far from what is counted.

    That is more counts than ten times all there are, or less than a hundredth of one, where none is lost.
    """
    if model.spectral_model is None:
        return False
    edges = Axis.from_coords(data.coords, "energy_true").edges
    with np.errstate(all="ignore"):
        fluxes = np.abs(model.spectral_model.flux(edges, model.spectral_model.canonical_values()))
        if isinstance(model, NormModel):
            return not bool((fluxes < LARGE).all())
        # Windows that are not added up hold exposures for some offsets alone.
        exposure = data["exposure" if "exposure" in data else "exposure_edisp"]
        most = float(fluxes @ exposure.max([dim for dim in exposure.dims if dim != "energy_true"]).values) * CM2_PER_M2
    return not FEW < most < MANY * max(float(data["counts"].sum()), 1.0)


def _stacks(request: Request) -> dict[int, StackWanted]:
    """Return how the entries of ``datasets`` are stacked, by their number."""
    return {wanted.number: wanted for _, wanted in request.steps if isinstance(wanted, StackWanted)}


def _names(reduction: ReductionWanted, stack: StackWanted | None, rows: Sequence[str]) -> list[str]:
    """Return what the datasets of rows are called that a fit sees."""
    return [row_name(reduction.name, row) if stack is None else stack.name or STACKED for row in rows]


def _validate_seen(
    request: Request, reductions: Sequence[ReductionWanted], chosen: Selected, seen: _Seen, is_complete: bool
) -> None:
    """Raise what ``run`` would raise of these runs."""
    if not seen.ends and (is_complete or len(seen.unread) >= len(seen.obs_ids)):
        raise nothing_selected(seen.observations.holdings.failures, seen.observations.dropped)
    for wanted, ends in zip(reductions, seen.reduced, strict=True):
        if ends:
            _validate_reduced(wanted.recipe, ends, [*chosen.lacking, *seen.unread], seen)
    if request.config.general.fail_fast:
        for run in seen.unused:
            on_unused_run(True)(run)


def _model_remarks(request: Request, reductions: Sequence[ReductionWanted], seen: _Seen) -> list[str]:
    """Return what is to be known of models in the good time of rows; raises as a fit would."""
    if request.models is None or not any(step.needs_models for step, _ in request.steps):
        return []
    kinds = {reduction.recipe.grid.is_region for reduction in reductions}
    remarks = [
        remark for model in request.models for is_region in kinds for remark in spectral_remarks(model, is_region)
    ]
    faults = [end.start.fault for end in seen.ends if end.start.fault is not None]
    if faults:
        raise faults[0]
    # Of each run they are the same with other numbers.
    remarks += next((end.start.remarks for end in seen.ends if end.start.remarks), ())
    for reduction, ends in zip(reductions, seen.reduced, strict=True):
        stack = _stacks(request).get(reduction.number)
        for rows, (gti, mjdref) in (end.times for end in ends if end.times is not None):
            names = _names(reduction, stack, rows)
            for model in request.models:
                # What groups are called is not known yet.
                if stack is None or stack.by is None or model.datasets_names is None:
                    validate_times(model, gti, mjdref, names)
                    remarks.append(time_remark(model, gti, mjdref, names))
    return [remark for remark in dict.fromkeys(remarks) if remark]


def _validate_reduced(recipe: Recipe, ends: Sequence[Tried], unread: Sequence[UnusedRun], seen: _Seen) -> None:
    validate_enclosure(seen.pieces, recipe.grid, recipe.containment)
    masked, lost = ([run for end in ends for run in getattr(end, name)] for name in ("masked", "lost"))
    if len(masked) == sum(end.done for end in ends):
        raise DataError(no_run_left([*masked, *lost, *unread]))


def _sample(reductions: Sequence[ReductionWanted], chosen: Selected) -> list[int]:
    sample = sample_of(chosen.obs_ids, chosen.release)
    if len(sample) == len(chosen.obs_ids):
        return sample
    far = {run.obs_id for wanted in reductions for run in chosen.far(wanted.recipe)}
    near = [obs_id for obs_id in chosen.obs_ids if obs_id not in far]
    sample = sample_of(near or chosen.obs_ids, chosen.release)
    # What the background of a run is made of is looked at with it.
    others = {other for wanted in reductions for run in sample for other in wanted.recipe.other_runs(run)}
    return [*sample, *(obs_id for obs_id in chosen.obs_ids if obs_id in others.difference(sample))]


def sample_of(obs_ids: Sequence[int], release: FitsRelease | StoredRelease) -> list[int]:
    """Return the runs that are looked at: all, or some that are evenly spaced."""
    most = LOOKED_AT_REMOTE if _is_remote(release) else LOOKED_AT
    if len(obs_ids) <= most:
        return list(obs_ids)
    places = np.unique(np.linspace(0, len(obs_ids) - 1, most).round().astype(int))
    return [obs_ids[place] for place in places]


def _is_remote(release: FitsRelease | StoredRelease) -> bool:
    return isinstance(release, FitsRelease) and "://" in release.place


def _absent(chosen: Selected, seen: set[int]) -> list[int]:
    """Return the runs that were not looked at and that lack a file."""
    release = chosen.release
    if not isinstance(release, FitsRelease) or _is_remote(release):
        return []
    return release.lacking_files([obs_id for obs_id in chosen.obs_ids if obs_id not in seen])[:MOST_ABSENT]


def _nothing(_: UnusedRun) -> None:
    """Do nothing for a run that cannot be read: it is among the failures."""


def tried(part: Part, rows: Rows, recipe: Recipe, start_of: Callable[[xr.Dataset], Start] = lambda _: Start()) -> Tried:
    """Reduce rows of a part, and return what became of them; ``start_of`` says how a fit of the usable begins."""
    fresh = reduce_each(part, rows, recipe, THIS_PROCESS)
    lost = lost_rows(part, rows, fresh.lost)
    if fresh.data is None:
        return Tried(0, [], lost, np.zeros(recipe.grid.energy.nbin, dtype=bool))
    outcomes, details = fresh.data["outcome"].values.tolist(), fresh.data.attrs["outcome_details"]
    ended = list(zip(fresh.done, map(Outcome, outcomes), details, strict=True))
    masked = unused_rows(part, rows, (end for end in ended if end[1] != Outcome.USED))
    used = [number for number, outcome, _ in ended if outcome == Outcome.USED]
    safe, telescope = safe_energies(fresh.data), str(fresh.data.attrs["telescope"])
    remark = rows_remark(part, rows.at(used), recipe, safe) if used else ""
    names = [str(name) for name in fresh.data["dataset"].values]
    usable = select_rows(fresh.data, used) if used else None
    spans = None if usable is None else spans_of_rows(FitInput(usable))
    start = Start() if usable is None else start_of(usable)
    times = (names, good_time(fresh.data))
    return Tried(len(fresh.done), masked, lost, safe, remark, telescope, times, spans, start)

"""A look ahead: which runs a configuration selects, what is wrong with them, and where its region lies in them.

Some runs are read and reduced, and all files of spectra are read, as ``run`` would.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import xarray as xr

from xgamma.analysis.look import Look, look_ahead, start_of
from xgamma.analysis.plan import Request, is_memory_judged, planned, validate_steps, validated_request
from xgamma.analysis.selected import Selected
from xgamma.analysis.steps.read import ReadWanted, axis_of, seen_spectrum
from xgamma.analysis.steps.reduce import ReduceStep, ReductionWanted, row_name
from xgamma.analysis.steps.stack import NAME as STACKED
from xgamma.analysis.steps.stack import StackWanted
from xgamma.axes import Axis
from xgamma.config.config import AnalysisConfig, log_file
from xgamma.config.requests import outdir_of
from xgamma.datasets.dataset_list import validate_names
from xgamma.estimate.time_bins import TimeSpans, spans_of_rows
from xgamma.execute import workers_there
from xgamma.fit import FitInput, validate_named
from xgamma.grid import SkySpace
from xgamma.ingest import FitsRelease, StoredRelease
from xgamma.models.models import Models
from xgamma.predict.folding import good_time, validate_times
from xgamma.predict.held import validate_backgrounds_named
from xgamma.reduce import Recipe, region_row_name
from xgamma.storage.backend import local_folder
from xgamma.storage.disk import is_closed
from xgamma.store import Store

Dropped = Mapping[str, Mapping[int, str]]


@dataclass(frozen=True)
class Preview:
    """What a configuration would work on.

    Parameters
    ----------
    obs_ids
        The selected runs.
    unusable
        Those that cannot be used, and those that lack a response, with the reason.
    dropped
        Why other runs are not selected, by criterion and observation id; ``obs_ids`` and ``obs_file`` drop no run,
        they name what is wanted. Criteria of an entry of ``datasets`` with observations of its own begin with its name.
    undecided
        The criteria that can drop more runs once these are ingested.
    remarks
        Sentences about what is given and not used, or will not be what it seems.
    facts
        The rest, as text.
    """

    obs_ids: Sequence[int]
    unusable: Mapping[int, str]
    dropped: Dropped
    undecided: Sequence[str]
    remarks: Sequence[str]
    facts: Mapping[str, str]


def preview(config: AnalysisConfig, opened: FitsRelease | StoredRelease | None = None) -> Preview:
    """Check a configuration, its files and its geometry, and look into some of its runs. Writes nothing.

    Parameters
    ----------
    config
        What is checked.
    opened
        Its release, where that is open already.

    Raises
    ------
    ConfigError, InputError, DataError
        For everything that ``run`` would refuse, in the same words.
    """
    request = validated_request(config)
    if opened is not None:
        request = replace(request, known={each.name: each.selected(opened) for each in request.observations})
    outdir = outdir_of(config)
    log_file(config.general.log)
    _validate_store_of_url(config)
    chosen = request.selected()
    if is_memory_judged(config):
        validate_steps(config, list(planned(request, chosen)))
    there = workers_there(request.workers, is_patient=False)
    looks = {name: look_ahead(request, name, each) for name, each in chosen.items()}
    spectra = [(wanted, wanted.spectra()) for wanted in request.spectra]
    remarks = [*_remarks_on_places(request, there), *(remark for look in looks.values() for remark in look.remarks)]
    if ReduceStep.section in request.sections and all(look.is_complete for look in looks.values()):
        remarks += _remarks_together(request, looks, spectra)
    views = [_View(request, name, each, looks[name]) for name, each in chosen.items()]
    facts = {label: text for view in views for label, text in view.facts().items()}
    for wanted, data in spectra:
        facts |= _facts_of_spectra(wanted, data)
    return Preview(
        [obs_id for view in views for obs_id in view.obs_ids],
        _together(views),
        {criterion: runs for view in views for criterion, runs in view.dropped.items()},
        [text for view in views for text in view.undecided],
        remarks,
        facts
        | ({} if there is None else {"scheduler": f"{request.workers.scheduler}: {there} worker{'s' * (there != 1)}"})
        | {"models": _models(request)}
        | ({"tables of models": "; ".join(origins)} if (origins := (request.models or Models()).origins()) else {})
        | {"steps": ", ".join(request.sections), "results": str(outdir)},
    )


def _remarks_on_places(request: Request, there: int | None) -> list[str]:
    """Return the remarks of a request, and what is to be said of its workers and of its store."""
    remarks, scheduler = [*request.remarks], request.workers.scheduler
    if there == 0:
        remarks.append(f"general.scheduler: {scheduler} has no worker yet; start one before you run: "
                       f"dask worker {scheduler}.")  # fmt: skip
    folder = local_folder(request.config.general.store_location())
    if folder is not None and is_closed(folder):
        remarks.append(f"general.store: {folder} cannot be written; run can find what is there, and compute nothing "
                       "else.")  # fmt: skip
    return remarks


def _models(request: Request) -> str:
    """Return the names of the models, and whether backgrounds get one."""
    if request.models is None:
        return "none"
    are_maps = any("background" in wanted.recipe.background_variables and not wanted.recipe.grid.is_region
                   for wanted in request.reductions)  # fmt: skip
    is_asked = any(step.needs_models for step, _ in request.steps)
    return ", ".join(request.models.names) + (
        ", and a norm of the background of each map" if are_maps and is_asked else ""
    )


def _remarks_together(
    request: Request, looks: Mapping[str, Look], spectra: Sequence[tuple[ReadWanted, xr.Dataset]]
) -> list[str]:
    """Return what of all datasets together is left out; raises what ``run`` would raise of them."""
    if not spectra and not any(look.spectra for look in looks.values()):
        return []
    reductions = [(wanted, looks[wanted.observed].rows) for wanted in request.reductions]
    _validate_names(request, reductions, [name for _, data in spectra for name in data["dataset"].values.tolist()])
    every = [each for look in looks.values() for each in look.spectra]
    every += [seen_spectrum(wanted, data) for wanted, data in spectra]
    spans = _spans(request, looks, spectra)
    remarks: list[str] = []
    for step, wanted in request.steps:
        step.validate_bins(wanted, every)
        remarks += step.time_remarks(wanted, spans) if spans is not None else []
    if request.models is not None and any(step.needs_models for step, _ in request.steps):
        for _, data in spectra:
            for model in request.models:
                validate_times(model, *good_time(data), data["dataset"].values.tolist())
        for wanted, data in spectra:
            start = start_of(request, wanted.name, data)
            if start.fault is not None:
                raise start.fault
            remarks += start.remarks
    return remarks


def _spans(
    request: Request, looks: Mapping[str, Look], spectra: Sequence[tuple[ReadWanted, xr.Dataset]]
) -> TimeSpans | None:
    """Return when the datasets were taken, ``None`` where there are groups of them, which are not known yet."""
    stacks = {wanted.name: wanted for _, wanted in request.steps if isinstance(wanted, StackWanted)}
    if any(stack.by is not None for stack in stacks.values()):
        return None
    of_entry: dict[str, list[TimeSpans]] = {}
    for name, each in (each for look in looks.values() for each in look.spans):
        of_entry.setdefault(name, []).append(each)
    found = [TimeSpans.joined(own) for own in of_entry.values()]
    found = [one.whole(name or STACKED) if name in stacks else one for name, one in zip(of_entry, found, strict=True)]
    found += [spans_of_rows(FitInput(data)) for _, data in spectra]
    return TimeSpans.joined(found) if found else None


def _validate_names(
    request: Request, reductions: Sequence[tuple[ReductionWanted, Sequence[str]]], read: Sequence[str]
) -> None:
    """Raise ``ConfigError`` where two datasets have one name or models name none; groups are not known yet."""
    asked = [wanted for step, wanted in request.steps if step.needs_models]
    stacks = [wanted for _, wanted in request.steps if isinstance(wanted, StackWanted)]
    named = [(request.reduction(stack.number), stack.name or STACKED) for stack in stacks if stack.by is None]
    named += [(each, row_name(each.name, row)) for each, rows in reductions if not each.is_stacked for row in rows]
    names = [region_row_name(row, region) for each, row in named for region in each.recipe.grid.given_names or ("",)]
    names += read
    validate_names(names)
    if request.models is None or not asked or any(stack.by is not None for stack in stacks):
        return
    validate_backgrounds_named(request.models, names)
    for source in {getattr(wanted, "source", "") for wanted in asked} - {""} or {""}:
        validate_named(request.models, names, source)


def _validate_store_of_url(config: AnalysisConfig) -> None:
    """Raise ``StoreError`` where a server does not answer, or nobody knows how to ask it; nothing is made."""
    location = config.general.store_location()
    if local_folder(location) is None:
        Store(location, read_only=True)


def _together(views: Sequence[_View]) -> dict[int, str]:
    """Return the reasons against runs of all observations, whose numbers may be the same."""
    found: dict[int, str] = {}
    for view in views:
        for run, reason in view.unusable.items():
            found[run] = "; ".join([*([found[run]] if run in found else []), view.named(reason)])
    return found


@dataclass(frozen=True)
class _View:
    """What is to be said of the selected runs of a name."""

    request: Request
    name: str
    chosen: Selected
    look: Look

    def named(self, text: str) -> str:
        """Return a criterion with the name of the entry whose own observations it is about."""
        return f"{self.name}: {text}" if self.name else text

    @property
    def obs_ids(self) -> list[int]:
        late = [self.look.dropped[criterion] for criterion in ("expression", "obs_time")]
        return [obs_id for obs_id in self.chosen.obs_ids if not any(obs_id in runs for runs in late)]

    @property
    def unusable(self) -> dict[int, str]:
        """The reason against each run that cannot be used; of pieces of a run that of the first."""
        found: dict[int, str] = {}
        far = [run for wanted in self.request.reduced(self.name) for run in self.chosen.far(wanted.recipe)]
        for run in (*self.chosen.lacking, *far, *self.look.unused):
            found.setdefault(run.obs_id, run.message.rstrip("."))
        return found

    @property
    def dropped(self) -> dict[str, Mapping[int, str]]:
        return {self.named(criterion): runs for criterion, runs in self.look.dropped.items()}

    @property
    def undecided(self) -> list[str]:
        return [] if self.look.is_complete else [self.named(criterion) for criterion in self.chosen.undecided]

    def facts(self) -> dict[str, str]:
        chosen, look = self.chosen, self.look
        seen = (
            f"all {len(look.obs_ids)}" if look.is_complete else f"{len(look.obs_ids)} of {len(chosen.obs_ids)}, evenly"
        )
        told = {
            "datastore": f"{chosen.release.name}: {len(chosen.facts)} run{'s' * (len(chosen.facts) != 1)}",
            "selected runs": f"{len(self.obs_ids)}",
        }
        if not look.is_complete:
            told["looked into"] = f"{seen} spaced; of the others, whether their files are there"
        facts = _labelled(told, self.name)
        for wanted in self.request.reduced(self.name):
            facts |= _facts_of(wanted, chosen)
        return facts


def _facts_of(wanted: ReductionWanted, chosen: Selected) -> dict[str, str]:
    """Return what is to be said of an entry of ``datasets`` that is reduced."""
    facts = {
        **_place_of(wanted.recipe, chosen),
        "energies": _energies(wanted.recipe.grid.energy),
        "background": _background(wanted.recipe),
    }
    return _labelled(facts, wanted.name)


def _place_of(recipe: Recipe, chosen: Selected) -> dict[str, str]:
    """Return where the regions lie in the fields of view, or what image the windows of the runs are cut out of."""
    space = recipe.grid.space
    if not isinstance(space, SkySpace):
        offset = chosen.offsets(recipe)
        return {"offset of the region": f"{offset.min():.2f} to {offset.max():.2f} deg"}
    (ny, nx), (height, width) = space.image.shape, space.shape
    return {
        "map": f"{nx} x {ny} pixels of {space.binsize:g} deg, {space.projection}, "
        f"about {space.lon:g}, {space.lat:g} deg ({space.frame})",
        "windows": f"{width} x {height} pixels about each pointing",
    }


def _background(recipe: Recipe) -> str:
    if recipe.background is None:
        return "none"
    return recipe.background.name + (" regions" if "off_number" in recipe.background_variables else "")


def _facts_of_spectra(wanted: ReadWanted, data: xr.Dataset) -> dict[str, str]:
    """Return what is to be said of an entry of ``datasets`` that reads files."""
    count, rows = len(wanted.paths), data.sizes["dataset"]
    spectra = f"{rows} of {count} file{'' if count == 1 else 's'}"
    return _labelled({"spectra": spectra, "energies": _energies(axis_of(data))}, wanted.name)


def _energies(axis: Axis) -> str:
    return f"{axis.nbin} bin{'' if axis.nbin == 1 else 's'}, {axis.edges[0]:g} to {axis.edges[-1]:g} TeV"


def _labelled(facts: Mapping[str, str], name: str) -> dict[str, str]:
    return {f"{label} of {name}" if name else label: text for label, text in facts.items()}

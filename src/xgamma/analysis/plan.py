"""What a configuration asks for, and its plan: each product, whether it is found or computed, and why."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from xgamma.analysis.memory import Cost, validate_memory, validate_room
from xgamma.analysis.selected import Selected, pointings_of, validate_selected
from xgamma.analysis.steps import STEPS
from xgamma.analysis.steps.fit import add_backgrounds
from xgamma.analysis.steps.observations import ObservationsStep, ObservationsWanted, errors_of
from xgamma.analysis.steps.read import ReadWanted
from xgamma.analysis.steps.reduce import ReduceStep, ReductionWanted
from xgamma.analysis.steps.stack import NAME as STACKED
from xgamma.analysis.steps.stack import StackWanted
from xgamma.analysis.steps.step import Finding, Observed, Results, Step, Unread
from xgamma.config.config import AnalysisConfig
from xgamma.config.requests import centred, lacks_centre, models_of, observations_of, validate_workers
from xgamma.config.unused_keys import unused_keys
from xgamma.errors import ConfigError, LaterError
from xgamma.execute import Workers
from xgamma.formats.local_files import is_there
from xgamma.grid import SkySpace
from xgamma.models.models import FoVBackgroundModel, Models
from xgamma.predict.held import Holder, validate_backgrounds_named, validate_held
from xgamma.reduce import nodes, region_row_name
from xgamma.storage.backend import local_folder
from xgamma.storage.disk import other_file
from xgamma.store import Store, is_store
from xgamma.store.place import MARK
from xgamma.units import quantity_string

FOUND, COMPUTE = "found", "compute"


@dataclass(frozen=True)
class Request:
    """What a configuration asks for, with everything that it alone can be wrong about checked.

    Parameters
    ----------
    config
        The configuration.
    steps
        The steps to run, in their order, each with what is wanted of it.
    observations, reductions, spectra
        Which runs are wanted, how they are reduced, and which spectra are read, whether or not that is a step to run.
    models
        The models, if there are any.
    remarks
        Sentences about what is given and will not be honoured.
    known
        The runs that were selected already, as maps are centred on them.
    """

    config: AnalysisConfig
    steps: Sequence[tuple[Step[Any], Any]]
    observations: Sequence[ObservationsWanted]
    reductions: Sequence[ReductionWanted]
    spectra: Sequence[ReadWanted]
    models: Models | None
    remarks: Sequence[str] = ()
    known: Mapping[str, Selected] = field(default_factory=dict)

    @property
    def sections(self) -> list[str]:
        """The words of the steps."""
        return list(dict.fromkeys(step.section for step, _ in self.steps))

    def reduced(self, name: str) -> list[ReductionWanted]:
        """Return how the observations of a name are reduced, for each entry of ``datasets`` that is made of them."""
        return [wanted for wanted in self.reductions if wanted.observed == name]

    def reduction(self, number: int) -> ReductionWanted:
        """Return how the entry of ``datasets`` of a number is reduced."""
        return next(wanted for wanted in self.reductions if wanted.number == number)

    @property
    def workers(self) -> Workers:
        """Where is computed."""
        return Workers(self.config.general.n_jobs, self.config.general.scheduler)

    def selected(self) -> dict[str, Selected]:
        """Open the releases and return the runs that are selected, by the name of the entry whose own they are.

        Raises
        ------
        ConfigError, InputError, DataError
            When the release cannot be read, no run is selected, or the region is too far from all of them.
        """
        chosen = {wanted.name: self.known.get(wanted.name) or wanted.selected() for wanted in self.observations}
        for name, each in chosen.items():
            reduced = self.reduced(name) if ReduceStep.section in self.sections else ()
            with errors_of(name):
                validate_selected(each, [wanted.recipe for wanted in reduced])
        return chosen


def validated_request(config: AnalysisConfig, until: str | None = None) -> Request:
    """Return what a configuration asks for, up to the steps of the section ``until``.

    Raises
    ------
    ConfigError, LaterError, InputError, StoreError
        For everything that is wrong with it, or with the files that it names.
    """
    config.check(complete=True, files=True)
    sections = _sections(config, until)
    known = _runs_to_centre_on(config)
    config = centred(config, pointings_of(known))
    always = {ObservationsStep.section, ReduceStep.section}
    every = [(step, each) for step in STEPS if step.section in always.union(sections) for each in step.wanted(config)]
    observations = [wanted for _, wanted in every if isinstance(wanted, ObservationsWanted)]
    reductions = [wanted for _, wanted in every if isinstance(wanted, ReductionWanted)]
    spectra = [wanted for _, wanted in every if isinstance(wanted, ReadWanted)]
    steps = [(step, wanted) for step, wanted in every if step.section in sections]
    models = models_of(config)
    request = Request(config, steps, observations, reductions, spectra, models, known=known)
    wheres = list(config.entries)
    recipes = {wheres[wanted.number]: wanted.recipe for wanted in reductions}
    remarks = [*unused_keys(config, recipes), *_remarks(request)]
    _validate_store(request)
    return replace(request, remarks=remarks)


def _runs_to_centre_on(config: AnalysisConfig) -> dict[str, Selected]:
    """Select the runs of entries of maps that have no centre; opens their releases."""
    names = [each.name for each in observations_of(config) if lacks_centre(each.entries)]
    known = {each.name: each.selected() for each in ObservationsStep().wanted(config) if each.name in names}
    for name, chosen in known.items():
        with errors_of(name):
            validate_selected(chosen, [])
    return known


def _sections(config: AnalysisConfig, until: str | None) -> list[str]:
    """Return the words of the steps to run, up to ``until``."""
    planned = config.planned_steps()
    if until is not None and until not in planned:
        raise ConfigError(f"--until: the configuration does not ask for {until}; its steps are {', '.join(planned)}.")
    sections = planned if until is None else planned[: planned.index(until) + 1]
    needs = {step.section: step.needs for step in STEPS}
    for section in sections:
        if section not in needs:
            raise LaterError(f"steps: {section} comes with a later version of xgamma; leave its section out.")
        for needed in needs[section]:
            is_needed = config.are_observed or needed != ObservationsStep.section
            if is_needed and needed not in sections:
                raise ConfigError(f"steps: {section} needs {needed}; add it, or leave steps out to run all.")
    return sections


def _remarks(request: Request) -> list[str]:
    """Return what will be empty; raises ``ConfigError`` unless the models can do what the steps ask of them."""
    asked = [(step, wanted) for step, wanted in request.steps if step.needs_models]
    if not asked:
        return []
    if not request.models:
        sections = dict.fromkeys(step.section for step, _ in asked)
        raise ConfigError(
            f"models: the configuration asks for {' and '.join(sections)}, and there are no models; write a section "
            "'models', or the path of a models file as general.models_file."
        )
    holders = _holders(request)
    unseen = validate_held(request.models, holders)
    if all(holder.names is not None for holder in holders):
        validate_backgrounds_named(request.models, [name for holder in holders for name in holder.names or ()])
    axes = {wanted.name: wanted.recipe.grid.energy for wanted in request.reductions}
    axes |= {wanted.name: wanted.axis() for wanted in request.spectra}
    models = _with_backgrounds(request.models, holders)
    remarks = [remark for step, wanted in asked for remark in step.remarks(wanted, axes, models)]
    return [*unseen, *remarks, *_shared_models(request, request.models)]


def _holders(request: Request) -> list[Holder]:
    """Return what the models will be on: the stacks or rows of each entry of ``datasets``, and what it reads."""
    stacks = {wanted.number: wanted for _, wanted in request.steps if isinstance(wanted, StackWanted)}
    found: list[Holder] = []
    for wanted in request.reductions:
        grid, stack = wanted.recipe.grid, stacks.get(wanted.number)
        row = None if stack is None or stack.by is not None else stack.name or STACKED
        # What groups and runs are called is not known yet.
        names = None if row is None else tuple(region_row_name(row, region) for region in grid.given_names or ("",))
        if isinstance(grid.space, SkySpace):
            held = (*wanted.recipe.maps, *wanted.recipe.background_variables)
            found.append(Holder.of_image(names, grid.space.image, float(nodes.RAD.center[-1]), held))
        else:
            found.append(Holder(names))
    return [*found, *(Holder.of_rows(wanted.spectra()) for wanted in request.spectra)]


def _with_backgrounds(models: Models, holders: Sequence[Holder]) -> Models:
    """Return the models with the norms that maps with an expected background get, as far as their names are known."""
    known = {name for model in models if isinstance(model, FoVBackgroundModel) for name in model.datasets_names or ()}
    maps = [holder for holder in holders if holder.is_map and holder.has_background]
    names = [name for holder in maps for name in holder.names or ("of each map",)]
    return Models(
        [*models, *(FoVBackgroundModel(dataset_name=name) for name in dict.fromkeys(names) if name not in known)]
    )


def _shared_models(request: Request, models: Models) -> Iterator[str]:
    """Yield a sentence where a model stands for the spectra of several on-regions at once."""
    everywhere = [model.name for model in models if model.datasets_names is None]
    for names in {wanted.recipe.grid.given_names for wanted in request.reductions}:
        if everywhere and len(names) > 1:
            yield (
                f"models: {', '.join(everywhere)} will be fitted to the on-regions {', '.join(names)} together, as one "
                f"spectrum; where each has its own, give each a model with datasets_names, such as stacked-{names[0]}."
            )


def _validate_store(request: Request) -> None:
    """Raise ``StoreError`` where no folder for the store can be made, or where one holds something else."""
    location = request.config.general.store_location()
    validate_workers(request.workers, location)
    folder = local_folder(location)
    if folder is None:
        return
    nearest = next(each for each in (folder, *folder.parents) if is_there(each))
    is_closed = not nearest.is_dir() or (nearest != folder and not os.access(nearest, os.W_OK))
    if is_closed or other_file(folder, MARK):
        # Makes nothing, as it cannot, and says why.
        Store(location)


@dataclass(frozen=True)
class PlannedStep:
    """One product of a plan.

    Parameters
    ----------
    step
        The step that makes it.
    state
        ``found`` or ``compute``.
    runs
        How many runs it concerns.
    reason
        Why it is computed, or where it was found.
    key
        Its key where it is known; after an ingest or a fit that is still to come it is not.
    cost
        Tasks, bytes in and out, and projected peak memory; nothing where it is found.
    """

    step: str
    state: str
    runs: int
    reason: str
    key: str | None = None
    cost: Cost = field(default_factory=Cost)


def plan(config: AnalysisConfig) -> list[PlannedStep]:
    """Return what running ``config`` would find and compute. Computes and writes nothing.

    Raises
    ------
    ConfigError, MissingInputError
        For everything that is wrong with the configuration or the files that it names.
    """
    request = validated_request(config)
    return list(planned(request, request.selected()))


def planned(request: Request, selected: Mapping[str, Selected]) -> Iterator[PlannedStep]:
    """Yield the plan of a request: each step is told what the store holds of those before it."""
    for step, _ in _walked(request, selected):
        yield step


def found_results(request: Request, selected: Mapping[str, Selected]) -> tuple[Results, list[PlannedStep]]:
    """Return what a request asks for from the store, and the steps that are not done; computes and writes nothing.

    After the first step that is not done nothing is read.

    Raises
    ------
    ConfigError
        When not even the first step is done; it says why.
    """
    last: Callable[[], Results] | None = None
    missing: list[PlannedStep] = []
    for step, read in _walked(request, selected):
        missing += [step] if read is None else []
        last = last if missing else read
    if last is None:
        why = f"Nothing was run: {missing[0].step}, {missing[0].reason}." if missing else ""
        raise ConfigError(why or "The configuration asks for no step.")
    return last(), missing


def _walked(
    request: Request, selected: Mapping[str, Selected]
) -> Iterator[tuple[PlannedStep, Callable[[], Results] | None]]:
    """Yield each step, with what reads it from the store where it is there."""
    location = request.config.general.store_location()
    store = Store(location, read_only=True) if is_store(location) else Store("memory://")
    results = Results(store, request.workers, {name: Observed(chosen) for name, chosen in selected.items()})
    # Of their own: a fit that is found sets them.
    models = None if request.models is None else models_of(request.config)
    for step, wanted in request.steps:
        if step.needs_models and models is not None:
            results = _with_models(results, models)
        found = step.find(wanted, results if step.finds_unread else results.whole())
        results, read = _after(found)
        state = COMPUTE if read is None else FOUND
        name = f"{step.name} {getattr(wanted, 'name', None) or ''}".strip()
        yield PlannedStep(name, state, found.runs, found.reason, found.key, found.cost), read


def _after(found: Finding) -> tuple[Results, Callable[[], Results] | None]:
    """Return what the next step is told, and what reads all that was found; ``None`` where something is missing."""
    reading = found.read
    if reading is None:
        return replace(found.ahead, unread=None), None
    read = cache(lambda: replace(reading(), unread=None))
    return replace(found.ahead, unread=replace(found.ahead.unread or Unread(), read=read)), read


def _with_models(results: Results, models: Models) -> Results:
    """Return results whose datasets have the models, those that are read later too."""
    unread = results.unread
    if unread is not None and unread.models is None:
        read = cache(lambda: _with_models(results.whole(), models))
        return replace(results, unread=replace(unread, models=models, read=read))
    if results.datasets is not None and not results.datasets.models:
        add_backgrounds(models, results.datasets)
        results.datasets.models = models
    return results


def is_memory_judged(config: AnalysisConfig) -> bool:
    """Whether the memory of steps is projected before they are run."""
    return config.general.memory_limit is not None or any(entry.type == "3d" for entry in config.entries.values())


def validate_steps(config: AnalysisConfig, steps: Sequence[PlannedStep]) -> None:
    """Raise ``ConfigError``, which says what to change, where a step needs more than ``general.memory_limit``.

    Steps of maps, whose size is that of the sky, may not need more than this machine has either.
    """
    general, entries = config.general, [each for each in config.entries.values() if each.read is None]
    axes = [each.geom.axes for each in entries]
    most, by = max(((each.energy_true.nbins, each.energy.nbins) for each in axes), default=(0, 0))
    pixels = [each.geom.wcs.binsize for each in entries if each.type == "3d"]
    advice = [f"larger pixels than {quantity_string(min(pixels))}, a smaller width or offset_max"] if pixels else []
    advice += [f"coarser energy axes than {most} x {by} bins"] if axes else []
    advice += [f"fewer n_jobs than {general.n_jobs}"] if general.n_jobs > 1 else []
    advice += [f"{where}.stack: true" for where, entry in config.entries.items() if not entry.stack]
    peaks = [(step.step, step.cost.peak) for step in steps if step.state == COMPUTE]
    if pixels:
        validate_room(peaks, f"Take {', '.join(advice)}, fewer runs, or a larger machine.")
    validate_memory(general.memory_limit, peaks, f"Take {', '.join(advice)}, fewer runs, or a larger limit.")

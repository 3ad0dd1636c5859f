"""What a configuration asks for, and its plan: each product, whether it is found or computed, and why."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from xgamma.analysis.costs import Cost, validate_memory
from xgamma.analysis.selected import Selected, validate_selected
from xgamma.analysis.steps import STEPS
from xgamma.analysis.steps.observations import ObservationsStep, ObservationsWanted
from xgamma.analysis.steps.reduce import ReduceStep, ReductionWanted
from xgamma.analysis.steps.step import Results, Step
from xgamma.axes import Axis
from xgamma.config.config import AnalysisConfig
from xgamma.config.requests import models_of, validate_workers
from xgamma.config.unused_keys import unused_keys
from xgamma.errors import ConfigError, LaterError
from xgamma.execute import Workers
from xgamma.formats.local_files import is_there
from xgamma.models.models import Models
from xgamma.predict.folding import validate_spectral
from xgamma.reduce import Recipe
from xgamma.storage.backend import local_folder
from xgamma.store import Store, is_store

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
    observations, reductions
        Which runs are wanted and how they are reduced, whether or not that is a step to run.
    models
        The models, if there are any.
    remarks
        Sentences about what is given and will not be honoured.
    """

    config: AnalysisConfig
    steps: Sequence[tuple[Step[Any], Any]]
    observations: ObservationsWanted
    reductions: Sequence[ReductionWanted]
    models: Models | None
    remarks: Sequence[str] = ()

    @property
    def sections(self) -> list[str]:
        """The words of the steps."""
        return list(dict.fromkeys(step.section for step, _ in self.steps))

    @property
    def recipes(self) -> list[Recipe]:
        """How the observations are reduced, for each entry of ``datasets``."""
        return [wanted.recipe for wanted in self.reductions]

    @property
    def workers(self) -> Workers:
        """Where is computed."""
        return Workers(self.config.general.n_jobs, self.config.general.scheduler)

    def selected(self) -> Selected:
        """Open the release and return the runs that are selected.

        Raises
        ------
        ConfigError, InputError, DataError
            When the release cannot be read, no run is selected, or the region is too far from all of them.
        """
        chosen = self.observations.selected()
        validate_selected(chosen, self.recipes if ReduceStep.section in self.sections else ())
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
    always = {ObservationsStep.section, ReduceStep.section}
    every = [(step, each) for step in STEPS if step.section in always.union(sections) for each in step.wanted(config)]
    [observations] = [wanted for _, wanted in every if isinstance(wanted, ObservationsWanted)]
    reductions = [wanted for _, wanted in every if isinstance(wanted, ReductionWanted)]
    steps = [(step, wanted) for step, wanted in every if step.section in sections]
    request = Request(config, steps, observations, reductions, models_of(config))
    remarks = [*unused_keys(config, request.recipes), *_remarks(request)]
    _validate_store(request)
    return replace(request, remarks=remarks)


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
            if needed not in sections:
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
    for model in request.models:
        validate_spectral(model)
    axes: list[Axis] = list(dict.fromkeys(recipe.grid.energy for recipe in request.recipes))
    return [remark for step, wanted in asked for remark in step.remarks(wanted, axes, request.models)]


def _validate_store(request: Request) -> None:
    """Raise ``StoreError`` where no folder for the store can be made."""
    location = request.config.general.store_location()
    validate_workers(request.workers, location)
    folder = local_folder(location)
    if folder is None:
        return
    nearest = next(each for each in (folder, *folder.parents) if is_there(each))
    if not nearest.is_dir() or (nearest != folder and not os.access(nearest, os.W_OK)):
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


def planned(request: Request, selected: Selected) -> Iterator[PlannedStep]:
    """Yield the plan of a request: each step is told what the store holds of those before it."""
    location = request.config.general.store_location()
    store = Store(location, read_only=True) if is_store(location) else Store("memory://")
    results = Results(store, request.workers, selected)
    # Of their own: a fit that is found sets them.
    models = models_of(request.config)
    read = None
    for step, wanted in request.steps:
        # What was found is read where another step needs it.
        if read is not None:
            results = read()
        if results.datasets is not None and models is not None and not results.datasets.models:
            results.datasets.models = models
        found = step.find(wanted, results)
        results, read = found.ahead, found.read
        state = COMPUTE if read is None else FOUND
        name = f"{step.name} {getattr(wanted, 'name', '')}".strip()
        yield PlannedStep(name, state, found.runs, found.reason, found.key, found.cost)


def validate_steps(config: AnalysisConfig, steps: Sequence[PlannedStep]) -> None:
    """Raise ``ConfigError``, which says what to change, where a step needs more than ``general.memory_limit``."""
    general, axes = config.general, [entry.geom.axes for entry in config.entries.values()]
    most, by = max((each.energy_true.nbins, each.energy.nbins) for each in axes)
    advice = [f"coarser energy axes than {most} x {by} bins"]
    advice += [f"fewer n_jobs than {general.n_jobs}"] if general.n_jobs > 1 else []
    advice += [f"{where}.stack: true" for where, entry in config.entries.items() if not entry.stack]
    peaks = [(step.step, step.cost.peak) for step in steps if step.state == COMPUTE]
    validate_memory(general.memory_limit, peaks, f"Take {', '.join(advice)}, fewer runs, or a larger limit.")

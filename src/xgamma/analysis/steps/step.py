"""``Step``: what makes one product of an analysis; and the values that go from step to step."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NamedTuple, TypeVar

from xgamma.analysis.memory import Cost
from xgamma.execute import THIS_PROCESS, Workers

if TYPE_CHECKING:
    from xgamma.analysis.selected import Selected
    from xgamma.analysis.steps.rows import Reduced
    from xgamma.axes import Axis, BoolArray
    from xgamma.config.config import AnalysisConfig
    from xgamma.datasets import Datasets, ExcessMap, FluxPointsDataset, GroupFits, GroupPoints, LightCurve
    from xgamma.datasets.binned_row import BinnedRow
    from xgamma.datasets.observations import Observations
    from xgamma.estimate.time_bins import TimeSpans
    from xgamma.fit import FitResult
    from xgamma.ingest import FitsRelease, StoredRelease
    from xgamma.models.models import Models
    from xgamma.outcome import UnusedRun
    from xgamma.reduce import Recipe
    from xgamma.schema import Kind
    from xgamma.schema.arrays import Arrays
    from xgamma.store import Store
    from xgamma.tables.table import Table

Data = TypeVar("Data", covariant=True)
Wanted = TypeVar("Wanted")


@dataclass(frozen=True)
class Product(Generic[Data]):
    """What a step has made, the key that it has in the store, and whether all of it was found there."""

    data: Data
    key: str
    found: bool


@dataclass(frozen=True)
class Entry:
    """An entry of ``datasets``.

    Parameters
    ----------
    number
        Its place among all.
    name
        Its name, empty where there is one entry without.
    count
        How many entries there are.
    """

    number: int
    name: str
    count: int


@dataclass(frozen=True)
class Observed:
    """The runs of one release that are selected.

    Parameters
    ----------
    selected
        What the release said of them, where it was looked at already; the next look at it takes that.
    release
        Where they came from.
    runs
        How many runs, or pieces of runs, they are.
    observations
        The runs, once they are there.
    pointing
        The mean pointing of those that the index of the release selects, ICRS degrees, where it tells them.
    """

    selected: Selected | None = None
    release: FitsRelease | StoredRelease | None = None
    runs: int = 0
    observations: Observations | None = None
    pointing: tuple[float, float] | None = None


@dataclass(frozen=True)
class Reduction:
    """What became of an entry of ``datasets``.

    Parameters
    ----------
    recipe
        How its runs are reduced, ``None`` where it reads files.
    count
        How many rows a fit gets of it, at the most.
    name
        Its name, empty where there is one entry without.
    rows
        The rows, once they are there; ``None`` where it reads files.
    failed
        The runs that have no row: unread, or their reduction did not come to an end.
    product
        What is fitted, once it is there: the rows or their stacks.
    unused
        Views of rows that could not be used, where the product does not hold them.
    alpha_systematic
        The relative error of alpha that the product is fitted with, 0 for none.
    """

    recipe: Recipe | None
    count: int
    name: str = ""
    rows: Reduced | None = None
    failed: tuple[UnusedRun, ...] = ()
    product: Product[Arrays] | None = None
    unused: tuple[BinnedRow[Any], ...] = ()
    alpha_systematic: float = 0.0


@dataclass(frozen=True)
class SeenStack:
    """What a likelihood sees of a stack of one spectrum, which is told without reading it.

    Parameters
    ----------
    entry, name
        The name of the entry of ``datasets``, and that of the stack.
    key
        The key of what is fitted.
    energy
        The axis of reconstructed energy.
    mask
        The bins that are fitted, shape (energy,); ``None`` is all.
    """

    entry: str
    name: str
    key: str
    energy: Axis
    mask: BoolArray | None = None


@dataclass(frozen=True)
class Unread:
    """What steps found in the store and nobody has read yet.

    Parameters
    ----------
    read
        Returns the results with all of it.
    stacks
        What a likelihood sees, by the number of the entry of ``datasets``, where it is known.
    models
        The models that the datasets will have.
    fit
        The key of the fit that will have set them.
    """

    read: Callable[[], Results] | None = None
    stacks: Mapping[int, SeenStack] = field(default_factory=dict)
    models: Models | None = None
    fit: str = ""


@dataclass(frozen=True)
class Results:
    """What the steps of an analysis have made, and where they work.

    Parameters
    ----------
    store, workers
        Where products are kept and computed.
    observed
        The selected runs by the name of the entry of ``datasets`` that has observations of its own; those of the
        section ``observations`` have no name.
    reductions
        What became of each entry of ``datasets``, by its number.
    datasets
        What is fitted, with its models.
    fit, fitted
        The result of the fit, and the key of the models that it ended with.
    flux_points
        The flux points of all entries together.
    flux_points_of
        The flux points of each entry of ``datasets`` by name, where they are not those of all together.
    light_curve
        The light curve.
    fit_each, flux_points_each
        The fits and the flux points of each group of datasets.
    excess_maps
        The excess map of each stack of maps, by the name of the stack.
    awaited
        The first product that is still to be made before the key of another one can be known; empty in a session.
    computed
        The words in ``steps`` of those steps that found less than everything in the store, when they were taken last.
    unread
        What was found and is not among these results yet, ``None`` where all of it was read.
    """

    store: Store
    workers: Workers = THIS_PROCESS
    observed: Mapping[str, Observed] = field(default_factory=dict)
    reductions: Mapping[int, Reduction] = field(default_factory=dict)
    datasets: Datasets | None = None
    fit: Product[FitResult] | None = None
    fitted: str = ""
    flux_points: FluxPointsDataset | None = None
    flux_points_of: Mapping[str, FluxPointsDataset] = field(default_factory=dict)
    light_curve: LightCurve | None = None
    fit_each: GroupFits | None = None
    flux_points_each: GroupPoints | None = None
    excess_maps: Mapping[str, ExcessMap] = field(default_factory=dict)
    awaited: str = ""
    computed: frozenset[str] = frozenset()
    unread: Unread | None = None

    def whole(self) -> Results:
        """Return these results with all that was found so far, which is read now."""
        return self if self.unread is None or self.unread.read is None else self.unread.read()

    @property
    def unread_stacks(self) -> list[SeenStack]:
        """What a likelihood sees of all entries of ``datasets``; empty where not all of it is known without reading."""
        stacks = {} if self.unread is None else self.unread.stacks
        return [stacks[number] for number in sorted(stacks)] if len(stacks) == len(self.reductions) else []

    @property
    def runs(self) -> int:
        """How many runs, or pieces of runs, are selected."""
        return sum(each.runs for each in self.observed.values())

    @property
    def pointings(self) -> dict[str, tuple[float, float]]:
        """The mean pointing of selected runs, where it is known, ICRS degrees by the name of the observations."""
        return {name: each.pointing for name, each in self.observed.items() if each.pointing is not None}

    @property
    def unused_runs(self) -> list[UnusedRun]:
        """The runs that could not be used, each reason once."""
        reductions = self.reductions.values()
        runs = [run for each in reductions if each.rows for run in (*each.rows.unused(), *each.failed)]
        return list(dict.fromkeys(runs))


@dataclass(frozen=True)
class Finding:
    """What the store holds of what a step is asked for.

    Parameters
    ----------
    runs
        How many runs are found, or are to be computed.
    reason
        Why it is to be computed, or where it was found.
    key
        Its key where that is known.
    cost
        What computing takes; nothing where it is found.
    ahead
        What the next steps know, before anything is computed.
    read
        Returns the results with this product among them, read from the store; ``None`` where something is missing.
    """

    runs: int
    reason: str
    ahead: Results
    key: str | None = None
    cost: Cost = field(default_factory=Cost)
    read: Callable[[], Results] | None = None

    @classmethod
    def unknown(cls, runs: int, ahead: Results, cost: Cost) -> Finding:
        """Return the finding of a product whose key nobody knows yet."""
        return cls(runs, f"its key is known after the {ahead.awaited}", ahead, cost=cost)

    @classmethod
    def of_key(cls, results: Results, kind: Kind, key: str, read: Callable[[], Results]) -> Finding:
        """Return whether the store holds a product whose key is known; ``read`` returns the results with it."""
        if not results.store.has(kind, key):
            return cls(results.runs, "there is no such product in the store", results, key)
        return cls(results.runs, "the same request is in the store", results, key, read=read)


class SeenSpectrum(NamedTuple):
    """Spectra that ``check`` has seen: their entry of ``datasets``, axis, bins that are safe in some, telescopes."""

    entry: str
    axis: Axis
    safe: BoolArray
    telescope: str


class Step(ABC, Generic[Wanted]):
    """What makes one product of an analysis: asked for by a configuration, found in a store or computed, and shown.

    A step has no state: what it is asked for is a frozen value, and so is what the steps before it have made.
    """

    name: ClassVar[str]
    """The name of its product."""
    section: ClassVar[str]
    """Its word in ``steps``, and the section of the configuration that is about it."""
    needs: ClassVar[tuple[str, ...]] = ()
    """The words of the steps that come before it."""
    needs_models: ClassVar[bool] = False
    finds_unread: ClassVar[bool] = False
    """Whether it can look for its product before what the steps before it found is read."""

    def validate_order(self, results: Results) -> None:
        """Raise ``OrderError`` before what the step needs is there."""

    @abstractmethod
    def wanted(self, config: AnalysisConfig) -> tuple[Wanted, ...]:
        """Return what a configuration asks of the step: nothing, one thing, or one for each entry of ``datasets``."""

    def remarks(self, wanted: Wanted, axes: Mapping[str, Axis], models: Models) -> list[str]:
        """Return what is asked for and will be empty; raises ``ConfigError`` where models or axes do not allow it.

        The axes of reconstructed energy are those of the entries of ``datasets``, by name.
        """
        return []

    def validate_bins(self, wanted: Wanted, spectra: Sequence[SeenSpectrum]) -> None:
        """Raise what ``compute`` would raise of spectra."""

    def time_remarks(self, wanted: Wanted, spans: TimeSpans) -> list[str]:
        """Return what is left out of datasets that were taken at these times; raises what ``compute`` would raise."""
        return []

    @abstractmethod
    def find(self, wanted: Wanted, results: Results) -> Finding:
        """Return what the store holds of it; computes and writes nothing."""

    @abstractmethod
    def compute(self, wanted: Wanted, results: Results) -> Results:
        """Return the results with this product among them; what the store does not hold is computed and put there."""

    def write(self, results: Results, outdir: Path) -> dict[str, Path]:
        """Write what the step made into a folder; return the files by what they hold."""
        return {}

    def tables(self, results: Results) -> list[Table]:
        """Return what a terminal shows of what the step made."""
        return []

    def document(self, results: Results) -> dict[str, Any]:
        """Return what JSON says of what the step made."""
        return {}


def file_name(text: str) -> str:
    """Return the name of a file that says what is in it.

    >>> file_name("flux points of H.E.S.S. I/II")
    'flux-points-of-H.E.S.S.-I-II'
    """
    return re.sub(r"[^\w.]+", "-", text)

"""What an analysis says of itself: which steps are done, which products the store held, and what is to do."""

from __future__ import annotations

from collections.abc import Callable, Set

from xgamma.analysis.steps.step import Results
from xgamma.config.config import AnalysisConfig, given_document
from xgamma.config.words import section_parts
from xgamma.datasets import text as view_texts
from xgamma.description import Described, Description, Facts, Folded, Part, Sheet, ends
from xgamma.digits import decimals, some

TO_DO, COMPUTED, FOUND = "to do", "computed", "found in the store"


class DescribedSteps(Described):
    """An analysis as far as it says what it is: its configuration, and what its steps have made."""

    config: AnalysisConfig
    computed: set[str]
    _results: Results | None

    @property
    def results(self) -> Results:
        """All that the steps have made, for the next one."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<Analysis: {', '.join(self.config.planned_steps())}; store {self.config.general.store_location()}>"

    def _description(self) -> Description:
        # Looking makes no store.
        made = None if self._results is None else self.results
        return Description(type(self).__name__, _parts(self.config, made, self.computed))


def _parts(config: AnalysisConfig, results: Results | None, computed: Set[str]) -> list[Part]:
    made = {} if results is None else {word: text for word, tell in _MADE.items() if (text := tell(results))}
    words = [word for word in _MADE if word in config.planned_steps() or word in made]
    rows = [
        (word, TO_DO if word not in made else COMPUTED if word in computed else FOUND, made.get(word, ""))
        for word in words
    ]
    parts: list[Part] = [Facts([("Store", config.general.store_location())]), Sheet(("step", "state", ""), rows)]
    if results is not None:
        parts += _unused(results)
        parts += view_texts.folded_models(results.datasets.models) if results.datasets is not None else []
    given = given_document(config)
    parts.append(Folded("Configuration, what differs from the defaults", section_parts(given, given)))
    return parts


def _unused(results: Results) -> list[Part]:
    runs = results.unused_runs
    if not runs:
        return []
    numbers, more = ends(len(runs))
    rows = [(runs[number].name, runs[number].stage, runs[number].message) for number in numbers]
    return [Folded(f"Not used: {some(len(runs), 'run')}", [Sheet(("run", "step", "why"), rows, more)])]


def _observations(results: Results) -> str:
    held = [each.observations for each in results.observed.values() if each.observations is not None]
    return some(sum(map(len, held)), "run") if held else ""


def _datasets(results: Results) -> str:
    if results.datasets is None:
        return ""
    names = results.datasets.names
    return some(len(names), "row") + (f": {', '.join(names)}" if len(names) <= NAMED else "")


NAMED = 4
"""So many datasets are named."""


def _fit(results: Results) -> str:
    if results.fit is None:
        return ""
    fit = results.fit.data
    word = "converged" if fit.success else "not converged" if not fit.optimize_result.success else "without all errors"
    return f"{word}, statistic {decimals(fit.total_stat)}"


def _flux_points(results: Results) -> str:
    each = [results.flux_points] if results.flux_points is not None else list(results.flux_points_of.values())
    return some(sum(len(points.mask) for points in each), "point") if each else ""


def _light_curve(results: Results) -> str:
    curve = results.light_curve
    return "" if curve is None else some(curve.data.sizes["time"], "time")


def _excess_maps(results: Results) -> str:
    return some(len(results.excess_maps), "map") if results.excess_maps else ""


_MADE: dict[str, Callable[[Results], str]] = {
    "observations": _observations,
    "datasets": _datasets,
    "excess_map": _excess_maps,
    "fit": _fit,
    "flux_points": _flux_points,
    "light_curve": _light_curve,
}

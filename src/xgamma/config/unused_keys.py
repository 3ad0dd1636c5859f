"""Keys of a configuration that are given and not used by any step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xgamma.config.config import AnalysisConfig, given_document
from xgamma.config.rules import at_entry
from xgamma.config.sections import DatasetsConfig
from xgamma.reduce.recipe import Recipe

SCAN_KEYS = ("norm_min", "norm_max", "norm_n_values", "norm_values")


@dataclass(frozen=True)
class EntryRequest:
    """A configuration with one entry of its datasets, the steps to run, and the recipe of that entry if it has one."""

    config: AnalysisConfig
    steps: Sequence[str]
    recipe: Recipe | None

    @property
    def entry(self) -> DatasetsConfig:
        """The only entry of ``datasets``."""
        [entry] = self.config.entries.values()
        return entry


@dataclass(frozen=True)
class Rule:
    """When a key is used, and the reason why it is not used otherwise."""

    path: str
    is_used: Callable[[EntryRequest], bool]
    reason: str


def _step(name: str, way_out: str) -> Rule:
    return Rule(name, lambda request: name in request.steps, way_out)


def _is_3d(request: EntryRequest) -> bool:
    return request.entry.type == "3d"


def _is_1d(request: EntryRequest) -> bool:
    return request.entry.type == "1d"


def _is_reduced(request: EntryRequest) -> bool:
    return request.entry.read is None


# Of an entry that reads spectra.
_MADE = (
    "geom",
    "background",
    "safe_mask",
    "on_region",
    "good_time",
    "containment_correction",
    "use_region_center",
)

# Of an entry that extracts spectra.
_OF_REGIONS = ("on_region", "containment_correction", "use_region_center")


def _has_file(request: EntryRequest) -> bool:
    return request.config.general.log.filename is not None


RULES = (
    _step("datasets", "no step makes datasets"),
    *(Rule(f"datasets.{name}", _is_reduced, "datasets.read takes spectra as they are") for name in _MADE),
    Rule("datasets.geom.wcs", _is_3d, "datasets.type 1d makes no maps"),
    Rule("datasets.map_selection", _is_3d, "datasets.type 1d makes no maps"),
    *(Rule(f"datasets.{name}", _is_1d, "datasets.type 3d makes maps, which have no on-region") for name in _OF_REGIONS),
    Rule(
        "datasets.background.exclusion",
        lambda request: request.entry.background.method is not None,
        "datasets.background.method is null",
    ),
    Rule(
        "observations.obs_cone",
        lambda request: request.config.observations.obs_cone.is_set,
        "it has no lon, lat and radius, and so does not select",
    ),
    _step("fit", "no step fits; models, or steps, ask for a fit"),
    _step("flux_points", "no step makes flux points; flux_points.energy, or steps, ask for them"),
    _step("light_curve", "no step makes a light curve; light_curve.energy_edges, or steps, ask for one"),
    _step("excess_map", "no step makes excess maps; they need datasets.type 3d"),
    Rule("general.datasets_file", lambda _: False, "datasets are reduced from observations here, not read from a file"),
    Rule("general.models_file", lambda request: request.config.models is None, "the section models holds the models"),
    Rule("general.log.filemode", _has_file, "general.log.filename is null"),
    Rule(
        "general.n_jobs",
        lambda request: request.config.general.scheduler is None,
        "general.scheduler sets where it is computed",
    ),
)


def unused_keys(config: AnalysisConfig, recipes: Mapping[str, Recipe]) -> list[str]:
    """Return a message for each section or key that differs from its default and that no step uses.

    Parameters
    ----------
    config
        The configuration.
    recipes
        Of the entries of its datasets that are reduced, by their path.
    """
    found: list[str] = []
    if not config.are_shared and _holds(given_document(config), "observations"):
        found.append("observations: given and not used, as all entries of datasets have their own, or read files.")
    for where, entry in config.entries.items():
        alone = config.model_copy(update={"datasets": entry})
        found += at_entry(where, iter(_unused(EntryRequest(alone, config.planned_steps(), recipes.get(where)))))
    return list(dict.fromkeys(found))


def _unused(request: EntryRequest) -> list[str]:
    given = given_document(request.config)
    found: list[str] = []
    idle: list[str] = []
    for rule in RULES:
        is_covered = any(rule.path.startswith(f"{path}.") for path in idle)
        if not is_covered and _holds(given, rule.path) and not rule.is_used(request):
            idle.append(rule.path)
            found.append(f"{rule.path}: given and not used, as {rule.reason}.")
    return [*found, *_unused_by_masks(request, given), *_unused_by_estimates(request, given)]


def _holds(document: Mapping[str, Any], path: str) -> bool:
    value: Any = document
    for name in path.split("."):
        if not isinstance(value, Mapping) or name not in value:
            return False
        value = value[name]
    return True


def _unused_by_masks(request: EntryRequest, given: Mapping[str, Any]) -> Iterator[str]:
    """Yield the parameters of safe masks that none of the methods has."""
    if not request.recipe or not _holds(given, "datasets.safe_mask.parameters") or "datasets" not in request.steps:
        return
    safe_mask = request.entry.safe_mask
    used = {name for _, (_, own) in request.recipe.document()["safe_masks"].items() for name in own}
    # Methods that may look at an offset may look at a position.
    used |= {"position"} if "fixed_offset" in used else set()
    for name in sorted(set(safe_mask.parameters) - used):
        methods = ", ".join(safe_mask.methods) or "no method"
        yield f"datasets.safe_mask.parameters.{name}: given and not used, as no method of {methods} uses it."


def _unused_by_estimates(request: EntryRequest, given: Mapping[str, Any]) -> Iterator[str]:
    """Yield the parameters of flux points and light curves that belong to what is not selected."""
    options = [*((name, "scan") for name in SCAN_KEYS), ("n_sigma_ul", "ul")]
    for section in (request.config.flux_points, request.config.light_curve):
        selection = section.parameters.get("selection_optional") or []
        is_given = _holds(given, f"{section.where}.parameters") and section.where in request.steps
        for name, option in options if is_given and selection != "all" else []:
            if name in section.parameters and option not in selection:
                yield (
                    f"{section.where}.parameters.{name}: given and not used, "
                    f"as selection_optional does not include {option}."
                )

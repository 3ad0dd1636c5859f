"""Rules between the keys of a configuration. Each yields one message for each problem."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from xgamma.config.estimate_sections import FluxPointsConfig, LightCurveConfig
from xgamma.config.fields import PathOrUrl, is_before
from xgamma.config.maps import map_problems
from xgamma.config.parameters import (
    backgrounds_for,
    lacking_parameters,
    parameter_problems,
)
from xgamma.config.ranges import EnergyAxis, RequestedAxis, SkyCircle, TimeRange
from xgamma.config.regions import EXAMPLES, OnRegionConfig
from xgamma.config.section_fields import model_names
from xgamma.config.sections import DatasetsConfig, FitConfig, FitRangeConfig, ObservationsConfig, SafeMaskConfig
from xgamma.errors import ConfigError, MissingInputError, StoreError, did_you_mean
from xgamma.formats.local_files import is_there
from xgamma.groups import Grouping
from xgamma.reduce.background.names import OFF_COUNTS, SPACES, one_bin_problem
from xgamma.reduce.safe_mask import KIND as SAFE_MASK_KIND
from xgamma.registry import lookup
from xgamma.storage.locations import validate_url
from xgamma.times import any_year, overlap_problem
from xgamma.units import quantity_string

CELL_BYTES = 8
LARGEST_EDISP = 100_000_000


def range_problems(section: EnergyAxis | FitRangeConfig | RequestedAxis) -> Iterator[str]:
    """Check that an energy range starts below its end."""
    low, high = section.min, section.max
    if low is not None and high is not None and not low < high:
        yield (
            f"{section.where}: expected min < max, got min: {quantity_string(low)} and max: {quantity_string(high)}."
        )


def requested_axis_problems(axis: RequestedAxis) -> Iterator[str]:
    """Check that of an axis without defaults all keys are given or none."""
    if len(axis.missing) in (1, 2):
        yield (
            f"{axis.where}: expected min, max and nbins, or none of them; {' and '.join(axis.missing)} not given. "
            "Write for example {min: 1 TeV, max: 20 TeV, nbins: 8}."
        )
    yield from range_problems(axis)


def region_paths(datasets: DatasetsConfig) -> dict[str, OnRegionConfig]:
    """Return the on-regions by their path in the configuration."""
    given, where = datasets.on_region, OnRegionConfig.where
    return (
        {f"{where}[{number}]": one for number, one in enumerate(given)} if isinstance(given, list) else {where: given}
    )


def circle_problems(circle: SkyCircle) -> Iterator[str]:
    """Check that of a circle all keys are given or none."""
    missing = [name for name in ("lon", "lat", "radius") if getattr(circle, name) is None]
    if len(missing) in (1, 2):
        yield (
            f"{circle.where}: expected lon, lat and radius, or none of them; {' and '.join(missing)} not given. "
            f"Write for example {EXAMPLES['circle']}."
        )


def time_problems(times: TimeRange) -> Iterator[str]:
    """Check that every start has a later stop, and that intervals do not overlap."""
    count_start, count_stop = (0 if value is None else value.size for value in (times.start, times.stop))
    if count_start != count_stop:
        yield f"{times.where}: expected a stop for every start, got {count_start} of start and {count_stop} of stop."
        return
    backward = [interval for interval in times.intervals() if not is_before(*interval)]
    for start, stop in backward:
        yield f"{times.where}: expected start before stop, got start {start.isot} and stop {stop.isot}."
    with any_year():
        overlap = "" if backward else overlap_problem(times.intervals())
    if overlap:
        yield f"{times.where}: {overlap}"


def observations_problems(observations: ObservationsConfig) -> Iterator[str]:
    """Check that observations are selected by one list, each once."""
    if observations.obs_ids and observations.obs_file is not None:
        yield f"{observations.where}: both obs_ids and obs_file are given; leave one of them out."
    twice = [number for number, times in Counter(observations.obs_ids).items() if times > 1]
    if twice:
        where = f"{observations.where}.obs_ids"
        yield f"{where}: expected each observation once, got {', '.join(map(str, twice))} more than once."
    yield from circle_problems(observations.obs_cone)
    yield from time_problems(observations.obs_time)


def axes_problems(datasets: DatasetsConfig) -> Iterator[str]:
    """Check that true and reconstructed energy overlap, and that the energy dispersion fits into the memory."""
    energy, energy_true = datasets.geom.axes.energy, datasets.geom.axes.energy_true
    ranges = [*range_problems(energy), *range_problems(energy_true)]
    yield from ranges
    if not ranges and not (energy_true.min < energy.max and energy.min < energy_true.max):
        yield (
            f"{energy_true.where}: expected to overlap with {energy.where} "
            f"({quantity_string(energy.min)} to {quantity_string(energy.max)}), got "
            f"{quantity_string(energy_true.min)} to {quantity_string(energy_true.max)}; "
            "write a range that is wider than energy on both sides."
        )
    cells = energy.nbins * energy_true.nbins
    if cells * CELL_BYTES > LARGEST_EDISP:
        yield (
            f"{datasets.geom.axes.where}: the energy dispersion of one run would have {energy_true.nbins} x "
            f"{energy.nbins} bins, {cells * CELL_BYTES / 1e6:.0f} MB; expected at most {LARGEST_EDISP / 1e6:.0f} MB. "
            "Write fewer nbins of energy_true or energy."
        )


def background_problems(datasets: DatasetsConfig) -> Iterator[str]:
    """Check that the background method fits the type, and its parameters the method."""
    background, path = datasets.background, f"{datasets.background.where}.parameters"
    if background.method is None:
        if background.parameters:
            yield f"{path}: {', '.join(background.parameters)} given, but background.method is null; choose a method."
        if background.alpha_systematic is not None and datasets.read is None:
            yield f"{background.where}.alpha_systematic: given, but background.method is null; choose a method."
        return
    made = lookup("background", background.method).function
    if background.alpha_systematic is not None and "acceptance_off" not in getattr(made, "variables", OFF_COUNTS):
        yield (
            f"{background.where}.alpha_systematic: given, but the background {background.method} has no off counts, "
            "and so no alpha; leave it out."
        )
    space = SPACES.get(background.method, datasets.type)
    if space != datasets.type:
        yield (
            f"{background.where}.method: {background.method!r} is made for datasets.type {space}, got "
            f"{datasets.type}; write {backgrounds_for(datasets.type)}, or type: {space}."
        )
    yield from parameter_problems(lookup("background", background.method), background.parameters, path)
    nbins = datasets.geom.axes.energy.nbins
    if getattr(made, "one_bin", False) and nbins != 1:
        yield one_bin_problem(datasets.geom.axes.energy.where, nbins)


def datasets_problems(datasets: DatasetsConfig) -> Iterator[str]:
    """Check the keys of the datasets section against each other."""
    if datasets.stack_by is not None and not datasets.stack:
        yield f"{datasets.where}.stack_by: given, but stack is false; write stack: true, or leave stack_by out."
    yield from axes_problems(datasets)
    yield from background_problems(datasets)
    for where, region in region_paths(datasets).items():
        yield from region.problems(where)
    yield from map_problems(datasets)
    yield from safe_mask_problems(datasets.safe_mask)
    yield from own_problems(datasets)


def each_problems(section: FitConfig | FluxPointsConfig, entries: Mapping[str, DatasetsConfig]) -> Iterator[str]:
    """Groups that are fitted by themselves have to be there: as stacks of the same groups, or as rows of them."""
    if not isinstance(section.each, Grouping):
        return
    wanted = section.each.document()
    for where, datasets in entries.items():
        if datasets.read is not None:
            yield f"{section.where}.each: {wanted}, and {where}.read takes spectra that are of no runs; write dataset."
        elif datasets.stack and datasets.stack_by != section.each:
            stacked = "into one" if datasets.stack_by is None else f"by {datasets.stack_by.document()}"
            yield (
                f"{section.where}.each: {wanted}, and {where} are stacked {stacked}; write {where}.stack_by: {wanted}, "
                f"or {where}.stack: false."
            )


def own_problems(entry: DatasetsConfig) -> Iterator[str]:
    """Check what an entry of ``datasets`` may have for its own: observations, the range of a fit, files to read."""
    if entry.observations is not None:
        yield from observations_problems(entry.observations)
    if entry.fit_range is not None:
        yield from range_problems(entry.fit_range)
    if entry.read is not None and entry.type == "3d":
        yield f"{entry.where}.type: 3d given beside read, and files of spectra are no maps; leave one of them out."
    for key, given in (("observations", entry.observations), ("stack_by", entry.stack_by)):
        if entry.read is not None and given is not None:
            yield f"{entry.where}.{key}: given beside read, and spectra of files are of no runs; leave one of them out."


def at_entry(where: str, problems: Iterator[str]) -> Iterator[str]:
    """Problems of one entry of ``datasets``, with the path of that entry."""
    return (problem.replace(f"{DatasetsConfig.where}.", f"{where}.") for problem in problems)


def entry_names(entries: Mapping[str, DatasetsConfig]) -> list[str]:
    """Return the name of each entry of ``datasets``; empty where it is a mapping without one."""
    named = [entry.name for entry in entries.values()]
    return [name or (f"datasets-{number}" if len(named) > 1 else "") for number, name in enumerate(named, 1)]


def entries_problems(entries: Mapping[str, DatasetsConfig]) -> Iterator[str]:
    """Each entry of ``datasets`` has a name of its own."""
    named = Counter(entry_names(entries))
    for name in (name for name, count in named.items() if count > 1):
        yield f"{DatasetsConfig.where}: {named[name]} entries are called {name!r}; give each a name of its own."


def safe_mask_problems(safe_mask: SafeMaskConfig) -> Iterator[str]:
    """Check that responses are evaluated at one offset, and that a user's method gets what it needs."""
    if None not in (safe_mask.parameters.get("fixed_offset"), safe_mask.parameters.get("position")):
        yield f"{safe_mask.where}.parameters: fixed_offset and position exclude each other; leave one of them out."
    try:
        safe_mask.position()
    except ConfigError as error:
        yield str(error)
    for method in safe_mask.methods:
        yield from lacking_parameters(
            lookup(SAFE_MASK_KIND, method), safe_mask.parameters, f"{safe_mask.where}.parameters"
        )


def completeness_problems(datasets: DatasetsConfig) -> Iterator[str]:
    """Check that the keys that data reduction needs are given."""
    if datasets.read is not None:
        return
    for where, region in region_paths(datasets).items():
        if datasets.type == "1d" and not region.is_set:
            yield (
                f"{where}: datasets.type 1d needs a region, and none is given. Write for example {EXAMPLES['circle']}."
            )


def source_problems(
    section: FluxPointsConfig | LightCurveConfig, models: dict[str, Any] | PathOrUrl | None
) -> Iterator[str]:
    """Check that the source is one of the models, where these are part of the configuration."""
    names = model_names(models)
    if names is not None and section.source not in names:
        yield f"{section.where}.source: there is no model {section.source!r}.{did_you_mean(section.source, names)}"


def energies_problems(axis: RequestedAxis, what: str) -> Iterator[str]:
    """Flux points and light curves need energies."""
    if not axis.is_set:
        yield (
            f"{axis.where}: the steps ask for {what}, and no energies are given. "
            "Write for example {min: 1 TeV, max: 20 TeV, nbins: 8}."
        )


def time_bins_problems(section: LightCurveConfig) -> Iterator[str]:
    """Intervals of time are given, or made."""
    if section.time_bins is not None and section.time_intervals.intervals():
        yield f"{section.where}: both time_intervals and time_bins are given; leave one of them out."


def file_problems(inputs: Mapping[str, Any]) -> Iterator[str]:
    """Check that every local file or folder exists; of a URL only its form is checked."""
    for key, location in inputs.items():
        if not isinstance(location, PathOrUrl):
            continue
        if location.unknown_variable is not None:
            yield _unset(key, location)
        elif location.is_url:
            yield from _url_problems(key, location.expanded())
        elif not is_there(location):
            yield f"{key}: expected a file or folder, but there is no {location.expanded()}."


def _unset(key: str, location: PathOrUrl) -> str:
    variable = location.unknown_variable
    return (
        f"{key}: the environment variable ${variable} of {location.text!r} is not set; "
        f"set it (export {variable}=/path/to/it) or write the path."
    )


def files_of(key: str, given: Sequence[PathOrUrl]) -> tuple[Path, ...]:
    """Return the files that paths and patterns name, those of a pattern in the order of their names.

    Raises
    ------
    MissingInputError
        Where there is none of a name, the place is a URL, or it has an environment variable that is not set.
    """
    found: list[Path] = []
    for location in given:
        if location.is_url:
            raise MissingInputError(f"{key}: expected files on this machine, got {location}; fetch them first.")
        if location.unknown_variable is not None:
            raise MissingInputError(_unset(key, location))
        path = Path(location.expanded())
        paths = [path] if is_there(path) else _files_like(path)
        if not paths:
            raise MissingInputError(f"{key}: expected files of spectra, but there is none of the name {path}.")
        found += paths
    return tuple(found)


def _files_like(pattern: Path) -> list[Path]:
    """Return the files that a pattern names, none where it is no pattern."""
    try:
        return sorted(Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor))))
    except (ValueError, NotImplementedError, OSError):
        return []


def read_problems(key: str, given: Sequence[PathOrUrl]) -> Iterator[str]:
    """Check that there are files of each path and pattern."""
    try:
        files_of(key, given)
    except MissingInputError as error:
        yield str(error)


def _url_problems(key: str, url: str) -> Iterator[str]:
    try:
        validate_url(url)
    except StoreError as error:
        yield f"{key}: {error}"

"""From a configuration to frozen values: which runs are selected, and the recipe of their reduction."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u

from xgamma.config.config import AnalysisConfig
from xgamma.config.maps import has_centre, image_size, sky_space
from xgamma.config.ranges import RequestedAxis
from xgamma.config.regions import Recall, exclusion_of, named_regions
from xgamma.config.rules import at_entry, entry_names
from xgamma.config.sections import DatasetsConfig, ObservationsConfig, SkyDirConfig
from xgamma.errors import ConfigError, OutputError, StoreError
from xgamma.estimate.excess_parameters import ExcessMapParameters, validate_planes, validate_radius
from xgamma.estimate.flux_points_parameters import FluxPointsParameters, LightCurveParameters
from xgamma.estimate.time_binning import TimeBinning
from xgamma.events import DEFAULT_RULE
from xgamma.execute import THIS_PROCESS, Workers
from xgamma.formats.gadf.index import IndexNames
from xgamma.formats.local_files import is_there
from xgamma.geometry import to_frame
from xgamma.grid import Grid, RegionSpace
from xgamma.ingest import FitsRelease, StoredRelease, open_release
from xgamma.masks import Exclusion, SkyMask, parts_of
from xgamma.models.models import Models
from xgamma.reduce.recipe import Recipe, roles_needed
from xgamma.registry import Method, method
from xgamma.select import Cone, Selection, read_obs_file
from xgamma.store import Store, is_store


def outdir_of(config: AnalysisConfig) -> Path:
    """Return the folder for files and pictures, which need not be there; raises ``OutputError`` where none can be."""
    place = config.general.outdir
    if place.is_url:
        raise OutputError(
            f"general.outdir: expected a local folder, got {place}; products can go to a URL by general.store."
        )
    outdir = Path(place.expanded())
    taken = next((folder for folder in (outdir, *outdir.parents) if is_there(folder) and folder.is_file()), None)
    if taken is not None:
        raise OutputError(f"general.outdir: expected a folder, but {taken} is a file; give another folder.")
    try:
        # One that is not there is made.
        with contextlib.suppress(FileNotFoundError):
            outdir.stat()
    except OSError as error:
        raise unwritable(outdir, error.strerror) from None
    nearest = next(folder for folder in (outdir.absolute(), *outdir.absolute().parents) if is_there(folder))
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise unwritable(outdir, "Permission denied")
    return outdir


def unwritable(outdir: Path, reason: str | None) -> OutputError:
    """Return the error of a folder that nothing can be written to."""
    return OutputError(f"general.outdir: {outdir} cannot be written ({reason}); give another folder.")


@dataclass(frozen=True)
class ObservationsOf:
    """A section of observations and the entries of ``datasets`` that are made of them.

    Parameters
    ----------
    name
        Of the entry that has it for its own; the section ``observations`` has none.
    section
        Which runs of which release.
    entries
        The entries by their path.
    """

    name: str
    section: ObservationsConfig
    entries: Mapping[str, DatasetsConfig]


def observations_of(config: AnalysisConfig) -> list[ObservationsOf]:
    """Return the observations that a configuration needs: those of ``observations``, then those of single entries."""
    entries = {where: entry for where, entry in config.entries.items() if entry.read is None}
    shared = {where: entry for where, entry in entries.items() if entry.observations is None}
    names = dict(zip(config.entries, names_of(config), strict=True))
    own = [
        ObservationsOf(names[where], entry.observations, {where: entry})
        for where, entry in entries.items()
        if entry.observations is not None
    ]
    return [*([ObservationsOf("", config.observations, shared)] if shared else []), *own]


def selection_of(observations: ObservationsConfig) -> Selection:
    """Return the selection of runs that a section of observations asks for; reads ``obs_file``."""
    obs_ids = tuple(observations.obs_ids) or None
    if observations.obs_file is not None:
        obs_ids = read_obs_file(Path(observations.obs_file.expanded()))
    cone = None
    if observations.obs_cone.is_set:
        circle = observations.obs_cone.circle()
        cone = Cone(circle.lon, circle.lat, circle.radius, circle.frame)
    intervals = tuple(observations.obs_time.intervals())
    return Selection(obs_ids, cone, tuple(observations.required_irf), intervals, observations.expression)


def release_of(observations: ObservationsConfig) -> FitsRelease | StoredRelease:
    """Open the release that a section of observations names; raises what ``open_release`` raises."""
    place = observations.datastore
    return open_release(place.expanded(), observations.tag, IndexNames(place.hdu_index, place.obs_index))


def needed_roles(entries: Mapping[str, DatasetsConfig]) -> tuple[str, ...]:
    """Return the roles of the responses without which no run can be reduced to some entries of ``datasets``."""
    needed: list[str] = []
    for entry in entries.values():
        needed += roles_needed(_containment(entry), background_of(entry))
    return tuple(dict.fromkeys(needed))


def _containment(datasets: DatasetsConfig) -> bool:
    """Whether exposure is corrected for what falls outside of a region; a pixel is no region."""
    return datasets.type == "1d" and datasets.containment_correction


def background_of(datasets: DatasetsConfig) -> Method | None:
    """Return the background of an entry of ``datasets``; of maps without a method it is what the release expects."""
    given = datasets.background.settings()
    if given is None and datasets.type == "3d" and "background" in datasets.map_selection:
        return method("background", "irf")
    return given


def names_of(config: AnalysisConfig) -> list[str]:
    """Return the name of each entry of ``datasets``; empty where it is a mapping without one."""
    return entry_names(config.entries)


def centred(config: AnalysisConfig, pointings: Mapping[str, tuple[float, float]]) -> AnalysisConfig:
    """Return a configuration whose maps have a centre: the mean pointing of their runs, where none is given.

    It is rounded to 1e-4 deg, so that it can be read and written down.

    Parameters
    ----------
    config
        The configuration, which stays as it is.
    pointings
        The mean pointing of runs, ICRS degrees, by the name of the observations, as ``ObservationsOf`` has it.
    """
    found = config.model_copy(deep=True)
    for each in observations_of(found):
        for entry in each.entries.values():
            wcs = entry.geom.wcs
            if entry.type == "3d" and not has_centre(wcs.skydir) and each.name in pointings:
                frame = wcs.skydir.frame or "icrs"
                lon, lat = (round(float(angle), 4) for angle in to_frame(*pointings[each.name], "icrs", frame))
                wcs.skydir = SkyDirConfig(frame=frame, lon=lon * u.deg, lat=lat * u.deg)
    return found


def lacks_centre(entries: Mapping[str, DatasetsConfig]) -> bool:
    """Whether any of some entries of ``datasets`` makes maps and does not say where."""
    return any(entry.type == "3d" and not has_centre(entry.geom.wcs.skydir) for entry in entries.values())


def recipe_of(config: AnalysisConfig) -> Recipe:
    """Return the recipe of ``config.datasets``, or of its first entry that is reduced; reads the exclusion mask.

    Raises
    ------
    ConfigError
        When the background does not fit the region, or a user's method cannot be sent to the processes asked for.
        When all entries read files.
    """
    recipes = list(recipes_of(config).values())
    if not recipes:
        raise ConfigError("datasets: all entries read files, and nothing is reduced; read them with Datasets.read.")
    return recipes[0]


def recipes_of(config: AnalysisConfig) -> dict[str, Recipe]:
    """Return the recipe of each entry of ``datasets`` that is reduced, by its path.

    Reads exclusion masks, but for those that the store remembers, and raises what ``recipe_of`` raises.
    """
    recall = _recalling(config)
    recipes = {where: _recipe_at(where, entry, recall) for where, entry in config.entries.items() if entry.read is None}
    for recipe in recipes.values():
        recipe.validate_travel(Workers(config.general.n_jobs, config.general.scheduler))
    return recipes


def _recalling(config: AnalysisConfig) -> Recall:
    """Return what finds the digest of a mask in the store of a configuration, which is opened when it is asked."""

    @cache
    def held() -> Store | None:
        location = config.general.store_location()
        return Store(location, read_only=True) if is_store(location) else None

    def recall(*file: Any) -> str | None:
        store = held()
        return None if store is None else store.recall(*file)

    return recall


def remember_masks(store: Store, exclusion: Exclusion | None) -> None:
    """Remember the digests of masks that were read from files, so that they are not read again to look for products."""
    for part in () if exclusion is None else parts_of(exclusion):
        if isinstance(part, SkyMask) and part.file is not None and not part.is_empty:
            # A store that cannot be written is slower and as good.
            with contextlib.suppress(StoreError):
                store.remember(*part.file, part.digest)


def read_masks_again(config: AnalysisConfig, store: Store) -> None:
    """Read the masks of a configuration that a store remembers too, and remember what they are now."""
    for entry in config.entries.values():
        if entry.background.method is not None:
            remember_masks(store, exclusion_of(entry.background.exclusion))


def _recipe_at(where: str, datasets: DatasetsConfig, recall: Recall) -> Recipe:
    """Return the recipe of an entry of ``datasets``; what is wrong with it is said with the path of that entry."""
    try:
        return _recipe(where, datasets, recall)
    except ConfigError as error:
        [problem] = at_entry(where, iter([str(error)]))
        raise type(error)(problem) from None


def _recipe(where: str, datasets: DatasetsConfig, recall: Recall) -> Recipe:
    axes, background = datasets.geom.axes, datasets.background
    space = RegionSpace(*named_regions(datasets.on_region)) if datasets.type == "1d" else sky_space(where, datasets)
    exclusion = background.exclusion if background.method is not None else None
    return Recipe(
        Grid(axes.energy.axis("energy"), axes.energy_true.axis("energy_true"), space),
        _containment(datasets),
        background_of(datasets),
        exclusion_of(exclusion, recall),
        datasets.safe_mask.settings(),
        float(datasets.geom.selection.offset_max.to_value("deg")),
        datasets.good_time or DEFAULT_RULE,
        datasets.type == "3d" or datasets.use_region_center is not False,
        tuple(datasets.map_selection),
        datasets.safe_mask.position(),
    )


def points_of(config: AnalysisConfig) -> tuple[tuple[float, ...], FluxPointsParameters]:
    """Return the edges in TeV and the parameters of the flux points that ``config.flux_points`` asks for.

    Raises
    ------
    ConfigError
        When it gives no energies.
    """
    section = config.flux_points
    return _edges(section.energy), section.settings()


def light_curve_of(config: AnalysisConfig) -> tuple[tuple[float, ...], TimeBinning, LightCurveParameters]:
    """Return edges in TeV, the bins of time and the parameters of the light curve that ``config.light_curve`` asks for.

    Raises
    ------
    ConfigError
        When it gives no energies.
    """
    section = config.light_curve
    return _edges(section.energy_edges), section.binning(), section.settings()


def excess_map_of(config: AnalysisConfig) -> tuple[float, tuple[float, ...] | None, ExcessMapParameters]:
    """Return the radius in deg, the edges in TeV and the parameters of the excess maps that a configuration asks for.

    Without energies there is one plane. Of each entry of ``datasets`` that makes maps it is checked whether they fit.

    Raises
    ------
    ConfigError
        Where no entry makes maps, or one that does not stack them; for a circle that is smaller than a pixel or wider
        than the map, and for energies that the maps do not have.
    """
    section = config.excess_map
    edges = _edges(section.energy_edges) if section.energy_edges.is_set else None
    radius = float(section.correlation_radius.to_value("deg"))
    maps = {where: entry for where, entry in config.entries.items() if entry.type == "3d"}
    if not maps:
        raise ConfigError(
            f"{section.where}: cannot make an excess map of 1D datasets, which have no pixels; write datasets.type: 3d."
        )
    for where, entry in maps.items():
        if not entry.stack:
            raise ConfigError(
                f"{section.where}: datasets must be stacked to make the excess map; write {where}.stack: true, with "
                "stack_by for one of each group."
            )
        validate_radius(radius, *image_size(entry))
        if edges is not None:
            validate_planes(entry.geom.axes.energy.axis("energy"), np.array(edges))
    return radius, edges, section.settings()


def _edges(axis: RequestedAxis) -> tuple[float, ...]:
    if not axis.is_set:
        raise ConfigError(
            f"{axis.where}: no energies are given; write for example {{min: 1 TeV, max: 20 TeV, nbins: 8}}."
        )
    return tuple(axis.axis("energy").edges.tolist())


def models_of(config: AnalysisConfig) -> Models | None:
    """Return the models of the section ``models``, else of ``general.models_file``, ``None`` where there are none.

    Raises
    ------
    MissingInputError
        When the file is not there.
    ConfigError
        When the document is not one of models.
    """
    section = config.models if config.models is not None else config.general.models_file
    if section is None:
        return None
    if isinstance(section, Mapping):
        try:
            return Models.from_dict(section)
        except ConfigError as error:
            raise error.of("models") from None
    return Models.read(section.expanded())


def validate_workers(workers: Workers, store: str) -> None:
    """Raise ``ConfigError`` where processes would have to share a store in memory."""
    if workers != THIS_PROCESS and store.startswith("memory:"):
        raise ConfigError("general.n_jobs: processes cannot share a store in memory; give general.store a folder.")

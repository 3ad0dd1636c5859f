"""From a configuration to frozen values: which runs are selected, and the recipe of their reduction."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np

from xgamma.axes import Axis
from xgamma.config.config import AnalysisConfig
from xgamma.config.sections import FluxPointsConfig
from xgamma.errors import ConfigError, LaterError, OutputError
from xgamma.estimate import FluxPointsParameters, source_model, validate_reoptimize
from xgamma.events import DEFAULT_RULE
from xgamma.execute import THIS_PROCESS, Workers
from xgamma.fit import validate_fittable, validate_start
from xgamma.formats.fits.regions import read_mask
from xgamma.formats.gadf.index import IndexNames
from xgamma.formats.local_files import is_there
from xgamma.grid import Grid, RegionSpace
from xgamma.ingest import FitsRelease, StoredRelease, open_release
from xgamma.models.models import Models
from xgamma.models.of_region import validate_spectral
from xgamma.reduce import Recipe, roles_needed
from xgamma.select import Cone, Selection, read_obs_file

# What each step needs to have run before it; the other steps are for a later version.
NEEDS = {"observations": "observations", "datasets": "observations", "fit": "datasets", "flux_points": "datasets"}


def steps_of(config: AnalysisConfig, until: str | None = None) -> list[str]:
    """Return the steps to run, in their order, up to ``until``.

    Raises
    ------
    LaterError
        For a step that this version does not have.
    ConfigError
        When a step is missing that another one needs, or ``until`` is not one of them.
    """
    planned = config.planned_steps()
    if until is not None and until not in planned:
        raise ConfigError(f"--until: the configuration does not ask for {until}; its steps are {', '.join(planned)}.")
    steps = planned if until is None else planned[: planned.index(until) + 1]
    for step in steps:
        if step not in NEEDS:
            raise LaterError(f"steps: {step} comes with a later version of xgamma; leave its section out.")
        if NEEDS[step] not in steps:
            raise ConfigError(f"steps: {step} needs {NEEDS[step]}; add it, or leave steps out to run all.")
    return steps


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
        outdir.stat()
    except FileNotFoundError:
        pass  # it is made
    except OSError as error:
        raise unwritable(outdir, error.strerror) from None
    nearest = next(folder for folder in (outdir.absolute(), *outdir.absolute().parents) if is_there(folder))
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise unwritable(outdir, "Permission denied")
    return outdir


def unwritable(outdir: Path, reason: str | None) -> OutputError:
    """Return the error of a folder that nothing can be written to."""
    return OutputError(f"general.outdir: {outdir} cannot be written ({reason}); give another folder.")


def selection_of(config: AnalysisConfig) -> Selection:
    """Return the selection of runs that ``config.observations`` asks for; reads ``obs_file``."""
    observations = config.observations
    obs_ids = tuple(observations.obs_ids) or None
    if observations.obs_file is not None:
        obs_ids = read_obs_file(Path(observations.obs_file.expanded()))
    cone = None
    if observations.obs_cone.is_set:
        circle = observations.obs_cone.circle()
        cone = Cone(circle.lon, circle.lat, circle.radius, circle.frame)
    intervals = tuple(observations.obs_time.intervals())
    return Selection(obs_ids, cone, tuple(observations.required_irf), intervals, observations.expression)


def release_of(config: AnalysisConfig) -> FitsRelease | StoredRelease:
    """Open the release that ``config.observations`` names; raises what ``open_release`` raises."""
    place = config.observations.datastore
    return open_release(place.expanded(), config.observations.tag, IndexNames(place.hdu_index, place.obs_index))


def needed_roles(config: AnalysisConfig) -> tuple[str, ...]:
    """Return the roles of the responses without which a run cannot be reduced."""
    return roles_needed(config.datasets.containment_correction)


def recipe_of(config: AnalysisConfig) -> Recipe:
    """Return the recipe that ``config.datasets`` asks for; reads the exclusion mask.

    Raises
    ------
    LaterError
        For maps.
    """
    datasets = config.datasets
    if datasets.type == "3d":
        raise LaterError("datasets.type: 3d is not computed by this version of xgamma; write 1d.")
    safe_mask = datasets.safe_mask.settings()
    if safe_mask.position is not None:
        raise LaterError(
            "datasets.safe_mask.parameters.position: responses at another position come with a later version; "
            "use fixed_offset, or leave it out."
        )
    axes, background = datasets.geom.axes, datasets.background
    space = RegionSpace((datasets.on_region.circle(),))
    exclusion = background.exclusion if background.method is not None else None
    return Recipe(
        Grid(axes.energy.axis("energy"), axes.energy_true.axis("energy_true"), space),
        datasets.containment_correction,
        background.settings(),
        None if exclusion is None else read_mask(Path(exclusion.expanded())),
        tuple(datasets.safe_mask.methods),
        safe_mask,
        float(datasets.geom.selection.offset_max.to_value("deg")),
        datasets.good_time or DEFAULT_RULE,
    )


def points_of(config: AnalysisConfig) -> tuple[tuple[float, ...], FluxPointsParameters]:
    """Return the edges in TeV and the parameters of the flux points that ``config.flux_points`` asks for.

    Raises
    ------
    ConfigError
        When it gives no energies.
    """
    section = config.flux_points
    if not section.energy.is_set:
        raise ConfigError(
            "flux_points.energy: no energies are given; write for example {min: 1 TeV, max: 20 TeV, nbins: 8}."
        )
    return tuple(section.energy.axis("energy").edges.tolist()), section.settings()


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
        return Models.from_dict(section)
    return Models.read(section.expanded())


def validate_models(models: Models | None, points: FluxPointsConfig, steps: Collection[str]) -> None:
    """Raise ``ConfigError`` or ``LaterError`` unless the models can do what the steps ask of them.

    Parameters
    ----------
    models
        The models of the configuration, if there are any.
    points
        Which flux points may be asked for.
    steps
        The steps that will be run.
    """
    asked = [step for step in ("fit", "flux_points") if step in steps]
    if asked and not models:
        raise ConfigError(
            f"models: the configuration asks for {' and '.join(asked)}, and there are no models; write a section "
            "'models', or the path of a models file as general.models_file."
        )
    if not models or not asked:
        return
    for model in models:
        validate_spectral(model)
    if "fit" in asked:
        validate_fittable(len(models.parameters.free_parameters), 1)
        validate_start(models.parameters)
    if "flux_points" in asked:
        validate_reoptimize(models, source_model(models, points.source), points.settings())


def validate_fit_range(axis: Axis, minimum: float | None, maximum: float | None) -> None:
    """Raise ``ConfigError`` where a range of reconstructed energy in TeV lies outside of an axis."""
    low, high = axis.edges[0] if minimum is None else minimum, axis.edges[-1] if maximum is None else maximum
    if high <= axis.edges[0] or low >= axis.edges[-1]:
        raise ConfigError(
            f"fit.fit_range: it lies outside of the energies of the datasets, {axis.edges[0]:g} to {axis.edges[-1]:g} "
            f"TeV; expected a range that overlaps with them, got {low:g} to {high:g} TeV."
        )


def validate_points_edges(axis: Axis, edges: Sequence[float]) -> str:
    """Return a sentence about flux points that lie outside of an axis, empty where none does.

    Raises
    ------
    ConfigError
        Where all of them do.
    """
    requested = np.asarray(edges)
    outside = (requested[1:] <= axis.edges[0]) | (requested[:-1] >= axis.edges[-1])
    span = f"{axis.edges[0]:g} to {axis.edges[-1]:g} TeV"
    if outside.all():
        raise ConfigError(
            f"flux_points.energy: all points lie outside of the energies of the datasets, {span}; expected a range "
            f"that overlaps with them, got {requested[0]:g} to {requested[-1]:g} TeV."
        )
    if not outside.any():
        return ""
    return (
        f"flux_points.energy: {outside.sum()} of {outside.size} points lie outside of the energies of the datasets, "
        f"{span}, and will be empty."
    )


def validate_workers(workers: Workers, store: str) -> None:
    """Raise ``ConfigError`` where processes would have to share a store in memory."""
    if workers != THIS_PROCESS and store.startswith("memory:"):
        raise ConfigError("general.n_jobs: processes cannot share a store in memory; give general.store a folder.")

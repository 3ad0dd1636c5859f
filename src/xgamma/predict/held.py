"""Which models which datasets can hold: what is wrong with both together is known before anything is computed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xgamma import schema
from xgamma.errors import ConfigError, listed
from xgamma.geometry import to_frame
from xgamma.models.models import FoVBackgroundModel, SkyModel, TemplateNPredModel
from xgamma.models.npred_models import NormModel
from xgamma.models.parameter import limits_text, unit_text
from xgamma.models.spatial import templates
from xgamma.predict import background
from xgamma.predict.folding import validate_placed, validate_spectral
from xgamma.predict.sky import boxes as sky_boxes
from xgamma.predict.sky import folding as sky_folding
from xgamma.predict.sky import window as sky_windows
from xgamma.sky import SkySpace

if TYPE_CHECKING:
    from xgamma.models.spatial.model import SpatialModel
    from xgamma.models.spatial.templates import MapModel
    from xgamma.predict.sky.boxes import Box


SIZES = ("sigma", "r_0", "radius", "width")
"""Parameters of morphologies that say how large a source is."""


@dataclass(frozen=True)
class Holder:
    """Datasets of one kind, as far as it matters to the models on them.

    Parameters
    ----------
    names
        Their names; ``None`` where these are not known yet.
    windows
        Of maps: the images, and the pixels of them that they are; none for spectra of regions.
    reach
        The distance in degrees beyond which a point spread function holds nothing.
    has_psf, has_background
        Whether the maps hold a point spread function, and an expected background.
    """

    names: tuple[str, ...] | None
    windows: tuple[tuple[SkySpace, Box], ...] = ()
    reach: float = 0.0
    has_psf: bool = True
    has_background: bool = True

    @classmethod
    def of_rows(cls, ds: xr.Dataset) -> Holder:
        """Return what holds models in the rows of a DL4 Dataset."""
        names = tuple(str(name) for name in ds.variables["dataset"].values)
        if schema.space_dims(ds) != schema.WINDOWS:
            return cls(names)
        windows = [sky_windows.Window(ds, row) for row in range(len(names))]
        rad = windows[0].rad if windows else None
        boxes = tuple((window.space, window.box) for window in windows)
        return cls(names, boxes, 0.0 if rad is None else float(rad[-1]), rad is not None, "background" in ds)

    @classmethod
    def of_image(cls, names: tuple[str, ...] | None, image: SkySpace, reach: float, held: Sequence[str]) -> Holder:
        """Return what holds models in maps that are still to be made, with the maps ``held``."""
        ny, nx = image.shape
        return cls(names, ((image, sky_boxes.Box(0, ny, 0, nx)),), reach, "psf" in held, "background" in held)

    @property
    def is_map(self) -> bool:
        """Whether these are maps."""
        return bool(self.windows)

    def has(self, model: Any) -> bool:
        """Whether a model is on at least one of them, as far as it is known."""
        return self.names is None or any(model.applies_to(name) for name in self.names)


def validate_held(models: Iterable[Any], holders: Sequence[Holder]) -> list[str]:
    """Return what of models will not be seen: sentences, mostly none.

    Raises
    ------
    LaterError
        For a kind of model that no prediction is made of yet.
    ConfigError
        For a source without a place on a map, beyond it or its own limits, or whose place spectra alone do not tell; a
        point spread function that is missing; a model of a background that is not there, or the second one of it.
    """
    remarks: list[str] = []
    chosen = list(models)
    _validate_backgrounds(chosen, holders)
    for model in chosen:
        maps = [holder for holder in holders if holder.is_map and holder.has(model)]
        if isinstance(model, FoVBackgroundModel):
            remarks += _of_factor(model, maps)
            continue
        spectra = [holder for holder in holders if not holder.is_map and holder.has(model)]
        if spectra or not holders:
            validate_spectral(model)
            if not maps:
                validate_placed(model)
        if maps:
            remarks += _validate_on_maps(model, maps)
    return remarks


def _validate_backgrounds(models: Sequence[Any], holders: Sequence[Holder]) -> None:
    backgrounds = [model for model in models if isinstance(model, FoVBackgroundModel)]
    for model in backgrounds:
        on = [holder for holder in holders if holder.has(model)]
        [name] = model.datasets_names or [""]
        if on and not any(holder.is_map for holder in on):
            validate_spectral(model)
        model.validate_factors()
        if on and not any(holder.has_background for holder in on if holder.is_map):
            raise ConfigError(
                f"The model {model.name!r} is one of a background, and the dataset {name!r} has none; reduce with a "
                "background, or remove the model."
            )
        background.background_model(backgrounds, name)


def validate_backgrounds_named(models: Iterable[Any], names: Sequence[str]) -> None:
    """Raise ``ConfigError`` for a model of the background of a dataset that is not one of ``names``, all there are."""
    for model in models:
        if isinstance(model, FoVBackgroundModel) and not any(model.applies_to(name) for name in names):
            [wanted] = model.datasets_names or [""]
            raise ConfigError(
                f"The model {model.name!r} is of the background of the dataset {wanted!r}, and the datasets are "
                f"{listed(names)}; correct its datasets_names, or remove the model."
            )


def _validate_on_maps(model: Any, maps: Sequence[Holder]) -> list[str]:
    if isinstance(model, TemplateNPredModel):
        model.validate_factors()
        table = model.table
        first = [f"The model {model.name!r}: {table.remark}."] if table.remark else []
        return [*first, *_of_cover(model.name, table.space, maps), *_of_factor(model, maps)]
    if not isinstance(model, SkyModel):
        validate_spectral(model)
    sky_folding.validate_on_sky(model)
    with_psf = model.apply_irf.get("psf", True)
    if with_psf and not all(holder.has_psf for holder in maps):
        raise ConfigError(
            f"The model {model.name!r} is seen behind the point spread function, and the maps have none; reduce with "
            f"psf in map_selection, or write 'psf: false' in its apply_irf."
        )
    place = model.spatial_model
    _validate_limits(model.name, place)
    # A file is opened here, and what is wrong with it is said.
    remarks = [] if not isinstance(place, templates.MapModel) else _of_table(model.name, place, maps)
    center = place.center()
    if center is None:
        return remarks
    where = f"it lies at {center[0]:.6g}, {center[1]:.6g} deg ({place.frame})"
    moved = [parameter.name for parameter in place.parameters.free_parameters if parameter.name in ("lon_0", "lat_0")]
    if moved and not lies_inside(maps, place, with_psf=False):
        raise ConfigError(
            f"The model {model.name!r} is outside of the map, and its position is free: {where}; start it inside of "
            "the map, or freeze its position."
        )
    if lies_inside(maps, place, with_psf):
        return [*remarks, *([f"The model {model.name!r} {said}."] if (said := beyond_maps(maps, place)) else [])]
    free = model.parameters.free_parameters.names
    if free:
        raise ConfigError(
            f"The model {model.name!r} is outside of the map, which says nothing about {', '.join(free)}: {where}; "
            "make the map larger, freeze all of the model, or remove it."
        )
    return [f"The model {model.name!r} is outside of the map and contributes nothing: {where}."]


def _validate_limits(name: str, place: SpatialModel) -> None:
    """Raise ``ConfigError`` for a place or a size beyond its limits, such as a negative one."""
    for one in place.parameters:
        if one.value < one.min or one.value > one.max:
            expected = f"{limits_text(one)} {unit_text(one.unit)}".rstrip()
            raise ConfigError(
                f"The model {name!r} expects {one.name} {expected}, got {one.value:g}; start within its limits."
            )


def _of_table(name: str, place: MapModel, maps: Sequence[Holder]) -> list[str]:
    """Return what is to be known of a morphology that is a map: what of it was left out, and what it does not cover."""
    remark = place.remark()
    return [*([f"The model {name!r}: {remark}."] if remark else []), *_of_cover(name, place.table.space, maps)]


def _of_factor(model: NormModel, maps: Sequence[Holder]) -> list[str]:
    place = model.spatial_model
    return _of_table(model.name, place, maps) if isinstance(place, templates.MapModel) else []


def _of_cover(name: str, space: SkySpace, maps: Sequence[Holder]) -> list[str]:
    """Return how much of maps an image covers, where that is not all of them."""
    covered = pixels = 0
    for image, box in (window for holder in maps for window in holder.windows):
        v, u = np.mgrid[box.v0 : box.v1, box.u0 : box.u1]
        x, y = space.pixels_of(*image.sky_of(u, v))
        with np.errstate(invalid="ignore"):
            inside = (np.abs(x - 0.5 * (space.npix[0] - 1)) <= 0.5 * space.npix[0]) & (
                np.abs(y - 0.5 * (space.npix[1] - 1)) <= 0.5 * space.npix[1]
            )
        covered, pixels = covered + int(inside.sum()), pixels + inside.size
    if covered == pixels:
        return []
    return [
        f"The model {name!r}: its map covers {100.0 * covered / pixels:.3g} % of the pixels; beyond it the model is 0."
    ]


def lies_inside(maps: Sequence[Holder], place: SpatialModel, with_psf: bool) -> bool:
    """Whether any pixel lies within the reach of a source, with that of the point spread function or without.

    Sources without a centre lie everywhere.
    """
    center, own = place.center(), place.reach()
    if center is None:
        return True
    lon, lat = (float(angle) for angle in to_frame(*center, place.frame, "icrs"))
    return any(
        sky_boxes.box_about(space, lon, lat, own + (holder.reach if with_psf else 0.0)).within(box).size
        for holder in maps
        for space, box in holder.windows
    )


def beyond_maps(maps: Sequence[Holder], place: SpatialModel) -> str:
    """Return what is to be said of a source with a free size larger than all maps, mostly nothing.

    In a map that sees a part of it alone, its size and flux are those of a background.
    """
    width = max((space.binsize * max(box.v1 - box.v0, box.u1 - box.u0) for one in maps for space, box in one.windows))
    own = zip(place.parameters, place.canonical_values(), strict=True)
    free = {one.name: value for one, value in own if not one.frozen and one.name in SIZES}
    sizes = [f"{name} = {value:.4g} deg" for name, value in free.items() if value > width]
    if not sizes:
        return ""
    return (
        f"is larger than the map, with {sizes[0]} where the map has {width:.3g} deg, so that a fit takes it for "
        "background; start with a smaller size, or freeze it"
    )

"""The identity of a reduction: the recipe, its document, and the key of each row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from xgamma.axes import Axis
from xgamma.errors import ConfigError, DataError
from xgamma.events import DEFAULT_RULE
from xgamma.execute import Workers, validate_travel
from xgamma.grid import Grid, RegionSpace, SkySpace
from xgamma.masks import Exclusion, excludes_nothing
from xgamma.reduce.background import sky as sky_backgrounds
from xgamma.reduce.background.names import KIND as BACKGROUND
from xgamma.reduce.background.protocol import background_of
from xgamma.reduce.safe_mask import KIND as SAFE_MASK
from xgamma.registry import Method, lookup
from xgamma.shapes import Circle, shape_from
from xgamma.store import digest

# Version 2 counts no event outside of good time.
STEP_VERSION = 2
# Of several on-regions version 3 keeps each out of the off regions of the others.
SEVERAL_REGIONS_VERSION = 3
# Points count the events within the radius of point-like responses.
POINTS_VERSION = 4
# Windows of the sky hold their energies plane by plane, and their responses at nodes of offset. Version 6 makes their
# background and, in stacks, their exposure in other steps of single precision, with other last digits. Version 7 has
# more nodes, where tables are extrapolated to the pointing.
WINDOWS_VERSION = 7
# Of stacks of rows.
STACK_VERSION = 2
# The variables of responses in windows by the word that asks for them.
OF_MAPS = {"edisp": ("edisp", "edisp_norm"), "psf": ("psf",)}
MAPS = ("counts", "exposure", "background", "psf", "edisp")
"""What a map dataset may hold."""
MEMBERS = "rows"
"""The attribute of stacks that names the rows in each."""


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the numbers of a reduction, and nothing else.

    Parameters
    ----------
    grid
        Axes and space of the result.
    containment
        Whether the exposure is corrected for the part of the point spread function outside the region.
    background
        Where off events are taken from, such as ``method("background", "reflected")``; ``None`` for counts alone.
    exclusion
        The sky that the background may use, ``None`` where nothing is excluded.
    safe_masks
        Which bins are safe: those that all of the methods keep. They are held in the order of their names.
    offset_max
        A region farther from the pointing than this (deg) is outside the field of view.
    good_time
        Which events count, one of ``events.GOOD_TIME_RULES``.
    use_region_center
        Whether the responses are those of the centre of an on-region, and not averaged over it.
    maps
        Which of ``MAPS`` are made in windows of the sky; regions have all that they need.
    safe_position
        ICRS degrees of the position whose responses the safe masks look at; ``None`` for those of each on-region, or of
        the middle of a window.

    Raises
    ------
    ConfigError
        When the background does not fit the grid, the containment of what is no circle is asked for, or a safe mask
        stands twice, with other parameters.
    """

    grid: Grid
    containment: bool = True
    background: Method | None = None
    exclusion: Exclusion | None = None
    safe_masks: tuple[Method, ...] = ()
    offset_max: float = 2.5
    good_time: str = DEFAULT_RULE
    use_region_center: bool = True
    maps: tuple[str, ...] = MAPS
    safe_position: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if not self.grid.is_region:
            object.__setattr__(self, "containment", False)
            object.__setattr__(self, "maps", tuple(name for name in MAPS if name in self.maps))
        masks = {mask.name: mask for mask in self.safe_masks}
        for mask in self.safe_masks:
            if mask != masks[mask.name]:
                raise ConfigError(
                    f"datasets.safe_mask.methods: expected each method once, got {mask.name} in two ways."
                )
        if self.containment:
            self._validate_containment()
        object.__setattr__(self, "safe_masks", tuple(masks[name] for name in sorted(masks)))
        if self.background is None:
            object.__setattr__(self, "exclusion", None)
        else:
            background_of(self.background).validate(self.grid, self.exclusion)

    def _validate_containment(self) -> None:
        for name, region in zip(self.grid.region_names, self.grid.regions, strict=True):
            if not isinstance(region, Circle):
                raise ConfigError(
                    "datasets.containment_correction: the share of a source that lies in a region is known of circles, "
                    f"and on-region {name} is of the kind {region.kind}; set it to false, or write a circle."
                )

    @property
    def methods(self) -> tuple[Method, ...]:
        """The registered functions that are called."""
        return self.safe_masks if self.background is None else (self.background, *self.safe_masks)

    @property
    def background_variables(self) -> tuple[str, ...]:
        """The variables of rows that hold the background."""
        return () if self.background is None else background_of(self.background).variables

    @property
    def held(self) -> tuple[str, ...]:
        """The variables that not all rows of its space have: of the background, in windows also of responses."""
        maps = () if self.grid.is_region else self.maps
        return (*self.background_variables, *(name for which in maps for name in OF_MAPS.get(which, ())))

    def other_runs(self, run: int) -> tuple[int, ...]:
        """Return the ids of the other runs that decide the numbers of a run: those of its background."""
        return () if self.background is None else background_of(self.background).other_runs(run)

    @property
    def exclusion_remark(self) -> str:
        """What of the map no mask covers, and that a part excludes nothing; otherwise an empty text."""
        space, remarks = self.grid.space, list[str]()
        if isinstance(space, SkySpace):
            remarks.append(sky_backgrounds.uncovered_remark(space, self.exclusion))
        if self.exclusion is not None and excludes_nothing(self.exclusion):
            remarks.append(
                "datasets.background.exclusion: a part of it excludes nothing, as a table without sources, or a mask "
                "in which every pixel may be used; correct it, or leave it out."
            )
        return " ".join(filter(None, remarks))

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles of the responses that the reduction looks at."""
        roles = roles_needed(self.containment, self.background)
        return roles if self.grid.is_region else window_roles(self.maps, self.safe_masks, roles)

    @property
    def _version(self) -> int:
        if not self.grid.is_region:
            return WINDOWS_VERSION
        if self.grid.points.any():
            return POINTS_VERSION
        return STEP_VERSION if len(self.grid.regions) < 2 else SEVERAL_REGIONS_VERSION

    def validate_travel(self, workers: Workers) -> None:
        """Raise ``ConfigError`` when a method cannot be sent to the processes of some workers."""
        validate_travel({f"{each.entry.kind} {each.name!r}": each for each in self.methods}, workers)

    def document(self) -> dict[str, Any]:
        """Return the JSON document whose digest is the key of the recipe."""
        return {
            "step": "reduce",
            "version": self._version,
            "energy": self.grid.energy.edges.tolist(),
            "energy_true": self.grid.energy_true.edges.tolist(),
            "space": {"type": type(self.grid.space).__name__, **self.grid.space.document()},
            "containment": self.containment,
            "background": None if self.background is None else {self.background.name: _background(self.background)},
            "exclusion": None if self.exclusion is None else self.exclusion.digest,
            "safe_masks": {mask.name: mask.document() for mask in self.safe_masks},
            "offset_max": self.offset_max,
            **({} if self.good_time == DEFAULT_RULE else {"good_time": self.good_time}),
            **({} if self.use_region_center else {"use_region_center": False}),
            **({} if self.grid.is_region else {"maps": list(self.maps)}),
            **({} if self.safe_position is None else {"safe_position": list(self.safe_position)}),
        }

    @cached_property
    def key(self) -> str:
        """The digest of the document."""
        return digest(self.document())

    @classmethod
    def from_document(cls, document: Mapping[str, Any], exclusion: Exclusion | None = None) -> Recipe:
        """Return the recipe of a document, which may have been through JSON.

        Parameters
        ----------
        document
            As ``document`` returns it.
        exclusion
            The mask whose digest the document has, where it has one.

        Raises
        ------
        UnknownNameError
            For a method that is not registered.
        DataError
            For the document of another version of this step or of a method, or of another mask.
        KeyError, TypeError, ConfigError
            For what is no document of a recipe.
        """
        axes = [Axis(name, np.array(document[name])) for name in ("energy", "energy_true")]
        masks = [_method(SAFE_MASK, name, parameters) for name, (_, parameters) in document["safe_masks"].items()]
        recipe = cls(
            Grid(axes[0], axes[1], _space(document["space"])),
            document["containment"],
            None if document["background"] is None else _background_from(document["background"]),
            None,
            tuple(masks),
            document["offset_max"],
            document.get("good_time", DEFAULT_RULE),
            document.get("use_region_center", True),
            tuple(document.get("maps", MAPS)),
            _pair(document.get("safe_position")),
        )
        if document["exclusion"] is not None:
            recipe = replace(recipe, exclusion=exclusion)
        if recipe.key != digest(document):
            raise DataError("The document is not that of a recipe of this version of xgamma, or it is of another mask.")
        return recipe


def _pair(given: Sequence[float] | None) -> tuple[float, float] | None:
    return None if given is None else (given[0], given[1])


def roles_needed(containment: bool, background: Method | None = None) -> tuple[str, ...]:
    """Return the roles of the responses that a reduction looks at, with a containment correction or without."""
    own = () if background is None else background_of(background).roles
    return ("aeff", "edisp", *(("psf",) if containment else ()), *own)


def window_roles(maps: Sequence[str], safe_masks: Sequence[Method], roles: Sequence[str]) -> tuple[str, ...]:
    """Return the roles that a reduction to windows of the sky looks at, of those that one to regions would."""
    unused = {"edisp", "psf"} - set(maps)
    if any(mask.name == "edisp-bias" for mask in safe_masks):
        unused -= {"edisp"}
    wanted = [*roles, *(("psf",) if "psf" in maps else ())]
    return tuple(dict.fromkeys(role for role in wanted if role not in unused))


def _background(method: Method) -> Any:
    """Return what of a background enters a key; of reflected regions version 1 is written as the parameters alone."""
    version, parameters = method.document()
    is_first = method.entry.is_built_in and (method.name, version) == ("reflected", 1)
    return parameters if is_first else [version, parameters]


def _background_from(document: Mapping[str, Any]) -> Method:
    ((name, content),) = document.items()
    return _method(BACKGROUND, name, content if isinstance(content, Mapping) else content[1])


def _method(kind: str, name: str, parameters: Mapping[str, Any]) -> Method:
    entry = lookup(kind, name)
    return Method(entry, entry.parameters(**parameters))


def _space(document: Mapping[str, Any]) -> RegionSpace | SkySpace:
    values = {name: value for name, value in document.items() if name != "type"}
    if document["type"] == SkySpace.__name__:
        sizes = {name: tuple(size) for name, size in values.items() if isinstance(size, list | tuple)}
        return SkySpace(**values | sizes)
    return RegionSpace(tuple(shape_from(region) for region in values["regions"]), tuple(values.get("names", ())))


def row_key(recipe_key: str, run_key: str, start: float, stop: float, others: Sequence[str] = ()) -> str:
    """Return the key of a row.

    Parameters
    ----------
    recipe_key
        The key of the recipe.
    run_key
        The digest of the bytes of the run.
    start, stop
        The selected interval in seconds since the epoch of the run, infinite where it is open.
    others
        The digests of the other runs that decide its numbers.
    """
    return digest([recipe_key, run_key, repr(start), repr(stop), *([list(others)] if others else [])])

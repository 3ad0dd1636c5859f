"""Maps in the configuration: the image and the windows that an entry of ``datasets`` asks for, and what is wrong."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from xgamma.config.sections import DatasetsConfig, SkyDirConfig, WcsConfig
from xgamma.errors import ConfigError
from xgamma.grid import SkySpace
from xgamma.reduce.background.names import SPACES
from xgamma.units import quantity_string

MOST_PIXELS = 100_000_000
EXAMPLE = "{frame: icrs, lon: 83.633 deg, lat: 22.014 deg}"
# What is made of maps alone.
OF_MAPS = ("excess_map",)


def degrees(value: Any) -> float:
    """Return an angle as a plain number."""
    return float(value.to_value("deg"))


def has_centre(skydir: SkyDirConfig) -> bool:
    """Whether the centre of maps is given."""
    return skydir.lon is not None and skydir.lat is not None


def sky_space(where: str, datasets: DatasetsConfig) -> SkySpace:
    """Return the image of an entry of ``datasets`` whose centre is known, and the windows that runs fill of it.

    As in Gammapy a window is ``2 * offset_max`` wide, and an image is a whole number of pixels.

    Raises
    ------
    ConfigError
        Without a centre.
    """
    wcs = datasets.geom.wcs
    skydir, binsize = wcs.skydir, degrees(wcs.binsize)
    if skydir.lon is None or skydir.lat is None:
        raise ConfigError(
            f"{where}.geom.wcs.skydir: expected the centre of the maps; without runs, whose mean pointing it would be, "
            f"write for example {EXAMPLE}."
        )
    width, window = (
        (degrees(wcs.width.width), degrees(wcs.width.height)),
        2 * degrees(datasets.geom.selection.offset_max),
    )
    place = degrees(skydir.lon), degrees(skydir.lat), skydir.frame or "icrs"
    return SkySpace.of_width(*place, binsize, width, window, wcs.proj or "CAR")


def _pixels(wcs: WcsConfig) -> tuple[int, int]:
    """Return the number of pixels (x, y) of the image, none where a pixel is larger than it."""
    nx, ny = (round(float((side / wcs.binsize).to_value(""))) for side in (wcs.width.width, wcs.width.height))
    return nx, ny


def image_size(datasets: DatasetsConfig) -> tuple[float, float]:
    """Return the size of a pixel of an image, and the longer side of the image, in degrees."""
    binsize = degrees(datasets.geom.wcs.binsize)
    return binsize, binsize * max(_pixels(datasets.geom.wcs))


def map_problems(datasets: DatasetsConfig) -> Iterator[str]:
    """Check that an image of some size can be made about a centre, and of maps also what is made in it."""
    wcs = datasets.geom.wcs
    if (wcs.skydir.lon is None) != (wcs.skydir.lat is None):
        yield f"{wcs.skydir.where}: expected lon and lat, or none of them; write for example {EXAMPLE}."
    if math.prod(_pixels(wcs)) > MOST_PIXELS:
        yield (
            f"{wcs.where}.binsize: a map of this width would have {math.prod(_pixels(wcs)):.3g} pixels; expected at "
            f"most {MOST_PIXELS:.0e}. Write a larger binsize or a smaller width."
        )
    elif datasets.type == "3d":
        yield from _problems_in_3d(datasets)


def _problems_in_3d(datasets: DatasetsConfig) -> Iterator[str]:
    wcs, skydir = datasets.geom.wcs, datasets.geom.wcs.skydir
    if skydir.frame is None and has_centre(skydir):
        yield (
            f"{skydir.where}.frame: expected icrs or galactic beside lon and lat, got null; write for example "
            f"{EXAMPLE}."
        )
    too_small = [name for name in ("width", "height") if getattr(wcs.width, name) < wcs.binsize]
    for name in too_small:
        yield (
            f"{wcs.where}.binsize: expected a pixel that is smaller than the map, got {quantity_string(wcs.binsize)} "
            f"and {name}: {quantity_string(getattr(wcs.width, name))}; write a smaller binsize or a larger {name}."
        )
    if too_small:
        return
    yield from _size_problems(wcs)
    yield from _background_problems(datasets)


def _size_problems(wcs: WcsConfig) -> Iterator[str]:
    nx, ny = _pixels(wcs)
    # A whole number of pixels may be wider than what was asked for.
    for name, count, most in (("width", nx, 360.0), ("height", ny, 180.0)):
        size = count * degrees(wcs.binsize)
        limit = most / 2 if wcs.proj == "TAN" else most
        if size > limit:
            yield (
                f"{wcs.where}.width.{name}: expected at most {limit:g} deg of the projection {wcs.proj or 'CAR'}, got "
                f"{count} pixels, {size:g} deg; write a smaller {name}."
            )


def _background_problems(datasets: DatasetsConfig) -> Iterator[str]:
    """Check that a background of maps has its map, and that a ring fits into what a run fills."""
    background = datasets.background
    if SPACES.get(background.method or "") != "3d":
        return
    if "background" not in datasets.map_selection:
        yield (
            f"{datasets.where}.map_selection: {background.method} needs the map of the background, and the maps are "
            f"{', '.join(datasets.map_selection)}; add background, or write background.method: null."
        )
    try:
        settings = background.settings()
    except ConfigError:
        # What is wrong with parameters is said where they are checked.
        return
    inner = None if settings is None else getattr(settings.parameters, "r_in", None)
    if inner is None:
        return
    wcs, offset_max = datasets.geom.wcs, degrees(datasets.geom.selection.offset_max)
    reach = math.hypot(*(min(degrees(side) / 2, offset_max) for side in (wcs.width.width, wcs.width.height)))
    if inner >= reach:
        yield (
            f"{background.where}.parameters.r_in: expected a ring inside of the map, got {inner:g} deg, and what a run "
            f"fills of it ends {reach:.3g} deg from its centre; write a smaller r_in, or larger maps."
        )


def step_problems(entries: Mapping[str, DatasetsConfig], steps: list[str]) -> Iterator[str]:
    """Check that steps about maps have maps, with a background beside their counts."""
    maps = [entry for entry in entries.values() if entry.type == "3d"]
    for step in OF_MAPS:
        if step not in steps:
            continue
        for entry in maps:
            # With a method the missing map is that of the method, which is said of the entry.
            if entry.read is None and entry.background.method is None and "background" not in entry.map_selection:
                yield (
                    f"{entry.where}.map_selection: {step} needs the map of the background, and the maps are "
                    f"{', '.join(entry.map_selection)}; add background, or leave {step} out."
                )
        if not maps:
            yield (
                f"steps: {step} is made of maps, and {' and '.join(entries)} have type 1d; write type: 3d, or leave "
                f"{step} out."
            )

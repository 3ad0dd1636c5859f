"""What backgrounds of windows of the sky share: the expected one, and the pixels that are not excluded."""

from __future__ import annotations

import math
from abc import ABC
from collections.abc import Mapping
from functools import lru_cache
from typing import ClassVar

import numpy as np

from xgamma.axes import BoolArray, FloatArray, IntArray
from xgamma.errors import ConfigError
from xgamma.events import Events
from xgamma.grid import Cells, Grid, SkySpace
from xgamma.masks import Exclusion
from xgamma.reduce.background.irf import Irf, IrfParameters
from xgamma.reduce.background.protocol import Background, BackgroundInput, OffRegions

# Of larger images the windows of runs are looked up one by one.
MOST_KEPT = 10_000_000
MOST_LOOKED_AT = 10_000


class SkyBackground(Background, ABC):
    """A background of windows: the one that the release expects, which is then measured where nothing is excluded."""

    roles = ("bkg",)
    dataset_type = "3d"
    name: ClassVar[str]
    """The word of the configuration."""

    def __init__(self) -> None:
        self._expected = Irf(IrfParameters())

    def validate(self, grid: Grid, exclusion: Exclusion | None) -> None:
        """Raise ``ConfigError`` for on-regions, and for an exclusion that says nothing about the image."""
        if isinstance(grid.space, SkySpace):
            validate_covers(grid.space, exclusion)
            return
        raise ConfigError(
            f"datasets.background.method: {self.name} is measured in windows of the sky, got on-regions; write "
            "datasets.type: 3d, or a background of on-regions such as reflected."
        )

    def place(self, given: BackgroundInput) -> OffRegions:
        """Return no off regions."""
        return self._expected.place(given)

    def split(self, given: BackgroundInput, off: OffRegions, events: Events, on: Cells) -> tuple[Cells, Cells]:
        """Return the events on; none is off."""
        return self._expected.split(given, off, events, on)

    def bound(self, given: BackgroundInput) -> int:
        """Return 1: there are no off regions."""
        return 1

    def estimate(self, given: BackgroundInput, off: OffRegions, counts_off: FloatArray) -> Mapping[str, FloatArray]:
        """Return the expected counts, 0 where they are not known, shape (row, cell, energy)."""
        return self._expected.estimate(given, off, counts_off)


def space_of(given: BackgroundInput) -> SkySpace:
    """Return the windows that a background is given."""
    assert isinstance(given.grid.space, SkySpace)
    return given.grid.space


def usable_pixels(exclusion: Exclusion | None, space: SkySpace, origin: IntArray) -> BoolArray:
    """Return which pixels of windows are not excluded, by their origins (row, 2); shape (row, cell).

    The nearest pixel of a mask decides. Where a mask says nothing, nothing is excluded.
    """
    height, width = space.shape
    found = np.ones((len(origin), height, width), dtype=bool)
    if exclusion is not None and math.prod(space.npix) > MOST_KEPT:
        for row, own in enumerate(origin):
            found[row] = exclusion.is_usable(*space.positions(own), outside=True).reshape(space.shape)
    elif exclusion is not None:
        image = _usable_image(exclusion, space.image)
        for row, (v, u) in enumerate(origin):
            found[row] = image[v : v + height, u : u + width]
    return found.reshape(len(origin), height * width)


# The image is looked up once, and not for each run; blocks that follow one another have the same.
@lru_cache(maxsize=2)
def _usable_image(exclusion: Exclusion, image: SkySpace) -> BoolArray:
    lon, lat = image.positions()
    usable = exclusion.is_usable(lon, lat, outside=True).reshape(image.shape)
    usable.flags.writeable = False
    return usable


def uncovered_share(space: SkySpace, exclusion: Exclusion | None) -> float:
    """Return the share of the pixels of an image about which an exclusion by masks says nothing.

    Of large images so many pixels are looked at as say it to a per mille.
    """
    if exclusion is None:
        return 0.0
    nx, ny = space.npix
    step = max(1, math.isqrt(nx * ny // MOST_LOOKED_AT))
    lon, lat = space.sky_of(np.arange(0, nx, step), np.arange(0, ny, step)[:, None])
    return _silent_share(exclusion, lon.ravel(), lat.ravel())


def _silent_share(exclusion: Exclusion, lon: FloatArray, lat: FloatArray) -> float:
    is_sky = np.isfinite(lon)
    return float(exclusion.is_silent(lon[is_sky], lat[is_sky]).mean()) if is_sky.any() else 1.0


def uncovered_remark(space: SkySpace, exclusion: Exclusion | None) -> str:
    """Return a sentence about what a mask does not cover of an image, an empty one where it covers all."""
    share = uncovered_share(space, exclusion)
    if share == 0:
        return ""
    return (
        f"datasets.background.exclusion: the mask has no pixel in {100 * share:.3g} % of the map, and nothing is "
        "excluded there; give a mask of the whole map, or add what is to be excluded to it."
    )


def validate_covers(space: SkySpace, exclusion: Exclusion | None) -> None:
    """Raise ``ConfigError`` for an exclusion by masks that says nothing about the image."""
    if exclusion is None or uncovered_share(space, exclusion) < 1:
        return
    # A small mask may lie between the pixels that were looked at.
    rows = (space.sky_of(np.arange(space.npix[0]), np.full((1, 1), row)) for row in range(space.npix[1]))
    if all(_silent_share(exclusion, lon.ravel(), lat.ravel()) == 1 for lon, lat in rows):
        raise ConfigError(
            "datasets.background.exclusion: expected a mask that covers the map, got one that has no pixel in it; give "
            "a mask of this part of the sky, or leave it out."
        )

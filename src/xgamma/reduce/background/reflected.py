"""Reflected off regions: the on-region turned about the pointing, on the ring on which it lies.

Source: Berge, Funk & Hinton 2007 (A&A 466, 1219). The off regions are those of Gammapy to the pixel, because the
pixelised angular size of the on-region sets the spacing and so their number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from xgamma.axes import FloatArray
from xgamma.errors import ConfigError
from xgamma.geometry import to_frame
from xgamma.grid import Grid
from xgamma.masks import Exclusion
from xgamma.outcome import Outcome
from xgamma.reduce.background.names import KIND
from xgamma.reduce.background.protocol import BackgroundInput
from xgamma.reduce.background.ring import (
    TURN,
    OffBlock,
    OnPlane,
    RingBackground,
    RingRegions,
    angular_size,
    excluded_pixels,
    off_block,
    ring_regions,
)
from xgamma.registry import register
from xgamma.shapes import Shape


@dataclass(frozen=True)
class ReflectedParameters:
    """How off regions are placed; angles in rad, the pixel size in deg."""

    angle_increment: float = field(default=0.1, metadata={"unit": "rad", "minimum": 1e-4, "maximum": TURN})
    min_distance: float = field(default=0.0, metadata={"unit": "rad", "minimum": 0, "maximum": TURN})
    min_distance_input: float = field(default=0.1, metadata={"unit": "rad", "minimum": 0, "maximum": TURN})
    max_region_number: int = field(default=10000, metadata={"minimum": 1})
    binsz: float = field(default=0.01, metadata={"unit": "deg", "minimum": 1e-3, "maximum": 1})


def reflected_regions(
    pointing_lon: float, pointing_lat: float, region: Shape, mask: Exclusion | None, parameters: ReflectedParameters
) -> RingRegions:
    """Return the off regions of one run.

    Parameters
    ----------
    pointing_lon, pointing_lat
        In degrees, in the frame of ``region``.
    region
        The on-region.
    mask
        The usable sky; where it says nothing everything is usable.
    parameters
        How the regions are placed.
    """
    on = OnPlane(region, (pointing_lon, pointing_lat), parameters.binsz)
    step = angular_size(on) + parameters.min_distance
    candidates = (step + parameters.min_distance_input, TURN - step - parameters.min_distance_input)
    excluded = np.empty((0, 2))
    if mask is not None and candidates[0] < candidates[1]:
        excluded = excluded_pixels(on, mask)
    angles = _free_angles(candidates, step, on.is_blocked(excluded), parameters)
    outcome = Outcome.USED if len(angles) else Outcome.NO_OFF_REGION
    if len(angles) == 0 and candidates[0] < candidates[1]:
        outcome = Outcome.ON_REGION_EXCLUDED
    return ring_regions(on, angles, outcome)


def _free_angles(
    candidates: tuple[float, float],
    step: float,
    is_blocked: Callable[[float], bool],
    parameters: ReflectedParameters,
) -> FloatArray:
    """Walk around the ring: a free place is taken and left by ``step``, a blocked one by the increment."""
    phi, angles = candidates[0], list[float]()
    while phi < candidates[1] and len(angles) < parameters.max_region_number:
        if is_blocked(phi):
            phi += parameters.angle_increment
        else:
            angles.append(phi)
            phi += step
    return np.array(angles)


@register(KIND, "reflected", parameters=ReflectedParameters)
class Reflected(RingBackground):
    """The background of reflected off regions: as many as fit on the ring."""

    def __init__(self, parameters: ReflectedParameters) -> None:
        self.parameters: ReflectedParameters = parameters

    def validate(self, grid: Grid, exclusion: Exclusion | None) -> None:
        """Raise ``ConfigError`` for windows of the sky, and for a point, whose angular size is not known."""
        super().validate(grid, exclusion)
        if grid.points.any():
            raise ConfigError(
                "datasets.background.method: reflected regions are turned copies of an on-region with an area, got a "
                "point; write method: wobble with parameters: {n_off_regions: 3}, or a radius above 0 deg."
            )

    def block(self, given: BackgroundInput, number: int) -> OffBlock:
        """Return the off regions of one on-region."""
        mask, usable = given.exclusion_for(number), given.usable_for(number)
        return off_block(*given.pointing, given.grid.regions[number], mask, self.parameters, usable, reflected_regions)

    def bound(self, given: BackgroundInput) -> int:
        """Return the largest number that any pointing has without exclusions."""
        pointings = np.unique(np.stack(given.pointing, axis=1), axis=0)
        numbers = [1]
        for region in given.grid.regions:
            lon, lat = to_frame(pointings[:, 0], pointings[:, 1], "icrs", region.frame)
            numbers += [
                len(reflected_regions(float(x), float(y), region, None, self.parameters).x)
                for x, y in zip(lon, lat, strict=True)
            ]
        return max(numbers)

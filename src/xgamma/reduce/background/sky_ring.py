"""The background of a ring about each pixel: the counts in it, worth what is expected at the pixel and in the ring.

Source: Berge, Funk & Hinton 2007 (A&A 466, 1219), ring background; Carrigan et al. 2013 (arXiv:1307.4690), rings that
grow until they hold enough.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from xgamma.axes import BoolArray, FloatArray
from xgamma.errors import ConfigError
from xgamma.grid import Grid, SkySpace
from xgamma.kernels import Kernel, summed
from xgamma.masks import Exclusion
from xgamma.reduce.background.names import KIND, OFF_COUNTS, one_bin_problem
from xgamma.reduce.background.protocol import BackgroundInput, Settled
from xgamma.reduce.background.sky import SkyBackground, space_of, usable_pixels
from xgamma.registry import register

FIXED_WIDTH, FIXED_R_IN = "fixed_width", "fixed_r_in"
# So that a last step that ends at a limit but for its last digits is beyond it.
_BORDER = 1e-9

_ANGLE = {"unit": "deg", "above": 0}


@dataclass(frozen=True)
class RingParameters:
    """The ring around each position in which its background is measured."""

    r_in: float = field(metadata={**_ANGLE, "description": "inner radius"})
    width: float = field(metadata=_ANGLE)


@dataclass(frozen=True)
class AdaptiveRingParameters:
    """Rings around each position, of which the first one that holds enough is taken."""

    r_in: float = field(metadata={**_ANGLE, "description": "inner radius of the first ring"})
    r_out_max: float = field(metadata={**_ANGLE, "description": "radius that no ring reaches"})
    width: float = field(metadata={**_ANGLE, "description": "of the first ring"})
    stepsize: float = field(default=0.02, metadata={**_ANGLE, "description": "by which rings grow"})
    threshold_alpha: float = field(
        default=0.1, metadata={"above": 0, "description": "largest ratio of the acceptances on and off"}
    )
    theta: float = field(
        default=0.0,
        metadata={"unit": "deg", "minimum": 0, "description": "radius of the acceptance on; 0 is the pixel alone"},
    )
    method: str = field(default=FIXED_WIDTH, metadata={"description": "fixed_width or fixed_r_in"})

    def __post_init__(self) -> None:
        if self.method not in (FIXED_WIDTH, FIXED_R_IN):
            raise ConfigError(f"method: expected fixed_width or fixed_r_in, got {self.method!r}.")
        if self.r_out_max <= self.r_in + self.width:
            raise ConfigError(
                f"r_out_max: expected more than r_in + width, {self.r_in + self.width:g} deg, got {self.r_out_max:g} "
                "deg."
            )

    @property
    def rings(self) -> list[tuple[float, float]]:
        """The inner and outer radii of the rings in degrees: they grow outwards, or keep the first inner radius."""
        room = self.r_out_max - self.r_in - self.width
        number = max(1, int(np.ceil(room / self.stepsize * (1 - _BORDER))))
        steps = [self.stepsize * step for step in range(number)]
        moves = self.method == FIXED_WIDTH
        return [(self.r_in + (step if moves else 0.0), self.r_in + self.width + step) for step in steps]


class RingOff(NamedTuple):
    """Counts and acceptances in the rings, each of the shape of the images; both are 0 where there is no ring."""

    counts: FloatArray
    acceptance: FloatArray


def ring_off(
    counts: npt.ArrayLike,
    background: npt.ArrayLike,
    usable: npt.ArrayLike,
    binsize: float,
    parameters: RingParameters,
) -> RingOff:
    """Return what lies in the ring about each pixel.

    Parameters
    ----------
    counts, background
        Images of the counts and of what is expected, shape (..., v, u).
    usable
        The pixels that may serve as background; it broadcasts.
    binsize
        The size of a pixel in degrees.
    parameters
        The ring.
    """
    kernel = Kernel((parameters.r_in + parameters.width) / binsize, parameters.r_in / binsize)
    images = np.stack([np.where(usable, np.asarray(image, dtype=float), 0.0) for image in (counts, background)])
    return RingOff(*summed(images, kernel))


def adaptive_ring_off(
    counts: npt.ArrayLike,
    background: npt.ArrayLike,
    usable: npt.ArrayLike,
    binsize: float,
    parameters: AdaptiveRingParameters,
) -> RingOff:
    """Return what lies in the first ring about each pixel whose alpha is small enough; see ``ring_off``.

    Alpha is what is expected at the pixel, or within ``theta`` of it, over what is expected in the ring.
    """
    expected = np.asarray(background, dtype=float)
    on = summed(expected, Kernel(parameters.theta / binsize)) if parameters.theta > 0 else expected
    found = RingOff(np.zeros_like(expected), np.zeros_like(expected))
    for r_in, r_out in parameters.rings:
        lacking = found.acceptance == 0
        if not lacking.any():
            break
        off = ring_off(counts, background, usable, binsize, RingParameters(r_in, r_out - r_in))
        taken = lacking & (off.acceptance > 0) & (on <= parameters.threshold_alpha * off.acceptance)
        for values, own in zip(found, off, strict=True):
            np.copyto(values, own, where=taken)
    return found


class _Ring(SkyBackground):
    """What both rings share."""

    variables = OFF_COUNTS
    one_bin: ClassVar[bool] = True
    """Whether it is made in one energy bin alone."""
    parameters: RingParameters | AdaptiveRingParameters

    def __init__(self, parameters: RingParameters | AdaptiveRingParameters) -> None:
        super().__init__()
        self.parameters = parameters

    @property
    def inner(self) -> float:
        """The inner radius in degrees."""
        return self.parameters.r_in

    @abstractmethod
    def off(self, counts: FloatArray, background: FloatArray, usable: BoolArray, binsize: float) -> RingOff:
        """Return what lies in the ring of each pixel, of images (row, v, u)."""

    def measured(
        self, counts: FloatArray, background: FloatArray, usable: BoolArray, binsize: float
    ) -> tuple[dict[str, FloatArray], BoolArray]:
        """Return the variables of images, shape (row, v, u), and which pixels have them; the others have 0.

        What is expected at a pixel is its acceptance; where nothing is, its counts are in no ring.
        """
        off = self.off(counts, background, usable & (background > 0), binsize)
        known = (off.acceptance > 0) & (background > 0)
        images = (off.counts, background, off.acceptance)
        return {name: np.where(known, image, 0.0) for name, image in zip(OFF_COUNTS, images, strict=True)}, known

    def validate(self, grid: Grid, exclusion: Exclusion | None) -> None:
        """Raise ``ConfigError`` for on-regions, several bins of energy, and a ring that is larger than the windows."""
        super().validate(grid, exclusion)
        assert isinstance(grid.space, SkySpace)
        if grid.energy.nbin != 1:
            raise ConfigError(one_bin_problem("datasets.geom.axes.energy", grid.energy.nbin))
        if abs(grid.space.aspect) != 1:
            raise ConfigError(
                f"datasets.background.method: {self.name} needs pixels as wide as high, got {grid.space.aspect:g} to 1."
            )
        height, width = grid.space.shape
        across = grid.space.binsize * math.hypot(height - 1, width - 1)
        if self.inner > across:
            raise ConfigError(
                f"datasets.background.parameters.r_in: expected a ring that begins inside of the map, got "
                f"{self.inner:g} deg, and a run fills {across:.3g} deg of it from corner to corner; write a smaller "
                "r_in, or larger maps."
            )
        self._validate_pixels(grid.space.binsize)

    def _validate_pixels(self, binsize: float) -> None:
        """Raise ``ConfigError`` where the first ring holds the centre of no pixel."""
        outer = self.inner + self.parameters.width
        try:
            Kernel(outer / binsize, self.inner / binsize)
        except ConfigError:
            raise ConfigError(
                f"datasets.background.parameters.width: expected a ring that holds pixels, and none of {binsize:g} deg "
                f"has its centre between {self.inner:g} and {outer:g} deg; write a larger width."
            ) from None

    def settle(
        self, given: BackgroundInput, counts: FloatArray, mask_safe: BoolArray, values: Mapping[str, FloatArray]
    ) -> Settled:
        """Return off counts and acceptances; where a ring holds nothing that is expected a pixel is masked."""
        space, looked_at = space_of(given), np.flatnonzero(mask_safe.any(axis=(1, 2)))
        images = (-1, *space.shape)
        n, b = (array.swapaxes(1, 2)[looked_at].reshape(images) for array in (counts, values["background"]))
        usable = filled_pixels(given) & usable_pixels(given.exclusion, space, space.origins(*given.pointing))
        measured, known = self.measured(n, b, usable[looked_at].reshape(images), space.binsize)
        found, safe = dict[str, FloatArray](), mask_safe.copy()
        for name, image in measured.items():
            found[name] = np.zeros((len(mask_safe), math.prod(space.shape), 1), dtype=np.float32)
            found[name][looked_at] = image.reshape(len(looked_at), -1, 1)
        safe[looked_at] &= known.reshape(len(looked_at), -1, 1)
        lost = looked_at[~safe[looked_at].any(axis=(1, 2))].tolist()
        why = "no safe pixel has a ring with a part in the map that is not excluded"
        return Settled(found, safe, dict.fromkeys(lost, why))


def filled_pixels(given: BackgroundInput) -> BoolArray:
    """Return which pixels of its window a run fills, shape (row, cell).

    A window that reaches over the edge of its image was moved into it, and then has pixels that are farther away.
    """
    space = space_of(given)
    bounds = space.bounds_about(*given.pointing, given.offset_max)
    first = space.origins(*given.pointing)
    pixels = [first[:, axis, None] + np.arange(size) for axis, size in enumerate(space.shape)]
    inside = [(own >= bounds[:, axis, :1]) & (own < bounds[:, axis, 1:]) for axis, own in enumerate(pixels)]
    return np.asarray(inside[0][:, :, None] & inside[1][:, None, :]).reshape(len(first), -1)


@register(KIND, "ring", parameters=RingParameters)
class SkyRing(_Ring):
    """The background of one ring about each pixel."""

    name = "ring"

    parameters: RingParameters

    def off(self, counts: FloatArray, background: FloatArray, usable: BoolArray, binsize: float) -> RingOff:
        """Return what lies in the ring of each pixel."""
        return ring_off(counts, background, usable, binsize, self.parameters)


@register(KIND, "adaptive_ring", parameters=AdaptiveRingParameters)
class AdaptiveSkyRing(_Ring):
    """The background of rings that grow from pixel to pixel until they hold enough."""

    name = "adaptive_ring"

    parameters: AdaptiveRingParameters

    def off(self, counts: FloatArray, background: FloatArray, usable: BoolArray, binsize: float) -> RingOff:
        """Return what lies in the rings."""
        return adaptive_ring_off(counts, background, usable, binsize, self.parameters)

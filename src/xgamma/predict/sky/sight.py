"""Where a source is seen in an image: the means of its brightness over pixels, behind the point spread function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from xgamma.axes import FloatArray
from xgamma.models.spatial.model import SpatialModel
from xgamma.predict.sky.boxes import Pixels
from xgamma.predict.sky.image import ImageSight
from xgamma.predict.sky.round import RoundSight
from xgamma.sky import SkySpace


class Sight(Protocol):
    """A source at a place in an image, whatever the point spread function."""

    pixels: Pixels
    """The pixels of the image in which it is seen."""
    lon: float
    lat: float
    """Where its responses are those of, ICRS in degrees."""

    def density(self, psf: FloatArray | None) -> FloatArray:
        """Return the mean brightness of the pixels, sr-1, shape (pixel, energy_true or 1).

        ``psf`` is the point spread function in sr-1, shape (energy_true, rad); ``None`` for none.
        """

    def slopes(
        self, wanted: Sequence[int], psf: FloatArray | None, changes: Mapping[int, FloatArray]
    ) -> list[FloatArray]:
        """Return the derivatives of ``density`` in some parameters, by their places, in canonical units.

        ``changes`` are derivatives of the point spread function in the parameters that move the source.
        """


def sight(
    model: SpatialModel, values: tuple[float, ...], space: SkySpace, rad: FloatArray, energy: FloatArray
) -> Sight:
    """Return a source at a place in an image; ``energy`` are the true energies in TeV, shape (energy_true,)."""
    # One that may become elongated is an image from the start, as profiles and images differ in their last digits.
    may_turn = any(one.name == "e" and not one.frozen for one in model.parameters)
    if model.has_center and (model.reach(values) <= 0 or (model.is_round(values) and not may_turn)):
        return RoundSight(model, values, space, rad)
    return ImageSight(model, values, space, rad, energy if model.is_energy_dependent else None)

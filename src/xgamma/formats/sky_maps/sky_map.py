"""``SkyMap``: one map of the sky as a file holds it, plain values with their axes, their WCS and their unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from xgamma.axes import Axis
from xgamma.errors import DataError
from xgamma.sky import SkySpace
from xgamma.sky_wcs import image_wcs, space_of_wcs

if TYPE_CHECKING:
    from astropy.wcs import WCS


@dataclass(frozen=True, eq=False)
class SkyMap:
    """One map of the sky.

    Parameters
    ----------
    values
        Numbers or truths, shape (one for each axis, y, x).
    axes
        The axes beside those of the sky in the order of ``values``, slowest first: ``(energy_true, energy)`` for an
        energy dispersion, which FITS and Gammapy name in the opposite order.
    wcs
        The WCS of the two celestial axes.
    frame
        ``icrs`` or ``galactic``.
    unit
        As the file spells it, in the words of FITS; empty for plain numbers.
    name
        EXTNAME; empty is the primary HDU.
    meta
        What META of the header says.
    """

    values: npt.NDArray[Any]
    axes: tuple[Axis, ...]
    wcs: WCS
    frame: str
    unit: str = ""
    name: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        expected = tuple(axis.nbin for axis in self.axes)
        if self.values.ndim != len(expected) + 2 or self.values.shape[:-2] != expected:
            names = ", ".join(axis.name for axis in self.axes) or "no axes"
            raise DataError(
                f"The map {self.name!r} has values of shape {self.values.shape}; expected {(*expected, 'y', 'x')} for "
                f"{names}."
            )

    @classmethod
    def of_space(
        cls,
        values: npt.NDArray[Any],
        axes: tuple[Axis, ...],
        space: SkySpace,
        unit: str = "",
        name: str = "",
        meta: Mapping[str, Any] | None = None,
    ) -> SkyMap:
        """Return a map of the image of a space."""
        return cls(values, axes, image_wcs(space), space.frame, unit, name, meta or {})

    @property
    def npix(self) -> tuple[int, int]:
        """The number of pixels (x, y)."""
        return self.values.shape[-1], self.values.shape[-2]

    @property
    def space(self) -> SkySpace:
        """The image as a space; raises ``InputError`` for projections, rotations and distortions that it has not."""
        return space_of_wcs(self.wcs, self.npix, f"The map {self.name!r}" if self.name else "The map")

    def axis(self, name: str) -> Axis:
        """Return an axis by its name; raises ``DataError`` where there is none."""
        for axis in self.axes:
            if axis.name == name:
                return axis
        raise DataError(f"The map {self.name!r} has no axis {name!r}; it has {', '.join(a.name for a in self.axes)}.")

"""One dataset of maps as plain arrays: what its files hold, whoever wrote them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from xgamma.axes import Axis, BoolArray, FloatArray
from xgamma.formats.fits.hdus import DEFAULT_MJDREF
from xgamma.formats.spectrum_rows import NO_OBS_ID
from xgamma.sky import SkySpace

Planes = npt.NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class ResponseGrid:
    """Responses on a coarse image of the sky.

    Parameters
    ----------
    space
        The image.
    exposure
        The weight of the responses in m2 s, shape (energy_true, y, x).
    edisp
        The kernel, shape (energy_true, energy, y, x).
    psf
        In sr-1, its integral over ``rad`` is 1, shape (energy_true, rad, y, x).
    psf_reco
        The same as a function of reconstructed energy, shape (energy, rad, y, x).
    rad
        The distances from the source, deg.
    """

    space: SkySpace
    exposure: FloatArray
    edisp: FloatArray | None = None
    psf: FloatArray | None = None
    psf_reco: FloatArray | None = None
    rad: Axis | None = None


@dataclass(frozen=True, eq=False)
class MapRow:
    """One dataset of maps; energies TeV, exposure m2 s, times s, angles deg.

    Arrays of counts have the shape (energy, y, x), ``exposure`` (energy_true, y, x). ``None`` is what a file does not
    hold; NaN an unknown number.
    """

    name: str
    space: SkySpace
    energy: Axis
    energy_true: Axis
    counts: Planes
    mask_safe: BoolArray
    exposure: Planes | None = None
    background: Planes | None = None
    counts_off: Planes | None = None
    acceptance: Planes | None = None
    acceptance_off: Planes | None = None
    mask_fit: BoolArray | None = None
    responses: ResponseGrid | None = None
    gti: FloatArray = field(default_factory=lambda: np.empty((0, 2)))
    mjdref: float = DEFAULT_MJDREF
    livetime: float = np.nan
    obs_id: int = NO_OBS_ID
    telescope: str = ""
    pointing: tuple[float, float] = (np.nan, np.nan)

    @property
    def ontime(self) -> float:
        """The summed good time in seconds, NaN where it is not known."""
        return float(np.sum(self.gti[:, 1] - self.gti[:, 0])) if len(self.gti) else np.nan

    @property
    def is_on_off(self) -> bool:
        """Whether it has off counts."""
        return self.counts_off is not None

"""One dataset of maps as plain arrays, as files of any program hold it, and as a DL4 row that is a whole image."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from xgamma import schema
from xgamma.axes import Axis, BoolArray, FloatArray
from xgamma.formats.spectrum_rows import NO_OBS_ID
from xgamma.outcome import Outcome
from xgamma.schema.response_grids import EDISP_GRID, EXPOSURE_GRID, IMAGE_IRF, PSF_GRID, PSF_RECO_GRID
from xgamma.sky import IMAGE, SkySpace
from xgamma.times import DEFAULT_MJDREF, ontime

Planes = npt.NDArray[np.floating]
_PLANES = ("counts", "mask_safe", "exposure", "background", "counts_off", "acceptance", "acceptance_off")


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
        return ontime(self.gti)

    @property
    def is_on_off(self) -> bool:
        """Whether it has off counts."""
        return self.counts_off is not None


def dataset_of_map_row(row: MapRow) -> xr.Dataset:
    """Return a DL4 Dataset of one dataset of maps: a row whose window is the whole image.

    Only what a file tells is there: no ledger, and no runs that the responses are made of.
    """
    values: dict[str, Any] = {
        name: _native(getattr(row, name))[np.newaxis] for name in _PLANES if getattr(row, name) is not None
    }
    gti = row.gti if len(row.gti) else np.full((1, 2), np.nan)
    values |= {
        "livetime": np.array([row.livetime]),
        "ontime": np.array([row.ontime]),
        "gti": gti[np.newaxis],
        "pointing_lon": np.array([row.pointing[0]]),
        "pointing_lat": np.array([row.pointing[1]]),
        "outcome": np.array([Outcome.USED]),
        **({} if row.responses is None else _grids(row.responses)),
    }
    attrs = {
        "mjdref": row.mjdref,
        "time_scale": "tt",
        "telescope": row.telescope,
        "release": "",
        "outcome_details": [""],
    }
    result = schema.dataset(values, _coords(row), attrs, row.space.dims, row.space.shape)
    if row.mask_fit is None:
        return result
    return result.assign(mask_fit=(schema.bin_dims(result), row.mask_fit[np.newaxis], {"units": ""}))


def _native(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return values if values.dtype.isnative else values.astype(values.dtype.newbyteorder("="))


def _grids(grid: ResponseGrid) -> dict[str, Any]:
    fields = {EXPOSURE_GRID: grid.exposure, EDISP_GRID: grid.edisp, PSF_GRID: grid.psf, PSF_RECO_GRID: grid.psf_reco}
    return {name: values[np.newaxis] for name, values in fields.items() if values is not None}


def _coords(row: MapRow) -> dict[Any, Any]:
    bounds = [[row.gti.min(), row.gti.max()]] if len(row.gti) else [[np.nan, np.nan]]
    grid = row.responses
    return {
        "dataset": (("dataset",), np.array([row.name]), {"long_name": "Name"}),
        "obs_id": (("dataset",), np.array([row.obs_id], np.int64), {"units": ""}),
        "interval": (("dataset", "bound"), np.array(bounds), {"units": "s"}),
        **row.energy.coords(),
        **row.energy_true.coords(),
        **row.space.coords(np.zeros((1, 2), np.int64)),
        **({} if grid is None or grid.rad is None else grid.rad.coords()),
        **({} if grid is None else {IMAGE_IRF: image_irf(grid.space)}),
    }


def image_irf(space: SkySpace) -> Any:
    """Return the coordinate of a coarse image that responses are on."""
    dims, value, attrs = space.coords()[IMAGE]
    return dims, value, {**attrs, "long_name": "Coarse image that responses are on"}

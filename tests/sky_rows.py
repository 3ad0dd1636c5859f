"""Rows that are windows of the sky, made by hand: what of them a test does not say is flat."""

from __future__ import annotations

import numpy as np
import xarray as xr

from xgamma.axes import Axis
from xgamma.sky import SkySpace

DIMS = ("dataset", "energy", "v", "u")
ENERGY = Axis.from_bounds("energy", 1.0, 100.0, 4)
ENERGY_TRUE = Axis.from_bounds("energy_true", 0.5, 200.0, 6)


def image(npix=(24, 20), binsize=0.1):
    """Return the space of an image of a number of pixels (x, y)."""
    return SkySpace(83.63, 22.01, "icrs", binsize, npix)


def sky_row(space=None, *, energy=ENERGY, name="stacked", exposure=None, **values):
    """Return one row; values broadcast to (energy, v, u), ``exposure`` to (energy_true, v, u)."""
    space = image() if space is None else space
    shape = (energy.nbin, *space.shape)
    values = {"counts": 0.0, "mask_safe": True, **values}
    variables = {
        key: (DIMS, np.broadcast_to(np.asarray(value), shape)[np.newaxis].copy(), {"units": ""})
        for key, value in values.items()
    }
    if exposure is not None:
        full = np.broadcast_to(np.asarray(exposure, dtype=float), (ENERGY_TRUE.nbin, *space.shape))[np.newaxis]
        variables["exposure"] = (("dataset", "energy_true", "v", "u"), full.copy(), {"units": "m2 s"})
    times = {"livetime": 1600.0, "ontime": 1800.0}
    variables |= {key: (("dataset",), [value], {"units": "s"}) for key, value in times.items()}
    variables["gti"] = (("dataset", "gti", "bound"), [[[0.0, 1800.0]]], {"units": "s"})
    coords = {
        **energy.coords(),
        **ENERGY_TRUE.coords(),
        **space.coords(),
        "dataset": (("dataset",), np.array([name])),
    }
    return xr.Dataset(variables, coords, {"telescope": "ONE", "mjdref": 51910.0, "time_scale": "tt"})


def response():
    """Return an energy dispersion (energy_true, energy) by which a third of each true bin is seen in two bins."""
    kernel = np.zeros((ENERGY_TRUE.nbin, ENERGY.nbin))
    for number in range(ENERGY.nbin):
        kernel[number : number + 2, number] = 1 / 3
    return kernel

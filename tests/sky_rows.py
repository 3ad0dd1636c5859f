"""Rows that are windows of the sky, made by hand: what of them a test does not say is flat."""

from __future__ import annotations

import numpy as np
import xarray as xr

from xgamma.axes import Axis
from xgamma.reduce.nodes import RAD
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


def with_responses(ds, psf=0.12, exposure=1e9, pointing=(83.63, 22.01)):
    """Return a row with the responses of one run, the same at every offset: a Gaussian psf of a sigma in deg."""
    density = np.exp(-0.5 * (RAD.center / psf) ** 2)
    density /= density @ (2 * np.pi * np.deg2rad(RAD.center) * np.deg2rad(RAD.width))
    nodes, true, reco = np.array([0.0, 3.0]), ENERGY_TRUE.nbin, ds.sizes["energy"]
    flat = np.ones((1, 2, true))
    kernel = response() if reco == ENERGY.nbin else np.ones((true, reco))
    member, node = ("member",), ("member", "node")
    variables = {
        "member_row": (member, [0]),
        "member_lon": (member, [pointing[0]]),
        "member_lat": (member, [pointing[1]]),
        "node_offset": (node, nodes[np.newaxis]),
        "reach": (member, [5.0]),
        "safe_offset": (("member", "energy"), np.full((1, reco), 4.0)),
        "exposure_edisp": ((*node, "energy_true"), exposure * flat),
        "edisp": ((*node, "energy_true", "energy"), (kernel * flat[..., None]).astype(np.float32)),
        "edisp_norm": ((*node, "energy_true"), flat),
        "psf": ((*node, "energy_true", "rad"), (density * flat[..., None]).astype(np.float32)),
    }
    units = {"member_lon": "deg", "member_lat": "deg", "node_offset": "deg", "reach": "deg", "safe_offset": "deg",
             "exposure_edisp": "m2 s", "psf": "sr-1"}  # fmt: skip
    variables = {name: (*given, {"units": units.get(name, "")}) for name, given in variables.items()}
    rows = {"rows": [["run"]]} if "exposure" in ds else {}
    return ds.assign(variables).assign_coords(RAD.coords()).assign_attrs(rows)

"""Morphologies in Gammapy, run by a python that has it: ``peer_spatial.py CASES.json RESULT.npz``."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from gammapy.maps import WcsGeom
from gammapy.modeling import models


def main(cases, path):
    """Write what each model is on an image, how far it reaches, its region and the error of its position."""
    found = {}
    given = json.loads(Path(cases).read_text())
    for key, case in given.items():
        model = getattr(models, case["type"])(frame=case["frame"], **case["values"])
        center = SkyCoord(*case["center"], unit="deg", frame=case["image"])
        geom = WcsGeom.create(skydir=center, frame=case["image"], proj=case["proj"], binsz=0.05, width=4)
        integral, density = model.integrate_geom(geom), u.Quantity(model.evaluate_geom(geom))
        found[f"{key}/integral"] = integral.quantity.to_value("")
        # What is the same everywhere has no shape, and a point no unit.
        unit = density.unit if density.unit != u.dimensionless_unscaled else u.Unit("sr-1")
        found[f"{key}/density"] = np.broadcast_to(u.Quantity(density.value, unit).to_value("sr-1"), geom.data_shape)
        limits = [model.evaluation_radius, model.evaluation_bin_size_min]
        found[f"{key}/limits"] = np.array([np.inf if one is None else one.to_value("deg") for one in limits])
        region = model.to_region()
        sizes = ("width", "height", "angle", "inner_radius", "outer_radius")
        found[f"{key}/region"] = np.array(
            [getattr(region, one).to_value("deg") for one in sizes if hasattr(region, one)]
        )
        if "lon_0" in model.parameters.names:
            covariance = np.zeros((len(model.parameters),) * 2)
            covariance[:2, :2] = case["covariance"]
            model.covariance = covariance
            error = model.position_error
            found[f"{key}/error"] = np.array([getattr(error, one).to_value("deg") for one in sizes[:3]])
    np.savez(path, **found)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(*sys.argv[1:])

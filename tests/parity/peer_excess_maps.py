"""Excess maps of Gammapy of given arrays, by a python that has it: ``peer_excess_maps.py ARRAYS.npz RESULT.npz``."""

from __future__ import annotations

import sys
import warnings

import numpy as np
from astropy import units as u
from gammapy.datasets import MapDataset, MapDatasetOnOff
from gammapy.estimators import ExcessMapEstimator
from gammapy.irf import EDispKernelMap
from gammapy.maps import Map, MapAxis, WcsGeom


def datasets(arrays):
    """Return a dataset with a known background, and one with off counts, of the same counts."""
    energy = MapAxis.from_energy_edges(arrays["energy"] * u.TeV)
    true = MapAxis.from_energy_edges(arrays["energy_true"] * u.TeV, name="energy_true")
    shape = arrays["counts"].shape[1:]
    geom = WcsGeom.create(npix=shape[::-1], binsz=0.1, skydir=(83.63, 22.01), axes=[energy])
    exposure = Map.from_geom(geom.to_image().to_cube([true]), data=arrays["exposure"], unit="m2 s")
    edisp = EDispKernelMap.from_diagonal_response(energy, true)
    maps = {name: Map.from_geom(geom, data=arrays[name].astype(float)) for name in ("counts", "background")}
    mask = Map.from_geom(geom, data=arrays["mask_safe"])
    cash = MapDataset(**maps, exposure=exposure, edisp=edisp, mask_safe=mask, name="cash")
    names = ("counts", "counts_off", "acceptance", "acceptance_off")
    maps = {name: Map.from_geom(geom, data=arrays[name].astype(float)) for name in names}
    off = MapDatasetOnOff(**maps, exposure=exposure, edisp=edisp, mask_safe=mask, name="off")
    kernel = edisp.get_edisp_kernel(energy_axis=energy).pdf_matrix
    return {"cash": cash, "off": off}, np.asarray(kernel)


def main(arrays_path, result_path):
    """Write all maps of all datasets, by ``<case>/<name>``."""
    with np.load(arrays_path) as found:
        arrays = dict(found)
    given, kernel = datasets(arrays)
    edges = arrays["energy"][[0, 2, 4]] * u.TeV
    every = {"correlation_radius": "0.2 deg", "selection_optional": "all"}
    cases = {
        "cash": (given["cash"], every),
        "planes": (given["cash"], {**every, "energy_edges": edges, "n_sigma": 2, "n_sigma_ul": 3}),
        "off": (given["off"], every),
        "single": (given["off"], {**every, "correlate_off": False}),
    }
    result = {"edisp": kernel}
    for case, (dataset, options) in cases.items():
        maps = ExcessMapEstimator(**options).run(dataset)
        result |= {f"{case}/{name}": maps[name].data for name in maps.available_quantities}
        result |= {f"{case}/flux": maps.flux.quantity.to_value("cm-2 s-1")}
    np.savez(result_path, **result)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(*sys.argv[1:])

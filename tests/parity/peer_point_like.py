"""Spectra of point-like releases by Gammapy, by a python that has it: ``peer_point_like.py REQUEST.json RESULT.npz``.

A request names a datastore, runs, an on-region (lon, lat, radius in deg; 0 is a point), the number of wobble off
regions, energy edges in TeV, the per cent of the safe mask. The result has arrays by ``<obs id>/<name>`` and the power
law fitted to all runs at once.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from gammapy.data import DataStore
from gammapy.datasets import Datasets, SpectrumDataset
from gammapy.makers import (
    ReflectedRegionsBackgroundMaker,
    SafeMaskMaker,
    SpectrumDatasetMaker,
    WobbleRegionsFinder,
)
from gammapy.maps import MapAxis, RegionGeom
from gammapy.modeling import Fit
from gammapy.modeling.models import PowerLawSpectralModel, SkyModel
from regions import CircleSkyRegion, PointSkyRegion


def reduced(request: dict) -> Datasets:
    """Return the spectrum of each run."""
    energy, energy_true = (
        MapAxis.from_energy_edges(np.array(request[name]) * u.TeV, name=name) for name in ("energy", "energy_true")
    )
    lon, lat, radius = request["region"]
    center = SkyCoord(lon, lat, unit="deg", frame="icrs")
    region = CircleSkyRegion(center, radius * u.deg) if radius > 0 else PointSkyRegion(center)
    empty = SpectrumDataset.create(geom=RegionGeom.create(region, axes=[energy]), energy_axis_true=energy_true)
    maker = SpectrumDatasetMaker(selection=["counts", "exposure", "edisp"], containment_correction=False)
    background = ReflectedRegionsBackgroundMaker(region_finder=WobbleRegionsFinder(n_off_regions=request["off"]))
    safe = SafeMaskMaker(methods=["aeff-max"], aeff_percent=request["aeff_percent"])
    observations = DataStore.from_dir(request["datastore"]).get_observations(
        request["obs_ids"], required_irf="point-like"
    )
    found = Datasets()
    for observation in observations:
        dataset = background.run(maker.run(empty.copy(name=str(observation.obs_id)), observation), observation)
        found.append(safe.run(dataset, observation))
    return found


def fitted(datasets: Datasets) -> dict[str, np.ndarray]:
    """Return value and error of the parameters of a power law fitted to all runs."""
    model = PowerLawSpectralModel(index=2.5, amplitude="4e-11 cm-2 s-1 TeV-1", reference="1 TeV")
    datasets.models = [SkyModel(spectral_model=model, name="source")]
    Fit().run(datasets)
    return {name: np.array([getattr(model, name).value, getattr(model, name).error]) for name in ("index", "amplitude")}


def spectra(request: dict) -> dict[str, np.ndarray]:
    """Return the arrays of all runs, the fit, and the seconds of the reduction."""
    start = time.perf_counter()
    datasets = reduced(request)
    found = {"seconds": np.array(time.perf_counter() - start)}
    for dataset in datasets:
        kernel = dataset.edisp.get_edisp_kernel(energy_axis=dataset.counts.geom.axes["energy"])
        off = dataset.counts_off is not None
        found |= {
            f"{dataset.name}/counts": dataset.counts.data.squeeze(),
            f"{dataset.name}/counts_off": dataset.counts_off.data.squeeze() if off else np.zeros(0),
            f"{dataset.name}/acceptance": dataset.acceptance.data.squeeze(),
            f"{dataset.name}/acceptance_off": dataset.acceptance_off.data.squeeze(),
            f"{dataset.name}/mask_safe": dataset.mask_safe.data.squeeze(),
            f"{dataset.name}/exposure": dataset.exposure.quantity.to_value("m2 s").squeeze(),
            f"{dataset.name}/edisp": np.asarray(kernel.pdf_matrix),
        }
    return {**found, **fitted(datasets)}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    np.savez(sys.argv[2], **spectra(json.loads(Path(sys.argv[1]).read_text())))
